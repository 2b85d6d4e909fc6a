"""Small fully connected networks: positional encoding, MLP, SIREN.

Weights are drawn on the processor from a generator of the caller's, so that a seed gives the same
network on every device; move it with `.to(device())` afterwards.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from ..core.device import HOST


class PositionalEncoding(nn.Module):
    """Sines and cosines of a point at rising frequencies, the point itself in front.

    Mildenhall et al., "NeRF", 2020, eq. 4; the coarse-to-fine window is Park et al.'s, "Nerfies",
    2021, eq. 8. Of …×inputs it makes …×outputs, in the order: x, sin(π x), cos(π x), sin(2π x), …

    inputs: how many coordinates a point has; they should lie in −1..1
    bands: how many frequencies, π·2⁰ to π·2^(bands − 1)
    raw: whether the point itself is part of the code
    """

    def __init__(self, inputs: int, bands: int, raw: bool = True):
        super().__init__()
        self.inputs, self.bands, self.raw = inputs, bands, raw
        self.outputs = inputs * (2 * bands + raw)

    def forward(self, x: torch.Tensor, open_bands: float | None = None) -> torch.Tensor:
        """Encode …×inputs; open_bands 0..bands: how many are let through, the last in part."""
        parts = [x] if self.raw else []
        for band in range(self.bands):
            angle = (math.pi * 2.0**band) * x
            pair = torch.cat([angle.sin(), angle.cos()], -1)
            parts.append(pair if open_bands is None else self.window(band, open_bands) * pair)
        return torch.cat(parts, -1)

    @staticmethod
    def window(band: int, open_bands: float) -> float:
        """Return the weight 0..1 of a band, a cosine ramp from band to band + 1."""
        return (1 - math.cos(math.pi * min(max(open_bands - band, 0.0), 1.0))) / 2


class MLP(nn.Module):
    """Linear layers with an activation between them, none behind the last.

    He et al., "Delving Deep into Rectifiers", 2015: weights uniform within √(6 / fan in) before an
    activation; those of the last layer within √(3 / fan in) · last; biases 0.

    sizes: the widths, inputs first, outputs last
    generator: what the weights are drawn from
    activation: between the layers
    last: factor of the last layer's weights; 0: the network begins as the constant 0
    """

    def __init__(
        self,
        sizes: Sequence[int],
        generator: torch.Generator,
        activation: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
        last: float = 1.0,
    ):
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(_linear(a, b) for a, b in itertools.pairwise(sizes))
        with torch.no_grad():
            for layer in self.layers:
                final = layer is self.layers[-1]
                bound = math.sqrt((3.0 if final else 6.0) / layer.in_features)
                _draw(layer.weight, bound * (last if final else 1.0), generator)
                layer.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """…×sizes[0] → …×sizes[-1]."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Siren(nn.Module):
    """An MLP whose activations are sines.

    Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020,
    section 3.2: layers sin(ω₀ (W x + b)); W uniform within 1 / fan in in the first, within
    √(6 / fan in) / ω₀ in the others, the last linear one too; biases within 1 / √fan in. So for
    inputs in −1..1 every hidden layer's argument of the sine has a standard deviation of 1.

    sizes: the widths, inputs first, outputs last
    generator: what the weights are drawn from
    omega: ω₀, how fine the first layer's waves are
    """

    def __init__(self, sizes: Sequence[int], generator: torch.Generator, omega: float = 30.0):
        super().__init__()
        self.omega = omega
        self.layers = nn.ModuleList(_linear(a, b) for a, b in itertools.pairwise(sizes))
        with torch.no_grad():
            for layer in self.layers:
                fan_in = layer.in_features
                first = layer is self.layers[0]
                _draw(
                    layer.weight, 1 / fan_in if first else math.sqrt(6 / fan_in) / omega, generator
                )
                _draw(layer.bias, 1 / math.sqrt(fan_in), generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """…×sizes[0] → …×sizes[-1]."""
        for layer in self.layers[:-1]:
            x = torch.sin(self.omega * layer(x))
        return self.layers[-1](x)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Make a layer yet without weights, so that nothing is drawn from torch's own generator."""
    return nn.utils.skip_init(nn.Linear, inputs, outputs, device=torch.device(HOST))


def _draw(values: torch.Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill with numbers uniform in −bound..bound."""
    values.uniform_(-bound, bound, generator=generator)
