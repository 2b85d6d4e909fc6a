"""A face model's linear bases at some points of its surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from scipy import sparse

from ..annotate.landmarks import ModelLandmarks
from ..face_model.model import FaceModel
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate

DTYPE = torch.float64
SINGLE = torch.float32  # of curvatures: they say how far a step goes, the gradient where it ends
PAIRS = (0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)  # the entries of a symmetric 3×3


@dataclass(frozen=True)
class PointBasis:
    """The face model at L points.

    mean L×3 cm, unit normals L×3, identities L×3×I and expressions L×3×E as offsets in cm,
    confidence L.
    """

    mean: torch.Tensor
    normals: torch.Tensor
    identities: torch.Tensor
    expressions: torch.Tensor
    confidence: torch.Tensor

    def at(self, index: torch.Tensor | slice) -> PointBasis:
        """Take some of the points."""
        return PointBasis(*(getattr(self, f.name)[index] for f in fields(PointBasis)))

    def by_axis(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the expressions as 3L×E: all points' x, then y, then z."""
        return self._made('by_axis', dtype, self._by_axis)

    def products(self, dtype: torch.dtype) -> torch.Tensor:
        """Return what each entry of a symmetric 3×3 at a point adds to the weights' own block.

        6L×½E(E + 1): entries as PAIRS, point by point; the block's upper triangle, row by row.
        """
        return self._made('products', dtype, self._products)

    @cached_property
    def _cache(self) -> dict[tuple[str, torch.dtype], torch.Tensor]:
        return {}

    def _made(
        self, name: str, dtype: torch.dtype, make: Callable[[torch.dtype], torch.Tensor]
    ) -> torch.Tensor:
        if (name, dtype) not in self._cache:
            self._cache[name, dtype] = make(dtype)
        return self._cache[name, dtype]

    def _by_axis(self, dtype: torch.dtype) -> torch.Tensor:
        return self.expressions.movedim(1, 0).flatten(0, 1).to(dtype)

    def _products(self, dtype: torch.dtype) -> torch.Tensor:
        points, _, count = self.expressions.shape
        row, column = torch.triu_indices(count, count)
        first, second = (self.expressions[..., k].movedim(1, 0).to(dtype) for k in (row, column))
        out = torch.empty(len(PAIRS), points, len(row), dtype=dtype)
        for n, (i, j) in enumerate(PAIRS):
            torch.mul(first[i], second[j], out=out[n])
            if i != j:
                out[n].addcmul_(first[j], second[i])
        return out.flatten(0, 1)


def as_tensor(a: np.ndarray) -> torch.Tensor:
    """Make a float64 tensor of an array; no copy where none is needed."""
    return torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)


def landmark_basis(
    model: FaceModel, landmarks: ModelLandmarks, mouth_response: float = 0.0
) -> PointBasis:
    """Sample the model's bases at the 478 landmarks; expressions as the detector sees them.

    mouth_response: see TrackOptions
    """
    response = landmarks.response + mouth_response * landmarks.mouth_response
    normals = landmarks.on(
        vertex_normals(model.neutral.astype(np.float64), triangulate(model.faces))
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointBasis(
        as_tensor(landmarks.on(model.neutral)),
        as_tensor(normals),
        as_tensor(np.moveaxis(landmarks.on(model.identities), 0, -1)),
        as_tensor(np.moveaxis(landmarks.on(model.tracked.expressions) + response, 0, -1)),
        as_tensor(landmarks.confidence),
    )


def basis_at(model: FaceModel, vertex: np.ndarray) -> PointBasis:
    """Take the model's bases at some of its vertices."""
    normals = vertex_normals(model.neutral.astype(np.float64), triangulate(model.faces))[vertex]
    return PointBasis(
        as_tensor(model.neutral[vertex]),
        as_tensor(normals),
        as_tensor(np.moveaxis(model.identities[:, vertex], 0, -1)),
        as_tensor(np.moveaxis(model.tracked.expressions[:, vertex], 0, -1)),
        torch.ones(len(vertex), dtype=DTYPE),
    )


def basis_of(model: FaceModel, matrix: sparse.csr_matrix) -> PointBasis:
    """Mix the model's bases at N mixtures of its vertices, N×V; their normals are 0."""

    def mixed(offsets: np.ndarray) -> torch.Tensor:
        rows = np.stack([matrix @ one.astype(np.float64) for one in offsets], -1)
        return torch.as_tensor(rows, dtype=DTYPE)

    mean = torch.as_tensor(matrix @ model.neutral.astype(np.float64), dtype=DTYPE)
    return PointBasis(
        mean,
        torch.zeros_like(mean),
        mixed(model.identities),
        mixed(model.tracked.expressions),
        torch.ones(len(mean), dtype=DTYPE),
    )


def concatenated(bases: Sequence[PointBasis]) -> PointBasis:
    """Put some bases' points one after the other."""
    return PointBasis(
        *(torch.cat([getattr(one, f.name) for one in bases]) for f in fields(PointBasis))
    )
