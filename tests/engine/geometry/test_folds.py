"""Folds and self-crossings: found in closed forms, gone after cleaning."""

import numpy as np
import pytest
import trimesh

from facewright.engine.geometry.folds import (
    Folds,
    LooseRegions,
    flipped,
    local_rotations,
    new_crossings,
    self_crossings,
    unfold,
)


def sheet(n=21, size=2.0):
    x, y = np.meshgrid(np.linspace(0, size, n), np.linspace(0, size, n), indexing='ij')
    vertices = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    i = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    return vertices, np.concatenate(
        [np.stack([i, i + n, i + n + 1], 1), np.stack([i, i + n + 1, i + 1], 1)]
    )


def two_sheets(gap):
    """Two sheets, face to face."""
    lower, triangles = sheet()
    return np.concatenate([lower, lower + (0.013, 0.007, gap)]), np.concatenate(
        [triangles, triangles[:, ::-1] + len(lower)]
    )


def test_no_crossings_in_a_ball():
    mesh = trimesh.creation.icosphere(3)
    assert len(self_crossings(mesh.vertices, mesh.faces)) == 0


def test_two_crossing_triangles():
    vertices = np.array(
        [
            [0, 0, 0],
            [1, 0, 0],
            [0, 1, 0],
            [0.2, 0.2, -1],
            [0.2, 0.2, 1],
            [0.3, 0.2, 1],
            [5, 5, 5],
            [6, 5, 5],
            [5, 6, 5],
        ],
        float,
    )
    triangles = np.arange(9).reshape(3, 3)
    assert self_crossings(vertices, triangles).tolist() == [[0, 1]]
    apart = vertices + np.array([0, 0, 9.0])[None] * (np.arange(9) // 3 == 1)[:, None]
    assert (
        new_crossings(apart, vertices, triangles).tolist() == [[0, 1]]
        and len(new_crossings(vertices, vertices, triangles)) == 0
    )


def test_a_turned_ball_is_not_flipped_and_its_rotations_are_found():
    mesh = trimesh.creation.icosphere(3)
    turn = trimesh.transformations.rotation_matrix(2.5, (1, 2, 3))[:3, :3]
    turned = mesh.vertices @ turn.T
    assert not flipped(mesh.vertices, turned, mesh.faces).any()
    assert np.allclose(local_rotations(mesh.vertices, turned, mesh.faces), turn, atol=1e-9)


def test_a_fold_is_found_and_smoothed():
    vertices, triangles = sheet()
    folded = vertices.copy()
    folded[10 * 21 + 10, 0] += 0.25  # over its neighbour
    flips = flipped(vertices, folded, triangles)
    assert flips.any() and (triangles[flips] == 10 * 21 + 10).any()
    flat, left = unfold(vertices, folded, triangles)
    assert left == 0 and not flipped(vertices, flat, triangles).any()
    far = np.linalg.norm(vertices - vertices[10 * 21 + 10], axis=1) > 0.6
    assert (flat[far] == folded[far]).all()


@pytest.mark.parametrize('depth', [0.01, 0.04])
def test_surfaces_that_went_through_each_other_are_put_apart(depth):
    vertices, triangles = two_sheets(0.05)
    after = vertices.copy()
    n = len(vertices) // 2
    bump = np.exp(-((vertices[n:] - (1, 1, 0.05)) ** 2).sum(1) / 0.08)
    after[n:, 2] -= (0.05 + depth) * bump
    assert len(new_crossings(vertices, after, triangles))
    apart, left = unfold(vertices, after, triangles)
    assert left == 0 and len(self_crossings(apart, triangles)) == 0
    assert (
        np.abs(apart - after).max() < 0.05 and np.abs(apart - vertices)[n:, 2].max() > 0.02
    )  # not put back where it was


def test_without_folds_nothing_moves():
    vertices, triangles = sheet()
    after = vertices * (1.2, 0.8, 1) + (0, 0, 3)
    out, left = unfold(vertices, after, triangles)
    assert left == 0 and (out == after).all()


def test_what_did_not_move_need_not_be_looked_at_again():
    vertices, triangles = two_sheets(0.05)
    finder, rng = Folds(vertices, triangles), np.random.default_rng(0)
    seen = finder.find(vertices)
    for _ in range(4):
        after = seen.vertices.copy()
        after[rng.choice(len(after), 9)] += rng.normal(size=(9, 3)) * 0.15
        seen, anew = finder.find(after, seen), finder.find(after)
        assert len(anew.fresh) and anew.flipped.any()
        assert (
            (seen.flipped == anew.flipped).all()
            and np.array_equal(seen.pairs, anew.pairs)
            and np.array_equal(seen.fresh, anew.fresh)
        )


def test_a_membrane_is_spanned_over_what_folded():
    vertices, triangles = sheet()
    moved = vertices + (0.1, 0, 0) + vertices[:, :1] * (0, 0, 0.3)  # what is linear is harmonic
    torn = moved.copy()
    torn[220] += (0.3, -0.2, 0.4)
    loose = LooseRegions(vertices, triangles)
    loose.spread(np.array([220]))
    assert np.allclose(loose.spanned(torn), moved, atol=1e-6)
