"""How far each landmark can be trusted: turned away, outside the picture, iris behind a closed lid, looks that disagree."""

from __future__ import annotations

import numpy as np

from .landmark_sets import COUNT, OUTER_EYE_CORNERS, landmark_sets, tesselation
from .looking import Face

HIDDEN_COSINE, TRUSTED_COSINE = (
    -0.15,
    0.2,
)  # cosine between a landmark's normal and the view, from hidden to trusted: the oval of a frontal face lies at 0 to .3
SHUT, OPEN = 0.04, 0.14  # lid gap / eye width, from no iris to a trusted one
LEAST = 0.02
PROFILE = (
    25.0,
    65.0,
)  # degrees of yaw over which the network's answers lose their worth: errors against the dev capture's truth are twice as large at 50 as at 20
DISAGREEMENT = (
    0.03  # of the eye distance: spread between looks that costs a landmark most of its trust
)


def confidence(face: Face, size: tuple[int, int]) -> np.ndarray:
    """478 float32 in [0, 1] for a face in a picture of (width, height)."""
    facing = _ramp(_facing(face.points), HIDDEN_COSINE, TRUSTED_COSINE)
    for side, centre in zip(('right', 'left'), landmark_sets()['iris_centres']):
        loop = face.points[landmark_sets()[f'{side}_eye'], :2]
        facing[centre : centre + 5] = facing[landmark_sets()[f'{side}_eye']].mean() * _ramp(
            _openness(loop), SHUT, OPEN
        )
    whole = (
        np.clip((face.belief - 0.35) / 0.4, 0.15, 1)
        * np.clip(face.presence, 0.2, 1)
        * (1 - 0.8 * _ramp(abs(_yaw(face.points)), *PROFILE))
    )
    out = np.maximum(facing, LEAST) * whole
    if face.spread is not None:
        eyes = np.linalg.norm(np.subtract(*face.points[list(OUTER_EYE_CORNERS)]))
        out = out * np.maximum(np.exp(-0.5 * (face.spread / (DISAGREEMENT * eyes)) ** 2), 0.2)
    x, y = face.points[:, 0], face.points[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    return np.where(inside, out, out * 0.1).astype(np.float32)


def _ramp(value, low: float, high: float):
    u = np.clip((value - low) / (high - low), 0, 1)
    return u * u * (3 - 2 * u)


def _facing(points: np.ndarray) -> np.ndarray:
    """478: cosine between the outward normal of the landmark's surface and the direction to the camera (orthographic; irises 0, set by the eye)."""
    surface = points[:468] * [1, -1, -1]
    a, b, c = tesselation().T
    normals = np.zeros((468, 3))
    area = np.cross(surface[b] - surface[a], surface[c] - surface[a])
    for corner in (a, b, c):
        np.add.at(normals, corner, area)
    out = np.zeros(COUNT)
    out[:468] = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    return out


def _yaw(points: np.ndarray) -> float:
    """Degrees the eye line is turned out of the picture plane."""
    x, y, z = np.subtract(*points[list(OUTER_EYE_CORNERS)])
    return float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _openness(loop: np.ndarray) -> float:
    """Area of an eye's loop over the square of its width: about lid gap / width."""
    x, y = loop.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return float(area / max(4 * np.square(loop - loop.mean(0)).sum(1).max(), 1e-9))
