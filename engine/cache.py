"""What is made once and kept: read where it is there and whole, else made, and kept where that is possible."""
from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .errors import FacewrightError

T = TypeVar('T')


def cached(path: Path, read: Callable[[Path], T], make: Callable[[], T], write: Callable[[Path, T], None]) -> T:
    """The value in the file `path`, or made and written there. A damaged file is made again; a cache that cannot be written to is no error."""
    if path.exists():
        with contextlib.suppress(FacewrightError):
            return read(path)
    made = make()
    with contextlib.suppress(FacewrightError):
        write(path, made)
    return made


def checked(data: dict, shapes: dict[str, tuple]) -> dict:
    """Arrays as read_npz gives them, where all are there, finite and of their shapes (None: any length); FacewrightError otherwise."""
    for name, shape in shapes.items():
        array = data.get(name)
        fits = array is not None and array.dtype.kind in 'fiu' and array.ndim == len(shape) \
            and all(want in (None, got) for want, got in zip(shape, array.shape))
        if not fits or not (abs(array) < float('inf')).all():
            raise FacewrightError(f'A file of the cache has no {name} that can be used: delete it.')
    return data
