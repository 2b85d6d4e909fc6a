"""Adam with uniform second moment: its first step, its invariances, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facewright.engine.core.device import device
from facewright.engine.geometry.differential import DifferentialCoordinates
from facewright.engine.learning.adam_uniform import AdamUniform


def after(optimiser, gradients, start=None):
    """Where one parameter is after steps with the given gradients."""
    x = (torch.zeros_like(gradients[0]) if start is None else start.clone()).requires_grad_()
    stepper = optimiser([x])
    for gradient in gradients:
        x.grad = gradient.clone()
        stepper.step()
    return x.detach()


def gradients(*shape, count=5, seed=0):
    generator = torch.Generator('cpu').manual_seed(seed)
    made = torch.randn(count, *shape, generator=generator, dtype=torch.float64, device='cpu')
    return list(made.to(device()))


def uniform(parameters):
    return AdamUniform(parameters, lr=0.1)


def test_the_first_step_is_the_gradient_over_its_largest():
    (gradient,) = gradients(7, 3, count=1)
    moved = after(uniform, [gradient])
    assert torch.allclose(moved, -0.1 * gradient / gradient.abs().max(), atol=1e-12)


def test_of_a_single_number_it_is_adam():
    given = gradients(1)
    adam = after(lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-12), given)
    assert torch.allclose(after(uniform, given), adam, atol=1e-12)


def test_the_moments_are_those_of_the_paper():
    given, b1, b2 = gradients(4, 3), 0.9, 0.999
    x = m = v = np.zeros((4, 3))
    for t, gradient in enumerate(given, 1):
        g = gradient.cpu().numpy()
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x = x - 0.1 * (m / (1 - b1**t)) / np.sqrt((v / (1 - b2**t)).max())
    np.testing.assert_allclose(after(uniform, given).cpu().numpy(), x, atol=1e-12)


def test_scale_and_order_of_coordinates_do_not_matter():
    given, order = gradients(9, 3), [3, 1, 4, 0, 5, 8, 2, 6, 7]
    moved = after(uniform, given)
    assert torch.allclose(after(uniform, [1e4 * g for g in given]), moved, rtol=1e-9)
    assert torch.equal(after(uniform, [g[order] for g in given]), moved[order])


def test_no_gradient_no_step():
    x, y = (torch.ones(3, device=device(), requires_grad=True) for _ in 'xy')
    optimiser = AdamUniform([x, y])
    x.grad = torch.ones_like(x)
    optimiser.step()
    assert (y == 1).all() and (x < 1).all()
    y.grad = torch.zeros_like(y)
    optimiser.step()
    assert (y == 1).all()


def test_a_smooth_gradient_gives_a_smooth_step():
    """One vertex is pulled; its neighbours come along as the coordinates say, with Adam not."""
    count, pulled = 200, 100
    edges = np.c_[np.arange(count - 1), np.arange(1, count)]
    coordinates = DifferentialCoordinates(edges, count, dtype=torch.float64)

    def pulled_shape(make):
        u = torch.zeros(count, 1, dtype=torch.float64, device=device(), requires_grad=True)
        optimiser = make([u])
        for _ in range(20):
            optimiser.zero_grad()
            ((coordinates.from_differential(u)[pulled] - 1) ** 2).sum().backward()
            optimiser.step()
        return u.detach()

    spike = torch.zeros(count, 1, dtype=torch.float64, device=device())
    spike[pulled] = 1
    kernel = coordinates.from_differential(spike)  # how far one vertex's gradient reaches
    smooth, rough = (
        pulled_shape(lambda p, kind=kind: kind(p, lr=0.01))
        for kind in (AdamUniform, torch.optim.Adam)
    )

    def likeness(u):
        return float((u * kernel).sum() / (u.norm() * kernel.norm()))

    assert likeness(smooth) == pytest.approx(1, abs=1e-9)
    assert likeness(rough) < 0.7
