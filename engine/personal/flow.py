"""What pictures say of where each vertex should move: the skin's drawn texture against the seen.

Gauss-Newton on the photometric residual: the residual's fine part, by the pictures' gradient, is a
motion in the picture (Lucas and Kanade 1981; the mean of both pictures' gradients as in Malis
2004), known better along some directions than others; each vertex gets the sum of its pixels'.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .options import PersonalOptions
from .skin_pixels import SkinPixels

MEDIAN = 0.6745  # of a normal distribution's absolute values
FINEST = 1 / 1024  # the least noise that a picture of 256 levels has


@dataclass(frozen=True)
class VertexFlow:
    """A quadratic energy of displacements d (V×3 cm, head space): Σ ½ dᵀ·stiffness·d − force·d.

    stiffness: V×3×3; force: V×3; noise: of the residual's fine part, display colours in 0..1
    """

    stiffness: np.ndarray
    force: np.ndarray
    noise: float


def vertex_flow(
    shown: np.ndarray,
    colours: np.ndarray,
    pixels: SkinPixels,
    projection: np.ndarray,
    options: PersonalOptions,
) -> VertexFlow:
    """Find what one picture says.

    shown: n×3 display colours in 0..1, of the pixels as the head is drawn
    colours: H×W×3 uint8, the picture
    projection: V×2×3, px a cm of each vertex in head space
    """
    height, width = colours.shape[:2]
    seen = colours.reshape(-1, 3)[pixels.place].astype(np.float32) / 255
    there = np.zeros((height, width), np.float32)
    there.ravel()[pixels.place] = 1
    residual = _fine_part(shown - seen, pixels.place, there, options.neighbourhood)
    noise = max(float(np.median(np.abs(residual))) / MEDIAN, FINEST) if len(seen) else FINEST
    inner = cv2.erode(there, np.ones((3, 3), np.uint8), borderValue=(0,)).ravel()[pixels.place] > 0
    mean = _fine_part(0.5 * (shown + seen), pixels.place, there, options.neighbourhood)
    across, down = _gradient(mean, pixels.place, (height, width))
    scale = 3 * (options.robust * noise) ** 2
    trust = inner * pixels.worth / (1 + (residual**2).sum(1) / scale) ** 2
    trust /= options.pixels_of_one * noise**2
    squares = [trust * (a * b).sum(1) for a, b in ((across, across), (across, down), (down, down))]
    products = [trust * (a * residual).sum(1) for a in (across, down)]
    xx, xy, yy, x, y = (
        _at_vertices(pixels, values, len(projection)) for values in (*squares, *products)
    )
    information = np.stack([np.stack([xx, xy], 1), np.stack([xy, yy], 1)], 1)
    stiffness = projection.transpose(0, 2, 1) @ information @ projection
    force = (projection.transpose(0, 2, 1) @ np.stack([x, y], 1)[..., None])[..., 0]
    return VertexFlow(stiffness, force, noise)


def _fine_part(
    values: np.ndarray, place: np.ndarray, there: np.ndarray, neighbourhood: float
) -> np.ndarray:
    """Take the mean of their neighbourhood off n×3 values at pixels of a picture.

    there: H×W, 1 at those pixels, else 0
    """
    picture = np.zeros((*there.shape, 3), np.float32)
    picture.reshape(-1, 3)[place] = values
    mean, share = (
        cv2.GaussianBlur(one, (0, 0), neighbourhood, borderType=cv2.BORDER_CONSTANT)
        for one in (picture, there)
    )
    share = np.maximum(share.ravel()[place], 1e-3)
    return values - mean.reshape(-1, 3)[place] / share[:, None]


def _gradient(
    values: np.ndarray, place: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the central differences n×3 a px, across and down; right where all four are there."""
    picture = np.zeros((*size, 3), np.float32)
    picture.reshape(-1, 3)[place] = values
    half, one = np.array([-0.5, 0, 0.5]), np.ones(1)
    across, down = cv2.sepFilter2D(picture, -1, half, one), cv2.sepFilter2D(picture, -1, one, half)
    return across.reshape(-1, 3)[place], down.reshape(-1, 3)[place]


def _at_vertices(pixels: SkinPixels, values: np.ndarray, count: int) -> np.ndarray:
    """Sum n pixels' values at the vertices of their triangles, by their weights: count."""
    shares = (pixels.weight * values[:, None]).ravel()
    return np.bincount(pixels.corner.ravel(), shares, count)
