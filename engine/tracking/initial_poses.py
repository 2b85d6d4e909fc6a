"""Where to begin: keyframes, unknown cameras and head poses, from the landmarks alone (PnP)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..core.errors import FacewrightError
from ..evidence.state import PointBasis
from ..footage.footage import Footage, Observations, View, ViewObservations
from .view_landmarks import undistort

# Head axes → camera axes of an upright head that faces the camera.
FACING_CAMERA = np.diag([1.0, -1.0, -1.0])
PAIRS = 24  # moments of two views that tell how their cameras stand to each other
CONFIDENT = 0.5  # of the median confidence: less confident landmarks are left out of PnP

Pose = tuple[np.ndarray, np.ndarray]  # rotation …×3×3, translation …×3


def choose_keyframes(view: View, seen: ViewObservations, count: int) -> np.ndarray:
    """Choose frames with a face, spread evenly in time, each the best seen of its part.

    In a view without a face: evenly spread ones.
    """
    have = np.flatnonzero(seen.present)
    if not len(have):
        last = len(view.times) - 1
        return np.unique(np.linspace(0, last, min(count, len(view.times))).astype(int))
    if len(have) <= count:
        return have
    score = seen.confidence.mean(1)
    return np.array([part[score[part].argmax()] for part in np.array_split(have, count)])


def initial_poses(
    basis: PointBasis,
    footage: Footage,
    observations: Observations,
    focals: np.ndarray,
    cameras: Pose,
    times: np.ndarray,
) -> Pose | None:
    """Find head → world poses at times (K, s) from whichever view saw the face best near each.

    Gaps are filled from the nearest; None where no view shows a face near any of them.

    focals: px of each view; cameras: world → camera of each view
    """
    mean, confidence = basis.mean.numpy(), basis.confidence.numpy()
    rotation, translation = np.tile(FACING_CAMERA, (len(times), 1, 1)), np.zeros((len(times), 3))
    known = np.zeros(len(times), bool)
    for k, time in enumerate(times):
        best = _best_seen(footage.views, observations.views, time)
        if best is None:
            continue
        v, frame = best
        view, seen = footage.views[v], observations.views[v]
        points = undistort(seen.points[frame][None].astype(np.float64), view.camera, focals[v])[0]
        r, t = pose_from_landmarks(mean, points, seen.confidence[frame] * confidence, focals[v])
        rotation[k] = cameras[0][v].T @ r
        translation[k] = cameras[0][v].T @ (t - cameras[1][v])
        known[k] = True
    if not known.any():
        return None
    have = np.flatnonzero(known)
    nearest = have[np.abs(np.arange(len(times))[:, None] - have[None]).argmin(1)]
    return rotation[nearest], translation[nearest]


def _best_seen(
    views: Sequence[View], observed: Sequence[ViewObservations], time: float
) -> tuple[int, int] | None:
    """Find (view, frame) that shows the face best near a time; of one view, within half a frame."""
    best = None
    for v, (view, seen) in enumerate(zip(views, observed)):
        have = np.flatnonzero(seen.present)
        if not len(have):
            continue
        frame = have[np.abs(view.times[have] - time).argmin()]
        away = abs(view.times[frame] - time)
        if len(views) == 1 and away > 0.51 / min(view.fps, 60) + 1e-6:
            continue
        score = seen.confidence[frame].mean() - 10 * away
        if best is None or score > best[0]:
            best = (score, v, frame)
    return best and best[1:]


def relative_cameras(
    basis: PointBasis, footage: Footage, observations: Observations, focals: np.ndarray
) -> Pose:
    """Find world → camera of every view where unknown.

    The first view is the world, the others follow from the head's pose in both at close times.
    FacewrightError where a view shows no face.
    """
    count = len(footage.views)
    rotation, translation = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))

    def pose(v: int, frame: int) -> Pose:
        seen, camera = observations.views[v], footage.views[v].camera
        return pose_from_landmarks(
            basis.mean.numpy(),
            undistort(seen.points[frame][None].astype(np.float64), camera, focals[v])[0],
            seen.confidence[frame] * basis.confidence.numpy(),
            focals[v],
        )

    for v in range(1, count):
        relative = []
        for first, other in _close_frames(footage, observations, v)[:PAIRS]:
            (r_first, t_first), (r_other, t_other) = pose(0, first), pose(v, other)
            r = r_other @ r_first.T
            relative.append((r, t_other - r @ t_first))
        u, _, vt = np.linalg.svd(np.median([r for r, _ in relative], 0))
        rotation[v] = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        translation[v] = np.median([t for _, t in relative], 0)
    return rotation, translation


def _close_frames(footage: Footage, observations: Observations, v: int) -> list[tuple[int, int]]:
    """Pair frames of the first view and of view v that show the face, the closest first."""
    first, other = footage.views[0], footage.views[v]
    have = np.flatnonzero(observations.views[v].present)
    pairs = []
    for i in np.flatnonzero(observations.views[0].present) if len(have) else ():
        j = have[np.abs(other.times[have] - first.times[i]).argmin()]
        pairs.append((abs(other.times[j] - first.times[i]), i, j))
    if not pairs:
        raise FacewrightError(
            f'The view {other.name} shows no face: take it out of the list, or choose other '
            'footage.'
        )
    return [(i, j) for _, i, j in sorted(pairs)]


def pose_from_landmarks(
    points: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, focal: float
) -> Pose:
    """Find one frame's head → camera pose by PnP (OpenCV); upright where that fails.

    points: L×3, cm; pixels: L×2, from the principal point; confidence: L; focal: px
    """
    k = np.array([[focal, 0, 0], [0, focal, 0], [0, 0, 1.0]])
    rows = np.flatnonzero(confidence > np.median(confidence) * CONFIDENT)
    ok, rvec, tvec = cv2.solvePnP(points[rows], pixels[rows], k, None, flags=cv2.SOLVEPNP_SQPNP)
    if not ok or tvec[2, 0] <= 0:
        spread = np.linalg.norm(points - points.mean(0), axis=1).mean() / max(
            np.linalg.norm(pixels - pixels.mean(0), axis=1).mean(), 1e-6
        )
        rotation = FACING_CAMERA.copy()
        depth = focal * spread
        return rotation, np.r_[pixels.mean(0) * spread, depth] - rotation @ points.mean(0)
    return cv2.Rodrigues(rvec)[0], tvec[:, 0]
