"""What every operator shares: errors become a sentence, jobs run modally in a window and to their
end without one.
"""

from __future__ import annotations

import contextlib
import traceback

import bpy

from ...engine.core.errors import FacewrightError
from .. import jobs


class Operator(bpy.types.Operator):
    """Base of all operators: `run` does the work and raises FacewrightError; from Python that
    arrives as a RuntimeError with its sentence.
    """

    bl_options = {'REGISTER', 'UNDO'}

    def execute(self, context):
        return self.guard(self.run, context)

    def guard(self, function, context):
        """Call function(context); report any exception as one sentence. Returns what it returns,
        {'FINISHED'} for None.
        """
        try:
            return function(context) or {'FINISHED'}
        except FacewrightError as error:
            self.report({'ERROR'}, str(error))
        except Exception as error:  # noqa: BLE001  said, and printed: never out of Blender's loop
            traceback.print_exc()
            self.report(
                {'ERROR'},
                f'Facewright met something unforeseen ({type(error).__name__}: {error}): '
                'please report it with what the system console shows.',
            )
        return {'CANCELLED'}

    def warn(self, sentences) -> None:
        """Report each sentence as a warning."""
        for sentence in sentences:
            self.report({'WARNING'}, sentence)

    def option(self, settings, name, setting=''):
        """Return a parameter of this call, or where it was not given the panel's setting of that
        name (or called `setting`).
        """
        return (
            getattr(self, name)
            if self.properties.is_property_set(name)
            else getattr(settings, setting or name)
        )


@contextlib.contextmanager
def object_mode(context):
    """Give the block object mode, then go back. Blender's undo remembers what happened to objects
    in object mode alone.
    """
    thing, mode = context.view_layer.objects.active, context.mode
    if mode == 'OBJECT' or thing is None:
        yield
        return
    name, mode = thing.name, thing.mode
    if mode not in ('OBJECT', 'EDIT') and bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(
            message='Before Facewright'
        )  # a stroke's own undo step can't be returned to from an operator's
    bpy.ops.object.mode_set(mode='OBJECT')
    try:
        yield
    finally:
        if bpy.app.background:
            if bpy.ops.ed.undo_push.poll():
                bpy.ops.ed.undo_push(message='Facewright')
            _return(name, mode)
        else:
            bpy.app.timers.register(
                lambda: _return(name, mode), first_interval=0
            )  # once Blender has remembered the step


def _return(name: str, mode: str) -> None:
    """Go back into a mode, if the object is still the active one."""
    window = bpy.context.window or bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window):
        active = bpy.context.view_layer.objects.active
        if (
            active is not None
            and active.name == name
            and active.mode == 'OBJECT'
            and active.visible_get()
        ):
            bpy.ops.object.mode_set(mode=mode)


class FileOperator(Operator):
    """An operator that asks for a file first when it is invoked from the interface without one."""

    def invoke(self, context, event):
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {'RUNNING_MODAL'}


class JobOperator(Operator):
    """An operator whose `begin` starts a job and whose `finish` brings its result into the scene.

    In a window it starts the job and returns {'RUNNING_MODAL'}; with `blender -b` or the bpy module
    it waits for it. `begin` returns None where no job is needed: then `finish` gets None at once.
    """

    def run(self, context):
        self.job = self.begin(context)
        self.scene = context.scene.session_uid  # a name may be changed meanwhile
        if self.job is None or bpy.app.background:
            outcome = self.job and jobs.wait(
                self.job, lambda stage: print(f'{self.job.title}: {stage}', flush=True)
            )
            with object_mode(context):
                return self.finish(context, outcome)
        try:
            window = context.window or context.window_manager.windows[0]
            with context.temp_override(window=window):
                self.timer = context.window_manager.event_timer_add(0.1, window=window)
                context.window_manager.modal_handler_add(self)
        except Exception:
            self.job.cancel()
            raise
        return {'RUNNING_MODAL'}

    def modal(self, context, event):
        if event.type != 'TIMER' and self.job.state == 'running':
            return {'PASS_THROUGH'}
        state = self.job.poll()
        redraw(context)
        if state == 'running':
            return {'PASS_THROUGH'}
        context.window_manager.event_timer_remove(self.timer)
        if state == 'cancelled':
            self.report({'INFO'}, f'{self.job.title} was cancelled.')
            return {'CANCELLED'}
        return self.guard(self.conclude, context)

    def conclude(self, context):
        """Bring the finished job's result into the scene it was started from, in object mode."""
        outcome = jobs.result(self.job)
        begun_in = (s for s in bpy.data.scenes if s.session_uid == self.scene)
        scene = next(begun_in, context.scene)
        with object_mode(context):
            if scene == context.scene:
                return self.finish(context, outcome)
            with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
                return self.finish(bpy.context, outcome)

    def cancel(self, context):
        """Cancel the job: Blender calls this when it quits or loads another file under a running
        operator.
        """
        if getattr(self, 'job', None):
            self.job.cancel()


def redraw(context) -> None:
    """Redraw the sidebars, not the views beside them: the engine needs the processor."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'VIEW_3D':
                for region in area.regions:
                    if region.type == 'UI':
                        region.tag_redraw()
