"""The list of views."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from ...engine.core.errors import FacewrightError
from ...engine.footage import kinds
from .shared import checked_path


def add_footage(
    scene: bpy.types.Scene,
    path: str,
    name: str = '',
    kind: str = 'AUTO',
    lens: float = 0,
    offset: float = 0,
    start: float = 0,
    end: float = 0,
    fps: float = 24,
    cameras: str = '',
    masks: str = '',
):
    """Add a view to a scene's footage; returns it. Parameters as FootageView's; kind 'AUTO': as footage.kinds tells.

    Raises FacewrightError where the file is no footage.
    """
    path, kind = checked_footage(path, kind)
    view = scene.facewright.views.add()
    view.filepath, view.kind = path, kind
    view.label = name or (Path(path).parent.name if view.kind == 'CAPTURE' else Path(path).stem)
    view.lens, view.offset, view.start, view.end, view.fps, view.cameras, view.masks = (
        lens,
        offset,
        start,
        end,
        fps,
        cameras,
        masks,
    )
    scene.facewright.active_view = len(scene.facewright.views) - 1
    return view


def checked_footage(path: str, kind: str = 'AUTO') -> tuple[str, str]:
    """Check a file or folder before anything is added: its absolute path and its kind, found where it is 'AUTO'.

    Raises FacewrightError where it is no footage.
    """
    path = checked_path(path, 'footage')
    if os.path.isfile(path) and not os.path.getsize(path):
        raise FacewrightError(
            f'{path} is empty, perhaps not yet copied: choose a file with something in it.'
        )
    found = kinds.kind_of(path).upper() if kind == 'AUTO' or not os.path.isdir(path) else kind
    return path, found if kind == 'AUTO' else kind


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
