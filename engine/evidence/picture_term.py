"""What pictures say of where points of the surface lie in them, to second order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from .parameters import System
from .pixel_derivatives import Blocks, pixel_derivatives
from .point_basis import DTYPE
from .state import PointBasis, State, project_landmarks
from .term import Term

CHUNK = 24  # frames linearised at once: bounds memory
SINGLE = (
    torch.float32
)  # of the derivatives: sums of a few thousand terms that are sampled anew each round


class JointRows(NamedTuple):
    """Residuals that depend on many points at once: residual + Σ rows·d.

    index: N of the points; rows R×N×2, residual R.
    """

    index: torch.Tensor
    rows: torch.Tensor
    residual: torch.Tensor


@dataclass(frozen=True)
class PixelQuadratic:
    """A cost of P points' places in n pictures, to second order.

    Round where they lay when the pictures were sampled.

    node, between: when each picture was taken, as a ViewLandmarks's. at n×P×2: px, as a
    ViewLandmarks's pixels. With d = pixels − at the cost is Σ gradient·d + ½ dᵀ curvature d
    (n×P×2, n×P×2×2) + ½ Σ (residual + Σ rows·d)², the last
    for `joint`: for each picture some JointRows, or () where there are none.
    """

    node: torch.Tensor
    between: torch.Tensor
    at: torch.Tensor
    gradient: torch.Tensor
    curvature: torch.Tensor
    joint: tuple[tuple[JointRows, ...], ...] = ()


@dataclass(frozen=True)
class PictureTerm(Term):
    """A PixelQuadratic of the places of a surface's points.

    Everything that is no quadratic of a place is frozen when the pictures are sampled: visibility,
    robust weights, the pictures' gradients, which points are nearest. Of the quadratic its
    gradient is exact; its curvature leaves out the second derivatives of projection
    (Gauss-Newton), and derivatives are in single precision.

    basis: the model at the P points; points: where they stand among all the surface's.
    """

    basis: PointBasis
    points: slice
    view: int
    quadratic: PixelQuadratic

    def linearise(self, state: State, system: System) -> None:
        cost, blocks = 0.0, Blocks(system, self.basis, SINGLE)
        still = undeviated(state, self.basis)
        for rows in self._chunks():
            seen = pixel_derivatives(system, self.basis, still, self.quadratic, self.view, rows)
            off = seen.pixels - self.quadratic.at[rows]
            cost += float(self._cost(off, rows))
            curvature = self.quadratic.curvature[rows]
            slope = self.quadratic.gradient[rows] + _times(curvature, off)
            blocks.add(seen, curvature, slope)
            for k, of_frame in enumerate(self.quadratic.joint[rows]):
                for joint in of_frame:
                    own = seen.at(k, joint.index)
                    blocks.add_joint(own, joint.rows, _left(joint, off[k]))
        blocks.finish()
        system.cost += cost

    def energy(self, state: State) -> torch.Tensor:
        cost = state.trajectory.weights.new_zeros(())
        still = undeviated(state, self.basis)
        for rows in self._chunks():
            pixels = project_landmarks(self.basis, *still, self.quadratic, self.view, rows)
            cost = cost + self._cost(pixels - self.quadratic.at[rows], rows)
        return cost

    def _chunks(self) -> Iterator[slice]:
        return (slice(k, k + CHUNK) for k in range(0, len(self.quadratic.node), CHUNK))

    def _cost(self, off: torch.Tensor, rows: slice) -> torch.Tensor:
        """Sum the cost of some pictures' points that have moved by n×P×2 px."""
        gradient, curvature = self.quadratic.gradient[rows], self.quadratic.curvature[rows]
        cost = ((gradient + 0.5 * _times(curvature, off)) * off).sum()
        joint = zip(off, self.quadratic.joint[rows])
        lefts = (_left(one, moved) for moved, of_frame in joint for one in of_frame)
        return cost + sum(0.5 * (left**2).sum() for left in lefts)


def undeviated(state: State, basis: PointBasis) -> State:
    """Leave out the landmarks' deviation, which surface points have none of."""
    shared = replace(state.shared, deviation=torch.zeros_like(basis.mean))
    return State(shared, state.trajectory)


def _times(curvature: torch.Tensor, off: torch.Tensor) -> torch.Tensor:
    """Multiply n×P×2×2 by n×P×2."""
    return curvature[..., 0] * off[..., :1] + curvature[..., 1] * off[..., 1:]


def _left(joint: JointRows, off: torch.Tensor) -> torch.Tensor:
    """Give a joint residual R at points that have moved by `off` P×2."""
    return joint.residual + torch.einsum('rli,li->r', joint.rows, off[joint.index])


def joined(surface: PointBasis, terms: Sequence[PictureTerm]) -> PictureTerm:
    """Sum one view's terms into one over all the surface's points.

    Derivatives are then found once for all of them.
    """
    first = terms[0].quadratic
    n, size = len(first.node), len(surface.mean)
    at, gradient = (torch.zeros(n, size, 2, dtype=DTYPE) for _ in range(2))
    curvature = torch.zeros(n, size, 2, 2, dtype=DTYPE)
    joint = [[] for _ in range(n)]
    for term in terms:
        own = term.quadratic
        at[:, term.points] = own.at
        gradient[:, term.points] += own.gradient
        curvature[:, term.points] += own.curvature
        for k, of_frame in enumerate(own.joint):
            joint[k] += [one._replace(index=one.index + term.points.start) for one in of_frame]
    quadratic = PixelQuadratic(
        first.node, first.between, at, gradient, curvature, tuple(tuple(j) for j in joint)
    )
    return PictureTerm(surface, slice(0, size), terms[0].view, quadratic)
