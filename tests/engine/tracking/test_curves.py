"""What a face always does becomes its neutral; the rest is said with few weights, the mesh kept."""

import numpy as np
import pytest

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.evidence.lid_term import lid_gaps, lid_opening
from facewright.engine.evidence.sparsity import opposed_pairs
from facewright.engine.face_model import load_model
from facewright.engine.face_model.lip_sections import seal_lips
from facewright.engine.formats.performance import Performance
from facewright.engine.tracking.curves import (
    edited_points,
    few_weights,
    make_editable,
    rest_weights,
    without_rest,
)

FRAMES, FPS = 90, 30.0
ALWAYS = {'browDown_L': 0.15, 'eyeSquint_R': 0.12, 'noseSneer_L': 0.1}
STAYING = {'mouthSmile_L': 0.6, 'mouthSmile_R': 0.6, 'eyeLookUp_L': 0.1, 'jawOpen': 0.1}


@pytest.fixture(scope='module')
def model():
    return load_model().tracked


@pytest.fixture(scope='module')
def points(model):
    return edited_points(model, model_landmarks(model))


def performance_of(model, weights: np.ndarray) -> Performance:
    count = len(weights)
    return Performance(
        np.arange(count) / FPS,
        weights.astype(np.float32),
        model.names,
        np.tile(np.eye(3), (count, 1, 1)),
        np.zeros((count, 3)),
        FPS,
    )


@pytest.fixture(scope='module')
def resting(model) -> Performance:
    """A face that has some weights all the time, smiles throughout, and blinks once."""
    weights = np.zeros((FRAMES, len(model.names)))
    for name, value in (ALWAYS | STAYING).items():
        weights[:, model.names.index(name)] = value
    for side in 'LR':
        weights[30:34, model.names.index(f'eyeBlink_{side}')] = 1.0
    return performance_of(model, weights)


@pytest.fixture(scope='module')
def busy(model) -> Performance:
    """A face that turns its mouth and brows this way and that, with opposed weights together."""
    rng = np.random.default_rng(5)
    slow = np.repeat(rng.uniform(0, 0.25, (FRAMES // 15 + 1, len(model.names))), 15, 0)[:FRAMES]
    kernel = np.hanning(15) / np.hanning(15).sum()
    smooth = np.stack([np.convolve(row, kernel, 'same') for row in slow.T], 1)
    return performance_of(model, np.clip(smooth, 0, 1))


def opposed_together(performance) -> float:
    weights = performance.weights
    return max(
        float(np.minimum(weights[:, a], weights[:, b]).max())
        for a, b in opposed_pairs(performance.names)
    )


def test_what_a_face_always_does_is_its_rest(model, resting):
    rest = dict(zip(model.names, rest_weights(model, resting)))
    for name, value in ALWAYS.items():
        assert rest[name] == pytest.approx(value, abs=1e-6)
    assert all(rest[name] < 1e-6 for name in STAYING)
    assert rest['eyeBlink_L'] == 0


def test_the_mesh_stays_as_it_was(model, resting):
    neutral = seal_lips(model, model.neutral)
    marks = model_landmarks(model)
    moved, (few,) = make_editable(model, marks, neutral, [resting])
    skin = model.regions['narrow_face']
    for k in (0, 32):
        before = neutral + np.tensordot(resting.weights[k], model.expressions, 1)
        after = moved + np.tensordot(few.weights[k], model.expressions, 1)
        assert np.linalg.norm(after - before, axis=1)[skin].max() < 0.05
    assert all(few.weights[:, model.names.index(name)].max() < 0.01 for name in ALWAYS)
    assert few.weights[:, model.names.index('mouthSmile_L')].min() > 0.55
    assert few.weights[32, model.names.index('eyeBlink_R')] > 0.98


def test_a_blink_of_one_frame_stays(model, points):
    weights = np.full((FRAMES, len(model.names)), 0.0)
    for side in 'LR':
        weights[:, model.names.index(f'eyeWide_{side}')] = 0.3
        weights[40, model.names.index(f'eyeBlink_{side}')] = 0.9
    few = few_weights(points, performance_of(model, weights)).weights
    assert few[40, model.names.index('eyeBlink_L')] > 0.75
    assert few[40, model.names.index('eyeWide_L')] <= 0.05


def test_a_blink_shuts_from_the_opening_at_rest(model, resting):
    rest = rest_weights(model, resting)
    left = model.names.index('eyeBlink_L')
    weights = resting.weights.copy()
    weights[:, left] = 0.8
    found = without_rest(performance_of(model, weights), rest, np.array([1.0, 0.9]))
    assert found.weights[:, left] == pytest.approx(0.8 / 0.9)
    assert found.weights[0, model.names.index('browDown_L')] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('usual', ['eyeWide', 'eyeSquint'])
def test_shut_lids_stay_shut_whatever_an_eye_always_does(model, usual):
    """A rest that shut eyes do not have moves into the neutral, and eyeBlink makes up for it."""
    weights = np.zeros((FRAMES, len(model.names)))
    for side in 'LR':
        weights[:, model.names.index(f'{usual}_{side}')] = 0.15
        weights[40, model.names.index(f'{usual}_{side}')] = 0.0
        weights[40, model.names.index(f'eyeBlink_{side}')] = 0.97
    neutral, (edited,) = make_editable(
        model, model_landmarks(model), model.neutral, [performance_of(model, weights)]
    )
    changes = lid_gaps(model).changes_from(lid_opening(model, neutral))
    distance = lid_opening(model, neutral) * (1 + edited.weights[40] @ changes.T)
    assert distance == pytest.approx(0.03 * lid_opening(model, model.neutral), abs=0.002)
    blink = edited.weights[:, model.names.index('eyeBlink_L')]
    assert np.delete(blink, 40).max() < 0.01


def test_a_photo_keeps_its_expression(model, points, resting):
    photo = performance_of(model, resting.weights[:1])
    assert not rest_weights(model, photo).any()
    few = few_weights(points, photo)
    assert few.weights[0, model.names.index('mouthSmile_L')] > 0.55


def test_the_frame_called_neutral_has_none(model, resting):
    weights = resting.weights.copy()
    weights[80] = 0
    assert not rest_weights(model, performance_of(model, weights), neutral_frame=80).any()


def test_opposed_expressions_are_never_both_in_use(model, points, busy):
    assert opposed_together(busy) > 0.1
    few = few_weights(points, busy)
    assert opposed_together(few) <= 0.05
    moved = (few.weights - busy.weights) @ points
    assert np.linalg.norm(moved, axis=1).max() < 0.1  # cm, RMS over the face


def test_no_weight_pops(model, points, busy):
    few = few_weights(points, busy)
    # as fast as the difference of two opposed weights changes, and no faster
    assert (
        np.abs(np.diff(few.weights, axis=0)).max() < 2 * np.abs(np.diff(busy.weights, axis=0)).max()
    )
