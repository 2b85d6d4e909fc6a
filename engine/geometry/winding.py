"""Triangles wound alike: neighbours as neighbours, closed pieces as the largest piece is."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components


def wound_alike(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the triangles T×3 with those turned over that are wound against their neighbours.

    Two triangles that share an edge, and no third does, run along it in opposite directions. A
    piece of the mesh in which some do not is made to, then turned so that its volume about its
    middle is positive; a closed piece is wound outwards where the largest piece is. Of meshes
    without either fault the same triangles come back.
    """
    count = len(triangles)
    if not count:
        return triangles
    first, second, against = _neighbours(triangles)
    graph = sparse.coo_matrix((np.ones(len(first)), (first, second)), (count, count)).tocsr()
    number, piece = connected_components(graph, directed=False)
    mended = np.zeros(number, bool)
    mended[piece[first[against]]] = True
    out = triangles.copy()
    if mended.any():
        turn = _turns(graph, first, second, against, piece, mended)
        out[turn] = out[turn][:, ::-1]
    area, volume = _sizes(vertices, out, piece, number)
    largest = area.argmax()
    outwards = mended[largest] or volume[largest] > 0
    closed = np.bincount(piece, np.bincount(np.r_[first, second], minlength=count) < 3, number) == 0
    wrong = (mended | closed) & ((volume > 0) != outwards)
    out[wrong[piece]] = out[wrong[piece]][:, ::-1]
    return out


def _neighbours(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find triangles that alone share an edge (E, E), and whether they run along it alike."""
    start, end = triangles[:, [0, 1, 2]].ravel().astype(np.int64), triangles[:, [1, 2, 0]].ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    new = np.r_[True, (low[1:] != low[:-1]) | (high[1:] != high[:-1])]
    begin = np.flatnonzero(new)
    pair = begin[np.diff(np.r_[begin, len(low)]) == 2]
    forward = (start < end)[order]
    return order[pair] // 3, order[pair + 1] // 3, forward[pair] == forward[pair + 1]


def _turns(
    graph: sparse.csr_matrix,
    first: np.ndarray,
    second: np.ndarray,
    against: np.ndarray,
    piece: np.ndarray,
    mended: np.ndarray,
) -> np.ndarray:
    """T bool: the triangles to turn over, by a walk through each piece that is to be mended."""
    count = len(piece)
    odd = sparse.coo_matrix((against.astype(np.int8), (first, second)), (count, count)).tocsr()
    odd = odd + odd.T
    turn = np.zeros(count, bool)
    roots = np.full(len(mended), -1)
    roots[piece[::-1]] = np.arange(count)[::-1]
    for root in roots[mended]:
        order, before = breadth_first_order(graph, root, directed=False)
        parity = np.asarray(odd[order[1:], before[order[1:]]]).ravel() % 2
        parents = before[order[1:]].tolist()
        for triangle, parent, differs in zip(order[1:].tolist(), parents, parity.tolist()):
            turn[triangle] = turn[parent] != bool(differs)
    return turn


def _sizes(
    vertices: np.ndarray, triangles: np.ndarray, piece: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each piece, its area and its signed volume about the middle of its surface."""
    corners = vertices[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    total = np.bincount(piece, area, number)
    centre = corners.mean(1)
    middle = np.stack([np.bincount(piece, area * centre[:, k], number) for k in range(3)], 1)
    middle /= np.maximum(total, 1e-300)[:, None]
    return total, np.bincount(piece, (cross * (centre - middle[piece])).sum(1), number)
