"""The Rig noun and rig.npz: a person's neutral and expression shapes."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import FacewrightError
from .files import check_arrays, read_npz, write_npz


@dataclass(frozen=True)
class Rig:
    """neutral V×3 float32 and expressions E×V×3 float32 (offsets), both cm in head space; names E; faces F×4 int32, triangles padded with −1."""
    neutral: np.ndarray
    expressions: np.ndarray
    names: tuple[str, ...]
    faces: np.ndarray


def write_rig(path: Path, rig: Rig) -> None:
    """Write rig.npz (design: names as fixed-width text, no pickles)."""
    write_npz(path, neutral=rig.neutral.astype(np.float32), expressions=rig.expressions.astype(np.float32),
              names=np.array(rig.names), faces=rig.faces.astype(np.int32))


def read_rig(path: Path) -> Rig:
    """Read rig.npz; raises FacewrightError naming what is missing, misshapen or not finite."""
    data = read_npz(path, 'rig.npz')
    then = 'make the rig again'
    check_arrays(path, data, {'neutral': ('f', (None, 3)), 'names': ('U', (None,)), 'faces': ('iu', (None, 4))}, then)
    v, names = len(data['neutral']), data['names'].tolist()
    check_arrays(path, data, {'expressions': ('f', (len(names), v, 3))}, then)
    if data['faces'].max(initial=-1) >= v or data['faces'].astype(np.int64).min(initial=0) < -1:
        raise FacewrightError(f'{path} has faces that do not fit its {v} vertices: {then}.')
    if len(set(names)) != len(names):
        raise FacewrightError(f'{path} has unreadable or doubled names: {then}.')
    return Rig(data['neutral'].astype(np.float32), data['expressions'].astype(np.float32), tuple(names), data['faces'].astype(np.int32))
