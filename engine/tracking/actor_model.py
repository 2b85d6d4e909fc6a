"""What stays the same while a performance is followed: the actor's model and its appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy import sparse

from ..annotate.landmarks import ModelLandmarks
from ..evidence.gaps import Pairs, find_pairs
from ..evidence.options import StandardOptions
from ..evidence.part_evidence import used_points
from ..evidence.part_points import OutlinePoints, PartPoints, outline_points
from ..evidence.photometric import (
    AppearanceSamples,
    Points,
    choose_points,
    expected_appearance,
    fit_shading,
)
from ..evidence.state import DTYPE, PointBasis, landmark_basis
from ..face_model.model import FaceModel
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from .offsets import offset_modes
from .view_landmarks import as_tensor


@dataclass(frozen=True)
class PointAppearance:
    """What P points look like.

    expected, support: P×C and P (photometric.expected_appearance)
    albedo, light: P×3 and views×9×3 (photometric.fit_shading)
    """

    expected: np.ndarray
    support: np.ndarray
    albedo: np.ndarray
    light: np.ndarray


@dataclass(frozen=True)
class ActorModel:
    """The model with personal offset modes among its identities, and its bases where it is seen.

    basis: at the landmarks
    surface: at the points, then at the parts' points and outlines, then at the rims of lips and
        lids (gaps)
    appearance: of the points, None before it is known
    """

    model: FaceModel
    basis: PointBasis
    points: Points
    parts: PartPoints | None
    outlines: OutlinePoints | None
    gaps: Pairs
    surface: PointBasis
    appearance: PointAppearance | None = None


def make_actor_model(
    model: FaceModel, landmarks: ModelLandmarks, options: StandardOptions, views: int
) -> ActorModel:
    """Widen a model by smooth offset modes and choose the points it is followed by.

    One view does not see depth: there the modes go along x and y alone.
    """
    several = views > 1
    spread = options.offset_spread if several else options.lone_offset_spread
    axes = (0, 1, 2) if several else (0, 1)
    modes = offset_modes(model, options.modes, spread, axes, options.finer)
    wide = replace(model, identities=np.concatenate([model.identities, modes]))
    points = choose_points(wide, lambda vertex: basis_at(wide, vertex), options)
    parts = used_points(wide, options) if options.parts else None
    outlines = outline_points(wide) if options.parts and options.outlines else None
    gaps = find_pairs(wide, landmarks)
    mixed = [basis_of(wide, one.matrix) for one in (parts, outlines, gaps) if one is not None]
    surface = concatenate_bases([points.basis, *mixed])
    return ActorModel(wide, landmark_basis(wide, landmarks), points, parts, outlines, gaps, surface)


def estimate_appearance(
    samples: list[AppearanceSamples], options: StandardOptions
) -> PointAppearance:
    """Estimate what the points look like from all pictures of all views."""
    return PointAppearance(*expected_appearance(samples, options), *fit_shading(samples))


def basis_at(model: FaceModel, vertex: np.ndarray) -> PointBasis:
    """Take the model's linear bases at some of its vertices."""
    normals = vertex_normals(model.neutral.astype(np.float64), triangulate(model.faces))[vertex]
    return PointBasis(
        as_tensor(model.neutral[vertex]),
        as_tensor(normals),
        as_tensor(np.moveaxis(model.identities[:, vertex], 0, -1)),
        as_tensor(np.moveaxis(model.tracked.expressions[:, vertex], 0, -1)),
        torch.ones(len(vertex), dtype=DTYPE),
    )


def basis_of(model: FaceModel, matrix: sparse.csr_matrix) -> PointBasis:
    """Mix the model's linear bases at N mixtures of its vertices, N×V; their normals are 0."""

    def mixed(offsets: np.ndarray) -> torch.Tensor:
        rows = np.stack([matrix @ one.astype(np.float64) for one in offsets], -1)
        return torch.as_tensor(rows, dtype=DTYPE)

    mean = torch.as_tensor(matrix @ model.neutral.astype(np.float64), dtype=DTYPE)
    return PointBasis(
        mean,
        torch.zeros_like(mean),
        mixed(model.identities),
        mixed(model.tracked.expressions),
        torch.ones(len(mean), dtype=DTYPE),
    )


def concatenate_bases(bases: Sequence[PointBasis]) -> PointBasis:
    """Put some bases' points one after the other."""
    return PointBasis(
        *(torch.cat([getattr(one, f.name) for one in bases]) for f in fields(PointBasis))
    )
