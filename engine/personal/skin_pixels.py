"""Which point of a head's skin each pixel of a picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..render.rasterise import rasterise

LEAST_FACING = 0.25  # cosine to the camera: skin turned further away is not looked at
FULLY_FACING = 0.55  # from which on it counts in full
EDGE = 2  # px: so near to a silhouette nothing is looked at
WHITE = 247  # of 255: pixels in which a channel is brighter are overexposed


@dataclass(frozen=True, eq=False)
class SkinSurface:
    """A model's surface as it is drawn.

    triangles: T×3 int32; uvs: T×3×2 float32 of their corners
    followed: T bool, those of the face's skin; the rest only hides what is behind it
    """

    triangles: np.ndarray
    uvs: np.ndarray
    followed: np.ndarray


@dataclass(frozen=True)
class SkinPixels:
    """The n pixels of one picture that show skin well enough to be compared.

    place: row·width + column
    corner: n×3 int32 vertices; weight: n×3 float32, theirs
    uv: n×2 float32
    normal: n×3 float32, camera space, of unit length
    worth: n float32 in [0, 1], less where the skin turns away
    """

    place: np.ndarray
    corner: np.ndarray
    weight: np.ndarray
    uv: np.ndarray
    normal: np.ndarray
    worth: np.ndarray


def skin_surface(model: FaceModel) -> SkinSurface:
    """Take the surface of a model of which pictures show something."""
    faces = visible_faces(model)
    triangles = triangulate(model.faces[faces])
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions['narrow_face']] = True
    uvs = model.uvs[triangulate(model.face_uvs[faces])]
    return SkinSurface(triangles, uvs.astype(np.float32), skin[triangles].all(1))


def skin_pixels(
    surface: SkinSurface,
    points: np.ndarray,
    focal: float,
    centre: np.ndarray,
    colours: np.ndarray,
    face: np.ndarray,
) -> SkinPixels:
    """Find the pixels that show skin.

    points: V×3 cm, camera space
    focal, centre: px
    colours: H×W×3 uint8, the picture; face: H×W bool, where it may show the face
    """
    height, width = colours.shape[:2]
    triangle, barycentric, _ = rasterise(
        points, surface.triangles, focal, tuple(centre), (width, height)
    )
    skin = (triangle >= 0) & surface.followed[np.maximum(triangle, 0)]
    place = np.flatnonzero(skin)
    corner = surface.triangles[triangle.ravel()[place]]
    weight = barycentric.reshape(-1, 3)[place]
    normal, point = (
        _interpolated(values, corner, weight)
        for values in (vertex_normals(points, surface.triangles), points)
    )
    facing = -(normal * point).sum(1) / np.maximum(np.linalg.norm(point, axis=1), 1e-9)
    usable = np.zeros(skin.shape, np.uint8)
    usable.ravel()[place[facing > LEAST_FACING]] = 1
    usable[~face | (colours.max(2) >= WHITE)] = 0
    usable = cv2.erode(usable, np.ones((2 * EDGE + 1,) * 2, np.uint8), borderValue=(0,))
    keep = usable.ravel()[place] > 0
    uvs = surface.uvs[triangle.ravel()[place[keep]]]
    worth = (facing[keep] - LEAST_FACING) / (FULLY_FACING - LEAST_FACING)
    return SkinPixels(
        place[keep],
        corner[keep],
        weight[keep],
        (uvs * weight[keep][..., None]).sum(1).astype(np.float32),
        normal[keep].astype(np.float32),
        np.clip(worth, 0, 1).astype(np.float32),
    )


def _interpolated(values: np.ndarray, corner: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return (values[corner] * weight[..., None]).sum(1)
