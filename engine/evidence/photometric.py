"""What the colours of pictures say of where the skin lies: terms.

Two losses of papers/4 (eq. 7) that Gauss-Newton can solve.

Occluded points (depth buffer), points that turn away and, by a robust weight, points that look
wrong count less or not at all; where a picture's gradient would carry a point further than it
holds, the pull is shortened.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class AppearanceResiduals:
    """What n pictures show at P points beside what is expected there, C residuals each.

    residual n×P×C, gradients n×P×C×2 (by crop pixels), weight n×P; by_appearance n×P×C×Q: the
    derivatives of what is expected by the point's own Q unknowns.
    """

    residual: np.ndarray
    gradients: np.ndarray
    weight: np.ndarray
    by_appearance: np.ndarray


def photometric_residuals(
    samples: AppearanceSamples, appearance: PointAppearance, options: StandardOptions
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
    return AppearanceResiduals(residual, samples.gradients, weight, each)


def shading_residuals(
    samples: AppearanceSamples, appearance: PointAppearance, view: int, options: StandardOptions
) -> AppearanceResiduals:
    """Compare colours with albedo × light: a point's unknown is how bright its albedo is.

    Points seen in too few pictures say nothing.
    """
    albedo, light = appearance.albedo, appearance.light[view]
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
    return AppearanceResiduals(residual, gradients, weight, expected[..., None])


def appearance_quadratic(
    seen: ViewPictures, at: torch.Tensor, shown: AppearanceResiduals
) -> PixelQuadratic:
    """Make ½ Σ weight (residual + gradients · step)² a quadratic of places; at n×P×2.

    A step is no longer than the picture's gradient holds.
    """
    gradient = shown.gradients * seen.crop_scale[:, None, None, :]
    curvature = np.einsum('np,npci,npcj->npij', shown.weight, gradient, gradient)
    pull = np.einsum('np,npci,npc->npi', shown.weight, gradient, shown.residual)
    pull *= held_share(seen, shown)[..., None]
    timed = seen.landmarks
    return PixelQuadratic(timed.node, timed.between, at, as_tensor(pull), as_tensor(curvature))


def held_share(seen: ViewPictures, shown: AppearanceResiduals) -> np.ndarray:
    """Find the share, n×P, of each point's residuals whose step its picture's gradient holds."""
    scale = seen.crop_scale[:, None, None, :]
    gradient = shown.gradients * scale
    curvature = np.einsum('np,npci,npcj->npij', shown.weight, gradient, gradient)
    pull = np.einsum('np,npci,npc->npi', shown.weight, gradient, shown.residual)
    ridge = 0.02 * np.einsum('npii->np', curvature)[..., None, None] * np.eye(2) + 1e-12 * np.eye(2)
    step = np.linalg.norm(
        np.linalg.solve(curvature + ridge, pull[..., None])[..., 0] * scale[:, 0], axis=-1
    )
    return np.minimum(1, MOST_STEP / np.maximum(step, 1e-9))
