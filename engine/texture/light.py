"""The light of each view: nine spherical harmonics of the normal, and how light a skin likely is.

Ramamoorthi and Hanrahan 2001; the photometric model of papers/4, eq. 7. Colours are linear.
"""

from __future__ import annotations

import numpy as np
import torch

from ..core.threads import map_in_threads
from ..face_model.paint import SKIN_COLOUR
from ..render.shading import sh_basis
from .layout import TexelLayout
from .texel_samples import GAMMA, TexelSamples

NOISE = 0.08  # of the colour: residuals from which robust means and fits turn away
DARKEST = 0.2  # of its mean: no surface is taken for darker lit
LIGHT_SAMPLES = 20_000  # texels of a picture that its light is fitted to
# What holds the light's bands to 0, of the samples' sum of squares.
RIDGE = np.array([0.0, *(3e-3,) * 3, *(2e-2,) * 5])
CONSTANT = 0.28209479  # the first harmonic
# Where skin and light are both unknown: skins vary along one line from light to dark, the light a
# white surface sends back is about as bright as the display's white and nearly grey (natural
# logarithms of linear RGB; skins: Monk's scale's ends, roughly).
DARKER = np.array([1.24, 1.65, 1.97])
SKIN_SPREAD, SKIN_NOISE = 0.6, 0.06
LIGHT_LEVEL, LIGHT_SPREAD, LIGHT_TINT = 0.85, 0.35, 0.08


def skin_reflectance(observed: np.ndarray) -> np.ndarray:
    """Find the likeliest mean albedo (3) of skin that sends back `observed` (3), both linear RGB.

    In closed form: logarithms are sums of Gaussians.
    """
    grey = np.ones((3, 3))
    skin = SKIN_SPREAD**2 * np.outer(DARKER, DARKER) / (
        DARKER @ DARKER
    ) * 3 + SKIN_NOISE**2 * np.eye(3)
    light = LIGHT_SPREAD**2 * grey + LIGHT_TINT**2 * np.eye(3)
    mean = GAMMA * np.log(SKIN_COLOUR)
    off = np.log(np.maximum(observed, 1e-4)) - mean - np.log(LIGHT_LEVEL)
    return np.minimum(np.exp(mean + skin @ np.linalg.solve(skin + light, off)), 0.95)


def relative_difference(colour: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Divide two colours' difference by their mean."""
    return (colour - shown) / (np.maximum(colour + shown, 0) / 2 + 0.02)


def shading(
    samples: TexelSamples, layout: TexelLayout, light: np.ndarray, every: int = 1
) -> np.ndarray:
    """Shade a white surface at the samples' texels: n×3, at least DARKEST of its mean.

    light: 9×3; every: each how many texels
    """
    own = (sh_basis(torch.from_numpy(samples.normals)).numpy() @ light).astype(np.float32)
    texel = samples.texel[::every]
    corner, weight = layout.corner[texel], layout.weight[texel]
    out = sum(weight[:, k, None] * own[corner[:, k]] for k in range(3))
    return np.maximum(out, DARKEST * max(float(out.mean()), 1e-3)) if len(out) else out


def fit_light(
    samples: list[TexelSamples],
    layout: TexelLayout,
    albedo: np.ndarray,
    before: np.ndarray,
    used: np.ndarray,
    robust: bool,
) -> np.ndarray:
    """Find the light of each view that, with the albedo, explains its pictures best: views×9×3.

    What a view does not tell is taken from the light common to all, at that view's exposure; a view
    without pictures has the common one.

    albedo: N×3; used: N bool, the texels that tell of light
    before: views×9×3, the light found so far; robust: by its residuals
    """
    views = len(before)
    left, right = _normal_equations(samples, layout, albedo, before, used, robust)
    ridge = np.eye(9) * (RIDGE[:, None] / CONSTANT**2)

    def solved(a: np.ndarray, b: np.ndarray, towards: np.ndarray) -> np.ndarray:
        channels = [
            np.linalg.solve(a[c] + ridge * a[c, 0, 0], b[c] + ridge @ towards[:, c] * a[c, 0, 0])
            for c in range(3)
        ]
        return np.stack(channels, 1)

    common = solved(left.sum(0), right.sum(0), np.zeros((9, 3)))
    light = np.empty((views, 9, 3))
    for v in range(views):
        exposure = np.einsum('ck,kc->c', right[v], common) / np.maximum(
            np.einsum('kc,ckl,lc->c', common, left[v], common), 1e-12
        )
        has_pictures = (left[v, :, 0, 0] > 0).all()
        light[v] = solved(left[v], right[v], common * exposure) if has_pictures else common
    return light


def _normal_equations(
    samples: list[TexelSamples],
    layout: TexelLayout,
    albedo: np.ndarray,
    before: np.ndarray,
    used: np.ndarray,
    robust: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the normal equations of fit_light: views×3×9×9 and views×3×9."""
    views = len(before)
    left, right = np.zeros((views, 3, 9, 9)), np.zeros((views, 3, 9))

    def equations(one: TexelSamples) -> list[tuple[np.ndarray, np.ndarray]]:
        rows = np.flatnonzero(used[one.texel])
        rows = rows[:: max(1, len(rows) // LIGHT_SAMPLES)]
        texel = one.texel[rows]
        corner, weight = layout.corner[texel], layout.weight[texel].astype(np.float64)
        basis = sh_basis(torch.from_numpy(one.normals)).numpy()
        basis = sum(weight[:, k, None] * basis[corner[:, k]] for k in range(3))
        colour, own, trust = one.colour[rows].astype(np.float64), albedo[texel], one.trust[rows]
        if robust:
            shown = own * (basis @ before[one.view])
            off = relative_difference(colour, shown)
            trust = trust / (1 + (off**2).mean(1) / NOISE**2)
        scaled = [basis * own[:, c : c + 1] for c in range(3)]
        return [
            (s.T @ (trust[:, None] * s), s.T @ (trust * colour[:, c])) for c, s in enumerate(scaled)
        ]

    for one, by_channel in zip(samples, map_in_threads(equations, samples)):
        for c, (square, product) in enumerate(by_channel):
            left[one.view, c] += square
            right[one.view, c] += product
    return left, right
