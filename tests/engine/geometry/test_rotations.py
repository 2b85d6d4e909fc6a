"""Rotations: exponential and logarithm, derivatives where turns are small, the way between."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from facewright.engine.geometry.rotations import skew, so3_exp, so3_interpolate, so3_log


def turns(count, angle, seed=0):
    v = torch.as_tensor(np.random.default_rng(seed).normal(size=(count, 3)))
    return v / v.norm(dim=1, keepdim=True) * angle


@pytest.mark.parametrize('angle', [1e-8, 1e-6, 1e-3, 0.3, 3.0])
def test_exponential_is_scipys_and_the_logarithm_undoes_it(angle):
    v = turns(20, angle)
    expected = Rotation.from_rotvec(v.numpy()).as_matrix()
    np.testing.assert_allclose(so3_exp(v).numpy(), expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(so3_log(so3_exp(v)), v, rtol=0, atol=1e-12)


def test_skew_is_the_cross_product():
    a, b = turns(9, 2.0), turns(9, 1.0, seed=1)
    torch.testing.assert_close((skew(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b))


@pytest.mark.parametrize('angle', [0.0, 1e-9, 0.4])
def test_derivatives_are_finite_and_right(angle):
    start = turns(3, 1.0)
    step = torch.nan_to_num(turns(3, angle)).requires_grad_()
    loss = (so3_log(so3_exp(step) @ so3_exp(start) @ so3_exp(start).mT) ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, step)  # the loss is |step|²
    torch.testing.assert_close(gradient, 2 * step.detach(), rtol=1e-6, atol=1e-12)


def test_the_way_between_is_the_shortest_at_constant_speed():
    start, end = so3_exp(turns(2, 0.5)), so3_exp(turns(2, 1.5, seed=1))
    for part in (0.0, 0.3, 1.0):
        found = so3_interpolate(start, end, torch.full((2,), part, dtype=torch.float64))
        for k in range(2):
            ends = Rotation.from_matrix(torch.stack([start[k], end[k]]).numpy())
            expected = Slerp([0, 1], ends)(part).as_matrix()
            np.testing.assert_allclose(found[k].numpy(), expected, rtol=0, atol=1e-13)
    at_start = so3_interpolate(start, end, torch.zeros(2, dtype=torch.float64))
    assert torch.equal(at_start, start)
