"""Performances onto and from any mesh with ICT or ARKit shape keys."""

import dataclasses

import bpy
import numpy as np
import pytest

from facewright.addon import api
from facewright.addon.scene import actions, shape_keys
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES
from facewright.engine.formats.performance import read_performance

from .samples import FLIP, character, coordinates, performance, posed


def values(thing, frame):
    bpy.context.scene.frame_set(frame)
    return {k.name: k.value for k in thing.data.shape_keys.key_blocks[1:]}


@pytest.mark.parametrize(
    'style',
    [
        lambda n: n,
        lambda n: n[0].upper() + n[1:],
        lambda n: n.replace('_L', '.L').replace('_R', '.R'),
    ],
)
def test_onto_a_mesh_with_arkit_names_however_spelled(saved, style):
    p = performance()
    thing = character([*(style(n) for n in ARKIT_NAMES), 'myOwnKey'])
    bpy.context.scene.render.fps = 30
    assert bpy.ops.facewright.import_performance(filepath=saved(p)) == {'FINISHED'}
    w = dict(zip(ICT_NAMES, p.weights[7]))
    got = values(thing, 8)
    assert got[style('mouthSmileLeft')] == pytest.approx(w['mouthSmile_L'], abs=1e-5)
    assert got[style('browInnerUp')] == pytest.approx(
        (w['browInnerUp_L'] + w['browInnerUp_R']) / 2, abs=1e-5
    )
    assert got[style('tongueOut')] == 0 and got['myOwnKey'] == 0


def test_arkit_performance_onto_ict_names(saved):
    p = performance(ARKIT_NAMES)
    thing = character(ICT_NAMES)
    bpy.context.scene.render.fps = 30
    bpy.ops.facewright.import_performance(filepath=saved(p), start=11, motion=False)
    w, got = dict(zip(ARKIT_NAMES, p.weights[4])), values(thing, 15)
    assert got['cheekPuff_L'] == got['cheekPuff_R'] == pytest.approx(w['cheekPuff'], abs=1e-5)
    assert got['jawOpen'] == pytest.approx(w['jawOpen'], abs=1e-5)
    assert actions.curves(thing) is None


def test_head_motion_is_upright_whichever_way_the_file_s_world_is(saved):
    """The same motion in a y-up world and in OpenCV's axes lands the same."""
    bpy.context.scene.render.fps = 30
    seen = []
    for axes in (np.eye(3), FLIP):
        thing = character(ICT_NAMES)
        bpy.ops.facewright.import_performance(filepath=saved(performance(axes=axes)))
        seen.append(posed(thing, 9))
    assert np.allclose(seen[0], seen[1], atol=1e-6)
    p = performance()
    coordinates(thing.data.vertices)
    bpy.context.scene.frame_set(9)
    assert np.allclose(
        np.array(thing.matrix_world)[:3, 3],
        0.01 * np.array([p.translation[8, 0], -p.translation[8, 2], p.translation[8, 1]]),
        atol=1e-6,
    )


def test_the_scene_s_rate_is_kept_and_times_are_exact_unless_asked(saved):
    path, scene = saved(performance(fps=60.0)), bpy.context.scene
    scene.render.fps = 24
    thing = character(ICT_NAMES)
    bpy.ops.facewright.import_performance(filepath=path, frame_rate='KEEP')
    assert scene.render.fps == 24 and np.allclose(
        actions.keyed_expressions(thing)[1], 1 + np.arange(20) * 0.4, atol=1e-5
    )
    bpy.ops.facewright.import_performance(filepath=path, frame_rate='FILE')
    assert (
        scene.render.fps == 60 and (actions.keyed_expressions(thing)[1] == np.arange(1, 21)).all()
    )


def test_several_meshes_at_once(saved):
    """A head, its teeth and its eyes as separate objects."""
    bpy.context.scene.render.fps = 30
    parts = [character(['jawOpen']), character(['eyeBlinkLeft', 'jawOpen']), character([])]
    for part in parts:
        part.select_set(True)
    bpy.ops.facewright.import_performance(filepath=saved(performance()))
    assert values(parts[0], 5)['jawOpen'] == values(parts[1], 5)['jawOpen'] != 0
    assert [actions.curves(p) is not None for p in parts[:2]].count(
        True
    ) == 1  # the active one moves
    assert parts[2].animation_data is None


@pytest.mark.parametrize('keys', [ICT_NAMES, ARKIT_NAMES])
@pytest.mark.parametrize('mode', ['QUATERNION', 'XYZ', 'ZXY', 'AXIS_ANGLE'])
def test_exported_npz_is_what_was_imported(saved, tmp_path, keys, mode):
    p = performance(keys)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_end = 30, 20
    thing = character(keys)
    bpy.ops.facewright.import_performance(filepath=saved(p))
    if mode != 'QUATERNION':  # the same motion under other rotation channels
        turns = [
            thing.matrix_world.to_quaternion() for f in range(1, 21) if scene.frame_set(f) is None
        ]
        fcurves = actions.curves(thing)
        for curve in [c for c in fcurves if c.data_path == 'rotation_quaternion']:
            fcurves.remove(curve)
        thing.rotation_mode = mode
        for f, q in enumerate(turns, 1):
            if mode == 'AXIS_ANGLE':
                axis, angle = q.to_axis_angle()
                thing.rotation_axis_angle = (angle, *axis)
            else:
                thing.rotation_euler = q.to_euler(mode)
            thing.keyframe_insert(
                'rotation_axis_angle' if mode == 'AXIS_ANGLE' else 'rotation_euler', frame=f
            )
    assert bpy.ops.facewright.export_performance(filepath=str(tmp_path / 'out.npz')) == {'FINISHED'}
    back = read_performance(tmp_path / 'out.npz')
    order = [back.names.index(n) for n in p.names]
    assert np.allclose(back.weights[:, order], p.weights, atol=1e-5)
    assert np.allclose(back.rotation, p.rotation, atol=1e-5) and np.allclose(
        back.translation, p.translation, atol=1e-4
    )
    assert np.allclose(back.time, p.time) and back.fps == 30


@pytest.mark.parametrize('rate', [(30, 1.0), (30, 1.001), (24, 1.0)])
@pytest.mark.parametrize('keys', [ICT_NAMES, ARKIT_NAMES])
def test_exported_csv_comes_back_frame_by_frame(saved, tmp_path, keys, rate):
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = rate
    scene.frame_end = 40
    character(keys)
    bpy.ops.facewright.import_performance(
        filepath=saved(performance(keys, frames=40, fps=rate[0] / rate[1]))
    )
    path = str(tmp_path / 'Straße 1.csv')
    assert bpy.ops.facewright.export_performance(filepath=path) == {'FINISHED'}
    before = api.sample_performance(bpy.context, np.arange(1.0, 41.0))
    again = character(keys)
    bpy.ops.facewright.import_performance(filepath=path)
    assert (actions.keyed_expressions(again)[1] == np.arange(1, 41)).all()
    after = api.sample_performance(bpy.context, np.arange(1.0, 41.0))
    whole = [
        before.names.index(n)
        for n in before.names
        if not n.startswith(('browInnerUp', 'cheekPuff'))
    ]
    assert np.allclose(after.weights[:, whole], before.weights[:, whole], atol=1e-5)
    assert np.allclose(after.rotation, before.rotation, atol=1e-5)


def test_a_recording_from_an_iphone(shared_data):
    scene = bpy.context.scene
    scene.render.fps = 30
    thing = character(ICT_NAMES)
    assert bpy.ops.facewright.import_performance(
        filepath=str(shared_data / 'curves' / 'alex_rom_3.csv')
    ) == {'FINISHED'}
    assert scene.frame_end > 3000
    moving = [
        c
        for c in actions.curves(thing.data.shape_keys)
        if np.ptp([k.co.y for k in c.keyframe_points]) > 0.2
    ]
    assert len(moving) > 40
    bpy.ops.facewright.smooth_performance()


def test_export_sees_parents_drivers_and_constraints(saved, tmp_path):
    """What the object really does, not only its own curves."""
    scene = bpy.context.scene
    scene.render.fps, scene.frame_end = 30, 20
    thing = character(ICT_NAMES)
    bpy.ops.facewright.import_performance(filepath=saved(performance()))
    api.export_performance(bpy.context, str(tmp_path / 'a.npz'), 1, 20)
    parent = bpy.data.objects.new('parent', None)
    scene.collection.objects.link(parent)
    parent.location = (0, 0, 1)
    thing.parent = parent
    driver = thing.data.shape_keys.key_blocks['jawOpen'].driver_add('value').driver
    driver.expression = '0.25'
    api.export_performance(bpy.context, str(tmp_path / 'b.npz'), 1, 20)
    a, b = read_performance(tmp_path / 'a.npz'), read_performance(tmp_path / 'b.npz')
    assert np.allclose(b.translation - a.translation, [0, 100, 0], atol=1e-3) and np.allclose(
        a.rotation, b.rotation, atol=1e-5
    )
    k = a.names.index('jawOpen')
    assert np.allclose(b.weights[:, k], 0.25) and np.allclose(
        np.delete(a.weights, k, 1), np.delete(b.weights, k, 1), atol=1e-5
    )


def test_smoothing_calms_jitter_and_keeps_blinks(saved):
    scene = bpy.context.scene
    scene.render.fps = 30
    rng = np.random.default_rng(0)
    p = performance(frames=90)
    weights = np.clip(0.3 + rng.normal(0, 0.02, p.weights.shape), 0, 1).astype(np.float32)
    blink = ICT_NAMES.index('eyeBlink_L')
    weights[:, blink] = 0
    weights[40:45, blink] = [0.4, 0.9, 1.0, 0.8, 0.3]
    character(ICT_NAMES)
    bpy.ops.facewright.import_performance(filepath=saved(dataclasses.replace(p, weights=weights)))
    assert bpy.ops.facewright.smooth_performance(strength=0.5) == {'FINISHED'}
    calm = api.sample_performance(bpy.context, np.arange(1.0, 91.0))
    jaw = calm.names.index('jawOpen')
    assert (
        np.diff(calm.weights[:, jaw]).std()
        < 0.5 * np.diff(weights[:, ICT_NAMES.index('jawOpen')]).std()
    )
    assert np.abs(calm.weights[:, calm.names.index('eyeBlink_L')] - weights[:, blink]).max() < 0.05
    assert np.allclose(calm.translation, p.translation, atol=0.05)


def test_names_there_and_back(model, model_path, saved):
    """To ARKit's names and back: the same animation, and both halves together the shape
    they were.
    """
    bpy.context.scene.render.fps = 30
    bpy.ops.facewright.add_head(model=model_path)
    head = bpy.context.object
    p = performance(frames=10)
    weights = p.weights.copy()
    for name in ('browInnerUp', 'cheekPuff'):
        weights[:, ICT_NAMES.index(name + '_R')] = weights[:, ICT_NAMES.index(name + '_L')]
    bpy.ops.facewright.import_performance(filepath=saved(dataclasses.replace(p, weights=weights)))
    shapes = [posed(head, f) for f in (2, 9)]
    assert bpy.ops.facewright.rename_shape_keys(naming='ARKIT') == {'FINISHED'}
    keys = head.data.shape_keys.key_blocks
    assert {k.name for k in keys[1:]} == set(ARKIT_NAMES) - {'tongueOut'} and shape_keys.naming(
        head
    ) == 'ARKIT'
    assert np.allclose([posed(head, f) for f in (2, 9)], shapes, atol=1e-6)
    assert len(actions.curves(head.data.shape_keys)) == 51
    assert bpy.ops.facewright.rename_shape_keys(naming='ICT') == {'FINISHED'}
    assert {k.name for k in keys[1:]} == set(ICT_NAMES)
    assert np.allclose([posed(head, f) for f in (2, 9)], shapes, atol=1e-6)
    assert api.rename_shape_keys(bpy.context, 'ICT') == (0, [])


def test_odd_spellings_become_proper_names_and_other_keys_stay():
    thing = character(
        ['EyeBlinkLeft', 'mouthSmile.L', 'jaw_open', 'CheekPuff_l', 'cheekPuff.R', 'myOwn']
    )

    def shown():
        return [k.name for k in thing.data.shape_keys.key_blocks[1:]]

    bpy.ops.facewright.rename_shape_keys(naming='ARKIT')
    assert shown() == ['eyeBlinkLeft', 'mouthSmileLeft', 'jawOpen', 'cheekPuff', 'myOwn']
    bpy.ops.facewright.rename_shape_keys(naming='ICT')
    assert shown() == [
        'eyeBlink_L',
        'mouthSmile_L',
        'jawOpen',
        'cheekPuff_L',
        'myOwn',
        'cheekPuff_R',
    ]


def test_a_mesh_with_both_sets_of_names_loses_nothing():
    both = ['mouthSmile_L', 'mouthSmileLeft', 'cheekPuff', 'cheekPuff_L', 'cheekPuff_R']
    thing = character(both)
    for naming in ('ARKIT', 'ICT'):
        bpy.ops.facewright.rename_shape_keys(naming=naming)
        assert [k.name for k in thing.data.shape_keys.key_blocks[1:]] == both
    exported = api.sample_performance(bpy.context, np.arange(1.0, 4.0))
    assert len(set(exported.names)) == len(exported.names) == 4


def test_smoothing_wants_an_animated_expression():
    thing = character(['jawOpen', 'myOwn'])
    for frame in (1, 5, 9):
        thing.data.shape_keys.key_blocks['myOwn'].keyframe_insert('value', frame=frame)
    with pytest.raises(RuntimeError, match='no animation to smooth'):
        bpy.ops.facewright.smooth_performance()


def test_smoothing_leaves_other_keys_alone(saved):
    thing = character([*ICT_NAMES, 'myOwn'])
    bpy.ops.facewright.import_performance(filepath=saved(performance()))
    own = thing.data.shape_keys.key_blocks['myOwn']
    own.slider_max = 5
    for frame, value in ((1, 0.0), (5, 4.0), (9, 0.0)):
        own.value = value
        own.keyframe_insert('value', frame=frame)
    bpy.ops.facewright.smooth_performance(strength=1)
    bpy.context.scene.frame_set(5)
    assert own.value == 4


def test_meshes_without_such_keys_are_refused_in_a_sentence(saved, tmp_path):
    path = saved(performance())
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError, match=r'poll|Select a mesh'):
        bpy.ops.facewright.import_performance(filepath=path)
    character(['smile', 'frown'])
    with pytest.raises(RuntimeError, match=r'poll|Select a mesh'):
        bpy.ops.facewright.import_performance(filepath=path)


@pytest.mark.parametrize(
    'name, content, sentence',
    [
        ('none.npz', None, 'There is no performance'),
        ('text.txt', b'', 'neither a .csv'),
        ('broken.npz', b'PK', 'not a readable'),
        ('empty.csv', b'', 'is empty'),
        ('other.csv', b'a,b\n1,2\n', 'Timecode'),
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path, name, content, sentence):
    thing = character(ICT_NAMES)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.facewright.import_performance(filepath=str(tmp_path / name))
    assert thing.data.shape_keys.animation_data is None


def test_an_export_that_cannot_be_written_is_a_sentence(tmp_path):
    character(ICT_NAMES)
    (tmp_path / 'file').write_text('')
    for path, sentence in (
        (str(tmp_path / 'file' / 'a.npz'), 'Cannot write'),
        ('', 'No file'),
        (str(tmp_path / 'a.mp3'), 'neither'),
    ):
        with pytest.raises(RuntimeError, match=sentence):
            bpy.ops.facewright.export_performance(filepath=path)
    with pytest.raises(RuntimeError, match='later end frame'):
        bpy.ops.facewright.export_performance(
            filepath=str(tmp_path / 'a.npz'), whole=False, start=9, end=3
        )
