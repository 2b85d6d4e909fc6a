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


def photometric_quadratic(
    samples: AppearanceSamples,
    appearance: PointAppearance,
    seen: ViewPictures,
    at: torch.Tensor,
    options: StandardOptions,
) -> PixelQuadratic:
    """Make a PhotometricTerm's quadratic.

    at n×P×2: where the points lay. Those seen in too few pictures say nothing.
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
    return _quadratic(residual, samples.gradients, weight, seen, at)


def shading_quadratic(
    samples: AppearanceSamples,
    appearance: PointAppearance,
    seen: ViewPictures,
    at: torch.Tensor,
    options: StandardOptions,
) -> PixelQuadratic:
    """Make a ShadingTerm's quadratic.

    at n×P×2: where the points lay. Those seen in too few pictures say nothing.
    """
    albedo, light = appearance.albedo, appearance.light[seen.view]
    scale = SHADING_NOISE * max(float((albedo * light[0] * 0.282).mean()), 1e-3)
    harmonics = sh_basis(torch.from_numpy(np.asarray(samples.normals, np.float64))).numpy()
    residual = (samples.colour - albedo * (harmonics @ light)) / scale
    weight = (
        samples.trust
        * (appearance.support > options.fewest_samples)
        / (1 + (residual**2).mean(2)) ** 2
        * options.shaded
        / 3
    )
    return _quadratic(residual, samples.colour_gradients / scale, weight, seen, at)


def _quadratic(
    residual: np.ndarray,
    gradients: np.ndarray,
    weight: np.ndarray,
    seen: ViewPictures,
    at: torch.Tensor,
) -> PixelQuadratic:
    """½ Σ weight (residual + gradients · step)² of n×P×C residuals.

    A step is no longer than the picture's gradient holds.
    """
    scale = seen.crop_scale[:, None, None, :]
    gradient = gradients * scale
    curvature = np.einsum('np,npci,npcj->npij', weight, gradient, gradient)
    pull = np.einsum('np,npci,npc->npi', weight, gradient, residual)
    ridge = 0.02 * np.einsum('npii->np', curvature)[..., None, None] * np.eye(2) + 1e-12 * np.eye(2)
    step = np.linalg.norm(
        np.linalg.solve(curvature + ridge, pull[..., None])[..., 0] * scale[:, 0], axis=-1
    )
    pull *= np.minimum(1, MOST_STEP / np.maximum(step, 1e-9))[..., None]
    timed = seen.landmarks
    return PixelQuadratic(timed.node, timed.between, at, as_tensor(pull), as_tensor(curvature))
