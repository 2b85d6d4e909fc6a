"""What the colours of pictures say of where the skin lies: terms.

Two losses of papers/4 (eq. 7) that Gauss-Newton can solve.

Occluded points (depth buffer), points that turn away and, by a robust weight, points that look
wrong count less or not at all; where a picture's gradient would carry a point further than it
holds, the pull is shortened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..render.shading import sh_basis
from .appearance import SHADING_NOISE, AppearanceSamples, PointAppearance
from .options import StandardOptions
from .picture_term import PictureTerm, PixelQuadratic
from .pictures import ViewPictures
from .point_basis import as_tensor

MOST_STEP = 3.0  # pixels of the crop: a picture's gradient holds no further


@dataclass(frozen=True)
class PhotometricTerm(PictureTerm):
    """Points look as expected.

    ½ Σ w |values − expected|², the pictures' values taken as linear in a point's place.
    """


@dataclass(frozen=True)
class ShadingTerm(PictureTerm):
    """Points have the colour of albedo × light.

    ½ Σ w |colour − albedo·light|², with normal and light frozen.
    """


@dataclass(frozen=True, eq=False)
class AppearanceResiduals:
    """What n pictures show at P points beside what is expected there, C residuals each.

    residual n×P×C, gradients n×P×C×2 (by crop pixels), weight n×P; by_appearance n×P×C×Q: the
    derivatives of what is expected by the point's own Q unknowns. crop_scale n×2: of ViewPictures.
    """

    residual: np.ndarray
    gradients: np.ndarray
    weight: np.ndarray
    by_appearance: np.ndarray
    crop_scale: np.ndarray

    @cached_property
    def by_pixel(self) -> np.ndarray:
        """Give the gradients by undistorted pixels: n×P×C×2."""
        return self.gradients * self.crop_scale[:, None, None, :]

    @cached_property
    def curvature(self) -> np.ndarray:
        """Sum weight · gradient gradientᵀ by pixels: n×P×2×2."""
        return np.einsum('np,npci,npcj->npij', self.weight, self.by_pixel, self.by_pixel)

    @cached_property
    def pull(self) -> np.ndarray:
        """Sum weight · gradient · residual by pixels: n×P×2."""
        return np.einsum('np,npci,npc->npi', self.weight, self.by_pixel, self.residual)

    @cached_property
    def held(self) -> np.ndarray:
        """Find the share, n×P, of a point's residuals whose step its picture's gradient holds."""
        ridge = 0.02 * np.einsum('npii->np', self.curvature)[..., None, None] * np.eye(2)
        ridge = ridge + 1e-12 * np.eye(2)
        step = np.linalg.solve(self.curvature + ridge, self.pull[..., None])[..., 0]
        length = np.linalg.norm(step * self.crop_scale[:, None, :], axis=-1)
        return np.minimum(1, MOST_STEP / np.maximum(length, 1e-9))


def photometric_residuals(
    seen: ViewPictures,
    samples: AppearanceSamples,
    appearance: PointAppearance,
    options: StandardOptions,
) -> AppearanceResiduals:
    """Compare values with those expected: a point's unknowns are the expected values themselves.

    Points seen in too few pictures say nothing.
    """
    residual = samples.values - appearance.expected
    noise = options.appearance_noise
    weight = (
        samples.trust
        * (appearance.support > options.fewest_samples)
        / (1 + (residual**2).sum(2) / noise**2) ** 2
        * options.photometric
        / noise**2
    )
    channels = residual.shape[2]
    each = np.broadcast_to(np.eye(channels), (*residual.shape, channels))
    return AppearanceResiduals(residual, samples.gradients, weight, each, seen.crop_scale)


def shading_residuals(
    seen: ViewPictures,
    samples: AppearanceSamples,
    appearance: PointAppearance,
    options: StandardOptions,
) -> AppearanceResiduals:
    """Compare colours with albedo × light: a point's unknown is how bright its albedo is.

    Points seen in too few pictures say nothing.
    """
    albedo, light = appearance.albedo, appearance.light[seen.view]
    scale = SHADING_NOISE * max(float((albedo * light[0] * 0.282).mean()), 1e-3)
    harmonics = sh_basis(torch.from_numpy(np.asarray(samples.normals, np.float64))).numpy()
    expected = albedo * (harmonics @ light) / scale
    residual = samples.colour / scale - expected
    weight = (
        samples.trust
        * (appearance.support > options.fewest_samples)
        / (1 + (residual**2).mean(2)) ** 2
        * options.shaded
        / 3
    )
    gradients = samples.colour_gradients / scale
    each = expected[..., None]
    return AppearanceResiduals(residual, gradients, weight, each, seen.crop_scale)


def appearance_quadratic(
    seen: ViewPictures, at: torch.Tensor, shown: AppearanceResiduals
) -> PixelQuadratic:
    """Make ½ Σ weight (residual + gradients · step)² a quadratic of places; at n×P×2.

    A step is no longer than the picture's gradient holds.
    """
    pull, timed = shown.pull * shown.held[..., None], seen.landmarks
    return PixelQuadratic(
        timed.node, timed.between, at, as_tensor(pull), as_tensor(shown.curvature)
    )
