"""Folders of our own: marked when made, held while used, deleted only where both allow it.

Standard library only. What lies in a cache may be anybody's: the user chooses the folder. So
nothing is ever deleted but a folder that holds our mark and that no living process holds. A hold is
a lock on the mark, which the system lets go of when its process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
import weakref
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None
    import msvcrt

MARK = '.facewright'
PATIENCE = 5.0  # seconds to wait for a process that is looking whether a folder may go
_GOING = '.going-'  # a folder that is being deleted
_SLOTS = 64  # Windows: so many processes may hold one folder at once, a byte each


class Hold:
    """A lock that lasts until `release`, or until nobody refers to it."""

    def __init__(self, descriptor: int) -> None:
        self._release = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        self._release()


def make(folder: Path) -> Hold | None:
    """Make a folder of ours, with its parents, and hold it.

    One that is there is held if it bears our mark, and never marked later. Raises OSError where it
    cannot be made. None: nothing here can be locked, or the folder is not ours.
    """
    until = time.monotonic() + PATIENCE
    strange = 0
    while strange < 5 and time.monotonic() < until:
        if not folder.exists():
            _make_marked(folder)
        elif not is_ours(folder):  # or just being deleted
            strange += 1
            time.sleep(0.01)
        held = hold(folder)
        if held is not None:
            return held
    return None


def _make_marked(folder: Path) -> None:
    """Make a folder with its mark in it, both at once; no error where another process was first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.with_name(_GOING + secrets.token_hex(4))
    made.mkdir()
    try:
        (made / MARK).touch()
        made.rename(folder)
    except OSError:  # there by now, or `made` was taken for what is left of a deletion
        with contextlib.suppress(OSError):
            (made / MARK).unlink(missing_ok=True)
            made.rmdir()


def make_new(parent: Path) -> tuple[Path, Hold | None]:
    """Make a folder of ours with a name of its own, beginning with date and time.

    Raises OSError where it cannot be made.
    """
    while True:
        folder = parent / f'{time.strftime("%Y%m%d-%H%M%S")}-{secrets.token_hex(4)}'
        if not folder.exists():
            return folder, make(folder)


def hold(folder: Path, alone: bool = False) -> Hold | None:
    """Hold a folder of ours, with others or `alone`.

    None where it is not ours, is gone, cannot be locked or (alone) is held by others.
    """
    until = time.monotonic() + PATIENCE
    while is_ours(folder):
        held = _lock(folder / MARK, alone)
        if held is not None or alone or time.monotonic() > until:
            return held
        time.sleep(0.02)
    return None


@contextlib.contextmanager
def holding(folder: Path):
    """Hold a folder in the block, where it is one of ours."""
    held = hold(folder)
    try:
        yield
    finally:
        if held is not None:
            held.release()


def is_ours(folder: Path) -> bool:
    """Return whether a path is a folder, not a link to one, that bears our mark."""
    try:
        return (
            not folder.is_symlink()
            and (folder / MARK).is_file()
            and not (folder / MARK).is_symlink()
        )
    except OSError:
        return False


def is_going(folder: Path) -> bool:
    """Return whether a folder is what a deletion left that was killed."""
    return folder.name.startswith(_GOING)


def remove(folder: Path) -> bool:
    """Delete a folder that is ours and that nobody holds, with all in it; whether it has gone."""
    held = hold(folder, alone=True)
    if held is None:
        return False
    going = folder.with_name(_GOING + secrets.token_hex(4))
    try:
        folder.replace(going)  # at once out of everybody's way
    except OSError:
        going = folder  # Windows: the mark is open
    with contextlib.suppress(OSError):
        for entry in going.iterdir():
            if entry.name == MARK:
                continue  # goes last: what is left of a deletion that was killed is still ours
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
    if fcntl is None:
        held.release()  # an open file cannot be deleted there
    with contextlib.suppress(OSError):
        if {entry.name for entry in going.iterdir()} <= {MARK}:
            (going / MARK).unlink(missing_ok=True)
            going.rmdir()
    held.release()
    return not folder.exists()


@contextlib.contextmanager
def alone(path: Path):
    """Let one process at a time into the block, by a lock on the file `path`, which goes again.

    Where nothing can be locked, all of them.
    """
    held = None
    until = time.monotonic() + 60
    while held is None and time.monotonic() < until:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            os.close(descriptor)
        except OSError:
            break
        held = _lock(path, True)
        if held is None:
            time.sleep(0.02)
    try:
        yield
    finally:
        if held is not None:
            if fcntl is None:
                held.release()
            with contextlib.suppress(OSError):
                path.unlink()
            held.release()


def _lock(path: Path, alone: bool) -> Hold | None:
    """Lock a file that is there; None where it is gone, locked by others, or cannot be locked."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, 'O_NOFOLLOW', 0))
    except OSError:
        return None
    try:
        _lock_descriptor(descriptor, alone)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return Hold(descriptor)
    except OSError:
        pass
    os.close(descriptor)
    return None


def _lock_descriptor(descriptor: int, alone: bool) -> None:
    """Lock an open file at once, or raise OSError."""
    if fcntl is not None:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return
    if alone:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, _SLOTS)
        return
    for slot in range(_SLOTS):
        try:
            os.lseek(descriptor, slot, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return
        except OSError:
            if slot == _SLOTS - 1:
                raise
