"""Closest points and rays on a triangle mesh.

NVIDIA Warp's BVH finds the triangle (float32), float64 the point on it.
"""

from __future__ import annotations

import numpy as np
import warp as wp

from ..core.device import device
from ..core.errors import FacewrightError

wp.config.log_level = wp.LOG_ERROR


@wp.func
def _on_triangle(p: wp.vec3, a: wp.vec3, b: wp.vec3, c: wp.vec3):
    """Find the closest point of a triangle (Ericson, Real-Time Collision Detection, 5.1.5)."""
    ab = b - a
    ac = c - a
    ap = p - a
    d1 = wp.dot(ab, ap)
    d2 = wp.dot(ac, ap)
    if d1 <= 0.0 and d2 <= 0.0:
        return a
    bp = p - b
    d3 = wp.dot(ab, bp)
    d4 = wp.dot(ac, bp)
    if d3 >= 0.0 and d4 <= d3:
        return b
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        return a + ab * (d1 / (d1 - d3))
    cp = p - c
    d5 = wp.dot(ab, cp)
    d6 = wp.dot(ac, cp)
    if d6 >= 0.0 and d5 <= d6:
        return c
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        return a + ac * (d2 / (d2 - d6))
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and (d4 - d3) >= 0.0 and (d5 - d6) >= 0.0:
        return b + (c - b) * ((d4 - d3) / ((d4 - d3) + (d5 - d6)))
    denominator = 1.0 / (va + vb + vc)
    return a + ab * (vb * denominator) + ac * (vc * denominator)


@wp.kernel
def _closest(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    furthest: float,
    triangle: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    query = wp.mesh_query_point_no_sign(mesh, points[i], furthest)
    if query.result:
        triangle[i] = query.face
    else:
        triangle[i] = -1


@wp.kernel
def _closest_allowed(  # noqa: PLR0913 - a kernel takes its arrays one by one
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    furthest: float,
    normals: wp.array(dtype=wp.vec3),
    agreement: float,
    wanted: wp.array(dtype=wp.int32),
    face_normal: wp.array(dtype=wp.vec3),
    group: wp.array(dtype=wp.int32),
    triangle: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    p = points[i]
    triangle[i] = -1
    query = wp.mesh_query_point_no_sign(mesh, p, furthest)
    if not query.result:
        return
    if (
        wp.dot(face_normal[query.face], normals[i]) >= agreement
        and (group[query.face] & wanted[i]) != 0
    ):
        triangle[i] = query.face
        return
    m = wp.mesh_get(mesh)
    nearest = wp.length(wp.mesh_eval_position(mesh, query.face, query.u, query.v) - p)
    radius = 1.5 * nearest + 1.0e-3 * furthest
    while triangle[i] < 0:
        radius = wp.min(radius, furthest)
        reach = wp.vec3(radius, radius, radius)
        best = radius * radius
        box = wp.mesh_query_aabb(mesh, p - reach, p + reach)
        for t in box:
            if wp.dot(face_normal[t], normals[i]) >= agreement and (group[t] & wanted[i]) != 0:
                d = (
                    _on_triangle(
                        p,
                        m.points[m.indices[3 * t]],
                        m.points[m.indices[3 * t + 1]],
                        m.points[m.indices[3 * t + 2]],
                    )
                    - p
                )
                if wp.dot(d, d) <= best:
                    best = wp.dot(d, d)
                    triangle[i] = t
        if radius >= furthest:
            return
        radius = radius * 2.0


@wp.kernel
def _rays(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    furthest: float,
    triangle: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    query = wp.mesh_query_ray(mesh, origins[i], directions[i], furthest)
    if query.result:
        triangle[i] = query.face
    else:
        triangle[i] = -1


def closest_on_triangles(points: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the closest point of one triangle each: (barycentric N×3, point N×3), float64.

    Ericson, Real-Time Collision Detection, 5.1.5, all regions at once: the foot of the
    perpendicular where it lies inside, else the nearest of the three edges' closest points. A
    triangle without area counts as its edges.

    points: N×3
    corners: N×3×3
    """
    points, corners = np.asarray(points, np.float64), np.asarray(corners, np.float64)
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    area = d00 * d11 - d01 * d01
    flat = area <= 1e-14 * np.maximum(d00, d11) ** 2
    safe = np.where(flat, 1.0, area)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    barycentric = np.stack([1 - v - w, v, w], 1)
    outside = np.flatnonzero(flat | (barycentric < 0).any(1))
    if len(outside):
        p, q = points[outside], corners[outside]
        best = np.full(len(outside), np.inf)
        for i, j in ((0, 1), (1, 2), (2, 0)):
            edge = q[:, j] - q[:, i]
            t = np.clip(
                ((p - q[:, i]) * edge).sum(1) / np.maximum((edge * edge).sum(1), 1e-300), 0, 1
            )
            d = ((q[:, i] + edge * t[:, None] - p) ** 2).sum(1)
            rows = outside[d < best]
            t = t[d < best]
            barycentric[rows] = 0
            barycentric[rows, i], barycentric[rows, j] = 1 - t, t
            best = np.minimum(best, d)
    return barycentric, np.einsum('nk,nkd->nd', barycentric, corners)


class Surface:
    """A triangle mesh ready for queries; it keeps its own copy.

    vertices: V×3, any unit
    triangles: T×3
    groups: T int32 bit sets, one a triangle; a query may ask for triangles that share a bit with it

    Raises FacewrightError where there are no faces, or vertices are missing or not finite.
    """

    def __init__(
        self,
        vertices: np.ndarray,
        triangles: np.ndarray,
        groups: np.ndarray | None = None,
    ):
        self.vertices = np.array(vertices, np.float64)
        self.triangles = np.array(triangles, np.int32).reshape(-1, 3)
        if not len(self.triangles):
            raise FacewrightError(
                'The mesh has no faces to measure distances to: use a mesh with a surface.'
            )
        if not np.isfinite(self.vertices).all():
            raise FacewrightError(
                'The mesh has vertices that are not finite numbers: repair or delete them first.'
            )
        if self.triangles.min() < 0 or self.triangles.max() >= len(self.vertices):
            raise FacewrightError('The mesh has faces that name missing vertices: export it again.')
        self.device = device()
        corners = self.vertices[self.triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # T×3, zero where there is no area
        self.normals = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        self._groups = (
            np.full(len(self.triangles), -1, np.int32)
            if groups is None
            else np.asarray(groups, np.int32)
        )
        low, high = corners.min((0, 1)), corners.max((0, 1))
        # queries are centred: float32 is finest near 0
        self._middle, self._reach = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
        self._mesh = wp.Mesh(
            self._to_warp(self.vertices),
            wp.array(self.triangles.ravel(), dtype=wp.int32, device=self.device),
        )
        self._normals32 = wp.array(
            self.normals.astype(np.float32), dtype=wp.vec3, device=self.device
        )
        self._groups32 = wp.array(self._groups, dtype=wp.int32, device=self.device)

    def _to_warp(self, points: np.ndarray) -> wp.array:
        return wp.array(
            (points - self._middle).astype(np.float32), dtype=wp.vec3, device=self.device
        )

    def _furthest(self, points: np.ndarray, wanted: float) -> float:
        """Return a finite bound: no point of the mesh is further from any of these."""
        bound = float(np.sqrt(((points - self._middle) ** 2).sum(1).max(initial=0))) + self._reach
        return min(bound * 1.01 + 1e-6, wanted)

    def closest(
        self,
        points: np.ndarray,
        max_distance: float = np.inf,
        normals: np.ndarray | None = None,
        agreement: float = 0.0,
        groups: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Find the closest points on the mesh.

        Between triangles equally near to within float32 (1e-6 of the mesh's size) either may be
        named; the point on it is exact.

        points: N×3
        max_distance: how far to look
        normals, agreement: N×3 and a cosine: only triangles whose normal makes at least that cosine
            with the point's
        groups: N int32: only triangles that share a bit with the point's

        Returns (triangle N int32, barycentric N×3, point N×3, distance N), float64; where there is
        none −1, 0, the point itself, inf.
        """
        points = np.asarray(points, np.float64).reshape(-1, 3)
        n = len(points)
        if not n:
            return np.zeros(0, np.int32), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)
        triangle = self._nearest_triangles(points, max_distance, normals, agreement, groups)
        barycentric, point, distance = np.zeros((n, 3)), points.copy(), np.full(n, np.inf)
        found = triangle >= 0
        barycentric[found], point[found] = closest_on_triangles(
            points[found], self.vertices[self.triangles[triangle[found]]]
        )
        distance[found] = np.linalg.norm(point[found] - points[found], axis=1)
        beyond = distance > max_distance
        triangle[beyond], barycentric[beyond], point[beyond], distance[beyond] = (
            -1,
            0,
            points[beyond],
            np.inf,
        )
        return triangle, barycentric, point, distance

    def _nearest_triangles(
        self,
        points: np.ndarray,
        max_distance: float,
        normals: np.ndarray | None,
        agreement: float,
        groups: np.ndarray | None,
    ) -> np.ndarray:
        """Find the triangle nearest to each point, N int32; −1: none."""
        n = len(points)
        triangle = wp.empty(n, dtype=wp.int32, device=self.device)
        furthest = self._furthest(points, max_distance)
        if normals is None and groups is None:
            wp.launch(
                _closest,
                dim=n,
                device=self.device,
                inputs=[self._mesh.id, self._to_warp(points), furthest, triangle],
            )
        else:
            normals32 = (
                np.zeros((n, 3), np.float32) if normals is None else np.asarray(normals, np.float32)
            )
            wanted = np.full(n, -1, np.int32) if groups is None else np.asarray(groups, np.int32)
            wp.launch(
                _closest_allowed,
                dim=n,
                device=self.device,
                inputs=[
                    self._mesh.id,
                    self._to_warp(points),
                    furthest,
                    wp.array(normals32, dtype=wp.vec3, device=self.device),
                    -2.0 if normals is None else float(agreement),
                    wp.array(wanted, dtype=wp.int32, device=self.device),
                    self._normals32,
                    self._groups32,
                    triangle,
                ],
            )
        return triangle.numpy().copy()

    def rays(
        self, origins: np.ndarray, directions: np.ndarray, max_distance: float = np.inf
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the first hits of rays; both sides of a triangle count.

        origins, directions: N×3, directions of any length

        Returns (triangle N int32, barycentric N×3, distance N in the mesh's unit), float64; where
        none is hit −1, 0, inf.
        """
        origins = np.asarray(origins, np.float64).reshape(-1, 3)
        directions = np.asarray(directions, np.float64).reshape(-1, 3)
        n = len(origins)
        if not n:
            return np.zeros(0, np.int32), np.zeros((0, 3)), np.zeros(0)
        directions = directions / np.maximum(
            np.linalg.norm(directions, axis=1, keepdims=True), 1e-300
        )
        triangle = wp.empty(n, dtype=wp.int32, device=self.device)
        wp.launch(
            _rays,
            dim=n,
            device=self.device,
            inputs=[
                self._mesh.id,
                self._to_warp(origins),
                wp.array(directions.astype(np.float32), dtype=wp.vec3, device=self.device),
                self._furthest(origins, max_distance),
                triangle,
            ],
        )
        triangle = triangle.numpy().copy()
        barycentric, distance = np.zeros((n, 3)), np.full(n, np.inf)
        found = np.flatnonzero(triangle >= 0)
        corners, d = self.vertices[self.triangles[triangle[found]]], directions[found]
        slope = (self.normals[triangle[found]] * d).sum(1)
        slope[slope == 0] = 1e-300
        t = (self.normals[triangle[found]] * (corners[:, 0] - origins[found])).sum(1) / slope
        barycentric[found], _ = closest_on_triangles(origins[found] + t[:, None] * d, corners)
        distance[found] = t
        beyond = distance > max_distance
        triangle[beyond], barycentric[beyond], distance[beyond] = -1, 0, np.inf
        return triangle, barycentric, distance


def interpolate(
    values: np.ndarray, triangles: np.ndarray, triangle: np.ndarray, barycentric: np.ndarray
) -> np.ndarray:
    """Interpolate per-vertex values (V×…) at points of a mesh: N×….

    triangles: T×3
    triangle, barycentric: N and N×3, as `Surface.closest` gives them
    """
    return np.einsum('nk,nk...->n...', barycentric, values[triangles[triangle]])
