"""The tracker on real and path-traced footage: the project's own limits.

Skips where shared/data is absent.
"""

import subprocess
import sys

import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.worker import run


def finish(task):
    """Run a task to its end: (progress list, result)."""
    seen = []
    return seen, run(task, seen.append)


VIDEOS = (
    'grid_swwp2s.mpg',
    'obama_weekly_address_2.mp4',
    'pyfeat_single_face_smile.mp4',
)  # all 23: tests/bench


@pytest.fixture(scope='module')
def kit(shared_data):
    return str(shared_data / 'ict-facekit.tar.xz')


def score(shared_data, out, *extra) -> tuple[float, float]:
    """surface mean mm and the weights' mean correlation, from the scorer beside the data."""
    printed = subprocess.run(
        [
            sys.executable,
            str(shared_data.parent / 'bin' / 'score_capture'),
            str(shared_data / 'captures' / 'dev'),
            str(out),
            *extra,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return float(printed.split('surface mm: mean ')[1].split()[0]), float(
        printed.split('correlation ')[1].split()[0]
    )


def test_four_views_of_the_capture(shared_data, kit, tmp_path):
    finish(
        tasks.reconstruct(
            [str(shared_data / 'captures' / 'dev' / 'capture.json')], str(tmp_path), model=kit
        )
    )
    surface, correlation = score(shared_data, tmp_path)
    assert surface <= 1.5 and correlation >= 0.6, (surface, correlation)


def test_one_view_of_the_capture(shared_data, kit, tmp_path):
    finish(
        tasks.reconstruct(
            [str(shared_data / 'captures' / 'dev' / 'capture.json')],
            str(tmp_path),
            model=kit,
            views=['view_1'],
        )
    )
    surface, _ = score(shared_data, tmp_path, '--align', '--views', 'view_1')
    assert surface <= 1.7, surface


@pytest.mark.parametrize('name', VIDEOS)
def test_videos_are_followed(shared_data, kit, tmp_path, name):
    _, report = finish(
        tasks.reconstruct([str(shared_data / 'videos' / name)], str(tmp_path), model=kit)
    )
    view = report['views'][0]
    assert view['tracked'] >= 0.95 * view['frames']
    assert report['error']['mean_percent'] <= 3


def test_views_without_known_cameras_are_brought_together(shared_data, kit, tmp_path):
    import json

    folder = shared_data / 'captures' / 'dev'
    finish(
        tasks.reconstruct(
            [str(folder / 'view_1.mp4'), str(folder / 'view_2.mp4')], str(tmp_path), model=kit
        )
    )
    truth = {
        c['name']: np.array(c['R'])
        for c in json.loads((folder / 'capture.json').read_text())['cameras']
    }
    found = {
        c['name']: np.array(c['R'])
        for c in json.loads((tmp_path / 'cameras.json').read_text())['cameras']
    }
    between = truth['view_2'] @ truth['view_1'].T @ (found['view_2'] @ found['view_1'].T).T
    assert np.degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))) < 4
