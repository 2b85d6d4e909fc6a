"""The files of ICT-FaceKit in a folder, a zip or a tar.

They are walked within limits, without unpacking to disk, and told from any other files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from ..core.errors import FacewrightError

# {file: SHA-256} of the files that are read, of download.ICT_COMMIT
HASHES = Path(__file__).with_name('ict_hashes.json')
FILE_LIMIT = 32 << 20  # bytes of one file; ICT's have 2.6 MB
TOTAL_LIMIT = 4 << 30  # bytes of all of an archive's files, unpacked; ICT's have 0.6 GB
MEMBER_LIMIT = 20000  # files in an archive; ICT's has some 220
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    UnicodeDecodeError,
)

Members = Iterator[tuple[str, bytes]]


@contextlib.contextmanager
def open_members(
    source: Path, wanted: Iterable[str], neutral: str
) -> Iterator[Callable[[], Members]]:
    """Yield a function that walks (file name, bytes) of the wanted files in `source`.

    neutral: the file whose folder is looked for in a folder. FacewrightError says what is wrong; an
    archive is refused whole that has a file leading outside it, a link, a file in two places, or
    more than the limits.
    """
    source, wanted = Path(source), frozenset(wanted)
    try:
        if source.is_dir():
            yield lambda: _walk_folder(_model_folder(source, neutral), wanted)
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                yield lambda: _walk_zip(source, archive, wanted)
        elif source.exists() and tarfile.is_tarfile(source):
            with tarfile.open(source) as archive:
                yield lambda: _walk_tar(source, archive, wanted)
        elif not source.exists():
            raise FacewrightError(
                f'There is no face model at {source}: check the path, or choose the built-in head.'
            )
        else:
            raise FacewrightError(
                f'{source} is neither a folder nor a zip or tar archive: choose ICT-FaceKit as '
                'downloaded.'
            )
    except DAMAGED as error:
        what = ' '.join(str(error).split()) or type(error).__name__
        raise FacewrightError(
            f'{source} is a damaged archive ({what[:200]}): download ICT-FaceKit again.'
        ) from error
    except OSError as error:
        raise FacewrightError(
            f'Cannot read {source} ({error.strerror or error}): check the file and its permissions.'
        ) from error


def check_hashes(source: Path, progress: Callable[[float], None] = lambda fraction: None) -> None:
    """Raise FacewrightError unless `source` holds the very files that Facewright was made with."""
    known = json.loads(HASHES.read_text(encoding='utf-8'))
    neutral = next(name for name in known if 'neutral' in name)
    seen = set()
    with open_members(source, known, neutral) as walk:
        for name, data in walk():
            if hashlib.sha256(data).hexdigest() != known[name]:
                raise FacewrightError(
                    f"{name} in {source.name} is not ICT-FaceKit's: try again, or get it from its "
                    'project page and import it.'
                )
            seen.add(name)
            progress(len(seen) / len(known))
    if seen != set(known):
        raise FacewrightError(
            f'{source.name} lacks {min(set(known) - seen)}: try again, or get ICT-FaceKit from its '
            'project page and import it.'
        )


def _model_folder(source: Path, neutral: str) -> Path:
    """Return the folder below `source` that the meshes lie in."""
    folders = [source, source / 'FaceXModel', *sorted(source.glob('*/FaceXModel'))]
    folder = next((f for f in folders if (f / neutral).exists()), None)
    if folder is None:
        raise FacewrightError(
            f'{source} holds no {neutral}: choose the FaceXModel folder of ICT-FaceKit.'
        )
    return folder


def _walk_folder(folder: Path, wanted: frozenset[str]) -> Members:
    """Yield the wanted files of a folder, by name."""
    for path in sorted(folder.iterdir()):
        if path.name in wanted and path.is_file():
            if path.stat().st_size > FILE_LIMIT:
                raise _too_large(folder, path.name)
            yield path.name, path.read_bytes()


def _walk_zip(source: Path, archive: zipfile.ZipFile, wanted: frozenset[str]) -> Members:
    """Yield the wanted files of a zip, after all its members were checked."""
    counted, chosen = _Counted(source), []
    for member in archive.infolist():
        counted.add(member.filename, member.file_size, stat.S_ISLNK(member.external_attr >> 16))
        path = PurePosixPath(member.filename)
        if path.name in wanted and 'FaceXModel' in path.parts:
            counted.choose(path.name, member.file_size)
            chosen.append((path.name, member))
    for name, member in chosen:
        yield name, archive.read(member)


def _walk_tar(source: Path, archive: tarfile.TarFile, wanted: frozenset[str]) -> Members:
    """Yield the wanted files of a tar, each checked as it comes."""
    counted = _Counted(source)
    for member in archive:
        counted.add(member.name, member.size, member.issym() or member.islnk())
        name = PurePosixPath(member.name).name
        if member.isfile() and name in wanted:
            counted.choose(name, member.size)
            data = archive.extractfile(member).read(FILE_LIMIT)
            if len(data) != member.size:
                raise EOFError(f'{name} is cut off')
            yield name, data


class _Counted:
    """What was met in an archive so far, against the limits."""

    def __init__(self, source: Path) -> None:
        self.source, self.members, self.bytes, self.chosen = source, 0, 0, set()

    def add(self, name: str, size: int, is_link: bool) -> None:
        """Count a member; refuse one that leads outside the archive, is a link, or is too much."""
        path = PurePosixPath(name.replace('\\', '/'))
        if path.is_absolute() or '..' in path.parts or (path.parts and ':' in path.parts[0]):
            raise FacewrightError(
                f'{self.source} holds the file {_short(name)}, which leads outside the archive: do '
                'not use it, download ICT-FaceKit again.'
            )
        if is_link:
            raise FacewrightError(
                f'{self.source} holds the link {_short(name)}, which ICT-FaceKit has none of: do '
                'not use it, download ICT-FaceKit again.'
            )
        self.members += 1
        self.bytes += size
        if self.members > MEMBER_LIMIT or self.bytes > TOTAL_LIMIT:
            raise FacewrightError(
                f'{self.source} unpacks to far more than ICT-FaceKit has: do not use it, download '
                'ICT-FaceKit again.'
            )

    def choose(self, name: str, size: int) -> None:
        """Note a wanted file; refuse one too large or met before."""
        if size > FILE_LIMIT:
            raise _too_large(self.source, name)
        if name in self.chosen:
            raise FacewrightError(
                f'{self.source} holds {name} twice: do not use it, download ICT-FaceKit again.'
            )
        self.chosen.add(name)


def _too_large(source: Path, name: str) -> FacewrightError:
    """Return the error for a file beyond FILE_LIMIT."""
    return FacewrightError(
        f"{name} in {source} is far larger than ICT-FaceKit's: download ICT-FaceKit again."
    )


def _short(name: str) -> str:
    """Return a name from an archive, fit for a sentence."""
    return repr(name if len(name) < 80 else name[:79] + '…')
