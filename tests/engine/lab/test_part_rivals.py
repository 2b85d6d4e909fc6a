"""The losses PRDL is compared with.

Closed forms, gradients against finite differences, empty sets.
"""

import numpy as np
import pytest
import torch

from facewright.engine.lab.part_rivals import (
    chamfer,
    density_aware_chamfer,
    icp_from_target,
    icp_to_target,
    iou_loss,
    rendered_parts,
    soft_silhouette,
)

SQUARE = np.array([[8.0, 8.0], [24.0, 8.0], [24.0, 24.0], [8.0, 24.0]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def test_one_pair_of_points():
    p = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    target = np.zeros((1, 2))
    assert icp_to_target(p, target) == icp_from_target(p, target) == 25 and chamfer(p, target) == 50
    assert density_aware_chamfer(p, target, 0.1) == pytest.approx(1 - np.exp(-2.5))


def test_icp_is_one_sided():
    """Predicted points that all lie on one of the target's cost nothing from prediction to
    target."""
    p, target = torch.zeros(5, 2, dtype=torch.float64), np.array([[0.0, 0.0], [6.0, 8.0]])
    assert icp_to_target(p, target) == 0 and icp_from_target(p, target) == 50


@pytest.mark.parametrize('loss', [chamfer, density_aware_chamfer, icp_from_target, icp_to_target])
def test_gradients_of_points(loss):
    rng = np.random.default_rng(0)
    p, target = (
        torch.tensor(rng.uniform(0, 30, (20, 2)), requires_grad=True),
        rng.uniform(5, 40, (50, 2)),
    )
    assert torch.autograd.gradcheck(lambda q: loss(q, target), p)
    assert loss(p, np.zeros((0, 2))) == 0 and loss(p[:0], target) == 0


@pytest.mark.parametrize('kind', ['softras', 'dibr'])
def test_a_soft_square(kind):
    """Inside nearly 1, far outside 0, more covered the nearer to the edge.

    The IoU with itself nearly 1.
    """
    picture = soft_silhouette(torch.tensor(SQUARE), TRIANGLES, (32, 32), kind)
    assert picture[16, 12] > 0.99 and picture[2, 2] < 1e-6
    mask = torch.zeros(32, 32, dtype=torch.float64)
    mask[8:24, 8:24] = 1
    assert (
        iou_loss(picture, mask) < 0.1
        and iou_loss(mask, mask) == 0
        and iou_loss(picture, 0 * mask) == 0
    )
    column = picture[16, 20:28]
    assert (column[:-1] >= column[1:]).all()


@pytest.mark.parametrize('kind', ['softras', 'dibr'])
def test_gradients_of_soft_silhouettes(kind):
    p = torch.tensor(
        SQUARE + np.random.default_rng(1).normal(size=(4, 2)) * 0.2, requires_grad=True
    )
    mask = torch.zeros(32, 32, dtype=torch.float64)
    mask[10:28, 10:28] = 1

    def loss(q):
        return iou_loss(soft_silhouette(q, TRIANGLES, (32, 32), kind, 4e-3), mask)

    loss(p).backward()
    step = 1e-6 * torch.tensor(np.random.default_rng(2).normal(size=(4, 2)))
    with torch.no_grad():
        assert float(loss(p + step) - loss(p - step)) / 2 == pytest.approx(
            float((p.grad * step).sum()), rel=1e-3
        )


def test_rendered_parts_are_pulled_towards_the_mask():
    points = torch.tensor(
        [[-4.0, -4.0, 30.0], [4.0, -4.0, 30.0], [4.0, 4.0, 30.0], [-4.0, 4.0, 30.0]],
        requires_grad=True,
    )
    parts = torch.ones(4, 1)
    picture = rendered_parts(
        points, torch.as_tensor(TRIANGLES.astype(np.int32)), parts, 60.3, (16.0, 16.0), (32, 32)
    )[..., 0]
    assert picture[16, 16] == 1 and picture[2, 2] == 0
    mask = torch.zeros(32, 32)
    mask[8:24, 12:28] = 1
    iou_loss(picture, mask).backward()
    assert (
        points.grad[:, 0].sum() < 0
    )  # the mask lies to the right: down the gradient is to the right
