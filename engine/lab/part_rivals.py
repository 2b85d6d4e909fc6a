"""What papers/4 compares PRDL with (section 5.5, figures 8 and 9).

Losses between part masks and a mesh, each of one part or one frame. Silhouettes: IoU of what the
house's renderer shows (exact visibility, gradients at silhouettes as nvdiffrast's), of SoftRas's
silhouette (Liu et al. 2019) and of DIB-R's (Chen et al. 2019), the latter two without occlusion.
Points: chamfer distance, density-aware chamfer distance (Wu et al. 2021), ICP both ways (matched
anew at every call). Pixels have their corner origin at the top left and their centres at .5.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

from ..render.antialias import antialias
from ..render.interpolate import interpolate
from ..render.rasterise import rasterise_batch

SHARPNESS = 1e-4  # SoftRas's σ, of a picture from −1 to 1; DIB-R's 1/δ is of the same size
UNSEEN = 1e-3  # a triangle's share in a pixel below which the pair is left out


def rendered_parts(
    points: torch.Tensor,
    triangles: torch.Tensor,
    parts: torch.Tensor,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
) -> torch.Tensor:
    """Return H×W×C coverage of each part in [0, 1] as the renderer shows it.

    points: V×3 float32 (camera space, cm). parts: V×C float32 (one-hot).
    """
    fragments = rasterise_batch(points[None], triangles, focal, centre, size)
    return antialias(
        interpolate(parts, triangles, fragments), points[None], triangles, fragments, focal, centre
    )[0]


def iou_loss(coverage: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return 1 − soft intersection over union of two H×W pictures in [0, 1]; 0 for an empty mask.

    SoftRas, eq. 9.
    """
    if not mask.any():
        return 0 * coverage.sum()
    both = (coverage * mask).sum()
    return 1 - both / (coverage.sum() + mask.sum() - both)


def soft_silhouette(
    points: torch.Tensor,
    triangles: np.ndarray,
    size: tuple[int, int],
    kind: str = 'softras',
    sharpness: float = SHARPNESS,
) -> torch.Tensor:
    """H×W: 1 − Π(1 − share) over a part's T×3 triangles; points N×2 px.

    A triangle's share in a pixel at distance d from its edges is sigmoid(±d²/σ) ('softras': +
    inside), or 1 inside and exp(−d²/σ) outside ('dibr'), d in halves of the picture's width. Pairs
    whose share is below UNSEEN are left out.
    """
    width, height = size
    scale = 2 / width
    reach = np.sqrt(-np.log(UNSEEN) * sharpness) / scale
    pair, pixel = _close(points.detach().numpy()[triangles], size, reach)
    middle = (
        torch.as_tensor(pixel % width + 0.5, dtype=points.dtype),
        torch.as_tensor(pixel // width + 0.5, dtype=points.dtype),
    )
    x, y = (
        [
            points[:, axis].index_select(0, torch.as_tensor(triangles[pair, k].astype(np.int64)))
            for k in range(3)
        ]
        for axis in (0, 1)
    )
    square, signs = [], []
    for k, j in ((0, 1), (1, 2), (2, 0)):
        along_x, along_y, to_x, to_y = x[j] - x[k], y[j] - y[k], middle[0] - x[k], middle[1] - y[k]
        u = ((to_x * along_x + to_y * along_y) / (along_x**2 + along_y**2).clamp_min(1e-12)).clamp(
            0, 1
        )
        square.append((to_x - u * along_x) ** 2 + (to_y - u * along_y) ** 2)
        signs.append((along_x * to_y - along_y * to_x).detach())
    d2 = torch.minimum(torch.minimum(square[0], square[1]), square[2]) * (scale**2 / sharpness)
    sign = torch.stack(signs)
    inside = (sign >= 0).all(0) | (sign <= 0).all(0)
    if kind == 'softras':
        # log(1 − sigmoid(x)) = logsigmoid(−x)
        left = torch.nn.functional.logsigmoid(torch.where(inside, -d2, d2))
    else:
        left = torch.where(
            inside, torch.full_like(d2, -30.0), torch.log1p(-torch.exp(-d2.clamp_min(1e-6)))
        )
    return 1 - torch.zeros(width * height, dtype=points.dtype).index_add(
        0, torch.as_tensor(pixel), left
    ).exp().reshape(height, width)


def chamfer(points: torch.Tensor, target: np.ndarray) -> torch.Tensor:
    """Return the mean squared distance (px²) from each set to the nearest of the other.

    points: N×2, target: M×2, px. 0 where either is empty, as all that follow.
    """
    return icp_from_target(points, target) + icp_to_target(points, target)


def density_aware_chamfer(
    points: torch.Tensor, target: np.ndarray, alpha: float = 0.01
) -> torch.Tensor:
    """Return the density-aware chamfer distance, after Wu et al. 2021.

    Of either set the mean of 1 − exp(−α d²) / n, n how many share that nearest point (relative to
    the sets' sizes, at least 1); α in px⁻².
    """
    if not len(points) or not len(target):
        return 0 * points.sum()
    there, here = nearest_pairs(points, target)
    out = 0
    for square, chosen, count, other in (
        (_squares(points, target, there), there, len(points), len(target)),
        (_squares(points, target, here, back=True), here, len(target), len(points)),
    ):
        crowd = np.maximum(np.bincount(chosen, minlength=other)[chosen] * other / count, 1)
        out = (
            out
            + (1 - torch.exp(-alpha * square) / torch.as_tensor(crowd, dtype=points.dtype)).mean()
            / 2
        )
    return out


def icp_to_target(points: torch.Tensor, target: np.ndarray) -> torch.Tensor:
    """Return ICP's loss from prediction to target.

    The mean squared distance of each point to the nearest of the target.
    """
    if not len(points) or not len(target):
        return 0 * points.sum()
    return _squares(points, target, nearest_pairs(points, target)[0]).mean()


def icp_from_target(points: torch.Tensor, target: np.ndarray) -> torch.Tensor:
    """Return ICP's loss from target to prediction.

    The mean squared distance of each of the target to the nearest point.
    """
    if not len(points) or not len(target):
        return 0 * points.sum()
    return _squares(points, target, nearest_pairs(points, target)[1], back=True).mean()


def nearest_pairs(points: torch.Tensor, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N indices into target, M indices into points): the nearest of the other set."""
    p = points.detach().numpy()
    return cKDTree(target).query(p)[1], cKDTree(p).query(target)[1]


def _squares(
    points: torch.Tensor, target: np.ndarray, chosen: np.ndarray, back: bool = False
) -> torch.Tensor:
    """Squared distances point → target[chosen], or back: target → points[chosen]."""
    target = torch.as_tensor(target, dtype=points.dtype)
    difference = (
        points[torch.as_tensor(chosen)] - target
        if back
        else points - target[torch.as_tensor(chosen)]
    )
    return (difference**2).sum(1)


def _close(
    corners: np.ndarray, size: tuple[int, int], reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (triangle, flat pixel) of T×3×2 corners' boxes, widened by `reach` px, within the
    picture."""
    low = np.clip(np.ceil(corners.min(1) - reach - 0.5), 0, size).astype(np.int64)
    high = np.clip(np.floor(corners.max(1) + reach + 0.5), 0, size).astype(np.int64)
    extent = np.maximum(high - low, 0)
    count = extent.prod(1)
    pair = np.repeat(np.arange(len(corners)), count)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    x, y = low[pair, 0] + within % extent[pair, 0], low[pair, 1] + within // extent[pair, 0]
    return pair, y * size[0] + x
