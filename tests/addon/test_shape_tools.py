"""The tools for shape keys as operators: on a head in the face model's topology, and on a mesh that
merely is symmetrical.
"""

import bpy
import numpy as np
import pytest

from facewright.addon import api
from facewright.addon.scene import shape_keys

from .samples import coordinates


@pytest.fixture
def head():
    """A symmetrical mesh, the person's left at +x, with a pair of keys, a middle one and a locked
    one.
    """
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=20, y_subdivisions=8, size=0.2)
    thing = bpy.context.object
    points = coordinates(thing.data.vertices)
    thing.shape_key_add(name='Basis')
    rng = np.random.default_rng(1)
    for name, side in (
        ('smile_L', points[:, :1] > 0),
        ('smile_R', points[:, :1] < 0),
        ('jawOpen', True),
        ('locked', True),
    ):
        key = thing.shape_key_add(name=name)
        shape_keys.set_offsets(key, rng.normal(size=points.shape) * 0.01 * side)
    thing.data.shape_keys.key_blocks['locked'].lock_shape = True
    return thing


def activate(thing, name):
    thing.active_shape_key_index = thing.data.shape_keys.key_blocks.find(name)


def shape(thing, name) -> np.ndarray:
    return shape_keys.offsets_of(thing.data.shape_keys.key_blocks[name])


def mirrored(thing, offsets) -> np.ndarray:
    points = coordinates(thing.data.vertices).round(5)
    index = {tuple(p): i for i, p in enumerate(points)}
    return offsets[[index[tuple(p * np.float32([-1, 1, 1]) + 0)] for p in points]] * [-1, 1, 1]


def test_symmetrising(head):
    activate(head, 'jawOpen')
    left = coordinates(head.data.vertices)[:, 0] > 1e-4
    was = shape(head, 'jawOpen')
    bpy.ops.facewright.symmetrise_shape_keys(source='LEFT')
    now = shape(head, 'jawOpen')
    assert np.allclose(mirrored(head, now), now, atol=1e-7) and np.allclose(
        now[left], was[left], atol=1e-7
    )
    locked = shape(head, 'locked')
    bpy.ops.facewright.symmetrise_shape_keys(source='RIGHT', keys='ALL')
    assert np.allclose(
        mirrored(head, shape(head, 'smile_R')), shape(head, 'smile_L'), atol=1e-7
    ) and np.array_equal(shape(head, 'locked'), locked)
    activate(head, 'locked')
    with pytest.raises(RuntimeError, match='locked is locked'):
        bpy.ops.facewright.symmetrise_shape_keys()


def test_left_is_where_the_names_say_it_is(head):
    for a, b in (('smile_L', 'x'), ('smile_R', 'smile_L'), ('x', 'smile_R')):
        head.data.shape_keys.key_blocks[a].name = b
    activate(head, 'jawOpen')
    right = coordinates(head.data.vertices)[:, 0] < -1e-4
    was = shape(head, 'jawOpen')
    bpy.ops.facewright.symmetrise_shape_keys(source='LEFT')
    assert np.allclose(shape(head, 'jawOpen')[right], was[right], atol=1e-7)


def test_mirroring(head):
    head.shape_key_remove(head.data.shape_keys.key_blocks['smile_R'])
    activate(head, 'smile_L')
    was = shape(head, 'smile_L')
    bpy.ops.facewright.mirror_shape_key()
    assert np.allclose(shape(head, 'smile_R'), mirrored(head, was), atol=1e-7) and np.array_equal(
        shape(head, 'smile_L'), was
    )
    bpy.ops.facewright.mirror_shape_key(to='ITSELF')
    assert np.allclose(shape(head, 'smile_L'), mirrored(head, was), atol=1e-7)
    activate(head, 'jawOpen')
    with pytest.raises(RuntimeError, match='names no side'):
        bpy.ops.facewright.mirror_shape_key()


def test_a_mirrored_key_has_what_the_other_has(head):
    blocks = head.data.shape_keys.key_blocks
    head.shape_key_remove(blocks['smile_R'])
    key, points = blocks['smile_L'], coordinates(head.data.vertices)
    left = [i for i, p in enumerate(points) if p[0] > 0.02]
    head.vertex_groups.new(name='cheek.L').add(left, 0.5, 'REPLACE')
    key.slider_min, key.slider_max, key.value, key.mute = -1, 3, 0.4, True
    key.vertex_group = 'cheek.L'
    for name in ('control_L', 'control_R', 'middle'):
        head[name] = 0.25 if name == 'control_R' else 0.75
    driver = key.driver_add('value').driver
    for called, path in (('a', '["control_L"]'), ('b', '["middle"]')):
        variable = driver.variables.new()
        variable.name, variable.targets[0].id, variable.targets[0].data_path = called, head, path
    driver.type, driver.expression = 'SCRIPTED', 'a + b / 3'
    activate(head, 'smile_L')
    bpy.ops.facewright.mirror_shape_key()
    made = blocks['smile_R']
    assert (made.slider_min, made.slider_max, made.mute) == (-1, 3, True)
    assert made.vertex_group == 'cheek.R'
    weights = api.group_weights(head, 'cheek.R')
    assert (weights[points[:, 0] < -0.02] == 0.5).all() and not weights[points[:, 0] > -0.02].any()
    bpy.context.view_layer.update()
    assert made.value == pytest.approx(0.5) and key.value == pytest.approx(1.0)


def corrective(head):
    """A key relative to smile_L, in the list before it as well as after it."""
    for name, amount in (('early', 0.03), ('late', 0.05)):
        key = head.shape_key_add(name=name)
        key.relative_key = head.data.shape_keys.key_blocks['smile_L']
        shape_keys.set_offsets(key, np.full((len(head.data.vertices), 3), amount))


def test_keys_relative_to_another_are_changed_by_their_own_offsets(head):
    corrective(head)
    was = {n: shape(head, n) for n in ('smile_L', 'early', 'late')}
    bpy.ops.facewright.scale_shape_key(keys='ALL', strength=2.0)
    for name, offsets in was.items():
        assert np.allclose(shape(head, name), 2 * offsets, atol=1e-6), name
    activate(head, 'smile_L')
    bpy.ops.facewright.scale_shape_key(strength=0.5)
    assert np.allclose(shape(head, 'smile_L'), was['smile_L'], atol=1e-6)
    assert np.allclose(shape(head, 'late'), 0.1, atol=1e-6)
    bpy.ops.facewright.reset_shape_key_region(keys='ALL')
    assert not any(np.abs(shape(head, n)).max() > 1e-6 for n in was)


def test_symmetrising_all_takes_each_key_from_the_one_it_is_relative_to(head):
    corrective(head)
    left = coordinates(head.data.vertices)[:, 0] > 1e-4
    smile, early = shape(head, 'smile_L'), shape(head, 'early')
    bpy.ops.facewright.symmetrise_shape_keys(source='LEFT', keys='ALL')
    assert np.allclose(shape(head, 'smile_L'), smile, atol=1e-6)
    now = shape(head, 'early')
    assert np.allclose(mirrored(head, now), now, atol=1e-6)
    assert np.allclose(now[left], early[left], atol=1e-6)


def test_splitting_keeps_all_a_key_has(head):
    head.vertex_groups.new(name='lips').add(list(range(50)), 1, 'REPLACE')
    key = head.data.shape_keys.key_blocks['jawOpen']
    key.slider_min, key.slider_max, key.mute, key.vertex_group = -1, 2, True, 'lips'
    head['open'] = 0.7
    driver = key.driver_add('value').driver
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = head, '["open"]'
    driver.type = 'SUM'
    corrected = head.shape_key_add(name='corrected')
    corrected.relative_key = key
    shape_keys.set_offsets(corrected, np.full((len(head.data.vertices), 3), 0.02))
    activate(head, 'jawOpen')
    bpy.ops.facewright.split_shape_key()
    bpy.context.view_layer.update()
    for name in ('jawOpen_L', 'jawOpen_R'):
        made = head.data.shape_keys.key_blocks[name]
        assert (made.slider_min, made.slider_max, made.mute) == (-1, 2, True)
        assert made.vertex_group == 'lips'
        assert made.value == pytest.approx(0.7)
    assert np.allclose(shape(head, 'corrected'), 0.02, atol=1e-6)
    assert head.active_shape_key.name == 'jawOpen_L'


def test_splitting_keeps_the_sum_and_the_animation(head):
    activate(head, 'jawOpen')
    was = shape(head, 'jawOpen')
    key = head.data.shape_keys.key_blocks['jawOpen']
    key.value = 0.5
    key.keyframe_insert('value', frame=3)
    bpy.ops.facewright.split_shape_key(width=0.03)
    blocks = head.data.shape_keys.key_blocks
    assert np.allclose(shape(head, 'jawOpen_L') + shape(head, 'jawOpen_R'), was, atol=1e-7)
    assert (
        not shape(head, 'jawOpen_R')[coordinates(head.data.vertices)[:, 0] > 0.02].any()
        and blocks['jawOpen_R'].value == 0.5
    )
    with pytest.raises(RuntimeError, match='one side'):
        bpy.ops.facewright.split_shape_key()


def test_resetting_a_region_and_strength(head):
    activate(head, 'jawOpen')
    was = shape(head, 'jawOpen')
    head.vertex_groups.new(name='Half').add(list(range(80)), 0.5, 'REPLACE')
    bpy.ops.facewright.reset_shape_key_region(where='GROUP', group='Half')
    assert np.allclose(shape(head, 'jawOpen')[:80], 0.5 * was[:80], atol=1e-7) and np.array_equal(
        shape(head, 'jawOpen')[80:], was[80:]
    )
    bpy.ops.facewright.scale_shape_key(strength=3, where='GROUP', group='Half')
    assert np.allclose(shape(head, 'jawOpen')[:80], was[:80], atol=1e-7)
    for vertex in head.data.vertices:
        vertex.select = vertex.index == 5
    bpy.ops.facewright.scale_shape_key(strength=0, where='SELECTED', falloff=0)
    assert not shape(head, 'jawOpen')[5].any() and np.allclose(
        np.delete(shape(head, 'jawOpen'), 5, 0), np.delete(was, 5, 0), atol=1e-7
    )
    with pytest.raises(RuntimeError, match='Facewright did not make jawOpen'):
        bpy.ops.facewright.reset_shape_key_region(to='GENERATED')
    for arguments, sentence in (
        ({'where': 'GROUP'}, 'No vertex group was chosen'),
        ({'where': 'GROUP', 'group': 'None'}, 'no vertex group called'),
    ):
        with pytest.raises(RuntimeError, match=sentence):
            bpy.ops.facewright.reset_shape_key_region(**arguments)
    head.data.vertices[5].select = False
    with pytest.raises(RuntimeError, match=r'No vertex .* is selected'):
        bpy.ops.facewright.scale_shape_key(where='SELECTED')
    bpy.ops.facewright.scale_shape_key(strength=2, keys='ALL')
    activate(head, 'Basis')
    with pytest.raises(RuntimeError, match='is the Basis'):
        bpy.ops.facewright.scale_shape_key()


def test_in_edit_mode_and_back_with_its_selection(head):
    activate(head, 'jawOpen')
    was = shape(head, 'jawOpen')
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.select_all(action='SELECT')
    bpy.ops.facewright.scale_shape_key(strength=0.5, where='SELECTED')
    assert bpy.context.mode == 'EDIT_MESH'
    bpy.ops.object.mode_set(mode='OBJECT')
    assert np.allclose(shape(head, 'jawOpen'), 0.5 * was, atol=1e-7)


def test_in_sculpt_mode_and_back(head):
    activate(head, 'jawOpen')
    was = shape(head, 'jawOpen')
    bpy.ops.object.mode_set(mode='SCULPT')
    bpy.ops.facewright.scale_shape_key(strength=0.5)
    assert bpy.context.mode == 'SCULPT'
    assert np.allclose(shape(head, 'jawOpen'), 0.5 * was, atol=1e-7)
    bpy.ops.facewright.split_shape_key()
    assert bpy.context.mode == 'SCULPT' and np.allclose(
        shape(head, 'jawOpen_L') + shape(head, 'jawOpen_R'), 0.5 * was, atol=1e-7
    )
    bpy.ops.object.mode_set(mode='OBJECT')


def test_the_panel_s_settings_are_taken(head):
    settings = bpy.context.scene.facewright.shapes
    settings.keys, settings.strength = 'ALL', 0.5
    was = shape(head, 'smile_L')
    bpy.ops.facewright.scale_shape_key()
    assert np.allclose(shape(head, 'smile_L'), 0.5 * was, atol=1e-7)
    points = coordinates(head.data.vertices)
    points[:, 0] += 0.001 * np.sin(70 * points[:, 0] + 1)
    points[:, 1] += 0.001 * np.sin(70 * points[:, 1] + 1)
    head.data.shape_keys.reference_key.points.foreach_set('co', points.ravel())
    with pytest.raises(RuntimeError, match='mirror image'):
        bpy.ops.facewright.symmetrise_shape_keys()
    settings.tolerance = 0.02
    bpy.ops.facewright.symmetrise_shape_keys()


def uneven(head):
    points = coordinates(head.data.vertices)
    points[:, :2] *= 1 + 2 * points[:, :2]
    head.data.shape_keys.reference_key.points.foreach_set('co', points.ravel())
    head.data.vertices.foreach_set('co', points.ravel())
    return points


def test_an_uneven_mesh_is_a_sentence_where_mirror_images_are_needed(head):
    uneven(head)
    activate(head, 'jawOpen')
    with pytest.raises(RuntimeError, match='mirror image'):
        bpy.ops.facewright.symmetrise_shape_keys()


@pytest.mark.parametrize('named', [True, False])
def test_an_uneven_mesh_is_split(head, named):
    points = uneven(head)
    if not named:
        for name in ('smile_L', 'smile_R'):
            head.shape_key_remove(head.data.shape_keys.key_blocks[name])
    activate(head, 'jawOpen')
    was = shape(head, 'jawOpen')
    bpy.ops.facewright.split_shape_key()
    left, right = shape(head, 'jawOpen_L'), shape(head, 'jawOpen_R')
    assert (
        np.abs(left + right - was).max() < 1e-7
        and np.abs(left[points[:, 0] < -0.02]).max() < 1e-7
        and np.abs(right[points[:, 0] > 0.02]).max() < 1e-7
    )


def test_a_personal_head_is_mirrored_by_its_topology():
    bpy.ops.facewright.add_head()
    head = bpy.context.object
    keys = head.data.shape_keys
    points = coordinates(keys.reference_key.points)
    skew = (points * [1, 1, 1 + 0.02]).astype(np.float32) + np.float32(0.002) * np.sin(
        50 * points[:, :1]
    )
    for key in keys.key_blocks[1:]:
        key.points.foreach_set('co', (skew + shape_keys.offsets_of(key)).astype(np.float32).ravel())
    keys.reference_key.points.foreach_set('co', skew.ravel())
    activate(head, 'mouthSmile_L')
    before = shape(head, 'mouthSmile_R')
    bpy.ops.facewright.mirror_shape_key()
    made = shape(head, 'mouthSmile_R')
    assert np.abs(made - before).max() < 0.1 * np.abs(before).max()
    api.shape_tools.mirror(bpy.context, 'ITSELF')
    api.shape_tools.mirror(bpy.context, 'ITSELF')
