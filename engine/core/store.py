"""The one cache: values made once and read again, and the checkpoints of unfinished runs.

A key is made of content and of the version of what made it (sources.fingerprint), so nothing in
here is ever out of date: what no key leads to any more is evicted in time. Files take their places
whole, and several processes may read, make and evict at once. An entry of the cache is a file with
a key in its name, or a folder with our mark (owned.py); whatever else lies there is somebody else's
and stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from . import owned
from .errors import FacewrightError
from .files import cache_folder, read_npz, sweep, write_npz

T = TypeVar('T')

KEY_DIGITS = 24
RESUMED = 'Going on where an earlier run stopped'
_DAY = 86400  # s
_CACHED_FILE = re.compile(rf'.+-[0-9a-f]{{{KEY_DIGITS}}}\.npz')
_STEP_NAME = re.compile(r'[a-z0-9_]+')


@dataclass(frozen=True)
class Limit:
    """What may stay of one folder of the cache while no living process holds it.

    entries: how many, those used last; days: since the last use; size: bytes of all that stay.
    """

    entries: float = math.inf
    days: float = math.inf
    size: float = math.inf


LIMITS = {
    # face models, their landmarks, parts and flesh
    'models': Limit(days=90, size=8 << 30),
    # runs that were stopped
    'checkpoints': Limit(entries=4, days=90, size=8 << 30),
    # the add-on's copies of results, for Overlay and Bake Skin Texture, beside the newest one,
    # which is held when the others are counted
    'results': Limit(entries=9),
    # logs of jobs and of the command line
    'jobs': Limit(days=7),
    # what killed tasks were writing
    'work': Limit(entries=0),
    # No limit for `clips`: scenes show those files by path, for as long as their .blend is kept, so
    # nothing but the user can know when one may go.
}


def make_key(*parts) -> str:
    """Return 24 hexadecimal digits for values that JSON can write."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def files_fingerprint(files: Iterable[str | Path]) -> list:
    """Return what tells files from what they were: paths, sizes and times of change, for a key."""
    out = []
    for file in files:
        status = Path(file).stat()
        out.append([str(Path(file).absolute()), status.st_size, status.st_mtime_ns])
    return out


def cached(
    path: Path,
    read: Callable[[Path], T],
    make: Callable[[], T],
    write: Callable[[Path, T], None],
) -> T:
    """Return the value in a file of the cache, or make it and write it there.

    Of several processes that want it at once one makes it and the others wait. A damaged file is
    made again; a cache that cannot be written to is no error.

    path: its name has a key of make_key in it, see FaceModel.cache_path.
    read: raises FacewrightError for a damaged file. write: writes whole or not at all (files.py).
    """
    found = _read(path, read)
    if found is not None:
        return found[0]
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    with owned.alone(path.with_name(f'.lock-{path.name}')):
        found = _read(path, read)  # made by another process meanwhile
        if found is not None:
            return found[0]
        made = make()
        with contextlib.suppress(FacewrightError):
            write(path, made)
    sweep(path.parent)
    evict(path.parent)
    return made


def _read(path: Path, read: Callable[[Path], T]) -> tuple[T] | None:
    """Read a cached file; None where it is not there or damaged."""
    if not path.exists():
        return None
    try:
        value = read(path)
    except FacewrightError:
        return None
    mark_used(path)
    return (value,)


def mark_used(path: Path) -> None:
    """Date a cached file's last use, to the day: a file that is used does not age."""
    if cache_folder() not in path.parents:  # a user's own
        return
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)


def evict(folder: Path, limit: Limit | None = None) -> None:
    """Delete what exceeds the limit of a folder of the cache, the entries used longest ago first.

    What a living process holds stays, and does not count. Of a file that goes, a process that has
    it open still reads the whole.

    limit: by default that of LIMITS for the folder's name; a folder without one is left alone.
    """
    limit = limit or LIMITS.get(folder.name)
    if limit is None:
        return
    count, size = 0, 0
    for used, path in sorted(_entries(folder), reverse=True):
        if path.is_dir():
            held = owned.hold(path, alone=True)
            if held is None:
                continue
            held.release()
        count += 1
        size += _size(path) if math.isfinite(limit.size) else 0
        over = count > limit.entries or size > limit.size
        if over or time.time() - used >= limit.days * _DAY or owned.is_going(path):
            _delete(path)


def _entries(folder: Path) -> list[tuple[float, Path]]:
    """Return the entries of a folder of the cache, each with the time of its last use."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            is_file = _CACHED_FILE.fullmatch(path.name) and path.is_file() and not path.is_symlink()
            if is_file or owned.is_ours(path):
                with contextlib.suppress(OSError):
                    found.append((path.stat().st_mtime, path))
    return found


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder, as far as they are still there."""
    size = 0
    with contextlib.suppress(OSError):  # another process deletes the folder
        for file in path.rglob('*') if path.is_dir() else [path]:
            with contextlib.suppress(OSError):
                size += file.lstat().st_size
    return size


def _delete(path: Path) -> None:
    if path.is_dir():
        owned.remove(path)
        return
    with contextlib.suppress(OSError):  # Windows: another process reads it
        path.unlink(missing_ok=True)


class CheckpointStore:
    """The checkpoints of one run: arrays a step, read again when the same run is started again.

    While a process uses it no other evicts it, and several may use it at once.

    identity: all that the run's result depends on, as JSON can write it, the version of what
    computes it included; another identity is another run.
    """

    def __init__(self, identity) -> None:
        self.folder = cache_folder() / 'checkpoints' / make_key(identity)
        self._hold = owned.hold(self.folder)

    def read(self, step: str) -> dict[str, np.ndarray] | None:
        """Return a step's arrays; None where it is yet to be done or its file cannot be read."""
        path = self._path(step)
        if not path.exists():
            return None
        try:
            return read_npz(path, 'checkpoint')
        except FacewrightError:
            return None

    def write(self, step: str, **arrays: np.ndarray) -> None:
        """Keep a step's arrays, unless the cache cannot be written to: no reason to fail."""
        path = self._path(step)
        with contextlib.suppress(FacewrightError, OSError):
            new = self._hold is None
            if new:
                self._hold = owned.make(self.folder)
            if self._hold is not None:
                write_npz(path, **arrays)
            if new:
                evict(self.folder.parent)

    def discard(self) -> None:
        """Delete the checkpoints of a run that is finished, unless another process is at it."""
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        owned.remove(self.folder)

    def _path(self, step: str) -> Path:
        if not _STEP_NAME.fullmatch(step):
            raise ValueError(f'not the name of a step: {step!r}')
        return self.folder / f'{step}.npz'
