"""Where a head's shapes cross themselves: counts kept with its shape keys, the vertices shown as a
group and as colours.
"""

from __future__ import annotations

import zlib

import bpy
import numpy as np

from .distance_colours import paint_points, take_off

PROPERTY = 'facewright_crossings'
NAME, COLOURS = (
    'Crossings',
    'Crossing Colours',
)  # the vertex group, the colour attribute: they share one name space
MARKED, CLEAR = (0.85, 0.08, 0.05), (0.55, 0.55, 0.55)
KINDS = ('skin and socket', 'lip and lip', 'lid and eyeball', 'gums or teeth and skin')


def record(
    thing: bpy.types.Object,
    called: list[str],
    counts: np.ndarray,
    crossing: np.ndarray,
    combinations: np.ndarray,
    pose: list[int] | None,
) -> None:
    """Remember a check: counts n×4 and crossing vertices n×V bool of the keys called so,
    combinations C×4, the pose's own 4 counts.

    The sum of the check before it stays as 'before'.
    """
    keys = thing.data.shape_keys
    last = keys[PROPERTY].to_dict() if PROPERTY in keys else {}
    keys[PROPERTY] = {
        'counts': {name: [int(n) for n in row] for name, row in zip(called, counts)},
        'marked': {
            name: zlib.compress(np.packbits(row).tobytes(), 1)
            for name, row in zip(called, crossing)
            if row.any()
        },
        'total': int(counts.sum()),
        'before': int(last.get('total', -1)),
        'combinations': len(combinations),
        'combinations_total': int(combinations.sum()),
        'combinations_clean': int((combinations.sum(1) == 0).sum()),
        'combinations_before': int(last['combinations_total'])
        if last.get('combinations') == len(combinations) and len(combinations)
        else -1,
        'pose': [int(n) for n in pose] if pose is not None else [],
    }


def rename(keys: bpy.types.Key, old: str, new: str = '') -> None:
    """Let what the last check found of a key go with its new name; '': forget it."""
    for kind in ('counts', 'marked') if PROPERTY in keys else ():
        found = keys[PROPERTY][kind].to_dict()
        value = found.pop(old, None)
        if value is not None:
            keys[PROPERTY][kind] = found | ({new: value} if new else {})


def count(keys: bpy.types.Key | None, name: str) -> list[int] | None:
    """Return a key's four counts at the last check; None where it was not checked."""
    if keys is None or PROPERTY not in keys or name not in keys[PROPERTY]['counts']:
        return None
    return list(keys[PROPERTY]['counts'][name])


def summary(keys: bpy.types.Key | None) -> dict:
    """Return the last check's sums (total, before, combinations, …); {} where there was none."""
    return (
        {k: v for k, v in keys[PROPERTY].to_dict().items() if k not in ('counts', 'marked')}
        if keys is not None and PROPERTY in keys
        else {}
    )


def worst(keys: bpy.types.Key) -> str | None:
    """Return the key with most crossings; None where there are none."""
    counts = (
        {k: sum(v) for k, v in keys[PROPERTY]['counts'].to_dict().items()}
        if PROPERTY in keys
        else {}
    )
    name = max(counts, key=counts.get, default=None)
    return name if name is not None and counts[name] else None


def show(thing: bpy.types.Object, name: str) -> int:
    """Put a key's crossing vertices into the vertex group 'Crossings' and into colours, select
    them, and pin the key; returns how many.
    """
    mesh, keys = thing.data, thing.data.shape_keys
    packed = keys[PROPERTY]['marked'].to_dict().get(name) if PROPERTY in keys else None
    marked = (
        np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8))[
            : len(mesh.vertices)
        ].astype(bool)
        if packed
        else np.zeros(len(mesh.vertices), bool)
    )
    if len(marked) != len(mesh.vertices):
        marked = np.zeros(len(mesh.vertices), bool)
    group = thing.vertex_groups.get(NAME)
    if group:
        group.remove(list(range(len(mesh.vertices))))
    else:
        group = thing.vertex_groups.new(name=NAME)
    group.add(np.flatnonzero(marked).tolist(), 1.0, 'REPLACE')
    thing.vertex_groups.active_index = group.index
    paint_points(mesh, COLOURS, np.where(marked[:, None], MARKED, CLEAR))
    mesh.polygons.foreach_set('select', np.zeros(len(mesh.polygons), bool))
    if mesh.attributes.get('.select_edge'):
        mesh.attributes.remove(mesh.attributes['.select_edge'])
    mesh.vertices.foreach_set('select', marked)
    thing.active_shape_key_index = keys.key_blocks.find(name)
    thing.show_only_shape_key = True
    mesh.update()
    return int(marked.sum())


def forget(thing: bpy.types.Object) -> None:
    """Drop the last check, its marks and the pin."""
    keys = thing.data.shape_keys
    if keys is None or PROPERTY not in keys:
        return
    if COLOURS in thing.data.color_attributes:
        hide(thing)
    if NAME in thing.vertex_groups:
        thing.vertex_groups.remove(thing.vertex_groups[NAME])
    del keys[PROPERTY]


def hide(thing: bpy.types.Object) -> None:
    """Give the mesh its own colours back and all its shape keys; counts and the vertex
    group stay.
    """
    take_off(thing.data, COLOURS)
    thing.show_only_shape_key = False
