"""What the detector's landmarks say of a head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from .parameters import System
from .pixel_derivatives import add_blocks, pixel_derivatives
from .state import PointBasis, State, ViewLandmarks, project_landmarks
from .term import Term

CHUNK = 24  # frames linearised at once: bounds memory


@dataclass(frozen=True)
class LandmarkTerm(Term):
    """One view's landmarks, by Cauchy's loss.

    ½ weight·scale² Σ log(1 + |r|²/scale²), r the residual in units of noise.

    Its curvature is JᵀWJ with the robust weights W = weight / (1 + |r|²/scale²) frozen
    (iteratively reweighted least squares): the second derivatives of projection and of the loss
    are left out. Its gradient is exact.

    weight: what a landmark's square counts. scale: the loss's, in units of noise.
    """

    basis: PointBasis
    observed: ViewLandmarks
    view: int
    weight: float
    scale: float

    def linearise(self, state: State, system: System) -> None:
        cost = 0.0
        for rows in self._chunks():
            derivatives = pixel_derivatives(
                system.parameters, self.basis, state, self.observed, self.view, rows
            )
            residual = self._residual(derivatives.pixels, rows)
            square = (residual**2).sum(2) / self.scale**2
            cost += float(self._cost(square))
            root = torch.sqrt(self.weight / (1 + square))[..., None]
            half = self.observed.sqrt_information[rows] * root[..., None]
            add_blocks(system, derivatives, half.__matmul__, (residual * root).flatten(1))
        system.cost += cost

    def energy(self, state: State) -> torch.Tensor:
        cost = state.trajectory.weights.new_zeros(())
        for rows in self._chunks():
            pixels = project_landmarks(self.basis, *state, self.observed, self.view, rows)
            square = (self._residual(pixels, rows) ** 2).sum(2) / self.scale**2
            cost = cost + self._cost(square)
        return cost

    def _chunks(self) -> Iterator[slice]:
        return (slice(k, k + CHUNK) for k in range(0, len(self.observed.node), CHUNK))

    def _residual(self, pixels: torch.Tensor, rows: slice) -> torch.Tensor:
        """Give n×L×2 in units of noise."""
        gap = pixels - self.observed.pixels[rows]
        return torch.einsum('nlij,nlj->nli', self.observed.sqrt_information[rows], gap)

    def _cost(self, square: torch.Tensor) -> torch.Tensor:
        return 0.5 * self.weight * self.scale**2 * torch.log1p(square).sum()
