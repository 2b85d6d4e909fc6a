"""A head against the plain face model: how far its neutral and each of its shapes are from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.files import write_npz, write_text
from ..core.progress import Clock, Progress
from ..core.result_folder import results
from .inputs import OPENED, open_model, read_head, run_between
from .shared import VERSION, Task, writable_folder

if TYPE_CHECKING:
    from ..face_model.model import FaceModel
    from ..formats.rig import Rig
    from ..shape_keys.comparison import Difference

FILES = ('comparison.npz', 'report.json')


def compare_with_model(rig: str, out: str | None = None, model: str = 'builtin') -> Task:
    """Find how far each shape of a head is from the plain model's → OUT/comparison.npz.

    rig: a rig.npz in the model's topology. The neutral is compared with the model's mean after a
    rigid motion, the expressions (offsets) with those that a reconstruction without personal
    shapes gives this head. The result's `shapes` has of each `name`, `mean_mm` and `largest_mm`.
    out: '' or None: no files are written.
    """
    clock = Clock()
    folder = writable_folder(Path(out), FILES) if out else None
    face = yield from open_model(model, clock)
    head = read_head(rig, face)
    found, distance, plain = yield from run_between(
        lambda _: _compare(face, head), clock, (OPENED, 0.97), 'Comparing with the model'
    )
    report = {
        'version': VERSION,
        'model': model,
        'shapes': [
            {'name': name, 'mean_mm': round(one.mean, 4), 'largest_mm': round(one.largest, 4)}
            for name, one in found.items()
        ],
    }
    if folder is not None:
        with results(folder, 'compare_with_model') as part:
            write_npz(
                part / 'comparison.npz',
                names=np.array(list(found)),
                distance=distance,
                plain=plain,
            )
            write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder) if folder else ''}


def _compare(face: FaceModel, head: Rig) -> tuple[dict[str, Difference], np.ndarray, np.ndarray]:
    """Compare a head's neutral and the n shapes that the model has too with the plain ones.

    Returns {name: how far}, the same (1+n)×V in mm, and the plain shapes, n×V×3 offsets (cm).
    """
    from ..shape_keys import comparison
    from ..shape_keys.plain import plain_shapes

    shapes = dict(zip(head.names, head.expressions))
    plain = plain_shapes(face, head.neutral, shapes)
    found = {comparison.NEUTRAL: comparison.neutral_difference(head.neutral, face.neutral)}
    apart = [comparison.neutral_distance(head.neutral, face.neutral)]
    for name, shape in plain.items():
        found[name] = comparison.shape_difference(shapes[name], shape)
        apart.append(comparison.shape_distance(shapes[name], shape))
    stacked = np.reshape(list(plain.values()), (-1, *head.neutral.shape)).astype(np.float32)
    return found, np.array(apart, np.float32), stacked
