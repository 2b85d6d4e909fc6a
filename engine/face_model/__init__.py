"""Face models: one `FaceModel`, whoever made it, cached so that it opens in under a second.

What another face model needs, in three files: its reader (a module beside `ict.py`), a row of
`readers.READERS`, and a test of its reader. Everything else asks `load_model` and the noun.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..core.errors import FacewrightError
from ..core.files import cache_folder
from ..core.sources import fingerprint
from ..core.store import cached, files_fingerprint, make_key, mark_used
from .model import FaceModel
from .readers import BUILTIN, reader_of
from .store import read_model, write_model

__all__ = ['BUILTIN', 'FaceModel', 'cached_model_path', 'load_model']


def cached_model_path(source: str) -> Path:
    """Return where a model is or will be cached.

    source: 'builtin', the path of a model's files, or already that of a cached .npz.
    """
    source = str(source)
    if source.endswith('.npz'):
        return Path(source)
    return cache_folder() / 'models' / f'{reader_of(source).name}-{_source_key(source)}.npz'


def load_model(source: str = BUILTIN, progress: Callable[[float], None] | None = None) -> FaceModel:
    """Return the model of a source, from its cache if there is one, else read or built and cached.

    source: as `cached_model_path` takes it; progress: called with 0..1 while a model is read.
    Raises FacewrightError where there is nothing at the path, or no face model.
    """
    source = str(source)
    if source != BUILTIN and not Path(source).exists():
        raise FacewrightError(
            f'There is no face model at {source}: check the path, or choose the built-in head.'
        )
    if source.endswith('.npz'):
        mark_used(Path(source))
        return read_model(Path(source))
    report = progress or (lambda fraction: None)
    return cached(
        cached_model_path(source),
        read_model,
        lambda: reader_of(source).read(source, report),
        write_model,
    )


def _source_key(source: str) -> str:
    """Return a key that changes with a model's files and with what reads or builds it."""
    reader = reader_of(source)
    version = fingerprint(reader.module, 'face_model.store')
    place = '' if source == BUILTIN else str(Path(source).resolve())
    return make_key(version, place, files_fingerprint(reader.files(source)))
