"""A view's landmarks as the solver takes them: undistorted, with their information."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from ..evidence.lids import LidRange, lid_distances
from ..evidence.options import TrackOptions
from ..evidence.point_basis import as_tensor
from ..evidence.state import PointBasis, SharedParameters, Trajectory, ViewLandmarks, visibility
from ..footage.detector.landmark_sets import landmark_sets
from ..footage.footage import Camera, View, ViewObservations

LEAST_NOISE = 0.05  # px
ON_A_NODE = 1e-6  # of the time between two nodes: a frame so near to one is taken there
# Of the time between a performance's outermost two nodes: pictures so little before the first or
# behind the last count as taken there, others are followed by no node.
BEYOND = 0.5


def make_view_landmarks(
    view: View,
    seen: ViewObservations,
    basis_confidence: np.ndarray,
    nodes: np.ndarray,
    focal: float,
    options: TrackOptions,
    frames: np.ndarray,
    lids: LidRange,
) -> ViewLandmarks:
    """Make rows between the nodes of some frames of a view; frames without a face are left out.

    basis_confidence: 478, of the model's landmarks
    nodes: K times, s
    focal: px
    frames: indices
    lids: what the view shows of this person's
    """
    frames = frames[seen.present[frames]]
    node, between = _place_between(nodes, view.times[frames])
    points = seen.points[frames].astype(np.float64)
    confidence = seen.confidence[frames] * basis_confidence
    return ViewLandmarks(
        torch.as_tensor(node),
        as_tensor(between),
        as_tensor(undistort(points, view.camera, focal)),
        as_tensor(make_sqrt_information(points, confidence, options)),
        as_tensor(rms_radius(points)),
        as_tensor(confidence),
        frames,
        as_tensor(lids.openness(lid_distances(points))),
    )


def ends_of(nodes: np.ndarray) -> tuple[float, float]:
    """Say from when to when pictures belong to nodes (K times, s): to a lone one all do."""
    if len(nodes) < 2:
        return -np.inf, np.inf
    first, last = nodes[1] - nodes[0], nodes[-1] - nodes[-2]
    return float(nodes[0] - BEYOND * first), float(nodes[-1] + BEYOND * last)


def _place_between(nodes: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the node before each time and how far towards the next it lies, in [0, 1)."""
    node = np.clip(np.searchsorted(nodes, times, side='right') - 1, 0, max(len(nodes) - 2, 0))
    if len(nodes) > 1:
        between = np.clip((times - nodes[node]) / (nodes[node + 1] - nodes[node]), 0, 1)
    else:
        between = np.zeros(len(times))
    on_next = (between > 1 - ON_A_NODE) & (node + 1 < len(nodes))
    return node + on_next, np.where(on_next | (between < ON_A_NODE), 0, between)


def make_sqrt_information(
    points: np.ndarray, confidence: np.ndarray, options: TrackOptions
) -> np.ndarray:
    """Make T×478×2×2 that take residuals from pixels to units of noise.

    Face-oval points are freer along the oval than across it.
    """
    noise = np.maximum(options.noise * rms_radius(points), LEAST_NOISE)[:, None]
    scale = np.sqrt(confidence) / noise
    sets = landmark_sets()
    oval = sets['oval']
    scale[:, oval] *= options.contour_trust
    for factor, names in (
        (options.lid_sharpness, ('left_eye', 'right_eye')),
        (options.iris_sharpness, ('left_iris', 'right_iris', 'iris_centres')),
        (options.lip_sharpness, ('lips',)),
        (options.brow_sharpness, ('left_brow', 'right_brow')),
    ):
        for name in names:
            scale[:, sets[name]] *= factor
    out = scale[..., None, None] * np.eye(2)
    along = np.roll(points[:, oval], -1, 1) - np.roll(points[:, oval], 1, 1)
    along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    across = np.stack([-along[..., 1], along[..., 0]], -1)
    free = (
        across[..., :, None] * across[..., None, :]
        + along[..., :, None] * along[..., None, :] / options.contour_tangent
    )
    out[:, oval] = scale[:, oval, None, None] * free
    return out


def rms_radius(points: np.ndarray) -> np.ndarray:
    """Measure T px: root mean square distance of landmarks (T×478×2) from each frame's middle."""
    return np.sqrt(((points - points.mean(1, keepdims=True)) ** 2).sum(2).mean(1))


def undistort(points: np.ndarray, camera: Camera, focal: float) -> np.ndarray:
    """Bring T×478×2 pixels to the principal point, without distortion, y divided by the aspect."""
    if any(camera.distortion):
        k = np.array(
            [[focal, 0, camera.centre[0]], [0, focal * camera.aspect, camera.centre[1]], [0, 0, 1]]
        )
        flat = cv2.undistortPoints(
            points.reshape(-1, 1, 2).astype(np.float64), k, np.asarray(camera.distortion)
        )
        return flat.reshape(points.shape) * focal
    out = points - np.asarray(camera.centre)
    return out / (1, camera.aspect)


def weigh_by_visibility(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    landmarks_by_view: tuple[ViewLandmarks, ...],
) -> tuple[ViewLandmarks, ...]:
    """Turn down the information of landmarks that face away from their camera."""
    out = []
    for view, landmarks in enumerate(landmarks_by_view):
        seen = visibility(basis, shared, trajectory, landmarks, view)
        out.append(
            replace(
                landmarks,
                sqrt_information=landmarks.sqrt_information * seen.sqrt()[..., None, None],
                trust=landmarks.trust * seen,
            )
        )
    return tuple(out)


def remove_bias(
    landmarks_by_view: tuple[ViewLandmarks, ...], bias: tuple[torch.Tensor, ...]
) -> tuple[ViewLandmarks, ...]:
    """Take the detector's bias (per view L×2, of the face's RMS radius) off the pixels."""
    return tuple(
        replace(landmarks, pixels=landmarks.pixels - b * landmarks.size[:, None, None])
        for landmarks, b in zip(landmarks_by_view, bias)
    )
