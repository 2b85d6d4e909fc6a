"""A small linear head and exact observations of it: closed-form ground for the tracker's tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from facewright.engine.evidence.options import TrackOptions
from facewright.engine.evidence.point_basis import DTYPE, PointBasis
from facewright.engine.evidence.state import (
    SharedParameters,
    State,
    Trajectory,
    ViewLandmarks,
    project_landmarks,
)
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.tracking.problem import TrackingProblem

LANDMARKS, IDENTITIES = 60, 4
NAMES = ('jawOpen', 'mouthClose', 'eyeBlink_L', 'eyeBlink_R', 'browDown_L', 'browDown_R')


def tensor(a) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)


def make_basis(rng: np.random.Generator) -> PointBasis:
    mean = rng.normal(size=(LANDMARKS, 3)) * (5, 7, 3)
    normals = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return PointBasis(
        tensor(mean),
        tensor(normals),
        tensor(rng.normal(size=(LANDMARKS, 3, IDENTITIES)) * 0.5),
        tensor(rng.normal(size=(LANDMARKS, 3, len(NAMES))) * 0.8),
        torch.ones(LANDMARKS, dtype=DTYPE),
    )


def make_motion(rng: np.random.Generator, count: int) -> Trajectory:
    turn = rng.normal(size=(count, 3)) * 0.15
    flip = tensor(np.diag([1.0, -1.0, -1.0]))
    rotation = (
        torch.linalg.matrix_exp(tensor(np.stack([np.cross(np.eye(3), t) for t in turn]))) @ flip
    )
    return Trajectory(
        rotation,
        tensor(rng.normal(size=(count, 3)) * (1, 1, 2) + (0, 0, 60)),
        tensor(rng.uniform(0.1, 0.8, size=(count, len(NAMES)))),
    )


def make_problem(
    rng: np.random.Generator,
    count: int = 5,
    views: int = 2,
    free: tuple[str, ...] = ('identity', 'focal', 'cameras'),
    noise: float = 0.0,
    options: TrackOptions | None = None,
) -> tuple[TrackingProblem, SharedParameters, Trajectory]:
    """Make a problem whose observations are exact at the returned state.

    noise: pixels, added to them. Frames of further views lie between the nodes.
    """
    options = options or TrackOptions()
    basis, trajectory = make_basis(rng), make_motion(rng, count)
    rotation = np.stack([np.eye(3)] + [_about_y(0.4 * v) for v in range(1, views)])
    translation = np.stack(
        [np.zeros(3)] + [np.array([-22.0 * v, 0, 5.0 * v]) for v in range(1, views)]
    )
    shared = SharedParameters(
        tensor(rng.normal(size=IDENTITIES) * 0.5),
        tensor(np.log([900.0 + 50 * v for v in range(views)])),
        tensor(rotation),
        tensor(translation),
        torch.zeros(LANDMARKS, 3, dtype=DTYPE),
    )
    landmarks_by_view = tuple(
        _observed(rng, basis, shared, trajectory, v, noise) for v in range(views)
    )
    problem = TrackingProblem(
        basis,
        landmarks_by_view,
        NAMES,
        options,
        torch.full((count - 1,), 1 / 30, dtype=DTYPE),
        shared.log_focal,
        torch.full((views,), options.focal_sigma, dtype=DTYPE),
        (True,) * views,
        tuple(torch.zeros(LANDMARKS, 2, dtype=DTYPE) for _ in range(views)),
        free=frozenset(free),
    )
    return problem, shared, trajectory


def _observed(rng, basis, shared, trajectory, v: int, noise: float) -> ViewLandmarks:
    """What view v sees: one frame a node, or for a further view one between each two."""
    count = len(trajectory.weights)
    node = torch.arange(count if v == 0 else count - 1)
    between = torch.full((len(node),), 0.0 if v == 0 else 0.37, dtype=DTYPE)
    blank = ViewLandmarks(
        node,
        between,
        torch.zeros(len(node), LANDMARKS, 2, dtype=DTYPE),
        torch.eye(2, dtype=DTYPE).expand(len(node), LANDMARKS, 2, 2).clone(),
        torch.full((len(node),), 80.0, dtype=DTYPE),
        torch.ones(len(node), LANDMARKS, dtype=DTYPE),
        np.arange(len(node)),
        torch.linspace(0, 1.1, 2 * len(node), dtype=DTYPE).reshape(-1, 2),
    )
    pixels = project_landmarks(basis, shared, trajectory, blank, v, slice(None))
    return ViewLandmarks(
        node,
        between,
        pixels + noise * tensor(rng.normal(size=pixels.shape)),
        blank.sqrt_information,
        blank.size,
        blank.trust,
        blank.frames,
        blank.openness,
    )


def _about_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def moved(state: State, node_step: torch.Tensor, shared_step: torch.Tensor, views: int) -> State:
    """The state after a step of every unknown.

    In the solver's own parametrisation (weights without bounds).
    """
    shared, trajectory = state
    trajectory = Trajectory(
        so3_exp(node_step[:, :3]) @ trajectory.rotation,
        trajectory.translation + node_step[:, 3:6],
        trajectory.weights + node_step[:, 6:],
    )
    change = shared_step[IDENTITIES + views :].reshape(views, 6)
    shared = replace(
        shared,
        identity=shared.identity + shared_step[:IDENTITIES],
        log_focal=shared.log_focal + shared_step[IDENTITIES : IDENTITIES + views],
        rotation=so3_exp(change[:, :3]) @ shared.rotation,
        translation=shared.translation + change[:, 3:],
    )
    return State(shared, trajectory)
