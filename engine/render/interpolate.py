"""Values at the vertices → values at the pixels."""

from __future__ import annotations

import torch
import warp as wp

from .launch import OPTIONS, check, launch
from .rasterise import Fragments
from .topology import Topology, gather, topology

wp.set_module_options(OPTIONS)


def interpolate(
    attributes: torch.Tensor, triangles: torch.Tensor, fragments: Fragments
) -> torch.Tensor:
    """Interpolate attributes at each pixel: B×H×W×C, 0 where nothing is seen.

    Gradients go to the attributes and, through fragments.barycentric, to points and camera.

    attributes: V×C, or B×V×C float32

    Raises FacewrightError where shapes don't fit.
    """
    mesh = topology(triangles)
    count = len(fragments.triangle)
    check(
        attributes.dtype == torch.float32
        and (attributes.ndim == 2 or (attributes.ndim == 3 and len(attributes) == count))
        and attributes.shape[-2] >= mesh.vertices
        and len(mesh.triangles) == fragments.box.shape[1],
        f'Attributes must be V×C or {count}×V×C float32 with V ≥ {mesh.vertices}, of the mesh that '
        f'was rasterised, and these are {tuple(attributes.shape)} of {attributes.dtype}.',
    )
    batched = attributes if attributes.ndim == 3 else attributes[None]
    return _Interpolated.apply(batched, fragments.barycentric, fragments, mesh)


@wp.kernel
def _forward(
    part: wp.vec3i,
    attributes: wp.array3d(dtype=float),
    triangles: wp.array(dtype=wp.vec3i),
    triangle: wp.array2d(dtype=wp.int32),
    barycentric: wp.array2d(dtype=wp.vec3),
    out: wp.array3d(dtype=float),
):
    b, k = wp.tid()
    i = part[1] + k
    t = triangle[b, i]
    if t < 0:
        for c in range(out.shape[2]):
            out[b, i, c] = 0.0
        return
    a = wp.min(b, attributes.shape[0] - 1)
    corners = triangles[t]
    w = barycentric[b, i]
    for c in range(out.shape[2]):
        out[b, i, c] = (
            w[0] * attributes[a, corners[0], c]
            + w[1] * attributes[a, corners[1], c]
            + w[2] * attributes[a, corners[2], c]
        )


@wp.kernel
def _backward(  # noqa: PLR0913 - a kernel takes its arrays one by one
    part: wp.vec3i,
    attributes: wp.array3d(dtype=float),
    triangles: wp.array(dtype=wp.vec3i),
    triangle: wp.array2d(dtype=wp.int32),
    box: wp.array2d(dtype=wp.vec4i),
    barycentric: wp.array2d(dtype=wp.vec3),
    width: int,
    gradient: wp.array3d(dtype=float),
    to_corners: wp.array3d(dtype=wp.float64),
    to_barycentric: wp.array2d(dtype=wp.vec3),
):
    """Sum a triangle's gradients over the pixels it is seen at, and give those pixels their own.

    A thread a triangle and picture; three channels at a time.
    """
    b, k = wp.tid()
    t = part[1] + k
    seen = box[b, t]
    if seen[2] < seen[0]:
        return
    a = wp.min(b, attributes.shape[0] - 1)
    corners = triangles[t]
    channels = gradient.shape[2]
    for c in range(0, channels, 3):
        left = channels - c
        a0 = _three(attributes, a, corners[0], c, left)
        a1 = _three(attributes, a, corners[1], c, left)
        a2 = _three(attributes, a, corners[2], c, left)
        g0 = wp.vec3d()
        g1 = wp.vec3d()
        g2 = wp.vec3d()
        for y in range(seen[1], seen[3] + 1):
            for x in range(seen[0], seen[2] + 1):
                i = y * width + x
                if triangle[b, i] == t:
                    w = wp.vec3d(barycentric[b, i])
                    here = _three(gradient, b, i, c, left)
                    g = wp.vec3d(here)
                    g0 += w[0] * g
                    g1 += w[1] * g
                    g2 += w[2] * g
                    to_barycentric[b, i] = to_barycentric[b, i] + wp.vec3(
                        wp.dot(here, a0), wp.dot(here, a1), wp.dot(here, a2)
                    )
        for j in range(wp.min(3, left)):
            to_corners[b, 3 * t, c + j] = g0[j]
            to_corners[b, 3 * t + 1, c + j] = g1[j]
            to_corners[b, 3 * t + 2, c + j] = g2[j]


@wp.func
def _three(values: wp.array3d(dtype=float), b: int, i: int, c: int, left: int):
    """Return channels c to c + 2, 0 beyond the `left` that are left."""
    out = wp.vec3(values[b, i, c], 0.0, 0.0)
    if left > 1:
        out[1] = values[b, i, c + 1]
    if left > 2:
        out[2] = values[b, i, c + 2]
    return out


class _Interpolated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, attributes, barycentric, fragments: Fragments, mesh: Topology):
        attributes, barycentric = attributes.contiguous(), barycentric.contiguous()
        count, height, width = fragments.triangle.shape
        out = torch.empty(
            count, height, width, attributes.shape[2], dtype=torch.float32, device=attributes.device
        )
        launch(
            _forward,
            (count, height * width),
            attributes,
            mesh.triangles,
            fragments.triangle.view(count, -1),
            barycentric.view(count, -1, 3),
            out.view(count, height * width, -1),
        )
        ctx.save_for_backward(attributes, barycentric, fragments.triangle, fragments.box)
        ctx.mesh = mesh
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        attributes, barycentric, triangle, box = ctx.saved_tensors
        count, _, width, channels = gradient.shape
        gradient, triangle = (
            gradient.reshape(count, -1, channels).contiguous(),
            triangle.view(count, -1),
        )
        corners = torch.zeros(
            count,
            3 * len(ctx.mesh.triangles),
            channels,
            dtype=torch.float64,
            device=gradient.device,
        )
        to_barycentric = torch.zeros_like(barycentric)
        launch(
            _backward,
            (count, len(ctx.mesh.triangles)),
            attributes,
            ctx.mesh.triangles,
            triangle,
            box,
            barycentric.view(count, -1, 3),
            width,
            gradient,
            corners,
            to_barycentric.view(count, -1, 3),
        )
        to_attributes = (
            gather(corners, ctx.mesh, attributes.shape[1], common=len(attributes) == 1)
            if ctx.needs_input_grad[0]
            else None
        )
        return to_attributes, to_barycentric, None, None
