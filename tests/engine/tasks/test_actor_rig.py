"""A rig from another take: it is followed as it is; rigs that won't do are refused at once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.annotate import parts
from facewright.engine.annotate.cached import landmarks_path
from facewright.engine.core import store
from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.store import RESUMED
from facewright.engine.face_model import load_model
from facewright.engine.formats.performance import read_performance
from facewright.engine.formats.rig import Rig, read_rig, write_rig
from facewright.engine.lab.demo import render_demo_capture
from facewright.engine.tasks.actor_rig import model_of_actor, read_actor_rig
from facewright.engine.tasks.qualities import QUALITIES
from facewright.engine.tasks.summary import summary
from facewright.engine.worker import run

FRAMES = 10


@pytest.fixture(scope='module')
def model():
    return load_model().tracked


@pytest.fixture(scope='module')
def capture(tmp_path_factory):
    folder = tmp_path_factory.mktemp('cap türe')
    render_demo_capture(folder, FRAMES, (320, 240))
    return folder


@pytest.fixture(scope='module')
def rig_path(model, tmp_path_factory):
    """A person's rig with shapes of its own: a jaw that opens half as far, wider smiles."""
    whole, rng = load_model(), np.random.default_rng(3)
    neutral = model.shape(0.3 * rng.normal(size=len(model.identities)))
    shapes = whole.expressions.copy()
    shapes[whole.names.index('jawOpen')] *= 0.5
    shapes[[whole.names.index(f'mouthSmile_{side}') for side in 'LR']] *= 1.4
    path = tmp_path_factory.mktemp('earlier täke') / 'rig.npz'
    write_rig(path, Rig(neutral, shapes, whole.names, whole.faces))
    return path


def follow(capture, out, rig, seen=None, **more):
    """Reconstruct the capture with a rig; its report."""
    footage = [str(capture / 'capture.json')]
    task = tasks.reconstruct(footage, str(out), rig=None if rig is None else str(rig), **more)
    return run(task, (lambda progress: None) if seen is None else seen.append)


@pytest.fixture(scope='module')
def take(capture, rig_path, tmp_path_factory):
    out = tmp_path_factory.mktemp('take')
    return out, follow(capture, out, rig_path)


def same(first, second) -> bool:
    a, b = np.load(first), np.load(second)
    return a.files == b.files and all((a[name] == b[name]).all() for name in a.files)


def test_the_head_is_the_given_one(take, rig_path):
    out, report = take
    assert same(rig_path, out / 'rig.npz')
    assert json.loads((out / 'report.json').read_text())['rig'] == str(rig_path) == report['rig']
    assert report['identity'] == []
    assert f'the head is that of {rig_path}' in summary('reconstruct', {}, report)
    names = read_performance(out / 'performance.npz').names
    assert (*names, 'tongueOut') == read_rig(out / 'rig.npz').names
    assert (out / 'overlay.png').stat().st_size > 1000
    assert not (out / 'albedo.png').exists()


def test_the_rigs_own_shapes_are_followed(take, capture, tmp_path):
    """A jaw that opens half as far has to open twice as much."""
    follow(capture, tmp_path, None)
    jaw = [
        performance.weights[:, performance.names.index('jawOpen')]
        for performance in (read_performance(p / 'performance.npz') for p in (take[0], tmp_path))
    ]
    assert np.corrcoef(*jaw)[0, 1] > 0.9 and 1.4 < np.ptp(jaw[0]) / np.ptp(jaw[1]) < 2.6


def test_the_same_take_is_the_same_result_also_in_the_rigs_own_folder(
    take, capture, rig_path, tmp_path
):
    follow(capture, tmp_path, rig_path)
    assert same(take[0] / 'performance.npz', tmp_path / 'performance.npz')
    follow(capture, tmp_path, tmp_path / 'rig.npz')
    assert same(take[0] / 'performance.npz', tmp_path / 'performance.npz')
    assert same(rig_path, tmp_path / 'rig.npz')


def test_standard_holds_the_head_and_its_texture(capture, rig_path, tmp_path, monkeypatch):
    standard = QUALITIES['standard']
    quick = replace(standard.refinement, known_key_rounds=1, keyframes=4, lone_rounds=1)
    monkeypatch.setitem(QUALITIES, 'standard', replace(standard, refinement=quick))
    earlier = tmp_path / 'earlier'
    earlier.mkdir()
    (earlier / 'rig.npz').write_bytes(rig_path.read_bytes())
    for name in ('albedo.png', 'albedo.npz'):
        (earlier / name).write_bytes(b'as it was ' + name.encode())
    seen = []
    follow(capture, tmp_path / 'out', earlier / 'rig.npz', seen, quality='standard')
    assert same(rig_path, tmp_path / 'out' / 'rig.npz')
    assert (tmp_path / 'out' / 'albedo.png').read_bytes() == b'as it was albedo.png'
    assert (tmp_path / 'out' / 'albedo.npz').exists()
    assert "Taking the skin's texture" not in {p.stage for p in seen} and seen[-1].fraction == 1.0
    assert any('pictures' in p.stage for p in seen)


def test_a_stopped_run_goes_on_with_its_own_rig_alone(
    capture, rig_path, take, tmp_path, monkeypatch
):
    monkeypatch.setattr(store, 'cache_folder', lambda: tmp_path / 'cache')
    other = tmp_path / 'other.npz'
    rig = read_rig(rig_path)
    write_rig(other, replace(rig, neutral=rig.neutral * np.float32(1.01)))
    task = tasks.reconstruct(
        [str(capture / 'capture.json')], str(tmp_path / 'out'), rig=str(rig_path)
    )
    assert any(progress.stage == 'Writing the result' for progress in task)
    task.close()
    for path, resumed in ((other, False), (rig_path, True)):
        seen = []
        follow(capture, tmp_path / 'out', path, seen)
        assert (RESUMED in {p.stage for p in seen}) == resumed
        assert same(path, tmp_path / 'out' / 'rig.npz')
    assert same(take[0] / 'performance.npz', tmp_path / 'out' / 'performance.npz')


def without_jaw(arrays):
    arrays['names'][arrays['names'].tolist().index('jawOpen')] = 'jawOpened'


def unknown_name(arrays):
    arrays['names'] = np.append(arrays['names'], 'earWiggle')
    arrays['expressions'] = np.concatenate([arrays['expressions'], arrays['expressions'][:1]])


def nan(arrays):
    arrays['expressions'][4, 7, 1] = np.nan


def no_names(arrays):
    del arrays['names']


def other_faces(arrays):
    arrays['faces'] = arrays['faces'][::-1]


def fewer_vertices(arrays):
    arrays['neutral'], arrays['faces'] = arrays['neutral'][:900], arrays['faces'][:1]
    arrays['faces'][:] = (0, 1, 2, -1)
    for name in ('expressions', 'untracked_expressions'):
        arrays[name] = arrays[name][:, :900]


def of_ict(arrays):
    arrays['neutral'] = np.zeros((26719, 3), np.float32)
    for name in ('expressions', 'untracked_expressions'):
        arrays[name] = np.zeros((len(arrays[name]), 26719, 3), np.float32)


def in_metres(arrays):
    arrays['neutral'] *= 0.01


def upside_down(arrays):
    arrays['neutral'][:, :2] *= -1


def far_point(arrays):
    arrays['neutral'][-1] = 1e8


def motionless(arrays):
    for name in ('expressions', 'untracked_expressions'):
        arrays[name][:] = 0


def wild(arrays):
    arrays['expressions'] *= 1e9


@pytest.mark.parametrize(
    'spoil, says',
    [
        (without_jaw, 'lacks jawOpen'),
        (unknown_name, 'has earWiggle'),
        (nan, 'not finite'),
        (no_names, 'lacks names'),
        (other_faces, 'another topology'),
        (fewer_vertices, r'another topology \(900 vertices\)'),
        (of_ict, 'is a head of ICT-FaceKit.*: choose ICT-FaceKit as the face model'),
        (in_metres, 'no head in centimetres .its landmarks lie'),
        (upside_down, 'its landmarks lie'),
        (far_point, r'its furthest point at 1e\+08'),
        (motionless, 'its expressions move it by 0 cm at most'),
        (wild, 'its expressions move it by'),
    ],
)
def test_rigs_that_will_not_do_are_refused_before_the_work(
    capture, rig_path, tmp_path, spoil, says
):
    arrays = dict(np.load(rig_path))
    spoil(arrays)
    np.savez(tmp_path / 'rig.npz', **arrays)
    seen = []
    with pytest.raises(FacewrightError, match=says) as told:
        follow(capture, tmp_path / 'out', tmp_path / 'rig.npz', seen)
    assert str(told.value).count('. ') == 0 and str(told.value).endswith('.')
    assert {p.stage for p in seen} <= {'Opening the footage', 'Reading the face model'}
    assert list((tmp_path / 'out').glob('*')) == []


@pytest.mark.parametrize(
    'content, says',
    [
        (None, 'no rig.npz at'),
        (b'', 'not a readable rig.npz'),
        (b'{"cameras": []}', 'not a readable rig.npz'),
    ],
)
def test_files_that_are_no_rig(capture, tmp_path, content, says):
    if content is not None:
        (tmp_path / 'rig.npz').write_bytes(content)
    with pytest.raises(FacewrightError, match=says):
        follow(capture, tmp_path / 'out', tmp_path / 'rig.npz')
    with pytest.raises(FacewrightError, match=r'is a folder: choose the rig\.npz in it'):
        follow(capture, tmp_path / 'out', tmp_path)
    assert not (tmp_path / 'out').exists()


def test_the_built_in_heads_rig_says_so_to_another_model(model, rig_path):
    ict = replace(
        model,
        name='ict',
        neutral=model.neutral[:-1],
        expressions=model.expressions[:, :-1],
        identities=model.identities[:, :-1],
        faces=model.faces[:1],
        face_uvs=model.face_uvs[:1],
        face_materials=model.face_materials[:1],
    )
    with pytest.raises(FacewrightError, match='choose the built-in head as the face model'):
        model_of_actor(ict, read_actor_rig(rig_path))


def test_one_actors_model(model, rig_path):
    actor = read_actor_rig(rig_path)
    own = model_of_actor(model, actor)
    assert own.tracked is own and own.template is model and own.fingerprint != model.fingerprint
    assert np.abs(own.shape(own.known_identity) - actor.rig.neutral).max() < 1e-5
    assert own.names == model.names and model.known_identity is None


def test_what_is_found_once_on_a_model_is_not_found_anew_on_an_actor(model, rig_path, monkeypatch):
    """Landmarks and parts take half a minute each, and nothing of a person is in them."""
    shares = parts.model_part_shares(model)
    monkeypatch.setattr(parts, 'find_parts', lambda *_: pytest.fail('found anew'))
    own = model_of_actor(model, read_actor_rig(rig_path))
    assert np.array_equal(parts.model_part_shares(own), shares)
    assert landmarks_path(own) == landmarks_path(model)
