"""Shape keys shown alone (Blender's pin): whose, and an end to it."""

from __future__ import annotations

import bpy

from ..scene import comparison, crossings
from .selection import chosen_meshes


def pinned(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return the scene's visible meshes that show one shape key alone, the selected ones first."""
    found = [
        thing
        for thing in context.view_layer.objects
        if thing is not None
        and thing.type == 'MESH'
        and thing.show_only_shape_key
        and thing.active_shape_key is not None
        and thing.visible_get(view_layer=context.view_layer)
    ]
    chosen = chosen_meshes(context) if found else []
    return sorted(found, key=lambda thing: (thing not in chosen, thing.name))


def unpin(context: bpy.types.Context) -> list[str]:
    """Let all of them show what their sliders make again; returns their names.

    What Show Crossings and Show Difference marked on them in colours goes too.
    """
    found = pinned(context)
    for thing in found:
        if crossings.COLOURS in thing.data.color_attributes:
            crossings.hide(thing)
        if comparison.is_shown(thing):
            comparison.hide(thing)
        thing.show_only_shape_key = False
    return [thing.name for thing in found]
