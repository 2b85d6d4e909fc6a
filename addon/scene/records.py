"""What Facewright made of a mesh's shape keys, kept beside them in the .blend, so that hand edits
can be told from it.

A custom property of the mesh's shape keys holds records of several kinds: 'generated' (as made) and
'fixed' (after the cavities last followed an edit): per key the offsets in 16 bits a number,
compressed, exact to a 32,767th of the largest. Some vertices of the Basis are kept as well: where
the object's scale or rotation was applied since, the offsets turn with it. 'basis' holds the Basis
itself in the same way. 'plain' is what the face model gives this head, as the last comparison
found; 'personal' what a key was before it was first blended with that, and 'blended' what the last
blend left of a key that Facewright did not make (of one it made 'generated' is that). 'sides' holds
the left and the right key that became one under ARKit's names, so that the way back is exact.
"""

from __future__ import annotations

import zlib

import bpy
import numpy as np

PROPERTY = 'facewright'
STEPS = 32767
BASIS = 'Basis'
SHAPES = ('generated', 'fixed', 'plain', 'personal', 'blended')  # kinds of records of keys
SIDES = 'sides'
SAMPLES = 64
# how far from the identity what happened to the Basis must be to count as applied transforms
STILL = 1e-3


def write(keys: bpy.types.Key, name: str, offsets: np.ndarray, kind: str = 'generated') -> None:
    """Remember a key's N×3 offsets."""
    top = float(np.abs(offsets).max(initial=0))
    steps = (
        np.zeros(offsets.shape, np.int16)
        if top == 0
        else np.round(offsets / top * STEPS).astype(np.int16)
    )
    rest = _rest(keys)[_sampled(len(offsets))].astype(np.float32)
    _group(keys, kind)[name] = {
        'top': top,
        'count': len(offsets),
        'steps': zlib.compress(steps.tobytes(), 1),
        'rest': rest.tobytes(),
    }


def read(keys: bpy.types.Key | None, name: str, kind: str = 'generated') -> np.ndarray | None:
    """Return a key's N×3 float64 offsets as remembered, in the mesh's present axes; None where
    nothing is known of it or the mesh has other vertices now.
    """
    if keys is None or not has(keys, name, kind):
        return None
    record, count = keys[PROPERTY][kind][name], len(keys.reference_key.points)
    if record['count'] != count:
        return None
    steps = np.frombuffer(zlib.decompress(record['steps']), np.int16).reshape(-1, 3)
    return steps * (record['top'] / STEPS) @ _turn(keys, record).T


def has(keys: bpy.types.Key, name: str, kind: str = 'generated') -> bool:
    """Return whether there is a record of a key, fit for the vertices the mesh has now or not."""
    return PROPERTY in keys and kind in keys[PROPERTY] and name in keys[PROPERTY][kind]


def forget(keys: bpy.types.Key, name: str, kind: str) -> None:
    """Drop one record."""
    if has(keys, name, kind):
        del keys[PROPERTY][kind][name]


def rename(keys: bpy.types.Key, old: str, new: str) -> None:
    """Let a renamed key's records go with it."""
    for kind in (*SHAPES, SIDES):
        if has(keys, old, kind):
            keys[PROPERTY][kind][new] = keys[PROPERTY][kind][old].to_dict()
            del keys[PROPERTY][kind][old]


def write_sides(
    keys: bpy.types.Key,
    name: str,
    sides: tuple[np.ndarray, np.ndarray],
    settings: tuple[dict, dict],
) -> None:
    """Remember the left and the right key (N×3 offsets to the bit, settings) that became the key
    `name`."""
    parts = {
        side: {'values': zlib.compress(offsets.astype(np.float32).tobytes(), 1), 'settings': kept}
        for side, offsets, kept in zip(('left', 'right'), sides, settings)
    }
    rest = _rest(keys)[_sampled(len(sides[0]))].astype(np.float32)
    _group(keys, SIDES)[name] = parts | {'count': len(sides[0]), 'rest': rest.tobytes()}


def read_sides(
    keys: bpy.types.Key, name: str
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[dict, dict]] | None:
    """Return the two keys that became the key `name`: N×3 float64 offsets in the mesh's present
    axes, and settings; None where not known.
    """
    if PROPERTY not in keys or name not in keys[PROPERTY].get(SIDES, {}):
        return None
    record = keys[PROPERTY][SIDES][name]
    if record['count'] != len(keys.reference_key.points):
        return None
    turn = _turn(keys, record).T
    both = [record[side] for side in ('left', 'right')]
    offsets = [
        np.frombuffer(zlib.decompress(one['values']), np.float32).reshape(-1, 3) for one in both
    ]
    return tuple(o.astype(np.float64) @ turn for o in offsets), tuple(
        one['settings'].to_dict() for one in both
    )


def edit(
    keys: bpy.types.Key, name: str, offsets: np.ndarray, kind: str = 'generated'
) -> np.ndarray | None:
    """Return N×3: what was changed by hand in a key with N×3 offsets since `kind` was recorded, 0
    where nothing was; None without a record.
    """
    made = read(keys, name, kind)
    if made is None:
        return None
    rest = _rest(keys)
    least = 2 * np.abs(made).max(initial=0) / STEPS + 1e-6 * np.ptp(rest, axis=0).max(initial=0)
    difference = offsets - made
    return np.where((np.abs(difference) > least).any(1)[:, None], difference, 0)


def shift(keys: bpy.types.Key, name: str, motion: np.ndarray) -> None:
    """Facewright changed a key by N×3: what is remembered of it changes alike, so that hand edits
    are told from it as before.
    """
    for kind in ('generated', 'fixed', 'personal', 'blended'):
        made = read(keys, name, kind)
        if made is not None:
            write(keys, name, made + motion, kind)


def shift_basis(keys: bpy.types.Key, motion: np.ndarray) -> None:
    """Facewright is about to move the Basis by N×3: what is remembered of it moves alike."""
    made = read(keys, BASIS, 'basis')
    if made is not None:
        write(keys, BASIS, made + motion, 'basis')


def write_basis(keys: bpy.types.Key) -> None:
    """Remember the Basis as it is now."""
    write(keys, BASIS, _rest(keys), 'basis')


def has_basis(keys: bpy.types.Key) -> bool:
    """Return whether the Basis is remembered, for the vertices the mesh has now."""
    return read(keys, BASIS, 'basis') is not None


def basis_edit(keys: bpy.types.Key) -> np.ndarray | None:
    """Return N×3: what was changed by hand in the Basis since it was recorded, 0 where nothing was,
    without what moved most vertices alike; None without a record."""
    made = read(keys, BASIS, 'basis')
    if made is None:
        return None
    rest = _rest(keys)
    return edit(keys, BASIS, rest - np.median(rest - made, axis=0), 'basis')


def _group(keys: bpy.types.Key, kind: str):
    if PROPERTY not in keys:
        keys[PROPERTY] = {}
    if kind not in keys[PROPERTY]:
        keys[PROPERTY][kind] = {}
    return keys[PROPERTY][kind]


def _sampled(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, SAMPLES).astype(np.int32))


def _rest(keys: bpy.types.Key) -> np.ndarray:
    out = np.empty(len(keys.reference_key.points) * 3, np.float32)
    keys.reference_key.points.foreach_get('co', out)
    return out.reshape(-1, 3)


def _turn(keys: bpy.types.Key, record) -> np.ndarray:
    """Return 3×3: what was applied to the mesh since (scale, rotation), the identity where its
    Basis was merely edited.
    """
    was = np.frombuffer(record['rest'], np.float32).reshape(-1, 3).astype(np.float64)
    now = _rest(keys)[_sampled(record['count'])].astype(np.float64)
    if (
        np.array_equal(was, now)
        or np.linalg.matrix_rank(was - was.mean(0), tol=1e-6 * np.ptp(was)) < 3
    ):
        return np.eye(3)
    linear = np.linalg.lstsq(was - was.mean(0), now - now.mean(0), rcond=None)[0].T
    left = now - now.mean(0) - (was - was.mean(0)) @ linear.T
    return (
        linear
        if np.abs(linear - np.eye(3)).max() > STILL and np.abs(left).max() < 1e-4 * np.ptp(now)
        else np.eye(3)
    )
