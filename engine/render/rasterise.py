"""Which triangle is seen at each pixel, in NVIDIA Warp: for pictures (NumPy) and fitting (torch).

The latter, differentiable, is the first of four calls in nvdiffrast's shape (Laine et al., "Modular
primitives for high-performance differentiable rendering", 2020): rasterise_batch, interpolate,
texture, antialias. Here in the house's conventions: camera space in OpenCV axes (x right, y down,
z forward), cm; one focal length and a centre in pixels, corner origin, pixel centres at .5; row 0
at the top.

Deterministic, also on CUDA: visibility is an integer minimum; gradients are summed by one thread a
triangle over its pixels and one a vertex over its triangles, or as integers. A thread scans a
triangle's whole box: made for meshes of many small triangles.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from ..core.device import device
from .launch import check, launch, parts
from .topology import Topology, gather, topology
from .visibility import rasterise_triangles, resolve_pixels, resolve_pixels_backward

NEAR = 0.1  # cm: nothing nearer is drawn


@dataclass(frozen=True, eq=False)
class Fragments:
    """What is seen at each pixel of B pictures of one mesh.

    triangle: B×H×W int32; −1: none
    barycentric: B×H×W×3 float32, perspective-correct, of the pixel's centre; 0: none
    depth: B×H×W float32, cm; inf: none
    box: B×T×4 int32: x₀, y₀, x₁, y₁ (inclusive) of the pixels at which each triangle is seen;
        x₁ < x₀: nowhere

    Barycentric and depth carry gradients to the points and the camera.
    """

    triangle: torch.Tensor
    barycentric: torch.Tensor
    depth: torch.Tensor
    box: torch.Tensor = field(repr=False)


def project(points: np.ndarray, focal: float, centre: tuple[float, float]) -> np.ndarray:
    """Project …×3 points in OpenCV camera axes (cm) to …×2 pixels (corner origin)."""
    return points[..., :2] / points[..., 2:] * focal + np.asarray(centre)


def rasterise(
    points: np.ndarray,
    triangles: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find what one pinhole camera sees of a mesh, back faces too, nothing nearer than NEAR.

    points: V×3, cm, camera axes
    triangles: T×3, T < 2²⁴
    focal, centre: px
    size: (width, height)

    Returns triangle H×W int32 (−1: none), perspective-correct barycentric H×W×3 float32 (0: none),
    depth H×W float32 (cm, inf: none).
    """
    corners = torch.as_tensor(np.ascontiguousarray(triangles, np.int32), device=device())
    seen = _visible(
        torch.as_tensor(np.ascontiguousarray(points, np.float64), device=corners.device)[None],
        corners,
        camera_of(focal, centre, 1, corners.device),
        size,
        NEAR,
    )
    return tuple(v[0].cpu().numpy() for v in seen[:3])


def rasterise_batch(
    points: torch.Tensor,
    triangles: torch.Tensor,
    focal: float | torch.Tensor,
    centre: tuple[float, float] | torch.Tensor,
    size: tuple[int, int],
    near: float = NEAR,
) -> Fragments:
    """Find what B pinhole cameras see of one mesh in B poses, back faces too.

    Differentiable in points, focal and centre. Triangles with a point that is not finite are not
    drawn; at equal depth (to 2⁻¹⁶ cm) the lowest triangle wins. All on the points' device.

    points: B×V×3 float32, cm, each picture's camera space
    triangles: T×3, T < 2²⁴
    focal: px, a number or B
    centre: px, 2 or B×2
    size: (width, height)
    near: cm; what lies nearer is cut off, pixel by pixel

    Raises FacewrightError where shapes don't fit.
    """
    mesh = checked(points, triangles)
    check(
        len(size) == 2 and min(size) > 0 and near > 0,
        f'A picture of {size} pixels beyond a near plane at {near} cm cannot be rasterised.',
    )
    camera = camera_of(focal, centre, len(points), points.device)
    return Fragments(*_Seen.apply(points, camera, mesh, tuple(map(int, size)), float(near)))


def checked(points: torch.Tensor, triangles: torch.Tensor) -> Topology:
    """Return the triangles' topology.

    Raises FacewrightError where they don't belong to B×V×3 float32 points on the same device.
    """
    check(
        points.ndim == 3 and points.shape[2] == 3 and points.dtype == torch.float32,
        f'Points must be B×V×3 float32, and these are {tuple(points.shape)} of {points.dtype}.',
    )
    mesh = topology(triangles)
    check(
        mesh.vertices <= points.shape[1],
        f'The triangles refer to vertex {mesh.vertices - 1} of {points.shape[1]}.',
    )
    check(
        triangles.device == points.device,
        f'Points are on {points.device} and triangles on {triangles.device}.',
    )
    return mesh


def camera_of(
    focal: float | torch.Tensor,
    centre: tuple[float, float] | torch.Tensor,
    count: int,
    device: torch.device,
) -> torch.Tensor:
    """Return focal length and centre of each picture: count×3 float64, differentiable."""
    focal, centre = (
        torch.as_tensor(v, dtype=torch.float64, device=device) for v in (focal, centre)
    )
    check(
        focal.numel() in (1, count) and focal.ndim < 2 and centre.shape in ((2,), (count, 2)),
        f'{count} pictures need one focal length or {count} and one centre or {count}, '
        f'and these are {tuple(focal.shape)} and {tuple(centre.shape)}.',
    )
    return torch.cat(
        [focal.reshape(-1, 1).expand(count, 1), centre.reshape(-1, 2).expand(count, 2)], 1
    ).contiguous()


def _visible(
    points: torch.Tensor,
    triangles: torch.Tensor,
    camera: torch.Tensor,
    size: tuple[int, int],
    near: float,
) -> tuple[torch.Tensor, ...]:
    """Find triangle, barycentric, depth and box of B×V×3 float64 points."""
    (width, height), count, where = size, len(points), points.device
    key = torch.full(
        (count, height * width), torch.iinfo(torch.int64).max, dtype=torch.int64, device=where
    )
    launch(
        rasterise_triangles,
        (count, len(triangles)),
        points,
        triangles,
        camera,
        near,
        width,
        height,
        key,
        rows=height,
    )
    triangle = torch.empty(count, height, width, dtype=torch.int32, device=where)
    barycentric = torch.empty(count, height, width, 3, dtype=torch.float32, device=where)
    depth = torch.empty(count, height, width, dtype=torch.float32, device=where)
    box = torch.tensor([width, height, 1, 1], dtype=torch.int32, device=where).repeat(
        parts(where, key.shape), count, len(triangles), 1
    )
    launch(
        resolve_pixels,
        key.shape,
        points,
        triangles,
        camera,
        width,
        key,
        triangle.view(count, -1),
        barycentric.view(count, -1, 3),
        depth.view(count, -1),
        box,
    )
    box = box.amin(0) * torch.tensor([1, 1, -1, -1], dtype=torch.int32, device=where)
    return triangle, barycentric, depth, box


class _Seen(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, camera, mesh, size, near):
        wide = points.detach().double().contiguous()
        triangle, barycentric, depth, box = _visible(
            wide, mesh.triangles, camera.detach(), size, near
        )
        ctx.save_for_backward(wide, camera, triangle, box)
        ctx.mesh = mesh
        ctx.mark_non_differentiable(triangle, box)
        return triangle, barycentric, depth, box

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, _, barycentric, depth, __):
        points, camera, triangle, box = ctx.saved_tensors
        count, _, width = triangle.shape
        corners = torch.zeros(
            count, 3 * len(ctx.mesh.triangles), 3, dtype=torch.float64, device=points.device
        )
        cameras = torch.zeros(
            count, len(ctx.mesh.triangles), 3, dtype=torch.float64, device=points.device
        )
        launch(
            resolve_pixels_backward,
            (count, len(ctx.mesh.triangles)),
            points,
            ctx.mesh.triangles,
            camera,
            width,
            triangle.view(count, -1),
            box,
            barycentric.reshape(count, -1, 3).contiguous(),
            depth.reshape(count, -1).contiguous(),
            corners,
            cameras,
        )
        return gather(corners, ctx.mesh, points.shape[1]), cameras.sum(1), None, None, None
