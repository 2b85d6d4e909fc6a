"""A head through moments without a face: round behind on a turntable, back the way it went."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facewright.engine.footage.footage import (
    Camera,
    Footage,
    Observations,
    View,
    ViewObservations,
)
from facewright.engine.formats.trajectory import Trajectory
from facewright.engine.geometry.rotations import so3_exp, so3_log
from facewright.engine.tracking.unseen import (
    bridge_unseen,
    carry_through_unseen,
    trust_in_moments,
)

NODES = np.arange(0, 8, 0.04)


def turned(degrees):
    """Heads turned about the vertical."""
    axis = torch.zeros(len(degrees), 3, dtype=torch.float64)
    axis[:, 1] = torch.as_tensor(np.radians(degrees))
    return so3_exp(axis).numpy()


def off(rotation, truth):
    """Degrees between rotations."""
    turn = torch.as_tensor(rotation @ truth.transpose(0, 2, 1))
    return np.degrees(so3_log(turn).norm(dim=1).numpy())


def bridged(degrees, seen, places=None, **known):
    """Bridge a motion of which what was not seen is lost."""
    rotation = turned(np.where(seen, degrees, 77.0))
    places = np.zeros((len(NODES), 3)) if places is None else places
    return bridge_unseen(
        (rotation, np.where(seen[:, None], places, 9.0)), NODES, 1.0 * seen, **known
    )


def test_a_head_on_a_turntable_goes_round_behind():
    degrees, noise = 50.0 * NODES, np.random.default_rng(2).normal(0, 0.5, len(NODES))
    seen = (degrees < 80) | (degrees > 280)
    radians = np.radians(degrees)
    places = 3 * np.stack([np.sin(radians), 0 * radians, np.cos(radians)], 1)
    rotation, translation = bridged(degrees + noise, seen, places)
    assert off(rotation, turned(degrees)).max() < 12  # the short way through the front: 180
    assert np.isfinite(translation).all() and np.linalg.norm(translation, axis=1).max() < 12


def test_a_head_that_turned_away_comes_back_the_way_it_went():
    degrees = 90 * np.sin(np.pi * NODES / 8)
    seen = degrees < 65
    rotation, _ = bridged(degrees, seen)
    assert off(rotation, turned(degrees)).max() < 12  # held at where it was lost: 25
    assert (off(rotation, turned(0 * degrees)) < 65 + 25).all()


def test_what_was_seen_stays_and_both_ends_are_held():
    degrees = 10 * np.sin(NODES)
    seen = (NODES > 1) & (NODES < 6) & ((NODES < 3) | (NODES > 3.1))
    before = turned(np.where(seen, degrees, 77.0))
    rotation, _ = bridged(degrees, seen)
    outside = seen | (NODES <= 1) | (NODES >= 6)
    assert (rotation[outside] == before[outside]).all()
    assert off(rotation, turned(degrees))[~outside].max() < 0.5


def test_a_pose_known_otherwise_counts_as_seen():
    """Where a network for profiles plugs in."""
    degrees = 90 * np.sin(np.pi * NODES / 8)
    seen, middle = degrees < 65, len(NODES) // 2
    known = {middle: (turned(degrees[middle : middle + 1])[0], np.zeros(3))}
    rotation, _ = bridged(degrees, seen, known=known)
    assert off(rotation[middle : middle + 1], known[middle][0][None])[0] < 1e-9
    without, _ = bridged(degrees, seen)
    assert off(rotation, turned(degrees)).max() < off(without, turned(degrees)).max()


def test_the_view_that_knows_best_counts():
    def view(times, trust):
        trust = np.array(trust, np.float32)
        shot = View('a', Path(), 'video', (4, 4), 25.0, times, 0, 0, Camera(None, (2, 2)))
        confidence = np.tile(trust[:, None], (1, 478))
        return shot, ViewObservations(np.zeros((len(times), 478, 2)), confidence, trust > 0)

    nodes = np.arange(6) / 25
    shots, seen = zip(view(nodes, [1, 0.5, 0, 0, 0, 0]), view(nodes + 0.004, [0, 0.7, 0, 1, 0, 0]))
    assert np.allclose(trust_in_moments(nodes, shots, seen), [1, 0.7, 0, 1, 0, 0])


def test_landmarks_that_stop_short_of_a_profile_are_left_out():
    """The detector draws a head at 50° however far it is turned, and trusts itself little there."""
    degrees = 50.0 * NODES
    drawn = np.where(degrees < 180, np.minimum(degrees, 50), np.maximum(degrees, 310))
    seen = (degrees < 80) | (degrees > 280)
    trust = seen * np.where(drawn == degrees, 0.6, 0.1)
    still = np.zeros((len(NODES), 3))
    rotation, _ = bridge_unseen((turned(drawn), still), NODES, trust)
    assert off(rotation, turned(degrees)).max() < 3
    rotation, _ = bridge_unseen((turned(drawn), still), NODES, 1.0 * seen)
    assert off(rotation, turned(degrees)).max() > 100  # through the front


def test_a_performance_is_carried_through_what_no_view_saw():
    degrees = 50.0 * NODES
    present = (degrees < 80) | (degrees > 280)
    landmarks = np.zeros((len(NODES), 478, 2))
    seen = ViewObservations(landmarks, np.tile(present[:, None], (1, 478)) * 0.9, present)
    shot = View('a', Path(), 'video', (4, 4), 25.0, NODES, 0, 0, Camera(None, (2, 2)))
    lost = Trajectory(
        torch.as_tensor(turned(np.where(present, degrees, 80))),
        torch.zeros(len(NODES), 3, dtype=torch.float64),
        torch.zeros(len(NODES), 2, dtype=torch.float64),
    )
    footage, observations = Footage((shot,), False), Observations((seen,))
    found = carry_through_unseen(lost, NODES, footage, observations)
    assert off(found.rotation.numpy(), turned(degrees)).max() < 3 and found.weights is lost.weights
    everywhere = replace(
        seen, present=np.ones(len(NODES), bool), confidence=0 * landmarks[..., 0] + 1
    )
    same = carry_through_unseen(lost, NODES, footage, Observations((everywhere,)))
    assert (same.rotation == lost.rotation).all()
