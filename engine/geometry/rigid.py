"""The rigid motion (or similarity) that best carries one set of points onto another.

In closed form: Kabsch 1976; with scale and the reflection case: Umeyama, "Least-squares estimation
of transformation parameters between two point patterns", 1991, eq. 40–42.
"""

from __future__ import annotations

import numpy as np


def rigid_motion(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None, scale: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minimise Σ w |s·R·source + t − target|²; s is 1 unless `scale`.

    Where the points lie on one line or at one point, one of the best rotations is returned.

    source, target: …×N×3, batched over their leading axes (either may lack some)
    weights: …×N, not negative

    Returns R …×3×3 (proper rotations), t …×3, s ….
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    w = np.ones(source.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    w = (w / np.maximum(w.sum(-1, keepdims=True), 1e-300))[..., None]
    centre, goal = (w * source).sum(-2, keepdims=True), (w * target).sum(-2, keepdims=True)
    a, b = source - centre, target - goal
    u, d, vt = np.linalg.svd(np.swapaxes(w * b, -1, -2) @ a)
    sign = np.ones(d.shape)
    sign[..., 2] = np.where(np.linalg.det(u @ vt) < 0, -1, 1)
    rotation = (u * sign[..., None, :]) @ vt
    s = (
        (d * sign).sum(-1) / np.maximum((w * a * a).sum((-1, -2)), 1e-300)
        if scale
        else np.ones(d.shape[:-1])
    )
    translation = goal[..., 0, :] - s[..., None] * (rotation @ centre[..., 0, :, None])[..., 0]
    return rotation, translation, s


def move(
    points: np.ndarray,
    rotation: np.ndarray,
    translation: np.ndarray,
    scale: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Return scale·rotation·points + translation, …×N×3, batched like `rigid_motion`'s results."""
    return (
        np.asarray(scale)[..., None, None] * (points @ np.swapaxes(rotation, -1, -2))
        + translation[..., None, :]
    )
