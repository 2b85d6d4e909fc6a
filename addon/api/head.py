"""Face models and heads."""
from __future__ import annotations

import bpy

from ...engine.errors import FacewrightError
from ...engine.face_model.model import FaceModel
from .. import models
from ..scene import heads
from .shared import select


def model_is_ready(source: str) -> bool:
    """Whether a face model can be used at once; else the task 'import_model' makes it so. Raises where there is nothing at `source`."""
    return models.cached(source) is not None


def use_model(scene: bpy.types.Scene, source: str) -> None:
    """Make a scene use the face model at `source` ('builtin' or a path)."""
    settings = scene.facewright
    if source == models.BUILTIN:
        settings.model = 'BUILTIN'
    else:
        settings.model, settings.model_path = 'FILE', source


def find_model(source: str) -> FaceModel:
    """The FaceModel of `source`, which must be in the cache."""
    model = models.cached(source)
    if model is None:
        raise FacewrightError(f'The face model {source} is not in the cache: add a head once, which reads it, then try again.')
    return model


def add_head(context: bpy.types.Context, source: str = models.BUILTIN, naming: str = 'ICT') -> bpy.types.Object:
    """Add a face model's head at the 3D cursor in the active collection, selected. The model must be in the cache."""
    head = heads.create_head('Head', find_model(source), naming=naming, collection=context.collection)
    head.location = context.scene.cursor.location
    select(context, head)
    return head
