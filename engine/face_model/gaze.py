"""How far eyes turn: each eyeLook shape's angle at weight 1, and the turn as offsets."""

from __future__ import annotations

import numpy as np

# Radians per eyeLook weight: least squares on a recorded range of motion (134 s; residual .004
# rad).
EYE_SIDEWAYS, EYE_DOWN, EYE_UP = 0.605, 0.611, 0.455


def sphere_centre(points: np.ndarray) -> np.ndarray:
    """Return the centre (3) of the least-squares sphere through N×3 points."""
    a = np.c_[2 * points, np.ones(len(points))]
    return np.linalg.lstsq(a, (points**2).sum(1), rcond=None)[0][:3]


def gaze_rotation(name: str) -> np.ndarray:
    """Return the rotation (3×3, head space) of an eyeLook shape at weight 1, e.g. 'eyeLookIn_L'."""
    look, side = name.removeprefix('eyeLook').split('_')
    outwards = 1 if side == 'L' else -1
    yaw, pitch = {
        'Out': (outwards * EYE_SIDEWAYS, 0),
        'In': (-outwards * EYE_SIDEWAYS, 0),
        'Up': (0, -EYE_UP),
        'Down': (0, EYE_DOWN),
    }[look]
    c, s, d, e = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array(
        [[1, 0, 0], [0, d, -e], [0, e, d]]
    )


def gaze_offsets(points: np.ndarray, name: str) -> np.ndarray:
    """Return N×3 offsets that turn an eyeball (N×3, cm) about its own centre by an eyeLook shape.

    In between the eye moves on the chord: at weight ½ the pupil is 2–4 % nearer the centre.
    """
    centre = sphere_centre(points)
    return (points - centre) @ gaze_rotation(name).T + centre - points
