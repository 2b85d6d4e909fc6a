"""Part Re-projection Distance Loss (papers/4, section 3.3).

A mask and a projected part of the mesh compared as two sets of points.

From every anchor of a pixel grid the nearest, furthest and mean distance to either set must agree
(eq. 4–6); normalised by the number of pixels (section 3.4). Pixels have their corner origin at the
top left and their centres at .5; anchors and mask points are pixel centres.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
import warp as wp

from ..core.device import HOST, device
from ..core.errors import FacewrightError
from ..render.launch import prepared
from .mean_distance import anchor_lines, mean_distance, mean_distance_gradient

MOST = 3000  # points of a mask, and of the mesh's skin (papers/4, section 5.1)
BLOCK = 8  # px: side of the squares of anchors that share their candidates for the nearest point

wp.config.log_level = wp.LOG_ERROR


@dataclass(frozen=True, eq=False)
class MaskSide:
    """What PRDL compares with: one part's mask in one frame.

    points M×2 float64 px (0×2: an empty mask, which weighs nothing), size (width, height).

    The distances are found once for each stride that is asked for, and kept: h×w float64 px from
    every `stride`-th anchor (mean_distance.anchor_lines).
    """

    points: np.ndarray
    size: tuple[int, int]
    kept: dict = field(default_factory=dict, repr=False)

    def nearest(self, stride: int = 1) -> np.ndarray:
        return self._once('nearest', stride, lambda: nearest(self.points, self.size, stride)[1])

    def furthest(self, stride: int = 1) -> np.ndarray:
        return self._once('furthest', stride, lambda: furthest(self.points, self.size, stride)[1])

    def mean(self, stride: int = 1) -> np.ndarray:
        return self._once('mean', stride, lambda: mean_distance(self.points, self.size, stride))

    def _once(self, name: str, stride: int, find) -> np.ndarray:
        if (name, stride) not in self.kept:
            self.kept[name, stride] = find()
        return self.kept[name, stride]


@dataclass(frozen=True)
class PrdlTerms:
    """PRDL as Gauss-Newton takes it.

    cost: the loss over the anchors used (scaled to stand for all); gradient N×2 and curvature
    N×2×2 of its nearest and furthest terms, each of which depends on one point; the mean's as rows
    R×N×2 and residual R, whose share of the cost is ½·Σ residual², of the gradient rowsᵀ·residual,
    of the curvature rowsᵀ·rows.
    """

    cost: float
    gradient: np.ndarray
    curvature: np.ndarray
    rows: np.ndarray
    residual: np.ndarray


def farthest_first(points: np.ndarray, count: int) -> np.ndarray:
    """Choose `count` of the N×D points (all, if there are fewer): indices.

    Each is the farthest from those before; the first is the farthest from their middle.

    Always the same; ties, which a grid's points have many of, are broken in a shuffled order: by
    index they would fill one end of it first.
    """
    if len(points) <= count:
        return np.arange(len(points))
    shuffled = np.random.default_rng(0).permutation(len(points))
    p = np.asarray(points, np.float64)[shuffled]
    padded = np.zeros((len(p), 3))
    padded[:, : p.shape[1]] = p
    first = int(((p - p.mean(0)) ** 2).sum(1).argmax())
    out, gap = np.zeros(count, np.int32), np.full(len(p), np.inf)
    inputs = [
        _array(padded, wp.vec3d, HOST),
        first,
        _array(gap, wp.float64, HOST),
        _array(out, wp.int32, HOST),
    ]
    prepared(_farthest_first, 1, inputs, HOST).launch()
    return shuffled[out]


def mask_side(mask: np.ndarray, most: int = MOST) -> MaskSide:
    """H×W bool → its pixels' centres, at most `most` of them, farthest-first."""
    if mask.ndim != 2:
        raise FacewrightError(f'A part mask has {mask.ndim} axes, expected height and width.')
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows], 1) + 0.5
    return MaskSide(points[farthest_first(points, most)], (mask.shape[1], mask.shape[0]))


def nearest(
    points: np.ndarray, size: tuple[int, int], stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(index h×w, distance h×w px) of the point nearest to each anchor; N×2 points, N > 0."""
    x, y = anchor_lines(size, stride)
    index, square = np.zeros((len(y), len(x)), np.int32), np.full((len(y), len(x)), np.inf)
    block = max(BLOCK // stride, 1)
    across = -(-len(x) // block)
    where = device()
    least, chosen = _array(square, wp.float64, where), _array(index, wp.int32, where)
    inputs = [
        _array(points, wp.vec2d, where),
        wp.vec2d(x[0], y[0]),
        wp.float64(stride),
        block,
        across,
        least,
        chosen,
    ]
    prepared(_nearest, across * -(-len(y) // block), inputs, where).launch()
    return chosen.numpy(), np.sqrt(least.numpy())


def furthest(
    points: np.ndarray, size: tuple[int, int], stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Find the point furthest from each anchor: (index h×w, distance h×w px).

    It is a corner of the points' hull; N×2 points, N > 0.
    """
    x, y = anchor_lines(size, stride)
    corners = hull(points)
    best, index = np.full((len(y), len(x)), -1.0), np.zeros((len(y), len(x)), np.int32)
    for corner in corners:
        square = (x - points[corner, 0]) ** 2 + (y[:, None] - points[corner, 1]) ** 2
        index[square > best] = corner
        np.maximum(best, square, out=best)
    return index, np.sqrt(best)


def hull(points: np.ndarray) -> np.ndarray:
    """Find the corners of the points' convex hull (of a line its ends): sorted indices."""
    if len(points) < 4:
        return np.arange(len(points))
    return np.sort(cv2.convexHull(points.astype(np.float32), returnPoints=False)[:, 0])


def prdl(points: torch.Tensor, side: MaskSide, stride: int = 1) -> torch.Tensor:
    """Measure ‖Γ − Γ*‖² / (H·W) of one part (eq. 4–6), a differentiable scalar.

    points N×2 (px of the mask's picture; they may lie outside of it).

    An empty mask, or no points, gives 0. `stride` takes every so manieth anchor, scaled to stand
    for all.
    """
    return _Prdl.apply(points, side, stride)


class _Prdl(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, side, stride):
        p = checked(points.detach().cpu().numpy())
        cost, gradient = 0.0, np.zeros_like(p)
        if len(p) and len(side.points):
            share = stride**2 / (side.size[0] * side.size[1])
            for find, target in ((nearest, side.nearest), (furthest, side.furthest)):
                index, distance = find(p, side.size, stride)
                rest = distance - target(stride)
                cost += share * (rest**2).sum()
                gradient += (
                    share
                    * 2
                    * _pulled(p, side.size, stride, index, rest / np.maximum(distance, 1e-12))
                )
            rest = mean_distance(p, side.size, stride) - side.mean(stride)
            cost += share * (rest**2).sum()
            if points.requires_grad:
                gradient += mean_distance_gradient(p, side.size, share * 2 * rest, stride)
        ctx.save_for_backward(torch.as_tensor(gradient, dtype=points.dtype, device=points.device))
        return points.new_tensor(cost)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, scale):
        return scale * ctx.saved_tensors[0], None, None


def gauss_newton(
    points: np.ndarray, side: MaskSide, stride: int = 4, mean_stride: int = 16
) -> PrdlTerms:
    """Take PRDL of one part at N×2 points (px) for a Gauss-Newton step.

    Nearest and furthest on every `stride`-th anchor, the mean on every `mean_stride`-th.
    """
    p = checked(points)
    cost, gradient, curvature = 0.0, np.zeros_like(p), np.zeros((len(p), 2, 2))
    if not len(p) or not len(side.points):
        return PrdlTerms(0.0, gradient, curvature, np.zeros((0, len(p), 2)), np.zeros(0))
    pixels = side.size[0] * side.size[1]
    x, y = anchor_lines(side.size, stride)
    share = stride**2 / pixels
    for find, target in ((nearest, side.nearest), (furthest, side.furthest)):
        index, distance = find(p, side.size, stride)
        rest, index, d = (
            (distance - target(stride)).ravel(),
            index.ravel(),
            np.maximum(distance, 1e-12),
        )
        dx, dy = (
            ((p[:, 0][index].reshape(d.shape) - x) / d).ravel(),
            ((p[:, 1][index].reshape(d.shape) - y[:, None]) / d).ravel(),
        )
        cost += share * (rest**2).sum()
        # summed at the point each anchor chose
        x_, y_, xx, xy, yy = (
            2 * share * np.bincount(index, values, len(p))
            for values in (rest * dx, rest * dy, dx * dx, dx * dy, dy * dy)
        )
        gradient += np.stack([x_, y_], 1)
        curvature += np.stack([xx, xy, xy, yy], 1).reshape(-1, 2, 2)
    x, y = anchor_lines(side.size, mean_stride)
    weight = np.sqrt(2 * mean_stride**2 / pixels)
    dx, dy = p[:, 0] - np.tile(x, len(y))[:, None], p[:, 1] - np.repeat(y, len(x))[:, None]
    distance = np.sqrt(dx**2 + dy**2)
    residual = weight * (distance.mean(1) - side.mean(mean_stride).ravel())
    rows = np.stack([dx, dy], -1) * (weight / len(p) / np.maximum(distance, 1e-12))[..., None]
    return PrdlTerms(float(cost + 0.5 * residual @ residual), gradient, curvature, rows, residual)


def checked(points: np.ndarray) -> np.ndarray:
    """Give points as contiguous N×2 float64.

    Raises FacewrightError where they are not N×2 finite numbers.
    """
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise FacewrightError(
            f'PRDL needs N×2 finite pixels, got an array of shape {points.shape}'
            + (' with NaN or infinite numbers.' if points.ndim == 2 else '.')
        )
    return np.ascontiguousarray(points, np.float64)


def _pulled(
    points: np.ndarray, size: tuple[int, int], stride: int, index: np.ndarray, pull: np.ndarray
) -> np.ndarray:
    """N×2: each anchor's pull times (point − anchor), summed at the point it chose."""
    x, y = anchor_lines(size, stride)
    whole, along_x, along_y = (
        np.bincount(index.ravel(), weights.ravel(), len(points))
        for weights in (pull, pull * x, pull * y[:, None])
    )
    return points * whole[:, None] - np.stack([along_x, along_y], 1)


def _array(values: np.ndarray, kind, where: str) -> wp.array:
    """A Warp array of a contiguous numpy array; on the processor a view of it, not a copy."""
    return wp.array(values, dtype=kind, device=where, copy=False)


@wp.kernel
def _nearest(
    points: wp.array(dtype=wp.vec2d),
    first: wp.vec2d,
    step: wp.float64,
    block: int,
    across: int,
    square: wp.array2d(dtype=wp.float64),
    index: wp.array2d(dtype=wp.int32),
):
    b = wp.tid()
    x0 = (b % across) * block
    y0 = (b // across) * block
    half = wp.float64(block - 1) * wp.float64(0.5) * step
    middle = first + wp.vec2d(wp.float64(x0) * step + half, wp.float64(y0) * step + half)
    low = wp.float64(wp.inf)
    for i in range(points.shape[0]):
        low = wp.min(low, wp.length_sq(points[i] - middle))
    # no anchor of the block lies further from the middle than its corner, so what is nearest to
    # one is within this of the middle
    limit = wp.sqrt(low) + wp.float64(2.0) * half * wp.sqrt(wp.float64(2.0))
    limit = limit * limit * wp.float64(1.0000001)
    for i in range(points.shape[0]):
        p = points[i]
        if wp.length_sq(p - middle) <= limit:
            for y in range(y0, wp.min(y0 + block, square.shape[0])):
                dy = p[1] - (first[1] + wp.float64(y) * step)
                for x in range(x0, wp.min(x0 + block, square.shape[1])):
                    dx = p[0] - (first[0] + wp.float64(x) * step)
                    s = dx * dx + dy * dy
                    if s < square[y, x]:
                        square[y, x] = s
                        index[y, x] = i


@wp.kernel
def _farthest_first(
    points: wp.array(dtype=wp.vec3d),
    first: int,
    gap: wp.array(dtype=wp.float64),
    chosen: wp.array(dtype=wp.int32),
):
    last = first
    chosen[0] = last
    for k in range(1, chosen.shape[0]):
        here = points[last]
        widest = wp.float64(-1.0)
        for i in range(points.shape[0]):
            g = wp.min(gap[i], wp.length_sq(points[i] - here))
            gap[i] = g
            if g > widest:
                widest = g
                last = i
        chosen[k] = last
