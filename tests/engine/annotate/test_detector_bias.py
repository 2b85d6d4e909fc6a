"""What the detector is off on a rendered head, and that one picture tells it too."""

import numpy as np
import pytest

from facewright.engine.annotate.detector_bias import (
    FEWEST,
    heads_from_nearby,
    measure_detector_bias,
)
from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.render.preview import head_to_camera


@pytest.fixture(scope='module')
def model():
    return load_model().tracked


def seen(model, yaw):
    """The neutral in camera space, cm, turned by `yaw` degrees."""
    return head_to_camera(model.neutral.astype(np.float64), yaw)


def test_few_heads_are_joined_by_the_same_from_nearby(model):
    heads = [seen(model, 0), seen(model, 20)]
    found = heads_from_nearby(heads)
    assert len(found) == FEWEST and found[0] is heads[0] and found[1] is heads[1]
    some = np.arange(0, model.vertex_count, 400)
    for k, one in enumerate(found[2:]):
        first = heads[k % 2]
        apart, before = (np.linalg.norm(h[some, None] - h[some], axis=2) for h in (one, first))
        assert np.allclose(apart, before) and np.allclose(one.mean(0), first.mean(0))
        assert 0.05 < np.linalg.norm(one - first, axis=1).mean() < 3
    many = [heads[0]] * (FEWEST + 2)
    assert len(heads_from_nearby(many)) == len(many)


def test_one_picture_tells_the_bias_as_surely_as_several(model):
    """Half a degree changes what one look is off by more than what several are."""
    landmarks = model_landmarks(model)
    turns = np.linspace(-1, 1, 5)
    alone = [measure_detector_bias(model, landmarks, [seen(model, t)]) for t in turns]
    several = [
        measure_detector_bias(model, landmarks, heads_from_nearby([seen(model, t)]), 'final')
        for t in turns
    ]
    tremble = [np.std(one, axis=0).mean() for one in (alone, several)]
    assert tremble[1] < 0.8 * tremble[0]
    assert np.abs(np.mean(several, 0) - np.mean(alone, 0)).mean() < 0.01
