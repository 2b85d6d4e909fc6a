"""Shape Keys panel, Cavities: what fills them, what follows an edit, what crosses."""

from __future__ import annotations

from bpy.props import StringProperty

from ...engine.tasks import specs
from .. import api, options
from ..options import prop, prop_or_panel
from .base import Operator, object_mode
from .shape_keys import HeadOperator


class FACEWRIGHT_OT_check_intersections(HeadOperator):
    bl_description = (
        'Count where the insides of mouth and eyes cross the skin, lips cross lips and lids '
        'cross eyeballs, per shape key and in combinations'
    )

    bl_idname = 'facewright.check_intersections'
    bl_label = 'Check Intersections'
    task, title = 'check_intersections', 'Checking'

    combinations: prop_or_panel(specs.CheckIntersections, 'combinations')
    seed: prop(specs.CheckIntersections, 'seed')

    def prepare(self, context, settings):
        return api.crossings_job(context, self.option(settings, 'combinations'), self.seed)

    def apply(self, context, out, result):
        return [api.apply_crossings(context, self.work, out)]


class FACEWRIGHT_OT_show_crossings(Operator):
    bl_description = (
        'Mark the vertices where the active shape key crosses itself, as a vertex group, as '
        'colours and as the selection, and pin the key'
    )

    bl_idname = 'facewright.show_crossings'
    bl_label = 'Show Crossings'

    key: StringProperty(
        name='Shape Key', description='Which one. Empty: the active one', options={'SKIP_SAVE'}
    )

    def run(self, context):
        with object_mode(context):
            count = api.show_crossings(context, self.key)
        self.report({'INFO'}, f'{count} vertices.' if count else 'It crosses nowhere.')


class FACEWRIGHT_OT_hide_crossings(Operator):
    """Show the head in its own colours again, with all its shape keys"""

    bl_idname = 'facewright.hide_crossings'
    bl_label = 'Hide Crossings'

    def run(self, context):
        with object_mode(context):
            api.hide_crossings(context)


class FACEWRIGHT_OT_fix_cavities(HeadOperator):
    bl_description = (
        'After you edited the skin of a shape key or of the Basis: sockets, gums, teeth and '
        'eyeballs follow it; the skin stays as you made it. An edited Basis is followed in '
        'every shape key'
    )

    bl_idname = 'facewright.fix_cavities'
    bl_label = 'Fix Cavities'
    task, title = 'fix_cavities', 'Fixing the cavities'

    keys: prop_or_panel(options.Cavities, 'keys')
    spread: prop_or_panel(specs.FixCavities, 'spread')

    def prepare(self, context, settings):
        return api.fix_job(
            context, self.option(settings, 'keys', 'fix'), self.option(settings, 'spread')
        )

    def apply(self, context, out, result):
        return api.fix_in_words(self.work, api.apply_fix(context, self.work, out), result)


class FACEWRIGHT_OT_settle_shape_keys(HeadOperator):
    bl_description = (
        'Take apart what crosses: lips, lids and eyeballs, gums and teeth and the insides of '
        'mouth and eyes, in the Basis and in every expression. What one sees changes as '
        'little as need be; your own edits stay'
    )

    bl_idname = 'facewright.settle_shape_keys'
    bl_label = 'Settle'
    task, title = 'settle_shape_keys', 'Settling'

    def prepare(self, context, settings):
        return api.settle_job(context)

    def apply(self, context, out, result):
        return api.apply_settled(context, self.work, out, result)


class FACEWRIGHT_OT_build_tetrahedra(HeadOperator):
    bl_description = (
        'Show what is filled between the skin and the insides of mouth, nose and eyes, as an '
        'object beside the head'
    )

    bl_idname = 'facewright.build_tetrahedra'
    bl_label = 'Fill Cavities'
    task, title = 'build_tetrahedra', 'Filling the cavities'

    show: prop_or_panel(options.Cavities, 'show')
    mask: prop_or_panel(options.Cavities, 'mask')

    def prepare(self, context, settings):
        self.shown = self.option(settings, 'show', 'flesh')
        return api.flesh_job(context, self.option(settings, 'mask'))

    def apply(self, context, out, result):
        thing, count = api.apply_flesh(context, self.work, out, self.shown)
        turned = {n: p for n, p in result.get('inverted_percent', {}).items() if p}
        worst = max(turned, key=turned.get, default=None)
        lines = [f'{thing.name}: filled with {count:,} tetrahedra.']
        if worst:
            lines.append(
                f'{turned[worst]:.2f} % of them turn inside out in {worst}, the most of all shapes.'
            )
        return lines


CLASSES = (
    FACEWRIGHT_OT_check_intersections,
    FACEWRIGHT_OT_show_crossings,
    FACEWRIGHT_OT_hide_crossings,
    FACEWRIGHT_OT_settle_shape_keys,
    FACEWRIGHT_OT_fix_cavities,
    FACEWRIGHT_OT_build_tetrahedra,
)
