"""Which Python runs the engine, and what it lacks."""
import sys
from pathlib import Path

import bpy
import pytest

from facewright.addon import environment, paths, preferences
from facewright.engine.errors import FacewrightError


def test_the_test_environment_is_ready():
    found = environment.check(sys.executable)
    assert found.wrong is None and found.packages == () and found.version.startswith('3.11')
    assert bpy.ops.facewright.check_engine() == {'FINISHED'}
    assert preferences.last_check.wrong is None


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
    assert str(tmp_path / 'r.txt') in environment.command(found.python, found.packages, tmp_path / 'r.txt')


@pytest.mark.parametrize('python', ['/nowhere/python', '/bin/false', '/bin/echo'])
def test_what_is_no_python_is_a_sentence(python):
    with pytest.raises(FacewrightError, match='choose a Python 3.11 program'):
        environment.check(python)


def test_the_preference_chooses_python_and_cache(tmp_path):
    entry = bpy.context.preferences.addons.new()
    entry.module = paths.PACKAGE
    try:
        assert paths.engine_python() == sys.executable
        entry.preferences.python = '/other/python'
        entry.preferences.cache = str(tmp_path / 'elsewhere')
        assert paths.engine_python() == '/other/python'
        assert paths.cache_folder() == tmp_path / 'elsewhere' / 'facewright'
        assert paths.child_environment()['FACEWRIGHT_CACHE'] == str(tmp_path / 'elsewhere')
        with pytest.raises(RuntimeError, match='cannot be started'):
            bpy.ops.facewright.check_engine()
    finally:
        bpy.context.preferences.addons.remove(entry)
