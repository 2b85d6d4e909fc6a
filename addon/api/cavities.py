"""Cavities of a head in a face model's topology: the flesh round them, edits they follow,
crossings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.errors import FacewrightError
from ...engine.core.files import read_npz, write_npz
from ...engine.formats.rig import Rig, read_rig, write_rig
from ...engine.shape_keys.settled_words import settled_in_words
from ...engine.tasks import specs
from .. import models
from ..scene import crossings, flesh, head_space, mesh_sets, records, shape_keys
from .head import find_model
from .shape_keys import chosen_meshes
from .shared import checked_path, select, show_colours

POSE = 'current pose'
NEUTRAL = 'neutral'  # what the task calls the Basis
MOST_TOLD = 4  # shapes whose crossings are told one by one
LEAST_MOTION = 1e-5  # cm: vertices that moved less stay to the bit


@dataclass(frozen=True)
class RigJob:
    """A task on one head's rig: the object's name, the rig as written, local_to_head 4×4, the keys'
    names in the rig's order, edits (npz) or {}, arguments.
    """

    head: str
    rig: Rig | None
    matrix: np.ndarray
    keys: tuple[str, ...]
    edits: dict
    arguments: dict

    def write(self, folder: Path) -> None:
        """Put the task's input into its job's folder."""
        if self.rig is not None:
            write_rig(folder / 'rig.npz', self.rig)
        if self.edits:
            write_npz(folder / 'edits.npz', **self.edits)

    def object(self) -> bpy.types.Object:
        """The head; raises FacewrightError where it is gone or changed."""
        thing = bpy.data.objects.get(self.head)
        if (
            thing is None
            or thing.type != 'MESH'
            or (self.rig is not None and len(thing.data.vertices) != len(self.rig.neutral))
        ):
            raise FacewrightError(
                f'{self.head} is no longer the mesh it was when this started: do it again.'
            )
        return thing


def model_of(scene: bpy.types.Scene, thing: bpy.types.Object) -> str:
    """The face model whose topology a mesh has ('builtin' or a path): the built-in head's or the
    scene's. Raises FacewrightError for neither.
    """
    sources = list(dict.fromkeys((models.source_of(scene.facewright), models.BUILTIN)))
    for source in sources:
        if source != models.BUILTIN:
            source = checked_path(source, 'face model')
        model = models.cached(source)
        if model is not None and head_space.has_topology(thing, model):
            return source
    if models.cached(models.BUILTIN) is None or thing.get('facewright_model') not in (
        None,
        'builtin',
    ):
        find_model(sources[0])
    raise FacewrightError(
        f"{thing.name} has not the face model's own topology, which this needs: generate its "
        'shape keys onto the face model first, '
        'or choose the model it was made from in the Head panel.'
    )


def _head(context: bpy.types.Context) -> bpy.types.Object:
    chosen = chosen_meshes(context)
    if not chosen:
        raise FacewrightError('No mesh is selected: select a head.')
    chosen[0].update_from_editmode()
    return chosen[0]


def crossings_job(context: bpy.types.Context, combinations: int = 0, seed: int = 0) -> RigJob:
    """The task 'check_intersections' for the active head. Without combinations the pose its sliders
    make is checked as well.
    """
    head = _head(context)
    source = model_of(context.scene, head)
    posed = (
        combinations == 0
        and head.data.shape_keys
        and any(k.value for k in head.data.shape_keys.key_blocks[1:])
    )
    rig, matrix, keys = head_space.rig_of(head, find_model(source), POSE if posed else '')
    arguments = {
        'rig': '{job}/rig.npz',
        'out': '{job}/out',
        'model': source,
        'combinations': combinations,
        'seed': seed,
    }
    checked = specs.check('check_intersections', arguments)
    return RigJob(head.name, rig, matrix, keys, {}, checked)


def apply_crossings(context: bpy.types.Context, job: RigJob, folder: str | Path) -> str:
    """Keep a check's counts with the head and show the worst shape's crossings; returns what to
    tell the user.
    """
    head, data = job.object(), read_npz(Path(folder) / 'crossings.npz', 'list of crossings')
    called = [
        head.data.shape_keys.reference_key.name,
        *job.keys,
    ]  # the task's order: the neutral, then the rig's shapes
    counts, marked, combined = (
        data['counts'],
        data['marked'].astype(bool),
        data['combination_counts'],
    )
    if len(counts) != 1 + len(job.rig.names) or marked.shape != (
        len(counts),
        len(head.data.vertices),
    ):
        raise FacewrightError(f'The result in {folder} is for another head: do it again.')
    n = len(called)
    crossings.keep(
        head,
        called,
        counts[:n],
        marked[:n],
        combined,
        counts[n].tolist() if len(counts) > n else None,
    )
    name = crossings.worst(head.data.shape_keys)
    if name:
        crossings.show(head, name)
        show_colours(context)
    return told(head.data.shape_keys)


def told(keys: bpy.types.Key) -> str:
    """The last check in words; '' where there was none."""
    found = crossings.summary(keys)
    if not found:
        return ''

    def before(key: str, now: int) -> str:
        return f', {found[key]:,} before' if found[key] not in (-1, now) else ''

    shapes, total = (
        sum(1 for row in keys[crossings.PROPERTY]['counts'].values() if sum(row)),
        found['total'],
    )
    words = [
        (
            f'{total:,} crossing{"s" if total != 1 else ""} in {shapes} of the shapes'
            if total
            else 'No shape crosses itself'
        )
        + before('before', total)
        + '.'
    ]
    if found['combinations']:
        words.append(
            f'{found["combinations_total"]:,} in {found["combinations"]} combinations, of '
            f'which {found["combinations_clean"]} are clean'
            f'{before("combinations_before", found["combinations_total"])}.'
        )
    if len(found['pose']):
        words.append(f'{sum(found["pose"]):,} in the pose the sliders make.')
    return ' '.join(words)


def show_crossings(context: bpy.types.Context, key: str = '') -> int:
    """Mark where a shape key ('': the active one) crosses itself, as the last check found; returns
    how many vertices.
    """
    head = _head(context)
    name = key or (head.active_shape_key.name if head.active_shape_key else '')
    if crossings.count(head.data.shape_keys, name) is None:
        raise FacewrightError(
            f'{name or head.name} has not been checked yet: press Check Intersections first.'
        )
    show_colours(context)
    return crossings.show(head, name)


def hide_crossings(context: bpy.types.Context) -> None:
    """Show the active head as it was before crossings were marked on it."""
    crossings.hide(_head(context))


def fix_job(context: bpy.types.Context, keys: str = 'ACTIVE', spread: bool = False) -> RigJob:
    """The task 'fix_cavities' for the active head: keys 'ACTIVE' (the active shape key or the
    Basis) or 'EDITED' (all that were changed by hand).
    """
    head = _head(context)
    source = model_of(context.scene, head)
    rig, matrix, called = head_space.rig_of(head, find_model(source))
    blocks, active = head.data.shape_keys, head.active_shape_key.name
    basis = blocks.reference_key.name
    if keys == 'ACTIVE' and active not in (*called, basis):
        raise FacewrightError(
            f'{active} is no expression: choose the shape key you edited in the Shape Keys list.'
        )
    names, before, edited = [], [], []
    shapes = [
        (key, name, rig.neutral + shape)
        for key, name, shape in zip(called, rig.names, rig.expressions)
    ]
    for key, name, shape in (
        *shapes,
        (basis, NEUTRAL, rig.neutral),
    ):  # the neutral last: what is done to a shape before is about the Basis as it is
        if keys == 'ACTIVE' and key != active:
            continue
        changed = _edit(blocks, key)
        if changed is None:
            if keys == 'ACTIVE':
                raise FacewrightError(
                    f'How {key} was before your edit is not known, as Facewright did not make '
                    'it: generate the shape keys first, then edit.'
                )
            continue
        if changed.any():
            names.append(name)
            edited.append(shape)
            before.append(shape - (changed @ matrix[:3, :3].T).astype(np.float32))
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
        'edited': np.stack(edited).astype(np.float32),
    }
    arguments = {
        'rig': '{job}/rig.npz',
        'out': '{job}/out',
        'model': source,
        'edits': '{job}/edits.npz',
        'spread': spread,
    }
    checked = specs.check('fix_cavities', arguments)
    return RigJob(head.name, rig, matrix, called, edits, checked)


def _edit(blocks: bpy.types.Key, key: str) -> np.ndarray | None:
    """N×3: what was changed by hand in a key since it was made or its cavities last followed; None
    where that is not known.
    """
    if key == blocks.reference_key.name:
        return records.basis_edit(blocks)
    now = shape_keys.offsets_of(blocks.key_blocks[key])
    changed = records.edit(blocks, key, now, 'fixed')
    return records.edit(blocks, key, now) if changed is None else changed


def apply_fix(context: bpy.types.Context, job: RigJob, folder: str | Path) -> tuple[str, ...]:
    """Shapes whose cavities followed (rig.npz) onto the head; returns the keys that changed.
    Vertices that did not move stay to the bit.

    Where the Basis was edited every key moves along with it, whether or not it is an expression.
    """
    head, rig = job.object(), read_rig(Path(folder) / 'rig.npz')
    if rig.expressions.shape != job.rig.expressions.shape or rig.names != job.rig.names:
        raise FacewrightError(f'The result in {folder} is for another head: do it again.')
    back, keys, edited, changed = (
        np.linalg.inv(job.matrix[:3, :3]).T,
        head.data.shape_keys,
        job.edits['names'],
        [],
    )
    expressions = rig.expressions.astype(np.float64)
    if NEUTRAL in edited:
        motion = rig.neutral.astype(np.float64) - job.rig.neutral
        moved = (np.abs(motion) > LEAST_MOTION).any(1)
        shape_keys.move_all(head, motion @ back, moved)
        records.write_basis(keys)
        if moved.any():
            changed.append(keys.reference_key.name)
        if not job.arguments['spread']:  # the task left the shapes where they were
            expressions += motion
    for key, name, was, now in zip(job.keys, rig.names, job.rig.expressions, expressions):
        moved = (np.abs(now - was) > LEAST_MOTION).any(1)
        if key not in keys.key_blocks or not (moved.any() or name in edited):
            continue
        shape_keys.set_offsets(keys.key_blocks[key], now @ back, moved)
        records.write(keys, key, shape_keys.offsets_of(keys.key_blocks[key]), 'fixed')
        if moved.any():
            changed.append(key)
    head.data.update()
    return tuple(changed)


def fix_in_words(job: RigJob, changed: tuple[str, ...], result: dict) -> list[str]:
    """What a fix did: a sentence, then the crossings before and after of each edited shape (their
    sum where they are many).
    """
    edited = job.edits['names'].tolist()
    own = [key for key, name in zip(job.keys, job.rig.names) if name in edited]
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
    if len(shapes) > MOST_TOLD:
        shapes = [('Together', sum(s[1] for s in shapes), sum(s[2] for s in shapes))]
    return [
        words + '.' if changed else 'Nothing behind the edited skin had to move.',
        *(f'{name}: {before} crossings before, {after} after.' for name, before, after in shapes),
    ]


def settle_job(context: bpy.types.Context) -> RigJob:
    """The task 'settle_shape_keys' for the active head."""
    head = _head(context)
    source = model_of(context.scene, head)
    rig, matrix, called = head_space.rig_of(head, find_model(source))
    arguments = {'rig': '{job}/rig.npz', 'out': '{job}/out', 'model': source}
    checked = specs.check('settle_shape_keys', arguments)
    return RigJob(head.name, rig, matrix, called, {}, checked)


def apply_settled(
    context: bpy.types.Context, job: RigJob, folder: str | Path, result: dict
) -> list[str]:
    """Put a settled rig.npz onto the head; returns what to tell the user.

    The Basis moves with every key on it, whether or not it is an expression; locked keys keep their
    own shape. What was known of hand edits stays known. The last check is forgotten: it was of
    other shapes.
    """
    head, rig = job.object(), read_rig(Path(folder) / 'rig.npz')
    if rig.expressions.shape != job.rig.expressions.shape or rig.names != job.rig.names:
        raise FacewrightError(f'The result in {folder} is for another head: do it again.')
    keys, back = head.data.shape_keys, np.linalg.inv(job.matrix[:3, :3]).T
    motion = rig.neutral.astype(np.float64) - job.rig.neutral
    moved = (np.abs(motion) > LEAST_MOTION).any(1)
    if moved.any():
        records.shift_basis(keys, np.where(moved[:, None], motion, 0) @ back)
        shape_keys.move_all(head, motion @ back, moved)
    locked = []
    for key, was, now in zip(job.keys, job.rig.expressions, rig.expressions.astype(np.float64)):
        change = now - was
        moved = (np.abs(change) > LEAST_MOTION).any(1)
        if key not in keys.key_blocks or not moved.any():
            continue
        if keys.key_blocks[key].lock_shape:
            locked.append(key)
            continue
        offsets = (
            shape_keys.offsets_of(keys.key_blocks[key]) + np.where(moved[:, None], change, 0) @ back
        )
        shape_keys.set_offsets(keys.key_blocks[key], offsets, moved)
        records.shift(keys, key, np.where(moved[:, None], change, 0) @ back)
    crossings.forget(head)
    head.data.update()
    called = {name: key for key, name in zip(job.keys, job.rig.names)}
    shapes = [s | {'name': called.get(s['name'], s['name'])} for s in result.get('shapes', ())]
    words = [settled_in_words(shapes)] if shapes else []
    if locked:
        words.append(
            f'{", ".join(locked[:MOST_TOLD])}{" and others" if len(locked) > MOST_TOLD else ""}: '
            'locked, so left as '
            f'{"they are" if len(locked) > 1 else "it is"}.'
        )
    return words


def flesh_job(context: bpy.types.Context, mask: str = '') -> RigJob:
    """The task 'build_tetrahedra', for the selected head, or for the scene's face model where no
    mesh is selected. mask: a vertex group that says where.
    """
    arguments = {'out': '{job}/out', 'model': models.source_of(context.scene.facewright)}
    if not chosen_meshes(context):
        if mask:
            raise FacewrightError(
                'A vertex group says where to fill, and no mesh is selected: select the head '
                'that has it.'
            )
        return RigJob('', None, head_space.PLAIN, (), {}, arguments)
    head = _head(context)
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
    return RigJob(head.name, rig, matrix, (), edits, checked)


def apply_flesh(
    context: bpy.types.Context, job: RigJob, folder: str | Path, show: str = 'CUT'
) -> tuple[bpy.types.Object, int]:
    """The tetrahedra (flesh.npz) as an object beside the head, parented to it and selected; returns
    it and how many there are.
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


def group_weights(thing: bpy.types.Object, name: str) -> np.ndarray:
    """N weights of a vertex group."""
    group = thing.vertex_groups.get(name)
    if group is None:
        raise FacewrightError(
            f'{thing.name} has no vertex group called {name}: choose one of its own.'
        )
    return mesh_sets.group_weights(thing, group)
