"""Which unknowns all frames share are free, and how a step of the solver moves a state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..geometry.rotations import so3_exp
from .point_basis import DTYPE
from .state import State, Trajectory

POSE = 6  # unknowns of a node before its weights: rotation vector, translation
MOST_FOCAL_STEP = 0.3  # of a logarithm of a focal length, in one step
LEAST_WEIGHT = 1e-6  # curvature of an eliminated unknown: with less it is not free
GAUGE = 1e-3  # curvature added to what no term may hold: the first camera, which is the world


@dataclass(frozen=True)
class FreeParameters:
    """The G free unknowns that all frames share: identity, each log focal, each camera.

    identities: how many coefficients of the identity move: all, or 0.
    views: how many there are.
    focal: whether each view's focal length is unknown; () where all are held.
    cameras: whether the cameras' poses move (6 unknowns each: rotation vector, translation).
    """

    identities: int
    views: int
    focal: tuple[bool, ...] = ()
    cameras: bool = False

    @property
    def count(self) -> int:
        return self.identities + len(self.focal) + (6 * self.views if self.cameras else 0)

    @property
    def focal_rows(self) -> torch.Tensor:
        """Index the log focals among the G."""
        return torch.arange(self.identities, self.identities + len(self.focal))

    def camera_column(self, view: int) -> int:
        """Give the first of a view's six among the G."""
        return self.count - 6 * self.views + 6 * view

    def room(self, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Say how far each unknown of a node may go down and up, K×m each.

        Weights stay in [0, 1].
        """
        w = state.trajectory.weights
        pose = torch.full((len(w), POSE), torch.inf, dtype=DTYPE)
        return torch.cat([-pose, -w], 1), torch.cat([pose, 1 - w], 1)

    def add_gauge(self, corner: torch.Tensor) -> None:
        """Keep the curvature of the cameras (corner G×G) from being singular."""
        if self.cameras:
            rows = torch.arange(self.count - 6 * self.views, self.count)
            corner[rows, rows] += GAUGE

    def retract(self, state: State, step: torch.Tensor, shared_step: torch.Tensor) -> State:
        """Move a state by a step of its nodes (K×m) and of what is shared (G).

        Weights stay in [0, 1].
        """
        shared, trajectory = state
        trajectory = Trajectory(
            so3_exp(step[:, :3]) @ trajectory.rotation,
            trajectory.translation + step[:, 3:6],
            (trajectory.weights + step[:, 6:]).clamp(0, 1),
        )
        if self.identities:
            shared = replace(shared, identity=shared.identity + shared_step[: self.identities])
        if self.focal:
            change = shared_step[self.focal_rows].clamp(-MOST_FOCAL_STEP, MOST_FOCAL_STEP)
            shared = replace(shared, log_focal=shared.log_focal + change)
        if self.cameras:
            change = shared_step[-6 * self.views :].reshape(self.views, 6)
            shared = replace(
                shared,
                rotation=so3_exp(change[:, :3]) @ shared.rotation,
                translation=shared.translation + change[:, 3:],
            )
        return State(shared, trajectory)


@dataclass(frozen=True)
class Eliminated:
    """N more unknowns, each with a curvature of its own alone, that are solved for in passing.

    border K×m×N (single precision): beside the nodes' unknowns. corner G×N: beside the shared ones.
    weight N: their own curvature, above LEAST_WEIGHT.
    """

    border: torch.Tensor
    corner: torch.Tensor
    weight: torch.Tensor


SUMMED = ('diagonal', 'upper', 'border', 'corner', 'gradient', 'gradient_shared')


@dataclass
class System:
    """Normal equations of one linearisation, in the shape of an arrow, and the cost there.

    See tracking/arrow.py.
    For K nodes of m unknowns and G shared ones: diagonal K×m×m, upper (K−1)×m×m (node k beside
    k+1), second (K−2)×m×m (beside k+2) or None, border K×m×G, corner G×G, gradient K×m,
    gradient_shared G.
    """

    parameters: FreeParameters
    diagonal: torch.Tensor
    upper: torch.Tensor
    border: torch.Tensor
    corner: torch.Tensor
    gradient: torch.Tensor
    gradient_shared: torch.Tensor
    cost: float = 0.0
    second: torch.Tensor | None = None
    eliminated: Eliminated | None = None

    def make_second(self) -> torch.Tensor:
        """Return the blocks of nodes two apart, made where there are none yet."""
        if self.second is None:
            count, m = self.gradient.shape
            self.second = torch.zeros(count - 2, m, m, dtype=DTYPE)
        return self.second

    def empty(self) -> System:
        """Make one of the same shape that no term has been added to."""
        return empty_system(self.parameters, *self.gradient.shape)

    def add(self, other: System) -> None:
        """Add another's equations and cost, but for what it would eliminate."""
        for name in SUMMED:
            getattr(self, name).add_(getattr(other, name))
        if other.second is not None:
            self.make_second().add_(other.second)
        self.cost += other.cost


def empty_system(parameters: FreeParameters, nodes: int, size: int) -> System:
    """Make the system of `nodes` nodes of `size` unknowns that no term has been added to."""
    g = parameters.count
    return System(
        parameters,
        torch.zeros(nodes, size, size, dtype=DTYPE),
        torch.zeros(max(nodes - 1, 0), size, size, dtype=DTYPE),
        torch.zeros(nodes, size, g, dtype=DTYPE),
        torch.zeros(g, g, dtype=DTYPE),
        torch.zeros(nodes, size, dtype=DTYPE),
        torch.zeros(g, dtype=DTYPE),
    )
