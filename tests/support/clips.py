"""Clips tracked, and as a reconstruction writes them, for the benches."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

# Short ones with blinks and shut lips, on which Standard is measured too
STANDARD = (
    'pyfeat_single_face_smile',
    'obama_weekly_address_6',
    'grid_bbaf2n',
    'grid_pwij3p',
    'grid_swwp2s',
)
STILL = 40  # frames: the stillest stretch of a clip that is compared


def finish(steps):
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def track_clip(model, landmarks, path):
    """(Footage, ViewObservations, Track) of a clip of one view, by Draft."""
    from facewright.engine.footage import open_footage
    from facewright.engine.footage.detector import detect_view
    from facewright.engine.footage.footage import Observations
    from facewright.engine.tracking.draft import track

    footage = open_footage([str(path)])
    seen = detect_view(footage.views[0])
    return footage, seen, finish(track(model, landmarks, footage, Observations((seen,))))


def stillest(points: np.ndarray, present: np.ndarray) -> slice | None:
    """The stretch of frames, all with a face, in which the landmarks move least."""
    speed = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(1)
    starts = [i for i in range(len(points) - STILL) if present[i : i + STILL].all()]
    best = min(starts, key=lambda i: speed[i : i + STILL - 1].sum(), default=None)
    return None if best is None else slice(best, best + STILL)


def written(model, landmarks, footage, seen, track, neutral=None):
    """(neutral V×3, Performance) of a clip of one view as a reconstruction writes them.

    neutral: what was found, where that is not the track's identity.
    """
    from facewright.engine.face_model.lip_sections import seal_lips
    from facewright.engine.footage.footage import Observations
    from facewright.engine.tasks.specs import Reconstruct
    from facewright.engine.tracking.curves import make_editable
    from facewright.engine.tracking.lip_sealing import seal_performance
    from facewright.engine.tracking.smoothing import smooth
    from facewright.engine.tracking.track import performance_of

    if neutral is None:
        neutral = seal_lips(model, model.shape(track.identity))
    found = performance_of(track, model.names, footage.views[0].fps)
    performances = [smooth(found, Reconstruct.smooth)]
    neutral, (few,) = make_editable(model, landmarks, neutral, performances)
    observations = Observations((seen,))
    return neutral, seal_performance(
        model, landmarks, neutral, footage, observations, track.cameras, few
    )


@dataclass(frozen=True)
class Written:
    """What a reconstruction of one view writes, beside its tracked model and what was seen."""

    model: Any
    seen: Any
    neutral: np.ndarray
    performance: Any


@cache
def tracked_model(where: str):
    """(tracked model, its landmarks) of a face model's path or name."""
    from facewright.engine.annotate.landmarks import model_landmarks
    from facewright.engine.face_model import load_model

    model = load_model(where).tracked
    return model, model_landmarks(model)


@cache
def reconstructed(where: str, source: str, quality: str, view: str = '') -> Written:
    """What 'draft' or 'standard' writes of a clip, or of one view of a capture.

    where: the face model's. Found once for all benches of a run: Standard takes minutes.
    """
    from facewright.engine.footage import open_footage
    from facewright.engine.footage.detector import detect_view
    from facewright.engine.footage.footage import Observations
    from facewright.engine.tasks.qualities import QUALITIES
    from facewright.engine.tracking.draft import track
    from facewright.engine.tracking.standard import refine

    (model, landmarks), how = tracked_model(where), QUALITIES[quality]
    footage = open_footage([source])
    if view:
        footage = replace(footage, views=tuple(v for v in footage.views if v.name == view))
    seen = detect_view(footage.views[0], how.detector, lambda done, total: None)
    observed, neutral = Observations((seen,)), None
    found = finish(track(model, landmarks, footage, observed, how.tracking))
    if how.refinement is not None:
        refined = finish(refine(model, landmarks, footage, observed, found, how.refinement))
        found, neutral = refined.track, refined.neutral
    return Written(model, seen, *written(model, landmarks, footage, seen, found, neutral))
