"""The flesh: seconds to fill and carry, what is inverted; differential coordinates: seconds."""

import os
import time
from functools import partial

import numpy as np
import pytest

pytestmark = pytest.mark.bench


def best(count, call):
    """(fewest seconds of `count` calls, the last result)."""
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        out = call()
        seconds.append(time.perf_counter() - began)
    return min(seconds), out


def solve_and_wait(coordinates, right):
    return coordinates.from_differential(right).sum().item()


def test_flesh(shared_data, table):
    from facewright.engine.face_model import load_model
    from facewright.engine.shape_keys.cavities import follow_skin
    from facewright.engine.shape_keys.tetrahedra import build_flesh, fill_head, inversion_report

    lines = []
    for name in ('builtin', shared_data / 'ict-facekit.tar.xz'):
        model = load_model(name)
        filling, _ = best(2, partial(fill_head, model))
        building, flesh = best(1, partial(build_flesh, model))
        carrying, report = best(
            1, partial(inversion_report, flesh, model.neutral, model.expressions, model.names)
        )
        edited = model.neutral.astype(np.float64)
        edited[model.regions['face']] += (
            0.3 * model.expressions[model.names.index('mouthPucker')][model.regions['face']]
        )
        following, _ = best(
            3, partial(follow_skin, model, flesh, model.neutral.astype(np.float64), edited)
        )
        lines.append(
            (
                model.name,
                len(flesh.surface),
                len(flesh.points),
                len(flesh.tetrahedra),
                f'{filling:.2f} s',
                f'{building:.1f} s',
                f'{carrying:.1f} s',
                f'{report["worst"]} {report["worst_percent"]:.2f} %',
                f'{following:.2f} s',
            )
        )
        assert report['worst_percent'] <= 0.5
    table(
        f'Flesh between skin and sockets, {os.cpu_count()} cores',
        (
            'model',
            'surface',
            'inner points',
            'tetrahedra',
            'TetGen, whole head',
            'all of the building',
            'carried to 55 shapes',
            'most inverted',
            'cavities of an edited shape',
        ),
        lines,
    )


def test_differential_coordinates(shared_data, table):
    import torch
    from scipy import sparse

    from facewright.engine.face_model import load_model
    from facewright.engine.geometry.arap import factor
    from facewright.engine.geometry.differential import LAMBDA, DifferentialCoordinates
    from facewright.engine.geometry.laplacian import uniform_laplacian
    from facewright.engine.shape_keys.tetrahedra import flesh, flesh_edges

    lines = []
    for name in ('builtin', shared_data / 'ict-facekit.tar.xz'):
        model = load_model(name)
        filled = flesh(model)
        edges, n, columns = (
            flesh_edges(model, filled),
            model.vertex_count + len(filled.points),
            3 * (len(model.names) + 1),
        )
        for device in ['cpu'] + ['cuda'] * torch.cuda.is_available():
            for dtype in (torch.float32, torch.float64):
                factoring, coordinates = best(
                    3, partial(DifferentialCoordinates, edges, n, dtype=dtype, device=device)
                )
                u = torch.randn(columns // 3, n, 3, dtype=dtype, device=device)
                solving, _ = best(3, partial(solve_and_wait, coordinates, u))
                lines.append(
                    (
                        model.name,
                        n,
                        len(edges),
                        f'cholespy {device} {dtype}'.replace('torch.', ''),
                        f'{factoring:.3f} s',
                        f'{solving:.3f} s',
                    )
                )
        matrix = sparse.identity(n) + LAMBDA * uniform_laplacian(edges, n)
        factoring, solver = best(3, partial(factor, matrix))
        right = np.random.default_rng(0).normal(size=(n, columns))
        solving, _ = best(3, partial(solver.solve, right))
        lines.append(
            (model.name, n, len(edges), 'scipy SuperLU', f'{factoring:.3f} s', f'{solving:.3f} s')
        )
    table(
        f'Differential coordinates, surface and tetrahedra, {columns} right-hand sides, '
        f'{os.cpu_count()} cores',
        ('model', 'points', 'edges', 'solver', 'factor', 'solve'),
        lines,
    )
