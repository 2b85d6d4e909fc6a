"""What is rare costs no more than a price; what is near the mean costs what the Gaussian says."""

import numpy as np
import torch
from scipy.optimize import minimize

from facewright.engine.evidence.departures import DeparturePrior
from facewright.engine.evidence.options import TrackOptions
from facewright.engine.evidence.parameters import POSE, FreeParameters, empty_system
from facewright.engine.evidence.priors import expression_prior
from facewright.engine.evidence.state import SharedParameters, State, Trajectory
from facewright.engine.face_model.expressions import ICT_NAMES


def state_of(weights: torch.Tensor) -> State:
    nodes, none = len(weights), torch.zeros(0, dtype=torch.float64)
    pose = torch.eye(3, dtype=torch.float64).expand(nodes, 3, 3), torch.zeros(nodes, 3)
    return State(SharedParameters(none, none, none, none, none), Trajectory(*pose, weights))


def gradient_of(prior: DeparturePrior, weights: torch.Tensor) -> torch.Tensor:
    system = empty_system(FreeParameters(0, 1), *state_of(weights).nodes_and_unknowns)
    prior.linearise(state_of(weights), system)
    return system.gradient[:, POSE:]


def test_the_energy_is_the_least_over_departures():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(6, 6))
    covariance, price = half @ half.T * 0.02 + 0.01 * np.eye(6), 2.0
    precision = np.linalg.inv(covariance)
    prior = DeparturePrior(torch.as_tensor(covariance), torch.zeros(6).double(), price)
    for scale in (0.05, 0.3, 1.0):
        d = rng.normal(size=6) * scale

        def cost(parts, d=d):
            u = parts[:6] - parts[6:]
            return 0.5 * (d - u) @ precision @ (d - u) + price * parts.sum()

        best = minimize(cost, np.zeros(12), bounds=[(0, None)] * 12, options={'ftol': 1e-14}).fun
        assert abs(float(prior.energy(state_of(torch.as_tensor(d[None])))) - best) < 1e-4 * best


def test_a_mouth_pushed_to_the_side_is_rare_but_whole():
    """It was hardly recorded: by the Gaussian alone .8 of it would be pulled back by 150 a unit."""
    options = TrackOptions()
    prior = expression_prior(ICT_NAMES, options)
    weights = prior.mean.expand(3, -1).clone()
    weights[1, ICT_NAMES.index('mouthLeft')] += 0.8
    weights[2, ICT_NAMES.index('mouthLeft')] += 0.02
    rest, far, near = gradient_of(prior, weights)
    assert not rest.any()
    assert far.abs().max() <= options.departure * (1 + 1e-6)
    gaussian = torch.linalg.solve(prior.covariance, weights[2] - prior.mean)
    torch.testing.assert_close(near, gaussian)
