"""How a head's skin looks: an albedo of texels in the light of each view.

papers/4, eq. 7 (albedo × spherical harmonics of the normal), the albedo as fine as texels: what
carries shape is fine texture seen from several sides. Both in closed form, in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from ..core.threads import map_in_threads
from ..render.shading import sh_basis
from ..texture.light import CONSTANT
from ..texture.texel_samples import GAMMA, LINEAR
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
        return texel_shares(pixels.uv, self.size) @ self.albedo

    def shade(self, pixels: SkinPixels, view: int) -> np.ndarray:
        """Return the light that a view shows on the pixels' skin, n×3."""
        return np.maximum(basis_of(pixels) @ self.light[view], DARKEST)


def basis_of(pixels: SkinPixels) -> np.ndarray:
    """Return the spherical harmonics of the pixels' normals: n×9."""
    return sh_basis(torch.from_numpy(pixels.normal)).numpy()


def texel_shares(uv: np.ndarray, size: int) -> sparse.csr_matrix:
    """Build n×size² shares of the four texels round each of n×2 texture coordinates."""
    place = uv * size - 0.5
    low = np.floor(place)
    part = (place - low)[:, None]
    corner = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
    x, y = np.clip(low[:, None].astype(np.int32) + corner, 0, size - 1).transpose(2, 0, 1)
    share = np.abs(1 - corner - part).prod(2).astype(np.float32)
    rows = np.arange(0, 4 * len(uv) + 1, 4)
    return sparse.csr_matrix((share.ravel(), (y * size + x).ravel(), rows), (len(uv), size * size))


def linear_colours(colours: np.ndarray, pixels: SkinPixels) -> np.ndarray:
    """Return a picture's (H×W×3 uint8) linear colours at the pixels: n×3 float32."""
    return LINEAR[colours.reshape(-1, 3)[pixels.place]]


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

    def sums(row: int) -> np.ndarray:
        one = pixels[row]
        shade, worth = appearance.shade(one, views[row]), one.worth[:, None] ** 2
        product = worth * shade * linear_colours(colours[row], one)
        both = np.concatenate([product, worth * shade**2], 1)
        return texel_shares(one.uv, appearance.size).T @ both

    above, below = np.split(sum(map_in_threads(sums, range(len(pixels)))), 2, axis=1)
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

    def products(row: int) -> tuple[np.ndarray, np.ndarray]:
        one = pixels[row]
        basis, own = basis_of(one), appearance.own(one)
        scaled = 1 / (own + DARKEST)
        rows = (own * scaled).T[..., None] * basis
        right_side = (linear_colours(colours[row], one) * scaled).T[..., None]
        turned = rows.transpose(0, 2, 1)
        return turned @ rows, (turned @ right_side)[..., 0]

    for view, (square, product) in zip(views, map_in_threads(products, range(len(pixels)))):
        left[view] += square
        right[view] += product
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
