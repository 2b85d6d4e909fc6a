"""The tracker's problem: which terms are summed.

Another term is another module in evidence/ and a line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch

from ..evidence.landmark_term import LandmarkTerm
from ..evidence.lid_term import gaze_hold, lid_term
from ..evidence.motion_priors import (
    AccelerationPrior,
    DepthPrior,
    VelocityPrior,
    acceleration_precision,
    velocity_precision,
)
from ..evidence.options import TrackOptions
from ..evidence.parameters import FreeParameters
from ..evidence.priors import (
    AnchorPrior,
    FocalPrior,
    IdentityPrior,
    MouthCloseCoupling,
    NeutralPrior,
    expression_prior,
    gaze_prior,
    identity_weight,
)
from ..evidence.sides import SidesPrior, side_pairs
from ..evidence.sparsity import SparsePrior
from ..evidence.state import PointBasis, SharedParameters, Trajectory, ViewLandmarks
from ..evidence.term import Term


def depth_axis(shared: SharedParameters) -> torch.Tensor | None:
    """Give the world's direction into a lone view's picture, 3; None where there are several."""
    return shared.rotation[0, 2] if len(shared.rotation) == 1 else None


@dataclass(frozen=True)
class TrackingProblem:
    """Everything that stays fixed while some nodes are solved.

    basis: the model at the landmarks, and landmarks_by_view where each of V views saw them. names:
    E, of the weights.
    step K−1: s between nodes. focal_prior V: log focals, as guessed, to focal_sigma V;
    unknown_focal V.
    bias: per view L×2, see draft.find_view_bias. neutral_node: the node whose weights are 0 (−1:
    unknown).
    free: which shared unknowns move ('identity', 'focal', 'cameras').
    anchor: near which its first `anchors` nodes are held. picture_terms: what the pictures say.
    smooth: nodes lie closer than one view's pictures, and changes of velocity cost too.
    lid_changes: 2×E, of the present identity (lid_term.LidGaps); None: lids are not asked about.
    depth_axis: 3, unit, world: along which a lone view does not see the head's place well.
    """

    basis: PointBasis
    landmarks_by_view: tuple[ViewLandmarks, ...]
    names: tuple[str, ...]
    options: TrackOptions
    step: torch.Tensor
    focal_prior: torch.Tensor
    focal_sigma: torch.Tensor
    unknown_focal: tuple[bool, ...]
    bias: tuple[torch.Tensor, ...]
    neutral_node: int = -1
    free: frozenset[str] = frozenset()
    anchor: Trajectory | None = None
    anchors: int = 0
    picture_terms: tuple[Term, ...] = ()
    smooth: bool = False
    lid_changes: torch.Tensor | None = None
    depth_axis: torch.Tensor | None = None

    @property
    def parameters(self) -> FreeParameters:
        return FreeParameters(
            self.basis.identities.shape[2] if 'identity' in self.free else 0,
            len(self.landmarks_by_view),
            self.unknown_focal if 'focal' in self.free else (),
            'cameras' in self.free,
        )

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        options = self.options
        landmarks = (
            LandmarkTerm(self.basis, seen, view, options.data, options.robust)
            for view, seen in enumerate(self.landmarks_by_view)
        )
        pictures = (*landmarks, *self._lids(), *self.picture_terms)
        return (*pictures, *self._node_priors(), *self._shared_priors())

    def _lids(self) -> Iterator[Term]:
        if self.lid_changes is not None and self.options.lids:
            if len(self.step):
                nodes = len(self.step) + 1
                hold = gaze_hold(self.landmarks_by_view, self.names, nodes)
                yield VelocityPrior(hold, self.step)
            for seen in self.landmarks_by_view:
                yield lid_term(seen, self.lid_changes, self.names, self.options.lids)

    def _node_priors(self) -> Iterator[Term]:
        names, options, nodes = self.names, self.options, len(self.step) + 1
        yield expression_prior(names, options)
        if any(name.startswith('eyeLook') for name in names):
            yield gaze_prior(names)
        yield SparsePrior(options.sparsity, options.sparsity_scale)
        if options.sides and (pairs := side_pairs(names)):
            yield SidesPrior(torch.tensor(pairs), options.sides)
        if {'mouthClose', 'jawOpen'} <= set(names):
            yield MouthCloseCoupling(names.index('mouthClose'), names.index('jawOpen'))
        if nodes > 1:
            yield VelocityPrior(velocity_precision(names, options), self.step)
        if self.smooth and nodes > 2:
            yield AccelerationPrior(acceleration_precision(names, options), self.step)
        if self.depth_axis is not None and nodes > 2:
            yield DepthPrior(self.depth_axis, options.depth_acceleration**-2, self.step)
        if self.neutral_node >= 0:
            yield NeutralPrior(self.neutral_node, options.neutral_sigma**-2)
        if self.anchor is not None:
            yield AnchorPrior(self.anchor.first(self.anchors))

    def _shared_priors(self) -> Iterator[Term]:
        options, nodes = self.options, len(self.step) + 1
        if 'identity' in self.free:
            yield IdentityPrior(identity_weight(options, nodes) / options.identity**2)
        if 'focal' in self.free:
            yield FocalPrior(self.focal_prior, self.focal_sigma)
