"""Lids shut in one line, and stay before the eyeball."""

import numpy as np
import pytest
import trimesh

from facewright.engine.face_model import load_model
from facewright.engine.face_model.pieces import pieces, slit_contours
from facewright.engine.geometry.closest import Surface
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.shape_keys.lids import (
    LID_CLEARANCE,
    eyeballs,
    lids_over_eyeballs,
    meet_lids,
    through_lids,
)


def scene():
    """An eyeball of 1.2 cm at the origin, and a sheet in front of it.

    (vertices, triangles, ball rows, sheet rows).
    """
    ball = trimesh.creation.icosphere(3, 1.2)
    grid = np.stack(
        np.meshgrid(np.linspace(-1.5, 1.5, 40), np.linspace(-1.5, 1.5, 40), indexing='ij'), -1
    ).reshape(-1, 2)
    sheet = np.c_[grid, np.full(len(grid), 1.4)]
    quad = np.arange(1600).reshape(40, 40)
    a, b, c, d = (q.ravel() for q in (quad[:-1, :-1], quad[1:, :-1], quad[1:, 1:], quad[:-1, 1:]))
    triangles = np.concatenate(
        [ball.faces, np.concatenate([np.c_[a, b, c], np.c_[a, c, d]]) + len(ball.vertices)]
    )
    return (
        np.concatenate([ball.vertices, sheet]),
        triangles,
        np.arange(len(ball.vertices)),
        np.arange(len(sheet)) + len(ball.vertices),
    )


def test_the_ball_is_found_and_the_sheet_is_not():
    vertices, triangles, ball, _ = scene()
    found = eyeballs(vertices, triangles, {'L': np.array([0.3, 0, 0]), 'R': np.array([-6.0, 0, 0])})
    assert list(found) == ['L'] and (found['L'] == ball).all()


def test_what_would_sink_in_stays_in_front_and_the_rest_where_it_is():
    vertices, triangles, ball, sheet = scene()
    offsets = np.zeros((2, len(vertices), 3))
    offsets[:, sheet, 2] = -0.35  # .15 cm into the ball at its front
    out = lids_over_eyeballs(
        vertices, triangles, offsets, ('eyeBlink_L', 'jawOpen'), {'L': np.zeros(3)}
    )
    away = np.linalg.norm((vertices + out[0])[sheet], axis=1)
    assert away.min() > 1.2 + LID_CLEARANCE - 0.02  # the ball is faceted
    far = np.linalg.norm(vertices[sheet][:, :2], axis=1) > 1.4
    assert (
        (out[0][sheet][far] == offsets[0][sheet][far]).all()
        and (out[1] == offsets[1]).all()
        and (out[0][ball] == 0).all()
    )


def test_nothing_changes_without_need_or_without_an_eyeball():
    vertices, triangles, ball, sheet = scene()
    offsets = np.zeros((1, len(vertices), 3))
    offsets[0, sheet, 1] = 0.1
    assert lids_over_eyeballs(
        vertices, triangles, offsets, ('eyeBlink_L',), {'L': np.zeros(3)}
    ) == pytest.approx(offsets)
    assert (
        lids_over_eyeballs(
            vertices[sheet],
            triangles[len(triangles) - 2 * 39 * 39 :] - len(ball),
            offsets[:, sheet],
            ('eyeBlink_L',),
            {'L': np.zeros(3)},
        )
        is not None
    )


@pytest.mark.parametrize('stretch', [0.8, 1.0, 1.2])
def test_lids_meet_on_eyes_of_any_opening(stretch):
    """Eyes opened wider or less.

    The blink shuts them, before the eyeball all the way, and changes nothing but lids and socket.
    """
    model = load_model()
    neutral, part, e = (
        model.neutral.astype(np.float64),
        pieces(model),
        model.names.index('eyeBlink_L'),
    )
    upper, lower = slit_contours(model, 'eye_L')
    lids = np.concatenate([part['upper_lid_L'], part['lower_lid_L']])
    fade = np.exp(
        -((neutral[lids] - neutral[np.concatenate([upper, lower])].mean(0)) ** 2).sum(1) / 2
    )
    neutral[lids, 1] += (stretch - 1) * (neutral[lids, 1] - neutral[lower, 1].mean()) * fade
    got = meet_lids(model, neutral, model.expressions)
    may = np.concatenate(
        [part[f'{k}_{s}'] for k in ('upper_lid', 'lower_lid', 'eye_socket') for s in 'LR']
    )
    others = np.setdiff1d(np.arange(model.vertex_count), may)
    assert (got[:, others] == model.expressions[:, others]).all() and (
        np.delete(got, [e, e + 1], 0) == np.delete(model.expressions, [e, e + 1], 0)
    ).all()
    shut = neutral + got[e]
    line = shut[lower[np.argsort(shut[lower, 0])]]
    off = shut[upper, 1] - np.interp(shut[upper, 0], line[:, 0], line[:, 1])
    assert np.abs(off).mean() < 0.02 and np.abs(off).max() < 0.08
    triangles = triangulate(model.faces)
    ball = Surface(neutral, triangles[np.isin(triangles, part['eyeball_L']).all(1)])
    edge = shut[np.concatenate([upper, lower])]
    nearest, _, point, _ = ball.closest(edge)
    assert (((edge - point) * ball.normals[nearest]).sum(1) > -0.02).all()


def test_both_sides_of_a_lid_are_paired():
    model = load_model()
    pairs = through_lids(model)
    shut = (
        model.neutral.astype(np.float64)
        + model.expressions[model.names.index('eyeBlink_L')]
        + model.expressions[model.names.index('eyeBlink_R')]
    )
    normals = vertex_normals(shut, triangulate(model.faces))
    assert (
        len(pairs) > 500
        and (np.linalg.norm(shut[pairs[:, 0]] - shut[pairs[:, 1]], axis=1) < 0.6).all()
    )
    assert ((normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1) < 0).all()
