"""Points, polygons and polylines."""

from __future__ import annotations

import itertools

import numpy as np


def distance_to_polyline(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return N distances of points N×D from a polyline K×D."""
    best = np.full(len(points), np.inf)
    for a, b in itertools.pairwise(line):
        u = np.clip(((points - a) @ (b - a)) / max(((b - a) ** 2).sum(), 1e-9), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - u[:, None] * (b - a), axis=1))
    return best


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Tell which points N×2 lie within a polygon K×2: N bool."""
    inside = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, 0)):
        crosses = (y1 > points[:, 1]) != (y2 > points[:, 1])
        inside ^= crosses & (
            points[:, 0] < (x2 - x1) * (points[:, 1] - y1) / np.where(y2 == y1, 1e-9, y2 - y1) + x1
        )
    return inside
