"""The add-on for Python: what every operator does, as functions. They raise FacewrightError and touch no interface."""
from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import FacewrightError
from . import models
from .scene import heads


def checked_path(path: str, what: str) -> str:
    """An existing file's or folder's absolute path ('//' is the .blend's folder)."""
    if not path:
        raise FacewrightError(f'No {what} was given: choose a file.')
    found = Path(bpy.path.abspath(path))
    if not found.exists():
        raise FacewrightError(f'There is no {what} at {found}: check the path.')
    return str(found.resolve())


def model_is_ready(source: str) -> bool:
    """Whether a face model can be used at once; else the task 'import_model' makes it so. Raises where there is nothing at `source`."""
    return models.cached(source) is not None


def use_model(scene: bpy.types.Scene, source: str) -> None:
    """Make a scene use the face model at `source`."""
    models.forget()
    settings = scene.facewright
    settings.model, settings.model_path = ('BUILTIN', settings.model_path) if source == models.BUILTIN else ('FILE', source)


def add_head(context: bpy.types.Context, source: str = models.BUILTIN, naming: str = 'ICT') -> bpy.types.Object:
    """Add a face model's head at the 3D cursor's place in the active collection, selected. The model must be in the cache."""
    model = models.cached(source)
    if model is None:
        raise FacewrightError('The face model has not been read yet: run facewright.import_face_model first.')
    head = heads.create_head('Head', model, naming=naming, collection=context.collection)
    head.location = context.scene.cursor.location
    select(context, head)
    return head


def select(context: bpy.types.Context, thing: bpy.types.Object) -> None:
    """Make an object the only selected one, and active."""
    for other in context.view_layer.objects.selected:
        other.select_set(False)
    thing.select_set(True)
    context.view_layer.objects.active = thing
