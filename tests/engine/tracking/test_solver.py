"""The tracker's normal equations.

Gradients against finite differences, exact recovery, bounds, priors.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from synthetic import IDENTITIES, NAMES, make_problem, moved

from facewright.engine.evidence.motion_priors import AccelerationPrior
from facewright.engine.evidence.options import TrackOptions
from facewright.engine.evidence.parameters import FreeParameters, empty_system
from facewright.engine.evidence.point_basis import DTYPE
from facewright.engine.evidence.priors import expression_prior, identity_weight
from facewright.engine.evidence.state import State, Trajectory
from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.tracking import solver
from facewright.engine.tracking.arrow import solve_arrow
from facewright.engine.tracking.solver import bounded_step, cost, linearise, solve, times


@pytest.mark.parametrize('seed,smooth', [(0, False), (1, False), (2, False), (3, True)])
def test_gradient_is_the_costs_derivative(seed, smooth):
    rng = np.random.default_rng(seed)
    problem, shared, trajectory = make_problem(rng, views=2, noise=2.0)
    trajectory = replace(trajectory, weights=trajectory.weights * 0.5)
    if smooth:  # turns between nodes are taken as small
        trajectory = replace(
            trajectory,
            rotation=so3_exp(
                0.0003 * torch.as_tensor(rng.normal(size=(len(trajectory.weights), 3)))
            )
            @ trajectory.rotation[:1],
        )
    problem = replace(
        problem,
        neutral_node=1,
        anchor=Trajectory(
            trajectory.rotation, trajectory.translation + 0.3, trajectory.weights + 0.1
        ),
        anchors=2,
        smooth=smooth,
    )
    system = linearise(problem, State(shared, trajectory))
    views, m = 2, 6 + len(NAMES)
    for _ in range(6):
        node, common = (
            torch.as_tensor(rng.normal(size=(len(trajectory.weights), m))),
            torch.as_tensor(rng.normal(size=problem.parameters.count)),
        )
        common[IDENTITIES + views : IDENTITIES + views + 6] = (
            0  # the first camera is the world: it has no derivative
        )
        expected = float((system.gradient * node).sum() + (system.gradient_shared * common).sum())
        h = 1e-5
        costs = [
            cost(problem, moved(State(shared, trajectory), s * h * node, s * h * common, views))
            for s in (1, -1)
        ]
        assert (costs[0] - costs[1]) / (2 * h) == pytest.approx(expected, rel=2e-4, abs=1e-3)


def test_steady_motion_costs_no_jolt_and_its_curvature_is_that_of_the_cost():
    """Exactly quadratic in translations and weights.

    The normal equations' own Hessian against differences of the gradient.
    """
    step, m, acceleration = (
        torch.tensor([0.02, 0.05, 0.03], dtype=DTYPE),
        3,
        torch.tensor([1.0, 2.0, 3.0], dtype=DTYPE),
    )

    prior = AccelerationPrior(torch.cat([torch.ones(6, dtype=DTYPE), acceleration]), step)

    def system(x):
        """The weights' part: heads stand still."""
        still = torch.eye(3, dtype=DTYPE).expand(4, 3, 3), torch.zeros(4, 3, dtype=DTYPE)
        out = empty_system(FreeParameters(0, 1), 4, 6 + m)
        prior.linearise(State(None, Trajectory(*still, x)), out)
        for name in ('diagonal', 'upper', 'second'):
            setattr(out, name, getattr(out, name)[:, 6:, 6:])
        out.gradient = out.gradient[:, 6:]
        return out

    times = torch.cat([torch.zeros(1, dtype=DTYPE), step.cumsum(0)])
    steady = system(times[:, None] * torch.tensor([3.0, -1.0, 0.0], dtype=DTYPE))
    assert steady.cost < 1e-18
    x = torch.randn(4, m, generator=torch.Generator().manual_seed(0), dtype=DTYPE)
    found, base = system(x), system(torch.zeros(4, m, dtype=DTYPE))
    dense = torch.zeros(4, m, 4, m, dtype=DTYPE)
    for k in range(4):
        dense[k, :, k] = found.diagonal[k]
    for gap, blocks in ((1, found.upper), (2, found.second)):
        for k, block in enumerate(blocks):
            dense[k, :, k + gap], dense[k + gap, :, k] = block, block.T
    torch.testing.assert_close(
        torch.einsum('kalb,lb->ka', dense, x), found.gradient - base.gradient
    )
    assert found.cost == pytest.approx(float(0.5 * (x * found.gradient).sum()))


def test_exact_observations_are_recovered():
    rng = np.random.default_rng(3)
    weak = TrackOptions(
        statistics=1e-6,
        sparsity=0.0,
        depth_acceleration=1e4,
        identity_weight=1e-6,
        rotation_velocity=1e4,
        translation_velocity=1e4,
        weight_velocity=1e4,
        fast_velocity=1e4,
        data=1.0,
    )
    problem, shared, trajectory = make_problem(rng, views=1, free=('identity',), options=weak)
    start = Trajectory(
        so3_exp(0.1 * torch.ones(len(trajectory.weights), 3, dtype=DTYPE)) @ trajectory.rotation,
        trajectory.translation + 1.0,
        torch.full_like(trajectory.weights, 0.3),
    )
    begin = State(replace(shared, identity=torch.zeros_like(shared.identity)), start)
    *_, (found, moves) = solve(problem, begin, 40, tolerance=1e-12)
    torch.testing.assert_close(found.identity, shared.identity, atol=2e-2, rtol=0)
    torch.testing.assert_close(moves.weights, trajectory.weights, atol=2e-2, rtol=0)
    torch.testing.assert_close(moves.translation, trajectory.translation, atol=2e-1, rtol=0)


def test_a_step_with_little_damping_goes_further_along_what_is_barely_seen():
    rng = np.random.default_rng(3)
    problem, shared, trajectory = make_problem(rng, views=1, free=('identity',))
    begin = State(replace(shared, identity=torch.zeros_like(shared.identity)), trajectory)
    damped, free = (next(solve(problem, begin, 1, 1e-9, one)) for one in (1e-1, 1e-6))
    assert free.shared.identity.norm() > 1.05 * damped.shared.identity.norm()


def test_weights_stay_within_bounds_and_cost_falls():
    rng = np.random.default_rng(4)
    problem, shared, trajectory = make_problem(rng, views=1, free=(), noise=25.0)
    begin = State(shared, trajectory)
    costs = [cost(problem, begin)]
    for state in solve(problem, begin, 8, 1e-6):
        assert state.trajectory.weights.min() >= 0 and state.trajectory.weights.max() <= 1
        costs.append(cost(problem, state))
    assert len(costs) > 2 and all(b < a for a, b in pairwise(costs))


def test_prior_is_positive_definite_and_mirror_symmetric():
    prior = expression_prior(ICT_NAMES, TrackOptions())
    assert torch.linalg.eigvalsh(prior.covariance).min() > 0
    from facewright.engine.lab.measure_statistics import mirrored

    order = [ICT_NAMES.index(mirrored(n)) for n in ICT_NAMES]
    torch.testing.assert_close(
        prior.covariance[order][:, order], prior.covariance, rtol=1e-3, atol=1e-2
    )


def test_a_frame_called_neutral_comes_out_neutral():
    rng = np.random.default_rng(6)
    problem, shared, trajectory = make_problem(rng, views=1, free=('identity',))
    told = replace(problem, neutral_node=2)
    *_, (_, free) = solve(problem, State(shared, trajectory), 15, 1e-6)
    *_, (_, held) = solve(told, State(shared, trajectory), 15, 1e-6)
    assert held.weights[2].sum() < 0.5 * free.weights[2].sum()


@pytest.mark.parametrize('second', [False, True])
def test_a_bounded_step_meets_its_optimality_conditions(second, monkeypatch):
    """Within its bounds; no slope where it is free, an outward one where it is held."""
    monkeypatch.setattr(solver, 'PASSES', 30)
    rng, nodes, size, shared = np.random.default_rng(4), 6, 5, 3
    system = empty_system(FreeParameters(shared, 1), nodes, size)
    for k in range(nodes):
        if k + 1 < nodes:
            j = torch.as_tensor(rng.normal(size=(8, 2 * size + shared)))
            a, b, c = j[:, :size], j[:, size : 2 * size], j[:, 2 * size :]
            system.diagonal[k] += a.T @ a
            system.diagonal[k + 1] += b.T @ b
            system.upper[k] += a.T @ b
            system.border[k] += a.T @ c
            system.border[k + 1] += b.T @ c
            system.corner += c.T @ c
    if second:
        system.second = torch.zeros(nodes - 2, size, size, dtype=DTYPE)
        for k in range(nodes - 2):
            a, b = torch.as_tensor(rng.normal(size=(2, 8, size)))
            system.diagonal[k] += a.T @ a
            system.diagonal[k + 2] += b.T @ b
            system.second[k] += a.T @ b
    system.gradient += torch.as_tensor(rng.normal(size=(nodes, size))) * 8
    system.gradient_shared += torch.as_tensor(rng.normal(size=shared))
    low = -torch.as_tensor(rng.uniform(0, 0.3, size=(nodes, size)))
    high = torch.as_tensor(rng.uniform(0, 0.3, size=(nodes, size)))
    low[:, 0], high[:, 0], low[0, 1] = -torch.inf, torch.inf, 0.0
    step, common = bounded_step(system, (low, high), 0.0)
    slope = times(system, step, common)
    slope = system.gradient + slope[0], system.gradient_shared + slope[1]
    at_low, at_high = step <= low, step >= high
    free = ~(at_low | at_high)
    assert 4 < int(free.sum()) < nodes * size - 4
    assert (step >= low - 1e-9).all() and (step <= high + 1e-9).all()
    assert slope[0][free].abs().max() < 1e-6 and slope[1].abs().max() < 1e-6
    assert (slope[0][at_low] > -1e-6).all() and (slope[0][at_high] < 1e-6).all()


def test_a_photo_shows_as_much_of_a_persons_shape_as_the_models_own_prior_leaves():
    options = TrackOptions()
    assert identity_weight(options, 1) == 1
    assert identity_weight(options, 48) == pytest.approx(options.identity_weight, rel=0.01)
    assert identity_weight(options, 500) == options.identity_weight
    problem, shared, trajectory = make_problem(
        np.random.default_rng(4), count=1, views=1, free=('identity',)
    )
    start = State(replace(shared, identity=0 * shared.identity), trajectory)
    *_, (found, _) = solve(problem, start, 30, 1e-9)
    assert float((found.identity - shared.identity).norm()) < 0.1 * float(shared.identity.norm())


@pytest.mark.parametrize('shared', [0, 3])
@pytest.mark.parametrize('apart', [True, False])
def test_an_arrow_is_solved_as_a_dense_system(shared, apart):
    """Also where no node has to do with the next."""
    rng = np.random.default_rng(shared)
    count, m = 7, 5
    size = count * m + shared
    half = rng.normal(size=(size, size))
    dense = half @ half.T + size * np.eye(size)
    node = np.repeat(np.arange(count), m)
    far = np.abs(node[:, None] - node) > (0 if apart else 1)
    dense[: count * m, : count * m][far] = 0
    blocks = dense[: count * m, : count * m].reshape(count, m, count, m)
    right = rng.normal(size=size)
    found = solve_arrow(
        *(
            torch.as_tensor(a)
            for a in (
                np.stack([blocks[k, :, k] for k in range(count)]),
                np.stack([blocks[k, :, k + 1] for k in range(count - 1)]),
                dense[: count * m, count * m :].reshape(count, m, shared),
                dense[count * m :, count * m :],
                right[: count * m].reshape(count, m),
                right[count * m :],
            )
        )
    )
    together = torch.cat([part.flatten() for part in found]).numpy()
    np.testing.assert_allclose(together, np.linalg.solve(dense, right), atol=1e-10)
