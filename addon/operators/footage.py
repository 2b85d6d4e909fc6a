"""Footage panel: the list of views."""

from __future__ import annotations

import os

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty

from ...engine.tasks import specs
from .. import api, options
from ..options import items, prop
from .base import FileOperator, Operator

AUTOMATIC = ('AUTO', 'Automatic', "Judge by the file's name and its neighbours")


class FACEWRIGHT_OT_add_footage(FileOperator):
    bl_description = (
        'Add a video, an image sequence, a photo or a capture.json; several files are '
        'several views of one performance'
    )

    bl_idname = 'facewright.add_footage'
    bl_label = 'Add Footage'

    filepath: prop(specs.Source, 'path', options={'SKIP_SAVE'})
    directory: StringProperty(
        name='Folder',
        description='Folder of `files`',
        subtype='DIR_PATH',
        options={'HIDDEN', 'SKIP_SAVE'},
    )
    files: CollectionProperty(
        name='Files',
        description='Several files at once, in `directory`',
        type=bpy.types.OperatorFileListElement,
        options={'HIDDEN', 'SKIP_SAVE'},
    )
    name: prop(
        specs.Source,
        'name',
        description='What to call the view. Empty: as the file',
        options={'SKIP_SAVE'},
    )
    kind: prop(
        specs.Source,
        'kind',
        description='What the file is',
        items=[AUTOMATIC, *(item[:3] for item in items(specs.KINDS))],
    )
    lens: prop(specs.Source, 'lens_mm')
    offset: prop(specs.Source, 'offset')
    start: prop(specs.Source, 'start')
    end: prop(specs.Source, 'end')
    fps: prop(specs.Source, 'fps')
    cameras: prop(options.View, 'cameras', options={'SKIP_SAVE'})
    masks: prop(options.View, 'masks', options={'SKIP_SAVE'})
    filter_glob: StringProperty(
        name='Filter',
        description='What else the file browser shows',
        default='*.json',
        options={'HIDDEN', 'SKIP_SAVE'},
    )
    filter_movie: BoolProperty(
        name='Movies',
        description='Show videos in the file browser',
        default=True,
        options={'HIDDEN', 'SKIP_SAVE'},
    )
    filter_image: BoolProperty(
        name='Images',
        description='Show images in the file browser',
        default=True,
        options={'HIDDEN', 'SKIP_SAVE'},
    )
    filter_folder: BoolProperty(
        name='Folders',
        description='Show folders in the file browser',
        default=True,
        options={'HIDDEN', 'SKIP_SAVE'},
    )

    def draw(self, context):
        """Beside the file browser: what nobody can tell from the file. The rest is in the panel."""
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, 'kind')
        layout.prop(self, 'lens')
        if self.kind == 'SEQUENCE':
            layout.prop(self, 'fps')

    def run(self, context):
        chosen = (
            # pathlib does not know Blender's '//'
            [os.path.join(self.directory, f.name) for f in self.files if f.name]  # noqa: PTH118
            if self.directory
            else []
        )
        paths = chosen or [self.filepath]
        for path in paths:  # all of them before the first is added
            api.checked_footage(path, self.kind)
        for path in paths:
            api.add_footage(
                context.scene,
                path,
                name=self.name,
                kind=self.kind,
                lens=self.lens,
                offset=self.offset,
                start=self.start,
                end=self.end,
                fps=self.fps,
                cameras=self.cameras,
                masks=self.masks,
            )


class FACEWRIGHT_OT_remove_footage(Operator):
    """Take a view off the list; its file is not touched"""

    bl_idname = 'facewright.remove_footage'
    bl_label = 'Remove Footage'

    index: IntProperty(
        name='Index',
        description='Which view, counted from 0. −1: the chosen one',
        default=-1,
        min=-1,
    )

    def run(self, context):
        api.remove_footage(
            context.scene, context.scene.facewright.active_view if self.index < 0 else self.index
        )


class FACEWRIGHT_OT_move_footage(Operator):
    bl_description = (
        'Move the chosen view up or down; the first view gives the clock, the frame rate and '
        'the sound'
    )

    bl_idname = 'facewright.move_footage'
    bl_label = 'Move Footage'

    step: IntProperty(name='Step', description='−1: up, 1: down', default=-1, min=-1, max=1)

    def run(self, context):
        api.move_footage(context.scene, context.scene.facewright.active_view, self.step)


CLASSES = (FACEWRIGHT_OT_add_footage, FACEWRIGHT_OT_remove_footage, FACEWRIGHT_OT_move_footage)
