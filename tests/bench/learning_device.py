"""What follows the choice of device, CPU beside CUDA: a shape fitted to pictures, and each query.

    python tests/bench/learning_device.py [cpu cuda]     # needs torch, warp-lang, cholespy, trimesh

Prints a line a measurement; exit code 1 where the devices do not agree or a run is not repeatable.
"""

from __future__ import annotations

import importlib.util
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
sys.path.insert(0, str(ROOT / 'tests' / 'support'))

from scenes import ball  # noqa: E402

from facewright.engine.core.device import device, set_device  # noqa: E402
from facewright.engine.evidence import prdl  # noqa: E402
from facewright.engine.geometry.closest import Surface  # noqa: E402
from facewright.engine.geometry.differential import DifferentialCoordinates  # noqa: E402
from facewright.engine.geometry.folds import self_crossings  # noqa: E402
from facewright.engine.geometry.laplacian import edges_of  # noqa: E402
from facewright.engine.learning.adam_uniform import AdamUniform  # noqa: E402
from facewright.engine.learning.optimise import OptimiseOptions, optimise  # noqa: E402
from facewright.engine.render.antialias import antialias  # noqa: E402
from facewright.engine.render.interpolate import interpolate  # noqa: E402
from facewright.engine.render.rasterise import rasterise, rasterise_batch  # noqa: E402

CAMERA = 300.0, (128.0, 128.0), (256, 256)
STEPS = 60


def fitted(seed: int = 0) -> tuple[np.ndarray, list[float], float]:
    """Fit a ball to the silhouettes of a wider one: (points, losses, ms a step)."""
    points, triangles = (t.to(device()) for t in ball(radius=2.0, depth=12.0, subdivisions=4))
    shades = torch.rand(points.shape[1], 3, generator=torch.Generator().manual_seed(seed))
    shades = shades.to(device())

    def picture(moved: torch.Tensor) -> torch.Tensor:
        seen = rasterise_batch(moved, triangles, *CAMERA)
        drawn = interpolate(shades, triangles, seen)
        return antialias(drawn, moved, triangles, seen, *CAMERA[:2])

    with torch.no_grad():
        target = picture(points * torch.tensor([1.15, 0.9, 1.0], device=device()))
    edges = edges_of(triangles.cpu().numpy())
    coordinates = DifferentialCoordinates(edges, points.shape[1])
    u = coordinates.to_differential(points).detach().requires_grad_()
    loop = optimise(
        lambda step: ((picture(coordinates.from_differential(u)) - target) ** 2).mean(),
        {'u': u},
        AdamUniform([u], lr=1e-2),
        OptimiseOptions(STEPS, seed),
    )
    start = time.perf_counter()
    try:
        while True:
            next(loop)
    except StopIteration as stop:
        losses = stop.value.losses
    each = 1e3 * (time.perf_counter() - start) / STEPS
    return coordinates.from_differential(u).detach().cpu().numpy(), losses, each


def queries() -> dict[str, tuple[float, np.ndarray]]:
    """Time what follows the device besides: {name: (ms, result)}."""
    points, triangles = (t.numpy() for t in ball(depth=12.0, subdivisions=5))
    points, rng = points[0].astype(float), np.random.default_rng(0)
    near = points[rng.integers(0, len(points), 20000)] + rng.normal(0, 0.1, (20000, 3))
    crumpled = points + rng.normal(0, 0.02, points.shape)
    pixels = rng.uniform(0, 256, (3000, 2))
    surface = Surface(points, triangles)
    work = {
        'rasterise': lambda: rasterise(points, triangles, *CAMERA)[2],
        'closest, 20,000 points': lambda: surface.closest(near)[3],
        'self-crossings': lambda: self_crossings(crumpled, triangles),
        'PRDL nearest, stride 4': lambda: prdl.nearest(pixels, (504, 896), 4)[1],
    }
    out = {}
    for name, one in work.items():
        result, taken = one(), []
        for _ in range(5):
            start = time.perf_counter()
            one()
            taken.append(1e3 * (time.perf_counter() - start))
        out[name] = float(np.median(taken)), result
    return out


def main() -> int:
    wrong, first = 0, {}
    for name in sys.argv[1:] or ['cpu', 'cuda']:
        set_device(name)
        points, losses, each = fitted()
        again = fitted()
        repeatable = (points == again[0]).all() and losses == again[1]
        wrong += not repeatable or losses[-1] > 0.5 * losses[0]
        print(
            f'{device()}: fit {again[2]:.1f} ms a step (first run {each:.1f}), '
            f'loss {losses[0]:.2e} to {losses[-1]:.2e}, '
            + ('the same bits again' if repeatable else 'NOT THE SAME BITS AGAIN')
        )
        found = queries() | {'fitted points': (each, points)}
        for what, (ms, result) in found.items():
            known = first.setdefault(what, result)
            same = known.shape == result.shape
            with np.errstate(invalid='ignore'):
                off = float(np.nanmax(np.abs(known - result), initial=0)) if same else np.inf
            wrong += not off < 1e-2
            print(f'  {what}: {ms:.2f} ms, differs from the first device by {off:.1e}')
    return int(bool(wrong))


if __name__ == '__main__':
    sys.exit(main())
