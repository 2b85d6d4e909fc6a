"""A mouth's two sides are drawn together, and a smirk stays a smirk."""

import pytest
import torch

from facewright.engine.evidence.parameters import FreeParameters, empty_system
from facewright.engine.evidence.sides import SidesPrior, side_pairs
from facewright.engine.evidence.state import State, Trajectory
from facewright.engine.face_model.expressions import ICT_NAMES

SPREAD = 0.2  # as by default


def settled(seen: tuple[float, float], precision: float) -> torch.Tensor:
    """The two weights by Gauss-Newton's steps, seen with some precision (1/σ²)."""
    prior, target = SidesPrior(torch.tensor([[0, 1]]), SPREAD), torch.tensor([seen]).double()
    weights = target.clone()
    for _ in range(50):
        pose = torch.eye(3, dtype=torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64)
        system = empty_system(FreeParameters(0, 1, (), False), 1, 8)
        prior.linearise(State(None, Trajectory(*pose, weights)), system)
        curvature = system.diagonal[0, 6:, 6:] + precision * torch.eye(2)
        gradient = system.gradient[0, 6:] + precision * (weights - target)[0]
        weights = weights - torch.linalg.solve(curvature, gradient)[None]
    return weights[0]


def test_pairs_are_the_mouths_and_its_surroundings():
    named = {(ICT_NAMES[a], ICT_NAMES[b]) for a, b in side_pairs(ICT_NAMES)}
    assert ('mouthSmile_L', 'mouthSmile_R') in named
    assert not any(a.startswith(('eye', 'brow')) for a, _ in named)
    assert all(a[:-1] == b[:-1] and a[-1] + b[-1] == 'LR' for a, b in named)


def test_a_small_difference_badly_seen_goes():
    left, right = settled((0.45, 0.35), precision=40.0)
    assert left - right < 0.045
    assert left + right == pytest.approx(0.8)


def test_a_smirk_that_is_seen_stays():
    left, right = settled((0.8, 0.0), precision=100.0)
    assert left > 0.75
    assert right < 0.05
