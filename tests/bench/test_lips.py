"""Shut lips: every frame in which the detector's inner lips touch, as it is written.

Draft: the demo's clip, the captures' frontal views and all videos; ICT, the demo with the built-in
head. Standard, both models: the captures' first frontal view and the clips of STANDARD.
"""

import pytest
from clips import STANDARD, reconstructed

pytestmark = pytest.mark.bench
FRONTAL = 'view_1', 'view_2'


def figures_of(one):
    """LipFigures of a Written's shut frames."""
    from facewright.engine.lab.lip_measure import measure_lips, shut_frames

    frames = shut_frames(one.seen)
    return measure_lips(one.model, one.neutral, one.performance.weights, frames)


def captures(shared_data, views):
    """[(name, source, view)] of some views of the captures."""
    paths = [shared_data / 'captures' / name / 'capture.json' for name in ('dev', 'dev2', 'dev3')]
    return [(f'{p.parent.name} {v}', str(p), v) for p in paths if p.exists() for v in views]


def videos(shared_data):
    """[(name, source, '')] of all videos."""
    paths = sorted((shared_data / 'videos').glob('*.m*'))
    return [(path.stem, str(path), '') for path in paths if path.suffix != '.csv']


def tabulate(table, title, clips, quality):
    """Measure clips [(name, face model, source, view)]: the part of their shut frames that is good,
    and the table's rows."""
    rows, good, count = [], 0.0, 0
    for name, where, source, view in clips:
        found = figures_of(reconstructed(where, source, quality, view))
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
        title,
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
    return good / count, rows


def test_shut_lips_are_shut(shared_data, tmp_path, table):
    from facewright.engine.lab.demo import render_demo_footage

    ict = str(shared_data / 'ict-facekit.tar.xz')
    clips = [('demo', 'builtin', str(render_demo_footage(tmp_path / 'd.mp4')), '')]
    for name, source, view in captures(shared_data, FRONTAL) + videos(shared_data):
        clips.append((name, ict, source, view))
    good, rows = tabulate(table, 'Shut lips, draft', clips, 'draft')
    assert good > 0.98, rows


@pytest.mark.parametrize('name', ['ict', 'builtin'])
def test_shut_lips_are_shut_in_standard(shared_data, table, name):
    where = str(shared_data / 'ict-facekit.tar.xz') if name == 'ict' else name
    few = [one for one in videos(shared_data) if one[0] in STANDARD]
    clips = [
        (clip, where, source, view)
        for clip, source, view in captures(shared_data, FRONTAL[:1]) + few
    ]
    good, rows = tabulate(table, f'Shut lips, standard, {name}', clips, 'standard')
    assert good > 0.98, rows
