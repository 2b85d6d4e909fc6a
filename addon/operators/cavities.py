"""Shape Keys panel, Cavities: what fills them, what follows an edit, what crosses."""
from __future__ import annotations

from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from .. import api, jobs
from ..properties import FIX_ITEMS, FLESH_ITEMS
from .base import JobOperator, Operator
from .shape_keys import PANEL, tell


class FACEWRIGHT_OT_check_intersections(JobOperator):
    """Count where the insides of mouth and eyes cross the skin, lips cross lips and lids cross eyeballs, per shape key and in combinations"""
    bl_idname = 'facewright.check_intersections'
    bl_label = 'Check Intersections'
    bl_options = {'UNDO'}

    combinations: IntProperty(name='Combinations', description=f'How many random combinations to check too. 0: the pose the sliders make instead. {PANEL}', default=0, min=0, max=100000,
                              options={'SKIP_SAVE'})
    seed: IntProperty(name='Seed', description='Which random combinations: the same number gives the same ones', default=0, min=0)

    def begin(self, context):
        self.work = api.crossings_job(context, self.option(context.scene.facewright.shapes, 'combinations'), self.seed)
        return jobs.start('check_intersections', self.work.arguments, 'Checking', self.work.write)

    def finish(self, context, result):
        tell(self, context, api.apply_crossings(context, self.work, self.job.arguments['out']))


class FACEWRIGHT_OT_show_crossings(Operator):
    """Mark the vertices where the active shape key crosses itself, as a vertex group, as colours and as the selection, and pin the key"""
    bl_idname = 'facewright.show_crossings'
    bl_label = 'Show Crossings'

    key: StringProperty(name='Shape Key', description='Which one. Empty: the active one', options={'SKIP_SAVE'})

    def run(self, context):
        count = api.show_crossings(context, self.key)
        self.report({'INFO'}, f'{count} vertices.' if count else 'It crosses nowhere.')


class FACEWRIGHT_OT_fix_cavities(JobOperator):
    """After you edited the skin of a shape key or of the Basis: sockets, gums, teeth and eyeballs follow it; the skin stays as you made it. After the Basis, in every shape key"""
    bl_idname = 'facewright.fix_cavities'
    bl_label = 'Fix Cavities'
    bl_options = {'UNDO'}

    keys: EnumProperty(name='Keys', description=f'Which shape keys\' cavities follow the skin. {PANEL}', items=FIX_ITEMS, options={'SKIP_SAVE'})
    spread: BoolProperty(name='Spread the Edit', description=f'Give the same edit to the other shapes too. {PANEL}', default=False, options={'SKIP_SAVE'})

    def begin(self, context):
        settings = context.scene.facewright.shapes
        keys = self.keys if self.properties.is_property_set('keys') else settings.fix
        self.work = api.fix_job(context, keys, self.option(settings, 'spread'))
        return jobs.start('fix_cavities', self.work.arguments, 'Fixing the cavities', self.work.write)

    def finish(self, context, result):
        changed = api.apply_fix(context, self.work, self.job.arguments['out'])
        tell(self, context, *api.fix_in_words(self.work, changed, result))


class FACEWRIGHT_OT_build_tetrahedra(JobOperator):
    """Show what is filled between the skin and the insides of mouth, nose and eyes, as an object beside the head"""
    bl_idname = 'facewright.build_tetrahedra'
    bl_label = 'Build Cavity Tetrahedra'
    bl_options = {'UNDO'}

    show: EnumProperty(name='Show', description=f'What of the tetrahedra is shown. {PANEL}', items=FLESH_ITEMS, default='CUT', options={'SKIP_SAVE'})
    mask: StringProperty(name='Region', description=f'Vertex group of the head that says where to fill. {PANEL}', options={'SKIP_SAVE'})

    def begin(self, context):
        settings = context.scene.facewright.shapes
        self.shown = self.show if self.properties.is_property_set('show') else settings.flesh
        self.work = api.flesh_job(context, self.option(settings, 'mask'))
        return jobs.start('tetrahedra', self.work.arguments, 'Filling with tetrahedra', self.work.write)

    def finish(self, context, result):
        thing, count = api.apply_flesh(context, self.work, self.job.arguments['out'], self.shown)
        turned = {n: p for n, p in result.get('inverted_percent', {}).items() if p}
        worst = max(turned, key=turned.get, default=None)
        notes = [f'Turned inside out in {worst}: {turned[worst]:.2f} %, the most of all shapes.'] if worst else []
        tell(self, context, f'{thing.name}: {count:,} tetrahedra.', notes)


CLASSES = (FACEWRIGHT_OT_check_intersections, FACEWRIGHT_OT_show_crossings, FACEWRIGHT_OT_fix_cavities, FACEWRIGHT_OT_build_tetrahedra)
