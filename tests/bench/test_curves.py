"""Curves an animator can edit: keys in use, opposed pairs together, the head's depth.

Draft and ICT over the still and speaking clips, as written: smoothed by the default, the rest
in the neutral, lips sealed.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from clips import stillest, track_clip, written

pytestmark = pytest.mark.bench
# Talking heads that neither turn far nor hide: eleven of GRID, seven weekly addresses, a webcam
# clip with little but gaze, and a smile from rest.
CLIPS = ('grid_', 'obama_', 'nvidia_', 'pyfeat_')
USED = 0.05  # of a weight: a key above it is one the animator has to look at
BESIDE = 6  # frames on either side of a blink's peak that the depth's swing is measured over
# An eye is shut below the first part of its own open distance between the lids, open above the
# second.
SHUT, OPEN = 0.4, 0.7
LIDS = (((159, 145), (33, 133)), ((386, 374), (263, 362)))  # lids' middles, corners: right, left


@dataclass(frozen=True)
class Curves:
    """What one clip's curves say: see `measure`.

    keys: mean count above USED. opposed: frames with both of an opposed pair above it, a share.
    trembling, swing: mm of depth. blinks: how many the swing is measured round.
    """

    keys: float
    opposed: float
    trembling: float
    blinks: int
    swing: float


def openness(points: np.ndarray) -> np.ndarray:
    """Measure lids' distance over the eye's width: T×478×2 → T×2, right and left."""
    out = []
    for (upper, lower), (outer, inner) in LIDS:
        gap = np.linalg.norm(points[:, upper] - points[:, lower], axis=1)
        out.append(gap / np.linalg.norm(points[:, outer] - points[:, inner], axis=1))
    return np.stack(out, 1)


def blink_peaks(points: np.ndarray, present: np.ndarray) -> list[int]:
    """List the frames at which both eyes are shut most, open before and after."""
    eyes = openness(points)
    part = (eyes / np.nanquantile(eyes[present], 0.8, axis=0)).mean(1)
    part[~present] = 1.0
    peaks = []
    for k in np.flatnonzero(part < SHUT):
        near = slice(max(k - BESIDE, 0), k + BESIDE + 1)
        inside = BESIDE <= k < len(part) - BESIDE
        if inside and k - near.start == int(part[near].argmin()) and part[near].max() > OPEN:
            peaks.append(int(k))
    return peaks


def measure(performance, points: np.ndarray, present: np.ndarray) -> Curves:
    """Measure a performance's curves.

    points T×478×2, present T: what the detector saw
    """
    from facewright.engine.evidence.sparsity import opposed_pairs

    weights = performance.weights
    depth = 10 * performance.translation[:, 2]  # the first view's camera is the world
    both = np.zeros(len(weights), bool)
    for a, b in opposed_pairs(performance.names):
        both |= np.minimum(weights[:, a], weights[:, b]) > USED
    still, swings = stillest(points, present), []
    for k in blink_peaks(points, present):
        around = depth[k - BESIDE : k + BESIDE + 1]
        line = np.linspace(around[0], around[-1], len(around))
        swings.append(np.ptp(around - line))
    moved = np.diff(depth[still], 2) if still else np.full(1, np.nan)
    return Curves(
        float((weights > USED).sum(1).mean()),
        float(both.mean()),
        float(np.sqrt((moved**2).mean() / 6)),
        len(swings),
        float(np.mean(swings)) if swings else float('nan'),
    )


def test_curves(shared_data, table):
    from facewright.engine.annotate.landmarks import model_landmarks
    from facewright.engine.face_model import load_model

    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    landmarks, rows, found = model_landmarks(model), [], []
    for path in sorted((shared_data / 'videos').glob('*.m*')):
        if not path.name.startswith(CLIPS):
            continue
        footage, seen, t = track_clip(model, landmarks, path)
        _, performance = written(model, landmarks, footage, seen, t)
        curves = measure(performance, seen.points, seen.present)
        found.append(curves)
        rows.append(
            (
                path.stem,
                f'{100 * np.nanmean(t.errors[0]):.2f} %',
                f'{curves.keys:.1f}',
                f'{100 * curves.opposed:.0f} %',
                f'{curves.trembling:.2f} mm',
                f'{curves.swing:.1f} mm ({curves.blinks})',
            )
        )
    table(
        'Curves, Draft, ICT, as written',
        (
            'clip',
            'error, of the outer-eye distance',
            'keys above .05',
            'frames with both of an opposed pair above .05',
            'depth trembling, stillest 40 frames',
            'depth swing round a blink (blinks)',
        ),
        rows,
    )
    assert np.mean([c.keys for c in found]) <= 15
    assert max(c.opposed for c in found) <= 0.02
    assert max(c.trembling for c in found) <= 0.5
