"""Face models and heads."""

from __future__ import annotations

import bpy

from ...engine.core.errors import FacewrightError
from ...engine.face_model.model import FaceModel
from .. import models
from ..scene import heads, obstacles, takes, viewports
from .shared import hidden_in_words, select


def model_is_ready(source: str) -> bool:
    """Return whether a face model can be used at once; else the task 'import_face_model' makes it
    so. Raises where there is nothing at `source`.
    """
    return models.cached(source) is not None


def use_model(scene: bpy.types.Scene, source: str) -> None:
    """Make a scene use the face model at `source` ('builtin' or a path)."""
    settings = scene.facewright
    if source == models.BUILTIN:
        settings.model = 'BUILTIN'
    else:
        settings.model, settings.model_path = 'FILE', source


def find_model(source: str) -> FaceModel:
    """Return the FaceModel of `source`, which must be in the cache."""
    model = models.cached(source)
    if model is None:
        raise FacewrightError(
            f'The face model {source} is not in the cache: add a head once, which reads '
            'it, then try again.'
        )
    return model


def add_head(
    context: bpy.types.Context,
    source: str = models.BUILTIN,
    naming: str = 'ICT',
    shown: list[str] | None = None,
) -> bpy.types.Object:
    """Add a face model's head at the 3D cursor in the active collection, selected and in the
    middle of the 3D view; what hides it there is hidden (`shown`: a list that gets a sentence
    about it). The model must be in the cache.
    """
    head = heads.create_head(
        'Head', find_model(source), naming=naming, collection=context.collection
    )
    head.location = context.scene.cursor.location
    head[takes.TAKE] = takes.new_id()
    select(context, head)
    if head.name in context.view_layer.objects:
        hidden = obstacles.clear_round(
            context, head, viewports.eye_point(context, head.location, obstacles.DISTANCE)
        )
        viewports.frame_object(context, head)
        if shown is not None:
            shown += hidden_in_words(hidden)
    return head
