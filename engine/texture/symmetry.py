"""What differs between a face's halves in the large: light or shadow, not skin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel
from ..geometry.laplacian import cotangent_laplacian, mass
from ..geometry.polygons import triangulate
from .layout import TexelLayout

EVEN = 0.5  # cm: patches larger than that are made alike on both halves of the face
BRIGHTER = 3.0  # power of its brightness by which a half counts then: shadows are dark


def mirrored_vertices(model: FaceModel) -> np.ndarray:
    """Find the vertex nearest to where each would lie on the other half: V."""
    return cKDTree(model.neutral).query(model.neutral * (-1, 1, 1))[1]


def make_evener(
    model: FaceModel, layout: TexelLayout
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Make even(albedo N×3, known N) → N×3, which takes large differences of the halves off.

    They are light or shadow that spherical harmonics cannot be. The result is nearer to the
    brighter half, shadows being dark; marks smaller than EVEN stay.
    """
    count, mirrored = model.vertex_count, mirrored_vertices(model)
    triangles = triangulate(model.faces)
    area = np.maximum(mass(model.neutral.astype(np.float64), triangles), 1e-6)
    laplacian = EVEN**2 * cotangent_laplacian(model.neutral.astype(np.float64), triangles)

    def even(albedo: np.ndarray, known: np.ndarray) -> np.ndarray:
        value, weight = layout.at_vertices(np.log(np.maximum(albedo, 1e-4)), known, count)
        solver = splu((laplacian + sparse.diags(area * (weight + 1e-4))).tocsc())

        def blurred(values: np.ndarray) -> np.ndarray:
            return solver.solve((area * weight)[:, None] * values)

        held = np.clip(blurred(np.ones((count, 1))), 1e-6, 1)
        low = blurred(value) / held
        mine = held * np.exp(BRIGHTER * low.mean(1, keepdims=True))
        other = mine[mirrored]
        both = np.minimum(held, held[mirrored])
        change = other / (mine + other) * (low[mirrored] - low) * both
        return (albedo * np.exp(layout.interpolate(change))).astype(np.float32)

    return even
