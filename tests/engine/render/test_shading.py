"""Spherical harmonics."""

import numpy as np
import pytest
import torch

from facewright.engine.core.errors import FacewrightError
from facewright.engine.render.shading import sh_basis, shade


def test_the_nine_functions_are_orthonormal_on_the_sphere():
    heights, weights = np.polynomial.legendre.leggauss(8)
    around = 2 * np.pi * np.arange(16) / 16
    ring = np.sqrt(1 - heights**2)[:, None]
    normals = np.stack(
        [ring * np.cos(around), ring * np.sin(around), heights[:, None] + 0 * around], -1
    ).reshape(-1, 3)
    basis = sh_basis(torch.tensor(normals)).numpy()
    np.testing.assert_allclose(
        np.einsum('n,ni,nj->ij', np.repeat(weights, 16) * 2 * np.pi / 16, basis, basis),
        np.eye(9),
        atol=1e-7,
    )


def test_gradients():
    rng = torch.Generator().manual_seed(0)
    albedo, normals, light = (
        torch.rand(shape, generator=rng, dtype=torch.float64).requires_grad_()
        for shape in ((2, 3, 4, 3), (2, 3, 4, 3), (2, 9, 3))
    )
    assert torch.autograd.gradcheck(shade, (albedo, normals, light))
    assert torch.autograd.gradcheck(shade, (albedo, normals, light[0]))


def test_a_light_from_above_lights_what_faces_up_and_an_even_one_everything():
    normals = torch.tensor([[[0, 1.0, 0], [0, -1, 0], [3, 0, 0], [0, 0, 0]]])
    albedo, light = torch.full((1, 4, 3), 0.5), torch.zeros(9, 3)
    light[0] = 1 / 0.28209479
    assert torch.allclose(shade(albedo, normals, light), albedo)
    light[1] = 0.5 / 0.48860251
    assert torch.allclose(
        shade(albedo, normals, light)[0, :, 0], torch.tensor([0.75, 0.25, 0.5, 0.5])
    )
    assert torch.equal(
        shade(albedo.repeat(2, 1, 1), normals.repeat(2, 1, 1), torch.stack([light, 2 * light]))[1],
        2 * shade(albedo, normals, light)[0],
    )
    with pytest.raises(FacewrightError):
        shade(albedo, normals, light[:4])
