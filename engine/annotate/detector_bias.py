"""The detector's bias for this person and these poses: the fitted head, seen by the detector.

A landmark detector is off by millimetres in ways that depend on pose and person. Rendering the
current fit at some of the footage's own poses and detecting landmarks on that picture shows by how
much: detected − projected, to be taken off what the detector saw in the footage.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..face_model.model import FaceModel
from ..face_model.paint import albedo, visible_faces
from ..footage.detector import detect_image
from ..render.preview import render_camera
from ..render.rasterise import project
from .landmarks import ModelLandmarks

SIZE = 320  # px, square pictures the head is rendered into
FACE_SHARE = 0.27  # the face's RMS radius as a part of SIZE
LARGEST_OFFSET = 0.25  # of the RMS radius: a picture with a larger median offset is not believed


def measure_detector_bias(
    model: FaceModel, landmarks: ModelLandmarks, heads: list[np.ndarray]
) -> np.ndarray:
    """Measure the median offset over heads in camera space (each V×3, cm).

    Returns 478×2 as a part of the face's RMS radius, zero where the detector saw no face.
    """
    colours, faces = albedo(model), model.faces[visible_faces(model)]
    with ThreadPoolExecutor(2) as pool:  # one is rendered while another is looked at
        offsets = list(
            pool.map(lambda head: _landmark_offsets(landmarks, head, colours, faces), heads)
        )
    found = [one for one in offsets if one is not None]
    return np.median(found, 0) if found else np.zeros((len(landmarks.confidence), 2))


def _landmark_offsets(
    landmarks: ModelLandmarks,
    vertices_camera: np.ndarray,
    colours: np.ndarray,
    faces: np.ndarray,
) -> np.ndarray | None:
    """Find detected − projected landmarks 478×2, of the face's RMS radius; None where unseen."""
    points = landmarks.on(vertices_camera)
    unit = project(points, 1.0, (0, 0))
    middle = unit.mean(0)
    radius = np.sqrt(((unit - middle) ** 2).sum(1).mean())
    focal = FACE_SHARE * SIZE / radius
    centre = tuple(SIZE / 2 - middle * focal)
    image = render_camera(
        vertices_camera, faces, colours, focal, centre, (SIZE, SIZE), supersample=1
    )
    seen = detect_image(image)
    if not seen:
        return None
    offsets = (seen[0].landmarks[:, :2] - project(points, focal, centre)) / (FACE_SHARE * SIZE)
    believed = np.median(np.linalg.norm(offsets, axis=1)) < LARGEST_OFFSET
    return offsets if believed else None
