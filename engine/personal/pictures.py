"""The pictures a head is found in: cut out round it, and where it stands in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import FacewrightError
from ..footage.crops import Crop, cut
from ..footage.footage import View
from ..footage.masks import segment_parts_at
from ..formats.result import undistorted_frames
from ..formats.trajectory import TimedTrajectory
from ..render.rasterise import project

LARGEST = 512  # px: side of a picture at most
MARGIN = 1.08  # of the head's largest extent in a view: side of what is cut out
NEAREST = 10.0  # cm: a head nearer to the camera is not looked at
FEWEST = 2  # pictures that show a surface from two sides


@dataclass(frozen=True)
class Pictures:
    """N pictures of one head, all of one size.

    colours: N×S×S×3 uint8 sRGB, without the lens' distortion
    view: N, the number of each one's view
    focal: N px; centre: N×2 px, of the picture cut out
    pose: N×3×4, head → camera space (cm), its y times the camera's aspect
    weights: N×E
    """

    colours: np.ndarray
    view: np.ndarray
    focal: np.ndarray
    centre: np.ndarray
    pose: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.view)

    def points(self, row: int, head: np.ndarray, expressions: np.ndarray) -> np.ndarray:
        """Return where a picture's camera has the head's vertices: V×3 cm, camera space.

        head: V×3 cm, the neutral; expressions: E×V×3 offsets
        """
        shape = head + np.tensordot(self.weights[row], expressions, 1)
        return shape @ self.pose[row, :, :3].T + self.pose[row, :, 3]

    def face_mask(self, row: int, points: np.ndarray) -> np.ndarray:
        """Find the pixels of a picture that may show the face: S×S bool, all where none is found.

        What the masks call other (hair, hands, glasses, backdrop) is left out.

        points: 68×3 cm, camera space: the Multi-PIE landmarks
        """
        picture = self.colours[row]
        at = project(points, float(self.focal[row]), tuple(self.centre[row]))
        labels = segment_parts_at(picture, at)
        return np.ones(picture.shape[:2], bool) if labels is None else labels > 0


def cut_pictures(
    views: Sequence[View],
    present: Sequence[np.ndarray],
    trajectory: TimedTrajectory,
    head: np.ndarray,
    count: int,
) -> Pictures:
    """Cut out pictures of all views, spread over the time in which they see the face.

    views: with the cameras that were found
    present: of each view T bool, in which frames the face was seen
    head: N×3 cm, head space: points that shall be in the picture
    count: of all views together, at most

    Raises FacewrightError where fewer than two pictures show the head.
    """
    each = max(1, count // len(views))
    chosen = [_spread(np.flatnonzero(seen), each) for seen in present]
    found = [
        _windows(view, trajectory.at(view.times[frames]), frames, head)
        for view, frames in zip(views, chosen)
        if len(frames)
    ]
    found = [one for one in found if len(one.frames)]
    if sum(len(one.frames) for one in found) < FEWEST:
        raise FacewrightError(
            'Fewer than two pictures show the face, which is too little for a head of its own '
            'surface: choose the quality standard, or longer footage.'
        )
    size = min(LARGEST, int(np.ceil(max(one.side for one in found))))
    parts = [_cut(one, number, size) for number, one in enumerate(found)]
    return Pictures(*(np.concatenate(values) for values in zip(*parts)))


def _spread(frames: np.ndarray, count: int) -> np.ndarray:
    """Choose up to `count` of the frames over their whole length."""
    if len(frames) <= count:
        return frames
    return frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]


@dataclass(frozen=True)
class _Windows:
    """Where the head stands in some frames of a view: middle n×2 px, side px, pose n×3×4."""

    view: View
    focal: float
    frames: np.ndarray
    middle: np.ndarray
    side: float
    pose: np.ndarray
    weights: np.ndarray


def _windows(
    view: View, trajectory: TimedTrajectory, frames: np.ndarray, head: np.ndarray
) -> _Windows:
    camera = view.camera
    focal, turned, at = camera.focal, camera.rotation, camera.translation
    if focal is None or turned is None or at is None:
        raise ValueError(f'the camera of {view.name} is not solved')
    stretch = np.array([1.0, camera.aspect, 1.0])[:, None]
    rotation = stretch * (turned @ trajectory.rotation)
    translation = (trajectory.translation @ turned.T + at) * stretch[:, 0]
    pose = np.concatenate([rotation, translation[..., None]], 2)
    points = head @ rotation.transpose(0, 2, 1) + translation[:, None]
    near = points[..., 2].min(1) > NEAREST
    pixels = project(points[near], focal, camera.centre)
    low, high = pixels.min(1), pixels.max(1)
    inside = ((high > 0) & (low < np.array(view.size))).all(1)
    rows = np.flatnonzero(near)[inside]
    side = MARGIN * float((high - low)[inside].max(initial=1.0))
    return _Windows(
        view,
        focal,
        frames[rows],
        (0.5 * (low + high))[inside],
        side,
        pose[rows],
        trajectory.weights[rows],
    )


def _cut(found: _Windows, number: int, size: int) -> tuple[np.ndarray, ...]:
    """Cut a view's pictures out, as Pictures' fields in their order; where they fit, unscaled."""
    side, camera = max(found.side, size), found.view.camera
    corner = found.middle - side / 2
    corner = np.round(corner) if side == size else corner
    colours = np.empty((len(found.frames), size, size, 3), np.uint8)
    for row, picture in enumerate(undistorted_frames(found.view, found.frames)):
        window = Crop(tuple((corner[row] + side / 2).tolist()), side)
        colours[row] = cut(picture, window, size)
    scale = size / side
    return (
        colours,
        np.full(len(colours), number),
        np.full(len(colours), scale * found.focal),
        scale * (np.asarray(camera.centre) - corner),
        found.pose,
        found.weights,
    )
