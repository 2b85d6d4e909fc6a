"""What one picture shows of a head, texel by texel: colours, and how far they are to be trusted.

All colours here are linear, display = linear^(1/2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..face_model.paint import iris_vertices, visible_faces
from ..face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..render.rasterise import project, rasterise
from .layout import TexelLayout

GAMMA = 2.2
LINEAR = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)  # of each display value
TEXEL_DEPTH_TOLERANCE = 0.15  # cm behind what is drawn, within which a point is the one drawn
JUMP = 0.6  # cm of depth between neighbouring pixels: a silhouette
TEXEL_TRUST_COSINES = 0.25, 0.85  # to the camera: between them a texel's worth grows from 0 to 1
EDGE = 0.012  # of the face's width in the picture: how near to a silhouette nothing is taken
MISTAKEN = 0.1  # worth of a texel that the picture's masks give to a neighbouring part
LEAST_TRUST = 1e-3  # texels that count less are left out


@dataclass(frozen=True)
class PosedPicture:
    """A picture with the head it shows.

    view: its number
    vertices: V×3 cm in the camera's space, y scaled by its aspect; normals: V×3, world
    focal, centre: px
    picture: H×W×3 uint8 RGB, undistorted
    labels: H×W, of its parts (`segment_parts`)
    """

    view: int
    vertices: np.ndarray
    normals: np.ndarray
    focal: float
    centre: tuple[float, float]
    picture: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class TexelSamples:
    """What one picture shows.

    view: its number
    texel: n int32; colour: n×3 float16, linear; trust: n float32
    normals: V×3 float32, the head's, world
    iris: k×6 float32: of the points seen of both irises the colour (linear) and the normal (world)
    """

    view: int
    texel: np.ndarray
    colour: np.ndarray
    trust: np.ndarray
    normals: np.ndarray
    iris: np.ndarray


def sample_texels(
    model: FaceModel, layout: TexelLayout, parts: np.ndarray, posed: PosedPicture
) -> TexelSamples:
    """Take what a picture shows of a head.

    What its masks call other (hair, hands, glasses, backdrop) is not taken.

    parts: V, the model's (`model_parts`)
    """
    vertices, labels, triangles = posed.vertices, posed.labels, triangulate(model.faces)
    size = posed.picture.shape[1::-1]
    seen = triangulate(model.faces[visible_faces(model)])
    depth = rasterise(vertices, seen, posed.focal, posed.centre, size)[2]
    facing = -(vertex_normals(vertices, triangles) * vertices).sum(1)
    facing = facing / np.linalg.norm(vertices, axis=1)
    at = project(vertices, posed.focal, posed.centre)
    usable = (
        (facing > TEXEL_TRUST_COSINES[0])
        & (vertices[:, 2] > 1)
        & (at > 1).all(1)
        & (at < np.array(size) - 1).all(1)
    )
    texel = np.flatnonzero(usable[layout.corner].all(1))
    corner, weight = layout.corner[texel], layout.weight[texel].astype(np.float64)

    def on_texels(values: np.ndarray) -> np.ndarray:
        return sum(weight[:, k, None] * values[corner[:, k]] for k in range(3))

    point = on_texels(vertices)
    place = project(point, posed.focal, posed.centre)
    x, y = place.astype(int).T
    allowed = _away_from_edges(np.where(np.isfinite(depth), depth, 1e3).astype(np.float32), labels)
    mine = parts[corner[np.arange(len(corner)), weight.argmax(1)]]
    low, high = TEXEL_TRUST_COSINES
    trust = AGREEMENT[mine, labels[y, x]] * (
        allowed[y, x] & (point[:, 2] < depth[y, x] + TEXEL_DEPTH_TOLERANCE)
    )
    trust *= np.clip((on_texels(facing[:, None])[:, 0] - low) / (high - low), 0, 1) ** 2
    counts = trust > LEAST_TRUST
    return TexelSamples(
        posed.view,
        texel[counts].astype(np.int32),
        _colours_at(posed.picture, place[counts]),
        trust[counts].astype(np.float32),
        posed.normals.astype(np.float32),
        _iris_samples(model, posed, at, usable, depth),
    )


def _iris_samples(
    model: FaceModel, posed: PosedPicture, at: np.ndarray, usable: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """Take k×6 float32 colours and normals of the irises' vertices seen in eyes' masks.

    at: V×2 px; usable: V bool; depth: H×W cm of what is drawn.
    """
    iris = np.concatenate([iris_vertices(model, side) for side in 'LR'])
    iris = iris[usable[iris]]
    x, y = at[iris].astype(int).T
    in_front = posed.vertices[iris, 2] < depth[y, x] + TEXEL_DEPTH_TOLERANCE
    iris = iris[np.isin(posed.labels[y, x], (LEFT_EYE, RIGHT_EYE)) & in_front]
    colours = _colours_at(posed.picture, at[iris])
    return np.concatenate([colours, posed.normals[iris]], 1).astype(np.float32)


def _agreement() -> np.ndarray:
    """Weigh a texel of each part of the model where the picture shows each part: 9×9."""
    out = np.zeros((9, 9))
    soft = (SKIN, NOSE, LEFT_BROW, RIGHT_BROW, UPPER_LIP, LOWER_LIP)
    out[np.ix_(soft, soft)] = MISTAKEN
    alone = ((UPPER_LIP,), (LOWER_LIP,), (LEFT_BROW,), (RIGHT_BROW,), (LEFT_EYE,), (RIGHT_EYE,))
    for group in ((SKIN, NOSE), *alone):
        out[np.ix_(group, group)] = 1
    return out


AGREEMENT = _agreement()


def _away_from_edges(depth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Find the face's pixels (H×W bool) near neither a silhouette nor its mask's outline."""
    face = (labels > 0).astype(np.uint8)
    columns = np.flatnonzero(face.any(0))
    if not len(columns):
        return face > 0
    near = max(1, round(EDGE * float(columns[-1] - columns[0])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * near + 1,) * 2)
    three = np.ones((3, 3), np.uint8)
    jump = ((cv2.dilate(depth, three) - cv2.erode(depth, three)) > JUMP).astype(np.uint8)
    outlines, _ = cv2.findContours(face, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(face), outlines, -1, 1, cv2.FILLED)
    return (cv2.erode(whole, disc, borderValue=0) > 0) & (cv2.dilate(jump, disc) == 0)


def _colours_at(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Sample n×3 float16 linear colours at n×2 pixels (corner origin), bilinear."""
    low = np.floor(place - 0.5).astype(int)
    u = place - 0.5 - low
    out = np.zeros((len(place), 3), np.float32)
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - u[:, 0]) * np.abs(1 - dy - u[:, 1])
            x = np.clip(low[:, 0] + dx, 0, picture.shape[1] - 1)
            y = np.clip(low[:, 1] + dy, 0, picture.shape[0] - 1)
            out += share[:, None].astype(np.float32) * LINEAR[picture[y, x]]
    return out.astype(np.float16)
