"""The detector's habits at this person and these poses, by looking at the fitted head with the detector itself.

A landmark detector is off by millimetres in ways that depend on pose and person. Rendering the current fit at some of the
footage's own poses and detecting landmarks on that picture shows by how much: detected − projected, to be taken off what the
detector saw in the footage.
"""

from __future__ import annotations

import numpy as np

from ..face_model.model import FaceModel
from ..face_model.paint import albedo, visible_faces
from ..footage.detector import detect_image
from ..render.preview import render_camera
from ..render.rasterise import project
from .landmarks import ModelLandmarks

SIZE = 320  # px, square pictures the head is rendered into
FACE_PART = 0.27  # the face's RMS radius as a part of SIZE
WORST = 0.25  # a look whose median offset exceeds this part of the RMS radius is not believed


def look(
    model: FaceModel,
    landmarks: ModelLandmarks,
    vertices_camera: np.ndarray,
    colours: np.ndarray,
    faces: np.ndarray,
) -> np.ndarray | None:
    """Detected − projected landmarks 478×2 as a part of the face's RMS radius, of a head in camera space (V×3, cm); None where unseen."""
    marks = landmarks.on(vertices_camera)
    unit = project(marks, 1.0, (0, 0))
    middle = unit.mean(0)
    radius = np.sqrt(((unit - middle) ** 2).sum(1).mean())
    focal = FACE_PART * SIZE / radius
    centre = tuple(SIZE / 2 - middle * focal)
    image = render_camera(
        vertices_camera, faces, colours, focal, centre, (SIZE, SIZE), supersample=1
    )
    seen = detect_image(image)
    if not seen:
        return None
    off = (seen[0].landmarks[:, :2] - project(marks, focal, centre)) / (FACE_PART * SIZE)
    return off if np.median(np.linalg.norm(off, axis=1)) < WORST else None


def habit(model: FaceModel, landmarks: ModelLandmarks, heads: list[np.ndarray]) -> np.ndarray:
    """Median offset 478×2 over heads in camera space (see `look`); zero where none was seen."""
    colours, faces = albedo(model), model.faces[visible_faces(model)]
    found = [
        off for head in heads if (off := look(model, landmarks, head, colours, faces)) is not None
    ]
    return np.median(found, 0) if found else np.zeros((len(landmarks.confidence), 2))
