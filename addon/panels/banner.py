"""What must be seen wherever the panels are folded: it stands above them all."""
from __future__ import annotations

import bpy

from .. import api
from .drawing import Panel, text


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


CLASSES = (FACEWRIGHT_PT_pinned,)
