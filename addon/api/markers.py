"""Landmarks of a scan that the user may place by hand."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ...engine.core.errors import FacewrightError
from ...engine.tasks import specs
from ..scene import markers
from .head_jobs import HeadJob, head_job
from .selection import chosen_meshes
from .shared import select


def landmarks_job(context: bpy.types.Context) -> HeadJob:
    """Return the task 'add_markers' for the selected meshes, their markers left aside."""
    job = head_job(context)
    arguments = {k: job.arguments[k] for k in ('mesh', 'out', 'model')}
    return HeadJob(job.meshes, {}, specs.check('add_markers', arguments))


def apply_markers(
    context: bpy.types.Context, job: HeadJob, folder: str | Path
) -> list[bpy.types.Object]:
    """Put empties where the landmarks were found (landmarks.json), or move those there are."""
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
    """Put an empty for one landmark at the 3D cursor, or move the one there is, and select it."""
    thing = next(iter(chosen_meshes(context)), None) or _mesh_of_marker(context)
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


def _mesh_of_marker(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the mesh to which a selected marker belongs."""
    return next(
        (
            o.parent
            for o in context.selected_objects
            if o.type == 'EMPTY' and markers.NAME in o and o.parent and o.parent.type == 'MESH'
        ),
        None,
    )


def count_markers(context: bpy.types.Context) -> int:
    """Return how many markers there are for the selected meshes."""
    return len(markers.markers_of(context.scene, chosen_meshes(context)))


def remove_markers(context: bpy.types.Context) -> int:
    """Take the selected meshes' markers away; returns how many there were."""
    return markers.remove(
        context.scene, chosen_meshes(context) or [o for o in [_mesh_of_marker(context)] if o]
    )
