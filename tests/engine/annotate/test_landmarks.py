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


def test_the_detectors_own_way_with_the_mouth_is_measured():
    model = load_model().tracked
    found, lips = model_landmarks(model), landmark_sets()['lips']
    motion = found.on(model.expressions)
    for e, name in enumerate(model.names):
        plain = name in ('mouthClose', 'jawOpen') or name.startswith(('brow', 'cheek', 'jaw'))
        assert not plain or not found.mouth_response[e].any(), name
    for name in ('mouthFrown_L', 'mouthFrown_R', 'mouthPress_L', 'mouthPress_R', 'mouthRollLower'):
        e = model.names.index(name)
        moved, added = motion[e, lips, :2], found.mouth_response[e, lips, :2]
        shown = 1 + (moved * added).sum() / (moved**2).sum()
        assert shown < 0.9, f'{name} is not seen as far as it goes'
        assert not found.response[e].any(), 'where lids alone count the mouth is left as it is'


def test_the_mouths_response_counts_in_a_clip_of_one_view_alone():
    from types import SimpleNamespace

    from facewright.engine.evidence.options import TrackOptions
    from facewright.engine.evidence.point_basis import landmark_basis
    from facewright.engine.tracking.draft import mouth_response

    clip, photo = SimpleNamespace(times=np.arange(5)), SimpleNamespace(times=np.zeros(1))
    counts = [
        mouth_response(SimpleNamespace(views=views), TrackOptions())  # type: ignore
        for views in ((clip,), (clip, clip), (photo,))
    ]
    assert counts == [1.0, 0.0, 0.0]
    model = load_model().tracked
    found = model_landmarks(model)
    without, taken = (landmark_basis(model, found, share).expressions for share in (0.0, 1.0))
    added = np.moveaxis((taken - without).numpy(), -1, 0)
    np.testing.assert_allclose(added, found.mouth_response, atol=1e-6)
    assert added[model.names.index('mouthPress_L')].any()
