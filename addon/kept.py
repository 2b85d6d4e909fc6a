"""What Overlay and Bake Skin Texture need of the last reconstructions: a copy of their files in the
add-on's cache, as a job's own folder goes with the next job.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..engine.core import owned, store
from ..engine.core.errors import FacewrightError
from ..engine.core.files import replacing, sweep
from . import paths

FILES = ('rig.npz', 'performance.npz', 'motion.npz', 'cameras.json', 'report.json')


def keep(folder: Path) -> Path:
    """Copy a result folder's files; returns where to. The oldest go (engine/core/store.py)."""
    base = paths.cache_folder() / 'results'
    kept = None
    try:
        kept, held = owned.make_new(base)
        for name in FILES:
            if (folder / name).exists():
                shutil.copy2(folder / name, kept / name)
    except OSError as error:
        if kept is not None:
            held = None
            drop(kept)
        raise FacewrightError(
            f'Cannot write to {base} ({error.strerror or error}): choose another cache '
            'folder in the Facewright preferences.'
        ) from error
    store.evict(base)
    return kept


def drop(kept: Path) -> None:
    """Delete one result's copy."""
    owned.remove(kept)


def keep_clips(clips: dict[str, dict]) -> dict[str, dict]:
    """Move clips made for a scene ({view: {'path', 'rate'}}) from a job's folder into the cache;
    returns where they are.

    Scenes show them: store.evict never deletes them. A clip that is there already is used
    again.
    """
    base, found = paths.cache_folder() / 'clips', {}
    try:
        for view, clip in clips.items():
            path = Path(clip['path'])
            with open(path, 'rb') as file:
                digest = hashlib.file_digest(file, 'sha256').hexdigest()[:24]
            base.mkdir(parents=True, exist_ok=True)
            sweep(base)
            home = base / f'{digest}{path.suffix}'
            if not home.exists():
                with replacing(home) as part:
                    shutil.copyfile(path, part)
            found[view] = {**clip, 'path': str(home)}
    except OSError as error:
        raise FacewrightError(
            f'Cannot write to {base} ({error.strerror or error}): '
            'choose another cache folder in the Facewright preferences.'
        ) from error
    return found
