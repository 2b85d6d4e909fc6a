"""PRDL (papers/4) as evidence for the solver: part masks found in the frames, or given, against the projected parts of the model.

At the paper's 224² grid over the face's crop; nearest and furthest on every STRIDE-th anchor, the mean on every MEAN_STRIDE-th (prdl.gauss_newton).
The skin is left out, other than in the paper: the masks' ends at the detector's oval, the mesh's at the ears.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

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
from .options import StandardOptions
from .part_points import OutlinePoints, PartPoints, outlines_seen, part_points, seen
from .photometric import SIZE, Drawn, Pictures, sampled
from .prdl import MaskSide, gauss_newton, mask_side

GRID = 224  # pixels: side of the picture PRDL is taken in (papers/4)
STRIDE, MEAN_STRIDE = 4, 16
MASK_POINTS = 400  # of a mask, farthest-first
FEWEST = 12  # pixels of the grid: a mask with fewer weighs nothing
SCALE = GRID / SIZE


@dataclass(frozen=True)
class Masks:
    """n frames' masks of the eight parts (label − 1), as PRDL takes them; labels n×GRID×GRID uint8."""

    sides: tuple[tuple[MaskSide, ...], ...]
    labels: np.ndarray


def used_points(model: FaceModel, options: StandardOptions) -> PartPoints:
    """The model's points of each part but the skin."""
    points = part_points(model, options.part_points, 1)
    own = points.part != SKIN
    return PartPoints(points.matrix[own], points.part[own], points.gap[own])


def find_masks(
    pictures: Pictures, landmarks: np.ndarray, confidence: np.ndarray, own: UserMasks | None = None
):
    """Masks of every row (landmarks n×478×2 px of the picture, confidence n×478); own masks take the place of what is found. Yields fractions, and last the Masks. The forehead above the brows is left out, as in the paper."""
    sides, all_labels = [], np.zeros((len(pictures.frames), GRID, GRID), np.uint8)
    for row in range(len(pictures.frames)):
        crop_landmarks = pictures.inside(row, landmarks[row].astype(np.float64))
        if own is None:
            labels = segment_parts(
                pictures.crops[row], crop_landmarks, confidence[row], forehead=False
            )
        else:
            window = pictures.windows[row]
            step = window.side / SIZE
            matrix = np.array(
                [
                    [step, 0, window.centre[0] - window.side / 2 + 0.5 * step - 0.5],
                    [0, step, window.centre[1] - window.side / 2 + 0.5 * step - 0.5],
                ]
            )
            labels = cv2.warpAffine(
                own.read(int(pictures.frames[row])),
                matrix,
                (SIZE, SIZE),
                flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            )
        labels = cv2.resize(labels, (GRID, GRID), interpolation=cv2.INTER_NEAREST)
        all_labels[row] = labels
        masks = [labels == k for k in range(1, len(PARTS))]
        sides.append(
            tuple(
                mask_side(m if m.sum() >= FEWEST else np.zeros_like(m), MASK_POINTS) for m in masks
            )
        )
        yield (row + 1) / len(pictures.frames)
    yield Masks(tuple(sides), all_labels)


def part_terms(
    points: PartPoints,
    outlines: OutlinePoints,
    triangles: np.ndarray,
    masks: Masks,
    row: int,
    drawn: Drawn,
    scale: float,
    aspect: float,
    robust: float,
    options: StandardOptions,
) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """One picture's gradient P×2, curvature P×2×2 and means [(index, rows R×N×2, residual R)] by undistorted pixels (see state.Evidence)."""
    vertices = drawn.vertices.astype(np.float64)
    normals, at = vertex_normals(vertices, triangles), points.matrix @ vertices
    pixels = (at[:, :2] / at[:, 2:] * drawn.focal + np.asarray(drawn.centre)) * SCALE
    visible = seen(points, vertices, normals, drawn.depth, drawn.focal, drawn.centre)
    importance = {
        UPPER_LIP: options.lips,
        LOWER_LIP: options.lips,
        LEFT_EYE: options.eyes,
        RIGHT_EYE: options.eyes,
        LEFT_BROW: options.brows,
        RIGHT_BROW: options.brows,
    }
    by = scale * SCALE * np.array([1.0, aspect])
    gradient, curvature, means = np.zeros((len(at), 2)), np.zeros((len(at), 2, 2)), []
    for part, side in enumerate(masks.sides[row], 1):
        own = points.part == part
        index = np.flatnonzero(visible & own)
        if len(index) < 3 or not len(side.points):
            continue
        terms = gauss_newton(pixels[index], side, STRIDE, MEAN_STRIDE)
        seen_share = len(index) / own.sum()  # of a part half turned away the mask is a guess
        weight = (
            options.parts
            * importance.get(part, 1.0)
            * seen_share**options.hidden
            / (1 + terms.cost / robust)
        )
        gradient[index] = weight * terms.gradient * by
        curvature[index] = weight * terms.curvature * (by[:, None] * by)
        means.append((index, weight**0.5 * terms.rows * by, weight**0.5 * terms.residual))
    if options.outlines:
        more = outline_terms(
            outlines, vertices, normals, masks.labels[row], drawn, by, importance, options
        )
        gradient, curvature = (
            np.concatenate([gradient, more[0]]),
            np.concatenate([curvature, more[1]]),
        )
    return gradient, curvature, means


def outline_terms(
    points: OutlinePoints,
    vertices: np.ndarray,
    normals: np.ndarray,
    labels: np.ndarray,
    drawn: Drawn,
    by: np.ndarray,
    importance: dict[int, float],
    options: StandardOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient P×2 and curvature P×2×2 of the outlines' distances from those of the masks: each point's along the mask's own normal."""
    at = points.matrix @ vertices
    pixels = (at[:, :2] / at[:, 2:] * drawn.focal + np.asarray(drawn.centre)) * SCALE
    visible = outlines_seen(points, vertices, normals, drawn.depth, drawn.focal, drawn.centre)
    gradient, curvature = np.zeros((len(at), 2)), np.zeros((len(at), 2, 2))
    for part in np.unique(points.part):
        own, mask = points.part == part, labels == part
        index = np.flatnonzero(own & visible)
        if len(index) < 3 or mask.sum() < FEWEST:
            continue
        distance = np.where(
            mask,
            cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) - 0.5,
            0.5 - cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5),
        )
        distance = cv2.GaussianBlur(distance.astype(np.float32), (0, 0), 1.0)
        value, normal = (
            a[:, 0].astype(np.float64)
            for a in sampled(distance, pixels[index], cv2.BORDER_REPLICATE)
        )
        seen_share = len(index) / own.sum()
        weight = (
            options.outlines
            * importance.get(int(part), 1.0)
            * seen_share**options.hidden
            / len(index)
            / (1 + (value / options.outline_robust) ** 2) ** 2
        )
        gradient[index] = (weight * value)[:, None] * normal * by
        curvature[index] = (
            weight[:, None, None] * normal[:, :, None] * normal[:, None] * (by[:, None] * by)
        )
    return gradient, curvature
