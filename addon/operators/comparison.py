"""Shape Keys panel, Compare with Model: how far shapes are from the plain ones, and back."""

from __future__ import annotations

import contextlib

from bpy.props import StringProperty

from .. import api, options
from ..options import Editing, prop_or_panel
from .base import Operator, object_mode
from .shape_keys import HeadOperator
from .shape_tools import OnRegion


@contextlib.contextmanager
def report_in_step(context):
    """Let what the panel reports of a comparison be of the head as the block leaves it."""

    def words():
        chosen = api.chosen_meshes(context)
        return '\n'.join(api.comparison_in_words(chosen[0].data.shape_keys)) if chosen else ''

    settings = context.scene.facewright.shapes
    is_of_this_head = settings.report == words()
    yield
    if is_of_this_head:
        settings.report = words()


class FACEWRIGHT_OT_compare_with_model(HeadOperator):
    bl_description = (
        "Find how far each shape key of the selected head is from the face model's plain shape, "
        'and the Basis from its mean head, in millimetres, and colour the head by that of the '
        'active key'
    )

    bl_idname = 'facewright.compare_with_model'
    bl_label = 'Compare with Model'
    task, title = 'compare_with_model', 'Comparing'

    def prepare(self, context, settings):
        return api.comparison_job(context)

    def apply(self, context, out, result):
        return api.apply_comparison(context, self.work, out)


class FACEWRIGHT_OT_show_difference(Operator):
    bl_description = (
        "Colour the head by how far a shape key is from the face model's plain shape, from blue to "
        'red, and pin the key'
    )

    bl_idname = 'facewright.show_difference'
    bl_label = 'Show Difference'

    key: StringProperty(
        name='Shape Key', description='Which one. Empty: the active one', options={'SKIP_SAVE'}
    )

    def run(self, context):
        with object_mode(context), report_in_step(context):
            self.report({'INFO'}, api.show_difference(context, self.key))


class FACEWRIGHT_OT_hide_difference(Operator):
    """Show the head in its own colours again, with all its shape keys"""

    bl_idname = 'facewright.hide_difference'
    bl_label = 'Hide Difference'

    def run(self, context):
        with object_mode(context):
            api.hide_difference(context)


class FACEWRIGHT_OT_blend_with_model(OnRegion):
    bl_description = (
        "Bring shapes between the face model's plain ones and the person's own, everywhere or in "
        "a part of the face; the person's own are remembered and come back with Personal at 1"
    )

    bl_idname = 'facewright.blend_with_model'
    bl_label = 'Blend'

    share: prop_or_panel(Editing, 'share')
    keep_edits: prop_or_panel(options.Generated, 'keep_edits')

    def run(self, context):
        with report_in_step(context):
            super().run(context)

    def change(self, context, settings):
        told = api.blend_with_model(
            context,
            self.option(settings, 'share'),
            **self.region(settings),
            keep_edits=self.option(settings, 'keep_edits'),
        )
        return ' '.join(told)


CLASSES = (
    FACEWRIGHT_OT_compare_with_model,
    FACEWRIGHT_OT_show_difference,
    FACEWRIGHT_OT_hide_difference,
    FACEWRIGHT_OT_blend_with_model,
)
