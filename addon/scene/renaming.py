"""Shape keys under other names: ICT's to ARKit's and back, one key of both sides to two and two to
one.

Everything a key has goes with it: its shape, drivers and what they drive, animation, vertex group,
slider, value, mute and lock.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.face_model.expressions import MERGED
from ...engine.shape_keys import editing as shape_tools
from . import actions, comparison, crossings, drivers, mesh_sets, names, records, shape_keys

SETTINGS = (
    'slider_min',
    'slider_max',
    'value',
    'mute',
    'lock_shape',
    'vertex_group',
    'interpolation',
)
SOFT_MIDDLE = 0.2  # of the head's width: the band in which the halves of a key fade into each other
# kinds of records that the halves of a key, and the key of both, have in step
IN_STEP = ('generated', 'plain', 'personal')
SAME = 1e-6  # values nearer than that are the same


def rename(
    head: bpy.types.Object, to: str, left_of_middle: Callable[[], np.ndarray]
) -> tuple[int, list[str]]:
    """Rename a mesh's shape keys to ICT's ('ICT') or ARKit's ('ARKIT') names; returns how many
    changed, and what to tell the user.

    Where ARKit has one shape for two of ICT's, the pair becomes one key that holds their sum. The
    other way it becomes the pair it was; one that never was is split softly at the middle.
    left_of_middle: gives N distances, positive on the person's left.
    """
    keys = head.data.shape_keys.key_blocks if head.data.shape_keys else ()
    if not names.expressions_among(k.name for k in keys):
        raise FacewrightError(
            f'{head.name} has no shape keys under ICT or ARKit names: select a head that has them.'
        )
    changed, notes = _merge_all(head) if to == 'ARKIT' else (_split_all(head, left_of_middle), [])
    for key, expression in names.expressions_among(k.name for k in keys).items():
        name = names.spelled(expression, to)
        if name not in keys and (name not in MERGED or expression == name):
            rename_key(keys[key], name)
            changed += 1
    return changed, notes


def rename_key(key: bpy.types.ShapeKey, name: str) -> None:
    """Give a key another name; its records go with it, and all that reads or animates it."""
    keys, old = key.id_data, key.name
    key.name = name
    records.rename(keys, old, key.name)
    crossings.rename(keys, old, key.name)
    comparison.rename(keys, old, key.name)


def _meaning(head: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """Return {ICT or ARKit name: the shape key that stands for it}."""
    keys = head.data.shape_keys.key_blocks
    return {
        expression: keys[key]
        for key, expression in names.expressions_among(k.name for k in keys).items()
    }


def _merge_all(head: bpy.types.Object) -> tuple[int, list[str]]:
    changed, notes = 0, []
    for whole, halves in MERGED.items():
        have = _meaning(head)
        if whole in have or not any(h in have for h in halves):
            continue
        if not all(h in have for h in halves):
            _whole_of_one(have, whole, halves)
            changed += 1
            continue
        left, right = (have[h] for h in halves)
        if left.relative_key == right or right.relative_key == left:
            notes.append(
                f'{left.name} and {right.name} keep their names: one is relative to the other.'
            )
        elif not drivers.merge(head.data.shape_keys, left.name, right.name):
            notes.append(
                f"{left.name} and {right.name} keep their names: their drivers can't be made one."
            )
        else:
            notes += merge_keys(head, left, right, whole)
            changed += 2
    return changed, notes


def _whole_of_one(have: dict[str, bpy.types.ShapeKey], whole: str, halves: tuple[str, str]) -> None:
    """Rename the only half a mesh has (its lashes of one side) to the whole, which is known to be
    that half."""
    key = next(have[h] for h in halves if h in have)
    offsets = shape_keys.offsets_of(key)
    sides = tuple(offsets if h in have else np.zeros_like(offsets) for h in halves)
    rename_key(key, whole)
    records.write_sides(key.id_data, key.name, sides, ({}, {}))


def merge_keys(
    head: bpy.types.Object, left: bpy.types.ShapeKey, right: bpy.types.ShapeKey, whole: str
) -> list[str]:
    """Make one key of two whose drivers are one already: the left one gets both shapes, the right
    one goes; returns what to tell the user.

    The two are remembered, so that split_key gives them back.
    """
    keys, notes, pair = head.data.shape_keys, [], (left, right)
    made = _made(keys, left.name, right.name)
    sides = tuple(shape_keys.offsets_of(k) for k in pair)
    settings = tuple({s: getattr(k, s) for s in SETTINGS} for k in pair)
    baked = _as_seen(head, sides, settings)
    for key in shape_keys.dependents(right):
        if key.relative_key == right:
            offsets = shape_keys.offsets_of(key)
            key.relative_key = left
            shape_keys.set_offsets(key, offsets)
    shape_keys.set_offsets(left, baked[0] + baked[1])
    if actions.merge_value_curves(keys, left.name, right.name):
        notes.append(
            f'{left.name} and {right.name} moved differently: {whole} moves by their mean.'
        )
    elif (
        abs(left.value - right.value) > SAME
        and drivers.find(keys, drivers.value_path(left.name)) is None
    ):
        notes.append(
            f'{left.name} and {right.name} stood differently: {whole} stands at their mean.'
        )
    for setting, value in _merged_settings(settings).items():
        setattr(left, setting, value)
    for key in pair:
        crossings.rename(keys, key.name)
        comparison.rename(keys, key.name)
        for kind in records.SHAPES:
            records.forget(keys, key.name, kind)
    drivers.retarget(keys, right.name, left.name)
    drivers.remove(keys, drivers.value_path(right.name))
    _remove_key(head, right, left)
    rename_key(left, whole)
    records.write_sides(keys, left.name, sides, settings)
    for kind, (one, other) in made.items():
        records.write(keys, left.name, one + other, kind)
    return notes


def _made(keys: bpy.types.Key, left: str, right: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return {kind of record: what it has of two keys}, of the kinds that know both."""
    found = {kind: [records.read(keys, name, kind) for name in (left, right)] for kind in IN_STEP}
    if any(offsets is not None for offsets in found['personal']):  # the other was never blended
        pairs = zip(found['personal'], found['generated'])
        found['personal'] = [made if own is None else own for own, made in pairs]
    return {
        kind: (one, other)
        for kind, (one, other) in found.items()
        if one is not None and other is not None
    }


def _remove_key(
    head: bpy.types.Object, key: bpy.types.ShapeKey, instead: bpy.types.ShapeKey
) -> None:
    """Remove a key; the active one stays active, or where that is the one removed, `instead`."""
    blocks, active = head.data.shape_keys.key_blocks, head.active_shape_key_index
    at = blocks.find(key.name)
    kept = blocks.find(instead.name) if active == at else active
    head.shape_key_remove(key)
    head.active_shape_key_index = kept - (kept > at)


def _as_seen(
    head: bpy.types.Object, sides: tuple[np.ndarray, ...], settings: tuple[dict, ...]
) -> list[np.ndarray]:
    """Return two shapes as they show: within their vertex groups, where those are not the same."""
    if not settings[0] or settings[0]['vertex_group'] == settings[1]['vertex_group']:
        return list(sides)
    groups = [head.vertex_groups.get(s['vertex_group']) for s in settings]
    return [
        o if g is None else o * mesh_sets.group_weights(head, g)[:, None]
        for o, g in zip(sides, groups)
    ]


def _merged_settings(settings: tuple[dict, dict]) -> dict:
    """Return what a key has that two became, by what they had."""
    left, right = settings
    groups = {left['vertex_group'], right['vertex_group']}
    return {
        'slider_min': min(left['slider_min'], right['slider_min']),
        'slider_max': max(left['slider_max'], right['slider_max']),
        'value': (left['value'] + right['value']) / 2,
        'mute': bool(left['mute'] and right['mute']),
        'lock_shape': bool(left['lock_shape'] or right['lock_shape']),
        'vertex_group': groups.pop() if len(groups) == 1 else '',
    }


def _split_all(head: bpy.types.Object, left_of_middle: Callable[[], np.ndarray]) -> int:
    changed, part = 0, None
    for whole, (left, right) in MERGED.items():
        have = _meaning(head)
        if whole in have and left not in have and right not in have:
            alone = _only_side(have[whole])
            if alone is not None:
                records.forget(head.data.shape_keys, have[whole].name, records.SIDES)
                rename_key(have[whole], (left, right)[alone])
                drivers.keep_side(
                    head.data.shape_keys,
                    actions.value_path((left, right)[alone]),
                    ('left', 'right')[alone],
                )
                changed += 1
                continue
            part = _left_part(left_of_middle()) if part is None else part
            split_key(head, have[whole], left, right, part)
            changed += 1
    return changed


def _left_part(side: np.ndarray) -> np.ndarray:
    """Convert N distances from the middle, positive left → N×1: how much of a shape is
    the left's.
    """
    return shape_tools.split(np.ones((len(side), 1)), side, SOFT_MIDDLE * np.ptp(side))[0]


def _only_side(key: bpy.types.ShapeKey) -> int | None:
    """Return 0 or 1 where a key of both sides is known to be the left or the right one alone, and
    still is; else None.
    """
    known = records.read_sides(key.id_data, key.name)
    if known is None:
        return None
    moving = [bool(np.abs(offsets).max(initial=0) > 0) for offsets in known[0]]
    if sum(moving) != 1:
        return None
    change = shape_keys.offsets_of(key) - sum(known[0])
    outside = np.abs(change[~(known[0][moving.index(True)] != 0).any(1)]).max(initial=0)
    return moving.index(True) if outside < 1e-6 * max(np.abs(known[0]).max(), 1e-9) else None


def split_key(
    head: bpy.types.Object, key: bpy.types.ShapeKey, left: str, right: str, part: np.ndarray
) -> None:
    """Turn a key into its left part under that name, and a new key with the rest; drivers,
    animation and settings go to both.

    part: N×1 in [0, 1], how much is the left's. Where the key was made of two, they come back, with
    what was changed since.
    """
    keys, whole = head.data.shape_keys, shape_keys.offsets_of(key)
    known = records.read_sides(keys, key.name)

    def halved(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if known is None:
            return part * shape, (1 - part) * shape
        return _back_to_sides(head, shape, known, part)

    halves = halved(whole)
    made = {kind: records.read(keys, key.name, kind) for kind in IN_STEP}
    made_halves = {kind: halved(shape) for kind, shape in made.items() if shape is not None}
    crossings.rename(keys, key.name)
    comparison.rename(keys, key.name)
    for kind in (*records.SHAPES, records.SIDES):
        records.forget(keys, key.name, kind)
    active = head.active_shape_key_index
    other = head.shape_key_add(name=right, from_mix=False)
    head.active_shape_key_index = active
    copy_settings(key, other)
    shape_keys.set_offsets(other, halves[1])
    shape_keys.set_offsets(key, halves[0])
    whole_name = key.name
    drivers.copy(keys, drivers.value_path(whole_name), drivers.value_path(right))
    actions.copy_value_curve(keys, whole_name, right)
    drivers.read_both(keys, whole_name, left, right)
    rename_key(key, left)
    for one, side in ((key, 'left'), (other, 'right')):
        drivers.keep_side(keys, drivers.value_path(one.name), side)
    if known is not None:
        _restore_settings((key, other), known[1])
    for kind, shapes in made_halves.items():
        for one, offsets in zip((key, other), shapes):
            records.write(keys, one.name, offsets, kind)


def _back_to_sides(
    head, whole: np.ndarray, known, part: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn a merged shape into the two it was made of; what was changed since goes to each side as
    far as the shape there is its own.
    """
    sides, settings = known
    left, right = _as_seen(head, sides, settings)
    size = [np.linalg.norm(o, axis=1, keepdims=True) for o in (left, right)]
    both = size[0] + size[1]
    share = np.where(both > 1e-9, size[0] / np.maximum(both, 1e-12), part)
    change = whole - (left + right)
    change[np.abs(change).max(1) < 1e-6 * max(np.abs(whole).max(initial=0), 1e-9)] = 0
    return sides[0] + share * change, sides[1] + (1 - share) * change


def _restore_settings(
    pair: tuple[bpy.types.ShapeKey, bpy.types.ShapeKey], settings: tuple[dict, dict]
) -> None:
    """Restore what the two keys had before they became one, as far as that was not
    changed since.
    """
    if not settings[0]:
        return
    now, merged = {s: getattr(pair[0], s) for s in SETTINGS}, _merged_settings(settings)
    for key, had in zip(pair, settings):
        for setting in ('slider_max', *merged):  # so that any least value fits below
            if _same(now[setting], merged[setting]):
                setattr(key, setting, type(now[setting])(had[setting]))


def _same(a, b) -> bool:
    return a == b if isinstance(a, (str, bool)) else abs(a - b) < SAME


def add_mirrored(
    thing: bpy.types.Object, key: bpy.types.ShapeKey, name: str, partner: np.ndarray
) -> tuple[bpy.types.ShapeKey, list[str]]:
    """Add a key for the other side that has what `key` has, on its side: slider, mute, vertex
    group, driver; and what to tell the user.

    partner: N, the vertex at each one's mirror image (−1: none). Its shape is the Basis'.
    """
    active, keys, notes = thing.active_shape_key_index, thing.data.shape_keys, []
    other = thing.shape_key_add(name=name, from_mix=False)
    thing.active_shape_key_index = active
    copy_settings(key, other)
    other.lock_shape = False
    base = shape_tools.other_side(key.relative_key.name)
    other.relative_key = keys.key_blocks.get(base or '', key.relative_key)
    other.vertex_group = _mirrored_group(thing, key.vertex_group, partner)
    if actions.is_keyed(keys, actions.value_path(key.name)):
        other.value = 0.0
    path = actions.value_path(other.name)
    if drivers.copy(keys, actions.value_path(key.name), path) is not None and not drivers.mirror(
        keys, path
    ):
        notes.append(
            f"The driver of {name} still reads what {key.name}'s does, in part: "
            'the other side of that is missing.'
        )
    return other, notes


def _mirrored_group(thing: bpy.types.Object, name: str, partner: np.ndarray) -> str:
    """Return the vertex group of the other side, made where it is missing; one of both sides as it
    is.
    """
    called = shape_tools.other_side(name)
    if called is None or name not in thing.vertex_groups:
        return name
    if called in thing.vertex_groups:
        return called
    weights = mesh_sets.group_weights(thing, thing.vertex_groups[name])
    made = thing.vertex_groups.new(name=called)
    for vertex in np.flatnonzero((partner >= 0) & (weights[partner] > 0)).tolist():
        made.add([vertex], float(weights[partner[vertex]]), 'REPLACE')
    return called


def copy_settings(source: bpy.types.ShapeKey, target: bpy.types.ShapeKey) -> None:
    """Give a key another one's slider, value, mute, lock, vertex group and base."""
    target.relative_key = source.relative_key
    target.slider_max = max(
        target.slider_max, source.slider_max
    )  # so that any least value fits below
    for setting in SETTINGS:
        setattr(target, setting, getattr(source, setting))
