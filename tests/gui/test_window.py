"""A real Blender window, clicked through as a new user would. On request: `python build.py test -m
gui`.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.gui]
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNNER = ROOT.parent / 'shared' / 'bin' / 'blender_gui'
LIMIT = 1800  # seconds a script may take


@pytest.fixture(scope='session')
def out() -> Path:
    """The folder shared with the window: the zip, the scripts, in the end the pictures."""
    if not sys.platform.startswith('linux') or os.geteuid() != 0 or not RUNNER.exists():
        pytest.skip('needs Linux, root, and shared/bin/blender_gui beside the project')
    spec = importlib.util.spec_from_file_location('facewright_build', ROOT / 'build.py')
    build = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    folder = ROOT / 'gui-out'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    archive = build.make_zip(None, folder=folder)
    (folder / 'given.json').write_text(
        json.dumps(
            {
                'zip': archive.name,
                'python': sys.executable,
                'footage': 'footage.mp4',
                'threads': os.environ.get('OMP_NUM_THREADS', ''),
            }
        )
    )
    return folder


def run(out: Path, script: str, *parts: str, **more: str) -> dict:
    """What a script, or the named parts of it, found in the window."""
    given = json.loads((out / 'given.json').read_text())
    (out / 'given.json').write_text(json.dumps(given | {'parts': parts} | more))
    for name in ('window.py', script):
        shutil.copy(HERE / name, out)
    results = out / 'results.json'
    results.unlink(missing_ok=True)
    base, environment = (
        Path(sys._base_executable).resolve().parent.parent,
        Path(sys.prefix).resolve(),
    )
    with (out / 'blender.log').open('w') as log:
        subprocess.run(
            [
                RUNNER,
                '--share',
                out,
                '--bind',
                ROOT,
                '--bind',
                base,
                '--bind',
                environment,
                '--',
                '--python',
                f'/t/{script}',
            ],
            stdout=log,
            stderr=log,
            timeout=LIMIT,
            env={**os.environ, 'GUI_TIMEOUT': str(LIMIT), 'GUI_SIZE': '1600x1200'},
        )
    assert results.exists(), (out / 'blender.log').read_text()[-2000:]
    return json.loads(results.read_text())


@pytest.fixture(scope='module')
def told(out) -> dict:
    from facewright.engine.lab.demo import render_demo_footage

    render_demo_footage(out / 'footage.mp4')
    return run(out, 'click_through.py')


@pytest.fixture(scope='module')
def first(out) -> dict:
    from facewright.engine.lab.demo import render_demo_footage

    render_demo_footage(out / 'take_1.mp4', frames=24, size=(480, 360))
    return run(out, 'first_run.py', footage='take_1.mp4')


@pytest.fixture(scope='module')
def shaped(out) -> dict:
    return run(out, 'shape_keys_panel.py', 'somebody_elses_head')


@pytest.fixture(scope='module')
def tried(out) -> dict:
    return run(out, 'shape_keys_panel.py', 'tools_in_three_modes', 'sculpted_basis')


@pytest.fixture(scope='module')
def compared(out) -> dict:
    from personal_rig import personal_shapes

    from facewright.engine.face_model import load_model
    from facewright.engine.formats.rig import Rig, write_rig
    from facewright.engine.shape_keys.plain import plain_expressions

    model = load_model('builtin')
    rng = np.random.default_rng(4)
    neutral = model.shape(rng.normal(size=len(model.identities)) * 0.6)
    names, plain = plain_expressions(model, neutral)
    own = personal_shapes(neutral, names, plain)
    write_rig(out / 'personal.npz', Rig(neutral, own, names, model.faces))
    return run(out, 'comparison_panel.py', 'jawOpen', 'Basis')


@pytest.fixture(scope='module')
def worded(out) -> dict:
    from facewright.engine.lab.demo import render_demo_footage

    render_demo_footage(out / 'short.mp4', frames=10, size=(320, 240))
    return run(out, 'words_panel.py', footage='short.mp4')


@pytest.fixture(scope='module')
def looked(out) -> dict:
    from facewright.engine.lab.demo import render_demo_footage

    render_demo_footage(out / 'short.mp4', frames=10, size=(320, 240))
    return run(out, 'appearance_panel.py', 'standard', 'draft', 'failing', footage='short.mp4')


def test_the_script_came_to_its_end(told):
    assert 'error' not in told, told['error']
    assert told['failure'] is None and told['done']


def test_n_opens_the_sidebar_and_the_tab_has_its_buttons(told):
    assert told['sidebar opened by N']
    words = ' '.join(told['buttons'])
    for name in (
        'add_head',
        'add_footage',
        'reconstruct',
        'import_performance',
        'export_performance',
    ):
        assert f'facewright.{name}' in words


def test_a_head_is_added_and_undone(told):
    assert told['shape keys'] == 55
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


def test_keys_for_somebody_else_s_head(shaped):
    assert 'error' not in shaped, shaped['error']
    assert shaped["keys on somebody else's head"] >= 54
    assert shaped['split of an uneven mesh'] == ['mouthFunnel_L', 'mouthFunnel_R']


def test_every_tool_in_every_mode_works_and_is_undone(tried):
    assert 'error' not in tried, tried['error']
    found = tried['tools: did it, undone, in the mode that was']
    assert len(found) == 24 and {what: did for what, did in found.items() if not all(did)} == {}


def test_a_sculpted_basis_is_followed_in_every_key_and_that_is_undone_alone(tried):
    assert tried['keys a stroke on the Basis moves'] == tried['keys the cavities move in'] == 55
    assert 'The cavities of the Basis follow' in tried['said'] and tried['undone to the stroke']


def test_a_head_is_compared_blended_and_undone(compared):
    assert 'error' not in compared, compared['error']
    assert "shapes differ from the model's" in compared['said']
    assert compared['blended'] and compared['undone'] and compared['own colours']


def test_an_overlay_opens_in_the_image_editor_and_the_panel_tells_the_overlaps(looked):
    assert 'error' not in looked, looked['error']
    assert looked['failure of STANDARD'] is None and looked['failure of DRAFT'] is None
    for what, frame in (('mesh', 5), ('parts', 5), ('next frame', 6)):
        overlays, shown, lines = looked[f'overlay of the {what}']
        assert overlays == ['Overlay Head short'] and shown == overlays[0]
        assert f'frame {frame}:' in lines[0] and {'nose', 'upper lip', 'left eye'} <= {
            line.split(':')[0] for line in lines[1:]
        }
    assert looked['pressed again at once']


def test_the_texture_is_on_the_skin(looked):
    assert (
        looked['textures of Standard'] == looked['textures baked']
        and looked['textures baked']['Face'] == 'Head short Albedo'
    )
    assert looked['images'].count('Head short Albedo') == 1
    assert (
        looked['textures of Draft'] == {}
        and looked['textures baked for Draft']['Face'] == 'Head short Albedo'
    )


def test_what_was_cancelled_or_failed_changes_nothing(looked):
    assert (
        looked['bake: cancelled, nothing changed']
        == looked['parts: cancelled, nothing changed']
        == [True, True]
    )
    state, error, unchanged = looked['failed']
    assert state == 'failed' and 'rig.npz' in error and unchanged


def test_overlay_and_bake_are_one_undo_step_each(looked):
    assert {
        name: did
        for name, did in looked.items()
        if name.endswith('undone, redone') and did != [True, True]
    } == {}
    assert sum(name.endswith('undone, redone') for name in looked) == 4


def test_eight_clicks_to_a_head_that_moves_over_its_clip(first):
    assert 'error' not in first, first['error']
    assert first['failure of DRAFT'] is None and first['clicks'] <= 8 and first['moves']
    seen = first['seen']
    assert (
        'Cube' not in seen['objects']
        and 'Head take_1' in seen['objects']
        and seen['perspective'] == 'CAMERA'
    )
    assert seen['shading'] == ['SOLID', 'VERTEX'] and (seen['rate'], seen['size']) == (30, 480)


def test_the_clip_lies_over_the_head_with_one_click_and_one_undo(first):
    assert first['over'] and not first['over after undo']


def test_reconstructing_again_leaves_one_head_and_undo_brings_the_default_scene_back(first):
    assert first['failure of STANDARD'] is None and first['heads'] == ['Head take_1']
    assert (
        first['seen again']['shading'][0] == 'MATERIAL'
        and first['seen again']['perspective'] == 'CAMERA'
    )
    before, after = first['before and after undo']
    assert after == before


def test_a_missing_engine_is_said_at_once_and_the_right_one_asked_by_itself(worded):
    assert 'error' not in worded, worded['error']
    assert worded['the engine was asked'] and worded['what it lacks'][0]
    words = ' '.join(worded['buttons without an engine'])
    assert 'facewright.open_preferences' in words and 'facewright.check_engine' in words
    assert worded['asked again by itself'] and worded['then ready'] is None
    assert not any(
        'open_preferences' in command or 'check_engine' in command
        for command in worded['buttons with an engine']
    )


def test_the_result_s_words_and_their_buttons(worded):
    assert worded['failure'] is None and worded['neutral frame'] == [True, 3]
    assert [w.split()[0] for w in worded['verdicts'].split(', ')] == [
        'eyes',
        'brows',
        'lips',
        'jaw',
    ]
    assert worded['frames shown'] == worded['frames told']


def test_a_pinned_key_is_said_and_ended_where_its_panel_is_folded(worded):
    assert worded['a button ends the pin'] and worded['the pin was ended']
    assert not any('unpin' in command for command in worded['buttons after it'])
