"""The parts of the face that is known to be at some place of a picture."""

from __future__ import annotations

import numpy as np

from ..crops import Crop
from ..detector import detect_image
from .segment import segment_parts

OUTER_EYES = 36, 45  # of the 68 Multi-PIE landmarks: the person's right and left
ROOM = 1.15 * 1.5  # crop side per longer side of the box of the 68, which leave out the forehead
# Of the face's side: landmarks this far from where the face should be are another's, or the fit is
# wrong.
ELSEWHERE = 0.2


def segment_parts_at(picture: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """Label the parts of the face at a known place; None where it is not seen there.

    picture: H×W×3 uint8 RGB.
    expected: 68×2, pixels at which its 68 Multi-PIE landmarks should be.
    Returns H×W uint8 labels, as `segment_parts`.
    """
    if not np.isfinite(expected).all():
        return None
    eyes = expected[OUTER_EYES[1]] - expected[OUTER_EYES[0]]
    low, high = expected.min(0), expected.max(0)
    side = float((high - low).max())
    if side < 8:
        return None
    crop = Crop(tuple((low + high) / 2), ROOM * side, float(np.arctan2(eyes[1], eyes[0])))
    faces = detect_image(picture, expected=crop, windows=())
    if not faces:
        return None
    face = faces[0]
    shift = np.linalg.norm(np.asarray(face.square.centre) - (low + high) / 2)
    if shift > ELSEWHERE * side + 0.1 * face.square.side:
        return None
    return segment_parts(picture, face.landmarks[:, :2], face.confidence)
