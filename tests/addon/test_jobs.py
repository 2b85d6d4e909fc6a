"""Jobs: progress, result, cancel, failure, death, and that nothing outlives its parent."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

import facewright
from facewright.addon import jobs, paths
from facewright.addon.operators.base import JobOperator
from facewright.engine.core import owned
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.result_folder import STAGE

pytestmark = pytest.mark.usefixtures('fake_worker')


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def gone(pids, patience=20.0) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if not any(alive(p) for p in pids):
            return True
        time.sleep(0.02)
    return False


def hang(tmp_path):
    """A job that has started a process of its own and hangs; (job, [its pid, the other's])."""
    job = jobs.start('hang', {'pids': str(tmp_path / 'pids')}, 'Test')
    until = time.monotonic() + 60
    while job.fraction == 0 and time.monotonic() < until:
        job.poll()
        time.sleep(0.01)
    return job, [int(p) for p in (tmp_path / 'pids').read_text().split()]


def test_result_progress_and_isolation(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    monkeypatch.setenv('PYTHONHOME_X', 'x')
    job = jobs.start('echo', {'text': 'ü ß', 'out': '{job}/out'})
    result = jobs.wait(job)
    assert job.state == 'done' and job.stage == 'Half'
    assert result['arguments'] == {'text': 'ü ß', 'out': str(job.folder) + '/out'}
    assert not any(k.startswith('PYTHON') for k in result['environment'])
    assert Path(result['environment']['FACEWRIGHT_CACHE']) / 'facewright' == paths.cache_folder()
    assert result['flags'] == [1, True]
    assert jobs.running() is None
    folder = job.folder
    assert 'to the log' in (folder / 'log.txt').read_text()
    jobs.clear()
    assert not folder.exists()


def test_cancel_ends_everything_the_job_started(tmp_path):
    job, pids = hang(tmp_path)
    assert all(alive(p) for p in pids) and job.stage == 'Hanging' and job.remaining == 600
    with pytest.raises(FacewrightError, match='still running'):
        jobs.start('echo', {})
    assert bpy.ops.facewright.cancel() == {'FINISHED'}
    assert job.state == 'cancelled' and gone(pids)
    assert not job.folder.exists()
    assert bpy.ops.facewright.cancel() == {'CANCELLED'}
    with pytest.raises(FacewrightError, match='cancelled'):
        jobs.result(job)


def test_a_cancelled_job_leaves_the_folder_for_its_results_as_it_was(tmp_path):
    """A worker that is killed while it writes: its hidden folder goes, and an output folder made
    for it.
    """
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'notes.txt').write_text('x')
    for out in (tmp_path / 'new', tmp_path / 'mine'):
        job = jobs.start('hang', {'pids': str(tmp_path / 'pids'), 'out': str(out)}, 'Test')
        owned.make(out / f'{STAGE}0').release()
        (out / f'{STAGE}0' / 'new').mkdir()
        (out / f'{STAGE}0' / 'new' / 'rig.npz').write_text('half')
        job.cancel()
    assert not (tmp_path / 'new').exists() and [p.name for p in (tmp_path / 'mine').iterdir()] == [
        'notes.txt'
    ]


def test_an_error_is_one_sentence_with_its_log():
    job = jobs.start('fail', {})
    with pytest.raises(FacewrightError, match=r'shows no face.*Log: ') as caught:
        jobs.wait(job)
    assert job.log.exists() and str(job.log) in str(caught.value)


def test_the_stand_in_refuses_what_the_engine_would_not_take(fake_worker):
    with pytest.raises(FacewrightError, match='size is 7: choose a whole number from 64 to 4096'):
        jobs.wait(jobs.start('bake_albedo', {'result': 'r', 'size': 7}))


def test_a_killed_child_is_an_error_with_its_log():
    job = jobs.start('die', {})
    with pytest.raises(FacewrightError, match=r'stopped unexpectedly .signal 9.'):
        jobs.wait(job)
    assert 'to the log' in job.log.read_text()


def test_a_child_without_a_word_is_an_error():
    with pytest.raises(FacewrightError, match='exit code 0'):
        jobs.wait(jobs.start('quiet', {}))


@pytest.mark.parametrize('python', ['/nowhere/python', __file__, '/bin/false'])
def test_a_wrong_python_is_an_error_that_says_where_to_change_it(monkeypatch, python):
    monkeypatch.setattr(paths, 'engine_python', lambda: python)
    with pytest.raises(FacewrightError, match=r'preferences|look into its log'):
        jobs.wait(jobs.start('echo', {}))


def test_a_cache_that_cannot_be_written_to_is_an_error(monkeypatch, tmp_path):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'file'))
    with pytest.raises(FacewrightError, match='another cache folder'):
        jobs.start('echo', {})


def test_a_cache_in_a_folder_of_the_users_deletes_nothing_of_theirs(monkeypatch, tmp_path):
    """The Cache preference may be a folder that has its own jobs, results, and a facewright too."""
    theirs = [
        tmp_path / name / 'spring'
        for name in ('jobs', 'results', 'facewright/jobs', 'facewright/results', 'checkpoints')
    ]
    for folder in theirs:
        folder.mkdir(parents=True)
        (folder / 'take.blend').write_text('x')
        os.utime(folder, (1, 1))
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path))
    for _ in range(2):
        jobs.wait(jobs.start('echo', {}))
    assert paths.cache_folder() == tmp_path / 'facewright'
    assert all((folder / 'take.blend').exists() for folder in theirs)


def test_old_jobs_go_and_running_ones_stay(tmp_path):
    """Of another Blender's, too: what it runs is held, what it left when it died is not."""
    base = paths.cache_folder() / 'jobs'
    running, _held = owned.make_new(base)
    left, _ = owned.make_new(base)
    fresh, _ = owned.make_new(base)
    del _
    for folder in (running, left):
        os.utime(folder, (1, 1))
    jobs.wait(jobs.start('echo', {}))
    assert running.exists() and fresh.exists() and not left.exists()


def test_an_interrupted_wait_ends_the_job(tmp_path, monkeypatch):
    job, pids = hang(tmp_path)
    told = []

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.time, 'sleep', interrupt)
    with pytest.raises(KeyboardInterrupt):
        jobs.wait(job, told.append)
    monkeypatch.undo()
    assert told == ['Hanging'] and job.state == 'cancelled' and gone(pids)


def test_loading_another_file_ends_the_job(tmp_path):
    job, pids = hang(tmp_path)
    bpy.ops.wm.read_homefile(app_template='')
    assert job.state == 'cancelled' and gone(pids) and jobs.running() is None


def test_undo_leaves_the_job_alone_and_in_hand(tmp_path):
    """Its state is not the scene's: undo neither ends it nor loses it."""
    bpy.ops.ed.undo_push(message='before')
    job, pids = hang(tmp_path)
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message='cube')
    bpy.ops.ed.undo()
    assert job.poll() == 'running' and jobs.running() is job
    assert jobs.cancel() and gone(pids)


def test_disabling_the_addon_ends_the_job(tmp_path):
    job, pids = hang(tmp_path)
    facewright.unregister()
    assert gone(pids) and not job.folder.exists()
    facewright.register()


BLENDER = """
import sys, time
sys.path.insert(0, {tests!r})
import conftest_path
import bpy
import facewright
facewright.register()
from facewright.addon import jobs, paths
from facewright.addon.operators.base import JobOperator
from pathlib import Path
from types import SimpleNamespace
paths.WORKER = Path({worker!r})
job = jobs.start('hang', {{'pids': {pids!r}}}, 'Test')
while job.fraction == 0:
    job.poll()
    time.sleep(.01)
print('hanging', flush=True)
{then}
"""


@pytest.mark.parametrize(
    'then',
    ['time.sleep(600)', 'import os; os._exit(0)', 'sys.exit(0)', 'raise SystemExit("crashed")'],
)
def test_no_orphan_when_blender_is_killed_crashes_or_quits(tmp_path, root, fake_worker, then):
    (tmp_path / 'conftest_path.py').write_text(
        'import importlib.util\n'
        'spec = importlib.util.spec_from_file_location("w", '
        f'{str(root / "engine" / "worker.py")!r})\n'
        'w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); '
        'w.register_package()\n'
    )
    script = BLENDER.format(
        tests=str(tmp_path), worker=str(fake_worker), pids=str(tmp_path / 'pids'), then=then
    )
    parent = subprocess.Popen(
        [sys.executable, '-c', script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {'FACEWRIGHT_CACHE': str(tmp_path / 'c')},
    )
    try:
        assert parent.stdout.readline().strip() == b'hanging'
        child = int((tmp_path / 'pids').read_text().split()[0])
        if then.startswith('time'):
            assert alive(child)
            parent.kill()
        parent.wait(60)
        assert gone([child])
    finally:
        parent.kill()
        parent.wait()
        for pid in (tmp_path / 'pids').read_text().split():
            if alive(int(pid)):
                os.kill(int(pid), 9)


@pytest.mark.parametrize('what', ['renamed', 'left', 'deleted'])
def test_a_result_goes_into_the_scene_it_was_asked_for_in(what):
    first, second = bpy.context.scene, bpy.data.scenes.new('Other')
    done, into = SimpleNamespace(state='done', result={}), []
    asked = SimpleNamespace(
        job=done,
        scene=first.session_uid,
        finish=lambda context, outcome: into.append(context.scene.name),
    )
    first.name = 'Anna'
    if what != 'renamed':
        bpy.context.window.scene = second
    if what == 'deleted':
        bpy.data.scenes.remove(first)
    JobOperator.conclude(asked, bpy.context)
    assert into == ['Other' if what == 'deleted' else 'Anna']
