"""Solving the normal equations of motion over time: block-tridiagonal in the frames, bordered by what all frames share."""
from __future__ import annotations

import torch


def solve_arrow(diagonal: torch.Tensor, upper: torch.Tensor, border: torch.Tensor, corner: torch.Tensor,
                rhs: torch.Tensor, rhs_shared: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve [[A, B], [Bᵀ, C]] [x, y] = [b, c], A symmetric positive definite and block-tridiagonal.

    diagonal K×m×m, upper (K−1)×m×m (block k, k+1), border K×m×G, corner G×G, rhs K×m, rhs_shared G.
    Returns x K×m, y G. Block Cholesky over time, then the Schur complement of the shared unknowns: O(K·m³ + K·m²·G).
    """
    count, m = rhs.shape
    g = border.shape[2]
    right = torch.cat([rhs[..., None], border], 2).clone()
    factors, carried = [], []
    for k in range(count):
        block = diagonal[k]
        if k:
            block = block - upper[k - 1].T @ carried[-1]
            right[k] -= carried[-1].T @ right[k - 1]
        factor = torch.linalg.cholesky(block)
        factors.append(factor)
        if k < count - 1:
            carried.append(torch.cholesky_solve(upper[k], factor))
    solved = torch.empty_like(right)
    for k in range(count - 1, -1, -1):
        solved[k] = torch.cholesky_solve(right[k], factors[k])
        if k < count - 1:
            solved[k] -= carried[k] @ solved[k + 1]
    if g == 0:
        return solved[..., 0], rhs_shared
    flat = border.reshape(count * m, g)
    inner = solved.reshape(count * m, g + 1)
    schur = corner - flat.T @ inner[:, 1:]
    shared = torch.linalg.solve(schur, rhs_shared - flat.T @ inner[:, 0])
    return solved[..., 0] - solved[..., 1:] @ shared, shared
