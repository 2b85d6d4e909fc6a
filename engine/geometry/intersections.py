"""Where two sets of triangles cross.

A crossing is a pair of triangles of which an edge of one passes through the inside of the other.
Touching is none, nor are two triangles that share a vertex.
"""

from __future__ import annotations

import numpy as np
import warp as wp

from ..core.device import device

wp.config.log_level = wp.LOG_ERROR


@wp.func
def _volume(a: wp.vec3d, b: wp.vec3d, c: wp.vec3d, d: wp.vec3d):
    return wp.dot(wp.cross(b - a, c - a), d - a)


@wp.func
def _pierces(p: wp.vec3d, q: wp.vec3d, a: wp.vec3d, b: wp.vec3d, c: wp.vec3d):
    """Tell whether the segment pq passes through the inside of the triangle abc."""
    if _volume(a, b, c, p) * _volume(a, b, c, q) >= wp.float64(0.0):
        return False
    u = _volume(p, q, a, b)
    v = _volume(p, q, b, c)
    w = _volume(p, q, c, a)
    zero = wp.float64(0.0)
    return (u > zero and v > zero and w > zero) or (u < zero and v < zero and w < zero)


@wp.func
def triangles_cross(a: wp.vec3d, b: wp.vec3d, c: wp.vec3d, p: wp.vec3d, q: wp.vec3d, r: wp.vec3d):
    return (
        _pierces(p, q, a, b, c)
        or _pierces(q, r, a, b, c)
        or _pierces(r, p, a, b, c)
        or _pierces(a, b, p, q, r)
        or _pierces(b, c, p, q, r)
        or _pierces(c, a, p, q, r)
    )


@wp.kernel
def _crossing_pairs(
    mesh: wp.uint64,
    mine: wp.array(dtype=wp.vec3i),
    theirs: wp.array(dtype=wp.vec3i),
    points: wp.array(dtype=wp.vec3),
    pairs: wp.array(dtype=wp.vec2i),
    found: wp.array(dtype=wp.int32),
):
    t = wp.tid()
    m = mine[t]
    a = points[m[0]]
    b = points[m[1]]
    c = points[m[2]]
    query = wp.mesh_query_aabb(mesh, wp.min(wp.min(a, b), c), wp.max(wp.max(a, b), c))
    k = int(0)  # noqa: UP018, RUF046 - a literal would be a constant to Warp
    while wp.mesh_query_aabb_next(query, k):
        n = theirs[k]
        if (
            m[0] == n[0]
            or m[0] == n[1]
            or m[0] == n[2]
            or m[1] == n[0]
            or m[1] == n[1]
            or m[1] == n[2]
            or m[2] == n[0]
            or m[2] == n[1]
            or m[2] == n[2]
        ):
            continue
        if triangles_cross(
            wp.vec3d(a),
            wp.vec3d(b),
            wp.vec3d(c),
            wp.vec3d(points[n[0]]),
            wp.vec3d(points[n[1]]),
            wp.vec3d(points[n[2]]),
        ):
            at = wp.atomic_add(found, 0, 1)
            if at < pairs.shape[0]:
                pairs[at] = wp.vec2i(t, k)


class Crosser:
    """Finds where two sets of triangles cross, again and again as their vertices move.

    One BVH, refitted. Pairs that share a vertex never count.

    mine, theirs: A×3, B×3 vertex indices
    vertices: V×3 of both
    """

    def __init__(self, mine: np.ndarray, theirs: np.ndarray, vertices: np.ndarray):
        points = np.ascontiguousarray(vertices, np.float32)
        self.size = (len(mine), len(theirs))
        if not all(self.size):
            return
        self.device = device()
        self.points = wp.array(points, dtype=wp.vec3, device=self.device)
        self.mine = wp.array(
            np.ascontiguousarray(mine, np.int32), dtype=wp.vec3i, device=self.device
        )
        self.theirs = wp.array(
            np.ascontiguousarray(theirs, np.int32), dtype=wp.vec3i, device=self.device
        )
        self.mesh = wp.Mesh(
            self.points,
            wp.array(
                np.ascontiguousarray(theirs, np.int32).ravel(), dtype=wp.int32, device=self.device
            ),
        )
        self.pairs = wp.empty(4096, dtype=wp.vec2i, device=self.device)
        self.found = wp.zeros(1, dtype=wp.int32, device=self.device)

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """Find rows (of mine, of theirs) that cross with the vertices at V×3: N×2 int32, sorted."""
        if not all(self.size):
            return np.empty((0, 2), np.int32)
        self.points.assign(np.ascontiguousarray(vertices, np.float32))
        self.mesh.refit()
        while True:
            self.found.zero_()
            wp.launch(
                _crossing_pairs,
                dim=self.size[0],
                device=self.device,
                inputs=[self.mesh.id, self.mine, self.theirs, self.points, self.pairs, self.found],
            )
            count = int(self.found.numpy()[0])
            if count <= len(self.pairs):
                break
            self.pairs = wp.empty(2 * count, dtype=wp.vec2i, device=self.device)
        pairs = self.pairs.numpy()[:count].copy()
        return pairs[np.lexsort(pairs.T[::-1])]
