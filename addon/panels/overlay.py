"""Pictures of the head over its footage, with how well each region of the face covers it."""

from __future__ import annotations

import bpy

from .. import api, jobs
from ..scene import appearance
from .drawing import Panel, draw_job, idle_column, text

TASKS = ('preview_overlay',)


class FACEWRIGHT_PT_overlay(Panel, bpy.types.Panel):
    bl_label = 'Overlay'
    bl_parent_id = 'FACEWRIGHT_PT_reconstruct'

    @classmethod
    def poll(cls, context):
        return api.reconstructed_head(context) is not None

    def draw(self, context):
        layout, head = self.layout, api.reconstructed_head(context)
        job = jobs.running()
        if not (job and job.task in TASKS):  # a button greyed under a resting mouse would stay so
            row = idle_column(layout).row(align=True)
            row.operator('facewright.preview_overlay', text='Head', icon='MESH_DATA').show = 'MESH'
            operator = row.operator('facewright.preview_overlay', text='Regions', icon='FACESEL')
            operator.show = 'PARTS'
        draw_job(context, layout, TASKS)
        shown = appearance.overlay_images(head)
        if shown:
            box = layout.box()
            more = f' and {len(shown) - 1} more' if len(shown) > 1 else ''
            text(context, box, f'In an Image Editor: {shown[0].name}{more}', 'IMAGE_DATA')
            for heading in api.overlaps_in_words(head)[:1]:
                text(context, box, heading)
            column = box.column(align=True)
            for line in api.overlaps_in_words(head)[1:]:
                column.label(text=line)


CLASSES = (FACEWRIGHT_PT_overlay,)
