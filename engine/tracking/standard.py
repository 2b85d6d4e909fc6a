"""Quality 'standard': the draft's fit goes on with the pictures themselves, and with part masks (papers/4, eq. 7, solved by Gauss-Newton).

First keyframes of all views find the person (identity, and with several views smooth personal offsets the model does not span); then windows of
frames follow the performance with that held, so that memory does not grow with the clip. Landmarks, priors and the solver are the tracker's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy import sparse

from ..annotate.landmarks import ModelLandmarks
from ..core.store import CheckpointStore
from ..evidence.gaps import Pairs, find_pairs, gap_rows
from ..evidence.options import StandardOptions, TrackOptions, for_few_pictures
from ..evidence.part_evidence import find_masks, part_terms, used_points
from ..evidence.part_points import OutlinePoints, PartPoints, outline_points
from ..evidence.photometric import (
    AppearanceSamples,
    Points,
    choose_points,
    cut_faces,
    expected_appearance,
    fit_shading,
    photometric_evidence,
    sample_appearance_of_view,
    shaded_evidence,
)
from ..evidence.state import (
    DTYPE,
    Evidence,
    PointBasis,
    SharedParameters,
    Trajectory,
    blend_nodes,
    landmark_basis,
    pose_points,
    projection,
    to_pixels,
)
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..footage.footage import Footage, Observations
from ..footage.masks import UserMasks
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..geometry.rotations import so3_exp, so3_log
from .constant_errors import find_deviation, find_view_bias
from .initial_poses import choose_keyframes
from .offsets import offset_modes
from .reprojection import reprojection_error
from .solver import Problem, make_priors, solve
from .track import Track
from .view_landmarks import make_view_landmarks, remove_bias, weigh_by_visibility

FINDING, FOLLOWING = (
    'Finding the person in the pictures',
    'Following the performance in the pictures',
)  # the stages
MASKING = 0.45  # of the time of a round of finding the person: finding the masks once
WINDOW_MASKING = 0.3  # the same, of the time of following one window
DOUBTED = 0.05  # of the face's RMS radius: a landmark so far from the fit is half believed when masks are found again
TRAJECTORY = ('rotation', 'translation', 'weights')
INSTANT = 0.004  # s: pictures of different views taken within this count as taken at once
WORSE = 0.015  # of the eye distance: a frame whose landmarks lie so much further off than the draft's falls back to the draft


@dataclass(frozen=True)
class Standard:
    """track: as the tracker's; neutral V×3 float32 cm; fallback_frames: frames of the first view that kept the draft's pose and weights;
    time N, rotation, translation, weights: the performance at every instant at which any view took a picture (the track has the first view's)."""

    track: Track
    neutral: np.ndarray
    fallback_frames: tuple[int, ...]
    time: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class PointAppearance:
    """What the points look like: expected P×C and support P (photometric.expected_appearance), albedo P×3 and light views×9×3 (photometric.fit_shading)."""

    expected: np.ndarray
    support: np.ndarray
    albedo: np.ndarray
    light: np.ndarray


@dataclass(frozen=True)
class ActorModel:
    """What stays the same while a performance is followed: the model with offset modes among its identities, its bases, and what the points look like."""

    model: FaceModel
    basis: PointBasis
    points: Points
    parts: PartPoints | None
    outlines: OutlinePoints | None
    gaps: Pairs
    surface: PointBasis  # at the points, then at the parts' points and outlines, then at the rims of lips and lids
    appearance: PointAppearance | None = None


def basis_at(model: FaceModel, vertex: np.ndarray) -> PointBasis:
    """The model's linear bases at some of its vertices."""
    normals = vertex_normals(model.neutral.astype(np.float64), triangulate(model.faces))[vertex]
    tensor = lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    return PointBasis(
        tensor(model.neutral[vertex]),
        tensor(normals),
        tensor(np.moveaxis(model.identities[:, vertex], 0, -1)),
        tensor(np.moveaxis(model.tracked.expressions[:, vertex], 0, -1)),
        torch.ones(len(vertex), dtype=DTYPE),
    )


def basis_of(model: FaceModel, matrix: sparse.csr_matrix) -> PointBasis:
    """The model's linear bases at N mixtures of its vertices, N×V."""
    modes = lambda a: torch.as_tensor(
        np.stack([matrix @ one.astype(np.float64) for one in a], -1), dtype=DTYPE
    )
    mean = torch.as_tensor(matrix @ model.neutral.astype(np.float64), dtype=DTYPE)
    return PointBasis(
        mean,
        torch.zeros_like(mean),
        modes(model.identities),
        modes(model.tracked.expressions),
        torch.ones(len(mean), dtype=DTYPE),
    )


def joined(bases: Sequence[PointBasis]) -> PointBasis:
    """Some bases' points, one after the other."""
    return PointBasis(
        *(torch.cat([getattr(one, f.name) for one in bases]) for f in fields(PointBasis))
    )


def refine(
    model: FaceModel,
    landmarks: ModelLandmarks,
    footage: Footage,
    observations: Observations,
    draft: Track,
    options: StandardOptions = StandardOptions(),
    masks: Sequence[UserMasks | None] = (),
    kept: CheckpointStore | None = None,
) -> Iterator[tuple[float, str] | Standard]:
    """A generator of (fraction of the stage, stage, whether it was done by an earlier run), whose return value is the Standard.

    masks: for each view the user's own, or None: then they are found.
    kept: what an earlier run of the same found, and where this one keeps the person and each finished window.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return (
            yield from _refine(
                model.tracked,
                landmarks,
                footage,
                observations,
                draft,
                options,
                masks or [None] * len(footage.views),
                kept,
            )
        )
    finally:
        torch.set_num_threads(threads)


def _refine(
    model: FaceModel,
    landmarks: ModelLandmarks,
    footage: Footage,
    observations: Observations,
    draft: Track,
    options: StandardOptions,
    masks: Sequence[UserMasks | None],
    kept: CheckpointStore | None,
):
    if sum(len(v.times) for v in footage.views) <= options.fewest_samples:
        options = for_few_pictures(options)
    several, tensor = (
        len(footage.views) > 1,
        lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE),
    )
    spread, axes = (
        (options.offset_spread, (0, 1, 2)) if several else (options.lone_offset_spread, (0, 1))
    )
    modes = offset_modes(model, options.modes, spread, axes, options.finer)
    wide = replace(model, identities=np.concatenate([model.identities, modes]))
    points = choose_points(wide, lambda vertex: basis_at(wide, vertex), options)
    parts, gaps = used_points(wide, options) if options.parts else None, find_pairs(wide, landmarks)
    outlines = outline_points(wide) if options.parts and options.outlines else None
    surface = joined(
        [
            points.basis,
            *(basis_of(wide, one.matrix) for one in (parts, outlines, gaps) if one is not None),
        ]
    )
    person = ActorModel(
        wide, landmark_basis(wide, landmarks), points, parts, outlines, gaps, surface
    )
    tracking = TrackOptions(identity_weight=options.identity_weight)
    shared = SharedParameters(
        torch.cat([tensor(draft.identity), torch.zeros(len(modes), dtype=DTYPE)]),
        tensor(np.log([c.focal for c in draft.cameras])),
        tensor(np.stack([c.rotation for c in draft.cameras])),
        tensor(np.stack([c.translation for c in draft.cameras])),
        tensor(draft.deviation),
    )
    nodes = instants(footage)
    start = at_instants(draft, nodes)

    keys = key_nodes(footage, observations, options, nodes)
    if (found := kept and kept.read('person')) is not None:
        person = replace(
            person,
            appearance=PointAppearance(**{f.name: found[f.name] for f in fields(PointAppearance)}),
        )
        shared, trajectory = (
            kind(**{f.name: torch.as_tensor(found[f'{name}_{f.name}']) for f in fields(kind)})
            for name, kind in (('shared', SharedParameters), ('motion', Trajectory))
        )
        yield 1.0, FINDING, True
    else:
        finder = Window(
            footage,
            observations,
            landmarks,
            person,
            tracking,
            options,
            draft,
            nodes,
            masks,
            keys,
            whole=False,
        )
        for fraction, (person, shared, trajectory) in finder.find(shared, pick(start, keys)):
            yield fraction, FINDING, False
        if kept:
            kept.write(
                'person',
                **{f.name: getattr(person.appearance, f.name) for f in fields(PointAppearance)},
                **{
                    f'{name}_{f.name}': getattr(one, f.name).numpy()
                    for name, one in (('shared', shared), ('motion', trajectory))
                    for f in fields(one)
                },
            )
    moved = Trajectory(
        trajectory.rotation @ start.rotation[keys].transpose(1, 2),
        trajectory.translation - start.translation[keys],
        trajectory.weights - start.weights[keys],
    )

    whole = Trajectory(
        torch.empty_like(start.rotation),
        torch.empty_like(start.translation),
        torch.empty_like(start.weights),
    )
    near = torch.as_tensor(np.abs(nodes[:, None] - nodes[keys][None]).argmin(1))
    begin = Trajectory(
        moved.rotation[near] @ start.rotation,
        start.translation + moved.translation[near],
        (start.weights + moved.weights[near]).clamp(0, 1),
    )
    projected = [np.full_like(p, np.nan) for p in draft.projected]
    length, overlap = options.window * len(footage.views), options.overlap * len(footage.views)
    starts = list(range(0, max(len(nodes) - overlap, 1), length - overlap))
    for n, first in enumerate(starts):
        own = np.arange(first, min(first + length, len(nodes)))
        held = min(overlap // 2, len(own)) if first else 0
        found = kept.read(f'window_{n}') if kept else None
        if found is None:
            trajectory = pick(begin, own)
            for name in TRAJECTORY:
                getattr(trajectory, name)[:held] = getattr(whole, name)[first : first + held]
            window = Window(
                footage,
                observations,
                landmarks,
                person,
                tracking,
                options,
                draft,
                nodes,
                masks,
                own,
                whole=True,
                held=held,
            )
            for fraction, trajectory in window.follow(shared, trajectory):
                yield (n + fraction) / len(starts), FOLLOWING, False
            found = {name: getattr(trajectory, name).numpy() for name in TRAJECTORY}
            for v, view_landmarks in enumerate(window.landmarks_by_view):
                camera = (
                    pose_points(person.basis, shared, trajectory, view_landmarks, v, slice(None))[0]
                    if len(view_landmarks.node)
                    else torch.zeros(0, len(person.basis.mean), 3)
                )
                found |= {
                    f'frames_{v}': view_landmarks.frames,
                    f'projected_{v}': to_pixels(
                        camera.numpy(), footage.views[v].camera, draft.cameras[v].focal
                    ),
                }
            if kept:
                kept.write(f'window_{n}', **found)
        else:
            yield (n + 1) / len(starts), FOLLOWING, True
        for name in TRAJECTORY:
            getattr(whole, name)[own] = torch.as_tensor(found[name])
        for v in range(len(projected)):
            projected[v][found[f'frames_{v}']] = found[f'projected_{v}']
    errors, eyes = zip(
        *(reprojection_error(p, seen) for p, seen in zip(projected, observations.views))
    )
    fallback_frames = worse_frames(errors[0], draft.errors[0])
    back = np.isin(np.abs(nodes[:, None] - draft.time).argmin(1), fallback_frames)
    for name in TRAJECTORY:
        getattr(whole, name)[back] = getattr(start, name)[back]
    projected[0][fallback_frames], errors[0][fallback_frames] = (
        draft.projected[0][fallback_frames],
        draft.errors[0][fallback_frames],
    )
    neutral, own = wide.shape(shared.identity.numpy()), np.searchsorted(nodes, draft.time)
    rotation, translation, weights = (
        whole.rotation.numpy(),
        whole.translation.numpy(),
        whole.weights.numpy(),
    )
    track = replace(
        draft,
        identity=shared.identity.numpy()[: len(model.identities)],
        deviation=shared.deviation.numpy(),
        weights=weights[own],
        rotation=rotation[own],
        translation=translation[own],
        projected=tuple(projected),
        errors=tuple(errors),
        eye_distance=tuple(eyes),
    )
    yield 1.0, FOLLOWING, False
    return Standard(
        track,
        neutral,
        tuple(int(f) for f in fallback_frames),
        nodes,
        rotation,
        translation,
        weights,
    )


def worse_frames(errors: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Indices of frames whose error (a part of the eye distance) is not a number, or worse than before by more than WORSE, where it was one before."""
    return np.flatnonzero(np.isfinite(before) & ~(errors <= before + WORSE))


def pick(trajectory: Trajectory, nodes: np.ndarray) -> Trajectory:
    """Some nodes of a trajectory, copied."""
    at = torch.as_tensor(nodes)
    return Trajectory(
        trajectory.rotation[at].clone(),
        trajectory.translation[at].clone(),
        trajectory.weights[at].clone(),
    )


def instants(footage: Footage) -> np.ndarray:
    """Times (s) at which any view took a picture, the first view's all among them; of others that lie within INSTANT of one, none."""
    first = footage.views[0].times
    out = first
    for view in footage.views[1:]:
        inside = view.times[(view.times > first[0]) & (view.times < first[-1])]
        out = np.union1d(
            out, inside[np.abs(inside[:, None] - out).min(1, initial=np.inf) > INSTANT]
        )
    return out


def at_instants(draft: Track, times: np.ndarray) -> Trajectory:
    """The draft's trajectory at some times within it, on straight lines between its own."""
    after = (
        np.clip(np.searchsorted(draft.time, times, side='right'), 1, max(len(draft.time) - 1, 1))
        if len(draft.time) > 1
        else np.zeros(len(times), int)
    )
    before = np.maximum(after - 1, 0)
    u = torch.as_tensor(
        (times - draft.time[before]) / np.maximum(draft.time[after] - draft.time[before], 1e-9),
        dtype=DTYPE,
    )
    ends = lambda a: (torch.as_tensor(a[k], dtype=DTYPE) for k in (before, after))
    turn, turned = ends(draft.rotation)
    return Trajectory(
        so3_exp(so3_log(turned @ turn.mT) * u[:, None]) @ turn,
        blend_nodes(u, *ends(draft.translation)),
        blend_nodes(u, *ends(draft.weights)),
    )


def key_nodes(
    footage: Footage, observations: Observations, options: StandardOptions, nodes: np.ndarray
) -> np.ndarray:
    """Nodes that find the person: those of chosen frames of the first view; with several views, all between such a frame and the next."""
    view, seen = footage.views[0], observations.views[0]
    if len(footage.views) > 1 and len(view.times) <= options.keyframes:
        return np.arange(len(nodes))
    count = options.keyframes if len(footage.views) == 1 else options.keyframes // 2
    keys = choose_keyframes(view, seen, count)
    if len(footage.views) == 1:
        return keys
    ends = (
        np.searchsorted(nodes, view.times[keys]),
        np.searchsorted(nodes, view.times[np.minimum(keys + 1, len(view.times) - 1)]),
    )
    return np.unique(np.concatenate([np.arange(a, b + 1) for a, b in zip(*ends)]))


class Window:
    """Some nodes of the performance with every view's frames there, their landmarks and their pictures."""

    def __init__(
        self,
        footage: Footage,
        observations: Observations,
        landmarks: ModelLandmarks,
        person: ActorModel,
        tracking: TrackOptions,
        options: StandardOptions,
        draft: Track,
        all_times: np.ndarray,
        own_masks: Sequence[UserMasks | None],
        nodes: np.ndarray,
        whole: bool,
        held: int = 0,
    ):
        self.footage, self.person, self.tracking, self.options = footage, person, tracking, options
        times = all_times[nodes]
        self.landmarks_by_view, self.pictures = [], []
        for v, (view, seen, camera) in enumerate(
            zip(footage.views, observations.views, draft.cameras)
        ):
            frames = frames_within(view.times, times, all_times, nodes, whole)
            view_landmarks = make_view_landmarks(
                view, seen, landmarks.confidence, times, camera.focal, tracking, frames
            )
            self.landmarks_by_view.append(view_landmarks)
            self.pictures.append(cut_faces(view, view_landmarks.frames, seen.points))
        self.landmarks_by_view = tuple(self.landmarks_by_view)
        views = len(footage.views)
        self.problem = Problem(
            person.basis,
            self.landmarks_by_view,
            make_priors(person.model.names, tracking),
            tracking,
            torch.as_tensor(np.diff(times)),
            -1,
            torch.zeros(views, dtype=DTYPE),
            (False,) * views,
            tuple(torch.as_tensor(b) for b in draft.bias),
            surface=person.surface,
            smooth=views > 1,
        )
        self.held, self.observations, self.own_masks, self.masks = (
            held,
            observations,
            own_masks,
            None,
        )

    def find_masks(
        self, shared: SharedParameters | None = None, trajectory: Trajectory | None = None
    ):
        """Part masks of every picture; yields fractions. With the present fit, a landmark far from where it has it is taken from there."""
        self.masks = []
        for v, (view_landmarks, pictures, seen) in enumerate(
            zip(self.landmarks_by_view, self.pictures, self.observations.views)
        ):
            points = seen.points[view_landmarks.frames].astype(np.float64)
            if trajectory is not None and len(points):
                camera = pose_points(
                    self.person.basis, shared, trajectory, view_landmarks, v, slice(None)
                )[0].numpy()
                fitted = to_pixels(
                    camera, self.footage.views[v].camera, float(shared.log_focal[v].exp())
                )
                off = ((points - fitted) ** 2).sum(2) / (
                    DOUBTED * view_landmarks.size.numpy()[:, None]
                ) ** 2
                points = fitted + (points - fitted) / (1 + off)[..., None]
            for found in find_masks(
                pictures, points, seen.confidence[view_landmarks.frames], self.own_masks[v]
            ):
                if isinstance(found, float):
                    yield (v + found) / len(self.landmarks_by_view)
            self.masks.append(found)

    def sample_appearance(
        self,
        shared: SharedParameters,
        trajectory: Trajectory,
        blur: float,
        robust: float | None = None,
    ):
        """Yields fractions, and last (each view's Looks, each view's part terms: none without masks or `robust`)."""
        model = self.person.model
        neutral, triangles = (
            model.shape(shared.identity.numpy()),
            triangulate(model.faces[visible_faces(model)]),
        )
        out, terms, masked = [], [], bool(self.masks) and robust is not None
        for v, (view_landmarks, pictures) in enumerate(zip(self.landmarks_by_view, self.pictures)):
            camera = self.footage.views[v].camera

            def parts(row, drawn, v=v, camera=camera, pictures=pictures):
                return part_terms(
                    self.person.parts,
                    self.person.outlines,
                    triangles,
                    self.masks[v],
                    row,
                    drawn,
                    pictures.scale[row],
                    camera.aspect,
                    robust,
                    self.options,
                )

            for found in sample_appearance_of_view(
                model,
                neutral,
                self.person.points,
                pictures,
                view_landmarks,
                shared,
                trajectory,
                v,
                camera,
                blur,
                self.options,
                parts if masked else lambda row, drawn: None,
            ):
                if isinstance(found, float):
                    yield (v + found) / len(self.landmarks_by_view)
            out.append(found[0])
            terms.append(found[1] if masked else [])
        yield out, terms

    def evidence(
        self,
        samples,
        terms,
        appearance: PointAppearance,
        shared: SharedParameters,
        trajectory: Trajectory,
    ) -> tuple[Evidence, ...]:
        """Everything the pictures say, view by view."""
        out = []
        for v, (view_landmarks, pictures, view) in enumerate(
            zip(self.landmarks_by_view, self.pictures, self.footage.views)
        ):
            one = photometric_evidence(
                samples[v],
                appearance.expected,
                appearance.support,
                view_landmarks,
                pictures,
                view.camera,
                self.options,
            )
            if self.options.shaded:
                also = shaded_evidence(
                    samples[v],
                    appearance.albedo,
                    appearance.light[v],
                    appearance.support,
                    view_landmarks,
                    pictures,
                    view.camera,
                    self.options,
                )
                one = replace(
                    one,
                    gradient=one.gradient + also.gradient,
                    curvature=one.curvature + also.curvature,
                )
            count, size = len(self.person.points.vertex), len(self.person.surface.mean)
            still = replace(shared, deviation=torch.zeros_like(self.person.surface.mean))
            camera = pose_points(
                self.person.surface, still, trajectory, view_landmarks, v, slice(None)
            )[0]
            focal = shared.log_focal[v].exp()
            at, first = projection(camera, focal), size - self.person.gaps.matrix.shape[0]
            gradient, curvature = (
                torch.zeros(len(at), size, 2, dtype=DTYPE),
                torch.zeros(len(at), size, 2, 2, dtype=DTYPE),
            )
            gradient[:, :count], curvature[:, :count] = one.gradient, one.curvature
            for row, (g, c, _) in enumerate(terms[v]):
                gradient[row, count:first], curvature[row, count:first] = (
                    torch.as_tensor(g),
                    torch.as_tensor(c),
                )
            gaps = (
                gap_rows(
                    self.person.gaps,
                    view_landmarks,
                    at[:, first:],
                    camera[:, first:, 2],
                    float(focal),
                    self.options.gaps,
                )
                if self.options.gaps
                else [()] * len(at)
            )
            means = []
            for row, gap in enumerate(gaps):
                of_frame = (
                    [(index + count, rows, residual) for index, rows, residual in terms[v][row][2]]
                    if terms[v]
                    else []
                )
                of_frame += [(np.arange(first, size), *gap)] if gap else []
                means.append(tuple(tuple(torch.as_tensor(a) for a in term) for term in of_frame))
            one = Evidence(one.node, one.between, at, gradient, curvature, tuple(means))
            out.append(one)
        return tuple(out)

    def trusted(
        self, problem: Problem, shared: SharedParameters, trajectory: Trajectory
    ) -> Problem:
        """With landmarks that face away turned down and the detector's constant error taken off."""
        landmarks_by_view = remove_bias(
            weigh_by_visibility(problem.basis, shared, trajectory, self.landmarks_by_view),
            problem.bias,
        )
        share = self.options.landmarks**0.5
        return replace(
            problem,
            landmarks_by_view=tuple(
                replace(s, sqrt_information=s.sqrt_information * share) for s in landmarks_by_view
            ),
        )

    def find(self, shared: SharedParameters, trajectory: Trajectory):
        """The person: yields (fraction, (person, shared, trajectory))."""
        options, person = self.options, self.person
        habits, problem = self.problem.bias, replace(self.problem, free=frozenset({'identity'}))
        masked = [
            person.parts is not None
            and (not turn or (options.remask and turn % options.remask == 0))
            for turn in range(options.key_rounds)
        ]
        before = np.cumsum([0.0, *(1 + MASKING * bool(m) for m in masked)])  # in rounds
        for turn in range(options.key_rounds):
            looked = before[turn] + MASKING * bool(masked[turn])
            if masked[turn]:
                for fraction in self.find_masks(*(shared, trajectory) if turn else ()):
                    yield (
                        (before[turn] + MASKING * fraction) / before[-1],
                        (person, shared, trajectory),
                    )
            blur, robust = (
                between(ends, turn, options.key_rounds)
                for ends in (options.blur, options.part_robust)
            )
            for samples in self.sample_appearance(shared, trajectory, blur, robust):
                if isinstance(samples, float):
                    yield (looked + 0.5 * samples) / before[-1], (person, shared, trajectory)
            samples, terms = samples
            person = replace(person, appearance=estimate_appearance(samples, options))
            evidence = self.evidence(samples, terms, person.appearance, shared, trajectory)
            for i, (shared, trajectory) in enumerate(
                solve(
                    replace(self.trusted(problem, shared, trajectory), evidence=evidence),
                    shared,
                    trajectory,
                    options.key_steps,
                    1e-4,
                )
            ):
                yield (
                    (looked + 0.5 + 0.5 * (i + 1) / options.key_steps) / before[-1],
                    (person, shared, trajectory),
                )
            bare = replace(
                problem,
                landmarks_by_view=remove_bias(
                    weigh_by_visibility(problem.basis, shared, trajectory, self.landmarks_by_view),
                    problem.bias,
                ),
            )
            shared = replace(
                shared, deviation=find_deviation(bare, shared, trajectory, self.tracking)
            )
            problem = replace(
                problem, bias=find_view_bias(bare, shared, trajectory, self.tracking, habits)
            )
        self.problem = replace(problem, free=frozenset())
        for samples in self.sample_appearance(shared, trajectory, options.blur[1]):
            pass
        yield (
            1.0,
            (
                replace(person, appearance=estimate_appearance(samples[0], options)),
                shared,
                trajectory,
            ),
        )

    def follow(self, shared: SharedParameters, trajectory: Trajectory):
        """The performance, the person known: yields (fraction, trajectory)."""
        options, person = self.options, self.person
        problem = replace(self.problem, anchor=trajectory if self.held else None, anchors=self.held)
        first = WINDOW_MASKING if person.parts is not None else 0.0
        if person.parts is not None:
            for fraction in self.find_masks(*(shared, trajectory) if options.remask else ()):
                yield first * fraction, trajectory
        for turn in range(options.rounds):
            for samples in self.sample_appearance(
                shared, trajectory, options.blur[1], options.part_robust[1]
            ):
                if isinstance(samples, float):
                    yield first + (1 - first) * (turn + 0.6 * samples) / options.rounds, trajectory
            evidence = self.evidence(*samples, person.appearance, shared, trajectory)
            for i, (_, trajectory) in enumerate(
                solve(
                    replace(self.trusted(problem, shared, trajectory), evidence=evidence),
                    shared,
                    trajectory,
                    options.steps,
                    1e-4,
                )
            ):
                yield (
                    first
                    + (1 - first) * (turn + 0.6 + 0.4 * (i + 1) / options.steps) / options.rounds,
                    trajectory,
                )
        yield 1.0, trajectory


def estimate_appearance(
    samples: list[AppearanceSamples], options: StandardOptions
) -> PointAppearance:
    """What the points look like, from all pictures of all views."""
    return PointAppearance(*expected_appearance(samples, options), *fit_shading(samples))


def between(ends: tuple[float, float], turn: int, turns: int) -> float:
    """From the first to the last number, by equal factors."""
    along = turn / max(turns - 1, 1)
    return ends[0] ** (1 - along) * ends[1] ** along


def frames_within(
    frame_times: np.ndarray,
    times: np.ndarray,
    all_times: np.ndarray,
    nodes: np.ndarray,
    whole: bool,
) -> np.ndarray:
    """Frames of a view that lie between neighbouring nodes of the stretch (and, at the performance's ends, beyond them)."""
    early = 1e9 if nodes[0] == 0 and whole else 1e-6
    late = 1e9 if nodes[-1] == len(all_times) - 1 and whole else 1e-6
    inside = (frame_times >= times[0] - early) & (frame_times <= times[-1] + late)
    if len(times) > 1:
        after = np.clip(np.searchsorted(times, frame_times, side='right') - 1, 0, len(times) - 2)
        joined = nodes[after + 1] == nodes[after] + 1
        on = (
            np.minimum(np.abs(frame_times - times[after]), np.abs(frame_times - times[after + 1]))
            < 1e-6
        )
        inside &= joined | on
    return np.flatnonzero(inside)
