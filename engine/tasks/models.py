"""Reading and downloading face models."""

from __future__ import annotations

from pathlib import Path

from ..core.progress import Clock, Progress, listen
from .shared import Task, Value


def import_face_model(source: str = 'builtin', landmarks: bool = True) -> Task:
    """Read or build a face model and cache it, with its landmarks where tracking will need them. Returns {'model': path of the cache, 'name': …}."""
    from ..face_model import cached_model_path, load_model

    if landmarks:
        from ..annotate.landmarks import model_landmarks
    clock = Clock()
    for fraction in (reading := Value(listen(lambda report: load_model(source, report)))):
        yield clock.at((0.3 if landmarks else 1.0) * fraction, 'Reading the face model')
    model = reading.value
    if landmarks:
        for fraction in (binding := Value(listen(lambda report: model_landmarks(model, report)))):
            yield clock.at(0.3 + 0.7 * fraction, 'Finding the landmarks on the model')
    yield Progress(1.0, 'Done', 0.0)
    return {
        'model': str(cached_model_path(source)),
        'name': model.name,
        'vertices': model.vertex_count,
        'identities': len(model.identities),
    }


def download_face_model(folder: str, scratch: str) -> Task:
    """Download ICT-FaceKit from its project page into `folder` (through `scratch`) and cache it. The caller has asked the user."""
    from ..face_model.download import download_ict

    clock = Clock()
    for fraction in (
        fetching := Value(listen(lambda report: download_ict(Path(folder), Path(scratch), report)))
    ):
        yield clock.at(0.7 * fraction, 'Downloading ICT-FaceKit')
    importing = Value(import_face_model(str(fetching.value)))
    for progress in importing:
        yield clock.at(0.7 + 0.3 * progress.fraction, progress.stage)
    return importing.value | {'source': str(fetching.value)}
