"""The Rig noun and rig.npz: a person's neutral and expression shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz
from ..face_model.expressions import UNTRACKED


@dataclass(frozen=True)
class Rig:
    """A person's head and how it moves.

    neutral: V×3 float32, cm in head space
    expressions: E×V×3 float32 offsets, cm in head space
    names: E
    faces: F×4 int32, triangles padded with −1
    """

    neutral: np.ndarray
    expressions: np.ndarray
    names: tuple[str, ...]
    faces: np.ndarray


def write_rig(path: Path, rig: Rig) -> None:
    """Write rig.npz (docs/formats.md): names as fixed-width text, no pickles.

    `names` and `expressions` hold what footage can tell of, as ICT-FaceKit has it; the others
    (expressions.UNTRACKED) stand in arrays of their own, with their places among all.
    """
    ours = np.array([name in UNTRACKED for name in rig.names], bool)
    names, shapes = np.array(rig.names, str), np.asarray(rig.expressions, np.float32)
    further = {}
    if ours.any():
        further = {
            'untracked_names': names[ours],
            'untracked_expressions': shapes[ours],
            'untracked_places': np.flatnonzero(ours).astype(np.int32),
        }
    write_npz(
        path,
        neutral=rig.neutral.astype(np.float32),
        expressions=shapes[~ours],
        names=names[~ours],
        faces=rig.faces.astype(np.int32),
        **further,
    )


def read_rig(path: Path) -> Rig:
    """Read rig.npz, untracked shapes at their places.

    Raises FacewrightError naming what is missing, misshapen or not finite.
    """
    data = read_npz(path, 'rig.npz')
    then = 'make the rig again'
    check_arrays(
        path,
        data,
        {'neutral': ('f', (None, 3)), 'names': ('U', (None,)), 'faces': ('iu', (None, 4))},
        then,
    )
    v = len(data['neutral'])
    shape = ('f', (len(data['names']), v, 3))
    check_arrays(path, data, {'expressions': shape}, then)
    if data['faces'].max(initial=-1) >= v or data['faces'].astype(np.int64).min(initial=0) < -1:
        raise FacewrightError(f'{path} has faces that do not fit its {v} vertices: {then}.')
    names, shapes = data['names'].tolist(), list(data['expressions'].astype(np.float32))
    for place, name, offsets in _untracked(path, data, v, then):
        names.insert(place, name)
        shapes.insert(place, offsets)
    if len(set(names)) != len(names):
        raise FacewrightError(f'{path} has unreadable or doubled names: {then}.')
    expressions = np.stack(shapes) if shapes else np.zeros((0, v, 3), np.float32)
    return Rig(
        data['neutral'].astype(np.float32),
        expressions,
        tuple(names),
        data['faces'].astype(np.int32),
    )


def _untracked(path: Path, data: dict[str, np.ndarray], v: int, then: str) -> list[tuple]:
    """List (place among all, name, V×3 offsets) of a rig.npz's untracked shapes, by place."""
    if 'untracked_names' not in data:
        return []
    check_arrays(path, data, {'untracked_names': ('U', (None,))}, then)
    n = len(data['untracked_names'])
    check_arrays(
        path,
        data,
        {'untracked_expressions': ('f', (n, v, 3)), 'untracked_places': ('iu', (n,))},
        then,
    )
    places = data['untracked_places'].tolist()
    if sorted(set(places)) != places or min(places, default=0) < 0:
        raise FacewrightError(f'{path} has untracked shapes without places of their own: {then}.')
    return list(
        zip(
            places,
            data['untracked_names'].tolist(),
            data['untracked_expressions'].astype(np.float32),
        )
    )
