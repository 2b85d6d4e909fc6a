"""Symmetrise, mirror, split, reset, strength: at once, on the active mesh's shape keys."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.shape_keys import editing as shape_tools
from ..scene import mesh_sets, records, renaming, shape_keys
from .selection import chosen_meshes
from .shared import group_weights
from .sides import halves, left_of_middle


def tool_mesh(context: bpy.types.Context) -> bpy.types.Object:
    """Return the mesh the tools work on: the active one (or first selected), with shape keys."""
    chosen = chosen_meshes(context)
    if not chosen:
        raise FacewrightError('No mesh is selected: select one with shape keys.')
    thing = chosen[0]
    mesh_sets.check(thing)
    if not thing.data.shape_keys or len(thing.data.shape_keys.key_blocks) < 2:
        raise FacewrightError(
            f'{thing.name} has no shape keys yet: generate them, or select a mesh that has some.'
        )
    thing.update_from_editmode()
    return thing


def chosen_keys(thing: bpy.types.Object, which: str) -> list[bpy.types.ShapeKey]:
    """Return the active key, or all, the Basis and locked ones excepted."""
    blocks, active = thing.data.shape_keys, thing.active_shape_key
    if which == 'ALL':
        return [k for k in blocks.key_blocks if k != blocks.reference_key and not k.lock_shape]
    if active is None or active == blocks.reference_key:
        raise FacewrightError(
            'The active shape key is the Basis: choose another in the Shape Keys list.'
        )
    _unlocked(active)
    return [active]


def _unlocked(key: bpy.types.ShapeKey) -> None:
    if key.lock_shape:
        raise FacewrightError(f'{key.name} is locked: unlock it in the Shape Keys list first.')


def symmetrise(
    context: bpy.types.Context, source: str = 'LEFT', keys: str = 'ACTIVE', tolerance: float = 1e-3
) -> int:
    """Make shapes symmetrical: source 'LEFT' or 'RIGHT' (that side's is copied over) or 'AVERAGE';
    returns how many keys changed.

    Keys with a side in their names (mouthSmile_L, jawLeft) become mirror images of each other.
    """
    thing = tool_mesh(context)
    chosen, mesh_halves = chosen_keys(thing, keys), halves(context.scene, thing, tolerance)
    blocks, done = thing.data.shape_keys.key_blocks, set()
    for key in chosen:
        other = shape_tools.other_side(key.name)
        if key.name in done or (other and other not in blocks and keys == 'ALL'):
            continue
        if other is None:
            shape_keys.set_offsets(
                key,
                mesh_halves.of(
                    shape_tools.symmetrise, shape_keys.offsets_of(key), source=source.lower()
                ),
            )
            done.add(key.name)
            continue
        if other not in blocks:
            raise FacewrightError(
                f'There is no shape key {other} beside {key.name}: Mirror makes it.'
            )
        left, right = (
            (key, blocks[other])
            if shape_tools.side_of(key.name) == 'left'
            else (blocks[other], key)
        )
        if keys == 'ALL' and (left.lock_shape or right.lock_shape):
            continue
        for one in (left, right):
            _unlocked(one)
        pair = mesh_halves.of_pair(
            shape_tools.symmetrise_pair,
            shape_keys.offsets_of(left),
            shape_keys.offsets_of(right),
            source=source.lower(),
        )
        for one, offsets in zip((left, right), pair):
            shape_keys.set_offsets(one, offsets)
        done |= {left.name, right.name}
    thing.data.update()
    return len(done)


def mirror(
    context: bpy.types.Context, to: str = 'OTHER', tolerance: float = 1e-3
) -> tuple[str, list[str]]:
    """Mirror the active key; returns the name of what got the shape, and what to tell the user.

    to: 'OTHER' makes or overwrites the other side's key (mouthSmile_R from mouthSmile_L), 'ITSELF'
    flips the key. A key that is made gets the slider, vertex group and driver of the other side.
    """
    thing = tool_mesh(context)
    (key,), notes = chosen_keys(thing, 'ACTIVE'), []
    mesh_halves = halves(context.scene, thing, tolerance)
    mirrored = mesh_halves.of(shape_tools.mirror, shape_keys.offsets_of(key))
    if to == 'OTHER':
        name = shape_tools.other_side(key.name)
        if name is None:
            raise FacewrightError(
                f'{key.name} names no side: give it an ending such as _L or Right, or mirror '
                'it onto itself.'
            )
        other = thing.data.shape_keys.key_blocks.get(name)
        if other is None:
            other, notes = renaming.add_mirrored(thing, key, name, mesh_halves.symmetry.partner)
        _unlocked(other)
        key = other
    shape_keys.set_offsets(key, mirrored)
    thing.data.update()
    return key.name, notes


def split(
    context: bpy.types.Context, width: float = 0.01, tolerance: float = 1e-3
) -> tuple[str, str]:
    """Split the active key softly into a left and a right one that sum to it; it becomes the left,
    its animation is copied. The mesh need not be symmetrical.

    width: of the soft middle, in the object's units.
    """
    thing = tool_mesh(context)
    (key,) = chosen_keys(thing, 'ACTIVE')
    if shape_tools.side_of(key.name):
        raise FacewrightError(
            f"{key.name} is one side's already: choose a shape key of both sides."
        )
    ends = ('Left', 'Right') if shape_keys.naming(thing) == 'ARKIT' else ('_L', '_R')
    left, right = (key.name + end for end in ends)
    for name in (left, right):
        if name in thing.data.shape_keys.key_blocks:
            raise FacewrightError(
                f'There is a shape key {name} already: rename or delete it first.'
            )
    part = shape_tools.split(
        np.ones((len(thing.data.vertices), 1)),
        left_of_middle(context.scene, thing, tolerance),
        width,
    )[0]
    renaming.split_key(thing, key, left, right, part)
    thing.data.update()
    return left, right


def region_weights(
    thing: bpy.types.Object, where: str = 'ALL', group: str = '', falloff: float = 0.01
) -> np.ndarray:
    """Return N weights in [0, 1]: everywhere ('ALL'), of a vertex group ('GROUP'), or of the
    selected vertices, fading out over `falloff` ('SELECTED').
    """
    if where == 'GROUP':
        if not group:
            raise FacewrightError('No vertex group was chosen: choose the one that says where.')
        return group_weights(thing, group)
    if where == 'SELECTED':
        selected = np.empty(len(thing.data.vertices), bool)
        thing.data.vertices.foreach_get('select', selected)
        if not selected.any():
            raise FacewrightError(
                f'No vertex of {thing.name} is selected: select some in edit mode.'
            )
        return shape_tools.falloff(
            mesh_sets.base_points(thing).astype(float),
            shape_tools.edges_of_faces(mesh_sets.faces_of(thing.data)),
            selected,
            falloff,
        )
    return np.ones(len(thing.data.vertices))


def reset(
    context: bpy.types.Context,
    to: str = 'BASIS',
    keys: str = 'ACTIVE',
    where: str = 'ALL',
    group: str = '',
    falloff: float = 0.01,
) -> int:
    """Bring shapes back where `where` says: to the 'BASIS', or to what was 'GENERATED'; returns how
    many keys changed.
    """
    thing = tool_mesh(context)
    chosen, weights = chosen_keys(thing, keys), region_weights(thing, where, group, falloff)
    count = 0
    for key in chosen:
        target = np.zeros(1) if to == 'BASIS' else records.read(thing.data.shape_keys, key.name)
        if target is None:
            continue
        shape_keys.set_offsets(
            key, shape_tools.blend(shape_keys.offsets_of(key), target, weights), weights > 0
        )
        count += 1
    if not count:
        raise FacewrightError(
            'Facewright did not make '
            f'{chosen[0].name if len(chosen) == 1 else "these shape keys"}, or the mesh was '
            'changed since: reset to the Basis instead.'
        )
    thing.data.update()
    return count


def scale(
    context: bpy.types.Context,
    strength: float = 1.0,
    keys: str = 'ACTIVE',
    where: str = 'ALL',
    group: str = '',
    falloff: float = 0.01,
) -> int:
    """Multiply shapes by `strength` where `where` says; returns how many keys changed."""
    thing = tool_mesh(context)
    chosen, weights = chosen_keys(thing, keys), region_weights(thing, where, group, falloff)
    for key in chosen:
        shape_keys.set_offsets(
            key, shape_tools.scale(shape_keys.offsets_of(key), strength, weights), weights > 0
        )
    thing.data.update()
    return len(chosen)
