"""Where the add-on keeps things, and which Python runs the engine."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import bpy

from ..engine.core.device import VARIABLE as DEVICE
from ..engine.core.errors import FacewrightError
from ..engine.core.files import cache_folder as engine_cache_folder

PACKAGE = __package__.rpartition('.')[
    0
]  # bl_ext.<repository>.facewright in Blender, facewright elsewhere
ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / 'engine' / 'worker.py'


def absolute(path: str, what: str) -> str:
    """Return a path without Blender's '//'; raises FacewrightError where that means the folder of a
    .blend that was never saved.
    """
    if path.startswith('//') and not bpy.data.filepath:
        raise FacewrightError(
            f'The {what} {path} lies beside the .blend, which is not saved yet: save it '
            'first, or give a whole path.'
        )
    return bpy.path.abspath(path)


def preferences():
    """Return the add-on's preferences; None where it runs without being enabled as one (the
    bpy module).
    """
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


def cache_base() -> Path | None:
    """Return the folder our own lies in: the preference, else $FACEWRIGHT_CACHE, else the
    extension's; None for the user's cache folder.
    """
    chosen = getattr(preferences(), 'cache', '')
    if chosen:
        return Path(bpy.path.abspath(chosen))
    if os.environ.get('FACEWRIGHT_CACHE'):
        return Path(os.environ['FACEWRIGHT_CACHE'])
    with contextlib.suppress(ValueError):  # raised where this is not an installed extension
        return Path(bpy.utils.extension_path_user(PACKAGE, path='cache', create=False))
    return None


def cache_folder() -> Path:
    """Face models, jobs and results: a folder of our own in the one that is chosen."""
    with engine_cache():
        return engine_cache_folder()


@contextlib.contextmanager
def engine_cache():
    """Let the engine's functions, called here, use the add-on's cache folder."""
    before, base = os.environ.get('FACEWRIGHT_CACHE'), cache_base()
    if base is not None:
        os.environ['FACEWRIGHT_CACHE'] = str(base)
    try:
        yield
    finally:
        if before is not None:
            os.environ['FACEWRIGHT_CACHE'] = before
        else:
            os.environ.pop('FACEWRIGHT_CACHE', None)


def engine_python() -> str:
    """Return the Python that runs the engine: the preference, else the one Blender itself runs."""
    chosen = getattr(preferences(), 'python', '')
    return bpy.path.abspath(chosen) if chosen else sys.executable


def child_environment() -> dict[str, str]:
    """Make the environment variables of the engine's processes.

    Nobody's Python settings; the add-on's cache; its device, unless that is left automatic.
    """
    alien = ('LD_PRELOAD', 'DYLD_INSERT_LIBRARIES', '__PYVENV_LAUNCHER__')
    kept = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON') and k not in alien}
    base, device = cache_base(), getattr(preferences(), 'device', 'auto')
    if base is not None:
        kept['FACEWRIGHT_CACHE'] = str(base)
    if device != 'auto':
        kept[DEVICE] = device
    return kept
