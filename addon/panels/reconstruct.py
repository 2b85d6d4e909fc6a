"""Run a reconstruction, and how good it is."""

from __future__ import annotations

import bpy

from ...engine.formats.verdicts import grades_in_words
from .. import api, jobs
from ..scene import regions, results
from .drawing import Panel, draw_job, idle_column, text


class FACEWRIGHT_PT_reconstruct(Panel, bpy.types.Panel):
    bl_label = 'Reconstruct'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright
        job = jobs.running()
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.enabled = job is None
        column.prop(settings, 'quality')
        self.draw_rig(context, column, settings)
        column.prop(settings, 'smooth')
        self.draw_neutral(column, settings)
        column.prop(settings, 'scene_settings')
        column.prop(settings, 'old_take')
        row = layout.row()
        row.enabled = job is None
        row.prop(settings, 'output', text='', placeholder='Save Result To…')
        if not (job and job.task == 'reconstruct'):
            row = layout.row()
            row.scale_y = 1.4
            row.enabled = job is None and len(settings.views) > 0
            row.operator('facewright.reconstruct', icon='PLAY')
            if not settings.views:
                text(context, layout, 'First add footage in the panel above.', 'INFO')
        draw_job(context, layout, ('reconstruct', 'scene_clips'))
        if api.reconstructed_head(context) is None:
            idle_column(layout).operator('facewright.apply_result', icon='IMPORT')

    def draw_neutral(self, column, settings):
        row = column.row(align=True, heading='Neutral Frame')
        row.prop(settings, 'neutral_known', text='')
        if settings.neutral_known:
            row.prop(settings, 'neutral_at', text='')
        else:
            row.label(text='Unknown')
        row.operator('facewright.set_neutral_frame', text='', icon='EYEDROPPER')

    def draw_rig(self, context, column, settings):
        row = column.row(align=True)
        row.prop(settings, 'rig', text='', placeholder='Rig from Another Take…')
        if api.reconstructed_head(context) is not None:
            row.operator('facewright.set_rig', text='', icon='EYEDROPPER')


class FACEWRIGHT_PT_result(Panel, bpy.types.Panel):
    bl_label = 'Result'
    bl_parent_id = 'FACEWRIGHT_PT_reconstruct'

    @classmethod
    def poll(cls, context):
        return api.reconstructed_head(context) is not None

    def draw(self, context):
        self.draw_result(context, self.layout, api.reconstructed_head(context))

    def draw_result(self, context, box, head):
        box.label(text=head.name, icon='CHECKMARK')
        draw_verdicts(box, head)
        frame, unseen = context.scene.frame_current, results.unseen_frames(head)
        here = regions.grades_at(head, frame)
        text(context, box, f'Frame {frame}: {grades_in_words(here) if here else "no face seen"}')
        if unseen:
            box.label(
                text=f'{unseen} frame{"s" if unseen > 1 else ""} without a face', icon='ERROR'
            )
        fallback = list(head.get(results.FALLBACK, ()))
        if fallback:
            text(
                context,
                box,
                f'{len(fallback)} frame{"s" if len(fallback) > 1 else ""} as in Draft, which fits '
                'better there: '
                f'{", ".join(map(str, fallback[:8]))}{" …" if len(fallback) > 8 else ""}',
                'INFO',
            )
        for lens in str(head.get(results.LENS, '')).splitlines():
            text(context, box, lens)
        row = box.row(align=True)
        row.operator('facewright.look_through', text='Camera', icon='CAMERA_DATA')
        over = api.clip_over(head)
        row = box.row(align=True)
        row.operator('facewright.lay_clip_over', icon='OVERLAY', depress=over is not None)
        wire = head.display_type == 'WIRE'
        row.operator('facewright.show_wire', icon='SHADING_WIRE', depress=wire)
        if over is not None:
            box.prop(over, 'alpha', text="Clip's Opacity", slider=True)
        for note in api.notes(head):
            text(context, box, note, 'INFO')


def draw_verdicts(box, head) -> None:
    """Draw a row a region: how good it is over the clip, and a button that goes to its
    worst frame.
    """
    column = box.column(align=True)
    for verdict in regions.verdicts_of(head):
        row = column.split(factor=0.5)
        words = f'{verdict.region.capitalize()}: {verdict.grade}'
        row.label(
            text=words,
            icon='ERROR'
            if verdict.grade == 'poor'
            else 'CHECKMARK'
            if verdict.grade == 'good'
            else 'DOT',
        )
        frame = regions.scene_frame(head, verdict.worst)
        button = row.operator('facewright.show_worst_frame', text=f'See Frame {frame}')
        button.region = verdict.region


CLASSES = (FACEWRIGHT_PT_reconstruct, FACEWRIGHT_PT_result)
