"""Where what is found once on a face model is kept: told without importing what finds it."""

from __future__ import annotations

from pathlib import Path

from ..face_model.model import FaceModel


def landmarks_path(model: FaceModel) -> Path:
    """Return the file of the cache that a model's landmarks are kept in."""
    return model.template.tracked.cache_path('landmarks', 'annotate.landmarks')


def landmarks_are_cached(model: FaceModel) -> bool:
    """Tell whether model_landmarks has only to read them."""
    return landmarks_path(model).exists()
