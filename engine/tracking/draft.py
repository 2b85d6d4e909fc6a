"""The tracker: identity, focal length, head pose and expression weights from the landmarks of all frames and views together.

Keyframes find what is shared (identity, focal length, the other views' cameras where unknown, the person's constant deviation
per landmark); then windows of frames are solved with that held, so that memory does not grow with the clip.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from ..annotate.detector_bias import habit
from ..annotate.landmarks import ModelLandmarks
from ..core.errors import FacewrightError
from ..evidence.options import TrackOptions
from ..evidence.state import (
    DTYPE,
    PointBasis,
    SharedParameters,
    Trajectory,
    ViewLandmarks,
    landmark_basis,
    pose_points,
    projection,
    to_pixels,
    visibility,
)
from ..face_model.model import FaceModel
from ..footage.detector.landmark_sets import OUTER_EYE_CORNERS, face_regions, landmark_sets
from ..footage.footage import Camera, Footage, Observations, View, ViewObservations
from .solver import Problem, make_priors, solve

SCORED = ('lips', 'left_eye', 'right_eye', 'left_brow', 'right_brow', 'nose')
COARSE, MIDDLE, FINE = 2e-3, 4e-4, 2e-4  # relative fall of the cost at which a fit stops
FINDING, FOLLOWING = 'Finding the person and the lens', 'Following the performance'  # the stages
USUAL_STEPS = (
    8,
    4,
    5,
)  # Gauss-Newton steps that the first, a middle and the last round of finding usually take
USUAL_WINDOW = 7  # the same of a window
HABIT_STEPS = 4  # steps that take as long as learning the detector's habits once
FLIP = np.diag(
    [1.0, -1.0, -1.0]
)  # head axes → camera axes of an upright head that faces the camera


@dataclass(frozen=True)
class Track:
    """The result of `track`, numpy float64.

    identity I; deviation 478×3 cm; cameras: per view, with what was found filled in; time K s; weights K×E; rotation K×3×3 and
    translation K×3 (head → world, cm); per view: projected landmarks T×478×2 px, error T (mean distance over eyes, brows, nose and
    lips as a part of the outer-eye distance in the picture of a head facing it; NaN where no face was seen), eye_distance T px,
    bias 478×2 (see find_view_bias).
    """

    identity: np.ndarray
    deviation: np.ndarray
    cameras: tuple[Camera, ...]
    time: np.ndarray
    weights: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    projected: tuple[np.ndarray, ...]
    errors: tuple[np.ndarray, ...]
    eye_distance: tuple[np.ndarray, ...]
    bias: tuple[np.ndarray, ...] = ()


def rms_radius(points: np.ndarray) -> np.ndarray:
    """T: root mean square distance of each frame's landmarks (T×478×2) from their middle, pixels."""
    return np.sqrt(((points - points.mean(1, keepdims=True)) ** 2).sum(2).mean(1))


def undistort(points: np.ndarray, camera: Camera, focal: float) -> np.ndarray:
    """T×478×2 pixels → pixels relative to the principal point without distortion, aspect divided out of y."""
    if any(camera.distortion):
        k = np.array(
            [[focal, 0, camera.centre[0]], [0, focal * camera.aspect, camera.centre[1]], [0, 0, 1]]
        )
        flat = cv2.undistortPoints(
            points.reshape(-1, 1, 2).astype(np.float64), k, np.asarray(camera.distortion)
        )
        return flat.reshape(points.shape) * focal
    out = points - np.asarray(camera.centre)
    return out / (1, camera.aspect)


def make_sqrt_information(
    points: np.ndarray, confidence: np.ndarray, options: TrackOptions
) -> np.ndarray:
    """T×478×2×2: residual pixels → units of noise. Face-oval points are freer along the oval than across it."""
    noise = np.maximum(options.noise * rms_radius(points), 0.05)[:, None]
    scale = np.sqrt(confidence) / noise
    marks = landmark_sets()
    scale[:, marks['oval']] *= options.contour_trust
    for factor, names in (
        (options.lid_sharpness, ('left_eye', 'right_eye')),
        (options.iris_sharpness, ('left_iris', 'right_iris', 'iris_centres')),
        (options.lip_sharpness, ('lips',)),
        (options.brow_sharpness, ('left_brow', 'right_brow')),
    ):
        for name in names:
            scale[:, marks[name]] *= factor
    out = scale[..., None, None] * np.eye(2)
    oval = landmark_sets()['oval']
    along = np.roll(points[:, oval], -1, 1) - np.roll(points[:, oval], 1, 1)
    along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    across = np.stack([-along[..., 1], along[..., 0]], -1)
    free = (
        across[..., :, None] * across[..., None, :]
        + along[..., :, None] * along[..., None, :] / options.contour_tangent
    )
    out[:, oval] = scale[:, oval, None, None] * free
    return out


def make_view_landmarks(
    view: View,
    seen: ViewObservations,
    basis_confidence: np.ndarray,
    nodes: np.ndarray,
    focal: float,
    options: TrackOptions,
    frames: np.ndarray,
) -> ViewLandmarks:
    """The given frames of a view as rows between the nodes (times, s); frames without a face are left out."""
    frames = frames[seen.present[frames]]
    times = view.times[frames]
    after = np.clip(np.searchsorted(nodes, times, side='right') - 1, 0, max(len(nodes) - 2, 0))
    gap = nodes[after + 1] - nodes[after] if len(nodes) > 1 else np.ones(len(times))
    between = (
        np.clip((times - nodes[after]) / gap, 0, 1) if len(nodes) > 1 else np.zeros(len(times))
    )
    step = (between > 1 - 1e-6) & (after + 1 < len(nodes))
    after, between = after + step, np.where(step | (between < 1e-6), 0, between)
    points = seen.points[frames].astype(np.float64)
    tensor = lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    return ViewLandmarks(
        torch.as_tensor(after),
        tensor(between),
        tensor(undistort(points, view.camera, focal)),
        tensor(make_sqrt_information(points, seen.confidence[frames] * basis_confidence, options)),
        tensor(rms_radius(points)),
        tensor(seen.confidence[frames] * basis_confidence),
        frames,
    )


def seen_from(
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    landmarks_by_view: tuple[ViewLandmarks, ...],
) -> tuple[ViewLandmarks, ...]:
    """Turn down the information of landmarks that face away from their camera."""
    out = []
    for v, s in enumerate(landmarks_by_view):
        seen = visibility(basis, shared, trajectory, s, v)
        out.append(
            replace(
                s,
                sqrt_information=s.sqrt_information * seen.sqrt()[..., None, None],
                trust=s.trust * seen,
            )
        )
    return tuple(out)


def find_view_bias(
    problem: Problem,
    shared: SharedParameters,
    trajectory: Trajectory,
    options: TrackOptions,
    habits: tuple[torch.Tensor, ...],
) -> tuple[torch.Tensor, ...]:
    """Per view L×2: the constant error of the detector there, as a part of the face's RMS radius in the picture: a ridge estimate round its habit.

    Detectors err by a habit of their own in each view; taken as noise it would be counted once a frame and bend the person's shape.
    """
    out = []
    for view, view_landmarks in enumerate(problem.landmarks_by_view):
        if not len(view_landmarks.node):
            out.append(habits[view])
            continue
        camera = pose_points(problem.basis, shared, trajectory, view_landmarks, view, slice(None))[
            0
        ]
        gap = (
            view_landmarks.pixels - projection(camera, shared.log_focal[view].exp())
        ) / view_landmarks.size[:, None, None] + problem.bias[view]
        square = (
            torch.einsum(
                'nlij,nlj->nli',
                view_landmarks.sqrt_information,
                (gap - problem.bias[view]) * view_landmarks.size[:, None, None],
            )
            .square()
            .sum(2)
        )
        weight = (
            options.data
            * view_landmarks.trust
            / options.noise**2
            / (1 + square / options.robust**2)
        )
        ridge = options.view_bias**-2
        out.append(
            ((gap * weight[..., None]).sum(0) + ridge * habits[view])
            / (weight.sum(0) + ridge)[:, None]
        )
    return tuple(out)


def detector_habits(
    model: FaceModel,
    landmarks: ModelLandmarks,
    problem: Problem,
    shared: SharedParameters,
    trajectory: Trajectory,
    options: TrackOptions,
) -> tuple[torch.Tensor, ...]:
    """Per view L×2: what the detector adds when it looks at the fitted head in some of this view's own poses (habits.py)."""
    out = []
    identity = model.shape(shared.identity.numpy()).astype(np.float64)
    for view, view_landmarks in enumerate(problem.landmarks_by_view):
        rows = (
            np.unique(
                np.linspace(
                    0,
                    len(view_landmarks.node) - 1,
                    min(options.bias_renders, len(view_landmarks.node)),
                ).astype(int)
            )
            if len(view_landmarks.node)
            else []
        )
        heads = []
        for row in rows:
            k = int(view_landmarks.node[row])
            head = identity + np.tensordot(
                trajectory.weights[k].numpy().astype(np.float32), model.expressions, 1
            )
            world = head @ trajectory.rotation[k].numpy().T + trajectory.translation[k].numpy()
            heads.append(world @ shared.rotation[view].numpy().T + shared.translation[view].numpy())
        out.append(torch.as_tensor(habit(model, landmarks, heads), dtype=DTYPE))
    return tuple(out)


def without_bias(
    landmarks_by_view: tuple[ViewLandmarks, ...], bias: tuple[torch.Tensor, ...]
) -> tuple[ViewLandmarks, ...]:
    return tuple(
        replace(s, pixels=s.pixels - b * s.size[:, None, None])
        for s, b in zip(landmarks_by_view, bias)
    )


def pose_from_landmarks(
    points3d: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, focal: float
) -> tuple[np.ndarray, np.ndarray]:
    """One frame's head → camera pose by PnP (OpenCV) from landmarks relative to the principal point."""
    k = np.array([[focal, 0, 0], [0, focal, 0], [0, 0, 1.0]])
    rows = np.flatnonzero(confidence > np.median(confidence) * 0.5)
    ok, rvec, tvec = cv2.solvePnP(points3d[rows], pixels[rows], k, None, flags=cv2.SOLVEPNP_SQPNP)
    if not ok or tvec[2, 0] <= 0:
        spread = np.linalg.norm(points3d - points3d.mean(0), axis=1).mean() / max(
            np.linalg.norm(pixels - pixels.mean(0), axis=1).mean(), 1e-6
        )
        rotation = FLIP.copy()
        depth = focal * spread
        return rotation, np.r_[pixels.mean(0) * spread, depth] - rotation @ points3d.mean(0)
    return cv2.Rodrigues(rvec)[0], tvec[:, 0]


def first_poses(
    basis: PointBasis,
    footage: Footage,
    observations: Observations,
    focals: np.ndarray,
    extrinsics: tuple[np.ndarray, np.ndarray],
    times: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """World poses at the given times, from whichever view saw the face best near each; gaps are filled from the nearest.

    None where no view shows a face near any of them.
    """
    mean = basis.mean.numpy()
    confidence = basis.confidence.numpy()
    rotation, translation, known = (
        np.tile(FLIP, (len(times), 1, 1)),
        np.zeros((len(times), 3)),
        np.zeros(len(times), bool),
    )
    for k, time in enumerate(times):
        best = None
        for v, (view, seen) in enumerate(zip(footage.views, observations.views)):
            have = np.flatnonzero(seen.present)
            if not len(have):
                continue
            frame = have[np.abs(view.times[have] - time).argmin()]
            if (
                abs(view.times[frame] - time) > 0.51 / min(view.fps, 60) + 1e-6
                and v == 0
                and len(footage.views) == 1
            ):
                continue
            score = seen.confidence[frame].mean() - 10 * abs(view.times[frame] - time)
            if best is None or score > best[0]:
                best = (score, v, frame)
        if best is None:
            continue
        _, v, frame = best
        view, seen = footage.views[v], observations.views[v]
        points = undistort(seen.points[frame][None].astype(np.float64), view.camera, focals[v])[0]
        r, t = pose_from_landmarks(mean, points, seen.confidence[frame] * confidence, focals[v])
        rotation[k], translation[k], known[k] = (
            extrinsics[0][v].T @ r,
            extrinsics[0][v].T @ (t - extrinsics[1][v]),
            True,
        )
    if not known.any():
        return None
    have = np.flatnonzero(known)
    nearest = have[np.abs(np.arange(len(times))[:, None] - have[None]).argmin(1)]
    return rotation[nearest], translation[nearest]


def choose_keyframes(view: View, seen: ViewObservations, count: int) -> np.ndarray:
    """Frames of the first view spread over the clip and over poses: even in time, each the best seen of its stretch."""
    have = np.flatnonzero(seen.present)
    if len(have) <= count:
        return have
    score = seen.confidence.mean(1)
    return np.array([part[score[part].argmax()] for part in np.array_split(have, count)])


def relative_cameras(
    basis: PointBasis, footage: Footage, observations: Observations, focals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World → camera of every view when unknown: the first view is the world, the others from the head's pose in both at close times."""
    count = len(footage.views)
    rotation, translation = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))
    mean, confidence = basis.mean.numpy(), basis.confidence.numpy()
    for v in range(1, count):
        a, b = footage.views[0], footage.views[v]
        pairs = []
        for i in np.flatnonzero(observations.views[0].present):
            have = np.flatnonzero(observations.views[v].present)
            if len(have):
                j = have[np.abs(b.times[have] - a.times[i]).argmin()]
                pairs.append((abs(b.times[j] - a.times[i]), i, j))
        if not pairs:
            raise FacewrightError(
                f'The view {b.name} shows no face: take it out of the list, or choose other footage.'
            )
        relative = []
        for _, i, j in sorted(pairs)[:24]:
            poses = [
                pose_from_landmarks(
                    mean,
                    undistort(o.points[f][None].astype(np.float64), w.camera, focals[n])[0],
                    o.confidence[f] * confidence,
                    focals[n],
                )
                for w, o, f, n in (
                    (a, observations.views[0], i, 0),
                    (b, observations.views[v], j, v),
                )
            ]
            r = poses[1][0] @ poses[0][0].T
            relative.append((r, poses[1][1] - r @ poses[0][1]))
        u, _, vt = np.linalg.svd(np.median([r for r, _ in relative], 0))
        rotation[v] = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        translation[v] = np.median([t for _, t in relative], 0)
    return rotation, translation


def find_deviation(
    problem: Problem, shared: SharedParameters, trajectory: Trajectory, options: TrackOptions
) -> torch.Tensor:
    """Ridge estimate of each landmark's constant offset L×3 (head space, cm) from all rows of all views."""
    count = len(problem.basis.mean)
    a, b = torch.zeros(count, 3, 3, dtype=DTYPE), torch.zeros(count, 3, dtype=DTYPE)
    for view, view_landmarks in enumerate(problem.landmarks_by_view):
        focal = shared.log_focal[view].exp()
        camera, _, _, nodes = pose_points(
            problem.basis, shared, trajectory, view_landmarks, view, slice(None)
        )
        residual = torch.einsum(
            'nlij,nlj->nli',
            view_landmarks.sqrt_information,
            view_landmarks.pixels - projection(camera, focal),
        )
        root = torch.sqrt(options.data / (1 + (residual**2).sum(2) / options.robust**2))[..., None]
        x, y, z = camera.unbind(-1)
        o = torch.zeros_like(z)
        d = (
            torch.stack([1 / z, o, -x / z**2, o, 1 / z, -y / z**2], -1).reshape(z.shape + (2, 3))
            * focal
        )
        j = (
            (view_landmarks.sqrt_information * root[..., None])
            @ d
            @ (shared.rotation[view] @ trajectory.rotation[nodes[0]])[:, None]
        )
        a += torch.einsum('nlai,nlaj->lij', j, j)
        b += torch.einsum('nlai,nla->li', j, residual * root)
    ridge = torch.eye(3, dtype=DTYPE) * options.bias_sigma**-2
    b += torch.einsum('lij,lj->li', a, shared.deviation)
    return torch.linalg.solve(a + ridge, b)


def track(
    model: FaceModel,
    landmarks: ModelLandmarks,
    footage: Footage,
    observations: Observations,
    options: TrackOptions = TrackOptions(),
    neutral_frame: int = -1,
) -> Iterator[tuple[float, str] | Track]:
    """A generator of (fraction of the stage, stage), whose return value is the Track. neutral_frame counts the first view's frames (−1: unknown).

    Half the cores: the matrices are small, and OpenMP's threads wait by spinning, which on a busy machine costs ten times what they bring.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    try:
        return (
            yield from _track(
                model.tracked, landmarks, footage, observations, options, neutral_frame
            )
        )
    finally:
        torch.set_num_threads(threads)


def _track(
    model: FaceModel,
    landmarks: ModelLandmarks,
    footage: Footage,
    observations: Observations,
    options: TrackOptions,
    neutral_frame: int,
) -> Iterator[tuple[float, str] | Track]:
    basis = landmark_basis(model, landmarks)
    confidence = landmarks.confidence
    priors = make_priors(model.names, options)
    views = footage.views
    unknown = tuple(v.camera.focal is None for v in views)
    focals = np.array([v.camera.focal or options.focal_guess * max(v.size) for v in views])
    nodes = views[0].times
    if footage.calibrated:
        cameras = (
            np.stack([v.camera.rotation for v in views]),
            np.stack([v.camera.translation for v in views]),
        )
    else:
        cameras = relative_cameras(basis, footage, observations, focals)
    tensor = lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    shared = SharedParameters(
        torch.zeros(basis.identities.shape[2], dtype=DTYPE),
        tensor(np.log(focals)),
        tensor(cameras[0]),
        tensor(cameras[1]),
        torch.zeros(len(basis.mean), 3, dtype=DTYPE),
    )

    keys = key_nodes(footage, observations, options, neutral_frame)
    key_times = nodes[keys]
    resampled = [at_times(view, seen, key_times) for view, seen in zip(views, observations.views)]
    landmarks_by_view = tuple(
        make_view_landmarks(v, s, confidence, key_times, f, options, np.arange(len(key_times)))
        for (v, s), f in zip(resampled, focals)
    )
    poses = first_poses(basis, footage, observations, focals, cameras, key_times)
    if poses is None:
        raise FacewrightError(
            'No face was found in the footage: choose a clip that shows a face, or set in and out points round it.'
        )
    r, t = poses
    trajectory = Trajectory(
        tensor(r), tensor(t), torch.full((len(keys), len(model.names)), 0.02, dtype=DTYPE)
    )
    free = (
        {'identity'}
        | ({'focal'} if any(unknown) else set())
        | ({'cameras'} if len(views) > 1 and not footage.calibrated else set())
    )
    neutral = int(np.flatnonzero(keys == neutral_frame)[0]) if neutral_frame in keys else -1
    problem = Problem(
        basis,
        landmarks_by_view,
        priors,
        options,
        tensor(np.diff(key_times)),
        neutral,
        shared.log_focal,
        unknown,
        tuple(torch.zeros(len(basis.mean), 2, dtype=DTYPE) for _ in views),
        frozenset(free),
    )
    rounds = options.rounds
    habits = problem.bias
    usual = [
        USUAL_STEPS[0 if not turn else 2 if turn == rounds - 1 else 1] for turn in range(rounds)
    ]
    learns = [
        bool(options.bias_renders) and turn < min(options.bias_rounds, rounds - 1)
        for turn in range(rounds)
    ]
    before = np.cumsum([0, *(u + HABIT_STEPS * learn for u, learn in zip(usual, learns))])
    for turn in range(rounds):
        problem = replace(
            problem,
            landmarks_by_view=without_bias(
                seen_from(basis, shared, trajectory, landmarks_by_view), problem.bias
            ),
        )
        last = turn == rounds - 1
        most = (
            options.iterations if last or not turn else options.iterations // 2
        )  # rounds between are moved on by the next
        tolerance = FINE if last else COARSE
        for i, (shared, trajectory) in enumerate(
            solve(problem, shared, trajectory, most, tolerance)
        ):
            yield (before[turn] + min(i + 1, usual[turn])) / before[-1], FINDING
        if not last:
            if learns[turn]:
                habits = detector_habits(model, landmarks, problem, shared, trajectory, options)
            problem = replace(
                problem, bias=find_view_bias(problem, shared, trajectory, options, habits)
            )
            shared = replace(shared, deviation=find_deviation(problem, shared, trajectory, options))
    key_trajectory = trajectory

    focals = shared.log_focal.exp().numpy()
    frozen = replace(problem, free=frozenset())
    whole = Trajectory(
        torch.empty(len(nodes), 3, 3, dtype=DTYPE),
        torch.empty(len(nodes), 3, dtype=DTYPE),
        torch.empty(len(nodes), len(model.names), dtype=DTYPE),
    )
    projected = [np.full((len(v.times), len(confidence), 2), np.nan, np.float32) for v in views]
    starts = list(range(0, max(len(nodes) - options.overlap, 1), options.window - options.overlap))
    for n, start in enumerate(starts):
        stop = min(start + options.window, len(nodes))
        own = nodes[start:stop]
        inside = [
            np.flatnonzero(
                (v.times >= own[0] - (1e9 if start == 0 else 1e-9))
                & (v.times <= own[-1] + (1e9 if stop == len(nodes) else 1e-9))
            )
            for v in views
        ]
        landmarks_by_view = tuple(
            make_view_landmarks(v, s, confidence, own, f, options, f_in)
            for v, s, f, f_in in zip(views, observations.views, focals, inside)
        )
        shared_cameras = shared.rotation.numpy(), shared.translation.numpy()
        poses = first_poses(basis, footage, observations, focals, shared_cameras, own)
        if poses is None:  # a long stretch without a face: stay where the face was last seen
            known = torch.as_tensor(np.abs(own[:, None] - key_times[None]).argmin(1))
            r, t = key_trajectory.rotation[known].numpy(), key_trajectory.translation[known].numpy()
        else:
            r, t = poses
        nearest = torch.as_tensor(np.abs(own[:, None] - key_times[None]).argmin(1))
        trajectory = Trajectory(tensor(r), tensor(t), key_trajectory.weights[nearest].clone())
        held = min(options.overlap // 2, stop - start) if start else 0
        if held:
            for name in ('rotation', 'translation', 'weights'):
                getattr(trajectory, name)[:held] = getattr(whole, name)[start : start + held]
        local = replace(
            frozen,
            landmarks_by_view=without_bias(
                seen_from(basis, shared, trajectory, landmarks_by_view), problem.bias
            ),
            step=tensor(np.diff(own)),
            anchor=trajectory if held else None,
            anchors=held,
            neutral_node=neutral_frame - start if start <= neutral_frame < stop else -1,
        )
        for i, (_, trajectory) in enumerate(
            solve(local, shared, trajectory, options.iterations, MIDDLE)
        ):
            yield (n + min((i + 1) / USUAL_WINDOW, 1.0)) / len(starts), FOLLOWING
        keep = slice(start, stop)
        for name in ('rotation', 'translation', 'weights'):
            getattr(whole, name)[keep] = getattr(trajectory, name)
        for v, (view, view_landmarks) in enumerate(zip(views, landmarks_by_view)):
            if len(view_landmarks.node):
                camera = pose_points(basis, shared, trajectory, view_landmarks, v, slice(None))[0]
                projected[v][view_landmarks.frames] = to_pixels(
                    camera.numpy(), view.camera, focals[v]
                )
    errors, eyes = zip(
        *(reprojection_error(projected[v], observations.views[v]) for v in range(len(views)))
    )
    found = tuple(
        replace(v.camera, focal=float(f), rotation=r.numpy(), translation=t.numpy())
        for v, f, r, t in zip(views, focals, shared.rotation, shared.translation)
    )
    yield 1.0, FOLLOWING
    return Track(
        shared.identity.numpy(),
        shared.deviation.numpy(),
        found,
        nodes,
        whole.weights.numpy(),
        whole.rotation.numpy(),
        whole.translation.numpy(),
        tuple(projected),
        errors,
        eyes,
        tuple(b.numpy() for b in problem.bias),
    )


def track_arrays(track: Track) -> dict[str, np.ndarray]:
    """A track as named arrays, see track_from."""
    out = {
        name: getattr(track, name)
        for name in ('identity', 'deviation', 'time', 'weights', 'rotation', 'translation')
    }
    for name, values in (
        ('focal', [c.focal for c in track.cameras]),
        ('camera_rotation', [c.rotation for c in track.cameras]),
        ('camera_translation', [c.translation for c in track.cameras]),
    ):
        out[name] = np.array(values)
    return out | {f'{name}_{v}': a for name in PER_VIEW for v, a in enumerate(getattr(track, name))}


def track_from(arrays: dict[str, np.ndarray], footage: Footage) -> Track:
    """The track that `track_arrays` took apart, of the same footage."""
    cameras = tuple(
        replace(v.camera, focal=float(f), rotation=r, translation=t)
        for v, f, r, t in zip(
            footage.views, arrays['focal'], arrays['camera_rotation'], arrays['camera_translation']
        )
    )
    whole = {
        name: arrays[name]
        for name in ('identity', 'deviation', 'time', 'weights', 'rotation', 'translation')
    }
    return Track(
        cameras=cameras,
        **whole,
        **{name: tuple(arrays[f'{name}_{v}'] for v in range(len(cameras))) for name in PER_VIEW},
    )


PER_VIEW = ('projected', 'errors', 'eye_distance', 'bias')


def key_nodes(
    footage: Footage, observations: Observations, options: TrackOptions, neutral_frame: int
) -> np.ndarray:
    """Indices of the nodes that find the person: from the first view where it sees a face, else from whichever does."""
    first, seen = footage.views[0], observations.views[0]
    keys = choose_keyframes(first, seen, options.keyframes)
    if not len(keys):
        keys = np.unique(
            np.linspace(0, len(first.times) - 1, min(options.keyframes, len(first.times))).astype(
                int
            )
        )
    if 0 <= neutral_frame < len(first.times):
        keys = np.union1d(keys, [neutral_frame])
    return keys


def at_times(
    view: View, seen: ViewObservations, times: np.ndarray
) -> tuple[View, ViewObservations]:
    """The view as if it had been filmed at `times`: landmarks on the straight line between its two nearest frames in time,
    absent where either shows no face or lies further than a frame and a half away."""
    after = (
        np.clip(np.searchsorted(view.times, times), 1, max(len(view.times) - 1, 1))
        if len(view.times) > 1
        else np.zeros(len(times), int)
    )
    before = np.maximum(after - 1, 0)
    gap = np.maximum(view.times[after] - view.times[before], 1e-9)
    u = np.clip((times - view.times[before]) / gap, 0, 1)
    off = np.maximum(np.maximum(view.times[before] - times, times - view.times[after]), 0)
    u, reach = np.where(u < 1e-6, 0, np.where(u > 1 - 1e-6, 1, u)), 1.5 / max(view.fps, 1.0)
    present = (
        (seen.present[before] | (u == 1))
        & (seen.present[after] | (u == 0))
        & (off <= 1e-4 + reach * (off > 0) * 0.34)
        & ((gap <= reach) | (u == 0) | (u == 1))
    )
    blend = lambda a: (
        (1 - u)[(...,) + (None,) * (a.ndim - 1)] * a[before]
        + u[(...,) + (None,) * (a.ndim - 1)] * a[after]
    ).astype(np.float32)
    return replace(view, times=times), ViewObservations(
        blend(seen.points), blend(seen.confidence), present
    )


def seen_eye_distance(seen: ViewObservations) -> np.ndarray:
    """Measure a view's faces: T px, the distance of the outer eye corners in the picture of a head that faces it.

    It must not be shortened by turning: the larger of the corners' distance and .8 × the height from brow to chin is taken.
    """
    distance = np.linalg.norm(
        seen.points[:, OUTER_EYE_CORNERS[0]] - seen.points[:, OUTER_EYE_CORNERS[1]], axis=1
    )
    height = np.linalg.norm(seen.points[:, 168] - seen.points[:, 152], axis=1)
    return np.maximum(distance, 0.8 * height)


def reprojection_error(
    projected: np.ndarray, seen: ViewObservations
) -> tuple[np.ndarray, np.ndarray]:
    """Error T as a part of the outer-eye distance (NaN: no face) and that distance T in px."""
    distance = seen_eye_distance(seen)
    scored = np.unique(np.concatenate([landmark_sets()[name] for name in SCORED]))
    off = np.linalg.norm(projected[:, scored] - seen.points[:, scored], axis=2).mean(1)
    return np.where(seen.present, off / np.maximum(distance, 1e-6), np.nan), distance


def region_errors(projected: np.ndarray, seen: ViewObservations) -> dict[str, np.ndarray]:
    """Measure each region of the face: {region: T}, the mean distance of its landmarks as a part of the outer-eye distance.

    NaN where no face was seen. Along the jaw only the distance across the outline counts: its landmarks
    have no place of their own along it.
    """
    distance, out = np.maximum(seen_eye_distance(seen), 1e-6), {}
    off = projected - seen.points
    for region, marks in face_regions().items():
        if region == 'jaw':
            along = seen.points[:, marks[2:]] - seen.points[:, marks[:-2]]
            along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
            inner = off[:, marks[1:-1]]
            length = np.abs(along[..., 0] * inner[..., 1] - along[..., 1] * inner[..., 0])
        else:
            length = np.linalg.norm(off[:, marks], axis=2)
        out[region] = np.where(seen.present, length.mean(1) / distance, np.nan)
    return out
