"""The bordered solves, block-tridiagonal and block-pentadiagonal, against a dense one."""

import pytest
import torch

from facewright.engine.evidence.parameters import Eliminated
from facewright.engine.tracking.arrow import solve_arrow


@pytest.mark.parametrize('reach', [1, 2])
@pytest.mark.parametrize('count,m,g', [(1, 4, 0), (1, 4, 3), (2, 3, 2), (7, 5, 4), (9, 6, 0)])
def test_equals_dense_solve(count, m, g, reach):
    rng = torch.Generator().manual_seed(count * 100 + g)
    size = count * m + g
    rows = torch.zeros(6 * size, size, dtype=torch.float64)
    for i in range(len(rows)):  # random rows that touch neighbouring blocks and the shared unknowns
        k = i % count
        span = slice(k * m, min(k + 1 + reach, count) * m)
        rows[i, span] = torch.randn(span.stop - span.start, generator=rng, dtype=torch.float64)
        rows[i, count * m :] = torch.randn(g, generator=rng, dtype=torch.float64)
    dense = rows.T @ rows + torch.eye(size, dtype=torch.float64)
    b = torch.randn(size, generator=rng, dtype=torch.float64)

    def block(i, j):
        return dense[i * m : (i + 1) * m, j * m : (j + 1) * m]

    def off(n):
        blocks = [block(k, k + n) for k in range(count - n)]
        return torch.stack(blocks) if blocks else torch.zeros(0, m, m, dtype=torch.float64)

    x, y = solve_arrow(
        torch.stack([block(k, k) for k in range(count)]),
        off(1),
        dense[: count * m, count * m :].reshape(count, m, g),
        dense[count * m :, count * m :],
        b[: count * m].reshape(count, m),
        b[count * m :],
        off(2) if reach == 2 else None,
    )
    expected = torch.linalg.solve(dense, b)
    torch.testing.assert_close(torch.cat([x.reshape(-1), y]), expected, rtol=1e-8, atol=1e-8)


def test_eliminated_unknowns_beside_shared_ones_alone_are_solved_for_exactly():
    """[[A, B, 0], [Bᵀ, C, U], [0, Uᵀ, W]], W diagonal; nodes do not touch what is eliminated."""
    rng = torch.Generator().manual_seed(3)
    count, m, g, n = 5, 3, 4, 6
    size = count * m + g + n

    def random(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    diagonal = torch.eye(m, dtype=torch.float64) * 9 + 0.1 * random(count, m, m)
    diagonal = (diagonal + diagonal.mT) / 2
    upper, border, beside = 0.3 * random(count - 1, m, m), random(count, m, g), random(g, n)
    corner, weight = torch.eye(g, dtype=torch.float64) * 30, torch.rand(n, generator=rng) + 3
    weight = weight.to(torch.float64)
    dense = torch.zeros(size, size, dtype=torch.float64)
    for k in range(count):
        rows = slice(k * m, k * m + m)
        dense[rows, rows] = diagonal[k]
        dense[rows, count * m : count * m + g] = border[k]
        dense[count * m : count * m + g, rows] = border[k].T
        if k < count - 1:
            after = slice(k * m + m, k * m + 2 * m)
            dense[rows, after], dense[after, rows] = upper[k], upper[k].T
    shared, free = slice(count * m, count * m + g), slice(count * m + g, size)
    dense[shared, shared], dense[free, free] = corner, torch.diag(weight)
    dense[shared, free], dense[free, shared] = beside, beside.T
    b = torch.cat([random(count * m + g), torch.zeros(n, dtype=torch.float64)])
    expected = torch.linalg.solve(dense, b)
    for second in (None, torch.zeros(count - 2, m, m, dtype=torch.float64)):
        x, y = solve_arrow(
            diagonal,
            upper,
            border,
            corner,
            b[: count * m].reshape(count, m),
            b[shared],
            second,
            Eliminated(torch.zeros(count, m, n), beside, weight),
        )
        torch.testing.assert_close(torch.cat([x.reshape(-1), y]), expected[: count * m + g])


def test_few_unknowns_beside_those_of_the_node_two_away():
    """As a prior of one coordinate's acceleration has them; solved twice, it is the same."""
    rng = torch.Generator().manual_seed(5)
    count, m = 12, 6
    dense = torch.zeros(count * m, count * m, dtype=torch.float64)
    for k in range(count):
        rows = torch.randn(2 * m, m, generator=rng, dtype=torch.float64)
        own = slice(k * m, k * m + m)
        dense[own, own] += rows.T @ rows + torch.eye(m)
        if k < count - 2:
            at = [k * m + 2, (k + 1) * m + 3, (k + 2) * m + 3]
            along = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
            dense[torch.tensor(at)[:, None], torch.tensor(at)] += 9 * torch.outer(along, along)
    b = torch.randn(count, m, generator=rng, dtype=torch.float64)
    blocks = dense.reshape(count, m, count, m).transpose(1, 2)

    def solved():
        return solve_arrow(
            blocks.diagonal(dim1=0, dim2=1).permute(2, 0, 1).contiguous(),
            torch.stack([blocks[k, k + 1] for k in range(count - 1)]),
            torch.zeros(count, m, 0, dtype=torch.float64),
            torch.zeros(0, 0, dtype=torch.float64),
            b,
            torch.zeros(0, dtype=torch.float64),
            torch.stack([blocks[k, k + 2] for k in range(count - 2)]),
        )[0]

    x = solved()
    torch.testing.assert_close(x.flatten(), torch.linalg.solve(dense, b.flatten()))
    assert torch.equal(x, solved())
