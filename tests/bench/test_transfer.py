"""ICT's 53 expressions onto its own identities: the bare method's error, the whole's, seconds."""

import os
import time

import numpy as np
import pytest

pytestmark = pytest.mark.bench
SEEDS = range(5)


def test_transfer_onto_identities(shared_data, table):
    from facewright.engine.face_model import load_model
    from facewright.engine.face_model.pieces import pieces
    from facewright.engine.geometry.polygons import triangulate
    from facewright.engine.wrap.transfer import Transfer, transfer_expressions

    model = load_model(str(shared_data / 'ict-facekit.tar.xz'))
    rows = np.arange(14062)  # skin and sockets
    triangles = triangulate(model.faces)
    triangles = triangles[(triangles < 14062).all(1)]
    skin, moves = pieces(model)['skin'], np.linalg.norm(model.expressions, axis=2) > 0.01
    still = np.abs(model.expressions[:, rows]).max((0, 2)) < 1e-4

    def errors(got, part):
        error = 10 * np.linalg.norm(got - model.expressions[:, part], axis=2)
        means = np.array([e[m].mean() for e, m in zip(error, moves[:, part])])
        return means.mean(), means.max(), error.max()

    lines, worst = [], np.zeros(4)
    for seed in SEEDS:
        head = model.shape(np.random.default_rng(seed).normal(size=100))
        began = time.perf_counter()
        bare = Transfer(model.neutral[rows], triangles, head[rows], fixed=still)
        factored = time.perf_counter()
        solved = bare.solve(model.neutral[rows] + model.expressions[:, rows]) - head[rows]
        done = time.perf_counter()
        whole = transfer_expressions(model, head)
        end = time.perf_counter()
        lines.append(
            (
                seed,
                *(f'{x:.3f}' for x in errors(solved, rows)),
                *(f'{x:.3f}' for x in errors(whole, np.arange(model.vertex_count))),
                f'{errors(whole[:, skin], skin)[2]:.3f}',
                f'{factored - began:.2f} s',
                f'{done - factored:.2f} s',
                f'{end - done:.2f} s',
            )
        )
        worst = np.maximum(
            worst,
            [
                errors(whole, np.arange(model.vertex_count))[0],
                errors(whole, np.arange(model.vertex_count))[1],
                done - factored,
                end - done,
            ],
        )
    table(
        '53 shapes onto ICT identities, mm where a shape moves more than 0.1 mm, '
        f'{os.cpu_count()} cores',
        (
            'seed',
            'bare: mean',
            'worst shape',
            'worst vertex',
            'whole: mean',
            'worst shape',
            'worst vertex',
            'worst of skin',
            'factor',
            '53 shapes',
            'whole',
        ),
        lines,
    )
    assert worst[0] < 0.3 and worst[1] < 1.3 and worst[2] < 5 and worst[3] < 20, worst
