"""What Blender shows behind a reconstruction's cameras, where the footage's own files won't do."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import FacewrightError
from ..core.progress import Clock, Progress, relay
from .models import import_face_model
from .shared import Task

READ = 0.4  # part of the bar for the face model, where it has to be read


def scene_clips(result: str, out: str, rate: float | None = None, model: str = '') -> Task:
    """Make clips of a reconstruction's footage, in `out`, for a scene of `rate` frames a second.

    result: the folder of a reconstruction. rate: None: the first view's.
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
        yield from relay(
            import_face_model(model, landmarks=False),
            lambda step: clock.at(READ * step.fraction, step.stage),
        )
    yield clock.at(begun, 'Opening the footage')
    made, warnings = {}, []
    try:
        views = open_result(result).views
        made = yield from relay(
            write_proxies(views, Path(out), rate or views[0].fps),
            lambda part: clock.at(begun + (1 - begun) * part, 'Making the clip behind the camera'),
        )
    except FacewrightError as error:
        warnings.append(f'The clip behind the camera could not be made: {error}')
    yield Progress(1.0, 'Done', 0.0)
    return {'clips': made, 'warnings': warnings}
