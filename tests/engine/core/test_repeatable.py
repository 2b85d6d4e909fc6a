"""The same input gives the same bits, wherever numpy's allocator puts it."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np

from facewright import engine
from facewright.engine.core.repeatable import arctan2
from facewright.engine.formats.live_link import head_angles, head_rotation

ENGINE = Path(engine.__file__).parent


def results(function, source, rounds=3000):
    """Count the results a function gives for copies of one array, the heap stirred between."""
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(rounds):
        stirred = [np.empty(size, np.uint8) for size in random.integers(1, 9000, 6)]
        seen.add(function(source.copy()).tobytes())
        del stirred
    return len(seen)


def test_arctan2_of_columns():
    points = np.random.default_rng(1).normal(size=(264, 3))
    assert results(lambda p: arctan2(p[:, 1], p[:, 2]), points) == 1
    assert np.allclose(arctan2(points[:, 1], points[:, 2]), np.arctan2(*points.T[1:]), atol=1e-15)


def test_head_angles():
    rotation = head_rotation(np.random.default_rng(2).uniform(-1, 1, (264, 3)))
    assert results(head_angles, rotation, 500) == 1


def takes_a_column(call):
    """Whether an argument of the call is a column of an array: x[:, 1], x[..., 0]."""
    parts = [part for argument in call.args for part in ast.walk(argument)]
    indices = [
        p.slice.elts
        for p in parts
        if isinstance(p, ast.Subscript) and isinstance(p.slice, ast.Tuple)
    ]
    return any(
        isinstance(index, ast.Slice) or ast.unparse(index) == '...'
        for index in itertools.chain.from_iterable(indices)
    )


def test_the_engine_takes_no_arctan2_of_columns_from_numpy():
    for path in sorted(ENGINE.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'np.arctan2':
                assert not takes_a_column(node), f'{path}:{node.lineno}'
