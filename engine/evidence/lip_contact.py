"""That lips meet where they are seen to, and do not cross: evidence and geometry in one term.

The detector's inner lips tell well whether a mouth is shut: over the frames of 23 real clips and
three rendered captures the distance of its middle pair either lies below 1 % of the face's RMS
radius (its standard deviation there 0.3 %) or, with a valley between, above 2 %. Where they touch
the model's lips meet: each section of the upper lip comes down to the lower one's
(face_model/lip_sections.py). The neutral's lips are sealed when the fit is done (seal_lips), so
the weights alone are asked for it, after the fit (tracking/lip_sealing.py): asked while a head is
fitted, all that moves lips was bent to it (Standard, captures/dev3: weights' correlation .73 → .63,
mouthStretch .7 → −.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..face_model.lip_sections import Meeting, clearance, lip_sections, meeting, seal_lips
from ..face_model.model import FaceModel
from .gaps import SLITS, slit_chains
from .parameters import POSE, System
from .point_basis import DTYPE, as_tensor
from .state import State, ViewLandmarks, blend_nodes
from .term import Term

# Of the face's RMS radius: the distance of a pair below which lips touch, above which they do not.
TOUCHING, APART = 0.01, 0.02
CHUNK = 64  # rows at once: bounds memory

# What is asked of n mouths: their nodes and how far between (n each), weights n×E, how their gaps
# are measured, and the gaps' precision (n×C or one).
_Asked = tuple[
    tuple[torch.Tensor, torch.Tensor],
    torch.Tensor,
    Callable[[np.ndarray], Meeting],
    torch.Tensor,
]


@dataclass(frozen=True, eq=False)
class LipBasis:
    """A model's lips at their sections: y and z alone.

    rest: 2×C×S×2 cm, of the sealed neutral. expressions: 2×C×S×2×E, offsets.
    """

    rest: torch.Tensor
    expressions: torch.Tensor

    def points(self, weights: torch.Tensor) -> torch.Tensor:
        """Move the sections by n×E weights: n×2×C×S×2."""
        moved = (weights @ self.expressions.reshape(-1, weights.shape[1]).T).reshape(
            -1, *self.rest.shape
        )
        return self.rest + moved


@lru_cache(maxsize=4)
def _expressions(model: FaceModel) -> torch.Tensor:
    sections = lip_sections(model)
    rows = [sections.on(one)[..., 1:] for one in model.tracked.expressions]
    return as_tensor(np.stack(rows, -1))


def lip_basis(model: FaceModel, neutral: np.ndarray) -> LipBasis:
    """Take the sections of somebody's lips. neutral: V×3 cm, its lips are sealed for it."""
    sealed = seal_lips(model, neutral)
    return LipBasis(as_tensor(lip_sections(model).on(sealed)[..., 1:]), _expressions(model))


@dataclass(frozen=True, eq=False)
class SeenTouching:
    """How surely each section's lips touch in n pictures of one view.

    node, between: see TimedRows. share: n×C in [0, 1].
    """

    node: torch.Tensor
    between: torch.Tensor
    share: torch.Tensor


def seen_touching(model: FaceModel, landmarks: ModelLandmarks, seen: ViewLandmarks) -> SeenTouching:
    """Tell from a view's landmarks, as they were detected, where lips touch."""
    upper, lower = slit_chains('mouth')
    share = touching_share(seen.pixels.numpy(), seen.size.numpy())
    trust = np.minimum(seen.trust.numpy()[:, upper], seen.trust.numpy()[:, lower])
    sections, v = lip_sections(model), model.neutral.astype(np.float64)
    first, last = v[sections.corners]
    axis = last - first
    place = (landmarks.on(v)[[upper, lower]].mean(0) - first) @ axis / (axis @ axis)
    order = np.argsort(place)
    at = [np.interp(sections.along, place[order], row[order]) for row in share * trust]
    return SeenTouching(
        seen.node, seen.between, as_tensor(np.reshape(at, (len(share), len(sections.along))))
    )


def touching_share(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Say how surely each pair of inner-lip landmarks touches: T×N in [0, 1].

    points: T×478×2 px; size: T px, the face's RMS radius.
    """
    upper, lower = slit_chains('mouth')
    right, left = SLITS['mouth'][1]
    across = points[:, left] - points[:, right]
    down = np.stack([-across[:, 1], across[:, 0]], -1)
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-9)
    gap = np.einsum('tj,tnj->tn', down, points[:, lower] - points[:, upper]) / size[:, None]
    return np.clip((APART - gap) / (APART - TOUCHING), 0, 1)


class _Met(NamedTuple):
    """Where n mouths' lips meet in each of C sections, n×C each; see lip_sections.Meeting.

    gap: 0 where there is nothing to mend.
    """

    gap: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor
    after: torch.Tensor
    share: torch.Tensor


@dataclass(frozen=True, eq=False)
class LipContactTerm(Term):
    """Lips meet where they are seen to, and do not cross.

    ½ Σ share (max(gap, 0) / meeting)² over the pictures' sections and
    ½ Σ (max(−clearance, 0) / crossing)² over the sections of nodes in `uncrossed`.

    Which points of the lips are the nearest is frozen: gradient and curvature are exact but where
    others become so.

    meeting, crossing: cm, standard deviations: of the distance between lips that are seen to touch,
    and of how deep lips cross.
    uncrossed: indices of the nodes where lips may not cross. Elsewhere they may: the true ones of
    the captures do, near the corners, by a millimetre or two.
    """

    basis: LipBasis
    seen: tuple[SeenTouching, ...]
    meeting: float
    crossing: float
    uncrossed: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        for timed, weights, how, share in self._asked(state.trajectory.weights):
            met = self._met(how, weights)
            precision = share * (met.gap != 0)
            system.cost += float(0.5 * (precision * met.gap**2).sum())
            used = (precision > 0).any(1)
            if used.any():
                slope = self._slope(met, used)
                timed_used = timed[0][used], timed[1][used]
                _add(system, timed_used, met.gap[used], slope, precision[used])

    def energy(self, state: State) -> torch.Tensor:
        weights = state.trajectory.weights
        cost = weights.new_zeros(())
        for _, own, how, share in self._asked(weights):
            cost = cost + 0.5 * (share * self._met(how, own).gap ** 2).sum()
        return cost

    def _asked(self, weights: torch.Tensor) -> Iterator[_Asked]:
        """Go through what is asked, in chunks of n pictures or nodes."""
        for one in self.seen:
            for rows in _touching(one.share):
                own = self._between(weights, one, rows)
                timed = one.node[rows], one.between[rows]
                yield timed, own, meeting, one.share[rows] / self.meeting**2
        for rows in _chunks(self.uncrossed):
            node = self.uncrossed[rows]
            timed = node, torch.zeros(len(node), dtype=DTYPE)
            yield timed, weights[node], clearance, torch.tensor(self.crossing**-2, dtype=DTYPE)

    def _between(
        self, weights: torch.Tensor, one: SeenTouching, rows: torch.Tensor
    ) -> torch.Tensor:
        node = one.node[rows]
        after = (node + 1).clamp_max(len(weights) - 1)
        return blend_nodes(one.between[rows], weights[node], weights[after])

    def _met(self, how: Callable[[np.ndarray], Meeting], weights: torch.Tensor) -> _Met:
        """Find by `meeting` or `clearance` where lips meet at n×E weights."""
        points = self.basis.points(weights)
        met = how(points.detach().numpy())
        n, c = torch.arange(len(points))[:, None], torch.arange(points.shape[2])
        upper, lower, after = (torch.as_tensor(k) for k in (met.upper, met.lower, met.after))
        share = torch.as_tensor(met.share)
        y = points[..., 0]
        below = (1 - share) * y[n, 1, c, lower] + share * y[n, 1, c, after]
        gap = y[n, 0, c, upper] - below
        gap = torch.where(torch.as_tensor(np.isfinite(met.gap)), gap, torch.zeros_like(gap))
        gap = gap.clamp_min(0) if how is meeting else gap.clamp_max(0)
        return _Met(gap, upper, lower, after, share)

    def _slope(self, met: _Met, used: torch.Tensor) -> torch.Tensor:
        """Differentiate the gaps of some rows by the weights: n×C×E."""
        y, c = self.basis.expressions[:, :, :, 0], torch.arange(met.gap.shape[1])
        share = met.share[used][..., None]
        below = (1 - share) * y[1, c, met.lower[used]] + share * y[1, c, met.after[used]]
        return y[0, c, met.upper[used]] - below


def _touching(share: torch.Tensor) -> list[torch.Tensor]:
    """List the pictures that see lips touch anywhere, in chunks. share: n×C."""
    return list((share > 0).any(1).nonzero()[:, 0].split(CHUNK))


def _chunks(rows: torch.Tensor) -> list[slice]:
    return [slice(k, k + CHUNK) for k in range(0, len(rows), CHUNK)]


def _add(
    system: System,
    timed: tuple[torch.Tensor, torch.Tensor],
    gap: torch.Tensor,
    slope: torch.Tensor,
    precision: torch.Tensor,
) -> None:
    """Add ½ Σ precision·gap², gaps n×C of slopes n×C×E at (node, between)."""
    node, u = timed
    pulled = slope * precision[..., None]
    square = torch.einsum('nce,ncf->nef', pulled, slope)
    pull = torch.einsum('nce,nc->ne', pulled, gap)
    early, late = 1 - u, u
    after = (node + 1).clamp_max(len(system.gradient) - 1)
    diagonal, gradient = system.diagonal[:, POSE:, POSE:], system.gradient[:, POSE:]
    diagonal.index_add_(0, node, square * (early**2)[:, None, None])
    gradient.index_add_(0, node, pull * early[:, None])
    between = u > 0
    if between.any():
        node, after, early, late, square, pull = (
            a[between] for a in (node, after, early, late, square, pull)
        )
        diagonal.index_add_(0, after, square * (late**2)[:, None, None])
        gradient.index_add_(0, after, pull * late[:, None])
        upper = system.upper[:, POSE:, POSE:]
        upper.index_add_(0, node, square * (early * late)[:, None, None])
