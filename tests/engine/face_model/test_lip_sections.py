"""Sections through the lips: where they meet, and a neutral whose lips do."""

import numpy as np
import pytest

from facewright.engine.face_model import load_model
from facewright.engine.face_model.lip_sections import (
    SAMPLES,
    aperture,
    clearance,
    lip_gaps,
    lip_sections,
    seal_lips,
)


@pytest.fixture(scope='module')
def model():
    return load_model().tracked


def of_shape(model, **weights):
    out = model.neutral.astype(np.float64)
    for name, weight in weights.items():
        out += weight * model.expressions[model.names.index(name)]
    return out


def test_sections_lie_on_either_lip_from_the_outside_inwards(model):
    sections = lip_sections(model)
    points = sections.on(model.neutral)
    assert points.shape == (2, len(sections.along), SAMPLES, 3)
    assert (np.diff(points[..., 0].mean(-1), axis=1) > 0).all()
    middle = len(sections.along) // 2
    assert (points[:, middle, 0, 2] > points[:, middle, -1, 2]).all()
    assert points[0, middle, 0, 1] > points[0, middle, SAMPLES // 2, 1]
    assert points[1, middle, 0, 1] < points[1, middle, SAMPLES // 2, 1]
    np.testing.assert_allclose(sections.rows.sum(1), 1)


def test_an_open_mouth_is_open_by_what_the_jaw_moves(model):
    sections = lip_sections(model)
    middle = len(sections.along) // 2
    gaps = lip_gaps(sections.on(of_shape(model, jawOpen=0.5)))
    moved = 0.5 * sections.on(model.expressions[model.names.index('jawOpen')])
    down = moved[0, middle, :, 1].min() - moved[1, middle, :, 1].min()
    assert gaps[middle] == pytest.approx(down, rel=0.1)
    assert gaps[0] < gaps[middle] and gaps[-1] < gaps[middle]


def test_lips_that_pass_through_one_another_are_told(model):
    sections = lip_sections(model)
    points = sections.on(model.neutral)
    points[0, :, :, 1] -= 0.1
    np.testing.assert_allclose(clearance(points).gap, -0.1, atol=0.02)
    assert (lip_gaps(points) < -0.05).all()
    before = points.copy()
    before[0, :, :, 2] += 5.0  # the upper lip far in front: it hides the lower one, and is free
    assert (aperture(before).gap < 0).all() and (lip_gaps(before) == 0).all()


def test_lips_that_hide_one_another_without_touching_stand_apart(model):
    """From the front they are shut; from above or below there are teeth between them."""
    points = lip_sections(model).on(model.neutral)
    points[0, :, :, 2] += 0.2
    middle = slice(4, 11)
    points[0, middle, :, 1] -= aperture(points).gap[middle, None]  # as low as shut from the front
    gaps = lip_gaps(points)[middle]
    assert (gaps > 0.005).all()
    points[0, middle, :, 1] -= gaps[:, None]
    np.testing.assert_allclose(lip_gaps(points)[middle], 0, atol=1e-9)


def test_a_sealed_neutral_is_shut_from_corner_to_corner(model):
    parted = of_shape(model, jawOpen=0.04, mouthUpperUp_L=0.1)
    sections = lip_sections(model, 31)
    assert lip_gaps(sections.on(parted)).max() > 0.1
    sealed = seal_lips(model, parted)
    np.testing.assert_allclose(lip_gaps(sections.on(sealed)), 0, atol=0.01)
    moved = np.abs(sealed - parted)
    assert moved[:, [0, 2]].max() < 1e-5
    assert moved[model.landmarks68[:48]].max() < 1e-5  # the rest of the face stays


def test_sealing_again_hardly_moves_anything(model):
    once = seal_lips(model, of_shape(model, mouthFunnel=0.1))
    np.testing.assert_allclose(seal_lips(model, once), once, atol=3e-3)
