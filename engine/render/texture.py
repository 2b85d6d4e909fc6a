"""Colours of a picture at texture coordinates."""

from __future__ import annotations

import torch
import warp as wp

from .launch import OPTIONS, check, fixed_point, launch

wp.set_module_options(OPTIONS)


def texture(image: torch.Tensor, uv: torch.Tensor, edge: str = 'clamp') -> torch.Tensor:
    """Sample an image at texture coordinates, bilinear and differentiable in both: …×C.

    As in Blender and in a face model's uvs (0, 0) is the picture's lower left corner and (1, 1) its
    upper right: u = (x + .5) / W and v = 1 − (y + .5) / H at texel (x, y), row 0 at the top. No
    mipmaps. NaN in uv gives the first texels and no gradient.

    image: H×W×C float32
    uv: …×2 float32
    edge: beyond the outermost texels' centres: 'clamp' keeps them, 'wrap' repeats the picture

    Raises FacewrightError where shapes don't fit.
    """
    check(edge in ('clamp', 'wrap'), f"A texture's edge is 'clamp' or 'wrap', not {edge!r}.")
    check(
        image.ndim == 3
        and uv.shape[-1:] == (2,)
        and image.dtype == uv.dtype == torch.float32
        and image.numel() > 0
        and image.device == uv.device,
        f'A texture needs an H×W×C picture and …×2 coordinates, both float32 on one device, and '
        f'these are {tuple(image.shape)} of {image.dtype} and {tuple(uv.shape)} of {uv.dtype}.',
    )
    return _Textured.apply(image, uv.reshape(-1, 2), edge == 'wrap').reshape(
        *uv.shape[:-1], image.shape[2]
    )


@wp.func
def _inside(i: int, size: int, wrap: bool):
    if wrap:
        return (i % size + size) % size
    return wp.clamp(i, 0, size - 1)


@wp.func
def _texel(uv: wp.vec2, width: int, height: int, wrap: bool):
    """Return x, y (texels, from the first centre), kept where whole numbers can hold them."""
    x = uv[0]
    y = 1.0 - uv[1]
    if wrap:
        x = x - wp.floor(x)
        y = y - wp.floor(y)
    x = x * float(width) - 0.5
    y = y * float(height) - 0.5
    if not wp.isfinite(x + y):
        return wp.vec2(0.0, 0.0)
    return wp.vec2(wp.clamp(x, -1.0, float(width)), wp.clamp(y, -1.0, float(height)))


@wp.kernel
def _forward(
    part: wp.vec3i,
    image: wp.array3d(dtype=float),
    uv: wp.array(dtype=wp.vec2),
    wrap: bool,
    out: wp.array2d(dtype=float),
):
    _, k = wp.tid()
    i = part[1] + k
    height = image.shape[0]
    width = image.shape[1]
    at = _texel(uv[i], width, height, wrap)
    x = int(wp.floor(at[0]))
    y = int(wp.floor(at[1]))
    s = at[0] - float(x)
    t = at[1] - float(y)
    x0 = _inside(x, width, wrap)
    x1 = _inside(x + 1, width, wrap)
    y0 = _inside(y, height, wrap)
    y1 = _inside(y + 1, height, wrap)
    for c in range(out.shape[1]):
        upper = image[y0, x0, c] * (1.0 - s) + image[y0, x1, c] * s
        lower = image[y1, x0, c] * (1.0 - s) + image[y1, x1, c] * s
        out[i, c] = upper * (1.0 - t) + lower * t


@wp.kernel
def _uv_backward(
    part: wp.vec3i,
    image: wp.array3d(dtype=float),
    uv: wp.array(dtype=wp.vec2),
    wrap: bool,
    gradient: wp.array2d(dtype=float),
    out: wp.array(dtype=wp.vec2),
):
    _, k = wp.tid()
    i = part[1] + k
    height = image.shape[0]
    width = image.shape[1]
    at = _texel(uv[i], width, height, wrap)
    x = int(wp.floor(at[0]))
    y = int(wp.floor(at[1]))
    s = at[0] - float(x)
    t = at[1] - float(y)
    x0 = _inside(x, width, wrap)
    x1 = _inside(x + 1, width, wrap)
    y0 = _inside(y, height, wrap)
    y1 = _inside(y + 1, height, wrap)
    du = float(0.0)  # noqa: UP018 - a literal would be a constant to Warp
    dv = float(0.0)  # noqa: UP018 - likewise
    for c in range(gradient.shape[1]):
        a = image[y0, x0, c]
        b = image[y0, x1, c]
        d = image[y1, x0, c]
        e = image[y1, x1, c]
        du += gradient[i, c] * ((b - a) * (1.0 - t) + (e - d) * t)
        dv += gradient[i, c] * ((d - a) * (1.0 - s) + (e - b) * s)
    if wp.isfinite(uv[i][0] + uv[i][1]):
        out[i] = wp.vec2(du * float(width), -dv * float(height))
    else:
        out[i] = wp.vec2(0.0, 0.0)


@wp.kernel
def _image_backward(
    part: wp.vec3i,
    uv: wp.array(dtype=wp.vec2),
    wrap: bool,
    gradient: wp.array2d(dtype=float),
    scale: wp.array(dtype=wp.float64),
    out: wp.array3d(dtype=wp.int64),
):
    """Sum the gradients of all coordinates for the part's rows of the picture."""
    _, i = wp.tid()
    height = out.shape[0]
    width = out.shape[1]
    at = _texel(uv[i], width, height, wrap)
    x = int(wp.floor(at[0]))
    y = int(wp.floor(at[1]))
    s = wp.float64(at[0]) - wp.float64(x)
    t = wp.float64(at[1]) - wp.float64(y)
    one = wp.float64(1.0)
    x0 = _inside(x, width, wrap)
    x1 = _inside(x + 1, width, wrap)
    y0 = _inside(y, height, wrap)
    y1 = _inside(y + 1, height, wrap)
    upper = y0 >= part[1] and y0 < part[2]
    lower = y1 >= part[1] and y1 < part[2]
    for c in range(gradient.shape[1]):
        g = wp.float64(gradient[i, c]) * scale[0]
        if upper:
            wp.atomic_add(out, y0, x0, c, wp.int64(g * (one - s) * (one - t)))
            wp.atomic_add(out, y0, x1, c, wp.int64(g * s * (one - t)))
        if lower:
            wp.atomic_add(out, y1, x0, c, wp.int64(g * (one - s) * t))
            wp.atomic_add(out, y1, x1, c, wp.int64(g * s * t))


class _Textured(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image, uv, wrap):
        image, uv = image.contiguous(), uv.contiguous()
        out = torch.empty(len(uv), image.shape[2], dtype=torch.float32, device=image.device)
        launch(_forward, (1, len(uv)), image, uv, wrap, out)
        ctx.save_for_backward(image, uv)
        ctx.wrap = wrap
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        image, uv = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_image = to_uv = None
        if ctx.needs_input_grad[0]:
            total = torch.zeros(image.shape, dtype=torch.int64, device=image.device)
            scale = fixed_point(
                gradient.abs().amax() if len(gradient) else gradient.new_zeros(()), 4 * len(uv)
            )
            launch(
                _image_backward, (1, len(uv)), uv, ctx.wrap, gradient, scale, total, rows=len(image)
            )
            to_image = (total / scale).float()
        if ctx.needs_input_grad[1]:
            to_uv = torch.empty_like(uv)
            launch(_uv_backward, (1, len(uv)), image, uv, ctx.wrap, gradient, to_uv)
        return to_image, to_uv, None
