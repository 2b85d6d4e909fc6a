"""Quality 'standard' as a task: the demo's own clip, own masks, cancel, the part-IoU bench."""

import itertools
import json
import shutil
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.core import store
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.progress import Progress
from facewright.engine.core.store import RESUMED
from facewright.engine.formats.performance import read_performance
from facewright.engine.formats.rig import read_rig
from facewright.engine.lab.demo import DISTANCE, render_demo_capture
from facewright.engine.tasks.qualities import QUALITIES
from facewright.engine.worker import run

FRAMES, PIXELS = 10, (320, 240)
ROUNDS = 3  # of finding the person, in place of 12: what is tested here is the same after fewer


@pytest.fixture(scope='module', autouse=True)
def fewer_rounds():
    """Find the person of these ten small pictures in fewer rounds."""
    standard = QUALITIES['standard']
    refinement = replace(standard.refinement, key_rounds=ROUNDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(QUALITIES, 'standard', replace(standard, refinement=refinement))
        yield


@pytest.fixture(scope='module')
def capture(tmp_path_factory):
    """A capture folder: the demo's clip, its camera, and the true parts in every frame."""
    folder = tmp_path_factory.mktemp('cap türe')
    render_demo_capture(folder, FRAMES, PIXELS)
    assert DISTANCE > 0
    return folder


@pytest.fixture(scope='module')
def steps(tmp_path_factory):
    """A cache that has every step of `result`'s run, as if it had been stopped at its very end."""
    return tmp_path_factory.mktemp('cache')


@pytest.fixture(scope='module')
def result(capture, steps, tmp_path_factory):
    out, seen = tmp_path_factory.mktemp('out'), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, 'cache_folder', lambda: steps)
        patch.setattr(store.CheckpointStore, 'discard', lambda run: None)
        return (
            out,
            run(
                tasks.reconstruct([str(capture / 'capture.json')], str(out), quality='standard'),
                seen.append,
            ),
            seen,
        )


def test_files_report_and_progress(result):
    out, report, seen = result
    assert {
        'rig.npz',
        'performance.npz',
        'parts.npz',
        'albedo.png',
        'light.json',
        'cameras.json',
        'overlay.png',
        'report.json',
        'performance.csv',
    } <= {p.name for p in out.iterdir()}
    assert report['quality'] == 'standard' and isinstance(report['draft_frames'], list)
    labels = np.load(out / 'parts.npz', allow_pickle=False)['labels']
    assert len(labels) == len(read_rig(out / 'rig.npz').neutral) and set(np.unique(labels)) == set(
        range(9)
    )
    assert cv2.imread(str(out / 'albedo.png')).shape == (1024, 1024, 3)
    fractions = [p.fraction for p in seen]
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(fractions)) and fractions[-1] == 1.0
    assert any('pictures' in p.stage for p in seen)


def test_the_performance_is_found(result, capture):
    found, truth = (
        read_performance(result[0] / 'performance.npz'),
        read_performance(capture / 'truth.npz'),
    )
    assert (
        np.isfinite(found.weights).all() and found.weights.min() >= 0 and found.weights.max() <= 1
    )
    jaw = truth.names.index('jawOpen')
    assert (
        np.corrcoef(found.weights[:, found.names.index('jawOpen')], truth.weights[:, jaw])[0, 1]
        > 0.9
    )


def test_same_input_same_result(result, capture, tmp_path):
    run(
        tasks.reconstruct([str(capture / 'capture.json')], str(tmp_path), quality='standard'),
        lambda progress: None,
    )
    for name in ('rig.npz', 'performance.npz'):
        a, b = np.load(result[0] / name), np.load(tmp_path / name)
        assert all((a[k] == b[k]).all() for k in a.files)
    assert (result[0] / 'albedo.png').read_bytes() == (tmp_path / 'albedo.png').read_bytes()


def test_masks_that_do_not_fit_are_refused_before_the_work(capture, tmp_path):
    (tmp_path / 'masks').mkdir()
    for k in range(FRAMES):
        cv2.imwrite(str(tmp_path / 'masks' / f'{k}.png'), np.zeros((9, 9), np.uint8))
    for masks, word in (
        ([str(tmp_path / 'masks')], 'pixels'),
        ([None, None], '2 folders'),
        ([str(tmp_path / 'nowhere')], 'nowhere'),
    ):
        with pytest.raises(FacewrightError, match=word):
            run(
                tasks.reconstruct(
                    [str(capture / 'capture.json')],
                    str(tmp_path / 'out'),
                    quality='standard',
                    masks=masks,
                ),
                lambda progress: None,
            )
        assert not list((tmp_path / 'out').glob('*'))


@pytest.mark.parametrize(
    'stage, undone',
    [
        ('Finding the person in the pictures', ('person', 'window_0')),
        ('Following the performance in the pictures', ('window_0',)),
    ],
)
def test_cancel_leaves_nothing_in_the_folder_and_the_next_run_goes_on(
    result, steps, capture, tmp_path, monkeypatch, stage, undone
):
    """Begins where the run of `result` was before the steps `undone`."""
    shutil.copytree(steps, tmp_path / 'cache')
    for step in undone:
        (one,) = (tmp_path / 'cache' / 'checkpoints').glob(f'*/{step}.npz')
        one.unlink()
    monkeypatch.setattr(store, 'cache_folder', lambda: tmp_path / 'cache')
    task = tasks.reconstruct(
        [str(capture / 'capture.json')], str(tmp_path / 'out'), quality='standard'
    )
    for progress in task:
        if progress.stage == stage and progress.fraction > 0.4:
            break
    task.close()
    assert list((tmp_path / 'out').iterdir()) == []
    assert len(list((tmp_path / 'cache' / 'checkpoints').iterdir())) == 1
    seen = []
    run(
        tasks.reconstruct(
            [str(capture / 'capture.json')], str(tmp_path / 'out'), quality='standard'
        ),
        seen.append,
    )
    stages = {p.stage for p in seen}
    assert (
        RESUMED in stages
        and 'Following the face' not in stages
        and ('Finding the person in the pictures' in stages) == stage.startswith('Finding')
    )
    assert not list((tmp_path / 'cache' / 'checkpoints').iterdir())
    for name in ('rig.npz', 'performance.npz'):
        a, b = np.load(result[0] / name), np.load(tmp_path / 'out' / name)
        assert all((a[k] == b[k]).all() for k in a.files)


def test_a_texture_that_cannot_be_made_is_a_warning_beside_a_finished_head(
    result, steps, capture, tmp_path, monkeypatch
):
    """Stopped while it was made, nothing is written and nothing forgotten; then it fails."""
    shutil.copytree(steps, tmp_path / 'cache')
    monkeypatch.setattr(store, 'cache_folder', lambda: tmp_path / 'cache')

    def ask():
        return tasks.reconstruct(
            [str(capture / 'capture.json')], str(tmp_path / 'out'), quality='standard'
        )

    task = ask()
    assert any(progress.stage == 'Looking at the face' for progress in task)
    task.close()
    assert (
        list((tmp_path / 'out').iterdir()) == []
        and len(list((tmp_path / 'cache' / 'checkpoints').iterdir())) == 1
    )

    def fails(folder, *_):
        yield Progress(0.5, 'Looking at the face')
        (folder / 'albedo.png').write_bytes(b'half')
        raise MemoryError

    monkeypatch.setattr(sys.modules['facewright.engine.tasks.steps'], 'write_albedo', fails)
    seen = []
    report = run(ask(), seen.append)
    assert 'Following the face' not in {p.stage for p in seen}
    (said,) = report['warnings']
    assert said.startswith('The head has no texture (The memory is full') and said.endswith(
        'press Bake Skin Texture to try again.'
    )
    assert json.loads((tmp_path / 'out' / 'report.json').read_text())['warnings'] == [said]
    names = {p.name for p in (tmp_path / 'out').iterdir()}
    assert {'rig.npz', 'performance.npz', 'parts.npz', 'report.json'} <= names and not names & {
        'albedo.png',
        'albedo.npz',
        'light.json',
    }
    a, b = np.load(result[0] / 'rig.npz'), np.load(tmp_path / 'out' / 'rig.npz')
    assert all((a[k] == b[k]).all() for k in a.files) and not list(
        (tmp_path / 'cache' / 'checkpoints').iterdir()
    )


def test_part_iou_bench(capture, tmp_path):
    report = run(tasks.bench_part_iou(str(capture), str(tmp_path), every=3), lambda progress: None)
    assert set(report['mean']) == {'draft', 'standard without PRDL', 'standard'} and all(
        0.4 < value < 1 for value in report['mean'].values()
    )
    assert (
        '| standard | view |' in (tmp_path / 'part_iou.md').read_text()
        and cv2.imread(str(tmp_path / 'part_iou.jpg')) is not None
    )


def test_bench_without_truth(tmp_path):
    with pytest.raises(FacewrightError, match=r'parts\.npz'):
        run(tasks.bench_part_iou(str(tmp_path), str(tmp_path / 'out')), lambda progress: None)
