"""The unknowns of a performance, what was seen of it, and where its points lie in a view.

Unknowns of a node (a moment of the first view): rotation vector, translation, expression weights. A picture between two nodes
sees the straight line between them (design: the motion is a function of time; no common clock is needed).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..face_model.model import FaceModel
from ..footage.footage import Camera
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate

DTYPE = torch.float64


@dataclass(frozen=True)
class PointBasis:
    """The face model at the 478 landmarks, cm: mean L×3, unit normals L×3, identities L×3×I, expressions L×3×E as the
    detector sees them, confidence L."""

    mean: torch.Tensor
    normals: torch.Tensor
    identities: torch.Tensor
    expressions: torch.Tensor
    confidence: torch.Tensor

    def of(self, kept: torch.Tensor) -> PointBasis:
        """Some of the points: L bool."""
        return (
            self
            if bool(kept.all())
            else PointBasis(*(getattr(self, f.name)[kept] for f in fields(PointBasis)))
        )


@dataclass(frozen=True)
class ViewLandmarks:
    """One view's landmarks, ready to fit: for n frames the node before (n), how far towards the next (n, in [0, 1)),
    pixels relative to the principal point with distortion and aspect removed (n×L×2), the square root of their information (inverse covariance: it takes a residual to units of noise; n×L×2×2), the face's RMS radius in the
    picture (n, px) and trust in each landmark (n×L, 0..1)."""

    node: torch.Tensor
    between: torch.Tensor
    pixels: torch.Tensor
    sqrt_information: torch.Tensor
    size: torch.Tensor
    trust: torch.Tensor
    frames: np.ndarray  # n: the frame of the view each row is


@dataclass(frozen=True)
class Evidence:
    """What one view's pictures say of P surface points, to second order round where they lay when the pictures were looked at.

    For n frames: node and between as a ViewLandmarks's; at n×P×2, pixels as a ViewLandmarks's; with d = pixels − at the cost is
    Σ gradient·d + ½ dᵀ curvature d (n×P×2, n×P×2×2) + ½ Σ (residual + Σ rows·d)², the last for `means`: for each frame a tuple of
    (index of its points N, rows R×N×2, residual R): what depends on many points at once.
    """

    node: torch.Tensor
    between: torch.Tensor
    at: torch.Tensor
    gradient: torch.Tensor
    curvature: torch.Tensor
    means: tuple[tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], ...], ...] = ()


@dataclass(frozen=True)
class SharedParameters:
    """What all frames share: identity I; log focal V; view rotation V×3×3 and translation V×3 (world → camera); landmark deviation L×3."""

    identity: torch.Tensor
    log_focal: torch.Tensor
    rotation: torch.Tensor
    translation: torch.Tensor
    deviation: torch.Tensor


@dataclass(frozen=True)
class Trajectory:
    """Node values: rotation K×3×3, translation K×3 (head → world, cm), weights K×E."""

    rotation: torch.Tensor
    translation: torch.Tensor
    weights: torch.Tensor


def landmark_basis(model: FaceModel, landmarks: ModelLandmarks) -> PointBasis:
    """The model's linear bases sampled at the landmarks."""
    as_tensor = lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    normals = landmarks.on(
        vertex_normals(model.neutral.astype(np.float64), triangulate(model.faces))
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointBasis(
        as_tensor(landmarks.on(model.neutral)),
        as_tensor(normals),
        as_tensor(np.moveaxis(landmarks.on(model.identities), 0, -1)),
        as_tensor(np.moveaxis(landmarks.on(model.tracked.expressions) + landmarks.response, 0, -1)),
        as_tensor(landmarks.confidence),
    )


def blend_nodes(between: torch.Tensor, at: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    u = between.reshape((-1,) + (1,) * (at.dim() - 1))
    return (1 - u) * at + u * after


def pose_points(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    view_landmarks: ViewLandmarks,
    view: int,
    rows: slice,
):
    """Landmarks of some rows in camera space (n×L×3), and the rotated shapes at the two nodes round each row."""
    shape = basis.mean + shared.deviation + basis.identities @ shared.identity
    nodes = (
        view_landmarks.node[rows],
        (view_landmarks.node[rows] + 1).clamp_max(len(trajectory.weights) - 1),
    )
    turned = [
        torch.einsum(
            'nij,nlj->nli',
            trajectory.rotation[k],
            shape + torch.einsum('lie,ne->nli', basis.expressions, trajectory.weights[k]),
        )
        for k in nodes
    ]
    world = blend_nodes(
        view_landmarks.between[rows],
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
    """n×L in [LEAST_TRUST, 1]: how far each landmark's skin faces the camera; what turns away is guessed by the detector, not seen."""
    camera, _, _, nodes = pose_points(basis, shared, trajectory, view_landmarks, view, slice(None))
    normals = torch.einsum(
        'ij,njk,lk->nli', shared.rotation[view], trajectory.rotation[nodes[0]], basis.normals
    )
    facing = -(normals * camera / camera.norm(dim=2, keepdim=True)).sum(2)
    return ((facing - TRUSTED_COSINES[0]) / (TRUSTED_COSINES[1] - TRUSTED_COSINES[0])).clamp(
        LEAST_TRUST, 1
    )


TRUSTED_COSINES, LEAST_TRUST = (
    (0.0, 0.5),
    0.02,
)  # cosines between which confidence grows from LEAST_TRUST to 1 (measured here)


def projection(camera: torch.Tensor, focal: torch.Tensor) -> torch.Tensor:
    return camera[..., :2] / camera[..., 2:].clamp_min(1.0) * focal


def project_landmarks(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    view_landmarks: ViewLandmarks,
    view: int,
    rows: slice = slice(None),
) -> torch.Tensor:
    """Project a basis' points into some rows' pictures: n×L×2 px, as a ViewLandmarks's pixels."""
    camera = pose_points(basis, shared, trajectory, view_landmarks, view, rows)[0]
    return projection(camera, shared.log_focal[view].exp())


def to_pixels(camera: np.ndarray, lens: Camera, focal: float) -> np.ndarray:
    """…×3 camera space → …×2 pixels of the picture, with aspect and distortion."""
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
