"""How far each eye's lids stand apart in landmarks, beside that eye's own open and shut lids.

No one number does for all eyes: narrow ones, and those the detector never sees quite shut, have
their own, found from the clip.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ..footage.detector.landmark_sets import between_corners, landmark_sets, resting_face

# Loop of landmarks and its corners from the person's right: the right eye, the left eye.
EYES = (('right_eye', (33, 133)), ('left_eye', (362, 263)))
MIDDLE = slice(2, 5)  # of the seven pairs of landmarks across an eye
# Landmarks that expressions hardly move: corners of the eyes, nose, forehead, temples.
RIGID = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 151, 9, 234, 454, 127, 356)
OPEN = 0.8  # quantile of an eye's distances that is its open one
BLINK = 0.2  # of the open distance: what lies below is a blink
# Of it: a distance at which an eye may still be shut when the other one is seen to blink (real
# eyes that were shut by the pictures: up to .45)
MOST_SHUT = 0.45
SHUT = 0.75  # quantile of such distances that is the eye's shut one
USUAL_OPEN = 0.032  # sides of resting_face's crop: median of 23 clips of 16 people (.025 to .040)
# The least an eye's open distance may be: of the usual one, and of the other eye's
LEAST_OPEN, LEAST_OF_OTHER = 0.5, 0.7


@dataclass(frozen=True)
class LidRange:
    """What one view's landmarks show of its person's lids, right and left.

    open: 2, sides of resting_face's crop. shut: 2, of `open`.
    """

    open: np.ndarray
    shut: np.ndarray

    def openness(self, distances: np.ndarray) -> np.ndarray:
        """Take lid_distances (T×2) to 0 where lids are shut, 1 where they are open as usual."""
        return np.maximum(distances / self.open - self.shut, 0) / (1 - self.shut)


@functools.cache
def lid_chains() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """(upper, lower) landmarks along the lids of either eye, right and left, corners left out."""
    height, out = resting_face()[:, 1], []
    for loop, corners in EYES:
        one, other = (way[1:-1] for way in between_corners(landmark_sets()[loop], corners))
        out.append((one, other) if height[one].mean() < height[other].mean() else (other, one))
    return tuple(out)


def lid_distances(points: np.ndarray) -> np.ndarray:
    """Measure how far lids stand apart in T×478×2 landmarks: T×2, right eye and left eye.

    In sides of resting_face's crop along the head's own vertical, found as an affine view of
    RIGID: how the head is turned and how near it is counts little. Less than 0 where upper and
    lower landmarks have changed places.
    """
    rigid = points[:, RIGID].astype(np.float64)
    shape = resting_face()[list(RIGID)]
    view = np.linalg.pinv(shape - shape.mean(0)) @ (rigid - rigid.mean(1, keepdims=True))
    down = view[:, 1]
    down = down / np.maximum((down**2).sum(1, keepdims=True), 1e-12)
    gaps = [
        (points[:, lower[MIDDLE]] - points[:, upper[MIDDLE]]).mean(1)
        for upper, lower in lid_chains()
    ]
    return np.stack([(gap * down).sum(1) for gap in gaps], 1)


def lid_range(points: np.ndarray) -> LidRange:
    """Find how each eye looks when open and when shut, in a clip's landmarks T×478×2."""
    distances = lid_distances(points)
    if not len(distances):
        return LidRange(np.full(2, USUAL_OPEN), np.full(2, BLINK))
    own = np.quantile(distances, OPEN, axis=0)
    own = np.maximum(own, LEAST_OPEN * USUAL_OPEN)
    wide = np.maximum(own, LEAST_OF_OTHER * own[::-1])
    part = distances / wide
    blinks = (part < BLINK).any(1)
    shut = [
        np.quantile(one[one < MOST_SHUT], SHUT) if (one < MOST_SHUT).any() else BLINK
        for one in part[blinks].T
    ]
    return LidRange(wide, np.clip(shut, BLINK, MOST_SHUT))
