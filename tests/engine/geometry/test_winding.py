"""Triangles wound alike: some turned over, pieces inside out, meshes that are right already."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.geometry.winding import wound_alike

BALL = trimesh.creation.icosphere(subdivisions=2)


def outwards(vertices, triangles) -> float:
    """The share of triangles whose normals point away from the origin."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(((normal * corners.mean(1)).sum(1) > 0).mean())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 0.99))
def test_whatever_is_turned_over_the_ball_looks_outwards(seed, share):
    triangles = np.array(BALL.faces)
    turned = np.random.default_rng(seed).random(len(triangles)) < share
    triangles[turned] = triangles[turned][:, ::-1]
    if turned.all():
        return
    mended = wound_alike(np.array(BALL.vertices), triangles)
    assert outwards(BALL.vertices, mended) == 1 or not turned.any()
    assert (np.sort(mended, 1) == np.sort(triangles, 1)).all()


def test_a_mesh_without_fault_comes_back_as_it_was():
    for triangles in (BALL.faces, BALL.faces[:, ::-1]):  # inside out whole: the caller sees to it
        assert (wound_alike(np.array(BALL.vertices), np.array(triangles)) == triangles).all()


def test_an_open_shell_of_which_half_is_turned_looks_outwards():
    triangles = BALL.faces[(BALL.vertices[BALL.faces][..., 2] > -0.2).all(1)].copy()
    triangles[::2] = triangles[::2, ::-1]
    assert outwards(BALL.vertices, wound_alike(np.array(BALL.vertices), triangles)) == 1


def test_an_eyeball_inside_out_follows_the_head():
    small = BALL.vertices * 0.2 + (0, 0, 0.9)
    triangles = np.concatenate([BALL.faces, BALL.faces[:, ::-1] + len(BALL.vertices)])
    mended = wound_alike(np.concatenate([BALL.vertices, small]), triangles)
    assert (mended[: len(BALL.faces)] == BALL.faces).all()
    assert outwards(small - (0, 0, 0.9), mended[len(BALL.faces) :] - len(BALL.vertices)) == 1


def test_three_triangles_on_an_edge_say_nothing():
    points = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)], float)
    triangles = np.array([(0, 1, 2), (0, 1, 3), (0, 1, 4)])
    assert (wound_alike(points, triangles) == triangles).all()


@pytest.mark.parametrize('count', [0, 1])
def test_hardly_a_mesh(count):
    triangles = np.array([(0, 1, 2)])[:count].reshape(-1, 3)
    assert (wound_alike(np.eye(3), triangles) == triangles).all()
