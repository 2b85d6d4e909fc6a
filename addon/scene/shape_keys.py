"""Expressions as shape keys, under ICT's or ARKit's names."""
from __future__ import annotations

import bpy
import numpy as np

from ...engine.errors import FacewrightError
from ...engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, MERGED, TO_ARKIT, TO_ICT
from . import actions, units


def to_arkit(expressions: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """E×V×3 offsets under ICT names → the same under ARKit's, in Apple's order; a merged shape is the sum of its two."""
    index = {n: i for i, n in enumerate(names)}
    have = [(arkit, [index[n] for n in TO_ICT[arkit] if n in index]) for arkit in ARKIT_NAMES]
    have = [(arkit, rows) for arkit, rows in have if rows]
    return np.stack([expressions[rows].sum(0) for _, rows in have]), tuple(arkit for arkit, _ in have)


def add_shape_keys(head: bpy.types.Object, expressions: np.ndarray, names: tuple[str, ...], naming: str = 'ICT') -> None:
    """Add one shape key an expression (E×V×3 offsets, cm in head space) to a head whose vertices are its neutral.

    naming 'ICT' or 'ARKIT'. Sliders run from 0 to 1.
    """
    if naming == 'ARKIT':
        expressions, names = to_arkit(expressions, names)
    mesh = head.data
    rest = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get('co', rest)
    if mesh.shape_keys is None:
        head.shape_key_add(name='Basis', from_mix=False)
    for name, offsets in zip(names, expressions):
        key = head.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max, key.value = 0., 1., 0.
        key.points.foreach_set('co', rest + units.points_to_blender(offsets).ravel())


def naming(head: bpy.types.Object) -> str | None:
    """'ICT', 'ARKIT', or None where the object has too few of either's shape keys to tell."""
    if head is None or head.type != 'MESH' or head.data.shape_keys is None:
        return None
    have = {k.name for k in head.data.shape_keys.key_blocks}
    ict, arkit = len(have & (set(ICT_NAMES) - set(ARKIT_NAMES))), len(have & (set(ARKIT_NAMES) - set(ICT_NAMES)))
    if ict == arkit == 0:
        return 'ICT' if len(have & set(ICT_NAMES)) else None
    return 'ICT' if ict >= arkit else 'ARKIT'


def rename(head: bpy.types.Object, to: str) -> int:
    """Rename a mesh's shape keys to ICT's ('ICT') or ARKit's ('ARKIT') names; returns how many keys changed. Animation follows.

    Where ARKit has one shape for two of ICT's, the pair becomes one key that holds their sum; the other way the one is split
    softly at the middle (x = 0, the head's left at +x), so that both together are what it was.
    """
    now = naming(head)
    if now is None:
        raise FacewrightError(f'{head.name if head else "No object"} has no shape keys under ICT or ARKit names: select a head that has them.')
    if now == to:
        return 0
    return _merge(head) + _rename(head, TO_ARKIT) if to == 'ARKIT' else _split(head) + _rename(head, {a: i[0] for a, i in TO_ICT.items() if len(i) == 1})


def _rename(head: bpy.types.Object, names: dict[str, str]) -> int:
    changing = [k for k in head.data.shape_keys.key_blocks if names.get(k.name, k.name) != k.name]
    for key in changing:
        key.name = names[key.name]
    return len(changing)


def _merge(head: bpy.types.Object) -> int:
    keys = head.data.shape_keys.key_blocks
    changed = 0
    for arkit, (left, right) in MERGED.items():
        if left in keys and right in keys:
            a, b = keys[left], keys[right]
            a.points.foreach_set('co', (_points(a) + _points(b) - _points(a.relative_key)))
            a.value = (a.value + b.value) / 2
            actions.merge_value_curves(head.data.shape_keys, left, right)
            head.shape_key_remove(b)
            a.name = arkit
            changed += 2
    return changed


def _split(head: bpy.types.Object) -> int:
    keys = head.data.shape_keys.key_blocks
    changed = 0
    for arkit, (left, right) in MERGED.items():
        if arkit in keys:
            a = keys[arkit]
            rest, both = _points(a.relative_key).reshape(-1, 3), _points(a).reshape(-1, 3)
            ramp = np.clip(rest[:, :1] / max(np.ptp(rest[:, 0]) * 0.1, 1e-9) * 0.5 + 0.5, 0, 1)
            part = ramp * ramp * (3 - 2 * ramp)
            b = head.shape_key_add(name=right, from_mix=False)
            b.relative_key, b.slider_min, b.slider_max, b.value = a.relative_key, a.slider_min, a.slider_max, a.value
            b.points.foreach_set('co', (rest + (1 - part) * (both - rest)).ravel())
            a.points.foreach_set('co', (rest + part * (both - rest)).ravel())
            a.name = left
            actions.copy_value_curve(head.data.shape_keys, left, right)
            changed += 1
    return changed


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    out = np.empty(len(key.points) * 3, np.float32)
    key.points.foreach_get('co', out)
    return out
