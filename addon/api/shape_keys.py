"""Generated shapes onto the meshes they were made for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.words import listed
from ...engine.formats.rig import Rig, read_rig
from ..scene import mesh_sets, renaming, shape_keys
from .head_jobs import HeadJob, read_report, report_in_words
from .sides import left_of_middle

LEAST_REST = 1e-3  # cm: where generating moves the neutral by less it stays
LEAST_SHAPE = 1e-4  # cm: a shape that moves a mesh by less does not move it


def apply_shape_keys(
    context: bpy.types.Context,
    job: HeadJob,
    folder: str | Path,
    naming: str = 'ICT',
    keep_edits: bool = True,
    replace: bool = False,
    follow: bool = True,
) -> tuple[dict[str, shape_keys.Written], list[str]]:
    """Put generated shapes (rig.npz) onto the meshes they were made for; returns what became of
    each object's keys, and what to tell the user.

    The part that moves most leads: it gets every shape, the others those that move them, and with
    `follow` theirs are driven by its sliders.
    """
    report, things = read_report(folder), job.meshes.objects()
    rig = read_rig(Path(folder) / 'rig.npz')
    if len(rig.neutral) != sum(p.count for p in job.meshes.parts):
        raise FacewrightError(
            f'The shapes in {folder} are for {len(rig.neutral)} vertices, and the selected '
            'meshes have others: do it again.'
        )
    shapes = _shapes_of_parts(job, rig, report, naming)
    notes, written = report_in_words(report), {}
    for thing in things:
        mesh_sets.check(thing)
    size = [(sum(shapes.moving[i]), len(thing.data.vertices)) for i, thing in enumerate(things)]
    leader = size.index(max(size))
    for i in sorted(range(len(things)), key=lambda i: i != leader):
        thing = things[i]
        if not any(shapes.moving[i]) and i != leader and not thing.data.shape_keys:
            continue
        notes += _own_mesh(thing)
        if shape_keys.ours_alone(thing):
            sides = partial(left_of_middle, context.scene, thing)
            notes += renaming.rename(thing, naming, sides)[1]
        have = shape_keys.meanings(thing)
        wanted = {
            name: offsets
            for name, offsets, moves in zip(shapes.names, shapes.offsets[i], shapes.moving[i])
            if moves or i == leader or shape_keys.names.expression_of(name) in have
        }
        written[thing.name] = what = shape_keys.write_shapes(thing, wanted, keep_edits, replace)
        shape_keys.keep_sides(thing, {whole: parts[i] for whole, parts in shapes.halves.items()})
        if shape_keys.AT_REST in what.made:
            thing.data.shape_keys.key_blocks[shape_keys.AT_REST].value = 1.0
        if follow and i != leader:
            shape_keys.follow(thing, things[leader])
    settles = any(shape_keys.AT_REST in what.made for what in written.values())
    if settles and not report.get('expression'):
        notes.append(
            f'The shape key {shape_keys.AT_REST} settles lips and lids at rest: leave it at 1.'
        )
    return written, notes + _written_in_words(written)


@dataclass(frozen=True)
class PartShapes:
    """Shapes for the objects of a set, E of them.

    names: the keys'. offsets: E×N×3 an object, in its own axes. moving: E an object, whether the
    shape moves it. halves: {a merged shape's name: (left, right) of each object}, under ARKit's
    names alone.
    """

    names: tuple[str, ...]
    offsets: list[np.ndarray]
    moving: list[list[bool]]
    halves: dict[str, list[np.ndarray]]


def _shapes_of_parts(job: HeadJob, rig: Rig, report: dict, naming: str) -> PartShapes:
    """Return a task's rig, as the naming wants it, in the axes of the objects it is for."""
    names, expressions, sides = rig.names, rig.expressions, {}
    if naming == 'ARKIT':
        expressions, names = shape_keys.to_arkit(rig.expressions, rig.names)
        sides = shape_keys.sides_of(rig.names)
    to_head = np.array(report['to_head'], float)
    rest = rig.neutral - (job.meshes.mesh.vertices @ to_head[:3, :3].T + to_head[:3, 3])
    if np.abs(rest).max() > LEAST_REST:
        expressions = np.concatenate([expressions, rest[None].astype(np.float32)])
        names = (*names, shape_keys.AT_REST)
    return PartShapes(
        names,
        job.meshes.to_local(expressions, to_head),
        [
            [np.abs(shape).max(initial=0) > LEAST_SHAPE for shape in part]
            for part in job.meshes.split(expressions)
        ],
        {
            whole: job.meshes.to_local(rig.expressions[rows], to_head)
            for whole, rows in sides.items()
        },
    )


def _own_mesh(thing: bpy.types.Object) -> list[str]:
    """Give an object that shares its mesh a copy; what to tell the user of it."""
    if thing.data.users - thing.data.use_fake_user <= 1:
        return []
    thing.data = thing.data.copy()
    return [f'{thing.name} has a mesh of its own now: it shared one with other objects.']


def _written_in_words(written: dict[str, shape_keys.Written]) -> list[str]:
    out = []
    for name, what in written.items():
        if what.left_alone:
            out.append(
                f'{name} had {listed(what.left_alone)} already, locked or made elsewhere: left as '
                f'{"it is" if len(what.left_alone) == 1 else "they are"} '
                '(Replace Other Keys, in the options, takes ours for those made elsewhere).'
            )
        if what.edited:
            out.append(f'Your changes to {listed(what.edited)} on {name} are kept.')
    return out
