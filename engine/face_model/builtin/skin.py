"""The built-in head's skin: the cage subdivided once, and twice where the face moves most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from .cage import (
    EYE_CENTRE_L,
    EYE_RADIUS,
    LIP_LOWER,
    LIP_UPPER,
    LIPS_INNER,
    LOWER_LID_L,
    UPPER_LID_L,
    Cage,
    build_cage,
    measured,
)
from .eyes import cornea_height
from .subdivide import catmull_clark, finer_loop, refine


@dataclass(frozen=True)
class Skin:
    """The subdivided skin.

    vertices: V×3 cm. faces: F×4. parts: the name of each face's part.
    matrix: V×C, any number given on the cage's vertices → on the skin's.
    loops: the cage's named loops with their new points.
    furrow: V×3, what the creases of the lids add to the vertices.
    """

    vertices: np.ndarray
    faces: np.ndarray
    parts: np.ndarray
    matrix: sparse.csr_matrix
    cage: Cage
    loops: dict[str, list[int]]
    furrow: np.ndarray


def build_skin() -> Skin:
    """Subdivide the cage, crease the lids, close the lips and clear the eyeballs."""
    cage = build_cage()
    points, faces, parts = cage.arrays()
    first = catmull_clark(faces, len(points))
    chosen = np.isin(parts, ('face',)) & fine_faces(cage, faces)
    key = first.matrix @ (np.abs(points) @ [1.0, 0, 0] + points @ [0, 0.37, 0.21])
    second = refine(first.faces, first.matrix.shape[0], chosen[first.parents], key)
    matrix = (second.matrix @ first.matrix).tocsr()
    loops = {
        name: finer_loop(finer_loop(list(map(int, loop)), first), second)
        for name, loop in cage.loops.items()
    }
    furrow = lid_creases(matrix @ points, matrix, second.faces)
    vertices = closed_lips(matrix @ points + furrow, loops['lips'])
    vertices = clear_of_eyes(parted_lips(vertices, lip_pairs(matrix, cage)))
    return Skin(
        vertices, second.faces, parts[first.parents][second.parents], matrix, cage, loops, furrow
    )


# rows of cage faces round each loop that are split twice
FINE_RINGS = {'lid_L': 4, 'lid_R': 4, 'lips': 5}
# fmt: off
FINE_NOSE = (
    1, 4, 5, 2, 94, 164, 45, 275, 220, 440, 115, 344, 48, 278, 64, 294, 98, 327, 219, 439, 218, 438,
    235, 455, 59, 289, 131, 360, 134, 363, 51, 281, 195, 248, 3, 456, 236, 420, 198, 279, 49,
)
# fmt: on


SEAM = 0.0005  # half the gap left between the closed lips, cm


def seam_pairs(loop) -> tuple[np.ndarray, np.ndarray]:
    """Return (upper, lower) vertices of the lips' inner edge that lie on each other.

    The loop starts at a corner and runs over the top.
    """
    half = len(loop) // 2
    return np.asarray(loop[1:half]), np.asarray(loop[:half:-1])


def closed_lips(vertices: np.ndarray, loop) -> np.ndarray:
    """The lips' inner edges laid on each other."""
    out = vertices.copy()
    upper, lower = seam_pairs(loop)
    middle = (out[upper] + out[lower]) / 2
    out[upper], out[lower] = middle + [0, SEAM, 0], middle - [0, SEAM, 0]
    return out


def lip_pairs(matrix: sparse.csr_matrix, cage: Cage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (upper, lower, depth): vertices that answer each other across the mouth's line.

    Those of the lips and of their inner sides, found by exchanging the cage's upper and lower
    points. depth: cage rings from the lips' edge.
    """
    across = np.arange(matrix.shape[1])
    ring_of = np.full(matrix.shape[1], np.nan)
    mirror = measured()['mirror']
    for ring, (above, below) in enumerate(zip(LIP_UPPER, LIP_LOWER)):
        for order in (np.arange(len(mirror)), mirror):
            a, b = order[list(above)], order[list(below)]
            across[a], across[b] = b, a
            ring_of[a] = ring_of[b] = 3 - ring
    first = min(cage.discs['mouth_socket'])
    columns = np.arange(len(LIPS_INNER))
    for ring in range(3):
        rows = first + len(LIPS_INNER) * ring + columns
        across[rows] = first + len(LIPS_INNER) * ring + (-columns) % len(LIPS_INNER)
        ring_of[rows] = -1 - ring
    known = np.isfinite(ring_of)
    inside = np.flatnonzero(np.asarray(matrix @ ~known).ravel() < 1e-9)
    marks = np.random.default_rng(0).normal(size=(matrix.shape[1], 2))
    here, there = matrix[inside] @ marks, matrix[inside] @ marks[across]
    distance, other = cKDTree(here).query(there)
    height = matrix[inside] @ np.array([p[1] for p in cage.vertices])
    upper = np.flatnonzero(
        (distance < 1e-9) & (other != np.arange(len(inside))) & (height > height[other])
    )
    depth = np.abs(matrix[inside[upper]] @ np.nan_to_num(ring_of))
    return inside[upper], inside[other[upper]], depth


def lip_gap(depth: np.ndarray) -> np.ndarray:
    """Return how far apart (cm) closed lips are, so that they never cross.

    depth: cage rings from the lips' edge.
    """
    return 0.03 * np.minimum(depth, 1.0)


def parted_lips(
    vertices: np.ndarray, pairs: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """Move the lips' vertices beside their edges apart until they leave each other at an angle."""
    upper, lower, depth = pairs
    out = vertices.copy()
    lack = np.maximum(2 * SEAM + lip_gap(depth) - out[upper, 1] + out[lower, 1], 0) / 2
    out[upper, 1] += lack
    out[lower, 1] -= lack
    return out


def fine_faces(cage: Cage, faces: np.ndarray) -> np.ndarray:
    """Return F bool: the cage faces round eyes and mouth and on the nose."""
    out = np.isin(faces, FINE_NOSE).any(1)
    for name, rows in FINE_RINGS.items():
        near = np.isin(np.arange(len(cage.vertices)), cage.loops[name])
        for _ in range(rows):
            touched = (near[faces] & (faces >= 0)).any(1)
            near[faces[touched]] = True
        out |= touched
    return out


CREASE_UPPER, FOLD_UPPER = (414, 286, 258, 257, 259, 260, 467), (413, 441, 442, 443, 444, 445, 342)
CREASE_LOWER, FOLD_LOWER = (341, 256, 252, 253, 254, 339, 255), (453, 452, 451, 450, 449, 448, 261)


def lid_creases(vertices: np.ndarray, matrix: sparse.csr_matrix, faces: np.ndarray) -> np.ndarray:
    """Return V×3 offsets: the furrow above the upper lid, the skin over it, and one below."""
    mirror = measured()['mirror']
    normal = np.zeros_like(vertices)
    corner = vertices[np.where(faces >= 0, faces, faces[:, :1])]
    facing = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    for k in range(4):
        np.add.at(normal, faces[faces[:, k] >= 0, k], facing[faces[:, k] >= 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    out = np.zeros_like(vertices)
    for lid, crease, fold, furrow, hang in (
        (UPPER_LID_L, CREASE_UPPER, FOLD_UPPER, 0.10, 0.07),
        (LOWER_LID_L, CREASE_LOWER, FOLD_LOWER, 0.035, 0.03),
    ):
        for order in (np.arange(len(mirror)), mirror):
            along = np.full(matrix.shape[1], 2.0)
            along[order[list(lid)]], along[order[list(crease)]], along[order[list(fold)]] = 0, 1, 2
            share = np.zeros(matrix.shape[1])
            share[order[list(crease[1:-1])]] = (0.55, 1, 1, 1, 0.75)
            share[order[list(fold[1:-1])]] = (0.5, 1, 1, 1, 0.75)
            share[order[list(lid[1:-1])]] = (0.5, 1, 1, 1, 0.6)
            t = matrix @ along
            relief = -furrow * np.exp(-(((t - 0.92) / 0.20) ** 2)) + hang * np.exp(
                -(((t - 1.35) / 0.28) ** 2)
            )
            out += normal * (relief * (matrix @ share))[:, None]
    return out


def clear_of_eyes(vertices: np.ndarray, gap: float = 0.03) -> np.ndarray:
    """Push sockets and lids radially until they stand `gap` cm off the eyeballs.

    Subdivision shrinks them.
    """
    out = vertices.copy()
    for sign in (1, -1):
        rows = np.flatnonzero(
            np.linalg.norm(out - EYE_CENTRE_L * [sign, 1, 1], axis=1) < 1.3 * EYE_RADIUS
        )
        radial = out[rows] - EYE_CENTRE_L * [sign, 1, 1]
        distance = np.linalg.norm(radial, axis=1)
        angle = np.arccos(np.clip(radial[:, 2] / distance, -1, 1))
        wanted = np.maximum(distance, EYE_RADIUS + cornea_height(angle) + gap)
        out[rows] += radial * (wanted / distance - 1)[:, None]
    return out
