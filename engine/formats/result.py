"""The folder a reconstruction leaves, opened again: the head, its performance, the cameras and the footage itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import FacewrightError
from ..core.result_folder import recover
from ..face_model.model import FaceModel
from ..footage import open_footage, read_frames
from ..footage.capture import read_capture
from ..footage.footage import View
from .performance import Performance, read_motion
from .played import at, to_camera
from .rig import Rig, read_rig


@dataclass(frozen=True)
class Result:
    """model: what the face model was read from; performance: at every instant it is known at (performance.read_motion); views: the footage, each with the camera that was found (all of it known)."""

    model: str
    rig: Rig
    performance: Performance
    views: tuple[View, ...]

    def head(self, view: View, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """(V×3 float64 cm, in head space; 3×4: head → world) at a frame of a view, linear between the performance's times."""
        play, when = self.performance, view.times[frame]
        place = {name: k for k, name in enumerate(play.names)}
        used = [k for k, name in enumerate(self.rig.names) if name in place]
        weights = at(play.time, play.weights, when)[[place[self.rig.names[k]] for k in used]]
        vertices = self.rig.neutral.astype(np.float64) + np.tensordot(
            weights, self.rig.expressions[used], 1
        )
        u, _, v = np.linalg.svd(at(play.time, play.rotation, when))  # the nearest rotation
        return vertices, np.concatenate([u @ v, at(play.time, play.translation, when)[:, None]], 1)

    def in_camera(self, view: View, frame: int) -> np.ndarray:
        """V×3 float64 cm in the view's camera, y scaled by its aspect: what a renderer with one focal length takes."""
        vertices, pose = self.head(view, frame)
        return to_camera(vertices @ pose[:, :3].T + pose[:, 3], view.camera)

    def fits(self, model: FaceModel) -> None:
        """FacewrightError where the head is not in the model's topology."""
        if self.rig.neutral.shape != model.neutral.shape:
            raise FacewrightError(
                f'The head has {len(self.rig.neutral)} vertices and the face model {self.model} {model.vertex_count}: '
                'choose the result of a reconstruction made with that model.'
            )


def open_result(folder: Path | str) -> Result:
    """Read rig.npz, performance.npz, report.json and cameras.json of a reconstruction and open its footage; FacewrightError: one sentence that names the file."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FacewrightError(
            f'There is no folder {folder}: choose the folder of a reconstruction.'
        )
    recover(folder)
    rig, performance = read_rig(folder / 'rig.npz'), read_motion(folder)
    try:
        report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
        model, told = report['model'], {view['name']: view for view in report['views']}
        if not isinstance(model, str):
            raise ValueError
        views = tuple(
            _view(given, told.get(given.name, {}))
            for given in read_capture(folder / 'cameras.json')
        )
    except FileNotFoundError:
        raise FacewrightError(
            f'There is no report.json in {folder}: choose the folder of a reconstruction.'
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacewrightError(
            f'{folder / "report.json"} is not a readable report ({type(error).__name__}): reconstruct again.'
        ) from error
    return Result(model, rig, performance, views)


def _view(given, told: dict) -> View:
    """A view's footage, cut to the frames that were used, with the camera that was found."""
    kind = told.get('kind')
    whole = open_footage(
        [{'path': given.path, 'kind': kind if kind in ('video', 'sequence', 'photo') else None}]
    ).views[0]
    times = whole.times if given.time is None else given.time
    first = int(told.get('first', 0)) - whole.first
    if kind == 'sequence' and first + len(times) > len(
        whole.times
    ):  # images of several names: a whole folder was chosen
        whole = open_footage([{'path': given.path.parent, 'kind': kind}]).views[0]
    if whole.size != given.size or first < 0 or first + len(times) > len(whole.times):
        raise FacewrightError(
            f'{given.path} is not the footage of the reconstruction any more (its size or length changed): reconstruct again.'
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


def pictures(view: View, frames: np.ndarray):
    """The view's frames (increasing indices), one at a time, H×W×3 uint8 RGB, without the lens' distortion."""
    camera, maps = view.camera, None
    for picture in read_frames(view, frames):
        if any(camera.distortion):
            if maps is None:
                k = np.array(
                    [
                        [camera.focal, 0, camera.centre[0] - 0.5],
                        [0, camera.focal * camera.aspect, camera.centre[1] - 0.5],
                        [0, 0, 1.0],
                    ]
                )  # OpenCV counts from pixel centres
                maps = cv2.initUndistortRectifyMap(
                    k, np.asarray(camera.distortion), None, k, view.size, cv2.CV_32FC1
                )
            picture = cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        yield picture
