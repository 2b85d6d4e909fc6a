"""A task's results go into the user's folder as one set, or not at all.

What Facewright did not write there is left alone. A manifest in the folder, MANIFEST, lists what we
wrote: {file name: {task, sha256}}. A file that is not in it, or was changed since, is the user's:
it is never replaced or deleted. New files are made elsewhere, brought into a hidden folder inside,
and change places with the old ones only once a journal says which: a run that is killed in between
is finished by whoever opens or writes the folder next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import owned
from .errors import FacewrightError
from .files import cache_folder
from .store import evict

MANIFEST = '.facewright.json'
STAGE = '.facewright-new-'  # begins the hidden folder's name
LOCK = '.facewright-lock'
JOURNAL = 'journal.json'
ROOM = 256 << 20  # bytes: more than any result has


def claim(folder: Path, names: Iterable[str]) -> None:
    """Raise FacewrightError where one of the files to be written is there and is the user's."""
    listed = read_manifest(folder)
    for name in names:
        if os.path.lexists(folder / name) and not _is_ours(folder / name, listed):
            raise FacewrightError(
                f'{folder / name} was not written by Facewright, or was changed since: '
                'move it away, or choose another folder.'
            )


@contextlib.contextmanager
def results(folder: Path, task: str, replaces: Iterable[str] = ()) -> Iterator[Path]:
    """Yield a folder to write a task's results into; they replace its earlier ones in `folder`.

    That is when the block succeeds; on any failure nothing has changed.

    replaces: other tasks whose files go as well, as they belong to the earlier result.

    Raises FacewrightError where the folder cannot be written to, or a file in the way is the
    user's.
    """
    folder = Path(folder)
    try:
        with _work_folder() as work:
            yield work
            publish(work, folder, task, replaces)
    except OSError as error:
        raise FacewrightError(
            f'Cannot write to {folder} ({error.strerror or error}): choose a folder you can write '
            'to, with space left.'
        ) from error


@contextlib.contextmanager
def _work_folder() -> Iterator[Path]:
    """Yield a new folder in the cache, which goes again.

    Where that cannot be written to, or is nearly full, in the system's temporary folder.
    """
    base = cache_folder() / 'work'
    work = None
    with contextlib.suppress(OSError):
        base.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(base).free > ROOM:
            work, held = owned.make_new(base)
    if work is None:
        with tempfile.TemporaryDirectory(prefix='facewright-') as work:
            yield Path(work)
        return
    evict(base)
    try:
        yield work
    finally:
        if held is not None:
            held.release()
        owned.remove(work)


def publish(work: Path, folder: Path, task: str, replaces: Iterable[str] = ()) -> None:
    """Move the files of `work` into `folder` as a task's results.

    OSError or FacewrightError: then the folder is as it was.
    """
    names = sorted(entry.name for entry in work.iterdir() if entry.name != owned.MARK)
    folder.mkdir(parents=True, exist_ok=True)
    with owned.alone(folder / LOCK):
        _recover(folder)
        claim(folder, names)
        listed = read_manifest(folder)
        earlier = [
            name
            for name, entry in listed.items()
            if entry['task'] in (task, *replaces) and name not in names
        ]
        going = [name for name in earlier if _is_ours(folder / name, listed)]
        kept = {name: entry for name, entry in listed.items() if name not in earlier}
        stage = folder / (STAGE + secrets.token_hex(4))
        try:
            stage.mkdir()
            (stage / owned.MARK).touch()
            (stage / 'old').mkdir()
            (stage / 'new').mkdir()
            made = {}
            for name in names:
                _bring(work / name, stage / 'new' / name)
                made[name] = {'task': task, 'sha256': _digest(stage / 'new' / name)}
            _write_json(
                stage / JOURNAL, {'files': kept | made, 'new': names, 'old': sorted(going)}, stage
            )
            _forward(folder, stage)
        except BaseException:
            _back(folder, stage)
            raise


def recover(folder: Path) -> None:
    """Finish, or take back, what a killed run left halfway in a folder of results.

    Cheap where there is nothing; never raises.
    """
    folder = Path(folder)
    with contextlib.suppress(OSError, FacewrightError):
        if (folder / LOCK).exists() or any(folder.glob(STAGE + '*')):
            with owned.alone(folder / LOCK):
                _recover(folder)


def read_manifest(folder: Path) -> dict[str, dict]:
    """Return what Facewright wrote into a folder: {name: {'task', 'sha256'}}.

    {} where nothing is known.
    """
    try:
        return _entries(json.loads((folder / MANIFEST).read_text(encoding='utf-8'))['files'])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _entries(files) -> dict[str, dict]:
    """Return a manifest's entries that are well-formed: plain file names, a task, a digest."""
    return {
        name: {'task': str(entry['task']), 'sha256': str(entry['sha256'])}
        for name, entry in files.items()
        if isinstance(entry, dict) and {'task', 'sha256'} <= set(entry) and _is_plain(name)
    }


def _is_plain(name: str) -> bool:
    """Return whether a name means a file in the folder itself."""
    return isinstance(name, str) and name not in ('', '.', '..') and not set(name) & set('/\\:\0')


def _is_ours(path: Path, listed: dict[str, dict]) -> bool:
    """Return whether a file is as Facewright wrote it."""
    try:
        return (
            path.name in listed
            and path.is_file()
            and not path.is_symlink()
            and _digest(path) == listed[path.name]['sha256']
        )
    except OSError:
        return False


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def _bring(source: Path, target: Path) -> None:
    """Move a file, to another disk too."""
    try:
        source.replace(target)
    except OSError:
        shutil.copyfile(source, target)


def _write_json(path: Path, value, stage: Path) -> None:
    """Write a JSON file whole or not at all."""
    part = stage / 'part.json'
    part.write_text(json.dumps(value, indent=1), encoding='utf-8')
    part.replace(path)


def _recover(folder: Path) -> None:
    """Under the folder's lock: a stage with a journal is put in place, one without is dropped."""
    for stage in sorted(folder.glob(STAGE + '*')):
        if not owned.is_ours(stage):
            with contextlib.suppress(OSError):
                stage.rmdir()  # killed before the mark was in it: empty
        elif (stage / JOURNAL).exists():
            with contextlib.suppress(
                ValueError, KeyError, TypeError, AttributeError, RecursionError
            ):  # not ours: left
                _forward(folder, stage)
        else:
            _drop(stage)


def _forward(folder: Path, stage: Path) -> None:
    """Old files out, new ones in, the manifest last; each step may have been done before."""
    journal = json.loads((stage / JOURNAL).read_text(encoding='utf-8'))
    files = _entries(journal['files'])
    new = [name for name in journal['new'] if _is_plain(name)]
    old = [name for name in journal['old'] if _is_plain(name)]
    for name in (*old, *new):
        if (
            os.path.lexists(folder / name)
            and not (stage / 'old' / name).exists()
            and (name in old or (stage / 'new' / name).exists())
        ):
            (folder / name).replace(stage / 'old' / name)
    for name in new:
        if (stage / 'new' / name).exists():
            (stage / 'new' / name).replace(folder / name)
    _write_json(folder / MANIFEST, {'format': 1, 'files': files}, stage)
    _drop(stage)


def _back(folder: Path, stage: Path) -> None:
    """Make it as it was before: new files out again, old ones back.

    What cannot be moved stays in the stage, for `recover`.
    """
    with contextlib.suppress(OSError, ValueError):
        if (stage / JOURNAL).exists():
            for name in json.loads((stage / JOURNAL).read_text(encoding='utf-8'))['new']:
                if not (stage / 'new' / name).exists() and (folder / name).exists():
                    (folder / name).replace(stage / 'new' / name)
            for old in (stage / 'old').iterdir():
                old.replace(folder / old.name)
        _drop(stage)
        with contextlib.suppress(OSError):
            stage.rmdir()


def _drop(stage: Path) -> None:
    """Delete a stage from which nothing is to follow: its journal first, its mark last.

    What cannot be deleted now is for `recover`.
    """
    with contextlib.suppress(OSError):
        (stage / JOURNAL).unlink(missing_ok=True)
        for part in ('new', 'old'):
            shutil.rmtree(stage / part, ignore_errors=True)
        for left in stage.iterdir():
            if left.name != owned.MARK:
                left.unlink()
        (stage / owned.MARK).unlink(missing_ok=True)
        stage.rmdir()
