"""Shape tools: closed forms and identities on a symmetrical grid, and on the built-in head."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.shape_keys import editing as tools


def grid(columns: int = 9, rows: int = 5):
    """A symmetrical patch: N×3 points and F×4 faces."""
    x, y = np.meshgrid(np.linspace(-2, 2, columns), np.linspace(0, 1, rows), indexing='ij')
    points = np.stack([x, y, 0.1 * x**2 + y], -1).reshape(-1, 3)
    at = np.arange(columns * rows).reshape(columns, rows)
    return points, np.stack([at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]], -1).reshape(-1, 4)


POINTS, FACES = grid()
MAP = tools.find_symmetry(POINTS, FACES)
shapes = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(size=POINTS.shape)
)


@pytest.mark.parametrize(
    'name, other, side',
    [
        ('mouthSmile_L', 'mouthSmile_R', 'left'),
        ('eyeBlinkRight', 'eyeBlinkLeft', 'right'),
        ('jawLeft', 'jawRight', 'left'),
        ('Blink.r', 'Blink.l', 'right'),
        ('LeftBlink', 'RightBlink', 'left'),
        ('smile-left', 'smile-right', 'left'),
        ('jawOpen', None, None),
        ('bright', None, None),
        ('Upright', None, None),
        ('mouthRollLower', None, None),
        ('R', None, None),
        ('mouthSmile_L.001', 'mouthSmile_R.001', 'left'),
        ('head__jawRight.012', 'head__jawLeft.012', 'right'),
        ('bend_L.5', None, None),
    ],
)
def test_names_have_sides(name, other, side):
    assert tools.other_side(name) == other and tools.side_of(name) == side
    assert other is None or tools.other_side(other) == name


def test_the_map_pairs_what_lies_opposite():
    assert (
        MAP.axis == 0
        and (MAP.partner >= 0).all()
        and np.array_equal(MAP.partner[MAP.partner], np.arange(len(POINTS)))
    )
    assert np.allclose(POINTS[MAP.partner] * [-1, 1, 1], POINTS) and np.allclose(
        MAP.side, POINTS[:, 0]
    )


def test_it_is_found_across_another_axis_and_away_from_the_origin():
    found = tools.find_symmetry(POINTS[:, [1, 0, 2]] * 100 + [0, 731, 0], FACES)
    assert (
        found.axis == 1
        and np.array_equal(found.partner, MAP.partner)
        and np.allclose(found.side, 100 * POINTS[:, 0])
    )


def test_coincident_vertices_are_told_apart_by_their_neighbours():
    above, below = POINTS * [1, 1, 0], POINTS * [1, -1, 0]  # two lips that touch along y = 0
    points, faces = np.concatenate([above, below]), np.concatenate([FACES, FACES + len(POINTS)])
    partner = tools.find_symmetry(points, faces).partner
    assert np.array_equal(partner, np.concatenate([MAP.partner, MAP.partner + len(POINTS)]))


def test_a_mesh_without_two_like_sides_is_a_sentence():
    with pytest.raises(FacewrightError, match=r'mirror image.*tolerance'):
        tools.find_symmetry(
            np.random.default_rng(0).normal(size=(500, 3)), np.arange(500).reshape(-1, 4)
        )


@settings(deadline=None, max_examples=25)
@given(shapes)
def test_mirroring_twice_changes_nothing(shape):
    assert np.array_equal(tools.mirror(tools.mirror(shape, MAP), MAP), shape)


@settings(deadline=None, max_examples=25)
@given(shapes, st.sampled_from(['left', 'right', 'average']))
def test_symmetrised_is_symmetrical_and_stays_so(shape, source):
    out = tools.symmetrise(shape, MAP, source)
    assert np.allclose(tools.mirror(out, MAP), out, atol=1e-14) and np.allclose(
        tools.symmetrise(out, MAP, source), out, atol=1e-14
    )
    kept = {'left': MAP.side > 0, 'right': MAP.side < 0, 'average': MAP.side > 9}[source]
    assert np.array_equal(out[kept], shape[kept])


@settings(deadline=None, max_examples=25)
@given(shapes, shapes, st.sampled_from(['left', 'right', 'average']))
def test_a_pair_becomes_mirror_images(left, right, source):
    a, b = tools.symmetrise_pair(left, right, MAP, source)
    assert np.allclose(tools.mirror(a, MAP), b, atol=1e-14)
    assert source == 'average' or np.array_equal(*((a, left) if source == 'left' else (b, right)))


@settings(deadline=None, max_examples=25)
@given(shapes, st.floats(0, 5))
def test_the_halves_sum_to_the_whole(shape, width):
    left, right = tools.split(shape, MAP.side, width)
    assert np.allclose(left + right, shape, atol=1e-14)
    assert (
        np.array_equal(left[MAP.side > width / 2 + 1e-9], shape[MAP.side > width / 2 + 1e-9])
        and not right[MAP.side > width / 2 + 1e-9].any()
    )
    assert not left[MAP.side < -width / 2 - 1e-9].any()


@settings(deadline=None, max_examples=25)
@given(shapes, st.floats(-3, 3))
def test_strength(shape, strength):
    assert np.array_equal(tools.scale(shape, 1.0), shape) and not tools.scale(shape, 0.0).any()
    assert np.allclose(tools.scale(shape, strength), strength * shape)
    half = (np.arange(len(shape)) % 2).astype(float)
    assert np.array_equal(tools.scale(shape, strength, half)[::2], shape[::2])
    assert np.allclose(tools.blend(shape, 0, half), tools.scale(shape, 0, half)) and np.allclose(
        tools.blend(shape, 2 * shape, 1.0), 2 * shape
    )


def test_falloff_runs_along_the_edges():
    points, edges = (
        np.stack([np.arange(11.0), *np.zeros((2, 11))], -1),
        np.stack([np.arange(10), np.arange(1, 11)], -1),
    )
    weights = tools.falloff(points, edges, np.arange(11) == 0, 4.0)
    t = np.clip(1 - np.arange(11) / 4, 0, 1)
    assert np.allclose(weights, t * t * (3 - 2 * t))
    assert np.array_equal(tools.falloff(points, edges, np.arange(11) == 3, 0.0), np.arange(11) == 3)
    apart = tools.falloff(points, edges[[0, 1, 2, 4, 5]], np.arange(11) == 0, 100.0)
    assert apart[3] > 0 and not apart[4:].any()


def test_which_side_is_left_follows_from_the_names():
    bump = np.exp(-((POINTS[:, :1] - 1) ** 2)) * [[0, 0, 1]]
    assert tools.left_side(POINTS, {'smile_L': bump, 'jawOpen': bump}) == 1
    assert tools.left_side(POINTS, {'smile_R': bump}) == -1 and tools.left_side(POINTS, {}) == 1


def test_the_middle_without_symmetry_follows_from_the_names():
    rng = np.random.default_rng(2)
    points = rng.uniform((-2, -3, -1), (2, 3, 1), (4000, 3))

    def bump(at):
        return np.exp(-((points - at) ** 2).sum(1, keepdims=True) * 4) * [[0, 0, 1]]

    shapes = {
        'smile_L': bump((1, 0, 0)),
        'smile_R': bump((-1, 0, 0)),
        'frown_R': bump((0, 2, 0)),
        'jawOpen': bump((0, -2, 0)),
    }
    assert np.array_equal(tools.distance_from_middle(points, shapes), points[:, 0])
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    shift = np.array([4.0, 5, 6])
    assert np.allclose(
        tools.distance_from_middle(points @ turn.T + shift, shapes), points[:, 0], atol=0.15
    )
    assert (
        tools.distance_from_middle(
            points, {'smile_L': shapes['smile_L'], 'frown_R': shapes['frown_R']}
        )
        is None
    )


def test_edges_once_each():
    assert tools.edges_of_faces(np.array([[0, 1, 2, -1], [0, 2, 3, 4]])).tolist() == [
        [0, 1],
        [0, 2],
        [0, 4],
        [1, 2],
        [2, 3],
        [3, 4],
    ]


def test_the_built_in_head_mirrors_onto_itself():
    from facewright.engine.face_model import load_model

    model = load_model()
    found = tools.find_symmetry(model.neutral, model.faces)
    assert found.axis == 0 and (found.partner >= 0).mean() > 0.98
    name = dict(zip(model.names, model.expressions))
    assert tools.left_side(model.neutral, name) == 1
    pair = tools.mirror(name['mouthSmile_L'], found) - name['mouthSmile_R']
    assert np.abs(pair).max() < 0.1 * np.abs(name['mouthSmile_L']).max()
