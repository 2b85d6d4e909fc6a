"""Importing a performance: motion on top of rest, takes beside takes, driven keys, the scene's own
rate."""

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facewright.addon import api
from facewright.addon.scene import actions, motion, settings, shape_keys, units
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES
from facewright.engine.formats.live_link import Timecode, write_live_link
from facewright.engine.formats.performance import read_performance

from .samples import character, coordinates, performance, turn


def rotations(head, frames) -> np.ndarray:
    """T×3×3 rotations of an object in the world."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        found.append(np.array(head.matrix_world.to_quaternion().to_matrix()))
    return np.array(found)


def axis(degrees, about) -> np.ndarray:
    return np.array(Matrix.Rotation(np.radians(degrees), 3, about))


@pytest.mark.parametrize(
    'rest, axes',
    [
        (np.eye(3), units.AXES.T),  # made in Blender, looks along −y
        (axis(90, 'X'), np.eye(3)),  # File › Import of a file with y up
        (axis(180, 'Z'), units.AXES.T),  # turned round
        (axis(180, 'Z') @ axis(90, 'X'), np.eye(3)),
        (axis(40, 'Z') @ axis(10, 'X'), units.AXES.T),
    ],
)  # leaning
@pytest.mark.parametrize('mode', ['XYZ', 'QUATERNION'])
def test_motion_is_on_top_of_how_the_head_stands(saved, tmp_path, rest, axes, mode):
    head = character(ARKIT_NAMES)
    head.rotation_mode = mode
    head.matrix_world = Matrix(rest).to_4x4()
    p = performance(ARKIT_NAMES)
    bpy.ops.facewright.import_performance(filepath=saved(p))
    assert np.allclose(rotations(head, range(1, 21)), rest @ axes.T @ p.rotation @ axes, atol=1e-5)
    bpy.context.scene.frame_set(13)
    bpy.ops.facewright.import_performance(
        filepath=saved(p), start=101
    )  # again, from a head in the middle of a turn
    assert np.allclose(
        rotations(head, range(101, 121)), rest @ axes.T @ p.rotation @ axes, atol=1e-5
    )
    api.export_performance(bpy.context, str(tmp_path / 'a.npz'), 101, 120)
    assert np.allclose(read_performance(tmp_path / 'a.npz').rotation, p.rotation, atol=1e-5)


@pytest.mark.parametrize('empty', [ARKIT_NAMES, ('eyeBlinkLeft', 'mouthSmileRight', 'jawOpen')])
def test_keys_that_move_nothing_tell_nothing(saved, empty):
    head = character(ARKIT_NAMES)
    head.rotation_euler.x = np.pi / 2
    points = coordinates(head.data.vertices)
    for name in empty:
        head.data.shape_keys.key_blocks[name].points.foreach_set('co', points.ravel())
    p = performance(ARKIT_NAMES)
    bpy.ops.facewright.import_performance(filepath=saved(p))
    rest = axis(90, 'X')
    assert np.allclose(rotations(head, range(1, 21)), rest @ p.rotation, atol=1e-5)


@pytest.mark.parametrize('turned', [np.eye(3), axis(90, 'Z'), axis(35, 'Z') @ axis(-80, 'X')])
def test_a_mesh_that_looks_elsewhere_in_its_own_axes_turns_about_its_own(saved, turned):
    """Where left and up are follows from what the keys move."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=16, radius=0.1)
    head = bpy.context.object
    points = coordinates(head.data.vertices).astype(float)
    places = {
        'mouth': (0.03, -0.08, -0.05),
        'jaw': (0.01, -0.07, -0.07),
        'brow': (0.03, -0.08, 0.06),
        'eye': (0.04, -0.08, 0.03),
    }
    head.shape_key_add(name='Basis')
    for name in ARKIT_NAMES:
        at = np.array(next((v for k, v in places.items() if name.startswith(k)), (0.05, -0.05, 0)))
        at[0] *= 1 if name.endswith('Left') else -1 if name.endswith('Right') else 0
        bump = np.exp(-((points - at) ** 2).sum(1, keepdims=True) / 0.0005) * [0, -0.01, 0]
        head.shape_key_add(name=name).points.foreach_set(
            'co', ((points + bump) @ turned.T).astype(np.float32).ravel()
        )
    for where in (head.data.vertices, head.data.shape_keys.reference_key.points):
        where.foreach_set('co', (points @ turned.T).astype(np.float32).ravel())
    p = performance(ARKIT_NAMES)
    bpy.ops.facewright.import_performance(filepath=saved(p))
    own = turned @ units.AXES
    got = rotations(head, range(1, 21))
    angle = np.degrees(
        np.arccos(np.clip((np.einsum('tij,tij->t', got, own @ p.rotation @ own.T) - 1) / 2, -1, 1))
    )
    assert angle.max() < (0.05 if np.isclose(np.abs(turned), 1).any(1).all() else 4)


def rig(*bones):
    """An armature of upright bones [(name, parent)], turned about z, in the scene."""
    armature = bpy.data.objects.new('rig', bpy.data.armatures.new('rig'))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode='EDIT')
    for i, (name, parent) in enumerate(bones):
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = (0, 0, 0.1 * i), (0, 0.02 * i, 0.1 + 0.1 * i), 0.3
        bone.parent = armature.data.edit_bones.get(parent)
    bpy.ops.object.mode_set(mode='OBJECT')
    armature.rotation_euler.z = 0.4
    return armature


@pytest.mark.parametrize(
    'bones, head_bone, how',
    [
        ((('spine', ''), ('Head', 'spine')), 'Head', 'parent'),
        (
            (('spine', ''), ('mixamorig:Head', 'spine'), ('HeadTop_End', 'mixamorig:Head')),
            'mixamorig:Head',
            'modifier',
        ),
        (
            (('spine', ''), ('DEF-head', 'spine'), ('head', 'spine'), ('forehead', 'head')),
            'head',
            'parent',
        ),
        ((('spine', ''), ('skull', 'spine')), 'skull', 'bone'),
        ((('spine', ''), ('b2', 'spine')), 'b2', 'weights'),
    ],
)
def test_under_an_armature_the_head_s_bone_turns_never_the_skin(
    saved, tmp_path, bones, head_bone, how
):
    armature, head = rig(*bones), character(ARKIT_NAMES)
    head.matrix_world = armature.matrix_world
    if how != 'modifier':
        head.parent, head.parent_type = armature, 'BONE' if how == 'bone' else 'OBJECT'
        head.parent_bone = head_bone if how == 'bone' else ''
        bpy.context.view_layer.update()
        head.matrix_world = armature.matrix_world
    else:
        head.modifiers.new('Armature', 'ARMATURE').object = armature
    if how == 'weights':
        for name, weight in (('spine', 0.2), ('b2', 0.8)):
            head.vertex_groups.new(name=name).add(range(8), weight, 'REPLACE')
    bpy.context.view_layer.update()
    bpy.ops.object.select_all(action='DESELECT')
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    still = [c.copy() for c in (head.matrix_basis,)]
    before = np.array(
        (armature.matrix_world @ armature.pose.bones[head_bone].matrix).to_quaternion().to_matrix()
    )
    p = performance(ARKIT_NAMES)
    mode = armature.pose.bones[head_bone].rotation_mode
    notes = api.import_performance(bpy.context, saved(p))[1]
    assert f'on the bone {head_bone} of rig' in ' '.join(notes)
    assert (
        head.matrix_basis == still[0]
        and actions.curves(head) is None
        and armature.pose.bones[head_bone].rotation_mode == mode
    )
    for frame in (1, 8, 20):
        bpy.context.scene.frame_set(frame)
        now = np.array(
            (armature.matrix_world @ armature.pose.bones[head_bone].matrix)
            .to_quaternion()
            .to_matrix()
        )
        world = axis(np.degrees(0.4), 'Z') @ units.AXES  # the head's axes in the world
        assert np.allclose(now @ before.T, world @ p.rotation[frame - 1] @ world.T, atol=1e-5)
    api.export_performance(bpy.context, str(tmp_path / 'a.npz'), 1, 20)
    assert np.allclose(read_performance(tmp_path / 'a.npz').rotation, p.rotation, atol=1e-5)
    api.smooth_performance(bpy.context)
    assert actions.curves(head) is None


def test_an_armature_without_a_head_s_bone_is_left_alone_and_that_is_said(saved):
    armature, head = rig(('arm', ''), ('hand', 'arm')), character(ARKIT_NAMES)
    head.parent = armature
    notes = api.import_performance(bpy.context, saved(performance(ARKIT_NAMES)))[1]
    assert 'no bone for the head was found' in ' '.join(notes)
    assert (
        actions.curves(head) is None
        and actions.curves(armature) is None
        and actions.curves(head.data.shape_keys)
    )


def test_under_another_parent_the_head_moves_in_the_world_as_before(saved):
    parent = bpy.data.objects.new('parent', None)
    bpy.context.scene.collection.objects.link(parent)
    parent.matrix_world = Matrix.Translation((1, 2, 3)) @ Matrix.Rotation(0.7, 4, 'Z')
    bpy.context.view_layer.update()
    alone, child = character(ICT_NAMES), character(ICT_NAMES)
    child.parent, child.matrix_parent_inverse = parent, parent.matrix_world.inverted()
    parent.matrix_world = Matrix.Rotation(0.2, 4, 'X') @ parent.matrix_world
    bpy.context.view_layer.update()
    p = performance(ICT_NAMES)
    placed = []
    for head in (alone, child):
        bpy.ops.object.select_all(action='DESELECT')
        head.select_set(True)
        bpy.context.view_layer.objects.active = head
        bpy.ops.facewright.import_performance(filepath=saved(p))
        bpy.context.scene.frame_set(9)
        placed.append(np.array(head.matrix_world.translation))
    assert np.allclose(*placed, atol=1e-5)


def curve_of(thing, key):
    return actions.curves(thing.data.shape_keys).find(actions.value_path(key))


def test_a_second_take_replaces_its_own_frames_alone(saved):
    bpy.context.scene.render.fps = 30
    head = character(ICT_NAMES)
    first, second = performance(frames=60), performance(frames=20)
    second.weights[:] = 1 - second.weights
    bpy.ops.facewright.import_performance(filepath=saved(first))
    before = [curve_of(head, 'jawOpen').evaluate(f) for f in range(1, 81)]
    turned = rotations(head, range(1, 81))
    for start in (200, 30):
        bpy.ops.facewright.import_performance(filepath=saved(second), start=start)
        after = np.array([curve_of(head, 'jawOpen').evaluate(f) for f in range(start, start + 20)])
        assert np.allclose(after, second.weights[:, ICT_NAMES.index('jawOpen')], atol=1e-5)
    now = [curve_of(head, 'jawOpen').evaluate(f) for f in range(1, 81)]
    outside = np.r_[0:29, 49:80]
    assert np.allclose(np.array(now)[outside], np.array(before)[outside], atol=1e-5)
    assert np.allclose(rotations(head, range(1, 81))[outside], turned[outside], atol=1e-5)
    assert curve_of(head, 'jawOpen').evaluate(199) == pytest.approx(
        before[-1], abs=1e-5
    )  # held, not melting into the next


def test_a_second_take_in_a_turned_head_s_own_channels(saved):
    """Rotation channels that hold an animator's keyframes keep their mode and what is outside the
    take."""
    head = character(ICT_NAMES)
    for frame, angle in ((1, 0.0), (50, 1.0), (400, 0.5)):
        head.rotation_euler.z = angle
        head.keyframe_insert('rotation_euler', frame=frame)
    bpy.context.scene.render.fps = 30
    bpy.ops.facewright.import_performance(filepath=saved(performance()), start=100)
    assert head.rotation_mode == 'XYZ' and actions.curves(head).find(
        'rotation_euler', index=2
    ).evaluate(50) == pytest.approx(1.0)
    assert actions.curves(head).find('rotation_euler', index=2).evaluate(400) == pytest.approx(0.5)


def drive(thing, key, owner, path, expression=''):
    driver = thing.data.shape_keys.key_blocks[key].driver_add('value').driver
    driver.type = 'SCRIPTED' if expression else 'AVERAGE'
    variable = driver.variables.new()
    variable.name = 'v'
    if isinstance(owner, bpy.types.Key):
        variable.targets[0].id_type = 'KEY'
    variable.targets[0].id, variable.targets[0].data_path = owner, path
    driver.expression = expression or driver.expression


def test_what_drives_a_key_gets_the_take_and_that_is_said(saved):
    p = performance()
    leader, head = character(ICT_NAMES), character(ICT_NAMES)
    control = bpy.data.objects.new('control', None)
    bpy.context.scene.collection.objects.link(control)
    control['jaw'] = 0.0
    drive(head, 'jawOpen', control, '["jaw"]', 'v')
    drive(head, 'mouthSmile_L', leader.data.shape_keys, actions.value_path('mouthSmile_L'))
    drive(head, 'mouthSmile_R', control, 'location.x')
    drive(head, 'eyeBlink_L', control, 'location[1]', 'v * 2')
    leader.select_set(False)
    notes = api.import_performance(bpy.context, saved(p), motion=False)[1]
    said = ' '.join(notes)
    assert (
        'driven: the take is on what drives them (' in said
        and 'control' in said
        and leader.name in said
    )
    assert f'eyeBlink_L of {head.name} did not get the take' in said
    bpy.context.scene.frame_set(9)
    keys = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks
    for name in ('jawOpen', 'mouthSmile_L', 'mouthSmile_R', 'browDown_L'):
        assert keys[name].value == pytest.approx(p.weights[8, ICT_NAMES.index(name)], abs=1e-5), (
            name
        )
    assert actions.curves(head.data.shape_keys).find(actions.value_path('jawOpen')) is None


def test_companions_follow_their_leader_without_a_word(saved):
    leader, lashes = character(ICT_NAMES), character(ICT_NAMES)
    shape_keys.follow(lashes, leader)
    for thing in (leader, lashes):
        thing.select_set(True)
    assert not api.import_performance(bpy.context, saved(performance()), motion=False)[1]


def test_nothing_is_written_where_every_key_is_driven_by_something_else(saved):
    head = character(['jawOpen'])
    drive(head, 'jawOpen', head, 'location.x', 'v * 2 + 1')
    with pytest.raises(RuntimeError, match=r'jawOpen of .* driven'):
        bpy.ops.facewright.import_performance(filepath=saved(performance()))
    assert actions.curves(head.data.shape_keys) is None and actions.curves(head) is None


def test_an_empty_scene_follows_the_take_another_keeps_its_own(saved):
    scene, path = bpy.context.scene, saved(performance(frames=403, fps=60.0))
    head = character(ICT_NAMES)
    assert scene.render.fps == 24 and not settings.holds_animation(scene)
    notes = api.import_performance(bpy.context, path)[1]
    assert (
        scene.render.fps == 60
        and scene.frame_end == 403
        and not notes
        and settings.holds_animation(scene)
    )
    scene.render.fps, scene.frame_end = 24, 100
    again = character(ICT_NAMES)
    notes = ' '.join(api.import_performance(bpy.context, path)[1])
    assert (scene.render.fps, scene.frame_end) == (24, 100)
    assert (
        '60 frames a second and the scene 24' in notes
        and 'runs to frame 162, the scene to 100' in notes
    )
    assert (
        len(actions.keyed_expressions(again)[1]) == 403 == len(actions.keyed_expressions(head)[1])
    )


def test_what_counts_as_animation():
    scene = bpy.context.scene
    assert not settings.holds_animation(scene)
    scene['own'] = 1.0
    scene.keyframe_insert('["own"]', frame=1)
    assert settings.holds_animation(scene)
    scene.animation_data_clear()
    material = bpy.data.materials.new('m')
    if material.node_tree is None:
        material.use_nodes = True
    head = character(['jawOpen'])
    head.data.materials.append(material)
    assert not settings.holds_animation(scene)
    material.node_tree.nodes[0].inputs[0].keyframe_insert('default_value', frame=1)
    assert settings.holds_animation(scene)


def recorded(path, count=90, rate=30.0, start=None, **change):
    """A Live Link Face CSV of a known performance."""
    write_live_link(path, performance(ARKIT_NAMES, count, rate), start)
    return str(path)


@pytest.mark.parametrize(
    'start',
    [
        Timecode(13 * 3600 * 60 + 31.652, 60),
        Timecode(24 * 3661 + 5, 24),
        Timecode(30 * 59 + 25, 30, True),
    ],
)
def test_a_recording_s_timecode_survives(tmp_path, start):
    scene = bpy.context.scene
    path = recorded(tmp_path / 'a.csv', rate=30.0 if start.base == 60 else start.rate, start=start)
    character(ARKIT_NAMES)
    api.import_performance(bpy.context, path, start=101)
    api.export_performance(bpy.context, str(tmp_path / 'b.csv'), 101, 190)
    rows = [
        [line.split(',') for line in (tmp_path / n).read_text().splitlines()]
        for n in ('a.csv', 'b.csv')
    ]
    assert rows[0][0] == rows[1][0] and rows[0][0][1] == 'BlendShapeCount'
    assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]]
    got, want = (np.array([row[2:] for row in table[1:]], float) for table in rows)
    assert np.abs(got - want).max() < 1e-5
    api.export_performance(bpy.context, str(tmp_path / 'c.csv'), 111, 120)
    assert (tmp_path / 'c.csv').read_text().splitlines()[1].split(',')[0] == rows[0][11][0]
    assert scene.frame_end == 190


@pytest.mark.parametrize('fps', [24.0, 25.0, 30.0, 60.0])
def test_a_short_take_keeps_its_speed(tmp_path, fps):
    bpy.context.scene.render.fps = int(fps)
    character(ARKIT_NAMES)
    bpy.ops.facewright.import_performance(filepath=recorded(tmp_path / 'a.csv', 12, fps))
    api.export_performance(bpy.context, str(tmp_path / 'b.csv'), 1, 12)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    again = character(ARKIT_NAMES)
    bpy.ops.facewright.import_performance(filepath=str(tmp_path / 'b.csv'))
    assert (
        bpy.context.scene.render.fps == fps
        and (actions.keyed_expressions(again)[1] == np.arange(1, 13)).all()
    )


def test_what_a_file_can_t_tell_is_asked_for_and_what_was_guessed_is_said(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text(
        'Timecode,JawOpen\n' + ''.join(f'00:00:00:{i:02d},{i / 20}\n' for i in range(20))
    )
    head = character(ARKIT_NAMES)
    with pytest.raises(RuntimeError, match='File Rate'):
        bpy.ops.facewright.import_performance(filepath=str(path))
    bpy.ops.facewright.import_performance(filepath=str(path), rate=24)
    assert bpy.context.scene.render.fps == 24 and len(actions.keyed_expressions(head)[1]) == 20
    path.write_text('Timecode,JawOpen\n' + ''.join(f'{i},{i / 20}\n' for i in range(20)))
    bpy.context.scene.render.fps = 48
    notes = api.import_performance(bpy.context, str(path), frame_rate='KEEP')[1]
    assert (
        '48 frames a second' in ' '.join(notes)
        and (actions.keyed_expressions(head)[1] == np.arange(1, 21)).all()
    )


def test_keys_with_prefixes_are_recognised(saved):
    p = performance(ARKIT_NAMES)
    for spelled in ('blendShape1.{}', 'BS_node.{}', 'head__{}', '{}.001', 'CC_{}', 'rig:face|{}'):
        head = character([spelled.format(n) for n in ARKIT_NAMES] + ['my_own'])
        bpy.ops.facewright.import_performance(filepath=saved(p), frame_rate='KEEP')
        bpy.context.scene.frame_set(1)
        keys = head.data.shape_keys.key_blocks
        for i, name in enumerate(ARKIT_NAMES):
            assert keys[spelled.format(name)].value == pytest.approx(p.weights[0, i], abs=1e-5), (
                spelled
            )
        bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
        assert [k.name for k in keys[1:]] == [*ARKIT_NAMES, 'my_own']


def test_a_copy_or_a_corrective_does_not_move_with_the_key_it_is_called_after(saved):
    head = character(['jawOpen', 'jawOpen.001', 'fix.jawOpen', 'old_jawOpen'])
    bpy.ops.facewright.import_performance(filepath=saved(performance()))
    keys = head.data.shape_keys
    assert [actions.is_keyed(keys, actions.value_path(k.name)) for k in keys.key_blocks[1:]] == [
        True,
        False,
        False,
        False,
    ]


def test_all_of_a_long_recording_arrives_in_a_scene_of_another_rate(shared_data):
    scene = bpy.context.scene
    scene.render.fps = 25
    other, head = bpy.data.objects.new('other', None), character(ARKIT_NAMES)
    scene.collection.objects.link(other)
    other.keyframe_insert('location', frame=1)
    notes = ' '.join(
        api.import_performance(bpy.context, str(shared_data / 'curves' / 'alex_rom_3.csv'))[1]
    )
    assert (
        len(actions.keyed_expressions(head)[1]) == 4033
        and '4,033 keyframes' in notes
        and scene.render.fps == 25
    )
    jaw = curve_of(head, 'jawOpen')
    assert len(jaw.keyframe_points) == 4033 and jaw.keyframe_points[4032].co.x == pytest.approx(
        1 + 4032 / 30 * 25, abs=1e-2
    )


def test_turns_of_a_quarter_are_twenty_four():
    found = motion._right_angles()
    assert len(found) == 24 and len({m.tobytes() for m in np.round(np.array(found)) + 0.0}) == 24
    assert np.allclose(turn(0.0), np.eye(3))


def test_a_head_turned_by_drivers_is_left_alone_and_that_is_said(saved):
    head = character(ARKIT_NAMES)
    head.driver_add('rotation_euler', 2).driver.expression = '0.25'
    notes = ' '.join(api.import_performance(bpy.context, saved(performance(ARKIT_NAMES)))[1])
    assert 'turned by drivers' in notes and actions.curves(head) is None


def test_sides_that_one_value_stands_for_are_named():
    p = performance(ICT_NAMES)
    assert api.sides_apart(p) == ['browInnerUp', 'cheekPuff']
    assert api.sides_apart(performance(ARKIT_NAMES)) == []
