"""Face models: one `FaceModel`, from ICT-FaceKit or the built-in head, cached so that it opens in under a second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from ..core.cache import cached
from ..core.errors import FacewrightError
from ..core.files import cache_folder
from ..core.sources import fingerprint
from .model import FaceModel
from .store import read_model, write_model

BUILTIN = 'builtin'


def _source_key(source: str) -> str:
    """A key that changes when the model's files do (path, size and time of the archive, or of the folder's meshes), or what reads or builds it."""
    parts = [
        fingerprint(
            'face_model.builtin' if source == BUILTIN else 'face_model.ict', 'face_model.store'
        )
    ]
    if source != BUILTIN:
        path = Path(source).resolve()
        files = (
            [path]
            if path.is_file()
            else sorted(
                [
                    *path.glob('*.obj'),
                    *path.glob('FaceXModel/*.obj'),
                    *path.glob('*/FaceXModel/*.obj'),
                ]
            )
        )
        parts += [
            str(path),
            *(f'{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}' for f in files),
        ]
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]


def cached_model_path(source: str) -> Path:
    """Where `source` ('builtin', an ICT-FaceKit folder or archive, or already a cached .npz) is or will be cached."""
    source = str(source)
    if source.endswith('.npz'):
        return Path(source)
    stem = BUILTIN if source == BUILTIN else 'ict'
    return cache_folder() / 'models' / f'{stem}-{_source_key(source)}.npz'


def load_model(source: str = BUILTIN, progress: Callable[[float], None] | None = None) -> FaceModel:
    """The model of `source`, from its cache if there is one, else read or built and cached. progress gets 0..1."""
    source = str(source)
    if source != BUILTIN and not Path(source).exists():
        raise FacewrightError(
            f'There is no face model at {source}: check the path, or choose the built-in head.'
        )
    if source.endswith('.npz'):
        return read_model(Path(source))
    return cached(
        cached_model_path(source), read_model, lambda: _made(source, progress), write_model
    )


def _made(source: str, progress: Callable[[float], None] | None) -> FaceModel:
    """The model of `source`, built or read from its own files."""
    if source == BUILTIN:
        from .builtin import build

        return build()
    from .ict import read_ict

    return read_ict(Path(source), progress or (lambda fraction: None))
