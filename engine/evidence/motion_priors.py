"""How heads and faces move: priors of the change from node to node, and of the change of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..geometry.rotations import so3_log
from .options import TrackOptions
from .parameters import POSE, System
from .point_basis import DTYPE
from .state import State, Trajectory
from .term import Term

SHORTEST = 1e-4  # s: shorter steps between nodes count as this long
FAST = ('eyeBlink', 'eyeLook', 'eyeWide', 'eyeSquint')  # beginnings of names: lids and gaze


def velocity_precision(names: tuple[str, ...], options: TrackOptions) -> torch.Tensor:
    """Give each unknown's precision over a second, 6 + E, as VelocityPrior takes it."""
    return _precision(
        names,
        (options.rotation_velocity, options.translation_velocity),
        (options.weight_velocity, options.fast_velocity),
    )


def acceleration_precision(names: tuple[str, ...], options: TrackOptions) -> torch.Tensor:
    """Give each acceleration's precision over a second, 6 + E, as AccelerationPrior takes it."""
    return _precision(
        names,
        (options.rotation_acceleration, options.translation_acceleration),
        (options.weight_acceleration, options.fast_acceleration),
    )


def _precision(
    names: tuple[str, ...], pose: tuple[float, float], weight: tuple[float, float]
) -> torch.Tensor:
    """Standard deviations (rotation, translation), (slow weights, fast ones) → precisions 6 + E."""
    weights = [weight[name.startswith(FAST)] for name in names]
    sigma = [pose[0]] * 3 + [pose[1]] * 3 + weights
    return torch.tensor(sigma, dtype=DTYPE) ** -2


def node_changes(trajectory: Trajectory) -> torch.Tensor:
    """Take the way from each node to the next: (K−1)×(6 + E).

    Rotations as the vector of R_{k+1} R_kᵀ.
    """
    rotation, move, w = trajectory.rotation, trajectory.translation, trajectory.weights
    turn = so3_log(rotation[1:] @ rotation[:-1].transpose(1, 2))
    return torch.cat([turn, move[1:] - move[:-1], w[1:] - w[:-1]], 1)


def acceleration_factors(step: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Say what each of three nodes counts in their acceleration, and the time it lasts.

    step: K−1, s. Returns three of (K−2)×1 in 1/s², and (K−2)×1 in s.
    """
    step = step[:, None].clamp_min(SHORTEST)
    early, late = step[:-1], step[1:]
    span = (early + late) / 2
    return [1 / (span * early), -(1 / early + 1 / late) / span, 1 / (span * late)], span


def add_to_threes(
    system: System,
    gradient: list[torch.Tensor],
    block: Callable[[int, int], torch.Tensor],
) -> None:
    """Add a term of every three neighbouring nodes to the system.

    gradient: (K−2)×m by the first, the second, the third; block(i, j): (K−2)×m×m of their curvature
    """
    count = len(system.gradient)
    for i, of_node in enumerate(gradient):
        rows = slice(i, count - 2 + i)
        system.gradient[rows] += of_node
        system.diagonal[rows] += block(i, i)
    system.upper[:-1] += block(0, 1)
    system.upper[1:] += block(1, 2)
    system.make_second().add_(block(0, 2))


@dataclass(frozen=True)
class VelocityPrior(Term):
    """A random walk: ½ Σ precision/step · change².

    Its gradient is exact (a rotation's three precisions are equal); its curvature, exact in
    translations and weights, takes the derivative of a rotation's logarithm for the identity.

    precision 6 + E: of the change over a second. step K−1: s between nodes.
    """

    precision: torch.Tensor
    step: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        change, precision = node_changes(state.trajectory), self._per_step()
        system.cost += float(0.5 * (precision * change**2).sum())
        spread = torch.diag_embed(precision)
        system.diagonal[1:] += spread
        system.diagonal[:-1] += spread
        system.upper -= spread
        system.gradient[1:] += precision * change
        system.gradient[:-1] -= precision * change

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * (self._per_step() * node_changes(state.trajectory) ** 2).sum()

    def _per_step(self) -> torch.Tensor:
        return self.precision / self.step[:, None].clamp_min(SHORTEST)


@dataclass(frozen=True)
class AccelerationPrior(Term):
    """White noise of acceleration: ½ Σ span·precision · (change of velocity over span)².

    Gradient and curvature are exact in translations and weights; a rotation's logarithm is
    differentiated as if turns between nodes were small.

    precision 6 + E: over a second. step K−1: s between nodes.
    """

    precision: torch.Tensor
    step: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        factors, span = acceleration_factors(self.step)
        precision = span * self.precision
        acceleration = self._acceleration(state)
        system.cost += float(0.5 * (precision * acceleration**2).sum())

        def block(i: int, j: int) -> torch.Tensor:
            return torch.diag_embed(precision * factors[i] * factors[j])

        add_to_threes(system, [precision * f * acceleration for f in factors], block)

    def energy(self, state: State) -> torch.Tensor:
        _, span = acceleration_factors(self.step)
        return 0.5 * (span * self.precision * self._acceleration(state) ** 2).sum()

    def _acceleration(self, state: State) -> torch.Tensor:
        change, (factors, _) = node_changes(state.trajectory), acceleration_factors(self.step)
        return change[1:] * factors[2] - change[:-1] * factors[0]


@dataclass(frozen=True)
class DepthPrior(Term):
    """White noise of a head's acceleration along one axis, an exact quadratic.

    One camera sees how far away a head is by its size alone.

    axis 3: unit, world, the camera's. precision: over a second, s³/cm². step K−1: s between nodes.
    """

    axis: torch.Tensor
    precision: float
    step: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        factors, span = acceleration_factors(self.step)
        precision = span * self.precision
        acceleration = self._acceleration(state)
        system.cost += float(0.5 * (precision * acceleration**2).sum())
        unit = system.gradient.new_zeros(system.gradient.shape[1])
        unit[3:POSE] = self.axis
        add_to_threes(
            system,
            [precision * f * acceleration * unit for f in factors],
            lambda i, j: (precision * factors[i] * factors[j])[..., None] * torch.outer(unit, unit),
        )

    def energy(self, state: State) -> torch.Tensor:
        _, span = acceleration_factors(self.step)
        return 0.5 * (span * self.precision * self._acceleration(state) ** 2).sum()

    def _acceleration(self, state: State) -> torch.Tensor:
        """Give (K−2)×1, cm/s²."""
        factors, _ = acceleration_factors(self.step)
        change = torch.diff(state.trajectory.translation @ self.axis[:, None], dim=0)
        return change[1:] * factors[2] - change[:-1] * factors[0]
