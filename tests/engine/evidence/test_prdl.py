"""PRDL against its definition by brute force, its gradient and its Gauss-Newton form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.evidence import mean_distance as mean_module
from facewright.engine.evidence.mean_distance import (
    anchor_lines,
    mean_distance,
    mean_distance_gradient,
)
from facewright.engine.evidence.part_evidence import fewer_rows
from facewright.engine.evidence.prdl import (
    MaskSide,
    farthest_first,
    furthest,
    gauss_newton,
    mask_side,
    nearest,
    prdl,
)


def brute(points: np.ndarray, size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """3×h×w: nearest, furthest and mean distance, every pair (eq. 4)."""
    x, y = anchor_lines(size, stride)
    low, high, total = (
        np.full((len(y), len(x)), np.inf),
        np.zeros((len(y), len(x))),
        np.zeros((len(y), len(x))),
    )
    for p in points:
        d = np.sqrt((y[:, None] - p[1]) ** 2 + (x - p[0]) ** 2)
        low, high, total = np.minimum(low, d), np.maximum(high, d), total + d
    return np.stack([low, high, total / len(points)])


def ellipse(
    size: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]
) -> np.ndarray:
    x, y = anchor_lines(size)
    return ((x - centre[0]) / radii[0]) ** 2 + ((y[:, None] - centre[1]) / radii[1]) ** 2 < 1


def loss_and_gradient(
    points: np.ndarray, side: MaskSide, stride: int = 1
) -> tuple[float, np.ndarray]:
    p = torch.tensor(points, requires_grad=True)
    loss = prdl(p, side, stride)
    loss.backward()
    return float(loss.detach()), p.grad.numpy()


@pytest.mark.parametrize('stride', [1, 3, 4])
@pytest.mark.parametrize('count', [1, 2, 40, 700])
def test_distances_equal_brute_force(count, stride):
    rng = np.random.default_rng(count)
    size = (112, 90)
    points = (
        rng.uniform(-8, 1, (count, 2)) + rng.uniform(0, 1, (count, 2)) * size
    )  # some outside of the picture
    found = (
        nearest(points, size, stride)[1],
        furthest(points, size, stride)[1],
        mean_distance(points, size, stride),
    )
    np.testing.assert_allclose(np.stack(found), brute(points, size, stride), atol=1e-5)


def test_loss_equals_its_definition_on_224():
    """Eq. 5 by brute force.

    Of eq. 4's three distances over all 224² anchors; the mask beyond 3000 pixels, so both sets are
    sampled.
    """
    rng = np.random.default_rng(0)
    size = (224, 224)
    side = mask_side(ellipse(size, (118, 100), (70, 60)))
    assert len(side.points) == 3000
    points = side.points[::5] * 0.9 + (15, 4) + rng.normal(size=(600, 2))
    target = brute(side.points, size)
    np.testing.assert_allclose(
        np.stack([side.nearest(), side.furthest(), side.mean()]), target, atol=1e-5
    )
    assert loss_and_gradient(points, side)[0] == pytest.approx(
        ((brute(points, size) - target) ** 2).sum() / 224**2, rel=1e-6
    )


def test_the_same_set_costs_nothing():
    side = mask_side(ellipse((64, 48), (30, 20), (18, 9)))
    loss, gradient = loss_and_gradient(side.points.copy(), side)
    assert loss == 0 and (gradient == 0).all()


def test_moving_both_sets_by_whole_pixels_moves_the_anchors_only():
    """The distances to a set that moved are those from the anchors before it."""
    points = np.random.default_rng(3).uniform(20, 40, (30, 2))
    for find in (
        lambda p: nearest(p, (64, 64))[1],
        lambda p: furthest(p, (64, 64))[1],
        lambda p: mean_distance(p, (64, 64)),
    ):
        np.testing.assert_allclose(find(points + (3, 5))[5:, 3:], find(points)[:-5, :-3], atol=1e-9)


def test_one_anchor_in_closed_form():
    """Eq. 11 where one point is all three.

    −∂E/∂v = 2(v − a)(d* / d − 1), three times since with one point nearest, furthest and mean
    are one.
    """
    side = MaskSide(np.array([[3.5, 4.5]]), (1, 1))
    a, v = np.array([0.5, 0.5]), np.array([[6.5, 8.5]])
    loss, gradient = loss_and_gradient(v, side)
    d, target = 10.0, 5.0
    assert loss == pytest.approx(3 * (d - target) ** 2)
    np.testing.assert_allclose(-gradient[0], 3 * 2 * (v[0] - a) * (target / d - 1), rtol=1e-12)


def test_gradient_is_the_sum_over_anchors():
    """Eq. 12 written out, each anchor's nearest and furthest point found by brute force."""
    rng = np.random.default_rng(4)
    size = (24, 20)
    side, points = mask_side(ellipse(size, (10, 9), (6, 4))), rng.uniform(2, 20, (15, 2))
    target, expected = brute(side.points, size), np.zeros((15, 2))
    x, y = anchor_lines(size)
    for row, ay in enumerate(y):
        for column, ax in enumerate(x):
            away = points - (ax, ay)
            d = np.linalg.norm(away, axis=1)
            for n, wanted in ((d.argmin(), target[0]), (d.argmax(), target[1])):
                expected[n] -= 2 * away[n] * (wanted[row, column] / d[n] - 1)
            expected += 2 * (d.mean() - target[2][row, column]) * away / d[:, None] / len(points)
    np.testing.assert_allclose(
        loss_and_gradient(points, side)[1], expected / (24 * 20), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize('count', [20, 900])  # summed pair by pair, and through the grid
def test_gradient_equals_finite_differences(count):
    rng = np.random.default_rng(count)
    size = (96, 80)
    side = mask_side(ellipse(size, (50, 40), (25, 16)))
    points = rng.uniform((20, 15), (85, 70), (count, 2))
    _, gradient = loss_and_gradient(points, side)
    direction = rng.normal(size=points.shape)
    step = 1e-5
    plus, minus = (loss_and_gradient(points + s * step * direction, side)[0] for s in (1, -1))
    assert (plus - minus) / (2 * step) == pytest.approx((gradient * direction).sum(), rel=1e-4)


def test_mean_through_the_grid_equals_pair_by_pair(monkeypatch):
    rng = np.random.default_rng(5)
    points, weight = rng.uniform(-30, 250, (500, 2)), rng.normal(size=(224, 224))
    points[:20] = np.floor(points[:20]) + 0.5  # on anchors
    quick = mean_distance(points, (224, 224)), mean_distance_gradient(points, (224, 224), weight)
    monkeypatch.setattr(mean_module, 'FEW', 10**9)
    np.testing.assert_allclose(quick[0], mean_distance(points, (224, 224)), atol=1e-5)
    np.testing.assert_allclose(
        quick[1] * 500, mean_distance_gradient(points, (224, 224), weight) * 500, atol=1e-3
    )


@pytest.mark.parametrize('stride', [1, 4])
def test_gauss_newton_agrees_with_autograd(stride):
    rng = np.random.default_rng(6)
    size = (56, 48)
    side, points = mask_side(ellipse(size, (30, 22), (14, 8))), rng.uniform(5, 45, (60, 2))
    terms = gauss_newton(points, side, stride, stride)
    loss, gradient = loss_and_gradient(points, side, stride)
    assert terms.cost == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(
        terms.gradient + np.einsum('rnk,r->nk', terms.rows, terms.residual),
        gradient,
        rtol=1e-7,
        atol=1e-10,
    )
    assert np.linalg.eigvalsh(terms.curvature).min() > -1e-12


def test_gauss_newton_finds_shift_and_size():
    """A few steps on a set's translation and scale bring it onto the mask."""
    size = (224, 224)
    side = mask_side(ellipse(size, (120, 100), (30, 12)))
    shape = (side.points[farthest_first(side.points, 300)] - (120, 100)) / 30
    state = np.array([90.0, 130.0, np.log(18.0)])
    for _ in range(12):
        points = shape * np.exp(state[2]) + state[:2]
        by = np.zeros((300, 2, 3))
        by[:, 0, 0] = by[:, 1, 1] = 1
        by[:, :, 2] = points - state[:2]
        terms = gauss_newton(points, side)
        rows = np.einsum('rnk,nkj->rj', terms.rows, by)
        hessian = np.einsum('nki,nkl,nlj->ij', by, terms.curvature, by) + rows.T @ rows
        state -= np.linalg.solve(
            hessian, np.einsum('nkj,nk->j', by, terms.gradient) + rows.T @ terms.residual
        )
    np.testing.assert_allclose(state[:2], (120, 100), atol=0.6)
    assert np.exp(state[2]) == pytest.approx(30, abs=0.6)


def test_empty_masks_and_empty_parts_weigh_nothing():
    empty, full = mask_side(np.zeros((40, 40), bool)), mask_side(np.ones((40, 40), bool))
    points = np.random.default_rng(7).uniform(0, 40, (9, 2))
    loss, gradient = loss_and_gradient(points, empty)
    assert loss == 0 and gradient.shape == (9, 2) and (gradient == 0).all()
    assert loss_and_gradient(np.zeros((0, 2)), full)[0] == 0
    terms = gauss_newton(points, empty)
    assert (
        terms.cost == 0
        and not terms.gradient.any()
        and not terms.curvature.any()
        and terms.rows.shape == (0, 9, 2)
        and terms.residual.shape == (0,)
    )


@pytest.mark.parametrize(
    'points',
    [
        [[20.5, 20.5]],
        [[20.5, 20.5]] * 4,
        [[5.0, 5.0], [10.0, 10.0], [15.0, 15.0], [20.0, 20.0], [25.0, 25.0]],
        [[1e6, -1e6]],
        [[-500.0, 20.0], [700.0, 20.5]],
    ],
    ids=['on an anchor', 'four in one place', 'on a line', 'far away', 'both sides of the picture'],
)
def test_degenerate_sets_stay_finite(points):
    side = mask_side(ellipse((48, 48), (24, 24), (9, 6)))
    loss, gradient = loss_and_gradient(np.array(points), side)
    terms = gauss_newton(np.array(points), side)
    assert np.isfinite(loss) and loss > 0 and np.isfinite(gradient).all()
    assert all(
        np.isfinite(a).all() for a in (terms.gradient, terms.curvature, terms.rows, terms.residual)
    )


@pytest.mark.parametrize('points', [np.full((4, 2), np.nan), np.zeros((4, 3)), np.zeros(4)])
def test_bad_points_are_refused(points):
    side = mask_side(np.ones((8, 8), bool))
    with pytest.raises(FacewrightError):
        prdl(torch.tensor(points), side)
    with pytest.raises(FacewrightError):
        gauss_newton(points, side)


def test_float32_points_keep_their_type():
    side = mask_side(ellipse((48, 48), (24, 24), (9, 6)))
    p = torch.tensor([[20.0, 21.0], [28.0, 25.0]], requires_grad=True)
    loss = 2 * prdl(p, side)
    loss.backward()
    assert loss.dtype == p.grad.dtype == torch.float32


def test_farthest_first_is_greedy_and_repeatable():
    points = np.random.default_rng(8).uniform(size=(200, 3))
    order = farthest_first(points, 50)
    assert (order == farthest_first(points, 50)).all() and len(set(order)) == 50
    for k in range(1, 50):
        gap = np.linalg.norm(points[:, None] - points[order[:k]], axis=2).min(1)
        assert gap[order[k]] == pytest.approx(gap.max())
    assert (farthest_first(points, 500) == np.arange(200)).all()


def test_farthest_first_thins_a_grid_evenly():
    """Where most gaps are equal no end of the mask may come first.

    The middle of the sample is the mask's.
    """
    mask = ellipse((224, 224), (112, 112), (75, 70))
    rows, columns = np.nonzero(mask)
    np.testing.assert_allclose(
        mask_side(mask).points.mean(0), (columns.mean() + 0.5, rows.mean() + 0.5), atol=0.7
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.6),
    st.integers(1, 12),
    st.integers(1, 17),
    st.integers(1, 13),
)
def test_any_mask_and_any_points(seed, density, count, width, height):
    rng = np.random.default_rng(seed)
    mask, points = rng.random((height, width)) < density, rng.normal(size=(count, 2)) * 10 + 5
    side = mask_side(mask)
    loss, gradient = loss_and_gradient(points, side)
    assert len(side.points) == mask.sum() and np.isfinite(gradient).all()
    if not mask.any():
        assert loss == 0
        return
    size = (width, height)
    expected = ((brute(points, size) - brute(side.points, size)) ** 2).sum() / (width * height)
    assert loss == pytest.approx(expected, rel=1e-9)
    terms = gauss_newton(points, side, 1, 1)
    np.testing.assert_allclose(
        terms.gradient + np.einsum('rnk,r->nk', terms.rows, terms.residual),
        gradient,
        rtol=1e-7,
        atol=1e-9,
    )


def test_few_rows_say_nearly_the_same_of_the_mean():
    """32 rows in place of the 196 anchors': the same gradient and curvature, twice the same."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:224, :224]
    side = mask_side(((x - 110) / 30) ** 2 + ((y - 120) / 12) ** 2 < 1, 400)
    terms = gauss_newton(rng.uniform([80, 105], [146, 141], (100, 2)), side)
    rows, residual = fewer_rows(terms.rows, terms.residual, 32)
    assert rows.shape == (32, 100, 2)
    flat, whole = rows.reshape(32, -1), terms.rows.reshape(196, -1)
    for found, expected in (
        (flat.T @ residual, whole.T @ terms.residual),
        (flat.T @ flat, whole.T @ whole),
    ):
        assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
    again = fewer_rows(terms.rows, terms.residual, 32)
    assert np.array_equal(rows, again[0]) and np.array_equal(residual, again[1])
