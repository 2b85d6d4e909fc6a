"""A lid that closes through a ball is pushed out in front of it."""
import numpy as np
import pytest
import trimesh

from facewright.engine.mesh.lids import CLEAR, eyeballs, lids_over_eyeballs


def scene():
    """An eyeball of 1.2 cm at the origin, and a sheet in front of it: (vertices, triangles, ball rows, sheet rows)."""
    ball = trimesh.creation.icosphere(3, 1.2)
    grid = np.stack(np.meshgrid(np.linspace(-1.5, 1.5, 40), np.linspace(-1.5, 1.5, 40), indexing='ij'), -1).reshape(-1, 2)
    sheet = np.c_[grid, np.full(len(grid), 1.4)]
    quad = np.arange(1600).reshape(40, 40)
    a, b, c, d = (q.ravel() for q in (quad[:-1, :-1], quad[1:, :-1], quad[1:, 1:], quad[:-1, 1:]))
    triangles = np.concatenate([ball.faces, np.concatenate([np.c_[a, b, c], np.c_[a, c, d]]) + len(ball.vertices)])
    return np.concatenate([ball.vertices, sheet]), triangles, np.arange(len(ball.vertices)), np.arange(len(sheet)) + len(ball.vertices)


def test_the_ball_is_found_and_the_sheet_is_not():
    vertices, triangles, ball, _ = scene()
    found = eyeballs(vertices, triangles, {'L': np.array([.3, 0, 0]), 'R': np.array([-6., 0, 0])})
    assert list(found) == ['L'] and (found['L'] == ball).all()


def test_what_would_sink_in_stays_in_front_and_the_rest_where_it_is():
    vertices, triangles, ball, sheet = scene()
    offsets = np.zeros((2, len(vertices), 3))
    offsets[:, sheet, 2] = -.35  # .15 cm into the ball at its front
    out = lids_over_eyeballs(vertices, triangles, offsets, ('eyeBlink_L', 'jawOpen'), {'L': np.zeros(3)})
    away = np.linalg.norm((vertices + out[0])[sheet], axis=1)
    assert away.min() > 1.2 + CLEAR - .02  # the ball is faceted
    far = np.linalg.norm(vertices[sheet][:, :2], axis=1) > 1.4
    assert (out[0][sheet][far] == offsets[0][sheet][far]).all() and (out[1] == offsets[1]).all() and (out[0][ball] == 0).all()


def test_nothing_changes_without_need_or_without_an_eyeball():
    vertices, triangles, ball, sheet = scene()
    offsets = np.zeros((1, len(vertices), 3))
    offsets[0, sheet, 1] = .1
    assert lids_over_eyeballs(vertices, triangles, offsets, ('eyeBlink_L',), {'L': np.zeros(3)}) == pytest.approx(offsets)
    assert lids_over_eyeballs(vertices[sheet], triangles[len(triangles) - 2 * 39 * 39:] - len(ball), offsets[:, sheet], ('eyeBlink_L',), {'L': np.zeros(3)}) is not None
