"""What pictures say of where points of the surface lie in them, to second order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from .parameters import System
from .pixel_derivatives import add_blocks, pixel_derivatives
from .point_basis import DTYPE
from .state import PointBasis, State, project_landmarks
from .term import Term

CHUNK = 4  # frames linearised at once: bounds memory
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
        cost = 0.0
        for rows in self._chunks():
            part = _said_something(self.basis, self.quadratic, rows)
            derivatives = pixel_derivatives(
                system.parameters,
                part.basis,
                _undeviated(state, part.basis),
                self.quadratic,
                self.view,
                rows,
                SINGLE,
            )
            off = derivatives.pixels - part.at
            cost += float(part.cost(off)) + sum(float(c) for c in part.joint_costs(off))
            root, inverse = roots(part.curvature)
            root = root.to(SINGLE)
            slope = part.gradient + torch.einsum('nlij,nlj->nli', part.curvature, off)
            residual = torch.einsum('nlij,nlj->nli', inverse, slope).flatten(1)
            add_blocks(system, derivatives, root.__matmul__, residual)
            for k, joint in enumerate(part.joint):
                for one in joint:
                    _add_joint(system, derivatives.frame(k), one, _left(one, off[k]))
        system.cost += cost

    def energy(self, state: State) -> torch.Tensor:
        cost = state.trajectory.weights.new_zeros(())
        for rows in self._chunks():
            part = _said_something(self.basis, self.quadratic, rows)
            still = _undeviated(state, part.basis)
            pixels = project_landmarks(part.basis, *still, self.quadratic, self.view, rows)
            off = pixels - part.at
            cost = cost + (part.cost(off) + sum(part.joint_costs(off)))
        return cost

    def _chunks(self) -> Iterator[slice]:
        return (slice(k, k + CHUNK) for k in range(0, len(self.quadratic.node), CHUNK))


@dataclass(frozen=True)
class _Part:
    """Some pictures' part of a PixelQuadratic, at those points that something is said of."""

    basis: PointBasis
    at: torch.Tensor
    gradient: torch.Tensor
    curvature: torch.Tensor
    joint: list[list[JointRows]]

    def cost(self, off: torch.Tensor) -> torch.Tensor:
        pull = torch.einsum('nlij,nlj->nli', self.curvature, off)
        return (self.gradient * off).sum() + 0.5 * (off * pull).sum()

    def joint_costs(self, off: torch.Tensor) -> Iterator[torch.Tensor]:
        return (
            0.5 * (_left(one, off[k]) ** 2).sum()
            for k, joint in enumerate(self.joint)
            for one in joint
        )


def _said_something(basis: PointBasis, quadratic: PixelQuadratic, rows: slice) -> _Part:
    gradient, curvature = quadratic.gradient[rows], quadratic.curvature[rows]
    informed = (curvature != 0).any(3).any(2).any(0) | (gradient != 0).any(2).any(0)
    joint = quadratic.joint[rows] if quadratic.joint else ()
    for one in (one for of_frame in joint for one in of_frame):
        informed[one.index] = True
    onto = informed.cumsum(0) - 1
    return _Part(
        basis.of(informed),
        quadratic.at[rows][:, informed],
        gradient[:, informed],
        curvature[:, informed],
        [[one._replace(index=onto[one.index]) for one in of_frame] for of_frame in joint],
    )


def _undeviated(state: State, basis: PointBasis) -> State:
    """Leave out the landmarks' deviation, which surface points have none of."""
    shared = replace(state.shared, deviation=torch.zeros_like(basis.mean))
    return State(shared, state.trajectory)


def _left(joint: JointRows, off: torch.Tensor) -> torch.Tensor:
    """Give a joint residual R at points that have moved by `off` P×2."""
    return joint.residual + torch.einsum('rli,li->r', joint.rows, off[joint.index])


def _add_joint(system: System, derivatives, joint: JointRows, residual: torch.Tensor) -> None:
    def half(j: torch.Tensor) -> torch.Tensor:
        return torch.einsum('rli,nlic->nrc', joint.rows.to(j.dtype), j[:, joint.index])[:, None]

    add_blocks(system, derivatives, half, residual[None])


def roots(curvature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take …×2×2 positive semi-definite to symmetric square roots and their pseudo-inverses.

    These are 0 where the curvature is.
    """
    value, vector = torch.linalg.eigh(curvature)
    root = value.clamp_min(0).sqrt()
    inverse = torch.where(
        root > 1e-6 * root.amax().clamp_min(1e-30),
        1 / root.clamp_min(1e-30),
        torch.zeros_like(root),
    )
    return (vector * root[..., None, :]) @ vector.mT, (vector * inverse[..., None, :]) @ vector.mT


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
