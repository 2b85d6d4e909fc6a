"""A real Blender window, clicked through as a new user would. On request: `python build.py test -m gui`."""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gui]
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNNER = ROOT.parent / 'shared' / 'bin' / 'blender_gui'


@pytest.fixture(scope='module')
def told() -> dict:
    """What the window's script found; its pictures are in gui-out."""
    if not sys.platform.startswith('linux') or os.geteuid() != 0 or not RUNNER.exists():
        pytest.skip('needs Linux, root, and shared/bin/blender_gui beside the project')
    from facewright.engine.demo import render_demo_footage
    spec = importlib.util.spec_from_file_location('facewright_build', ROOT / 'build.py')
    build = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    out = ROOT / 'gui-out'
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for name in ('window.py', 'click_through.py'):
        shutil.copy(HERE / name, out)
    render_demo_footage(out / 'footage.mp4')
    archive = build.make_zip(None, folder=out)
    (out / 'given.json').write_text(json.dumps({'zip': archive.name, 'python': sys.executable, 'footage': 'footage.mp4'}))
    base = Path(sys._base_executable).resolve().parent.parent
    with open(out / 'blender.log', 'w') as log:
        subprocess.run([RUNNER, '--share', out, '--bind', ROOT, '--bind', base, '--', '--python', '/t/click_through.py'],
                       stdout=log, stderr=log, timeout=1200)
    results = out / 'results.json'
    assert results.exists(), (out / 'blender.log').read_text()[-2000:]
    return json.loads(results.read_text())


def test_the_script_came_to_its_end(told):
    assert 'error' not in told, told['error']
    assert told['failure'] is None and told['done']


def test_n_opens_the_sidebar_and_the_tab_has_its_buttons(told):
    assert told['sidebar opened by N']
    words = ' '.join(told['buttons'])
    for name in ('add_head', 'add_footage', 'reconstruct', 'import_performance', 'export_performance'):
        assert f'facewright.{name}' in words


def test_a_head_is_added_and_undone(told):
    assert told['shape keys'] == 54
    assert told['objects after undo of the head'] == 0


def test_cancel_is_quick_and_leaves_nothing(told):
    assert told['running'] == 'running'
    assert told['seconds to cancel'] < 1
    assert told['objects after cancel'] == 0


def test_a_reconstruction_is_one_undo_step(told):
    before, after = told['objects before and after undo']
    assert before >= 2 and after == 0 and told['objects after redo'] == before
    assert len(told['collections']) == 2
    assert told['looks through the camera'] == 'CAMERA'
