"""What Blender shows behind a reconstruction's cameras, where the footage's own files won't do."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import FacewrightError
from ..core.progress import Clock, Progress
from .models import import_face_model
from .shared import Task, Value

READ = 0.4  # part of the bar for the face model, where it has to be read


def scene_clips(result: str, out: str, rate: float | None = None, model: str = '') -> Task:
    """The folder of a reconstruction → clips in `out` for a scene of `rate` frames a second (None:
    the first view's).

    model: a face model to bring into the cache first, '' for none. Returns {'clips': {view:
    {'path', 'rate'}}, 'warnings'}, clips only for views whose own file would show wrong pictures
    (footage/proxies.py); none, and a sentence among the warnings, where the footage is not what it
    was. Raises FacewrightError for a face model that cannot be read.
    """
    from ..footage.proxies import write_proxies
    from ..formats.result import open_result

    clock, begun = Clock(), 0.0
    if model:
        begun = READ
        for progress in import_face_model(model, landmarks=False):
            yield clock.at(READ * progress.fraction, progress.stage)
    yield clock.at(begun, 'Opening the footage')
    made, warnings = {}, []
    try:
        views = open_result(result).views
        making = Value(write_proxies(views, Path(out), rate or views[0].fps))
        for part in making:
            yield clock.at(begun + (1 - begun) * part, 'Making the clip behind the camera')
        made = making.value
    except FacewrightError as error:
        warnings.append(f'The clip behind the camera could not be made: {error}')
    yield Progress(1.0, 'Done', 0.0)
    return {'clips': made, 'warnings': warnings}
