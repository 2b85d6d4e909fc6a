"""Untangling: the energy's gradient, a cube's middle righted, what is upright left alone."""

import numpy as np
from scipy.optimize import check_grad

from facewright.engine.geometry import untangle as module
from facewright.engine.geometry.untangle import cell_sizes, relax, signed_volumes, untangle


def cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(points, cells of positive volume, free): a cube's triangles joined to its middle."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    faces = np.array(
        [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    )
    triangles = np.concatenate([faces[:, :3], faces[:, [0, 2, 3]]])
    points = np.r_[corners, [[0.5, 0.5, 0.5]]]
    cells = np.c_[triangles, np.full(12, 8)]
    wrong = signed_volumes(points, cells) < 0
    cells[wrong] = cells[wrong][:, [1, 0, 2, 3]]
    return points, cells, np.arange(9) == 8


def test_volumes_and_sizes():
    points, cells, _ = cube()
    assert np.allclose(signed_volumes(points, cells), 1 / 12)
    assert np.allclose(signed_volumes(np.stack([points, 2 * points]), cells)[1], 8 / 12)
    assert np.isclose(
        cell_sizes(
            np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]), np.array([[0, 1, 2, 3]])
        )[0],
        np.sqrt(8),
    )


def test_a_point_outside_comes_back_in():
    points, cells, free = cube()
    for start in ((1.4, 0.5, 0.5), (-0.3, 1.2, 0.9), (3, 3, 3)):
        tangled = points.copy()
        tangled[8] = start
        out = untangle(tangled, cells, free, cell_sizes(points, cells))
        assert (signed_volumes(out, cells) > 0).all()
        assert np.array_equal(out[:8], points[:8])


def test_what_is_upright_is_left_alone():
    points, cells, free = cube()
    assert untangle(points, cells, free, cell_sizes(points, cells)) is points


def test_what_cannot_be_righted_comes_back_or_better():
    points, cells, free = cube()
    folded = points.copy()
    folded[0] = (0.9, 0.9, 0.9)  # a fixed corner pushed through the middle
    before = (signed_volumes(folded, cells) <= 0).sum()
    out = untangle(folded, cells, free, cell_sizes(points, cells))
    assert (signed_volumes(out, cells) <= 0).sum() <= before and np.isfinite(out).all()


def test_relaxing_finds_the_middle():
    points, cells, free = cube()
    off = points.copy()
    off[8] = (0.2, 0.7, 0.4)
    out = relax(off, cells, free, np.ones(12), epsilons=(1e-3,), bound=1e9, until_upright=False)
    assert np.allclose(out[8], 0.5, atol=1e-3)


def test_gradient(monkeypatch):
    points, cells, free = cube()
    calls = []
    monkeypatch.setattr(
        module,
        'minimize',
        lambda value, x, args, **kw: calls.append((value, x)) or type('R', (), {'x': x}),
    )
    relax(
        points + 0.2 * np.random.default_rng(0).normal(size=points.shape),
        cells,
        ~free,
        cell_sizes(points, cells),
        epsilons=(0.1,),
    )
    value, x = calls[0]
    for epsilon in (0.1, 1.0):
        assert (
            check_grad(
                lambda y, epsilon=epsilon: value(y, epsilon)[0],
                lambda y, epsilon=epsilon: value(y, epsilon)[1].copy(),
                x,
                epsilon=1e-7,
            )
            < 1e-4
        )
