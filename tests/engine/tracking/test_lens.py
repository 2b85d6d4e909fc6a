"""How sure a focal length is: from the curvature of the fit that found it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import make_problem

from facewright.engine.evidence.state import State, project_landmarks
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.tracking.lens import focal_deviations


def deviation(turn: float, free=('identity', 'focal'), noise=4.0):
    """Of the lens that saw a head turn by up to `turn` radians, everything as it truly is.

    noise: px, of a landmark
    """
    problem, shared, trajectory = make_problem(np.random.default_rng(6), 8, 1, free)
    angles = torch.linspace(-turn, turn, 8, dtype=torch.float64)
    axis = torch.stack([0 * angles, angles, 0 * angles], 1)
    trajectory = replace(trajectory, rotation=so3_exp(axis) @ trajectory.rotation[:1])
    seen = problem.landmarks_by_view[0]
    pixels = project_landmarks(problem.basis, shared, trajectory, seen, 0)
    information = seen.sqrt_information / noise
    seen = replace(seen, pixels=pixels, sqrt_information=information)
    problem = replace(problem, landmarks_by_view=(seen,))
    return problem, float(focal_deviations(problem, State(shared, trajectory))[0])


def test_a_head_that_turns_tells_more_of_the_lens_and_none_more_than_the_guess():
    (problem, still), (_, turning) = deviation(0.02), deviation(0.6)
    assert turning < 0.97 * still
    assert still < 0.6 * problem.options.focal_sigma
    assert deviation(0.6, noise=1e4)[1] == pytest.approx(problem.options.focal_sigma, rel=1e-3)


def test_a_known_lens_is_sure():
    assert deviation(0.3, free=('identity',))[1] == 0
