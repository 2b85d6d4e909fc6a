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
from ..footage.crops import Crop
from ..footage.detector import detect_image
from ..footage.detector.landmark_sets import OUTER_EYE_CORNERS
from ..render.preview import render_camera, rotation_from_angles
from ..render.rasterise import project
from .landmarks import ModelLandmarks

SIZE = 320  # px, square pictures the head is rendered into
FACE_SHARE = 0.27  # the face's RMS radius as a part of SIZE
FEWEST = 4  # heads that are rendered, the same from nearby where there are fewer
NEARBY = 3.0  # degrees, the standard deviation by which a head is turned to be seen once more
SQUARE = 1.1  # of SIZE: where a face is looked for first
LARGEST_OFFSET = 0.25  # of the RMS radius: a picture with a larger median offset is not believed


def measure_detector_bias(
    model: FaceModel, landmarks: ModelLandmarks, heads: list[np.ndarray], quality: str = 'draft'
) -> np.ndarray:
    """Measure the median offset over heads in camera space (each V×3, cm).

    quality: how closely each is looked at, see footage.detector.detect_image
    Returns 478×2 as a part of the face's RMS radius, zero where the detector saw no face.
    """
    colours, faces = albedo(model), model.faces[visible_faces(model)]
    with ThreadPoolExecutor(2) as pool:  # one is rendered while another is looked at
        offsets = list(
            pool.map(
                lambda head: _landmark_offsets(landmarks, head, colours, faces, quality), heads
            )
        )
    found = [one for one in offsets if one is not None]
    return np.median(found, 0) if found else np.zeros((len(landmarks.confidence), 2))


def heads_from_nearby(heads: list[np.ndarray]) -> list[np.ndarray]:
    """Turn few heads (each V×3, cm, camera space) a little until there are FEWEST.

    What the detector is off in one picture trembles with its crop and its light by as much as it
    differs between people; from a few degrees to the side it is the same but for that.
    """
    out = list(heads)
    for k, angles in enumerate(np.random.default_rng(0).normal(0, NEARBY, (FEWEST, 3))):
        if len(out) < FEWEST:
            head = heads[k % len(heads)]
            middle = head.mean(0)
            out.append((head - middle) @ rotation_from_angles(*angles).T + middle)
    return out


def _landmark_offsets(
    landmarks: ModelLandmarks,
    vertices_camera: np.ndarray,
    colours: np.ndarray,
    faces: np.ndarray,
    quality: str,
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
    there = project(points, focal, centre)
    expected = None if quality == 'draft' else _square(there)
    seen = detect_image(image, expected=expected, quality=quality)
    if not seen:
        return None
    offsets = (seen[0].landmarks[:, :2] - there) / (FACE_SHARE * SIZE)
    believed = np.median(np.linalg.norm(offsets, axis=1)) < LARGEST_OFFSET
    return offsets if believed else None


def _square(landmarks: np.ndarray) -> Crop:
    """Put a square round a rendered face's landmarks (478×2, px), the eye line level."""
    across, down = np.diff(landmarks[list(OUTER_EYE_CORNERS)], axis=0)[0]
    return Crop((SIZE / 2, SIZE / 2), SQUARE * SIZE, float(np.arctan2(down, across)))
