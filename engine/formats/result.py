"""A reconstruction's folder, opened again: the head, its performance, cameras and footage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import FacewrightError
from ..core.result_folder import recover
from ..face_model.model import FaceModel
from ..footage import open_footage, read_frames
from ..footage.capture import CaptureView, read_capture
from ..footage.footage import View
from .animated_head import to_camera
from .performance import Performance, read_motion
from .rig import Rig, read_rig
from .trajectory import trajectory_of


@dataclass(frozen=True)
class Result:
    """A reconstruction.

    model: what the face model was read from
    rig: the head
    performance: at every time it is known at (performance.read_motion)
    views: the footage, each with the camera that was found (all of it known)
    """

    model: str
    rig: Rig
    performance: Performance
    views: tuple[View, ...]

    def head_at(self, view: View, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the head at a frame of a view: (V×3 float64 cm in head space; 3×4 head → world).

        Between the performance's times as TimedTrajectory.at has it.
        """
        performance = self.performance
        now = trajectory_of(performance).at(view.times[frame])
        place = {name: k for k, name in enumerate(performance.names)}
        used = [k for k, name in enumerate(self.rig.names) if name in place]
        columns = [place[self.rig.names[k]] for k in used]
        vertices = self.rig.neutral.astype(np.float64) + np.tensordot(
            now.weights[0][columns], self.rig.expressions[used], 1
        )
        return vertices, np.concatenate([now.rotation[0], now.translation[0][:, None]], 1)

    def in_camera(self, view: View, frame: int) -> np.ndarray:
        """Place the head of a frame before the view's camera: V×3 float64 cm, see to_camera."""
        vertices, pose = self.head_at(view, frame)
        return to_camera(vertices @ pose[:, :3].T + pose[:, 3], view.camera)

    def check_topology(self, model: FaceModel) -> None:
        """Raise FacewrightError where the head is not in the model's topology."""
        if self.rig.neutral.shape != model.neutral.shape:
            raise FacewrightError(
                f'The head has {len(self.rig.neutral)} vertices and the face model {self.model} '
                f'{model.vertex_count}: choose the result of a reconstruction made with that model.'
            )


def open_result(folder: Path | str) -> Result:
    """Read rig.npz, performance.npz, report.json and cameras.json and open the footage.

    Raises FacewrightError: one sentence that names the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FacewrightError(
            f'There is no folder {folder}: choose the folder of a reconstruction.'
        )
    recover(folder)
    rig, performance = read_rig(folder / 'rig.npz'), read_motion(folder)
    try:
        report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
        model, reported = report['model'], {view['name']: view for view in report['views']}
        if not isinstance(model, str):
            raise ValueError
        views = tuple(
            _open_view(given, reported.get(given.name, {}))
            for given in read_capture(folder / 'cameras.json')
        )
    except FileNotFoundError:
        raise FacewrightError(
            f'There is no report.json in {folder}: choose the folder of a reconstruction.'
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacewrightError(
            f'{folder / "report.json"} is not a readable report ({type(error).__name__}): '
            'reconstruct again.'
        ) from error
    return Result(model, rig, performance, views)


def _open_view(given: CaptureView, reported: dict) -> View:
    """Open a view's footage, cut to the frames that were used, with the camera that was found.

    given: of cameras.json; reported: the view's entry in report.json.
    """
    kind = reported.get('kind')
    whole = open_footage(
        [{'path': given.path, 'kind': kind if kind in ('video', 'sequence', 'photo') else None}]
    ).views[0]
    times = whole.times if given.time is None else given.time
    first = int(reported.get('first', 0)) - whole.first
    # images of several names: a whole folder was chosen
    if kind == 'sequence' and first + len(times) > len(whole.times):
        whole = open_footage([{'path': given.path.parent, 'kind': kind}]).views[0]
    if whole.size != given.size or first < 0 or first + len(times) > len(whole.times):
        raise FacewrightError(
            f'{given.path} is not the footage of the reconstruction any more (its size or length '
            'changed): reconstruct again.'
        )
    part = slice(first, first + len(times))
    return replace(
        whole,
        name=given.name,
        times=times,
        first=whole.first + first,
        images=whole.images[part],
        camera=given.camera,
        fps=given.fps or whole.fps,
    )


def undistorted_frames(view: View, frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield frames of a view (increasing indices) without the lens' distortion: H×W×3 uint8 RGB."""
    maps = _undistortion_maps(view) if any(view.camera.distortion) else None
    for picture in read_frames(view, frames):
        if maps is not None:
            across, down = maps
            picture = cv2.remap(
                picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        yield picture


def _undistortion_maps(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Find where in a view's picture each undistorted pixel lies: H×W float32 x and y."""
    camera = view.camera
    if camera.focal is None:
        raise ValueError('the camera has no focal length')
    centre = camera.centre[0] - 0.5, camera.centre[1] - 0.5  # OpenCV counts from pixel centres
    k = np.array(
        [[camera.focal, 0, centre[0]], [0, camera.focal * camera.aspect, centre[1]], [0, 0, 1.0]]
    )
    return cv2.initUndistortRectifyMap(
        k, np.asarray(camera.distortion), np.eye(3), k, view.size, cv2.CV_32FC1
    )
