"""What the detector's landmarks say of a head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from .halves import chunks, linearise_halves
from .parameters import System
from .pixel_derivatives import Blocks, pixel_derivatives
from .point_basis import SINGLE
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
        self.basis.products(SINGLE)  # made once, before two threads ask for them
        count = len(self.observed.node)
        linearise_halves(lambda frames, own: self._linearise(state, frames, own), count, system)

    def _linearise(self, state: State, frames: slice, system: System) -> None:
        """Linearise what some frames say."""
        cost, blocks = 0.0, Blocks(system, self.basis, SINGLE)
        for rows in chunks(frames, CHUNK):
            seen = pixel_derivatives(system, self.basis, state, self.observed, self.view, rows)
            residual = self._residual(seen.pixels, rows)
            square = (residual**2).sum(2) / self.scale**2
            cost += float(self._cost(square))
            weight = (self.weight / (1 + square))[..., None]
            half = self.observed.sqrt_information[rows]
            slope = torch.einsum('nlji,nlj->nli', half, residual) * weight
            blocks.add(seen, self.information[rows] * weight[..., None], slope)
        blocks.finish()
        system.cost += cost

    def energy(self, state: State) -> torch.Tensor:
        cost = state.trajectory.weights.new_zeros(())
        for rows in chunks(slice(0, len(self.observed.node)), CHUNK):
            pixels = project_landmarks(self.basis, *state, self.observed, self.view, rows)
            square = (self._residual(pixels, rows) ** 2).sum(2) / self.scale**2
            cost = cost + self._cost(square)
        return cost

    @cached_property
    def information(self) -> torch.Tensor:
        """The landmarks' inverse covariance, n×L×2×2."""
        half = self.observed.sqrt_information
        return half.mT @ half

    def _residual(self, pixels: torch.Tensor, rows: slice) -> torch.Tensor:
        """Give n×L×2 in units of noise."""
        gap = pixels - self.observed.pixels[rows]
        return torch.einsum('nlij,nlj->nli', self.observed.sqrt_information[rows], gap)

    def _cost(self, square: torch.Tensor) -> torch.Tensor:
        return 0.5 * self.weight * self.scale**2 * torch.log1p(square).sum()
