"""The bordered solves, block-tridiagonal and block-pentadiagonal, against a dense one."""

import pytest
import torch

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
