"""Which point of a face model's surface each texel of its texture is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.errors import FacewrightError
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..geometry.polygons import triangulate
from ..render.rasterise import rasterise

MOST_TAKEN = 0.5  # of its texels: a material that lies so far over an earlier one's gets none


@dataclass(frozen=True)
class TexelLayout:
    """The N texels of a square texture that lie on the surface.

    size: of the texture, px
    place: N int64, row·size + column, row 0 at the top, v up
    corner: N×3 int32 vertices; weight: N×3 float32, theirs
    materials: numbers of those the texture belongs to (others share its room, as ICT's eyes do the
        face's)
    """

    size: int
    place: np.ndarray
    corner: np.ndarray
    weight: np.ndarray
    materials: tuple[int, ...]

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Interpolate V×… vertices' values at the texels: N×…."""
        return sum(self.weight[:, k, None] * values[self.corner[:, k]] for k in range(3))

    def at_vertices(
        self, values: np.ndarray, known: np.ndarray, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Average the texels' values (N×3) round each of `count` vertices, weighed by known N.

        Returns (count×3 means, count: known's mean).
        """
        weight, total, seen = np.zeros(count), np.zeros(count), np.zeros((count, 3))
        for k in range(3):
            corner, share = self.corner[:, k], self.weight[:, k].astype(np.float64)
            total += np.bincount(corner, share, count)
            weight += np.bincount(corner, share * known, count)
            seen += np.stack(
                [np.bincount(corner, share * known * values[:, c], count) for c in range(3)], 1
            )
        return seen / np.maximum(weight, 1e-9)[:, None], weight / np.maximum(total, 1e-9)


def make_layout(model: FaceModel, size: int) -> TexelLayout:
    """Lay a model's surface out on a square texture of `size` pixels.

    A material whose UVs lie outside 0..1 or over an earlier one's is left to vertex colours.
    Raises FacewrightError where no UVs lie between 0 and 1.
    """
    triangle_of = np.full(size * size, -1, np.int32)
    weights, materials = np.zeros((size * size, 3), np.float32), []
    faces, uvs = triangulate(model.faces), triangulate(model.face_uvs)
    quads = model.faces[:, 3] >= 0
    material = np.concatenate([model.face_materials, model.face_materials[quads]])
    seen = np.concatenate([visible_faces(model), visible_faces(model)[quads]])
    flat = np.concatenate([model.uvs * (1, -1) * size + (0, size), np.ones((len(model.uvs), 1))], 1)
    for k in range(len(model.materials)):
        own = np.flatnonzero((material == k) & seen)
        if not len(own) or not _within_texture(model, uvs[own]):
            continue
        triangle, barycentric, _ = rasterise(flat, uvs[own], 1.0, (0.0, 0.0), (size, size))
        drawn = np.flatnonzero(triangle.ravel() >= 0)
        if not len(drawn) or (triangle_of[drawn] >= 0).mean() > MOST_TAKEN:
            continue
        drawn = drawn[triangle_of[drawn] < 0]
        triangle_of[drawn] = own[triangle.ravel()[drawn]]
        weights[drawn] = barycentric.reshape(-1, 3)[drawn]
        materials.append(k)
    place = np.flatnonzero(triangle_of >= 0)
    if not len(place):
        raise FacewrightError(
            f'The face model {model.source or model.name} has no UVs between 0 and 1: use '
            'ICT-FaceKit or the built-in head.'
        )
    return TexelLayout(size, place, faces[triangle_of[place]], weights[place], tuple(materials))


def _within_texture(model: FaceModel, uvs: np.ndarray) -> bool:
    """Tell whether triangles' UVs (indices) are there and lie between 0 and 1."""
    return not ((uvs < 0).any() or model.uvs[uvs].min() < 0 or model.uvs[uvs].max() > 1)
