"""Expressions as shape keys, under ICT's or ARKit's names."""
from __future__ import annotations

import bpy
import numpy as np

from ...engine.errors import FacewrightError
from ...engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, MERGED, TO_ICT
from . import actions, names, units


def to_arkit(expressions: np.ndarray, called: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """E×V×3 offsets under ICT names → the same under ARKit's, in Apple's order; a merged shape is the sum of its two."""
    index = {n: i for i, n in enumerate(called)}
    have = [(arkit, [index[n] for n in TO_ICT[arkit] if n in index]) for arkit in ARKIT_NAMES]
    have = [(arkit, rows) for arkit, rows in have if rows]
    return np.stack([expressions[rows].sum(0) for _, rows in have]), tuple(arkit for arkit, _ in have)


def add_shape_keys(head: bpy.types.Object, expressions: np.ndarray, called: tuple[str, ...], naming: str = 'ICT') -> None:
    """Add one shape key an expression (E×V×3 offsets, cm in head space, called by ICT's names) to a head whose vertices are its neutral.

    naming 'ICT' or 'ARKIT'. Sliders run from 0 to 1.
    """
    if naming == 'ARKIT':
        expressions, called = to_arkit(expressions, called)
    mesh = head.data
    rest = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get('co', rest)
    if mesh.shape_keys is None:
        head.shape_key_add(name='Basis', from_mix=False)
    for name, offsets in zip(called, expressions):
        key = head.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max, key.value = 0., 1., 0.
        key.points.foreach_set('co', rest + units.points_to_blender(offsets).ravel())


def naming(head: bpy.types.Object) -> str | None:
    """'ICT' or 'ARKIT', whichever a mesh's shape keys are spelled by; None where by neither."""
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
    keys = head.data.shape_keys.key_blocks if head.data.shape_keys else ()
    if not names.matches(k.name for k in keys):
        raise FacewrightError(f'{head.name} has no shape keys under ICT or ARKit names: select a head that has them.')
    changed = _merge(head) if to == 'ARKIT' else _split(head)
    for key, expression in names.matches(k.name for k in keys).items():
        name = names.spelled(expression, to)
        if name not in keys and (to == 'ICT' or name not in MERGED):
            keys[key].name = name
            changed += 1
    return changed


def _meaning(head: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """{ICT or ARKit name: the shape key that stands for it}."""
    keys = head.data.shape_keys.key_blocks
    return {expression: keys[key] for key, expression in names.matches(k.name for k in keys).items()}


def _merge(head: bpy.types.Object) -> int:
    changed = 0
    for whole, halves in MERGED.items():
        have = _meaning(head)
        if whole not in have and all(h in have for h in halves):
            a, b = (have[h] for h in halves)
            a.points.foreach_set('co', _points(a) + _points(b) - _points(a.relative_key))
            a.value = (a.value + b.value) / 2
            actions.merge_value_curves(head.data.shape_keys, a.name, b.name)
            head.shape_key_remove(b)
            a.name = whole
            changed += 2
    return changed


def _split(head: bpy.types.Object) -> int:
    changed = 0
    for whole, (left, right) in MERGED.items():
        have = _meaning(head)
        if whole in have and left not in have and right not in have:
            a = have[whole]
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
