"""What tells one version of a piece of the engine from another: all the sources it is made of.

A cache or a checkpoint that is keyed by it is made again when the code that made it changes, and
only then.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
ROOT = ENGINE.parent
_IMPORT = re.compile(
    rb'^[ \t]*from[ \t]+(\.+)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)', re.MULTILINE
)
_DATA = re.compile(rb'[\'"]([\w-]+\.(?:npz|csv|json))[\'"]')


@functools.cache
def fingerprint(*modules: str) -> str:
    """Return 24 hexadecimal digits for the version of modules of the engine.

    Counted in: every module of ours that they import by name, at the top or within a function; the
    data files beside them; pyproject.toml, which pins other people's.

    modules: such as 'annotate.landmarks'; ValueError for one that is not there.
    """
    digest = hashlib.sha256((ROOT / 'pyproject.toml').read_bytes())
    for path in sorted(closure(*modules)):
        digest.update(
            path.relative_to(ENGINE).as_posix().encode() + b'\0' + path.read_bytes() + b'\0'
        )
    return digest.hexdigest()[:24]


def closure(*modules: str) -> set[Path]:
    """Return every file that modules are made of: theirs, those they import, and data beside
    them."""
    found: set[Path] = set()
    waiting: list[Path] = []
    for name in modules:
        file = _file(ENGINE.joinpath(*name.split('.')))
        if file is None:
            raise ValueError(f'there is no module {name}')
        waiting.append(file)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        found.update(
            path.with_name(name.decode())
            for name in _DATA.findall(path.read_bytes())
            if path.with_name(name.decode()).is_file()
        )
        waiting += _imported(path)
    return found


def _imported(path: Path) -> list[Path]:
    """Return the engine's files that a module imports by name."""
    out = []
    for dots, name, what in _IMPORT.findall(path.read_bytes()):
        base = path.parent
        for _ in dots[1:]:
            base = base.parent
        base = base.joinpath(*name.decode().split('.')) if name else base
        names = [
            part.split(b' as ')[0].strip().decode()
            for part in re.sub(rb'#[^\n]*', b'', what).strip(b'() \t\r\n').split(b',')
        ]
        out += [
            file
            for file in (_file(base), *(_file(base / one) for one in names if one))
            if file is not None
        ]
    return [file for file in out if file.is_relative_to(ENGINE)]


def _file(base: Path) -> Path | None:
    """Return the file of a module or package, None where there is none."""
    return next(
        (
            file
            for file in (base.with_name(base.name + '.py'), base / '__init__.py')
            if file.is_file()
        ),
        None,
    )
