"""Normal equations over time: block-tridiagonal, bordered by what all frames share."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..evidence.parameters import LEAST_WEIGHT, Eliminated


def solve_arrow(
    diagonal: torch.Tensor,
    upper: torch.Tensor,
    border: torch.Tensor,
    corner: torch.Tensor,
    rhs: torch.Tensor,
    rhs_shared: torch.Tensor,
    second: torch.Tensor | None = None,
    eliminated: Eliminated | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve [[A, B], [Bᵀ, C]] [x, y] = [b, c].

    A is symmetric positive definite and block-tridiagonal, or block-pentadiagonal.

    diagonal K×m×m, upper (K−1)×m×m (block k, k+1), second (K−2)×m×m (block k, k+2) or None, border
    K×m×G, corner G×G, rhs K×m, rhs_shared G. Returns x K×m, y G. Block Cholesky over time, then
    the Schur complement of the shared unknowns: O(K·m³ + K·m²·G).

    eliminated: what further unknowns take off the shared ones' Schur complement, their own taken
    as if the nodes were held: the step is that of a matrix a little stiffer than the true one.
    """
    count, m = rhs.shape
    if second is not None and count > 2:
        x, y = solve_arrow(
            *_in_pairs(diagonal, upper, second, border),
            corner,
            _padded(rhs).reshape(-1, 2 * m),
            rhs_shared,
            eliminated=eliminated and _eliminated_in_pairs(eliminated),
        )
        return x.reshape(-1, m)[:count], y
    g = border.shape[2]
    right = torch.cat([rhs[..., None], border], 2)
    solved = _solved_apart(diagonal, right) if not upper.any() else _solved(diagonal, upper, right)
    if g == 0:
        return solved[..., 0], rhs_shared
    flat = border.reshape(count * m, g)
    inner = solved.reshape(count * m, g + 1)
    schur = corner - flat.T @ inner[:, 1:]
    if eliminated is not None:
        schur = schur - _taken_off(eliminated, inner[:, 1:])
    shared = torch.linalg.solve(schur, rhs_shared - flat.T @ inner[:, 0])
    return solved[..., 0] - solved[..., 1:] @ shared, shared


def _solved_apart(diagonal: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Solve K systems m×m that have nothing to do with one another: right and the result K×m×c."""
    return torch.cholesky_solve(right, torch.linalg.cholesky(diagonal))


def _solved(diagonal: torch.Tensor, upper: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Solve a block-tridiagonal system: right and the result K×m×c."""
    count, columns = len(diagonal), right.shape[2]
    factors, carried, solved = [], [], []
    for k in range(count):
        block, own = diagonal[k], right[k]
        if k:
            last = carried[-1]
            block = torch.addmm(block, last.T, last, alpha=-1)
            own = torch.addmm(own, last.T, solved[-1], alpha=-1)
        factors.append(torch.linalg.cholesky(block))
        if k < count - 1:
            own = torch.cat([own, upper[k]], 1)
        half = torch.linalg.solve_triangular(factors[-1], own, upper=False)
        solved.append(half[:, :columns])
        carried.append(half[:, columns:])
    for k in range(count - 1, -1, -1):
        if k < count - 1:
            solved[k] = torch.addmm(solved[k], carried[k], solved[k + 1], alpha=-1)
        solved[k] = torch.linalg.solve_triangular(factors[k].T, solved[k], upper=True)
    return torch.stack(solved)


def _taken_off(eliminated: Eliminated, inner: torch.Tensor) -> torch.Tensor:
    """Find what eliminated unknowns take off the shared ones' Schur complement: G×G.

    inner (K·m)×G: the nodes' equations solved for the border.
    """
    beside = eliminated.border.reshape(len(inner), -1)
    left = eliminated.corner - (inner.T.to(beside.dtype) @ beside).to(inner.dtype)
    free = eliminated.weight > LEAST_WEIGHT
    left = left[:, free] / eliminated.weight[free].sqrt()
    return left @ left.T


def _padded(a: torch.Tensor) -> torch.Tensor:
    """An even number of rows: zeros after an odd one's last."""
    return torch.cat([a, torch.zeros_like(a[: len(a) % 2])])


def _eliminated_in_pairs(eliminated: Eliminated) -> Eliminated:
    border = _padded(eliminated.border)
    return replace(eliminated, border=border.reshape(len(border) // 2, -1, border.shape[2]))


def _in_pairs(
    diagonal: torch.Tensor, upper: torch.Tensor, second: torch.Tensor, border: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Make a block-pentadiagonal system a block-tridiagonal one of blocks twice as large.

    What pads an odd one is the identity.
    """
    count, m = diagonal.shape[:2]
    pairs = (count + 1) // 2
    wide, up, far = (
        torch.cat([a, a.new_zeros(2 * pairs - len(a), m, m)]) for a in (diagonal, upper, second)
    )
    wide[count:] = torch.eye(m, dtype=diagonal.dtype, device=diagonal.device)
    block = torch.cat(
        [torch.cat([wide[::2], up[::2]], 2), torch.cat([up[::2].mT, wide[1::2]], 2)], 1
    )
    above = torch.cat(
        [torch.cat([far[::2], torch.zeros_like(far[::2])], 2), torch.cat([up[1::2], far[1::2]], 2)],
        1,
    )
    return block, above[:-1], _padded(border).reshape(pairs, 2 * m, -1)
