"""The one place where the engine's spaces meet Blender's.

Engine: head space and world in centimetres, cameras in OpenCV axes (x right, y down, z forward),
pixels from the top-left corner. Blender: metres, z up; a head looks along −y. A y-up point (x, y,
z) cm becomes 0.01·(x, −z, y) m.
"""

from __future__ import annotations

import numpy as np

METRES = 0.01
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # y-up → Blender, a rotation
FLIP = np.diag([1.0, -1.0, -1.0])  # OpenCV axes ↔ y up, z backward: its own inverse


def points_to_blender(points: np.ndarray) -> np.ndarray:
    """Convert …×3 cm in head space (or a y-up world) → …×3 float32 m in Blender's axes."""
    p = np.asarray(points, np.float32) * np.float32(METRES)
    return np.stack([p[..., 0], -p[..., 2], p[..., 1]], -1)


def world_axes(
    rotation: np.ndarray, camera: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Return 3×3: what turns the performance's world y-up.

    rotation T×3×3 head → world; camera the first view's (R, t). A world that is the first camera's
    own frame has OpenCV's axes; another one is taken as it is unless heads stand upside down in it.
    """
    if (
        camera is not None
        and np.allclose(camera[0], np.eye(3), atol=1e-6)
        and np.allclose(camera[1], 0, atol=1e-6)
    ):
        return FLIP
    return FLIP if len(rotation) and rotation[:, 1, 1].mean() < 0 else np.eye(3)


def poses_to_blender(
    rotation: np.ndarray, translation: np.ndarray, axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Convert T×3×3 and T×3 cm (head → world) → T×3×3 and T×3 m (object → Blender's world)."""
    turn = AXES @ axes
    return turn @ rotation @ AXES.T, METRES * translation @ turn.T


def poses_from_blender(
    rotation: np.ndarray, translation: np.ndarray, axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Undo poses_to_blender."""
    turn = (AXES @ axes).T
    return turn @ rotation @ AXES, translation @ turn.T / METRES


def camera_to_blender(
    rotation: np.ndarray, translation: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """Convert an OpenCV camera (R 3×3, t 3 cm) → 4×4 matrix_world of a Blender camera."""
    out = np.eye(4)
    out[:3, :3] = AXES @ axes @ rotation.T @ FLIP
    out[:3, 3] = METRES * (AXES @ axes @ (-rotation.T @ translation))
    return out


def lens(
    focal: float, centre: tuple[float, float], size: tuple[int, int], aspect: float = 1.0
) -> dict[str, float]:
    """Convert pinhole intrinsics → a Blender camera's settings under a horizontal sensor fit.

    focal (fx) and centre in pixels of size (width, height); aspect fy / fx. The sensor's longer
    side is 36 mm, as a photographer counts.
    """
    width, height = size
    sensor = 36.0 * width / max(size)
    return {
        'lens': focal * sensor / width,
        'sensor_width': sensor,
        'shift_x': (width / 2 - centre[0]) / width,
        'shift_y': (centre[1] - height / 2) / (width * aspect),
        'pixel_aspect_x': max(1.0, aspect),
        'pixel_aspect_y': max(1.0, 1 / aspect),
    }


def quaternions(rotation: np.ndarray) -> np.ndarray:
    """Convert T×3×3 → T×4 (w, x, y, z), each on the same side as the one before, so that curves do
    not jump.
    """
    m = np.asarray(rotation, np.float64)
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    # Four ways to read a quaternion (Shepperd 1978); the one that divides by the largest component
    # is the stable one.
    four = np.stack(
        [
            np.stack(
                [
                    1 + xx + yy + zz,
                    m[:, 2, 1] - m[:, 1, 2],
                    m[:, 0, 2] - m[:, 2, 0],
                    m[:, 1, 0] - m[:, 0, 1],
                ],
                -1,
            ),
            np.stack(
                [
                    m[:, 2, 1] - m[:, 1, 2],
                    1 + xx - yy - zz,
                    m[:, 0, 1] + m[:, 1, 0],
                    m[:, 0, 2] + m[:, 2, 0],
                ],
                -1,
            ),
            np.stack(
                [
                    m[:, 0, 2] - m[:, 2, 0],
                    m[:, 0, 1] + m[:, 1, 0],
                    1 - xx + yy - zz,
                    m[:, 1, 2] + m[:, 2, 1],
                ],
                -1,
            ),
            np.stack(
                [
                    m[:, 1, 0] - m[:, 0, 1],
                    m[:, 0, 2] + m[:, 2, 0],
                    m[:, 1, 2] + m[:, 2, 1],
                    1 - xx - yy + zz,
                ],
                -1,
            ),
        ],
        1,
    )
    best = np.argmax(four[:, range(4), range(4)], 1)
    q = four[np.arange(len(m)), best]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    if len(q) and q[0, 0] < 0:
        q[0] *= -1
    same = np.where((q[1:] * q[:-1]).sum(1) < 0, -1.0, 1.0)
    q[1:] *= np.cumprod(same)[:, None]
    return q
