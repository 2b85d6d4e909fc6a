"""Rotations in torch: the exponential and the logarithm of SO(3)."""

from __future__ import annotations

import torch


def skew(v: torch.Tensor) -> torch.Tensor:
    """…×3 → …×3×3 with skew(v) u = v × u."""
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(v.shape[:-1] + (3, 3))


def so3_exp(v: torch.Tensor) -> torch.Tensor:
    """…×3 rotation vectors → …×3×3."""
    return torch.linalg.matrix_exp(skew(v))


def so3_log(r: torch.Tensor) -> torch.Tensor:
    """…×3×3 rotations by less than π → …×3 rotation vectors."""
    cosine = ((r.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)
    angle = torch.acos(cosine)
    axis = (
        torch.stack(
            [r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]],
            -1,
        )
        / 2
    )
    return axis / torch.sinc(angle / torch.pi)[..., None].clamp_min(1e-6)
