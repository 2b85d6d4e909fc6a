"""A performance between its samples."""

from __future__ import annotations

import numpy as np

from ..footage.footage import Camera


def to_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """…×3 world cm → OpenCV camera axes, y scaled by the camera's aspect, for a renderer with one focal length."""
    out = points @ camera.rotation.T + camera.translation
    out[..., 1] *= camera.aspect
    return out


def at(time: np.ndarray, values: np.ndarray, when: float) -> np.ndarray:
    """The row of `values` (T×…) at `when`, linear between `time` (T)."""
    if len(time) == 1:
        return values[0]
    i = int(np.clip(np.searchsorted(time, when) - 1, 0, len(time) - 2))
    u = float(np.clip((when - time[i]) / (time[i + 1] - time[i]), 0, 1))
    return (1 - u) * values[i] + u * values[i + 1]
