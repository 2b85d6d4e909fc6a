"""The list of views."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...engine.core.errors import FacewrightError
from ...engine.footage import kinds
from .shared import checked_path


def add_footage(
    scene: bpy.types.Scene, path: str, name: str = '', kind: str = 'AUTO', **options
) -> bpy.types.PropertyGroup:
    """Add a view to a scene's footage; returns it, a FootageView.

    kind: one of FootageView's or 'AUTO': as the file is. options: more of FootageView's
    properties (lens, offset, start, end, fps, cameras, masks). Raises FacewrightError where the
    file is no footage.
    """
    path, kind = checked_footage(path, kind)
    view = scene.facewright.views.add()
    view.filepath, view.kind = path, kind
    view.label = name or (Path(path).parent.name if view.kind == 'CAPTURE' else Path(path).stem)
    for option, value in options.items():
        setattr(view, option, value)
    scene.facewright.active_view = len(scene.facewright.views) - 1
    return view


def checked_footage(path: str, kind: str = 'AUTO') -> tuple[str, str]:
    """Check a file or folder before anything is added; returns its absolute path and its kind.

    kind: 'AUTO' to find it. Raises FacewrightError where the file is no footage.
    """
    file = Path(checked_path(path, 'footage'))
    if file.is_file() and not file.stat().st_size:
        raise FacewrightError(
            f'{file} is empty, perhaps not yet copied: choose a file with something in it.'
        )
    found = kinds.kind_of(str(file)).upper() if kind == 'AUTO' or not file.is_dir() else kind
    return str(file), found if kind == 'AUTO' else kind


def remove_footage(scene: bpy.types.Scene, index: int) -> None:
    """Take a view off a scene's list."""
    settings = scene.facewright
    if not 0 <= index < len(settings.views):
        raise FacewrightError(f'There is no view {index}: the footage has {len(settings.views)}.')
    settings.views.remove(index)
    settings.active_view = max(0, min(settings.active_view, len(settings.views) - 1))


def move_footage(scene: bpy.types.Scene, index: int, step: int) -> None:
    """Move a view up (−1) or down (1) in a scene's list."""
    settings, to = scene.facewright, index + step
    if not (0 <= index < len(settings.views) and 0 <= to < len(settings.views)):
        raise FacewrightError('The view is at the end of the list already.')
    settings.views.move(index, to)
    settings.active_view = to
