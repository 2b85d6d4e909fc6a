"""A mouth that is a hole in the mesh: found, and the model's lips laid on its border."""

from dataclasses import replace

import numpy as np
import pytest
from foreign_head import TURN, foreign_copy

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.face_model.pieces import slit_contours, slit_rim, slit_sides
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.wrap.mouth_hole import border_loops, mouth_rim
from facewright.engine.wrap.wrap import wrap_mesh


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def cut(model):
    """The built-in head without anything behind its lips."""
    gone = np.zeros(model.vertex_count, bool)
    for region in ('mouth_socket', 'gums_tongue', 'teeth'):
        gone[model.regions[region]] = True
    kept = ~gone[model.faces].any(1)
    return replace(
        model,
        faces=model.faces[kept],
        face_uvs=model.face_uvs[kept],
        face_materials=model.face_materials[kept],
    )


@pytest.fixture(scope='module')
def shouting(model):
    """V×3: a person with an open mouth."""
    weights = np.zeros(len(model.names))
    for name, value in {'jawOpen': 0.5, 'mouthFunnel': 0.4}.items():
        weights[model.names.index(name)] = value
    return model.shape(
        np.random.default_rng(5).normal(size=len(model.identities)) * 0.6, weights
    ).astype(np.float64)


def test_the_borders_of_a_sheet_with_a_hole_are_two_loops():
    y, x = np.mgrid[0:6, 0:6].reshape(2, -1)
    corner = np.flatnonzero((x < 5) & (y < 5) & ~((x == 2) & (y == 2)))
    quads = np.stack([corner, corner + 1, corner + 7, corner + 6], 1)
    loops = sorted(border_loops(np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])), key=len)
    assert [len(loop) for loop in loops] == [4, 20]
    for loop in loops:
        assert (np.hypot(x[loop] - np.roll(x[loop], 1), y[loop] - np.roll(y[loop], 1)) == 1).all()


def test_holes_that_touch_are_loops_of_their_own():
    y, x = np.mgrid[0:7, 0:7].reshape(2, -1)
    corner = np.flatnonzero((x < 6) & (y < 6) & ~((x == 2) & (y == 2)) & ~((x == 3) & (y == 3)))
    quads = np.stack([corner, corner + 1, corner + 8, corner + 7], 1)
    assert sorted(
        len(loop) for loop in border_loops(np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]))
    ) == [4, 4, 24]


def test_the_rim_is_found_from_a_shut_mouth(model, cut, shouting):
    found, there = mouth_rim(model, shouting, shouting, triangulate(cut.faces))
    assert set(found) <= set(slit_rim(model, 'mouth'))
    assert np.linalg.norm(shouting[found] - there, axis=1).mean() < 0.1
    found, there = mouth_rim(
        model, model.neutral.astype(np.float64), shouting, triangulate(cut.faces)
    )
    sides = [
        np.union1d(contour, rim)
        for contour, rim in zip(slit_contours(model, 'mouth'), slit_sides(model, 'mouth')[2:])
    ]
    upper, lower = (there[np.isin(found, side), 1].mean() for side in sides)
    assert upper > lower + 0.5


def test_a_mouth_without_a_hole_has_no_rim(model, shouting):
    assert mouth_rim(model, shouting, shouting, triangulate(model.faces)) is None


def test_the_wrap_opens_as_far_as_the_hole(model, cut, shouting):
    wrapped = wrap_mesh(
        model, model_landmarks(model), foreign_copy(cut, rounds=0, vertices=shouting)
    )
    truth = wrapped.fit.to_head(0.01 * shouting @ TURN.T + (0.3, -1.0, 1.6))
    opening = [
        np.linalg.norm(np.subtract(*v[model.landmarks68[[62, 66]]]))
        for v in (wrapped.vertices, truth)
    ]
    assert opening[0] == pytest.approx(opening[1], rel=0.08)
    rim = slit_rim(model, 'mouth')
    assert np.linalg.norm(wrapped.vertices[rim] - truth[rim], axis=1).mean() < 0.15
    assert wrapped.folds == 0
