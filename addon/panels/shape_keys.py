"""Shape keys for any head: generate, cavities, tools."""

from __future__ import annotations

import bpy

from .. import api, jobs
from ..operators.shape_keys import WARNING
from ..scene import comparison, crossings
from .banner import draw_pinned
from .drawing import Panel, draw_job, idle_column, text

TASKS = ('generate_shape_keys', 'wrap_model', 'add_markers')
COMPARISON_TASKS = ('compare_with_model',)
CAVITY_TASKS = ('check_intersections', 'settle_shape_keys', 'fix_cavities', 'build_tetrahedra')


class FACEWRIGHT_UL_crossings(bpy.types.UIList):
    """The head's shape keys, each with how often it crossed itself at the last check."""

    def draw_item(  # noqa: PLR0913  the signature that Blender asks for
        self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0
    ):
        found = crossings.count(data, item.name)
        row = layout.split(factor=0.78)
        row.label(text=item.name, icon='SHAPEKEY_DATA')
        row.label(text='' if found is None else str(sum(found)) if any(found) else 'none')


class FACEWRIGHT_UL_differences(bpy.types.UIList):
    """The head's shape keys, each with how far it was from the model's at the last comparison: mean
    and largest difference, mm.
    """

    def draw_item(  # noqa: PLR0913  the signature that Blender asks for
        self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0
    ):
        found = comparison.figure(data, item.name)
        row = layout.split(factor=0.64)
        name = row.row(align=True)
        if found:
            is_shown = comparison.shown_key(data) == item.name
            name.operator(
                'facewright.show_difference',
                text='',
                icon='HIDE_OFF' if is_shown else 'HIDE_ON',
                emboss=False,
            ).key = item.name
        name.label(text=item.name)
        words = 'the same' if found and found.none else ''
        if found and not found.none:
            words = f'{found.mean:.2f}, {found.largest:.2f}'
        row.label(text=words)


class FACEWRIGHT_UL_shape_keys(bpy.types.UIList):
    """The head's shape keys with their sliders."""

    def draw_item(  # noqa: PLR0913  the signature that Blender asks for
        self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0
    ):
        row = layout.split(factor=0.72)
        row.prop(item, 'name', text='', emboss=False)
        if item != data.reference_key:
            row.prop(item, 'value', text='', emboss=False)


class FACEWRIGHT_PT_shape_keys(Panel, bpy.types.Panel):
    bl_label = 'Shape Keys'

    def draw_header_preset(self, context):
        if api.pinned(context):  # in the header, which is seen when the panel is folded too
            self.layout.operator(
                'facewright.unpin_shape_keys', text='', icon='PINNED', emboss=False
            )

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright.shapes
        chosen = api.chosen_meshes(context)
        if not chosen:
            text(
                context,
                layout,
                "Select your head: a sculpt, a scan or a character's meshes, its eyes, teeth "
                'and lashes too.',
                'INFO',
            )
        else:
            count = sum(len(o.data.vertices) for o in chosen)
            more = f' and {len(chosen) - 1} more' if len(chosen) > 1 else ''
            layout.label(text=f'{chosen[0].name}{more}: {count:,} vertices', icon='MESH_DATA')
            others = len(api.companions(context))
            if others:
                layout.operator(
                    'facewright.select_companions',
                    text=f'Select {others} More That Belong{"s" if others == 1 else ""} to It',
                    icon='RESTRICT_SELECT_OFF',
                )
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, 'onto')
        column = idle_column(layout, bool(chosen))
        row = column.row(align=True)
        row.scale_y = 1.4
        row.operator('facewright.generate_shape_keys', icon='SHAPEKEY_DATA')
        column.operator('facewright.wrap_model', icon='MOD_SHRINKWRAP')
        draw_job(context, layout, TASKS + CAVITY_TASKS + COMPARISON_TASKS)
        keys = chosen[0].data.shape_keys if chosen else None
        below = (api.crossings_in_words(keys), '\n'.join(api.comparison_in_words(keys)))
        if settings.report and settings.report not in below and jobs.running() is None:
            box = layout.box()
            for i, line in enumerate(settings.report.splitlines()):
                warning = line.startswith(WARNING)
                text(context, box, line, 'ERROR' if warning else 'INFO' if i == 0 else 'DOT')
        if chosen and chosen[0].data.shape_keys:
            if pinned := api.pinned(
                context
            ):  # the sliders are here; the top of the tab may be out of sight
                draw_pinned(context, layout, pinned)
            draw_keys(layout, chosen[0])


def draw_keys(layout, thing) -> None:
    """Draw a mesh's shape keys to choose from and to move, and the pin that shows the chosen one
    alone, in full: as it is sculpted.
    """
    row = layout.row()
    row.template_list(
        'FACEWRIGHT_UL_shape_keys',
        '',
        thing.data.shape_keys,
        'key_blocks',
        thing,
        'active_shape_key_index',
        rows=5,
    )
    column = row.column(align=True)
    column.prop(
        thing,
        'show_only_shape_key',
        text='',
        icon='PINNED' if thing.show_only_shape_key else 'UNPINNED',
    )
    column.prop(thing, 'use_shape_key_edit_mode', text='', icon='EDITMODE_HLT')


class SubPanel(Panel):
    bl_parent_id = 'FACEWRIGHT_PT_shape_keys'
    bl_options = {'DEFAULT_CLOSED'}


class FACEWRIGHT_PT_shape_keys_options(SubPanel, bpy.types.Panel):
    bl_label = 'Options'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright.shapes
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in ('at_rest', 'settle'):
            layout.prop(settings, name)
        for name in ('keep_edits', 'replace', 'follow') if settings.onto == 'MESH' else ('hide',):
            layout.prop(settings, name)


class FACEWRIGHT_PT_shape_keys_markers(SubPanel, bpy.types.Panel):
    bl_label = 'Markers'

    def draw(self, context):
        layout, count = self.layout, api.count_markers(context)
        if count:
            layout.label(text=f'{count} markers are used', icon='EMPTY_DATA')
        else:
            text(
                context,
                layout,
                'The face is found automatically. Where that goes wrong, add markers and '
                'drag them into place.',
                'INFO',
            )
        row = idle_column(layout).row(align=True)
        row.operator('facewright.add_markers', text='Find All', icon='VIEWZOOM')
        row.operator_menu_enum(
            'facewright.add_marker', 'name', text='Add at Cursor', icon='PIVOT_CURSOR'
        )
        row.operator('facewright.remove_markers', text='', icon='X')


class FACEWRIGHT_PT_shape_keys_cavities(SubPanel, bpy.types.Panel):
    bl_label = 'Cavities'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright.shapes
        chosen = api.chosen_meshes(context)
        column = idle_column(layout, bool(chosen))
        column.operator('facewright.check_intersections', icon='VIEWZOOM')
        column.operator('facewright.settle_shape_keys', icon='MOD_SMOOTH')
        column.prop(settings, 'combinations')
        keys = chosen[0].data.shape_keys if chosen else None
        if crossings.summary(keys):
            text(context, layout, api.crossings_in_words(keys), 'CHECKMARK')
            layout.template_list(
                'FACEWRIGHT_UL_crossings',
                '',
                keys,
                'key_blocks',
                chosen[0],
                'active_shape_key_index',
                rows=4,
            )
            found = (
                crossings.count(keys, chosen[0].active_shape_key.name)
                if chosen[0].active_shape_key
                else None
            )
            if found and any(found):
                text(
                    context,
                    layout,
                    ', '.join(f'{kind}: {n}' for kind, n in zip(crossings.KINDS, found) if n),
                )
            row = layout.row(align=True)
            row.operator('facewright.show_crossings', icon='HIDE_OFF')
            row.operator('facewright.hide_crossings', text='', icon='X')
        column = idle_column(layout, bool(chosen))
        column.operator('facewright.fix_cavities', icon='MOD_CLOTH')
        row = column.row(align=True)
        row.prop(settings, 'fix', expand=True)
        column.prop(settings, 'spread')
        column = idle_column(layout)
        column.operator('facewright.build_tetrahedra', icon='MESH_CONE')
        column.prop(settings, 'flesh', text='')
        if chosen:
            column.prop_search(settings, 'mask', chosen[0], 'vertex_groups')


class FACEWRIGHT_PT_shape_keys_comparison(SubPanel, bpy.types.Panel):
    bl_label = 'Compare with Model'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright.shapes
        chosen = api.chosen_meshes(context)
        idle_column(layout, bool(chosen)).operator('facewright.compare_with_model', icon='VIEWZOOM')
        keys = chosen[0].data.shape_keys if chosen else None
        if not comparison.figures(keys):
            return
        text(context, layout, api.comparison_in_words(keys)[0], 'CHECKMARK')
        layout.label(text='Mean, largest difference in mm:')
        layout.template_list(
            'FACEWRIGHT_UL_differences',
            '',
            keys,
            'key_blocks',
            chosen[0],
            'active_shape_key_index',
            rows=4,
        )
        key, shown = chosen[0].active_shape_key, comparison.shown_key(keys)
        row = layout.row(align=True)
        row.operator('facewright.show_difference', icon='HIDE_OFF')
        row.operator('facewright.hide_difference', text='', icon='X')
        if comparison.is_shown(chosen[0]) and shown in keys.key_blocks:
            of = '' if key is not None and key.name == shown else f' of {shown}'
            legend = comparison.scale_of(keys).legend.replace(':', f'{of}:', 1)
            text(context, layout, f'{legend}.', 'COLOR')
        layout.row().prop(settings, 'keys', expand=True)
        column = layout.column(align=True)
        column.enabled = key != keys.reference_key or settings.keys == 'ALL'
        draw_region(column, settings, chosen[0])
        row = column.row(align=True)
        row.operator('facewright.blend_with_model')
        row.prop(settings, 'share', slider=True)
        column.label(text="Personal 0: the model's, 1: the person's")
        if blended := api.blended_in_words(keys):
            text(context, layout, blended, 'INFO')


def draw_region(column, settings, thing) -> None:
    """Draw which part of a mesh is changed."""
    column.prop(settings, 'where', text='')
    if settings.where == 'GROUP':
        column.prop_search(settings, 'group', thing, 'vertex_groups', text='')
    elif settings.where == 'SELECTED':
        column.prop(settings, 'falloff')


class FACEWRIGHT_PT_shape_keys_edit(SubPanel, bpy.types.Panel):
    bl_label = 'Edit'

    def draw(self, context):
        layout, settings = self.layout, context.scene.facewright.shapes
        chosen = api.chosen_meshes(context)
        key = chosen[0].active_shape_key if chosen else None
        if key is None:
            text(context, layout, 'Select a mesh with shape keys.', 'INFO')
            return
        is_basis = key == chosen[0].data.shape_keys.reference_key
        layout.label(
            text=f'{key.name}: choose another key above'
            if is_basis and settings.keys == 'ACTIVE'
            else key.name,
            icon='SHAPEKEY_DATA',
        )
        layout.row().prop(settings, 'keys', expand=True)
        of_keys, of_one = layout.column(), layout.column()
        of_keys.enabled, of_one.enabled = not is_basis or settings.keys == 'ALL', not is_basis
        column = of_keys.column(align=True)
        row = column.row(align=True)
        for source, label in (('LEFT', 'L → R'), ('AVERAGE', 'Symmetrise'), ('RIGHT', 'R → L')):
            row.operator('facewright.symmetrise_shape_keys', text=label).source = source
        column.prop(settings, 'tolerance')
        column = of_keys.column(align=True)
        draw_region(column, settings, chosen[0])
        row = column.row(align=True)
        row.operator('facewright.reset_shape_key_region', text='Reset to Basis').to = 'BASIS'
        row.operator('facewright.reset_shape_key_region', text='To Generated').to = 'GENERATED'
        row = column.row(align=True)
        row.operator('facewright.scale_shape_key')
        row.prop(settings, 'strength', text='')
        if settings.keys == 'ALL':
            of_one.label(text='The active one alone:')
        row = of_one.row(align=True)
        row.operator('facewright.mirror_shape_key', text='Mirror to Other Key').to = 'OTHER'
        row.operator('facewright.mirror_shape_key', text='Flip').to = 'ITSELF'
        row = of_one.row(align=True)
        row.operator('facewright.split_shape_key')
        row.prop(settings, 'width', text='')


CLASSES = (
    FACEWRIGHT_UL_crossings,
    FACEWRIGHT_UL_differences,
    FACEWRIGHT_UL_shape_keys,
    FACEWRIGHT_PT_shape_keys,
    FACEWRIGHT_PT_shape_keys_options,
    FACEWRIGHT_PT_shape_keys_markers,
    FACEWRIGHT_PT_shape_keys_comparison,
    FACEWRIGHT_PT_shape_keys_cavities,
    FACEWRIGHT_PT_shape_keys_edit,
)
