"""The cache: checkpoints of stopped runs, files made once, eviction; eight processes at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from facewright.engine.core import owned, store
from facewright.engine.core.store import (
    LIMITS,
    CheckpointStore,
    Limit,
    cached,
    evict,
    files_fingerprint,
    make_key,
)

MOST = LIMITS['checkpoints'].entries


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(store, 'cache_folder', lambda: tmp_path)
    return tmp_path / 'checkpoints'


def test_a_step_comes_back_for_the_same_run_alone():
    run = CheckpointStore(['clip', 1])
    assert run.read('person') is None
    run.write('person', a=np.arange(3.0), b=np.array([np.nan, 1.0]))
    np.testing.assert_array_equal(CheckpointStore(['clip', 1]).read('person')['a'], np.arange(3.0))
    assert np.isnan(CheckpointStore(['clip', 1]).read('person')['b'][0])
    assert CheckpointStore(['clip', 2]).read('person') is None and run.read('window_0') is None
    run.discard()
    assert run.read('person') is None


def test_what_cannot_be_read_is_done_again(cache):
    run = CheckpointStore('a')
    run.write('draft', a=np.zeros(3))
    (run.folder / 'draft.npz').write_bytes(b'half a file')
    assert run.read('draft') is None
    with pytest.raises(ValueError):
        run.read('../draft')


def test_the_oldest_go(cache):
    now = time.time()
    for k in range(MOST + 2):
        run = CheckpointStore(k)
        run.write('draft', a=np.zeros(1))
        os.utime(run.folder, (now + k - 100, now + k - 100))
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
    runs[0].discard()
    assert same.read('draft') is not None  # not forgotten under the other's hands
    same.discard()
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


def test_a_fingerprint_tells_changed_files(tmp_path):
    path = tmp_path / 'clip.mp4'
    path.write_bytes(b'1')
    before = files_fingerprint([path])
    assert files_fingerprint([path]) == before
    path.write_bytes(b'12')
    assert files_fingerprint([path]) != before and files_fingerprint(
        [tmp_path]
    ) != files_fingerprint([path])


RUN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec)
spec.loader.exec_module(w); w.register_package()
import numpy as np
from facewright.engine.core.store import CheckpointStore
me = int(sys.argv[2])
for turn in range(5):
    run = CheckpointStore([turn, me // 2])   # two processes at each
    for k in range(6):
        run.write(f'step_{k}', a=np.full(3, 10 * turn + me // 2))
        for before in range(k + 1):
            assert run.read(f'step_{before}')['a'][0] == 10 * turn + me // 2, (turn, k, before)
    if turn % 2:
        run.discard()
print('well')
"""


def test_eight_processes_keep_their_steps(tmp_path, root):
    """None evicts what another uses; of two at the same run none discards what the other needs."""
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
    assert len(list((tmp_path / 'facewright' / 'checkpoints').iterdir())) <= MOST + 8


def test_a_step_is_kept_while_another_process_deletes_its_neighbour(tmp_path, monkeypatch):
    """Counting bytes, a folder may vanish under the count: the step is written all the same."""
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path))
    CheckpointStore(['neighbour']).write('step', a=np.zeros(3))

    def vanished(path, pattern):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, 'rglob', vanished)
    run = CheckpointStore(['mine'])
    run.write('step', a=np.ones(3))
    assert run.read('step')['a'].sum() == 3


DAY = 86400


def entry(folder, name: str, days: float = 0.0, size: int = 1000):
    """A cached file with a key in its name, last used so many days ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{name}-{make_key(name)}.npz'
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def test_the_oldest_free_ones_go(tmp_path):
    folders = [tmp_path / str(k) for k in range(6)]
    holds = [owned.make(folder) for folder in folders]
    for k, (folder, held) in enumerate(zip(folders, holds)):
        os.utime(folder, (k + 1, k + 1))
        if k != 1:
            held.release()
    evict(tmp_path, Limit(entries=2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ['1', '4', '5']
    os.utime(folders[4], None)
    evict(tmp_path, Limit(days=1.0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ['1', '4']


def test_a_killed_deletion_is_finished_later(tmp_path):
    owned.make(tmp_path / f'{owned._GOING}x').release()
    (tmp_path / f'{owned._GOING}x' / 'left').write_text('x')
    evict(tmp_path, Limit(entries=9))
    assert list(tmp_path.iterdir()) == []


def test_files_go_by_age_and_size_and_those_in_use_do_not_age(tmp_path):
    folder = tmp_path / 'models'
    used, _, big, last = (
        entry(folder, name, days)
        for name, days in (('used', 200), ('old', 100), ('big', 3), ('last', 1))
    )
    theirs = folder / 'head.npz'
    theirs.write_bytes(bytes(5000))
    os.utime(theirs, (1, 1))
    store.mark_used(used)
    evict(folder)
    assert set(folder.iterdir()) == {used, big, last, theirs}
    evict(folder, Limit(size=2500))
    assert set(folder.iterdir()) == {used, last, theirs}


def test_a_folder_s_size_counts_and_a_held_one_stays(tmp_path):
    held = owned.make(tmp_path / 'a')
    owned.make(tmp_path / 'b').release()
    for name in 'ab':
        (tmp_path / name / 'large').write_bytes(bytes(5000))
    evict(tmp_path, Limit(size=4000))
    assert [path.name for path in tmp_path.iterdir()] == ['a'] and held is not None


def test_what_scenes_use_is_never_evicted(tmp_path):
    clip = entry(tmp_path / 'clips', 'clip', 4000)
    evict(tmp_path / 'clips')
    assert clip.exists() and 'clips' not in LIMITS


MAKE = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec)
spec.loader.exec_module(w); w.register_package()
from pathlib import Path
import numpy as np
from facewright.engine.core.files import read_npz, write_npz
from facewright.engine.core.store import Limit, cached, evict, make_key
folder, evicting, made = Path(sys.argv[2]), sys.argv[3] == 'evicting', 0

def make(turn):
    global made
    made += 1
    time.sleep(0.05)
    return np.full(20000, turn)

for turn in range(6):
    for again in range(3):
        if evicting:
            evict(folder, Limit(entries=1))
        value = cached(
            folder / f'model-{make_key(turn)}.npz',
            lambda path: read_npz(path, 'model')['a'],
            lambda: make(turn),
            lambda path, value: write_npz(path, a=value),
        )
        assert (value == turn).all() and len(value) == 20000
print(made)
"""


@pytest.mark.parametrize('way', ['evicting', 'keeping'])
def test_eight_processes_make_the_same_and_read_it_whole(tmp_path, root, way):
    """Each value is made by one of them while the others wait; again only where it was evicted."""
    folder = tmp_path / 'facewright' / 'models'
    children = [
        subprocess.Popen(
            [sys.executable, '-c', MAKE, str(root / 'engine' / 'worker.py'), str(folder), way],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {'FACEWRIGHT_CACHE': str(tmp_path)},
        )
        for _ in range(8)
    ]
    made = [int(child.communicate()[0]) for child in children]
    assert sum(made) == 6 if way == 'keeping' else sum(made) >= 6
    left = [path.name for path in folder.iterdir()]
    assert all(not name.startswith('.') for name in left) and len(left) <= 6


def test_what_is_made_is_read_the_next_time(tmp_path):
    path = tmp_path / f'a-{make_key(1)}.npz'

    def ask(value):
        return cached(
            path,
            lambda path: int(path.read_text()),
            lambda: value,
            lambda path, value: path.write_text(str(value)),
        )

    assert ask(1) == 1 and ask(2) == 1 and make_key(1) != make_key('1') == make_key('1')
