"""What a run has found so far, kept in the cache until it is finished: the same run, started again after a cancel, goes on from there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from . import owned
from .errors import FacewrightError
from .files import cache_folder, read_npz, write_npz

MOST = 4  # unfinished runs that are kept beside those at work; of more, those that wrote first go
RESUMED = 'Going on where an earlier run stopped'
NAME = re.compile(r'[a-z0-9_]+')


class CheckpointStore:
    """The steps of one run, each a named set of arrays. `what`: all the run depends on, as JSON can write it; another `what` is another run.

    While a process uses it no other deletes it, and several may use it at once.
    """

    def __init__(self, what) -> None:
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
        self.folder = cache_folder() / 'unfinished' / key
        self._hold = owned.hold(self.folder)

    def read(self, step: str) -> dict[str, np.ndarray] | None:
        """A step's arrays, None where it is yet to be done or its file cannot be read."""
        path = self._path(step)
        if not path.exists():
            return None
        try:
            return read_npz(path, 'step of an unfinished run')
        except FacewrightError:
            return None

    def write(self, step: str, **arrays: np.ndarray) -> None:
        """Keep a step. A cache that cannot be written to is no reason to fail: then nothing is kept."""
        path = self._path(step)
        try:
            if self._hold is None:
                self._hold = owned.make(self.folder)
                owned.clear_out(self.folder.parent, keep=MOST)
            if self._hold is not None:
                write_npz(path, **arrays)
        except (FacewrightError, OSError):
            pass

    def finished(self) -> None:
        """Forget the run, unless another process is at it."""
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        owned.remove(self.folder)

    def _path(self, step: str) -> Path:
        if not NAME.fullmatch(step):
            raise ValueError(f'not a step: {step!r}')
        return self.folder / f'{step}.npz'


def mark(files: Iterable[str | Path]) -> list:
    """What tells files from what they were: paths, sizes and times of change."""
    return [
        [str(Path(f).absolute()), (told := Path(f).stat()).st_size, told.st_mtime_ns] for f in files
    ]
