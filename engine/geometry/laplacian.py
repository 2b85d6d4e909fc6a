"""Graph and cotangent Laplacians of triangle and tetrahedral meshes, as scipy sparse matrices.

Sign: positive semi-definite, L v = Σⱼ wᵢⱼ (vᵢ − vⱼ); rows sum to 0.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy import sparse

from .rows import unique_rows


def edges_of(cells: np.ndarray) -> np.ndarray:
    """Return the unique edges E×2 int32 of cells C×k, each low < high, sorted.

    Triangles or tetrahedra: all pairs of a cell's corners are its edges.
    """
    pairs = np.concatenate(
        [cells[:, list(pair)] for pair in itertools.combinations(range(cells.shape[1]), 2)]
    )
    return unique_rows(np.sort(pairs, axis=1)).astype(np.int32)


def weighted_laplacian(edges: np.ndarray, weights: np.ndarray, n: int) -> sparse.csr_matrix:
    """Build the n×n Laplacian of edges E×2 with weights E (an edge given twice counts twice)."""
    i, j = edges[:, 0], edges[:, 1]
    off = sparse.coo_matrix((np.r_[weights, weights], (np.r_[i, j], np.r_[j, i])), (n, n)).tocsr()
    return (sparse.diags(np.asarray(off.sum(1)).ravel()) - off).tocsr()


def uniform_laplacian(edges: np.ndarray, n: int) -> sparse.csr_matrix:
    """Build the n×n combinatorial Laplacian (papers/1 main's L).

    Degree on the diagonal, −1 for each edge of E×2.
    """
    return weighted_laplacian(edges, np.ones(len(edges)), n)


def half_cotangents(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return half the cotangent of the angle at each corner, T×3: the weight of the edge opposite.

    Zero-area triangles give large finite numbers.
    """
    corners = vertices[triangles].astype(np.float64)
    out = np.empty((len(triangles), 3))
    for k in range(3):
        a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        scale = np.maximum((a * a).sum(1) + (b * b).sum(1), 1e-300)
        out[:, k] = (
            0.5 * (a * b).sum(1) / np.maximum(np.linalg.norm(np.cross(a, b), axis=1), 1e-9 * scale)
        )
    return out


def cotangent_laplacian(vertices: np.ndarray, triangles: np.ndarray) -> sparse.csr_matrix:
    """Build the V×V cotangent Laplacian of a triangle mesh (V×3, T×3); no area division.

    vᵀLv is the Dirichlet energy, in cm² of a function in cm.
    """
    cot = half_cotangents(vertices, triangles)
    edges = np.concatenate([triangles[:, [(k + 1) % 3, (k + 2) % 3]] for k in range(3)])
    return weighted_laplacian(edges, cot.T.ravel(), len(vertices))


def components(count: int, cells: np.ndarray) -> np.ndarray:
    """Number the connected component of each of `count` vertices, int32 (cells C×k, k ≥ 2)."""
    edges = edges_of(cells)
    return sparse.csgraph.connected_components(
        sparse.coo_matrix((np.ones(len(edges)), edges.T), (count, count)), directed=False
    )[1]


def mass(vertices: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return each vertex's share, V float64, of its triangles' area or tetrahedra's volume.

    cells: T×3 (cm²) or M×4 (cm³); unused vertices have 0
    """
    corners = vertices[cells].astype(np.float64)
    sides = corners[:, 1:] - corners[:, :1]
    size = (
        np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
        if cells.shape[1] == 3
        else np.abs(np.linalg.det(sides)) / 6
    )
    return np.bincount(
        cells.ravel(), np.repeat(size / cells.shape[1], cells.shape[1]), len(vertices)
    )
