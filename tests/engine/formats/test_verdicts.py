"""What errors are called, and where the user is sent to look."""

import numpy as np
import pytest

from facewright.engine.formats.verdicts import (
    GRADES,
    LIMITS,
    MOST,
    grades_in_words,
    in_words,
    judge,
    judge_all,
)


@pytest.mark.parametrize('region', LIMITS)
def test_limits_rise_and_belong_to_the_better_grade(region):
    good, fair = LIMITS[region]
    assert 0 < good < fair
    for value, grade in (
        (0.0, 'good'),
        (good, 'good'),
        (good + 1e-6, 'fair'),
        (fair, 'fair'),
        (fair + 1e-6, 'poor'),
        (1e9, 'poor'),
    ):
        assert judge(region, [value]).grade == grade


def test_most_frames_decide_and_the_worst_is_named():
    good, fair = LIMITS['lips']
    frames = [good] * 100
    frames[37] = 5 * fair  # one bad frame doesn't spoil a clip, but is where to look
    assert judge('lips', frames).grade == 'good' and judge('lips', frames).worst == 37
    few = round(100 * (1 - MOST))
    assert judge('lips', [2 * fair] * few + [good] * (100 - few)).grade == 'good'
    assert judge('lips', [2 * fair] * (few + 1) + [good] * (99 - few)).grade == 'poor'
    assert judge('lips', [good, good, good]).worst == 0  # the first of equals


def test_frames_without_a_face_say_nothing():
    assert judge('eyes', [None, 0.1, -1.0, float('nan'), 0.2]).worst == 4
    for nothing in ([], [None, None], [-1.0, float('nan')]):
        assert judge('eyes', nothing) is None


def test_old_reports_are_judged_as_a_whole():
    error = {'mean_percent': 0.5, 'per_frame': [0.4, None, 0.6]}
    assert [(v.region, v.grade, v.worst) for v in judge_all(error)] == [('face', 'good', 2)]
    regions = {
        name: {'mean_percent': 9.0, 'per_frame': [9.0, None, 8.0]}
        for name in ('eyes', 'lips', 'hair')
    }
    found = judge_all(error | {'regions': regions})
    assert in_words(found) == 'eyes poor (see frame 0), lips poor (see frame 0)'
    assert (
        in_words(found[:1], lambda index: index + 101, figures=True)
        == 'eyes poor (9.0 %, see frame 101)'
    )
    assert judge_all({'per_frame': [None]}) == []


def test_in_words():
    assert grades_in_words({'eyes': 'good', 'lips': 'good'}) == 'all good'
    assert (
        grades_in_words({'eyes': 'fair', 'jaw': 'good', 'lips': 'poor'}) == 'lips poor, eyes fair'
    )
    assert (
        grades_in_words({'face': 'good'}) == 'good' and grades_in_words({'face': 'fair'}) == 'fair'
    )
    assert GRADES == ('good', 'fair', 'poor')


def test_a_region_s_error_is_its_landmarks_distance():
    from facewright.engine.footage.detector.landmark_sets import face_regions, resting_face
    from facewright.engine.footage.footage import ViewObservations
    from facewright.engine.tracking.reprojection import region_errors, seen_eye_distance

    points = np.repeat(100 * resting_face()[None, :, :2], 3, 0).astype(np.float32)
    seen = ViewObservations(points, np.ones((3, 478), np.float32), np.array([True, True, False]))
    distance = seen_eye_distance(seen)[0]
    projected = points.copy()
    projected[1, face_regions()['lips']] += (3, 4)
    found = region_errors(projected, seen)
    assert set(found) == {'eyes', 'brows', 'lips', 'jaw'} and all(
        np.isnan(e[2]) for e in found.values()
    )
    assert found['lips'][:2] == pytest.approx([0, 5 / distance], rel=1e-4)
    assert found['eyes'][1] == found['brows'][1] == found['jaw'][1] == 0
    jaw = face_regions()['jaw']
    slid = points.copy()
    slid[0, jaw[1:-1]] += 0.1 * (points[0, jaw[2:]] - points[0, jaw[:-2]])  # along the outline
    slid[1, jaw] += (0, 10)
    found = region_errors(slid, seen)
    assert found['jaw'][0] < 1e-6 < found['jaw'][1] < 10 / distance
