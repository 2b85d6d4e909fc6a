"""Interpolation: values and gradients against plain indexing."""

import numpy as np
import pytest
import torch
from scenes import ball

from facewright.engine.core.errors import FacewrightError
from facewright.engine.render import launch
from facewright.engine.render.interpolate import interpolate
from facewright.engine.render.rasterise import rasterise_batch

CAMERA = (60.0, (31.0, 33.0), (64, 70))


def indexed(attributes, triangles, seen, barycentric):
    """B×H×W×C in the attributes' own precision."""
    corners = triangles[seen.triangle.clamp(min=0).long()].long()
    b = torch.arange(len(corners))[:, None, None, None]
    values = attributes[b, corners] if attributes.ndim == 3 else attributes[corners]
    return (values * barycentric[..., None]).sum(3) * (seen.triangle >= 0)[..., None]


@pytest.mark.parametrize('channels', [1, 3, 5])
@pytest.mark.parametrize('batched', [False, True])
def test_values_and_gradients(channels, batched):
    points, triangles = ball()
    points = torch.cat([points, points + torch.tensor([0.5, 0.1, -2.0])]).requires_grad_()
    rng = torch.Generator().manual_seed(3)
    attributes = torch.randn(
        *((2,) if batched else ()), points.shape[1], channels, generator=rng
    ).requires_grad_()
    seen = rasterise_batch(points, triangles, *CAMERA)
    seen.barycentric.retain_grad()
    picture = interpolate(attributes, triangles, seen)
    wide, barycentric = (
        attributes.detach().double().requires_grad_(),
        seen.barycentric.detach().double().requires_grad_(),
    )
    true = indexed(wide, triangles, seen, barycentric)
    np.testing.assert_allclose(picture.detach(), true.detach(), atol=1e-6)
    weigh = torch.randn(picture.shape, generator=rng)
    (picture * weigh).sum().backward()
    (true * weigh).sum().backward()
    np.testing.assert_allclose(attributes.grad, wide.grad, atol=1e-5)
    np.testing.assert_allclose(seen.barycentric.grad, barycentric.grad, atol=1e-5)
    assert points.grad.abs().max() > 0


def test_positions_move_the_picture_as_told():
    """The picture of a field fixed to a ball, against central differences over its motion."""
    points, triangles = ball()
    field = torch.sin(points[0] * torch.tensor([2.0, 1.5, 0]) + points[0].roll(1, 1))
    y, x = torch.meshgrid(torch.arange(70.0), torch.arange(64.0), indexing='ij')
    window = torch.exp(-((x - 30) ** 2 + (y - 34) ** 2) / 3**2)[
        None, ..., None
    ]  # within the ball: its outline is antialias's business
    motion = torch.tensor([0.1, -0.2, 0.3])

    def loss(shift):
        seen = rasterise_batch(points + shift * motion, triangles, *CAMERA)
        return (interpolate(field, triangles, seen) ** 2 * window).double().sum()

    shift = torch.zeros(1, requires_grad=True)
    loss(shift).backward()
    step = 1e-3  # small: the slope jumps where a pixel comes to another triangle
    assert float(shift.grad) == pytest.approx(
        float(loss(torch.tensor([step])) - loss(torch.tensor([-step]))) / (2 * step), rel=2e-3
    )


def test_the_same_bits_on_one_core_and_on_more(monkeypatch):
    points, triangles = ball()
    weigh = torch.randn(1, 256, 256, 2, generator=torch.Generator().manual_seed(0))
    results = []
    for cores in (1, 2, 2, 3):
        monkeypatch.setattr(launch, 'CORES', cores)
        monkeypatch.setattr(launch, 'LEAST', 1)
        own, values = points.clone().requires_grad_(), points[0, :, :2].clone().requires_grad_()
        (
            interpolate(
                values,
                triangles,
                rasterise_batch(own, triangles, 900.0, (128.0, 128.0), (256, 256)),
            )
            * weigh
        ).sum().backward()
        results.append((own.grad, values.grad))
    assert all(
        (found == first).all() for result in results[1:] for found, first in zip(result, results[0])
    )


def test_wrong_shapes_are_told():
    points, triangles = ball()
    seen = rasterise_batch(points, triangles, *CAMERA)
    for bad in (
        points[0, :9],
        points[0].double(),
        torch.zeros(2, points.shape[1], 3),
        points[0, :, 0],
    ):
        with pytest.raises(FacewrightError):
            interpolate(bad, triangles, seen)
    with pytest.raises(FacewrightError):
        interpolate(points[0], triangles[:4], seen)
