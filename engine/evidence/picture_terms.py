"""Everything that one view's pictures say of a head, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..face_model.model import FaceModel
from .appearance import AppearanceSamples, PointAppearance
from .free_appearance import FreeAppearanceTerm, free_points
from .gaps import GapTerm, Pairs, find_pairs, gap_quadratic
from .options import StandardOptions
from .part_evidence import (
    MaskedPicture,
    OutlineTerm,
    PartTerm,
    PointQuadratic,
    outline_quadratic,
    part_quadratic,
    used_points,
)
from .part_points import OutlinePoints, PartPoints, outline_points
from .photometric import (
    AppearanceResiduals,
    PhotometricTerm,
    ShadingTerm,
    appearance_quadratic,
    photometric_residuals,
    shading_residuals,
)
from .picture_term import JointRows, PictureTerm, PixelQuadratic, joined, undeviated
from .pictures import Points, ViewPictures, choose_points
from .point_basis import PointBasis, basis_of, concatenated
from .state import State, pose_points, project_landmarks, projection


@dataclass(frozen=True, eq=False)
class Surface:
    """The points of a model that pictures are asked about, one kind after the other.

    points: whose appearance is followed. parts, outlines: of the face's parts, None where masks
    say nothing.
    gaps: the rims of lips and lids. basis: the model's at all of them.
    """

    points: Points
    parts: PartPoints | None
    outlines: OutlinePoints | None
    gaps: Pairs
    basis: PointBasis

    @property
    def runs(self) -> tuple[slice, slice, slice, slice]:
        """Say where the points, parts, outlines and gaps stand among all points."""
        mixtures = (self.parts, self.outlines, self.gaps)
        counts = [0 if one is None else one.matrix.shape[0] for one in mixtures]
        ends = np.cumsum([0, len(self.points.vertex), *counts]).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))


def choose_surface(
    model: FaceModel, landmarks: ModelLandmarks, options: StandardOptions
) -> Surface:
    """Choose a model's points that pictures are asked about."""
    points = choose_points(model, options)
    parts = used_points(model, options) if options.parts else None
    gaps = find_pairs(model, landmarks)
    outlines = outline_points(model) if options.parts and options.outlines else None
    mixed = [basis_of(model, one.matrix) for one in (parts, outlines, gaps) if one is not None]
    return Surface(points, parts, outlines, gaps, concatenated([points.basis, *mixed]))


@dataclass(frozen=True)
class PartQuadratics:
    """What one picture's masks say of the parts' points and of their outlines (None: not asked)."""

    parts: PointQuadratic
    outlines: PointQuadratic | None


def part_quadratics(
    surface: Surface, picture: MaskedPicture, robust: float, options: StandardOptions
) -> PartQuadratics:
    """Ask one picture's masks about a surface. robust: see part_quadratic."""
    outlines = surface.outlines
    return PartQuadratics(
        part_quadratic(surface.parts, picture, robust, options),
        None if outlines is None else outline_quadratic(outlines, picture, options),
    )


def stacked(
    quadratics: Sequence[PointQuadratic], seen: ViewPictures, at: torch.Tensor
) -> PixelQuadratic:
    """Make one quadratic of each picture's. at n×P×2: where the points lay."""
    joint = []
    for of_part in zip(*(quadratic.joint for quadratic in quadratics)):
        index, shown, rows, residual = zip(*of_part)
        shown, rows = (tuple(torch.as_tensor(a) for a in part) for part in (shown, rows))
        both = torch.as_tensor(index[0]), torch.as_tensor(np.stack(residual))
        joint.append(JointRows(both[0], shown, rows, both[1]))
    gradient = torch.as_tensor(np.stack([one.gradient for one in quadratics]))
    curvature = torch.as_tensor(np.stack([one.curvature for one in quadratics]))
    timed = seen.landmarks
    return PixelQuadratic(timed.node, timed.between, at, gradient, curvature, tuple(joint))


def picture_terms(
    surface: Surface,
    seen: ViewPictures,
    state: State,
    shown: Sequence[AppearanceResiduals],
    masked: Sequence[PartQuadratics],
    options: StandardOptions,
) -> list[PictureTerm]:
    """List what one view's pictures say.

    shown: see appearance_residuals.
    masked: of each picture, what its masks say; empty where there are none.
    """
    focal = state.shared.log_focal[seen.view].exp()
    still = undeviated(state, surface.basis)
    camera = pose_points(surface.basis, *still, seen.landmarks, seen.view)[0]
    at = projection(camera, focal)
    points, parts, outlines, gaps = surface.runs
    terms = []

    def add(kind: type[PictureTerm], run: slice, quadratic: PixelQuadratic) -> None:
        terms.append(kind(surface.basis.at(run), run, seen.view, quadratic))

    kinds = PhotometricTerm, ShadingTerm
    for kind, residuals in zip(kinds, shown):
        add(kind, points, appearance_quadratic(seen, at[:, points], residuals))
    if masked:
        add(PartTerm, parts, stacked([one.parts for one in masked], seen, at[:, parts]))
        if surface.outlines is not None:
            of_outlines = [one.outlines for one in masked]
            add(OutlineTerm, outlines, stacked(of_outlines, seen, at[:, outlines]))
    if options.gaps:
        depth = camera[:, gaps, 2]
        add(
            GapTerm,
            gaps,
            gap_quadratic(
                surface.gaps, seen.landmarks, at[:, gaps], depth, float(focal), options.gaps
            ),
        )
    return terms


def picture_term(
    surface: Surface,
    seen: ViewPictures,
    state: State,
    shown: Sequence[AppearanceResiduals],
    masked: Sequence[PartQuadratics],
    options: StandardOptions,
) -> PictureTerm:
    """Sum one view's picture_terms, so that derivatives are found once for all of them."""
    terms = picture_terms(surface, seen, state, shown, masked, options)
    return joined(surface.basis, terms)


def appearance_residuals(
    seen: ViewPictures,
    samples: AppearanceSamples,
    appearance: PointAppearance,
    options: StandardOptions,
) -> list[AppearanceResiduals]:
    """List what a view's pictures show of the points beside what is expected, kind by kind."""
    found = [photometric_residuals(seen, samples, appearance, options)]
    if options.shaded:
        found.append(shading_residuals(seen, samples, appearance, options))
    return found


def free_appearance_term(
    surface: Surface,
    seen_by_view: Sequence[ViewPictures],
    state: State,
    shown_by_view: Sequence[Sequence[AppearanceResiduals]],
) -> FreeAppearanceTerm:
    """Free what the points look like, all views together. shown: appearance_residuals."""
    basis, views = surface.points.basis, []
    still = undeviated(state, basis)
    for seen, shown in zip(seen_by_view, shown_by_view):
        at = project_landmarks(basis, *still, seen.landmarks, seen.view)
        views.append(free_points(seen, at, shown))
    return FreeAppearanceTerm(basis, tuple(views))
