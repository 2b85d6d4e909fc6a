"""How far shapes are from the plain model's, and blends between the two."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facewright.engine.face_model import load_model
from facewright.engine.face_model.expressions import MERGED, TONGUE_OUT
from facewright.engine.geometry.rotations import so3_exp
from facewright.engine.shape_keys import comparison
from facewright.engine.shape_keys.comparison import Difference, blend_with_plain
from facewright.engine.shape_keys.plain import plain_expressions, plain_shapes

shares = st.floats(0, 1)
offsets = hnp.arrays(np.float64, (7, 3), elements=st.floats(-3, 3))
parts = hnp.arrays(np.float64, 7, elements=st.floats(0, 1))


@given(offsets, offsets, offsets)
def test_the_ends_of_a_blend_are_the_shapes_themselves(shape, plain, personal):
    assert np.array_equal(blend_with_plain(shape, plain, personal, 0.0), plain)
    assert np.array_equal(blend_with_plain(shape, plain, personal, 1.0), personal)
    assert np.array_equal(blend_with_plain(personal, plain, personal, 1.0), personal)


@given(offsets, offsets, offsets, shares, parts)
def test_a_blend_leaves_what_has_no_weight_and_is_linear(shape, plain, personal, share, weights):
    weights[:2] = 0
    out = blend_with_plain(shape, plain, personal, share, weights)
    assert np.array_equal(out[:2], shape[:2])
    ends = [blend_with_plain(shape, plain, personal, end, weights) for end in (0.0, 1.0)]
    assert np.allclose(out, (1 - share) * ends[0] + share * ends[1], atol=1e-12)
    whole = blend_with_plain(shape, plain, personal, share)
    assert np.allclose(out - shape, weights[:, None] * (whole - shape), atol=1e-12)


@given(offsets, offsets, shares, shares)
def test_where_a_blend_began_does_not_matter(plain, personal, first, second):
    once = blend_with_plain(personal, plain, personal, first)
    assert np.array_equal(
        blend_with_plain(once, plain, personal, second),
        blend_with_plain(personal, plain, personal, second),
    )


def test_figures_are_in_millimetres_of_what_either_shape_moves():
    plain, own = np.zeros((4, 3)), np.zeros((4, 3))
    plain[0], own[0] = (1, 0, 0), (1, 0.3, 0.4)
    own[1] = 0, 0, 0.1
    found = comparison.shape_difference(own, plain)
    assert found == Difference(pytest.approx(3.0), pytest.approx(5.0))
    assert comparison.shape_distance(own, plain) == pytest.approx([5, 1, 0, 0])
    assert comparison.shape_difference(plain, plain) == Difference(0, 0)
    assert comparison.shape_difference(0 * plain, 0 * plain).none


def test_a_neutral_is_compared_wherever_it_stands():
    mean = np.random.default_rng(0).normal(size=(50, 3)) * 5
    turn = so3_exp(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)).numpy()
    found = comparison.neutral_difference(mean @ turn.T + [3, 4, 5], mean)
    assert found.largest < 1e-9
    larger = comparison.neutral_difference(1.1 * mean @ turn.T + [3, 4, 5], mean)
    assert larger.largest == pytest.approx(np.linalg.norm(mean - mean.mean(0), axis=1).max())


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


def test_plain_shapes_are_the_model_s_but_for_lids_and_tongue(model):
    rng = np.random.default_rng(1)
    person = model.shape(rng.normal(size=len(model.identities)) * 0.6)
    names, shapes = plain_expressions(model, person)
    assert names == model.names
    differ = [
        name
        for name, one, own in zip(names, shapes, model.expressions)
        if not np.array_equal(one, own)
    ]
    assert differ == ['eyeBlink_L', 'eyeBlink_R', TONGUE_OUT]


def test_plain_shapes_have_arkit_s_merged_ones_and_nothing_unknown(model):
    other = np.ones_like(model.neutral)
    found = plain_shapes(
        model, model.neutral, dict.fromkeys(('browInnerUp', 'jawOpen', 'x'), other)
    )
    assert list(found) == ['browInnerUp', 'jawOpen']
    rows = [model.names.index(half) for half in MERGED['browInnerUp']]
    assert np.allclose(found['browInnerUp'], model.expressions[rows].sum(0))


def test_a_head_with_the_model_s_very_shapes_keeps_them(model):
    raw = model.expressions[model.names.index('eyeBlink_L')]
    kept = plain_shapes(model, model.neutral, {'eyeBlink_L': raw})['eyeBlink_L']
    met = plain_shapes(model, model.neutral, {'eyeBlink_L': 1.1 * raw})['eyeBlink_L']
    assert np.array_equal(kept, raw)
    assert 0.5 < comparison.shape_difference(met, raw).largest < 3


def test_it_is_said_in_sentences():
    same, other = Difference(0.0, 0.002), Difference(0.4, 1.25)
    assert comparison.shapes_in_words({'a': same}) == "This head's shapes are the model's own."
    assert comparison.shapes_in_words({'a': same, 'b': other}) == (
        "1 of 2 shapes differs from the model's, b the most: 0.40 mm in the mean, 1.25 mm at most."
    )
    assert comparison.difference_in_words('a', same) == "a is the model's own"
    assert 'by 0.40 mm in the mean, 1.25 mm at most' in comparison.difference_in_words('b', other)
    assert "the model's mean head" in comparison.difference_in_words('neutral', other)
