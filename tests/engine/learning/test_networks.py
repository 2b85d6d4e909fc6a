"""Networks against closed forms: codes, windows, initial distributions, derivatives."""

from __future__ import annotations

import math

import pytest
import torch

from facewright.engine.core.device import device
from facewright.engine.learning.networks import MLP, PositionalEncoding, Siren


def seeded(seed=0):
    return torch.Generator('cpu').manual_seed(seed)


def points(*shape, seed=1):
    """Uniform in −1..1, the same on every device."""
    return (torch.rand(*shape, generator=seeded(seed), device='cpu') * 2 - 1).to(device())


def test_a_code_is_the_point_and_its_waves():
    encoding = PositionalEncoding(3, 4)
    assert encoding.outputs == 27  # as neural deferred shading has it
    x = points(5, 2, 3)
    code = encoding(x)
    assert code.shape == (5, 2, 27) and (code[..., :3] == x).all()
    for band in range(4):
        sines, cosines = code[..., 3 + 6 * band :][..., :3], code[..., 6 + 6 * band :][..., :3]
        assert torch.allclose(sines, torch.sin(math.pi * 2**band * x), atol=1e-6)
        assert torch.allclose(cosines, torch.cos(math.pi * 2**band * x), atol=1e-6)
    assert PositionalEncoding(1, 6, raw=False).outputs == 12


def test_doubling_a_point_moves_its_code_by_a_band():
    encoding = PositionalEncoding(2, 5, raw=False)
    x = points(20, 2)
    assert torch.allclose(encoding(2 * x)[:, :16], encoding(x)[:, 4:], atol=1e-5)


@pytest.mark.parametrize(
    'open_bands, wanted',
    [(0, [0, 0, 0]), (0.5, [0.5, 0, 0]), (1, [1, 0, 0]), (2.25, [1, 1, 0.1464466]), (3, [1, 1, 1])],
)
def test_the_window_opens_band_by_band(open_bands, wanted):
    encoding = PositionalEncoding(1, 3)
    found = [encoding.window(band, open_bands) for band in range(3)]
    assert found == pytest.approx(wanted, abs=1e-6)
    x = points(7, 1)
    code, whole = encoding(x, open_bands), encoding(x)
    weight = torch.tensor([1.0] + [w for w in wanted for _ in range(2)], device=x.device)
    assert torch.allclose(code, whole * weight, atol=1e-6)
    assert torch.equal(encoding(x, 3.0), whole)


@pytest.mark.parametrize('kind', [MLP, Siren])
def test_a_seed_gives_the_same_network_whatever_was_drawn_before(kind):
    torch.manual_seed(3)
    first = kind((3, 8, 8, 2), seeded())
    before = torch.get_rng_state()
    torch.rand(5, device='cpu')
    again, other = kind((3, 8, 8, 2), seeded()), kind((3, 8, 8, 2), seeded(1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters()))
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
    torch.set_rng_state(before)
    kind((3, 8, 8, 2), seeded())
    assert torch.equal(torch.get_rng_state(), before)  # the global generator was not used


def test_an_mlp_is_its_layers():
    network = MLP((2, 4, 3), seeded()).to(device())
    x = points(6, 2)
    first, second = network.layers
    by_hand = torch.relu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias
    assert torch.allclose(network(x), by_hand, atol=1e-6)
    assert (MLP((2, 4, 3), seeded(), last=0.0).to(device())(x) == 0).all()


def test_an_mlp_keeps_the_size_of_what_goes_through():
    """He et al.: with weights of variance 2 / fan in, ReLU layers keep the mean square."""
    network = MLP((64, 1024, 1024, 1024, 1), seeded()).to(device()).requires_grad_(False)
    x = torch.randn(500, 64, generator=seeded(2), device='cpu').to(device())
    sizes = [float((x**2).mean())]
    for layer in network.layers[:-1]:
        x = torch.relu(layer(x))
        sizes.append(float((x**2).mean()))
    assert sizes[1:] == pytest.approx([sizes[0]] * 3, rel=0.15)


def test_a_siren_begins_as_its_paper_says():
    """Arguments of the sines: standard deviation 1 in hidden layers; the sines' values arcsine."""
    network = Siren((1, 512, 512, 512, 512, 2), seeded()).to(device()).requires_grad_(False)
    x = points(4000, 1)
    first = network.layers[0]
    assert float(first.weight.abs().max()) <= 1 and float(first.weight.std()) == pytest.approx(
        1 / math.sqrt(3), rel=0.1
    )
    bound = math.sqrt(6 / 512) / 30
    for layer in network.layers[1:]:
        assert float(layer.weight.abs().max()) <= bound
        assert float(layer.weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)
        assert float(layer.bias.abs().max()) <= 1 / math.sqrt(512)
    h = torch.sin(30 * first(x))
    for layer in network.layers[1:-1]:
        argument = 30 * (h @ layer.weight.T)
        assert float(argument.std()) == pytest.approx(1, rel=0.05)
        h = torch.sin(30 * layer(h))
    assert float((h**2).mean()) == pytest.approx(0.5, rel=0.05)
    assert float((h.abs() < math.sin(math.pi / 6)).float().mean()) == pytest.approx(1 / 3, rel=0.1)


def test_a_siren_s_derivative_is_a_siren_of_cosines():
    network = Siren((1, 6, 1), seeded(), omega=7.0).to(device()).double()
    x = points(9, 1).double().requires_grad_()
    (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    first, last = network.layers
    angle = 7 * (x @ first.weight.T + first.bias)
    by_hand = (7 * first.weight[:, 0] * torch.cos(angle)) @ last.weight.T
    assert torch.allclose(slope, by_hand, atol=1e-12)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    by_hand = -((7 * first.weight[:, 0]) ** 2 * torch.sin(angle)) @ last.weight.T
    assert torch.allclose(curvature, by_hand, atol=1e-10)


@pytest.mark.parametrize('kind', [MLP, Siren])
def test_gradients(kind):
    options = {'activation': torch.tanh} if kind is MLP else {'omega': 2.0}
    network = kind((2, 3, 3, 1), seeded(), **options).to(device()).double()
    x = points(4, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(network, x)
