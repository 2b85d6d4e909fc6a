"""Each eye's own open and shut lids, found in landmarks."""

import numpy as np
import pytest

from facewright.engine.evidence.lids import (
    BLINK,
    LEAST_OPEN,
    USUAL_OPEN,
    lid_chains,
    lid_distances,
    lid_range,
)
from facewright.engine.footage.detector.landmark_sets import resting_face


def faces(right, left):
    """T×478×2: the resting face with lids so far apart (T each, sides of its crop)."""
    points = np.repeat(resting_face()[None, :, :2].astype(np.float64), len(right), 0)
    for distance, (upper, lower) in zip((right, left), lid_chains()):
        middle = (points[:, upper, 1] + points[:, lower, 1]) / 2
        points[:, upper, 1] = middle - np.asarray(distance)[:, None] / 2
        points[:, lower, 1] = middle + np.asarray(distance)[:, None] / 2
        points[:, upper, 0] = points[:, lower, 0]
    return points


def openness(right, left):
    points = faces(right, left)
    return lid_range(points).openness(lid_distances(points))


def test_distances_are_those_of_the_lids_right_eye_first():
    measured = lid_distances(faces([0.03, 0.01], [0.04, -0.002]))
    np.testing.assert_allclose(measured, [[0.03, 0.04], [0.01, -0.002]], rtol=1e-6)


@pytest.mark.parametrize('turn', [[[2.0, 0], [0, 2.0]], [[0, 300], [-300, 0]], [[60, 0], [0, 100]]])
def test_nearness_roll_and_turning_away_change_nothing(turn):
    points = faces([0.03], [0.02])
    np.testing.assert_allclose(
        lid_distances(points @ np.array(turn) + (400, 300)), lid_distances(points), rtol=1e-5
    )


@pytest.mark.parametrize('own', [0.018, 0.045])
def test_narrow_eyes_open_as_far_as_wide_ones(own):
    """And a blink of one frame is all the way shut."""
    distance = np.full(40, own)
    distance[20] = 0.1 * own
    seen = openness(distance, distance)
    np.testing.assert_allclose(np.delete(seen, 20, 0), 1, atol=1e-9)
    assert (seen[20] == 0).all()


def test_an_eye_is_measured_by_itself():
    wink, open_ = np.full(40, 0.03), np.full(40, 0.024)
    wink[10:14] = 0.001
    seen = openness(wink, open_)
    assert (seen[10:14, 0] == 0).all() and (seen[:, 1] > 0.99).all()


def test_an_eye_that_is_never_seen_quite_shut_shuts_with_the_other():
    right, left = np.full(60, 0.03), np.full(60, 0.03)
    right[30:33], left[30:33] = 0.0, 0.3 * 0.03
    assert (openness(right, left)[30:33] == 0).all()
    right[30:33] = 0.03  # alone, a third open is no blink
    assert (openness(right, left)[30:33, 1] > 0.1).all()


def test_eyes_that_never_open_are_shut_and_a_photo_has_a_range():
    usual = USUAL_OPEN
    assert (openness(np.full(9, 0.002), np.full(9, 0.001)) == 0).all()
    np.testing.assert_allclose(openness([usual], [usual]), 1)
    wink = openness([usual], [0.1 * usual])
    assert wink[0, 1] == 0 and wink[0, 0] == pytest.approx(1)
    none = lid_range(np.zeros((0, 478, 2)))
    assert (none.open > LEAST_OPEN * USUAL_OPEN).all() and (none.shut == BLINK).all()
