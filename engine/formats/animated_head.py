"""A head that moves: a rig with its performance, and where it is between the samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..face_model.model import FaceModel
from ..footage.footage import Camera
from .rig import read_rig
from .trajectory import TimedTrajectory, read_trajectory

SLACK = 0.051  # s by which a performance may miss a time beyond its ends


@dataclass(frozen=True)
class AnimatedHead:
    """A result folder's head and performance.

    neutral, expressions: V×3 and E×V×3, cm in head space
    trajectory: its weights in the expressions' order
    """

    neutral: np.ndarray
    expressions: np.ndarray
    trajectory: TimedTrajectory

    def covers(self, when: float) -> bool:
        """Tell whether a time (s) lies within the performance."""
        time = self.trajectory.time
        return bool(time[0] - SLACK <= when <= time[-1] + SLACK)

    def in_camera(self, camera: Camera, when: float) -> np.ndarray:
        """Place the head at a time (s) before a camera: V×3 cm, see to_camera."""
        now = self.trajectory.at(when)
        head = self.neutral + np.tensordot(now.weights[0].astype(np.float32), self.expressions, 1)
        return to_camera(head @ now.rotation[0].T + now.translation[0], camera)


def open_animated_head(folder: Path, model: FaceModel) -> AnimatedHead:
    """Read rig.npz and the trajectory (trajectory.read_trajectory) of a result folder.

    Raises FacewrightError where one is missing or the head is not in `model`'s topology.
    """
    rig, (trajectory, names) = read_rig(Path(folder) / 'rig.npz'), read_trajectory(folder)
    if rig.neutral.shape != model.neutral.shape:
        raise FacewrightError(
            f'{folder}/rig.npz has {len(rig.neutral)} vertices, the face model {model.name} '
            f'{model.vertex_count}: choose the model it was made with.'
        )
    place = {n: k for k, n in enumerate(names)}
    order = [place.get(n, -1) for n in rig.names]
    still = np.zeros((len(trajectory.time), 1))
    weights = np.concatenate([trajectory.weights, still], 1)[:, order]
    return AnimatedHead(rig.neutral, rig.expressions, replace(trajectory, weights=weights))


def to_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Bring …×3 world cm into a camera whose pose is known: OpenCV axes.

    y is scaled by the camera's aspect, for a renderer with one focal length.
    """
    if camera.rotation is None or camera.translation is None:
        raise ValueError('the camera has no pose')
    out = points @ camera.rotation.T + camera.translation
    out[..., 1] *= camera.aspect
    return out
