"""u = (I + λL) v: round trips, gradients, and how far one vertex's gradient reaches."""

import numpy as np
import pytest
import torch

from facewright.engine.face_model import load_model
from facewright.engine.geometry.differential import DifferentialCoordinates
from facewright.engine.geometry.laplacian import edges_of, uniform_laplacian
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.shape_keys.tetrahedra import flesh, flesh_edges

DEVICES = ['cpu'] + (['cuda'] if torch.cuda.is_available() else [])
PATH = np.c_[np.arange(39), np.arange(1, 40)]


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype, close', [(torch.float64, 1e-10), (torch.float32, 1e-3)])
def test_round_trip(device, dtype, close):
    coordinates = DifferentialCoordinates(PATH, 40, device=device, dtype=dtype)
    v = torch.randn(
        54, 40, 3, dtype=dtype, device=device, generator=torch.Generator(device).manual_seed(0)
    )  # 162 right-hand sides
    u = coordinates.to_differential(v)
    expected = v.cpu().double().numpy() + 19 * np.stack(
        [uniform_laplacian(PATH, 40) @ x for x in v.cpu().double().numpy()]
    )
    assert np.allclose(u.cpu().numpy(), expected, atol=1e3 * close)
    assert torch.allclose(coordinates.from_differential(u), v, atol=close)


def test_batch_is_each_alone():
    coordinates = DifferentialCoordinates(PATH, 40, dtype=torch.float64)
    u = torch.randn(5, 40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = coordinates.from_differential(u)
    assert all(
        torch.allclose(coordinates.from_differential(u[i]), together[i], atol=1e-12)
        for i in range(5)
    )


@pytest.mark.parametrize('device', DEVICES)
def test_gradients(device):
    coordinates = DifferentialCoordinates(PATH[:5], 6, device=device, dtype=torch.float64)
    u = torch.randn(2, 6, 3, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(coordinates.from_differential, u)
    assert torch.autograd.gradgradcheck(coordinates.from_differential, u)
    assert torch.autograd.gradcheck(coordinates.to_differential, u)


def test_constants_stay():
    coordinates = DifferentialCoordinates(PATH, 40, dtype=torch.float64)
    v = torch.full((40, 3), 2.5, dtype=torch.float64)
    assert torch.allclose(coordinates.to_differential(v), v)


def test_a_gradient_on_one_vertex_decays_smoothly():
    """On a long path the solution is a two-sided geometric series: r + 1/r = 2 + 1/λ."""
    coordinates = DifferentialCoordinates(
        np.c_[np.arange(400), np.arange(1, 401)], 401, dtype=torch.float64
    )
    u = torch.zeros(401, 1, dtype=torch.float64, requires_grad=True)
    coordinates.from_differential(u)[200, 0].backward()
    spread = u.grad[200:230, 0].numpy()
    b = 2 + 1 / 19
    assert np.allclose(spread[1:] / spread[:-1], (b - np.sqrt(b * b - 4)) / 2, atol=1e-9)


def test_tetrahedra_carry_a_gradient_to_the_far_wall():
    """Two sheets without a common edge: only through tetrahedra does the far one feel the near."""
    a = np.arange(25).reshape(5, 5)
    quads = np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], -1).reshape(-1, 4)
    sheet = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    surface = np.concatenate([sheet, sheet + 25])
    prisms = np.concatenate([sheet, sheet + 25], 1)
    tetrahedra = np.concatenate(
        [prisms[:, [0, 1, 2, 5]], prisms[:, [0, 1, 4, 5]], prisms[:, [0, 3, 4, 5]]]
    )

    def felt(*cells):
        edges = np.unique(np.concatenate([edges_of(c) for c in cells]), axis=0)
        u = torch.zeros(50, 1, dtype=torch.float64, requires_grad=True)
        DifferentialCoordinates(edges, 50, dtype=torch.float64).from_differential(u)[
            12, 0
        ].backward()
        return u.grad[:, 0].numpy()

    alone, joined = felt(surface), felt(surface, tetrahedra)
    assert np.all(alone[25:] == 0) and joined[37] > 0.5 * joined[12] > 0
    assert np.all(joined > 0) and np.isclose(joined.sum(), 1)


def test_a_pull_at_the_nose_reaches_the_mouths_wall_through_the_flesh():
    """Paper 1's figure 8 in numbers: smooth over the skin, and felt behind it."""
    model = load_model('builtin')
    filled = flesh(model)
    total, tip = model.vertex_count + len(filled.points), model.landmarks68[30]

    def felt(edges):
        coordinates = DifferentialCoordinates(edges, total, dtype=torch.float64)
        u = torch.zeros(total, 1, dtype=torch.float64, requires_grad=True)
        coordinates.from_differential(u)[tip, 0].backward()
        return coordinates.from_differential(u.grad)[
            :, 0
        ].numpy()  # what a step along the gradient does to the vertices

    surface = edges_of(triangulate(model.faces))
    skin, both = felt(surface), felt(flesh_edges(model, filled))
    wall = model.regions['mouth_socket']
    assert both.min() > -1e-12 and both.argmax() == tip
    assert both[wall].max() > 10 * skin[wall].max() and np.all(skin[model.vertex_count :] == 0)
    assert (both[surface[:, 0]] - both[surface[:, 1]]).max() < 0.5 * both[tip], (
        'no jump from neighbour to neighbour'
    )
