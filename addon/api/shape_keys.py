"""Shape keys for any head: what the Shape Keys panel's jobs get, and what becomes of
their results.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...engine.core.errors import FacewrightError
from ...engine.core.files import read_npz, write_text
from ...engine.core.words import listed
from ...engine.formats.rig import read_rig
from ...engine.geometry.user_mesh import write_mesh
from ...engine.tasks import specs
from .. import models
from ..scene import fit_colours, head_space, heads, markers, mesh_sets, renaming, shape_keys
from .head import find_model
from .shared import checked_path, select, show_colours
from .sides import left_of_middle

LEAST_REST = 1e-3  # cm: where generating moves the neutral by less it stays


@dataclass(frozen=True)
class HeadJob:
    """A task on the selected meshes: meshes as they were taken, markers {landmark: point in the
    world}, the task's arguments.
    """

    meshes: mesh_sets.MeshSet
    markers: dict[str, list[float]]
    arguments: dict

    def write(self, folder: Path) -> None:
        """Put the task's input into its job's folder."""
        write_mesh(folder / 'head.npz', self.meshes.mesh)
        if self.markers:
            write_text(folder / 'markers.json', json.dumps(self.markers))


def chosen_meshes(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected mesh objects, the active one first. An active mesh counts as chosen where no
    other is selected, hidden or not.
    """
    found = [o for o in context.selected_objects if o.type == 'MESH']
    active = context.view_layer.objects.active
    if active is not None and active.type == 'MESH' and (active in found or not found):
        return [active] + [o for o in found if o != active]
    return sorted(found, key=lambda o: -len(o.data.vertices))


def companions(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Meshes that are not selected but belong to the selected ones: their children, or children of
    the same parent, inside their box.
    """
    chosen = chosen_meshes(context)
    if not chosen:
        return []
    corners = np.array([o.matrix_world @ v for o in chosen for v in map(Vector, o.bound_box)])
    low, high = corners.min(0), corners.max(0)
    reach = 0.1 * (high - low).max()
    family = {o.parent for o in chosen if o.parent} | set(chosen)
    out = []
    for thing in context.view_layer.objects:
        if (
            thing is not None
            and thing.type == 'MESH'
            and thing not in chosen
            and thing.parent in family
            and len(thing.data.polygons)
        ):
            middle = np.mean([thing.matrix_world @ v for v in map(Vector, thing.bound_box)], axis=0)
            if (middle > low - reach).all() and (middle < high + reach).all():
                out.append(thing)
    return out


def select_companions(context: bpy.types.Context) -> int:
    """Select the companions too, those that are hidden excepted; returns how many are
    selected now.
    """
    found = companions(context)
    for thing in found:
        thing.select_set(True)
    return sum(thing.select_get() for thing in found)


def head_job(context: bpy.types.Context, task: str = 'generate_shape_keys', **arguments) -> HeadJob:
    """Take the selected meshes, their markers and a task's arguments for them.

    Raises FacewrightError naming the mesh, or the argument, that cannot be used.
    """
    chosen = chosen_meshes(context)
    if not chosen:
        others, active = list(context.selected_objects), context.view_layer.objects.active
        other = active if active in others else next(iter(others), None)
        if other is None:
            raise FacewrightError(
                'Nothing is selected: select your head, with its eyes, teeth and lashes '
                'where they are objects of their own.'
            )
        raise FacewrightError(f'{other.name} {mesh_sets.what_to_select(other)}')
    for thing in chosen:
        if any(m.type == 'MIRROR' and m.show_viewport for m in thing.modifiers):
            raise FacewrightError(
                f'{thing.name} has a Mirror modifier, and shape keys under it move both sides '
                'alike: apply it first (in Object mode, from its menu).'
            )
    context.view_layer.update()
    meshes = mesh_sets.take(chosen)
    placed = {
        name: list(empty.matrix_world.translation)
        for name, empty in markers.markers_of(context.scene, chosen).items()
    }
    source = models.source_of(context.scene.facewright)
    if source != models.BUILTIN:
        source = checked_path(source, 'face model')
    arguments = {'mesh': '{job}/head.npz', 'out': '{job}/out', 'model': source} | arguments
    if placed:
        arguments['markers'] = '{job}/markers.json'
    return HeadJob(meshes, placed, specs.check(task, arguments))


def landmarks_job(context: bpy.types.Context) -> HeadJob:
    """The task 'add_markers' for the selected meshes, their markers left aside."""
    job = head_job(context)
    arguments = {k: job.arguments[k] for k in ('mesh', 'out', 'model')}
    return HeadJob(job.meshes, {}, specs.check('add_markers', arguments))


def read_report(folder: str | Path) -> dict:
    """report.json of a task's result."""
    try:
        report = json.loads((Path(folder) / 'report.json').read_text(encoding='utf-8'))
        if np.array(report['to_head'], float).shape == (4, 4):
            return report
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise FacewrightError(f'{folder} holds no readable report: do it again.')


def apply_shape_keys(
    context: bpy.types.Context,
    job: HeadJob,
    folder: str | Path,
    naming: str = 'ICT',
    keep_edits: bool = True,
    replace: bool = False,
    follow: bool = True,
) -> tuple[dict[str, shape_keys.Written], list[str]]:
    """Generated shapes (rig.npz) onto the meshes they were made for; returns what became of each
    object's keys, and what to tell the user.

    The part that moves most leads: it gets every shape, the others those that move them, and with
    `follow` theirs are driven by its sliders.
    """
    report, rig, things = (
        read_report(folder),
        read_rig(Path(folder) / 'rig.npz'),
        job.meshes.objects(),
    )
    if len(rig.neutral) != sum(p.count for p in job.meshes.parts):
        raise FacewrightError(
            f'The shapes in {folder} are for {len(rig.neutral)} vertices, and the selected '
            'meshes have others: do it again.'
        )
    notes = _notes(report)
    expressions, called = (
        shape_keys.to_arkit(rig.expressions, rig.names)
        if naming == 'ARKIT'
        else (rig.expressions, rig.names)
    )
    to_head = np.array(report['to_head'], float)
    sides = shape_keys.sides_of(rig.names) if naming == 'ARKIT' else {}
    halves = {
        whole: job.meshes.to_local(rig.expressions[rows], to_head) for whole, rows in sides.items()
    }
    rest = rig.neutral - (job.meshes.mesh.vertices @ to_head[:3, :3].T + to_head[:3, 3])
    if np.abs(rest).max() > LEAST_REST:
        expressions, called = (
            np.concatenate([expressions, rest[None].astype(np.float32)]),
            (*called, shape_keys.AT_REST),
        )
    local = job.meshes.to_local(expressions, to_head)
    moving = [
        [np.abs(shape).max(initial=0) > 1e-4 for shape in part]
        for part in job.meshes.split(expressions)
    ]  # 1e-4 cm
    leader = max(range(len(things)), key=lambda i: (sum(moving[i]), len(things[i].data.vertices)))
    for thing in things:
        mesh_sets.check(thing)
    written = {}
    for i in sorted(range(len(things)), key=lambda i: i != leader):
        thing = things[i]
        if not any(moving[i]) and i != leader and not thing.data.shape_keys:
            continue
        if thing.data.users - thing.data.use_fake_user > 1:
            thing.data = thing.data.copy()
            notes.append(
                f'{thing.name} has a mesh of its own now: it shared one with other objects.'
            )
        if shape_keys.ours_alone(thing):
            notes += renaming.rename(thing, naming, partial(left_of_middle, context.scene, thing))[
                1
            ]
        have = shape_keys.meanings(thing)
        wanted = {
            n: o
            for n, o, m in zip(called, local[i], moving[i])
            if m or i == leader or shape_keys.names.expression(n) in have
        }
        written[thing.name] = what = shape_keys.write_shapes(thing, wanted, keep_edits, replace)
        shape_keys.keep_sides(thing, {whole: parts[i] for whole, parts in halves.items()})
        if shape_keys.AT_REST in what.made:
            thing.data.shape_keys.key_blocks[shape_keys.AT_REST].value = 1.0
        if follow and i != leader:
            shape_keys.follow(thing, things[leader])
    if any(shape_keys.AT_REST in what.made for what in written.values()) and not report.get(
        'expression'
    ):
        notes.append(
            f'The shape key {shape_keys.AT_REST} settles lips and lids at rest: leave it at 1.'
        )
    notes += _told(written)
    return written, notes


def _notes(report: dict) -> list[str]:
    """What a task's report says that the user should know."""
    out = list(report.get('warnings', ()))
    found = sorted(report.get('expression', {}).items(), key=lambda item: -item[1])
    if found:
        words = ', '.join(f'{name} {weight:.1f}' for name, weight in found[:3])
        out.append(
            f'The mesh was not at rest ({words}): that expression is taken off'
            + (
                f' by the shape key {shape_keys.AT_REST}.'
                if report.get('onto') == 'mesh'
                else '.'
                if 'onto' in report
                else ' only where shape keys are generated.'
            )
        )
    if report.get('unit') == '':
        out.append("The mesh's size tells no unit: millimetres are those of a usual head.")
    return out


def _told(written: dict[str, shape_keys.Written]) -> list[str]:
    out = []
    for name, what in written.items():
        if what.kept:
            out.append(
                f'{name} had {listed(what.kept)} already, locked or made elsewhere: left as '
                f'{"it is" if len(what.kept) == 1 else "they are"} '
                '(Replace Other Keys, in the options, takes ours for those made elsewhere).'
            )
        if what.edited:
            out.append(f'Your changes to {listed(what.edited)} on {name} are kept.')
    return out


def apply_head(
    context: bpy.types.Context,
    job: HeadJob,
    folder: str | Path,
    naming: str = 'ICT',
    hide: bool = True,
) -> tuple[bpy.types.Object, list[str]]:
    """A wrapped head as a new object where the meshes are, selected; with shape keys where the
    folder holds rig.npz, with the colours of the fit where it holds wrap.npz. hide: hide the meshes
    it was made of. Returns it and what to tell the user.
    """
    folder, report, originals = Path(folder), read_report(folder), job.meshes.objects()
    model = find_model(job.arguments['model'])
    to_head = np.array(report['to_head'], float)
    name, notes = f'{job.meshes.parts[0].name} Wrapped', _notes(report)
    fit = read_npz(folder / 'wrap.npz', 'wrapped head') if (folder / 'wrap.npz').exists() else None
    if (folder / 'rig.npz').exists():
        rig = read_rig(folder / 'rig.npz')
        neutral, expressions, called = rig.neutral, rig.expressions, rig.names
    else:
        neutral = fit['vertices'] @ to_head[:3, :3].T + to_head[:3, 3]
        expressions, called = np.zeros((0, *neutral.shape), np.float32), ()
    if len(neutral) != model.vertex_count:
        raise FacewrightError(
            'The wrapped head belongs to another face model: choose the same one, or do it again.'
        )
    place = np.linalg.inv(to_head) @ head_space.PLAIN
    size = abs(np.linalg.det(place[:3, :3])) ** (
        1 / 3
    )  # into the vertices, so that the object's scale is 1
    place[:3, :3] /= size
    scaled = (size * neutral).astype(np.float32), (size * expressions).astype(np.float32)
    head = heads.create_head(name, model, *scaled, called, naming, context.collection)
    head.matrix_world = Matrix(place)
    if fit is not None and len(fit['distance']) == len(neutral):
        fit_colours.paint(head, fit['distance'])
        show_colours(context)
    select(context, head)
    for thing in originals if hide else ():
        thing.hide_set(True)
    if hide:
        notes.append(
            f'{listed(t.name for t in originals)} {"is" if len(originals) == 1 else "are"} '
            'hidden, not changed.'
        )
    return head, notes


def fit_in_words(folder: str | Path) -> str:
    """How far a wrapped head is from its scan, both ways."""
    fit, words = read_report(folder)['fit'], []
    for way, text in (('model_to_mesh', 'head to mesh'), ('mesh_to_model', 'mesh to head')):
        if fit.get(f'{way}_median_mm') is not None:
            words.append(
                f'{text} {fit[f"{way}_median_mm"]:.2f} mm, 95 % within {fit[f"{way}_95_mm"]:.2f} mm'
            )
    return (
        f'median distance {"; ".join(words)} (face).'
        if words
        else 'how far it is from the mesh is not known.'
    )


def apply_markers(
    context: bpy.types.Context, job: HeadJob, folder: str | Path
) -> list[bpy.types.Object]:
    """Empties where the landmarks were found (landmarks.json); those there already are moved."""
    try:
        found = json.loads((Path(folder) / 'landmarks.json').read_text(encoding='utf-8'))
        found = {name: np.array(point, float).reshape(3) for name, point in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise FacewrightError(f'{folder} holds no readable landmarks: do it again.') from None
    known = dict(markers.PLACES)
    chosen = {n: p for n, p in found.items() if n in known} or found
    spread = np.ptp(np.array(list(chosen.values())), axis=0).max() if chosen else 1.0
    return markers.place(context.scene, job.meshes.objects()[0], chosen, 0.015 * spread)


def add_marker(context: bpy.types.Context, name: str) -> bpy.types.Object:
    """An empty for one landmark at the 3D cursor, or the one there is moved to it; selected."""
    thing = next(iter(chosen_meshes(context)), None) or _marked(context)
    if thing is None:
        raise FacewrightError("Select the head's mesh first: markers belong to it.")
    context.view_layer.update()
    extent = np.ptp(
        [list(thing.matrix_world @ v) for v in map(Vector, thing.bound_box)], axis=0
    ).max()
    (empty,) = markers.place(
        context.scene, thing, {name: np.array(context.scene.cursor.location)}, 0.005 * extent
    )
    select(context, empty)
    return empty


def _marked(context: bpy.types.Context) -> bpy.types.Object | None:
    """The mesh to which a selected marker belongs."""
    return next(
        (
            o.parent
            for o in context.selected_objects
            if o.type == 'EMPTY' and markers.NAME in o and o.parent and o.parent.type == 'MESH'
        ),
        None,
    )


def count_markers(context: bpy.types.Context) -> int:
    """How many markers there are for the selected meshes."""
    return len(markers.markers_of(context.scene, chosen_meshes(context)))


def remove_markers(context: bpy.types.Context) -> int:
    """Take the selected meshes' markers away; returns how many there were."""
    return markers.remove(
        context.scene, chosen_meshes(context) or [o for o in [_marked(context)] if o]
    )
