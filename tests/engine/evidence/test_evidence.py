"""What pictures say, in the solver.

Its gradient against finite differences; offsets the model does not span.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import IDENTITIES, LANDMARKS, NAMES, make_problem, moved, tensor

from facewright.engine.evidence.parameters import FreeParameters, empty_system
from facewright.engine.evidence.picture_term import (
    JointRows,
    PictureTerm,
    PixelQuadratic,
)
from facewright.engine.evidence.point_basis import DTYPE
from facewright.engine.evidence.state import State, Trajectory, project_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.tracking.offsets import offset_modes
from facewright.engine.tracking.solver import cost, linearise, solve


def with_picture_terms(rng, means=True, **options):
    problem, shared, trajectory = make_problem(rng, views=2, **options)
    terms = []
    for view, view_landmarks in enumerate(problem.landmarks_by_view):
        n = len(view_landmarks.node)
        at = project_landmarks(problem.basis, shared, trajectory, view_landmarks, view, slice(None))
        half = tensor(rng.normal(size=(n, LANDMARKS, 2, 2)))
        curvature = half @ half.mT
        gradient = torch.einsum(
            'nlij,nlj->nli', curvature, tensor(rng.normal(size=(n, LANDMARKS, 2)))
        )
        curvature[:, 1::3], gradient[:, 1::3] = (
            0,
            0,
        )  # nothing is said of these, and of some only together
        curvature[:, 6::9], gradient[:, 6::9] = 0, 0
        index = torch.arange(0, LANDMARKS, 3)
        rows = (
            (
                JointRows(
                    index,
                    (torch.arange(len(index)),) * n,
                    tuple(tensor(rng.normal(size=(n, 4, len(index), 2)))),
                    tensor(rng.normal(size=(n, 4))),
                ),
            )
            if means
            else ()
        )
        terms.append(
            PictureTerm(
                problem.basis,
                slice(0, LANDMARKS),
                view,
                PixelQuadratic(
                    view_landmarks.node,
                    view_landmarks.between,
                    at + tensor(rng.normal(size=at.shape)),
                    gradient,
                    curvature,
                    rows,
                ),
            )
        )
    return replace(problem, picture_terms=tuple(terms)), shared, trajectory


@pytest.mark.parametrize('seed', [0, 1])
def test_gradient_is_the_costs_derivative(seed):
    rng = np.random.default_rng(seed)
    problem, shared, trajectory = with_picture_terms(rng)
    system, m = linearise(problem, State(shared, trajectory)), 6 + len(NAMES)
    for _ in range(4):
        node, common = (
            torch.as_tensor(rng.normal(size=(len(trajectory.weights), m))),
            torch.as_tensor(rng.normal(size=problem.parameters.count)),
        )
        common[IDENTITIES + 2 : IDENTITIES + 8] = 0
        expected = float((system.gradient * node).sum() + (system.gradient_shared * common).sum())
        h = 1e-5
        costs = [
            cost(problem, moved(State(shared, trajectory), s * h * node, s * h * common, 2))
            for s in (1, -1)
        ]
        assert (costs[0] - costs[1]) / (2 * h) == pytest.approx(expected, rel=2e-3, abs=1e-1)


def test_a_quadratic_that_knows_the_place_pulls_the_head_there():
    rng = np.random.default_rng(5)
    problem, shared, trajectory = make_problem(rng, views=1, free=())
    view_landmarks = problem.landmarks_by_view[0]
    at = project_landmarks(problem.basis, shared, trajectory, view_landmarks, 0, slice(None))
    blind = replace(
        problem,
        landmarks_by_view=(
            replace(view_landmarks, sqrt_information=view_landmarks.sqrt_information * 1e-3),
        ),
    )
    away = Trajectory(
        so3_exp(0.02 * torch.ones(len(trajectory.weights), 3, dtype=DTYPE)) @ trajectory.rotation,
        trajectory.translation + 0.3,
        trajectory.weights,
    )
    start = project_landmarks(problem.basis, shared, away, view_landmarks, 0, slice(None))
    curvature = 10.0 * torch.eye(2, dtype=DTYPE).expand(*at.shape, 2)
    told = replace(
        blind,
        picture_terms=(
            PictureTerm(
                problem.basis,
                slice(0, LANDMARKS),
                0,
                PixelQuadratic(
                    view_landmarks.node,
                    view_landmarks.between,
                    start,
                    10.0 * (start - at),
                    curvature,
                ),
            ),
        ),
    )
    *_, (_, found) = solve(told, State(shared, away), 12, 1e-9)
    now = project_landmarks(problem.basis, shared, found, view_landmarks, 0, slice(None))
    assert (now - at).norm(dim=2).mean() < 0.1 * (start - at).norm(dim=2).mean()


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


def test_offsets_have_the_spread_asked_for_and_eyeballs_ride(model):
    modes = offset_modes(model, 12, 0.2)
    assert modes.shape == (36, model.vertex_count, 3) and np.isfinite(modes).all()
    assert not modes[:12, :, 1:].any() and not modes[24:, :, :2].any()
    face = model.regions['narrow_face']
    assert 0.1 < np.sqrt((modes[:12, face, 0] ** 2).sum(0).mean()) < 0.3
    for side in 'LR':
        assert np.ptp(modes[:, model.regions[f'eyeball_{side}']], axis=1).max() < 1e-6
    np.testing.assert_array_equal(modes, offset_modes(model, 12, 0.2))


def test_offsets_are_smooth(model):
    modes = offset_modes(model, 12, 0.2)
    edges = model.faces[np.isin(model.faces[:, :3], model.regions['narrow_face']).all(1)]
    step = np.abs(modes[:, edges[:, 0]] - modes[:, edges[:, 1]]).max()
    assert step < 0.25 * np.abs(modes).max()


def test_systems_are_added_with_their_blocks_of_nodes_two_apart():
    """As two halves of a term's frames are, of which only one may have such blocks."""
    one, other = (empty_system(FreeParameters(0, 1), 4, 8) for _ in range(2))
    other.make_second()[1, 2, 3] = 5.0
    other.gradient[1, 2], other.cost = 7.0, 2.0
    one.add(other)
    one.add(other)
    assert one.cost == 4 and one.gradient[1, 2] == 14
    assert one.second[1, 2, 3] == 10 and one.second.abs().sum() == 10
