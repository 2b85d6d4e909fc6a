"""The head through moments in which no view shows a face: a full profile, a turned back.

Between two moments that were seen the head goes on with the least acceleration, from the speed it
was lost with to the speed it comes back with. A head on a turntable goes round behind in this way,
one that was turned away comes back the way it went. A network that tells the pose of a head in
profile would say more: what it saw of a moment is one more `Pose` here (`known`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..evidence.point_basis import as_tensor
from ..footage.footage import Footage, Observations, View, ViewObservations
from ..formats.trajectory import Trajectory
from ..geometry.rotations import so3_exp, so3_log
from .initial_poses import Pose

REACH = 0.5  # s: the motion before and after is measured over
# Mean confidence from which landmarks tell how far a head is turned: up to 48° on renders, beyond
# which they say 50° of any turn.
SURE = 0.4
TURNING = 2.0  # s: the longest passage of such landmarks that is left out beside a gap
FEWEST = 3  # moments it takes to measure it
NEAR = 0.51  # of the time between two frames of a view: its face counts as seen at a moment
# Radians by which a head that comes back the way it went may leave the straight way
BEYOND = 0.35
BEYOND_PLACE = 10.0  # cm: the same of its place
SMALL_TURN = 0.1  # radians: a turn whose axis is noise
# Of the least acceleration of coming back (squared, over time): less than that, it went round.
ROUND = 0.1


def carry_through_unseen(
    performance: Trajectory, nodes: np.ndarray, footage: Footage, observations: Observations
) -> Trajectory:
    """Let the head go on where no view shows a face; its expressions stay as the priors say.

    nodes: K, s.
    """
    trust = trust_in_moments(nodes, footage.views, observations.views)
    pose = performance.rotation.numpy(), performance.translation.numpy()
    rotation, translation = bridge_unseen(pose, nodes, trust)
    return replace(performance, rotation=as_tensor(rotation), translation=as_tensor(translation))


def trust_in_moments(
    nodes: np.ndarray, views: Sequence[View], observed: Sequence[ViewObservations]
) -> np.ndarray:
    """Say how far the face is to be trusted at each moment (K, s): K, of the view that knows best.

    The mean confidence of its landmarks there; 0 where no view shows it.
    """
    out = np.zeros(len(nodes))
    for view, seen in zip(views, observed):
        frames = np.flatnonzero(seen.present)
        if len(frames):
            apart = np.abs(view.times[frames] - nodes[:, None])
            nearest = frames[apart.argmin(1)]
            near = apart.min(1) <= NEAR / view.fps + 1e-6
            out = np.maximum(out, near * seen.confidence[nearest].mean(1))
    return out


def bridge_unseen(
    pose: Pose, nodes: np.ndarray, trust: np.ndarray, known: Mapping[int, Pose] | None = None
) -> Pose:
    """Carry the head's pose through the moments between two that were seen.

    It is taken up where the face was last, and is next, seen from less than half the side: from
    further round the detector draws it at 50° (measured). Before the first seen moment and after
    the last it stays as it is.

    pose: rotation K×3×3 and translation K×3, cm, head → world. nodes: K, s.
    trust: K, see trust_in_moments.
    known: poses of unseen moments that something else than landmarks tells; none today.
    """
    rotation, translation = (np.array(part) for part in pose)
    trust = np.array(trust)
    for node, (turn, place) in (known or {}).items():
        rotation[node], translation[node], trust[node] = turn, place, 1.0
    seen = trust > 0
    have = np.flatnonzero(seen)
    gaps = [(int(a), int(b)) for a, b in itertools.pairwise(have) if b - a > 1]
    sure = np.flatnonzero(trust >= SURE)
    for last, next_ in gaps:
        start, stop = _sure_ends(nodes, sure, last, next_)
        span = nodes[stop] - nodes[start]
        part = (nodes[start + 1 : stop] - nodes[start]) / span
        before = have[(have <= start) & (nodes[have] >= nodes[start] - REACH)]
        after = have[(have >= stop) & (nodes[have] <= nodes[stop] + REACH)]
        inside = slice(start + 1, stop)
        rotation[inside] = _turn_on(
            rotation[start],
            rotation[stop],
            _spin(rotation, nodes, before, start) * span,
            _spin(rotation, nodes, after, stop) * span,
            part,
        )
        step = translation[stop] - translation[start]
        leaving = _slope(translation, nodes, before, start) * span
        arriving = _slope(translation, nodes, after, stop) * span
        slopes = _near(step, leaving, arriving, BEYOND_PLACE)
        translation[inside] = translation[start] + _hermite(step, *slopes, part)
    return rotation, translation


def _sure_ends(nodes: np.ndarray, sure: np.ndarray, last: int, next_: int) -> tuple[int, int]:
    """Find the moments next to a gap, near it, in which the face was surely seen."""
    before = sure[(sure <= last) & (nodes[sure] >= nodes[last] - TURNING)]
    after = sure[(sure >= next_) & (nodes[sure] <= nodes[next_] + TURNING)]
    return int(before[-1]) if len(before) else last, int(after[0]) if len(after) else next_


def _turn_on(
    first: np.ndarray, last: np.ndarray, leaving: np.ndarray, arriving: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """Turn from a rotation to another by the way of the least acceleration, the front or round.

    leaving, arriving: 3, rotation vectors of the turn as if its speed at either end lasted for all
    of it. part: n in (0, 1). Returns n×3×3.
    """
    way = _log(last @ first.T)
    angle, mean = float(np.linalg.norm(way)), leaving + arriving
    axis = way if angle > SMALL_TURN else mean
    axis = axis / max(float(np.linalg.norm(axis)), 1e-9)

    def effort(turn: np.ndarray) -> float:
        """Give the squared acceleration of the cubic over the way, but for a factor."""
        a, b = turn - leaving, turn - arriving
        return float(a @ a + a @ b + b @ b)

    ways = [way + 2 * np.pi * turns * axis for turns in (-1, 1)]
    behind = min(ways, key=effort)
    if effort(behind) < ROUND * effort(way):
        turns = _hermite(behind, leaving, arriving, part)
    else:
        turns = _hermite(way, *_near(way, leaving, arriving, BEYOND), part)
    return so3_exp(torch.as_tensor(turns)).numpy() @ first


def _near(
    step: np.ndarray, leaving: np.ndarray, arriving: np.ndarray, beyond: float
) -> tuple[np.ndarray, np.ndarray]:
    """Hold slopes so near to a straight way that the cubic leaves it by no more than `beyond`."""
    out = []
    for slope in (leaving, arriving):
        apart = slope - step
        out.append(step + apart * min(1.0, 4 * beyond / max(float(np.linalg.norm(apart)), 1e-9)))
    return out[0], out[1]


def _hermite(
    step: np.ndarray, leaving: np.ndarray, arriving: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """Give the cubic from 0 to `step` with these slopes at its ends, at parts (n) of the way."""
    u = part[:, None]
    return (3 * u**2 - 2 * u**3) * step + (u - 2 * u**2 + u**3) * leaving + (u**3 - u**2) * arriving


def _spin(rotation: np.ndarray, nodes: np.ndarray, near: np.ndarray, at: int) -> np.ndarray:
    """Measure the turning speed (3, rad/s, world) round a node: the median over those near it."""
    near = near[near != at]
    if len(near) < FEWEST:
        return np.zeros(3)
    turns = np.stack([_log(rotation[k] @ rotation[at].T) for k in near])
    return np.median(turns / (nodes[near] - nodes[at])[:, None], 0)


def _slope(values: np.ndarray, nodes: np.ndarray, near: np.ndarray, at: int) -> np.ndarray:
    """Measure the change of K×3 values a second round a node: the median over those near it."""
    near = near[near != at]
    if len(near) < FEWEST:
        return np.zeros(3)
    return np.median((values[near] - values[at]) / (nodes[near] - nodes[at])[:, None], 0)


def _log(turn: np.ndarray) -> np.ndarray:
    return so3_log(torch.as_tensor(turn)).numpy()
