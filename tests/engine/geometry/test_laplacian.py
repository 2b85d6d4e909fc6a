"""Laplacians against graphs and energies that can be written down."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.geometry.laplacian import (
    cotangent_laplacian,
    edges_of,
    mass,
    uniform_laplacian,
)

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def grid(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n×n vertices of a randomly bent sheet, and its triangles."""
    y, x = np.mgrid[:n, :n].reshape(2, -1)
    a = np.arange(n * n).reshape(n, n)
    quads = np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], -1).reshape(-1, 4)
    return np.c_[x, y, 0 * x] + 0.2 * rng.normal(size=(n * n, 3)), np.concatenate(
        [quads[:, :3], quads[:, [0, 2, 3]]]
    )


def test_edges_of_triangles_and_tetrahedra():
    assert edges_of(TWO).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    assert edges_of(np.array([[3, 1, 0, 2]])).tolist() == [
        [0, 1],
        [0, 2],
        [0, 3],
        [1, 2],
        [1, 3],
        [2, 3],
    ]


def test_uniform_laplacian_of_a_known_graph():
    expected = [[3, -1, -1, -1], [-1, 2, -1, 0], [-1, -1, 3, -1], [-1, 0, -1, 2]]
    assert np.array_equal(uniform_laplacian(edges_of(TWO), 4).toarray(), expected)


def test_cotangent_laplacian_of_a_square():
    expected = [
        [1, -0.5, 0, -0.5],
        [-0.5, 1, -0.5, 0],
        [0, -0.5, 1, -0.5],
        [-0.5, 0, -0.5, 1],
    ]  # the diagonal sees right angles: no weight
    assert np.allclose(cotangent_laplacian(SQUARE, TWO).toarray(), expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_cotangent_laplacian_is_the_dirichlet_energy(seed):
    rng = np.random.default_rng(seed)
    v, t = grid(6, rng)
    laplacian = cotangent_laplacian(v, t)
    assert (
        np.allclose(laplacian @ np.ones(len(v)), 0, atol=1e-9)
        and abs(laplacian - laplacian.T).max() < 1e-12
    )
    area = (
        np.linalg.norm(np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]]), axis=1).sum() / 2
    )
    assert np.isclose(
        np.trace(v.T @ (laplacian @ v)), 2 * area
    )  # each triangle's identity map has energy 2·area
    assert np.isclose(mass(v, t).sum(), area)


def test_mass_of_a_tetrahedron():
    v = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5.0]])
    assert np.allclose(mass(v, np.array([[0, 1, 2, 3]])), [1 / 24] * 4 + [0])


def test_a_flat_triangle_stays_finite():
    assert np.isfinite(
        cotangent_laplacian(
            np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0.0]]), np.array([[0, 1, 2]])
        ).toarray()
    ).all()
