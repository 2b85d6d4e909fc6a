"""What belongs to triangles alone."""

import gc
import weakref

import pytest
import torch

from facewright.engine.core.errors import FacewrightError
from facewright.engine.render.topology import gather, topology


def test_corners_and_what_lies_across():
    mesh = topology(torch.tensor([[0, 1, 2], [0, 2, 3], [5, 2, 1]]))
    start, corners = mesh.corners
    assert [corners[start[v] : start[v + 1]].tolist() for v in range(6)] == [
        [0, 3],
        [1, 8],
        [2, 4, 7],
        [5],
        [],
        [6],
    ]
    assert mesh.across.tolist() == [[6, 5, -1], [-1, -1, 1], [0, -1, -1]]
    assert mesh.vertices == 6


def test_three_triangles_at_an_edge_know_one_of_the_others():
    across = topology(torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]])).across
    partners = [(across[t, 2] // 3).item() for t in range(3)]
    assert all(partner in {0, 1, 2} - {t} for t, partner in enumerate(partners))


def test_sums_at_the_vertices():
    mesh = topology(torch.tensor([[0, 1, 2], [0, 2, 3]]))
    values = torch.arange(24, dtype=torch.float64).reshape(2, 6, 2)
    assert gather(values, mesh, 5)[:, :, 0].tolist() == [[6, 2, 12, 10, 0], [30, 14, 36, 22, 0]]
    assert gather(values, mesh, 5, common=True)[0, :, 0].tolist() == [36, 16, 48, 32, 0]


def test_kept_with_the_tensor_and_made_anew_when_it_changes():
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    first = topology(triangles)
    assert topology(triangles) is first
    triangles[1, 2] = 9
    assert topology(triangles).vertices == 10
    gone = weakref.ref(topology(triangles))
    del triangles, first
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    'bad',
    [
        torch.zeros(0, 3, dtype=torch.int32),
        torch.zeros(3, dtype=torch.int32),
        torch.zeros(2, 4, dtype=torch.int32),
        torch.zeros(2, 3),
        torch.tensor([[0, 1, -1]]),
    ],
)
def test_what_are_no_triangles(bad):
    with pytest.raises(FacewrightError):
        topology(bad)
