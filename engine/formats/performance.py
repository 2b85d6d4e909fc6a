"""The Performance noun and performance.npz: expression weights and head pose over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz


@dataclass(frozen=True)
class Performance:
    """time T float64 (s, first view's clock); weights T×E float32 in [0, 1]; names E;
    rotation T×3×3 and translation T×3 float64 (head → world, cm; OpenCV camera axes unless the capture gives a world); fps."""

    time: np.ndarray
    weights: np.ndarray
    names: tuple[str, ...]
    rotation: np.ndarray
    translation: np.ndarray
    fps: float


def write_performance(path: Path, p: Performance) -> None:
    write_npz(
        path,
        time=p.time.astype(np.float64),
        weights=p.weights.astype(np.float32),
        names=np.array(p.names),
        rotation=p.rotation.astype(np.float64),
        translation=p.translation.astype(np.float64),
        fps=np.float64(p.fps),
    )


def read_motion(folder: Path) -> Performance:
    """The performance in a result folder at every instant it is known at: its motion.npz, written where there are several views, else its performance.npz."""
    motion = Path(folder) / 'motion.npz'
    return read_performance(motion if motion.exists() else Path(folder) / 'performance.npz')


def read_performance(path: Path) -> Performance:
    """Read performance.npz; raises FacewrightError naming what is missing, misshapen or not finite."""
    data = read_npz(path, 'performance.npz')
    then = 'make the performance again'
    check_arrays(path, data, {'time': ('fiu', (None,)), 'names': ('U', (None,))}, then)
    t, e = len(data['time']), len(data['names'])
    check_arrays(
        path,
        data,
        {
            'weights': ('fiu', (t, e)),
            'rotation': ('fiu', (t, 3, 3)),
            'translation': ('fiu', (t, 3)),
            'fps': ('fiu', ()),
        },
        then,
    )
    if t == 0 or (np.diff(data['time'].astype(np.float64)) <= 0).any() or not data['fps'] > 0:
        raise FacewrightError(f'{path} has times that do not increase or no frame rate: {then}.')
    return Performance(
        data['time'].astype(np.float64),
        data['weights'].astype(np.float32),
        tuple(data['names'].tolist()),
        data['rotation'].astype(np.float64),
        data['translation'].astype(np.float64),
        float(data['fps']),
    )
