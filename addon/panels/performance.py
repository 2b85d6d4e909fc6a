"""Performances onto and from any mesh with shape keys."""

from __future__ import annotations

import bpy

from .. import api
from ..scene import shape_keys
from .drawing import Panel, text


class FACEWRIGHT_PT_performance(Panel, bpy.types.Panel):
    bl_label = 'Performance'
    bl_parent_id = 'FACEWRIGHT_PT_reconstruct'

    def draw(self, context):
        layout, found = self.layout, api.heads_in(context)
        if not found:
            text(
                context,
                layout,
                'Select a mesh with ICT or ARKit shape keys: a head added here, or your own '
                'character.',
                'INFO',
            )
        else:
            names = {'ICT': 'ICT names', 'ARKIT': 'ARKit names', None: 'other names'}[
                shape_keys.naming(found[0])
            ]
            layout.label(
                text=f'{found[0].name}: {names}'
                + (f' and {len(found) - 1} more' if len(found) > 1 else ''),
                icon='SHAPEKEY_DATA',
            )
        row = layout.row(align=True)
        row.operator('facewright.import_performance', text='Import', icon='IMPORT')
        row.operator('facewright.export_performance', text='Export', icon='EXPORT')
        layout.operator('facewright.smooth_performance', icon='MOD_SMOOTH')
        row = layout.row(align=True)
        row.operator('facewright.rename_shape_keys', text='To ICT Names').naming = 'ICT'
        row.operator('facewright.rename_shape_keys', text='To ARKit Names').naming = 'ARKIT'


CLASSES = (FACEWRIGHT_PT_performance,)
