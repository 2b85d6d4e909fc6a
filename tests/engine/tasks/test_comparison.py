"""Compare with Model as a task and on the command line."""

import numpy as np
import pytest
from personal_rig import smooth_offsets

from facewright.engine import cli, tasks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.formats.rig import Rig, write_rig
from facewright.engine.shape_keys.plain import plain_expressions
from facewright.engine.worker import run


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def person(model):
    """(neutral, names, plain shapes, personal shapes) of somebody whose smile is his own."""
    rng = np.random.default_rng(2)
    neutral = model.shape(rng.normal(size=len(model.identities)) * 0.6)
    names, plain = plain_expressions(model, neutral)
    personal = plain.copy()
    personal[names.index('mouthSmile_L')] += smooth_offsets(neutral, (2.5, -4.0, 8.0), 0.3)
    return neutral, names, plain, personal


def write(path, model, person, shapes):
    neutral, names, *_ = person
    write_rig(path, Rig(neutral, shapes, names, model.faces))
    return str(path)


def test_a_head_that_a_reconstruction_made_has_the_model_s_shapes(model, person, tmp_path):
    rig = write(tmp_path / 'rig.npz', model, person, person[2])
    found = run(tasks.compare_with_model(rig), lambda _: None)
    neutral, *shapes = found['shapes']
    assert neutral['name'] == 'neutral' and neutral['largest_mm'] > neutral['mean_mm'] > 0.5
    assert len(shapes) == 54 and max(one['largest_mm'] for one in shapes) < 0.01
    assert found['out'] == ''


def test_what_is_the_person_s_own_is_found(model, person, tmp_path):
    rig = write(tmp_path / 'rig.npz', model, person, person[3])
    out = tmp_path / 'out ü'
    found = run(tasks.compare_with_model(rig, str(out)), lambda _: None)
    shapes = {one['name']: one for one in found['shapes']}
    smile = shapes['mouthSmile_L']
    assert smile['largest_mm'] == pytest.approx(3.0, abs=0.1) and 0 < smile['mean_mm'] < 3.0
    assert shapes['mouthSmile_R']['largest_mm'] < 0.01
    data = np.load(out / 'comparison.npz', allow_pickle=False)
    row = data['names'].tolist().index('mouthSmile_L')
    assert data['distance'].shape == (55, model.vertex_count)
    assert data['distance'][row].max() == pytest.approx(smile['largest_mm'], abs=1e-3)
    assert np.array_equal(data['plain'], person[2])


def test_the_command_line_says_it(model, person, tmp_path, capfd):
    rig = write(tmp_path / 'rig.npz', model, person, person[3])
    assert cli.main(['compare-with-model', rig]) == 0
    said = capfd.readouterr().out
    assert "1 of 54 shapes differs from the model's, mouthSmile_L the most" in said
    assert 'written' not in said
    own = write(tmp_path / 'own.npz', model, person, person[2])
    assert cli.main(['compare-with-model', own]) == 0
    assert "This head's shapes are the model's own." in capfd.readouterr().out


def test_another_topology_or_no_file_is_a_sentence(model, tmp_path):
    few = Rig(np.zeros((3, 3)), np.zeros((1, 3, 3)), ('jawOpen',), np.array([[0, 1, 2, -1]]))
    write_rig(tmp_path / 'few.npz', few)
    with pytest.raises(FacewrightError, match='has 3 vertices where the face model has'):
        run(tasks.compare_with_model(str(tmp_path / 'few.npz')), lambda _: None)
    with pytest.raises(FacewrightError, match=r'none\.npz'):
        run(tasks.compare_with_model(str(tmp_path / 'none.npz')), lambda _: None)


def test_shapes_that_the_model_does_not_have_are_left_out(model, person, tmp_path):
    rig = Rig(person[0], np.zeros((1, model.vertex_count, 3)), ('mine',), model.faces)
    write_rig(tmp_path / 'rig.npz', rig)
    found = run(tasks.compare_with_model(str(tmp_path / 'rig.npz'), str(tmp_path)), lambda _: None)
    assert [one['name'] for one in found['shapes']] == ['neutral']
