"""Eyes turn the way the shapes' names say, about their own centres."""

import numpy as np
import pytest

from facewright.engine.face_model.gaze import (
    EYE_DOWN,
    EYE_SIDEWAYS,
    EYE_UP,
    gaze_offsets,
    gaze_rotation,
    sphere_centre,
)


def ball(centre, radius=1.2):
    points = np.random.default_rng(0).normal(size=(400, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) * radius + centre


@pytest.mark.parametrize(
    'name,axis,sign,angle',
    [
        ('eyeLookOut_L', 0, 1, EYE_SIDEWAYS),
        ('eyeLookIn_L', 0, -1, EYE_SIDEWAYS),
        ('eyeLookOut_R', 0, -1, EYE_SIDEWAYS),
        ('eyeLookIn_R', 0, 1, EYE_SIDEWAYS),
        ('eyeLookUp_L', 1, 1, EYE_UP),
        ('eyeLookDown_R', 1, -1, EYE_DOWN),
    ],
)
def test_the_pupil_goes_where_the_name_says(name, axis, sign, angle):
    front = gaze_rotation(name) @ (0, 0, 1)
    assert np.sign(front[axis]) == sign and np.arccos(front[2]) == pytest.approx(angle)


def test_the_ball_stays_a_ball_in_its_place():
    points = ball((3.0, 3.6, 8.0))
    turned = points + gaze_offsets(points, 'eyeLookOut_L')
    np.testing.assert_allclose(np.linalg.norm(turned - (3.0, 3.6, 8.0), axis=1), 1.2, atol=1e-9)
    np.testing.assert_allclose(sphere_centre(turned), (3.0, 3.6, 8.0), atol=1e-9)


def test_the_real_kit_turns_its_eyes(shared_data):
    from facewright.engine.face_model import load_model

    model = load_model(str(shared_data / 'ict-facekit.tar.xz'))
    eye = model.regions['eyeball_L']
    pupil = eye[model.neutral[eye, 2].argmax()]
    assert (
        model.expressions[model.names.index('eyeLookOut_L'), pupil, 0] > 0.5
        and model.expressions[model.names.index('eyeLookUp_L'), pupil, 1] > 0.4
    )
    assert not model.expressions[model.names.index('eyeLookOut_R'), pupil].any()
