"""Choose a face model, add its head."""

from __future__ import annotations

import bpy

from .drawing import Panel, draw_job, text

TASKS = ('import_face_model', 'download_face_model')


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
                text(
                    context,
                    layout,
                    'Import ICT-FaceKit from where you saved it, or download it (MIT licence).',
                    'INFO',
                )
        layout.prop(settings, 'naming', text='Names')
        layout.operator('facewright.add_head', icon='USER')
        draw_job(context, layout, TASKS)


CLASSES = (FACEWRIGHT_PT_head,)
