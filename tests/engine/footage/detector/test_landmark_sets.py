"""What is derived from MediaPipe's connection sets holds together."""

import sys
from collections import Counter

import numpy as np

from facewright.engine.footage.detector.landmark_sets import (
    COUNT,
    OUTER_EYE_CORNERS,
    landmark_sets,
    mirror,
    resting_face,
    tesselation,
)
from facewright.engine.footage.detector.mediapipe_networks import STUBS, mediapipe


def test_importing_leaves_no_stub_behind():
    kept = {name: sys.modules.get(name) for name in STUBS}
    mediapipe()
    assert {name: sys.modules.get(name) for name in STUBS} == kept


def test_the_sets():
    sets = landmark_sets()
    assert {name: len(i) for name, i in sets.items()} == {
        'left_eye': 16,
        'right_eye': 16,
        'left_iris': 4,
        'right_iris': 4,
        'oval': 36,
        'lips': 40,
        'left_brow': 10,
        'right_brow': 10,
        'nose': 24,
        'outer_lip': 20,
        'inner_lip': 20,
        'iris_centres': 2,
    }
    face = resting_face()
    for left, right in (
        ('left_eye', 'right_eye'),
        ('left_brow', 'right_brow'),
        ('left_iris', 'right_iris'),
    ):
        assert (
            face[sets[left], 0].mean() > face[sets[right], 0].mean()
        )  # the person's left is on the picture's right
    assert OUTER_EYE_CORNERS[0] in sets['right_eye'] and OUTER_EYE_CORNERS[1] in sets['left_eye']
    assert set(sets['outer_lip']) | set(sets['inner_lip']) == set(sets['lips'])
    assert np.ptp(face[sets['inner_lip'], 0]) < np.ptp(face[sets['outer_lip'], 0])
    assert (
        np.abs(
            face[sets['iris_centres']]
            - [face[sets['right_iris']].mean(0), face[sets['left_iris']].mean(0)]
        ).max()
        < 0.01
    )


def test_the_tesselation_is_one_surface_with_holes_at_eyes_and_mouth():
    triangles, sets = tesselation(), landmark_sets()
    assert triangles.shape == (852, 3) and set(triangles.ravel()) == set(range(468))
    directed = Counter((t[i], t[(i + 1) % 3]) for t in triangles.tolist() for i in range(3))
    assert max(directed.values()) == 1  # neighbours agree in orientation
    border = {frozenset(e) for e in directed if e[::-1] not in directed}
    loops = [sets[name].tolist() for name in ('oval', 'left_eye', 'right_eye', 'inner_lip')]
    assert border == {frozenset(e) for loop in loops for e in zip(loop, loop[1:] + loop[:1])}
    corners = resting_face()[triangles, :2]
    (a, b), (c, d) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    assert (a * d - b * c < 0).mean() > 0.9  # counter-clockwise with y up


def test_the_mirror():
    m, sets = mirror(), landmark_sets()
    assert (m[m] == np.arange(COUNT)).all() and (m == np.arange(COUNT)).sum() == 28
    for left, right in (
        ('left_eye', 'right_eye'),
        ('left_brow', 'right_brow'),
        ('left_iris', 'right_iris'),
        ('lips', 'lips'),
        ('oval', 'oval'),
        ('inner_lip', 'inner_lip'),
    ):
        assert {m[i] for i in sets[left]} == set(sets[right])
    assert (
        m[OUTER_EYE_CORNERS[0]] == OUTER_EYE_CORNERS[1]
        and m[sets['iris_centres'][0]] == sets['iris_centres'][1]
    )
    edges = {frozenset((t[i], t[(i + 1) % 3])) for t in tesselation().tolist() for i in range(3)}
    assert (
        sum(frozenset(m[list(e)].tolist()) not in edges for e in edges) == 6
    )  # three quads are split the other way
