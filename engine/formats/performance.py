"""The Performance noun and performance.npz: expression weights and head pose over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz


@dataclass(frozen=True)
class Performance:
    """Expression weights and the head's pose over time.

    time: T float64, s on the first view's clock, increasing
    weights: T×E float32 in [0, 1]
    names: E expressions
    rotation, translation: T×3×3 and T×3 float64, head → world, cm; the world has OpenCV camera
        axes unless the capture gives another
    fps: frames a second the samples are played at
    """

    time: np.ndarray
    weights: np.ndarray
    names: tuple[str, ...]
    rotation: np.ndarray
    translation: np.ndarray
    fps: float


def write_performance(path: Path, performance: Performance) -> None:
    """Write performance.npz (docs/formats.md)."""
    write_npz(
        path,
        time=performance.time.astype(np.float64),
        weights=performance.weights.astype(np.float32),
        names=np.array(performance.names),
        rotation=performance.rotation.astype(np.float64),
        translation=performance.translation.astype(np.float64),
        fps=np.array(performance.fps, np.float64),
    )


def read_motion(folder: Path) -> Performance:
    """Read a result folder's performance at every time it is known at.

    That is its motion.npz, written where there are several views, else its performance.npz.
    """
    motion = Path(folder) / 'motion.npz'
    return read_performance(motion if motion.exists() else Path(folder) / 'performance.npz')


def read_performance(path: Path) -> Performance:
    """Read performance.npz; FacewrightError names what is missing, misshapen or not finite."""
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
