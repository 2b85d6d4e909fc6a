"""What a run has found so far, kept in the cache until it is finished: the same run, started again after a cancel, goes on from there."""
from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .errors import FacewrightError
from .files import cache_folder, read_npz, write_npz

MOST = 4             # unfinished runs that are kept; of more, those begun first go
AGAIN = 'Going on where an earlier run stopped'
NAME = re.compile(r'[a-z0-9_]+')


class Unfinished:
    """The steps of one run, each a named set of arrays. `what`: all the run depends on, as JSON can write it; another `what` is another run."""

    def __init__(self, what) -> None:
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
        self.folder = cache_folder() / 'unfinished' / key

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
        try:
            if not self.folder.exists():
                self._make_room()
            write_npz(self._path(step), **arrays)
        except (FacewrightError, OSError):
            pass

    def finished(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, step: str) -> Path:
        if not NAME.fullmatch(step):
            raise ValueError(f'not a step: {step!r}')
        return self.folder / f'{step}.npz'

    def _make_room(self) -> None:
        others = [p for p in self.folder.parent.glob('*') if p.is_dir()]
        for old in sorted(others, key=lambda p: p.stat().st_mtime)[:max(len(others) - MOST + 1, 0)]:
            shutil.rmtree(old, ignore_errors=True)


def mark(files: Iterable[str | Path]) -> list:
    """What tells files from what they were: paths, sizes and times of change."""
    return [[str(Path(f).absolute()), (told := Path(f).stat()).st_size, told.st_mtime_ns] for f in files]
