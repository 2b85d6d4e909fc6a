"""The house of docs/contributing.md: which room of the engine may import which, read from the
sources.
"""

from __future__ import annotations

import ast
import functools
import graphlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / 'engine'

# From the ground up; rooms on one floor do not know each other.
FLOORS = (
    ('core',),
    ('learning', 'geometry'),
    ('render',),
    ('face_model',),
    ('footage',),
    ('annotate',),
    ('formats',),
    ('evidence',),
    ('wrap',),
    ('shape_keys',),
    ('tracking',),
    ('texture',),
    ('personal', 'anatomy', 'image_geometry', 'volume'),
    ('tasks',),
    ('worker',),
    ('cli',),
    ('lab',),
)
FLOOR = {room: k for k, rooms in enumerate(FLOORS) for room in rooms}
LATE = ('tasks', 'cli', 'worker', 'lab')  # may import within functions, to start fast

# The same within the add-on.
ADDON = ROOT / 'addon'
ADDON_FLOORS = (
    ('paths', 'options'),
    ('properties',),
    ('jobs', 'models', 'environment', 'result_store', 'scene'),
    ('api',),
    ('operators',),
    ('panels',),
    ('preferences',),
    ('',),  # the package itself, which registers them all
)
# What takes longer to import than enabling an add-on may, or is not there without the wheels.
HEAVY = {
    'av',
    'cholespy',
    'cv2',
    'mediapipe',
    'networkx',
    'roma',
    'rtree',
    'safetensors',
    'scipy',
    'tetgen',
    'torch',
    'trimesh',
    'warp',
}


def module_name(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return parts[:-1] if parts[-1] == '__init__' else parts


def within_functions(tree: ast.AST) -> set[int]:
    """The id of every node of a module that lies in one of its functions."""
    return {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }


@functools.cache
def imports(path: Path) -> list[tuple[tuple[str, ...], int, bool]]:
    """(module of ours, line, within a function) of each import of a file."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    package = path.relative_to(ROOT).parts[:-1]
    late = within_functions(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            base += tuple(node.module.split('.')) if node.module else ()
            for alias in node.names:
                inner = ROOT.joinpath(*base, alias.name)
                is_module = inner.with_suffix('.py').is_file() or inner.is_dir()
                module = (*base, alias.name) if is_module else base
                found.append((module, node.lineno, id(node) in late))
    return found


@functools.cache
def packages(path: Path) -> list[tuple[str, int, bool]]:
    """(package of other people's, line, within a function) of each import of a file."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    late = within_functions(tree)
    found = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        found += [(name.split('.')[0], node.lineno, id(node) in late) for name in names]
    return found


def engine_files() -> list[Path]:
    return sorted(ENGINE.rglob('*.py'))


def room(module: tuple[str, ...]) -> str | None:
    return module[1] if module[0] == 'engine' and len(module) > 1 else None


def test_every_room_has_a_floor():
    rooms = {room(module_name(path)) for path in engine_files()} - {None}
    assert rooms <= set(FLOOR), f'add to FLOORS: {sorted(rooms - set(FLOOR))}'


def test_no_arrow_runs_up_or_sideways():
    wrong = []
    for path in engine_files():
        here = room(module_name(path))
        for module, line, late in imports(path):
            there = room(module)
            if there in (None, here):
                continue
            if FLOOR[there] >= FLOOR[here]:
                wrong.append(f'{path.relative_to(ROOT)}:{line} imports {there}')
            elif late and here not in LATE:
                wrong.append(f'{path.relative_to(ROOT)}:{line} imports {there} in a function')
    assert not wrong, '\n'.join(wrong)


def test_a_room_within_a_room_has_its_doors():
    """The detector and the masks are entered through their packages; landmark_sets are
    constants.
    """
    for inner, also in (('detector', {'landmark_sets'}), ('masks', set())):
        package = ('engine', 'footage', inner)
        wrong = [
            f'{path.relative_to(ROOT)}:{line} imports {".".join(module)}'
            for path in engine_files()
            if module_name(path)[:3] != package
            for module, line, _ in imports(path)
            if module[:3] == package and len(module) > 3 and module[3] not in also
        ]
        assert not wrong, '\n'.join(wrong)


def test_the_detector_has_two_doors():
    path = ENGINE / 'footage' / 'detector' / '__init__.py'
    (exported,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(path.read_text(encoding='utf-8')).body
        if isinstance(node, ast.Assign) and node.targets[0].id == '__all__'
    )
    assert [name for name in exported if name.islower()] == ['detect_image', 'detect_view']


def addon_room(module: tuple[str, ...]) -> str | None:
    return '.'.join(module[1:2]) if module[0] == 'addon' else None


def test_no_arrow_within_the_addon_runs_up():
    floor = {one: k for k, rooms in enumerate(ADDON_FLOORS) for one in rooms}
    wrong = []
    for path in sorted(ADDON.rglob('*.py')):
        here = addon_room(module_name(path))
        assert here in floor, f'add {here} to ADDON_FLOORS'
        for module, line, _ in imports(path):
            there = addon_room(module)
            if there is not None and there != here and floor[there] >= floor[here]:
                wrong.append(f'{path.relative_to(ROOT)}:{line} imports {there}')
    assert not wrong, '\n'.join(wrong)


def test_scene_knows_blender_and_the_engine_s_nouns_alone():
    wrong = [
        f'{path.relative_to(ROOT)}:{line} imports {".".join(module)}'
        for path in sorted((ADDON / 'scene').glob('*.py'))
        for module, line, _ in imports(path)
        if module[0] == 'addon' and module[1] != 'scene'
    ]
    assert not wrong, '\n'.join(wrong)


def light_files() -> list[Path]:
    """The add-on's modules and those of the engine that run when it imports them."""
    found, waiting = set(), sorted(ADDON.rglob('*.py'))
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module, _, late in imports(path):
            if late and path.is_relative_to(ENGINE):
                continue
            for k in range(1, len(module) + 1):  # a module's packages run before it
                base = ROOT.joinpath(*module[:k])
                both = (base.with_suffix('.py'), base / '__init__.py')
                waiting += [file for file in both if file.is_file()]
    return sorted(found)


def test_the_addon_imports_nothing_heavy():
    """Blender has none of the engine's packages, and enabling takes 0.3 s at most."""
    wrong = []
    for path in light_files():
        for name, line, late in packages(path):
            if name in HEAVY and not (late and path.is_relative_to(ENGINE)):
                wrong.append(f'{path.relative_to(ROOT)}:{line} imports {name}')
    assert not wrong, '\n'.join(wrong)


def test_the_engine_knows_no_blender():
    wrong = [
        f'{path.relative_to(ROOT)}:{line} imports {name}'
        for path in engine_files()
        for name, line, _ in packages(path)
        if name in ('bpy', 'bmesh', 'mathutils')
        and path != ENGINE / 'lab' / 'demo_scene.py'  # does in Blender what a user does
    ]
    wrong += [
        f'{path.relative_to(ROOT)}:{line} imports the add-on'
        for path in engine_files()
        for module, line, _ in imports(path)
        if module[0] == 'addon'
    ]
    assert not wrong, '\n'.join(wrong)


def test_no_modules_import_each_other_in_a_ring():
    graph = {
        name: {module for module, _, _ in imports(path)} - {name}
        for path in (*engine_files(), *sorted(ADDON.rglob('*.py')))
        if (name := module_name(path))
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        ring = ' → '.join('.'.join(module) for module in error.args[1])
        raise AssertionError(ring) from None
