"""Closest points and rays: closed forms, and trimesh's own."""

import numpy as np
import pytest
import trimesh

from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.closest import Surface, closest_on_triangles, interpolate

SQUARE = (
    np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float),
    np.array([[0, 1, 2], [0, 2, 3]]),
)


def ball(subdivisions=3, radius=10.0):
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def test_a_square_in_closed_form():
    surface = Surface(*SQUARE)
    points = np.array([[0.25, 0.5, 2.0], [3, 0.5, 0], [-1, -1, 0], [0.7, 0.2, -1]])
    triangle, barycentric, point, distance = surface.closest(points)
    assert np.allclose(point, [[0.25, 0.5, 0], [1, 0.5, 0], [0, 0, 0], [0.7, 0.2, 0]], atol=1e-12)
    assert np.allclose(distance, [2, 2, 2**0.5, 1], atol=1e-12)
    assert np.allclose(
        interpolate(surface.vertices, surface.triangles, triangle, barycentric), point
    )
    assert np.allclose(barycentric.sum(1), 1) and (barycentric >= 0).all()


def test_beyond_the_distance_there_is_none():
    triangle, barycentric, point, distance = Surface(*SQUARE).closest(
        np.array([[0.5, 0.5, 2.0], [0.5, 0.5, 0.5]]), max_distance=1
    )
    assert triangle[0] == -1 and triangle[1] >= 0
    assert (
        np.isinf(distance[0]) and (barycentric[0] == 0).all() and (point[0] == [0.5, 0.5, 2]).all()
    )


@pytest.mark.parametrize('offset', [(0, 0, 0), (1000, -2000, 500)])
def test_agrees_with_trimesh(offset):
    rng = np.random.default_rng(0)
    vertices, triangles = ball()
    vertices = vertices * (1 + 0.1 * rng.standard_normal((len(vertices), 1))) + offset
    points = rng.uniform(-15, 15, (500, 3)) + offset
    _, _, point, distance = Surface(vertices, triangles).closest(points)
    wanted, wanted_distance, _ = trimesh.proximity.closest_point(
        trimesh.Trimesh(vertices, triangles, process=False), points
    )
    assert np.abs(distance - wanted_distance).max() < 1e-5
    assert np.median(np.linalg.norm(point - wanted, axis=1)) < 1e-9


def test_points_on_the_surface_are_found_exactly():
    vertices, triangles = ball()
    rng = np.random.default_rng(1)
    face, weights = rng.integers(len(triangles), size=400), rng.dirichlet((1, 1, 1), 400)
    points = interpolate(vertices, triangles, face, weights)
    _, _, point, distance = Surface(vertices, triangles).closest(points)
    assert distance.max() < 1e-5 and np.abs(point - points).max() < 1e-5


def test_only_where_the_normal_agrees():
    lower, triangles = SQUARE
    vertices = np.concatenate([lower, lower + (0, 0, 0.2)])
    both = np.concatenate([triangles, triangles[:, ::-1] + 4])  # the upper square faces down
    points, normals = (
        np.array([[0.3, 0.4, 0.19], [0.3, 0.4, 0.19]]),
        np.array([[0, 0, 1.0], [0, 0, -1.0]]),
    )
    _, _, point, distance = Surface(vertices, both).closest(points, normals=normals, agreement=0.5)
    assert np.allclose(point[:, 2], [0, 0.2]) and np.allclose(distance, [0.19, 0.01])
    triangle, *_ = Surface(vertices, both).closest(
        points, normals=np.array([[1.0, 0, 0], [0, 1, 0]]), agreement=0.5
    )
    assert (triangle == -1).all()


def test_allowed_search_matches_a_search_of_the_allowed_part():
    rng = np.random.default_rng(2)
    vertices, triangles = ball(2)
    points = rng.uniform(-15, 15, (300, 3))
    left = vertices[triangles].mean(1)[:, 0] > 0
    groups = np.where(left, 2, 1)
    _, _, _, distance = Surface(vertices, triangles, groups).closest(
        points, groups=np.full(len(points), 2)
    )
    _, _, _, wanted = Surface(vertices, triangles[left]).closest(points)
    assert np.abs(distance - wanted).max() < 1e-5


def test_triangles_without_area_do_no_harm():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0]], float)
    barycentric, point = closest_on_triangles(
        np.array([[0.5, 1, 0], [3, 0, 0]]), vertices[[[0, 1, 2], [0, 3, 0]]]
    )
    assert np.allclose(point, [[0.5, 0, 0], [0, 0, 0]]) and np.isfinite(barycentric).all()


def test_rays_in_closed_form():
    vertices, triangles = ball(4)
    surface = Surface(vertices, triangles)
    triangle, barycentric, distance = surface.rays(
        np.array([[0, 0, 30.0], [0, 0, 30], [0, 0, 0]]),
        np.array([[0, 0, -2.0], [0, 0, 1], [0, 1, 0]]),
    )
    assert triangle[1] == -1 and np.isinf(distance[1])
    assert abs(distance[0] - 20) < 0.05 and abs(distance[2] - 10) < 0.05
    hit = interpolate(vertices, triangles, triangle[:1], barycentric[:1])
    assert np.allclose(hit[0], [0, 0, 30 - distance[0]], atol=1e-6)
    assert (
        surface.rays(np.array([[0, 0, 30.0]]), np.array([[0, 0, -1.0]]), max_distance=5)[0][0] == -1
    )


def test_bad_meshes_are_named():
    with pytest.raises(FacewrightError, match='no faces'):
        Surface(np.zeros((3, 3)), np.zeros((0, 3), int))
    with pytest.raises(FacewrightError, match='not finite'):
        Surface(np.full((3, 3), np.nan), [[0, 1, 2]])
    with pytest.raises(FacewrightError, match='missing vertices'):
        Surface(np.zeros((3, 3)), [[0, 1, 3]])


def test_no_points_no_answers():
    assert all(len(part) == 0 for part in Surface(*SQUARE).closest(np.zeros((0, 3))))
