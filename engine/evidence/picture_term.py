"""What pictures say of where points of the surface lie in them, to second order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from .halves import chunks, linearise_halves
from .parameters import System
from .pixel_derivatives import Blocks, pixel_derivatives
from .point_basis import DTYPE, SINGLE
from .state import PointBasis, State, project_landmarks
from .term import Term

CHUNK = 24  # frames linearised at once: bounds memory


class JointRows(NamedTuple):
    """Residuals of n pictures that depend on many points at once: residual + Σ rows·d.

    index: N of the points; of each picture shown: which of the N it shows, and rows R×shown×2;
    residual n×R.
    """

    index: torch.Tensor
    shown: tuple[torch.Tensor, ...]
    rows: tuple[torch.Tensor, ...]
    residual: torch.Tensor

    def weights(self, pictures: slice) -> torch.Tensor:
        """Return the rows of some pictures by all N points: …×R×N×2, 0 where one is not shown."""
        residual = self.residual[pictures]
        out = residual.new_zeros(*residual.shape, len(self.index), 2)
        for one, shown, rows in zip(out, self.shown[pictures], self.rows[pictures]):
            one[:, shown] = rows
        return out


@dataclass(frozen=True)
class PixelQuadratic:
    """A cost of P points' places in n pictures, to second order.

    Round where they lay when the pictures were sampled.

    node, between: when each picture was taken, as a ViewLandmarks's. at n×P×2: px, as a
    ViewLandmarks's pixels. With d = pixels − at the cost is Σ gradient·d + ½ dᵀ curvature d
    (n×P×2, n×P×2×2) + ½ Σ (residual + Σ rows·d)², the last
    for each of `joint`.
    """

    node: torch.Tensor
    between: torch.Tensor
    at: torch.Tensor
    gradient: torch.Tensor
    curvature: torch.Tensor
    joint: tuple[JointRows, ...] = ()


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
        still = undeviated(state, self.basis)
        self.basis.products(SINGLE)  # made once, before two threads ask for them
        count = len(self.quadratic.node)
        linearise_halves(lambda frames, own: self._linearise(still, frames, own), count, system)

    def _linearise(self, still: State, frames: slice, system: System) -> None:
        """Linearise what some frames say."""
        cost, blocks = 0.0, Blocks(system, self.basis, SINGLE)
        for rows in chunks(frames, CHUNK):
            seen = pixel_derivatives(system, self.basis, still, self.quadratic, self.view, rows)
            off = seen.pixels - self.quadratic.at[rows]
            cost += float(self._cost(off, rows))
            curvature = self.quadratic.curvature[rows]
            slope = self.quadratic.gradient[rows] + _times(curvature, off)
            blocks.add(seen, curvature, slope)
            for joint in self.quadratic.joint:
                weights = joint.weights(rows)
                residual = _left(joint, weights, off, rows)
                blocks.add_joint(seen.at(joint.index), weights, residual)
        blocks.finish()
        system.cost += cost

    def energy(self, state: State) -> torch.Tensor:
        cost = state.trajectory.weights.new_zeros(())
        still = undeviated(state, self.basis)
        for rows in chunks(slice(0, len(self.quadratic.node)), CHUNK):
            pixels = project_landmarks(self.basis, *still, self.quadratic, self.view, rows)
            cost = cost + self._cost(pixels - self.quadratic.at[rows], rows)
        return cost

    def _cost(self, off: torch.Tensor, rows: slice) -> torch.Tensor:
        """Sum the cost of some pictures' points that have moved by n×P×2 px."""
        gradient, curvature = self.quadratic.gradient[rows], self.quadratic.curvature[rows]
        cost = ((gradient + 0.5 * _times(curvature, off)) * off).sum()
        for joint in self.quadratic.joint:
            left = _left(joint, joint.weights(rows), off, rows)
            cost = cost + 0.5 * (left**2).sum()
        return cost


def undeviated(state: State, basis: PointBasis) -> State:
    """Leave out the landmarks' deviation, which surface points have none of."""
    shared = replace(state.shared, deviation=torch.zeros_like(basis.mean))
    return State(shared, state.trajectory)


def _times(curvature: torch.Tensor, off: torch.Tensor) -> torch.Tensor:
    """Multiply n×P×2×2 by n×P×2."""
    return curvature[..., 0] * off[..., :1] + curvature[..., 1] * off[..., 1:]


def _left(joint: JointRows, weights: torch.Tensor, off: torch.Tensor, rows: slice) -> torch.Tensor:
    """Give a joint residual n×R of some pictures, whose points have moved by `off` n×P×2.

    weights: its rows of these pictures
    """
    moved = off[:, joint.index].flatten(1)[..., None]
    return joint.residual[rows] + (weights.flatten(2) @ moved)[..., 0]


def joined(surface: PointBasis, terms: Sequence[PictureTerm]) -> PictureTerm:
    """Sum one view's terms into one over all the surface's points.

    Derivatives are then found once for all of them.
    """
    first = terms[0].quadratic
    n, size = len(first.node), len(surface.mean)
    at, gradient = (torch.zeros(n, size, 2, dtype=DTYPE) for _ in range(2))
    curvature = torch.zeros(n, size, 2, 2, dtype=DTYPE)
    joint = []
    for term in terms:
        own = term.quadratic
        at[:, term.points] = own.at
        gradient[:, term.points] += own.gradient
        curvature[:, term.points] += own.curvature
        joint += [one._replace(index=one.index + term.points.start) for one in own.joint]
    quadratic = PixelQuadratic(first.node, first.between, at, gradient, curvature, tuple(joint))
    return PictureTerm(surface, slice(0, size), terms[0].view, quadratic)
