"""Registration: closed forms, targets with holes, noise and surplus, the built-in head."""

import numpy as np
import pytest
import trimesh

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.geometry.closest import Surface
from facewright.engine.geometry.folds import flipped, new_crossings
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.geometry.registration import RegistrationOptions, Target, register

SURE = RegistrationOptions(landmark=(5.0, 5.0))


def bumpy(subdivisions):
    """A ball of 8 cm with bumps that tell places apart."""
    mesh = trimesh.creation.icosphere(subdivisions, 1.0)
    x, y, z = mesh.vertices.T
    return mesh.vertices * (8 + 0.8 * np.sin(3 * x + 1) * np.cos(2 * y) + 0.5 * np.sin(4 * z))[
        :, None
    ], np.asarray(mesh.faces)


def warp(points):
    """A smooth displacement of up to 6 mm."""
    x, y, z = points.T / 8
    return 0.35 * np.stack([np.sin(2 * y), np.cos(2 * z) - 0.5, np.sin(2 * x + 1)], 1)


@pytest.fixture(scope='module')
def template():
    return bumpy(4)


@pytest.fixture(scope='module')
def target():
    return bumpy(5)


@pytest.fixture(scope='module')
def face():
    """The built-in head's face: (vertices, triangles, landmarks)."""
    model = load_model('builtin')
    index = np.sort(model.regions['face'])
    onto = np.full(model.vertex_count, -1)
    onto[index] = np.arange(len(index))
    triangles = triangulate(model.faces)
    return (
        model.neutral[index].astype(np.float64),
        onto[triangles[(onto[triangles] >= 0).all(1)]],
        onto[model.landmarks68],
        model,
        index,
    )


def test_onto_itself_nothing_moves(template):
    done = register(*template, *template)
    assert (
        np.abs(done.vertices - template[0]).max() < 1e-4 and done.matched.all() and done.folds == 0
    )


def test_aligned_by_landmarks(template):
    vertices, triangles = template
    turn = trimesh.transformations.rotation_matrix(2.0, (3, 1, 2))[:3, :3]
    moved = vertices @ turn.T + (5, -80, 30)
    marks = np.arange(0, len(vertices), 97)
    done = register(
        vertices,
        triangles,
        moved,
        triangles,
        marks,
        moved[marks],
        RegistrationOptions(align=True, landmark=(5.0, 5.0)),
    )
    assert np.abs(done.vertices - moved).max() < 1e-3


def test_shifted_target(template, target):
    vertices, triangles = template
    done = register(vertices, triangles, target[0] + (0.3, -0.2, 0.2), target[1])
    assert np.linalg.norm(done.vertices - vertices - (0.3, -0.2, 0.2), axis=1).mean() < 0.02
    assert done.distance.mean() < 0.005


def test_a_smooth_warp_is_recovered(template, target):
    vertices, triangles = template
    marks = np.arange(0, len(vertices), 61)
    wanted = vertices + warp(vertices)
    done = register(
        vertices, triangles, target[0] + warp(target[0]), target[1], marks, wanted[marks], SURE
    )
    error = np.linalg.norm(done.vertices - wanted, axis=1)
    assert (
        error.mean() < 0.4 * np.linalg.norm(warp(vertices), axis=1).mean()
        and done.distance.mean() < 0.01
        and done.folds == 0
    )


def test_landmarks_inside_triangles(template, target):
    vertices, triangles = template
    chosen, weights = triangles[::60], np.full((len(triangles[::60]), 3), 1 / 3)
    wanted = vertices + warp(vertices)
    goals = wanted[chosen].mean(1)
    done = register(
        vertices, triangles, target[0] + warp(target[0]), target[1], (chosen, weights), goals, SURE
    )
    assert np.linalg.norm(done.vertices[chosen].mean(1) - goals, axis=1).mean() < 0.03


def test_hole_and_noise(template, target):
    vertices, triangles = template
    rng = np.random.default_rng(0)
    moved = target[0] + warp(target[0])
    hole = np.linalg.norm(target[0] - vertices[vertices[:, 2].argmax()], axis=1) < 2.5
    noisy = moved + 0.02 * rng.standard_normal(moved.shape)
    done = register(vertices, triangles, noisy, target[1][~hole[target[1]].any(1)])
    truth = Surface(moved, target[1]).closest(done.vertices)[3]
    over = np.linalg.norm(vertices - vertices[vertices[:, 2].argmax()], axis=1) < 2.0
    assert not done.matched[over].any() and done.matched[~over].mean() > 0.9
    assert truth[over].mean() < 0.1 and truth[~over].mean() < 0.02 and done.folds == 0


def test_surplus_parts_do_not_pull(template, target):
    vertices, triangles = template
    rng = np.random.default_rng(1)
    strands = rng.standard_normal((300, 1, 3))
    strands = (
        9.5 * strands / np.linalg.norm(strands, axis=2, keepdims=True)
        + rng.standard_normal((300, 3, 3)) * 0.3
    )
    both = np.concatenate([target[0], strands.reshape(-1, 3)])
    faces = np.concatenate([target[1], len(target[0]) + np.arange(900).reshape(-1, 3)])
    done = register(vertices, triangles, both, faces)
    assert Surface(*target).closest(done.vertices)[3].mean() < 0.01


def test_weights_leave_a_region_out(template, target):
    vertices, triangles = template
    weights = np.where(vertices[:, 0] > 4, 0, 1)
    grown = target[0] * (1 + 0.1 * (target[0][:, [0]] > 4))
    done = register(
        vertices, triangles, grown, target[1], options=RegistrationOptions(weights=weights)
    )
    inner = vertices[:, 0] > 6
    assert (
        np.linalg.norm(done.vertices[inner] - vertices[inner], axis=1).mean() < 0.15
        and not done.matched[inner].any()
    )


def test_unwelded_targets_are_welded(target):
    corners = target[0][target[1]].reshape(-1, 3)
    welded = Target(corners, np.arange(len(corners)).reshape(-1, 3))
    assert len(welded.surface.vertices) == len(target[0]) and not welded.border.vertices.any()


def test_another_person_of_the_built_in_head(face):
    vertices, triangles, marks, model, index = face
    person = model.shape(np.random.default_rng(4).standard_normal(len(model.identities)))[
        index
    ].astype(np.float64)
    done = register(
        vertices,
        triangles,
        person,
        triangles,
        marks,
        person[marks],
        RegistrationOptions(align=True, landmark=(5.0, 5.0)),
    )
    assert (
        np.linalg.norm(done.vertices - person, axis=1).mean() < 0.1
        and np.median(done.distance) < 0.02
    )
    assert (
        done.folds == 0
        and not flipped(vertices, done.vertices, triangles).any()
        and not len(new_crossings(vertices, done.vertices, triangles))
    )


def test_the_same_answer_twice(template, target):
    done = [register(*template, target[0] + warp(target[0]), target[1]).vertices for _ in range(2)]
    assert (done[0] == done[1]).all()


def test_what_cannot_work_says_so(template, target):
    vertices, triangles = template
    with pytest.raises(FacewrightError, match='almost no surface'):
        register(vertices, triangles, target[0] + (100, 0, 0), target[1])
    with pytest.raises(FacewrightError, match='outside'):
        register(vertices, triangles, target[0], target[1][:, ::-1])
    with pytest.raises(FacewrightError, match='landmarks'):
        register(vertices, triangles, *target, np.arange(4), np.zeros((3, 3)))
    with pytest.raises(FacewrightError, match='not finite'):
        register(vertices * np.nan, triangles, *target)
    with pytest.raises(FacewrightError, match='no faces'):
        register(vertices, triangles, target[0], target[1][:0])
