"""Warp kernels: which triangle is seen at each pixel, and where in it the pixel's centre lies.

Homogeneous rasterisation (Olano and Greer, "Triangle scan conversion using 2D homogeneous
coordinates", 1997): with the corners p₀ p₁ p₂ in camera space and the ray d = (x − cx, y − cy, f)
through a pixel's centre, Eᵢ = (pⱼ × pₖ)·d are the corners' shares of d, up to the common factor
det[p₀ p₁ p₂]. They are the perspective-correct barycentric coordinates times their sum, and remain
right where a corner lies behind the camera, so that a triangle crossing the near plane needs no
cutting: its pixels nearer than the plane are left out one by one. All in float64, every triangle
SLACK wider than it is: no pixel falls between two.
"""

from __future__ import annotations

import warp as wp

from .launch import OPTIONS

wp.set_module_options(OPTIONS)

NOTHING = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))
DEEPEST = wp.constant(wp.float64(5.0e11))  # of the 39 bits of depth
# px: the box must not round away a pixel that the edge functions take
MARGIN = wp.constant(wp.float64(1.0e-6))
SLACK = wp.constant(wp.float64(1.0e-9))  # px, more than float64 loses here
HALF = wp.constant(wp.float64(0.5))


@wp.func
def project(p: wp.vec3d, camera: wp.vec3d):
    """Project camera space to pixels; camera: focal length, centre x, y (px)."""
    return wp.vec2d(camera[0] * p[0] / p[2] + camera[1], camera[0] * p[1] / p[2] + camera[2])


@wp.func
def ray(x: int, y: int, camera: wp.vec3d):
    """Return the ray through the centre of a pixel, its third component the focal length."""
    return wp.vec3d(wp.float64(x) + HALF - camera[1], wp.float64(y) + HALF - camera[2], camera[0])


@wp.func
def _grown(box: wp.vec4d, p: wp.vec3d, camera: wp.vec3d):
    at = project(p, camera)
    return wp.vec4d(
        wp.min(box[0], at[0]), wp.min(box[1], at[1]), wp.max(box[2], at[0]), wp.max(box[3], at[1])
    )


@wp.func
def _grown_by_edge(box: wp.vec4d, p: wp.vec3d, q: wp.vec3d, camera: wp.vec3d, near: wp.float64):
    """Grow by p, where it is in front of the near plane, and by where pq meets the plane."""
    if p[2] >= near:
        box = _grown(box, p, camera)
    if (p[2] >= near) != (q[2] >= near):
        s = (near - p[2]) / (q[2] - p[2])
        box = _grown(
            box, wp.vec3d(p[0] + s * (q[0] - p[0]), p[1] + s * (q[1] - p[1]), near), camera
        )
    return box


@wp.func
def pixel_box(
    a: wp.vec3d,
    b: wp.vec3d,
    c: wp.vec3d,
    camera: wp.vec3d,
    near: wp.float64,
    width: int,
    height: int,
):
    """Bound the pixels whose centres the part beyond the near plane may cover.

    x₀, y₀, x₁, y₁, inclusive; x₁ < x₀: none.
    """
    none = wp.vec4i(0, 0, -1, -1)
    box = wp.vec4d(wp.float64(1.0e30), wp.float64(1.0e30), wp.float64(-1.0e30), wp.float64(-1.0e30))
    box = _grown_by_edge(box, a, b, camera, near)
    box = _grown_by_edge(box, b, c, camera, near)
    box = _grown_by_edge(box, c, a, camera, near)
    w = wp.float64(width)
    h = wp.float64(height)
    x0 = wp.max(wp.ceil(box[0] - HALF - MARGIN), wp.float64(0.0))
    y0 = wp.max(wp.ceil(box[1] - HALF - MARGIN), wp.float64(0.0))
    x1 = wp.min(wp.floor(box[2] - HALF + MARGIN), w - wp.float64(1.0))
    y1 = wp.min(wp.floor(box[3] - HALF + MARGIN), h - wp.float64(1.0))
    if x0 <= x1 and y0 <= y1:
        return wp.vec4i(int(x0), int(y0), int(x1), int(y1))
    return none


@wp.func
def _narrowed(inside: wp.vec2d, slope: wp.float64, row: wp.float64, camera: wp.vec3d):
    """Narrow a row's pixels (first, last; ≥ 0) to those where slope (x + ½ − cx) + row ≥ 0.

    No more than one beyond is left.
    """
    zero = wp.float64(0.0)
    one = wp.float64(1.0)
    if slope > zero:
        at = camera[1] - HALF - row / slope
        return wp.vec2d(wp.min(wp.max(inside[0], at - MARGIN), inside[1] + one), inside[1])
    if slope < zero:
        at = camera[1] - HALF - row / slope
        return wp.vec2d(inside[0], wp.max(wp.min(inside[1], at + MARGIN), inside[0] - one))
    return inside


@wp.kernel
def rasterise_triangles(
    part: wp.vec3i,
    points: wp.array2d(dtype=wp.vec3d),
    triangles: wp.array(dtype=wp.vec3i),
    camera: wp.array(dtype=wp.vec3d),
    near: wp.float64,
    width: int,
    height: int,
    key: wp.array2d(dtype=wp.int64),
):
    """Find the nearest depth and its triangle at every pixel of the part's rows.

    A thread a triangle and picture.
    """
    b, t = wp.tid()
    corners = triangles[t]
    p0 = points[b, corners[0]]
    p1 = points[b, corners[1]]
    p2 = points[b, corners[2]]
    cam = camera[b]
    if not wp.isfinite(wp.dot(p0, p1) + wp.dot(p1, p2) + wp.dot(p2, p0)):
        return
    box = pixel_box(p0, p1, p2, cam, near, width, height)
    if box[2] < box[0]:
        return
    n0 = wp.cross(p1, p2)
    n1 = wp.cross(p2, p0)
    n2 = wp.cross(p0, p1)
    det = wp.dot(p0, n0)
    if det < wp.float64(0.0):
        det = -det
        n0 = -n0
        n1 = -n1
        n2 = -n2
    slack0 = SLACK * (wp.abs(n0[0]) + wp.abs(n0[1]))
    slack1 = SLACK * (wp.abs(n1[0]) + wp.abs(n1[1]))
    slack2 = SLACK * (wp.abs(n2[0]) + wp.abs(n2[1]))
    zero = wp.float64(0.0)
    volume = det * cam[0]
    for y in range(wp.max(box[1], part[1]), wp.min(box[3], part[2] - 1) + 1):
        d = ray(0, y, cam)
        row0 = n0[1] * d[1] + n0[2] * d[2] + slack0
        row1 = n1[1] * d[1] + n1[2] * d[2] + slack1
        row2 = n2[1] * d[1] + n2[2] * d[2] + slack2
        inside = wp.vec2d(wp.float64(box[0]), wp.float64(box[2]))
        inside = _narrowed(inside, n0[0], row0, cam)
        inside = _narrowed(inside, n1[0], row1, cam)
        inside = _narrowed(inside, n2[0], row2, cam)
        for x in range(int(inside[0]), int(inside[1]) + 1):
            dx = wp.float64(x) + HALF - cam[1]
            e0 = n0[0] * dx + row0
            e1 = n1[0] * dx + row1
            e2 = n2[0] * dx + row2
            if e0 >= zero and e1 >= zero and e2 >= zero:
                total = e0 + e1 + e2
                if total > zero and volume >= near * total:
                    # depth in the high bits, triangle in the low: the minimum is the nearest,
                    # and ties go to the lowest index
                    z = wp.int64(wp.min(volume / total * wp.float64(65536.0), DEEPEST))
                    wp.atomic_min(key, b, y * width + x, (z << wp.int64(24)) | wp.int64(t))


@wp.func
def shares(p0: wp.vec3d, p1: wp.vec3d, p2: wp.vec3d, d: wp.vec3d):
    """Return the corners' shares u of a ray: Σ uᵢ pᵢ = d.

    Its third component is the focal length f, so f / Σ uᵢ is the depth.
    """
    n0 = wp.cross(p1, p2)
    det = wp.dot(p0, n0)
    return wp.vec3d(
        wp.dot(n0, d) / det, wp.dot(wp.cross(p2, p0), d) / det, wp.dot(wp.cross(p0, p1), d) / det
    )


@wp.kernel
def resolve_pixels(  # noqa: PLR0913 - a kernel takes its arrays one by one
    part: wp.vec3i,
    points: wp.array2d(dtype=wp.vec3d),
    triangles: wp.array(dtype=wp.vec3i),
    camera: wp.array(dtype=wp.vec3d),
    width: int,
    key: wp.array2d(dtype=wp.int64),
    triangle: wp.array2d(dtype=wp.int32),
    barycentric: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=float),
    box: wp.array3d(dtype=wp.vec4i),
):
    """Find where in its triangle a pixel's centre lies: a thread a pixel.

    box (part, picture, triangle): x₀, y₀, −x₁, −y₁ of the pixels it is seen at.
    """
    b, k = wp.tid()
    i = part[1] + k
    if key[b, i] == NOTHING:
        triangle[b, i] = -1
        barycentric[b, i] = wp.vec3(0.0, 0.0, 0.0)
        depth[b, i] = wp.inf
        return
    t = int(key[b, i] & wp.int64(0xFFFFFF))
    x = i % width
    y = i // width
    corners = triangles[t]
    u = shares(
        points[b, corners[0]], points[b, corners[1]], points[b, corners[2]], ray(x, y, camera[b])
    )
    total = u[0] + u[1] + u[2]
    triangle[b, i] = t
    barycentric[b, i] = wp.vec3(u / total)
    depth[b, i] = float(camera[b][0] / total)
    wp.atomic_min(box, part[0], b, t, wp.vec4i(x, y, -x, -y))


@wp.kernel
def resolve_pixels_backward(  # noqa: PLR0913 - a kernel takes its arrays one by one
    part: wp.vec3i,
    points: wp.array2d(dtype=wp.vec3d),
    triangles: wp.array(dtype=wp.vec3i),
    camera: wp.array(dtype=wp.vec3d),
    width: int,
    triangle: wp.array2d(dtype=wp.int32),
    box: wp.array2d(dtype=wp.vec4i),
    barycentric_gradient: wp.array2d(dtype=wp.vec3),
    depth_gradient: wp.array2d(dtype=float),
    corner_gradient: wp.array2d(dtype=wp.vec3d),
    camera_gradient: wp.array2d(dtype=wp.vec3d),
):
    """Sum the gradients of corners (B×3T) and camera (B×T): a thread a triangle and picture.

    u = M⁻¹d with M = [p₀ p₁ p₂], b = zu/f, z = f/Σu. With h = ∂L/∂u and n = M⁻ᵀh: ∂L/∂d = n,
    ∂L/∂pᵢ = −uᵢn.
    """
    b, k = wp.tid()
    t = part[1] + k
    seen = box[b, t]
    if seen[2] < seen[0]:
        return
    corners = triangles[t]
    p0 = points[b, corners[0]]
    p1 = points[b, corners[1]]
    p2 = points[b, corners[2]]
    cam = camera[b]
    n0 = wp.cross(p1, p2)
    n1 = wp.cross(p2, p0)
    n2 = wp.cross(p0, p1)
    det = wp.dot(p0, n0)
    n0 = n0 / det
    n1 = n1 / det
    n2 = n2 / det
    g0 = wp.vec3d()  # Σ u₀ h, …
    g1 = wp.vec3d()
    g2 = wp.vec3d()
    h = wp.vec3d()
    f = wp.float64(0.0)
    for y in range(seen[1], seen[3] + 1):
        for x in range(seen[0], seen[2] + 1):
            i = y * width + x
            if triangle[b, i] == t:
                d = ray(x, y, cam)
                u = wp.vec3d(wp.dot(n0, d), wp.dot(n1, d), wp.dot(n2, d))
                z = wp.float64(1.0) / (u[0] + u[1] + u[2])
                gb = wp.vec3d(barycentric_gradient[b, i]) * z
                gz = wp.float64(depth_gradient[b, i]) * z
                common = (wp.dot(gb, u) + gz * cam[0]) * z
                hi = wp.vec3d(gb[0] - common, gb[1] - common, gb[2] - common)
                g0 += u[0] * hi
                g1 += u[1] * hi
                g2 += u[2] * hi
                h += hi
                f += gz
    corner_gradient[b, 3 * t] = -(g0[0] * n0 + g0[1] * n1 + g0[2] * n2)
    corner_gradient[b, 3 * t + 1] = -(g1[0] * n0 + g1[1] * n1 + g1[2] * n2)
    corner_gradient[b, 3 * t + 2] = -(g2[0] * n0 + g2[1] * n1 + g2[2] * n2)
    n = h[0] * n0 + h[1] * n1 + h[2] * n2
    camera_gradient[b, t] = wp.vec3d(n[2] + f, -n[0], -n[1])
