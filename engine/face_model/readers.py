"""The kinds of face model there are: one table, asked by `load_model` and by the cache.

To add one, write a module beside `ict.py` that makes a `FaceModel` of its files, and give it a row
of READERS. The readers' modules are imported only when they read: the add-on asks this table for
cache paths inside Blender, where SciPy may be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .model import FaceModel

BUILTIN = 'builtin'  # the source of the built-in head; all other sources are paths

ReportFraction = Callable[[float], None]


@dataclass(frozen=True)
class ModelReader:
    """How one kind of face model is recognised, told apart from its other versions, and read."""

    # FaceModel.name of what it makes, and how its files in the cache begin.
    name: str
    # Of the engine, such as 'face_model.ict': another version of it makes the cache anew.
    module: str
    # source → whether it is of this kind. The first reader of the table that says so reads it.
    recognises: Callable[[str], bool]
    # source → the files it is made of, whose names, sizes and times are part of the cache's key.
    files: Callable[[str], list[Path]]
    # (source, report of a fraction 0..1) → the model; FacewrightError says what is wrong with it.
    read: Callable[[str, ReportFraction], FaceModel]


def _build_builtin(source: str, report: ReportFraction) -> FaceModel:
    """Build the built-in head."""
    from .builtin import build

    return build()


def _read_ict(source: str, report: ReportFraction) -> FaceModel:
    """Read an ICT-FaceKit folder or archive."""
    from .ict import read_ict

    return read_ict(Path(source), report)


def _ict_files(source: str) -> list[Path]:
    """List an archive itself, or the meshes of a folder wherever ICT-FaceKit keeps them."""
    path = Path(source).resolve()
    if path.is_file():
        return [path]
    patterns = ('*.obj', 'FaceXModel/*.obj', '*/FaceXModel/*.obj')
    return sorted(file for pattern in patterns for file in path.glob(pattern))


READERS: tuple[ModelReader, ...] = (
    ModelReader(
        name='builtin',
        module='face_model.builtin',
        recognises=lambda source: source == BUILTIN,
        files=lambda source: [],
        read=_build_builtin,
    ),
    # The last takes every other path: what is no ICT-FaceKit, its reader says so.
    ModelReader(
        name='ict',
        module='face_model.ict',
        recognises=lambda source: True,
        files=_ict_files,
        read=_read_ict,
    ),
)


def reader_of(source: str) -> ModelReader:
    """Find the reader of a source: BUILTIN or a path."""
    return next(reader for reader in READERS if reader.recognises(source))
