"""What is constantly off: the detector in each view (bias), the person at landmarks (deviation).

Taken as noise these would be counted once a frame and bend the person's shape.
"""

from __future__ import annotations

import numpy as np
import torch

from ..annotate.detector_bias import FEWEST, heads_from_nearby, measure_detector_bias
from ..annotate.landmarks import ModelLandmarks
from ..evidence.options import TrackOptions
from ..evidence.pixel_derivatives import by_camera_point
from ..evidence.point_basis import DTYPE
from ..evidence.state import SharedParameters, Trajectory, pose_points, projection
from ..face_model.model import FaceModel
from .problem import TrackingProblem


def detector_bias_by_view(
    model: FaceModel,
    landmarks: ModelLandmarks,
    problem: TrackingProblem,
    shared: SharedParameters,
    trajectory: Trajectory,
    options: TrackOptions,
) -> tuple[torch.Tensor, ...]:
    """Measure what the detector adds when it sees the fitted head in some of each view's own poses.

    Returns per view L×2, of the face's RMS radius (annotate/detector_bias.py).
    """
    out = []
    identity = model.shape(shared.identity.numpy()).astype(np.float64)
    for view, view_landmarks in enumerate(problem.landmarks_by_view):
        count, heads = len(view_landmarks.node), []
        rows = np.linspace(0, count - 1, min(options.bias_renders, count)).astype(int)
        for row in np.unique(rows):
            k = int(view_landmarks.node[row])
            head = identity + np.tensordot(
                trajectory.weights[k].numpy().astype(np.float32), model.expressions, 1
            )
            world = head @ trajectory.rotation[k].numpy().T + trajectory.translation[k].numpy()
            heads.append(world @ shared.rotation[view].numpy().T + shared.translation[view].numpy())
        few = len(heads) < FEWEST
        if few:
            heads = heads_from_nearby(heads)
        bias = measure_detector_bias(model, landmarks, heads, 'final' if few else 'draft')
        out.append(torch.as_tensor(bias, dtype=DTYPE))
    return tuple(out)


def find_view_bias(
    problem: TrackingProblem,
    shared: SharedParameters,
    trajectory: Trajectory,
    options: TrackOptions,
    detector_bias: tuple[torch.Tensor, ...],
) -> tuple[torch.Tensor, ...]:
    """Estimate the detector's constant error in each view: L×2, of the face's RMS radius there.

    A ridge estimate round what the detector does with the fitted head (`detector_bias`).
    """
    out, ridge = [], options.view_bias**-2
    for view, landmarks in enumerate(problem.landmarks_by_view):
        if not len(landmarks.node):
            out.append(detector_bias[view])
            continue
        camera = pose_points(problem.basis, shared, trajectory, landmarks, view, slice(None))[0]
        size, focal = landmarks.size[:, None, None], shared.log_focal[view].exp()
        gap = (landmarks.pixels - projection(camera, focal)) / size + problem.bias[view]
        residual = torch.einsum(
            'nlij,nlj->nli', landmarks.sqrt_information, (gap - problem.bias[view]) * size
        )
        robust = 1 + residual.square().sum(2) / options.robust**2
        weight = options.data * landmarks.trust / options.noise**2 / robust
        out.append(
            ((gap * weight[..., None]).sum(0) + ridge * detector_bias[view])
            / (weight.sum(0) + ridge)[:, None]
        )
    return tuple(out)


def find_deviation(
    problem: TrackingProblem,
    shared: SharedParameters,
    trajectory: Trajectory,
    options: TrackOptions,
) -> torch.Tensor:
    """Estimate each landmark's constant offset L×3 (cm, head space) from all views' rows: ridge."""
    count = len(problem.basis.mean)
    normal, right = torch.zeros(count, 3, 3, dtype=DTYPE), torch.zeros(count, 3, dtype=DTYPE)
    for view, landmarks in enumerate(problem.landmarks_by_view):
        focal = shared.log_focal[view].exp()
        camera, _, _, nodes = pose_points(
            problem.basis, shared, trajectory, landmarks, view, slice(None)
        )
        residual = torch.einsum(
            'nlij,nlj->nli',
            landmarks.sqrt_information,
            landmarks.pixels - projection(camera, focal),
        )
        root = torch.sqrt(options.data / (1 + (residual**2).sum(2) / options.robust**2))[..., None]
        jacobian = (
            (landmarks.sqrt_information * root[..., None])
            @ by_camera_point(camera, focal)
            @ (shared.rotation[view] @ trajectory.rotation[nodes[0]])[:, None]
        )
        normal += torch.einsum('nlai,nlaj->lij', jacobian, jacobian)
        right += torch.einsum('nlai,nla->li', jacobian, residual * root)
    ridge = torch.eye(3, dtype=DTYPE) * options.bias_sigma**-2
    right += torch.einsum('lij,lj->li', normal, shared.deviation)
    return torch.linalg.solve(normal + ridge, right)
