"""How far lips and lids stand apart, as the detector sees it: evidence for the solver.

Its inner-lip landmarks are bound to a model whose mouth is open (face_model/landmarks.py),
millimetres outside of where shut lips meet: as places they say little of a shut mouth. Their
distance does: on captures/dev it is that of the inner rims of the true lips, slope 1.0, offset
−.025 and standard deviation .025 of the face's RMS radius (three views of four). Lids it sees
rather too open than too shut: their distance is only a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import sparse

from ..annotate.landmarks import ModelLandmarks
from ..face_model.model import FaceModel
from ..face_model.pieces import CONTOURS, inner_contours, slit_contours
from ..footage.detector.landmark_sets import between_corners, landmark_sets, resting_face
from ..footage.masks import MOUTH_CORNERS
from .part_points import along_contour
from .picture_term import JointRows, PictureTerm, PixelQuadratic
from .point_basis import DTYPE
from .state import ViewLandmarks

NOISE = 0.025  # of the face's RMS radius: standard deviation of a pair's distance
ROBUST = 3.0  # of that: Cauchy's scale
INSIDE = 0.1  # of a slit's width: nearer to a corner no pair is taken
SLITS = {
    'mouth': ('inner_lip', MOUTH_CORNERS),
    'eye_R': ('right_eye', (33, 133)),
    'eye_L': ('left_eye', (362, 263)),
}  # loop of landmarks, its corners from the person's right


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs of landmarks across slits, and the model's points on the rims where they lie.

    upper, lower: N landmarks each. corners: N×2 landmarks, of their slits.
    matrix: 2N×V, the model's points, first the upper ones.
    rest: N cm that they stand apart on the neutral mean, for lips.
    limit: N bool, no further apart than seen, that is all.
    """

    upper: np.ndarray
    lower: np.ndarray
    corners: np.ndarray
    matrix: sparse.csr_matrix
    rest: np.ndarray
    limit: np.ndarray


@lru_cache(maxsize=4)
def slit_chains(slit: str) -> tuple[np.ndarray, np.ndarray]:
    """(upper, lower) landmarks of a slit from corner to corner, the corners left out."""
    name, corners = SLITS[slit]
    one, other = (way[1:-1] for way in between_corners(landmark_sets()[name], corners))
    height = resting_face()[:, 1]
    return (one, other) if height[one].mean() < height[other].mean() else (other, one)


def find_pairs(model: FaceModel, landmarks: ModelLandmarks) -> Pairs:
    """Each pair where its landmarks lie along the neutral's slit."""
    v, found = model.neutral.astype(np.float64), []
    for slit, (_, ends) in SLITS.items():
        upper, lower = slit_chains(slit)
        contours = inner_contours(model) if slit == 'mouth' else slit_contours(model, slit)
        marks = CONTOURS[slit][0][0]
        corners = model.landmarks68[[marks[0], marks[-1]]]
        axis = v[corners[1]] - v[corners[0]]
        along = ((landmarks.on(v)[[upper, lower]].mean(0) - v[corners[0]]) @ axis) / (axis @ axis)
        kept = (along > INSIDE) & (along < 1 - INSIDE)
        rims = [along_contour(model, contour, corners, along[kept]) for contour in contours]
        rest = np.linalg.norm(rims[1] @ v - rims[0] @ v, axis=1) * (slit == 'mouth')
        found.append(
            (
                upper[kept],
                lower[kept],
                np.tile(ends, (kept.sum(), 1)),
                *rims,
                rest,
                np.full(kept.sum(), slit != 'mouth'),
            )
        )
    upper, lower, ends, high, low, rest, limit = zip(*found)
    join = np.concatenate
    return Pairs(
        join(upper),
        join(lower),
        join(ends),
        sparse.vstack([*high, *low]).tocsr(),
        join(rest),
        join(limit),
    )


@dataclass(frozen=True)
class GapTerm(PictureTerm):
    """Lips and lids stand as far apart as their landmarks do.

    ½ Σ w (distance − seen)², the direction across frozen.
    """


def gap_quadratic(
    pairs: Pairs,
    landmarks: ViewLandmarks,
    at: torch.Tensor,
    depth: torch.Tensor,
    focal: float,
    weight: float,
) -> PixelQuadratic:
    """Make a GapTerm's quadratic, see gap_rows."""
    n, points = at.shape[:2]
    index = torch.arange(points)
    rows, residual = gap_rows(pairs, landmarks, at, depth, focal, weight)
    of_pictures = tuple(torch.as_tensor(rows))
    joint = (JointRows(index, (index,) * n, of_pictures, torch.as_tensor(residual)),)
    blank = torch.zeros(n, points, 2, dtype=DTYPE), torch.zeros(n, points, 2, 2, dtype=DTYPE)
    return PixelQuadratic(landmarks.node, landmarks.between, at, *blank, joint)


def gap_rows(
    pairs: Pairs,
    view_landmarks: ViewLandmarks,
    at: torch.Tensor,
    depth: torch.Tensor,
    focal: float,
    weight: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Make rows n×N×2N×2 by the pixels of the model's points in n pictures, and residual n×N.

    As a PixelQuadratic's `joint`. at n×2N×2, depth n×2N cm: where the model's points lay.

    A distance is taken square to the line between the slit's corners. A mouth seen shut asks for
    no less than the neutral's own gap.
    """
    seen, rims, n = view_landmarks.pixels.numpy(), at.numpy(), len(pairs.upper)
    across = seen[:, pairs.corners[:, 1]] - seen[:, pairs.corners[:, 0]]
    down = (
        np.stack([-across[..., 1], across[..., 0]], -1)
        / np.maximum(np.linalg.norm(across, axis=-1), 1e-9)[..., None]
    )
    target = (down * (seen[:, pairs.lower] - seen[:, pairs.upper])).sum(2)
    target = np.maximum(target, pairs.rest * focal / depth.numpy().mean(1, keepdims=True))
    noise = NOISE * view_landmarks.size.numpy()[:, None]
    residual = ((down * (rims[:, n:] - rims[:, :n])).sum(2) - target) / noise
    trust = np.minimum(
        view_landmarks.trust.numpy()[:, pairs.upper], view_landmarks.trust.numpy()[:, pairs.lower]
    ) * ~(pairs.limit & (residual < 0))
    root = np.sqrt(weight * trust / (1 + (residual / ROBUST) ** 2))
    rows = np.zeros((len(seen), n, 2 * n, 2))
    each = np.arange(n)
    rows[:, each, each + n] = (root / noise)[..., None] * down
    rows[:, each, each] = -rows[:, each, each + n]
    return rows, root * residual
