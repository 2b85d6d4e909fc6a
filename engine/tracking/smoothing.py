"""Calming a performance without losing blinks: a bilateral filter over time.

Tomasi & Manduchi 1998, numpy only. A sample is averaged with its neighbours in time as far as they
differ from it by no more than the channel's own noise: jitter averages out, while a blink, a
plosive or a quick turn differs by far more than noise and stays as it was. "Differ" is measured
from the local trend, so that a steady turn of the head is calmed as well as a head at rest.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..core.errors import FacewrightError
from ..core.smoothstep import smoothstep
from ..formats.performance import Performance

# Frames over which the local trend is the median of the differences: longer than a short blink.
TREND = 7
LIDS = 'eyeBlink'  # beginning of the names of weights that shut lids
# Weights of a blink between which its tolerance falls to NEAR_SHUT of itself: shut lids are
# averaged with shut ones alone (a twentieth of a blink is half a millimetre).
SHUTTING, NEAR_SHUT = (0.5, 0.85), 0.2
FULL_STRENGTH_SIGMA = 0.12  # s: the temporal sigma at strength 1; a blink lasts 0.1 to 0.4 s
TOLERANCE = 2.5  # how many times its noise two samples may differ and still be averaged
# Weights: jitter below is invisible, above it is motion, not noise.
NOISE_FLOOR, NOISE_CEILING = 0.004, 0.05
ANGLE_FLOOR, ANGLE_CEILING = np.radians(0.05), np.radians(1.0)
SHIFT_FLOOR, SHIFT_CEILING = 0.005, 0.5  # cm


def noise(values: np.ndarray, floor: float, ceiling: float) -> np.ndarray:
    """Measure each channel's noise: T×C samples → C standard deviations, kept within limits.

    From the median of its second differences.
    """
    if len(values) < 3:
        return np.full(values.shape[1], floor)
    second = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])
    return np.clip(np.median(second, 0) / (0.6745 * np.sqrt(6.0)), floor, ceiling)


def trend(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Find T×C local slopes (per s) of T×C samples: the median of the differences around each."""
    slopes = np.diff(values, axis=0) / np.diff(time)[:, None]
    padded = np.pad(slopes, ((TREND // 2, TREND // 2 + 1), (0, 0)), mode='edge')
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, TREND, 0), -1)


def bilateral(
    values: np.ndarray, time: np.ndarray, reach: float, tolerance: np.ndarray, joint: bool = False
) -> np.ndarray:
    """Average T×C samples at T times (s, increasing) with those like them in time and value.

    reach: s, sigma in time
    tolerance: C or T×C, sigma in the samples' units
    joint: the channels are one vector, and differ by their distance
    """
    slope, tolerance = trend(values, time), np.broadcast_to(tolerance, values.shape)
    total, weight = np.zeros_like(values, dtype=np.float64), np.zeros_like(values, dtype=np.float64)
    span = int(np.ceil(3 * reach / max(np.median(np.diff(time)) if len(time) > 1 else reach, 1e-6)))
    for step in range(-min(span, len(time) - 1), min(span, len(time) - 1) + 1):
        at = slice(max(0, -step), len(time) - max(0, step))
        near = slice(max(0, step), len(time) + min(0, step))
        apart = (time[near] - time[at])[:, None]
        there = values[near] - slope[at] * apart
        square = ((there - values[at]) / tolerance[at]) ** 2
        w = np.exp(
            -0.5 * ((square.sum(1, keepdims=True) if joint else square) + (apart / reach) ** 2)
        )
        total[at] += w * there
        weight[at] += w
    return total / weight


def smooth(performance: Performance, strength: float = 0.5) -> Performance:
    """Calm a performance: weights stay in [0, 1], rotations stay rotations.

    strength: 0 (unchanged) to 1
    """
    if not 0 <= strength <= 1:
        raise FacewrightError(
            f'A smoothing of {strength:g} is not between 0 and 1: choose one that is.'
        )
    if strength == 0 or len(performance.time) < 3:
        return performance
    time, reach = performance.time, strength * FULL_STRENGTH_SIGMA
    weights = performance.weights.astype(np.float64)
    tolerance = TOLERANCE * noise(weights, NOISE_FLOOR, NOISE_CEILING)
    lids = np.array([name.startswith(LIDS) for name in performance.names], bool)
    shut = lids * smoothstep(weights, *SHUTTING)
    weights = bilateral(weights, time, reach, tolerance * (1 - (1 - NEAR_SHUT) * shut))
    shift = performance.translation
    shift = bilateral(shift, time, reach, TOLERANCE * noise(shift, SHIFT_FLOOR, SHIFT_CEILING))
    # two rotations an angle a apart differ by √2·a as matrices
    turn = performance.rotation.reshape(-1, 9)
    jitter = noise(turn, 0.0, np.inf) if len(turn) else 0
    limit = np.clip(np.linalg.norm(jitter), np.sqrt(2) * ANGLE_FLOOR, np.sqrt(2) * ANGLE_CEILING)
    turn = bilateral(turn, time, reach, np.full(9, TOLERANCE * limit), joint=True).reshape(-1, 3, 3)
    u, _, vt = np.linalg.svd(turn)  # the nearest rotation to the mean
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    return dataclasses.replace(
        performance,
        weights=np.clip(weights, 0, 1).astype(np.float32),
        rotation=u @ vt,
        translation=shift,
    )
