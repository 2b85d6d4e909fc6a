"""What a head's surface is likely to be, beside what pictures say: near Standard's, and smooth."""

from __future__ import annotations

import numpy as np
import torch
from cholespy import CholeskySolverD, MatrixType  # pyright: ignore[reportAttributeAccessIssue]
from scipy import sparse

from ..geometry.laplacian import cotangent_laplacian, mass
from .options import PersonalOptions

LEAST_AREA = 1e-3  # cm²: a vertex's share of the surface at least


def surface_prior(
    vertices: np.ndarray, triangles: np.ndarray, options: PersonalOptions
) -> sparse.csr_matrix:
    """Build the S×S precision, cm⁻², of each axis of displacements of a surface's vertices.

    ∫|∇Δd|² of the third derivatives, and ∫|d|²: bends of several centimetres are cheap, and lumps
    of one are dear, by the sixth power of their number (a thin plate's fourth lets lumps through
    that no skin has, at bends' cost that held noses back).

    vertices: S×3 cm; triangles: T×3
    """
    area = np.maximum(mass(vertices, triangles), LEAST_AREA)
    laplacian = cotangent_laplacian(vertices, triangles)
    wave = 2 * np.pi / options.bend_length
    bending = 1 / (options.bend**2 * wave**6 * options.bend_length**2)
    shifting = 1 / (options.shift**2 * options.shift_length**2)
    each = sparse.diags(1 / area)
    third = laplacian @ each @ laplacian @ each @ laplacian
    return (bending * third + shifting * sparse.diags(area)).tocsr()


def most_likely(
    stiffness: np.ndarray, force: np.ndarray, prior: sparse.csr_matrix, before: np.ndarray
) -> np.ndarray:
    """Find the displacements S×3 that pictures and prior together make likeliest.

    stiffness: S×3×3; force: S×3, the flow's at the displacements `before`, S×3
    """
    count = len(force)
    own = sparse.bsr_matrix((stiffness, np.arange(count), np.arange(count + 1)))
    matrix = (sparse.kron(prior, sparse.eye(3)) + own).tocoo()
    target = force + (stiffness @ before[..., None])[..., 0]
    solver = CholeskySolverD(
        3 * count,
        torch.from_numpy(matrix.row.astype(np.int32)),
        torch.from_numpy(matrix.col.astype(np.int32)),
        torch.from_numpy(matrix.data),
        MatrixType.COO,
    )
    found = torch.zeros(3 * count, 1, dtype=torch.float64)
    solver.solve(torch.from_numpy(target.reshape(-1, 1)), found)
    return found.numpy().reshape(-1, 3)
