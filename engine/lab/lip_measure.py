"""How shut a reconstruction's lips are in the frames in which the detector sees them shut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..evidence.lip_contact import touching_share
from ..face_model.lip_sections import lip_gaps, lip_sections
from ..face_model.model import FaceModel
from ..footage.footage import ViewObservations
from ..tracking.view_landmarks import rms_radius

COLUMNS = 41  # sections, the middle one in the mouth's middle
SHUT = 0.03  # cm: no further apart lips are shut
SEALED = 0.9  # of the width: so much of it is shut in a mouth that is sealed
CHUNK = 50  # frames at once: bounds memory


@dataclass(frozen=True)
class LipFigures:
    """Of the N frames with shut lips: mm apart in the middle, part of the width that is shut, and
    the deepest crossing in mm (0: none)."""

    frames: np.ndarray
    middle: np.ndarray
    sealed: np.ndarray
    crossing: np.ndarray

    @property
    def good(self) -> float:
        """The part of the frames in which the lips are shut in the middle, sealed and uncrossed."""
        shut = (self.middle <= 10 * SHUT) & (self.sealed >= SEALED) & (self.crossing <= 10 * SHUT)
        return float(shut.mean()) if len(shut) else float('nan')


def shut_frames(seen: ViewObservations) -> np.ndarray:
    """Find the frames of a view in which the detector's middle inner-lip landmarks touch."""
    points = seen.points.astype(np.float64)
    share = touching_share(points, np.maximum(rms_radius(points), 1e-9))
    return np.flatnonzero(seen.present & (share[:, share.shape[1] // 2] == 1))


def measure_lips(
    model: FaceModel, neutral: np.ndarray, weights: np.ndarray, frames: np.ndarray
) -> LipFigures:
    """Measure a head's lips in some frames. neutral: V×3 cm; weights: T×E."""
    sections = lip_sections(model, COLUMNS)
    moved = np.stack([sections.on(one) for one in model.expressions])
    gaps = [np.empty((0, COLUMNS))]
    for start in range(0, len(frames), CHUNK):
        some = weights[frames[start : start + CHUNK]].astype(np.float64)
        gaps.append(lip_gaps(sections.on(neutral) + np.tensordot(some, moved, 1)))
    gap = 10 * np.concatenate(gaps)
    return LipFigures(
        frames,
        gap[:, COLUMNS // 2],
        (gap <= 10 * SHUT).mean(1),
        np.maximum(-gap, 0).max(1, initial=0),
    )
