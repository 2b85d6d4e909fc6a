"""The skin's texture from the footage."""

from __future__ import annotations

import bpy

from .. import api, jobs
from .drawing import Panel, draw_job, idle_column, text

TASKS = ('bake_albedo',)


class FACEWRIGHT_PT_texture(Panel, bpy.types.Panel):
    bl_label = 'Texture'

    def draw(self, context):
        layout, head = self.layout, api.reconstructed_head(context)
        if head is None:
            words = 'Reconstruct a head first: its skin can then be taken from the footage.'
            text(context, layout, words, 'INFO')
        else:
            layout.label(text=head.name, icon='MESH_DATA')
        job = jobs.running()
        if not (job and job.task in TASKS):  # a button greyed under a resting mouse would stay so
            column = idle_column(layout, head is not None)
            column.operator('facewright.bake_albedo', icon='TEXTURE')
        draw_job(context, layout, TASKS)


CLASSES = (FACEWRIGHT_PT_texture,)
