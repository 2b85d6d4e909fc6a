"""Which meshes the user means."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector


def chosen_meshes(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return the selected mesh objects, the active one first. An active mesh counts as chosen where
    no other is selected, hidden or not.
    """
    found = [o for o in context.selected_objects if o.type == 'MESH']
    active = context.view_layer.objects.active
    if active is not None and active.type == 'MESH' and (active in found or not found):
        return [active] + [o for o in found if o != active]
    return sorted(found, key=lambda o: -len(o.data.vertices))


def companions(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return meshes that are not selected but belong to the selected ones: their children, or
    children of the same parent, inside their box.
    """
    chosen = chosen_meshes(context)
    if not chosen:
        return []
    corners = np.array([o.matrix_world @ v for o in chosen for v in map(Vector, o.bound_box)])
    low, high = corners.min(0), corners.max(0)
    reach = 0.1 * (high - low).max()
    family = {o.parent for o in chosen if o.parent} | set(chosen)
    out = []
    for thing in context.view_layer.objects:
        if (
            thing is not None
            and thing.type == 'MESH'
            and thing not in chosen
            and thing.parent in family
            and len(thing.data.polygons)
        ):
            middle = np.mean([thing.matrix_world @ v for v in map(Vector, thing.bound_box)], axis=0)
            if (middle > low - reach).all() and (middle < high + reach).all():
                out.append(thing)
    return out


def select_companions(context: bpy.types.Context) -> int:
    """Select the companions too, those that are hidden excepted; returns how many are
    selected now.
    """
    found = companions(context)
    for thing in found:
        thing.select_set(True)
    return sum(thing.select_get() for thing in found)
