"""How far a fit lies from the detector's landmarks, as a whole and region by region."""

from __future__ import annotations

import numpy as np

from ..footage.detector.landmark_sets import OUTER_EYE_CORNERS, face_regions, landmark_sets
from ..footage.footage import ViewObservations

SCORED = ('lips', 'left_eye', 'right_eye', 'left_brow', 'right_brow', 'nose')
BROW_MIDDLE, CHIN = 168, 152  # landmarks


def seen_eye_distance(seen: ViewObservations) -> np.ndarray:
    """Measure a view's faces: T px, the outer eye corners' distance of a head that faces it.

    It must not be shortened by turning: the larger of the corners' distance and .8 × the height
    from brow to chin is taken.
    """
    distance = np.linalg.norm(
        seen.points[:, OUTER_EYE_CORNERS[0]] - seen.points[:, OUTER_EYE_CORNERS[1]], axis=1
    )
    height = np.linalg.norm(seen.points[:, BROW_MIDDLE] - seen.points[:, CHIN], axis=1)
    return np.maximum(distance, 0.8 * height)


def reprojection_error(
    projected: np.ndarray, seen: ViewObservations
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the error T as a part of the outer-eye distance (NaN: no face), and that, T px."""
    distance = seen_eye_distance(seen)
    scored = np.unique(np.concatenate([landmark_sets()[name] for name in SCORED]))
    off = np.linalg.norm(projected[:, scored] - seen.points[:, scored], axis=2).mean(1)
    return np.where(seen.present, off / np.maximum(distance, 1e-6), np.nan), distance


def region_errors(projected: np.ndarray, seen: ViewObservations) -> dict[str, np.ndarray]:
    """Measure each region of the face: {region: T}, its landmarks' mean distance as a part of the
    outer-eye distance.

    NaN where no face was seen. Along the jaw only the distance across the outline counts: its
    landmarks have no place of their own along it.
    """
    distance, out = np.maximum(seen_eye_distance(seen), 1e-6), {}
    off = projected - seen.points
    for region, marks in face_regions().items():
        if region == 'jaw':
            along = seen.points[:, marks[2:]] - seen.points[:, marks[:-2]]
            along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
            inner = off[:, marks[1:-1]]
            length = np.abs(along[..., 0] * inner[..., 1] - along[..., 1] * inner[..., 0])
        else:
            length = np.linalg.norm(off[:, marks], axis=2)
        out[region] = np.where(seen.present, length.mean(1) / distance, np.nan)
    return out
