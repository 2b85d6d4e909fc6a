"""The house of docs/contributing.md: which room of the engine may import which, read from the sources."""

from __future__ import annotations

import ast
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


def module_name(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return parts[:-1] if parts[-1] == '__init__' else parts


def imports(path: Path) -> list[tuple[tuple[str, ...], int, bool]]:
    """(module of ours, line, within a function) of each import of a file."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    package = path.relative_to(ROOT).parts[:-1]
    late = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
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
    """The detector and the masks are entered through their packages; landmark_sets are constants."""
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
