"""Copies of the last reconstructions' files in the add-on's cache, for Overlay and Bake Skin
Texture: a job's own folder goes with the next job.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..engine.core import owned, store
from ..engine.core.errors import FacewrightError
from ..engine.core.files import replacing, sweep
from . import paths

FILES = (
    *('rig.npz', 'performance.npz', 'motion.npz', 'cameras.json', 'report.json'),
    *('albedo.png', 'albedo.npz'),  # which go with the head where its rig is used for another take
)


def save(folder: Path) -> Path:
    """Copy a result folder's files into the cache; returns the copy's folder.

    The oldest copies go (engine/core/store.py). Raises FacewrightError where the cache cannot be
    written to.
    """
    base = paths.cache_folder() / 'results'
    copy = hold = None
    try:
        copy, hold = owned.make_new(base)
        for name in FILES:
            if (folder / name).exists():
                shutil.copy2(folder / name, copy / name)
    except OSError as error:
        if hold is not None:
            hold.release()  # a folder that is held is not deleted
        if copy is not None:
            delete(copy)
        raise _unwritable(base, error) from error
    store.evict(base)  # the new one, which is held, is not counted
    if hold is not None:
        hold.release()
    return copy


def delete(copy: Path) -> None:
    """Delete one result's copy."""
    owned.remove(copy)


def save_clips(clips: dict[str, dict]) -> dict[str, dict]:
    """Copy clips made for a scene, {view: {'path', 'rate'}}, into the cache; returns the same
    with their new paths.

    Scenes show them: store.evict never deletes them. A clip that is there already is used
    again.
    """
    base, found = paths.cache_folder() / 'clips', {}
    try:
        for view, clip in clips.items():
            path = Path(clip['path'])
            with path.open('rb') as file:
                digest = hashlib.file_digest(file, 'sha256').hexdigest()[:24]
            base.mkdir(parents=True, exist_ok=True)
            sweep(base)
            home = base / f'{digest}{path.suffix}'
            if not home.exists():
                with replacing(home) as part:
                    shutil.copyfile(path, part)
            found[view] = {**clip, 'path': str(home)}
    except OSError as error:
        raise _unwritable(base, error) from error
    return found


def _unwritable(base: Path, error: OSError) -> FacewrightError:
    """Say in a sentence that the cache cannot be written to."""
    return FacewrightError(
        f'Cannot write to {base} ({error.strerror or error}): choose another cache folder in the '
        'Facewright preferences.'
    )
