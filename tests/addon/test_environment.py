"""Which Python runs the engine, and what it lacks."""

import os
import sys
from pathlib import Path

import bpy
import pytest

from facewright.addon import environment, paths
from facewright.engine.core.errors import FacewrightError


def test_the_test_environment_is_ready():
    found = environment.check(sys.executable)
    assert found.wrong is None and found.packages == () and found.version.startswith('3.11')
    assert bpy.ops.facewright.check_engine() == {'FINISHED'}
    assert environment.known().wrong is None


def test_a_bare_python_lacks_everything_and_is_told_how_to_get_it(tmp_path):
    bare = getattr(sys, '_base_executable', sys.executable)
    if bare == sys.executable or not Path(bare).exists():
        pytest.skip('needs a Python beside the environment')
    found = environment.check(bare)
    if found.wrong is None:
        pytest.skip('the Python beside the environment has all packages')
    assert 'torch' in found.wrong and ('torch', '2.13.0', None) in found.packages
    typed = environment.command(found.python, found.packages, tmp_path / 'none.txt')
    assert '--no-deps' in typed and 'torch==2.13.0' in typed
    (tmp_path / 'r.txt').write_text('')
    assert str(tmp_path / 'r.txt') in environment.command(
        found.python, found.packages, tmp_path / 'r.txt'
    )


@pytest.mark.parametrize('python', ['/nowhere/python', '/bin/false', '/bin/echo'])
def test_what_is_no_python_is_a_sentence(python):
    with pytest.raises(FacewrightError, match=r'choose a Python 3.11 program'):
        environment.check(python)


def test_the_preference_chooses_python_cache_and_device(tmp_path, monkeypatch):
    entry = bpy.context.preferences.addons.new()
    entry.module = paths.PACKAGE
    try:
        assert paths.engine_python() == sys.executable
        entry.preferences.python = '/other/python'
        entry.preferences.cache = str(tmp_path / 'elsewhere')
        assert paths.engine_python() == '/other/python'
        assert paths.cache_folder() == tmp_path / 'elsewhere' / 'facewright'
        assert paths.child_environment()['FACEWRIGHT_CACHE'] == str(tmp_path / 'elsewhere')
        monkeypatch.setenv('FACEWRIGHT_DEVICE', 'cuda')
        assert paths.child_environment()['FACEWRIGHT_DEVICE'] == 'cuda'  # automatic: as outside
        entry.preferences.device = 'cpu'
        assert paths.child_environment()['FACEWRIGHT_DEVICE'] == 'cpu'
        with pytest.raises(RuntimeError, match='cannot be started'):
            bpy.ops.facewright.check_engine()
    finally:
        bpy.context.preferences.addons.remove(entry)


def chosen(python):
    """Choose the engine's Python in the preferences; returns the entry to take away again."""
    entry = bpy.context.preferences.addons.new()
    entry.module = paths.PACKAGE
    entry.preferences.python = str(python)
    return entry


def test_choosing_a_python_asks_it_without_waiting(tmp_path):
    slow = tmp_path / 'python slow'
    slow.write_text('#!/bin/sh\nexec sleep 60\n')
    slow.chmod(0o755)
    entry = chosen(slow)
    try:
        assert environment.asking() and environment.known() is None
        assert (
            environment.ask() is None and len(environment._asked) == 1
        )  # a panel drawn again asks nobody twice
        environment.detach()
        assert not environment.asking()  # and none is left behind
        entry.preferences.python = '/nowhere/python'
        assert environment.wait().wrong.startswith('/nowhere/python cannot be started')
        entry.preferences.python = sys.executable
        assert environment.wait().wrong is None
    finally:
        bpy.context.preferences.addons.remove(entry)


def test_an_answer_holds_until_the_file_changes(tmp_path):
    python = tmp_path / 'python'
    says = '#!/bin/sh\necho \'{"version": "%s", "wrong": null, "packages": []}\'\n'
    python.write_text(says % '1')
    python.chmod(0o755)
    entry = chosen(python)
    try:
        assert environment.wait().version == '1'
        os.utime(python, ns=(0, 10**18))
        python_time = python.stat().st_mtime_ns
        environment.ask()
        assert environment.wait().version == '1'
        python.write_text(says % '2')
        os.utime(python, ns=(0, python_time))
        assert environment.ask().version == '1'  # the same file, as far as its time tells
        environment.ask(anew=True)
        assert environment.wait().version == '2'
        python.write_text(says % '3')
        os.utime(python, ns=(0, python_time + 10**9))
        assert environment.known() is None
        environment.ask()
        assert environment.wait().version == '3'
    finally:
        bpy.context.preferences.addons.remove(entry)
