"""Differential coordinates u = (I + λL) v as a differentiable torch parameterisation.

Paper 1 (main, supplement F): shapes are optimised in u, so that a gradient on one vertex spreads to
its neighbours and, along tetrahedral edges, to the cavity behind it. λ = 19 is Large Steps'
(Nicolet et al. 2021, eq. 10 with α = .95): surrogate, paper 1 gives none.

Solver: cholespy, the one kept Cholesky with CPU and CUDA. Measured on ICT's 14,062 vertices, 160
right-hand sides, 2 cores: float64 0.086 s to factor, 0.157 s to solve (scipy's SuperLU 0.042 s and
0.137 s, CPU alone).
"""

from __future__ import annotations

import numpy as np
import torch

from ..core.device import device as chosen_device

LAMBDA = 19.0
_CUDA_COLUMNS = 128  # right-hand sides a call that cholespy takes on CUDA


class _Solve(torch.autograd.Function):
    """x = M⁻¹ b; M is symmetric, so the backward pass is the same solve."""

    @staticmethod
    def forward(context, b, coordinates):
        context.coordinates = coordinates
        return coordinates._solve(b)

    @staticmethod
    def backward(context, gradient):
        return _Solve.apply(gradient, context.coordinates), None


class DifferentialCoordinates:
    """M = I + λL of a graph of n points, factored once.

    edges: E×2, of the surface and of tetrahedra (laplacian.edges_of)
    lam: λ
    dtype: of the tensors to come, float32 or float64
    device: of the tensors to come; None: the chosen one
    """

    def __init__(
        self,
        edges: np.ndarray,
        n: int,
        lam: float = LAMBDA,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device | None = None,
    ):
        from cholespy import CholeskySolverD, CholeskySolverF, MatrixType

        self.n, self.dtype, self.device = n, dtype, torch.device(device or chosen_device())
        edges = torch.as_tensor(np.ascontiguousarray(edges), dtype=torch.int64, device=self.device)
        i, j = torch.cat([edges[:, 0], edges[:, 1]]), torch.cat([edges[:, 1], edges[:, 0]])
        degree = torch.zeros(n, dtype=torch.float64, device=self.device).index_add_(
            0, i, torch.ones(len(i), dtype=torch.float64, device=self.device)
        )
        own = torch.arange(n, device=self.device)
        rows, columns = torch.cat([own, i]), torch.cat([own, j])
        values = torch.cat(
            [
                1 + lam * degree,
                torch.full((len(i),), -float(lam), dtype=torch.float64, device=self.device),
            ]
        )
        self._matrix = torch.sparse_coo_tensor(
            torch.stack([rows, columns]), values.to(dtype), (n, n), check_invariants=False
        ).coalesce()
        solver = {torch.float32: CholeskySolverF, torch.float64: CholeskySolverD}[dtype]
        self._solver = solver(
            n,
            rows.int().contiguous(),
            columns.int().contiguous(),
            values.contiguous(),
            MatrixType.COO,
        )

    def to_differential(self, v: torch.Tensor) -> torch.Tensor:
        """Return u of …×n×k v, of the same shape."""
        return self._unflatten(torch.sparse.mm(self._matrix, self._flatten(v)), v)

    def from_differential(self, u: torch.Tensor) -> torch.Tensor:
        """Return v of …×n×k u, all axes and columns solved together; differentiable (twice)."""
        return self._unflatten(_Solve.apply(self._flatten(u), self), u)

    def _flatten(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(-2, 0).reshape(self.n, -1)

    def _unflatten(self, flat: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return flat.reshape(self.n, *like.shape[:-2], like.shape[-1]).movedim(0, -2)

    def _solve(self, b: torch.Tensor) -> torch.Tensor:
        step = _CUDA_COLUMNS if b.is_cuda else max(b.shape[1], 1)
        out = []
        for columns in b.detach().split(step, 1):
            columns = columns.contiguous()
            x = torch.zeros_like(columns)
            self._solver.solve(columns, x)
            out.append(x)
        return torch.cat(out, 1)
