"""Fix Cavities, Check Intersections, tetrahedra: on heads in the face model's topology, with the
fake engine.
"""

import json

import bmesh
import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from facewright.addon import api
from facewright.addon.scene import crossings, flesh, head_space, records, shape_keys, units

from .samples import coordinates


@pytest.fixture(autouse=True)
def worker(fake_worker, monkeypatch, tmp_path, model_path):
    monkeypatch.setenv('FAKE_SEEN', str(tmp_path / 'seen'))
    settings = bpy.context.scene.facewright
    settings.model, settings.model_path = 'FILE', model_path
    return tmp_path / 'seen'


@pytest.fixture
def head():
    bpy.ops.facewright.add_head(naming='ARKIT')
    return bpy.context.object


def activate(head, name):
    head.active_shape_key_index = head.data.shape_keys.key_blocks.find(name)
    return head.data.shape_keys.key_blocks[name]


def test_checking_counts_marks_and_shows_the_worst(head, worker):
    bpy.ops.facewright.check_intersections()
    given = np.load(worker / 'rig.npz')
    assert (
        'mouthSmile_L' in given['names']
        and 'browInnerUp' in given['names']
        and 'current pose' not in given['names']
    )
    keys = head.data.shape_keys
    assert (
        crossings.count(keys, 'jawOpen') == [3, 1, 0, 0]
        and crossings.count(keys, 'Basis') == [0] * 4
        and crossings.count(keys, 'none') is None
    )
    assert bpy.context.scene.facewright.shapes.report == '5 crossings in 2 of the shapes.'
    assert head.active_shape_key.name == 'jawOpen' and head.show_only_shape_key
    group = head.vertex_groups['Crossings'].index
    assert (
        [v.index for v in head.data.vertices if group in [g.group for g in v.groups]]
        == [4, 5, 6, 7, 8]
        == [v.index for v in head.data.vertices if v.select]
    )
    assert head.data.color_attributes.active_color.name == 'Crossing Colours'
    bpy.ops.facewright.show_crossings(key='mouthSmileLeft')
    assert (
        not [v for v in head.data.vertices if v.select]
        and head.active_shape_key.name == 'mouthSmileLeft'
    )
    bpy.ops.facewright.hide_crossings()
    assert (
        head.data.color_attributes.active_color.name == 'Albedo'
        and 'Crossing Colours' not in head.data.color_attributes
        and not head.show_only_shape_key
    )


def test_counts_before_and_after_combinations_and_the_pose(head, worker, monkeypatch):
    bpy.ops.facewright.check_intersections(combinations=50, seed=3)
    assert json.loads((worker / 'arguments.json').read_text())['seed'] == 3
    assert (
        api.crossings_in_words(head.data.shape_keys)
        == '5 crossings in 2 of the shapes. 10 in 50 combinations, of which 48 are clean.'
    )
    monkeypatch.setenv('FAKE_CLEAN', '1')
    bpy.ops.facewright.check_intersections(combinations=50)
    assert (
        api.crossings_in_words(head.data.shape_keys)
        == 'No shape crosses itself, 5 before. 0 in 50 combinations, of which 50 are clean, 10 '
        'before.'
    )
    monkeypatch.delenv('FAKE_CLEAN')
    (
        head.data.shape_keys.key_blocks['jawOpen'].value,
        head.data.shape_keys.key_blocks['mouthFunnel'].value,
    ) = 0.5, 1
    bpy.ops.facewright.check_intersections()
    given = np.load(worker / 'rig.npz')
    rows = dict(zip(given['names'].tolist(), given['expressions']))
    assert np.allclose(rows['current pose'], 0.5 * rows['jawOpen'] + rows['mouthFunnel'], atol=1e-5)
    assert (
        api.crossings_in_words(head.data.shape_keys)
        == '4 crossings in 1 of the shapes, 0 before. 1 in the pose the sliders make.'
    )


def test_a_pinned_key_of_another_kind_needs_a_check_first(head):
    with pytest.raises(RuntimeError, match='has not been checked yet'):
        bpy.ops.facewright.show_crossings(key='jawOpen')


def test_an_edit_is_followed_and_the_skin_stays_to_the_bit(head, worker, model):
    key = activate(head, 'mouthSmileLeft')
    key.points[50].co.x += 0.004
    before = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    bpy.ops.facewright.fix_cavities()
    edits = np.load(worker / 'edits.npz')
    assert edits['names'].tolist() == ['mouthSmile_L']
    assert (
        np.allclose(edits['edited'][0, 50] - edits['before'][0, 50], [0.4, 0, 0], atol=1e-4)
        and not (edits['edited'] - edits['before'])[0, :50].any()
    )
    i = model.names.index('mouthSmile_L')
    assert np.allclose(edits['before'][0], model.neutral + model.expressions[i], atol=1e-4)
    after = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    assert all(np.array_equal(after[n], before[n]) for n in before if n != 'mouthSmileLeft')
    assert np.array_equal(after['mouthSmileLeft'][10:], before['mouthSmileLeft'][10:])
    assert np.allclose(
        after['mouthSmileLeft'][:10] - before['mouthSmileLeft'][:10], [0.004, 0, 0], atol=1e-6
    )
    assert '7 crossings before, 0 after' in bpy.context.scene.facewright.shapes.report
    with pytest.raises(RuntimeError, match='mouthSmileLeft has not been edited'):
        bpy.ops.facewright.fix_cavities()
    key.points[60].co.z += 0.003
    bpy.ops.facewright.fix_cavities(keys='EDITED')
    edits = np.load(worker / 'edits.npz')
    assert np.flatnonzero((edits['edited'] - edits['before'])[0].any(1)).tolist() == [60]


def edit_basis(head, vertex, by):
    """Move a vertex of the Basis as a person does, in edit mode: Blender moves it in all keys."""
    head.active_shape_key_index = 0
    bpy.ops.object.mode_set(mode='EDIT')
    edited = bmesh.from_edit_mesh(head.data)
    edited.verts.ensure_lookup_table()
    edited.verts[vertex].co += Vector(by)
    bmesh.update_edit_mesh(head.data)


@pytest.mark.parametrize('spread', [False, True])
def test_an_edited_basis_is_followed_in_every_key(head, worker, model, spread):
    keys = head.data.shape_keys.key_blocks
    head.shape_key_add(name='mine', from_mix=False)
    with pytest.raises(RuntimeError, match='Basis has not been edited'):
        activate(head, 'Basis')
        bpy.ops.facewright.fix_cavities()
    edit_basis(head, 50, (0, 0, 0.004))
    bpy.ops.ed.undo_push(message='an edit')
    bpy.ops.facewright.fix_cavities(keys='ACTIVE', spread=spread)
    assert head.mode == 'EDIT'
    bpy.ops.object.mode_set(mode='OBJECT')
    edits = np.load(worker / 'edits.npz')
    assert edits['names'].tolist() == ['neutral'] and np.allclose(
        edits['edited'][0] - edits['before'][0],
        np.where(np.arange(len(model.neutral)) == 50, 0.4, 0)[:, None] * [0, 1, 0],
        atol=1e-3,
    )
    for key in keys:
        i = (
            None
            if key.name in ('Basis', 'mine')
            else model.names.index(
                shape_keys.names.spelled(shape_keys.names.expression_of(key.name), 'ICT')
            )
            if key.name not in ('browInnerUp', 'cheekPuff')
            else -1
        )
        if i == -1:
            continue
        was = units.points_to_blender(model.neutral + (0 if i is None else model.expressions[i]))
        moved = coordinates(key.points) - was
        assert np.allclose(moved[:10], [0, 0, 0.004], atol=2e-5) and np.allclose(
            moved[50], [0, 0, 0.004], atol=2e-5
        ), key.name
        assert np.abs(np.delete(moved, [*range(10), 50], 0)).max() < 1e-6
    assert np.array_equal(coordinates(head.data.vertices), coordinates(keys['Basis'].points))
    assert (
        'The cavities of the Basis follow the skin, and every shape key with it.'
        in bpy.context.scene.facewright.shapes.report
    )
    assert 'Basis: 7 crossings before, 0 after' in bpy.context.scene.facewright.shapes.report
    for which in ('ACTIVE', 'EDITED'):
        with pytest.raises(RuntimeError, match='not been edited since'):
            bpy.ops.facewright.fix_cavities(keys=which)
    assert not any(
        records.edit(head.data.shape_keys, k.name, shape_keys.offsets_of(k)).any()
        for k in keys
        if k.name not in ('Basis', 'mine')
    )


def test_an_edited_basis_and_an_edited_key_together(head, worker):
    edit_basis(head, 50, (0, 0, 0.004))
    bpy.ops.object.mode_set(mode='OBJECT')
    key = activate(head, 'jawOpen')
    key.points[60].co.x += 0.003
    before = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    bpy.ops.facewright.fix_cavities(keys='EDITED')
    assert np.load(worker / 'edits.npz')['names'].tolist() == ['jawOpen', 'neutral']
    for k in head.data.shape_keys.key_blocks:
        moved = coordinates(k.points) - before[k.name]
        assert (
            np.allclose(moved[:10], [0.003 if k.name == 'jawOpen' else 0, 0, 0.004], atol=5e-6)
            and not moved[10:].any()
        ), k.name


def test_an_edited_basis_is_told_from_a_moved_origin_and_an_applied_scale(head):
    keys = head.data.shape_keys
    head.data.transform(
        Matrix.Translation((1, 2, 3)) @ Matrix.Scale(5, 4) @ Matrix.Rotation(0.7, 4, 'Z'),
        shape_keys=True,
    )
    assert not records.basis_edit(keys).any()
    keys.reference_key.points[51].co.x += 0.02
    assert np.flatnonzero(records.basis_edit(keys).any(1)).tolist() == [51]


def test_spreading_reaches_the_other_shapes_and_counts_as_fixed(head):
    key = activate(head, 'mouthSmileLeft')
    key.points[50].co.x += 0.004
    before = coordinates(head.data.shape_keys.key_blocks['jawOpen'].points)
    bpy.ops.facewright.fix_cavities(spread=True)
    jaw = head.data.shape_keys.key_blocks['jawOpen']
    assert np.allclose(
        coordinates(jaw.points)[:10] - before[:10], [0.004, 0, 0], atol=1e-6
    ) and np.array_equal(coordinates(jaw.points)[10:], before[10:])
    with pytest.raises(
        RuntimeError, match=r'have not been edited|has not been edited|not been edited'
    ):
        bpy.ops.facewright.fix_cavities(keys='EDITED')
    assert records.edit(
        head.data.shape_keys, 'jawOpen', shape_keys.offsets_of(jaw)
    ).any()  # a regeneration keeps it


def test_heads_in_other_units_and_axes_come_to_head_space(head, model, worker):
    head.data.transform(Matrix.Rotation(1.2, 4, 'X') @ Matrix.Scale(37, 4), shape_keys=True)
    del head['facewright_model']
    bpy.ops.facewright.check_intersections()
    given = np.load(worker / 'rig.npz')
    assert np.allclose(given['neutral'], model.neutral, atol=1e-3)
    i, j = given['names'].tolist().index('jawOpen'), model.names.index('jawOpen')
    assert np.allclose(given['expressions'][i], model.expressions[j], atol=1e-3)


def test_another_topology_is_a_sentence(head):
    bpy.ops.mesh.primitive_uv_sphere_add()
    other = bpy.context.object
    for operator in (
        bpy.ops.facewright.check_intersections,
        bpy.ops.facewright.settle_shape_keys,
        bpy.ops.facewright.fix_cavities,
        bpy.ops.facewright.build_tetrahedra,
    ):
        with pytest.raises(RuntimeError, match=r'has not the face model.s own topology'):
            operator()
    bpy.data.objects.remove(other)
    bpy.context.view_layer.objects.active = None
    for operator in (bpy.ops.facewright.check_intersections, bpy.ops.facewright.fix_cavities):
        with pytest.raises(RuntimeError, match='No mesh is selected'):
            operator()


def test_keys_nobody_knows_the_origin_of_cannot_be_fixed(head):
    key = activate(head, 'jawOpen')
    del head.data.shape_keys[records.PROPERTY]
    key.points[50].co.x += 0.01
    with pytest.raises(RuntimeError, match='Facewright did not make it'):
        bpy.ops.facewright.fix_cavities()
    head.active_shape_key_index = 0
    with pytest.raises(RuntimeError, match='How Basis was before your edit is not known'):
        bpy.ops.facewright.fix_cavities()
    head.shape_key_add(name='mine', from_mix=False)
    activate(head, 'mine')
    with pytest.raises(RuntimeError, match='mine is no expression'):
        bpy.ops.facewright.fix_cavities()


def test_tetrahedra_beside_the_head(head, worker, model):
    head.location, head.rotation_euler.z = (1, 2, 3), 0.5
    bpy.context.view_layer.update()
    bpy.ops.facewright.build_tetrahedra(show='SURFACE')
    made = bpy.context.object
    assert (
        made.parent == head
        and len(made.data.polygons) == 16
        and '4 tetrahedra' in bpy.context.scene.facewright.shapes.report
    )
    assert '0.25 % of them turn inside out in jawOpen' in bpy.context.scene.facewright.shapes.report
    bpy.context.view_layer.update()
    beside = head.matrix_world.inverted() @ made.matrix_world
    width = np.ptp(model.neutral[:, 0]) / 100
    assert np.allclose(beside.translation, [1.15 * width, 0, 0], atol=1e-5) and np.allclose(
        beside.to_3x3(), np.eye(3), atol=1e-6
    )
    group = head.vertex_groups.new(name='Here')
    group.add([3, 4], 1, 'REPLACE')
    bpy.context.view_layer.objects.active = head
    made.select_set(False)
    head.select_set(True)
    bpy.ops.facewright.build_tetrahedra(mask='Here')
    assert np.flatnonzero(np.load(worker / 'mask.npz')['mask']).tolist() == [3, 4]
    with pytest.raises(RuntimeError, match='no vertex group called'):
        bpy.context.view_layer.objects.active = head
        bpy.context.object.select_set(True)
        bpy.ops.facewright.build_tetrahedra(mask='Nowhere')


def test_tetrahedra_of_the_model_itself(worker):
    bpy.ops.facewright.build_tetrahedra(show='SHRUNK')
    assert (
        'head' not in json.loads((worker / 'arguments.json').read_text())
        and bpy.context.object.parent is None
    )


def test_the_outside_of_tetrahedra():
    points = np.array(
        [
            [-3, 0, 0],
            [-2, 0, 0],
            [-3, 1, 0],
            [-3, 0, 1],
            [-2, 1, 1],
            [4, 0, 0],
            [5, 0, 0],
            [4, 1, 0],
            [4, 0, 1],
        ],
        float,
    )
    tets = np.array([[0, 1, 2, 3], [4, 1, 2, 3], [5, 6, 7, 8]])
    vertices, triangles = flesh.faces_to_show(points, tets, 'SURFACE')
    assert len(triangles) == 10 and len(vertices) == 9
    for show, count in (('SURFACE', 10), ('CUT', 6), ('SHRUNK', 8)):
        v, t = flesh.faces_to_show(points, tets, show)
        assert len(t) == count
        volume = np.einsum('ij,ij->i', v[t[:, 0]], np.cross(v[t[:, 1]], v[t[:, 2]])).sum() / 6
        whole = {'SURFACE': 3, 'CUT': 2, 'SHRUNK': 2}[show]
        assert volume > 0 and v[t].mean(1)[:, 0].max() < (6 if show == 'SURFACE' else 0), whole


def test_head_space_of_our_own_heads_is_exact(head, model):
    assert head_space.local_to_head(head, model) is head_space.PLAIN and head_space.has_topology(
        head, model
    )
    rig, _, keys = head_space.rig_of(head, model)
    assert np.allclose(rig.neutral, model.neutral, atol=1e-5) and len(keys) == 51


def test_settling_moves_the_basis_every_key_on_it_and_the_shapes(head, worker, model):
    keys = head.data.shape_keys.key_blocks
    head.shape_key_add(name='mine', from_mix=False)
    before = {k.name: coordinates(k.points) for k in keys}
    bpy.ops.facewright.settle_shape_keys()
    arguments = json.loads((worker / 'arguments.json').read_text())
    assert (
        set(arguments) == {'rig', 'out', 'model'}
        and np.load(worker / 'rig.npz')['expressions'].shape[1:] == model.neutral.shape
    )
    for key in keys:
        moved = coordinates(key.points) - before[key.name]
        assert np.allclose(moved[:5], [0, 0, 0.001], atol=1e-6), key.name
        assert np.allclose(
            moved[5:10], [0, -0.002 if key.name == 'jawOpen' else 0, 0], atol=1e-6
        ), key.name
        assert not moved[10:].any()
    assert np.array_equal(coordinates(head.data.vertices), coordinates(keys['Basis'].points))
    report = bpy.context.scene.facewright.shapes.report
    assert report == (
        '7 crossings in 1 of the shapes before, none now. The skin one sees moved by 2.0 mm at '
        'most, in jawOpen; '
        'in half of the shapes by less than 1.0 mm.'
    )


def test_settling_knows_what_was_edited_by_hand_and_leaves_locked_keys(head, worker):
    keys = head.data.shape_keys
    keys.key_blocks['jawOpen'].points[50].co.x += 0.004
    keys.key_blocks['mouthFunnel'].lock_shape = True
    bpy.ops.facewright.settle_shape_keys()
    edit = records.edit(keys, 'jawOpen', shape_keys.offsets_of(keys.key_blocks['jawOpen']))
    assert np.flatnonzero(edit.any(1)).tolist() == [50] and np.isclose(
        edit[50, 0], 0.004, atol=1e-5
    )
    assert not records.basis_edit(keys).any()
    before = coordinates(keys.key_blocks['jawOpen'].points)
    keys.key_blocks['jawOpen'].lock_shape = True
    bpy.ops.facewright.settle_shape_keys()
    moved = coordinates(keys.key_blocks['jawOpen'].points) - before
    assert (
        np.allclose(moved[:5], [0, 0, 0.001], atol=1e-6) and not moved[5:].any()
    )  # with the Basis alone
    assert 'jawOpen: locked, so left as it is.' in bpy.context.scene.facewright.shapes.report


def test_settling_forgets_the_last_check_and_is_one_undo_step(head, worker):
    bpy.ops.facewright.check_intersections()
    assert head.show_only_shape_key and 'Crossings' in head.vertex_groups
    bpy.ops.ed.undo_push(message='checked')
    before = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    bpy.ops.facewright.settle_shape_keys()
    bpy.ops.ed.undo_push(message='settled')
    assert (
        not head.show_only_shape_key
        and 'Crossings' not in head.vertex_groups
        and api.crossings_in_words(head.data.shape_keys) == ''
    )
    bpy.ops.ed.undo()
    head = bpy.context.view_layer.objects.active
    assert all(
        np.array_equal(coordinates(k.points), before[k.name])
        for k in head.data.shape_keys.key_blocks
    )
    assert crossings.count(head.data.shape_keys, 'jawOpen') == [3, 1, 0, 0]


def test_a_settling_that_fails_changes_nothing(head, worker, monkeypatch):
    monkeypatch.setenv('FAKE_FAIL', '1')
    before = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    with pytest.raises(RuntimeError, match='No face was found'):
        bpy.ops.facewright.settle_shape_keys()
    assert all(
        np.array_equal(coordinates(k.points), before[k.name])
        for k in head.data.shape_keys.key_blocks
    )
