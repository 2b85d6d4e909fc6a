"""The rasteriser against closed forms."""
import numpy as np
import pytest
from facewright.engine.face_model.model import triangulate
from facewright.engine.mesh.normals import vertex_normals
from facewright.engine.render.preview import contact_sheet, render_camera, rotation_from_angles
from facewright.engine.render.rasterise import project, rasterise


def test_one_triangle_covers_the_pixels_whose_centres_lie_in_it():
    focal, size, depth = 10., (8, 8), 10.
    pixels = np.array([[1., 1.], [7., 1.], [1., 7.]])
    points = np.c_[(pixels - 4) * depth / focal, np.full(3, depth)]
    triangle, barycentric, z = rasterise(points, np.array([[0, 1, 2]]), focal, (4, 4), size)
    y, x = np.mgrid[:8, :8] + .5
    inside = (x > 1) & (y > 1) & (x + y < 8)
    on_edge = np.isclose(x + y, 8)
    assert ((triangle == 0) | on_edge)[inside | on_edge].all() and (triangle[~(inside | on_edge)] == -1).all()
    np.testing.assert_allclose(z[triangle == 0], depth, rtol=1e-5)
    np.testing.assert_allclose((barycentric @ pixels)[inside], np.stack([x, y], -1)[inside], atol=1e-4)


def test_barycentric_is_perspective_correct():
    points = np.array([[-2, -2, 4.], [6, -2, 12.], [-2, 6, 12.]])
    triangle, barycentric, depth = rasterise(points, np.array([[0, 1, 2]]), 40., (32, 32), (64, 64))
    hit = triangle == 0
    assert hit.sum() > 100
    y, x = np.nonzero(hit)
    np.testing.assert_allclose(project(barycentric[hit] @ points, 40., (32, 32)), np.c_[x, y] + .5, atol=1e-3)
    np.testing.assert_allclose((barycentric[hit] @ points)[:, 2], depth[hit], rtol=1e-4)


def test_the_nearest_wins_whatever_the_order():
    near, far = np.array([[-5, -5, 5.], [5, -5, 5], [0, 8, 5]]), np.array([[-9, -9, 9.], [9, -9, 9], [0, 14, 9]])
    for points, expected in ((np.r_[near, far], 0), (np.r_[far, near], 1)):
        triangle, _, _ = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]]), 10., (8, 8), (16, 16))
        assert triangle[8, 8] == expected


def test_what_lies_behind_the_camera_is_not_drawn():
    triangle, _, _ = rasterise(np.array([[-1, -1, -3.], [1, -1, -3], [0, 1, -3]]), np.array([[0, 1, 2]]), 10., (4, 4), (8, 8))
    assert (triangle == -1).all()


def test_quads_split_along_the_fixed_diagonal():
    assert triangulate(np.array([[0, 1, 2, 3], [4, 5, 6, -1]])).tolist() == [[0, 1, 2], [4, 5, 6], [0, 2, 3]]


def test_normals_of_a_sphere_point_outwards():
    import trimesh
    ball = trimesh.creation.icosphere(subdivisions=3)
    normals = vertex_normals(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert (normals * ball.vertices).sum(1).min() > .99


@pytest.mark.parametrize('angles,axis,expected', [((90, 0, 0), (0, 0, 1), (1, 0, 0)), ((0, 90, 0), (0, 0, 1), (0, -1, 0)), ((0, 0, 90), (1, 0, 0), (0, 1, 0))])
def test_angles_turn_as_told(angles, axis, expected):
    np.testing.assert_allclose(rotation_from_angles(*angles) @ axis, expected, atol=1e-12)


def test_a_picture_behind_is_kept_where_nothing_is_drawn():
    backdrop = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    image = render_camera(np.array([[-1, -1, 5.], [0, -1, 5], [-1, 0, 5]]), np.array([[0, 1, 2, -1]]), None, 20., (8, 8), (16, 16), backdrop, 1)
    assert (image[10:] == backdrop[10:]).all() and (image[5, 5] != backdrop[5, 5]).any()
    assert contact_sheet([image] * 3, 2).shape == (32, 32, 3)
