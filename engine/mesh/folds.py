"""Where a deformed triangle mesh folds over or crosses itself, and how to smooth that away."""
from __future__ import annotations

import numpy as np
import warp as wp
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .laplacian import edges_of
from .rigid import rigid_motion

wp.config.log_level = wp.LOG_ERROR
REACH = .25      # cm: how far round a fold its displacement is not believed at first (an eyelid's thickness)
GROWTH = 1.4     # each round that a fold stays
STIFFEN = 1.7    # the same for the last resort
WIDEST = 2.5     # cm: and no further
ROUNDS = 9
PUSHES = 8       # rounds
PUSH_LIMIT = .05 # cm: surfaces deeper in one another are not pushed apart
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
            out = out[np.lexsort((out[:, 1], out[:, 0]))]
            corners = np.asarray(vertices, np.float64)[np.asarray(triangles)[out]]
            return out[_pierces(corners[:, 0], corners[:, 1]) | _pierces(corners[:, 1], corners[:, 0])]
        capacity = found


def _pierces(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N bool: an edge of triangle a (N×3×3) goes through triangle b from one side to the other. Warp's test, in float32, also takes
    triangles of nearly one plane that lie apart for crossing ones."""
    normal = np.cross(b[:, 1] - b[:, 0], b[:, 2] - b[:, 0])
    side = np.einsum('nkd,nd->nk', a - b[:, :1], normal)
    out = np.zeros(len(a), bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        through = side[:, i] * side[:, j] < 0
        t = side[:, i] / np.where(through, side[:, i] - side[:, j], 1)
        point = a[:, i] + t[:, None] * (a[:, j] - a[:, i])
        for k in range(3):
            edge = b[:, (k + 1) % 3] - b[:, k]
            through &= (np.cross(edge, point - b[:, k]) * normal).sum(1) > 0
        out |= through
    return out


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
    return Folds(before, triangles).rotations(after)


class Folds:
    """Finds the folds of many deformations of one mesh: before V×3, triangles T×3."""

    def __init__(self, before: np.ndarray, triangles: np.ndarray):
        edges, n = edges_of(triangles), len(before)
        both = np.concatenate([edges, edges[:, ::-1]])
        self.before, self.triangles, self.both = before, triangles, both
        self.rest, self.normals = before[both[:, 1]] - before[both[:, 0]], _normals(before, triangles)
        self.neighbours = sparse.csr_matrix((np.ones(len(both)), both.T), (n, n))
        self.known = self_crossings(before, triangles)
        self.ring = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], np.arange(len(both)))), (n, len(both)))

    def rotations(self, after: np.ndarray, of: np.ndarray | slice = slice(None)) -> np.ndarray:
        b = after[self.both[:, 1]] - after[self.both[:, 0]]
        spread = self.ring @ (b[:, :, None] * self.rest[:, None, :]).reshape(-1, 9)
        u, _, vt = np.linalg.svd((spread + self.neighbours @ spread)[of].reshape(-1, 3, 3))
        u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        return u @ vt

    def crossings(self, after: np.ndarray) -> np.ndarray:
        """P×2 pairs, as `new_crossings`."""
        return _less(self_crossings(after, self.triangles), self.known, len(self.triangles))

    def corners(self, after: np.ndarray) -> np.ndarray:
        """Vertices of flipped and newly crossing triangles."""
        return np.unique(np.concatenate([self.triangles[self.flipped(after)].ravel(), self.triangles[self.crossings(after)].ravel()]))

    def count(self, after: np.ndarray) -> int:
        """Flipped triangles and new crossings."""
        return int(self.flipped(after).sum()) + len(self.crossings(after))

    def flipped(self, after: np.ndarray) -> np.ndarray:
        """T bool, as the function of that name."""
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
    return Folds(before, triangles).flipped(after)


def unfold(before: np.ndarray, after: np.ndarray, triangles: np.ndarray, finder: Folds | None = None) -> tuple[np.ndarray, int]:
    """(vertices V×3, how many flipped triangles and new crossings are left): `after` without the folds that `before` did not have.

    First surfaces that went a little through each other are pushed apart. What is left after that is stiffened: round each fold the surface
    goes as a whole, turned, shifted and scaled like its surroundings, blended off towards them, over a growing radius. All else stays bit
    for bit. finder: Folds(before, triangles), where there is one already.
    """
    finder = finder or Folds(before, triangles)
    out, corners = push_apart(after, finder, True)
    best, fewest, loose, pushed = out, finder.count(out), Loose(before), out
    for _ in range(ROUNDS):
        if not fewest:
            break
        loose.spread(corners, STIFFEN)
        out, corners = push_apart(loose.stiffened(pushed), finder, True)
        left = finder.count(out)
        if left < fewest:
            best, fewest = out, left
    return best, fewest


def push_apart(vertices: np.ndarray, finder: Folds, thorough: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(V×3, the corners of what is still folded): surfaces of `vertices` that face each other and went a little through each other (lips)
    put apart, out of one another and no further; as far as that helps. thorough: where that is not enough, also what crossed before."""
    best, fewest = vertices, finder.count(vertices)
    for crossings in (finder.crossings, lambda v: self_crossings(v, finder.triangles))[:1 + thorough]:
        tried, pairs = vertices, crossings(vertices)
        left = finder.flipped(vertices).sum() + len(pairs)
        for _ in range(PUSHES):
            if not fewest or not len(pairs):
                break
            further = _pushed(tried, finder.triangles, pairs, finder.neighbours)
            pairs, before = crossings(further), left
            left = finder.flipped(further).sum() + len(pairs)
            if left >= before:
                break
            tried, folds = further, finder.count(further)
            if folds < fewest:
                best, fewest = tried, folds
    return best, finder.corners(best)


class Loose:
    """Balls round the places of a mesh (V×3) that folded; a ball grows each time its place folds again."""

    def __init__(self, before: np.ndarray):
        self.before, self.tree = before, cKDTree(before)
        self.size = np.zeros(len(before))

    def spread(self, corners: np.ndarray, growth: float = GROWTH) -> np.ndarray:
        """V: 1 within half the radius of a ball, 0 outside all, linear between; `corners` have just folded."""
        self.size[corners] = np.where(self.size[corners] == 0, REACH, np.minimum(self.size[corners] * growth, WIDEST))
        return self._blend(np.flatnonzero(self.size))

    def stiffened(self, after: np.ndarray) -> np.ndarray:
        """`after` (V×3) with each cluster of overlapping balls carried by one similarity, fitted to what its unfolded vertices did."""
        sources, out = np.flatnonzero(self.size), after.copy()
        places = cKDTree(self.before[sources])
        apart = places.sparse_distance_matrix(places, 2 * self.size.max(), output_type='coo_matrix')
        touching = apart.data <= self.size[sources][apart.row] + self.size[sources][apart.col]
        count, cluster = connected_components(sparse.coo_matrix((np.ones(touching.sum()), (apart.row[touching], apart.col[touching])),
                                                                (len(sources),) * 2), directed=False)
        for c in range(count):
            blend = self._blend(sources[cluster == c])
            near = np.flatnonzero(blend)
            sound = np.setdiff1d(near, sources) if len(np.setdiff1d(near, sources)) >= 12 else near
            rotation, translation, scale = rigid_motion(self.before[sound], after[sound], scale=True)
            out[near] += blend[near, None] * (scale * self.before[near] @ rotation.T + translation - after[near])
        return out

    def _blend(self, sources: np.ndarray) -> np.ndarray:
        blend = np.zeros(len(self.before))
        for i, near in zip(sources, self.tree.query_ball_point(self.before[sources], self.size[sources])):
            away = np.linalg.norm(self.before[near] - self.before[i], axis=1) / self.size[i]
            blend[near] = np.maximum(blend[near], np.clip(2 - 2 * away, 0, 1))
        return blend


def _pushed(vertices: np.ndarray, triangles: np.ndarray, pairs: np.ndarray, neighbours: sparse.csr_matrix) -> np.ndarray:
    """Corners of crossing triangles moved in front of the triangle they went through, half by half, their neighbours after them."""
    unit = _normals(vertices, triangles)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    wish = np.zeros_like(vertices)
    for mine, other in (pairs.T, pairs.T[::-1]):
        corner = triangles[mine]                                                                    # P×3
        depth = ((vertices[triangles[other, 0]][:, None] - vertices[corner]) * unit[other][:, None]).sum(2)
        contact = ((unit[mine] * unit[other]).sum(1) < 0) & (depth.max(1) < PUSH_LIMIT)
        depth = np.where(contact[:, None] & (depth > 0), .55 * depth + GAP, 0)
        for k in range(3):
            longer = depth[:, k] > np.linalg.norm(wish[corner[:, k]], axis=1)
            wish[corner[longer, k]] = depth[longer, k, None] * unit[other[longer]]
    source = (wish != 0).any(1)
    degree = np.maximum(np.asarray(neighbours.sum(1)), 1)
    spread = wish
    for _ in range(3):
        spread = np.where(source[:, None], wish, neighbours @ spread / degree)
    return vertices + spread
