"""The renderer elsewhere: against closed forms, CPU against CUDA, run against run, and its times.

    python tests/bench/renderer_device.py [cpu|cuda] [HEAD.npz]
    python tests/bench/renderer_device.py --save HEAD.npz [MODEL]

With HEAD.npz the first needs torch, warp-lang and numpy only. The second writes it (points in
camera space, triangles) where the face model can be opened.

Without HEAD.npz the built-in head is opened (which needs what the engine needs). Exit code 1 where
something does not agree.
"""

import argparse
import importlib.util
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
_worker.register_package(ROOT)

from facewright.engine.render.antialias import antialias  # noqa: E402
from facewright.engine.render.interpolate import interpolate  # noqa: E402
from facewright.engine.render.launch import CORES  # noqa: E402
from facewright.engine.render.rasterise import rasterise_batch  # noqa: E402
from facewright.engine.render.shading import shade  # noqa: E402
from facewright.engine.render.texture import texture  # noqa: E402

SIZE, CENTRE, DISTANCE = (504, 896), (252.0, 448.0), 60.0
failed = []


def head(source: str = 'builtin') -> tuple[np.ndarray, np.ndarray]:
    """Points V×3 in camera space, triangles T×3."""
    if source.endswith('.npz'):
        with np.load(source) as file:
            return file['points'], file['triangles']
    from facewright.engine.face_model import load_model
    from facewright.engine.geometry.polygons import triangulate

    model = load_model(source)
    points = (model.neutral - model.neutral.mean(0)) * (1, -1, -1) + (0, 0, DISTANCE)
    return points.astype(np.float32), triangulate(model.faces).astype(np.int32)


def focal_of(points: np.ndarray) -> float:
    """The head's width as wide as the picture and a half: about three quarters of it covered."""
    return 1.45 * SIZE[0] * DISTANCE / np.ptp(points[:, 0])


def run(
    points: np.ndarray, triangles: np.ndarray, device: str, count: int = 1, backward: bool = True
) -> dict[str, torch.Tensor]:
    """Everything once: `count` pictures of a textured, lit head whose gradients go everywhere."""
    random = np.random.default_rng(0)

    def put(value: np.ndarray) -> torch.Tensor:
        return torch.tensor(value, device=device)

    batch = put(
        np.stack([points + 0.1 * k for k in range(count)]).astype(np.float32)
    ).requires_grad_()
    colours = put(random.random((len(points), 3), np.float32)).requires_grad_()
    image = put(random.random((256, 256, 3), np.float32)).requires_grad_()
    light = put(random.random((9, 3), np.float32)).requires_grad_()
    focal, centre = (
        put(np.float32(focal_of(points))).requires_grad_(),
        put(np.float32(CENTRE)).requires_grad_(),
    )
    corners = put(triangles)
    target = put(random.random((1, *SIZE[::-1], 3), np.float32))
    seen = rasterise_batch(batch, corners, focal, centre, SIZE)
    values = interpolate(torch.cat([colours.expand(count, -1, -1), batch / 30], 2), corners, seen)
    lit = shade(
        values[..., :3] * texture(image, values[..., 3:5] + 0.5, 'wrap'),
        values[..., 3:] - torch.tensor([0.0, 0, 2], device=device),
        light,
    )
    shown = antialias(lit, batch, corners, seen, focal, centre)
    out = {
        'triangle': seen.triangle,
        'barycentric': seen.barycentric,
        'depth': seen.depth,
        'shown': shown,
    }
    if backward:
        ((shown - target) ** 2).sum().backward()
        out |= {
            'to points': batch.grad,
            'to colours': colours.grad,
            'to texture': image.grad,
            'to light': light.grad,
            'to focal': focal.grad,
            'to centre': centre.grad,
        }
    return {name: value.detach().cpu() for name, value in out.items()}


def tell(what: str, good: bool, detail: str = '') -> None:
    print(f'{"ok  " if good else "BAD "} {what}{": " + detail if detail else ""}', flush=True)
    if not good:
        failed.append(what)


def closed_forms(device: str) -> None:
    """A floor through the near plane, a disc's area and its change, a square's pull."""
    corners = torch.tensor([[[-30.0, 3, -10], [40, 3, 5], [-5, 3, 60]]], device=device)
    triangles = torch.tensor([[0, 1, 2]], device=device)
    seen = rasterise_batch(corners, triangles, 40.0, (38.0, 20.0), (80, 60), 5.0)
    y, x = np.mgrid[:60, :80] + 0.5
    depth = 120 / (y - 20)
    at = np.stack([(x - 38) / 40 * depth, depth, np.ones_like(x)], -1)
    shares = at @ np.linalg.inv(np.c_[corners[0, :, [0, 2]].cpu(), np.ones(3)])
    inside = (shares > -1e-9).all(-1) & (y > 20) & (depth >= 5)
    drawn = seen.triangle[0].cpu().numpy() == 0
    off = float(np.abs(seen.depth[0].cpu().numpy() / depth - 1)[drawn].max())
    tell(
        'the floor is cut at the near plane',
        bool((drawn == inside).all()) and off < 1e-5,
        f'{drawn.sum()} pixels, depth off by {off:.1e} of itself',
    )

    angle = 2 * np.pi * np.arange(180) / 180
    points = torch.tensor(
        np.r_[[[0, 0, 10.0]], np.c_[4 * np.cos(angle), 4 * np.sin(angle), 10 + 0 * angle]][None],
        dtype=torch.float32,
        device=device,
    )
    i = np.arange(180)
    triangles = torch.tensor(np.c_[0 * i, 1 + i, 1 + (i + 1) % 180], device=device)
    scale = torch.ones(1, device=device, requires_grad=True)
    moved = points * torch.cat([scale, scale, scale * 0 + 1])
    seen = rasterise_batch(moved, triangles, 100.0, (64.3, 63.8), (128, 128))
    area = antialias(
        interpolate(torch.ones(181, 1, device=device), triangles, seen),
        moved,
        triangles,
        seen,
        100.0,
        (64.3, 63.8),
    ).sum()
    area.backward()
    true = 90 * np.sin(2 * np.pi / 180) * 40**2
    area, change = float(area.detach()), float(scale.grad)
    tell(
        "a disc's area and its change",
        abs(area / true - 1) < 2e-3 and abs(change / (2 * true) - 1) < 2e-2,
        f'{area:.1f} of {true:.1f} pixels, {change:.0f} of {2 * true:.0f} a unit of scale',
    )


def compare(
    what: str, first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], exact: bool
) -> None:
    for name in first:
        a, b = first[name].double(), second[name].double()
        a, b = a[torch.isfinite(b)], b[torch.isfinite(b)]
        different, off = int((a != b).sum()), float((a - b).abs().max())
        limit = 0 if exact else 1e-4 * float(b.abs().max())
        good = different <= 1e-5 * a.numel() if name == 'triangle' and not exact else off <= limit
        tell(
            f'{what}: {name}',
            good,
            f'{different} of {a.numel()} differ'
            + (f', by {off:.1e} of {float(b.abs().max()):.1e} at most' if different else ''),
        )


def times(
    points: np.ndarray, triangles: np.ndarray, device: str, count: int, runs: int = 30
) -> None:
    """Milliseconds of each call and of its backward pass, positions and colours."""
    wait = torch.cuda.synchronize if device == 'cuda' else lambda: None
    batch = torch.tensor(np.stack([points] * count), device=device).requires_grad_()
    colours = torch.rand(len(points), 3, device=device).requires_grad_()
    corners, focal, target = (
        torch.tensor(triangles, device=device),
        focal_of(points),
        torch.rand(count, *SIZE[::-1], 3, device=device),
    )
    taken = []
    for _ in range(runs + 2):
        batch.grad = colours.grad = None
        marks = []

        def mark(marks=marks):
            wait()
            marks.append((time.perf_counter(), time.process_time()))

        mark()
        seen = rasterise_batch(batch, corners, focal, CENTRE, SIZE)
        mark()
        shown = interpolate(colours, corners, seen)
        mark()
        loss = (antialias(shown, batch, corners, seen, focal, CENTRE) * target).sum()
        mark()
        loss.backward()
        mark()
        taken.append(np.diff(marks, axis=0).T * 1e3)
    wall, cpu = np.array(taken[2:]).transpose(1, 0, 2)
    covered = int((seen.triangle >= 0).sum()) // count
    print(
        f'{device}, {count} pictures of {SIZE[0]}×{SIZE[1]}, {len(triangles):,} triangles, '
        f'{covered:,} pixels covered each; ms, median (least):'
    )
    for name, each in zip(
        ('rasterise_batch', 'interpolate', 'antialias + loss', 'backward'), wall.T
    ):
        print(f'  {name:17} {np.median(each):8.2f} ({each.min():.2f})')
    whole = wall.sum(1)
    print(
        f'  {"all":17} {np.median(whole):8.2f} ({whole.min():.2f}); '
        f'processor time of all cores {np.median(cpu.sum(1)):.2f} ({cpu.sum(1).min():.2f})'
    )
    if device == 'cuda':
        free = []
        for _ in range(runs):  # without waiting between the calls
            began = time.perf_counter()
            seen = rasterise_batch(batch, corners, focal, CENTRE, SIZE)
            (
                antialias(interpolate(colours, corners, seen), batch, corners, seen, focal, CENTRE)
                * target
            ).sum().backward()
            wait()
            free.append(1e3 * (time.perf_counter() - began))
        print(
            f'  all, not waiting between calls: {np.median(free):.2f} ({min(free):.2f}); '
            f'peak memory {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB'
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('device', nargs='?', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('head', nargs='?', default='builtin')
    parser.add_argument('--save', nargs='+', metavar='FILE')
    options = parser.parse_args()
    if options.save:
        points, triangles = head(*options.save[1:])
        np.savez_compressed(options.save[0], points=points, triangles=triangles)
        return 0
    torch.set_num_threads(1)  # OpenMP's wait by spinning, on the cores that the kernels want
    points, triangles = head(options.head)
    card = (
        torch.cuda.get_device_name()
        if options.device == 'cuda'
        else platform.processor() or platform.machine()
    )
    print(f'{card}, torch {torch.__version__}, {CORES} cores, {len(points):,} vertices')
    closed_forms(options.device)
    first = run(points, triangles, options.device, 2)
    compare('run against run', first, run(points, triangles, options.device, 2), exact=True)
    if options.device == 'cuda':
        compare('CUDA against CPU', first, run(points, triangles, 'cpu', 2), exact=False)
    for count in (1, 8) if options.device == 'cuda' else (1,):
        times(points, triangles, options.device, count)
    print('all agree' if not failed else f'{len(failed)} do not agree')
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(main())
