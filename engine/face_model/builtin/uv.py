"""UV islands of the built-in head."""

from __future__ import annotations

import numpy as np

from ...core.repeatable import arctan2


def disc_uv(matrix, disc: dict[int, np.ndarray]) -> np.ndarray:
    """Return V×2 in the unit disc, from a tube's cage coordinates carried by the subdivision."""
    known = np.zeros(matrix.shape[1])
    places = np.zeros((matrix.shape[1], 2))
    for vertex, place in disc.items():
        known[vertex], places[vertex] = 1, place
    weight = matrix @ known
    return (matrix @ places) / np.maximum(weight, 1e-9)[:, None]


def cylinder_uv(points: np.ndarray) -> np.ndarray:
    """Unwrap N×3 points round the head's upright axis.

    u is periodic in 0..1 with its seam at the back, v by height; the front gets more of the picture
    than neck and back.
    """
    turn = arctan2(points[:, 0], points[:, 2] + 0.8) / np.pi
    height = points[:, 1] + 0.5 * np.maximum(-7.5 - points[:, 1], 0)
    return np.stack([(0.5 + 0.5 * turn * (1.42 - 0.42 * turn**2)) % 1, (height + 12.0) / 22.0], 1)


def crown_uv(points: np.ndarray) -> np.ndarray:
    """Unwrap N×3 points about the back of the crown, azimuthally equidistant: 0..1 both ways."""
    axis, centre = np.array([0, 0.55, -0.835]), np.array([0, 4.0, 0])
    d = (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)
    up = np.array([0, 0.835, 0.55])
    angle = np.arccos(np.clip(d @ axis, -1, 1))
    flat = np.stack([d[:, 0], d @ up], 1)
    flat *= (angle / np.maximum(np.linalg.norm(flat, axis=1), 1e-9))[:, None]
    return 0.5 + flat / (2 * 2.2)


def pack(
    faces: np.ndarray,
    islands: list[tuple[np.ndarray, np.ndarray, tuple[float, float, float, float], bool]],
) -> tuple[np.ndarray, np.ndarray]:
    """Pack islands into one map: (U×2 float32, F×4 int32).

    islands: (face mask, V×2 uv, rectangle u0 v0 u1 v1, whether u is periodic).
    """
    face_uvs = np.full(faces.shape, -1, np.int32)
    uvs, count = [], 0
    for mask, uv, (u0, v0, u1, v1), periodic in islands:
        corners = faces[mask]
        used = corners >= 0
        place = uv[corners]
        wrap = np.zeros(corners.shape, bool)
        if periodic:
            u = np.where(used, place[..., 0], np.nan)
            wide = np.nanmax(u, 1) - np.nanmin(u, 1) > 0.5
            wrap = wide[:, None] & (place[..., 0] < 0.5) & used
        key = np.where(used, corners * 2 + wrap, -1)
        unique, inverse = np.unique(key[used], return_inverse=True)
        spot = uv[unique // 2] + np.stack([unique % 2, np.zeros(len(unique))], 1)
        spot = (spot - spot.min(0)) / np.maximum(spot.max(0) - spot.min(0), 1e-9)
        uvs.append(spot * [u1 - u0, v1 - v0] + [u0, v0])
        block = np.full(corners.shape, -1, np.int32)
        block[used] = inverse.reshape(-1) + count
        face_uvs[mask] = block
        count += len(unique)
    return np.concatenate(uvs).astype(np.float32), face_uvs
