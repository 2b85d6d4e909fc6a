"""Performance panel: performances onto and from any mesh with ICT or ARKit shape keys."""

from __future__ import annotations

from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import api, options
from ..options import prop
from .base import FileOperator, Operator, object_mode

FILTER = {
    'name': 'Filter',
    'description': 'What the file browser shows',
    'default': '*.csv;*.npz',
    'options': {'HIDDEN'},
}


class OnHeads(Operator):
    """Works on the selected meshes that have shape keys."""

    @classmethod
    def poll(cls, context):
        if not api.heads_in(context):
            cls.poll_message_set('Select a mesh with ICT or ARKit shape keys')
            return False
        return True


class FACEWRIGHT_OT_import_performance(FileOperator, OnHeads):
    """Put a Live Link Face CSV or a performance.npz onto the selected meshes' shape keys"""

    bl_idname = 'facewright.import_performance'
    bl_label = 'Import Performance'

    filepath: StringProperty(
        name='File',
        description='A Live Link Face .csv or a performance.npz',
        subtype='FILE_PATH',
        options={'SKIP_SAVE'},
    )
    filter_glob: StringProperty(**FILTER)
    start: prop(options.Performance, 'start')
    motion: prop(options.Performance, 'motion')
    frame_rate: prop(options.Performance, 'frame_rate')
    rate: prop(options.Performance, 'rate', options={'SKIP_SAVE'})

    def run(self, context):
        performance, notes = api.import_performance(
            context, self.filepath, self.start, self.motion, self.frame_rate, self.rate
        )
        words = (
            f'{len(performance.time):,} samples at {performance.fps:.5g} frames a second imported.'
        )
        self.report({'WARNING'} if notes else {'INFO'}, ' '.join([words, *notes]))


class FACEWRIGHT_OT_export_performance(FileOperator, OnHeads):
    """Write the active mesh's expression animation as a Live Link Face CSV or a performance.npz"""

    bl_idname = 'facewright.export_performance'
    bl_label = 'Export Performance'
    bl_options = {'REGISTER'}

    filepath: StringProperty(
        name='File',
        description='Where to: a .csv becomes a Live Link Face CSV, a .npz a performance.npz',
        subtype='FILE_PATH',
        options={'SKIP_SAVE'},
    )
    filter_glob: StringProperty(**FILTER)
    check_existing: BoolProperty(
        name='Confirm Overwrite',
        description='Warn before replacing a file',
        default=True,
        options={'HIDDEN'},
    )
    whole: BoolProperty(
        name='Scene Range',
        description="Export the scene's frame range; off: from Start Frame to End Frame",
        default=True,
    )
    start: IntProperty(
        name='Start Frame',
        description="First frame to write, where not the scene's range",
        default=1,
    )
    end: IntProperty(
        name='End Frame',
        description="Last frame to write, where not the scene's range",
        default=250,
    )

    def invoke(self, context, event):
        if not self.filepath:
            self.filepath = f'{context.object.name}.csv'
        context.window_manager.fileselect_add(self)
        return {'RUNNING_MODAL'}

    def run(self, context):
        scene = context.scene
        first, last = (scene.frame_start, scene.frame_end) if self.whole else (self.start, self.end)
        performance = api.export_performance(context, self.filepath, first, last)
        words = f'Frames {first} to {last} written, at {performance.fps:.5g} frames a second.'
        apart = api.sides_apart(performance) if self.filepath.lower().endswith('.csv') else []
        if apart:
            words += f' {" and ".join(apart)}: one value for both sides, their mean.'
        self.report({'WARNING'} if apart else {'INFO'}, words)


class FACEWRIGHT_OT_smooth_performance(OnHeads):
    """Calm the selected meshes' curves, and the active one's motion, without losing blinks"""

    bl_idname = 'facewright.smooth_performance'
    bl_label = 'Smooth Performance'

    strength: prop(options.Performance, 'strength')
    motion: prop(options.Performance, 'motion', description="Calm the object's own movement too")

    def run(self, context):
        api.smooth_performance(context, self.strength, self.motion)


class FACEWRIGHT_OT_rename_shape_keys(OnHeads):
    """Give the selected meshes' shape keys ICT's or ARKit's names; animation follows"""

    bl_idname = 'facewright.rename_shape_keys'
    bl_label = 'Rename Shape Keys'

    naming: prop(options.Head, 'naming', name='Names', default='ARKIT')

    def run(self, context):
        with object_mode(context):
            changed, notes = api.rename_shape_keys(context, self.naming)
        words = (
            f'{changed} shape keys renamed.'
            if changed
            else 'The shape keys have these names already.'
        )
        self.report({'WARNING'} if notes else {'INFO'}, ' '.join([words, *notes]))


CLASSES = (
    FACEWRIGHT_OT_import_performance,
    FACEWRIGHT_OT_export_performance,
    FACEWRIGHT_OT_smooth_performance,
    FACEWRIGHT_OT_rename_shape_keys,
)
