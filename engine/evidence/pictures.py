"""The faces of a view's pictures, cut out, and the points that are followed in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.pieces import pieces
from ..footage.crops import Crop, cut
from ..footage.footage import Camera, View
from ..footage.sources import read_frames
from ..geometry.laplacian import mass
from ..geometry.polygons import triangulate
from .options import StandardOptions
from .point_basis import PointBasis, basis_at
from .state import ViewLandmarks

SIZE = 320  # pixels: side of a face's crop
CROP_RADII = 2.1  # half of that, in root-mean-square radii of the face's landmarks


@dataclass(frozen=True)
class Points:
    """Surface points that are followed.

    vertex P, ring P×3 (a triangle at each, for its facing); basis: the model's there.
    """

    vertex: np.ndarray
    ring: np.ndarray
    basis: PointBasis


@dataclass(frozen=True)
class Pictures:
    """The faces of some frames of one view.

    crops n×SIZE×SIZE×3 uint8; windows: where they were cut; frames n of the view.
    """

    crops: np.ndarray
    windows: tuple[Crop, ...]
    frames: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """n: crop pixels a picture pixel."""
        return np.array([SIZE / w.side for w in self.windows])

    def inside(self, row: int, pixels: np.ndarray) -> np.ndarray:
        """…×2 pixels of the picture → pixels of the row's crop (corner origin)."""
        window = self.windows[row]
        return (pixels - np.asarray(window.centre)) * (SIZE / window.side) + SIZE / 2


@dataclass(frozen=True)
class ViewPictures:
    """One view's pictures, the landmarks seen in them (a row each), and its camera."""

    view: int
    landmarks: ViewLandmarks
    pictures: Pictures
    camera: Camera

    @property
    def crop_scale(self) -> np.ndarray:
        """n×2: pixels of the crop an undistorted pixel, along x and y."""
        return self.pictures.scale[:, None] * np.array([1.0, self.camera.aspect])


def choose_points(model: FaceModel, options: StandardOptions) -> Points:
    """Choose vertices of the narrow face, by area and denser round lids and lips.

    Not the irises: their highlights stay where they are (measured: gaze came out worse).
    """
    piece, face = pieces(model), model.regions['narrow_face']
    area = mass(model.neutral, triangulate(model.faces))
    dense = np.ones(model.vertex_count)
    for name in (
        'upper_lip',
        'lower_lip',
        'upper_lid_L',
        'upper_lid_R',
        'lower_lid_L',
        'lower_lid_R',
    ):
        dense[piece[name]] = options.denser
    chance = (area * dense)[face]
    skin = np.random.default_rng(0).choice(
        face, min(options.points, len(face)), replace=False, p=chance / chance.sum()
    )
    vertex = np.sort(skin)
    triangles = triangulate(model.faces[visible_faces(model)])
    corner = np.full(model.vertex_count, 0)
    corner[triangles.ravel()] = np.repeat(np.arange(len(triangles)), 3)
    return Points(vertex, triangles[corner[vertex]], basis_at(model, vertex))


def cut_faces(view: View, frames: np.ndarray, landmarks: np.ndarray) -> Pictures:
    """Cut the faces of the given frames (increasing) out of a view's pictures.

    landmarks: T×478×2 px, of all frames; they say where the faces are.
    """
    windows = []
    for frame in frames:
        middle = landmarks[frame].mean(0)
        radius = float(np.sqrt(((landmarks[frame] - middle) ** 2).sum(1).mean()))
        windows.append(Crop(tuple(middle.astype(float)), 2 * CROP_RADII * max(radius, 4.0)))
    crops = np.empty((len(frames), SIZE, SIZE, 3), np.uint8)
    for row, (window, picture) in enumerate(zip(windows, read_frames(view, frames))):
        crops[row] = cut(picture, window, SIZE)
    return Pictures(crops, tuple(windows), np.asarray(frames))
