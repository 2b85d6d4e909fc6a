"""Expressions as shape keys, under ICT's or ARKit's names."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, MERGED, TO_ICT
from . import actions, names, records, units

# the key that takes a mesh from how it was made (its Basis) to rest, where those differ
AT_REST = 'atRest'


def to_arkit(
    expressions: np.ndarray, called: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert E×V×3 offsets under ICT names → the same under ARKit's, in Apple's order; a merged
    shape is the sum of its two.
    """
    index = {n: i for i, n in enumerate(called)}
    have = [(arkit, [index[n] for n in TO_ICT[arkit] if n in index]) for arkit in ARKIT_NAMES]
    have = [(arkit, rows) for arkit, rows in have if rows]
    return np.stack([expressions[rows].sum(0) for _, rows in have]), tuple(
        arkit for arkit, _ in have
    )


def sides_of(called: tuple[str, ...]) -> dict[str, list[int]]:
    """Return {ARKit's name of a shape that merges two: where its left and right one are called}."""
    return {
        whole: [called.index(half) for half in pair]
        for whole, pair in MERGED.items()
        if all(half in called for half in pair)
    }


def keep_sides(thing: bpy.types.Object, halves: dict[str, np.ndarray]) -> None:
    """Remember the left and right shapes that generated keys of both sides are made of.

    halves: {ARKit's name: 2×N×3 offsets in the mesh's axes}.
    """
    have = meanings(thing)
    for whole, pair in halves.items():
        if whole in have and records.read(thing.data.shape_keys, have[whole].name) is not None:
            records.write_sides(thing.data.shape_keys, have[whole].name, tuple(pair), ({}, {}))


def add_shape_keys(
    head: bpy.types.Object, expressions: np.ndarray, called: tuple[str, ...], naming: str = 'ICT'
) -> None:
    """Add one shape key an expression (E×V×3 offsets, cm in head space, called by ICT's names) to a
    head whose vertices are its neutral.

    naming 'ICT' or 'ARKIT'. Sliders run from 0 to 1.
    """
    sides = sides_of(called) if naming == 'ARKIT' else {}
    halves = {whole: units.points_to_blender(expressions[rows]) for whole, rows in sides.items()}
    if naming == 'ARKIT':
        expressions, called = to_arkit(expressions, called)
    mesh = head.data
    rest = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get('co', rest)
    if mesh.shape_keys is None:
        head.shape_key_add(name='Basis', from_mix=False)
    for name, offsets in zip(called, expressions):
        key = head.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max, key.value = 0.0, 1.0, 0.0
        local = units.points_to_blender(offsets)
        key.points.foreach_set('co', rest + local.ravel())
        records.write(mesh.shape_keys, name, local)
    keep_sides(head, halves)
    records.write_basis(mesh.shape_keys)


@dataclass(frozen=True)
class Written:
    """Names of the keys that were made, updated, updated with hand edits carried over, and left
    alone (not ours, or locked).
    """

    made: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()


def write_shapes(
    thing: bpy.types.Object,
    shapes: dict[str, np.ndarray],
    keep_edits: bool = True,
    replace: bool = False,
) -> Written:
    """Give a mesh generated shapes, {name: N×3 offsets in its own axes}.

    Keys made before are updated: value, slider, drivers and animation stay, and with keep_edits
    what was changed in them by hand. A key of that meaning that somebody else made stays as it is,
    unless `replace`. Locked keys stay.
    """
    if thing.data.shape_keys is None:
        thing.shape_key_add(name='Basis', from_mix=False)
    keys = thing.data.shape_keys
    if not records.has_basis(keys):  # else the cavities have not followed it yet
        records.write_basis(keys)
    have, made, updated, edited, left_alone = meanings(thing), [], [], [], []
    for name, offsets in shapes.items():
        key = have.get(names.expression_of(name) or name)
        if key is None:
            key = thing.shape_key_add(name=name, from_mix=False)
            key.slider_min, key.slider_max, key.value = 0.0, 1.0, 0.0
            made.append(key.name)
            by_hand = None
        else:
            ours = records.read(keys, key.name) is not None
            if key.lock_shape or not (ours or replace):
                left_alone.append(key.name)
                continue
            by_hand = records.edit(keys, key.name, offsets_of(key)) if keep_edits else None
            updated.append(key.name)
            if by_hand is not None and by_hand.any():
                edited.append(key.name)
        set_offsets(key, offsets if by_hand is None else offsets + by_hand)
        for kind in records.SHAPES:
            records.forget(keys, key.name, kind)
        records.write(keys, key.name, offsets)
    thing.data.update()
    return Written(tuple(made), tuple(updated), tuple(edited), tuple(left_alone))


def ours_alone(thing: bpy.types.Object) -> bool:
    """Return whether a mesh has shape keys under ICT's or ARKit's names, and Facewright made
    all of them.
    """
    keys = thing.data.shape_keys
    found = names.expressions_among(k.name for k in keys.key_blocks) if keys else {}
    return bool(found) and all(records.read(keys, k) is not None for k in found)


def meanings(thing: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """Return {what a key stands for (ICT or ARKit name, else its own name): the key}; of several,
    the one Facewright made.
    """
    keys, found = thing.data.shape_keys, {}
    known = names.expressions_among(k.name for k in keys.key_blocks) if keys else {}
    for key in keys.key_blocks if keys else ():
        means = known.get(key.name, key.name)
        if key != keys.reference_key and (
            means not in found or records.read(keys, key.name) is not None
        ):
            found[means] = key
    return found


def offsets_of(key: bpy.types.ShapeKey) -> np.ndarray:
    """Return N×3 float64 offsets of a key from the one it is relative to."""
    return (_points(key).astype(np.float64) - _points(key.relative_key)).reshape(-1, 3)


def set_offsets(
    key: bpy.types.ShapeKey, offsets: np.ndarray, where: np.ndarray | None = None
) -> None:
    """Move a key to N×3 offsets from the one it is relative to.

    where: N bool, these vertices alone; the others stay to the bit. Keys that are relative to it
    move along, so that their own offsets stay.
    """
    before = _points(key).reshape(-1, 3)
    points = (_points(key.relative_key).reshape(-1, 3) + offsets).astype(np.float32)
    if where is not None:
        points = np.where(where[:, None], points, before)
    key.points.foreach_set('co', points.ravel())
    for other in dependents(key):
        moved = _points(other).reshape(-1, 3) + (points - before)
        other.points.foreach_set('co', moved.ravel())


def dependents(key: bpy.types.ShapeKey) -> list[bpy.types.ShapeKey]:
    """Return the keys that are relative to a key, or to one that is, without itself."""
    blocks, found, names_found = key.id_data.key_blocks, [], {key.name}
    waiting = [key]
    while waiting:
        base = waiting.pop()
        for other in blocks:
            if other.name not in names_found and other.relative_key == base:
                names_found.add(other.name)
                found.append(other)
                waiting.append(other)
    return found


def move_all(thing: bpy.types.Object, motion: np.ndarray, where: np.ndarray) -> None:
    """Move the Basis, and with it every key, by N×3 in the mesh's own axes at the vertices `where`
    (N bool); the others stay to the bit.
    """
    for key in thing.data.shape_keys.key_blocks:
        points = _points(key).reshape(-1, 3)
        points[where] += motion[where].astype(np.float32)
        key.points.foreach_set('co', points.ravel())
    thing.data.vertices.foreach_set('co', _points(thing.data.shape_keys.reference_key))


def follow(thing: bpy.types.Object, leader: bpy.types.Object) -> int:
    """Drive a mesh's keys by the keys of the same name on another, so that one slider moves both;
    returns how many. Driven or animated ones stay.
    """
    driven, count = thing.data.shape_keys, 0
    taken = {d.data_path for d in driven.animation_data.drivers} if driven.animation_data else set()
    for key in driven.key_blocks[1:]:
        path = actions.value_path(key.name)
        if (
            key.name not in leader.data.shape_keys.key_blocks
            or path in taken
            or actions.is_keyed(driven, path)
        ):
            continue
        driver = key.driver_add('value').driver
        driver.type = 'AVERAGE'
        variable = driver.variables.new()
        variable.name = 'value'
        variable.targets[0].id_type, variable.targets[0].id, variable.targets[0].data_path = (
            'KEY',
            leader.data.shape_keys,
            path,
        )
        count += 1
    return count


def naming(head: bpy.types.Object) -> str | None:
    """Return 'ICT' or 'ARKIT', whichever a mesh's shape keys are spelled by; None where
    by neither.
    """
    have = {k.name for k in head.data.shape_keys.key_blocks}
    ict, arkit = (
        len(have & (set(ICT_NAMES) - set(ARKIT_NAMES))),
        len(have & (set(ARKIT_NAMES) - set(ICT_NAMES))),
    )
    if ict == arkit == 0:
        return 'ICT' if len(have & set(ICT_NAMES)) else None
    return 'ICT' if ict >= arkit else 'ARKIT'


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    out = np.empty(len(key.points) * 3, np.float32)
    key.points.foreach_get('co', out)
    return out
