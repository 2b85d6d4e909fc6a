"""That a face does little at once: small weights rest; and which expressions are opposed.

The term is concave in the weights, so its linearisation lies above it: Gauss-Newton steps that take
its gradient and no curvature are the reweighting of Candès, Wakin & Boyd 2008, "Enhancing sparsity
by reweighted l1 minimization", one reweighting a step, and lower the cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .parameters import POSE, System
from .state import State
from .term import Term

# Expressions that move the same skin opposite ways, of one side where they have sides. None of
# them is above .05 beside its opposite in the recorded performances of the captures, eyeSquint
# beside eyeWide excepted. Not mouthPucker and mouthStretch, nor browInnerUp and browDown: speech
# and sorrow have both at once.
OPPOSED = (
    ('jawLeft', 'jawRight'),
    ('mouthLeft', 'mouthRight'),
    *(
        (f'{one}_{side}', f'{other}_{side}')
        for one, other in (
            ('browDown', 'browOuterUp'),
            ('eyeBlink', 'eyeWide'),
            ('eyeLookIn', 'eyeLookOut'),
            ('eyeLookUp', 'eyeLookDown'),
            ('eyeSquint', 'eyeWide'),
            ('mouthSmile', 'mouthFrown'),
        )
        for side in 'LR'
    ),
)


def opposed_pairs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Index the opposed pairs of which both are among the names."""
    index = {name: i for i, name in enumerate(names)}
    return [(index[a], index[b]) for a, b in OPPOSED if a in index and b in index]


@dataclass(frozen=True)
class SparsePrior(Term):
    """That most weights are zero: Σ slope·scale·log(1 + w/scale) at each node.

    Near zero an L1 prior of that slope; a weight far above the scale is hardly held back.

    slope: per unit. scale: of a weight.
    """

    slope: float
    scale: float

    def linearise(self, state: State, system: System) -> None:
        system.cost += float(self.energy(state))
        system.gradient[:, POSE:] += self.slope / (1 + state.trajectory.weights / self.scale)

    def energy(self, state: State) -> torch.Tensor:
        return self.slope * self.scale * torch.log1p(state.trajectory.weights / self.scale).sum()
