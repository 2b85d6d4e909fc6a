"""That expressions occur together as recorded, and that any of them may depart from it at a price.

A recording says little of what its performer never did: a mouth pushed to the side is as rare in it
as noise, and a Gaussian would take it for that however plainly a picture shows it. What a face does
is taken as what the recording's Gaussian says plus departures, few and large (Laplace): near the
mean as before, far from it no expression is pulled back by more than a price a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from .parameters import POSE, System
from .point_basis import DTYPE
from .state import State
from .term import Term

PASSES = 12  # of finding which expressions depart
INSIDE = 1e-9  # of the price: a pull so little above it is rounding


@dataclass(frozen=True)
class DeparturePrior(Term):
    """Expressions near a Gaussian, with departures u from it: at each node

    min over u of ½ (d − u)ᵀ C⁻¹ (d − u) + price |u|₁, where d = w − mean.

    Its dual is max xᵀd − ½ xᵀ C x with every |x| ≤ price: x is the gradient. Found by a primal-dual
    active set (Hintermüller, Ito & Kunisch 2002). The curvature is that of the departures' own
    variances frozen, (C + diag |u|/price)⁻¹: it lies above the energy.

    covariance: E×E. mean: E. price: per unit of a weight.
    """

    covariance: torch.Tensor
    mean: torch.Tensor
    price: float

    def linearise(self, state: State, system: System) -> None:
        deviation = state.trajectory.weights - self.mean
        pull = self._pull(deviation)
        system.cost += float(self._energy(deviation, pull))
        system.gradient[:, POSE:] += pull
        departure = deviation - pull @ self.covariance
        variance = torch.where(pull.abs() < self.price, 0.0, departure.abs() / self.price)
        departs = variance.amax(1) > 0
        curvature = self._precision.expand(len(pull), -1, -1).clone()
        wider = self.covariance + torch.diag_embed(variance[departs])
        curvature[departs] = torch.cholesky_inverse(torch.linalg.cholesky(wider))
        system.diagonal[:, POSE:, POSE:] += curvature

    def energy(self, state: State) -> torch.Tensor:
        deviation = state.trajectory.weights - self.mean
        return self._energy(deviation, self._pull(deviation.detach()))

    @cached_property
    def _precision(self) -> torch.Tensor:
        return torch.cholesky_inverse(torch.linalg.cholesky(self.covariance))

    def _energy(self, deviation: torch.Tensor, pull: torch.Tensor) -> torch.Tensor:
        return (pull * deviation).sum() - 0.5 * (pull * (pull @ self.covariance)).sum()

    def _pull(self, deviation: torch.Tensor) -> torch.Tensor:
        """Find the gradient at K×E deviations from the mean: within the price, K×E."""
        most = self.price
        pull = deviation @ self._precision
        far = (pull.abs() > most * (1 + INSIDE)).any(1).nonzero()[:, 0]
        if not len(far):
            return pull
        wanted, x = deviation[far], pull[far]
        held = torch.where(x.abs() > most, x.sign(), 0.0)
        for _ in range(PASSES):
            x = self._with_held(wanted, held)
            left = (wanted - x @ self.covariance) * held  # a departure has its pull's sign
            now = torch.where((held != 0) & (left > 0), held, 0.0)
            now = torch.where((held == 0) & (x.abs() > most * (1 + INSIDE)), x.sign(), now)
            if bool((now == held).all()):
                break
            held = now
        pull[far] = x.clamp(-most, most)
        return pull

    def _with_held(self, deviation: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
        """Solve for the pulls that are not held at the price. held: n×E in −1, 0, 1."""
        free = (held == 0).to(DTYPE)
        at = held * self.price
        right = (deviation - at @ self.covariance) * free + at
        square = self.covariance * free[:, :, None] * free[:, None, :] + torch.diag_embed(1 - free)
        return torch.linalg.solve(square, right)
