"""Light of low frequency: nine spherical harmonics of the normal."""

from __future__ import annotations

import torch

from .launch import check


def sh_basis(normals: torch.Tensor) -> torch.Tensor:
    """Return …×9 spherical harmonics of order 0 to 2 at unit vectors (…×3); differentiable.

    Real and orthonormal on the sphere, in the order of Ramamoorthi and Hanrahan, "An efficient
    representation for irradiance environment maps", 2001, eq. 3: 1, y, z, x, xy, yz, 3z² − 1, xz,
    x² − y².
    """
    x, y, z = normals.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, 0.28209479),
            0.48860251 * y,
            0.48860251 * z,
            0.48860251 * x,
            1.09254843 * x * y,
            1.09254843 * y * z,
            0.31539157 * (3 * z * z - 1),
            1.09254843 * x * z,
            0.54627422 * (x * x - y * y),
        ],
        -1,
    )


def shade(albedo: torch.Tensor, normals: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """Light a matt surface: B×…×3 linear colour, differentiable. Nothing is cut off below 0.

    albedo: B×…×3
    normals: B×…×3, of any length; where they are 0 the colour is that of no direction
    light: 9×3 or B×9×3: what a white matt surface sends back, per basis function and channel
    """
    check(
        light.shape[-2:] == (9, 3)
        and light.ndim in (2, 3)
        and (light.ndim == 2 or len(light) == len(normals)),
        f'Light must be 9×3 or {len(normals)}×9×3, and it is {tuple(light.shape)}.',
    )
    basis = sh_basis(torch.nn.functional.normalize(normals, dim=-1))
    return (
        albedo * (basis.flatten(1, -2) @ light).reshape(albedo.shape)
        if light.ndim == 3
        else albedo * (basis @ light)
    )
