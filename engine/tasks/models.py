"""Reading and downloading face models."""

from __future__ import annotations

from pathlib import Path

from ..core.progress import Clock, Progress, listen, relay
from .shared import Task


def import_face_model(source: str = 'builtin', landmarks: bool = True) -> Task:
    """Read or build a face model and cache it, with its landmarks where tracking will need them.

    Returns {'model': path of the cache, 'name', 'vertices', 'identities'}.
    """
    from ..face_model import cached_model_path, load_model

    clock = Clock()
    read = 0.3 if landmarks else 1.0  # part of the bar
    model = yield from relay(
        listen(lambda report: load_model(source, report)),
        lambda part: clock.at(read * part, 'Reading the face model'),
    )
    if landmarks:
        from ..annotate.landmarks import model_landmarks

        yield from relay(
            listen(lambda report: model_landmarks(model, report)),
            lambda part: clock.at(read + 0.7 * part, 'Finding the landmarks on the model'),
        )
    yield Progress(1.0, 'Done', 0.0)
    return {
        'model': str(cached_model_path(source)),
        'name': model.name,
        'vertices': model.vertex_count,
        'identities': len(model.identities),
    }


def download_face_model(folder: str, scratch: str) -> Task:
    """Download ICT-FaceKit from its project page into `folder`, through `scratch`, and cache it.

    The caller has asked the user.
    """
    from ..face_model.download import download_ict

    clock = Clock()
    source = yield from relay(
        listen(lambda report: download_ict(Path(folder), Path(scratch), report)),
        lambda part: clock.at(0.7 * part, 'Downloading ICT-FaceKit'),
    )
    imported = yield from relay(
        import_face_model(str(source)),
        lambda step: clock.at(0.7 + 0.3 * step.fraction, step.stage),
    )
    return imported | {'source': str(source)}
