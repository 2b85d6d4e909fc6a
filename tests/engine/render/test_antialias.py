"""Silhouettes: areas and their changes against closed forms, and what they are good for."""

import numpy as np
import pytest
import torch
from scenes import ball, flat, square

from facewright.engine.core.errors import FacewrightError
from facewright.engine.render import launch
from facewright.engine.render.antialias import antialias
from facewright.engine.render.interpolate import interpolate
from facewright.engine.render.rasterise import rasterise_batch

FOCAL, CENTRE, SIZE = 50.0, (32.0, 32.0), (64, 64)


def picture(points, triangles, colours=None, focal=FOCAL, centre=CENTRE, size=SIZE):
    """B×H×W×C over black; white without colours."""
    seen = rasterise_batch(points, triangles, focal, centre, size)
    colours = torch.ones(points.shape[1], 1) if colours is None else colours
    return antialias(interpolate(colours, triangles, seen), points, triangles, seen, focal, centre)


def disc(x, y, radius, rings=4, corners=48, rim=None, depth=10.0):
    """A disc of triangles; rim: the outermost ring's width in px."""
    radii = np.linspace(0, radius, rings + 1)[1:]
    if rim:
        radii = np.r_[radii[:-1], radius - rim, radius]
    angle = 2 * np.pi * np.arange(corners) / corners
    pixels = np.r_[[[x, y]], *(np.c_[x + r * np.cos(angle), y + r * np.sin(angle)] for r in radii)]
    i = np.arange(corners)
    j = (i + 1) % corners
    triangles = [np.c_[0 * i, 1 + i, 1 + j]]
    for ring in range(len(radii) - 1):
        inner, outer = 1 + ring * corners, 1 + (ring + 1) * corners
        triangles += [
            np.c_[inner + i, outer + i, outer + j],
            np.c_[inner + i, outer + j, inner + j],
        ]
    return flat(pixels, np.concatenate(triangles), FOCAL, CENTRE, depth)


@pytest.mark.parametrize('shift', [0.0, 0.2, 0.5, 0.77])
def test_a_square_s_area_is_exact_and_grows_by_its_sides(shift):
    points, triangles = square(10 + shift, 20.3, 30.6 + shift, 41.1)
    points.requires_grad_()
    area = picture(points, triangles).sum()
    assert float(area.detach()) == pytest.approx(
        20.6 * 20.8, abs=0.6
    )  # but for the corners, where rows' and columns' pairs meet
    area.backward()
    across = (
        points.grad[0] * torch.tensor([FOCAL / 10, FOCAL / 10, 1]) / (FOCAL / 10) ** 2
    )  # per pixel
    assert float(across[[1, 2], 0].sum()) == pytest.approx(20.8, abs=1) and float(
        across[[0, 3], 0].sum()
    ) == pytest.approx(-20.8, abs=1)
    assert float(across[[2, 3], 1].sum()) == pytest.approx(20.6, abs=1) and float(
        across[[0, 1], 1].sum()
    ) == pytest.approx(-20.6, abs=1)


@pytest.mark.parametrize('rim', [None, 0.02])
def test_a_disc_s_area_and_its_change_with_the_radius(rim):
    """Also where a rim of triangles too thin to be seen at any pixel carries the outline."""
    points, triangles = disc(31.7, 32.4, 20.3, corners=120, rim=rim)
    middle = points[:, :1]
    scale = torch.ones(1, requires_grad=True)
    area = picture(middle + (points - middle) * scale, triangles).sum()
    true = 60 * np.sin(2 * np.pi / 120) * 20.3**2
    assert float(area.detach()) == pytest.approx(true, rel=2e-3)
    area.backward()
    assert float(scale.grad) == pytest.approx(2 * true, rel=2e-2)


def moving(kind):
    """A loss of the picture of a ball before a coloured wall, as a function of one number.

    Smooth but for pixels changing hands.
    """
    points, triangles = ball(radius=2.0, depth=12.0, subdivisions=4)
    wall, wall_triangles = square(-9, -9, 80, 80, depth=30.0)
    joined = torch.cat([triangles, wall_triangles + points.shape[1]])
    colours = torch.cat(
        [
            0.5 + 0.4 * torch.sin(points[0] - points[0].mean(0)),
            torch.tensor([[0.1, 0.8, 0.3], [0.9, 0.2, 0.1], [0.2, 0.1, 0.9], [0.5, 0.6, 0.1]]),
        ]
    )
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing='ij')
    target = torch.stack(
        [0.5 + 0.5 * torch.sin(x / 9), 0.5 + 0.5 * torch.cos(y / 7), (x + y) / 128], -1
    )[None]
    focal, centre = torch.tensor(FOCAL), torch.tensor(CENTRE)

    def loss(s):
        moved, f, c = points, focal, centre
        if kind == 'position':
            moved = points + s * torch.tensor([1.0, -0.7, 0])
        elif kind == 'depth':
            moved = points + s * torch.tensor([0, 0, 1.0])
        elif kind == 'size':
            moved = (points - points.mean(1, keepdim=True)) * (1 + s) + points.mean(1, keepdim=True)
        elif kind == 'focal':
            f = focal + 10 * s
        else:
            c = centre + s * torch.tensor([3.0, 5.0])
        shown = picture(torch.cat([moved, wall], 1), joined, colours, f, c)
        return ((shown - target) ** 2).double().sum()

    return loss


@pytest.mark.parametrize('kind', ['position', 'depth', 'size', 'focal', 'centre'])
def test_gradients_are_finite_differences(kind):
    loss, s = (
        moving(kind),
        torch.tensor([0.001], requires_grad=True),
    )  # not 0: a symmetric picture has kinks there
    loss(s).backward()
    step = 2e-4  # small: the slope jumps where a pixel changes hands
    with torch.no_grad():
        slope = float(loss(s + step) - loss(s - step)) / (2 * step)
    assert float(s.grad) == pytest.approx(slope, rel=0.01)


def test_colours_gradients_are_exact():
    points, triangles = ball(depth=12.0)
    colours = torch.rand(
        points.shape[1], 2, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    weigh = torch.randn(1, 64, 64, 2, generator=torch.Generator().manual_seed(1))

    def loss(c):
        return (picture(points, triangles, c) * weigh).double().sum()

    loss(colours).backward()
    for direction in torch.randn(
        3, *colours.shape, generator=torch.Generator().manual_seed(2)
    ):  # linear: any step will do
        assert float((colours.grad * direction).sum()) == pytest.approx(
            float((loss(colours + direction) - loss(colours)).detach()), rel=1e-4
        )


@pytest.mark.parametrize('shape', ['disc', 'square'])
def test_the_gradient_moves_a_shape_onto_its_target(shape):
    make = (
        (lambda x, y: disc(x, y, 12.2))
        if shape == 'disc'
        else (lambda x, y: square(x - 11.2, y - 9.1, x + 11.2, y + 9.1))
    )
    with torch.no_grad():
        target = picture(*make(30.3, 33.6))
    points, triangles = make(38.9, 27.2)
    shift = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([shift], lr=0.2)
    for step in range(120):
        optimiser.param_groups[0]['lr'] = 0.2 * 0.96**step
        optimiser.zero_grad()
        loss = (
            (picture(points + torch.nn.functional.pad(shift, (0, 1)), triangles) - target) ** 2
        ).sum()
        loss.backward()
        optimiser.step()
    np.testing.assert_allclose(
        shift.detach().numpy() * FOCAL / 10, (30.3 - 38.9, 33.6 - 27.2), atol=0.05
    )


def test_only_outlines_are_blended():
    """Every pixel of another colour: what lies within a closed surface stays, outlines change."""
    points, triangles = ball(depth=12.0, subdivisions=4)
    seen = rasterise_batch(points, triangles, FOCAL, CENTRE, SIZE)
    noise = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    changed = (antialias(noise, points, triangles, seen, FOCAL, CENTRE) != noise).any(-1)[0]
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing='ij')
    from_rim = (torch.hypot(x - 32, y - 32) - FOCAL * 2 / np.sqrt(12**2 - 2**2)).abs()
    assert changed.any() and float(from_rim[changed].max()) < 1
    covered = float(
        antialias(
            (seen.triangle >= 0).float()[..., None], points, triangles, seen, FOCAL, CENTRE
        ).sum()
    )
    assert covered == pytest.approx(np.pi * FOCAL**2 * 4 / (12**2 - 2**2), rel=5e-3)


def test_the_nearer_outline_gets_the_gradient():
    near, triangles = square(20.2, 20.2, 40.4, 40.4, depth=10.0)
    far, _ = square(5, 5, 60, 60, depth=20.0)
    points = torch.cat([far, near], 1).requires_grad_()
    colours = torch.cat([torch.zeros(4, 1), torch.ones(4, 1)])
    shown = picture(points, torch.cat([triangles, triangles + 4]), colours)
    shown[:, 15:45, 15:45].sum().backward()
    assert points.grad[0, :4].abs().max() == 0 and points.grad[0, 4:, :2].abs().min() > 1


def test_corners_behind_the_camera_do_no_harm():
    """A wall from beside the camera to far ahead: its far edge, x = cx + f 4 / 40, pulls."""
    points = torch.tensor(
        [[[4.0, -90, -10], [4, 90, -10], [4, 90, 40], [4, -90, 40]]], requires_grad=True
    )
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    shown = picture(points, triangles, centre=(30.3, 32.0))
    assert (
        shown[0, :, 36:].min() > 0.99999
        and shown[0, :, :35].max() == 0
        and torch.allclose(shown[0, :, 35], torch.tensor(0.7), atol=1e-5)
    )
    shown.sum().backward()
    assert torch.isfinite(points.grad).all()
    assert float(points.grad[0, 2:, 0].sum()) == pytest.approx(-64 * FOCAL / 40, rel=1e-4)


def test_the_same_bits_on_one_core_and_on_more(monkeypatch):
    points, triangles = ball(depth=12.0)
    colours = torch.rand(points.shape[1], 3, generator=torch.Generator().manual_seed(0))
    results = []
    for cores in (1, 2, 2, 3):
        monkeypatch.setattr(launch, 'CORES', cores)
        monkeypatch.setattr(launch, 'LEAST', 1)
        own, own_colours, focal = (
            points.clone().requires_grad_(),
            colours.clone().requires_grad_(),
            torch.tensor(300.0, requires_grad=True),
        )
        shown = picture(own, triangles, own_colours, focal, (128.0, 128.0), (256, 256))
        (shown**2).sum().backward()
        results.append((shown.detach(), own.grad, own_colours.grad, focal.grad))
    assert all(
        (found == first).all() for result in results[1:] for found, first in zip(result, results[0])
    )


def test_nothing_in_view_and_wrong_shapes():
    points, triangles = square(100, 100, 120, 120)
    points.requires_grad_()
    shown = picture(points, triangles)
    shown.sum().backward()
    assert shown.abs().max() == 0 and points.grad.abs().max() == 0
    seen = rasterise_batch(points, triangles, FOCAL, CENTRE, SIZE)
    for bad in (
        torch.zeros(1, 64, 64),
        torch.zeros(1, 60, 64, 3),
        torch.zeros(1, 64, 64, 3, dtype=torch.float64),
    ):
        with pytest.raises(FacewrightError):
            antialias(bad, points, triangles, seen, FOCAL, CENTRE)


def test_a_head_s_outline_is_as_that_of_a_finer_picture():
    """Area and its changes beside differences of pictures with 8 × 8 samples a pixel."""
    from facewright.engine.face_model import load_model
    from facewright.engine.geometry.polygons import triangulate

    model = load_model('builtin')
    points = torch.tensor(
        (model.neutral - model.neutral.mean(0)) * (1, -1, -1) + (0, 0, 60), dtype=torch.float32
    )[None]
    triangles, focal = torch.tensor(triangulate(model.faces)), 500.0

    def weighed(points, fine):
        """The covered area, the right and the lower part weighing more."""
        size, middle = (
            320 * fine,
            (160.0 * fine, 160.0 * fine),
        )  # the slits behind the ears take pixels
        seen = rasterise_batch(points, triangles, focal * fine, middle, (size, size))
        mask = (seen.triangle >= 0).float()[..., None]
        if fine == 1:
            mask = antialias(mask, points, triangles, seen, focal, middle)
        at = (torch.arange(size) + 0.5) / size
        return (mask[0, :, :, 0] * (at + 2 * at[:, None])).double().sum() / fine**2

    own = points.clone().requires_grad_()
    area = weighed(own, 1)
    area.backward()
    assert float(area.detach()) == pytest.approx(float(weighed(points, 8)), rel=2e-3)
    for shift in torch.tensor([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.5]]):
        change = float(weighed(points + shift, 8) - weighed(points - shift, 8)) / 2
        assert float(own.grad.sum((0, 1)) @ shift) == pytest.approx(change, rel=0.03)
