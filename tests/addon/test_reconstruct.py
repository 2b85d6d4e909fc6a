"""A reconstruction's result in the scene: what it holds, that the camera sees what the footage saw,
undo, save, failure.
"""

import json

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from facewright.addon import api, jobs
from facewright.addon.scene import actions, regions, results, units
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES

from .samples import FLIP, coordinates, make_result, posed, turn


def seen_by(camera, points) -> np.ndarray:
    """N×2 pixels (corner origin) where Blender's camera sees world points."""
    scene = bpy.context.scene
    scene.camera = camera
    uv = np.array([world_to_camera_view(scene, camera, Vector(p)) for p in points])[:, :2]
    return np.stack(
        [uv[:, 0] * scene.render.resolution_x, (1 - uv[:, 1]) * scene.render.resolution_y], -1
    )


def projected(content, model, frame, view=0) -> np.ndarray:
    """N×2 pixels where OpenCV's pinhole sees the posed head."""
    p, c = content['performance'], content['cameras'][view]
    head = content['rig'].neutral + np.tensordot(p.weights[frame], content['rig'].expressions, 1)
    seen = (head @ p.rotation[frame].T + p.translation[frame]) @ np.array(c['R']).T + np.array(
        c['t']
    )
    image = seen @ np.array(c['K']).T
    return image[:, :2] / image[:, 2:]


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'centre': (300.0, 255.0)},
        {'size': (480, 640)},
        {'size': (480, 640), 'centre': (250.0, 300.0), 'aspect': 1.3},
        {'aspect': 0.75, 'centre': (330.0, 220.0)},
        {'fps': 24.0},
        {'focal': 350.0},
    ],
)
def test_the_camera_sees_what_the_footage_saw(tmp_path, model, model_path, options):
    content = make_result(tmp_path / 'r', model, model_path, **options)
    head = api.apply_result(bpy.context, tmp_path / 'r')
    camera = bpy.context.scene.camera
    for frame in (0, 7, 23):
        points = posed(head, frame + 1)[::9]
        assert np.abs(seen_by(camera, points) - projected(content, model, frame)[::9]).max() < 0.1


def test_calibrated_cameras_see_what_their_footage_saw(tmp_path, model, model_path):
    views = []
    for i, angle in enumerate((-0.6, 0.0, 0.7)):
        R = FLIP @ turn(angle, 0.1)
        views.append((f'view_{i}', R, np.array([1.0, -2.0, 70 + i])))
    content = make_result(tmp_path / 'r', model, model_path, views=views, centre=(310.0, 250.0))
    head = api.apply_result(bpy.context, tmp_path / 'r')
    cameras = sorted(
        (o for o in bpy.context.scene.objects if o.type == 'CAMERA'), key=lambda o: o.name
    )
    assert len(cameras) == 3
    up = posed(head, 1).mean(0)
    for i, camera in enumerate(cameras):
        assert (
            np.abs(
                seen_by(camera, posed(head, 6)[::9]) - projected(content, model, 5, i)[::9]
            ).max()
            < 0.1
        )
    assert abs(up[2]) < 0.02  # a y-up world stands upright in Blender


def test_what_the_scene_holds(result, model):
    folder, content = result
    head = api.apply_result(bpy.context, folder)
    scene = bpy.context.scene
    assert bpy.context.object == head and scene.facewright.result == head
    collection = head.users_collection[0]
    assert (
        len(head.users_collection) == 1
        and collection.name in scene.collection.children
        and collection.name.startswith('Facewright')
    )
    assert {o.type for o in collection.objects} == {'MESH', 'CAMERA'} and scene.camera in list(
        collection.objects
    )
    assert np.allclose(
        coordinates(head.data.vertices), units.points_to_blender(content['rig'].neutral)
    )
    assert (scene.render.fps, scene.render.fps_base) == (30, pytest.approx(1.001))
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 24, 1)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (640, 480)
    keys = head.data.shape_keys
    for frame in (0, 11, 23):
        scene.frame_set(frame + 1)
        assert np.allclose(
            [keys.key_blocks[n].value for n in model.names],
            content['performance'].weights[frame],
            atol=1e-6,
        )
    assert head[results.MEAN] == 1.5
    assert (
        results.sample_at(head, 1),
        results.sample_at(head, 4),
        results.sample_at(head, 99),
    ) == (0, 3, None)
    assert head[results.ERROR][0] == 1 and head[results.ERROR][3] == -1
    assert regions.grades_at(head, 1) == {'face': 'good'} and regions.grades_at(head, 4) is None
    assert (
        results.worst_frame(head) == (24, pytest.approx(3.3)) and results.unseen_frames(head) == 1
    )
    assert api.show_worst_frame(bpy.context) == 24 and scene.frame_current == 24


def test_one_action_with_slots_or_two_without(result):
    head = api.apply_result(bpy.context, result[0])
    own, keys = head.animation_data, head.data.shape_keys.animation_data
    if hasattr(own, 'action_slot'):
        assert own.action == keys.action and len(bpy.data.actions) == 1
        assert (
            own.action_slot != keys.action_slot
            and own.action_slot.target_id_type == 'OBJECT'
            and keys.action_slot.target_id_type == 'KEY'
        )
    else:
        assert own.action != keys.action and len(bpy.data.actions) == 2
    assert len(actions.curves(head)) == 7 and len(actions.curves(head.data.shape_keys)) == len(
        ICT_NAMES
    )


def test_arkit_names_add_up(result, model):
    folder, content = result
    head = api.apply_result(bpy.context, folder, naming='ARKIT')
    keys = head.data.shape_keys.key_blocks
    assert [k.name for k in keys[1:]] == [n for n in ARKIT_NAMES if n != 'tongueOut']
    both = (
        content['rig']
        .expressions[[ICT_NAMES.index('cheekPuff_L'), ICT_NAMES.index('cheekPuff_R')]]
        .sum(0)
    )
    assert np.allclose(
        coordinates(keys['cheekPuff'].points) - coordinates(keys['Basis'].points),
        units.points_to_blender(both),
        atol=1e-6,
    )
    bpy.context.scene.frame_set(6)
    w = dict(zip(model.names, content['performance'].weights[5]))
    assert keys['browInnerUp'].value == pytest.approx(
        (w['browInnerUp_L'] + w['browInnerUp_R']) / 2, abs=1e-5
    )
    assert keys['mouthSmileLeft'].value == pytest.approx(w['mouthSmile_L'], abs=1e-5)


@pytest.mark.parametrize(
    'fps, expected',
    [
        (30 / 1.001, (30, 1.001)),
        (29.97, (30, 1.001)),
        (24 / 1.001, (24, 1.001)),
        (23.98, (24, 1.001)),
        (60 / 1.001, (60, 1.001)),
        (24.0, (24, 1.0)),
        (25.0, (25, 1.0)),
        (30.0, (30, 1.0)),
        (120.0, (120, 1.0)),
        (12.5, (13, 1.04)),
        (10.0, (10, 1.0)),
        (0.5, (1, 2.0)),
    ],
)
def test_frame_rates(fps, expected):
    actions.frame_rate(bpy.context.scene, fps)
    render = bpy.context.scene.render
    assert (render.fps, render.fps_base) == (expected[0], pytest.approx(expected[1], rel=1e-6))


def test_an_uneven_clock_keeps_its_times(tmp_path, model, model_path):
    """Variable frame rate: keyframes between the frames, at the exact times."""
    times = np.cumsum([0, 0.03, 0.05, 0.03, 0.04, 0.1, 0.02, 0.03])
    content = make_result(tmp_path / 'r', model, model_path, frames=8, fps=30.0, times=times)
    head = api.apply_result(bpy.context, tmp_path / 'r')
    at = actions.keyed_expressions(head)[1]
    assert np.allclose(at, 1 + times * 30, atol=1e-4)
    assert results.worst_frame(head)[0] == round(at[-1]) and head[results.ERROR][
        results.sample_at(head, round(at[-1]))
    ] == pytest.approx(1.7)
    assert np.abs(posed(head, at[5]) - posed(head, at[4])).max() > 1e-4
    assert (
        np.abs(
            seen_by(bpy.context.scene.camera, posed(head, at[5])[::9])
            - projected(content, model, 5)[::9]
        ).max()
        < 0.1
    )


def test_steady_clocks_land_on_whole_frames(tmp_path, model, model_path):
    make_result(
        tmp_path / 'r',
        model,
        model_path,
        frames=50,
        fps=30 / 1.001,
        times=np.round(np.arange(50) * 1001 / 30000, 3),
    )
    head = api.apply_result(bpy.context, tmp_path / 'r')
    assert (actions.keyed_expressions(head)[1] == np.arange(1, 51)).all()


def test_the_operator_does_what_python_does(result, fake_worker, monkeypatch, model_path, tmp_path):
    folder, _content = result
    clip = tmp_path / 'clip ö.mp4'
    clip.write_bytes(b'x')
    monkeypatch.setenv('FAKE_RESULT', str(folder))
    scene = bpy.context.scene
    scene.facewright.model, scene.facewright.model_path = 'FILE', model_path
    assert bpy.ops.facewright.add_footage(
        filepath=str(clip), lens=26, offset=0.25, start=1, end=3
    ) == {'FINISHED'}
    scene.facewright.neutral_known, scene.facewright.neutral_at = True, 5
    assert bpy.ops.facewright.reconstruct(quality='STANDARD') == {'FINISHED'}
    given = json.loads((folder.parent / 'arguments.json').read_text())
    assert given['sources'] == [
        {
            'path': str(clip),
            'name': 'clip ö',
            'kind': 'video',
            'lens_mm': 26,
            'offset': 0.25,
            'start': 1,
            'end': 3,
        }
    ]
    assert (given['quality'], given['neutral_frame'], given['smooth'], given['model']) == (
        'standard',
        4,
        0.5,
        model_path,
    )
    by_operator, pose = bpy.context.object, posed(bpy.context.object, 9)
    by_python = api.apply_result(bpy.context, folder, old_take='HIDE')
    assert by_operator != by_python
    assert np.array_equal(
        coordinates(by_operator.data.vertices), coordinates(by_python.data.vertices)
    )
    assert np.array_equal(pose, posed(by_python, 9))
    assert bpy.ops.facewright.apply_result(directory=str(folder)) == {'FINISHED'}


@pytest.mark.parametrize('how', ['reconstruct', 'apply_result'])
def test_what_a_result_warns_of_is_reported(result, fake_worker, monkeypatch, tmp_path, capfd, how):
    folder, content = result
    said = 'The head has no texture (The memory is full): press Bake Skin Texture to try again.'
    (folder / 'report.json').write_text(json.dumps(content['report'] | {'warnings': [said]}))
    monkeypatch.setenv('FAKE_RESULT', str(folder))
    (tmp_path / 'clip.mp4').write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'clip.mp4'))
    assert (
        bpy.ops.facewright.reconstruct()
        if how == 'reconstruct'
        else bpy.ops.facewright.apply_result(directory=str(folder))
    ) == {'FINISHED'}
    assert f'Warning: {said}' in capfd.readouterr().out and bpy.context.scene.facewright.result


def test_files_are_kept_where_asked(result, fake_worker, monkeypatch, tmp_path, model_path):
    monkeypatch.setenv('FAKE_RESULT', str(result[0]))
    (tmp_path / 'clip.mp4').write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'clip.mp4'))
    bpy.ops.facewright.reconstruct(output=str(tmp_path / 'kept'))
    assert (tmp_path / 'kept' / 'rig.npz').exists()
    folder = jobs.current.folder
    bpy.ops.facewright.reconstruct()
    assert not folder.exists()


def test_errors_reach_scripts_as_one_sentence(fake_worker, monkeypatch, tmp_path, result):
    with pytest.raises(RuntimeError, match='There is no footage yet'):
        bpy.ops.facewright.reconstruct()
    clip = tmp_path / 'clip.mp4'
    clip.write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(clip))
    monkeypatch.setenv('FAKE_FAIL', '1')
    objects = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match=r'shows no face.*Log: '):
        bpy.ops.facewright.reconstruct()
    assert jobs.current.state == 'failed' and len(bpy.data.objects) == objects
    clip.unlink()
    with pytest.raises(RuntimeError, match='There is no footage for the view clip at'):
        bpy.ops.facewright.reconstruct()


@pytest.mark.parametrize('spoil', ['rig.npz', 'performance.npz', 'cameras.json', 'report.json'])
def test_a_damaged_result_leaves_nothing_half_made(result, spoil):
    (result[0] / spoil).write_bytes(b'{"cameras": 3}')
    before = {
        k: len(getattr(bpy.data, k))
        for k in ('objects', 'meshes', 'collections', 'actions', 'materials', 'cameras')
    }
    with pytest.raises(RuntimeError, match='again'):
        bpy.ops.facewright.apply_result(directory=str(result[0]))
    assert before == {k: len(getattr(bpy.data, k)) for k in before}


def test_a_failure_halfway_leaves_nothing_half_made(result, monkeypatch):
    from facewright.addon.scene import cameras

    monkeypatch.setattr(cameras, 'put_clip_behind', lambda *_: 1 / 0)
    scene = bpy.context.scene
    before = {
        k: len(getattr(bpy.data, k))
        for k in ('objects', 'meshes', 'collections', 'actions', 'materials', 'cameras')
    }
    names = ('fps', 'fps_base', 'resolution_x')

    def settings():
        render = [getattr(scene.render, name) for name in names]
        return (*render, scene.frame_start, scene.frame_end, scene.camera)

    had = settings()
    with pytest.raises(RuntimeError, match='unforeseen'):
        bpy.ops.facewright.apply_result(directory=str(result[0]))
    assert settings() == had
    assert before == {k: len(getattr(bpy.data, k)) for k in before}


def test_a_result_from_another_computer_takes_the_scene_s_face_model(result, model_path, tmp_path):
    folder, _ = result
    report = json.loads((folder / 'report.json').read_text())
    report['model'] = '/another/computer/ICT-FaceKit.zip'
    (folder / 'report.json').write_text(json.dumps(report))
    settings = bpy.context.scene.facewright
    settings.model, settings.model_path = 'FILE', model_path
    assert bpy.ops.facewright.apply_result(directory=str(folder)) == {'FINISHED'}
    settings.model_path = str(tmp_path / 'gone')
    with pytest.raises(RuntimeError, match=r'There is no face model at .*gone'):
        bpy.ops.facewright.apply_result(directory=str(folder))


def test_a_result_of_another_face_model_is_refused(result, tmp_path, model):
    from facewright.engine.face_model import store

    from .samples import sphere_model

    store.write_model(tmp_path / 'other.npz', sphere_model(rows=10))
    report = json.loads((result[0] / 'report.json').read_text())
    (result[0] / 'report.json').write_text(
        json.dumps(report | {'model': str(tmp_path / 'other.npz')})
    )
    with pytest.raises(RuntimeError, match='another face model'):
        bpy.ops.facewright.apply_result(directory=str(result[0]))


def test_one_undo_takes_all_of_it_away_and_redo_brings_it_back(result):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message='Start')
    had = (
        {o.name for o in bpy.data.objects},
        bpy.context.scene.render.fps,
        bpy.context.scene.frame_end,
    )
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(result[0]))
    made = {o.name for o in bpy.data.objects}
    assert len(made) == len(had[0]) + 2
    bpy.ops.ed.undo()
    assert (
        {o.name for o in bpy.data.objects},
        bpy.context.scene.render.fps,
        bpy.context.scene.frame_end,
    ) == had
    bpy.ops.ed.redo()
    assert {o.name for o in bpy.data.objects} == made
    assert len(bpy.context.scene.facewright.result.data.shape_keys.key_blocks) == 54


def test_saved_and_reloaded(result, model, tmp_path):
    folder, content = result
    (tmp_path / 'c.mp4').write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'c.mp4'), name='Take 3', lens=26)
    bpy.ops.facewright.apply_result(directory=str(folder))
    before = posed(bpy.context.object, 9)
    path = str(tmp_path / 'szene ß.blend')
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    settings = bpy.context.scene.facewright
    head = settings.result
    assert settings.views[0].label == 'Take 3' and settings.views[0].lens == 26
    assert np.allclose(posed(head, 9), before, atol=1e-7)
    assert (
        np.abs(
            seen_by(bpy.context.scene.camera, posed(head, 9)[::9])
            - projected(content, model, 8)[::9]
        ).max()
        < 0.1
    )
    assert head[results.ERROR][results.sample_at(head, 2)] == pytest.approx(1.1)
