"""One photo reconstructed as the task does it, for the benches."""

from clips import finish


def fit(model, landmarks, path, quality):
    """(neutral V×3, Track, View) of one photo."""
    from facewright.engine.footage import open_footage
    from facewright.engine.footage.detector import detect_view
    from facewright.engine.footage.footage import Observations
    from facewright.engine.tasks.qualities import QUALITIES
    from facewright.engine.tracking.draft import track
    from facewright.engine.tracking.standard import refine

    footage = open_footage([str(path)], [])
    seen = Observations(
        (
            detect_view(
                footage.views[0],
                {'draft': 'draft', 'standard': 'final'}[quality],
                lambda done, total: None,
            ),
        )
    )
    found = finish(track(model, landmarks, footage, seen, QUALITIES[quality].tracking, -1))
    if quality == 'draft':
        return model.shape(found.identity), found, footage.views[0]
    standard = finish(refine(model, landmarks, footage, seen, found))
    return standard.neutral, standard.track, footage.views[0]
