"""Mean distance from each anchor of a grid to a set of points, without forming all pairs.

|x| is split into a far part, smooth everywhere (|x| beyond NEAR pixels, within it the Taylor
polynomial of √s at NEAR², s = |x|²), and the remainder, which vanishes beyond NEAR. The far part
is carried to the pixel grid by Lagrange interpolation and summed there by one convolution (FFT);
the remainder is summed over the few anchors around each point. Against all pairs the mean is right
to 2e-6 px, its gradient to 5e-6.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from scipy.special import binom

NEAR = 10.0  # px: beyond, a distance is smooth enough for the grid
TAYLOR = binom(0.5, np.arange(7))[::-1]
NODES = np.arange(-4, 6)  # a point lies between its nodes 0 and 1
LAGRANGE = np.linalg.inv(np.vander(NODES.astype(float), increasing=True).T)  # nodes × powers
POWERS = np.arange(len(NODES))
# px that the convolution's grid reaches beyond the picture; points further out: pair by pair
PAD = 16
FEW = 4_000_000  # pairs: fewer are summed one by one, which is exact
CHUNK = 200_000  # pairs held at once


def anchor_lines(size: tuple[int, int], stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Give x (w) and y (h) of the anchors of a picture of `size` (width, height).

    They are the centres of every `stride`-th pixel, in pixels.
    """
    return tuple(np.arange(stride // 2, n, stride) + 0.5 for n in size)


def mean_distance(points: np.ndarray, size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """h×w float64 px: mean distance of each anchor to the N×2 points (px; N > 0)."""
    x, y = anchor_lines(size, stride)
    out = np.zeros((len(y), len(x)))
    near = _by_grid(points, size, len(x) * len(y))
    for part in _pieces(points[~near], len(x) * len(y)):
        out += np.sqrt(
            ((y - part[:, 1:]) ** 2)[:, :, None] + ((x - part[:, :1]) ** 2)[:, None]
        ).sum(0)
    if near.any():
        index, across, down, _, _ = _spread(points[near], size)
        wide, high = (n + 2 * PAD for n in size)
        load = np.bincount(
            index.ravel(), (down[:, :, None] * across[:, None]).ravel(), wide * high
        ).reshape(high, wide)
        out += _convolve(load, size)[PAD : high - PAD, PAD : wide - PAD][
            stride // 2 :: stride, stride // 2 :: stride
        ]
        for part in _pieces(points[near], _patch(stride) ** 2):
            place, dx, dy, inside = _around(part, x, y, stride)
            s = dx[:, None] ** 2 + dy[:, :, None] ** 2
            rest = np.where(inside & (s < NEAR**2), np.sqrt(s) - _far(s), 0)
            out += np.bincount(place.ravel(), rest.ravel(), out.size).reshape(out.shape)
    return out / len(points)


def mean_distance_gradient(
    points: np.ndarray, size: tuple[int, int], weight: np.ndarray, stride: int = 1
) -> np.ndarray:
    """Differentiate Σ weight·mean_distance by the N×2 points.

    weight: h×w, one an anchor; an anchor that a point lies on counts 0 for that point.
    """
    x, y = anchor_lines(size, stride)
    out = np.zeros((len(points), 2))
    near = _by_grid(points, size, len(x) * len(y))
    for rows in _pieces(np.flatnonzero(~near), len(x) * len(y)):
        dx, dy = points[rows, :1] - x, points[rows, 1:] - y
        pull = weight / np.maximum(np.sqrt(dx[:, None] ** 2 + dy[:, :, None] ** 2), 1e-12)
        out[rows, 0], out[rows, 1] = (pull.sum(1) * dx).sum(1), (pull.sum(2) * dy).sum(1)
    if near.any():
        index, across, down, along_x, along_y = _spread(points[near], size)
        wide, high = (n + 2 * PAD for n in size)
        load = np.zeros((high, wide))
        load[PAD : high - PAD, PAD : wide - PAD][stride // 2 :: stride, stride // 2 :: stride] = (
            weight
        )
        field = _convolve(load, size).ravel()[index]
        out[near, 0] = np.einsum('nyx,ny,nx->n', field, down, along_x)
        out[near, 1] = np.einsum('nyx,ny,nx->n', field, along_y, across)
        for rows in _pieces(np.flatnonzero(near), _patch(stride) ** 2):
            place, dx, dy, inside = _around(points[rows], x, y, stride)
            s = dx[:, None] ** 2 + dy[:, :, None] ** 2
            slope = (
                np.where(
                    inside & (s < NEAR**2),
                    1 / np.sqrt(np.maximum(s, 1e-24)) - 2 * _far_slope(s),
                    0,
                )
                * weight.ravel()[place]
            )
            out[rows] += np.stack([(slope.sum(1) * dx).sum(1), (slope.sum(2) * dy).sum(1)], 1)
    return out / len(points)


def _far(s: np.ndarray) -> np.ndarray:
    """The smooth part of a distance whose square s is below NEAR²."""
    return NEAR * np.polyval(TAYLOR, s / NEAR**2 - 1)


def _far_slope(s: np.ndarray) -> np.ndarray:
    """d far / d s."""
    return np.polyval(np.polyder(TAYLOR), s / NEAR**2 - 1) / NEAR


def _by_grid(points: np.ndarray, size: tuple[int, int], anchors: int) -> np.ndarray:
    """N bool: points that are summed by the grid."""
    margin = PAD + NODES[0] - 1
    return (
        (points > -margin).all(1)
        & (points < np.asarray(size) + margin).all(1)
        & (len(points) * anchors > FEW)
    )


def _pieces(rows: np.ndarray, each: int):
    step = max(CHUNK // each, 1)
    return (rows[i : i + step] for i in range(0, len(rows), step))


def _spread(points: np.ndarray, size: tuple[int, int]):
    """Find the padded grid's nodes around each point.

    Returns their flat index N×10×10, and the weights and slopes (N×10 each) across, down, across',
    down'.
    """
    at = points - 0.5 + PAD
    first = np.floor(at).astype(int)
    t = (at - first)[:, :, None] ** POWERS
    slopes = POWERS[1:] * t[:, :, :-1] @ LAGRANGE[:, 1:].T
    weights = t @ LAGRANGE.T
    columns, rows = first[:, :1] + NODES, first[:, 1:] + NODES
    return (
        rows[:, :, None] * (size[0] + 2 * PAD) + columns[:, None],
        weights[:, 0],
        weights[:, 1],
        slopes[:, 0],
        slopes[:, 1],
    )


def _convolve(load: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The padded grid's values: Σ far distance to each node times its load."""
    kernel, shape = _kernel(size)
    return scipy.fft.irfft2(scipy.fft.rfft2(load, shape) * kernel, shape)[
        : load.shape[0], : load.shape[1]
    ]


@lru_cache(maxsize=4)
def _kernel(size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    shape = tuple(
        scipy.fft.next_fast_len(2 * (n + PAD), real=True) for n in size[::-1]
    )  # the nodes beyond the picture only send, or only receive
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) ** 2.0 for n in shape)
    s = rows[:, None] + columns
    return scipy.fft.rfft2(np.where(s < NEAR**2, _far(s), np.sqrt(s))), shape


def _patch(stride: int) -> int:
    """Anchors a side of the square that holds all within NEAR of any point."""
    return 2 * int(NEAR / stride + 0.5) + 1


def _around(points: np.ndarray, x: np.ndarray, y: np.ndarray, stride: int):
    """Find the square of anchors around each point.

    Returns flat index N×P×P (clipped), point − anchor dx N×P and dy N×P, and whether the
    anchor exists.
    """
    reach = np.arange(_patch(stride)) - _patch(stride) // 2
    column, row = (
        np.rint((points[:, k] - line[0]) / stride).astype(int)[:, None] + reach
        for k, line in ((0, x), (1, y))
    )
    inside = ((row >= 0) & (row < len(y)))[:, :, None] & ((column >= 0) & (column < len(x)))[
        :, None
    ]
    dx, dy = points[:, :1] - (column * stride + x[0]), points[:, 1:] - (row * stride + y[0])
    return (
        np.clip(row, 0, len(y) - 1)[:, :, None] * len(x) + np.clip(column, 0, len(x) - 1)[:, None],
        dx,
        dy,
        inside,
    )
