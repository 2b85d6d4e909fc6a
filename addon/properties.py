"""What a scene remembers about Facewright: `scene.facewright`."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty

from ..engine.tasks import specs
from . import options
from .options import prop

# No methods on these classes: Blender 4.2 as a module keeps property groups, and all their
# functions reach, past its own end, and crashes.


class FootageView(bpy.types.PropertyGroup):
    """One camera's footage."""

    label: prop(specs.Source, 'name', default='View')
    filepath: prop(specs.Source, 'path')
    kind: prop(specs.Source, 'kind', description='What the file is')
    lens: prop(specs.Source, 'lens_mm')
    offset: prop(specs.Source, 'offset')
    start: prop(specs.Source, 'start')
    end: prop(specs.Source, 'end')
    fps: prop(specs.Source, 'fps')
    cameras: prop(options.View, 'cameras')
    masks: prop(options.View, 'masks')


class ShapeSettings(bpy.types.PropertyGroup):
    """The Shape Keys panel's settings; operators take them where a parameter is not given."""

    onto: prop(specs.GenerateShapeKeys, 'onto')
    at_rest: prop(options.Generated, 'at_rest')
    settle: prop(specs.GenerateShapeKeys, 'settle')
    keep_edits: prop(options.Generated, 'keep_edits')
    replace: prop(options.Generated, 'replace')
    follow: prop(options.Generated, 'follow')
    hide: prop(options.Generated, 'hide')
    combinations: prop(specs.CheckIntersections, 'combinations')
    fix: prop(options.Cavities, 'keys')
    spread: prop(specs.FixCavities, 'spread')
    flesh: prop(options.Cavities, 'show')
    mask: prop(options.Cavities, 'mask')
    keys: prop(options.Editing, 'keys')
    where: prop(options.Editing, 'where')
    group: prop(options.Editing, 'group')
    falloff: prop(options.Editing, 'falloff')
    strength: prop(options.Editing, 'strength')
    share: prop(options.Editing, 'share')
    width: prop(options.Editing, 'width')
    tolerance: prop(options.Editing, 'tolerance')
    report: StringProperty(name='Report', description="What the last of the panel's jobs said")


class Settings(bpy.types.PropertyGroup):
    """The Facewright tab's settings, saved with the scene."""

    model: prop(options.Head, 'model')
    model_path: prop(options.Head, 'path')
    naming: prop(options.Head, 'naming')
    views: CollectionProperty(
        name='Views',
        description='The footage: one entry a camera, all of the same performance',
        type=FootageView,
    )
    active_view: IntProperty(name='View', description='The view whose settings are shown', min=0)
    quality: prop(specs.Reconstruct, 'quality')
    neutral_known: BoolProperty(
        name='Neutral Frame',
        description='There is a frame in which the face is at rest: it makes the head more like '
        'the person. Off: unknown',
    )
    neutral_at: IntProperty(
        name='Neutral Frame',
        description="The scene's frame in which the face is at rest. Before the first "
        "reconstruction the footage begins at frame 1, or at the scene's first where the scene "
        'keeps its settings',
        default=1,
    )
    smooth: prop(specs.Reconstruct, 'smooth')
    sound: prop(options.Take, 'sound')
    scene_settings: prop(options.Take, 'scene_settings')
    old_take: prop(options.Take, 'old_take')
    output: prop(options.Take, 'output')
    rig: prop(specs.Reconstruct, 'rig')
    shapes: PointerProperty(
        name='Shape Keys', description="The Shape Keys panel's settings", type=ShapeSettings
    )
    result: PointerProperty(
        name='Result',
        description='The last reconstructed head: the panel shows how good it is where no other '
        'is selected',
        type=bpy.types.Object,
    )


CLASSES = (FootageView, ShapeSettings, Settings)


def attach() -> None:
    """Give every scene its settings."""
    bpy.types.Scene.facewright = PointerProperty(
        name='Facewright', description="Facewright's settings", type=Settings
    )


def detach() -> None:
    """Take the scenes' settings away."""
    del bpy.types.Scene.facewright
