"""A face model wrapped onto heads of foreign topology, whose true shape is known."""

from dataclasses import replace

import numpy as np
import pytest
from foreign_head import TURN, foreign_copy

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.geometry.user_mesh import UserMesh
from facewright.engine.wrap import fit_quality, linear_fit
from facewright.engine.wrap.scan_landmarks import MARKERS, find_face
from facewright.engine.wrap.template import at_rest
from facewright.engine.wrap.wrap import wrap_mesh


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def landmarks(model):
    return model_landmarks(model)


def person(model, seed=5):
    """The head foreign_copy makes of this seed, head space."""
    return model.shape(np.random.default_rng(seed).normal(size=len(model.identities)) * 0.6).astype(
        np.float64
    )


@pytest.fixture(scope='module')
def wrapped(model, landmarks):
    return wrap_mesh(model, landmarks, foreign_copy(model, rounds=0))


def test_the_unit_and_the_place_are_found(model, wrapped):
    assert wrapped.unit == 'm' and not wrapped.turned
    there = 0.01 * person(model) @ TURN.T + (0.3, -1.0, 1.6)
    off = np.linalg.norm(wrapped.fit.to_head(there) - person(model), axis=1)
    assert off.max() < 2.0  # cm: head space has no other origin than the model's usual head


def test_it_lies_on_the_mesh_both_ways_without_a_turned_triangle(model, wrapped):
    numbers = fit_quality.fit_numbers(model, wrapped)
    assert numbers['model_to_mesh_median_mm'] < 0.2 and numbers['model_to_mesh_95_mm'] < 1.2
    assert numbers['mesh_to_model_median_mm'] < 0.2 and numbers['mesh_to_model_95_mm'] < 1.2
    assert numbers['turned_triangles'] == 0


def test_each_vertex_finds_its_own_place(model, wrapped):
    truth = wrapped.fit.to_head(0.01 * person(model) @ TURN.T + (0.3, -1.0, 1.6))
    face = model.regions['narrow_face']
    off = np.linalg.norm(wrapped.vertices - truth, axis=1)[face]
    assert off.mean() < 0.15, off.mean()
    for side in 'LR':
        ball = model.regions[f'eyeball_{side}']
        assert np.linalg.norm(wrapped.vertices[ball].mean(0) - truth[ball].mean(0)) < 0.25
        spread = np.linalg.norm(wrapped.vertices[ball] - wrapped.vertices[ball].mean(0), axis=1)
        assert spread.std() == pytest.approx(
            np.linalg.norm(
                wrapped.fit.vertices[ball] - wrapped.fit.vertices[ball].mean(0), axis=1
            ).std(),
            rel=1e-6,
        )  # rigid


def test_a_resting_head_is_left_at_rest(model, wrapped):
    assert not wrapped.made.any() and at_rest(model, wrapped) is wrapped.vertices


@pytest.fixture(scope='module')
def smiling(model, landmarks):
    w = np.zeros(len(model.names))
    for name, value in {
        'mouthSmile_L': 0.9,
        'mouthSmile_R': 0.9,
        'eyeBlink_L': 1.0,
        'eyeBlink_R': 1.0,
    }.items():
        w[model.names.index(name)] = value
    face = foreign_copy(
        model, rounds=0, vertices=person(model) + np.tensordot(w, model.expressions, 1)
    )
    return wrap_mesh(
        model, landmarks, replace(face, vertices=face.vertices @ np.diag([1.0, -1, -1]))
    )  # and upside down


def test_a_smile_and_shut_eyes_are_found_and_taken_off(model, smiling):
    made = dict(zip(model.names, smiling.made))
    assert (
        made['eyeBlink_L'] > 0.6
        and made['eyeBlink_R'] > 0.6
        and made['mouthSmile_L'] > 0.45
        and made['mouthSmile_R'] > 0.45
    )
    rest = at_rest(model, smiling)
    mouth = [model.landmarks68[48], model.landmarks68[54]]
    lids = [model.landmarks68[k] for k in (37, 41, 44, 46)]
    assert np.linalg.norm(rest[mouth[0]] - rest[mouth[1]]) < np.linalg.norm(
        smiling.vertices[mouth[0]] - smiling.vertices[mouth[1]]
    )
    assert (
        np.linalg.norm(rest[lids[0]] - rest[lids[1]])
        > np.linalg.norm(smiling.vertices[lids[0]] - smiling.vertices[lids[1]]) + 0.3
    )


def test_faces_that_look_inwards_are_turned(model, landmarks):
    head = foreign_copy(model, rounds=0)
    inside_out = replace(
        head, faces=np.where(head.faces >= 0, head.faces[:, [0, 2, 1, 3]], -1).astype(np.int32)
    )
    found = linear_fit.fit_linear_model(model, landmarks, inside_out, None, True, lambda f: None)
    assert found.turned and found.fit.spread < 0.1


def test_a_mesh_without_a_face_says_so(model, landmarks):
    import trimesh

    ball = trimesh.creation.icosphere(3)
    mesh = UserMesh(
        np.array(ball.vertices),
        np.c_[ball.faces, np.full(len(ball.faces), -1)].astype(np.int32),
        np.zeros(len(ball.vertices), np.int32),
        ('ball',),
        None,
        'ball',
    )
    with pytest.raises(FacewrightError, match=r'No face was found on ball.*markers'):
        wrap_mesh(model, landmarks, mesh)


def test_two_heads_say_so(model, landmarks):
    head = foreign_copy(model, rounds=0)
    twice = UserMesh(
        np.concatenate([head.vertices, head.vertices + (0.35, 0, 0)]),
        np.concatenate(
            [head.faces, np.where(head.faces >= 0, head.faces + len(head.vertices), -1)]
        ).astype(np.int32),
        np.concatenate([head.part, head.part]),
        head.part_names,
        None,
        'both',
    )
    with pytest.raises(FacewrightError, match='both shows 2 faces'):
        find_face(twice.vertices, twice.triangles, landmarks.on(model.neutral), name='both')


def test_markers_decide_where_nothing_is_seen(model, landmarks, monkeypatch):
    def blind(*_, **__):
        raise FacewrightError('No face was found')

    monkeypatch.setattr(linear_fit, 'find_face', blind)
    truth = 0.01 * person(model) @ TURN.T + (0.3, -1.0, 1.6)
    names = (
        'nose_tip',
        'chin',
        'eye_outer_L',
        'eye_outer_R',
        'eye_inner_L',
        'eye_inner_R',
        'mouth_corner_L',
        'mouth_corner_R',
    )
    markers = {MARKERS[n]: truth[model.landmarks68[MARKERS[n]]] for n in names}
    found = linear_fit.fit_linear_model(
        model, landmarks, foreign_copy(model, rounds=0), markers, True, lambda f: None
    )
    off = np.linalg.norm(found.fit.vertices - found.fit.to_head(truth), axis=1)[
        model.landmarks68[list(markers)]
    ]
    assert off.max() < 0.25
    with pytest.raises(FacewrightError, match='No face'):
        linear_fit.fit_linear_model(
            model,
            landmarks,
            foreign_copy(model, rounds=0),
            dict(list(markers.items())[:3]),
            True,
            lambda f: None,
        )


def as_weights(model, **weights):
    out = np.zeros(len(model.names))
    for name, weight in weights.items():
        out[model.names.index(name)] = weight
    return out


USUAL, STRANGE = np.full(50, 0.6), np.full(50, 1.6)


@pytest.mark.parametrize(
    'found,identity,made',
    [
        # the cartoon of the cases: wide eyes and squinting at once
        (
            {
                'eyeSquint_R': 0.595,
                'eyeWide_R': 0.443,
                'eyeSquint_L': 0.474,
                'eyeWide_L': 0.477,
                'mouthStretch_L': 0.41,
            },
            USUAL,
            {},
        ),
        ({'mouthShrugUpper': 1.0, 'mouthRight': 0.23}, STRANGE, {}),
        ({'mouthClose': 0.9}, USUAL, {}),
        (
            {'mouthSmile_L': 0.9, 'mouthSmile_R': 0.97, 'mouthFrown_L': 0.2, 'cheekSquint_L': 0.34},
            USUAL,
            {'mouthSmile_L': 0.7, 'mouthSmile_R': 0.97, 'cheekSquint_L': 0.34},
        ),
        ({'jawOpen': 0.8, 'mouthClose': 0.5}, USUAL, {'jawOpen': 0.8, 'mouthClose': 0.5}),
        ({'jawOpen': 0.8, 'browDown_L': 0.6}, STRANGE, {'jawOpen': 0.8}),
    ],
)
def test_proportions_are_not_an_expression(model, found, identity, made):
    got = linear_fit.certain_expression(model.names, as_weights(model, **found), identity)
    assert np.allclose(got, as_weights(model, **made))


def eyes(left: float, right: float) -> tuple:
    """What landmarks_in_view gives of a face whose eyes are so wide open.

    Area over squared width.
    """
    pixels = np.zeros((478, 2))
    for name, wide in (('left_eye', left), ('right_eye', right)):
        loop = linear_fit.landmark_sets()[name]
        angle = 2 * np.pi * np.arange(len(loop)) / len(loop)
        pixels[loop] = np.c_[np.cos(angle), wide * 4 / np.pi * np.sin(angle)]
    return None, None, pixels


@pytest.mark.parametrize(
    'here,shut',
    [
        ((0.003, 0.043), True),  # Lee Perry-Smith, whose eyes are shut
        ((0.088, 0.014), False),  # a smile: one eye is open, the other missed
        ((0.131, 0.04), False),
    ],
)
def test_eyes_are_shut_where_neither_looks_open(model, wrapped, monkeypatch, here, shut):
    """As the detector saw them on scans.

    (here, on the fitted head with open lids, with shut ones).
    """
    seen = iter((eyes(*here), eyes(0.1, 0.09), eyes(0.01, 0.02)))
    monkeypatch.setattr(linear_fit, 'landmarks_in_view', lambda *a: next(seen))
    head, triangles = wrapped.skin.vertices, wrapped.skin.triangles
    assert bool(linear_fit.closed_eyes(model, wrapped.fit, head, triangles, np.zeros(3))) == shut
