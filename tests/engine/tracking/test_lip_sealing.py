"""Lips are held shut after the fit where the detector saw them shut, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.evidence.gaps import slit_chains
from facewright.engine.evidence.lip_contact import SeenTouching, touching_share
from facewright.engine.evidence.sparsity import opposed_pairs
from facewright.engine.face_model import load_model
from facewright.engine.face_model.lip_sections import lip_gaps, lip_sections, seal_lips
from facewright.engine.footage.detector.landmark_sets import resting_face
from facewright.engine.footage.footage import Camera, Footage, Observations, View, ViewObservations
from facewright.engine.formats.performance import Performance
from facewright.engine.tracking.lip_sealing import best_seen_frames, seal_performance, shut_nodes
from facewright.engine.tracking.view_landmarks import rms_radius

FRAMES = 12
OPEN = 8  # from this frame on the mouth is open


def seen_face(shut: bool) -> np.ndarray:
    """The network's own face, 478×2 px, its inner lips brought together or taken apart."""
    points = 600 * resting_face()[:, :2].astype(np.float64)
    upper, lower = slit_chains('mouth')
    middle = (points[upper] + points[lower]) / 2
    half = 0.0 if shut else 12.0
    points[upper], points[lower] = middle - (0, half), middle + (0, half)
    return points


@pytest.fixture(scope='module')
def sealed():
    """(model, neutral, performance before, after)."""
    model = load_model().tracked
    landmarks = model_landmarks(model)
    points = np.stack([seen_face(k < OPEN) for k in range(FRAMES)]).astype(np.float32)
    time = np.arange(FRAMES) / 30
    camera = Camera(800.0, (300.0, 300.0))
    view = View('view', Path('view.mp4'), 'video', (600, 600), 30.0, time, 0, 0, camera)
    seen = ViewObservations(points, np.ones((FRAMES, 478), np.float32), np.ones(FRAMES, bool))
    weights = np.zeros((FRAMES, len(model.names)), np.float32)
    for name, value in (('jawOpen', 0.05), ('mouthSmile_L', 0.4), ('mouthUpperUp_R', 0.1)):
        weights[:, model.names.index(name)] = value
    before = Performance(
        time, weights, model.names, np.tile(np.eye(3), (FRAMES, 1, 1)), np.zeros((FRAMES, 3)), 30.0
    )
    neutral = seal_lips(model, model.neutral)
    footage, observations = Footage((view,), calibrated=False), Observations((seen,))
    after = seal_performance(model, landmarks, neutral, footage, observations, (camera,), before)
    return model, neutral, before, after


def gaps(model, neutral, performance) -> np.ndarray:
    sections = lip_sections(model, 31)
    heads = neutral + np.tensordot(performance.weights, model.expressions, 1)
    return np.stack([lip_gaps(sections.on(head)) for head in heads])


def test_landmarks_tell_shut_from_open():
    points = np.stack([seen_face(True), seen_face(False)])
    share = touching_share(points, rms_radius(points))
    assert (share[0] == 1).all() and (share[1] == 0).all()


def test_shut_lips_meet_from_corner_to_corner(sealed):
    model, neutral, before, after = sealed
    assert gaps(model, neutral, before)[:OPEN].max() > 0.1
    shut = gaps(model, neutral, after)[:OPEN]
    assert shut.max() < 0.03 and shut.min() > -0.03


def test_open_lips_and_all_else_stay(sealed):
    _, _, before, after = sealed
    np.testing.assert_allclose(after.weights[OPEN:], before.weights[OPEN:], atol=2e-3)
    assert np.abs(after.weights - before.weights).max() < 0.15
    np.testing.assert_array_equal(after.rotation, before.rotation)
    assert after.weights.min() >= 0 and after.weights.max() <= 1


def test_the_view_that_shows_the_face_best_is_heeded_and_others_where_it_has_no_picture():
    def view(times, confidence):
        times = np.asarray(times)
        camera = Camera(800.0, (300.0, 300.0))
        one = View('view', Path('v.mp4'), 'video', (600, 600), 10.0, times, 0, 0, camera)
        sure = np.full((len(times), 478), confidence, np.float32)
        shown = np.ones(len(times), bool)
        return one, ViewObservations(np.zeros((len(times), 478, 2), np.float32), sure, shown)

    side, front = view(np.arange(8) / 10, 0.4), view(np.arange(5) / 10 + 0.03, 0.9)
    footage = Footage((side[0], front[0]), calibrated=False)
    found = best_seen_frames(footage, Observations((side[1], front[1])))
    assert found[1].all()
    assert found[0].tolist() == [False] * 6 + [True] * 2


def test_a_picture_between_two_nodes_asks_the_nearer_one_not_to_cross():
    node, between = torch.tensor([0, 2, 4, 6]), torch.tensor([0.0, 0.03, 0.8, 0.5])
    share = torch.tensor([[0.0, 0.4], [1.0, 1.0], [0.2, 0.0], [0.0, 0.0]])
    assert shut_nodes([SeenTouching(node, between, share)]).tolist() == [0, 2, 5]
    assert shut_nodes([]).tolist() == []


def test_sealing_brings_no_opposed_weights_together(sealed):
    model, _, before, after = sealed
    for a, b in opposed_pairs(model.names):
        together = np.minimum(after.weights[:, a], after.weights[:, b])
        given = np.minimum(before.weights[:, a], before.weights[:, b])
        assert (together <= np.maximum(given, 0.05)).all()
