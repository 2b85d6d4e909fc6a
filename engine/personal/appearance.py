"""How a head's skin looks: an albedo of texels in the light of each view.

papers/4, eq. 7 (albedo × spherical harmonics of the normal), the albedo as fine as texels: what
carries shape is fine texture seen from several sides. Both in closed form, in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..render.shading import sh_basis
from ..texture.light import CONSTANT
from ..texture.texel_samples import GAMMA
from .skin_pixels import SkinPixels

DARKEST = 0.02  # the least that light gives
RIDGE = 1e-3  # of the mean of the diagonal: what holds an unseen direction's light


@dataclass(frozen=True)
class SkinAppearance:
    """albedo: G²×3 linear; light: views×9×3, in each camera's axes; size: G."""

    albedo: np.ndarray
    light: np.ndarray
    size: int

    def shown(self, pixels: SkinPixels, view: int) -> np.ndarray:
        """Return what a view shows of the pixels' skin: n×3 display colours in 0..1."""
        linear = self.own(pixels) * self.shade(pixels, view)
        return np.maximum(linear, 1e-4) ** (1 / GAMMA)

    def own(self, pixels: SkinPixels) -> np.ndarray:
        """Return the skin's own linear colours at the pixels, n×3: bilinear between texels."""
        texels, shares = texels_at(pixels.uv, self.size)
        return np.sum([w[:, None] * self.albedo[texel] for texel, w in zip(texels, shares)], axis=0)

    def shade(self, pixels: SkinPixels, view: int) -> np.ndarray:
        """Return the light that a view shows on the pixels' skin, n×3."""
        return np.maximum(basis_of(pixels) @ self.light[view], DARKEST)


def basis_of(pixels: SkinPixels) -> np.ndarray:
    """Return the spherical harmonics of the pixels' normals: n×9."""
    return sh_basis(torch.from_numpy(pixels.normal)).numpy()


def texels_at(uv: np.ndarray, size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Find the four texels round each of n×2 texture coordinates, and their shares."""
    place = uv * size - 0.5
    low = np.floor(place)
    part = place - low
    low = low.astype(np.int64)
    texels, shares = [], []
    for dy in (0, 1):
        for dx in (0, 1):
            x, y = (np.clip(low[:, k] + d, 0, size - 1) for k, d in ((0, dx), (1, dy)))
            texels.append(y * size + x)
            shares.append(np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1]))
    return texels, shares


def linear_colours(colours: np.ndarray, pixels: SkinPixels) -> np.ndarray:
    """Return a picture's (H×W×3 uint8) linear colours at the pixels: n×3 float32."""
    table = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
    return table[colours.reshape(-1, 3)[pixels.place]]


def first_appearance(views: int, size: int) -> SkinAppearance:
    """Return grey skin in the same light from everywhere."""
    light = np.zeros((views, 9, 3), np.float32)
    light[:, 0] = 1 / CONSTANT
    return SkinAppearance(np.full((size * size, 3), 0.5, np.float32), light, size)


def mean_albedo(
    appearance: SkinAppearance,
    colours: np.ndarray,
    views: np.ndarray,
    pixels: Sequence[SkinPixels],
) -> np.ndarray:
    """Find the albedo that explains all pictures best in the light so far: G²×3 float32.

    colours: N×H×W×3 uint8; views, pixels: N
    """
    count = appearance.size**2
    above, below = np.zeros((count, 3)), np.zeros((count, 3))
    for picture, view, one in zip(colours, views, pixels):
        shade = appearance.shade(one, view)
        product = one.worth[:, None] ** 2 * shade * linear_colours(picture, one)
        square = one.worth[:, None] ** 2 * shade**2
        for texel, share in zip(*texels_at(one.uv, appearance.size)):
            for c in range(3):
                above[:, c] += np.bincount(texel, share * product[:, c], count)
                below[:, c] += np.bincount(texel, share * square[:, c], count)
    return (above / np.maximum(below, 1e-4)).astype(np.float32)


def fit_light(
    appearance: SkinAppearance,
    colours: np.ndarray,
    views: np.ndarray,
    pixels: Sequence[SkinPixels],
) -> np.ndarray:
    """Find each view's light that explains its pictures best with the albedo: views×9×3 float32.

    Dark skin counts as much as light skin: errors are weighed by the skin's own colour.
    """
    count = len(appearance.light)
    left, right = np.zeros((count, 3, 9, 9)), np.zeros((count, 3, 9))
    for picture, view, one in zip(colours, views, pixels):
        basis, own, colour = basis_of(one), appearance.own(one), linear_colours(picture, one)
        scale = 1 / (own + DARKEST)
        for c in range(3):
            rows = basis * (own * scale)[:, c, None]
            left[view, c] += rows.T @ rows
            right[view, c] += rows.T @ (colour * scale)[:, c]
    ridge = RIDGE * left.diagonal(axis1=2, axis2=3).mean(2) + 1e-9
    solved = np.linalg.solve(left + ridge[..., None, None] * np.eye(9), right[..., None])[..., 0]
    return solved.transpose(0, 2, 1).astype(np.float32)


def fit_appearance(
    before: SkinAppearance,
    colours: np.ndarray,
    views: np.ndarray,
    pixels: Sequence[SkinPixels],
    rounds: int,
) -> SkinAppearance:
    """Find albedo and light in turn, `rounds` times."""
    found = before
    for _ in range(rounds):
        albedo = mean_albedo(found, colours, views, pixels)
        found = SkinAppearance(albedo, found.light, found.size)
        light = fit_light(found, colours, views, pixels)
        found = SkinAppearance(albedo, light, found.size)
    return SkinAppearance(mean_albedo(found, colours, views, pixels), found.light, found.size)
