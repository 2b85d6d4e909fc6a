"""The Rig noun and rig.npz: a person's neutral and expression shapes."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import FacewrightError
from .files import read_npz, write_npz


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
    missing = {'neutral', 'expressions', 'names', 'faces'} - set(data)
    if missing:
        raise FacewrightError(f'{path} lacks {", ".join(sorted(missing))}: make the rig again.')
    v, e = len(data['neutral']), len(data['names'])
    for key, shape in {'neutral': (v, 3), 'expressions': (e, v, 3)}.items():
        if data[key].shape != shape:
            raise FacewrightError(f'{path} has {key} of shape {data[key].shape}, expected {shape}: make the rig again.')
        if data[key].dtype.kind != 'f' or not np.isfinite(data[key]).all():
            raise FacewrightError(f'{path} holds numbers in {key} that are not finite: make the rig again.')
    faces = data['faces']
    if faces.ndim != 2 or faces.shape[1] != 4 or faces.dtype.kind not in 'iu' or faces.max(initial=-1) >= v or faces.min(initial=0) < -1:
        raise FacewrightError(f'{path} has faces that do not fit its {v} vertices: make the rig again.')
    if data['names'].ndim != 1 or data['names'].dtype.kind != 'U' or len(set(data['names'].tolist())) != e:
        raise FacewrightError(f'{path} has unreadable or doubled names: make the rig again.')
    return Rig(data['neutral'].astype(np.float32), data['expressions'].astype(np.float32), tuple(data['names'].tolist()), faces.astype(np.int32))
