"""Results in a user's folder: as one set or not at all, and never over anything of the user's."""

import json
import os

import pytest

from facewright.engine.core import result_folder
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.result_folder import MANIFEST, claim, read_manifest, recover, results

OLD = {'rig.npz': 'old rig', 'report.json': 'old report', 'albedo.png': 'old texture'}
NEW = {'rig.npz': 'new rig', 'report.json': 'new report', 'motion.npz': 'new motion'}
MINE = {'notes.txt': 'mine', 'light.json': 'mine too'}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'cache'))


def write(folder, files, task='reconstruct', replaces=()):
    with results(folder, task, replaces) as work:
        for name, text in files.items():
            (work / name).write_text(text)


def seen(folder) -> dict[str, str]:
    """What a user sees in a folder; nothing hidden but the manifest may be there."""
    names = {path.name for path in folder.iterdir()}
    assert {name for name in names if name.startswith('.')} <= {MANIFEST}
    return {name: (folder / name).read_text() for name in names - {MANIFEST}}


@pytest.fixture
def out(tmp_path):
    """A folder with an old result and files of the user's."""
    folder = tmp_path / 'out ü'
    write(folder, OLD)
    for name, text in MINE.items():
        (folder / name).write_text(text)
    return folder


def test_a_new_result_replaces_the_old_as_one_set_and_nothing_else(out):
    write(out, NEW)
    assert seen(out) == NEW | MINE and set(read_manifest(out)) == set(NEW)


def test_what_the_user_changed_is_the_users(out):
    (out / 'albedo.png').write_text('painted by hand')
    write(out, NEW)
    assert seen(out) == NEW | MINE | {'albedo.png': 'painted by hand'}
    (out / 'rig.npz').write_text('sculpted by hand')
    for refused in (lambda: claim(out, ['rig.npz']), lambda: write(out, NEW)):
        with pytest.raises(
            FacewrightError,
            match=r'rig\.npz was not written by Facewright, or was changed since: move it away',
        ):
            refused()
    assert seen(out) == NEW | MINE | {
        'albedo.png': 'painted by hand',
        'rig.npz': 'sculpted by hand',
    }


@pytest.mark.parametrize(
    'make',
    [lambda p: p.write_text('mine'), lambda p: p.mkdir(), lambda p: p.symlink_to('nowhere')],
    ids=['file', 'folder', 'link'],
)
def test_what_is_in_the_way_is_said_and_left(tmp_path, make):
    make(tmp_path / 'report.json')
    with pytest.raises(FacewrightError, match='choose another folder'):
        write(tmp_path, NEW)
    assert {p.name for p in tmp_path.iterdir()} - {'cache'} == {'report.json'} and os.path.lexists(
        tmp_path / 'report.json'
    )


def test_other_tasks_files_stay_unless_they_belong_to_the_old_result(out):
    write(out, {'albedo.png': 'baked'}, 'bake_albedo')
    write(out, {'crossings.npz': 'counts'}, 'check_intersections')
    write(out, NEW, replaces=('bake_albedo',))
    assert seen(out) == NEW | MINE | {'crossings.npz': 'counts'}


def test_a_failure_inside_changes_nothing(out):
    with pytest.raises(ZeroDivisionError), results(out, 'reconstruct') as work:
        (work / 'rig.npz').write_text('half')
        raise ZeroDivisionError
    assert seen(out) == OLD | MINE and not list((work.parent).iterdir())


@pytest.mark.parametrize('trouble', ['full', 'no folder'])
def test_a_cache_that_cannot_be_used_is_no_reason_to_fail(tmp_path, monkeypatch, trouble):
    if trouble == 'full':
        monkeypatch.setattr(result_folder, 'ROOM', 1 << 60)
    else:
        (tmp_path / 'cache').write_text('')
    write(tmp_path / 'out', NEW)
    assert seen(tmp_path / 'out') == NEW
    assert trouble == 'no folder' or not list(
        (tmp_path / 'cache' / 'facewright' / 'work').iterdir()
    )


def moves(monkeypatch, fail, number: int) -> None:
    """The number-th file operation of a publication calls fail() instead."""
    done = [0]
    for owner, name in (
        (result_folder.os, 'replace'),
        (result_folder.shutil, 'rmtree'),
        (type(result_folder.Path()), 'unlink'),
        (type(result_folder.Path()), 'mkdir'),
        (type(result_folder.Path()), 'touch'),
        (type(result_folder.Path()), 'rmdir'),
    ):
        real = getattr(owner, name)

        def counted(*given, real=real, **options):
            done[0] += 1
            if done[0] == number:
                fail()
            return real(*given, **options)

        monkeypatch.setattr(owner, name, counted)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_killed_at_any_point_the_folder_has_the_old_or_the_new(tmp_path, monkeypatch):
    ends = []
    for number in range(1, 80):
        folder = tmp_path / str(number)
        write(folder, OLD | MINE)
        for name in MINE:  # the user's: not as written
            (folder / name).write_text(MINE[name] + '!')
        child = os.fork()
        if not child:
            try:
                moves(monkeypatch, lambda: os._exit(9), number)
                write(folder, NEW)
            finally:
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        recover(folder)
        theirs = {name: text + '!' for name, text in MINE.items()}
        found = seen(folder)
        assert found in (OLD | theirs, NEW | theirs), number
        ends.append(found == NEW | theirs)
        write(folder, NEW)
        assert seen(folder) == NEW | theirs, number
        if status == 0:
            break
    assert status == 0 and ends[0] is False and ends[-1] is True and ends == sorted(ends)


def test_failing_at_any_point_changes_nothing(tmp_path, monkeypatch):
    def refuse():
        raise PermissionError(13, 'Permission denied')

    for number in range(1, 80):
        folder = tmp_path / str(number)
        write(folder, OLD)
        with monkeypatch.context() as patch:
            moves(patch, refuse, number)
            try:
                write(folder, NEW)
                failed = False
            except FacewrightError as error:
                assert 'Permission denied' in str(error)
                failed = True
        recover(folder)
        assert seen(folder) == (OLD if failed else NEW), number
    assert not failed


def test_a_stage_that_is_not_ours_stays(out):
    (out / f'{result_folder.STAGE}x').mkdir()
    (out / f'{result_folder.STAGE}x' / 'journal.json').write_text(
        json.dumps({'files': {}, 'new': ['../notes.txt'], 'old': ['notes.txt']})
    )
    recover(out)
    assert (out / 'notes.txt').exists() and (
        out / f'{result_folder.STAGE}x' / 'journal.json'
    ).exists()


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '{"files": 3}',
        '{"files": {"../x": {"task": "a", "sha256": "b"}, "a": 1}}',
        '[' * 100000,
        'null',
    ],
)
def test_an_unreadable_manifest_knows_nothing(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    assert read_manifest(tmp_path) == {}


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_two_at_once_leave_one_of_the_two(tmp_path):
    for _ in range(5):
        children = []
        for which in 'abcd':
            child = os.fork()
            if not child:
                try:
                    for _ in range(5):
                        write(tmp_path / 'out', {f'{n}.txt': which for n in ('one', 'two', which)})
                    os._exit(0)
                finally:
                    os._exit(1)
            children.append(child)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        found = seen(tmp_path / 'out')
        assert len(found) == 3 and len(set(found.values())) == 1
