"""The unknowns of a performance, what was seen of it, and where its points lie in a view.

Unknowns of a node (a moment of the first view): rotation vector, translation, expression weights.
A picture between two nodes sees the straight line between them (the trajectory is a function of
time; no common clock is needed).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch

from ..footage.footage import Camera
from ..formats.trajectory import Trajectory
from .point_basis import PointBasis

LEAST_DEPTH = 1.0  # cm: what lies nearer to the camera is projected as if it lay there
TRUSTED_COSINES = (0.0, 0.5)  # between which confidence grows from LEAST_TRUST to 1 (measured here)
LEAST_TRUST = 0.02


class TimedRows(Protocol):
    """When n pictures of a view were taken.

    node: n, the node before. between: n in [0, 1), how far towards the next.
    """

    @property
    def node(self) -> torch.Tensor: ...

    @property
    def between(self) -> torch.Tensor: ...


@dataclass(frozen=True)
class ViewLandmarks:
    """One view's landmarks, ready to fit.

    node, between: see TimedRows.
    pixels: n×L×2, relative to the principal point, with distortion and aspect removed.
    sqrt_information: n×L×2×2, the square root of their inverse covariance: it takes a residual to
    units of noise.
    size: n, the face's RMS radius in the picture, px. trust: n×L in each landmark, 0..1.
    frames: n, the frame of the view that each row is.
    openness: n×2, of the right and the left eye: 0 shut, 1 open as usual.
    """

    node: torch.Tensor
    between: torch.Tensor
    pixels: torch.Tensor
    sqrt_information: torch.Tensor
    size: torch.Tensor
    trust: torch.Tensor
    frames: np.ndarray
    openness: torch.Tensor


@dataclass(frozen=True)
class SharedParameters:
    """What all frames share.

    identity I; log_focal V; view rotation V×3×3 and translation V×3 (world → camera); landmark
    deviation L×3.
    """

    identity: torch.Tensor
    log_focal: torch.Tensor
    rotation: torch.Tensor
    translation: torch.Tensor
    deviation: torch.Tensor


class State(NamedTuple):
    """Everything a fit solves for."""

    shared: SharedParameters
    trajectory: Trajectory

    @property
    def nodes_and_unknowns(self) -> tuple[int, int]:
        """Count the nodes K, and the unknowns m of each."""
        nodes, expressions = self.trajectory.weights.shape
        return nodes, 6 + expressions


def nodes_of(trajectory: Trajectory, nodes: np.ndarray | torch.Tensor) -> Trajectory:
    """Copy some nodes of a trajectory."""
    at = torch.as_tensor(nodes)
    return Trajectory(*(getattr(trajectory, f.name)[at].clone() for f in fields(Trajectory)))


def blend_nodes(between: torch.Tensor, at: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Go some part of the way (n, 0..1) from one node's values (n×…) to the next's."""
    u = between.reshape((-1,) + (1,) * (at.dim() - 1))
    return (1 - u) * at + u * after


def pose_points(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    timed: TimedRows,
    view: int,
    rows: slice = slice(None),
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Pose a basis' points for some rows of a view.

    Returns them in camera space and in the world (n×L×3 each), turned as at either node, and
    those nodes (n each).
    """
    shape = basis.mean + shared.deviation + basis.identities @ shared.identity
    nodes = (timed.node[rows], (timed.node[rows] + 1).clamp_max(len(trajectory.weights) - 1))
    turned = [
        torch.einsum(
            'nij,nlj->nli',
            trajectory.rotation[k],
            shape + torch.einsum('lie,ne->nli', basis.expressions, trajectory.weights[k]),
        )
        for k in nodes
    ]
    world = blend_nodes(
        timed.between[rows],
        turned[0] + trajectory.translation[nodes[0]][:, None],
        turned[1] + trajectory.translation[nodes[1]][:, None],
    )
    return world @ shared.rotation[view].T + shared.translation[view], world, turned, nodes


def visibility(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    view_landmarks: ViewLandmarks,
    view: int,
) -> torch.Tensor:
    """Say how far each landmark's skin faces the camera: n×L in [LEAST_TRUST, 1].

    What turns away is guessed by the detector, not seen.
    """
    camera, _, _, nodes = pose_points(basis, shared, trajectory, view_landmarks, view)
    normals = torch.einsum(
        'ij,njk,lk->nli', shared.rotation[view], trajectory.rotation[nodes[0]], basis.normals
    )
    facing = -(normals * camera / camera.norm(dim=2, keepdim=True)).sum(2)
    low, high = TRUSTED_COSINES
    return ((facing - low) / (high - low)).clamp(LEAST_TRUST, 1)


def projection(camera: torch.Tensor, focal: torch.Tensor) -> torch.Tensor:
    """Project …×3 in camera space to …×2 px relative to the principal point, without distortion."""
    return camera[..., :2] / camera[..., 2:].clamp_min(LEAST_DEPTH) * focal


def project_landmarks(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    timed: TimedRows,
    view: int,
    rows: slice = slice(None),
) -> torch.Tensor:
    """Project a basis' points into some rows' pictures: n×L×2 px, as a ViewLandmarks's pixels."""
    camera = pose_points(basis, shared, trajectory, timed, view, rows)[0]
    return projection(camera, shared.log_focal[view].exp())


def to_pixels(camera: np.ndarray, lens: Camera, focal: float) -> np.ndarray:
    """Project …×3 in camera space to …×2 pixels of the picture, with aspect and distortion."""
    k = np.array(
        [[focal, 0, lens.centre[0]], [0, focal * lens.aspect, lens.centre[1]], [0, 0, 1.0]]
    )
    if any(lens.distortion):
        return cv2.projectPoints(
            camera.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), k, np.asarray(lens.distortion)
        )[0].reshape(camera.shape[:-1] + (2,))
    return camera[..., :2] / camera[..., 2:] * (focal, focal * lens.aspect) + np.asarray(
        lens.centre
    )
