"""What is known of a head before it is seen: priors of weights, identity and lens, each a term."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..core.files import read_npz
from ..face_model.gaze import gaze_rotation
from ..geometry.rotations import so3_log
from .departures import DeparturePrior
from .expression_statistics import STATISTICS
from .options import TrackOptions
from .parameters import POSE, System
from .point_basis import DTYPE
from .state import State, Trajectory
from .term import Term

CLOSE_SIGMA = 0.05  # of a weight: how far mouthClose may exceed jawOpen
# Radians by which the two eyes' angles differ: sideways (6 cm apart, they meet at 40 cm), and up
# and down (where irises are seen errs by more than recorded eyes differ).
VERGENCE, EYES_LEVEL = 0.15, 0.05
FOCAL_WEIGHT = 10.0  # against keyframes × landmarks: a guess of the lens is worth ten pictures
HELD = (1e6, 1e4, 1e5)  # precision of an anchored node's rotation, translation and weights


@dataclass(frozen=True)
class ExpressionPrior(Term):
    """How expressions belong together.

    ½ wᵀ precision w at each node, an exact quadratic. precision: E×E.
    """

    precision: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        system.cost += float(self.energy(state))
        system.diagonal[:, POSE:, POSE:] += self.precision
        system.gradient[:, POSE:] += state.trajectory.weights @ self.precision

    def energy(self, state: State) -> torch.Tensor:
        w = state.trajectory.weights
        return 0.5 * (w * (w @ self.precision)).sum()


@lru_cache(maxsize=8)
def expression_prior(names: tuple[str, ...], options: TrackOptions) -> DeparturePrior:
    """Make the prior of named expressions.

    A Gaussian of how they occur together (lab/measure_statistics.py), softened, and departures
    from it.

    The mean is only partly believed: a performer's rest should come out as weights near zero.
    """
    data = read_npz(STATISTICS, 'table of expression statistics')
    index = {str(n): i for i, n in enumerate(data['names'])}
    order = [index[n] for n in names]
    covariance = data['covariance'].astype(np.float64)[np.ix_(order, order)]
    widen = np.array([options.lid_range if n.startswith('eyeBlink') else 1.0 for n in names])
    covariance *= widen[:, None] * widen
    covariance = (
        (1 - options.decorrelate) * covariance
        + options.decorrelate * np.diag(np.diag(covariance))
        + options.statistics_floor**2 * np.eye(len(names))
    )
    mean = torch.as_tensor(data['mean'].astype(np.float64)[order]) * options.statistics_mean
    return DeparturePrior(torch.as_tensor(covariance) / options.statistics, mean, options.departure)


@lru_cache(maxsize=8)
def gaze_prior(names: tuple[str, ...]) -> ExpressionPrior:
    """Make the prior that both eyes look at one point: their angles differ by little.

    What eyes that squint (strabismus) show overrules it.
    """
    rows = torch.zeros(2, len(names), dtype=DTYPE)
    for e, name in enumerate(names):
        if name.startswith('eyeLook'):
            turned = gaze_rotation(name)[:, 2]  # where an eye that looked to the front now looks
            side = 1 if name.endswith('_L') else -1
            rows[0, e] = side * np.arctan2(turned[0], turned[2]) / VERGENCE
            rows[1, e] = side * np.arcsin(turned[1]) / EYES_LEVEL
    return ExpressionPrior(rows.T @ rows)


@dataclass(frozen=True)
class MouthCloseCoupling(Term):
    """mouthClose corrects jawOpen: it may not exceed it.

    ½ (max(w_close − w_open, 0) / CLOSE_SIGMA)², exact on either side of its kink.

    mouth_close, jaw_open: which weights they are.
    """

    mouth_close: int
    jaw_open: int

    def linearise(self, state: State, system: System) -> None:
        excess = self._excess(state)
        on = (excess > 0).to(DTYPE) / CLOSE_SIGMA**2
        a, b = POSE + self.mouth_close, POSE + self.jaw_open
        system.cost += float(self.energy(state))
        for i, j, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            system.diagonal[:, i, j] += sign * on
        system.gradient[:, a] += excess / CLOSE_SIGMA
        system.gradient[:, b] -= excess / CLOSE_SIGMA

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * (self._excess(state) ** 2).sum()

    def _excess(self, state: State) -> torch.Tensor:
        w = state.trajectory.weights
        return (w[:, self.mouth_close] - w[:, self.jaw_open]).clamp_min(0) / CLOSE_SIGMA


@dataclass(frozen=True)
class NeutralPrior(Term):
    """That a node's weights are zero: ½ precision |w|², an exact quadratic."""

    node: int
    precision: float

    def linearise(self, state: State, system: System) -> None:
        w, k = state.trajectory.weights, self.node
        system.cost += float(self.energy(state))
        system.diagonal[k, POSE:, POSE:] += self.precision * torch.eye(w.shape[1], dtype=DTYPE)
        system.gradient[k, POSE:] += self.precision * w[k]

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * self.precision * (state.trajectory.weights[self.node] ** 2).sum()


@dataclass(frozen=True)
class AnchorPrior(Term):
    """That the first nodes stay where an earlier window left them.

    ½ Σ precision·gap², the precision HELD.
    The gap of a rotation is log(R Rₐᵀ). Its gradient is exact (a rotation's three precisions are
    equal); its curvature takes the derivative of the logarithm for the identity.
    """

    anchor: Trajectory

    def linearise(self, state: State, system: System) -> None:
        gap, precision, k = self._gap(state), self._precision(), len(self.anchor.weights)
        system.cost += float(self.energy(state))
        system.diagonal[:k] += torch.diag(precision)
        system.gradient[:k] += precision * gap

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * (self._precision() * self._gap(state) ** 2).sum()

    def _precision(self) -> torch.Tensor:
        sizes = (3, 3, self.anchor.weights.shape[1])
        return torch.cat([torch.full((n,), p, dtype=DTYPE) for n, p in zip(sizes, HELD)])

    def _gap(self, state: State) -> torch.Tensor:
        now, then, k = state.trajectory, self.anchor, len(self.anchor.weights)
        return torch.cat(
            [
                so3_log(now.rotation[:k] @ then.rotation.transpose(1, 2)),
                now.translation[:k] - then.translation,
                now.weights[:k] - then.weights,
            ],
            1,
        )


@dataclass(frozen=True)
class IdentityPrior(Term):
    """That identity coefficients are normally distributed.

    ½ precision |identity|², an exact quadratic.
    """

    precision: float

    def linearise(self, state: State, system: System) -> None:
        ids = system.parameters.identities
        system.cost += float(self.energy(state))
        system.corner[:ids, :ids] += self.precision * torch.eye(ids, dtype=DTYPE)
        system.gradient_shared[:ids] += self.precision * state.shared.identity

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * self.precision * (state.shared.identity**2).sum()


def identity_weight(options: TrackOptions, pictures: int) -> float:
    """Weigh identity's prior against the landmarks of some pictures, which add up.

    Pictures of one person share much of their error, so that K of them are worth
    K / (1 + (K − 1) shared_error) independent ones: that much more the prior counts.
    """
    return min(1 + (pictures - 1) * options.shared_error, options.identity_weight)


@dataclass(frozen=True)
class FocalPrior(Term):
    """That a lens is about as long as guessed.

    ½ FOCAL_WEIGHT ((log focal − mean) / sigma)², an exact quadratic.

    mean V; sigma V: of the logarithm.
    """

    mean: torch.Tensor
    sigma: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        rows = system.parameters.focal_rows
        system.cost += float(self.energy(state))
        system.corner[rows, rows] += FOCAL_WEIGHT / self.sigma**2
        system.gradient_shared[rows] += FOCAL_WEIGHT * self._gap(state)

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * FOCAL_WEIGHT * (self._gap(state) * (state.shared.log_focal - self.mean)).sum()

    def _gap(self, state: State) -> torch.Tensor:
        return (state.shared.log_focal - self.mean) / self.sigma**2
