"""What stays the same while a performance is followed: the actor's model and its appearance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..annotate.landmarks import ModelLandmarks
from ..evidence.appearance import PointAppearance
from ..evidence.lid_term import LidGaps, lid_gaps
from ..evidence.options import StandardOptions
from ..evidence.picture_terms import Surface, choose_surface
from ..evidence.point_basis import PointBasis, landmark_basis
from ..face_model.model import FaceModel
from .offsets import offset_modes


@dataclass(frozen=True)
class ActorModel:
    """The model with personal offset modes among its identities, and its bases where it is seen.

    basis: at the landmarks
    surface: the points that pictures are asked about
    lids: how far they stand apart
    appearance: of the points, None before it is known
    """

    model: FaceModel
    basis: PointBasis
    surface: Surface
    lids: LidGaps
    appearance: PointAppearance | None = None


def make_actor_model(
    model: FaceModel, landmarks: ModelLandmarks, options: StandardOptions, views: int
) -> ActorModel:
    """Widen a model by smooth offset modes and choose the points it is followed by.

    One actor's model (FaceModel.of_actor) stays as it is.
    """
    wide = model
    if model.known_identity is None:
        spread = options.offset_spread if views > 1 else options.lone_offset_spread
        modes = offset_modes(model, options.modes, spread, options.finer)
        wide = replace(model, identities=np.concatenate([model.identities, modes]))
    surface = choose_surface(wide, landmarks, options)
    return ActorModel(wide, landmark_basis(wide, landmarks), surface, lid_gaps(wide))
