"""Shape keys for any head: markers on it, the model's topology onto it, the expressions for it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import write_npz, write_text
from ..core.progress import Clock, Progress
from ..core.result_folder import results
from .inputs import OPENED, find_landmarks, open_model, read_markers, run_between
from .shared import VERSION, Task, writable_folder


def add_markers(mesh: str, out: str, model: str = 'builtin') -> Task:
    """Find where the face is on a mesh → OUT/landmarks.json.

    It has {marker name: [x, y, z] in the mesh's own space}, as `markers` takes it.
    """
    clock = Clock()
    folder = writable_folder(Path(out), ('landmarks.json',))
    from ..geometry.closest import Surface
    from ..geometry.user_mesh import read_mesh
    from ..wrap.linear_fit import fit_linear_model
    from ..wrap.scan_landmarks import MARKERS

    read = read_mesh(mesh)
    face = (yield from open_model(model, clock)).tracked
    landmarks = yield from find_landmarks(face, clock)
    found = yield from run_between(
        lambda report: fit_linear_model(face, landmarks, read, None, True, report),
        clock,
        (OPENED, 0.97),
        'Finding the face',
    )
    at = Surface(found.vertices, found.triangles).closest(
        found.fit.from_head(found.fit.vertices[face.landmarks68])
    )[2]
    named = {
        name: at[i].tolist() for name, i in MARKERS.items() if not name.startswith('landmark_')
    }
    with results(folder, 'scan_landmarks') as part:
        write_text(part / 'landmarks.json', json.dumps(named, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return {'out': str(folder), 'landmarks': named}


def wrap_model(
    mesh: str,
    out: str,
    model: str = 'builtin',
    markers: str | None = None,
    expression: str = 'auto',
) -> Task:
    """Lay the model's topology onto a mesh → OUT/wrapped.obj, wrap.npz, report.json.

    wrapped.obj is in the mesh's own space and has all the model's vertices in its order.

    model: 'builtin' or a path.
    markers: path of a markers.json.
    expression: 'auto' finds what the face does, 'none' takes it to be at rest.

    Raises FacewrightError; then nothing new is left in `out`.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('wrapped.obj', 'wrap.npz', 'report.json'))
    yield Progress(0.0, 'Reading the mesh')
    from ..geometry.obj import write_obj
    from ..geometry.user_mesh import read_mesh
    from ..wrap.wrap import wrap_mesh

    read, pinned = read_mesh(mesh), read_markers(markers)
    face = (yield from open_model(model, clock)).tracked
    landmarks = yield from find_landmarks(face, clock)
    opened = time.monotonic() - began
    wrapped = yield from run_between(
        lambda report: wrap_mesh(face, landmarks, read, pinned, expression == 'auto', report),
        clock,
        (OPENED, 0.95),
        'Finding the face',
    )
    own = wrapped.fit.from_head(wrapped.vertices)
    report: dict = {'version': VERSION, 'model': model, 'mesh': str(mesh)}
    report |= _wrap_report(face, read, wrapped, str(mesh), bool(pinned))
    report['seconds'] = {
        'open': round(opened, 2),
        'wrap': round(time.monotonic() - began - opened, 2),
    }
    with results(folder, 'wrap') as part:
        write_obj(part / 'wrapped.obj', own, face.faces)
        write_npz(
            part / 'wrap.npz',
            vertices=own,
            faces=face.faces,
            distance=(10 * wrapped.distance).astype(np.float32),
            to_head=wrapped.fit.matrix,
        )
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def _wrap_report(face, read, wrapped, name: str, pinned: bool) -> dict:
    """Return what report.json says of a wrap. pinned: whether there were markers."""
    from ..shape_keys.generate import removed_expression
    from ..wrap.fit_quality import fit_numbers, fit_warnings

    fit = fit_numbers(face, wrapped)
    return {
        'vertices': len(read.vertices),
        'faces': len(read.faces),
        'unit': wrapped.unit,
        'to_head': wrapped.fit.matrix.tolist(),
        'expression': removed_expression(face, wrapped),
        'fit': fit,
        'warnings': fit_warnings(fit, read.source or name, pinned),
        'identity': [round(float(a), 4) for a in wrapped.fit.identity],
    }


def generate_shape_keys(
    mesh: str,
    out: str,
    model: str = 'builtin',
    onto: str = 'mesh',
    markers: str | None = None,
    expression: str = 'auto',
    settle: bool = True,
) -> Task:
    """Make the model's expressions for any head → OUT/rig.npz, report.json.

    rig.npz is in head space, cm; report.json's to_head is the 4×4 similarity from the mesh's own
    space to head space.

    model, markers, expression: as for `wrap_model`. onto: 'model' gives the rig the model's
    vertices, 'mesh' the mesh's own in its order. settle: keep lips, lids and cavities from
    crossing.

    Raises FacewrightError; then nothing new is left in `out`.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('rig.npz', 'report.json'))
    yield Progress(0.0, 'Reading the mesh')
    from ..formats.rig import write_rig
    from ..geometry.user_mesh import read_mesh
    from ..shape_keys.generate import generate, has_topology

    read, pinned = read_mesh(mesh), read_markers(markers)
    face = yield from open_model(model, clock)
    landmarks: Any = None  # not asked for where the mesh has the model's topology
    if not has_topology(face, read):
        landmarks = yield from find_landmarks(face, clock)
    made = yield from run_between(
        lambda report: generate(
            face, landmarks, read, onto, pinned, settle, expression == 'auto', report
        ),
        clock,
        (OPENED, 0.97),
        'Carrying the expressions over',
    )
    report = {
        'version': VERSION,
        'model': model,
        'mesh': str(mesh),
        'onto': onto,
        'vertices': len(made.rig.neutral),
        'names': list(made.rig.names),
        'to_head': made.to_head.tolist(),
        **made.numbers,
        'seconds': round(time.monotonic() - began, 2),
    }
    with results(folder, 'shape_keys') as part:
        write_rig(part / 'rig.npz', made.rig)
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}
