"""How sure the focal lengths are that a track found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..evidence.options import TrackOptions
from ..evidence.point_basis import DTYPE, as_tensor
from ..evidence.priors import FOCAL_WEIGHT, identity_weight
from ..evidence.state import State
from ..footage.footage import View
from .arrow import solve_arrow
from .problem import TrackingProblem
from .solver import linearise

# What pictures' word of a lens counts when it is said how sure it is: twelve lone views of captures
# whose lens was hidden err by 1.04 of what is stated so, by 1.54 were it believed in full.
BELIEVED = 0.1


def guess_focals(views: Sequence[View], options: TrackOptions) -> tuple[np.ndarray, torch.Tensor]:
    """Guess each view's focal length, where it is unknown: V px, and how sure (of its log, V)."""
    cameras = [view.camera for view in views]
    focals = [
        camera.focal or camera.focal_guess or options.focal_guess * max(view.size)
        for camera, view in zip(cameras, views)
    ]
    sigma = [
        options.named_focal_sigma if camera.focal_guess else options.focal_sigma
        for camera in cameras
    ]
    return np.array(focals), as_tensor(np.array(sigma))


def focal_deviations(problem: TrackingProblem, state: State) -> np.ndarray:
    """Measure the standard deviation of each view's log focal length, V: 0 where it is known.

    The curvature of a fit that found them, all else free: what it is beyond the prior's comes from
    pictures that share much of their error, and so counts as many times less as identity's prior
    counts more, and a face's shape may pass for a lens (BELIEVED); the guess itself is then
    believed once (problem.focal_sigma).
    """
    unknown, options = problem.unknown_focal, problem.options
    out, parameters = np.zeros(len(unknown)), problem.parameters
    if not parameters.focal:
        return out
    system = linearise(problem, state)
    pictures = len(state.trajectory.weights)
    for view in np.flatnonzero(unknown):
        unit = torch.zeros(parameters.count, dtype=DTYPE)
        unit[parameters.focal_rows[view]] = 1
        _, column = solve_arrow(
            system.diagonal,
            system.upper,
            system.border,
            system.corner,
            torch.zeros_like(system.gradient),
            unit,
            system.second,
        )
        guess = float(problem.focal_sigma[view]) ** -2
        curvature = 1 / float(column[parameters.focal_rows[view]])
        seen = max(curvature - FOCAL_WEIGHT * guess, 0) / identity_weight(options, pictures)
        seen *= BELIEVED
        out[view] = (seen + guess) ** -0.5
    return out
