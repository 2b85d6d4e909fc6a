"""Normal equations over time: a few blocks wide, bordered by what all frames share."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..core.threads import map_in_threads
from ..evidence.parameters import Eliminated


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
    g = border.shape[2]
    right = torch.cat([rhs[..., None], border], 2)
    if _is_zero(upper) and (second is None or _is_zero(second)):
        solved = _solved_apart(diagonal, right)
    else:
        solved = _solved(diagonal, upper, second, right)
    if g == 0:
        return solved[..., 0], rhs_shared
    flat = border.reshape(count * m, g)
    inner = solved.reshape(count * m, g + 1)
    schur = corner - flat.T @ inner[:, 1:]
    if eliminated is not None:
        schur = schur - _taken_off(eliminated, inner[:, 1:])
    shared = torch.linalg.solve(schur, rhs_shared - flat.T @ inner[:, 0])
    return solved[..., 0] - solved[..., 1:] @ shared, shared


def _is_zero(blocks: torch.Tensor) -> bool:
    return float(blocks.abs().sum()) == 0


def _solved_apart(diagonal: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Solve K systems m×m that have nothing to do with one another: right and the result K×m×c."""
    return torch.cholesky_solve(right, torch.linalg.cholesky(diagonal))


class _Chain(NamedTuple):
    """Nodes in the order in which they are eliminated, and two more behind them.

    diagonal (n + 2)×m×m. rows (n + 2)×m×(m + r + c): what each has beside the next node, beside
    `columns` of the one after it, and on the right.
    """

    diagonal: torch.Tensor
    rows: torch.Tensor
    columns: slice

    @property
    def parts(self) -> tuple[slice, slice, slice]:
        """Where the rows have the next node, the one after it, and the right-hand side."""
        m = self.diagonal.shape[1]
        behind = m + self.columns.stop - self.columns.start
        return slice(0, m), slice(m, behind), slice(behind, None)


def _solved(
    diagonal: torch.Tensor,
    upper: torch.Tensor,
    second: torch.Tensor | None,
    right: torch.Tensor,
) -> torch.Tensor:
    """Solve a block-pentadiagonal system: right and the result K×m×c.

    Nodes are eliminated from both ends at once, each end in a thread, down to two in the middle.
    """
    count, m = diagonal.shape[:2]
    if count == 1:
        return _solved_apart(diagonal, right)
    columns = _coupled(second)
    if second is None:
        second = diagonal.new_zeros(max(count - 2, 0), m, m)
    middle = (count - 1) // 2
    early = _chain(diagonal, upper, second[..., columns], right, columns, middle)
    late = _chain(
        diagonal[middle:].flip(0),
        upper[middle:].flip(0).mT,
        second[middle:, columns].flip(0).mT,
        right[middle:].flip(0),
        columns,
        count - 2 - middle,
    )
    late.diagonal[-2:], late.rows[-2:] = 0, 0  # in the middle the early chain has them
    list(map_in_threads(_eliminate, (early, late)))

    behind = early.parts[2]
    near = early.rows[-2, :, :m] + late.rows[-2, :, :m].T
    first, last = early.diagonal[-2:] + late.diagonal[-2:].flip(0)
    block = torch.cat([torch.cat([first, near], 1), torch.cat([near.T, last], 1)])
    own = (early.rows[-2:, :, behind] + late.rows[-2:, :, behind].flip(0)).flatten(0, 1)
    between = torch.cholesky_solve(own, torch.linalg.cholesky(block)).unflatten(0, (2, m))

    ends = (early, between), (late, between.flip(0))
    first, last = map_in_threads(lambda end: _substituted(*end), ends)
    return torch.cat([first, between, last.flip(0)])


def _coupled(second: torch.Tensor | None) -> slice:
    """Find the unknowns of a node that lie beside any of the node two away, first to last."""
    if second is None or not len(second):
        return slice(0, 0)
    seen = second.abs().sum(0) > 0
    index = (seen.any(0) | seen.any(1)).nonzero()[:, 0]
    return slice(int(index[0]), int(index[-1]) + 1) if len(index) else slice(0, 0)


def _chain(
    diagonal: torch.Tensor,
    upper: torch.Tensor,
    second: torch.Tensor,
    right: torch.Tensor,
    columns: slice,
    count: int,
) -> _Chain:
    """Copy the first `count` nodes of a system and the two behind them.

    second: of the node two away `columns` alone, K×m×r
    """
    m = diagonal.shape[1]
    behind = m + columns.stop - columns.start
    rows = diagonal.new_zeros(count + 2, m, behind + right.shape[2])
    rows[: count + 1, :, :m] = upper[: count + 1]
    rows[:count, :, m:behind] = second[:count]
    rows[:, :, behind:] = right[: count + 2]
    return _Chain(diagonal[: count + 2].clone(), rows, columns)


def _eliminate(chain: _Chain) -> None:
    """Eliminate a chain's nodes but the last two, in place.

    Their blocks become Cholesky factors, and their rows are solved by these.
    """
    diagonal, rows, columns = chain
    near, far, behind = chain.parts
    for k in range(len(rows) - 2):
        diagonal[k] = torch.linalg.cholesky(diagonal[k])
        own = torch.linalg.solve_triangular(diagonal[k], rows[k], upper=False)
        rows[k] = own
        taken = own[:, near].T @ own
        diagonal[k + 1] -= taken[:, near]
        rows[k + 1, :, behind] -= taken[:, behind]
        if far.stop > far.start:
            rows[k + 1, :, columns] -= taken[:, far]
            taken = own[:, far].T @ own[:, far.start :]
            diagonal[k + 2, columns, columns] -= taken[:, : len(taken)]
            rows[k + 2, columns, behind] -= taken[:, len(taken) :]


def _substituted(chain: _Chain, between: torch.Tensor) -> torch.Tensor:
    """Solve an eliminated chain's n nodes, n×m×c; between: the two behind them, 2×m×c."""
    diagonal, rows, columns = chain
    near, far, behind = chain.parts
    out = rows[:-2, :, behind].contiguous()
    late, later = between
    for k in range(len(out) - 1, -1, -1):
        out[k].addmm_(rows[k, :, near], late, alpha=-1)
        if far.stop > far.start:
            out[k].addmm_(rows[k, :, far], later[columns], alpha=-1)
        out[k] = torch.linalg.solve_triangular(diagonal[k].T, out[k], upper=True)
        late, later = out[k], late
    return out


def _taken_off(eliminated: Eliminated, inner: torch.Tensor) -> torch.Tensor:
    """Find what eliminated unknowns take off the shared ones' Schur complement: G×G.

    Half of them in a thread each, always the same halves.

    inner (K·m)×G: the nodes' equations solved for the border: 0 where an unknown is held.
    """
    beside = eliminated.border.reshape(len(inner), -1)
    inner, half = inner.T.to(beside.dtype), beside.shape[1] // 2

    def taken_off(columns: slice) -> torch.Tensor:
        left = eliminated.corner[:, columns] - inner @ beside[:, columns]
        left /= eliminated.weight[columns].sqrt()
        return left @ left.T

    return sum(map_in_threads(taken_off, (slice(0, half), slice(half, None))))
