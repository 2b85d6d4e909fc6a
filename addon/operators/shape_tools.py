"""Shape Keys panel, Edit: tools that work at once on the active mesh's shape keys."""

from __future__ import annotations

from .. import api
from ..options import Editing, prop, prop_or_panel
from .base import Operator, object_mode


class OnShapes(Operator):
    """Works on the active mesh's shape keys in object mode, and returns to the mode that was."""

    bl_options = {'REGISTER', 'UNDO'}

    @classmethod
    def poll(cls, context):
        if not any(o.data.shape_keys for o in api.chosen_meshes(context)[:1]):
            cls.poll_message_set('Select a mesh with shape keys')
            return False
        return True

    def invoke(self, context, event):
        for name in (
            'keys',
            'where',
            'group',
            'falloff',
            'strength',
            'share',
            'keep_edits',
            'width',
            'tolerance',
        ):  # so that Adjust Last Operation shows what was done
            if name in self.properties.bl_rna.properties and not self.properties.is_property_set(
                name
            ):
                setattr(self, name, getattr(context.scene.facewright.shapes, name))
        return self.execute(context)

    def run(self, context):
        with object_mode(context):
            self.report({'INFO'}, self.change(context, context.scene.facewright.shapes))


class OnKeys(OnShapes):
    """… of one key or all."""

    keys: prop_or_panel(Editing, 'keys')


class OnRegion(OnKeys):
    """… in a part of the mesh."""

    where: prop_or_panel(Editing, 'where')
    group: prop_or_panel(Editing, 'group')
    falloff: prop_or_panel(Editing, 'falloff')

    def region(self, settings) -> dict:
        return {name: self.option(settings, name) for name in ('keys', 'where', 'group', 'falloff')}


class FACEWRIGHT_OT_symmetrise_shape_keys(OnKeys):
    bl_description = (
        'Make shapes symmetrical; keys with a side in their name, such as mouthSmile_L, '
        'become mirror images of each other'
    )

    bl_idname = 'facewright.symmetrise_shape_keys'
    bl_label = 'Symmetrise'

    source: prop(Editing, 'source')
    tolerance: prop_or_panel(Editing, 'tolerance')

    def change(self, context, settings):
        count = api.shape_tools.symmetrise(
            context, self.source, self.option(settings, 'keys'), self.option(settings, 'tolerance')
        )
        return f'{count} shape key{"s" if count != 1 else ""} symmetrised.'


class FACEWRIGHT_OT_mirror_shape_key(OnShapes):
    bl_description = (
        "Mirror the active shape key: onto the other side's key, which is made where it is "
        'missing, or onto itself'
    )

    bl_idname = 'facewright.mirror_shape_key'
    bl_label = 'Mirror'

    to: prop(Editing, 'mirror_to')
    tolerance: prop_or_panel(Editing, 'tolerance')

    def change(self, context, settings):
        name, notes = api.shape_tools.mirror(context, self.to, self.option(settings, 'tolerance'))
        return ' '.join([f'{name} is the mirrored shape.', *notes])


class FACEWRIGHT_OT_split_shape_key(OnShapes):
    bl_description = (
        'Split the active shape key into a left and a right one with a soft middle: both '
        'together are what it was, its animation is copied'
    )

    bl_idname = 'facewright.split_shape_key'
    bl_label = 'Split Left/Right'

    width: prop_or_panel(Editing, 'width')
    tolerance: prop_or_panel(Editing, 'tolerance')

    def change(self, context, settings):
        return 'Split into {} and {}.'.format(
            *api.shape_tools.split(
                context, self.option(settings, 'width'), self.option(settings, 'tolerance')
            )
        )


class FACEWRIGHT_OT_reset_shape_key_region(OnRegion):
    """Bring a part of the shapes back to the Basis, or to what Facewright generated"""

    bl_idname = 'facewright.reset_shape_key_region'
    bl_label = 'Reset'

    to: prop(Editing, 'reset_to')

    def change(self, context, settings):
        count = api.shape_tools.reset(context, self.to, **self.region(settings))
        return f'{count} shape key{"s" if count != 1 else ""} reset.'


class FACEWRIGHT_OT_scale_shape_key(OnRegion):
    """Make shapes stronger or weaker, everywhere or in a part of the face"""

    bl_idname = 'facewright.scale_shape_key'
    bl_label = 'Strength'

    strength: prop_or_panel(Editing, 'strength')

    def change(self, context, settings):
        count = api.shape_tools.scale(
            context, self.option(settings, 'strength'), **self.region(settings)
        )
        return f'{count} shape key{"s" if count != 1 else ""} scaled.'


CLASSES = (
    FACEWRIGHT_OT_symmetrise_shape_keys,
    FACEWRIGHT_OT_mirror_shape_key,
    FACEWRIGHT_OT_split_shape_key,
    FACEWRIGHT_OT_reset_shape_key_region,
    FACEWRIGHT_OT_scale_shape_key,
)
