"""Which triangle is seen at each pixel: a tile-free scan of every triangle in NVIDIA Warp, CPU or CUDA."""
from __future__ import annotations

import numpy as np
import warp as wp

wp.config.log_level = wp.LOG_ERROR  # it prints its start-up and every kernel load otherwise


@wp.kernel
def _nearest(screen: wp.array(dtype=wp.vec3), triangles: wp.array(dtype=wp.vec3i), width: int, height: int, key: wp.array(dtype=wp.int64)):
    t = wp.tid()
    tri = triangles[t]
    a = screen[tri[0]]
    b = screen[tri[1]]
    c = screen[tri[2]]
    if a[2] <= 0.0 or b[2] <= 0.0 or c[2] <= 0.0:
        return
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if wp.abs(area) < 1.0e-12:
        return
    x0 = wp.max(int(wp.floor(wp.min(wp.min(a[0], b[0]), c[0]) - 0.5)), 0)
    x1 = wp.min(int(wp.ceil(wp.max(wp.max(a[0], b[0]), c[0]) - 0.5)), width - 1)
    y0 = wp.max(int(wp.floor(wp.min(wp.min(a[1], b[1]), c[1]) - 0.5)), 0)
    y1 = wp.min(int(wp.ceil(wp.max(wp.max(a[1], b[1]), c[1]) - 0.5)), height - 1)
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            px = float(x) + 0.5
            py = float(y) + 0.5
            w0 = ((b[0] - px) * (c[1] - py) - (b[1] - py) * (c[0] - px)) / area
            w1 = ((c[0] - px) * (a[1] - py) - (c[1] - py) * (a[0] - px)) / area
            w2 = 1.0 - w0 - w1
            if w0 >= 0.0 and w1 >= 0.0 and w2 >= 0.0:
                z = 1.0 / (w0 / a[2] + w1 / b[2] + w2 / c[2])
                # depth in the high bits, triangle in the low: the minimum is the nearest, ties go to the lowest index
                wp.atomic_min(key, y * width + x, (wp.int64(z * 65536.0) << wp.int64(24)) | wp.int64(t))


@wp.kernel
def _inside(screen: wp.array(dtype=wp.vec3), triangles: wp.array(dtype=wp.vec3i), width: int, key: wp.array(dtype=wp.int64),
            triangle: wp.array(dtype=wp.int32), barycentric: wp.array(dtype=wp.vec3), depth: wp.array(dtype=float)):
    """Where in the nearest triangle each pixel's centre lies, in float64."""
    i = wp.tid()
    if key[i] == wp.int64(0x7FFFFFFFFFFFFFFF):
        triangle[i] = -1
        depth[i] = wp.inf
        return
    t = int(key[i] & wp.int64(0xFFFFFF))
    a = wp.vec3d(screen[triangles[t][0]])
    b = wp.vec3d(screen[triangles[t][1]])
    c = wp.vec3d(screen[triangles[t][2]])
    px = wp.float64(i % width) + wp.float64(0.5)
    py = wp.float64(i // width) + wp.float64(0.5)
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    w0 = ((b[0] - px) * (c[1] - py) - (b[1] - py) * (c[0] - px)) / area
    w1 = ((c[0] - px) * (a[1] - py) - (c[1] - py) * (a[0] - px)) / area
    w = wp.vec3d(w0 / a[2], w1 / b[2], (wp.float64(1.0) - w0 - w1) / c[2])
    total = w[0] + w[1] + w[2]
    triangle[i] = t
    barycentric[i] = wp.vec3(w / total)
    depth[i] = float(wp.float64(1.0) / total)


def project(points: np.ndarray, focal: float, centre: tuple[float, float]) -> np.ndarray:
    """…×3 points in OpenCV camera axes (cm) → …×2 pixels (corner origin)."""
    return points[..., :2] / points[..., 2:] * focal + np.asarray(centre)


def rasterise(points: np.ndarray, triangles: np.ndarray, focal: float, centre: tuple[float, float], size: tuple[int, int],
              device: str = 'cpu') -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visibility of a mesh from one pinhole camera; no back-face culling.

    points V×3 (cm, OpenCV camera axes: x right, y down, z forward), triangles T×3 (T < 2²⁴), focal and centre in pixels
    (corner origin, pixel centres at .5), size (width, height).
    Returns triangle H×W int32 (−1: none), perspective-correct barycentric H×W×3 float32, depth H×W float32 (cm, inf: none).
    """
    width, height = size
    screen = wp.array(np.concatenate([project(points, focal, centre), points[:, 2:]], 1).astype(np.float32), dtype=wp.vec3, device=device)
    corners = wp.array(np.ascontiguousarray(triangles, np.int32), dtype=wp.vec3i, device=device)
    key = wp.full(width * height, value=np.iinfo(np.int64).max, dtype=wp.int64, device=device)
    wp.launch(_nearest, dim=len(triangles), device=device, inputs=[screen, corners, width, height, key])
    triangle, barycentric, depth = (wp.zeros(width * height, dtype=kind, device=device) for kind in (wp.int32, wp.vec3, wp.float32))
    wp.launch(_inside, dim=width * height, device=device, inputs=[screen, corners, width, key, triangle, barycentric, depth])
    return triangle.numpy().reshape(height, width), barycentric.numpy().reshape(height, width, 3), depth.numpy().reshape(height, width)
