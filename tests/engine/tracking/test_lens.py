"""How sure a focal length is: from the curvature of the fit that found it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import make_problem

from facewright.engine.evidence.options import TrackOptions
from facewright.engine.evidence.state import State, project_landmarks
from facewright.engine.footage.footage import Camera, View
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.tracking import lens
from facewright.engine.tracking.lens import BELIEVED, focal_deviations, guess_focals
from facewright.engine.tracking.solver import solve


def deviation(turn: float, free=('identity', 'focal'), noise=1.0):
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


def test_pictures_word_is_believed_as_far_as_it_held(monkeypatch):
    problem, found = deviation(0.6)
    guess = problem.options.focal_sigma**-2
    monkeypatch.setattr(lens, 'BELIEVED', 1.0)
    in_full = deviation(0.6)[1] ** -2 - guess
    assert found**-2 - guess == pytest.approx(BELIEVED * in_full, rel=1e-6)


def test_a_known_lens_is_sure():
    assert deviation(0.3, free=('identity',))[1] == 0


def test_a_lens_the_footage_names_is_a_surer_guess_and_what_is_given_is_kept():
    options = TrackOptions()
    middle, size = (960.0, 540.0), (1920, 1080)
    cameras = (
        Camera(900.0, middle),
        Camera(None, middle, focal_guess=1500.0, focal_from_file=True),
        Camera(None, middle),
    )
    views = [
        View('a', Path('a.mov'), 'video', size, 30.0, np.zeros(1), 0, 0, one) for one in cameras
    ]
    focals, sigma = guess_focals(views, options)
    assert focals == pytest.approx([900, 1500, options.focal_guess * 1920])
    named, none = options.named_focal_sigma, options.focal_sigma
    assert sigma.tolist() == pytest.approx([none, named, none]) and named < none


def test_a_fit_stays_nearer_to_a_named_lens_and_says_so():
    """Begun 15 % too long: a named lens is believed, and no surer than its own word."""
    problem, shared, trajectory = make_problem(np.random.default_rng(6), 8, 1, ('focal',))
    wrong = shared.log_focal + 0.15
    found, sure = [], []
    for sigma in (problem.options.focal_sigma, problem.options.named_focal_sigma):
        asked = replace(problem, focal_prior=wrong, focal_sigma=torch.full_like(wrong, sigma))
        *_, state = solve(asked, State(replace(shared, log_focal=wrong), trajectory), 20, 1e-9)
        found.append(float((state.shared.log_focal - shared.log_focal)[0]))
        sure.append(float(focal_deviations(asked, state)[0]))
    assert abs(found[0]) < abs(found[1]) < 0.15
    assert sure[1] <= problem.options.named_focal_sigma and sure[1] < sure[0]
