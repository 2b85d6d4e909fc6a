"""Normals of triangle meshes."""

from __future__ import annotations

import numpy as np


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return V×3 unit normals, area-weighted over the triangles round each vertex."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = np.stack(
        [
            np.bincount(triangles.ravel(), np.repeat(normal[:, k], 3), len(vertices))
            for k in range(3)
        ],
        1,
    )
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
