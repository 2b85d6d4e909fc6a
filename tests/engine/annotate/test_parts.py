"""The part annotation: where anatomy has it, the same on both sides, in one piece, cached."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from facewright.engine.annotate import parts
from facewright.engine.annotate.parts import (
    BROW_HALF_HEIGHT,
    mirror_vertices,
    model_part_shares,
    model_parts,
    part_faces,
    part_vertices,
)
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    MIRRORED,
    NOSE,
    PARTS,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from facewright.engine.face_model.pieces import face_graph, pieces
from facewright.engine.geometry.planar import distance_to_polyline, inside_polygon


@pytest.fixture(scope='module', params=['builtin', 'ict'])
def model(request):
    return load_model(
        'builtin'
        if request.param == 'builtin'
        else request.getfixturevalue('shared_data') / 'ict-facekit.tar.xz'
    )


@pytest.fixture(scope='module')
def labels(model):
    return model_parts(model)


def marks(model, *numbers):
    return model.neutral[model.landmarks68[list(numbers)]]


def test_every_part_is_there_and_shares_are_shares(model, labels):
    assert set(np.unique(labels)) == set(range(len(PARTS)))
    shares = model_part_shares(model)
    assert (
        shares.shape == (model.vertex_count, len(PARTS))
        and (shares >= 0).all()
        and np.allclose(shares.sum(1), 1, atol=1e-5)
    )
    assert labels.dtype == np.int8 and (labels == shares.argmax(1)).all()


def test_both_sides_are_alike(model, labels):
    assert (MIRRORED[labels[mirror_vertices(model)]] == labels).all()


def test_eyes_are_the_eyeballs(model, labels):
    for side, label in (('L', LEFT_EYE), ('R', RIGHT_EYE)):
        assert np.array_equal(
            np.flatnonzero(labels == label), np.sort(model.regions[f'eyeball_{side}'])
        )
        assert (np.sign(model.neutral[labels == label, 0]) == (1 if side == 'L' else -1)).all()


def test_what_is_inside_or_transparent_is_no_part(model, labels):
    piece = pieces(model)
    for name in (
        'mouth_socket',
        'eye_socket_L',
        'eye_socket_R',
        'upper_teeth',
        'lower_teeth',
        'upper_gums',
        'tongue',
        'lashes_L',
        'eye_surface_R',
    ):
        assert not labels[piece.get(name, [])].any(), name


def test_each_part_is_one_piece(model, labels):
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    for label in (SKIN, NOSE, LEFT_BROW, RIGHT_BROW, UPPER_LIP, LOWER_LIP):
        rows = labels == label
        assert connected_components(graph[rows][:, rows], directed=False)[0] == 1, PARTS[label]


def test_landmarks_lie_in_their_parts(model, labels):
    """Multi-PIE: 27–35 nose, 48–67 lips; brow marks within half a centimetre of the brow."""
    at = labels[model.landmarks68]
    assert (at[28:31] == NOSE).all() and at[33] in (NOSE, SKIN)
    assert (at[[61, 62, 63]] == UPPER_LIP).all() and (at[[65, 66, 67]] == LOWER_LIP).all()
    assert (at[:17] <= SKIN).all()
    for numbers, label in ((range(18, 21), RIGHT_BROW), (range(23, 26), LEFT_BROW)):
        hair = model.neutral[labels == label]
        assert all(
            np.linalg.norm(hair - mark, axis=1).min() < 0.5 for mark in marks(model, *numbers)
        )


def test_brows_lie_along_their_landmarks(model, labels):
    """As three captures' masks have them: within .35 cm of the landmarks' line, all of that.

    Where the model paints none of its own.
    """
    if 'brows' in model.extra:
        assert (model.extra['brows'][np.isin(labels, (LEFT_BROW, RIGHT_BROW))] > 0.45).all()
        return
    mark = model.neutral[model.landmarks68].astype(np.float64)
    half = BROW_HALF_HEIGHT * np.linalg.norm(mark[45] - mark[36])
    assert 0.3 < half < 0.4
    face = model.regions['narrow_face']
    for line, label in ((mark[17:22], RIGHT_BROW), (mark[22:27], LEFT_BROW)):
        away = distance_to_polyline(model.neutral[face].astype(np.float64), line)
        within = labels[face] == label
        assert away[within].max() < half + 0.05 and within[away < half - 0.05].all()


def test_lips_end_on_their_landmarks(model, labels):
    """No lip beyond the outer landmarks' outline, and all skin within it is lip."""
    lip = np.isin(labels, (UPPER_LIP, LOWER_LIP))
    if 'lips' in model.extra:
        assert (model.extra['lips'][lip] > 0.45).all()
        return
    v = model.neutral.astype(np.float64)
    outline = v[model.landmarks68[48:60], :2]
    away = distance_to_polyline(v[:, :2], np.concatenate([outline, outline[:1]]))
    inside = inside_polygon(v[:, :2], outline)
    assert not lip[~inside & (away > 0.08)].any()
    front = np.isin(np.arange(len(v)), pieces(model)['skin']) & (
        v[:, 2] > v[model.landmarks68[48], 2]
    )
    assert lip[front & inside & (away > 0.08)].all()


def test_sizes_are_a_faces(model, labels):
    """Adults: nose 3 to 4.6 cm wide and 4 to 7 high; brow 4 to 7 long.

    Red of the lips 4 to 6.5 wide, 1.2 to 3.2 high together.
    """

    def extent(*which):
        return np.ptp(model.neutral[np.isin(labels, which)], axis=0)

    assert 3 < extent(NOSE)[0] < 4.6 and 4 < extent(NOSE)[1] < 7
    assert 4 < extent(LEFT_BROW)[0] < 7 and extent(LEFT_BROW)[1] < 2.2
    assert 4 < extent(UPPER_LIP, LOWER_LIP)[0] < 6.5 and 1.2 < extent(UPPER_LIP, LOWER_LIP)[1] < 3.2


def test_groups_and_faces(model, labels):
    groups = part_vertices(model)
    assert list(groups) == [f'part_{name}' for name in PARTS[1:]]
    assert all(
        (labels[index] == k).all() and len(index) == (labels == k).sum()
        for k, index in enumerate(groups.values(), 1)
    )
    faces = part_faces(model)
    corners = np.where(model.faces >= 0, labels[model.faces], -1)
    assert len(faces) == len(model.faces) and (corners == faces[:, None]).any(1).all()
    same = (np.where(corners < 0, corners[:, :1], corners) == corners[:, :1]).all(1)
    assert (faces[same] == corners[same, 0]).all()


def test_the_cache_is_read(model, labels, monkeypatch):
    monkeypatch.setattr(parts, 'find_parts', lambda *_: pytest.fail('found again'))
    assert (model_parts(model) == labels).all()


def test_a_model_without_a_face_is_told(monkeypatch):
    monkeypatch.setattr(parts, '_votes', lambda *_: None)
    with pytest.raises(FacewrightError, match='no face'):
        parts.find_parts(load_model('builtin'))
