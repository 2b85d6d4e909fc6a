"""The Facewright tab in the 3D viewport's sidebar."""
from __future__ import annotations

import textwrap
import time

import bpy

from . import api, jobs
from .scene import results, shape_keys

LETTER = 7  # pixels a letter of a label takes at interface scale 1, rounded up
MODEL_TASKS = ('import_model', 'download_model')


class Panel:
    bl_space_type, bl_region_type, bl_category = 'VIEW_3D', 'UI', 'Facewright'


class FACEWRIGHT_UL_views(bpy.types.UIList):
    """The footage, a row a view."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0):
        layout.prop(item, 'label', text='', emboss=False, icon=item.bl_rna.properties['kind'].enum_items[item.kind].icon)


class FACEWRIGHT_PT_head(Panel, bpy.types.Panel):
    bl_label = 'Head'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, 'model')
        if settings.model == 'FILE':
            layout.prop(settings, 'model_path', text='')
            row = layout.row(align=True)
            row.operator('facewright.import_face_model', text='Import…', icon='FILE_FOLDER')
            row.operator('facewright.download_face_model', text='Download', icon='URL')
            if not settings.model_path:
                text(context, layout, 'Import ICT-FaceKit from where you saved it, or download it (MIT licence).', 'INFO')
        layout.prop(settings, 'naming', text='Names')
        layout.operator('facewright.add_head', icon='USER')
        draw_job(context, layout, MODEL_TASKS)


class FACEWRIGHT_PT_footage(Panel, bpy.types.Panel):
    bl_label = 'Footage'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright
        if not settings.views:
            text(context, layout, 'Add a video, an image sequence or a photo of a face. Several cameras of one performance: add them all.', 'INFO')
            layout.operator('facewright.add_footage', icon='ADD')
            return
        row = layout.row()
        row.template_list('FACEWRIGHT_UL_views', '', settings, 'views', settings, 'active_view', rows=3)
        buttons = row.column(align=True)
        buttons.operator('facewright.add_footage', text='', icon='ADD')
        buttons.operator('facewright.remove_footage', text='', icon='REMOVE')
        if len(settings.views) > 1:
            buttons.separator()
            buttons.operator('facewright.move_footage', text='', icon='TRIA_UP').step = -1
            buttons.operator('facewright.move_footage', text='', icon='TRIA_DOWN').step = 1
        if settings.active_view < len(settings.views):
            self.draw_view(layout, settings.views[settings.active_view])
        layout.prop(settings, 'sound')

    def draw_view(self, layout, view):
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(view, 'filepath')
        column.prop(view, 'kind')
        if view.kind != 'CAPTURE':
            column.prop(view, 'lens', text='Lens (35 mm eq.)' if view.lens else 'Lens (0: find)')
        else:
            column.prop(view, 'cameras')
        if view.kind == 'SEQUENCE':
            column.prop(view, 'fps')
        if view.kind != 'PHOTO':
            column.prop(view, 'offset')
            pair = column.column(align=True)
            pair.prop(view, 'start')
            pair.prop(view, 'end')


class FACEWRIGHT_PT_reconstruct(Panel, bpy.types.Panel):
    bl_label = 'Reconstruct'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright
        job = jobs.running()
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.enabled = job is None
        column.prop(settings, 'quality')
        column.prop(settings, 'neutral_frame')
        column.prop(settings, 'smooth')
        column.prop(settings, 'output')
        if not (job and job.task == 'reconstruct'):
            row = layout.row()
            row.scale_y = 1.4
            row.enabled = job is None and len(settings.views) > 0
            row.operator('facewright.reconstruct', icon='PLAY')
            if not settings.views:
                text(context, layout, 'First add footage in the panel above.', 'INFO')
        draw_job(context, layout, ('reconstruct',))
        if settings.result and settings.result.name in context.scene.objects:
            self.draw_result(layout, settings.result, context.scene.frame_current)
        elif job is None:
            layout.operator('facewright.apply_result', icon='IMPORT')

    def draw_result(self, layout, head, frame):
        box = layout.box()
        box.label(text=head.name, icon='CHECKMARK')
        box.label(text=f'Mean error {head.get(results.MEAN, 0):.2f} % of the eyes\' distance')
        here, worst, unseen = results.frame_error(head, frame), results.worst_frame(head), results.unseen_frames(head)
        box.label(text=f'Frame {frame}: {here:.2f} %' if here is not None else f'Frame {frame}: no face seen')
        if unseen:
            box.label(text=f'{unseen} frame{"s" if unseen > 1 else ""} without a face', icon='ERROR')
        row = box.row(align=True)
        if worst:
            row.operator('facewright.show_worst_frame', text=f'Worst: {worst[0]} ({worst[1]:.2f} %)')
        row.operator('facewright.look_through', text='Camera', icon='CAMERA_DATA')


class FACEWRIGHT_PT_performance(Panel, bpy.types.Panel):
    bl_label = 'Performance'

    def draw(self, context):
        layout, found = self.layout, api.heads_in(context)
        if not found:
            text(context, layout, 'Select a mesh with ICT or ARKit shape keys: a head added here, or your own character.', 'INFO')
        else:
            names = {'ICT': 'ICT names', 'ARKIT': 'ARKit names', None: 'other names'}[shape_keys.naming(found[0])]
            layout.label(text=f'{found[0].name}: {names}' + (f' and {len(found) - 1} more' if len(found) > 1 else ''), icon='SHAPEKEY_DATA')
        row = layout.row(align=True)
        row.operator('facewright.import_performance', text='Import', icon='IMPORT')
        row.operator('facewright.export_performance', text='Export', icon='EXPORT')
        layout.operator('facewright.smooth_performance', icon='MOD_SMOOTH')
        row = layout.row(align=True)
        row.operator('facewright.rename_shape_keys', text='To ICT Names').naming = 'ICT'
        row.operator('facewright.rename_shape_keys', text='To ARKit Names').naming = 'ARKIT'


CLASSES = (FACEWRIGHT_UL_views, FACEWRIGHT_PT_head, FACEWRIGHT_PT_footage, FACEWRIGHT_PT_reconstruct, FACEWRIGHT_PT_performance)


def draw_job(context, layout, tasks: tuple[str, ...]) -> None:
    """The running job's bar, or what went wrong with the last, where it is one of `tasks`."""
    job = jobs.current
    if job is None or job.task not in tasks:
        return
    if job.state == 'running':
        layout.progress(factor=job.fraction, text=f'{job.title}: {100 * job.fraction:.0f} %')
        row = layout.row()
        row.label(text=job.stage)
        row.label(text=time_left(job))
        layout.operator('facewright.cancel', icon='CANCEL')
    elif job.state == 'failed':
        box = layout.box()
        text(context, box, job.error, 'ERROR')
        if job.log and job.log.exists():
            box.operator('wm.path_open', text='Show Log', icon='TEXT').filepath = str(job.log)
        box.operator('facewright.clear_message', icon='X')


def text(context, layout, words: str, icon: str = 'NONE') -> None:
    """A sentence over as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale or 1  # 0 without a window
    width = context.region.width if context.region else 300
    column = layout.column(align=True)
    for i, line in enumerate(textwrap.wrap(words, max(20, int((width / scale - 70) / LETTER)))):
        column.label(text=line, icon=icon if i == 0 else 'BLANK1' if icon != 'NONE' else 'NONE')


def time_left(job: jobs.Job) -> str:
    """'12 s left', from the task itself or from the pace so far; '' while that says nothing."""
    left = job.remaining
    if left is None and job.fraction > 0.05:
        left = (time.monotonic() - job.started) * (1 - job.fraction) / job.fraction
    if left is None:
        return ''
    return f'{left:.0f} s left' if left < 90 else f'{left / 60:.0f} min left'
