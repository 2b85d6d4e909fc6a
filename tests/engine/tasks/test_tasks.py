"""The reconstruction as a task: from the demo's clip to files; bad input; cancel leaves nothing."""

import errno
import itertools
import json
import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.progress import Progress, listen
from facewright.engine.core.result_folder import MANIFEST, results
from facewright.engine.formats.performance import read_performance
from facewright.engine.formats.rig import read_rig
from facewright.engine.lab.demo import render_demo_footage
from facewright.engine.worker import run

RESULTS = [
    'cameras.json',
    'overlay.png',
    'parts.npz',
    'performance.csv',
    'performance.npz',
    'report.json',
    'rig.npz',
]


def finish(task):
    """Run a task to its end: (progress list, result)."""
    seen = []
    return seen, run(task, seen.append)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return render_demo_footage(
        tmp_path_factory.mktemp('clip with spaces é') / 'a clip ü.mp4', frames=24, size=(320, 240)
    )


@pytest.fixture(scope='module')
def result(clip, tmp_path_factory):
    out = tmp_path_factory.mktemp('out put ß')
    return out, *finish(tasks.reconstruct([str(clip)], str(out)))


def test_every_file_is_there_and_says_the_same(result, clip):
    out, _, report = result
    assert (
        sorted(p.name for p in out.iterdir()) == [MANIFEST, *RESULTS] and report['warnings'] == []
    )
    assert report['views'][0]['steady'] is True and report['views'][0]['start'] == 0
    labels = np.load(out / 'parts.npz')
    assert {'nose', 'upper_lip'} <= {str(labels['names'][k]) for k in np.unique(labels['labels'])}
    rig, performance = read_rig(out / 'rig.npz'), read_performance(out / 'performance.npz')
    assert rig.names == (*performance.names, 'tongueOut')  # which no footage tells of
    assert len(performance.time) == report['views'][0]['frames'] == 24
    assert (
        report['views'][0]['tracked'] == 24
        and report['error']['mean_percent'] < 3
        and json.loads((out / 'report.json').read_text())['error'] == report['error']
    )
    assert performance.weights.min() >= 0 and performance.weights.max() <= 1
    np.testing.assert_allclose(
        performance.rotation @ performance.rotation.transpose(0, 2, 1),
        np.broadcast_to(np.eye(3), (24, 3, 3)),
        atol=1e-6,
    )
    assert (
        cv2.imread(str(out / 'overlay.png')) is not None
        or np.fromfile(out / 'overlay.png', np.uint8).size > 1000
    )


def test_the_known_pose_is_found(result, clip):
    found, truth = (
        read_performance(result[0] / 'performance.npz'),
        read_performance(clip.with_name('truth.npz')),
    )
    turn = found.rotation @ truth.rotation.transpose(0, 2, 1)
    angle = np.degrees(np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert np.median(angle) < 6
    open_jaw = truth.names.index('jawOpen')
    assert np.corrcoef(found.weights[:, open_jaw], truth.weights[:, open_jaw])[0, 1] > 0.8


def test_progress_only_grows_and_ends_full(result):
    fractions = [p.fraction for p in result[1]]
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(fractions)) and fractions[-1] == 1.0
    assert len({p.stage for p in result[1]}) >= 4


def test_same_input_same_result(result, clip, tmp_path, monkeypatch):
    """Also where the clip is named from its own folder: its whole path is in the report."""
    (tmp_path / 'light.json').write_bytes(b"the user's own")
    with results(tmp_path, 'bake_albedo') as part:
        (part / 'albedo.png').write_bytes(b'of an earlier result')
    monkeypatch.chdir(clip.parent)
    _, report = finish(tasks.reconstruct([clip.name], str(tmp_path)))
    assert (
        [v['path'] for v in report['views']]
        == [str(clip)]
        == [v['path'] for v in result[2]['views']]
    )
    for name in ('rig.npz', 'performance.npz'):
        a, b = np.load(result[0] / name), np.load(tmp_path / name)
        assert all((a[k] == b[k]).all() for k in a.files)
    assert (
        not (tmp_path / 'albedo.png').exists()
        and (tmp_path / 'light.json').read_bytes() == b"the user's own"
    )


@pytest.mark.parametrize('stop', [1, 2, 4, 8, 20, 30])
def test_cancel_at_any_stage_leaves_nothing(clip, tmp_path, stop):
    task = tasks.reconstruct([str(clip)], str(tmp_path / 'out'))
    for _ in range(stop):
        next(task)
    task.close()
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_photo_is_a_clip_of_one_frame(clip, tmp_path):
    from facewright.engine.footage import open_footage, read_frames

    frame = next(read_frames(open_footage([str(clip)]).views[0]))
    _, data = cv2.imencode('.png', frame[..., ::-1])
    (tmp_path / 'photo.png').write_bytes(data.tobytes())
    _, report = finish(tasks.reconstruct([str(tmp_path / 'photo.png')], str(tmp_path / 'out')))
    assert (
        report['views'][0]['frames'] == report['views'][0]['tracked'] == 1
        and report['error']['mean_percent'] < 4
    )


@pytest.mark.parametrize(
    'change,says',
    [
        ({'quality': 'best'}, 'quality is'),
        ({'smooth': 2.0}, 'smooth is'),
        ({'neutral_frame': 400}, 'neutral one'),
        ({'model': 'nowhere.zip'}, 'no face model'),
        ({'sources': ['missing.mp4']}, 'missing.mp4'),
        ({'sources': []}, 'No footage'),
        ({'views': ['left']}, 'no view left'),
    ],
)
def test_bad_requests_are_sentences(clip, tmp_path, change, says):
    request = {'sources': [str(clip)], 'out': str(tmp_path / 'out')} | change
    with pytest.raises(FacewrightError, match=says):
        finish(tasks.reconstruct(**request))
    assert list((tmp_path / 'out').glob('*')) == []


def test_no_face_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'wall.png'), cv2.GaussianBlur(noise, (0, 0), 5))
    with pytest.raises(FacewrightError, match='No face'):
        finish(tasks.reconstruct([str(tmp_path / 'wall.png')], str(tmp_path / 'out')))
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_file_where_the_folder_should_be(clip, tmp_path):
    (tmp_path / 'out').write_text('mine')
    with pytest.raises(FacewrightError, match='Cannot write'):
        finish(tasks.reconstruct([str(clip)], str(tmp_path / 'out')))
    assert (tmp_path / 'out').read_text() == 'mine'


@pytest.mark.skipif(
    not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write anywhere'
)
def test_a_folder_that_is_read_only(clip, tmp_path):
    (tmp_path / 'out').mkdir(mode=0o500)
    with pytest.raises(FacewrightError, match='Cannot write'):
        finish(tasks.reconstruct([str(clip)], str(tmp_path / 'out')))


def test_a_folder_nobody_may_write_to(clip, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, 'Permission denied')

    monkeypatch.setattr(tempfile, 'TemporaryFile', refuse)
    with pytest.raises(FacewrightError, match='Permission denied'):
        finish(tasks.reconstruct([str(clip)], str(tmp_path / 'out')))


def test_a_disk_that_fills_up_while_writing(clip, tmp_path, monkeypatch):
    from facewright.engine.formats import live_link

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(live_link, 'write_live_link', full)
    with results(tmp_path, 'reconstruct') as part:
        (part / 'rig.npz').write_text('the result of yesterday')
    with pytest.raises(FacewrightError, match='No space left'):
        finish(tasks.reconstruct([str(clip)], str(tmp_path)))
    assert (
        sorted(p.name for p in tmp_path.iterdir()) == [MANIFEST, 'rig.npz']
        and (tmp_path / 'rig.npz').read_text() == 'the result of yesterday'
    )


def test_a_file_of_the_users_in_the_way_is_said_before_the_work(clip, tmp_path):
    (tmp_path / 'rig.npz').write_text('mine')
    task = tasks.reconstruct([str(clip)], str(tmp_path))
    with pytest.raises(FacewrightError, match=r'rig\.npz was not written by Facewright'):
        next(task)
    assert [p.name for p in tmp_path.iterdir()] == ['rig.npz'] and (
        tmp_path / 'rig.npz'
    ).read_text() == 'mine'


def test_an_output_folder_that_is_deleted_while_it_runs_is_made_again(clip, tmp_path):
    task = tasks.reconstruct([str(clip)], str(tmp_path / 'out'))
    next(task)
    (tmp_path / 'out').rmdir()
    finish(task)
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [MANIFEST, *RESULTS]


def test_listen_hands_on_reports_results_errors_and_stops():
    assert list(listen(lambda report: [report(i) for i in range(3)])) == [0, 1, 2]

    def fails(report):
        report(0.5)
        raise ValueError('inside')

    with pytest.raises(ValueError, match='inside'):
        list(listen(fails))
    reached = []

    def endless(report):
        while True:
            report(len(reached))
            reached.append(1)

    work = listen(endless)
    next(work)
    work.close()
    assert Progress(0.0, 'x').remaining is None
    before = len(reached)
    time.sleep(0.05)  # work that had not stopped would go on counting
    assert len(reached) == before


def test_a_scene_at_another_rate_gets_its_own_clip(result, tmp_path):
    made = finish(tasks.scene_clips(str(result[0]), str(tmp_path / 'clips'), 24.0))[1]['clips']
    ((name, clip),) = made.items()
    assert (
        name == result[2]['views'][0]['name'] and Path(clip['path']).exists() and clip['rate'] == 24
    )
    assert finish(tasks.scene_clips(str(result[0]), str(tmp_path / 'none')))[1] == {
        'clips': {},
        'warnings': [],
    }
    for file in result[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b'a clip', b'no clip'))
    told = finish(tasks.scene_clips(str(tmp_path), str(tmp_path / 'none'), 24.0))[1]
    assert told['clips'] == {} and 'no clip' in told['warnings'][0]
