"""What a user can ask for: generators of Progress whose return value is a dict that JSON can hold.

The add-on runs them in a child process (worker.py), the command line and the tests directly. What a
task takes stands in specs.py, and is checked when it is called. A task's module is imported only
when the task is asked for: `tasks.reconstruct` is that function, found then.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable

from .specs import ALIASES, check

MODULES = {
    'reconstruct': 'reconstruction',
    'bake_albedo': 'appearance',
    'preview_overlay': 'appearance',
    'import_face_model': 'models',
    'download_face_model': 'models',
    'scene_clips': 'clips',
    'add_markers': 'shape_keys',
    'wrap_model': 'shape_keys',
    'generate_shape_keys': 'shape_keys',
    'build_tetrahedra': 'cavities',
    'fix_cavities': 'cavities',
    'check_intersections': 'cavities',
    'settle_shape_keys': 'settling',
    'compare_with_model': 'comparison',
    'bench_part_iou': 'part_iou',
}


def find_task(name: str) -> Callable:
    """Import the task called `name`; raises ValueError where there is none.

    It raises FacewrightError, one sentence, for arguments that specs.py does not allow.
    """
    name = ALIASES.get(name, name)
    if name not in MODULES:
        raise ValueError(f'there is no task called {name!r}, only {", ".join(sorted(MODULES))}')
    task = getattr(importlib.import_module(f'{__name__}.{MODULES[name]}'), name)
    order = tuple(inspect.signature(task).parameters)

    @functools.wraps(task)
    def checked(*arguments, **options):
        return task(**check(name, dict(zip(order, arguments)) | options))

    return checked


def __getattr__(name: str):
    if name in MODULES:
        return find_task(name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
