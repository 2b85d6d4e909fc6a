"""ARAP: rigid motions are free, each turn lowers the energy, a batch is its members."""

import numpy as np
import pytest
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.arap import Arap
from facewright.engine.geometry.laplacian import mass


def blob(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of a bumpy grid and the tetrahedra between them, all positive, slivers left in."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), -1).reshape(-1, 3) + 0.25 * rng.normal(
        size=(125, 3)
    )
    cells = Delaunay(points).simplices
    volume = np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]])
    cells[volume < 0] = cells[volume < 0][:, [1, 0, 2, 3]]
    return points, cells


def sheet(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = np.arange(64).reshape(8, 8)
    quads = np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], -1).reshape(-1, 4)
    points = np.stack([*np.mgrid[:8, :8].reshape(2, -1), np.zeros(64)], 1) + 0.2 * rng.normal(
        size=(64, 3)
    )
    return points, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])


MESHES = {'tetrahedra': blob, 'triangles': sheet}
TURN = Rotation.from_rotvec([0.9, -1.4, 0.6]).as_matrix()


@pytest.mark.parametrize('kind', MESHES)
def test_rigid_motion(kind):
    points, cells = MESHES[kind]()
    fixed = np.arange(len(points)) % 5 == 0
    moved = points @ TURN.T + (3, -2, 7)
    arap = Arap(points, cells, fixed)
    exact = arap.solve(moved[None], moved[None], iterations=3)[0]
    assert np.abs(exact - moved).max() < 1e-8 and arap.energy(moved[None])[0] < 1e-8
    found = arap.solve(moved[None], iterations=3000, tolerance=1e-12)[0]
    assert np.abs(found - moved).max() < 1e-6


def test_energy_of_a_tetrahedron_is_volume_times_distance_to_a_rotation():
    points = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
    arap = Arap(points, np.array([[0, 1, 2, 3]]), np.ones(4, bool))
    stretched = points @ (TURN @ np.diag([1.5, 1, 0.6])).T
    assert np.allclose(
        arap.energy(np.stack([2 * points, stretched])),
        mass(points, np.array([[0, 1, 2, 3]])).sum() * np.array([3, 0.25 + 0.16]),
    )


def test_an_affine_map_is_continued_at_once():
    corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.3, 0.25]])
    arap = Arap(
        corner, np.array([[0, 1, 2, 4], [0, 1, 3, 4], [0, 2, 3, 4], [1, 2, 3, 4]]), np.arange(5) < 4
    )
    affine = corner @ np.array([[1.2, 0.1, 0], [0, 0.8, 0.3], [0.2, 0, 1.0]]) + 1
    assert np.allclose(arap.harmonic(affine[None])[0], affine)


@pytest.mark.parametrize('kind', MESHES)
def test_energy_falls(kind):
    points, cells = MESHES[kind]()
    fixed = np.arange(len(points)) < 12
    fixed |= np.arange(len(points)) >= len(points) - 12
    target = points.copy()
    target[-12:] = (target[-12:] - target[-12:].mean(0)) @ TURN.T + target[-12:].mean(0) + (1, 2, 0)
    arap = Arap(points, cells, fixed)
    at, last = None, np.inf
    for _ in range(12):
        at = arap.solve(target[None], at, iterations=1)
        now = arap.energy(at)[0]
        assert now <= last * (1 + 1e-9)
        last = now
    assert np.array_equal(at[0, fixed], target[fixed])


@pytest.mark.parametrize('kind', MESHES)
def test_a_batch_is_its_members_and_the_factor_serves_again(kind):
    points, cells = MESHES[kind]()
    fixed = np.arange(len(points)) % 4 == 0
    targets = points + np.random.default_rng(1).normal(size=(6, *points.shape)) * 0.3
    arap = Arap(points, cells, fixed)
    together = arap.solve(targets, iterations=4)
    for k in range(6):
        assert np.allclose(arap.solve(targets[k : k + 1], iterations=4)[0], together[k], atol=1e-9)
    assert np.array_equal(arap.solve(targets, iterations=4), together)
    assert np.allclose(
        Arap(points, cells, fixed).solve(targets, iterations=4), together, atol=1e-12
    )


def test_what_no_cell_uses_comes_back():
    points, cells = blob()
    more = np.r_[points, [[9, 9, 9.0]]]
    fixed = np.arange(126) < 30
    assert np.array_equal(
        Arap(more, cells, fixed).solve(more[None] + 1, iterations=2)[0, 125], [10, 10, 10]
    )


def test_a_piece_with_nothing_fixed_is_named():
    points, cells = blob()
    fixed = np.r_[np.ones(125, bool), np.zeros(125, bool)]
    with pytest.raises(FacewrightError, match='no fixed vertex'):
        Arap(np.r_[points, points + 20], np.r_[cells, cells + 125], fixed)


def test_flat_and_inverted_cells_stay_finite():
    points = np.array(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0.5, 0.5, 1], [0.4, 0.4, -1e-9]]
    )
    cells = np.array([[0, 1, 2, 3], [0, 1, 2, 4], [1, 3, 2, 4], [0, 1, 2, 5]])
    out = Arap(points, cells, np.array([1, 1, 1, 0, 0, 0], bool)).solve(points[None], iterations=3)[
        0
    ]
    assert np.isfinite(out).all() and np.abs(out - points).max() < 1e-6
