"""Empties that say where a face's landmarks are, in one collection of the scene."""

from __future__ import annotations

import re

import bpy
import numpy as np
from mathutils import Vector

COLLECTION = 'Facewright Markers'
# custom property: the landmark's name, whatever Blender calls the object
NAME = 'facewright_marker'

# (landmark, label): what can be placed by hand, from the top of the face to its bottom. Left is the
# person's left.
PLACES = (
    ('brow_outer_L', 'Brow, outer end, left'),
    ('brow_inner_L', 'Brow, inner end, left'),
    ('brow_inner_R', 'Brow, inner end, right'),
    ('brow_outer_R', 'Brow, outer end, right'),
    ('eye_outer_L', 'Eye, outer corner, left'),
    ('eye_inner_L', 'Eye, inner corner, left'),
    ('eye_inner_R', 'Eye, inner corner, right'),
    ('eye_outer_R', 'Eye, outer corner, right'),
    ('nose_bridge', 'Bridge of the nose'),
    ('nose_tip', 'Tip of the nose'),
    ('nostril_L', 'Nostril, left'),
    ('nose_base', 'Base of the nose'),
    ('nostril_R', 'Nostril, right'),
    ('mouth_corner_L', 'Mouth corner, left'),
    ('mouth_corner_R', 'Mouth corner, right'),
    ('upper_lip', 'Upper lip, top of the middle'),
    ('lower_lip', 'Lower lip, bottom of the middle'),
    ('jaw_L', 'Jaw, left'),
    ('chin', 'Tip of the chin'),
    ('jaw_R', 'Jaw, right'),
)


def name_of(empty: bpy.types.Object) -> str:
    """Return the landmark an empty stands for: as marked, else by its object's name."""
    return empty.get(NAME) or re.sub(r'\.\d{3,}$', '', empty.name)


def markers_of(
    scene: bpy.types.Scene, things: list[bpy.types.Object]
) -> dict[str, bpy.types.Object]:
    """Return {landmark: empty} for some meshes: their own, and those that belong to no mesh."""
    collection = bpy.data.collections.get(COLLECTION)
    if collection is None or collection.name not in {
        c.name for c in scene.collection.children_recursive
    }:
        return {}
    ours = [
        e
        for e in collection.objects
        if e.type == 'EMPTY' and (e.parent is None or e.parent in things)
    ]
    return {name_of(e): e for e in sorted(ours, key=lambda e: e.parent is not None)}


def place(
    scene: bpy.types.Scene, thing: bpy.types.Object, where: dict[str, np.ndarray], size: float
) -> list[bpy.types.Object]:
    """Put an empty at each {landmark: point in the world}, parented to a mesh; one it has already
    is moved there.
    """
    collection = bpy.data.collections.get(COLLECTION) or bpy.data.collections.new(COLLECTION)
    if collection.name not in {c.name for c in scene.collection.children_recursive}:
        scene.collection.children.link(collection)
    have, made = markers_of(scene, [thing]), []
    into_parent = thing.matrix_world.inverted_safe()
    for name, point in where.items():
        empty = have.get(name)
        if empty is None:
            empty = bpy.data.objects.new(name, None)
            empty[NAME] = name
            empty.empty_display_type, empty.show_in_front, empty.show_name = 'SPHERE', True, False
            collection.objects.link(empty)
        empty.empty_display_size = size / max(1e-9, sum(thing.matrix_world.to_scale()) / 3)
        empty.parent = thing
        empty.matrix_parent_inverse.identity()
        empty.rotation_euler, empty.scale = (0, 0, 0), (1, 1, 1)
        empty.location = into_parent @ Vector(point)
        made.append(empty)
    return made


def remove(scene: bpy.types.Scene, things: list[bpy.types.Object]) -> int:
    """Take some meshes' markers away, and those of no mesh; returns how many there were."""
    found = list(markers_of(scene, things).values())
    bpy.data.batch_remove(found)
    collection = bpy.data.collections.get(COLLECTION)
    if found and collection is not None and not collection.objects:
        bpy.data.collections.remove(collection)
    return len(found)
