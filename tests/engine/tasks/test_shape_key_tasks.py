"""The shape-key tasks as the add-on and the command line run them."""

import json

import numpy as np
import pytest
from foreign_head import TURN, foreign_copy
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine import tasks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.formats.rig import Rig, read_rig, write_rig
from facewright.engine.geometry.user_mesh import UserMesh, read_mesh, write_mesh
from facewright.engine.shape_keys.crossings import find_crossings
from facewright.engine.tasks.inputs import read_markers


def finish(task):
    """(all the task's progress, its result)."""
    told = []
    while True:
        try:
            told.append(next(task))
        except StopIteration as end:
            return told, end.value


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


def person(model, seed):
    return model.shape(np.random.default_rng(seed).normal(size=len(model.identities)) * 0.6).astype(
        np.float64
    )


@pytest.fixture(scope='module')
def same(model, tmp_path_factory):
    """A head in the model's topology, in metres and z up, as a mesh file; and its shape keys."""
    folder = tmp_path_factory.mktemp('same')
    write_mesh(
        folder / 'head.npz',
        UserMesh(
            0.01 * person(model, 3) @ TURN.T + (1, 2, 3),
            model.faces,
            np.zeros(model.vertex_count, np.int32),
            ('head',),
        ),
    )
    told, result = finish(
        tasks.generate_shape_keys(str(folder / 'head.npz'), str(folder / 'out'), settle=False)
    )
    return folder, told, result


def test_a_head_in_the_models_topology_gets_the_models_expressions(model, same):
    folder, _, result = same
    rig = read_rig(folder / 'out' / 'rig.npz')
    assert rig.names == model.names and result['topology'] == 'model' and result['unit'] == 'm'
    off = np.linalg.norm(rig.expressions - model.expressions, axis=2)
    moves = np.linalg.norm(model.expressions, axis=2) > 0.01
    assert off[moves].mean() < 0.03  # 0.3 mm
    back = (rig.neutral - np.array(result['to_head'])[:3, 3]) @ np.linalg.inv(
        np.array(result['to_head'])[:3, :3]
    ).T
    assert np.abs(back - read_mesh(folder / 'head.npz').vertices).max() < 1e-5


def test_generating_again_on_what_was_made_makes_the_same(model, same, tmp_path):
    """The settled head that came out, in metres elsewhere, is what goes in."""
    finish(tasks.generate_shape_keys(str(same[0] / 'head.npz'), str(tmp_path / 'first')))
    rig = read_rig(tmp_path / 'first' / 'rig.npz')
    mesh = UserMesh(
        0.01 * rig.neutral.astype(np.float64) @ TURN.T + (3, 2, 1),
        model.faces,
        np.zeros(model.vertex_count, np.int32),
        ('head',),
    )
    write_mesh(tmp_path / 'head.npz', mesh)
    _, result = finish(
        tasks.generate_shape_keys(str(tmp_path / 'head.npz'), str(tmp_path / 'second'))
    )
    again, own = (
        read_rig(tmp_path / 'second' / 'rig.npz'),
        np.linalg.inv(np.array(result['to_head'])),
    )
    assert np.abs(again.neutral @ own[:3, :3].T + own[:3, 3] - mesh.vertices).max() < 1e-5
    assert (
        np.abs(100 * again.expressions @ own[:3, :3].T @ TURN - rig.expressions).max() < 0.005
    )  # 0.05 mm


def test_progress_grows_to_one(same):
    fractions = [p.fraction for p in same[1]]
    assert (
        fractions == sorted(fractions)
        and fractions[-1] == 1.0
        and len({p.stage for p in same[1]}) >= 2
    )


@pytest.fixture(scope='module')
def foreign(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp('foreign')
    write_mesh(folder / 'head.npz', foreign_copy(model, rounds=0))
    return folder, finish(tasks.generate_shape_keys(str(folder / 'head.npz'), str(folder / 'out')))[
        1
    ]


def test_a_foreign_head_keeps_its_own_vertices_and_moves_as_the_model_would(model, foreign):
    folder, result = foreign
    rig, mesh = read_rig(folder / 'out' / 'rig.npz'), read_mesh(folder / 'head.npz')
    assert (
        len(rig.neutral) == len(mesh.vertices)
        and (rig.faces == mesh.faces).all()
        and result['expression'] == {}
    )
    matrix = np.array(result['to_head'])
    assert np.abs(mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3] - rig.neutral).max() < 1e-4
    order = np.random.default_rng(5)
    order.normal(size=len(model.identities))
    order.normal(size=model.neutral.shape)
    order = order.permutation(model.vertex_count)  # what foreign_copy shuffled by
    truth = model.tracked.expressions[:, order]
    off = np.linalg.norm(rig.expressions - truth, axis=2)
    moves = np.linalg.norm(truth, axis=2) > 0.05
    assert off[moves].mean() < 0.12, off[moves].mean()
    for e, name in enumerate(rig.names):
        a, b = rig.expressions[e].ravel(), truth[e].ravel()
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.8, name


def test_wrap_writes_every_vertex_of_the_model_in_the_meshs_own_space(model, foreign, tmp_path):
    folder, _ = foreign
    _, result = finish(tasks.wrap_model(str(folder / 'head.npz'), str(tmp_path)))
    wrapped = read_mesh(tmp_path / 'wrapped.obj')
    assert len(wrapped.vertices) == model.vertex_count and (wrapped.faces == model.faces).all()
    truth = 0.01 * person(model, 5) @ TURN.T + (0.3, -1.0, 1.6)
    face = model.regions['narrow_face']
    assert np.linalg.norm(wrapped.vertices - truth, axis=1)[face].mean() < 0.0015  # metres
    assert (
        result['fit']['model_to_mesh_median_mm'] < 0.3
        and json.loads((tmp_path / 'report.json').read_text())['unit'] == 'm'
    )
    markers = finish(tasks.add_markers(str(folder / 'head.npz'), str(tmp_path / 'marks')))[1][
        'landmarks'
    ]
    assert np.linalg.norm(markers['nose_tip'] - truth[model.landmarks68[30]]) < 0.006
    assert read_markers(str(tmp_path / 'marks' / 'landmarks.json')).keys() >= {30, 8}


@pytest.mark.parametrize('stop', [1, 3, 6])
def test_cancel_leaves_nothing(foreign, tmp_path, stop):
    task = tasks.generate_shape_keys(str(foreign[0] / 'head.npz'), str(tmp_path / 'out'))
    for _ in range(stop):
        next(task)
    task.close()
    assert list((tmp_path / 'out').iterdir()) == []


def test_crossings_of_a_head_are_counted_by_shape_and_combination(model, tmp_path):
    write_rig(tmp_path / 'rig.npz', Rig(model.neutral, model.expressions, model.names, model.faces))
    _, result = finish(
        tasks.check_intersections(str(tmp_path / 'rig.npz'), str(tmp_path / 'out'), 'builtin', 5)
    )
    data = np.load(tmp_path / 'out' / 'crossings.npz', allow_pickle=False)
    assert (
        data['counts'].shape == (55, len(data['kinds']))
        and data['marked'].shape == (55, model.vertex_count)
        and data['combination_counts'].shape[0] == 5
    )
    assert result['shapes'] == {n: int(c) for n, c in zip(data['names'], data['counts'].sum(1))}
    assert ((data['marked'].sum(1) > 0) == (data['counts'].sum(1) > 0)).all()


def test_the_filling_can_be_looked_at(model, tmp_path):
    _, result = finish(tasks.build_tetrahedra('builtin', str(tmp_path)))
    data = np.load(tmp_path / 'flesh.npz', allow_pickle=False)
    assert (
        (data['vertices'][: model.vertex_count] == model.neutral).all()
        and data['tetrahedra'].max() < len(data['vertices'])
        and len(data['surface'])
    )
    assert max(result['inverted_percent'].values()) <= 0.5


def test_cavities_follow_an_edit(model, tmp_path):
    write_rig(tmp_path / 'rig.npz', Rig(model.neutral, model.expressions, model.names, model.faces))
    index = model.names.index('mouthSmile_L')
    before = model.neutral + model.expressions[index]
    skin = np.concatenate([model.regions['face'], model.regions['head_neck']])
    lip = model.neutral[model.landmarks68[62]]
    edited = before.copy()
    edited[skin] += (
        0.6 * np.exp(-((model.neutral[skin] - lip) ** 2).sum(1) / 1.5**2)[:, None] * (0, 0, -1)
    )  # pressed in: the mouth bag comes through
    np.savez(
        tmp_path / 'edits.npz',
        names=np.array(['mouthSmile_L']),
        before=before[None],
        edited=edited[None],
    )
    _, result = finish(
        tasks.fix_cavities(
            str(tmp_path / 'rig.npz'), str(tmp_path / 'out'), 'builtin', str(tmp_path / 'edits.npz')
        )
    )
    rig = read_rig(tmp_path / 'out' / 'rig.npz')
    assert np.abs(rig.neutral + rig.expressions[index] - edited)[skin].max() < 1e-5
    assert (
        np.abs(np.delete(rig.expressions, index, 0) - np.delete(model.expressions, index, 0)).max()
        < 1e-6
    )
    told = result['shapes'][0]
    own = len(find_crossings(model, before).pairs)  # what the shape brings with it
    assert (
        told['name'] == 'mouthSmile_L'
        and told['before'] > own + 100
        and told['after'] - own < 0.2 * (told['before'] - own)
    ), (told, own)


@pytest.mark.parametrize(
    'call,says',
    [
        (lambda f: tasks.wrap_model('nowhere.obj', f), 'no mesh at nowhere'),
        (lambda f: tasks.wrap_model(f + '/head.npz', f, expression='smile'), 'auto or none'),
        (lambda f: tasks.generate_shape_keys(f + '/head.npz', f, onto='both'), 'mesh or model'),
        (lambda f: tasks.check_intersections(f + '/head.npz', f, 'builtin'), 'lacks'),
        (lambda f: tasks.check_intersections(f + '/rig.npz', f, 'builtin', -1), '0 to 100000'),
        (
            lambda f: tasks.fix_cavities(f + '/rig.npz', f + '/out', 'builtin', f + '/none.npz'),
            'list of edits',
        ),
        (
            lambda f: tasks.fix_cavities(f + '/rig.npz', f, 'builtin', f + '/none.npz'),
            'rig.npz was not written by Facewright',
        ),
        (lambda f: tasks.build_tetrahedra('builtin', f, mask=f + '/rig.npz'), 'whether to fill'),
        (lambda f: tasks.check_intersections(f + '/small.npz', f, 'builtin'), 'topology'),
    ],
)
def test_bad_input_is_one_sentence(model, same, tmp_path, call, says):
    (tmp_path / 'head.npz').write_bytes((same[0] / 'head.npz').read_bytes())
    write_rig(tmp_path / 'rig.npz', Rig(model.neutral, model.expressions, model.names, model.faces))
    write_rig(
        tmp_path / 'small.npz',
        Rig(model.neutral[:4], model.expressions[:, :4], model.names, np.array([[0, 1, 2, 3]])),
    )
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(FacewrightError, match=says):
        finish(call(str(tmp_path)))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != 'out') == before and not list(
        (tmp_path / 'out').glob('*')
    )


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=4),
            lambda x: (
                st.lists(x, max_size=4)
                | st.dictionaries(st.sampled_from(['nose_tip', 'chin', 'x']), x, max_size=3)
            ),
            max_leaves=6,
        ).map(lambda v: json.dumps(v).encode()),
    )
)
def test_any_markers_end_in_markers_or_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('m') / 'markers.json'
    path.write_bytes(data)
    try:
        assert all(
            np.isfinite(v).all() and v.shape == (3,) for v in read_markers(str(path)).values()
        )
    except FacewrightError as error:
        assert str(path) in str(error)
