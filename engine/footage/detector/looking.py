"""One face, one picture: the landmark network on crops, and whether to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from . import networks
from .crops import Crop, cut
from .landmark_sets import COUNT, OUTER_EYE_CORNERS, mirror

PRESENT = 0.5  # presence score from which MediaPipe itself believes a face
MARGIN = 1.5  # crop side per longer side of the landmarks' box: MediaPipe's own, and the best here (error against the dev capture's truth: lips twice as far off at 1.25, eyes at 1.75)
EASE = 0.2  # how far the crop follows a still face per frame: the less, the less the network's answer trembles (measured, docstring of eased)
NEAR_MARGIN = 2.0  # the same for the detector that checks
FINAL_LOOKS = (
    (1.07, 0.04, False),
    (0.94, -0.04, False),
    (1.07, 0.04, True),
    (0.94, -0.04, True),
)  # side ×, roll +, mirrored
DRAFT_LOOKS = ((1.0, 0.0, False),)


@dataclass(frozen=True)
class Face:
    """points 478×3 (x, y pixels with corner origin, z in the same scale, nearer is less); presence: the landmark network's own score in [0, 1];
    crop: where it was seen; belief: the detector's agreement in [0, 1] (`confirm`); spread 478: px between several looks, 0 for one."""

    points: np.ndarray
    presence: float
    crop: Crop
    belief: float = 0.0
    spread: np.ndarray | None = None

    @property
    def side(self) -> float:
        """Longer side of the landmarks' box, pixels."""
        return crop_around(self.points, 1.0).side

    @property
    def centre(self) -> np.ndarray:
        return self.points[:, :2].mean(0)


def crop_around(points: np.ndarray, margin: float = MARGIN) -> Crop:
    """The upright square around landmarks (478×≥2 pixels): the eye line level, side = margin × the longer side of their box."""
    eyes = points[list(OUTER_EYE_CORNERS), :2]
    roll = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    axes = Crop((0, 0), 1, roll).axes()
    local = points[:, :2] @ axes
    low, high = local.min(0), local.max(0)
    return Crop(
        tuple(float(v) for v in axes @ ((low + high) / 2)), float((high - low).max() * margin), roll
    )


def change(a: Crop, b: Crop) -> float:
    """How far two crops differ: the largest of shift in sides, log size, and roll in radians."""
    roll = (a.roll - b.roll + math.pi) % (2 * math.pi) - math.pi
    return max(
        math.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1]) / max(a.side, b.side),
        abs(math.log(a.side / b.side)),
        abs(roll),
    )


def eased(old: Crop, new: Crop) -> Crop:
    """Follow slowly while the face is still, at once when it moves (by .15).

    Feeding the crop straight back makes the network chase itself: per-landmark jitter on a still face .13 % of the eye distance against .07 % eased.
    """
    if not math.isfinite(new.side):
        return new
    a = min(1.0, EASE + (1 - EASE) * change(old, new) / 0.15)
    roll = (new.roll - old.roll + math.pi) % (2 * math.pi) - math.pi
    return Crop(
        tuple(o + a * (n - o) for o, n in zip(old.centre, new.centre)),
        old.side + a * (new.side - old.side),
        old.roll + a * roll,
    )


def look(picture: np.ndarray, crop: Crop, looks=DRAFT_LOOKS) -> Face:
    """Run the landmark network on variations of one crop and average."""
    points, presence = [], []
    for scale, roll, mirrored in looks:
        window = replace(crop, side=crop.side * scale, roll=crop.roll + roll)
        seen, score = networks.landmarks(cut(picture, window, networks.INPUT, mirrored))
        if mirrored:
            seen = (seen * [-1, 1, 1] + [1, 0, 0])[mirror()]
        points.append(window.to_picture(seen))
        presence.append(score)
    mean = np.mean(points, 0)
    spread = (
        np.linalg.norm(np.std(points, 0)[:, :2], axis=1) if len(points) > 1 else np.zeros(COUNT)
    )
    return Face(mean, float(np.mean(presence)), crop, spread=spread)


def plausible(face: Face) -> bool:
    """Does the network believe its own answer, and do the points fill their crop as a face does?"""
    return bool(
        face.presence >= PRESENT
        and np.isfinite(face.points).all()
        and 0.3 < face.side / face.crop.side < 1.2
    )


def confirm(picture: np.ndarray, face: Face) -> float:
    """How far the near detector, which knows nothing of the landmarks, agrees: its score less twice the distance of its eyes, nose tip and mouth (in sides).

    The presence score alone believes ears and faces upside down. Measured: real faces .56 to .95 and .7 on average in the worst clip, ears and wrong rolls below .62, .55 on average.
    """
    crop = crop_around(face.points, NEAR_MARGIN)
    if not 4 < crop.side < 1e5:
        return 0.0
    p = face.points
    ours = np.stack([p[468], p[473], p[1], (p[13] + p[14]) / 2])[
        :, :2
    ]  # iris centres, nose tip, between the lips
    return max(
        (
            score - 2 * float(np.abs(crop.to_picture(points[:4]) - ours).mean()) / crop.side
            for score, _, points in networks.faces(cut(picture, crop, networks.NEAR_INPUT))
        ),
        default=0.0,
    )


def refined(picture: np.ndarray, crop: Crop, rounds: int = 6) -> Face | None:
    """Look, recentre the crop on what was seen, look again until it stays; with belief. None where the network sees no face."""
    face = None
    for _ in range(rounds):
        face = look(picture, crop)
        there = crop_around(face.points)
        if not 8 <= there.side <= 4 * max(picture.shape[:2]):
            return None
        if change(crop, there) < 0.03:
            break
        crop = there
    return replace(face, belief=confirm(picture, face)) if plausible(face) else None
