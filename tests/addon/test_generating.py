"""Generate Shape Keys and Wrap on every kind of mesh: what arrives on it, what is kept, what is
refused in one sentence.
"""

import json

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facewright.addon import api, jobs
from facewright.addon.scene import distance_colours, markers, records, shape_keys

from . import fake_shapes
from .samples import add_mesh, coordinates, select

pytestmark = pytest.mark.usefixtures('worker')


def world(thing, points) -> np.ndarray:
    bpy.context.view_layer.update()
    matrix = np.array(thing.matrix_world)
    return np.asarray(points, float) @ matrix[:3, :3].T + matrix[:3, 3]


def expected(thing, basis) -> dict:
    """{name: N×3 offsets in the world} that the fake engine gives a mesh."""
    matrix = fake_shapes.to_head()
    shapes = fake_shapes.expressions(fake_shapes.in_head_space(world(thing, basis)))
    return dict(zip(fake_shapes.NAMES, shapes @ np.linalg.inv(matrix[:3, :3]).T))


def moved(thing, key) -> np.ndarray:
    """N×3: how far a key moves each vertex in the world."""
    key = thing.data.shape_keys.key_blocks[key]
    return world(thing, coordinates(key.points)) - world(
        thing, coordinates(key.relative_key.points)
    )


def keys(thing) -> list[str]:
    return [k.name for k in thing.data.shape_keys.key_blocks]


def test_a_set_of_objects_with_transforms_of_every_kind(worker):
    parent = bpy.data.objects.new('Parent', None)
    bpy.context.collection.objects.link(parent)
    parent.rotation_euler, parent.scale = (0.4, 0.2, 1.0), (1.5, 0.7, 1)
    head, eye = (
        add_mesh(rotation=(0.1, 0.5, 0.3)),
        add_mesh('Eye', rings=6, radius=0.02, location=(0.03, -0.08, 0.02)),
    )
    head.scale, eye.scale = (1, 2, 0.5), (-1, 1, 1.3)
    head.parent = parent
    bpy.context.view_layer.update()
    head.modifiers.new('Subdivision', 'SUBSURF')
    bases = [coordinates(o.data.vertices) for o in (head, eye)]
    select(head, eye)
    assert bpy.ops.facewright.generate_shape_keys() == {'FINISHED'}
    seen = np.load(worker / 'mesh.npz')
    assert seen['part_names'].tolist() == ['Head', 'Eye'] and np.bincount(
        seen['part']
    ).tolist() == [len(b) for b in bases]
    assert np.allclose(
        seen['vertices'],
        np.concatenate([world(o, b) for o, b in zip((head, eye), bases)]),
        atol=1e-7,
    )
    for thing, basis in zip((head, eye), bases):
        want = expected(thing, basis)
        assert keys(thing)[0] == 'Basis' and set(keys(thing)) - {'Basis'} <= set(want)
        for name in keys(thing)[1:]:
            assert np.allclose(moved(thing, name), want[name], atol=1e-6), name
        assert np.array_equal(coordinates(thing.data.vertices), basis)
    assert (
        len(keys(head)) == 1 + len(fake_shapes.NAMES)
        and len(keys(eye)) > 1
        and len(head.modifiers) == 1
    )
    assert json.loads((worker / 'arguments.json').read_text())['onto'] == 'mesh'
    assert 'Eye' in bpy.context.scene.facewright.shapes.report


def test_a_mirrored_object_s_faces_are_turned_outwards(worker):
    head = add_mesh()
    head.scale = (-1, 1, 1)
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    seen = np.load(worker / 'mesh.npz')
    v, f = seen['vertices'], seen['faces']
    assert (
        np.einsum(
            'ij,ij->i', np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 1]]), v[f[:, 0]]
        )
        > 0
    ).all()


def test_one_slider_moves_all_objects():
    head, eye = add_mesh(), add_mesh('Eye', rings=6, radius=0.02, location=(0.03, 0, -0.02))
    select(head, eye)
    bpy.ops.facewright.generate_shape_keys()
    shared = next(k for k in keys(eye) if k != 'Basis')
    head.data.shape_keys.key_blocks[shared].value = 0.7
    seen = eye.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks[
        shared
    ]
    bpy.context.view_layer.update()
    assert eye.data.shape_keys.key_blocks[shared].value == pytest.approx(
        0.7
    ) or seen.value == pytest.approx(0.7)
    other = add_mesh('Other', rings=6, radius=0.02, location=(0.03, 0, -0.02))
    select(head, other)
    bpy.ops.facewright.generate_shape_keys(follow=False)
    assert not other.data.shape_keys.animation_data


@pytest.mark.parametrize('first', ['ICT', 'ARKIT'])
def test_other_names_after_generating_lose_neither_sides_nor_companions(first):
    head, eye = add_mesh(), add_mesh('Eye', rings=6, radius=0.02, location=(0.03, 0, -0.02))
    select(head, eye)
    bpy.ops.facewright.generate_shape_keys(naming=first)
    for naming in ('ARKIT', 'ICT'):
        bpy.ops.facewright.rename_shape_keys(naming=naming)
        shared = next(k for k in keys(eye) if k != 'Basis')
        head.data.shape_keys.key_blocks[shared].value = 0.7
        bpy.context.view_layer.update()
        seen = eye.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks[
            shared
        ]
        assert seen.value == pytest.approx(0.7)
    for thing in (head, eye):
        want = expected(thing, coordinates(thing.data.vertices))
        for name in keys(thing)[1:]:
            assert np.allclose(moved(thing, name), want[name], atol=1e-6), name


def test_a_part_that_does_not_move_gets_no_keys(tmp_path):
    head, hair = add_mesh(), add_mesh('Hair', rings=6, radius=0.02)
    select(head, hair)
    job = api.head_job(bpy.context)
    folder = tmp_path / 'out'
    folder.mkdir()
    points = fake_shapes.in_head_space(job.meshes.mesh.vertices)
    shapes = fake_shapes.expressions(points)
    shapes[:, len(head.data.vertices) :] = 0
    fake_shapes.write_rig(
        folder / 'rig.npz', points, shapes, fake_shapes.NAMES, job.meshes.mesh.faces
    )
    (folder / 'report.json').write_text(json.dumps({'to_head': fake_shapes.to_head().tolist()}))
    written, _ = api.apply_shape_keys(bpy.context, job, folder)
    assert list(written) == ['Head'] and hair.data.shape_keys is None


def test_keys_that_are_there_are_kept():
    head = add_mesh()
    head.shape_key_add(name='Basis')
    own = head.shape_key_add(name='Dent')
    own.points[3].co.x += 0.01
    own.value = 0.5
    theirs = head.shape_key_add(name='jawOpen')
    theirs.points[5].co.z -= 0.02
    shape = {k.name: coordinates(k.points) for k in (own, theirs)}
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    blocks = head.data.shape_keys.key_blocks
    assert (
        all(np.array_equal(coordinates(blocks[n].points), shape[n]) for n in shape)
        and blocks['Dent'].value == 0.5
    )
    assert 'jawOpen already' in bpy.context.scene.facewright.shapes.report
    bpy.ops.facewright.generate_shape_keys(replace=True)
    assert np.allclose(
        moved(head, 'jawOpen'),
        expected(head, coordinates(head.data.vertices))['jawOpen'],
        atol=1e-6,
    )
    assert np.array_equal(coordinates(blocks['Dent'].points), shape['Dent'])


def test_the_basis_is_taken_not_the_pose():
    head = add_mesh()
    base = coordinates(head.data.vertices)
    head.shape_key_add(name='Basis')
    dent = head.shape_key_add(name='Dent')
    dent.points[3].co.x += 0.05
    dent.value, head.active_shape_key_index = 1, 1
    job = api.head_job(bpy.context)
    assert np.allclose(job.meshes.mesh.vertices, world(head, base), atol=1e-7)


def test_hand_edits_survive_a_regeneration(monkeypatch):
    head = add_mesh()
    base = coordinates(head.data.vertices)
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    smile = head.data.shape_keys.key_blocks['mouthSmile_L']
    smile.points[7].co += smile.points[7].co.normalized() * 0.03
    smile.value, smile.slider_max = 0.4, 2
    smile.keyframe_insert('value', frame=1)
    by_hand = moved(head, 'mouthSmile_L') - expected(head, base)['mouthSmile_L']
    monkeypatch.setenv('FAKE_STRENGTH', '2')
    bpy.ops.facewright.generate_shape_keys()
    want = 2 * expected(head, base)['mouthSmile_L']
    assert (
        np.allclose(moved(head, 'mouthSmile_L'), want + by_hand, atol=1e-6)
        and np.linalg.norm(by_hand[7]) > 0.02
    )
    assert np.allclose(moved(head, 'jawOpen'), 2 * expected(head, base)['jawOpen'], atol=1e-6)
    smile = head.data.shape_keys.key_blocks['mouthSmile_L']
    assert (smile.value, smile.slider_max) == (
        pytest.approx(0.4),
        2,
    ) and head.data.shape_keys.animation_data.action
    assert (
        'Your changes to mouthSmile_L' in bpy.context.scene.facewright.shapes.report
        and len(keys(head)) == 8
    )
    bpy.ops.facewright.generate_shape_keys(keep_edits=False)
    assert np.allclose(moved(head, 'mouthSmile_L'), want, atol=1e-6)


def test_hand_edits_survive_renaming_and_applied_transforms():
    head = add_mesh()
    base = coordinates(head.data.vertices)
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    point = head.data.shape_keys.key_blocks['browInnerUp_L'].points[7]
    point.co.z += 0.03
    bpy.ops.facewright.generate_shape_keys(naming='ARKIT')
    assert set(keys(head)) == {
        'Basis',
        'browInnerUp',
        'eyeBlinkLeft',
        'eyeBlinkRight',
        'jawOpen',
        'mouthSmileLeft',
        'mouthSmileRight',
    }
    want = expected(head, base)
    both = want['browInnerUp_L'] + want['browInnerUp_R']
    assert np.abs(moved(head, 'browInnerUp') - both).max() == pytest.approx(0.03, abs=1e-4)
    assert np.allclose(np.delete(moved(head, 'browInnerUp') - both, 7, 0), 0, atol=1e-5)
    head.data.transform(Matrix.Rotation(0.5, 4, 'Z') @ Matrix.Scale(2, 4), shape_keys=True)
    head.matrix_world = (
        head.matrix_world @ (Matrix.Rotation(0.5, 4, 'Z') @ Matrix.Scale(2, 4)).inverted()
    )
    bpy.ops.facewright.generate_shape_keys(naming='ARKIT')
    assert np.allclose(np.delete(moved(head, 'browInnerUp') - both, 7, 0), 0, atol=1e-5)
    assert np.linalg.norm((moved(head, 'browInnerUp') - both)[7]) == pytest.approx(0.03, abs=1e-4)


def test_locked_keys_stay():
    head = add_mesh()
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    jaw = head.data.shape_keys.key_blocks['jawOpen']
    jaw.points[2].co.x += 0.01
    jaw.lock_shape, shape = True, coordinates(jaw.points)
    bpy.ops.facewright.generate_shape_keys(keep_edits=False)
    assert np.array_equal(coordinates(jaw.points), shape)


def test_a_mesh_with_an_expression_gets_a_key_that_takes_it_off(monkeypatch):
    monkeypatch.setenv('FAKE_REST', '1')
    head = add_mesh()
    base = coordinates(head.data.vertices)
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    rest = head.data.shape_keys.key_blocks[shape_keys.AT_REST]
    matrix = np.linalg.inv(fake_shapes.to_head()[:3, :3])
    assert rest.value == 1 and np.allclose(moved(head, rest.name), matrix @ [0, 0.2, 0], atol=1e-6)
    assert np.array_equal(coordinates(head.data.shape_keys.reference_key.points), base)
    assert 'mouthSmile_L 0.6' in bpy.context.scene.facewright.shapes.report


def test_onto_the_face_model_stands_in_the_mesh_s_place(model, worker):
    head = add_mesh(location=(1, 2, 3))
    select(head)
    bpy.ops.facewright.generate_shape_keys(onto='MODEL', naming='ARKIT')
    made = bpy.context.object
    assert (
        made != head
        and made.select_get()
        and head.hide_get()
        and not head.data.shape_keys
        and 'Head is hidden' in bpy.context.scene.facewright.shapes.report
    )
    inverse = np.linalg.inv(fake_shapes.to_head())
    want = model.neutral @ inverse[:3, :3].T + inverse[:3, 3]
    assert np.allclose(world(made, coordinates(made.data.vertices)), want, atol=1e-6)
    assert 'mouthSmileLeft' in keys(made) and np.allclose(np.abs(made.scale), 1, atol=1e-6)
    assert json.loads((worker / 'arguments.json').read_text())['onto'] == 'model'
    select(made)
    made_count = len(bpy.data.objects)
    bpy.ops.facewright.generate_shape_keys(onto='MODEL', hide=False)
    assert not made.hide_get() and len(bpy.data.objects) == made_count + 1


def test_wrapping_shows_the_fit(model):
    scan = add_mesh('Scan')
    select(scan)
    bpy.ops.facewright.wrap_model()
    made = bpy.context.object
    assert (
        made.data.shape_keys is None
        and made.data.color_attributes.active_color.name == 'Fit'
        and scan.hide_get()
    )
    assert set(made.vertex_groups.keys()) == set(model.regions)
    numbers = np.empty(len(made.data.vertices), np.float32)
    made.data.attributes[distance_colours.FIT.numbers].data.foreach_get('value', numbers)
    assert numbers[0] == 0 and (numbers[-5:] == -1).all()
    colour = np.empty(4 * len(numbers), np.float32)
    made.data.color_attributes['Fit'].data.foreach_get('color_srgb', colour)
    colour = colour.reshape(-1, 4)[:, :3]
    assert np.allclose(colour[0], distance_colours.STOPS[0][1], atol=0.01) and np.allclose(
        colour[-1], distance_colours.UNKNOWN, atol=0.01
    )
    assert np.allclose(colour[-6], distance_colours.STOPS[-1][1], atol=0.01)
    said = bpy.context.scene.facewright.shapes.report
    assert '0.21 mm, 95 % within 0.93 mm' in said and 'blue 0 mm' in said and 'no unit' in said


@pytest.mark.parametrize('unit', ['1', '.001', '.0254', '12.5'])
def test_a_wrapped_head_has_scale_one_and_lies_on_the_scan_in_any_unit(model, monkeypatch, unit):
    monkeypatch.setenv('FAKE_UNIT', unit)
    for operator in (
        bpy.ops.facewright.wrap_model,
        lambda: bpy.ops.facewright.generate_shape_keys(onto='MODEL'),
    ):
        scan = add_mesh('Scan', location=(1, 2, 3))
        scan.scale = 0.5, 0.5, 0.5
        select(scan)
        operator()
        made, inverse = bpy.context.object, np.linalg.inv(fake_shapes.to_head())
        assert made != scan and np.allclose(made.scale, 1, atol=1e-6)
        want = model.neutral @ inverse[:3, :3].T + inverse[:3, 3]
        at = world(made, coordinates(made.data.vertices))
        assert np.allclose(at, want, atol=1e-5 * np.ptp(want))
    shapes = (
        fake_shapes.expressions(model.neutral.astype(float)) @ inverse[:3, :3].T
    )  # those of the second
    assert np.allclose(
        moved(made, 'jawOpen'), shapes[fake_shapes.NAMES.index('jawOpen')], atol=1e-5 * np.ptp(want)
    )


def spoil_nan(head):
    head.data.vertices[3].co.x = float('nan')


def spoil_flat(head):
    head.scale.z = 0


def spoil_absolute(head):
    head.shape_key_add(name='Basis')
    head.data.shape_keys.use_relative = False


def spoil_mirror(head):
    head.modifiers.new('Mirror', 'MIRROR')


def spoil_faces(head):
    head.data.clear_geometry()
    head.data.vertices.add(3)


def spoil_empty(head):
    head.data.clear_geometry()


def spoil_selection(head):
    head.select_set(False)
    bpy.context.view_layer.objects.active = None


def spoil_kind(head):
    bpy.ops.curve.primitive_bezier_circle_add()


@pytest.mark.parametrize(
    'spoil, sentence',
    [
        (spoil_nan, 'Head has 1 vertices whose coordinates are not numbers'),
        (spoil_flat, 'Head is flat'),
        (spoil_absolute, 'absolute shape keys'),
        (spoil_mirror, 'Mirror modifier'),
        (spoil_faces, 'no faces'),
        (spoil_empty, 'no vertices'),
        (spoil_selection, 'Nothing is selected'),
        (spoil_kind, 'is a curve, no mesh: convert it'),
    ],
)
def test_what_cannot_be_used_is_a_sentence(spoil, sentence):
    head = add_mesh()
    select(head)
    spoil(head)
    before = len(bpy.data.objects), bool(head.data.shape_keys)
    for operator in (
        bpy.ops.facewright.generate_shape_keys,
        bpy.ops.facewright.wrap_model,
        bpy.ops.facewright.add_markers,
    ):
        with pytest.raises(RuntimeError, match=sentence):
            operator()
    assert (len(bpy.data.objects), bool(head.data.shape_keys)) == before and jobs.current is None


def test_linked_meshes_are_told_how_to_be_made_local(tmp_path):
    select(add_mesh())
    path = str(tmp_path / 'library.blend')
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = ['Head']
    bpy.context.collection.objects.link(target.objects[0])
    select(target.objects[0])
    with pytest.raises(RuntimeError, match='Head is linked from another file'):
        bpy.ops.facewright.generate_shape_keys()


def test_a_shared_mesh_becomes_the_object_s_own():
    left = add_mesh('Eye.L', radius=0.02)
    right = left.copy()
    bpy.context.collection.objects.link(right)
    right.location.x = 0.05
    select(right)
    bpy.ops.facewright.generate_shape_keys()
    assert right.data != left.data and left.data.shape_keys is None and right.data.shape_keys
    assert 'mesh of its own' in bpy.context.scene.facewright.shapes.report


def test_edit_mode_is_left_and_entered_again(worker):
    head = add_mesh()
    select(head)
    bpy.ops.object.mode_set(mode='EDIT')
    import bmesh

    edit = bmesh.from_edit_mesh(head.data)
    edit.verts.ensure_lookup_table()
    edit.verts[0].co.z += 0.05
    bmesh.update_edit_mesh(head.data)
    bpy.ops.facewright.generate_shape_keys()
    assert bpy.context.mode == 'EDIT_MESH'
    bpy.ops.object.mode_set(mode='OBJECT')
    assert len(keys(head)) == 8 and np.allclose(
        np.load(worker / 'mesh.npz')['vertices'],
        world(head, coordinates(head.data.vertices)),
        atol=1e-7,
    )


def test_a_hidden_active_mesh_is_used():
    head = add_mesh()
    select(head)
    head.hide_set(True)
    bpy.ops.facewright.generate_shape_keys()
    assert len(keys(head)) == 8 and head.hide_get()


def test_one_undo_takes_it_back():
    head = add_mesh()
    select(head)
    bpy.ops.ed.undo_push(message='Start')
    bpy.ops.facewright.generate_shape_keys('EXEC_DEFAULT', True)
    assert len(keys(bpy.data.objects['Head'])) == 8
    bpy.ops.ed.undo()
    assert (
        bpy.data.objects['Head'].data.shape_keys is None
        and not bpy.context.scene.facewright.shapes.report
    )
    bpy.ops.ed.redo()
    assert len(keys(bpy.data.objects['Head'])) == 8


def test_a_failure_in_the_engine_changes_nothing(monkeypatch):
    monkeypatch.setenv('FAKE_FAIL', '1')
    head = add_mesh()
    select(head)
    for operator in (
        bpy.ops.facewright.generate_shape_keys,
        bpy.ops.facewright.wrap_model,
        bpy.ops.facewright.add_markers,
    ):
        with pytest.raises(RuntimeError, match=r'No face was found on Head.*Log'):
            operator()
    assert head.data.shape_keys is None and len(bpy.data.objects) == 1


def test_a_mesh_changed_meanwhile_is_a_sentence(tmp_path):
    head = add_mesh()
    select(head)
    job = api.head_job(bpy.context)
    folder = tmp_path / 'out'
    folder.mkdir()
    (folder / 'report.json').write_text(json.dumps({'to_head': np.eye(4).tolist()}))
    points = job.meshes.mesh.vertices
    fake_shapes.write_rig(
        folder / 'rig.npz',
        points,
        fake_shapes.expressions(points),
        fake_shapes.NAMES,
        job.meshes.mesh.faces,
    )
    head.data.vertices.add(1)
    with pytest.raises(Exception, match='no longer the mesh it was'):
        api.apply_shape_keys(bpy.context, job, folder)
    bpy.data.objects.remove(head)
    with pytest.raises(Exception, match='no longer the mesh it was'):
        api.apply_shape_keys(bpy.context, job, folder)


def test_companions_are_found_by_their_family():
    head, eye, far = (
        add_mesh(),
        add_mesh('Eye', radius=0.02),
        add_mesh('Far', radius=0.02, location=(2, 0, 0)),
    )
    inner = add_mesh('Teeth', radius=0.03)
    rig = bpy.data.objects.new('Rig', None)
    bpy.context.collection.objects.link(rig)
    for thing in (head, far, inner):
        thing.parent = rig
    eye.parent = head
    select(head)
    bpy.context.view_layer.update()
    assert {o.name for o in api.companions(bpy.context)} == {'Eye', 'Teeth'}
    bpy.ops.facewright.select_companions()
    assert {o.name for o in api.chosen_meshes(bpy.context)} == {
        'Head',
        'Eye',
        'Teeth',
    } and api.chosen_meshes(bpy.context)[0] == head


def test_markers_are_found_dragged_added_and_used(worker):
    head = add_mesh(location=(0, 0, 0.5))
    head.scale = (2, 1, 1)
    select(head)
    bpy.ops.facewright.add_markers()
    made = bpy.data.collections[markers.COLLECTION].objects
    points = world(head, coordinates(head.data.vertices))
    bpy.context.view_layer.update()
    assert {o.name for o in made} == {'nose_tip', 'chin'} and all(o.parent == head for o in made)
    assert np.allclose(made['nose_tip'].matrix_world.translation, points[0], atol=1e-6)
    made['chin'].location.z += 0.1
    bpy.context.scene.cursor.location = (0.1, 0.2, 0.3)
    bpy.ops.facewright.add_marker(name='eye_outer_L')
    bpy.ops.facewright.add_marker(name='nose_tip')
    loose = bpy.data.objects.new('mouth_corner_R.001', None)
    made.link(loose)
    loose.location = (1, 1, 1)
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    given = json.loads((worker / 'markers.json').read_text())
    assert set(given) == {'nose_tip', 'chin', 'eye_outer_L', 'mouth_corner_R'}
    assert (
        np.allclose(given['nose_tip'], (0.1, 0.2, 0.3), atol=1e-6)
        and np.allclose(given['chin'], points[1] + [0, 0, 0.1], atol=1e-6)
        and given['mouth_corner_R'] == [1, 1, 1]
    )
    other = add_mesh('Other')
    select(other)
    assert set(api.head_job(bpy.context).markers) == {'mouth_corner_R'}
    select(head)
    bpy.ops.facewright.remove_markers()
    assert markers.COLLECTION not in bpy.data.collections and len(bpy.data.objects) == 2


@pytest.mark.parametrize('mode', ['EDIT', 'SCULPT'])
def test_a_marker_added_in_another_mode_is_ready_to_be_dragged(worker, mode):
    head = add_mesh()
    select(head)
    bpy.ops.object.mode_set(mode=mode)
    bpy.ops.facewright.add_marker(name='chin')
    assert (
        bpy.context.object.name == 'chin' and bpy.context.mode == 'OBJECT' and head.mode == 'OBJECT'
    )


def test_the_markers_are_the_engine_s():
    from facewright.engine.wrap.scan_landmarks import MARKERS

    assert {name for name, _ in markers.PLACES} <= set(MARKERS)


def test_records_are_small_and_exact():
    head = add_mesh()
    head.shape_key_add(name='Basis')
    key = head.shape_key_add(name='a')
    offsets = np.random.default_rng(0).normal(size=(len(key.points), 3)) * 0.01
    shape_keys.set_offsets(key, offsets)
    block = head.data.shape_keys
    assert records.read(block, 'a') is None and records.edit(block, 'a', offsets) is None
    records.write(block, 'a', offsets)
    assert np.abs(records.read(block, 'a') - offsets).max() < np.abs(offsets).max() / 32767
    assert not records.edit(block, 'a', shape_keys.offsets_of(key)).any()
    changed = offsets.copy()
    changed[3, 1] += 0.001
    assert np.flatnonzero(records.edit(block, 'a', changed).any(1)).tolist() == [3]
    records.write(block, 'a', np.zeros_like(offsets))
    assert not records.read(block, 'a').any()
    for v in head.data.vertices:
        v.select = v.index == 0
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.delete(type='VERT')
    bpy.ops.object.mode_set(mode='OBJECT')
    assert records.read(block, 'a') is None


def test_a_saved_file_still_knows(tmp_path, monkeypatch):
    head = add_mesh()
    select(head)
    bpy.ops.facewright.generate_shape_keys()
    head.data.shape_keys.key_blocks['jawOpen'].points[4].co.x += 0.05
    path = str(tmp_path / 'kopf.blend')
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects['Head']
    block = head.data.shape_keys
    assert np.flatnonzero(
        records.edit(block, 'jawOpen', shape_keys.offsets_of(block.key_blocks['jawOpen'])).any(1)
    ).tolist() == [4]
