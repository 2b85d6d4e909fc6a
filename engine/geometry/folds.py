"""Where a deformed triangle mesh folds over or crosses itself, and how to smooth that away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import warp as wp
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..core.device import device
from .intersections import triangles_cross
from .laplacian import cotangent_laplacian, edges_of
from .rigid import rigid_motion

wp.config.log_level = wp.LOG_ERROR
# cm: how far round a fold its displacement is not believed at first (an eyelid's thickness)
FOLD_RADIUS = 0.25
GROWTH = 1.4  # each round that a fold stays
STIFFEN = 1.7  # the same for the last resort
WIDEST = 2.5  # cm: and no further
ROUNDS = 9
PUSHES = 8  # rounds
PUSH_LIMIT = 0.05  # cm: surfaces deeper in one another are not pushed apart
GAP = 1e-4  # cm: how far apart they are put


@wp.func
def _is_one_of(i: int, j0: int, j1: int, j2: int):
    return i == j0 or i == j1 or i == j2  # Warp has no tuples


@wp.kernel
def _crossings(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3d),
    asked: wp.array(dtype=wp.int32),
    among: wp.array(dtype=wp.bool),
    pairs: wp.array(dtype=wp.vec2i),
    found: wp.array(dtype=wp.int32),
):
    """Find what each asked triangle crosses; of two asked ones (`among`) the lower tells."""
    t = asked[wp.tid()]
    m = wp.mesh_get(mesh)
    i0 = m.indices[3 * t]
    i1 = m.indices[3 * t + 1]
    i2 = m.indices[3 * t + 2]
    box = wp.mesh_query_aabb(
        mesh,
        wp.min(wp.min(m.points[i0], m.points[i1]), m.points[i2]),
        wp.max(wp.max(m.points[i0], m.points[i1]), m.points[i2]),
    )
    for s in box:
        if s > t or not among[s]:
            j0 = m.indices[3 * s]
            j1 = m.indices[3 * s + 1]
            j2 = m.indices[3 * s + 2]
            shared = _is_one_of(i0, j0, j1, j2)
            shared = shared or _is_one_of(i1, j0, j1, j2) or _is_one_of(i2, j0, j1, j2)
            if not shared and triangles_cross(
                points[i0], points[i1], points[i2], points[j0], points[j1], points[j2]
            ):
                slot = wp.atomic_add(found, 0, 1)
                if slot < pairs.shape[0]:
                    pairs[slot] = wp.vec2i(wp.min(t, s), wp.max(t, s))


class SelfCrosser:
    """Finds where a mesh crosses itself, again and again as its vertices move: one BVH, refitted.

    vertices V×3, triangles T×3.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        self.triangles, self.middle = np.asarray(triangles), vertices.mean(0)
        self.device = device()
        self.exact = wp.array(
            np.asarray(vertices - self.middle, np.float64), dtype=wp.vec3d, device=self.device
        )
        self.points = wp.array(
            self.exact.numpy().astype(np.float32), dtype=wp.vec3, device=self.device
        )
        self.mesh = wp.Mesh(
            self.points,
            wp.array(
                np.ascontiguousarray(triangles, np.int32).ravel(),
                dtype=wp.int32,
                device=self.device,
            ),
        )
        self.pairs = wp.empty(1 << 14, dtype=wp.vec2i, device=self.device)
        self.found = wp.zeros(1, dtype=wp.int32, device=self.device)

    def __call__(self, vertices: np.ndarray, asked: np.ndarray | None = None) -> np.ndarray:
        """Find pairs of triangles that cross each other and share no vertex.

        P×2 int32, sorted, low index first; only those of which one is asked for (T bool).
        """
        asked = np.ones(len(self.triangles), bool) if asked is None else asked
        exact = np.ascontiguousarray(vertices - self.middle, np.float64)
        self.exact.assign(exact)
        self.points.assign(exact.astype(np.float32))
        self.mesh.refit()
        rows = np.flatnonzero(asked).astype(np.int32)
        while True:
            self.found.zero_()
            wp.launch(
                _crossings,
                dim=len(rows),
                device=self.device,
                inputs=[
                    self.mesh.id,
                    self.exact,
                    wp.array(rows, dtype=wp.int32, device=self.device),
                    wp.array(asked, dtype=wp.bool, device=self.device),
                    self.pairs,
                    self.found,
                ],
            )
            count = int(self.found.numpy()[0])
            if count <= len(self.pairs):
                break
            self.pairs = wp.empty(2 * count, dtype=wp.vec2i, device=self.device)
        return _sorted(self.pairs.numpy()[:count])


def self_crossings(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Find pairs of triangles that cross and share no vertex: P×2 int32, sorted, low first."""
    return SelfCrosser(vertices, triangles)(vertices)


def _sorted(pairs: np.ndarray) -> np.ndarray:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def new_crossings(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Find the crossing pairs (P×2) of `after` (V×3) that `before` did not have."""
    return Folds(before, triangles).find(after).fresh


def _normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    corners = vertices[triangles]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def local_rotations(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Find the rotation V×3×3 nearest to how each vertex's two-ring went to `after`."""
    return Folds(before, triangles).rotations(after)


@dataclass(frozen=True)
class Folded:
    """What is folded in one deformation of a mesh.

    vertices: V×3
    flipped: T bool, as the function of that name
    pairs: P×2 int32, triangles that cross
    fresh: N×2, those of them that the mesh did not have before
    """

    vertices: np.ndarray
    flipped: np.ndarray
    pairs: np.ndarray
    fresh: np.ndarray

    @property
    def count(self) -> int:
        """Flipped triangles and new crossings."""
        return int(self.flipped.sum()) + len(self.fresh)


class Folds:
    """Finds the folds of many deformations of one mesh: before V×3, triangles T×3."""

    def __init__(self, before: np.ndarray, triangles: np.ndarray):
        edges, n = edges_of(triangles), len(before)
        both = np.concatenate([edges, edges[:, ::-1]])
        self.before, self.triangles, self.both = before, triangles, both
        self.rest, self.normals = (
            before[both[:, 1]] - before[both[:, 0]],
            _normals(before, triangles),
        )
        self.neighbours = sparse.csr_matrix((np.ones(len(both)), both.T), (n, n))
        self.ring = sparse.csr_matrix(
            (np.ones(len(both)), (both[:, 0], np.arange(len(both)))), (n, len(both))
        )
        self.crosser = SelfCrosser(before, triangles)
        self.known = self._code(self.crosser(before))

    def rotations(self, after: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
        """Find the rotation N×3×3 nearest to how each vertex's two-ring went to `after` (V×3).

        of: N vertices; None: all
        """
        of = np.arange(len(self.before)) if of is None else of
        rings = self.neighbours[of]
        near, where = np.unique(np.concatenate([of, rings.indices]), return_inverse=True)
        ring = self.ring[near]
        start, end = self.both[ring.indices].T
        outer = (
            (after[end] - after[start])[:, :, None] * self.rest[ring.indices][:, None, :]
        ).reshape(-1, 9)
        spread = (
            sparse.csr_matrix(
                (ring.data, np.arange(len(outer)), ring.indptr), (len(near), len(outer))
            )
            @ outer
        )
        rings = sparse.csr_matrix(
            (rings.data, where[len(of) :], rings.indptr), (len(of), len(near))
        )
        u, _, vt = np.linalg.svd((spread[where[: len(of)]] + rings @ spread).reshape(-1, 3, 3))
        u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        return u @ vt

    def find(self, after: np.ndarray, since: Folded | None = None) -> Folded:
        """Find the folds of `after` (V×3).

        since: those of another deformation help where little has moved from that one
        """
        if since is None:
            pairs, flips = self.crosser(after), self._flipped(after)
        else:
            moved = (after != since.vertices).any(1)
            touched = moved[self.triangles].any(1)
            pairs = _sorted(
                np.concatenate(
                    [since.pairs[~touched[since.pairs].any(1)], self.crosser(after, touched)]
                )
            )
            round_ = self.neighbours @ (moved + self.neighbours @ moved) > 0
            flips = self._flipped(after, since.flipped, (moved | round_)[self.triangles].any(1))
        return Folded(after, flips, pairs, pairs[~np.isin(self._code(pairs), self.known)])

    def corners(self, seen: Folded) -> np.ndarray:
        """Return the vertices of flipped and newly crossing triangles."""
        return np.unique(
            np.concatenate(
                [self.triangles[seen.flipped].ravel(), self.triangles[seen.fresh].ravel()]
            )
        )

    def _code(self, pairs: np.ndarray) -> np.ndarray:
        return pairs.astype(np.int64) @ (len(self.triangles), 1)

    def _flipped(
        self, after: np.ndarray, known: np.ndarray | None = None, asked: np.ndarray | None = None
    ) -> np.ndarray:
        """Find flipped triangles, T bool; those not asked for (T bool) are as known."""
        normals = _normals(after, self.triangles)
        # what turned little as a whole can't have flipped: rotations only where it is in doubt
        doubt = (self.normals * normals).sum(1) < 0.7 * np.linalg.norm(
            self.normals, axis=1
        ) * np.linalg.norm(normals, axis=1)
        out = np.zeros(len(self.triangles), bool)
        if asked is not None:
            out[~asked], doubt = known[~asked], doubt & asked
        corners, where = np.unique(self.triangles[doubt], return_inverse=True)
        turned = self.rotations(after, corners)[where.reshape(-1, 3)].sum(1)
        out[doubt] = (np.einsum('tij,tj->ti', turned, self.normals[doubt]) * normals[doubt]).sum(
            1
        ) < 0
        return out


def flipped(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Find triangles (T bool) that turned by more than 90° against their neighbourhood.

    Triangles within 45° of where they pointed are not looked at: `before` (V×3) must face the same
    way as `after` as a whole.
    """
    return Folds(before, triangles).find(after).flipped


def unfold(before: np.ndarray, after: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, int]:
    """Take from `after` (V×3) the folds that `before` did not have.

    Returns vertices V×3, and how many flipped triangles and new crossings are left.
    """
    finder = Folds(before, triangles)
    left = smoothed(finder, finder.find(after))
    return left.vertices, left.count


def smoothed(finder: Folds, seen: Folded) -> Folded:
    """Take a deformation's folds away, or as many as can be.

    First surfaces that went a little through each other are pushed apart. What is left after that
    is stiffened: round each fold the surface goes as a whole, turned, shifted and scaled like its
    surroundings, blended off towards them, over a growing radius. Round what is left then a
    membrane is spanned. If even that leaves something, all is tried again from a wider radius. What
    is far from all folds stays bit for bit.
    """
    pushed = push_apart(finder, seen, True)
    tries = []
    for reach in (FOLD_RADIUS, 2 * FOLD_RADIUS):
        stiff = _rounds(
            finder,
            pushed,
            LooseRegions.stiffened,
            LooseRegions(finder.before, finder.triangles, reach),
            STIFFEN,
        )
        tries.append(
            _rounds(
                finder,
                stiff,
                LooseRegions.spanned,
                LooseRegions(finder.before, finder.triangles),
                GROWTH,
            )
        )
        if not tries[-1].count:
            break
    return min(tries, key=lambda folded: folded.count)


def _rounds(
    finder: Folds,
    start: Folded,
    smooth: Callable[[LooseRegions, np.ndarray], np.ndarray],
    loose: LooseRegions,
    growth: float,
) -> Folded:
    """Smooth round the folds of `start`, further and further; returns the least folded."""
    best = tried = start
    for _ in range(ROUNDS):
        if not best.count:
            break
        loose.spread(finder.corners(tried), growth)
        tried = push_apart(finder, finder.find(smooth(loose, start.vertices), tried), True)
        if tried.count < best.count:
            best = tried
    return best


def push_apart(finder: Folds, seen: Folded, thorough: bool = False) -> Folded:
    """Put apart surfaces that face each other and went a little through each other.

    Out of one another and no further, as far as that helps. thorough: where that is not enough,
    also what crossed before.
    """
    best = seen
    for every in (False, True)[: 1 + thorough]:
        tried, pairs = seen, seen.pairs if every else seen.fresh
        for _ in range(PUSHES):
            if not best.count or not len(pairs):
                break
            before = tried.flipped.sum() + len(pairs)
            tried = finder.find(
                _pushed(tried.vertices, finder.triangles, pairs, finder.neighbours), tried
            )
            pairs = tried.pairs if every else tried.fresh
            if tried.flipped.sum() + len(pairs) >= before:
                break
            if tried.count < best.count:
                best = tried
    return best


class LooseRegions:
    """Balls round the places of a mesh that folded; one grows each time its place folds again.

    before V×3, triangles T×3; reach: radius at first, cm.
    """

    def __init__(self, before: np.ndarray, triangles: np.ndarray, reach: float = FOLD_RADIUS):
        self.before, self.triangles, self.reach, self.tree = (
            before,
            triangles,
            reach,
            cKDTree(before),
        )
        self.size = np.zeros(len(before))

    def spread(self, corners: np.ndarray, growth: float = GROWTH) -> np.ndarray:
        """Grow the balls of `corners`, which have just folded.

        Returns V: 1 within half the radius of a ball, 0 outside all, linear between.
        """
        self.size[corners] = np.where(
            self.size[corners] == 0, self.reach, np.minimum(self.size[corners] * growth, WIDEST)
        )
        return self._blend(np.flatnonzero(self.size))

    def stiffened(self, after: np.ndarray) -> np.ndarray:
        """Carry each cluster of overlapping balls by one similarity, in `after` (V×3).

        Fitted to what its unfolded vertices did.
        """
        sources, out = np.flatnonzero(self.size), after.copy()
        places = cKDTree(self.before[sources])
        apart = places.sparse_distance_matrix(places, 2 * self.size.max(), output_type='coo_matrix')
        touching = apart.data <= self.size[sources][apart.row] + self.size[sources][apart.col]
        count, cluster = connected_components(
            sparse.coo_matrix(
                (np.ones(touching.sum()), (apart.row[touching], apart.col[touching])),
                (len(sources),) * 2,
            ),
            directed=False,
        )
        for c in range(count):
            blend = self._blend(sources[cluster == c])
            near = np.flatnonzero(blend)
            sound = np.setdiff1d(near, sources) if len(np.setdiff1d(near, sources)) >= 12 else near
            rotation, translation, scale = rigid_motion(
                self.before[sound], after[sound], scale=True
            )
            out[near] += blend[near, None] * (
                scale * self.before[near] @ rotation.T + translation - after[near]
            )
        return out

    def spanned(self, after: np.ndarray) -> np.ndarray:
        """Make displacements within the balls harmonic (∫|∇d|² least), in `after` (V×3)."""
        within, out = self._blend(np.flatnonzero(self.size)) > 0, after.copy()
        rows = cotangent_laplacian(self.before, self.triangles)[within]
        system = (rows[:, within] + 1e-9 * sparse.identity(within.sum())).tocsc()
        factor = splu(
            system, permc_spec='MMD_AT_PLUS_A', diag_pivot_thresh=0, options={'SymmetricMode': True}
        )
        out[within] = self.before[within] + factor.solve(
            -rows[:, ~within] @ (after - self.before)[~within]
        )
        return out

    def _blend(self, sources: np.ndarray) -> np.ndarray:
        blend = np.zeros(len(self.before))
        for i, near in zip(
            sources, self.tree.query_ball_point(self.before[sources], self.size[sources])
        ):
            away = np.linalg.norm(self.before[near] - self.before[i], axis=1) / self.size[i]
            blend[near] = np.maximum(blend[near], np.clip(2 - 2 * away, 0, 1))
        return blend


def _pushed(
    vertices: np.ndarray, triangles: np.ndarray, pairs: np.ndarray, neighbours: sparse.csr_matrix
) -> np.ndarray:
    """Move corners of crossing triangles in front of the triangle they went through.

    Half by half, their neighbours after them.
    """
    unit = _normals(vertices, triangles)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    wish = np.zeros_like(vertices)
    for mine, other in (pairs.T, pairs.T[::-1]):
        corner = triangles[mine]  # P×3
        depth = (
            (vertices[triangles[other, 0]][:, None] - vertices[corner]) * unit[other][:, None]
        ).sum(2)
        contact = ((unit[mine] * unit[other]).sum(1) < 0) & (depth.max(1) < PUSH_LIMIT)
        depth = np.where(contact[:, None] & (depth > 0), 0.55 * depth + GAP, 0)
        for k in range(3):
            longer = depth[:, k] > np.linalg.norm(wish[corner[:, k]], axis=1)
            wish[corner[longer, k]] = depth[longer, k, None] * unit[other[longer]]
    source = (wish != 0).any(1)
    degree = np.maximum(np.asarray(neighbours.sum(1)), 1)
    spread = wish
    for _ in range(3):
        spread = np.where(source[:, None], wish, neighbours @ spread / degree)
    return vertices + spread
