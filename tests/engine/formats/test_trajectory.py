"""A trajectory between its samples: straight lines, rotations the shortest way."""

import numpy as np
import torch

from facewright.engine.formats.trajectory import TimedTrajectory
from facewright.engine.geometry.rotations import so3_exp

TIME = np.array([0.0, 0.1, 0.4])


def turned(times):
    angles = np.outer(times, [0.0, 2.0, 0.0])
    return so3_exp(torch.as_tensor(angles)).numpy()


def steady(times=TIME):
    times = np.asarray(times)
    weights = np.outer(times, [0.5, 1.0]).astype(np.float32)
    return TimedTrajectory(turned(times), np.outer(times, [1.0, 2, 3]), weights, times)


def test_what_is_steady_stays_steady_between_samples():
    when = np.array([0.0, 0.03, 0.1, 0.25, 0.4])
    found, expected = steady().at(when), steady(when)
    np.testing.assert_allclose(found.rotation, expected.rotation, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.translation, expected.translation, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=0, atol=1e-7)
    assert found.weights.dtype == np.float32


def test_samples_are_met_and_the_ends_hold():
    whole = steady()
    found = whole.at(TIME)
    np.testing.assert_array_equal(found.rotation[:-1], whole.rotation[:-1])
    np.testing.assert_array_equal(found.weights, whole.weights)
    np.testing.assert_array_equal(whole.at([-1.0, 9.0]).translation, whole.translation[[0, -1]])


def test_a_single_sample_is_everywhere():
    found = steady([0.2]).at([0.0, 5.0])
    np.testing.assert_array_equal(found.weights, steady([0.2]).weights[[0, 0]])
