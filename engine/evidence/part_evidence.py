"""Part masks, found in the frames or given, against the projected parts of a model (PRDL).

At papers/4's 224² grid over the face's crop; nearest and furthest on every STRIDE-th anchor, the
mean on every MEAN_STRIDE-th (prdl.gauss_newton). The skin is left out, other than in the paper:
the masks' ends at the detector's oval, the mesh's at the ears.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np

from ..core.threads import map_in_threads
from ..face_model.model import FaceModel
from ..face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    PARTS,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ..footage.masks import UserMasks, segment_parts
from ..geometry.normals import vertex_normals
from .appearance import Drawn, sampled
from .options import StandardOptions
from .part_points import OutlinePoints, PartPoints, outlines_seen, part_points, seen
from .picture_term import PictureTerm
from .pictures import SIZE, Pictures, ViewPictures
from .prdl import MaskSide, gauss_newton, mask_side

GRID = 224  # pixels: side of the picture PRDL is taken in (papers/4)
STRIDE, MEAN_STRIDE = 4, 16
MEANS = 32  # rows that stand for the mean's 196 anchors
MASK_POINTS = 400  # of a mask, farthest-first
FEWEST = 12  # pixels of the grid: a mask with fewer weighs nothing
SCALE = GRID / SIZE


@dataclass(frozen=True)
class Masks:
    """n frames' masks of the eight parts (label − 1), as PRDL takes them.

    labels n×GRID×GRID uint8. The skin's side is empty.
    """

    sides: tuple[tuple[MaskSide, ...], ...]
    labels: np.ndarray


def used_points(model: FaceModel, options: StandardOptions) -> PartPoints:
    """The model's points of each part but the skin."""
    points = part_points(model, options.part_points, 1)
    own = points.part != SKIN
    return PartPoints(points.matrix[own], points.part[own], points.gap[own])


def _own_labels(pictures: Pictures, row: int, own: UserMasks) -> np.ndarray:
    """Cut the user's labels of a row out as its crop is: SIZE×SIZE uint8."""
    window = pictures.windows[row]
    step = window.side / SIZE
    matrix = np.array(
        [
            [step, 0, window.centre[0] - window.side / 2 + 0.5 * step - 0.5],
            [0, step, window.centre[1] - window.side / 2 + 0.5 * step - 0.5],
        ]
    )
    return cv2.warpAffine(
        own.read(int(pictures.frames[row])),
        matrix,
        (SIZE, SIZE),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )


def find_masks(
    pictures: Pictures, landmarks: np.ndarray, confidence: np.ndarray, own: UserMasks | None = None
) -> Iterator[float | Masks]:
    """Find the masks of every row; a generator of the fraction done, and last of the Masks.

    landmarks: n×478×2 px of the picture; confidence n×478. own: masks that take the place of what
    is found. The forehead above the brows is left out, as in the paper. A picture a thread.
    """
    count = len(pictures.frames)
    sides, all_labels = [], np.zeros((count, GRID, GRID), np.uint8)

    def one(row: int) -> tuple[np.ndarray, tuple[MaskSide, ...]]:
        crop_landmarks = pictures.inside(row, landmarks[row].astype(np.float64))
        if own is None:
            labels = segment_parts(
                pictures.crops[row], crop_landmarks, confidence[row], forehead=False
            )
        else:
            labels = _own_labels(pictures, row, own)
        labels = cv2.resize(labels, (GRID, GRID), interpolation=cv2.INTER_NEAREST)
        masks = [labels == k for k in range(1, len(PARTS))]
        compared = [k != SKIN and m.sum() >= FEWEST for k, m in enumerate(masks, 1)]
        return labels, tuple(
            mask_side(m if used else np.zeros_like(m), MASK_POINTS)
            for m, used in zip(masks, compared)
        )

    alone = (one(row) for row in range(min(count, 1)))  # it may have kernels to load
    found = chain(alone, map_in_threads(one, range(1, count)))
    for row, (labels, of_parts) in enumerate(found):
        all_labels[row] = labels
        sides.append(of_parts)
        yield (row + 1) / count
    yield Masks(tuple(sides), all_labels)


@dataclass(frozen=True)
class PartTerm(PictureTerm):
    """PRDL: what the nearest, furthest and mean distances to a part's mask say of its points.

    Nearest and furthest points are frozen.
    """


@dataclass(frozen=True)
class OutlineTerm(PictureTerm):
    """A part's outline lies on its mask's outline.

    ½ Σ w distance², the distance taken as linear along the mask's own normal.
    """


class PointQuadratic(NamedTuple):
    """One picture's part of a PixelQuadratic.

    gradient P×2, curvature P×2×2. joint: [(index N, shown, rows R×shown×2, residual R)], as
    JointRows has them; in every picture of the same points.
    """

    gradient: np.ndarray
    curvature: np.ndarray
    joint: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class MaskedPicture:
    """One picture's masks, and the head as it was drawn there.

    sides: of the eight parts (label − 1); labels GRID×GRID. vertices V×3 float64 and normals V×3
    in camera space;
    by: 2, pixels of the grid an undistorted pixel along x and y.
    """

    sides: tuple[MaskSide, ...]
    labels: np.ndarray
    drawn: Drawn
    vertices: np.ndarray
    normals: np.ndarray
    by: np.ndarray

    def on_grid(self, at: np.ndarray) -> np.ndarray:
        """P×3 in camera space → P×2 px of the grid."""
        drawn = self.drawn
        return (at[:, :2] / at[:, 2:] * drawn.focal + np.asarray(drawn.centre)) * SCALE

    @property
    def camera(self) -> tuple[np.ndarray, float, tuple[float, float]]:
        """Depth, focal and centre as `seen` takes them."""
        return self.drawn.depth, self.drawn.focal, self.drawn.centre


def masked_picture(
    masks: Masks, row: int, drawn: Drawn, triangles: np.ndarray, seen_in: ViewPictures
) -> MaskedPicture:
    """Put a row's masks beside the head drawn there."""
    vertices = drawn.vertices.astype(np.float64)
    normals = vertex_normals(vertices, triangles)
    by = seen_in.pictures.scale[row] * SCALE * np.array([1.0, seen_in.camera.aspect])
    return MaskedPicture(masks.sides[row], masks.labels[row], drawn, vertices, normals, by)


def importance(part: int, options: StandardOptions) -> float:
    """Say how much more than another a part counts."""
    return {
        UPPER_LIP: options.lips,
        LOWER_LIP: options.lips,
        LEFT_EYE: options.eyes,
        RIGHT_EYE: options.eyes,
        LEFT_BROW: options.brows,
        RIGHT_BROW: options.brows,
    }.get(part, 1.0)


def part_quadratic(
    points: PartPoints, picture: MaskedPicture, robust: float, options: StandardOptions
) -> PointQuadratic:
    """Make one picture's part of a PartTerm.

    robust: pixels² of the grid, further off than which a part counts less.
    """
    at = points.matrix @ picture.vertices
    pixels, by = picture.on_grid(at), picture.by
    visible = seen(points, picture.vertices, picture.normals, *picture.camera)
    gradient, curvature, joint = np.zeros((len(at), 2)), np.zeros((len(at), 2, 2)), []
    for part, side in enumerate(picture.sides, 1):
        own = np.flatnonzero(points.part == part)
        if not len(own):
            continue
        shown = np.flatnonzero(visible[own])
        index = own[shown]
        if len(index) < 3 or not len(side.points):
            joint.append((own, shown[:0], np.zeros((MEANS, 0, 2)), np.zeros(MEANS)))
            continue
        terms = gauss_newton(pixels[index], side, STRIDE, MEAN_STRIDE)
        seen_share = len(index) / len(own)  # of a part half turned away the mask is a guess
        weight = (
            options.parts
            * importance(part, options)
            * seen_share**options.hidden
            / (1 + terms.cost / robust)
        )
        gradient[index] = weight * terms.gradient * by
        curvature[index] = weight * terms.curvature * (by[:, None] * by)
        rows, residual = fewer_rows(terms.rows, terms.residual, MEANS)
        joint.append((own, shown, weight**0.5 * rows * by, weight**0.5 * residual))
    return PointQuadratic(gradient, curvature, joint)


def fewer_rows(rows: np.ndarray, residual: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Say nearly the same least squares with `count` rows: rows R×N×2, residual R.

    The distance from an anchor to a far point hardly differs from that of the anchor beside it:
    the rows lie in a space of few dimensions, which a fixed random mixture of their columns spans
    (Halko, Martinsson and Tropp, "Finding structure with randomness", 2011). What is left out of
    the residual no step changes.
    """
    flat = rows.reshape(len(rows), -1)
    mixture = np.random.default_rng(0).standard_normal((flat.shape[1], count))
    span = np.linalg.qr(flat @ mixture)[0]
    return (span.T @ flat).reshape(count, *rows.shape[1:]), span.T @ residual


def outline_quadratic(
    points: OutlinePoints, picture: MaskedPicture, options: StandardOptions
) -> PointQuadratic:
    """Make one picture's part of an OutlineTerm.

    Each point's distance from its mask's outline, along the mask's normal there.
    """
    at = points.matrix @ picture.vertices
    pixels, by = picture.on_grid(at), picture.by
    visible = outlines_seen(points, picture.vertices, picture.normals, *picture.camera)
    gradient, curvature = np.zeros((len(at), 2)), np.zeros((len(at), 2, 2))
    for part in np.unique(points.part):
        own, mask = points.part == part, picture.labels == part
        index = np.flatnonzero(own & visible)
        if len(index) < 3 or mask.sum() < FEWEST:
            continue
        value, normal = (
            a[:, 0].astype(np.float64)
            for a in sampled(signed_distance(mask), pixels[index], cv2.BORDER_REPLICATE)
        )
        seen_share = len(index) / own.sum()
        weight = (
            options.outlines
            * importance(int(part), options)
            * seen_share**options.hidden
            / len(index)
            / (1 + (value / options.outline_robust) ** 2) ** 2
        )
        gradient[index] = (weight * value)[:, None] * normal * by
        curvature[index] = (
            weight[:, None, None] * normal[:, :, None] * normal[:, None] * (by[:, None] * by)
        )
    return PointQuadratic(gradient, curvature, [])


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Measure how far each pixel lies within a mask, smoothed: H×W bool → H×W float32 px.

    Less than 0: outside of it.
    """
    distance = np.where(
        mask,
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) - 0.5,
        0.5 - cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5),
    )
    return cv2.GaussianBlur(distance.astype(np.float32), (0, 0), 1.0)
