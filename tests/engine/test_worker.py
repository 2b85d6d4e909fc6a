"""The child process: what it says on its pipe, where chatter goes, how it ends, what it imports."""

import importlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from facewright.engine import worker

FAKE_TASKS = """
import os, sys, time
from .core.errors import FacewrightError
from .core.progress import Progress

def good(value=1):
    yield Progress(.25, 'First', None)
    print('python chatter')
    os.write(1, b'library chatter\\n')
    yield Progress(.5, 'Zweite Hälfte', 3.)
    return {'value': value}

def bad():
    yield Progress(0., 'Start')
    raise FacewrightError('The video is missing: choose another.')

def broken():
    yield Progress(0., 'Start')
    raise ZeroDivisionError('division by zero')

def full():
    yield Progress(0., 'Start')
    raise MemoryError()

def stopped():
    yield Progress(0., 'Start')
    raise KeyboardInterrupt()

def endless():
    while True:
        yield Progress(.1, 'For ever')
        time.sleep(.05)

def busy():
    yield Progress(.1, 'Busy')
    time.sleep(60)

def not_finite():
    yield Progress(.1, 'Start')
    return {'value': float('nan')}

TASKS = {f.__name__: f for f in (good, bad, broken, full, stopped, endless, busy, not_finite)}

def find_task(name):
    if name not in TASKS:
        raise ValueError(f'there is no task called {name!r}')
    return TASKS[name]
"""


@pytest.fixture
def copy_of_engine(tmp_path, root):
    """An install's folder, its path with a space and an accent, whose tasks are the fakes above."""
    folder = tmp_path / "Zoë's extensions" / 'user_default' / 'facewright'
    (folder / 'engine' / 'core').mkdir(parents=True)
    for name in (
        'engine/__init__.py',
        'engine/worker.py',
        'engine/core/__init__.py',
        'engine/core/device.py',
        'engine/core/errors.py',
        'engine/core/progress.py',
        'pyproject.toml',
    ):
        (folder / name).write_bytes((root / name).read_bytes())
    (folder / '__init__.py').write_text('"""No Blender here."""\n')
    (folder / 'engine' / 'tasks.py').write_text(FAKE_TASKS, encoding='utf-8')
    return folder


def start(engine, tmp_path, job, **options):
    """The child process of a job, and its folder."""
    folder = tmp_path / 'jöb 1'
    folder.mkdir(exist_ok=True)
    (folder / 'job.json').write_text(
        json.dumps(job) if isinstance(job, dict) else job, encoding='utf-8'
    )
    return subprocess.Popen(
        [sys.executable, '-I', '-B', str(engine / 'engine' / 'worker.py'), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    ), folder


def finish(child):
    """Every JSON line of a child that ends by itself, its standard error, its exit code."""
    lines = child.stdout.read().decode('utf-8').splitlines()
    errors = child.stderr.read().decode('utf-8')
    code = child.wait(60)
    for stream in (child.stdin, child.stdout, child.stderr):
        stream.close()
    return [json.loads(line) for line in lines], errors, code


def test_progress_then_result_and_chatter_in_the_log(copy_of_engine, tmp_path):
    child, folder = start(copy_of_engine, tmp_path, {'task': 'good', 'arguments': {'value': 7}})
    lines, errors, code = finish(child)
    assert lines == [
        {'progress': 0.25, 'stage': 'First', 'remaining': None},
        {'progress': 0.5, 'stage': 'Zweite Hälfte', 'remaining': 3.0},
        {'result': {'value': 7}},
    ]
    assert code == 0 and errors == ''
    log = (folder / 'log.txt').read_text(encoding='utf-8')
    assert 'python chatter' in log and 'library chatter' in log


def test_threads_take_turns_faster_while_a_task_runs():
    def task():
        yield sys.getswitchinterval()

    before, during = sys.getswitchinterval(), []
    worker.run(task(), during.append)
    assert during[0] < before == sys.getswitchinterval()


@pytest.mark.parametrize(
    'task, words',
    [
        ('bad', 'The video is missing: choose another.'),
        ('broken', 'ZeroDivisionError: division by zero'),
        ('full', 'The memory is full'),
        ('stopped', 'Stopped.'),
        ('not_finite', 'ValueError'),
        ('unheard_of', "no task called 'unheard_of'"),
    ],
)
def test_any_exception_is_one_sentence_with_its_log(copy_of_engine, tmp_path, task, words):
    child, folder = start(copy_of_engine, tmp_path, {'task': task})
    lines, errors, code = finish(child)
    assert words in lines[-1]['error'] and '\n' not in lines[-1]['error']
    assert lines[-1]['log'] == str(folder / 'log.txt')
    assert 'Traceback' in (folder / 'log.txt').read_text(encoding='utf-8')
    assert code != 0 and errors == ''


def test_an_unreadable_job_is_an_error_line(copy_of_engine, tmp_path):
    child, _ = start(copy_of_engine, tmp_path, '{"task": ')
    lines, _, code = finish(child)
    assert 'JSONDecodeError' in lines[-1]['error'] and code == 1


@pytest.mark.parametrize('task', ['endless', 'busy'])
def test_the_child_ends_when_its_standard_input_does(copy_of_engine, tmp_path, task):
    child, _ = start(copy_of_engine, tmp_path, {'task': task})
    assert json.loads(child.stdout.readline())['progress'] == 0.1
    child.stdin.close()
    assert child.wait(20) == worker.EXIT_INTERRUPTED
    child.stdout.close()
    child.stderr.close()


@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
def test_the_child_ends_when_its_parent_is_killed(copy_of_engine, tmp_path):
    folder = tmp_path / 'job'
    folder.mkdir()
    (folder / 'job.json').write_text('{"task": "busy"}')
    program = textwrap.dedent("""
        import subprocess, sys, time
        command = [sys.executable, '-I', '-B', sys.argv[1], sys.argv[2]]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        child.stdout.readline()
        print(child.pid, flush=True)
        time.sleep(60)""")
    parent = subprocess.Popen(
        [sys.executable, '-c', program, str(copy_of_engine / 'engine' / 'worker.py'), str(folder)],
        stdout=subprocess.PIPE,
    )
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(400):
        if not running(child):
            break
        time.sleep(0.05)
    assert not running(child)


def running(pid):
    """True while the process lives; a zombie nobody waits for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return True


def distribution(folder, name, version):
    """Write a package's metadata alone into a site-packages folder."""
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')


def test_the_shadowing_extension_is_named(copy_of_engine, tmp_path):
    bundled = (
        copy_of_engine.parent.parent
        / '.local'
        / 'lib'
        / f'python3.{sys.version_info[1]}'
        / 'site-packages'
    )
    for name, version in worker.pinned_versions(copy_of_engine).items():
        distribution(bundled, name, '5.29.1' if name == 'protobuf' else version)
    other = copy_of_engine.parent / 'gpt_chat'
    other.mkdir()
    (other / 'blender_manifest.toml').write_text(
        'name = "Chatty"\n'
        'wheels = ["./wheels/protobuf-5.29.1-cp38-abi3-manylinux2014_x86_64.whl"]\n'
    )
    child, _ = start(copy_of_engine, tmp_path, {'task': 'good', 'site_packages': [str(bundled)]})
    lines, _, code = finish(child)
    assert code == 1 and len(lines) == 1
    for words in ('protobuf 5.29.1', worker.pinned_versions(copy_of_engine)['protobuf'], 'Chatty'):
        assert words in lines[0]['error']


def test_missing_packages_are_named(copy_of_engine, tmp_path):
    text = (copy_of_engine / 'pyproject.toml').read_text(encoding='utf-8')
    (copy_of_engine / 'pyproject.toml').write_text(
        text.replace('dependencies = [', 'dependencies = [\n"no-such-engine-part==1.0",', 1),
        encoding='utf-8',
    )
    child, _ = start(copy_of_engine, tmp_path, {'task': 'good'})
    lines, _, code = finish(child)
    assert code == 1 and 'lacks no-such-engine-part 1.0' in lines[0]['error']


def test_bundled_wheels_are_found_beside_the_extension(copy_of_engine):
    assert worker.extension_site_packages(copy_of_engine) is None
    bundled = (
        copy_of_engine.parent.parent
        / '.local'
        / 'lib'
        / f'python3.{sys.version_info[1]}'
        / 'site-packages'
    )
    bundled.mkdir(parents=True)
    assert worker.extension_site_packages(copy_of_engine) == bundled


def test_local_versions_and_same_minor_are_accepted(monkeypatch, tmp_path):
    distribution(tmp_path, 'zz-torch', '2.13.0+cu130')
    distribution(tmp_path, 'zz-old', '1.9')
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert worker.unsuitable({'zz-torch': '2.13.0'}) == []
    (problem,) = worker.unsuitable({'zz-old': '2.0'})
    assert problem[:3] == ('zz-old', '2.0', '1.9')
