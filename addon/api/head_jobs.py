"""Tasks on the selected meshes, whatever their topology."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.files import write_text
from ...engine.geometry.user_mesh import write_mesh
from ...engine.tasks import specs
from .. import models
from ..scene import markers, mesh_sets, shape_keys
from .selection import chosen_meshes
from .shared import checked_path


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
    meshes = mesh_sets.collect(chosen)
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


def read_report(folder: str | Path) -> dict:
    """Read report.json of a task's result."""
    try:
        report = json.loads((Path(folder) / 'report.json').read_text(encoding='utf-8'))
        if np.array(report['to_head'], float).shape == (4, 4):
            return report
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise FacewrightError(f'{folder} holds no readable report: do it again.')


def report_in_words(report: dict) -> list[str]:
    """Return what a task's report says that the user should know."""
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
