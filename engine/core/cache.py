"""What is made once and kept: read where it is there and whole, else made, and kept where that is possible."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .errors import FacewrightError
from .files import sweep

T = TypeVar('T')


def cached(
    path: Path, read: Callable[[Path], T], make: Callable[[], T], write: Callable[[Path, T], None]
) -> T:
    """The value in the file `path` in a folder of ours, or made and written there. A damaged file is made again; a cache that cannot be written to is no error."""
    if path.exists():
        with contextlib.suppress(FacewrightError):
            return read(path)
    made = make()
    sweep(path.parent)
    with contextlib.suppress(FacewrightError):
        write(path, made)
    return made
