"""The prior of a head's surface: closed forms of a flat square, and what most_likely solves."""

import numpy as np
import pytest

from facewright.engine.personal.options import PersonalOptions
from facewright.engine.personal.surface_prior import most_likely, surface_prior

SPACING, SIDE = 0.25, 49  # cm, points: 12 cm


def grid():
    """(SIDE²×3 vertices of a flat square, cm; its triangles)."""
    x, y = np.meshgrid(np.arange(SIDE) * SPACING, np.arange(SIDE) * SPACING)
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    corner = (np.arange(SIDE - 1)[:, None] * SIDE + np.arange(SIDE - 1)).ravel()
    a, b, c, d = corner, corner + 1, corner + SIDE + 1, corner + SIDE
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def test_a_shift_of_the_whole_costs_by_its_area_alone():
    options = PersonalOptions()
    vertices, triangles = grid()
    prior = surface_prior(vertices, triangles, options)
    area = (SPACING * (SIDE - 1)) ** 2
    ones = np.full(len(vertices), 0.1)
    expected = (0.1 / options.shift) ** 2 * area / options.shift_length**2
    assert ones @ prior @ ones == pytest.approx(expected, rel=1e-6)


def test_waves_cost_by_the_sixth_power_of_their_number():
    options = PersonalOptions(shift=1e6)
    vertices, triangles = grid()
    prior, costs = surface_prior(vertices, triangles, options), []
    for length in (6.0, 3.0):
        # ends flat: at an edge the cotangents' Laplacian also holds the slope
        wave = 0.1 * np.cos(2 * np.pi * vertices[:, 0] / length)
        costs.append(wave @ prior @ wave)
    area = (SPACING * (SIDE - 1)) ** 2
    expected = 0.5 * (0.1 / options.bend) ** 2 * area / options.bend_length**2
    assert costs[1] == pytest.approx(expected, rel=0.1)
    assert costs[1] / costs[0] == pytest.approx(64, rel=0.1)


def test_what_pictures_say_firmly_is_done_and_the_rest_is_smooth():
    vertices, triangles = grid()
    prior = surface_prior(vertices, triangles, PersonalOptions())
    middle = (SIDE // 2) * SIDE + SIDE // 2
    stiffness, force = np.zeros((len(vertices), 3, 3)), np.zeros((len(vertices), 3))
    stiffness[middle] = 1e9 * np.eye(3)
    before = np.zeros_like(force)
    before[:, 2] = 0.02
    force[middle, 2] = 1e9 * 0.08  # from 0.02: 0.1 in all
    found = most_likely(stiffness, force, prior, before)
    assert found[middle] == pytest.approx([0, 0, 0.1], abs=1e-6)
    assert found[middle + 1, 2] == pytest.approx(0.1, rel=0.05)
    assert abs(found[0, 2]) < 0.05
