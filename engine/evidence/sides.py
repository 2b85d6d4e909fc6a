"""That both sides of a mouth do alike, which what is seen overrules: smirks are rare, but whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .parameters import POSE, System
from .state import State
from .term import Term

# Expressions whose two sides nearly always go together in recorded performances: their difference's
# root mean square is .00 to .08 in three recordings. Not lids and brows: winks are seen as such,
# and one raised brow is no rarer than two.
ALIKE = ('cheek', 'mouth', 'noseSneer')


def side_pairs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Index the left and right expressions of the mouth and what lies round it."""
    index = {name: i for i, name in enumerate(names)}
    lefts = [name for name in names if name.startswith(ALIKE) and name.endswith('_L')]
    return [(index[n], index[f'{n[:-1]}R']) for n in lefts if f'{n[:-1]}R' in index]


@dataclass(frozen=True)
class SidesPrior(Term):
    """That two sides' weights differ by little: Σ log(1 + (w_left − w_right)²/spread²) at a node.

    A Cauchy distribution: a small difference, as of noise, is drawn together, a large one that the
    picture shows is hardly held back. Its curvature is that of the robust weights frozen; its
    gradient is exact.

    pairs P×2: left and right. spread: of the difference, half of which lie within it.
    """

    pairs: torch.Tensor
    spread: float

    def linearise(self, state: State, system: System) -> None:
        difference = self._difference(state)
        precision = 2 / (self.spread**2 + difference**2)
        system.cost += float(self.energy(state))
        left, right = POSE + self.pairs.T
        for i, j, sign in (
            (left, left, 1),
            (right, right, 1),
            (left, right, -1),
            (right, left, -1),
        ):
            system.diagonal[:, i, j] += sign * precision
        system.gradient[:, left] += precision * difference
        system.gradient[:, right] -= precision * difference

    def energy(self, state: State) -> torch.Tensor:
        return torch.log1p((self._difference(state) / self.spread) ** 2).sum()

    def _difference(self, state: State) -> torch.Tensor:
        w = state.trajectory.weights
        return w[:, self.pairs[:, 0]] - w[:, self.pairs[:, 1]]
