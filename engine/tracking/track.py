"""The Track noun: what tracking found, and as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..footage.footage import Camera, Footage
from ..formats.performance import Performance

WHOLE = (
    *('identity', 'deviation', 'time', 'weights', 'rotation', 'translation'),
    'focal_deviation',
)
PER_VIEW = ('projected', 'errors', 'eye_distance', 'bias')


@dataclass(frozen=True)
class Track:
    """What was found of a performance; arrays are numpy float64.

    identity: I coefficients
    deviation: 478×3, cm: the person's constant offset of each landmark
    cameras: per view, with what was found filled in
    time: K, s; weights: K×E; rotation, translation: K×3×3 and K×3, head → world, cm
    projected: per view the landmarks T×478×2, px
    errors: per view T, mean distance over eyes, brows, nose and lips as a part of the outer-eye
        distance in the picture of a head facing it; NaN where no face was seen
    eye_distance: per view T, px
    bias: per view 478×2 (constant_errors.find_view_bias)
    focal_deviation: V, standard deviation of each log focal length, 0 where it was known
    """

    identity: np.ndarray
    deviation: np.ndarray
    cameras: tuple[Camera, ...]
    time: np.ndarray
    weights: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    projected: tuple[np.ndarray, ...]
    errors: tuple[np.ndarray, ...]
    eye_distance: tuple[np.ndarray, ...]
    bias: tuple[np.ndarray, ...] = ()
    focal_deviation: np.ndarray = field(default_factory=lambda: np.zeros(0))


def track_arrays(track: Track) -> dict[str, np.ndarray]:
    """Take a track apart into named arrays, for track_from."""
    out = {name: getattr(track, name) for name in WHOLE}
    out['focal'] = np.array([c.focal for c in track.cameras])
    out['camera_rotation'] = np.array([c.rotation for c in track.cameras])
    out['camera_translation'] = np.array([c.translation for c in track.cameras])
    return out | {f'{name}_{v}': a for name in PER_VIEW for v, a in enumerate(getattr(track, name))}


def track_from(arrays: dict[str, np.ndarray], footage: Footage) -> Track:
    """Put the track together that `track_arrays` took apart, of the same footage."""
    cameras = tuple(
        replace(v.camera, focal=float(f), rotation=r, translation=t)
        for v, f, r, t in zip(
            footage.views, arrays['focal'], arrays['camera_rotation'], arrays['camera_translation']
        )
    )
    return Track(
        cameras=cameras,
        **{name: arrays[name] for name in WHOLE},
        **{name: tuple(arrays[f'{name}_{v}'] for v in range(len(cameras))) for name in PER_VIEW},
    )


def performance_of(track: Track, names: tuple[str, ...], fps: float) -> Performance:
    """Take a track's performance, at the first view's times. names: E; fps: to be played at."""
    return Performance(
        track.time,
        track.weights.astype(np.float32),
        names,
        track.rotation,
        track.translation,
        fps,
    )
