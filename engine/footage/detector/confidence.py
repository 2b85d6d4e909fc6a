"""How far each landmark can be trusted.

Less where it is turned away, outside the picture, an iris behind a closed lid, or where augmented
crops disagree.
"""

from __future__ import annotations

import numpy as np

from ...core.smoothstep import smoothstep
from ...geometry.normals import vertex_normals
from .crop_landmarks import Face
from .landmark_sets import COUNT, OUTER_EYE_CORNERS, landmark_sets, tesselation

# Cosine between a landmark's normal and the view, from hidden to trusted: the oval of a frontal
# face lies at 0 to .3.
HIDDEN_COSINE, TRUSTED_COSINE = -0.15, 0.2
SHUT, OPEN = 0.04, 0.14  # lid gap / eye width, from no iris to a trusted one
LEAST = 0.02
# What a hand does to landmarks (a real hand put over captures' and clips' mouths, bench.md): they
# are off by so much of the face's RMS radius behind it, by the share of the face that it covers;
# beside it less, by e for every so many sides of the face, though never by less than a part of it;
# and by SEEN_NOISE where there is no hand.
HIDDEN_NOISE, HIDDEN_NOISE_PER_SHARE, MOST_HIDDEN_NOISE = 0.05, 0.65, 0.38
PULL, LEAST_PULL, SEEN_NOISE = 0.11, 0.1, 0.02
# Shares between which the pull grows into one error that all landmarks share, not hundreds that
# average out: their information then falls with its fourth power, not its second. Below, what is
# seen of a mouth is still right (looked at in a real clip).
PARTLY, MOSTLY = 0.25, 0.4
# Degrees of yaw over which the network's answers lose their worth: errors against the dev capture's
# truth are twice as large at 50 as at 20.
PROFILE = (25.0, 65.0)
# Of the eye distance: spread between augmented crops that costs a landmark most of its trust.
DISAGREEMENT = 0.03


def landmark_confidence(face: Face, size: tuple[int, int]) -> np.ndarray:
    """478 float32 in [0, 1] for a face in a picture of (width, height)."""
    facing = smoothstep(_facing_cosine(face.landmarks), HIDDEN_COSINE, TRUSTED_COSINE)
    sets = landmark_sets()
    for side, centre in zip(('right', 'left'), sets['iris_centres']):
        eye = sets[f'{side}_eye']
        openness = smoothstep(_eye_openness(face.landmarks[eye, :2]), SHUT, OPEN)
        facing[centre : centre + 5] = facing[eye].mean() * openness
    whole = (
        np.clip((face.score - 0.35) / 0.4, 0.15, 1)
        * np.clip(face.presence, 0.2, 1)
        * (1 - 0.8 * smoothstep(abs(_yaw(face.landmarks)), *PROFILE))
    )
    out = np.maximum(facing, LEAST) * whole
    eyes = np.linalg.norm(np.subtract(*face.landmarks[list(OUTER_EYE_CORNERS)]))
    out = out * np.maximum(np.exp(-0.5 * (face.spread / (DISAGREEMENT * eyes)) ** 2), 0.2)
    if face.network_confidence is not None:
        out = out * face.network_confidence
    x, y = face.landmarks[:, 0], face.landmarks[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    return np.where(inside, out, out * 0.1).astype(np.float32)


def confidence_beside_hands(points: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Say what is left of each landmark's confidence where a hand covers some of a face.

    The network shapes the whole face after what it takes for the mouth: landmarks beside a hand are
    pulled too.

    points: T×478×2, px. cover: T×478 in [0, 1]. Returns T×478 in (0, 1].
    """
    out = np.ones(cover.shape, np.float32)
    for frame in np.flatnonzero(cover.any(1)):
        own, seen = cover[frame], points[frame]
        side = np.ptp(seen, axis=0).max()
        apart = np.linalg.norm(seen[:, None] - seen[own > 0][None], axis=2) / max(side, 1e-6)
        pull = np.maximum(np.exp(-apart / PULL), LEAST_PULL) * own[own > 0]
        noise = min(HIDDEN_NOISE + HIDDEN_NOISE_PER_SHARE * own.mean(), MOST_HIDDEN_NOISE)
        power = 1 + smoothstep(own.mean(), PARTLY, MOSTLY)
        out[frame] = (1 + (noise * pull.max(1) / SEEN_NOISE) ** 2) ** -power
    return out


def _facing_cosine(landmarks: np.ndarray) -> np.ndarray:
    """478: cosine between a landmark's outward normal and the direction to the camera.

    Orthographic; irises 0, to be set by their eye.
    """
    out = np.zeros(COUNT)
    out[:468] = vertex_normals(landmarks[:468] * [1, -1, -1], tesselation())[:, 2]
    return out


def _yaw(landmarks: np.ndarray) -> float:
    """Degrees the eye line is turned out of the picture plane."""
    x, y, z = np.subtract(*landmarks[list(OUTER_EYE_CORNERS)])
    return float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _eye_openness(loop: np.ndarray) -> float:
    """Area of an eye's loop over the square of its width: about lid gap / width."""
    x, y = loop.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return float(area / max(4 * np.square(loop - loop.mean(0)).sum(1).max(), 1e-9))
