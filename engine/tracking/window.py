"""Some nodes of the performance with every view's frames there, fitted to their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..evidence.appearance import Drawn, estimate_appearance, sample_appearance_of_view
from ..evidence.free_appearance import FreeAppearanceTerm
from ..evidence.lids import LidRange
from ..evidence.options import StandardOptions, TrackOptions
from ..evidence.part_evidence import find_masks, masked_picture
from ..evidence.part_points import triangles_round
from ..evidence.photometric import AppearanceResiduals
from ..evidence.picture_term import PictureTerm
from ..evidence.picture_terms import (
    PartQuadratics,
    appearance_residuals,
    free_appearance_term,
    part_quadratics,
    picture_term,
)
from ..evidence.pictures import ViewPictures, cut_faces
from ..evidence.point_basis import DTYPE
from ..evidence.state import (
    SharedParameters,
    State,
    Trajectory,
    ViewLandmarks,
    pose_points,
    to_pixels,
)
from ..evidence.stereo_matches import stereo_matches
from ..evidence.stereo_term import StereoTerm
from ..face_model.paint import visible_faces
from ..footage.footage import Footage, Observations, View
from ..footage.masks import UserMasks
from ..geometry.polygons import triangulate
from .actor_model import ActorModel
from .capture_times import frames_between
from .constant_errors import find_deviation, find_view_bias
from .problem import TrackingProblem, depth_axis
from .solver import solve
from .track import Track
from .view_landmarks import make_view_landmarks, remove_bias, weigh_by_visibility

MASKING = 0.45  # of the time of a round of finding the person: finding the masks once
WINDOW_MASKING = 0.3  # the same, of the time of following one window
# Of the face's RMS radius: a landmark so far from the fit is half believed when masks are found
# anew.
DOUBTED = 0.05
TOLERANCE = 1e-4  # relative fall of the cost at which a fit stops


@dataclass(frozen=True)
class Inputs:
    """What a whole run of 'standard' is given.

    draft: where it begins
    tracking: the landmarks' and priors' settings; options: those of pictures and masks
    masks: for each view the user's own, None: they are found
    times: N, s: the nodes of the performance (capture_times)
    lids: of each view, what it shows of the person's
    """

    footage: Footage
    observations: Observations
    landmarks: ModelLandmarks
    draft: Track
    tracking: TrackOptions
    options: StandardOptions
    masks: Sequence[UserMasks | None]
    times: np.ndarray
    lids: Sequence[LidRange]


class Window:
    """Some nodes of the performance, and the present fit there.

    nodes: which of the inputs' times
    beyond_ends: at the performance's ends also frames before its first and behind its last node
    held: how many first nodes stay near where they are
    """

    def __init__(
        self,
        inputs: Inputs,
        actor: ActorModel,
        shared: SharedParameters,
        trajectory: Trajectory,
        nodes: np.ndarray,
        *,
        beyond_ends: bool,
        held: int = 0,
    ) -> None:
        self.inputs, self.options, self.actor = inputs, inputs.options, actor
        self.shared, self.trajectory = shared, trajectory
        times, draft = inputs.times[nodes], inputs.draft
        seen_by_view = []
        for v, (view, seen) in enumerate(zip(self.views, inputs.observations.views)):
            frames = frames_between(view.times, inputs.times, nodes, beyond_ends)
            confidence, focal = inputs.landmarks.confidence, draft.cameras[v].focal
            landmarks = make_view_landmarks(
                view, seen, confidence, times, focal, inputs.tracking, frames, inputs.lids[v]
            )
            pictures = cut_faces(view, landmarks.frames, seen.points)
            seen_by_view.append(ViewPictures(v, landmarks, pictures, view.camera))
        self.seen_by_view = tuple(seen_by_view)
        self.landmarks_by_view = tuple(one.landmarks for one in seen_by_view)
        self.masks = []  # of each view, once they are found
        self.stereo: tuple[StereoTerm, ...] = ()
        count = len(self.views)
        self.problem = TrackingProblem(
            actor.basis,
            self.landmarks_by_view,
            actor.model.names,
            inputs.tracking,
            torch.as_tensor(np.diff(times)),
            torch.zeros(count, dtype=DTYPE),
            torch.ones(count, dtype=DTYPE),
            (False,) * count,
            tuple(torch.as_tensor(b) for b in draft.bias),
            anchor=trajectory if held else None,
            anchors=held,
            smooth=count > 1,
            depth_axis=depth_axis(shared),
        )

    @property
    def views(self) -> tuple[View, ...]:
        """Return the footage's views."""
        return self.inputs.footage.views

    @property
    def alone(self) -> bool:
        """Tell whether there is one view."""
        return len(self.views) == 1

    @property
    def rounds(self) -> int:
        """Count the rounds in which the performance is followed."""
        return self.options.lone_rounds if self.alone else self.options.rounds

    @property
    def state(self) -> State:
        """Return the present fit."""
        return State(self.shared, self.trajectory)

    # Two ways to fit

    def find_person(self) -> Iterator[float]:
        """Find identity, constant errors and appearance beside the trajectory: yields fractions."""
        options = self.options
        work = [1 + MASKING * self.masks_are_due(turn) for turn in range(options.key_rounds)]
        before = np.cumsum([0.0, *work])
        free = {'identity'} if self.actor.model.known_identity is None else set()
        self.problem = replace(self.problem, free=frozenset(free))
        for turn in range(options.key_rounds):
            for done in self.find_person_once(turn):
                yield (before[turn] + done) / before[-1]
        for _ in self.sample_appearance(options.blur[1]):
            pass
        self.actor = replace(self.actor, appearance=estimate_appearance(self.samples, options))
        yield 1.0

    def find_person_once(self, turn: int) -> Iterator[float]:
        """Do one round of finding the person: yields how much of a round without masks is done."""
        options, masking = self.options, MASKING * self.masks_are_due(turn)
        if masking:
            for fraction in self.find_masks(refit=turn > 0):
                yield masking * fraction
        blur, robust = (
            between(ends, turn, options.key_rounds) for ends in (options.blur, options.part_robust)
        )
        for fraction in self.sample_appearance(blur, robust):
            yield masking + 0.5 * fraction
        self.actor = replace(self.actor, appearance=estimate_appearance(self.samples, options))
        shown = self.appearance_residuals()
        terms = (*self.picture_terms(shown), self.free_appearance_term(shown))
        if turn % (options.lone_rematch if self.alone else 1) == 0:
            self.stereo = self.stereo_terms()
        terms = (*terms, *self.stereo)
        problem = replace(self.trusted_problem(), picture_terms=terms)
        steps = solve(problem, self.state, options.key_steps, TOLERANCE)
        for i, (shared, trajectory) in enumerate(steps):
            self.shared, self.trajectory = shared, trajectory
            yield masking + 0.5 + 0.5 * (i + 1) / options.key_steps
        self.estimate_constant_errors()

    def follow_performance(self) -> Iterator[float]:
        """Fit the trajectory, the actor known: yields fractions."""
        options, masking = self.options, 0.0
        if self.actor.surface.parts is not None:
            masking = WINDOW_MASKING
            for fraction in self.find_masks(refit=bool(options.remask)):
                yield masking * fraction
        for turn in range(self.rounds):
            for fraction in self.sample_appearance(options.blur[1], options.part_robust[1]):
                yield masking + (1 - masking) * (turn + 0.6 * fraction) / self.rounds
            problem = replace(
                self.trusted_problem(),
                picture_terms=self.picture_terms(self.appearance_residuals()),
            )
            steps = solve(problem, self.state, options.steps, TOLERANCE)
            for i, (_, trajectory) in enumerate(steps):
                self.trajectory = trajectory
                done = turn + 0.6 + 0.4 * (i + 1) / options.steps
                yield masking + (1 - masking) * done / self.rounds
        yield 1.0

    # Steps of both

    def masks_are_due(self, turn: int) -> bool:
        """Tell whether a round of finding the person finds the masks (anew)."""
        again = bool(self.options.remask) and turn % self.options.remask == 0
        return self.actor.surface.parts is not None and (turn == 0 or again)

    def find_masks(self, refit: bool) -> Iterator[float]:
        """Find the part masks of every picture: yields fractions.

        refit: a landmark far from where the present fit has it is taken from there.
        """
        self.masks = []
        for v, (shown, seen) in enumerate(zip(self.seen_by_view, self.inputs.observations.views)):
            landmarks, pictures = shown.landmarks, shown.pictures
            points = seen.points[landmarks.frames].astype(np.float64)
            if refit and len(points):
                fitted = self.fitted_pixels(v, float(self.shared.log_focal[v].exp()))
                doubt = DOUBTED * landmarks.size.numpy()[:, None]
                off = ((points - fitted) ** 2).sum(2) / doubt**2
                points = fitted + (points - fitted) / (1 + off)[..., None]
            confidence, own = seen.confidence[landmarks.frames], self.inputs.masks[v]
            for found in find_masks(pictures, points, confidence, own):
                if isinstance(found, float):
                    yield (v + found) / len(self.views)
            self.masks.append(found)

    def sample_appearance(self, blur: float, robust: float | None = None) -> Iterator[float]:
        """Sample every picture at the fitted head's points, and compare its parts with the masks.

        Yields fractions; leaves `samples` and `part_quadratics`, view by view (the latter empty
        without masks or `robust`).

        blur: px of the crop; robust: px² of the masks' grid
        """
        model, surface = self.actor.model, self.actor.surface
        neutral = model.shape(self.shared.identity.numpy())
        self.samples, self.part_quadratics = [], []
        masked = bool(self.masks) and robust is not None
        for seen in self.seen_by_view:
            for found in sample_appearance_of_view(
                model,
                neutral,
                surface.points,
                seen,
                self.state,
                blur,
                self.options,
                self.part_comparison(seen, robust) if masked else _nothing,
            ):
                if isinstance(found, float):
                    yield (seen.view + found) / len(self.views)
            self.samples.append(found[0])
            self.part_quadratics.append(found[1] if masked else [])

    def part_comparison(
        self, seen: ViewPictures, robust: float
    ) -> Callable[[int, Drawn], PartQuadratics]:
        """Make compare(row, drawn): what a view's masks say of the parts' points."""
        model, surface = self.actor.model, self.actor.surface
        triangles = triangles_round(
            triangulate(model.faces[visible_faces(model)]), (surface.parts, surface.outlines)
        )

        def compare(row: int, drawn: Drawn) -> PartQuadratics:
            picture = masked_picture(self.masks[seen.view], row, drawn, triangles, seen)
            return part_quadratics(surface, picture, robust, self.options)

        return compare

    def appearance_residuals(self) -> list[list[AppearanceResiduals]]:
        """Compare what the pictures show with what is expected, view by view."""
        return [
            appearance_residuals(seen, samples, self.actor.appearance, self.options)
            for seen, samples in zip(self.seen_by_view, self.samples)
        ]

    def picture_terms(self, shown: list[list[AppearanceResiduals]]) -> tuple[PictureTerm, ...]:
        """Sum up what the pictures say, view by view."""
        return tuple(
            picture_term(self.actor.surface, seen, self.state, residuals, masked, self.options)
            for seen, residuals, masked in zip(self.seen_by_view, shown, self.part_quadratics)
        )

    def free_appearance_term(self, shown: list[list[AppearanceResiduals]]) -> FreeAppearanceTerm:
        """Free what the points look like: the person is not held by where they seemed to be."""
        return free_appearance_term(self.actor.surface, self.seen_by_view, self.state, shown)

    def stereo_terms(self) -> tuple[StereoTerm, ...]:
        """Match pictures of two views, or of a head that turns: they tell depth, from far off."""
        options = self.options
        if not (options.lone_stereo if self.alone else options.stereo):
            return ()
        model, points = self.actor.model, self.actor.surface.points
        matches = stereo_matches(
            model,
            model.shape(self.shared.identity.numpy()),
            points,
            self.seen_by_view,
            self.samples,
            self.state,
            options,
        )
        return (StereoTerm(points.basis, matches),)

    def unbiased_landmarks(self) -> tuple[ViewLandmarks, ...]:
        """Turn landmarks that face away down and take the detector's bias off."""
        weighed = weigh_by_visibility(
            self.problem.basis, self.shared, self.trajectory, self.landmarks_by_view
        )
        return remove_bias(weighed, self.problem.bias)

    def trusted_problem(self) -> TrackingProblem:
        """Make the problem with unbiased landmarks, which count less beside pictures."""
        share = self.options.landmarks**0.5
        landmarks_by_view = tuple(
            replace(one, sqrt_information=one.sqrt_information * share)
            for one in self.unbiased_landmarks()
        )
        changes = self.actor.lids.changes(self.shared.identity)
        return replace(self.problem, landmarks_by_view=landmarks_by_view, lid_changes=changes)

    def estimate_constant_errors(self) -> None:
        """Estimate the person's deviation from the model and the detector's bias in each view."""
        options = self.inputs.tracking
        detector_bias = tuple(torch.as_tensor(b) for b in self.inputs.draft.bias)
        problem = replace(self.problem, landmarks_by_view=self.unbiased_landmarks())
        deviation = find_deviation(problem, self.shared, self.trajectory, options)
        self.shared = replace(self.shared, deviation=deviation)
        bias = find_view_bias(problem, self.shared, self.trajectory, options, detector_bias)
        self.problem = replace(self.problem, bias=bias)

    def fitted_pixels(self, v: int, focal: float) -> np.ndarray:
        """Project the fit's landmarks into a view's frames: n×L×2 px."""
        landmarks = self.landmarks_by_view[v]
        camera = torch.zeros(0, len(self.actor.basis.mean), 3)
        if len(landmarks.node):
            camera = pose_points(
                self.actor.basis, self.shared, self.trajectory, landmarks, v, slice(None)
            )[0]
        return to_pixels(camera.numpy(), self.views[v].camera, focal)


def between(ends: tuple[float, float], turn: int, turns: int) -> float:
    """Go from the first to the last number by equal factors."""
    along = turn / max(turns - 1, 1)
    return ends[0] ** (1 - along) * ends[1] ** along


def _nothing(row: int, drawn: Drawn) -> None:
    """Compare nothing."""
