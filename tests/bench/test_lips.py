"""Shut lips: every frame in which the detector's inner lips touch, Draft, as it is written.

The demo's clip, the captures' frontal views and all videos; ICT, the demo with the built-in head.
"""

import pytest
from clips import finish, written

pytestmark = pytest.mark.bench


def figures_of(model, landmarks, footage):
    """LipFigures of the first view's shut frames, as a result is written."""
    from facewright.engine.footage.detector import detect_view
    from facewright.engine.footage.footage import Observations
    from facewright.engine.lab.lip_measure import measure_lips, shut_frames
    from facewright.engine.tracking.draft import track

    (view,) = footage.views
    seen = detect_view(view)
    found = finish(track(model, landmarks, footage, Observations((seen,))))
    neutral, sealed = written(model, landmarks, footage, seen, found)
    frames = shut_frames(seen)
    return measure_lips(model, neutral, sealed.weights, frames)


def test_shut_lips_are_shut(shared_data, tmp_path, table):
    from dataclasses import replace

    from facewright.engine.annotate.landmarks import model_landmarks
    from facewright.engine.face_model import load_model
    from facewright.engine.footage import open_footage
    from facewright.engine.lab.demo import render_demo_footage

    ict, builtin = load_model(str(shared_data / 'ict-facekit.tar.xz')), load_model()
    clips = [
        ('demo', builtin.tracked, open_footage([str(render_demo_footage(tmp_path / 'd.mp4'))]))
    ]
    for name in ('dev', 'dev2', 'dev3'):
        path = shared_data / 'captures' / name / 'capture.json'
        footage = open_footage([str(path)]) if path.exists() else None
        for view in footage.views[1:3] if footage else ():
            clips.append((f'{name} {view.name}', ict.tracked, replace(footage, views=(view,))))
    for path in sorted((shared_data / 'videos').glob('*.m*')):
        if path.suffix != '.csv':
            clips.append((path.stem, ict.tracked, open_footage([str(path)])))
    rows, good, count = [], 0.0, 0
    for name, model, footage in clips:
        found = figures_of(model, model_landmarks(model), footage)
        if not len(found.frames):
            continue
        rows.append(
            (
                name,
                len(found.frames),
                f'{found.middle.mean():.2f}, {found.middle.max():.2f}',
                f'{100 * found.sealed.mean():.0f} %',
                f'{found.crossing.max():.2f}',
                f'{100 * found.good:.0f} %',
            )
        )
        good, count = good + found.good * len(found.frames), count + len(found.frames)
    table(
        'Shut lips, draft',
        (
            'clip',
            'frames seen shut',
            'apart in the middle, mm: mean, most',
            'of the width shut',
            'deepest crossing, mm',
            'frames shut, sealed over 90 % and uncrossed',
        ),
        rows,
    )
    assert good / count > 0.98, rows
