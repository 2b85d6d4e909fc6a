"""Catmull–Clark subdivision as sparse matrices, and its refinement of chosen faces only.

Catmull & Clark 1978, "Recursively generated B-spline surfaces on arbitrary topological meshes".
Faces are F×4 int32, triangles padded with −1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ...geometry.rows import unique_rows


class Level(NamedTuple):
    """One subdivision step: new vertices are the old vertices' points, then edges', then faces'."""

    matrix: sparse.csr_matrix  # V'×V: new positions (or any per-vertex numbers) from old ones
    faces: np.ndarray  # F'×4 int32
    parents: np.ndarray  # F' int: the old face each new one lies in
    # (lower vertex, higher vertex) → the new vertex on that edge
    edge_point: dict[tuple[int, int], int]
    face_point: np.ndarray  # F int: the new vertex in the middle of each old face


def corner_lists(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (face, vertex, next vertex) of every used corner, in face order."""
    sizes = (faces >= 0).sum(1)
    face = np.repeat(np.arange(len(faces)), sizes)
    vertex = faces[faces >= 0]
    following = np.where(
        np.arange(4)[None] == sizes[:, None] - 1, faces[:, :1], np.roll(faces, -1, 1)
    )
    return face, vertex, following[faces >= 0]


def edges_of(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (E×2 edges, lower vertex first; corner → edge; how many faces use each edge)."""
    _, vertex, following = corner_lists(faces)
    edges, inverse, count = unique_rows(
        np.sort(np.stack([vertex, following], 1), 1),
        return_inverse=True,
        return_counts=True,
    )
    return edges, inverse.reshape(-1), count


def catmull_clark(faces: np.ndarray, vertex_count: int) -> Level:
    """Subdivide the whole mesh once; boundaries follow the cubic B-spline curve rule."""
    face, vertex, _ = corner_lists(faces)
    edges, edge, count = edges_of(faces)
    sizes = (faces >= 0).sum(1)
    n_faces, n_edges, n = len(faces), len(edges), vertex_count
    face_rows = sparse.csr_matrix((1 / sizes[face], (face, vertex)), (n_faces, n))
    ends = sparse.csr_matrix(
        (np.ones(2 * n_edges), (np.repeat(np.arange(n_edges), 2), edges.ravel())), (n_edges, n)
    )
    beside = sparse.csr_matrix((np.ones(len(edge)), (edge, face)), (n_edges, n_faces))
    inner = (count == 2).astype(float)
    edge_rows = (
        sparse.diags(np.where(count == 2, 0.25, 0.5)) @ ends
        + sparse.diags(inner * 0.25) @ beside @ face_rows
    )
    valence = np.bincount(edges.ravel(), minlength=n).astype(float)
    rim = np.zeros(n, bool)
    rim[edges[count == 1].ravel()] = True
    safe = np.maximum(valence, 1)
    around = sparse.csr_matrix((np.ones(len(face)), (vertex, face)), (n, n_faces))
    middle = ends * 0.5
    inside = (
        sparse.diags(1 / safe**2) @ around @ face_rows
        + sparse.diags(2 / safe**2) @ ends.T @ middle
        + sparse.diags((safe - 3) / safe)
    )
    rim_edges = edges[count == 1]
    neighbours = sparse.csr_matrix(
        (np.full(2 * len(rim_edges), 0.125), (rim_edges.ravel(), rim_edges[:, ::-1].ravel())),
        (n, n),
    )
    on_rim = neighbours + sparse.diags(np.where(rim, 0.75, 0.0))
    vertex_rows = (
        sparse.diags((~rim).astype(float)) @ inside + sparse.diags(rim.astype(float)) @ on_rim
    )
    matrix = sparse.vstack([vertex_rows, edge_rows, face_rows]).tocsr()
    edge_id = n + edge
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    before = np.arange(len(face)) - 1
    first = np.arange(len(face)) == start[face]
    before[first] = start[face][first] + sizes[face][first] - 1
    new = np.stack([vertex, edge_id, n + n_edges + face, edge_id[before]], 1).astype(np.int32)
    points = {(int(a), int(b)): n + k for k, (a, b) in enumerate(edges)}
    return Level(matrix, new, face, points, n + n_edges + np.arange(n_faces))


def finer_loop(loop: list[int], level: Level) -> list[int]:
    """Return a closed loop of vertices after one step, with the new ones on its split edges."""
    out = []
    for a, b in zip(loop, loop[1:] + loop[:1]):
        out.append(a)
        middle = level.edge_point.get((min(a, b), max(a, b)))
        if middle is not None:
            out.append(middle)
    return out


def refine(faces: np.ndarray, vertex_count: int, chosen: np.ndarray, key: np.ndarray) -> Level:
    """Split only the `chosen` faces (F bool); positions everywhere are those of the whole step.

    key: V numbers that decide at which end of a split edge the triangle goes (equal across a mirror
    plane: so is the mesh).
    A kept quad beside one split face becomes a quad and a triangle, beside two at a corner a quad
    and two triangles; with more it is split too.
    """
    whole = catmull_clark(faces, vertex_count)
    sizes = (faces >= 0).sum(1)
    _, edge, _ = edges_of(faces)
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    chosen = chosen.copy()
    while True:
        split_edge = np.zeros(edge.max() + 1, bool)
        split_edge[edge[chosen[corner_lists(faces)[0]]]] = True
        splits = np.add.reduceat(split_edge[edge].astype(int), start)
        more = ~chosen & ((splits > 2) | ((sizes == 3) & (splits > 0)))
        if not more.any():
            break
        chosen |= more
    rows, parents = [whole.faces[chosen[whole.parents]]], [whole.parents[chosen[whole.parents]]]
    for f in np.flatnonzero(~chosen):
        q = faces[f, : sizes[f]]
        e = edge[start[f] : start[f] + sizes[f]]
        cut = [k for k in range(sizes[f]) if split_edge[e[k]]]
        mid = {k: vertex_count + int(e[k]) for k in cut}
        if not cut:
            new = [list(faces[f])]
        elif len(cut) == 1:
            k = cut[0]
            a, b, c, d = (int(q[(k + j) % 4]) for j in range(4))
            new = (
                [[a, mid[k], d, -1], [mid[k], b, c, d]]
                if key[a] < key[b]
                else [[mid[k], b, c, -1], [a, mid[k], c, d]]
            )
        elif (cut[1] - cut[0]) == 2:
            k, m = cut
            a, b, c, d = (int(q[(k + j) % 4]) for j in range(4))
            new = [[a, mid[k], mid[m], d], [mid[k], b, c, mid[m]]]
        else:
            k, m = cut if cut[1] - cut[0] == 1 else (cut[1], cut[0])
            a, b, c, d = (int(q[(k + j) % 4]) for j in range(4))
            new = [[mid[k], b, mid[m], d], [a, mid[k], d, -1], [mid[m], c, d, -1]]
        rows.append(np.array(new, np.int32))
        parents.append(np.full(len(new), f))
    new_faces, parent = np.concatenate(rows).astype(np.int32), np.concatenate(parents)
    used = np.unique(new_faces[new_faces >= 0])
    number = np.full(whole.matrix.shape[0], -1, np.int32)
    number[used] = np.arange(len(used))
    new_faces = np.where(new_faces >= 0, number[new_faces], -1).astype(np.int32)
    points = {e: int(number[v]) for e, v in whole.edge_point.items() if number[v] >= 0}
    return Level(whole.matrix[used], new_faces, parent, points, number[whole.face_point])
