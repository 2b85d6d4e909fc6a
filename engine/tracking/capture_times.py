"""When pictures were taken: the nodes of 'standard', and which frames lie between them."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch

from ..evidence.point_basis import DTYPE
from ..footage.footage import Footage, Observations
from ..formats.trajectory import TimedTrajectory, Trajectory
from .initial_poses import choose_keyframes
from .track import Track
from .view_landmarks import ON_A_NODE, ends_of

AT_ONCE = 0.004  # s: pictures of different views taken within this count as taken at once


def capture_times(footage: Footage) -> np.ndarray:
    """List the times (s) at which any view took a picture, the first view's all among them.

    Of others that lie within AT_ONCE of one, none; up to one frame of the first view beyond its
    ends: a later camera's last picture is not the first camera's.
    """
    first = footage.views[0].times
    frame = np.median(np.diff(first)) if len(first) > 1 else 0.0
    out = first
    for view in footage.views[1:]:
        inside = view.times[(view.times > first[0] - frame) & (view.times < first[-1] + frame)]
        apart = np.abs(inside[:, None] - out).min(1, initial=np.inf)
        out = np.union1d(out, inside[apart > AT_ONCE])
    return out


def trajectory_at(track: Track, times: np.ndarray) -> Trajectory:
    """Find a track's trajectory at some times (s) within it."""
    timed = TimedTrajectory(track.rotation, track.translation, track.weights, track.time)
    found = timed.at(times)
    return Trajectory(
        *(torch.as_tensor(getattr(found, f.name), dtype=DTYPE) for f in fields(Trajectory))
    )


def nodes_of_keyframes(
    footage: Footage, observations: Observations, count: int, nodes: np.ndarray
) -> np.ndarray:
    """Choose the nodes that find the person: indices of those of chosen frames of the first view.

    With several views, all nodes from such a frame on until every view has taken a picture.

    count: how many of the first view's frames there are among them, about
    nodes: s
    """
    view, seen = footage.views[0], observations.views[0]
    if len(footage.views) == 1:
        return choose_keyframes(view, seen, count)
    if len(view.times) <= count:
        return np.arange(len(nodes))
    slowest = min(other.fps for other in footage.views)
    run = max(int(np.ceil(view.fps / slowest - ON_A_NODE)), 1)
    keys = choose_keyframes(view, seen, max(count // (1 + run), 1))
    starts = np.searchsorted(nodes, view.times[keys])
    ends = np.searchsorted(nodes, view.times[np.minimum(keys + run, len(view.times) - 1)])
    return np.unique(np.concatenate([np.arange(a, b + 1) for a, b in zip(starts, ends)]))


def frames_between(
    frame_times: np.ndarray, all_times: np.ndarray, nodes: np.ndarray, beyond_ends: bool
) -> np.ndarray:
    """Find a view's frames (at frame_times, s) between neighbouring nodes: indices.

    all_times: s, of the performance's nodes; nodes: which of them, increasing
    beyond_ends: at the performance's ends also frames a little before and behind
    """
    times = all_times[nodes]
    first, last = times[0] - ON_A_NODE, times[-1] + ON_A_NODE
    if beyond_ends:
        ends = ends_of(all_times)
        first = ends[0] if nodes[0] == 0 else first
        last = ends[1] if nodes[-1] == len(all_times) - 1 else last
    inside = (frame_times >= first) & (frame_times <= last)
    if len(times) > 1:
        after = np.clip(np.searchsorted(times, frame_times, side='right') - 1, 0, len(times) - 2)
        joined = nodes[after + 1] == nodes[after] + 1
        away = np.minimum(
            np.abs(frame_times - times[after]), np.abs(frame_times - times[after + 1])
        )
        inside &= joined | (away < ON_A_NODE)
    return np.flatnonzero(inside)
