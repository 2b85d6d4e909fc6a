"""A head that moves: a rig with its performance, and where it is between the samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..face_model.model import FaceModel
from ..footage.footage import Camera
from .performance import read_motion
from .rig import read_rig

SLACK = 0.051  # s by which a performance may miss a time beyond its ends


@dataclass(frozen=True)
class AnimatedHead:
    """A result folder's head and performance.

    neutral, expressions: V×3 and E×V×3, cm in head space
    time: T, s
    weights: T×E, in the expressions' order
    rotation, translation: T×3×3 and T×3, head → world, cm
    """

    neutral: np.ndarray
    expressions: np.ndarray
    time: np.ndarray
    weights: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    def covers(self, when: float) -> bool:
        """Tell whether a time (s) lies within the performance."""
        return bool(self.time[0] - SLACK <= when <= self.time[-1] + SLACK)

    def in_camera(self, camera: Camera, when: float) -> np.ndarray:
        """Place the head at a time (s) before a camera: V×3 cm, see to_camera."""
        head = self.neutral + np.tensordot(
            interpolate(self.time, self.weights, when).astype(np.float32), self.expressions, 1
        )
        rotation = interpolate(self.time, self.rotation, when)
        return to_camera(head @ rotation.T + interpolate(self.time, self.translation, when), camera)


def open_animated_head(folder: Path, model: FaceModel) -> AnimatedHead:
    """Read rig.npz and the performance (performance.read_motion) of a result folder.

    Raises FacewrightError where one is missing or the head is not in `model`'s topology.
    """
    rig, performance = read_rig(Path(folder) / 'rig.npz'), read_motion(folder)
    if rig.neutral.shape != model.neutral.shape:
        raise FacewrightError(
            f'{folder}/rig.npz has {len(rig.neutral)} vertices, the face model {model.name} '
            f'{model.vertex_count}: choose the model it was made with.'
        )
    place = {n: k for k, n in enumerate(performance.names)}
    order = [place.get(n, -1) for n in rig.names]
    still = np.zeros((len(performance.time), 1))
    return AnimatedHead(
        rig.neutral,
        rig.expressions,
        performance.time,
        np.concatenate([performance.weights, still], 1)[:, order],
        performance.rotation,
        performance.translation,
    )


def to_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Bring …×3 world cm into a camera whose pose is known: OpenCV axes.

    y is scaled by the camera's aspect, for a renderer with one focal length.
    """
    if camera.rotation is None or camera.translation is None:
        raise ValueError('the camera has no pose')
    out = points @ camera.rotation.T + camera.translation
    out[..., 1] *= camera.aspect
    return out


def interpolate(time: np.ndarray, values: np.ndarray, when: float) -> np.ndarray:
    """Find the row of `values` (T×…) at `when`, linear between `time` (T)."""
    if len(time) == 1:
        return values[0]
    i = int(np.clip(np.searchsorted(time, when) - 1, 0, len(time) - 2))
    u = float(np.clip((when - time[i]) / (time[i + 1] - time[i]), 0, 1))
    return (1 - u) * values[i] + u * values[i + 1]
