"""Where a head is and what it shows over time, and the one way of going between its samples."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from ..geometry.rotations import so3_interpolate
from .performance import Performance, read_motion


@dataclass(frozen=True)
class Trajectory:
    """A head's pose and weights at K times, arrays of numpy's or torch's.

    rotation: K×3×3; translation: K×3, cm: head → world
    weights: K×E
    """

    rotation: np.ndarray | torch.Tensor
    translation: np.ndarray | torch.Tensor
    weights: np.ndarray | torch.Tensor

    def first(self, count: int) -> Trajectory:
        """Take the first samples."""
        return Trajectory(*(getattr(self, f.name)[:count] for f in fields(Trajectory)))


@dataclass(frozen=True)
class TimedTrajectory(Trajectory):
    """A trajectory that knows its times.

    time: K, s, increasing; all arrays are numpy's
    """

    rotation: np.ndarray
    translation: np.ndarray
    weights: np.ndarray
    time: np.ndarray

    def at(self, when: np.ndarray | float) -> TimedTrajectory:
        """Find the trajectory at some times, N or one (s), which beyond its ends stays as it is.

        Between samples rotations go the shortest way of SO(3), the rest on straight lines.
        """
        times = np.atleast_1d(np.asarray(when, np.float64))
        after = np.searchsorted(self.time, times, side='right')
        after = np.clip(after, min(1, len(self.time) - 1), len(self.time) - 1)
        before = np.maximum(after - 1, 0)
        step = np.maximum(self.time[after] - self.time[before], 1e-9)
        part = np.clip((times - self.time[before]) / step, 0, 1)

        def straight(values: np.ndarray) -> np.ndarray:
            u = part[:, None]
            return ((1 - u) * values[before] + u * values[after]).astype(values.dtype)

        turn = torch.as_tensor(self.rotation, dtype=torch.float64)
        rotation = so3_interpolate(turn[before], turn[after], torch.as_tensor(part)).numpy()
        return TimedTrajectory(
            rotation, straight(self.translation), straight(self.weights), time=times
        )


def trajectory_of(performance: Performance) -> TimedTrajectory:
    """Take a performance's trajectory."""
    p = performance
    return TimedTrajectory(p.rotation, p.translation, p.weights, p.time)


def read_trajectory(folder: Path) -> tuple[TimedTrajectory, tuple[str, ...]]:
    """Read a result folder's trajectory at every time it is known at, and its weights' names."""
    performance = read_motion(folder)
    return trajectory_of(performance), performance.names
