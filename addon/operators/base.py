"""What every operator shares: errors become a sentence, jobs run modally in a window and to their end without one."""
from __future__ import annotations

import traceback

import bpy

from ...engine.errors import FacewrightError
from .. import jobs


class Operator(bpy.types.Operator):
    """Base of all operators: `run` does the work and raises FacewrightError; from Python that arrives as a RuntimeError with its sentence."""
    bl_options = {'REGISTER', 'UNDO'}

    def execute(self, context):
        return self.guard(self.run, context)

    def guard(self, function, context):
        """Call function(context); report any exception as one sentence. Returns what it returns, {'FINISHED'} for None."""
        try:
            return function(context) or {'FINISHED'}
        except FacewrightError as error:
            self.report({'ERROR'}, str(error))
        except Exception as error:
            traceback.print_exc()
            self.report({'ERROR'}, f'Facewright met something unforeseen ({type(error).__name__}: {error}): please report it with what the system console shows.')
        return {'CANCELLED'}


class FileOperator(Operator):
    """An operator that asks for a file first when it is invoked from the interface without one."""

    def invoke(self, context, event):
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {'RUNNING_MODAL'}


class JobOperator(Operator):
    """An operator whose `begin` starts a job and whose `finish` brings its result into the scene.

    In a window it starts the job and returns {'RUNNING_MODAL'}; with `blender -b` or the bpy module it waits for it.
    `begin` returns None where no job is needed: then `finish` gets None at once.
    """

    def run(self, context):
        self.job = self.begin(context)
        self.scene = context.scene.name
        if self.job is None:
            return self.finish(context, None)
        if bpy.app.background:
            return self.finish(context, jobs.wait(self.job, lambda stage: print(f'{self.job.title}: {stage}', flush=True)))
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
        scene = bpy.data.scenes.get(self.scene, context.scene)
        if context.mode != 'OBJECT' and context.object is not None:
            bpy.ops.object.mode_set(mode='OBJECT')  # in other modes Blender's undo would not remember the new objects
        if scene == context.scene:
            return self.finish(context, outcome)
        with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            return self.finish(bpy.context, outcome)

    def cancel(self, context):
        """Called by Blender when it quits or loads another file under a running operator."""
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
