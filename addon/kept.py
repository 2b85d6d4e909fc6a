"""What Overlay and Bake Albedo need of the last reconstructions: a copy of their files in the add-on's cache, as a job's own folder goes with the next job."""
from __future__ import annotations

import shutil
from pathlib import Path

from ..engine import owned
from ..engine.errors import FacewrightError
from . import paths

FILES = ('rig.npz', 'performance.npz', 'motion.npz', 'cameras.json', 'report.json')
COUNT = 10  # results kept; some 20 MB each with ICT-FaceKit


def keep(folder: Path) -> Path:
    """Copy a result folder's files; returns where to. Our oldest beyond COUNT go."""
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
        raise FacewrightError(f'Cannot write to {base} ({error.strerror or error}): choose another cache folder in the Facewright preferences.') from error
    owned.clear_out(base, keep=COUNT - 1)  # held: one more stays
    return kept


def drop(kept: Path) -> None:
    """Delete one result's copy."""
    owned.remove(kept)
