"""The command line: what it asks the tasks for, what it prints, its exit codes, and how it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from facewright.engine import cli, worker
from facewright.engine.core import device
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.progress import Progress

RESULT = {
    'views': [{'name': 'clip', 'frames': 30, 'tracked': 29, 'focal_px': 1234.4}],
    'error': {'mean_percent': 1.234, 'mean_px': 2.5, 'per_frame': [1.0, None, 1.4]},
}


@pytest.fixture
def asked(monkeypatch):
    """Replaces the tasks; the returned list collects what they are asked for."""
    calls = []

    def reconstruct(**arguments):
        calls.append(arguments)
        yield Progress(0.5, 'Finding the face', 65.0)
        os.write(2, b'library chatter\n')
        return RESULT

    def import_face_model(source):
        calls.append(source)
        yield Progress(0.5, 'Reading')
        return {}

    replace(monkeypatch, reconstruct, import_face_model)
    return calls


def replace(monkeypatch, *functions):
    named = {function.__name__: function for function in functions}
    monkeypatch.setattr(worker, 'find_task', named.__getitem__)


def test_reconstruct_hands_everything_on(asked, tmp_path, capfd):
    code = cli.main(
        [
            'reconstruct',
            'a.mp4',
            'b c.mov',
            '--model',
            'ict.zip',
            '--quality',
            'standard',
            '--out',
            str(tmp_path),
            '--views',
            'v1',
            'v2',
            '--lens',
            '26',
            '--rate',
            '25',
            '--smooth',
            '0',
            '--start',
            '1.5',
            '--end',
            '4',
            '--neutral-frame',
            '12',
            '--rig',
            'take 1/rig.npz',
        ]
    )
    assert code == 0
    shared = {'lens_mm': 26.0, 'fps': 25.0, 'start': 1.5, 'end': 4.0}
    assert asked == [
        {
            'sources': [{'path': 'a.mp4', **shared}, {'path': 'b c.mov', **shared}],
            'out': str(tmp_path),
            'model': 'ict.zip',
            'quality': 'standard',
            'views': ['v1', 'v2'],
            'neutral_frame': 12,
            'smooth': 0.0,
            'masks': [],
            'rig': 'take 1/rig.npz',
        }
    ]
    out, err = capfd.readouterr()
    assert (
        'clip: face tracked in 29 of 30 frames (no face in 1: there the head was carried on), '
        'focal length 1234 px'
        in out
        and 'face good (1.4 %)' in out
        and str(tmp_path) in out
    )
    assert 'Finding the face, 1:05 min left' in err
    assert 'chatter' not in out + err


def test_what_a_photo_and_a_sequence_were_taken_for_is_said(asked, tmp_path, capsys, monkeypatch):
    views = [
        {'name': n, 'kind': kind, 'read_as': said, 'tracked': 1, 'frames': 1}
        for n, kind, said in (
            ('a', 'photo', 'photo'),
            ('b', 'sequence', 'sequence of 9 images, b.1 to b.9'),
            ('c', 'video', 'video'),
        )
    ]
    monkeypatch.setitem(RESULT, 'views', views)
    assert cli.main(['reconstruct', 'a.jpg', '--kind', 'photo', '--out', str(tmp_path)]) == 0
    assert asked[0]['sources'] == [{'path': 'a.jpg', 'kind': 'photo'}]
    out = capsys.readouterr().out
    assert 'a: face tracked in 1 of 1 frames, read as photo\n' in out
    assert (
        'frames, read as sequence of 9 images, b.1 to b.9\n' in out
        and 'frames, read as video' not in out
    )


def test_the_defaults(asked, tmp_path):
    assert cli.main(['reconstruct', 'capture.json', '--out', str(tmp_path)]) == 0
    assert asked == [
        {
            'sources': [{'path': 'capture.json'}],
            'out': str(tmp_path),
            'model': 'builtin',
            'quality': 'draft',
            'views': [],
            'neutral_frame': None,
            'smooth': 0.5,
            'masks': [],
            'rig': None,
        }
    ]


def test_the_device_is_chosen_before_the_task(asked, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv(device.VARIABLE, 'auto')
    monkeypatch.setattr(device, '_cuda_missing', lambda: 'no NVIDIA driver is found')
    command = ['reconstruct', 'a.mp4', '--out', str(tmp_path)]
    assert cli.main(['--device', 'cpu', *command]) == 0
    assert os.environ[device.VARIABLE] == 'cpu' and len(asked) == 1
    capfd.readouterr()
    assert cli.main(['--device', 'cuda', *command]) == 1 and len(asked) == 1
    assert 'no NVIDIA driver is found: choose the device "auto"' in capfd.readouterr().err


def test_model_imports(asked, capfd):
    assert cli.main(['import-face-model', '/some/FaceXModel']) == 0
    assert asked == ['/some/FaceXModel']
    assert '/some/FaceXModel is ready' in capfd.readouterr().out


def test_an_error_is_its_sentence_on_standard_error(asked, monkeypatch, tmp_path, capfd):
    def reconstruct(**arguments):
        yield Progress(0.0, 'Start')
        raise FacewrightError('There is no face in a.mp4: choose another clip.')

    replace(monkeypatch, reconstruct)
    assert cli.main(['reconstruct', 'a.mp4', '--out', str(tmp_path)]) == 1
    out, err = capfd.readouterr()
    assert (
        out == ''
        and err.splitlines()[-1] == 'facewright: There is no face in a.mp4: choose another clip.'
    )


def test_a_failure_takes_its_new_folder_away_and_no_other(asked, monkeypatch, tmp_path):
    def reconstruct(out, **arguments):
        (tmp_path / out).mkdir(exist_ok=True)
        yield Progress(0.0, 'Start')
        raise FacewrightError('No.')

    replace(monkeypatch, reconstruct)
    (tmp_path / 'old').mkdir()
    for name in ('new', 'old'):
        assert cli.main(['reconstruct', 'a.mp4', '--out', str(tmp_path / name)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ['old']


def test_an_unforeseen_error_keeps_its_log(asked, monkeypatch, tmp_path, capfd):
    def reconstruct(**arguments):
        yield Progress(0.0, 'Start')
        raise IndexError('index 3 is out of bounds')

    replace(monkeypatch, reconstruct)
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'cache'))
    assert cli.main(['reconstruct', 'a.mp4', '--out', str(tmp_path)]) == 1
    err = capfd.readouterr().err
    (log,) = (tmp_path / 'cache' / 'facewright' / 'jobs').glob('*/log.txt')
    assert 'Traceback' in log.read_text() and str(log) in err and 'Traceback' not in err


def test_wrong_command_lines(asked, tmp_path, capfd):
    for line in (
        ['reconstruct', 'a.mp4'],
        ['reconstruct', '--out', 'x'],
        ['reconstruct', 'a.mp4', '--out', 'x', '--quality', 'best'],
        ['reconstruct', 'a.mp4', '--out', 'x', '--lens', '-3'],
        ['reconstruct', 'a.mp4', '--out', 'x', '--smooth', '2'],
        ['reconstruct', 'a.mp4', '--out', 'x', '--start', 'nan'],
        ['dance'],
        [],
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(line)
        assert stop.value.code == 2, line
    assert cli.main(['reconstruct', 'a.mp4', '--out', 'x', '--start', '3', '--end', '2']) == 1
    assert 'give a later end' in capfd.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    'left, text',
    [(0.2, '0 s'), (59.4, '59 s'), (59.6, '1:00 min'), (65, '1:05 min'), (3725, '1:02 h')],
)
def test_time_left(left, text):
    assert cli.clock(left) == text


def test_the_bar_stays_in_its_bounds():
    assert cli.bar(Progress(-1.0, 'a')).startswith('[........................]   0 %')
    assert cli.bar(Progress(2.0, 'a')).startswith('[########################] 100 %')


CLEANING = """
    finally:
        Path(half.name).unlink()
"""
STUBBORN = """
    finally:
        Path(half.name).rename(Path(half.name).with_name('cleaning'))
        time.sleep(600)
"""


@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_ctrl_c_does_not_wait_for_the_cleaning_up(tmp_path, root, number):
    child = endless(root, tmp_path, STUBBORN)
    child.send_signal(number)
    until = time.monotonic() + 60
    while not (tmp_path / 'cleaning').exists() and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == worker.EXIT_INTERRUPTED
    assert (
        err == 'facewright: stopped, nothing was written.\n'
        and out == ''
        and not (tmp_path / 'out').exists()
    )


@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_stops_with_one_line(tmp_path, root, number):
    """In a real process: a signal amid a task; its generator cleans up, the exit code is 130."""
    child = endless(root, tmp_path, CLEANING)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == worker.EXIT_INTERRUPTED
    assert err == 'facewright: stopped, nothing was written.\n' and out == ''
    assert list(tmp_path.iterdir()) == []


def endless(root, tmp_path, ending):
    """A begun process of the command line whose task goes on for ever, until its `ending`."""
    program = f"""
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location('w', {str(root / 'engine' / 'worker.py')!r})
w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); w.register_package()
from facewright.engine import cli
from facewright.engine.core.progress import Progress
def reconstruct(out, **arguments):
    half = open({str(tmp_path / 'half')!r}, 'w')
    Path(out).mkdir()
    try:
        while True:
            yield Progress(.1, 'For ever')
            time.sleep(.01)
{ending}
cli.worker.find_task = {{'reconstruct': reconstruct}}.__getitem__
sys.exit(cli.main(['reconstruct', 'a.mp4', '--out', {str(tmp_path / 'out')!r}]))
"""
    child = subprocess.Popen(
        [sys.executable, '-c', program], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert 'For ever' in child.stderr.readline()
    return child


def package(root) -> str:
    """The beginning of a program that makes the checkout the package `facewright`."""
    worker_file = str(root / 'engine' / 'worker.py')
    return (
        'import importlib.util, sys; '
        f'spec = importlib.util.spec_from_file_location("w", {worker_file!r}); '
        'w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); '
        'w.register_package(); '
    )


def test_the_module_runs_as_a_program(root):
    """`python -m facewright --help`, from a folder that holds the package under its own name."""
    program = package(root) + (
        'import runpy; sys.argv = ["facewright", "--help"]; '
        'runpy.run_module("facewright", run_name="__main__")'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0 and 'reconstruct' in done.stdout, done.stderr


def test_the_program_ends_without_tearing_down(root):
    program = package(root) + (
        'import atexit; from facewright.engine import cli; '
        'atexit.register(print, "torn down"); cli.main = lambda: print("done") or 3; '
        'cli.run_as_program()'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, 'done\n'), done.stderr


def read(*line):
    """The task and arguments of a command line."""
    return cli.arguments_of(cli.parser().parse_args(cli.with_new_names(list(line))))


def test_bench_and_masks_are_handed_on():
    assert read('bench-part-iou', 'dev', '--views', 'view_1', '--out', 'o') == (
        'bench_part_iou',
        {'capture': 'dev', 'model': 'builtin', 'out': 'o', 'views': ['view_1']},
    )
    assert read('reconstruct', 'a.mp4', '--masks', 'm', '--out', 'o')[1]['masks'] == ['m']


@pytest.mark.parametrize(
    'old,new',
    [
        ('wrap a.obj --out o', 'wrap-model a.obj --out o'),
        ('shape-keys a.obj --out o --no-settle', 'generate-shape-keys a.obj --out o --no-settle'),
        ('--verbose tetrahedra --out o --rig r', '--verbose build-tetrahedra --out o --rig r'),
        ('settle r.npz --out o', 'settle-shape-keys r.npz --out o'),
        ('overlay r --frames 1 2', 'preview-overlay r --frames 1 2'),
        ('bench part-iou dev --out o', 'bench-part-iou dev --out o'),
        ('model wrap', 'import-face-model wrap'),
        ('--device cpu settle r --out o', '--device cpu settle-shape-keys r --out o'),
    ],
)
def test_the_verbs_of_the_last_release_still_work(old, new):
    assert read(*old.split()) == read(*new.split())
    assert cli.with_new_names(new.split()) == new.split()


def test_help_shows_todays_verbs_alone():
    words = set(cli.parser().format_help().split())
    assert {'wrap-model', 'preview-overlay', 'bench-part-iou'} <= words
    assert not {'wrap', 'shape-keys', 'overlay', 'bench', 'tetrahedra'} & words


def test_help_imports_nothing_heavy(root):
    program = package(root) + (
        'from facewright.engine import cli\n'
        'try: cli.main(["--help"])\n'
        'except SystemExit: print(sorted({"numpy", "scipy", "torch", "cv2"} & set(sys.modules)))'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[]', done.stderr
