"""What all tasks share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path

from ..core.errors import FacewrightError
from ..core.progress import Progress
from ..core.result_folder import claim, recover

VERSION = '0.1.0'
Task = Generator[Progress, None, dict]


def writable_folder(out: Path, names: Iterable[str] = ()) -> Path:
    """Make sure, before the long work, that files can be written into a folder, and return it.

    Raises FacewrightError.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as probe:
            probe.write(b'x' * 4096)
            probe.flush()
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise FacewrightError(
            f'Cannot write to {out} ({error.strerror or error}): choose a folder you can write to, '
            'with space left.'
        ) from error
    if free < 64 << 20:
        raise FacewrightError(
            f'The disk of {out} has only {free >> 20} MB left: free 64 MB or choose another folder.'
        )
    recover(out)
    claim(out, names)
    return out
