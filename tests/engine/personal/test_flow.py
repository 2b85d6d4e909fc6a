"""What pictures say of motion: a square whose texture is known, moved by less than a pixel."""

import numpy as np
import pytest

from facewright.engine.personal.appearance import (
    first_appearance,
    fit_appearance,
    linear_colours,
)
from facewright.engine.personal.flow import vertex_flow
from facewright.engine.personal.options import PersonalOptions
from facewright.engine.personal.refine import projection_of
from facewright.engine.personal.skin_pixels import SkinSurface, skin_pixels
from facewright.engine.texture.texel_samples import GAMMA

SIZE, FOCAL, DEPTH = 96, 120.0, 30.0
CENTRE = np.array([SIZE / 2, SIZE / 2])


def square():
    """(V×3 vertices of a square facing the camera, cm; its surface, with uvs in 0..1)."""
    x, y = np.meshgrid(np.linspace(-9, 9, 13), np.linspace(-9, 9, 13))
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, DEPTH)], 1)
    corner = (np.arange(12)[:, None] * 13 + np.arange(12)).ravel()
    a, b, c, d = corner, corner + 1, corner + 14, corner + 13
    triangles = np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)]).astype(np.int32)
    uvs = ((points[:, :2] + 9) / 18).astype(np.float32)
    return points, SkinSurface(triangles, uvs[triangles], np.ones(len(triangles), bool))


def texture(uv):
    """Display colours in 0..1 at n×2 texture coordinates: waves of some ten pixels."""
    x, y = 35 * uv[:, 0], 35 * uv[:, 1]
    waves = [np.sin(x + 0.3 * y), np.cos(0.4 * x - y), np.sin(0.8 * x) * np.cos(0.7 * y)]
    return 0.5 + 0.15 * np.stack(waves, 1)


def picture_of(points, surface):
    """H×W×3 uint8 of the square, bright as its texture says, grey round it."""
    blank = np.full((SIZE, SIZE, 3), 100, np.uint8)
    pixels = skin_pixels(surface, points, FOCAL, CENTRE, blank, np.ones((SIZE, SIZE), bool))
    blank.reshape(-1, 3)[pixels.place] = np.round(255 * texture(pixels.uv))
    return blank


@pytest.mark.parametrize('moved', [(0.06, 0.0), (0.0, -0.08), (0.05, 0.03)])
def test_a_square_that_moved_is_told_how_far(moved):
    points, surface = square()
    shift = np.array([*moved, 0.0])  # cm: up to a third of a pixel
    seen = picture_of(points + shift, surface)
    pixels = skin_pixels(surface, points, FOCAL, CENTRE, seen, np.ones((SIZE, SIZE), bool))
    projection = projection_of(points, np.eye(3, 4), FOCAL)
    flow = vertex_flow(texture(pixels.uv), seen, pixels, projection, PersonalOptions(robust=100))
    stiffness, force = flow.stiffness.sum(0)[:2, :2], flow.force.sum(0)[:2]
    assert np.linalg.solve(stiffness, force) == pytest.approx(moved, abs=0.006)
    assert np.linalg.eigvalsh(flow.stiffness).min() > -1e-6 * flow.stiffness.max()


def test_light_and_shadow_are_no_motion():
    points, surface = square()
    seen = picture_of(points, surface).astype(float)
    darker = np.linspace(1, 0.7, SIZE)[None, :, None]
    pixels = skin_pixels(
        surface, points, FOCAL, CENTRE, seen.astype(np.uint8), np.ones((SIZE, SIZE), bool)
    )
    flow = vertex_flow(
        texture(pixels.uv),
        (seen * darker).astype(np.uint8),
        pixels,
        projection_of(points, np.eye(3, 4), FOCAL),
        PersonalOptions(robust=100),
    )
    told = np.linalg.solve(flow.stiffness.sum(0)[:2, :2], flow.force.sum(0)[:2])
    assert np.abs(told).max() < 0.01


def test_the_projection_is_the_derivative_of_the_pixels():
    rng = np.random.default_rng(0)
    head, pose = rng.normal(size=(5, 3)), np.eye(3, 4)
    pose[:, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    pose[:, 3] = 1.0, -2.0, 40.0

    def pixels(points):
        camera = points @ pose[:, :3].T + pose[:, 3]
        return FOCAL * camera[:, :2] / camera[:, 2:]

    found = projection_of(head @ pose[:, :3].T + pose[:, 3], pose, FOCAL)
    for axis in range(3):
        step = 1e-5 * np.eye(3)[axis]
        slope = (pixels(head + step) - pixels(head - step)) / 2e-5
        assert found[:, :, axis] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_albedo_and_light_of_a_picture_are_found():
    points, surface = square()
    colours = picture_of(points, surface)
    pixels = skin_pixels(surface, points, FOCAL, CENTRE, colours, np.ones((SIZE, SIZE), bool))
    views = np.zeros(2, int)
    both = np.stack([colours, colours])
    found = fit_appearance(first_appearance(1, 256), both, views, [pixels] * 2, 2)
    error = found.shown(pixels, 0) - linear_colours(colours, pixels) ** (1 / GAMMA)
    assert np.sqrt((error**2).mean()) < 0.01


def test_a_view_s_exposure_is_its_light_s():
    points, surface = square()
    colours = picture_of(points, surface)
    pixels = skin_pixels(surface, points, FOCAL, CENTRE, colours, np.ones((SIZE, SIZE), bool))
    darker = np.round(255 * ((colours / 255) ** GAMMA / 2) ** (1 / GAMMA)).astype(np.uint8)
    found = fit_appearance(
        first_appearance(2, 256), np.stack([colours, darker]), np.arange(2), [pixels] * 2, 3
    )
    ratio = found.shade(pixels, 1).mean() / found.shade(pixels, 0).mean()
    assert ratio == pytest.approx(0.5, rel=0.02)


def test_skin_turned_away_at_an_edge_or_overexposed_is_not_looked_at():
    points, surface = square()
    colours = picture_of(points, surface)
    colours[40:50, 40:50] = 255
    face = np.ones((SIZE, SIZE), bool)
    face[60:70] = False
    pixels = skin_pixels(surface, points, FOCAL, CENTRE, colours, face)
    there = np.zeros((SIZE, SIZE), bool)
    there.ravel()[pixels.place] = True
    assert not there[38:52, 38:52].any() and not there[58:72].any()
    assert there[30, 30]
    assert len(pixels.place) > 1000
    away = skin_pixels(
        surface, points @ _about_y(80).T + [0, 0, 0.8 * DEPTH], FOCAL, CENTRE, colours, face
    )
    assert not len(away.place)
    flow = vertex_flow(
        np.zeros((0, 3)),
        colours,
        away,
        projection_of(points, np.eye(3, 4), FOCAL),
        PersonalOptions(),
    )
    assert not flow.stiffness.any() and not flow.force.any() and np.isfinite(flow.noise)


def _about_y(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
