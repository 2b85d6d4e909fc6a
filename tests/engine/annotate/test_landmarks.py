"""Landmarks found on the built-in head lie where their names say."""

import numpy as np

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.footage.detector.landmark_sets import landmark_sets


def test_landmarks_lie_where_they_should():
    model = load_model()
    found = model_landmarks(model)
    at, sets, marks = found.on(model.neutral), landmark_sets(), model.neutral[model.landmarks68]
    assert found.weights.min() >= 0 and np.allclose(found.weights.sum(1), 1, atol=1e-5)
    assert (found.confidence > 0.2).mean() > 0.6
    assert np.linalg.norm(at[4] - marks[30]) < 1.2  # tip of the nose
    assert np.linalg.norm(at[sets['left_eye']].mean(0) - marks[42:48].mean(0)) < 0.6
    assert np.linalg.norm(at[sets['right_eye']].mean(0) - marks[36:42].mean(0)) < 0.6
    assert np.linalg.norm(at[sets['lips']].mean(0) - marks[48:].mean(0)) < 0.8
    for side, loop in (('L', 'left_iris'), ('R', 'right_iris')):
        ball = set(model.regions[f'eyeball_{side}'].tolist())
        assert all(set(t) <= ball for t in found.triangles[sets[loop]].tolist())
    upper, lower = at[13], at[14]  # inner lips, middle
    jaw = model.expressions[model.names.index('jawOpen')]
    assert (found.on(jaw)[13] - found.on(jaw)[14])[1] > 0.8, 'upper and lower lip are told apart'
    assert abs(upper[0]) < 0.3 and abs(lower[0]) < 0.3
