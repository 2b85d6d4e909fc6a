"""What a landmark detector must supply: networks that take square RGB crops. No network in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CropLandmarks:
    """What a landmark network sees in a crop.

    points: N×3, x and y in units of the crop's side from its top-left corner, z in the same unit,
        nearer is less.
    presence: the network's own score in [0, 1] that the crop shows a face.
    confidence: N in [0, 1], how sure the network is of each landmark; None where it does not say.
    """

    points: np.ndarray
    presence: float
    confidence: np.ndarray | None = None


@dataclass(frozen=True)
class CropFace:
    """A face, or a palm, that a detector sees in a square picture, in units of its side.

    score: in [0, 1].
    box: x, y, width, height.
    keypoints: of a face 4×2 or more: the person's right eye, left eye, nose tip, mouth.
    """

    score: float
    box: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True)
class CropHand:
    """What a hand network sees in a crop.

    joints: 21×2, in units of the crop's side from its top-left corner: the wrist, then four joints
        of each finger from the thumb to the little one, the nearest to the wrist first.
    presence: in [0, 1], the network's own score that the crop shows a hand.
    """

    joints: np.ndarray
    presence: float


@dataclass(frozen=True)
class HandNetworks:
    """The two networks that find hands, each with the side in pixels of the crop it takes.

    palms: square picture → palms as faces are found (keypoints: wrist, knuckles of the index, the
        middle, … finger), best first.
    hand: crop of one hand, its fingers up → its joints.
    """

    palms: Callable[[np.ndarray], list[CropFace]]
    palms_size: int
    hand: Callable[[np.ndarray], CropHand]
    hand_size: int


@dataclass(frozen=True)
class FaceNetworks:
    """The three networks of a detector, each with the side in pixels of the crop it takes.

    landmarks: S×S×3 uint8 RGB crop of one face → its landmarks.
    wide: square picture → its faces of any size, best first.
    near: crop that a face fills to a good part → its faces, best first; knows nothing of the
        landmarks, and so tells whether to believe them.
    """

    landmarks: Callable[[np.ndarray], CropLandmarks]
    landmarks_size: int
    wide: Callable[[np.ndarray], list[CropFace]]
    wide_size: int
    near: Callable[[np.ndarray], list[CropFace]]
    near_size: int
