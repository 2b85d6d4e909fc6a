"""Any mesh of a head → the face model's topology lying on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..annotate.landmarks import ModelLandmarks
from ..face_model.model import FaceModel
from ..geometry.user_mesh import UserMesh
from .linear_fit import fit_linear_model
from .template import Wrapped, register_template


def wrap_mesh(
    model: FaceModel,
    landmarks: ModelLandmarks,
    mesh: UserMesh,
    markers: dict[int, np.ndarray] | None = None,
    expression: bool = True,
    report: Callable[[float, str], None] = lambda fraction, stage: None,
) -> Wrapped:
    """Lay the model's topology onto a mesh of any units, axes, topology.

    markers: {index of the 68 landmarks: 3 in the mesh's own space}; with at least four no face need
    be detected. expression: False takes the mesh to be at rest. report: called with (0..1, stage).
    Raises FacewrightError where no face, or more than one, is found.
    """
    fitted = fit_linear_model(
        model, landmarks, mesh, markers, expression, lambda f: report(0.5 * f, 'Finding the face')
    )
    return register_template(
        model, landmarks, fitted, markers, lambda f: report(0.5 + 0.5 * f, 'Wrapping the model')
    )
