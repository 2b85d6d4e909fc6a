"""What all tasks share."""
from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from ..errors import FacewrightError
from ..progress import Progress

VERSION = '0.1.0'
Task = Generator[Progress, None, dict]


class Value:
    """Iterates a generator and keeps its return value."""

    def __init__(self, generator):
        self.generator, self.value = generator, None

    def __iter__(self):
        self.value = yield from self.generator


def writable_folder(out: Path) -> Path:
    """Make sure results can be written before the long work; raises FacewrightError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as probe:
            probe.write(b'x' * 4096)
            probe.flush()
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise FacewrightError(f'Cannot write to {out} ({error.strerror or error}): choose a folder you can write to, with space left.') from error
    if free < 64 << 20:
        raise FacewrightError(f'The disk of {out} has only {free >> 20} MB left: free 64 MB or choose another folder.')
    return out


@contextlib.contextmanager
def results(folder: Path):
    """Yield a hidden folder inside `folder` to write into; on success its files are moved into place one by one, on failure nothing stays."""
    try:
        with tempfile.TemporaryDirectory(prefix='.facewright-', dir=folder) as scratch:
            yield Path(scratch)
            for path in sorted(Path(scratch).iterdir()):
                path.replace(folder / path.name)
    except OSError as error:
        raise FacewrightError(f'Cannot write to {folder} ({error.strerror or error}): choose a folder you can write to, with space left.') from error
