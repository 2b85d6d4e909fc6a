"""Which vertices of a mesh its Mask modifiers leave to be seen."""

from __future__ import annotations

import bpy
import numpy as np


def hidden_by_masks(thing: bpy.types.Object) -> np.ndarray:
    """Return N bool: the vertices of a mesh object that its Mask modifiers hide in the viewport.

    Weights are the mesh's own, as where nothing that makes new vertices stands before the modifier.
    """
    hidden = np.zeros(len(thing.data.vertices), bool)
    for modifier in thing.modifiers:
        if modifier.type == 'MASK' and modifier.show_viewport:
            shown = _shown(thing, modifier)
            if shown is not None:
                hidden |= ~shown
    return hidden


def _shown(thing: bpy.types.Object, modifier: bpy.types.MaskModifier) -> np.ndarray | None:
    """Return N bool of one modifier; None where it does nothing."""
    if modifier.mode == 'ARMATURE':
        armature = modifier.armature
        if armature is None or armature.type != 'ARMATURE':
            return None
        bones = {bone.name for bone in _selected_bones(armature)}
        groups, threshold = {g.index for g in thing.vertex_groups if g.name in bones}, 0.0
    else:
        group = thing.vertex_groups.get(modifier.vertex_group)
        if group is None:
            return None
        groups, threshold = {group.index}, modifier.threshold
    inside = np.array(
        [
            any(g.group in groups and g.weight > threshold for g in vertex.groups)
            for vertex in thing.data.vertices
        ],
        bool,
    )
    return ~inside if modifier.invert_vertex_group else inside


def _selected_bones(armature: bpy.types.Object) -> list:
    """Return an armature's selected bones: Blender 5.0 keeps that with the pose, others with the
    data.
    """
    if armature.pose and len(armature.pose.bones) and hasattr(armature.pose.bones[0], 'select'):
        return [bone for bone in armature.pose.bones if bone.select]
    return [bone for bone in armature.data.bones if bone.select]
