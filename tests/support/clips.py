"""A clip tracked by Draft, and its stillest stretch, for the benches."""

import numpy as np

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
