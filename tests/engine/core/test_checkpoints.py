"""Runs that were stopped: what they found is kept, apart from other runs', and in bounds."""

import os
import subprocess
import sys

import numpy as np
import pytest

from facewright.engine.core import checkpoints as unfinished
from facewright.engine.core.checkpoints import MOST, CheckpointStore, mark


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, 'cache_folder', lambda: tmp_path)
    return tmp_path / 'unfinished'


def test_a_step_comes_back_for_the_same_run_alone():
    run = CheckpointStore(['clip', 1])
    assert run.read('person') is None
    run.write('person', a=np.arange(3.0), b=np.array([np.nan, 1.0]))
    np.testing.assert_array_equal(CheckpointStore(['clip', 1]).read('person')['a'], np.arange(3.0))
    assert np.isnan(CheckpointStore(['clip', 1]).read('person')['b'][0])
    assert CheckpointStore(['clip', 2]).read('person') is None and run.read('window_0') is None
    run.finished()
    assert run.read('person') is None


def test_what_cannot_be_read_is_done_again(cache):
    run = CheckpointStore('a')
    run.write('draft', a=np.zeros(3))
    (run.folder / 'draft.npz').write_bytes(b'half a file')
    assert run.read('draft') is None
    with pytest.raises(ValueError):
        run.read('../draft')


def test_the_oldest_go(cache):
    for k in range(MOST + 2):
        run = CheckpointStore(k)
        run.write('draft', a=np.zeros(1))
        os.utime(run.folder, (k + 1, k + 1))
    del run
    CheckpointStore('the next').write('draft', a=np.zeros(1))
    assert (
        len(list(cache.iterdir())) == MOST + 1
        and CheckpointStore(0).read('draft') is None
        and CheckpointStore(MOST + 1).read('draft') is not None
    )


def test_runs_at_once_leave_each_other_alone(cache):
    """In one process here; owned's tests have eight."""
    runs = [CheckpointStore(k) for k in range(3 * MOST)]
    for k, run in enumerate(runs):
        run.write('draft', a=np.full(1, k))
    for k, run in enumerate(runs):
        assert run.read('draft')['a'][0] == k
    same = CheckpointStore(0)
    runs[0].finished()
    assert same.read('draft') is not None  # not forgotten under the other's hands
    same.finished()
    assert CheckpointStore(0).read('draft') is None


def test_what_others_put_there_stays(cache):
    (cache / 'theirs').mkdir(parents=True)
    os.utime(cache / 'theirs', (1, 1))
    for k in range(MOST + 2):
        CheckpointStore(k).write('draft', a=np.zeros(1))
    assert (cache / 'theirs').exists()


def test_a_cache_that_cannot_be_written_to_is_no_error(cache):
    cache.parent.mkdir(exist_ok=True)
    cache.write_text('a file where the folder should be')
    run = CheckpointStore('a')
    run.write('draft', a=np.zeros(1))
    assert run.read('draft') is None


def test_a_mark_tells_changed_files(tmp_path):
    path = tmp_path / 'clip.mp4'
    path.write_bytes(b'1')
    before = mark([path])
    assert mark([path]) == before
    path.write_bytes(b'12')
    assert mark([path]) != before and mark([tmp_path]) != mark([path])


RUN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location('w', sys.argv[1]); w = importlib.util.module_from_spec(spec)
spec.loader.exec_module(w); w.register_package()
import numpy as np
from facewright.engine.core.checkpoints import CheckpointStore
me = int(sys.argv[2])
for turn in range(5):
    run = CheckpointStore([turn, me // 2])   # two processes at each
    for k in range(6):
        run.write(f'step_{k}', a=np.full(3, 10 * turn + me // 2))
        for before in range(k + 1):
            assert run.read(f'step_{before}')['a'][0] == 10 * turn + me // 2, (turn, k, before)
    if turn % 2:
        run.finished()
print('well')
"""


def test_eight_processes_keep_their_steps(tmp_path, root):
    """Fails where one evicts what another uses, or one of two at the same run forgets it under the other's hands."""
    children = [
        subprocess.Popen(
            [sys.executable, '-c', RUN, str(root / 'engine' / 'worker.py'), str(k)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {'FACEWRIGHT_CACHE': str(tmp_path)},
        )
        for k in range(8)
    ]
    assert [child.communicate()[0] for child in children] == ['well\n'] * 8
    assert len(list((tmp_path / 'facewright' / 'unfinished').iterdir())) <= MOST + 8
