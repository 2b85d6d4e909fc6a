"""Reconstruct panel: run, cancel, bring in a result made elsewhere."""

from __future__ import annotations

from bpy.props import BoolProperty, StringProperty

from ...engine.tasks import specs
from .. import api, jobs, options
from ..options import prop, prop_or_panel
from .base import JobOperator, Operator, redraw


class FACEWRIGHT_OT_reconstruct(JobOperator):
    bl_description = (
        'Make an animated head from the footage, in the background, with a bar that shows '
        'the time left'
    )

    bl_idname = 'facewright.reconstruct'
    bl_label = 'Reconstruct'
    bl_options = {'UNDO'}

    quality: prop_or_panel(specs.Reconstruct, 'quality')
    neutral_frame: prop_or_panel(
        specs.Reconstruct,
        'neutral_frame',
        description="Which of the first view's frames shows the face at rest, counted from 0 at "
        "its in-point (not the scene's frame, as in the panel); −1: unknown",
    )
    smooth: prop_or_panel(specs.Reconstruct, 'smooth')
    naming: prop_or_panel(options.Head, 'naming')
    output: prop_or_panel(options.Take, 'output')
    scene_settings: prop_or_panel(options.Take, 'scene_settings')
    old_take: prop_or_panel(options.Take, 'old_take')
    rig: prop_or_panel(specs.Reconstruct, 'rig')

    def begin(self, context):
        settings = context.scene.facewright
        chosen = {
            n: self.option(settings, n)
            for n in ('quality', 'smooth', 'output', 'scene_settings', 'old_take', 'rig')
        }
        given = self.properties.is_property_set('neutral_frame')
        chosen['neutral_frame'] = self.neutral_frame if given else api.neutral_index(context.scene)
        arguments = api.reconstruction(context.scene, **chosen)
        self.choices = {
            n: self.option(settings, n) for n in ('naming', 'scene_settings', 'old_take')
        } | {'sound': settings.sound}
        return jobs.start('reconstruct', arguments, 'Reconstruction')

    def finish(self, context, result):
        head = api.apply_result(
            context, self.job.arguments['out'], clips=result.get('clips'), **self.choices
        )
        words = api.verdict_in_words(head)
        words = f'{head.name} is in the scene' + (f': {words}.' if words else '.')
        self.report({'INFO'}, ' '.join([words, *api.notes(head)]))
        self.warn(api.warnings_of(self.job.arguments['out']))


class FACEWRIGHT_OT_set_neutral_frame(Operator):
    """Take the current frame for the one in which the face is at rest"""

    bl_idname = 'facewright.set_neutral_frame'
    bl_label = 'Set from Current Frame'

    def run(self, context):
        settings = context.scene.facewright
        settings.neutral_known, settings.neutral_at = True, context.scene.frame_current


class FACEWRIGHT_OT_set_rig(Operator):
    """Take the rig of the selected reconstructed head, or of the scene's last, as it was found"""

    bl_idname = 'facewright.set_rig'
    bl_label = 'Set from Head'

    def run(self, context):
        context.scene.facewright.rig = api.rig_of_head(context)


class FACEWRIGHT_OT_cancel(Operator):
    bl_description = (
        'Stop the running job at once: the scene stays as it is. The same reconstruction, '
        'started again, goes on from there'
    )

    bl_idname = 'facewright.cancel'
    bl_label = 'Cancel'
    bl_options = {'INTERNAL'}

    def run(self, context):
        stopped = jobs.cancel()
        redraw(context)
        if not stopped:
            self.report({'INFO'}, 'Nothing is running.')
            return {'CANCELLED'}


class FACEWRIGHT_OT_apply_result(JobOperator):
    """Bring a reconstruction made elsewhere, for instance on the command line, into this scene"""

    bl_idname = 'facewright.apply_result'
    bl_label = 'Import Result'

    directory: StringProperty(
        name='Folder',
        description='The folder with rig.npz, performance.npz, cameras.json and report.json',
        subtype='DIR_PATH',
        options={'SKIP_SAVE'},
    )
    filter_folder: BoolProperty(
        name='Folders',
        description='Show folders in the file browser',
        default=True,
        options={'HIDDEN', 'SKIP_SAVE'},
    )
    naming: prop(options.Head, 'naming')
    sound: prop(options.Take, 'sound')
    scene_settings: prop_or_panel(options.Take, 'scene_settings')
    old_take: prop_or_panel(options.Take, 'old_take')

    def invoke(self, context, event):
        if self.directory:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {'RUNNING_MODAL'}

    def begin(self, context):
        folder, settings = (
            api.checked_path(self.directory, 'result folder'),
            context.scene.facewright,
        )
        self.choices = {n: self.option(settings, n) for n in ('scene_settings', 'old_take')}
        arguments = api.result_job(context.scene, folder, **self.choices)
        return arguments and jobs.start('scene_clips', arguments, 'Import')

    def finish(self, context, result):
        folder, clips = (
            api.checked_path(self.directory, 'result folder'),
            result and result['clips'],
        )
        head = api.apply_result(
            context, folder, self.naming, self.sound, clips=clips, **self.choices
        )
        self.report({'INFO'}, ' '.join([f'{head.name} is in the scene.', *api.notes(head)]))
        self.warn([*api.warnings_of(folder), *(result or {}).get('warnings', ())])


class FACEWRIGHT_OT_clear_message(Operator):
    """Put the message of the last job away"""

    bl_idname = 'facewright.clear_message'
    bl_label = 'Dismiss'
    bl_options = {'INTERNAL'}

    def run(self, context):
        jobs.clear()
        redraw(context)


class FACEWRIGHT_OT_show_worst_frame(Operator):
    bl_description = (
        'Go to the frame in which a region of the face, or the face as a whole, fits the '
        'footage worst'
    )

    bl_idname = 'facewright.show_worst_frame'
    bl_label = 'Go to Worst Frame'

    region: StringProperty(
        name='Region',
        description='"eyes", "brows", "lips" or "jaw". Empty: the face as a whole',
        options={'SKIP_SAVE'},
    )

    def run(self, context):
        api.show_worst_frame(context, self.region)


class FACEWRIGHT_OT_look_through(Operator):
    bl_description = (
        'Look through the camera of the selected head, or the next one where there are '
        "several. Unless the scene kept its own, renders get it too, with its footage's size"
    )

    bl_idname = 'facewright.look_through'
    bl_label = 'Look Through Camera'

    def run(self, context):
        api.look_through(context)


class FACEWRIGHT_OT_lay_clip_over(Operator):
    bl_description = (
        'Lay the clip over the head, half transparent, to see how the head lies on it; press '
        'again to put it back behind'
    )

    bl_idname = 'facewright.lay_clip_over'
    bl_label = 'Clip over Head'

    opacity: prop(options.Take, 'opacity')

    def run(self, context):
        api.lay_clip_over(context, self.opacity)


class FACEWRIGHT_OT_show_wire(Operator):
    """Draw the head as wire, to see the clip through it; press again for its surface"""

    bl_idname = 'facewright.show_wire'
    bl_label = 'Wire'

    def run(self, context):
        api.show_wire(context)


CLASSES = (
    FACEWRIGHT_OT_reconstruct,
    FACEWRIGHT_OT_set_neutral_frame,
    FACEWRIGHT_OT_set_rig,
    FACEWRIGHT_OT_cancel,
    FACEWRIGHT_OT_apply_result,
    FACEWRIGHT_OT_clear_message,
    FACEWRIGHT_OT_show_worst_frame,
    FACEWRIGHT_OT_look_through,
    FACEWRIGHT_OT_lay_clip_over,
    FACEWRIGHT_OT_show_wire,
)
