"""Textures: values and gradients against torch's own sampling."""

import numpy as np
import pytest
import torch

from facewright.engine.core.errors import FacewrightError
from facewright.engine.render import launch
from facewright.engine.render.texture import texture


def sampled(image, uv, edge):
    """…×C in the image's precision; wrapping by nine copies side by side."""
    where, picture = torch.stack([uv[..., 0], 1 - uv[..., 1]], -1), image
    if edge == 'wrap':
        where, picture = (where - where.detach().floor() + 1) / 3, image.repeat(3, 3, 1)
    out = torch.nn.functional.grid_sample(
        picture.permute(2, 0, 1)[None],
        2 * where.reshape(1, 1, -1, 2) - 1,
        padding_mode='border',
        align_corners=False,
    )
    return out[0, :, 0].T.reshape(*uv.shape[:-1], -1)


@pytest.mark.parametrize('edge', ['clamp', 'wrap'])
def test_values_and_gradients(edge):
    rng = torch.Generator().manual_seed(0)
    image, uv = torch.rand(13, 9, 5, generator=rng), torch.rand(2, 40, 50, 2, generator=rng) * 3 - 1
    narrow, wide = (
        [v.clone().to(kind).requires_grad_() for v in (image, uv)]
        for kind in (torch.float32, torch.float64)
    )
    found, true = texture(*narrow, edge), sampled(*wide, edge)
    np.testing.assert_allclose(found.detach(), true.detach(), atol=1e-5)
    weigh = torch.randn(found.shape, generator=rng)
    (found * weigh).sum().backward()
    (true * weigh).sum().backward()
    np.testing.assert_allclose(narrow[0].grad, wide[0].grad, atol=1e-3)
    inside = (
        ((uv > 0) & (uv < 1)).all(-1) if edge == 'clamp' else torch.ones(uv.shape[:-1], dtype=bool)
    )
    texels = torch.stack([uv[..., 0] * 9, uv[..., 1] * 13], -1) - 0.5
    kink = (texels - texels.round()).abs().amin(-1) < 1e-4
    np.testing.assert_allclose(
        narrow[1].grad[inside & ~kink], wide[1].grad[inside & ~kink], atol=2e-3
    )


def test_the_picture_stands_upright():
    image = torch.arange(12.0).reshape(3, 4, 1)
    assert texture(image, torch.tensor([[0.125, 1 / 6], [0.875, 5 / 6], [0, 1], [1, 0]]))[
        :, 0
    ].tolist() == pytest.approx([8, 3, 0, 11])
    assert texture(image, torch.tensor([[0.0, 0.5], [1.0, 0.5]]), 'wrap')[
        :, 0
    ].tolist() == pytest.approx([5.5, 5.5])


def test_beyond_the_edge_and_what_is_not_finite():
    image = torch.arange(12.0).reshape(3, 4, 1).requires_grad_()
    uv = torch.tensor(
        [[-5.0, 9], [1e30, -1e30], [float('nan'), 0], [float('inf'), 0]], requires_grad=True
    )
    for edge in ('clamp', 'wrap'):
        out = texture(image, uv, edge)
        assert torch.isfinite(out).all()
        out.sum().backward()
        assert torch.isfinite(uv.grad).all()
    assert texture(image, uv)[:2, 0].tolist() == [0, 11]


def test_the_same_bits_on_one_core_and_on_more(monkeypatch):
    rng = torch.Generator().manual_seed(0)
    image, uv = (
        torch.rand(64, 64, 3, generator=rng).requires_grad_(),
        torch.rand(70000, 2, generator=rng),
    )
    weigh, results = torch.randn(70000, 3, generator=rng), []
    for cores in (1, 2, 2):
        monkeypatch.setattr(launch, 'CORES', cores)
        monkeypatch.setattr(launch, 'LEAST', 1)
        results.append(torch.autograd.grad((texture(image, uv) * weigh).sum(), image)[0])
    assert all((result == results[0]).all() for result in results)


def test_a_gradient_that_is_not_finite_does_not_become_a_number():
    image = torch.rand(4, 4, 1, requires_grad=True)
    (
        texture(image, torch.full((3, 2), 0.5)) * torch.tensor([[1.0], [float('nan')], [1]])
    ).sum().backward()
    assert not torch.isfinite(image.grad).any()


def test_wrong_shapes_are_told():
    image, uv = torch.zeros(4, 4, 3), torch.zeros(5, 2)
    for bad in ((image[0], uv), (image, uv[:, :1]), (image.double(), uv), (image, uv, 'mirror')):
        with pytest.raises(FacewrightError):
            texture(*bad)
