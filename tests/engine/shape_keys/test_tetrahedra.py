"""The flesh of both models.

Closed, on the model's own vertices, upright in every expression of every head.
"""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.geometry.folds import self_crossings
from facewright.engine.geometry.laplacian import edges_of
from facewright.engine.geometry.untangle import signed_volumes
from facewright.engine.shape_keys.tetrahedra import (
    build_flesh,
    carry_flesh,
    closed_skin,
    flesh,
    flesh_edges,
    inversion_report,
    inverted,
    outer_faces,
    points_of,
    read_flesh,
    write_flesh,
)

MOST_INVERTED = 0.5  # percent of the tetrahedra, in any shape
MOVING = (
    'jawOpen',
    'mouthPucker',
    'mouthFunnel',
    'mouthSmile_L',
    'eyeBlink_L',
    'noseSneer_R',
    'mouthRollLower',
)


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def model(request):
    if request.param == 'builtin':
        return load_model('builtin')
    return load_model(request.getfixturevalue('shared_data') / 'ict-facekit.tar.xz')


@pytest.fixture(scope='module')
def filled(model):
    return build_flesh(model)


def test_it_is_closed_and_upright(model, filled):
    outer = outer_faces(filled)
    edges = np.concatenate([outer[:, [0, 1]], outer[:, [1, 2]], outer[:, [2, 0]]])
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 1).all() and set(map(tuple, edges)) == set(map(tuple, edges[:, ::-1])), (
        'each edge has two faces that agree which side is out'
    )
    at = np.concatenate([model.neutral, filled.points])
    assert signed_volumes(filled.rest, filled.cells).min() > 0
    corners = at[outer]
    volume = (np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum() / 6
    assert np.isclose(volume, signed_volumes(at, filled.tetrahedra).sum(), rtol=1e-6) and volume > 0


def test_it_joins_skin_and_sockets_and_is_not_the_head(model, filled):
    for name in ('mouth_socket', 'eye_socket_L', 'eye_socket_R'):
        assert np.isin(model.regions[name], filled.surface).all()
    assert np.isin(model.landmarks68[27:68], filled.surface).all(), 'nose, eyes and mouth'
    assert len(filled.surface) < 0.8 * len(np.unique(closed_skin(model)[0]))
    assert signed_volumes(filled.rest, filled.cells).sum() < 600  # cm³ of a head's 5000
    outside = outer_faces(filled)
    skin = closed_skin(model)[0]
    own = outside[(outside < model.vertex_count).all(1)]
    assert len(own) and set(map(tuple, np.sort(own, 1))) <= set(map(tuple, np.sort(skin, 1))), (
        "the surface is the model's own"
    )


def test_no_edge_runs_through_the_flesh_from_surface_to_surface(model, filled):
    edges = edges_of(filled.tetrahedra)
    across = edges[(edges < model.vertex_count).all(1)]
    assert set(map(tuple, across)) <= set(map(tuple, edges_of(closed_skin(model)[0])))


def test_the_socket_is_tied_to_the_skin_before_it(model, filled):
    """A few edges lead from the lips' skin through the flesh to the wall."""
    at = np.concatenate([model.neutral, filled.points])
    edges = edges_of(filled.tetrahedra)
    through = edges[(edges >= model.vertex_count).any(1)]
    assert np.linalg.norm(at[through[:, 0]] - at[through[:, 1]], axis=1).max() < 3
    assert len(flesh_edges(model, filled)) > len(edges_of(closed_skin(model)[0])) + len(through) - 1


def test_few_are_inverted_in_any_expression(model, filled):
    report = inversion_report(filled, model.neutral, model.expressions, model.names)
    assert set(model.names) | {'neutral', 'jawOpen+mouthClose'} == set(report['inverted'])
    assert (
        report['tetrahedra'] == len(filled.tetrahedra) and report['worst_percent'] <= MOST_INVERTED
    ), report


def test_any_identity(model, filled):
    shapes = [model.names.index(name) for name in MOVING]
    for seed in range(3):
        neutral = model.shape(np.random.default_rng(seed).normal(size=len(model.identities)))
        moved = np.concatenate([neutral[None], neutral + model.expressions[shapes]])
        share = inverted(filled, moved, carry_flesh(filled, neutral, moved)).mean(1)
        assert 100 * share.max() <= MOST_INVERTED


def test_the_neutral_carries_to_itself_and_a_moved_head_moves(model, filled):
    turn = Rotation.from_rotvec([0.4, 1.3, -0.2]).as_matrix()
    points = points_of(filled, model.neutral)
    assert np.allclose(points, filled.points, atol=1e-6)
    moved = points_of(filled, model.neutral @ turn.T + 5)
    assert np.percentile(np.linalg.norm(moved - (points @ turn.T + 5), axis=1), 99) < 0.02
    assert (
        np.abs(carry_flesh(filled, model.neutral, model.neutral[None])[0] - filled.points).max()
        < 0.05
    )


def test_files(model, filled, tmp_path, monkeypatch):
    write_flesh(tmp_path / 'flesh.npz', filled)
    again = read_flesh(tmp_path / 'flesh.npz')
    assert (
        np.array_equal(again.tetrahedra, filled.tetrahedra)
        and np.array_equal(again.points, filled.points)
        and again.vertex_count == model.vertex_count
    )
    np.savez(tmp_path / 'other.npz', a=1)
    with pytest.raises(FacewrightError, match='no cavity tetrahedra'):
        read_flesh(tmp_path / 'other.npz')
    with pytest.raises(FacewrightError, match='damaged'):
        write_flesh(
            tmp_path / 'cut.npz',
            type(filled)(
                filled.surface,
                filled.points[:-5],
                filled.tetrahedra,
                filled.rest,
                filled.vertex_count,
            ),
        )
        read_flesh(tmp_path / 'cut.npz')


def test_cached(model, filled, tmp_path, monkeypatch):
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path))
    built = []
    monkeypatch.setattr(
        'facewright.engine.shape_keys.tetrahedra.build_flesh', lambda m: built.append(1) or filled
    )
    assert np.array_equal(flesh(model).points, flesh(model).points) and len(built) == 1


def test_one_region_and_a_mask():
    model = load_model('builtin')
    eye = build_flesh(model, ('eye_L',))
    assert np.isin(model.regions['eye_socket_L'], eye.surface).all()
    assert not np.isin(
        np.concatenate([model.regions['mouth_socket'], model.regions['eye_socket_R']]), eye.surface
    ).any()
    chin = np.linalg.norm(model.neutral - model.neutral[model.landmarks68[8]], axis=1) < 2.5
    masked = build_flesh(model, within=chin)
    near = np.linalg.norm(
        model.neutral[masked.surface] - model.neutral[model.landmarks68[8]], axis=1
    )
    assert len(masked.surface) > 50 and near.max() < 6
    with pytest.raises(FacewrightError, match='no region ear'):
        build_flesh(model, ('ear',))
    with pytest.raises(FacewrightError, match='No flesh'):
        build_flesh(model, within=np.zeros(model.vertex_count, bool))
    with pytest.raises(FacewrightError, match='mask has 3 values'):
        build_flesh(model, within=np.ones(3, bool))


def test_filling_leaves_nothing_behind(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    build_flesh(load_model('builtin'), ('eye_R',))
    assert not list(tmp_path.iterdir()) and capfd.readouterr().out == ''
    triangles = closed_skin(load_model('builtin'))[0]
    assert len(self_crossings(load_model('builtin').neutral, triangles)) > 0, (
        'the neutral itself crosses: that is why it is opened first'
    )
