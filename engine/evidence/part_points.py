"""The mesh's side of PRDL: points spread evenly over each part of a face model.

Each is a fixed mixture of vertices. The paper takes the part's own vertices, on a model whose eyes
are closed sheets. Here the vertices lie unevenly, and an eyeball's do not move when the lids close
over it: so points are sampled on the surface, and an eye is the opening between its lids, spanned
from lid to lid. Of those seen in a frame, `even` takes a number that cover the picture evenly, as
a mask's pixels do: else PRDL's mean distance sees two different centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..annotate.parts import model_part_shares, model_parts
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.part_labels import (
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    PARTS,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ..face_model.pieces import CONTOURS, inner_contours, slit_contours
from ..geometry.polygons import triangulate
from .prdl import farthest_first

COLUMNS, ROWS = 49, 15  # points across and between the lids from which an eye's are taken
CORNER = 0.2  # of the opening's greatest height: where it is lower, at its corners, no ball is seen
LATTICE = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]) / 4
# cm that a part's points keep from points beyond its edge, nearly half a pixel of a face at 224²:
# a mask has pixels' centres
INSET = 0.04
# cosine between normal and line of sight, from which a point counts as seen
LEAST_PART_COSINE = 0.15
PART_DEPTH_TOLERANCE = 0.3  # cm that a point may lie behind the surface seen at its pixel
RIM = 0.15  # cm from a lip's inner edge within which its outline is that edge
EYE_DEPTH_TOLERANCE = 0.8  # cm for an eye's points, which lie on straight lines behind the ball


@dataclass(frozen=True, eq=False)
class PartPoints:
    """Points of a head's parts, mixtures of its vertices.

    matrix P×V, rows sum to 1: the points are matrix @ vertices, linear like the model.
    part P int8 into PARTS, sorted.

    gap P×V: gap @ vertices is the way from the lower to the upper lid through an eye's point; no
    entries for other parts.
    """

    matrix: sparse.csr_matrix
    part: np.ndarray
    gap: sparse.csr_matrix

    def of(self, values: np.ndarray) -> np.ndarray:
        """…×V×3 (vertices, or the model's offsets) → …×P×3."""
        flat = values.reshape(-1, *values.shape[-2:])
        return np.stack([self.matrix @ v for v in flat]).reshape(*values.shape[:-2], -1, 3)


@lru_cache(maxsize=4)
def part_points(model: FaceModel, most: int = 1000, most_skin: int = 3000) -> PartPoints:
    """Choose at most `most` points of each part.

    Farthest-first on the neutral (`most_skin` of the skin: the paper's 3000).
    """
    parts, triangles, v = (
        model_parts(model),
        triangulate(model.faces[visible_faces(model)]),
        model.neutral.astype(np.float64),
    )
    rows, labels, gaps = [], [], []
    for label in range(1, len(PARTS)):
        if label in (LEFT_EYE, RIGHT_EYE):
            matrix = opening(model, 'eye_L' if label == LEFT_EYE else 'eye_R')
            gap = sparse.vstack(
                [(matrix[:COLUMNS] - matrix[-COLUMNS:]) * (ROWS / (ROWS - 1))] * ROWS
            ).tocsr()
            height = np.linalg.norm(gap @ v, axis=1)
            matrix, gap = (
                matrix[height > CORNER * height.max()],
                gap[height > CORNER * height.max()],
            )
        else:
            own = triangles[(parts[triangles] == label).any(1)]
            corner, weight = np.repeat(own, len(LATTICE), 0), np.tile(LATTICE, (len(own), 1))
            share = (weight * (parts[corner] == label)).sum(1)
            # where the part's picture shows it (part_iou.part_labels_picture)
            inside = share >= 0.5
            at = (v[corner] * weight[..., None]).sum(1)
            inside &= cKDTree(at[~inside]).query(at)[0] > INSET if not inside.all() else True
            matrix = _rows(corner[inside], weight[inside], model.vertex_count)
            gap = sparse.csr_matrix(matrix.shape)
        chosen = farthest_first(matrix @ v, most_skin if label == SKIN else most)
        rows.append(matrix[chosen])
        gaps.append(gap[chosen])
        labels.append(np.full(len(chosen), label, np.int8))
    return PartPoints(
        sparse.vstack(rows).tocsr(), np.concatenate(labels), sparse.vstack(gaps).tocsr()
    )


def triangles_round(
    triangles: np.ndarray, points: Sequence[PartPoints | OutlinePoints | None]
) -> np.ndarray:
    """Choose the triangles (T×3) that the points' normals depend on."""
    vertices = [one.matrix.indices for one in points if one is not None]
    return triangles[np.isin(triangles, np.concatenate(vertices)).any(1)]


def seen(
    points: PartPoints,
    vertices: np.ndarray,
    normals: np.ndarray,
    depth: np.ndarray,
    focal: float,
    centre: tuple[float, float],
) -> np.ndarray:
    """Find the points that are turned to the camera and not hidden: P bool.

    vertices V×3 cm in camera axes, normals V×3, depth H×W cm as rasterised with focal and centre
    (px).

    A point outside the picture counts as not hidden. Where the lids leave less than a pixel (or
    than half of what the eye is open) no eye is seen.
    """
    at = points.matrix @ vertices
    normals = points.matrix @ normals
    eye = np.isin(points.part, (LEFT_EYE, RIGHT_EYE))
    gap = (
        np.linalg.norm((points.gap @ vertices)[:, :2], axis=1) / np.maximum(at[:, 2], 1e-6) * focal
    )
    open_ = np.ones(len(at), bool)
    for label in (LEFT_EYE, RIGHT_EYE):
        own = points.part == label
        open_[own] = gap[own] >= min(1.0, 0.5 * gap[own].max(initial=0))
    tolerance = np.where(eye, EYE_DEPTH_TOLERANCE, PART_DEPTH_TOLERANCE)
    inside, in_front = _in_front(at, depth, focal, centre, tolerance)
    return (_faces_camera(at, normals) | eye) & open_ & (~inside | in_front)


def _faces_camera(at: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Tell which points P×3 (cm, camera axes) are turned to the camera: P bool."""
    lengths = np.linalg.norm(normals, axis=1)
    return -(normals * at).sum(1) > LEAST_PART_COSINE * lengths * np.linalg.norm(at, axis=1)


def _in_front(
    at: np.ndarray,
    depth: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    tolerance: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Look points P×3 (cm, camera axes) up in a depth buffer, see `seen`.

    Returns P bool each: inside the picture; no further than `tolerance` (cm) behind what is drawn.
    """
    pixel = np.floor(at[:, :2] / np.maximum(at[:, 2:], 1e-6) * focal + np.asarray(centre))
    pixel = pixel.astype(int)
    inside = (pixel >= 0).all(1) & (pixel < depth.shape[::-1]).all(1) & (at[:, 2] > 0)
    x, y = np.clip(pixel, 0, np.array(depth.shape[::-1]) - 1).T
    return inside, at[:, 2] <= depth[y, x] + tolerance


def even(pixels: np.ndarray, most: int) -> np.ndarray:
    """Choose at most `most` of N×2 points (px) that cover the picture evenly: sorted indices.

    One in each square of a grid whose squares are as small as that allows: the nearest to its
    middle.

    The grid is not finer than pixels.
    """
    side = 1.0
    while True:
        square = np.floor(pixels / side)
        off = ((pixels / side - square - 0.5) ** 2).sum(1)
        order = np.lexsort((off, square[:, 0], square[:, 1]))
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(square[order], axis=0) != 0).any(1)
        if first.sum() <= most:
            return np.sort(order[first])
        side *= max(np.sqrt(first.sum() / most), 1.01)


@dataclass(frozen=True, eq=False)
class OutlinePoints:
    """Points where the parts of a head end, mixtures of its vertices.

    matrix P×V, rows sum to 1. part P int8 into PARTS, sorted. rim P bool: on the edge
    of a lid or a lip, whose own facing says nothing.
    """

    matrix: sparse.csr_matrix
    part: np.ndarray
    rim: np.ndarray


@lru_cache(maxsize=4)
def outline_points(model: FaceModel, most: int = 60) -> OutlinePoints:
    """Find where the parts but the skin end, at most `most` points each.

    Lids and the lips' inner edges along their contours, the rest where another part's share begins
    to be larger.
    """
    shares, v = model_part_shares(model), model.neutral.astype(np.float64)
    triangles = triangulate(model.faces[visible_faces(model)])
    edges = np.unique(
        np.sort(
            np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1
        ),
        axis=0,
    )
    along = (np.arange(most // 2) + 0.5) / (most // 2)
    rows, labels, rims = [], [], []

    def add(label: int, matrix: sparse.csr_matrix, rim: bool):
        rows.append(matrix)
        labels.append(np.full(matrix.shape[0], label, np.int8))
        rims.append(np.full(matrix.shape[0], rim))

    for label in range(NOSE, len(PARTS)):
        if label in (LEFT_EYE, RIGHT_EYE):
            slit = 'eye_L' if label == LEFT_EYE else 'eye_R'
            (first, *_, last), *_ = CONTOURS[slit][0]
            for contour in slit_contours(model, slit):
                add(
                    label,
                    along_contour(model, contour, model.landmarks68[[first, last]], along),
                    True,
                )
            continue
        more = shares[:, label] - np.delete(shares, label, 1).max(1)
        ends = edges[(more[edges] > 0).sum(1) == 1]
        a, b = more[ends].T
        matrix = _rows(ends, np.stack([b / (b - a), -a / (b - a)], 1), model.vertex_count)
        if label in (UPPER_LIP, LOWER_LIP):
            inner = along_contour(
                model, inner_contours(model)[label == LOWER_LIP], model.landmarks68[[60, 64]], along
            )
            matrix = matrix[cKDTree(inner @ v).query(matrix @ v)[0] > RIM]
            add(label, inner, True)
        add(label, matrix[farthest_first(matrix @ v, most)], False)
    order = np.argsort(np.concatenate(labels), kind='stable')
    return OutlinePoints(
        sparse.vstack(rows).tocsr()[order],
        np.concatenate(labels)[order],
        np.concatenate(rims)[order],
    )


def outlines_seen(
    points: OutlinePoints,
    vertices: np.ndarray,
    normals: np.ndarray,
    depth: np.ndarray,
    focal: float,
    centre: tuple[float, float],
) -> np.ndarray:
    """Find the points that are turned to the camera and not hidden: P bool, as `seen`.

    Outside of the picture a point is not seen.
    """
    at, normals = points.matrix @ vertices, points.matrix @ normals
    inside, in_front = _in_front(at, depth, focal, centre, PART_DEPTH_TOLERANCE)
    return inside & (_faces_camera(at, normals) | points.rim) & in_front


def opening(model: FaceModel, slit: str, edges: bool = False) -> sparse.csr_matrix:
    """Mix vertices to points of an eye's opening: ROWS·COLUMNS×V.

    Points between the lids of 'eye_L' or 'eye_R', row by row on straight lines from the upper to
    the lower lid's edge, column by column from corner to corner: the middles of so many cells, or
    (edges) of a grid that reaches the edges.
    """
    (first, *_, last), *_ = CONTOURS[slit][0]
    corners = model.landmarks68[[first, last]]
    across, along = (
        np.linspace(0, 1, n) if edges else (np.arange(n) + 0.5) / n for n in (ROWS, COLUMNS)
    )
    lids = [along_contour(model, contour, corners, along) for contour in slit_contours(model, slit)]
    return sparse.vstack([(1 - t) * lids[0] + t * lids[1] for t in across]).tocsr()


def along_contour(
    model: FaceModel, contour: np.ndarray, corners: np.ndarray, along: np.ndarray
) -> sparse.csr_matrix:
    """Mix vertices to points along a contour: N×V.

    Points of a contour between two corners, at N parts of the way from one to the other.
    """
    v = model.neutral.astype(np.float64)
    axis = v[corners[1]] - v[corners[0]]
    chain = np.concatenate([corners[:1], contour, corners[1:]])
    at = (v[chain] - v[corners[0]]) @ axis / (axis @ axis)
    chain = chain[np.lexsort((chain, at))]
    at = np.sort(at)
    after = np.clip(np.searchsorted(at, along, side='right'), 1, len(at) - 1)
    u = np.clip((along - at[after - 1]) / np.maximum(at[after] - at[after - 1], 1e-9), 0, 1)
    return _rows(
        np.stack([chain[after - 1], chain[after]], 1), np.stack([1 - u, u], 1), model.vertex_count
    )


def _rows(corner: np.ndarray, weight: np.ndarray, count: int) -> sparse.csr_matrix:
    """N×count: each row the weights (N×K) at its vertices (N×K)."""
    place = np.repeat(np.arange(len(corner)), corner.shape[1])
    matrix = sparse.csr_matrix((weight.ravel(), (place, corner.ravel())), (len(corner), count))
    matrix.eliminate_zeros()
    return matrix
