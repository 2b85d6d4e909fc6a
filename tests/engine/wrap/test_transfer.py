"""Deformation transfer.

Closed forms of the solver, then the model's expressions on heads whose true shapes are known.
"""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.face_model.gaze import sphere_centre
from facewright.engine.face_model.pieces import pieces
from facewright.engine.geometry.rigid import rigid_motion
from facewright.engine.wrap.transfer import (
    Transfer,
    gradient_operator,
    nearest_of_the_model,
    transfer_expressions,
    triangle_frames,
)


@pytest.fixture(scope='module')
def blob():
    """A bumpy closed surface and a different one of the same topology.

    (vertices, triangles, others).
    """
    ball = trimesh.creation.icosphere(3)
    rng = np.random.default_rng(0)
    v = np.array(ball.vertices)
    bumpy = v * (1 + 0.2 * np.sin(3 * v[:, :1] + 1) * np.cos(4 * v[:, 1:2]))
    return (
        bumpy,
        np.array(ball.faces),
        v * [1.3, 0.8, 1] + 0.05 * np.sin(5 * v[:, ::-1]) + rng.normal(size=v.shape) * 0.003,
    )


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def model(request):
    if request.param == 'builtin':
        return load_model()
    return load_model(str(request.getfixturevalue('shared_data') / 'ict-facekit.tar.xz'))


def wavy(v, k):
    return v + 0.1 * np.sin((k + 2) * v[:, [1, 2, 0]] + k)


def test_gradient_of_linear_functions(blob):
    v, t, _ = blob
    grad, area = gradient_operator(v, t)
    got = (grad @ (v @ [1.0, 2, 3] + 4)).reshape(-1, 3)
    normal = np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]])
    unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose(
        got, np.array([1.0, 2, 3]) - unit * (unit @ [1, 2, 3])[:, None], atol=1e-9
    )
    assert area.sum() == pytest.approx(trimesh.Trimesh(v, t).area)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_same_translated_and_scaled_targets_are_exact(seed):
    ball = trimesh.creation.icosphere(2)
    v, t = np.array(ball.vertices) * [1, 1.4, 0.8], np.array(ball.faces)
    rng = np.random.default_rng(seed)
    s, shift = rng.uniform(0.01, 50), rng.normal(size=3) * 10
    shapes = np.stack([wavy(v, k) for k in range(3)])
    got = Transfer(v, t, s * v + shift).solve(shapes)
    np.testing.assert_allclose(got, s * shapes + shift, atol=1e-8 * max(s, 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_affine_deformations_are_exact(seed):
    ball = trimesh.creation.icosphere(2)
    v, t = np.array(ball.vertices) * [1, 1.4, 0.8], np.array(ball.faces)
    rng = np.random.default_rng(seed)
    a, b = np.eye(3) + 0.3 * rng.normal(size=(3, 3)), rng.normal(size=3)
    got = Transfer(v, t, 2 * v + 1).solve((v @ a.T + b)[None])[0]
    want = (2 * v + 1) @ a.T
    np.testing.assert_allclose(got - got.mean(0), want - want.mean(0), atol=1e-8)


def test_rigid_and_uniformly_scaled_deformations_are_exact_on_any_target(blob):
    v, t, other = blob
    r = Rotation.from_rotvec([0.4, -1, 0.3]).as_matrix()
    got = Transfer(v, t, other).solve(np.stack([v @ r.T + 5, 1.7 * v @ r.T]))
    for k, want in enumerate((other @ r.T, 1.7 * other @ r.T)):
        np.testing.assert_allclose(got[k] - got[k].mean(0), want - want.mean(0), atol=1e-8)


def test_rotated_targets_are_exact_after_alignment(blob):
    v, t, _ = blob
    r = Rotation.from_rotvec([0.4, -1, 0.3]).as_matrix()
    target, shapes = v @ r.T + 3, np.stack([wavy(v, k) for k in range(3)])
    turn, shift, _ = rigid_motion(v, target)
    got = Transfer(v @ turn.T + shift, t, target).solve(shapes @ turn.T + shift)
    np.testing.assert_allclose(got, shapes @ r.T + 3, atol=1e-8)


def test_fixed_vertices_stay_and_anchors_draw(blob):
    v, t, other = blob
    fixed = other[:, 2] < 0
    got = Transfer(v, t, other, fixed=fixed).solve(wavy(v, 0)[None])[0]
    assert (got[fixed] == other[fixed]).all() and np.abs(got - other).max() > 0.05
    goal = other + [0, 0, 1.0]
    drawn = Transfer(v, t, other, anchor=1e6).solve(v[None], goal[None])[0]
    np.testing.assert_allclose(drawn, goal, atol=1e-4)


def test_loose_parts_go_where_the_source_s_go(blob):
    v, t, _ = blob
    both, triangles = np.concatenate([v, v + 10]), np.concatenate([t, t + len(v)])
    shape = both + np.repeat([[0, 0, 0], [0, 2, 0]], len(v), 0)
    np.testing.assert_allclose(
        Transfer(both, triangles, 3 * both).solve(shape[None])[0], 3 * shape, atol=1e-7
    )


def test_flat_triangles_do_no_harm(blob):
    v, t, other = blob
    source, target = v.copy(), other.copy()
    for head in (source, target):
        head[t[5, 1]] = head[t[5, 0]]
        head[t[9, 2]] = (head[t[9, 0]] + head[t[9, 1]]) / 2
    got = Transfer(source, t, target).solve(source[None])
    assert np.isfinite(got).all() and np.abs(got[0] - target).max() < 1e-6


def test_it_is_the_least_squares_solution(blob):
    """Against a dense solve of Sumner and Popović's own system."""
    v, t, other = blob
    shape = wavy(v, 1)
    got = Transfer(v, t, other, fixed=np.arange(len(v)) == 0).solve(shape[None])[0]
    grad, area = gradient_operator(other, t)
    wanted = np.swapaxes(
        triangle_frames(shape, t) @ np.linalg.inv(triangle_frames(v, t)), 1, 2
    ).reshape(-1, 3)
    root = np.sqrt(np.repeat(area, 3))[:, None]
    a = root * grad.toarray()
    best = np.linalg.lstsq(a[:, 1:], root * wanted - a[:, :1] * other[0], rcond=None)[0]
    np.testing.assert_allclose(got[1:], best, atol=1e-7)


def test_what_does_not_fit_is_said(blob):
    v, t, _ = blob
    with pytest.raises(FacewrightError, match='one topology'):
        Transfer(v, t, v[:-1])
    with pytest.raises(FacewrightError, match='zero area'):
        Transfer(v, t, np.zeros_like(v))
    model = load_model()
    with pytest.raises(FacewrightError, match='wrap'):
        transfer_expressions(model, v)
    with pytest.raises(FacewrightError, match='NaN'):
        transfer_expressions(model, np.full_like(model.neutral, np.nan))


def test_a_moved_neutral_is_known_again(model):
    skin = pieces(model)['skin']
    r = Rotation.from_rotvec([0.1, 0.2, -0.1]).as_matrix()
    alpha, turn, _shift = nearest_of_the_model(model, 0.7 * model.neutral @ r.T + [1, 2, 3], skin)
    np.testing.assert_allclose(turn, 0.7 * r, atol=1e-6)
    assert np.abs(alpha).max() < 1e-4


def test_the_model_s_own_head_moved_turned_and_scaled(model):
    r = 1.3 * Rotation.from_rotvec([0.05, 0.1, -0.05]).as_matrix()
    got = transfer_expressions(model, model.neutral @ r.T + [1, -2, 3])
    rows = pieces(model)['skin']
    np.testing.assert_allclose(got[:, rows], (model.expressions @ r.T)[:, rows], atol=1e-3)
    assert np.abs(got - model.expressions @ r.T).max() < 0.05  # the kit's jaw is not quite rigid


@pytest.mark.parametrize('seed', [0, 2])
def test_identities_of_the_model_get_its_own_shapes(model, seed):
    alpha = np.random.default_rng(seed).normal(size=len(model.identities))
    got = transfer_expressions(model, model.shape(alpha))
    error = 10 * np.linalg.norm(got - model.expressions, axis=2)
    moves = np.linalg.norm(model.expressions, axis=2) > 0.01
    means = np.array([e[m].mean() for e, m in zip(error, moves)])
    assert means.mean() < 0.1 and means.max() < 0.6
    assert error[:, pieces(model)['skin']].max() < 1.3
    assert np.abs(got[np.abs(model.expressions).max(2) < 1e-7]).max() < 1e-3


@pytest.mark.parametrize('seed', [0, 2])
def test_transfer_alone_comes_close_to_the_model_s_shapes(shared_data, seed):
    """Without the identity fit: the bare method from the model's neutral."""
    from facewright.engine.geometry.polygons import triangulate

    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    rows = np.arange(14062)
    triangles = triangulate(model.faces)
    triangles = triangles[(triangles < 14062).all(1)]
    head = model.shape(np.random.default_rng(seed).normal(size=100))[rows]
    offsets = model.expressions[:, rows]
    still = np.abs(offsets).max((0, 2)) < 1e-4
    got = (
        Transfer(model.neutral[rows], triangles, head, fixed=still).solve(
            model.neutral[rows] + offsets
        )
        - head
    )
    error, moves = (
        10 * np.linalg.norm(got - offsets, axis=2),
        np.linalg.norm(offsets, axis=2) > 0.01,
    )
    assert np.mean([e[m].mean() for e, m in zip(error, moves)]) < 0.3


def test_a_head_no_model_makes(model):
    """Stretched jaw, big eyes, moved apart.

    Pieces stay rigid, eyes turn about their own centres, all is finite.
    """
    v = model.neutral.astype(np.float64) * [1.15, 1, 1]
    v[:, 1] -= 0.25 * np.clip(-v[:, 1], 0, None)
    part = pieces(model)
    for side, sign in (('L', 1), ('R', -1)):
        ball = part[f'eyeball_{side}']
        centre = sphere_centre(v[ball])
        v[ball] = (
            (model.neutral[ball] - sphere_centre(model.neutral[ball].astype(float))) * 1.2
            + centre
            + [0.2 * sign, 0, 0]
        )
    got = transfer_expressions(model, v)
    assert np.isfinite(got).all()
    look = model.names.index('eyeLookOut_L')
    ball = part['eyeball_L']
    centre = sphere_centre(v[ball])
    r, t, _ = rigid_motion(v[ball], v[ball] + got[look, ball])
    np.testing.assert_allclose(v[ball] @ r.T + t, v[ball] + got[look, ball], atol=1e-3)
    assert np.abs(r @ centre + t - centre).max() < 0.03 and np.arccos((np.trace(r) - 1) / 2) > 0.5
    teeth = part['lower_teeth']
    for name in ('jawOpen', 'jawLeft'):
        moved = v[teeth] + got[model.names.index(name), teeth]
        r, t, _ = rigid_motion(v[teeth], moved)
        np.testing.assert_allclose(v[teeth] @ r.T + t, moved, atol=1e-5)
    assert not got[:, part['upper_teeth']].any()
