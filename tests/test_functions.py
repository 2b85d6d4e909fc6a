"""Functions are a screen long: 60 lines at most, but for those named here with a reason."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES = 60

# (file, function): why it is longer.
KERNEL = 'a Warp kernel: its arrays and its arithmetic written out'
LONGER: dict[tuple[str, str], str] = {
    ('engine/geometry/untangle.py', '_energy'): KERNEL,
    ('engine/render/antialias.py', '_edge_between'): KERNEL,
    ('engine/render/antialias.py', '_edge_backward'): KERNEL,
    ('engine/render/visibility.py', 'resolve_pixels_backward'): KERNEL,
    ('engine/shape_keys/penetration.py', '_push_back'): KERNEL,
}


@functools.cache
def long_functions() -> dict[tuple[str, str], int]:
    """Return {(file, function): lines} of functions over LINES in engine, addon and build.py."""
    found = {}
    for path in (*ROOT.glob('engine/**/*.py'), *ROOT.glob('addon/**/*.py'), ROOT / 'build.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                if lines > LINES:
                    found[path.relative_to(ROOT).as_posix(), node.name] = lines
    return found


def test_functions_are_a_screen_long():
    found = long_functions()
    unnamed = [
        f'{file}: {name} has {n} lines'
        for (file, name), n in found.items()
        if (file, name) not in LONGER
    ]
    assert not unnamed, '\n'.join(unnamed)


def test_no_exception_outlives_its_function():
    assert set(LONGER) <= set(long_functions())
