"""Distances across lips and lids.

Pairs lie across the slit, and what they ask for is what the landmarks show.
"""

import numpy as np
import pytest
import torch

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.evidence.gaps import NOISE, SLITS, find_pairs, gap_rows, slit_chains
from facewright.engine.evidence.state import ViewLandmarks
from facewright.engine.face_model import load_model
from facewright.engine.footage.detector.landmark_sets import resting_face

FOCAL, DISTANCE = 1000.0, 60.0


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def pairs(model):
    return find_pairs(model, model_landmarks(model))


def test_chains_are_opposite_one_another():
    face = resting_face()
    for slit in SLITS:
        upper, lower = slit_chains(slit)
        assert len(upper) == len(lower) and (np.diff(face[upper, 0]) > 0).all()
        assert (
            np.abs(face[upper, 0] - face[lower, 0]).max() < 0.02
            and (face[upper, 1] < face[lower, 1] + 0.01).all()
        )
    assert (slit_chains('mouth')[0][4], slit_chains('mouth')[1][4]) == (13, 14)


def test_points_lie_across_the_slits(model, pairs):
    n = len(pairs.upper)
    at = pairs.matrix @ model.neutral.astype(np.float64)
    opened = pairs.matrix @ model.shape(
        None, np.array([float(name == 'jawOpen') for name in model.names])
    ).astype(np.float64)
    assert (np.abs(at[:n, 0] - at[n:, 0]) < 0.1).all()
    mouth = ~pairs.limit
    assert (at[:n, 1] > at[n:, 1])[pairs.limit].all() and (opened[:n, 1] - opened[n:, 1])[
        mouth
    ].min() > 0.3
    assert pairs.rest[mouth].max() < 0.3 and not pairs.rest[pairs.limit].any()


def view_landmarks(points, trust=1.0):
    return ViewLandmarks(
        None,
        None,
        torch.as_tensor(points)[None],
        None,
        torch.tensor([80.0], dtype=torch.float64),
        torch.full((1, 478), trust, dtype=torch.float64),
        np.array([0]),
        torch.ones(1, 2, dtype=torch.float64),
    )


def placed(model, pairs, shift):
    """The model's points in a picture, the lower ones moved down by `shift` px.

    The landmarks lie where they were.
    """
    at = pairs.matrix @ model.neutral.astype(np.float64)
    pixels = np.stack([at[:, 0], -at[:, 1]], 1) * FOCAL / DISTANCE
    n = len(pairs.upper)
    seen = np.zeros((478, 2))
    seen[:, 0] = np.arange(478) * 1e-3
    for _, corners in SLITS.values():
        seen[corners[0]], seen[corners[1]] = (-50.0, 0.0), (50.0, 0.0)
    seen[pairs.upper], seen[pairs.lower] = pixels[:n], pixels[n:] + (0, 30.0)
    pixels[n:, 1] += 30.0 + shift
    return torch.as_tensor(pixels)[None], seen


@pytest.mark.parametrize('shift', [-6.0, 0.0, 4.0])
def test_the_residual_is_the_distance_too_much(model, pairs, shift):
    at, seen = placed(model, pairs, shift)
    (rows,), (residual,) = gap_rows(
        pairs,
        view_landmarks(seen),
        at,
        torch.full((1, at.shape[1]), DISTANCE, dtype=torch.float64),
        FOCAL,
        1.0,
    )
    excess = shift / (NOISE * 80)
    expected = excess / np.sqrt(1 + (excess / 3) ** 2)
    np.testing.assert_allclose(residual[~pairs.limit], expected, atol=1e-9)
    np.testing.assert_allclose(
        residual[pairs.limit], max(expected, 0), atol=1e-9
    )  # lids: too shut is no error
    n = len(pairs.upper)
    assert (rows[np.arange(n), np.arange(n) + n, 1] >= 0).all() and np.allclose(
        rows[:, :n].sum(1), -rows[:, n:].sum(1)
    )


def test_what_is_not_trusted_says_nothing(model, pairs):
    at, seen = placed(model, pairs, 5.0)
    (rows,), (residual,) = gap_rows(
        pairs,
        view_landmarks(seen, 0.0),
        at,
        torch.full((1, at.shape[1]), DISTANCE, dtype=torch.float64),
        FOCAL,
        1.0,
    )
    assert not rows.any() and not residual.any()
