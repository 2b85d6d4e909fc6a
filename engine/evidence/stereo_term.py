"""What two pictures say of where the skin lies, of two views or of a head that turns: a term.

Where a point lies in one picture follows from where it lies in the other: were the head as fitted,
there where the fit has it; in truth some pixels off (`flow`, stereo_matches.py). A point that
slides along the skin moves in both pictures together (`turn`), so that only its depth is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.threads import map_in_threads
from .halves import linearise_halves
from .parameters import System
from .picture_term import undeviated
from .pixel_derivatives import PixelDerivatives, pixel_derivatives, to_moments
from .point_basis import DTYPE, SINGLE, PointBasis
from .state import State, Trajectory, project_landmarks
from .term import Term

MOST_NODES = 2  # apart that the nodes of two matched pictures may lie


@dataclass(frozen=True)
class Moment:
    """When one picture was taken: see state.TimedRows, n is 1."""

    node: torch.Tensor
    between: torch.Tensor


@dataclass(frozen=True)
class StereoMatch:
    """P points in pictures of two views, and how far off the second's content lies in the first.

    views, moments: the two pictures. index P: the points among the surface's.
    at: P×2 px each, where the points lay. flow P×2 px of the first picture.
    turn P×2×2: how a point that slides on the skin moves in the first, by how in the second.
    weight P: of a square pixel.
    held: one node, where the head stays in the second picture; None: that moves with its own node.
    """

    views: tuple[int, int]
    moments: tuple[Moment, Moment]
    index: torch.Tensor
    at: tuple[torch.Tensor, torch.Tensor]
    flow: torch.Tensor
    turn: torch.Tensor
    weight: torch.Tensor
    held: Trajectory | None = None

    def posed(self, state: State, basis: PointBasis) -> list[tuple[State, Moment, int]]:
        """Give each picture's state, moment and view."""
        still = undeviated(state, basis)
        first, second = zip((still, still), self.moments, self.views)
        if self.held is not None:
            start = torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=DTYPE)
            second = State(still.shared, self.held), Moment(*start), self.views[1]
        return [first, second]


@dataclass(frozen=True)
class StereoTerm(Term):
    """½ Σ weight |(x₁ − at₁) − flow − turn (x₂ − at₂)|², x the points' pixels in both pictures.

    Flow, turn and weight are frozen when the pictures are matched; derivatives are in single
    precision. Of a match that holds none the nodes lie at most MOST_NODES apart.

    basis: the model at the surface's points.
    """

    basis: PointBasis
    matches: tuple[StereoMatch, ...]

    def linearise(self, state: State, system: System) -> None:
        linearise_halves(
            lambda half, own: self._linearise(state, half, own), len(self.matches), system
        )

    def _linearise(self, state: State, half: slice, system: System) -> None:
        """Linearise what some matches say."""
        for match in self.matches[half]:
            basis = self.basis.at(match.index)
            seen = [
                pixel_derivatives(system, basis, posed, moment, view, slice(0, 1))
                for posed, moment, view in match.posed(state, basis)
            ]
            root = match.weight.sqrt()[:, None]
            residual = (root * _residual(match, [one.pixels[0] for one in seen])).flatten()
            by_node, by_shared = _rows(system, basis, match, seen)
            _add(system, by_node, by_shared, residual.to(SINGLE))
            system.cost += float(0.5 * (residual**2).sum())

    def energy(self, state: State) -> torch.Tensor:
        def of_match(match: StereoMatch) -> torch.Tensor:
            basis = self.basis.at(match.index)
            pixels = [
                project_landmarks(basis, *posed, moment, view)[0]
                for posed, moment, view in match.posed(state, basis)
            ]
            return 0.5 * (match.weight[:, None] * _residual(match, pixels) ** 2).sum()

        none = state.trajectory.weights.new_zeros(())
        return sum(map_in_threads(of_match, self.matches), none)


def _residual(match: StereoMatch, pixels: list[torch.Tensor]) -> torch.Tensor:
    """Give P×2 px."""
    first, second = (now - at for now, at in zip(pixels, match.at))
    return first - match.flow - torch.einsum('pqc,pc->pq', match.turn, second)


def _rows(
    system: System, basis: PointBasis, match: StereoMatch, seen: list[PixelDerivatives]
) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
    """Differentiate the weighted residuals: by each node's unknowns m×2P, by the shared G×2P."""
    count, root = len(match.weight), match.weight.sqrt()[:, None, None]
    by_node: dict[int, torch.Tensor] = {}
    by_shared = torch.zeros(system.parameters.count, count, 2, dtype=DTYPE)
    ids = basis.identities.shape[2] if system.parameters.identities else 0
    of_shape = torch.zeros(3, count, 2, dtype=DTYPE)
    for one, part in zip(seen, (torch.eye(2, dtype=DTYPE).expand(count, 2, 2), -match.turn)):
        along = root * part  # of the picture's own pixels
        for k, (by_point, node) in enumerate(zip(one.by_point, one.nodes)):
            force = torch.einsum('pqc,cinp->inpq', along, by_point)
            if one is seen[0] or match.held is None:
                rows = to_moments(one, k, force)[0].flatten(1)
                by_node[int(node)] = by_node.get(int(node), 0) + rows
            of_shape += force[:, 0]
        by_shared[one.others] += torch.einsum('pqc,gcp->gpq', along, one.by_others[:, :, 0])
    if ids:
        by_shared[:ids] += torch.einsum('ipq,pie->epq', of_shape, basis.identities)
    return by_node, by_shared.flatten(1).to(SINGLE)


def _add(
    system: System,
    by_node: dict[int, torch.Tensor],
    by_shared: torch.Tensor,
    residual: torch.Tensor,
) -> None:
    """Add ½ |residual + rows·d|² to the system."""
    beside = {0: system.diagonal, 1: system.upper}
    if max(by_node) - min(by_node) > 1:
        beside[2] = system.make_second()
    for node, rows in by_node.items():
        system.gradient[node] += (rows @ residual).to(DTYPE)
        system.border[node] += (rows @ by_shared.T).to(DTYPE)
        for other, others in by_node.items():
            if other >= node:
                beside[other - node][node] += (rows @ others.T).to(DTYPE)
    system.corner += (by_shared @ by_shared.T).to(DTYPE)
    system.gradient_shared += (by_shared @ residual).to(DTYPE)
