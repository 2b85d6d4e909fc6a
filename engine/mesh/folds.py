"""Where a deformed triangle mesh folds over or crosses itself, and how to smooth that away."""
from __future__ import annotations

import numpy as np
import warp as wp
from scipy import sparse
from scipy.spatial import cKDTree

from .laplacian import edges_of, mass

wp.config.log_level = wp.LOG_ERROR
REACH = .25      # cm: how far round a fold its displacement is smoothed at first (an eyelid's thickness)
GROWTH = 1.4     # each round that a fold stays
ROUNDS = 14
PUSHES = 8
PUSH_LIMIT = .05 # cm: how far surfaces are pushed apart at once
GAP = 1e-4       # cm: how far apart they are put


@wp.kernel
def _crossings(mesh: wp.uint64, capacity: int, count: wp.array(dtype=wp.int32), pairs: wp.array(dtype=wp.vec2i)):
    t = wp.tid()
    m = wp.mesh_get(mesh)
    i0 = m.indices[3 * t]
    i1 = m.indices[3 * t + 1]
    i2 = m.indices[3 * t + 2]
    a = m.points[i0]
    b = m.points[i1]
    c = m.points[i2]
    box = wp.mesh_query_aabb(mesh, wp.min(wp.min(a, b), c), wp.max(wp.max(a, b), c))
    for s in box:
        if s > t:
            j0 = m.indices[3 * s]
            j1 = m.indices[3 * s + 1]
            j2 = m.indices[3 * s + 2]
            shared = (i0 == j0 or i0 == j1 or i0 == j2 or i1 == j0 or i1 == j1 or i1 == j2 or i2 == j0 or i2 == j1 or i2 == j2)
            if not shared:
                if wp.intersect_tri_tri(a, b, c, m.points[j0], m.points[j1], m.points[j2]) > 0:
                    slot = wp.atomic_add(count, 0, 1)
                    if slot < capacity:
                        pairs[slot] = wp.vec2i(t, s)


def self_crossings(vertices: np.ndarray, triangles: np.ndarray, device: str = 'cpu') -> np.ndarray:
    """P×2 int32, sorted: pairs of triangles (low index first) that cross each other and share no vertex."""
    centred = wp.array((vertices - vertices.mean(0)).astype(np.float32), dtype=wp.vec3, device=device)
    mesh = wp.Mesh(centred, wp.array(np.ascontiguousarray(triangles, np.int32).ravel(), dtype=wp.int32, device=device))
    capacity = 1 << 16
    while True:
        count, pairs = wp.zeros(1, dtype=wp.int32, device=device), wp.zeros(capacity, dtype=wp.vec2i, device=device)
        wp.launch(_crossings, dim=len(triangles), device=device, inputs=[mesh.id, capacity, count, pairs])
        found = int(count.numpy()[0])
        if found <= capacity:
            out = pairs.numpy()[:found]
            return out[np.lexsort((out[:, 1], out[:, 0]))]
        capacity = found


def new_crossings(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """P×2: the crossing pairs of `after` (V×3) that `before` did not have."""
    return _less(self_crossings(after, triangles), self_crossings(before, triangles), len(triangles))


def _less(pairs: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
    """The pairs that are not among the known ones."""
    return pairs[~np.isin(pairs.astype(np.int64) @ (count, 1), known.astype(np.int64) @ (count, 1))]


def _normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    corners = vertices[triangles]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def local_rotations(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """V×3×3: the rotation nearest to how each vertex's two-ring went from `before` to `after`."""
    return _Rings(before, triangles).rotations(after)


class _Rings:
    """The neighbourhoods of a mesh, for `local_rotations` of many deformations of it."""

    def __init__(self, before: np.ndarray, triangles: np.ndarray):
        edges, n = edges_of(triangles), len(before)
        both = np.concatenate([edges, edges[:, ::-1]])
        self.before, self.triangles, self.both = before, triangles, both
        self.rest, self.normals = before[both[:, 1]] - before[both[:, 0]], _normals(before, triangles)
        self.neighbours = sparse.csr_matrix((np.ones(len(both)), both.T), (n, n))
        self.ring = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], np.arange(len(both)))), (n, len(both)))

    def rotations(self, after: np.ndarray, of: np.ndarray | slice = slice(None)) -> np.ndarray:
        b = after[self.both[:, 1]] - after[self.both[:, 0]]
        spread = self.ring @ (b[:, :, None] * self.rest[:, None, :]).reshape(-1, 9)
        u, _, vt = np.linalg.svd((spread + self.neighbours @ spread)[of].reshape(-1, 3, 3))
        u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        return u @ vt

    def flipped(self, after: np.ndarray) -> np.ndarray:
        normals, out = _normals(after, self.triangles), np.zeros(len(self.triangles), bool)
        # what turned little as a whole can't have flipped: rotations are only had where it is in doubt
        doubt = (self.normals * normals).sum(1) < .7 * np.linalg.norm(self.normals, axis=1) * np.linalg.norm(normals, axis=1)
        corners, where = np.unique(self.triangles[doubt], return_inverse=True)
        turned = self.rotations(after, corners)[where.reshape(-1, 3)].sum(1)
        out[doubt] = (np.einsum('tij,tj->ti', turned, self.normals[doubt]) * normals[doubt]).sum(1) < 0
        return out


def flipped(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """T bool: triangles whose normal turned by more than 90° against how their neighbourhood turned (V×3 before and after).

    Triangles within 45° of where they pointed are not looked at: `before` must face the same way as a whole.
    """
    return _Rings(before, triangles).flipped(after)


def unfold(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, int]:
    """(vertices V×3, how many flipped triangles and new crossings are left): `after` without the folds that `before` did not have.

    First surfaces that went through each other are pushed apart, out of one another and no further. What is left after that is smoothed:
    round each fold the displacement is replaced by its average over a ball of `before`, smoothly blended, over a growing radius, for a
    displacement that changes more slowly than the surface itself can neither fold nor cross it. All else stays bit for bit.
    """
    rings, known = _Rings(before, triangles), self_crossings(before, triangles)

    def folds(vertices):
        return rings.flipped(vertices), _less(self_crossings(vertices, triangles), known, len(triangles))
    out, best, fewest = after.copy(), after, np.inf
    size = np.zeros(len(before))       # of the ball round each vertex that was part of a fold
    for turn in range(PUSHES + ROUNDS + 1):
        flips, pairs = folds(out)
        left = int(flips.sum()) + len(pairs)
        if left < fewest:
            best, fewest = out, left
        if left == 0 or turn == PUSHES + ROUNDS:
            break
        if turn < PUSHES and len(pairs) and not flips.any():
            out = _pushed_apart(out, triangles, pairs, rings.neighbours)
            continue
        if not size.any():
            area, tree, pushed = np.maximum(mass(before, triangles), 1e-12), cKDTree(before), out
        bad = np.unique(np.concatenate([triangles[flips].ravel(), triangles[pairs].ravel()]))
        size[bad] = np.where(size[bad] == 0, REACH, size[bad] * GROWTH)
        out = _smoothed(before, pushed, area, tree, size)
    return best, int(fewest)


def _pushed_apart(vertices: np.ndarray, triangles: np.ndarray, pairs: np.ndarray, neighbours: sparse.csr_matrix) -> np.ndarray:
    """Corners of crossing triangles moved in front of the triangle they went through, half by half, their neighbours after them."""
    unit = _normals(vertices, triangles)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    wish = np.zeros_like(vertices)
    for mine, other in (pairs.T, pairs.T[::-1]):
        corner = triangles[mine]                                                                    # P×3
        depth = ((vertices[triangles[other, 0]][:, None] - vertices[corner]) * unit[other][:, None]).sum(2)
        depth = np.where(depth > 0, np.minimum(.55 * depth + GAP, PUSH_LIMIT), 0)
        for k in range(3):
            longer = depth[:, k] > np.linalg.norm(wish[corner[:, k]], axis=1)
            wish[corner[longer, k]] = depth[longer, k, None] * unit[other[longer]]
    source = (wish != 0).any(1)
    degree = np.maximum(np.asarray(neighbours.sum(1)), 1)
    spread = wish
    for _ in range(3):
        spread = np.where(source[:, None], wish, neighbours @ spread / degree)
    return vertices + spread


def _smoothed(before: np.ndarray, after: np.ndarray, area: np.ndarray, tree: cKDTree, size: np.ndarray) -> np.ndarray:
    """`after` with its displacement averaged in balls of radius `size` (V, 0: none) of `before`, blended off towards their rims."""
    sources = np.flatnonzero(size)
    blend, width = np.zeros(len(before)), np.zeros(len(before))
    for i, near in zip(sources, tree.query_ball_point(before[sources], size[sources])):
        away = np.linalg.norm(before[near] - before[i], axis=1) / size[i]
        blend[near] = np.maximum(blend[near], np.clip(2 - 2 * away, 0, 1))
        width[near] = np.maximum(width[near], size[i])
    touched, moved = np.flatnonzero(blend), after - before
    near = tree.query_ball_point(before[touched], width[touched])
    row, column = np.repeat(np.arange(len(touched)), [len(n) for n in near]), np.concatenate(near).astype(np.int64)
    apart = ((before[column] - before[touched[row]]) ** 2).sum(1) / width[touched[row]] ** 2
    average = sparse.csr_matrix((area[column] * np.exp(-2 * apart), (row, column)), (len(touched), len(before)))
    out = after.copy()
    out[touched] += blend[touched, None] * (average @ moved / np.asarray(average.sum(1)) - moved[touched])
    return out
