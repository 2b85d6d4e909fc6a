"""Footage: what the user filmed, and what can be seen in it.

open_footage and read_frames are imported when first used: Blender imports kinds.py, which needs the
standard library only.
"""

from importlib import import_module

__all__ = ['open_footage', 'read_frames']


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module('.sources', __name__), name)
