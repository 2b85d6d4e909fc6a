"""Which picture of a clip belongs to which frame of a scene.

Standard library and NumPy only: Blender's side asks too.
"""

from __future__ import annotations

import math

import numpy as np

OFF = 0.25  # of a frame: how far a picture may lie from the frame that a count of pictures gives it


def keeps_rate(times: np.ndarray, rate: float) -> bool:
    """Whether T times (s) lie so evenly at `rate` (1/s) that counting finds the right picture."""
    even = times[0] + np.arange(len(times)) / rate
    return bool(np.abs(times - even).max(initial=0) * rate < OFF)


def frame_count(seconds: float, rate: float) -> int:
    """How many frames of a scene at `rate` a take of this length touches, its first at a frame."""
    return math.ceil(seconds * rate - 0.02) + 1


def pictures_at(times: np.ndarray, zero: float, rate: float, count: int) -> np.ndarray:
    """Choose the nearest of a clip's pictures for each frame of a scene, the earlier of two.

    times: T, s, increasing.
    zero: s, of the first frame.
    rate: frames a second.
    Returns `count` indices into times.
    """
    when = zero + np.arange(count) / rate
    after = np.clip(np.searchsorted(times, when), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(when - times[before] <= times[after] - when + 1e-6, before, after)
