"""The head over its footage, and the texture from it."""
from __future__ import annotations

import bpy

from .. import api, jobs
from ..scene import appearance
from .drawing import Panel, draw_job, idle_column, text

TASKS = ('preview_overlay', 'bake_albedo')


class FACEWRIGHT_PT_appearance(Panel, bpy.types.Panel):
    bl_label = 'Overlay and Texture'
    bl_parent_id = 'FACEWRIGHT_PT_reconstruct'

    @classmethod
    def poll(cls, context):
        return api.reconstructed(context) is not None

    def draw(self, context):
        layout, head = self.layout, api.reconstructed(context)
        job = jobs.running()
        if not (job and job.task in TASKS):  # one greyed under a resting mouse would stay so until the mouse leaves it
            row = idle_column(layout).row(align=True)
            row.operator('facewright.preview_overlay', text='Overlay: Mesh', icon='MESH_DATA').show = 'MESH'
            row.operator('facewright.preview_overlay', text='Parts', icon='FACESEL').show = 'PARTS'
            idle_column(layout).operator('facewright.bake_albedo', icon='TEXTURE')
        draw_job(context, layout, TASKS)
        shown = appearance.overlay_images(head)
        if shown:
            box = layout.box()
            text(context, box, f'In an Image Editor: {shown[0].name}' + (f' and {len(shown) - 1} more' if len(shown) > 1 else ''), 'IMAGE_DATA')
            column = box.column(align=True)
            for line in api.overlaps_in_words(head):
                column.label(text=line)


CLASSES = (FACEWRIGHT_PT_appearance,)
