"""The eight parts of a face (papers/4) and which of them each vertex of a face model belongs to."""
from __future__ import annotations

import numpy as np

from .landmarks import model_landmarks
from .model import FaceModel
from .paint import BROW_HALF_WIDTH, BROW_LIFT, _distance_to_polyline, _inside_polygon
from .pieces import pieces

PARTS = ('other', 'skin', 'nose', 'left_brow', 'right_brow', 'left_eye', 'right_eye', 'upper_lip', 'lower_lip')  # left is the person's
SKIN, NOSE, LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, UPPER_LIP, LOWER_LIP = range(1, 9)


def model_parts(model: FaceModel) -> np.ndarray:
    """V int8: the index into PARTS of each vertex."""
    from ..footage.landmark_sets import landmark_sets
    from ..footage.part_masks import NOSE_OUTLINE
    marks = model_landmarks(model).on(model.neutral.astype(np.float64))
    labels = np.zeros(model.vertex_count, np.int8)
    face = model.regions['narrow_face']
    points = model.neutral[face].astype(np.float64)
    labels[face] = SKIN
    front = points[:, 2] > marks[landmark_sets()['oval'], 2].min()
    labels[face[front & _inside_polygon(points[:, :2], marks[NOSE_OUTLINE, :2])]] = NOSE
    lips = np.zeros(model.vertex_count, bool)
    lips[face[front & _inside_polygon(points[:, :2], marks[landmark_sets()['outer_lip'], :2])]] = True
    for name, label in (('upper_lip', UPPER_LIP), ('lower_lip', LOWER_LIP)):
        rows = pieces(model)[name]
        labels[rows[lips[rows]]] = label
    mark = model.neutral[model.landmarks68].astype(np.float64)
    for line, label in ((mark[17:22], RIGHT_BROW), (mark[22:27], LEFT_BROW)):
        labels[face[_distance_to_polyline(points, line + (0, BROW_LIFT, 0)) < .7 * BROW_HALF_WIDTH]] = label
    for side, label in (('L', LEFT_EYE), ('R', RIGHT_EYE)):
        labels[model.regions[f'eyeball_{side}']] = label
    return labels


def part_vertices(model: FaceModel) -> dict[str, np.ndarray]:
    """Vertex group name ('part_nose' …, without 'part_other') → sorted int32 vertex indices."""
    labels = model_parts(model)
    return {f'part_{name}': np.flatnonzero(labels == k).astype(np.int32) for k, name in enumerate(PARTS) if k}


def part_faces(model: FaceModel) -> np.ndarray:
    """F int8: the part most of a face's corners belong to; where two are as many, the one with the higher label."""
    labels = model_parts(model)
    votes = np.zeros((len(model.faces), len(PARTS)), np.int8)
    for k in range(4):
        used = np.flatnonzero(model.faces[:, k] >= 0)
        votes[used, labels[model.faces[used, k]]] += 1
    return (len(PARTS) - 1 - votes[:, ::-1].argmax(1)).astype(np.int8)
