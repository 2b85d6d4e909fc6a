"""Other names for shape keys: all a key has goes with it, on every object that follows it."""

import bpy
import numpy as np
import pytest

from facewright.addon import api
from facewright.addon.scene import actions, crossings, shape_keys
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES

from .samples import coordinates

SOME = (
    'browInnerUp_L',
    'browInnerUp_R',
    'cheekPuff_L',
    'cheekPuff_R',
    'jawOpen',
    'mouthSmile_L',
    'mouthSmile_R',
)


def patch(name, keys=ICT_NAMES, seed=0):
    """A small mesh with shape keys, each moving its side alone."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=4, size=0.2)
    thing = bpy.context.object
    thing.name = name
    home = bpy.data.collections.get('home') or bpy.data.collections.new(
        'home'
    )  # a user of an object that can't be animated
    home.objects.link(thing)
    thing.shape_key_add(name='Basis')
    points, rng = coordinates(thing.data.vertices), np.random.default_rng(seed)
    for key in keys:
        side = {'_L': points[:, :1] > 0, '_R': points[:, :1] < 0}.get(key[-2:], True)
        offsets = rng.normal(size=points.shape) * 0.01 * side
        shape_keys.set_offsets(thing.shape_key_add(name=key), offsets)
        thing.data.shape_keys.key_blocks[key].value = 0
    return thing


def blocks(thing):
    return thing.data.shape_keys.key_blocks


def select(*things):
    for thing in bpy.data.objects:
        thing.select_set(thing in things)
    bpy.context.view_layer.objects.active = things[0]


def seen(thing) -> dict[str, float]:
    """{key: its value as Blender evaluates it}."""
    bpy.context.view_layer.update()
    found = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return {k.name: k.value for k in found.data.shape_keys.key_blocks[1:]}


def dead_drivers(thing) -> list[str]:
    """Drivers on shape keys that are gone, or that read ones that are."""
    keys, dead = thing.data.shape_keys, []
    for curve in keys.animation_data.drivers:
        for owner, path in [(keys, curve.data_path)] + [
            (t.id, t.data_path) for v in curve.driver.variables for t in v.targets
        ]:
            try:
                owner.path_resolve(path)
            except ValueError:
                dead.append(path)
    return dead


@pytest.mark.parametrize('order', ['leader', 'companion', 'leader companion', 'companion leader'])
@pytest.mark.parametrize('born', ['ICT', 'ARKIT'])
def test_what_follows_a_key_follows_its_new_name(born, order):
    names = ICT_NAMES if born == 'ICT' else ARKIT_NAMES
    things = {'leader': patch('head', names), 'companion': patch('lashes', names, 1)}
    assert shape_keys.follow(things['companion'], things['leader']) == len(names)
    for naming in ('ARKIT', 'ICT') if born == 'ICT' else ('ICT', 'ARKIT'):
        select(*[things[n] for n in order.split()])
        assert bpy.ops.facewright.rename_shape_keys(naming=naming) == {'FINISHED'}
        assert not dead_drivers(things['companion'])
        for i, key in enumerate(blocks(things['leader'])[1:]):
            key.value = (i + 1) / 60
        leads, follows = seen(things['leader']), seen(things['companion'])
        assert len(follows) == len(things['companion'].data.shape_keys.animation_data.drivers)
        for name, value in follows.items():
            left, right = (leads.get(name + side) for side in ('_L', '_R'))
            wanted = leads.get(name, leads.get(name[:-2]))
            if wanted is None:
                spelled = name.replace('_L', 'Left').replace('_R', 'Right')
                other = name.replace('Left', '_L').replace('Right', '_R')
                wanted = (
                    leads[spelled]
                    if spelled in leads
                    else leads[other]
                    if other in leads
                    else (left + right) / 2
                )
            assert value == pytest.approx(wanted, abs=1e-6), name


def test_the_sides_come_back_to_the_bit_with_all_they_had():
    thing = patch('head', SOME)
    group = thing.vertex_groups.new(name='upper')
    group.add(list(range(10)), 0.5, 'REPLACE')
    was = {}
    for i, key in enumerate(blocks(thing)[1:]):
        key.slider_min, key.slider_max, key.value, key.mute = -0.5, 1 + i / 10, i / 20, i == 6
        key.lock_shape = key.name == 'mouthSmile_L'
        key.vertex_group = 'upper' if key.name in ('browInnerUp_R', 'jawOpen') else ''
        was[key.name] = (
            coordinates(key.points),
            key.slider_min,
            key.slider_max,
            key.value,
            key.mute,
            key.lock_shape,
            key.vertex_group,
        )
    thing.active_shape_key_index = blocks(thing).find('jawOpen')
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    assert (
        thing.active_shape_key.name == 'jawOpen'
        and blocks(thing)['jawOpen'].vertex_group == 'upper'
    )
    inner = coordinates(blocks(thing)['browInnerUp'].points) - coordinates(
        blocks(thing)['Basis'].points
    )
    weights = np.where(np.arange(len(inner)) < 10, 0.5, 0)[:, None]
    rest = coordinates(blocks(thing)['Basis'].points)
    assert np.allclose(
        inner,
        was['browInnerUp_L'][0] - rest + weights * (was['browInnerUp_R'][0] - rest),
        atol=1e-7,
    )  # as it showed
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    assert thing.active_shape_key.name == 'jawOpen'
    for name, had in was.items():
        key = blocks(thing)[name]
        assert np.abs(coordinates(key.points) - had[0]).max() < 1e-8, name
        assert (
            key.slider_min,
            key.slider_max,
            key.value,
            key.mute,
            key.lock_shape,
            key.vertex_group,
        ) == pytest.approx(had[1:]), name


def test_what_was_changed_since_goes_to_its_side():
    thing = patch('head', SOME)
    left, right = (shape_keys.offsets_of(blocks(thing)[n]) for n in ('cheekPuff_L', 'cheekPuff_R'))
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    whole = blocks(thing)['cheekPuff']
    shape_keys.set_offsets(whole, 2 * shape_keys.offsets_of(whole))
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    assert np.allclose(shape_keys.offsets_of(blocks(thing)['cheekPuff_L']), 2 * left, atol=1e-7)
    assert np.allclose(shape_keys.offsets_of(blocks(thing)['cheekPuff_R']), 2 * right, atol=1e-7)


def test_heads_made_with_arkit_s_names_know_their_sides(model_path):
    heads = []
    for naming in ('ICT', 'ARKIT'):
        bpy.ops.facewright.add_head(model=model_path, naming=naming)
        heads.append(bpy.context.object)
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    assert {k.name for k in blocks(heads[0])} == {k.name for k in blocks(heads[1])}
    for key in blocks(heads[0]):
        assert (
            np.abs(coordinates(blocks(heads[1])[key.name].points) - coordinates(key.points)).max()
            < 1e-7
        ), key.name


def test_a_half_alone_is_the_whole_and_comes_back_alone():
    leader, lashes = (
        patch('head', SOME),
        patch('lashes of the left', ('browInnerUp_L', 'jawOpen', 'cheekPuff_R')),
    )
    shape_keys.follow(lashes, leader)
    was = {k.name: coordinates(k.points) for k in blocks(lashes)}
    select(lashes, leader)
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    assert [k.name for k in blocks(lashes)] == [
        'Basis',
        'browInnerUp',
        'jawOpen',
        'cheekPuff',
    ] and not dead_drivers(lashes)
    blocks(leader)['browInnerUp'].value = 0.3
    assert seen(lashes)['browInnerUp'] == pytest.approx(0.3)
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    blocks(leader)['cheekPuff_R'].value, blocks(leader)['cheekPuff_L'].value = 0.6, 0.2
    assert seen(lashes)['cheekPuff_R'] == pytest.approx(0.6) and not dead_drivers(lashes)
    assert {k.name: coordinates(k.points).tolist() for k in blocks(lashes)} == {
        n: p.tolist() for n, p in was.items()
    }


def test_what_was_set_since_stays():
    thing = patch('head', SOME)
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    key = blocks(thing)['cheekPuff']
    key.slider_max, key.value, key.mute = 2.0, 1.5, True
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    for name in ('cheekPuff_L', 'cheekPuff_R'):
        assert (
            blocks(thing)[name].slider_max,
            blocks(thing)[name].value,
            blocks(thing)[name].mute,
        ) == (2.0, 1.5, True)


def test_generated_heads_lose_no_side(model_path):
    bpy.ops.facewright.add_head(model=model_path)
    head = bpy.context.object
    was = {k.name: coordinates(k.points) for k in blocks(head)}
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    for name, points in was.items():
        assert np.abs(coordinates(blocks(head)[name].points) - points).max() < 1e-8, name


@pytest.mark.parametrize('mode', ['EDIT', 'SCULPT', 'WEIGHT_PAINT'])
def test_in_other_modes_and_back(mode):
    thing = patch('head', SOME)
    was = {k.name: coordinates(k.points) for k in blocks(thing)}
    bpy.ops.object.mode_set(mode=mode)
    for naming in ('ARKIT', 'ICT'):
        bpy.ops.facewright.rename_shape_keys(naming=naming)
        assert thing.mode == mode
    bpy.ops.object.mode_set(mode='OBJECT')
    for name, points in was.items():
        assert np.abs(coordinates(blocks(thing)[name].points) - points).max() < 1e-8, name


def test_two_objects_of_one_mesh():
    thing = patch('head', SOME)
    twin = bpy.data.objects.new('twin', thing.data)
    bpy.context.scene.collection.objects.link(twin)
    select(thing, twin)
    for naming, count in (('ARKIT', 6), ('ICT', 8)):
        bpy.ops.facewright.rename_shape_keys(naming=naming)
        assert len(blocks(twin)) == count and not dead_drivers_of(thing)


def test_the_last_check_of_crossings_goes_with_the_names():
    thing = patch('head', SOME)
    keys, count = thing.data.shape_keys, len(thing.data.vertices)
    marked = np.arange(count)[None] == np.arange(len(SOME))[:, None]
    crossings.record(
        thing,
        list(SOME),
        np.arange(len(SOME))[:, None] * np.ones(4, int),
        marked,
        np.zeros((0, 4), int),
        None,
    )
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    assert (
        crossings.count(keys, 'mouthSmileLeft') == [5] * 4
        and crossings.count(keys, 'mouthSmile_L') is None
    )
    assert crossings.count(keys, 'cheekPuff') is None and crossings.worst(keys) == 'mouthSmileRight'
    assert crossings.show(thing, 'mouthSmileRight') == 1


def dead_drivers_of(thing) -> list[str]:
    return dead_drivers(thing) if thing.data.shape_keys.animation_data else []


def drive(thing, name, expression, owner, **variables):
    driver = blocks(thing)[name].driver_add('value').driver
    driver.type, driver.expression = 'SCRIPTED', expression
    for called, path in variables.items():
        variable = driver.variables.new()
        variable.name, variable.targets[0].id, variable.targets[0].data_path = called, owner, path
    return driver


@pytest.fixture
def control():
    thing = bpy.data.objects.new('control', None)
    bpy.context.scene.collection.objects.link(thing)
    thing['up'], thing['down'], thing['half'] = 0.8, 0.4, 0.5
    return thing


def test_drivers_of_a_pair_become_one_and_two_again(control):
    thing = patch('head', SOME)
    drive(thing, 'browInnerUp_L', 'v * 0.5', control, v='["up"]')
    drive(thing, 'browInnerUp_R', 'v - 0.1', control, v='["down"]')
    drive(thing, 'jawOpen', 'a', control, a='["half"]')
    assert seen(thing)['browInnerUp_L'] == pytest.approx(0.4)
    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    assert seen(thing)['browInnerUp'] == pytest.approx((0.4 + 0.3) / 2) and seen(thing)[
        'jawOpen'
    ] == pytest.approx(0.5)
    control['down'] = 0.2
    control.update_tag()
    assert seen(thing)['browInnerUp'] == pytest.approx((0.4 + 0.1) / 2) and not dead_drivers(thing)
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    assert seen(thing)['browInnerUp_R'] == seen(thing)['browInnerUp_L'] == pytest.approx(
        0.25
    ) and not dead_drivers(thing)


def test_a_pair_of_which_one_is_driven_stays_and_that_is_said(control):
    thing = patch('head', SOME)
    drive(thing, 'cheekPuff_R', 'v', control, v='["up"]')
    _changed, notes = api.rename_shape_keys(bpy.context, 'ARKIT')
    assert 'cheekPuff_L and cheekPuff_R keep their names' in notes[0] and 'cheekPuff' not in blocks(
        thing
    )
    assert seen(thing)['cheekPuff_R'] == pytest.approx(0.8) and 'browInnerUp' in blocks(thing)


def test_curves_in_the_nla_and_with_handles_follow():
    thing = patch('head', SOME)
    keys = thing.data.shape_keys
    for name, values in (
        ('cheekPuff_L', (0, 1, 0)),
        ('cheekPuff_R', (0, 1, 0)),
        ('browInnerUp_L', (0, 1, 0.2)),
        ('browInnerUp_R', (0, 0.2, 0.6)),
    ):
        for frame, value in zip((1, 11, 31), values):
            blocks(thing)[name].value = value
            blocks(thing)[name].keyframe_insert('value', frame=frame)
    frames = np.arange(1, 31)
    before = {
        n: [actions.curves(keys).find(actions.value_path(n)).evaluate(f) for f in frames]
        for n in SOME[:4]
    }
    track = keys.animation_data.nla_tracks.new()
    track.strips.new('take', 1, keys.animation_data.action)
    keys.animation_data.action = None
    notes = api.rename_shape_keys(bpy.context, 'ARKIT')[1]
    assert len(notes) == 1 and 'browInnerUp_L and browInnerUp_R moved differently' in notes[0]
    (fcurves,) = actions.all_curves(keys)
    assert len(fcurves) == 2
    puff, brow = (fcurves.find(actions.value_path(n)) for n in ('cheekPuff', 'browInnerUp'))
    assert len(puff.keyframe_points) == 3 and puff.keyframe_points[1].interpolation == 'BEZIER'
    assert np.allclose([puff.evaluate(f) for f in frames], before['cheekPuff_L'], atol=1e-6)
    assert np.allclose(
        [brow.evaluate(f) for f in frames],
        np.mean([before['browInnerUp_L'], before['browInnerUp_R']], 0),
        atol=1e-6,
    )
    api.rename_shape_keys(bpy.context, 'ICT')
    assert [
        len(fcurves.find(actions.value_path('cheekPuff' + side)).keyframe_points)
        for side in ('_L', '_R')
    ] == [3, 3]


def test_keys_relative_to_a_pair_keep_their_shape():
    thing = patch('head', SOME)
    for name, base in (('a', 'cheekPuff_R'), ('b', 'cheekPuff_L'), ('c', 'a')):
        key = thing.shape_key_add(name=name)
        key.relative_key = blocks(thing)[base]
        shape_keys.set_offsets(key, np.full((len(thing.data.vertices), 3), 0.01))
    for naming in ('ARKIT', 'ICT'):
        bpy.ops.facewright.rename_shape_keys(naming=naming)
        for name in 'abc':
            assert np.allclose(shape_keys.offsets_of(blocks(thing)[name]), 0.01, atol=1e-7), (
                naming,
                name,
            )


@pytest.mark.parametrize(
    'centre, turned',
    [((0, 0, 0), 0), ((3, 0, 0), 0), ((-2, 5, 1), np.pi), ((0.5, 0.2, 0), np.pi / 2)],
)
def test_sides_are_the_mesh_s_own(centre, turned):
    """A key that never was a pair is split at the mesh's middle, the left half on the person's
    left."""
    thing = patch('head', [n for n in ARKIT_NAMES if n != 'tongueOut'])
    points = coordinates(thing.data.vertices).astype(float)
    taller = np.where(
        points[:, 1:2] > 0, points * [0, 1, 0], 0
    )  # a head's two halves are alike across one axis alone
    turn = np.array(
        [[np.cos(turned), -np.sin(turned), 0], [np.sin(turned), np.cos(turned), 0], [0, 0, 1]]
    )
    for name in ('mouthSmile', 'eyeBlink'):
        for side, sign in (('Left', 1), ('Right', -1)):
            shape_keys.set_offsets(
                blocks(thing)[name + side], np.array([0, 0, 0.02]) * (sign * points[:, :1] > 0.02)
            )
    for key in blocks(thing):
        key.points.foreach_set(
            'co', ((coordinates(key.points) + taller) @ turn.T + centre).astype(np.float32).ravel()
        )
    thing.data.vertices.foreach_set('co', coordinates(blocks(thing)['Basis'].points).ravel())
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    left, right = (
        np.linalg.norm(shape_keys.offsets_of(blocks(thing)['cheekPuff' + side]), axis=1)
        for side in ('_L', '_R')
    )
    assert left[points[:, 0] > 0.05].min() > 1e-4 and left[points[:, 0] < -0.05].max() < 1e-6
    assert right[points[:, 0] < -0.05].min() > 1e-4 and right[points[:, 0] > 0.05].max() < 1e-6
