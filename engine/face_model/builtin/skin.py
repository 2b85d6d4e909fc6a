"""The built-in head's skin: the cage subdivided once everywhere and twice where the face moves most."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .cage import EYE_CENTRE_L, EYE_RADIUS, Cage, build_cage
from .eyes import cornea_height
from .subdivide import catmull_clark, finer_loop, refine


@dataclass(frozen=True)
class Skin:
    """vertices V×3 cm, faces F×4, part name of each face, matrix V×C: any number given on the cage's vertices → on the skin's;
    loops: the cage's named loops with their new points.
    """
    vertices: np.ndarray
    faces: np.ndarray
    parts: np.ndarray
    matrix: sparse.csr_matrix
    cage: Cage
    loops: dict[str, list[int]]


def build_skin() -> Skin:
    cage = build_cage()
    points, faces, parts = cage.arrays()
    first = catmull_clark(faces, len(points))
    middle = points[faces].mean(1)
    middle[:, 0] = np.abs(middle[:, 0])
    eye = np.linalg.norm((middle - EYE_CENTRE_L)[:, :2] / [1.15, 1.0], axis=1) < 2.35
    mouth = np.linalg.norm((middle - [0, -3.2, 10])[:, :2] / [1.25, 1], axis=1) < 2.75
    nose = (middle[:, 0] < 2.2) & (middle[:, 1] < 4.) & (middle[:, 1] > -2) & (middle[:, 2] > 9)
    chosen = (parts == 'face') & (eye | mouth | nose)
    second = refine(first.faces, first.matrix.shape[0], chosen[first.parents])
    matrix = (second.matrix @ first.matrix).tocsr()
    loops = {name: finer_loop(finer_loop(list(map(int, loop)), first), second) for name, loop in cage.loops.items()}
    vertices = clear_of_eyes(matrix @ points, second.faces, parts[first.parents][second.parents], loops)
    return Skin(vertices, second.faces, parts[first.parents][second.parents], matrix, cage, loops)


def clear_of_eyes(vertices: np.ndarray, faces: np.ndarray, parts: np.ndarray, loops: dict[str, list[int]], gap: float = .03) -> np.ndarray:
    """Sockets and lid edges pushed radially until they stand `gap` cm off the eyeballs (subdivision shrinks them)."""
    out = vertices.copy()
    for side, sign in (('L', 1), ('R', -1)):
        rows = faces[parts == 'eye_socket_' + side]
        rows = np.unique(np.concatenate([rows[rows >= 0], loops['lid_edge_' + side]]))
        radial = out[rows] - EYE_CENTRE_L * [sign, 1, 1]
        distance = np.linalg.norm(radial, axis=1)
        angle = np.arccos(np.clip(radial[:, 2] / distance, -1, 1))
        wanted = np.maximum(distance, EYE_RADIUS + cornea_height(angle) + gap)
        out[rows] += radial * (wanted / distance - 1)[:, None]
    return out
