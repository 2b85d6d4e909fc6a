"""The face model wrapped onto the selected meshes: a new head in their place."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.errors import FacewrightError
from ...engine.core.files import read_npz
from ...engine.core.words import listed
from ...engine.formats.rig import read_rig
from ..scene import distance_colours, head_space, heads
from .head import find_model
from .head_jobs import HeadJob, read_report, report_in_words
from .shared import select, show_colours


def apply_head(
    context: bpy.types.Context,
    job: HeadJob,
    folder: str | Path,
    naming: str = 'ICT',
    hide: bool = True,
) -> tuple[bpy.types.Object, list[str]]:
    """Make a wrapped head a new object where the meshes are, selected; with shape keys where the
    folder holds rig.npz, with the colours of the fit where it holds wrap.npz. hide: hide the meshes
    it was made of. Returns it and what to tell the user.
    """
    folder, report, originals = Path(folder), read_report(folder), job.meshes.objects()
    model = find_model(job.arguments['model'])
    to_head = np.array(report['to_head'], float)
    name, notes = f'{job.meshes.parts[0].name} Wrapped', report_in_words(report)
    fit = read_npz(folder / 'wrap.npz', 'wrapped head') if (folder / 'wrap.npz').exists() else {}
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
    # into the vertices, so that the object's scale is 1
    size = abs(np.linalg.det(place[:3, :3])) ** (1 / 3)
    place[:3, :3] /= size
    scaled = (size * neutral).astype(np.float32), (size * expressions).astype(np.float32)
    head = heads.create_head(name, model, *scaled, called, naming, context.collection)
    head.matrix_world = Matrix(place)
    if fit and len(fit['distance']) == len(neutral):
        distance_colours.paint(head, fit['distance'], distance_colours.FIT)
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
    """Return how far a wrapped head is from its scan, both ways."""
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
