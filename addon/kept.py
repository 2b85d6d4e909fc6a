"""What Overlay and Bake Albedo need of the last reconstructions: a copy of their files in the add-on's cache, as a job's own folder goes with the next job."""
from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from ..engine.errors import FacewrightError
from . import paths

FILES = ('rig.npz', 'performance.npz', 'motion.npz', 'cameras.json', 'report.json')
COUNT = 10  # results kept; some 20 MB each with ICT-FaceKit


def keep(folder: Path) -> Path:
    """Copy a result folder's files; returns where to. The oldest beyond COUNT go."""
    base = paths.cache_folder() / 'results'
    try:
        base.mkdir(parents=True, exist_ok=True)
        for old in sorted((p for p in base.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)[:-COUNT + 1]:
            shutil.rmtree(old, ignore_errors=True)
        kept = Path(tempfile.mkdtemp(prefix=time.strftime('%Y%m%d-%H%M%S-'), dir=base))
        for name in FILES:
            if (folder / name).exists():
                shutil.copy2(folder / name, kept / name)
    except OSError as error:
        raise FacewrightError(f'Cannot write to {base} ({error.strerror or error}): choose another cache folder in the Facewright preferences.') from error
    return kept


def drop(kept: Path) -> None:
    """Delete one result's copy."""
    shutil.rmtree(kept, ignore_errors=True)
