"""Rigid motions: known ones found again, batched or not, with weights, scale and reflected data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from facewright.engine.geometry.rigid import move, rigid_motion


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_a_known_motion_is_found(seed, scale):
    rng = np.random.default_rng(seed)
    points, r, t = (
        rng.normal(size=(12, 3)),
        Rotation.random(random_state=seed).as_matrix(),
        rng.normal(size=3) * 10,
    )
    s = rng.uniform(0.1, 9) if scale else 1.0
    found = rigid_motion(points, s * points @ r.T + t, scale=scale)
    for got, true in zip(found, (r, t, s)):
        np.testing.assert_allclose(got, true, atol=1e-9)
    np.testing.assert_allclose(move(points, *found), s * points @ r.T + t, atol=1e-9)


def test_batches_are_their_members():
    rng = np.random.default_rng(0)
    source, target, weights = (
        rng.normal(size=(9, 3)),
        rng.normal(size=(4, 5, 9, 3)),
        rng.uniform(size=(5, 9)),
    )
    r, t, s = rigid_motion(source, target, weights, scale=True)
    assert r.shape == (4, 5, 3, 3) and t.shape == (4, 5, 3) and s.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            one = rigid_motion(source, target[i, j], weights[j], scale=True)
            np.testing.assert_allclose(r[i, j], one[0], atol=1e-12)
            np.testing.assert_allclose(t[i, j], one[1], atol=1e-12)
            np.testing.assert_allclose(s[i, j], one[2], atol=1e-12)
    assert move(source, r, t, s).shape == target.shape


def test_it_is_the_best_motion():
    rng = np.random.default_rng(1)
    source, target, w = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), rng.uniform(size=20)

    def error(r, t):
        return (w * ((move(source, r, t) - target) ** 2).sum(1)).sum()

    r, t, _ = rigid_motion(source, target, w)
    for _ in range(200):
        nudge = Rotation.from_rotvec(rng.normal(size=3) * 1e-3).as_matrix()
        assert error(nudge @ r, t + rng.normal(size=3) * 1e-3) > error(r, t)


def test_mirrored_points_give_a_rotation():
    points = np.random.default_rng(2).normal(size=(30, 3))
    r, _, s = rigid_motion(points, points * [-1, 1, 1], scale=True)
    assert np.linalg.det(r) == pytest.approx(1) and s > 0


def test_weights_leave_strays_out():
    rng = np.random.default_rng(3)
    source, r = rng.normal(size=(10, 3)), Rotation.random(random_state=3).as_matrix()
    target = source @ r.T
    target[4] += 50
    found = rigid_motion(source, target, np.arange(10) != 4)
    np.testing.assert_allclose(found[0], r, atol=1e-12)


def test_degenerate_points_give_finite_motions():
    for points in (np.zeros((5, 3)), np.linspace(0, 1, 5)[:, None] * [1, 2, 3], np.ones((1, 3))):
        r, t, s = rigid_motion(points, points + 1, scale=True)
        assert np.isfinite(r).all() and np.linalg.det(r) == pytest.approx(1)
        np.testing.assert_allclose(move(points, r, t, s), points + 1, atol=1e-9)
