"""What the built-in head is made with: subdivision, and the measuring of a mean face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.face_model.builtin.cage import build_cage, measured
from facewright.engine.face_model.builtin.mouth import arch_point
from facewright.engine.face_model.builtin.subdivide import (
    catmull_clark,
    edges_of,
    finer_loop,
    refine,
)
from facewright.engine.lab import measure_builtin as measure

CUBE = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
CUBE_FACES = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32
)


def grid(n):
    """(n+1)² points of a flat square and its n² quads."""
    y, x = np.divmod(np.arange((n + 1) ** 2), n + 1)
    k = np.array([j * (n + 1) + i for j in range(n) for i in range(n)])
    return np.stack([x, y, 0 * x], 1).astype(float), np.stack(
        [k, k + 1, k + n + 2, k + n + 1], 1
    ).astype(np.int32)


def test_cube_after_one_step_is_the_known_one():
    level = catmull_clark(CUBE_FACES, 8)
    points = level.matrix @ CUBE
    assert points.shape == (26, 3) and level.faces.shape == (24, 4)
    np.testing.assert_allclose(
        points[:8], CUBE * 5 / 9, atol=1e-12
    )  # (F + 2R + (n−3)P) / n with n = 3
    np.testing.assert_allclose(np.sort(np.abs(points[20:]).sum(1)), 1.0)  # face points
    np.testing.assert_allclose(
        np.linalg.norm(points[8:20], axis=1), np.sqrt(2) * 0.75
    )  # edge points: (2 ends + 2 face points) / 4
    np.testing.assert_allclose(np.asarray(level.matrix.sum(1)).ravel(), 1, atol=1e-12)


def test_flat_meshes_stay_flat_and_straight_edges_straight():
    points, faces = grid(4)
    level = catmull_clark(faces, len(points))
    fine = level.matrix @ points
    assert np.abs(fine[:, 2]).max() == 0
    rim = np.unique([v for e, n in zip(*edges_of(level.faces)[::2]) if n == 1 for v in e])
    assert (
        (
            np.isclose(fine[rim, :2], 0)
            | np.isclose(fine[rim, :2], 4)
            | (np.abs(fine[rim, :2] - 2) > 1.6)
        )
        .any(1)
        .all()
    )
    assert (
        finer_loop([0, 1, 6, 5], level)[::2] == [0, 1, 6, 5]
        and len(finer_loop([0, 1, 6, 5], level)) == 8
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=16, max_size=16))
def test_partial_refinement_leaves_no_cracks(chosen):
    points, faces = grid(4)
    level = refine(faces, len(points), np.array(chosen), np.arange(len(points)).astype(float))
    fine = level.matrix @ points
    corners = np.where(level.faces >= 0, level.faces, level.faces[:, :1])
    p = fine[corners]
    area = 0.5 * np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])[:, 2]
    assert (area > 0).all()
    directed = {}
    for f in level.faces:
        used = [int(v) for v in f if v >= 0]
        for a, b in zip(used, used[1:] + used[:1]):
            assert (a, b) not in directed
            directed[a, b] = True
    rim = [(a, b) for a, b in directed if (b, a) not in directed]
    assert all(
        np.allclose(fine[[a, b]].min(0)[:2], 0)
        or (fine[[a, b], :2] < 0.2).any()
        or (fine[[a, b], :2] > 3.8).any()
        for a, b in rim
    )
    whole = catmull_clark(faces, len(points)).matrix @ points
    assert {tuple(q) for q in fine.round(9)} <= {tuple(q) for q in whole.round(9)}


def test_cage_is_all_quads_but_for_the_tubes_ends():
    cage = build_cage()
    vertices, faces, parts = cage.arrays()
    triangles = faces[:, 3] < 0
    assert set(np.unique(parts[triangles])) <= {
        'ear_L',
        'ear_R',
        'mouth_socket',
        'eye_socket_L',
        'eye_socket_R',
        'nostril_L',
        'nostril_R',
    }
    assert np.isfinite(vertices).all() and edges_of(faces)[2].max() == 2


def test_measured_table_is_small_and_symmetric():
    table = measured()
    flip = np.array([-1, 1, 1])
    mirror = table['mirror']
    np.testing.assert_allclose(table['mean'][mirror] * flip, table['mean'], atol=1e-5)
    np.testing.assert_allclose(table['modes'][:, mirror[:468]] * flip, table['modes'], atol=2e-3)
    assert table['quads'].shape == (426, 4) and len(np.unique(table['quads'])) == 468


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_alignment_undoes_a_similarity(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(20, 3))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    np.testing.assert_allclose(
        measure.aligned(rng.uniform(0.2, 5) * points @ q + rng.normal(size=3), points),
        points,
        atol=1e-9,
    )


def test_symmetric_mean_and_modes_of_made_up_people():
    """Noisy, turned, scaled copies of the committed mean give it back, and a planted mode."""
    table = measured()
    mirror = table['mirror']
    base = (table['mean'] - [0, 0.374, 9.902]) / measure.SCALE
    base[:, 2] -= (
        measure.TILT * ((table['mean'][:, 1] - 0.374) / measure.SCALE[1]) / measure.SCALE[2]
    )
    rng = np.random.default_rng(3)
    way = np.zeros_like(base)
    way[:468, 0] = base[:468, 0] * np.exp(-(((base[:468, 1] + 0.3) / 0.15) ** 2)) * 0.2
    people = []
    for _ in range(14):
        q = np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))[0]
        q *= np.sign(np.diag(q))
        people.append(
            (base + rng.normal() * way + rng.normal(size=base.shape) * 5e-4)
            @ q
            * rng.uniform(50, 200)
        )
    mean, found = measure.symmetric_mean(np.array(people))
    assert np.array_equal(found, mirror)
    shape = measure.calibrated(mean)
    assert np.linalg.norm(shape - table['mean'], axis=1)[:468].mean() < 0.35
    first = measure.variation(np.array(people), mean, mirror)[0]
    a, b = first[:, 0].ravel(), (way[:468, 0]).ravel()
    assert abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) > 0.8


def test_arch_is_measured_in_arc_length():
    s = np.linspace(-5, 5, 201)
    spot, normal = arch_point((2.6, 4.9, 5.2), s)
    np.testing.assert_allclose(np.linalg.norm(np.diff(spot, axis=0), axis=1), 0.05, rtol=0.03)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(spot[::-1] * [-1, 1], spot, atol=1e-9)


def test_measuring_a_photograph_without_a_face_says_so(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((300, 300, 3), 90, np.uint8))
    with pytest.raises(ValueError, match='no face'):
        measure.neutral_landmarks(tmp_path / 'grey.png')
