"""Cavities of a head in a face model's topology: edits they follow, what crosses taken apart, the
flesh round them.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.errors import FacewrightError
from ...engine.core.files import read_npz
from ...engine.formats.rig import Rig
from ...engine.shape_keys.settled_words import settled_in_words
from ...engine.tasks import specs
from .. import models
from ..scene import crossings, flesh, head_space, records, shape_keys
from .head import find_model
from .rig_jobs import RigJob, active_head, model_of
from .selection import chosen_meshes
from .shared import group_weights, select

NEUTRAL = 'neutral'  # what the task calls the Basis
MAX_LISTED = 4  # shapes that are named one by one
LEAST_MOTION = 1e-5  # cm: vertices that moved less stay to the bit


def fix_job(context: bpy.types.Context, keys: str = 'ACTIVE', spread: bool = False) -> RigJob:
    """Return the task 'fix_cavities' for the active head: keys 'ACTIVE' (the active shape key or
    the Basis) or 'EDITED' (all that were changed by hand).
    """
    head = active_head(context)
    source = model_of(context.scene, head)
    rig, matrix, called = head_space.rig_of(head, find_model(source))
    blocks, active = head.data.shape_keys, head.active_shape_key.name
    basis = blocks.reference_key.name
    if keys == 'ACTIVE' and active not in (*called, basis):
        raise FacewrightError(
            f'{active} is no expression: choose the shape key you edited in the Shape Keys list.'
        )
    names, before, after = [], [], []
    shapes = zip(called, rig.names, rig.neutral + rig.expressions)
    # the neutral last: what is done to a shape before is about the Basis as it is
    for key, name, shape in (*shapes, (basis, NEUTRAL, rig.neutral)):
        if keys == 'ACTIVE' and key != active:
            continue
        edit = _edit(blocks, key)
        if edit is None and keys == 'ACTIVE':
            raise FacewrightError(
                f'How {key} was before your edit is not known, as Facewright did not make '
                'it: generate the shape keys first, then edit.'
            )
        if edit is not None and edit.any():
            names.append(name)
            after.append(shape)
            before.append(shape - (edit @ matrix[:3, :3].T).astype(np.float32))
    if not names:
        what = f'{active} has' if keys == 'ACTIVE' else f'The shape keys of {head.name} have'
        raise FacewrightError(
            f'{what} not been edited since Facewright made '
            f'{"it" if keys == "ACTIVE" else "them"}: edit the skin first, then the cavities '
            'can follow.'
        )
    edits = {
        'names': np.array(names),
        'before': np.stack(before).astype(np.float32),
        'edited': np.stack(after).astype(np.float32),
    }
    arguments = {
        'rig': '{job}/rig.npz',
        'out': '{job}/out',
        'model': source,
        'edits': '{job}/edits.npz',
        'spread': spread,
    }
    checked = specs.check('fix_cavities', arguments)
    return RigJob(head.name, rig, matrix, checked, called, edits)


def _edit(blocks: bpy.types.Key, key: str) -> np.ndarray | None:
    """Return N×3: what was changed by hand in a key since it was made or its cavities last
    followed; None where that is not known.
    """
    if key == blocks.reference_key.name:
        return records.basis_edit(blocks)
    now = shape_keys.offsets_of(blocks.key_blocks[key])
    changed = records.edit(blocks, key, now, 'fixed')
    return records.edit(blocks, key, now) if changed is None else changed


def apply_fix(context: bpy.types.Context, job: RigJob, folder: str | Path) -> tuple[str, ...]:
    """Put shapes whose cavities followed (rig.npz) onto the head; returns the keys that changed.
    Vertices that did not move stay to the bit.

    Where the Basis was edited every key moves along with it, whether or not it is an expression.
    """
    head, (was, now) = job.object(), job.read_rigs(folder)
    keys, edited, changed = head.data.shape_keys, job.edits['names'], []
    to_object = np.linalg.inv(job.matrix[:3, :3]).T
    expressions = now.expressions.astype(np.float64)
    if NEUTRAL in edited:
        motion = now.neutral.astype(np.float64) - was.neutral
        moved = (np.abs(motion) > LEAST_MOTION).any(1)
        shape_keys.move_all(head, motion @ to_object, moved)
        records.write_basis(keys)
        if moved.any():
            changed.append(keys.reference_key.name)
        if not job.arguments['spread']:  # the task left the shapes where they were
            expressions += motion
    for key, name, before, after in zip(job.keys, now.names, was.expressions, expressions):
        moved = (np.abs(after - before) > LEAST_MOTION).any(1)
        if key not in keys.key_blocks or not (moved.any() or name in edited):
            continue
        shape_keys.set_offsets(keys.key_blocks[key], after @ to_object, moved)
        records.write(keys, key, shape_keys.offsets_of(keys.key_blocks[key]), 'fixed')
        if moved.any():
            changed.append(key)
    head.data.update()
    return tuple(changed)


def fix_in_words(job: RigJob, changed: tuple[str, ...], result: dict) -> list[str]:
    """Return what a fix did: a sentence, then the crossings before and after of each edited shape
    (their sum where they are many).
    """
    edited = job.edits['names'].tolist()
    own = [key for key, name in zip(job.keys, job.names) if name in edited]
    others = len(set(changed) & set(job.keys) - set(own))
    called = (
        'the Basis'
        if edited == [NEUTRAL]
        else own[0]
        if len(edited) == 1
        else f'{len(edited)} edited shapes'
    )
    words = (
        f'The cavities of {called} follow the skin'
        + (', and every shape key with it' if NEUTRAL in edited else '')
        + (f'; the edit is spread to {others} others' if others else '')
    )
    shapes = [
        ('Basis' if s['name'] == NEUTRAL else s['name'], s['before'], s['after'])
        for s in result.get('shapes', ())
    ]
    if len(shapes) > MAX_LISTED:
        shapes = [('Together', sum(s[1] for s in shapes), sum(s[2] for s in shapes))]
    return [
        words + '.' if changed else 'Nothing behind the edited skin had to move.',
        *(f'{name}: {before} crossings before, {after} after.' for name, before, after in shapes),
    ]


def settle_job(context: bpy.types.Context) -> RigJob:
    """Return the task 'settle_shape_keys' for the active head."""
    head = active_head(context)
    source = model_of(context.scene, head)
    rig, matrix, called = head_space.rig_of(head, find_model(source))
    arguments = {'rig': '{job}/rig.npz', 'out': '{job}/out', 'model': source}
    checked = specs.check('settle_shape_keys', arguments)
    return RigJob(head.name, rig, matrix, checked, called)


def apply_settled(
    context: bpy.types.Context, job: RigJob, folder: str | Path, result: dict
) -> list[str]:
    """Put a settled rig.npz onto the head; returns what to tell the user.

    The Basis moves with every key on it, whether or not it is an expression; locked keys keep their
    own shape. What was known of hand edits stays known. The last check is forgotten: it was of
    other shapes.
    """
    head, (was, now) = job.object(), job.read_rigs(folder)
    keys, to_object = head.data.shape_keys, np.linalg.inv(job.matrix[:3, :3]).T
    motion = now.neutral.astype(np.float64) - was.neutral
    moved = (np.abs(motion) > LEAST_MOTION).any(1)
    if moved.any():
        records.shift_basis(keys, np.where(moved[:, None], motion, 0) @ to_object)
        shape_keys.move_all(head, motion @ to_object, moved)
    locked = []
    changes = now.expressions.astype(np.float64) - was.expressions
    for key, change in zip(job.keys, changes):
        moved = (np.abs(change) > LEAST_MOTION).any(1)
        if key not in keys.key_blocks or not moved.any():
            continue
        if keys.key_blocks[key].lock_shape:
            locked.append(key)
            continue
        shift = np.where(moved[:, None], change, 0) @ to_object
        offsets = shape_keys.offsets_of(keys.key_blocks[key]) + shift
        shape_keys.set_offsets(keys.key_blocks[key], offsets, moved)
        records.shift(keys, key, shift)
    crossings.forget(head)
    head.data.update()
    called = {name: key for key, name in zip(job.keys, job.names)}
    shapes = [s | {'name': called.get(s['name'], s['name'])} for s in result.get('shapes', ())]
    words = [settled_in_words(shapes)] if shapes else []
    if locked:
        words.append(
            f'{", ".join(locked[:MAX_LISTED])}{" and others" if len(locked) > MAX_LISTED else ""}: '
            'locked, so left as '
            f'{"they are" if len(locked) > 1 else "it is"}.'
        )
    return words


def flesh_job(context: bpy.types.Context, mask: str = '') -> RigJob:
    """Return the task 'build_tetrahedra', for the selected head, or for the scene's face model
    where no mesh is selected. mask: a vertex group that says where.
    """
    arguments = {'out': '{job}/out', 'model': models.source_of(context.scene.facewright)}
    if not chosen_meshes(context):
        if mask:
            raise FacewrightError(
                'A vertex group says where to fill, and no mesh is selected: select the head '
                'that has it.'
            )
        return RigJob('', None, head_space.PLAIN, arguments)
    head = active_head(context)
    source = model_of(context.scene, head)
    model = find_model(source)
    matrix = head_space.local_to_head(head, model)
    if head_space.expressions_of(head):
        rig, matrix, _ = head_space.rig_of(head, model)
    else:  # a wrapped head
        neutral = head_space.neutral_points(head) @ matrix[:3, :3].T + matrix[:3, 3]
        rig = Rig(
            neutral.astype(np.float32),
            np.zeros((1, model.vertex_count, 3), np.float32),
            ('still',),
            model.faces,
        )
    arguments |= {'model': source, 'head': '{job}/rig.npz'}
    edits = {}
    if mask:
        edits = {'mask': group_weights(head, mask) > 0.5}
        if not edits['mask'].any():
            raise FacewrightError(
                f'The vertex group {mask} holds no vertex of {head.name} by more than a half: '
                'paint it first.'
            )
        arguments['mask'] = '{job}/edits.npz'
    checked = specs.check('build_tetrahedra', arguments)
    return RigJob(head.name, rig, matrix, checked, edits=edits)


def apply_flesh(
    context: bpy.types.Context, job: RigJob, folder: str | Path, show: str = 'CUT'
) -> tuple[bpy.types.Object, int]:
    """Show the tetrahedra (flesh.npz) as an object beside the head, parented to it and selected;
    returns it and how many there are.
    """
    data = read_npz(Path(folder) / 'flesh.npz', 'file of tetrahedra')
    points, tetrahedra = data['vertices'].astype(np.float64), data['tetrahedra']
    head = job.object() if job.head else None
    thing = flesh.create_flesh(
        f'{job.head or "Head"} Flesh', points, tetrahedra, show, context.collection
    )
    beside = np.eye(4)
    beside[0, 3] = 1.15 * np.ptp(points[:, 0])  # on the head's left: the cut looks away from it
    place = np.linalg.inv(job.matrix) @ beside @ head_space.PLAIN
    if head is not None:
        thing.parent = head
        thing.matrix_local = Matrix(place)
    else:
        thing.location = context.scene.cursor.location
    select(context, thing)
    return thing, len(tetrahedra)
