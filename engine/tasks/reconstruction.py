"""Footage → a head and its performance."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import write_text
from ..core.pipeline import Pipeline
from ..core.progress import Progress
from ..core.result_folder import results
from ..core.sources import fingerprint
from ..core.store import CheckpointStore, files_fingerprint
from .actor_rig import read_actor_rig
from .qualities import OPENING, QUALITIES
from .reports import make_report
from .shared import Task, writable_folder
from .steps import Reconstruction, Request, import_libraries

if TYPE_CHECKING:
    from ..footage.footage import Camera, View
    from ..footage.masks import UserMasks


def reconstruct(  # noqa: PLR0913 (the options of specs.Reconstruct)
    sources: Sequence[str | dict],
    out: str,
    model: str = 'builtin',
    quality: str = 'draft',
    views: Sequence[str] = (),
    neutral_frame: int | None = None,
    smooth: float = 0.5,
    masks: Sequence[str | None] = (),
    part_masks: bool = True,
    clips: str = '',
    rate: float | None = None,
    rig: str | None = None,
) -> Task:
    """Make a head and its performance of footage, in the folder `out` (formats: docs/formats.md).

    What a run that was stopped has found is kept (core/store.py): the same run goes on from there,
    to the same result.

    sources, views: see footage.open_footage. model: 'builtin' or a path. quality: of QUALITIES:
    'draft' (landmarks), 'standard' (pictures and part masks too, and bake_albedo's files),
    'personal' (and the head's own surface). neutral_frame: number of a used frame of the first view
    in which the face is at rest; None or −1: unknown. smooth: 0..1, see tracking/smoothing.py.
    masks: for each view a folder or pattern of the user's own part masks, or None. part_masks:
    False leaves PRDL out, for comparison. clips: a folder that gets what Blender shows behind the
    cameras in a scene of `rate` frames a second, as scene_clips; '' for none. rig: a rig.npz of
    the same actor and face model, that is followed as it is; None: the person is found.

    Raises FacewrightError; then nothing new is left in `out`.
    """
    began, steps = time.monotonic(), QUALITIES[quality]
    actor = read_actor_rig(rig) if rig else None
    folder = writable_folder(Path(out), (*steps.files, *(actor.texture if actor else ())))
    yield Progress(0.0, 'Opening the footage')
    from ..face_model import cached_model_path
    from ..footage import open_footage

    threading.Thread(target=import_libraries).start()
    footage = open_footage(list(sources), list(views))
    user_masks = read_masks(masks, footage.views)
    neutral = frame_of_clip(neutral_frame, len(footage.views[0].times))
    request = Request(model, quality, neutral, smooth, part_masks, clips, rate)
    cached = cached_model_path(model).exists()
    run = Reconstruction(request, steps, footage, user_masks, actor, cached, cached)
    pipeline = Pipeline((*OPENING, *steps.finding, *steps.writing), run)
    pipeline.spent['open'] = time.monotonic() - began

    yield from pipeline.run(OPENING)
    run.checkpoints = CheckpointStore(identity_of(run))
    yield from pipeline.run(steps.finding, run.checkpoints)
    report = make_report(model, footage, run.views_seen, run.track, quality, pipeline.spent)
    run.report = report | run.report_more | {'warnings': report['warnings'] + run.warnings}
    with results(folder, 'reconstruct', replaces=('bake_albedo',)) as run.folder:
        yield from pipeline.run(steps.writing)
        run.report['seconds']['write'] = round(pipeline.spent['write'], 2)
        write_text(run.folder / 'report.json', json.dumps(run.report, indent=1))
    run.checkpoints.discard()
    yield Progress(1.0, 'Done', 0.0)
    made = {} if run.clips is None else {'clips': run.clips}
    return run.report | made | {'out': str(folder)}


def frame_of_clip(frame: int | None, count: int) -> int:
    """Return a frame's number, −1 for none; FacewrightError where a clip of `count` lacks it."""
    frame = -1 if frame is None else int(frame)
    if frame >= count:
        raise FacewrightError(
            f'The clip has {count} frames, so frame {frame} cannot be the neutral one: '
            'choose a smaller number.'
        )
    return frame


def identity_of(run: Reconstruction) -> list:
    """Return all that a reconstruction's checkpoints depend on, as JSON can write it."""
    views = [
        [
            view.name,
            files_fingerprint(view.images or [view.path]),
            view.times.tolist(),
            camera_fingerprint(view.camera),
        ]
        for view in run.footage.views
    ]
    masks = [one and [one.numbering, files_fingerprint(one.files)] for one in run.user_masks]
    asked = run.request
    return [
        fingerprint('tasks.reconstruction'),
        run.face.fingerprint,
        views,
        asked.quality,
        asked.neutral_frame,
        asked.part_masks,
        masks,
    ]


def camera_fingerprint(camera: Camera) -> list:
    """Return what tells one camera from another, for a key."""
    return [
        None if a is None else np.asarray(a, float).tolist()
        for a in (
            camera.focal,
            camera.centre,
            camera.aspect,
            camera.distortion,
            camera.rotation,
            camera.translation,
        )
    ]


def read_masks(masks: Sequence[str | None], views: Sequence[View]) -> list[UserMasks | None]:
    """Read the user's own masks of each view, None where there are none.

    Raises FacewrightError where there are more of them than views.
    """
    from ..footage.masks import read_user_masks

    if len(masks) > len(views):
        raise FacewrightError(
            f'{len(masks)} folders of masks were given for {len(views)} views: '
            'give at most one a view, in their order.'
        )
    return [
        read_user_masks(path, view) if path else None
        for path, view in zip([*masks, *[None] * len(views)], views)
    ]
