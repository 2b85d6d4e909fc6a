"""The face model a scene uses, for Blender's process: read from the engine's cache; made by a job
where it is not there yet.
"""

from __future__ import annotations

from pathlib import Path

from ..engine.core.errors import FacewrightError
from ..engine.core.store import mark_used
from ..engine.face_model import BUILTIN, cached_model_path
from ..engine.face_model.model import FaceModel
from ..engine.face_model.store import read_model
from . import paths

_last: tuple[Path, float, FaceModel] | None = None


def source_of(settings) -> str:
    """Return a scene's face model as the engine wants it: 'builtin' or a path."""
    return (
        BUILTIN
        if settings.model == 'BUILTIN'
        else paths.absolute(settings.model_path, 'face model')
    )


def cached(source: str) -> FaceModel | None:
    """Return the model of `source` ('builtin', a folder, an archive or a cached .npz) if it is in
    the cache. The last one read is kept.
    """
    global _last
    if source != BUILTIN and not Path(source).exists():
        raise FacewrightError(
            f"There is no face model at {source}: choose ICT-FaceKit's folder or archive, or "
            'the built-in head.'
        )
    with paths.engine_cache():
        path = cached_model_path(source)
    if not path.exists():
        return None
    mark_used(path)
    stamp = path.stat().st_mtime
    if _last is None or _last[:2] != (path, stamp):
        try:
            _last = path, stamp, read_model(path)
        except FacewrightError:
            if path == Path(source):
                raise
            return None  # damaged: the engine makes it again
    return _last[2]


def forget() -> None:
    """Let go of the model kept in memory."""
    global _last
    _last = None
