"""Where a mesh ends, and which points lie there."""

import numpy as np

from facewright.engine.geometry.border import Border

TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])  # a square, its diagonal 0–2


def test_a_square_ends_at_its_sides_not_at_its_diagonal():
    border = Border(TRIANGLES, 5)
    assert border.edges.tolist() == [
        [True, False, True],
        [True, True, False],
    ] and border.vertices.tolist() == [True] * 4 + [False]
    points = [
        (0, [0.5, 0.5, 0]),
        (0, [0.5, 0, 0.5]),
        (0, [1.0, 0, 0]),
        (1, [0.2, 0.3, 0.5]),
        (1, [0, 0.5, 0.5]),
        (-1, [0.0, 0, 0]),
    ]  # side, diagonal, corner, inside, side, none
    triangle, barycentric = np.array([t for t, _ in points]), np.array([b for _, b in points])
    assert border.holds(triangle, barycentric).tolist() == [True, False, True, False, True, False]


def test_a_closed_mesh_has_no_border():
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    assert not Border(tetrahedron, 4).edges.any() and not Border(tetrahedron, 4).vertices.any()
