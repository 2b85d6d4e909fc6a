"""Quality 'draft': identity, focal length, head pose and expression weights from landmarks alone.

Keyframes find what is shared (identity, focal length, the other views' cameras where unknown, the
person's constant deviation per landmark); then windows of frames are solved with that held, so that
memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..core.errors import FacewrightError
from ..evidence.lid_term import lid_gaps
from ..evidence.lids import lid_range
from ..evidence.options import TrackOptions
from ..evidence.point_basis import DTYPE, as_tensor, landmark_basis
from ..evidence.state import (
    SharedParameters,
    State,
    Trajectory,
    ViewLandmarks,
    pose_points,
    to_pixels,
)
from ..face_model.model import FaceModel
from ..footage.footage import Footage, Observations
from ..learning.threads import torch_threads
from .capture_times import frames_between, nodes_of_keyframes
from .constant_errors import detector_bias_by_view, find_deviation, find_view_bias
from .initial_poses import Pose, initial_poses, relative_cameras
from .lens import focal_deviations, guess_focals
from .problem import TrackingProblem, depth_axis
from .reprojection import reprojection_error
from .solver import solve
from .stages import FINDING, FOLLOWING
from .track import Track
from .unseen import carry_through_unseen
from .view_landmarks import (
    ends_of,
    make_view_landmarks,
    remove_bias,
    weigh_by_visibility,
)

# Relative fall of the cost at which a fit stops: rounds between, windows, the last round.
COARSE, MIDDLE, FINE = 1e-2, 4e-4, 2e-4
# Gauss-Newton steps usually taken: the first, a middle and the last round of finding; a window.
USUAL_STEPS = 4, 2, 3
USUAL_WINDOW = 4
BIAS_STEPS = 4  # steps that take as long as rendering and detecting the fitted head once
FIRST_WEIGHT = 0.02  # of every expression, before anything is fitted


def track(
    model: FaceModel,
    landmarks: ModelLandmarks,
    footage: Footage,
    observations: Observations,
    options: TrackOptions = TrackOptions(),  # noqa: B008, frozen
    neutral_frame: int = -1,
) -> Iterator[tuple[float, str] | Track]:
    """Track a performance by landmarks: yields (fraction of the stage, stage), returns the Track.

    neutral_frame: of the first view, where all expressions are at rest; −1: unknown
    """
    with torch_threads():
        found = _Draft(model.tracked, landmarks, footage, observations, options, neutral_frame)
        return (yield from found.optimize())


def mouth_response(footage: Footage, options: TrackOptions) -> float:
    """Say what the detector's response to the mouth's shapes counts: in a clip of one view alone.

    With several views the neutral takes what the weights no longer do.
    """
    (first, *others) = footage.views
    return options.mouth_response if len(first.times) > 1 and not others else 0.0


@dataclass(frozen=True)
class _Schedule:
    """The rounds of finding the person: the steps each usually takes, in which the detector's bias
    is measured, and the work done before each (in steps)."""

    usual_steps: list[int]
    measures_bias: list[bool]
    before: np.ndarray


def _schedule(options: TrackOptions) -> _Schedule:
    last = options.rounds - 1
    usual = [
        USUAL_STEPS[0 if not turn else 2 if turn == last else 1] for turn in range(options.rounds)
    ]
    measures = [
        bool(options.bias_renders) and turn < min(options.bias_rounds, last)
        for turn in range(options.rounds)
    ]
    work = [steps + BIAS_STEPS * also for steps, also in zip(usual, measures)]
    return _Schedule(usual, measures, np.cumsum([0, *work]))


class _Draft:
    """One run of `track`: what it was given, and what it has found so far."""

    def __init__(
        self,
        model: FaceModel,
        landmarks: ModelLandmarks,
        footage: Footage,
        observations: Observations,
        options: TrackOptions,
        neutral_frame: int,
    ) -> None:
        if model.known_identity is not None:
            options = replace(options, rounds=options.known_rounds)
        self.model, self.landmarks, self.footage = model, landmarks, footage
        self.observations, self.options, self.neutral_frame = observations, options, neutral_frame
        self.basis = landmark_basis(model, landmarks, mouth_response(footage, options))
        self.lids = [lid_range(seen.points[seen.present]) for seen in observations.views]
        self.lid_gaps = lid_gaps(model)
        self.nodes = footage.views[0].times
        self.schedule = _schedule(options)

    def optimize(self) -> Iterator[tuple[float, str] | Track]:
        """Find the person from keyframes, then follow the performance window by window."""
        self.initialise()
        for turn in range(self.options.rounds):
            yield from self.fit_keyframes(turn)
            if turn < self.options.rounds - 1:
                self.estimate_constant_errors(turn)
        self.begin_performance()
        starts = self.window_starts()
        for n, start in enumerate(starts):
            for fraction in self.follow_window(start):
                yield (n + fraction) / len(starts), FOLLOWING
        self.performance = carry_through_unseen(
            self.performance, self.nodes, self.footage, self.observations
        )
        yield 1.0, FOLLOWING
        return self.result()

    def initialise(self) -> None:
        """Choose keyframes and set up their problem, posed by PnP."""
        views, options = self.footage.views, self.options
        focals, self.focal_sigma = guess_focals(views, options)
        cameras = self.known_cameras() or relative_cameras(
            self.basis, self.footage, self.observations, focals
        )
        known = self.model.known_identity
        self.shared = SharedParameters(
            as_tensor(np.zeros(len(self.model.identities)) if known is None else known),
            as_tensor(np.log(focals)),
            as_tensor(cameras[0]),
            as_tensor(cameras[1]),
            torch.zeros(len(self.basis.mean), 3, dtype=DTYPE),
        )
        self.keys = nodes_of_keyframes(
            self.footage, self.observations, options.keyframes, self.nodes
        )
        if 0 <= self.neutral_frame < len(self.nodes):
            self.keys = np.union1d(self.keys, [self.neutral_frame])
        self.key_times = self.nodes[self.keys]
        self.key_landmarks = tuple(
            make_view_landmarks(
                view,
                seen,
                self.landmarks.confidence,
                self.key_times,
                focal,
                options,
                frames_between(view.times, self.nodes, self.keys, beyond_ends=False),
                lids,
            )
            for view, seen, focal, lids in zip(views, self.observations.views, focals, self.lids)
        )
        poses = initial_poses(
            self.basis, self.footage, self.observations, focals, cameras, self.key_times
        )
        if poses is None:
            raise FacewrightError(
                'No face was found in the footage: choose a clip that shows a face, or set in and '
                'out points round it.'
            )
        weights = torch.full((len(self.keys), len(self.model.names)), FIRST_WEIGHT, dtype=DTYPE)
        self.trajectory = Trajectory(as_tensor(poses[0]), as_tensor(poses[1]), weights)
        self.problem = self.key_problem()
        self.detector_bias = self.problem.bias

    def known_cameras(self) -> Pose | None:
        """Return world → camera of every view where the capture gives them."""
        if not self.footage.calibrated:
            return None
        cameras = [v.camera for v in self.footage.views]
        return np.stack([c.rotation for c in cameras]), np.stack([c.translation for c in cameras])

    def key_problem(self) -> TrackingProblem:
        """Make the keyframes' problem: of identity, lenses and cameras what is unknown."""
        views = self.footage.views
        unknown_focal = tuple(v.camera.focal is None for v in views)
        free = {'identity'} if self.model.known_identity is None else set()
        if any(unknown_focal):
            free.add('focal')
        if len(views) > 1 and not self.footage.calibrated:
            free.add('cameras')
        neutral = np.flatnonzero(self.keys == self.neutral_frame)
        return TrackingProblem(
            self.basis,
            self.key_landmarks,
            self.model.names,
            self.options,
            as_tensor(np.diff(self.key_times)),
            self.shared.log_focal,
            self.focal_sigma,
            unknown_focal,
            tuple(torch.zeros(len(self.basis.mean), 2, dtype=DTYPE) for _ in views),
            int(neutral[0]) if len(neutral) else -1,
            frozenset(free),
            depth_axis=depth_axis(self.shared),
        )

    def fit_keyframes(self, turn: int) -> Iterator[tuple[float, str]]:
        """Fit what is shared and the keyframes' poses and weights, the constant errors held."""
        self.problem = replace(
            self.problem,
            landmarks_by_view=remove_bias(
                weigh_by_visibility(self.basis, self.shared, self.trajectory, self.key_landmarks),
                self.problem.bias,
            ),
            lid_changes=self.lid_gaps.changes(self.shared.identity),
        )
        last = turn == self.options.rounds - 1
        # rounds between are moved on by the next
        most = self.options.iterations if last or not turn else self.options.iterations // 2
        tolerance, plan = FINE if last else COARSE, self.schedule
        steps = solve(self.problem, State(self.shared, self.trajectory), most, tolerance)
        for i, (shared, trajectory) in enumerate(steps):
            self.shared, self.trajectory = shared, trajectory
            done = plan.before[turn] + min(i + 1, plan.usual_steps[turn])
            yield done / plan.before[-1], FINDING

    def estimate_constant_errors(self, turn: int) -> None:
        """Estimate the detector's bias in each view and the person's deviation from the model."""
        fit = self.problem, self.shared, self.trajectory
        if self.schedule.measures_bias[turn]:
            self.detector_bias = detector_bias_by_view(
                self.model, self.landmarks, *fit, self.options
            )
        bias = find_view_bias(*fit, self.options, self.detector_bias)
        self.problem = replace(self.problem, bias=bias)
        deviation = find_deviation(self.problem, self.shared, self.trajectory, self.options)
        self.shared = replace(self.shared, deviation=deviation)

    def begin_performance(self) -> None:
        """Hold what is shared, and make room for the whole performance."""
        count, views = len(self.nodes), self.footage.views
        self.focals = self.shared.log_focal.exp().numpy()
        fit = State(self.shared, self.trajectory)
        self.focal_deviation = focal_deviations(self.problem, fit)
        changes = self.lid_gaps.changes(self.shared.identity)
        self.problem = replace(self.problem, free=frozenset(), lid_changes=changes)
        self.key_trajectory = self.trajectory
        self.performance = Trajectory(
            torch.empty(count, 3, 3, dtype=DTYPE),
            torch.empty(count, 3, dtype=DTYPE),
            torch.empty(count, len(self.model.names), dtype=DTYPE),
        )
        landmarks = len(self.landmarks.confidence)
        self.projected = [np.full((len(v.times), landmarks, 2), np.nan, np.float32) for v in views]

    def window_starts(self) -> list[int]:
        """List the first nodes of windows that overlap."""
        options = self.options
        last = max(len(self.nodes) - options.overlap, 1)
        return list(range(0, last, options.window - options.overlap))

    def follow_window(self, start: int) -> Iterator[float]:
        """Fit the poses and weights of one window of nodes: yields fractions."""
        options, stop = self.options, min(start + self.options.window, len(self.nodes))
        times = self.nodes[start:stop]
        trajectory = self.initial_trajectory(times)
        held = min(options.overlap // 2, stop - start) if start else 0
        for field in fields(Trajectory) if held else ():
            done = getattr(self.performance, field.name)[start : start + held]
            getattr(trajectory, field.name)[:held] = done
        landmarks_by_view = self.window_landmarks(start, stop)
        neutral = self.neutral_frame
        weighed = weigh_by_visibility(self.basis, self.shared, trajectory, landmarks_by_view)
        problem = replace(
            self.problem,
            landmarks_by_view=remove_bias(weighed, self.problem.bias),
            step=as_tensor(np.diff(times)),
            anchor=trajectory if held else None,
            anchors=held,
            neutral_node=neutral - start if start <= neutral < stop else -1,
        )
        steps = solve(problem, State(self.shared, trajectory), options.iterations, MIDDLE)
        for i, (_, trajectory) in enumerate(steps):  # noqa: B007, the last is used below
            yield min((i + 1) / USUAL_WINDOW, 1.0)
        for field in fields(Trajectory):
            getattr(self.performance, field.name)[start:stop] = getattr(trajectory, field.name)
        for v, landmarks in enumerate(landmarks_by_view):
            if len(landmarks.node):
                camera = pose_points(
                    self.basis, self.shared, trajectory, landmarks, v, slice(None)
                )[0]
                self.projected[v][landmarks.frames] = to_pixels(
                    camera.numpy(), self.footage.views[v].camera, self.focals[v]
                )

    def initial_trajectory(self, times: np.ndarray) -> Trajectory:
        """Pose a window's nodes by PnP, with the nearest keyframes' weights.

        Where no view shows a face for long, the head stays where it was last seen.
        """
        nearest = torch.as_tensor(np.abs(times[:, None] - self.key_times[None]).argmin(1))
        cameras = self.shared.rotation.numpy(), self.shared.translation.numpy()
        poses = initial_poses(
            self.basis, self.footage, self.observations, self.focals, cameras, times
        )
        if poses is None:
            key = self.key_trajectory
            poses = key.rotation[nearest].numpy(), key.translation[nearest].numpy()
        weights = self.key_weights(times)
        return Trajectory(as_tensor(poses[0]), as_tensor(poses[1]), weights)

    def key_weights(self, times: np.ndarray) -> torch.Tensor:
        """Draw the keyframes' weights to some times (s): K×E, those at the ends beyond them."""
        weights = self.key_trajectory.weights.numpy()
        return as_tensor(np.stack([np.interp(times, self.key_times, one) for one in weights.T], 1))

    def window_landmarks(self, start: int, stop: int) -> tuple[ViewLandmarks, ...]:
        """Make every view's landmarks between nodes, at the performance's ends a little beyond."""
        times = self.nodes[start:stop]
        first, last = ends_of(self.nodes)
        first = first if start == 0 else times[0] - 1e-9
        last = last if stop == len(self.nodes) else times[-1] + 1e-9
        out = []
        views = zip(self.footage.views, self.observations.views, self.focals, self.lids)
        for view, seen, focal, lids in views:
            inside = (view.times >= first) & (view.times <= last)
            confidence, frames = self.landmarks.confidence, np.flatnonzero(inside)
            out.append(
                make_view_landmarks(
                    view, seen, confidence, times, focal, self.options, frames, lids
                )
            )
        return tuple(out)

    def result(self) -> Track:
        """Return what was found, as arrays."""
        shared, performance = self.shared, self.performance
        errors, eyes = zip(
            *(
                reprojection_error(projected, seen)
                for projected, seen in zip(self.projected, self.observations.views)
            )
        )
        cameras = tuple(
            replace(v.camera, focal=float(f), rotation=r.numpy(), translation=t.numpy())
            for v, f, r, t in zip(
                self.footage.views, self.focals, shared.rotation, shared.translation
            )
        )
        return Track(
            shared.identity.numpy(),
            shared.deviation.numpy(),
            cameras,
            self.nodes,
            performance.weights.numpy(),
            performance.rotation.numpy(),
            performance.translation.numpy(),
            tuple(self.projected),
            errors,
            eyes,
            tuple(b.numpy() for b in self.problem.bias),
            self.focal_deviation,
        )
