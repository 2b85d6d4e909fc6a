"""Quality 'standard': the draft's fit goes on with the pictures themselves, and with part masks (papers/4, eq. 7, solved by Gauss-Newton).

First keyframes of all views find the person (identity, and with several views smooth personal offsets the model does not span); then windows of
frames follow the performance with that held, so that memory does not grow with the clip. Landmarks, priors and the solver are the tracker's.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from ..face_model.landmarks import ModelLandmarks
from ..face_model.model import FaceModel, triangulate
from ..face_model.paint import visible_faces
from ..footage.footage import Footage, Observations
from ..footage.own_masks import OwnMasks
from ..mesh.normals import vertex_normals
from .offsets import offset_modes
from .options import StandardOptions, TrackOptions, for_few_pictures
from .part_evidence import find_masks, part_basis, part_terms
from .part_points import PartPoints
from .photometric import Points, choose_points, cut_faces, expected_look, look_at_all, photometric_evidence
from .solver import DTYPE, Basis, Evidence, Motion, Problem, Shared, landmark_basis, make_priors, place, projection, solve
from .tracker import Track, choose_keyframes, find_deviation, find_view_bias, make_sight, reprojection_error, seen_from, to_pixels, without_bias

WORSE = .015         # of the eye distance: a frame whose landmarks lie so much further off than the draft's falls back to the draft


@dataclass(frozen=True)
class Standard:
    """track: as the tracker's; neutral V×3 float32 cm; fallen: frames of the first view that kept the draft's pose and weights."""
    track: Track
    neutral: np.ndarray
    fallen: tuple[int, ...]


@dataclass(frozen=True)
class Person:
    """What stays the same while a performance is followed: the model with offset modes among its identities, its bases, and what the points look like."""
    model: FaceModel
    basis: Basis
    points: Points
    parts: PartPoints | None
    surface: Basis           # at the points, then at the parts' points
    expected: np.ndarray | None = None
    support: np.ndarray | None = None


def basis_at(model: FaceModel, vertex: np.ndarray) -> Basis:
    """The model's linear bases at some of its vertices."""
    normals = vertex_normals(model.neutral.astype(np.float64), triangulate(model.faces))[vertex]
    tensor = lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    return Basis(tensor(model.neutral[vertex]), tensor(normals), tensor(np.moveaxis(model.identities[:, vertex], 0, -1)),
                 tensor(np.moveaxis(model.expressions[:, vertex], 0, -1)), torch.ones(len(vertex), dtype=DTYPE))


def both(first: Basis, second: Basis) -> Basis:
    """Two bases' points, one after the other."""
    return Basis(*(torch.cat([getattr(first, f.name), getattr(second, f.name)]) for f in fields(Basis)))


def refine(model: FaceModel, landmarks: ModelLandmarks, footage: Footage, observations: Observations, draft: Track,
           options: StandardOptions = StandardOptions(), masks: Sequence[OwnMasks | None] = ()) -> Iterator[tuple[float, str] | Standard]:
    """A generator of (fraction, stage), whose return value is the Standard. masks: for each view the user's own, or None: then they are found."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return (yield from _refine(model, landmarks, footage, observations, draft, options, masks or [None] * len(footage.views)))
    finally:
        torch.set_num_threads(threads)


def _refine(model: FaceModel, landmarks: ModelLandmarks, footage: Footage, observations: Observations, draft: Track, options: StandardOptions,
            masks: Sequence[OwnMasks | None]):
    if sum(len(v.times) for v in footage.views) <= options.fewest_looks:
        options = for_few_pictures(options)
    several, tensor = len(footage.views) > 1, lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    spread, axes = (options.offset_spread, (0, 1, 2)) if several else (options.lone_offset_spread, (0, 1))
    modes = offset_modes(model, options.modes, spread, axes, options.finer)
    wide = replace(model, identities=np.concatenate([model.identities, modes]))
    points = choose_points(wide, lambda vertex: basis_at(wide, vertex), options)
    parts, of_parts = part_basis(wide, options) if options.parts else (None, None)
    person = Person(wide, landmark_basis(wide, landmarks), points, parts, both(points.basis, of_parts) if options.parts else points.basis)
    tracking = TrackOptions(identity_weight=options.identity_weight)
    shared = Shared(torch.cat([tensor(draft.identity), torch.zeros(len(modes), dtype=DTYPE)]), tensor(np.log([c.focal for c in draft.cameras])),
                    tensor(np.stack([c.rotation for c in draft.cameras])), tensor(np.stack([c.translation for c in draft.cameras])), tensor(draft.deviation))
    start = Motion(tensor(draft.rotation), tensor(draft.translation), tensor(draft.weights))

    keys = key_nodes(footage, observations, options)
    finder = Stretch(footage, observations, landmarks, person, tracking, options, draft, masks, keys, whole=False)
    for fraction, (person, shared, motion) in finder.find(shared, pick(start, keys)):
        yield .45 * fraction, 'Finding the person in the pictures'
    moved = Motion(motion.rotation @ start.rotation[keys].transpose(1, 2), motion.translation - start.translation[keys], motion.weights - start.weights[keys])

    nodes, whole = draft.time, Motion(torch.empty_like(start.rotation), torch.empty_like(start.translation), torch.empty_like(start.weights))
    near = torch.as_tensor(np.abs(nodes[:, None] - nodes[keys][None]).argmin(1))
    begin = Motion(moved.rotation[near] @ start.rotation, start.translation + moved.translation[near], (start.weights + moved.weights[near]).clamp(0, 1))
    projected = [np.full_like(p, np.nan) for p in draft.projected]
    starts = list(range(0, max(len(nodes) - options.overlap, 1), options.window - options.overlap))
    for n, first in enumerate(starts):
        own = np.arange(first, min(first + options.window, len(nodes)))
        held = min(options.overlap // 2, len(own)) if first else 0
        motion = pick(begin, own)
        for name in ('rotation', 'translation', 'weights'):
            getattr(motion, name)[:held] = getattr(whole, name)[first:first + held]
        window = Stretch(footage, observations, landmarks, person, tracking, options, draft, masks, own, whole=True, held=held)
        for fraction, motion in window.follow(shared, motion):
            yield .45 + .53 * (n + fraction) / len(starts), 'Following the performance in the pictures'
        for name in ('rotation', 'translation', 'weights'):
            getattr(whole, name)[own] = getattr(motion, name)
        for v, sight in enumerate(window.sights):
            if len(sight.node):
                camera = place(person.basis, shared, motion, sight, v, slice(None))[0]
                projected[v][sight.frames] = to_pixels(camera.numpy(), footage.views[v].camera, draft.cameras[v].focal)
    errors, eyes = zip(*(reprojection_error(p, seen) for p, seen in zip(projected, observations.views)))
    fallen = worse_frames(errors[0], draft.errors[0])
    for name in ('rotation', 'translation', 'weights'):
        getattr(whole, name)[fallen] = getattr(start, name)[fallen]
    projected[0][fallen], errors[0][fallen] = draft.projected[0][fallen], draft.errors[0][fallen]
    neutral = wide.shape(shared.identity.numpy())
    track = replace(draft, identity=shared.identity.numpy()[:len(model.identities)], deviation=shared.deviation.numpy(), weights=whole.weights.numpy(),
                    rotation=whole.rotation.numpy(), translation=whole.translation.numpy(), projected=tuple(projected), errors=tuple(errors), eye_distance=tuple(eyes))
    yield 1., 'Following the performance in the pictures'
    return Standard(track, neutral, tuple(int(f) for f in fallen))


def worse_frames(errors: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Indices of frames whose error (a part of the eye distance) is not a number, or worse than before by more than WORSE, where it was one before."""
    return np.flatnonzero(np.isfinite(before) & ~(errors <= before + WORSE))


def pick(motion: Motion, nodes: np.ndarray) -> Motion:
    """Some nodes of a motion, copied."""
    at = torch.as_tensor(nodes)
    return Motion(motion.rotation[at].clone(), motion.translation[at].clone(), motion.weights[at].clone())


def key_nodes(footage: Footage, observations: Observations, options: StandardOptions) -> np.ndarray:
    """Frames of the first view (its nodes) that find the person; with several views in pairs of neighbours, so that others' frames lie between."""
    view, seen = footage.views[0], observations.views[0]
    if len(footage.views) == 1:
        keys = choose_keyframes(view, seen, options.keyframes)
        return keys if len(keys) else np.arange(min(len(view.times), options.keyframes))
    if len(view.times) <= options.keyframes:
        return np.arange(len(view.times))
    keys = choose_keyframes(view, seen, options.keyframes // 2)
    if not len(keys):
        keys = np.unique(np.linspace(0, len(view.times) - 2, options.keyframes // 2).astype(int))
    return np.union1d(keys, np.minimum(keys + 1, len(view.times) - 1))


class Stretch:
    """Some nodes of the performance with every view's frames there, their landmarks and their pictures."""

    def __init__(self, footage: Footage, observations: Observations, landmarks: ModelLandmarks, person: Person, tracking: TrackOptions, options: StandardOptions,
                 draft: Track, own_masks: Sequence[OwnMasks | None], nodes: np.ndarray, whole: bool, held: int = 0):
        self.footage, self.person, self.tracking, self.options, self.draft = footage, person, tracking, options, draft
        times = draft.time[nodes]
        self.sights, self.pictures = [], []
        for v, (view, seen, camera) in enumerate(zip(footage.views, observations.views, draft.cameras)):
            frames = frames_within(view.times, times, draft.time, nodes, whole)
            sight = make_sight(view, seen, landmarks.confidence, times, camera.focal, tracking, frames)
            self.sights.append(sight)
            self.pictures.append(cut_faces(view, sight.frames, seen.points))
        self.sights = tuple(self.sights)
        views = len(footage.views)
        self.problem = Problem(person.basis, self.sights, make_priors(person.model.names, tracking), tracking, torch.as_tensor(np.diff(times)), -1,
                               torch.zeros(views, dtype=DTYPE), (False,) * views, tuple(torch.as_tensor(b) for b in draft.bias), surface=person.surface)
        self.held, self.observations, self.own_masks, self.masks = held, observations, own_masks, None

    def find_masks(self):
        """Part masks of every picture; yields fractions."""
        self.masks = []
        for v, (sight, pictures, seen) in enumerate(zip(self.sights, self.pictures, self.observations.views)):
            for found in find_masks(pictures, seen.points[sight.frames], seen.confidence[sight.frames], self.own_masks[v]):
                if isinstance(found, float):
                    yield (v + found) / len(self.sights)
            self.masks.append(found)

    def look(self, shared: Shared, motion: Motion, blur: float):
        """Yields fractions, and last (each view's Looks, each view's part terms)."""
        model = self.person.model
        neutral, triangles = model.shape(shared.identity.numpy()), triangulate(model.faces[visible_faces(model)])
        out, terms = [], []
        for v, (sight, pictures) in enumerate(zip(self.sights, self.pictures)):
            camera, of_view = self.footage.views[v].camera, []

            def parts(row, head, drawn):
                if self.masks:
                    of_view.append(part_terms(self.person.parts, triangles, self.masks[v], row, drawn, pictures.scale[row], camera.aspect, self.options))
            for found in look_at_all(model, neutral, self.person.points, pictures, sight, shared, motion, v, camera, blur, self.options, parts):
                if isinstance(found, float):
                    yield (v + found) / len(self.sights)
            out.append(found)
            terms.append(of_view)
        yield out, terms

    def evidence(self, looks, terms, expected: np.ndarray, support: np.ndarray, shared: Shared, motion: Motion) -> tuple[Evidence, ...]:
        """Everything the pictures say, view by view."""
        out = []
        for v, (sight, pictures, view) in enumerate(zip(self.sights, self.pictures, self.footage.views)):
            one = photometric_evidence(looks[v], expected, support, sight, pictures, view.camera, self.options)
            if terms[v]:
                count = len(self.person.points.vertex)
                still = replace(shared, deviation=torch.zeros_like(self.person.surface.mean))
                at = projection(place(self.person.surface, still, motion, sight, v, slice(None))[0], shared.log_focal[v].exp())
                tensor = lambda a: torch.as_tensor(np.stack(a), dtype=DTYPE)
                means = tuple(tuple((torch.as_tensor(index + count), torch.as_tensor(rows), torch.as_tensor(residual)) for index, rows, residual in of_frame)
                              for _, _, of_frame in terms[v])
                one = Evidence(one.node, one.between, at, torch.cat([one.gradient, tensor([g for g, _, _ in terms[v]])], 1),
                               torch.cat([one.curvature, tensor([c for _, c, _ in terms[v]])], 1), means)
            out.append(one)
        return tuple(out)

    def trusted(self, problem: Problem, shared: Shared, motion: Motion) -> Problem:
        """With landmarks that face away turned down and the detector's constant error taken off."""
        sights = without_bias(seen_from(problem.basis, shared, motion, self.sights), problem.bias)
        share = self.options.landmarks ** .5
        return replace(problem, sights=tuple(replace(s, whiten=s.whiten * share) for s in sights))

    def find(self, shared: Shared, motion: Motion):
        """The person: yields (fraction, (person, shared, motion))."""
        options, person = self.options, self.person
        habits, problem = self.problem.bias, replace(self.problem, free=frozenset({'identity'}))
        if person.parts is not None:
            for fraction in self.find_masks():
                yield .1 * fraction, (person, shared, motion)
        for turn in range(options.key_rounds):
            blur = between(options.blur, turn, options.key_rounds)
            for looks in self.look(shared, motion, blur):
                if isinstance(looks, float):
                    yield .1 + .9 * (turn + .5 * looks) / options.key_rounds, (person, shared, motion)
            looks, terms = looks
            expected, support = expected_look(looks, options)
            person = replace(person, expected=expected, support=support)
            evidence = self.evidence(looks, terms, expected, support, shared, motion)
            for i, (shared, motion) in enumerate(solve(replace(self.trusted(problem, shared, motion), evidence=evidence), shared, motion, options.key_steps, 1e-4)):
                yield .1 + .9 * (turn + .5 + .5 * (i + 1) / options.key_steps) / options.key_rounds, (person, shared, motion)
            bare = replace(problem, sights=without_bias(seen_from(problem.basis, shared, motion, self.sights), problem.bias))
            shared = replace(shared, deviation=find_deviation(bare, shared, motion, self.tracking))
            problem = replace(problem, bias=find_view_bias(bare, shared, motion, self.tracking, habits))
        self.problem = replace(problem, free=frozenset())
        for looks in self.look(shared, motion, options.blur[1]):
            pass
        expected, support = expected_look(looks[0], options)
        yield 1., (replace(person, expected=expected, support=support), shared, motion)

    def follow(self, shared: Shared, motion: Motion):
        """The performance, the person known: yields (fraction, motion)."""
        options, person = self.options, self.person
        problem = replace(self.problem, anchor=motion if self.held else None, anchors=self.held)
        if person.parts is not None:
            for fraction in self.find_masks():
                yield .2 * fraction, motion
        for turn in range(options.rounds):
            for looks in self.look(shared, motion, options.blur[1]):
                if isinstance(looks, float):
                    yield .2 + .8 * (turn + .6 * looks) / options.rounds, motion
            evidence = self.evidence(*looks, person.expected, person.support, shared, motion)
            for _, motion in solve(replace(self.trusted(problem, shared, motion), evidence=evidence), shared, motion, options.steps, 1e-4):
                yield .2 + .8 * (turn + .8) / options.rounds, motion
        yield 1., motion


def between(ends: tuple[float, float], turn: int, turns: int) -> float:
    """From the first to the last number, by equal factors."""
    along = turn / max(turns - 1, 1)
    return ends[0] ** (1 - along) * ends[1] ** along


def frames_within(frame_times: np.ndarray, times: np.ndarray, all_times: np.ndarray, nodes: np.ndarray, whole: bool) -> np.ndarray:
    """Frames of a view that lie between neighbouring nodes of the stretch (and, at the performance's ends, beyond them)."""
    early = 1e9 if nodes[0] == 0 and whole else 1e-6
    late = 1e9 if nodes[-1] == len(all_times) - 1 and whole else 1e-6
    inside = (frame_times >= times[0] - early) & (frame_times <= times[-1] + late)
    if len(times) > 1:
        after = np.clip(np.searchsorted(times, frame_times, side='right') - 1, 0, len(times) - 2)
        joined = nodes[after + 1] == nodes[after] + 1
        on = np.minimum(np.abs(frame_times - times[after]), np.abs(frame_times - times[after + 1])) < 1e-6
        inside &= joined | on
    return np.flatnonzero(inside)
