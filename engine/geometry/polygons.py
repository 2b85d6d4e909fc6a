"""Polygons of any size as faces of three or four corners."""

from __future__ import annotations

import numpy as np


def polygons_to_faces(corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Cut polygons (corners one after another, sizes: how many each has) into F×4 faces.

    Triangles are padded with −1, larger ones fanned into quads (their first quads in the polygons'
    order, the others behind); what has fewer than three corners is left out.
    """
    starts = np.cumsum(sizes) - sizes
    out = np.full((len(sizes), 4), -1, np.int64)
    for k in range(4):
        has = sizes > k
        out[has, k] = corners[starts[has] + k]
    extra = []
    for i in np.flatnonzero(sizes > 4):
        ring = corners[starts[i] : starts[i] + sizes[i]]
        for k in range(3, sizes[i] - 1, 2):
            extra.append([ring[0], ring[k], ring[k + 1], ring[k + 2] if k + 2 < sizes[i] else -1])
    return np.concatenate([out[sizes > 2], np.array(extra, np.int64).reshape(-1, 4)])


def triangulate(faces: np.ndarray) -> np.ndarray:
    """Split F×4 quads (triangles padded with −1) along the one fixed diagonal of the project.

    Returns T×3 int32: first all (0, 1, 2), then the quads' (0, 2, 3).
    """
    quads = faces[faces[:, 3] >= 0]
    return np.ascontiguousarray(np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]]), dtype=np.int32)
