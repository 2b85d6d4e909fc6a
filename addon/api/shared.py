"""What the other files here share."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.words import listed
from ..paths import absolute
from ..scene import mesh_sets


def checked_path(path: str, what: str) -> str:
    """Return an existing file's or folder's absolute path ('//' is the .blend's folder)."""
    if not path:
        raise FacewrightError(f'No {what} was given: choose one.')
    found = Path(absolute(path, what))
    if not found.exists():
        raise FacewrightError(f'There is no {what} at {found}: check the path.')
    return str(found.resolve())


def hidden_in_words(names: list[str]) -> list[str]:
    """Return what was hidden for a head to be seen: a sentence, or none."""
    if not names:
        return []
    verb = 'stands' if len(names) == 1 else 'stand'
    return [
        f'{listed(names, 4)} {verb} in the way and {"is" if len(names) == 1 else "are"} hidden in '
        'the view (Alt-H shows all again).'
    ]


def select(context: bpy.types.Context, thing: bpy.types.Object) -> None:
    """Make an object the only selected one, and active."""
    for other in list(context.view_layer.objects.selected):
        if other is not None:  # Blender lists one that was just removed
            other.select_set(False)
    thing.select_set(True)
    context.view_layer.objects.active = thing


def show_colours(context: bpy.types.Context) -> None:
    """Let the scene's solid 3D viewports show the active colour attribute."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'VIEW_3D' and window.scene == context.scene:
                area.spaces.active.shading.color_type = 'VERTEX'


def group_weights(thing: bpy.types.Object, name: str) -> np.ndarray:
    """Return N weights of a vertex group."""
    group = thing.vertex_groups.get(name)
    if group is None:
        raise FacewrightError(
            f'{thing.name} has no vertex group called {name}: choose one of its own.'
        )
    return mesh_sets.group_weights(thing, group)
