"""The list of views."""

from __future__ import annotations

import bpy

from .drawing import Panel, text


class FACEWRIGHT_UL_views(bpy.types.UIList):
    """The footage, a row a view."""

    def draw_item(  # noqa: PLR0913  the signature that Blender asks for
        self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0
    ):
        layout.prop(
            item,
            'label',
            text='',
            emboss=False,
            icon=item.bl_rna.properties['kind'].enum_items[item.kind].icon,
        )


class FACEWRIGHT_PT_footage(Panel, bpy.types.Panel):
    bl_label = 'Footage'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright
        if not settings.views:
            text(
                context,
                layout,
                'Add a video, an image sequence or a photo of a face. Several cameras of one '
                'performance: add them all.',
                'INFO',
            )
            layout.operator('facewright.add_footage', icon='ADD')
            return
        row = layout.row()
        row.template_list(
            'FACEWRIGHT_UL_views', '', settings, 'views', settings, 'active_view', rows=3
        )
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
        if view.kind == 'SEQUENCE':
            column.prop(view, 'fps')
        if view.kind != 'PHOTO':
            pair = column.column(align=True)
            pair.prop(view, 'start')
            pair.prop(view, 'end')


class FACEWRIGHT_PT_footage_advanced(Panel, bpy.types.Panel):
    """What few need of the chosen view."""

    bl_label = 'Advanced'
    bl_parent_id = 'FACEWRIGHT_PT_footage'
    bl_options = {'DEFAULT_CLOSED'}

    @classmethod
    def poll(cls, context):
        settings = context.scene.facewright
        return settings.active_view < len(settings.views)

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright
        view = settings.views[settings.active_view]
        layout.use_property_split, layout.use_property_decorate = True, False
        if view.kind == 'CAPTURE':
            layout.prop(view, 'cameras')
        if view.kind != 'PHOTO':
            layout.prop(view, 'offset')
        layout.prop(view, 'masks')


CLASSES = (FACEWRIGHT_UL_views, FACEWRIGHT_PT_footage, FACEWRIGHT_PT_footage_advanced)
