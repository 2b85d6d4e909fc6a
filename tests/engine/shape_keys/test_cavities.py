"""Sockets, teeth and eyes behind a skin that was edited by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.face_model.pieces import pieces
from facewright.engine.geometry.laplacian import edges_of
from facewright.engine.shape_keys.cavities import follow_skin, spread_edit
from facewright.engine.shape_keys.crossings import Checker
from facewright.engine.shape_keys.tetrahedra import closed_skin, flesh

RIGID = (
    'upper_teeth',
    'lower_teeth',
    'upper_gums',
    'lower_gums',
    'tongue',
    'eyeball_L',
    'eyeball_R',
)


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def head(request):
    """(model, its flesh, its pieces, a checker of crossings)."""
    model = load_model(
        'builtin'
        if request.param == 'builtin'
        else request.getfixturevalue('shared_data') / 'ict-facekit.tar.xz'
    )
    return model, flesh(model), pieces(model), Checker(model)


def pulled(model, part, vertices, centre, radius, push):
    """`vertices` with the skin round a point moved by `push`, smoothly."""
    out = np.array(vertices, np.float64)
    out[part['skin']] += np.exp(
        -((np.linalg.norm(out[part['skin']] - centre, axis=1) / radius) ** 2) / 2
    )[:, None] * np.asarray(push)
    return out


def edits(model, part, vertices):
    """Name → the skin pulled about: lips out and in, a cheek in, a lid out and in."""
    mark = np.asarray(vertices, np.float64)[model.landmarks68]
    cheek, lid = (mark[54] + mark[13]) / 2, mark[43:45].mean(0)
    for name, centre, radius, push in (
        ('lips out', mark[48:60].mean(0), 1.8, (0, 0, 0.6)),
        ('lips in', mark[48:60].mean(0), 1.8, (0, 0, -0.6)),
        ('lower lip down', mark[57], 1.0, (0, -0.6, 0.3)),
        ('cheek in', cheek, 1.5, (-0.6, 0, -0.2)),
        ('lid out', lid, 0.7, (0, 0.3, 0.5)),
        ('lid in', lid + (0, 0.8, 0), 0.7, (0, 0, -0.5)),
    ):
        yield name, pulled(model, part, vertices, centre, radius, push)


@pytest.mark.parametrize('shape', ['neutral', 'jawOpen'])
def test_cavities_stay_behind_an_edited_skin(head, shape):
    model, filled, part, check = head
    before = model.neutral.astype(np.float64)
    if shape != 'neutral':
        before = before + model.expressions[model.names.index(shape)]
    at_first, left, followed = check.count(before), np.zeros(4), np.zeros(4)
    edges = edges_of(closed_skin(model)[0])
    walls = np.concatenate(
        [part[name] for name in ('mouth_socket', 'eye_socket_L', 'eye_socket_R')]
    )
    edges = edges[np.isin(edges, walls).all(1)]
    for name, edited in edits(model, part, before):
        out = follow_skin(model, filled, before, edited)
        assert np.array_equal(out[part['skin']], edited[part['skin']]), "the skin is the artist's"
        for piece in RIGID:
            assert np.allclose(
                pdist(out[part[piece]][::7]), pdist(before[part[piece]][::7]), atol=1e-9
            ), f'{piece} stays rigid: {name}'
        moved = out - before
        jump = np.linalg.norm(moved[edges[:, 0]] - moved[edges[:, 1]], axis=1)
        assert jump.max() < 0.35 and np.percentile(jump, 99) < 0.2, f'walls follow smoothly: {name}'
        # crossings that the edit brought: the lips' own and those there before are not the cavity's
        left += np.maximum(check.count(edited) - at_first, 0) * (1, 0, 1, 1)
        followed += np.maximum(check.count(out) - at_first, 0) * (1, 0, 1, 1)
    assert left.sum() > 50 and followed.sum() <= 0.05 * left.sum(), (
        f'{left} left alone, {followed} when they follow'
    )


def test_an_unedited_shape_comes_back(head):
    model, filled, part, _ = head
    for vertices in (
        model.neutral,
        model.neutral + model.expressions[model.names.index('mouthPucker')],
    ):
        assert np.array_equal(follow_skin(model, filled, vertices, vertices), vertices)
    behind = model.neutral.copy()
    behind[part['mouth_socket']] += 1
    assert np.array_equal(follow_skin(model, filled, model.neutral, behind), model.neutral), (
        'only the skin is looked at'
    )


def test_far_from_an_edit_all_stays(head):
    model, filled, part, _ = head
    out = follow_skin(
        model,
        filled,
        model.neutral,
        pulled(
            model,
            part,
            model.neutral,
            model.neutral[model.landmarks68[45]] + (2, 3, 0),
            0.5,
            (0, 0.05, 0.05),
        ).astype(np.float32),
    )
    for name in (*RIGID, 'mouth_socket', 'eye_socket_R'):
        assert np.abs(out[part[name]] - model.neutral[part[name]]).max() < 1e-3
    assert out.dtype == np.float32


def test_the_jaw_follows_the_chin_and_the_skull_stays(head):
    model, filled, part, _ = head
    opening = 0.3 * model.expressions[model.names.index('jawOpen')].astype(np.float64)
    edited = model.neutral.astype(np.float64)
    edited[part['skin']] += opening[part['skin']]
    moved = follow_skin(model, filled, model.neutral.astype(np.float64), edited) - model.neutral
    assert (
        np.abs(moved[part['upper_teeth']]).max() < 1e-3
        and np.abs(moved[part['eyeball_L']]).max() < 0.02
    )
    teeth = part['lower_teeth']
    assert (
        np.linalg.norm(moved[teeth] - opening[teeth], axis=1).mean()
        < 0.4 * np.linalg.norm(opening[teeth], axis=1).mean()
    )
    socket = part['mouth_socket']
    assert (
        np.linalg.norm(moved[socket] - opening[socket], axis=1).mean()
        < 0.4 * np.linalg.norm(opening[socket], axis=1).mean()
    )


def test_lashes_go_with_the_lid(head):
    model, filled, part, _ = head
    if 'lashes_L' not in part:
        pytest.skip('this model has no lashes')
    v = model.neutral.astype(np.float64)
    edited = pulled(model, part, v, v[part['lashes_L']].mean(0), 3, (0, 0, 0.3))
    out = follow_skin(model, filled, v, edited)
    assert (
        np.percentile(np.linalg.norm(out[part['lashes_L']] - v[part['lashes_L']], axis=1), 5) > 0.15
    )
    assert np.abs(out[part['lashes_R']] - v[part['lashes_R']]).max() < 0.1


def test_wrong_shapes_are_named(head):
    model, filled, *_ = head
    with pytest.raises(FacewrightError, match='vertices or NaN'):
        follow_skin(model, filled, model.neutral, model.neutral[:-1])
    with pytest.raises(FacewrightError, match='vertices or NaN'):
        follow_skin(
            model,
            filled,
            model.neutral,
            np.where(np.arange(model.vertex_count)[:, None] == 3, np.nan, model.neutral),
        )


def test_an_edit_is_spread_where_other_shapes_move_alike(head):
    model, _, part, _ = head
    index = model.names.index('jawOpen')
    v = model.neutral + model.expressions[index]
    edit = pulled(model, part, v, v[model.landmarks68[57]], 0.8, (0, -0.3, 0.2)) - v
    given_to = model.expressions.copy()
    given_to[index] += edit
    out = spread_edit(model, model.neutral, given_to, index, edit)
    assert out.dtype == model.expressions.dtype and np.array_equal(out[index], given_to[index])
    change = np.linalg.norm(out - model.expressions, axis=2).max(1)
    given = dict(zip(model.names, change))
    assert given['browDown_L'] == given['eyeBlink_L'] == given['eyeWide_R'] == 0, (
        'nothing where they do not move'
    )
    others = np.delete(change, index)
    assert given['mouthStretch_L'] > 0 or given['mouthLowerDown_L'] > 0
    assert 0 < others.max() <= np.linalg.norm(edit, axis=1).max() * 1.001, (
        'never more than the artist gave'
    )
    assert np.array_equal(
        spread_edit(model, model.neutral, model.expressions, index, 0 * edit), model.expressions
    )


def test_a_spread_edit_keeps_teeth_rigid(head):
    model, _, part, _ = head
    index = model.names.index('jawOpen')
    edit = np.zeros_like(model.neutral)
    for name in ('lower_teeth', 'lower_gums', 'tongue'):
        edit[part[name]] = 0.2 * model.expressions[index][part[name]]
    edited = model.expressions.copy()
    edited[index] += edit
    out = spread_edit(model, model.neutral, edited, index, edit)
    assert (np.abs(out - edited).max((1, 2)) > 0).any()
    for e in range(len(out)):
        was, now = (
            pdist((model.neutral + x[e])[part['lower_teeth']][::9].astype(np.float64))
            for x in (model.expressions, out)
        )
        if e != index:
            assert np.allclose(was, now, atol=1e-4)
