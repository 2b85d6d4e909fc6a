"""How far a head's shape keys are from the plain face model's, told, shown, and taken back."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.files import read_npz
from ...engine.core.words import listed
from ...engine.face_model.model import FaceModel
from ...engine.shape_keys.comparison import (
    NEUTRAL,
    difference_in_words,
    neutral_difference,
    neutral_distance,
    shape_difference,
    shape_distance,
    shapes_in_words,
)
from ...engine.tasks import specs
from ..scene import comparison, distance_colours, head_space, records, shape_keys
from .head import find_model
from .rig_jobs import RigJob, active_head, model_of
from .shape_tools import chosen_keys, region_weights, tool_mesh
from .shared import show_colours

FIRST = 'press Compare with Model first.'


def comparison_job(context: bpy.types.Context) -> RigJob:
    """Return the task 'compare_with_model' for the active head."""
    head = active_head(context)
    source = model_of(context.scene, head)
    rig, matrix, called = head_space.rig_of(head, find_model(source))
    arguments = {'rig': '{job}/rig.npz', 'out': '{job}/out', 'model': source}
    checked = specs.check('compare_with_model', arguments)
    return RigJob(head.name, rig, matrix, checked, called)


def apply_comparison(context: bpy.types.Context, job: RigJob, folder: str | Path) -> list[str]:
    """Keep what the model's plain shapes are for the head (comparison.npz), and colour it by how
    far the active key is from its own; returns what to tell the user.
    """
    head, data = job.object(), read_npz(Path(folder) / 'comparison.npz', 'comparison')
    names, plain = data['names'].tolist()[1:], data['plain']
    keys, key_of = head.data.shape_keys, dict(zip(job.names, job.keys))
    if keys is None or plain.shape != (len(names), len(head.data.vertices), 3):
        raise FacewrightError(f'The result in {folder} is for another head: do it again.')
    to_object = np.linalg.inv(job.matrix[:3, :3]).T
    for name, shape in zip(names, plain.astype(np.float64)):
        if key_of.get(name, '') in keys.key_blocks:
            records.write(keys, key_of[name], shape @ to_object, 'plain')
    _measure(context, head)
    active = head.active_shape_key.name
    show_difference(context, active if active in comparison.figures(keys) else _worst(keys))
    return comparison_in_words(keys)


def _model(context: bpy.types.Context, head: bpy.types.Object) -> FaceModel:
    return find_model(model_of(context.scene, head))


def _measure(context: bpy.types.Context, head: bpy.types.Object) -> None:
    """Keep how far each key of a head is from the model's now, where the model's is known."""
    model, keys = _model(context, head), head.data.shape_keys
    matrix = head_space.local_to_head(head, model)
    found = {keys.reference_key.name: neutral_difference(_neutral(head, matrix), model.neutral)}
    for key in keys.key_blocks:
        plain = records.read(keys, key.name, 'plain')
        if plain is not None and key != keys.reference_key:
            turn = matrix[:3, :3].T
            found[key.name] = shape_difference(shape_keys.offsets_of(key) @ turn, plain @ turn)
    comparison.write_figures(keys, found)


def _neutral(head: bpy.types.Object, matrix: np.ndarray) -> np.ndarray:
    """Return V×3: the head at rest in head space (cm)."""
    return head_space.neutral_points(head) @ matrix[:3, :3].T + matrix[:3, 3]


def _worst(keys: bpy.types.Key) -> str:
    """Return the key that differs most, the Basis apart where there are others."""
    found = comparison.figures(keys)
    others = {name: found[name] for name in found if name != keys.reference_key.name}
    return max(others or found, key=lambda name: found[name].largest)


def comparison_in_words(keys: bpy.types.Key | None) -> list[str]:
    """Return the last comparison in words: a sentence about the shapes, one about the Basis; []
    where there was none.
    """
    found = comparison.figures(keys)
    if keys is None or not found:
        return []
    basis = found.pop(keys.reference_key.name, None)
    words = [shapes_in_words(found)]
    return words + ([] if basis is None else [_in_words(keys, keys.reference_key.name) + '.'])


def blended_in_words(keys: bpy.types.Key) -> str:
    """Say how many keys are blended, and the way back; '' for none."""
    found = comparison.blended_keys(keys)
    if not found:
        return ''
    what = f'{found[0]} is' if len(found) == 1 else f'{len(found)} shape keys are'
    return f"{what} blended: with Personal at 1 the person's own is back."


def _in_words(keys: bpy.types.Key, name: str) -> str:
    is_basis = name == keys.reference_key.name
    words = difference_in_words(NEUTRAL if is_basis else name, comparison.figures(keys)[name])
    return words.replace(NEUTRAL, 'The neutral', 1) if is_basis else words


def show_difference(context: bpy.types.Context, key: str = '') -> str:
    """Colour the active head by how far a shape key ('': the active one) is from the model's, and
    show that key alone; returns what to tell the user.

    Red is 1, 2, 4, 8 or 16 mm, whichever shows the key's largest difference best.
    """
    head = active_head(context)
    keys = head.data.shape_keys
    name = key or (head.active_shape_key.name if head.active_shape_key else '')
    if name not in comparison.figures(keys):
        raise FacewrightError(f'{name or head.name} has not been compared yet: {FIRST}')
    distance = _distance(context, head, name)
    _measure(context, head)
    scale = distance_colours.difference_scale(float(distance.max(initial=0)))
    comparison.show(head, name, distance, scale)
    show_colours(context)
    return f'{_in_words(keys, name)}. {scale.legend}.'


def _distance(context: bpy.types.Context, head: bpy.types.Object, name: str) -> np.ndarray:
    """Return V: how far a key that was compared is from the model's, mm."""
    keys, model = head.data.shape_keys, _model(context, head)
    matrix = head_space.local_to_head(head, model)
    if name == keys.reference_key.name:
        return neutral_distance(_neutral(head, matrix), model.neutral)
    turn, plain = matrix[:3, :3].T, records.read(keys, name, 'plain')
    if plain is None:  # the mesh has other vertices than it had
        raise FacewrightError(f'{name} has not been compared yet: {FIRST}')
    return shape_distance(shape_keys.offsets_of(keys.key_blocks[name]) @ turn, plain @ turn)


def hide_difference(context: bpy.types.Context) -> None:
    """Show the active head in its own colours again, with all its shape keys."""
    comparison.hide(active_head(context))


def blend_with_model(
    context: bpy.types.Context,
    share: float = 0.5,
    keys: str = 'ACTIVE',
    where: str = 'ALL',
    group: str = '',
    falloff: float = 0.01,
    keep_edits: bool = True,
) -> list[str]:
    """Bring shapes between the plain model's (share 0) and the person's own (1) where `where` says;
    returns what to tell the user.

    The person's own are remembered in the .blend: share 1 brings them back at any time. keep_edits:
    what was changed by hand stays on top; off: it is discarded.
    """
    thing = tool_mesh(context)
    chosen, weights = chosen_keys(thing, keys), region_weights(thing, where, group, falloff)
    turn = head_space.local_to_head(thing, _model(context, thing))[:3, :3].T
    found = {k.name: comparison.blend(k, share, weights, keep_edits) for k in chosen}
    found = {name: one for name, one in found.items() if one is not None}
    if not found:
        what = chosen[0].name if keys == 'ACTIVE' else thing.name
        known = comparison.figures(thing.data.shape_keys)
        if keys == 'ACTIVE' and known and what not in known:
            raise FacewrightError(f"{what} is none of the face model's shapes: choose one that is.")
        raise FacewrightError(f'{what} has not been compared with the model yet: {FIRST}')
    thing.data.update()
    _measure(context, thing)
    _repaint(context, thing)

    def is_there(offsets: np.ndarray) -> bool:
        return not shape_difference(offsets @ turn, np.zeros_like(offsets)).none

    return _blended_in_words(
        share,
        [name for name, one in found.items() if is_there(one.own)],
        [name for name, one in found.items() if is_there(one.by_hand)],
        keep_edits,
    )


def _repaint(context: bpy.types.Context, head: bpy.types.Object) -> None:
    """Let colours of a difference be those of now, on the same scale; which key is active stays."""
    keys = head.data.shape_keys
    name = comparison.shown_key(keys)
    if comparison.is_shown(head) and name in comparison.figures(keys):
        scale = comparison.scale_of(keys)
        distance_colours.paint(head, _distance(context, head, name), scale)


def _blended_in_words(
    share: float, own: list[str], by_hand: list[str], keep_edits: bool
) -> list[str]:
    """Say what was blended. own: keys that have something of the person's own. by_hand: keys that
    were changed by hand.
    """
    done = own[0] if len(own) == 1 else f'{len(own)} shape keys'
    words = [
        f'{done}: {100 * share:.0f} % personal.'
        if own
        else "Nothing to blend: these shapes are the model's own."
    ]
    if by_hand:
        kept = 'kept' if keep_edits else 'discarded (Keep Hand Edits, in the options, is off)'
        words.append(f'Your changes to {listed(by_hand)} are {kept}.')
    return words
