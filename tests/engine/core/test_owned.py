"""Folders of ours: what is not marked, or held by a process, stays; eight processes at once."""

import os
import signal
import subprocess
import sys

import pytest

from facewright.engine.core import owned
from facewright.engine.core.store import Limit, evict

LOADER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec)
spec.loader.exec_module(w); w.register_package()
from pathlib import Path
from facewright.engine.core import owned
from facewright.engine.core.store import Limit, evict
"""


def child(root, program, *arguments):
    """A Python process that has `owned` and runs a program."""
    return subprocess.Popen(
        [
            sys.executable,
            '-c',
            LOADER + program,
            str(root / 'engine' / 'worker.py'),
            *map(str, arguments),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_made_folder_is_ours_and_goes_when_nobody_holds_it(tmp_path):
    held = owned.make(tmp_path / 'a' / 'run')
    assert owned.is_ours(tmp_path / 'a' / 'run') and not owned.remove(tmp_path / 'a' / 'run')
    (tmp_path / 'a' / 'run' / 'inside').mkdir()
    (tmp_path / 'a' / 'run' / 'inside' / 'file').write_text('x')
    held.release()
    assert owned.remove(tmp_path / 'a' / 'run') and list((tmp_path / 'a').iterdir()) == []


def test_what_is_not_ours_is_never_marked_held_or_deleted(tmp_path):
    (tmp_path / 'wedding').mkdir()
    (tmp_path / 'wedding' / 'photo.jpg').write_text('x')
    (tmp_path / 'file').write_text('x')
    real = tmp_path / 'elsewhere'
    owned.make(real).release()
    (tmp_path / 'jobs').mkdir()
    (tmp_path / 'jobs' / 'link').symlink_to(real)
    for path in (
        tmp_path / 'wedding',
        tmp_path / 'file',
        tmp_path / 'jobs' / 'link',
        tmp_path / 'nothing',
    ):
        assert owned.hold(path) is None and not owned.remove(path)
    assert owned.make(tmp_path / 'wedding') is None
    os.utime(tmp_path / 'wedding', (1, 1))
    evict(tmp_path / 'jobs', Limit(entries=0))
    evict(tmp_path, Limit(days=1.0))
    assert (
        (tmp_path / 'wedding' / 'photo.jpg').exists()
        and (tmp_path / 'file').exists()
        and owned.is_ours(real)
    )
    assert (
        list((tmp_path / 'wedding').iterdir()) == [tmp_path / 'wedding' / 'photo.jpg']
        and (tmp_path / 'jobs' / 'link').is_symlink()
    )


def test_links_inside_are_not_followed(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'take.blend').write_text('x')
    owned.make(tmp_path / 'run').release()
    (tmp_path / 'run' / 'link').symlink_to(tmp_path / 'mine')
    assert owned.remove(tmp_path / 'run') and (tmp_path / 'mine' / 'take.blend').exists()


@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
def test_a_hold_ends_with_its_process_however_it_ends(tmp_path, root):
    holder = child(
        root,
        'held = owned.make(Path(sys.argv[2])); print("held", flush=True); sys.stdin.read()',
        tmp_path / 'run',
    )
    assert holder.stdout.readline() == 'held\n'
    assert not owned.remove(tmp_path / 'run') and owned.hold(tmp_path / 'run') is not None
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    assert owned.remove(tmp_path / 'run')


MANY = """
base, me = Path(sys.argv[2]), sys.argv[3]
held = owned.make(base / me)
(base / me / 'step').write_text(me)
for k in range(30):
    evict(base, Limit(entries=1))
    other = owned.make(base / 'shared')
    assert other is not None
    (base / 'shared' / me).write_text('x')
    assert (base / 'shared' / me).exists(), 'taken away while held'
    other.release()
    owned.remove(base / 'shared')
    assert (base / me / 'step').read_text() == me
print('well', flush=True)
"""


def test_eight_processes_do_not_take_each_others(tmp_path, root):
    children = [child(root, MANY, tmp_path, f'run{k}') for k in range(8)]
    told = [one.communicate()[0] for one in children]
    assert told == ['well\n'] * 8 and [one.returncode for one in children] == [0] * 8
    evict(tmp_path, Limit(entries=1))
    assert len(list(tmp_path.iterdir())) == 1


def test_one_at_a_time(tmp_path, root):
    program = """
lock, count = Path(sys.argv[2]), Path(sys.argv[3])
for _ in range(25):
    with owned.alone(lock):
        number = int(count.read_text())
        count.write_text(str(number + 1))
"""
    (tmp_path / 'count').write_text('0')
    children = [child(root, program, tmp_path / 'lock', tmp_path / 'count') for _ in range(4)]
    for one in children:
        one.communicate()
    assert (tmp_path / 'count').read_text() == '100' and not (tmp_path / 'lock').exists()
