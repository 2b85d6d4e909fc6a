"""Writing so that a failure leaves nothing half-made; the folder the engine keeps things in."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import time
from pathlib import Path

import numpy as np

from .errors import FacewrightError

_TEMPORARY = re.compile(r'\.(?:[0-9a-f]{8}|lock)-.+')


def cache_folder() -> Path:
    """Return our own folder, `facewright`, in $FACEWRIGHT_CACHE or the user's cache folder.

    The add-on sets $FACEWRIGHT_CACHE.
    """
    if os.environ.get('FACEWRIGHT_CACHE'):
        base = os.environ['FACEWRIGHT_CACHE']
    elif sys.platform == 'win32':
        base = os.environ.get('LOCALAPPDATA') or Path.home() / 'AppData' / 'Local'
    elif sys.platform == 'darwin':
        base = Path.home() / 'Library' / 'Caches'
    else:
        base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'facewright'


@contextlib.contextmanager
def replacing(path: Path):
    """Yield a temporary path beside `path`, whose place it takes on success.

    On any failure it is removed. Raises FacewrightError where the folder cannot be written to or
    the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new_file(path)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise FacewrightError(
            f'Cannot write {path} ({error.strerror or error}): choose a folder you can write to, '
            'with space left.'
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _new_file(path: Path) -> Path:
    """Make an empty hidden file beside `path`, with the rights that any new file gets."""
    while True:
        made = path.with_name(f'.{secrets.token_hex(4)}-{path.name}')
        try:
            os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            return made
        except FileExistsError:
            continue


def sweep(folder: Path) -> None:
    """Delete temporary files that killed processes left in a folder of our own.

    Those of `replacing` and the locks of store.cached, from yesterday or before.
    """
    with contextlib.suppress(OSError):
        for left in folder.iterdir():
            if (
                _TEMPORARY.fullmatch(left.name)
                and left.is_file()
                and time.time() - left.stat().st_mtime > 86400
            ):
                left.unlink(missing_ok=True)


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as an uncompressed .npz through a temporary file."""
    with replacing(path) as temporary, temporary.open('wb') as stream:
        np.savez(stream, **arrays)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text through a temporary file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8', newline='')


def read_npz(path: Path, what: str) -> dict[str, np.ndarray]:
    """Read every array of a .npz (no pickles). `what` names the file in the error."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}
    except FileNotFoundError:
        raise FacewrightError(f'There is no {what} at {path}: check the path.') from None
    except Exception as error:
        raise FacewrightError(
            f'{path} is not a readable {what} ({type(error).__name__}): make it again.'
        ) from error


def check_arrays(
    path: Path, data: dict[str, np.ndarray], wanted: dict[str, tuple[str, tuple]], then: str
) -> None:
    """Check arrays as read_npz gives them.

    wanted: {name: (kinds, shape)}: letters as in dtype.kind, and lengths, None for any; floats must
    fit float32 and be finite. then: what to do, for the error.

    Raises FacewrightError that names the first that is missing, misshapen or holds what it must
    not.
    """
    missing = sorted(set(wanted) - set(data))
    if missing:
        raise FacewrightError(f'{path} lacks {", ".join(missing)}: {then}.')
    for name, (kinds, shape) in wanted.items():
        array = data[name]
        if array.ndim != len(shape) or any(
            want not in (None, got) for want, got in zip(shape, array.shape)
        ):
            expected = '×'.join('any' if n is None else str(n) for n in shape) or 'a single value'
            raise FacewrightError(
                f'{path} has {name} of shape {array.shape}, expected {expected}: {then}.'
            )
        if array.dtype.kind not in kinds:
            raise FacewrightError(
                f'{path} has {name} that are not {"text" if kinds == "U" else "numbers"} '
                f'as they should be: {then}.'
            )
        most = float(np.finfo(np.float32).max)
        if (
            array.dtype.kind == 'f'
            and array.size
            and not (-most <= float(array.min()) and float(array.max()) <= most)  # nor NaN
        ):
            raise FacewrightError(f'{path} holds numbers in {name} that are not finite: {then}.')
