"""What must be seen wherever the panels are folded: it stands above them all."""

from __future__ import annotations

import bpy

from .. import api, environment
from .drawing import Panel, text

MOST = 3  # missing packages that are named: the preferences list all


class FACEWRIGHT_PT_engine(Panel, bpy.types.Panel):
    """What keeps the engine from running."""

    bl_label = 'Engine'
    bl_options = {'HIDE_HEADER'}

    @classmethod
    def poll(cls, context):
        found = environment.known() if bpy.app.background else environment.ask()
        return found is not None and found.wrong is not None

    def draw(self, context):
        found = environment.known()
        box = self.layout.box()
        if found.packages:
            missing = [name for name, _, version in found.packages if version is None]
            more = f' and {len(missing) - MOST} more packages' if len(missing) > MOST else ''
            what = f'lacks {", ".join(missing[:MOST])}{more}'
            if not missing:
                what = 'has other versions of some packages than it needs'
            text(context, box, f'Facewright cannot run yet: {found.python} {what}.', 'ERROR')
            words = (
                'Choose the Python of an environment that has them, or install the zip made for '
                'your system.'
            )
            text(context, box, words)
        else:
            text(context, box, f'Facewright cannot run yet. {found.wrong}', 'ERROR')
        box.operator('facewright.open_preferences', text='Choose Its Python…', icon='PREFERENCES')
        if found.packages:
            box.operator('facewright.copy_install_command', icon='COPYDOWN')
        box.operator('facewright.check_engine', text='Check Again', icon='FILE_REFRESH')


class FACEWRIGHT_PT_pinned(Panel, bpy.types.Panel):
    """Shape keys that are shown alone: their sliders do nothing."""

    bl_label = 'Pinned Shape Keys'
    bl_options = {'HIDE_HEADER'}

    @classmethod
    def poll(cls, context):
        return bool(api.pinned(context))

    def draw(self, context):
        draw_pinned(context, self.layout, api.pinned(context))


def draw_pinned(context, layout, pinned) -> None:
    """Say whose shape key is shown alone, with a button to end it; the active head's first."""
    head, more = pinned[0], len(pinned) - 1
    box = layout.box()
    others = f' ({more} more {"mesh" if more == 1 else "meshes"} too)' if more else ''
    words = f'{head.name} shows only {head.active_shape_key.name}{others}: its sliders do nothing.'
    text(context, box, words, 'PINNED')
    box.operator('facewright.unpin_shape_keys', icon='UNPINNED')


CLASSES = (FACEWRIGHT_PT_engine, FACEWRIGHT_PT_pinned)
