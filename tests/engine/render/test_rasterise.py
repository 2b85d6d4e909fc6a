"""The rasteriser against closed forms."""

import numpy as np
import pytest
import torch
from scenes import ball, square

from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.preview import (
    contact_sheet,
    render_camera,
    rotation_from_angles,
    shade_buffers,
)
from facewright.engine.render.rasterise import project, rasterise, rasterise_batch


def test_one_triangle_covers_the_pixels_whose_centres_lie_in_it():
    focal, size, depth = 10.0, (8, 8), 10.0
    pixels = np.array([[1.0, 1.0], [7.0, 1.0], [1.0, 7.0]])
    points = np.c_[(pixels - 4) * depth / focal, np.full(3, depth)]
    triangle, barycentric, z = rasterise(points, np.array([[0, 1, 2]]), focal, (4, 4), size)
    y, x = np.mgrid[:8, :8] + 0.5
    inside = (x > 1) & (y > 1) & (x + y < 8)
    on_edge = np.isclose(x + y, 8)
    assert ((triangle == 0) | on_edge)[inside | on_edge].all() and (
        triangle[~(inside | on_edge)] == -1
    ).all()
    np.testing.assert_allclose(z[triangle == 0], depth, rtol=1e-5)
    np.testing.assert_allclose(
        (barycentric @ pixels)[inside], np.stack([x, y], -1)[inside], atol=1e-4
    )


def test_barycentric_is_perspective_correct():
    points = np.array([[-2, -2, 4.0], [6, -2, 12.0], [-2, 6, 12.0]])
    triangle, barycentric, depth = rasterise(
        points, np.array([[0, 1, 2]]), 40.0, (32, 32), (64, 64)
    )
    hit = triangle == 0
    assert hit.sum() > 100
    y, x = np.nonzero(hit)
    np.testing.assert_allclose(
        project(barycentric[hit] @ points, 40.0, (32, 32)), np.c_[x, y] + 0.5, atol=1e-3
    )
    np.testing.assert_allclose((barycentric[hit] @ points)[:, 2], depth[hit], rtol=1e-4)


def test_the_nearest_wins_whatever_the_order():
    near, far = (
        np.array([[-5, -5, 5.0], [5, -5, 5], [0, 8, 5]]),
        np.array([[-9, -9, 9.0], [9, -9, 9], [0, 14, 9]]),
    )
    for points, expected in ((np.r_[near, far], 0), (np.r_[far, near], 1)):
        triangle, _, _ = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]]), 10.0, (8, 8), (16, 16))
        assert triangle[8, 8] == expected


def test_what_lies_behind_the_camera_is_not_drawn():
    triangle, _, _ = rasterise(
        np.array([[-1, -1, -3.0], [1, -1, -3], [0, 1, -3]]),
        np.array([[0, 1, 2]]),
        10.0,
        (4, 4),
        (8, 8),
    )
    assert (triangle == -1).all()


def test_quads_split_along_the_fixed_diagonal():
    assert triangulate(np.array([[0, 1, 2, 3], [4, 5, 6, -1]])).tolist() == [
        [0, 1, 2],
        [4, 5, 6],
        [0, 2, 3],
    ]


def test_normals_of_a_sphere_point_outwards():
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=3)
    normals = vertex_normals(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert (normals * ball.vertices).sum(1).min() > 0.99


@pytest.mark.parametrize(
    'angles,axis,expected',
    [
        ((90, 0, 0), (0, 0, 1), (1, 0, 0)),
        ((0, 90, 0), (0, 0, 1), (0, -1, 0)),
        ((0, 0, 90), (1, 0, 0), (0, 1, 0)),
    ],
)
def test_angles_turn_as_told(angles, axis, expected):
    np.testing.assert_allclose(rotation_from_angles(*angles) @ axis, expected, atol=1e-12)


def test_a_picture_behind_is_kept_where_nothing_is_drawn():
    backdrop = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    image = render_camera(
        np.array([[-1, -1, 5.0], [0, -1, 5], [-1, 0, 5]]),
        np.array([[0, 1, 2, -1]]),
        None,
        20.0,
        (8, 8),
        (16, 16),
        backdrop,
        1,
    )
    assert (image[10:] == backdrop[10:]).all() and (image[5, 5] != backdrop[5, 5]).any()
    assert contact_sheet([image] * 3, 2).shape == (32, 32, 3)


def test_shading_what_was_rasterised_is_rendering():
    points, triangles = ball()
    points, triangles = points[0].numpy().astype(float), triangles.numpy()
    colours = np.random.default_rng(0).uniform(0, 1, points.shape)
    camera = 60.0, (31.0, 33.0), (64, 70)
    image = render_camera(points, triangles, colours, *camera, supersample=1)
    assert (
        shade_buffers(points, triangles, colours, rasterise(points, triangles, *camera)) == image
    ).all()
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100


def camera(focal=60.0, centre=(31.0, 33.0), grad=False):
    return torch.tensor(focal, requires_grad=grad), torch.tensor(centre, requires_grad=grad)


def test_a_batch_is_its_pictures():
    points, triangles = ball()
    batch = torch.cat(
        [points, points + torch.tensor([0.3, -0.2, 1.0]), points * torch.tensor([0.5, 2, 1])]
    )
    focal, centre = torch.tensor([60.0, 70, 80]), torch.tensor([[32.0, 32], [30, 33], [31, 30]])
    seen = rasterise_batch(batch, triangles, focal, centre, (64, 70))
    for k in range(3):
        triangle, barycentric, depth = rasterise(
            batch[k].numpy().astype(float),
            triangles.numpy(),
            float(focal[k]),
            centre[k].tolist(),
            (64, 70),
        )
        assert (
            (seen.triangle[k].numpy() == triangle).all()
            and (seen.barycentric[k].numpy() == barycentric).all()
            and (seen.depth[k].numpy() == depth).all()
        )
        for t in np.unique(triangle[triangle >= 0]):
            y, x = np.nonzero(triangle == t)
            assert seen.box[k, t].tolist() == [x.min(), y.min(), x.max(), y.max()]
        hidden = np.setdiff1d(np.arange(len(triangles)), triangle)
        assert (seen.box[k, hidden, 2] < seen.box[k, hidden, 0]).all()


@pytest.mark.parametrize(
    'corners',
    [
        [[-30, 3, -10.0], [40, 3, 5], [-5, 3, 60]],
        [[-30, 3, -20.0], [40, 3, -15], [-5, 3, 60]],
        [[0, 3, -30.0], [9, 3, 40], [-25, 3, 4]],
    ],
)
@pytest.mark.parametrize('near', [0.1, 5.0])
def test_a_triangle_through_the_near_plane_is_cut_there(corners, near):
    """The floor y = 3: a pixel's ray meets it at depth 3 f / (y − cy)."""
    corners, (width, height), focal, centre = np.array(corners), (80, 60), 40.0, (38.0, 20.0)
    seen = rasterise_batch(
        torch.tensor(corners[None], dtype=torch.float32),
        torch.tensor([[0, 1, 2]]),
        focal,
        centre,
        (width, height),
        near,
    )
    y, x = np.mgrid[:height, :width] + 0.5
    with np.errstate(divide='ignore'):
        depth = 3 * focal / (y - centre[1])
    at = np.stack([(x - centre[0]) / focal * depth, depth, np.ones_like(x)], -1)
    shares = at @ np.linalg.inv(np.c_[corners[:, [0, 2]], np.ones(3)])
    inside = (shares > -1e-9).all(-1) & (y > centre[1]) & (depth >= near)
    drawn = seen.triangle[0].numpy() == 0
    assert (drawn == inside).all() and inside.sum() > 200
    np.testing.assert_allclose(seen.depth[0].numpy()[drawn], depth[drawn], rtol=1e-6)
    np.testing.assert_allclose(seen.barycentric[0].numpy()[drawn], shares[drawn], atol=1e-6)


def test_no_pixel_falls_between_two_triangles():
    """A jittered net over the whole picture, half of its vertices on pixels' centres."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:34, -1:34]
    pixels = np.stack([x, y], -1).reshape(-1, 2) * 2 + 0.5
    pixels[::2] += rng.uniform(-0.8, 0.8, (len(pixels[::2]), 2))
    depth = rng.uniform(40, 60, len(pixels))
    points = np.c_[(pixels - 32) * depth[:, None] / 100, depth]
    i = (np.arange(34)[:, None] * 35 + np.arange(34)).ravel()
    triangles = np.r_[np.c_[i, i + 1, i + 36], np.c_[i, i + 36, i + 35]]
    triangle, barycentric, _ = rasterise(points, triangles, 100.0, (32, 32), (64, 64))
    assert (triangle >= 0).all() and barycentric.min() >= -1e-6


def test_at_equal_depth_the_lowest_triangle_wins():
    points, _ = square(10, 10, 40, 40)
    for order in ([[0, 1, 2], [0, 2, 1], [1, 2, 0]], [[2, 0, 1], [0, 1, 2], [2, 1, 0]]):
        triangle = rasterise_batch(
            points, torch.tensor(order), 50.0, (32.0, 32.0), (64, 64)
        ).triangle
        assert set(triangle.unique().tolist()) == {-1, 0}


def test_what_is_not_finite_is_not_drawn():
    points, triangles = ball()
    whole = rasterise_batch(points, triangles, 60.0, (32.0, 32.0), (64, 64)).triangle
    points[0, 7] = float('nan')
    points[0, 9, 2] = float('inf')
    seen = rasterise_batch(points, triangles, 60.0, (32.0, 32.0), (64, 64))
    gone = ((triangles == 7) | (triangles == 9)).any(1)
    assert (
        not gone[seen.triangle[seen.triangle >= 0].long()].any()
        and torch.isfinite(seen.barycentric).all()
    )
    assert (seen.triangle == whole)[(whole >= 0) & ~gone[whole.long()]].all()


def closed_form(points, triangles, focal, centre, triangle):
    """Barycentrics and depths of the given triangles' pixels in float64: Σ uᵢ pᵢ = d."""
    b, y, x = (triangle >= 0).nonzero(as_tuple=True)
    corners = points[b[:, None], triangles[triangle[b, y, x].long()].long()]
    d = torch.stack(
        [
            (x.double() + 0.5 - centre[0]) / focal,
            (y.double() + 0.5 - centre[1]) / focal,
            torch.ones(len(x), dtype=torch.float64),
        ],
        -1,
    )
    u = torch.linalg.solve(corners.transpose(1, 2), d)
    return u / u.sum(1, keepdim=True), 1 / u.sum(1)


@pytest.mark.parametrize('kind', ['ball', 'floor'])
def test_gradients_are_those_of_the_closed_form(kind):
    if kind == 'ball':
        points, triangles = ball()
        points = torch.cat([points, points + torch.tensor([0.4, 0.1, -3.0])])
    else:
        points, triangles = (
            torch.tensor([[[-30, 3, -10.0], [40, 3, 5], [-5, 3, 60]]]),
            torch.tensor([[0, 1, 2]]),
        )
    focal, centre = camera(grad=True)
    points.requires_grad_()
    seen = rasterise_batch(points, triangles, focal, centre, (64, 70))
    drawn = seen.triangle >= 0
    rng = torch.Generator().manual_seed(0)
    weigh = (
        torch.randn(int(drawn.sum()), 3, generator=rng),
        torch.randn(int(drawn.sum()), generator=rng),
    )
    ((seen.barycentric[drawn] * weigh[0]).sum() + (seen.depth[drawn] * weigh[1]).sum()).backward()
    wide = [v.detach().double().requires_grad_() for v in (points, focal, centre)]
    barycentric, depth = closed_form(wide[0], triangles, wide[1], wide[2], seen.triangle)
    np.testing.assert_allclose(seen.barycentric[drawn].detach(), barycentric.detach(), atol=1e-6)
    np.testing.assert_allclose(seen.depth[drawn].detach(), depth.detach(), rtol=1e-6)
    ((barycentric * weigh[0]).sum() + (depth * weigh[1]).sum()).backward()
    for found, true in zip((points, focal, centre), wide):
        np.testing.assert_allclose(found.grad, true.grad, atol=2e-6 * float(true.grad.abs().max()))


def test_wrong_shapes_are_told():
    points, triangles = ball()
    for bad in (
        (points[0], triangles),
        (points.double(), triangles),
        (points[:, :9], triangles),
        (points, triangles - 1),
        (points, triangles[:, :2]),
        (points, triangles.float()),
    ):
        with pytest.raises(FacewrightError):
            rasterise_batch(*bad, 60.0, (32.0, 32.0), (64, 64))
    for focal, centre, size in (
        ([60.0] * 2, (32.0, 32.0), (64, 64)),
        (60.0, (32.0, 32.0, 1.0), (64, 64)),
        (60.0, (32.0, 32.0), (0, 64)),
    ):
        with pytest.raises(FacewrightError):
            rasterise_batch(points, triangles, focal, centre, size)
