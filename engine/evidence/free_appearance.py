"""That what a point looks like is itself found from the pictures: unknowns that are eliminated.

PhotometricTerm and ShadingTerm compare every picture with what is expected of a point: the mean
over the pictures as the present fit has them. Were that held, a fit would creep: half of what is
off is in the mean. With the mean μ free (variable projection, Golub & Pereyra 1973)

    min over μ of ½ Σ w (r + g·d − μ)²  =  ½ Σ w (r + g·d)²  −  ½ (Σ w (r + g·d))² / Σ w,

the first part is those terms; the second, over all views at once, is the term in here. For a cheek
that two cameras of one side see, the first alone moves a fifth of the way in a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..core.threads import map_in_threads
from .parameters import LEAST_WEIGHT, Eliminated, System
from .photometric import AppearanceResiduals
from .picture_term import undeviated
from .pictures import ViewPictures
from .pixel_derivatives import PixelDerivatives, pixel_derivatives, to_moments
from .point_basis import DTYPE, SINGLE, PointBasis, as_tensor
from .state import State, TimedRows, project_landmarks
from .term import Term

CHUNK = 8  # pictures linearised at once: bounds memory


@dataclass(frozen=True)
class FreePoints:
    """P points' Q free unknowns of appearance in n pictures of one view.

    timed: when the pictures were taken. at n×P×2: px, where the points lay.
    rows n×P×Q×2: Σ w ∂expected·gradient, by px. left n×P×Q: Σ w ∂expected·residual.
    weight n×P×Q: Σ w ∂expected².
    """

    view: int
    timed: TimedRows
    at: torch.Tensor
    rows: torch.Tensor
    left: torch.Tensor
    weight: torch.Tensor


def free_points(
    seen: ViewPictures, at: torch.Tensor, shown: Sequence[AppearanceResiduals]
) -> FreePoints:
    """Gather the unknowns of several kinds of residuals of one view. at n×P×2 px."""
    rows, left, weight = [], [], []
    for one in shown:
        felt = one.weight[..., None, None] * one.by_appearance
        rows.append(np.einsum('npcq,npci->npqi', felt, one.by_pixel))
        left.append(np.einsum('npcq,npc->npq', felt, one.residual) * one.held[..., None])
        weight.append(np.einsum('npcq,npcq->npq', felt, one.by_appearance))
    return FreePoints(
        seen.view,
        seen.landmarks,
        at,
        *(as_tensor(np.concatenate(parts, 2)) for parts in (rows, left, weight)),
    )


class _Felt(NamedTuple):
    """What the unknowns of some pictures' points are felt as.

    left P×Q; shape 3×P×Q: forces on the points in head axes, all pictures together; blocks
    n×m×(P·Q) of each of nodes; by_others c×(P·Q) of those of what is shared that are no identity,
    and others: which they are.
    """

    left: torch.Tensor
    shape: torch.Tensor
    nodes: tuple[torch.Tensor, ...]
    blocks: list[torch.Tensor]
    others: list[int]
    by_others: torch.Tensor


@dataclass(frozen=True)
class FreeAppearanceTerm(Term):
    """What freeing the points' appearance takes off the cost: − ½ Σ v² / W.

    v = Σ left + rows·d over all pictures of an unknown, W = Σ weight. Its curvature is
    −(Σ rows·J)ᵀ (Σ rows·J) / W, which couples all nodes and is given to the solver as `Eliminated`.

    basis: the model at the P points.
    """

    basis: PointBasis
    views: tuple[FreePoints, ...]

    def linearise(self, state: State, system: System) -> None:
        count, m = system.gradient.shape
        still, points = undeviated(state, self.basis), len(self.basis.mean)
        unknowns = self._weight().shape[1]
        border = torch.zeros(count, m, points * unknowns, dtype=SINGLE)
        corner = torch.zeros(system.parameters.count, points * unknowns, dtype=DTYPE)
        total = torch.zeros(points, unknowns, dtype=DTYPE)
        felt = torch.zeros(3, points, unknowns, dtype=DTYPE)

        def seen_in(chunk: tuple[FreePoints, slice]) -> _Felt:
            view, rows = chunk
            seen = pixel_derivatives(system, self.basis, still, view.timed, view.view, rows)
            return self._felt(seen, view.rows[rows], self._left(view, rows, seen.pixels))

        for one in map_in_threads(seen_in, self._chunks()):
            total += one.left
            felt += one.shape
            for node, block in zip(one.nodes, one.blocks):
                border.index_add_(0, node, block)
            corner[one.others] += one.by_others
        self._add_identities(felt, corner)
        weight = self._weight()
        share = _over(total, weight).flatten()
        system.cost -= float(0.5 * (share * total.flatten()).sum())
        system.gradient -= (border @ share.to(SINGLE)).to(DTYPE)
        system.gradient_shared -= corner @ share
        weight = weight.flatten()
        free = weight > LEAST_WEIGHT
        system.eliminated = Eliminated(border[..., free], corner[:, free], weight[free])

    def energy(self, state: State) -> torch.Tensor:
        still, total = undeviated(state, self.basis), 0.0
        for view, rows in self._chunks():
            pixels = project_landmarks(self.basis, *still, view.timed, view.view, rows)
            total = total + self._left(view, rows, pixels)
        return -0.5 * (_over(total, self._weight()) * total).sum()

    def _chunks(self):
        for view in self.views:
            for k in range(0, len(view.timed.node), CHUNK):
                yield view, slice(k, k + CHUNK)

    def _weight(self) -> torch.Tensor:
        """Sum the unknowns' weights over all pictures: P×Q."""
        return sum(view.weight.sum(0) for view in self.views)

    def _left(self, view: FreePoints, rows: slice, pixels: torch.Tensor) -> torch.Tensor:
        off = pixels - view.at[rows]
        return view.left[rows].sum(0) + torch.einsum('npqi,npi->pq', view.rows[rows], off)

    def _felt(self, seen: PixelDerivatives, rows: torch.Tensor, left: torch.Tensor) -> _Felt:
        """Find Σ rows·J of some pictures, each row n×P×Q×2 of one point."""
        along = rows.permute(3, 0, 1, 2)  # 2×n×P×Q
        shape, blocks = 0.0, []
        for k, a in enumerate(seen.by_point):
            force = a[0][..., None] * along[0] + a[1][..., None] * along[1]  # 3×n×P×Q
            shape = shape + force.sum(1)
            blocks.append(to_moments(seen, k, force).flatten(2))
        by_others = torch.einsum('cinp,inpq->cpq', seen.by_others, along).flatten(1)
        return _Felt(left, shape, seen.nodes, blocks, seen.others, by_others)

    def _add_identities(self, felt: torch.Tensor, corner: torch.Tensor) -> None:
        """Add what the identity changes by forces 3×P×Q on the points, in head axes."""
        ids = self.basis.identities.shape[2] if len(corner) else 0
        if ids:
            by_identity = torch.einsum('ipq,pie->epq', felt, self.basis.identities)
            corner[:ids] += by_identity.flatten(1)


def _over(total: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Divide P×Q by the unknowns' weights, 0 for those that have none."""
    return torch.where(weight > LEAST_WEIGHT, total / weight.clamp_min(LEAST_WEIGHT), 0.0)
