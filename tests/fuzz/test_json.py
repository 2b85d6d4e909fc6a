"""Damaged JSON of results, markers, manifests and jobs: read, or refused in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fuzzing import damaged, damaged_json, fuzzed, survives
from hypothesis import given
from hypothesis import strategies as st

from facewright.engine.core import owned, result_folder
from facewright.engine.formats.performance import Performance, write_performance
from facewright.engine.formats.result import open_result
from facewright.engine.formats.rig import Rig, write_rig
from facewright.engine.lab.demo import render_demo_footage
from facewright.engine.tasks.inputs import read_markers

MARKERS = {'nose_tip': [0, 1.5, 2], 'landmark_03': [1, 2, 3]}


def cameras_of(clip, times) -> dict:
    return {
        'units': 'cm',
        'cameras': [
            {
                'name': 'clip',
                'video': str(clip),
                'fps': 30.0,
                'width': 64,
                'height': 48,
                'K': [[90, 0, 32], [0, 90, 24], [0, 0, 1]],
                'R': np.eye(3).tolist(),
                't': [0, 0, 0],
                'distortion': [0, 0, 0, 0],
                'time': times.tolist(),
            }
        ],
    }


def report_of(clip) -> dict:
    return {
        'version': '0.1.0',
        'model': 'builtin',
        'quality': 'draft',
        'views': [
            {
                'name': 'clip',
                'path': str(clip),
                'kind': 'video',
                'size': [64, 48],
                'fps': 30.0,
                'frames': 3,
                'tracked': 3,
                'first': 0,
                'rotation': 0,
                'focal_px': 90.0,
            }
        ],
        'error': {'mean_percent': 1.0, 'mean_px': 1.0, 'per_frame': [1.0, None, 1.0]},
        'warnings': [],
    }


@pytest.fixture(scope='module')
def result(tmp_path_factory):
    """A result folder of three pictures of the demo; its report and cameras."""
    folder = tmp_path_factory.mktemp('result')
    clip = render_demo_footage(folder / 'clip.mp4', frames=3, size=(64, 48))
    write_rig(
        folder / 'rig.npz',
        Rig(
            np.eye(4, 3, dtype=np.float32),
            np.ones((2, 4, 3), np.float32),
            ('jawOpen', 'jawLeft'),
            np.array([[0, 1, 2, 3]], np.int32),
        ),
    )
    times = np.arange(3) / 30
    write_performance(
        folder / 'performance.npz',
        Performance(
            times,
            np.zeros((3, 2), np.float32),
            ('jawOpen', 'jawLeft'),
            np.tile(np.eye(3), (3, 1, 1)),
            np.ones((3, 3)),
            30.0,
        ),
    )
    valid = {'report.json': report_of(clip), 'cameras.json': cameras_of(clip, times)}
    return folder, valid


@pytest.mark.parametrize('name', ['report.json', 'cameras.json'])
def test_a_damaged_result(result, name):
    folder, files = result
    for other, value in files.items():
        (folder / other).write_text(json.dumps(value))
    assert survives(open_result, folder) is not None

    @fuzzed
    @given(
        text=st.one_of(
            damaged_json(files[name]).map(lambda v: json.dumps(v).encode('utf-8', 'surrogatepass')),
            damaged(json.dumps(files[name]).encode()),
        )
    )
    def check(text):
        (folder / name).write_bytes(text)
        found = survives(open_result, folder)
        if found is not None:
            for view in found.views:
                assert (
                    view.times.ndim == 1
                    and np.isfinite(view.times).all()
                    and np.isfinite(view.camera.focal)
                )
                survives(found.in_camera, view, 0)

    check()


@fuzzed
@given(
    text=st.one_of(
        damaged_json(MARKERS).map(lambda v: json.dumps(v).encode('utf-8', 'surrogatepass')),
        damaged(json.dumps(MARKERS).encode()),
    )
)
def test_damaged_markers(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / 'markers.json'
    path.write_bytes(text)
    found = survives(read_markers, str(path))
    assert found is None or all(
        place.shape == (3,) and np.isfinite(place).all() for place in found.values()
    )


MANIFEST = {'format': 1, 'files': {'rig.npz': {'task': 'reconstruct', 'sha256': '0' * 64}}}
JOURNAL = {'files': MANIFEST['files'], 'new': ['rig.npz'], 'old': ['mine.txt']}


@fuzzed
@given(manifest=damaged_json(MANIFEST), journal=damaged_json(JOURNAL))
def test_a_damaged_manifest_or_journal_touches_nothing_outside(tmp_path_factory, manifest, journal):
    folder = tmp_path_factory.mktemp('out')
    (folder / 'mine.txt').write_text('mine')
    (folder / result_folder.MANIFEST).write_text(json.dumps(manifest), errors='surrogatepass')
    assert all(result_folder._is_plain(name) for name in result_folder.read_manifest(folder))
    stage = folder / f'{result_folder.STAGE}0'
    owned.make(stage).release()
    (stage / 'new').mkdir()
    (stage / 'old').mkdir()
    (stage / 'new' / 'rig.npz').write_text('new')
    (stage / result_folder.JOURNAL).write_text(json.dumps(journal), errors='surrogatepass')
    beside = sorted(p.name for p in folder.parent.iterdir())
    survives(result_folder.recover, folder)
    assert sorted(p.name for p in folder.parent.iterdir()) == beside
