"""Shapes that are a person's own: the model's, with smooth offsets added."""

import numpy as np


def smooth_offsets(points, centre, height, width=1.5) -> np.ndarray:
    """V×3 (cm): a push to the front of `height` at the point nearest to `centre`, fading round it
    over `width`.
    """
    points = np.asarray(points, float)
    nearest = points[np.linalg.norm(points - centre, axis=1).argmin()]
    size = np.exp(-(np.linalg.norm(points - nearest, axis=1) ** 2) / (2 * width**2))
    return size[:, None] * np.array([0.0, 0.0, height])


def personal_shapes(points, names, plain, seed=0) -> np.ndarray:
    """E×V×3 (cm): a person's own shapes, each a few millimetres off the plain one where that moves
    the face.
    """
    rng, own = np.random.default_rng(seed), np.array(plain, float)
    for k, name in enumerate(names):
        size = np.linalg.norm(own[k], axis=1)
        if name == 'tongueOut' or name.startswith('eyeLook') or size.max() < 0.1:
            continue
        centre = points[rng.choice(np.flatnonzero(size > 0.5 * size.max()))]
        own[k] += smooth_offsets(points, centre, rng.normal() * 0.15) * (size > 1e-3)[:, None]
    return own.astype(np.float32)
