"""The differentiable renderer at 504×896 on ICT; visibility alone beside Open3D's ray casting.

Open3D is no dependency: where it cannot be imported its row says so. `pip install --target FOLDER
open3d` and FACEWRIGHT_OPEN3D=FOLDER show it.
"""

import os
import sys
import time

import numpy as np
import pytest
import torch

from facewright.engine.face_model import load_model
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.antialias import antialias
from facewright.engine.render.interpolate import interpolate
from facewright.engine.render.launch import CORES
from facewright.engine.render.preview import head_to_camera
from facewright.engine.render.rasterise import rasterise, rasterise_batch

pytestmark = pytest.mark.bench
SIZE, CENTRE, DISTANCE, RUNS = (504, 896), (252.0, 448.0), 60.0, 15


@pytest.fixture(autouse=True)
def one_torch_thread():
    """As the solvers do: OpenMP's threads wait by spinning, on the cores that the kernels want."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def scene(shared_data):
    """Points V×3, triangles, focal length: the head fills three quarters of the picture."""
    model = load_model(str(shared_data / 'ict-facekit.tar.xz'))
    points = head_to_camera(model.neutral.astype(float), 10, 5, 0, DISTANCE, model.neutral.mean(0))
    return (
        points.astype(np.float32),
        triangulate(model.faces).astype(np.int32),
        1.3 * 560 / np.ptp(points[:, 0]) * DISTANCE,
    )


def measured(*jobs):
    """Milliseconds of each job, the jobs taken in turns.

    (Least wall, median wall, least processor time of all cores.)
    """
    taken = np.empty((RUNS, len(jobs), 2))
    for run in range(-1, RUNS):  # once to warm up
        for k, job in enumerate(jobs):
            began = time.perf_counter(), time.process_time()
            job()
            taken[run, k] = (
                1e3 * (time.perf_counter() - began[0]),
                1e3 * (time.process_time() - began[1]),
            )
    return [
        (f'{wall.min():.1f}', f'{np.median(wall):.1f}', f'{cpu.min():.1f}')
        for wall, cpu in taken.transpose(1, 2, 0)
    ]


def conditions():
    load = f', load average {os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else ''
    return f'{CORES} cores{load}'


def test_forward_and_backward(scene, table):
    points, triangles, focal = (torch.tensor(v) for v in scene)
    points, focal = points[None].requires_grad_(), float(focal)
    colours = torch.rand(
        points.shape[1], 3, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    target = torch.rand(1, *SIZE[::-1], 3, generator=torch.Generator().manual_seed(1))
    state = {}

    def visible():
        state['seen'] = rasterise_batch(points, triangles, focal, CENTRE, SIZE)

    def shown():
        state['shown'] = interpolate(colours, triangles, state['seen'])

    def blended():
        state['loss'] = (
            antialias(state['shown'], points, triangles, state['seen'], focal, CENTRE) * target
        ).sum()

    def backward():
        points.grad = colours.grad = None
        state['loss'].backward()

    def all_of_it():
        visible(), shown(), blended(), backward()

    names = (
        'rasterise_batch',
        'interpolate',
        'antialias and loss',
        'backward: positions and colours',
        'all of it',
    )
    rows = [
        (name, *times)
        for name, times in zip(names, measured(visible, shown, blended, backward, all_of_it))
    ]
    assert points.grad.isfinite().all() and colours.grad.abs().max() > 0
    covered = int((state['seen'].triangle >= 0).sum())
    table(
        f'Renderer, ICT, {SIZE[0]}×{SIZE[1]}, {covered:,} pixels covered, ms '
        f'(asked for: 100 on 2 cores); {conditions()}',
        ('step', 'least', 'median', 'least processor time, all cores'),
        rows,
    )


def test_visibility_beside_open3d(scene, table):
    points, triangles, focal = scene

    def ours():
        return rasterise(points, triangles, focal, CENTRE, SIZE)

    header = ('', 'least', 'median', 'least processor time, all cores')
    title = f'Visibility alone, ICT, {SIZE[0]}×{SIZE[1]}, ms; {conditions()}'
    if os.environ.get('FACEWRIGHT_OPEN3D'):
        sys.path.append(os.environ['FACEWRIGHT_OPEN3D'])
    try:
        import open3d
    except ImportError as error:
        table(
            title,
            header,
            [('facewright', *measured(ours)[0]), (f'Open3D: not here ({error})', '', '', '')],
        )
        return
    began = time.perf_counter()
    peer = open3d.t.geometry.RaycastingScene()
    peer.add_triangles(open3d.core.Tensor(points), open3d.core.Tensor(triangles.astype(np.uint32)))
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    rays = np.zeros((*x.shape, 6), np.float32)
    rays[..., 3:] = np.stack(
        [(x - CENTRE[0]) / focal, (y - CENTRE[1]) / focal, np.ones_like(x)], -1
    )
    rays = open3d.core.Tensor(rays)
    theirs = peer.cast_rays(rays)  # the first builds its tree
    built = 1e3 * (time.perf_counter() - began)
    rows = measured(ours, lambda: peer.cast_rays(rays))
    hit, seen = (
        np.isfinite(theirs['t_hit'].numpy()),
        rasterise(points, triangles, focal, CENTRE, SIZE)[0] >= 0,
    )
    table(
        title,
        header,
        [
            ('facewright', *rows[0]),
            (f'Open3D {open3d.__version__}, without the {built:.0f} ms to build', *rows[1]),
            (f'{(hit == seen).mean():.5%} of the pixels agree on hit or not', '', '', ''),
        ],
    )
