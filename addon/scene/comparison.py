"""A head's shape keys against the face model's plain shapes: figures kept with them, colours on the
mesh, and keys between plain and personal.

The plain and the personal shapes are records beside the keys (records.py), in the .blend.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.shape_keys.comparison import Difference, blend_with_plain
from . import distance_colours, records, shape_keys

PROPERTY = 'facewright_comparison'
ROUNDED = 1.5  # steps of a record: two records of the same shape are nearer to each other


@dataclass(frozen=True)
class Blended:
    """What became of a key that was blended, N×3 in the mesh's axes.

    by_hand: what was changed by hand in it before, 0 where nothing was. own: what it has of the
    person's own in full, its personal offsets less the plain ones.
    """

    by_hand: np.ndarray
    own: np.ndarray


def write_figures(keys: bpy.types.Key, found: dict[str, Difference]) -> None:
    """Keep how far keys are from the model's, {key: difference}; those kept before go."""
    kept = keys[PROPERTY].to_dict() if PROPERTY in keys else {'shown': '', 'largest': 0.0}
    keys[PROPERTY] = kept | {
        'figures': {name: [one.mean, one.largest] for name, one in found.items()}
    }


def figures(keys: bpy.types.Key | None) -> dict[str, Difference]:
    """Return {key: how far it was from the model's at the last comparison}; {} without one."""
    if keys is None or PROPERTY not in keys:
        return {}
    kept = keys[PROPERTY]['figures'].to_dict()
    return {name: Difference(*kept[name]) for name in kept if name in keys.key_blocks}


def figure(keys: bpy.types.Key, name: str) -> Difference | None:
    """Return how far a key was from the model's at the last comparison; None where not known."""
    if PROPERTY not in keys or name not in keys[PROPERTY]['figures']:
        return None
    return Difference(*keys[PROPERTY]['figures'][name])


def shown_key(keys: bpy.types.Key | None) -> str:
    """Return the key whose difference the mesh's colours show; '' for none."""
    return keys[PROPERTY]['shown'] if keys is not None and PROPERTY in keys else ''


def rename(keys: bpy.types.Key, old: str, new: str = '') -> None:
    """Let a key's figures go with its new name; '': forget them."""
    if PROPERTY not in keys:
        return
    found = keys[PROPERTY]['figures'].to_dict()
    value = found.pop(old, None)
    keys[PROPERTY]['figures'] = found | ({new: value} if value is not None and new else {})
    if shown_key(keys) == old:
        keys[PROPERTY]['shown'] = new


def scale_of(keys: bpy.types.Key) -> distance_colours.Scale:
    """Return the scale of the mesh's colours."""
    return distance_colours.difference_scale(keys[PROPERTY]['largest'])


def show(
    thing: bpy.types.Object, name: str, distance: np.ndarray, scale: distance_colours.Scale
) -> None:
    """Colour a mesh by V distances (mm) of a key from the model's, and show that key alone."""
    keys = thing.data.shape_keys
    distance_colours.paint(thing, distance, scale)
    keys[PROPERTY]['shown'], keys[PROPERTY]['largest'] = name, scale.largest
    thing.active_shape_key_index = keys.key_blocks.find(name)
    thing.show_only_shape_key = True


def hide(thing: bpy.types.Object) -> None:
    """Give the mesh its own colours back and all its shape keys; the figures stay."""
    scale = distance_colours.DIFFERENCES[0]
    distance_colours.take_off(thing.data, scale.name, scale.numbers)
    keys = thing.data.shape_keys
    if keys is not None and PROPERTY in keys:
        keys[PROPERTY]['shown'] = ''
    thing.show_only_shape_key = False


def blended_keys(keys: bpy.types.Key) -> list[str]:
    """Return the keys that are not as personal as they were."""
    return [key.name for key in keys.key_blocks if records.has(keys, key.name, 'personal')]


def is_shown(thing: bpy.types.Object) -> bool:
    """Return whether a mesh is coloured by a difference."""
    return distance_colours.DIFFERENCES[0].name in thing.data.color_attributes


def blend(
    key: bpy.types.ShapeKey, share: float, weights: np.ndarray, keep_edits: bool
) -> Blended | None:
    """Bring a key between plain (share 0) and personal (1) where weights (N) are 1.

    What was changed by hand in it since Facewright made or blended it stays on top, unless
    keep_edits is off: then it goes as far as the weights. Vertices that don't move stay to the bit.
    Returns None where the key was never compared, and leaves it.
    """
    keys, now = key.id_data, shape_keys.offsets_of(key)
    plain = records.read(keys, key.name, 'plain')
    if plain is None:
        return None
    kind = 'blended' if records.read(keys, key.name) is None else 'generated'
    if records.read(keys, key.name, kind) is None:
        records.write(keys, key.name, now, kind)
    made = records.read(keys, key.name, kind)
    edit = records.edit(keys, key.name, now, kind)
    personal = records.read(keys, key.name, 'personal')
    if personal is None:
        personal = made
        records.write(keys, key.name, personal, 'personal')
    least = ROUNDED * np.abs(made).max(initial=0) / records.STEPS
    change = blend_with_plain(made, plain, personal, share, weights) - made
    change[(np.abs(change) < least).all(1)] = 0
    lost = 0 if keep_edits else weights[:, None] * edit
    moved = ((change != 0) | (lost != 0)).any(1)
    shape_keys.set_offsets(key, made + change + edit - lost, moved)
    records.write(keys, key.name, made + change, kind)
    if (np.abs(made + change - personal) < least).all():
        records.forget(keys, key.name, 'personal')
    fixed = records.read(keys, key.name, 'fixed')
    if fixed is not None:
        records.write(keys, key.name, fixed + change - lost, 'fixed')
    return Blended(edit, personal - plain)
