"""Blinks: every one that the detector sees in the real clips is one of the model's, and no other.

A blink is a run of frames in which an eye's lids stand less than a fifth of its own open distance
apart (engine/evidence/lids.py), joined to the next where the eye does not open half way between.
The model's lids are measured on what is written: the person's rig, the performance after the
default smoothing. Draft over all clips, Standard over those of STANDARD.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from clips import STANDARD, reconstructed

pytestmark = pytest.mark.bench
SIDES = 'RL'
HALF = 0.5  # of the open distance: an eye that opened so far between two blinks made two
SEEN_SHUT = 0.45  # of it: real lids that are shut by the pictures are seen up to so far apart
ALONG = np.linspace(0.15, 0.85, 9)  # of the way from corner to corner
APART = 0.5  # mm
SEEN = 0.5  # confidence in an eye's landmarks, from which it is seen


@dataclass(frozen=True)
class Blink:
    """Frames first to last in which one eye (0 right, 1 left) is shut, most so at peak."""

    eye: int
    first: int
    last: int
    peak: int


def runs(shut):
    """(first, last) of each run of T bool."""
    edges = np.flatnonzero(np.diff(np.r_[False, shut, False].astype(int)))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist()))


def blinks(part):
    """List the blinks in T×2 lids' distances, parts of the open ones (NaN: no face)."""
    from facewright.engine.evidence.lids import BLINK

    found = []
    for eye, own in enumerate(part.T):
        joined = []
        for first, last in runs(own < BLINK):
            if joined and not (own[joined[-1][1] : first] > HALF).any():
                joined[-1][1] = last
            else:
                joined.append([first, last])
        found += [
            Blink(eye, first, last, first + int(np.nanargmin(own[first : last + 1])))
            for first, last in joined
        ]
    return found


def false_blinks(part, gap):
    """List (eye, first, last) where the model (gap T×2, mm) is shut and the eye is not seen so."""
    from facewright.engine.evidence.lids import BLINK, OPEN

    model = gap / np.quantile(gap, OPEN, axis=0)
    found = []
    for eye in (0, 1):
        for first, last in runs(model[:, eye] < BLINK):
            seen = part[max(first - 1, 0) : last + 2, eye]
            if np.isfinite(seen).any() and np.nanmin(seen) > SEEN_SHUT:
                found.append((SIDES[eye], first, last))
    return found


def seen_distances(seen):
    """T×2 lids' distances in what was seen of a view, parts of the open ones; NaN: not seen."""
    from facewright.engine.evidence.lids import EYES, lid_distances, lid_range
    from facewright.engine.footage.detector.landmark_sets import landmark_sets

    part = lid_distances(seen.points) / lid_range(seen.points[seen.present]).open
    trust = [seen.confidence[:, landmark_sets()[loop]].mean(1) for loop, _ in EYES]
    part[~seen.present[:, None] | (np.stack(trust, 1) < SEEN)] = np.nan
    return part


def model_gaps(model, rig, weights):
    """T×2×9 mm: how far a rig's lids stand apart along the head's vertical."""
    from facewright.engine.evidence.lid_term import across_slit

    out = []
    for side in SIDES:
        across = across_slit(model, side, ALONG)
        shapes = np.stack([across @ e[:, 1].astype(np.float64) for e in rig.expressions])
        out.append(10 * (across @ rig.neutral[:, 1].astype(np.float64) + weights @ shapes))
    return np.stack(out, 1)


def measure(one):
    """(blinks, worst distance of the lids at each one's peak in mm, false blinks) of a Written."""
    from facewright.engine.formats.rig import Rig
    from facewright.engine.shape_keys.lids import meet_lids

    model, neutral = one.model, one.neutral
    rig = Rig(neutral, meet_lids(model, neutral, model.expressions), model.names, model.faces)
    gaps = model_gaps(model, rig, one.performance.weights.astype(np.float64))
    part = seen_distances(one.seen)
    listed = blinks(part)
    apart = [float(np.abs(gaps[blink.peak, blink.eye]).max()) for blink in listed]
    return listed, apart, false_blinks(part, gaps.mean(2))


@pytest.mark.parametrize('name', ['ict', 'builtin'])
@pytest.mark.parametrize('quality', ['draft', 'standard'])
def test_every_blink_of_the_real_clips(shared_data, table, name, quality):
    where = str(shared_data / 'ict-facekit.tar.xz') if name == 'ict' else name
    rows, every, wrong = [], [], []
    for path in sorted((shared_data / 'videos').glob('*.m*')):
        if path.suffix == '.csv' or (quality == 'standard' and path.stem not in STANDARD):
            continue
        listed, apart, false = measure(reconstructed(where, str(path), quality))
        every, wrong = every + apart, wrong + false
        peaks = ', '.join(f'{SIDES[one.eye]} {one.peak}' for one in listed)
        worst = f'{max(apart):.2f}' if apart else ''
        rows.append((path.stem, peaks, worst, ', '.join(map(str, false))))
    table(
        f'Blinks, {quality}, {name}: lids at the peak, {len(every)} blinks',
        ('clip', 'eye and frame of each peak', 'worst distance, mm', 'false ones'),
        rows,
    )
    assert np.mean(np.array(every) <= APART) >= 0.95 and not wrong, (every, wrong)
