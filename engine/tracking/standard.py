"""Quality 'standard': the draft's fit goes on with the pictures themselves, and with part masks.

papers/4, eq. 7, solved by Gauss-Newton. First keyframes of all views find the person (identity, and
smooth personal offsets the model does not span); then windows of frames follow the performance with
that held, so that memory does not grow with the clip. Landmarks, priors and solver are the draft's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..core.store import CheckpointStore
from ..evidence.appearance import PointAppearance
from ..evidence.lids import lid_range
from ..evidence.options import StandardOptions, TrackOptions, for_few_pictures
from ..evidence.point_basis import DTYPE, as_tensor
from ..evidence.state import SharedParameters, Trajectory, nodes_of
from ..face_model.lip_sections import seal_lips
from ..face_model.model import FaceModel
from ..footage.footage import Footage, Observations
from ..footage.masks import UserMasks
from ..learning.threads import torch_threads
from .actor_model import make_actor_model
from .capture_times import capture_times, nodes_of_keyframes, trajectory_at
from .reprojection import reprojection_error
from .stages import FINDING_IN_PICTURES, FOLLOWING_IN_PICTURES
from .track import Track
from .unseen import carry_through_unseen
from .window import Inputs, Window

# Of the eye distance: a frame whose landmarks lie so much further off than the draft's falls back
# to the draft.
WORSE = 0.015


@dataclass(frozen=True)
class Standard:
    """What 'standard' found of a performance.

    track: as the draft's, at the first view's times
    neutral: V×3 float32, cm
    fallback_frames: of the first view, that kept the draft's pose and weights
    time, rotation, translation, weights: N×…, the performance at every time at which any view took
        a picture
    """

    track: Track
    neutral: np.ndarray
    fallback_frames: tuple[int, ...]
    time: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    weights: np.ndarray


def refine(
    model: FaceModel,
    landmarks: ModelLandmarks,
    footage: Footage,
    observations: Observations,
    draft: Track,
    options: StandardOptions = StandardOptions(),  # noqa: B008, frozen
    masks: Sequence[UserMasks | None] = (),
    checkpoints: CheckpointStore | None = None,
) -> Iterator[tuple[float, str, bool] | Standard]:
    """Go on from a draft with the pictures: returns the Standard.

    Yields (fraction of the stage, stage, whether an earlier run did it).

    masks: for each view the user's own, or None: then they are found.
    checkpoints: what an earlier run of the same found, and where this one keeps the person and each
        finished window.
    """
    if sum(len(v.times) for v in footage.views) <= options.fewest_samples:
        options = for_few_pictures(options)
    if model.known_identity is not None:
        options = replace(options, key_rounds=min(options.key_rounds, options.known_key_rounds))
    inputs = Inputs(
        footage,
        observations,
        landmarks,
        draft,
        TrackOptions(identity_weight=options.identity_weight),
        options,
        masks or [None] * len(footage.views),
        capture_times(footage),
        tuple(lid_range(seen.points[seen.present]) for seen in observations.views),
    )
    with torch_threads(1):  # pictures have the other cores
        return (yield from _Standard(model.tracked, inputs, checkpoints).optimize())


class _Standard:
    """One run of `refine`: what it was given, and what it has found so far."""

    def __init__(
        self, model: FaceModel, inputs: Inputs, checkpoints: CheckpointStore | None
    ) -> None:
        self.model, self.inputs, self.checkpoints = model, inputs, checkpoints

    def optimize(self) -> Iterator[tuple[float, str, bool] | Standard]:
        """Find the person from keyframes, follow the performance, fall back where it is worse."""
        self.initialise()
        yield from self.find_person()
        self.begin_performance()
        starts = self.window_starts()
        for n, start in enumerate(starts):
            for fraction, resumed in self.follow_window(n, start):
                yield (n + fraction) / len(starts), FOLLOWING_IN_PICTURES, resumed
        result = self.result()
        yield 1.0, FOLLOWING_IN_PICTURES, False
        return result

    def initialise(self) -> None:
        """Make the actor's model, and begin from the draft at every picture's time."""
        inputs, draft = self.inputs, self.inputs.draft
        views = len(inputs.footage.views)
        self.actor = make_actor_model(self.model, inputs.landmarks, inputs.options, views)
        modes = len(self.actor.model.identities) - len(self.model.identities)
        self.shared = SharedParameters(
            torch.cat([as_tensor(draft.identity), torch.zeros(modes, dtype=DTYPE)]),
            as_tensor(np.log([c.focal for c in draft.cameras])),
            as_tensor(np.stack([c.rotation for c in draft.cameras])),
            as_tensor(np.stack([c.translation for c in draft.cameras])),
            as_tensor(draft.deviation),
        )
        self.draft_trajectory = trajectory_at(draft, inputs.times)
        self.keys = nodes_of_keyframes(
            inputs.footage, inputs.observations, inputs.options.keyframes, inputs.times
        )

    def find_person(self) -> Iterator[tuple[float, str, bool]]:
        """Find identity, offsets, constant errors and appearance from the key nodes."""
        found = self.checkpoints and self.checkpoints.read('person')
        if found is not None:
            self.read_person(found)
            yield 1.0, FINDING_IN_PICTURES, True
            return
        window = Window(
            self.inputs,
            self.actor,
            self.shared,
            nodes_of(self.draft_trajectory, self.keys),
            self.keys,
            beyond_ends=False,
        )
        for fraction in window.find_person():
            yield fraction, FINDING_IN_PICTURES, False
        self.actor, self.shared = window.actor, window.shared
        self.key_trajectory = window.trajectory
        if self.checkpoints:
            self.checkpoints.write('person', **self.person_arrays())

    def person_arrays(self) -> dict[str, np.ndarray]:
        """Return what was found of the person, as named arrays."""
        appearance = self.actor.appearance
        out = {f.name: getattr(appearance, f.name) for f in fields(appearance)}
        for name, part in (('shared', self.shared), ('trajectory', self.key_trajectory)):
            out |= {f'{name}_{f.name}': getattr(part, f.name).numpy() for f in fields(part)}
        return out

    def read_person(self, arrays: dict[str, np.ndarray]) -> None:
        """Take what `person_arrays` gave an earlier run."""
        appearance = PointAppearance(**{f.name: arrays[f.name] for f in fields(PointAppearance)})
        self.actor = replace(self.actor, appearance=appearance)
        self.shared, self.key_trajectory = (
            kind(**{f.name: torch.as_tensor(arrays[f'{name}_{f.name}']) for f in fields(kind)})
            for name, kind in (('shared', SharedParameters), ('trajectory', Trajectory))
        )

    def begin_performance(self) -> None:
        """Move the draft by what the nearest key node was moved, and make room for the result."""
        draft, key, times = self.draft_trajectory, self.key_trajectory, self.inputs.times
        nearest = torch.as_tensor(np.abs(times[:, None] - times[self.keys][None]).argmin(1))
        turned = key.rotation @ draft.rotation[self.keys].transpose(1, 2)
        shifted = key.translation - draft.translation[self.keys]
        changed = key.weights - draft.weights[self.keys]
        self.first_guess = Trajectory(
            turned[nearest] @ draft.rotation,
            draft.translation + shifted[nearest],
            (draft.weights + changed[nearest]).clamp(0, 1),
        )
        self.performance = Trajectory(
            *(torch.empty_like(getattr(draft, f.name)) for f in fields(Trajectory))
        )
        self.projected = [np.full_like(p, np.nan) for p in self.inputs.draft.projected]

    @property
    def window_size(self) -> tuple[int, int]:
        """Count the nodes of a window, and of them those that it shares with the next."""
        options, views = self.inputs.options, len(self.inputs.footage.views)
        return options.window * views, options.overlap * views

    def window_starts(self) -> list[int]:
        """List the first nodes of windows that overlap."""
        length, overlap = self.window_size
        return list(range(0, max(len(self.inputs.times) - overlap, 1), length - overlap))

    def follow_window(self, n: int, start: int) -> Iterator[tuple[float, bool]]:
        """Follow one window: yields (fraction, whether an earlier run did it)."""
        length, _ = self.window_size
        nodes = np.arange(start, min(start + length, len(self.inputs.times)))
        found = self.checkpoints.read(f'window_{n}') if self.checkpoints else None
        if found is not None:
            yield 1.0, True
        else:
            window = self.make_window(nodes)
            for fraction in window.follow_performance():
                yield fraction, False
            found = self.window_arrays(window)
            if self.checkpoints:
                self.checkpoints.write(f'window_{n}', **found)
        for field in fields(Trajectory):
            getattr(self.performance, field.name)[nodes] = torch.as_tensor(found[field.name])
        for v, projected in enumerate(self.projected):
            projected[found[f'frames_{v}']] = found[f'projected_{v}']

    def make_window(self, nodes: np.ndarray) -> Window:
        """Begin a window where the one before it ended."""
        _, overlap = self.window_size
        start = int(nodes[0])
        held = min(overlap // 2, len(nodes)) if start else 0
        trajectory = nodes_of(self.first_guess, nodes)
        for field in fields(Trajectory):
            done = getattr(self.performance, field.name)[start : start + held]
            getattr(trajectory, field.name)[:held] = done
        return Window(
            self.inputs,
            self.actor,
            self.shared,
            trajectory,
            nodes,
            beyond_ends=True,
            held=held,
        )

    def window_arrays(self, window: Window) -> dict[str, np.ndarray]:
        """Return what was found in a window, as named arrays."""
        out = {f.name: getattr(window.trajectory, f.name).numpy() for f in fields(Trajectory)}
        for v, landmarks in enumerate(window.landmarks_by_view):
            out[f'frames_{v}'] = landmarks.frames
            focal = self.inputs.draft.cameras[v].focal
            out[f'projected_{v}'] = window.fitted_pixels(v, focal)
        return out

    def result(self) -> Standard:
        """Return what was found, frames that came out worse than the draft's taken back."""
        draft, times, identities = self.inputs.draft, self.inputs.times, len(self.model.identities)
        seen = self.inputs.observations.views
        errors, eyes = zip(*(reprojection_error(p, one) for p, one in zip(self.projected, seen)))
        worse = worse_frames(errors[0], draft.errors[0])
        back = np.isin(np.abs(times[:, None] - draft.time).argmin(1), worse)
        for field in fields(Trajectory):
            of_draft = getattr(self.draft_trajectory, field.name)
            getattr(self.performance, field.name)[back] = of_draft[back]
        self.performance = carry_through_unseen(
            self.performance, times, self.inputs.footage, self.inputs.observations
        )
        self.projected[0][worse], errors[0][worse] = (
            draft.projected[0][worse],
            draft.errors[0][worse],
        )
        identity = self.shared.identity.numpy()
        own = np.searchsorted(times, draft.time)
        found = {f.name: getattr(self.performance, f.name).numpy() for f in fields(Trajectory)}
        track = replace(
            draft,
            identity=identity[:identities],
            deviation=self.shared.deviation.numpy(),
            **{name: values[own] for name, values in found.items()},
            projected=tuple(self.projected),
            errors=tuple(errors),
            eye_distance=tuple(eyes),
        )
        neutral = seal_lips(self.model, self.actor.model.shape(identity))
        return Standard(track, neutral, tuple(int(f) for f in worse), times, **found)


def worse_frames(errors: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Find frames whose error (a part of the eye distance) is worse than before by more than WORSE.

    Or not a number, where it was one before. Returns indices.
    """
    return np.flatnonzero(np.isfinite(before) & ~(errors <= before + WORSE))
