"""The parts of the face that is known to be at some place of a picture."""

from __future__ import annotations

import numpy as np

from ..detector.crops import Crop
from ..detector.looking import MARGIN, crop_around, refined
from ..detector.visibility import confidence
from .part_masks import frame_parts

OUTER_EYES = 36, 45  # of the 68 Multi-PIE landmarks: the person's right and left
ELSEWHERE = 0.2  # of the face's side: landmarks this far from where the face should be are another's, or the fit is wrong


def parts_at(picture: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """H×W uint8 labels (`part_masks.frame_parts`) of the face whose 68 Multi-PIE landmarks are expected at 68×2 px; None where it is not seen there."""
    if not np.isfinite(expected).all():
        return None
    eyes = expected[OUTER_EYES[1]] - expected[OUTER_EYES[0]]
    low, high = expected.min(0), expected.max(0)
    side = float((high - low).max())
    face = (
        refined(
            picture,
            Crop(
                tuple((low + high) / 2), 1.15 * MARGIN * side, float(np.arctan2(eyes[1], eyes[0]))
            ),
        )
        if side >= 8
        else None
    )
    if face is None:
        return None
    there = crop_around(face.points, 1.0)
    if (
        np.linalg.norm(np.asarray(there.centre) - (low + high) / 2)
        > ELSEWHERE * side + 0.1 * there.side
    ):
        return None
    return frame_parts(picture, face.points[:, :2], confidence(face, picture.shape[1::-1]))
