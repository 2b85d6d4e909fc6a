"""One face, one picture: the landmark network on crops, and how far to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..crops import Crop, cut
from . import landmark_sets
from .landmark_sets import COUNT, OUTER_EYE_CORNERS, keypoints, mirror

MIN_PRESENCE = 0.5  # from which MediaPipe itself believes a face
# Crop side per longer side of the landmarks' box: MediaPipe's own, and the best here (error against
# the dev capture's truth: lips twice as far off at 1.25, eyes at 1.75).
MARGIN = 1.5
NEAR_MARGIN = 2.0  # the same for the near detector
# How far the crop follows a still face per frame: the less, the less the network's answer trembles
# (measured, docstring of ease_crop).
EASE = 0.2


@dataclass(frozen=True)
class CropVariant:
    """One variation of a crop for test-time augmentation: side ×, roll + (radians), mirrored."""

    scale: float = 1.0
    roll: float = 0.0
    mirrored: bool = False


DRAFT_AUGMENTATION = (CropVariant(),)
FINAL_AUGMENTATION = (
    CropVariant(1.07, 0.04),
    CropVariant(0.94, -0.04),
    CropVariant(1.07, 0.04, mirrored=True),
    CropVariant(0.94, -0.04, mirrored=True),
)


@dataclass(frozen=True)
class Face:
    """A face as the networks see it in one picture.

    landmarks: 478×3, x and y in pixels (corner origin), z in the same scale, nearer is less.
    presence: the landmark network's own score in [0, 1].
    crop: where it was seen.
    spread: 478, pixels between the augmented crops' answers; 0 for one crop.
    score: how far the near detector agrees, in [0, 1] (`near_score`).
    network_confidence: 478 in [0, 1]; None where the network does not say.
    """

    landmarks: np.ndarray
    presence: float
    crop: Crop
    spread: np.ndarray
    score: float = 0.0
    network_confidence: np.ndarray | None = None

    @cached_property
    def side(self) -> float:
        """Longer side of the landmarks' box, pixels."""
        return crop_around(self.landmarks, 1.0).side

    @cached_property
    def centre(self) -> np.ndarray:
        """Mean of the landmarks, pixels."""
        return self.landmarks[:, :2].mean(0)


def crop_around(landmarks: np.ndarray, margin: float = MARGIN) -> Crop:
    """Put an upright square around landmarks: the eye line level.

    landmarks: 478×2 or more, pixels.
    margin: the square's side per longer side of their box.
    """
    eyes = landmarks[list(OUTER_EYE_CORNERS), :2]
    roll = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    axes = Crop((0, 0), 1, roll).axes()
    local = landmarks[:, :2] @ axes
    low, high = local.min(0), local.max(0)
    centre = tuple(float(v) for v in axes @ ((low + high) / 2))
    return Crop(centre, float((high - low).max() * margin), roll)


def crop_change(a: Crop, b: Crop) -> float:
    """How far two crops differ: the largest of shift in sides, log size, and roll in radians."""
    roll = (a.roll - b.roll + math.pi) % (2 * math.pi) - math.pi
    shift = math.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1])
    return max(shift / max(a.side, b.side), abs(math.log(a.side / b.side)), abs(roll))


def ease_crop(old: Crop, new: Crop) -> Crop:
    """Follow slowly while the face is still, at once when it moves (by .15).

    Feeding the crop straight back makes the network chase itself: per-landmark jitter on a still
    face is .13 % of the eye distance, .07 % eased.
    """
    if not math.isfinite(new.side):
        return new
    a = min(1.0, EASE + (1 - EASE) * crop_change(old, new) / 0.15)
    roll = (new.roll - old.roll + math.pi) % (2 * math.pi) - math.pi
    return Crop(
        tuple(o + a * (n - o) for o, n in zip(old.centre, new.centre)),
        old.side + a * (new.side - old.side),
        old.roll + a * roll,
    )


def landmarks_in_crop(
    picture: np.ndarray, crop: Crop, augmentation: tuple[CropVariant, ...] = DRAFT_AUGMENTATION
) -> Face:
    """Run the landmark network on variations of one crop and average; without a score."""
    network = landmark_sets.NETWORKS
    landmarks, presence, confidence = [], [], []
    for variant in augmentation:
        varied = replace(crop, side=crop.side * variant.scale, roll=crop.roll + variant.roll)
        seen = network.landmarks(cut(picture, varied, network.landmarks_size, variant.mirrored))
        points, own = seen.points, seen.confidence
        if variant.mirrored:
            points = (points * [-1, 1, 1] + [1, 0, 0])[mirror()]
            own = None if own is None else own[mirror()]
        landmarks.append(varied.to_picture(points))
        presence.append(seen.presence)
        confidence.append(own)
    spread = np.zeros(COUNT)
    if len(landmarks) > 1:
        spread = np.linalg.norm(np.std(landmarks, 0)[:, :2], axis=1)
    return Face(
        np.mean(landmarks, 0),
        float(np.mean(presence)),
        crop,
        spread,
        network_confidence=None if confidence[0] is None else np.mean(confidence, 0),
    )


def is_plausible(face: Face) -> bool:
    """Does the network believe its own answer, and do the points fill their crop as a face does?"""
    return bool(
        face.presence >= MIN_PRESENCE
        and np.isfinite(face.landmarks).all()
        and 0.3 < face.side / face.crop.side < 1.2
    )


def near_score(picture: np.ndarray, face: Face) -> float:
    """How far the near detector, which knows nothing of the landmarks, agrees with them.

    Its score less twice the distance of its eyes, nose tip and mouth (in sides). The presence score
    alone believes ears and faces upside down. Measured: real faces .56 to .95 and .7 on average in
    the worst clip; ears and wrong rolls below .62, .55 on average.
    """
    network = landmark_sets.NETWORKS
    crop = crop_around(face.landmarks, NEAR_MARGIN)
    if not 4 < crop.side < 1e5:
        return 0.0
    ours = keypoints(face.landmarks)

    def agreement(score: float, theirs: np.ndarray) -> float:
        return score - 2 * float(np.abs(crop.to_picture(theirs) - ours).mean()) / crop.side

    seen = network.near(cut(picture, crop, network.near_size))
    return max((agreement(f.score, f.keypoints[:4]) for f in seen), default=0.0)


def is_usable(crop: Crop, picture: np.ndarray) -> bool:
    """Whether a crop around landmarks has a size that a face in the picture can have."""
    return 8 <= crop.side <= 4 * max(picture.shape[:2])


def converged_face(picture: np.ndarray, crop: Crop, rounds: int = 6) -> Face | None:
    """Look, centre the crop on what was seen, look again until it stays; scored.

    None where the network sees no face.
    """
    face = None
    for _ in range(rounds):
        face = landmarks_in_crop(picture, crop)
        there = crop_around(face.landmarks)
        if not is_usable(there, picture):
            return None
        if crop_change(crop, there) < 0.03:
            break
        crop = there
    return replace(face, score=near_score(picture, face)) if is_plausible(face) else None
