"""With the engine itself: what the operators start really runs.

The first test begins with an empty cache, the longer ones with what tests before them left in
one.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import bmesh
import bpy
import numpy as np
import pytest

from facewright.addon import api, jobs, paths
from facewright.engine.core.sources import fingerprint
from facewright.engine.face_model.expressions import EXPRESSION_NAMES, ICT_NAMES

from .samples import coordinates, posed


def test_the_built_in_head_is_made_the_first_time(tmp_path):
    assert bpy.ops.facewright.add_head() == {'FINISHED'}
    head = bpy.context.object
    assert [k.name for k in head.data.shape_keys.key_blocks[1:]] == list(EXPRESSION_NAMES)
    assert 5000 <= len(head.data.vertices) <= 16000 and 0.2 < head.dimensions.z < 0.5
    assert all(len(m.node_tree.nodes) >= 2 for m in head.data.materials)
    done = jobs.current
    bpy.ops.facewright.add_head(naming='ARKIT')
    assert (
        jobs.current is done and 'jawOpen' in bpy.context.object.data.shape_keys.key_blocks
    )  # from the cache: no second job


def test_importing_what_is_no_face_model_is_a_sentence_with_a_log(tmp_path):
    with pytest.raises(RuntimeError, match='There is no face model at'):
        bpy.ops.facewright.import_face_model(filepath=str(tmp_path / 'none'))
    with zipfile.ZipFile(tmp_path / 'empty.zip', 'w') as archive:
        archive.writestr('FaceXModel/readme.txt', 'nothing')
    with pytest.raises(RuntimeError, match=r'empty.zip lacks .*Log: '):
        bpy.ops.facewright.import_face_model(filepath=str(tmp_path / 'empty.zip'))
    settings = bpy.context.scene.facewright
    assert settings.model == 'BUILTIN' and jobs.current.log.exists()


def test_importing_a_face_model_makes_the_scene_use_it(model_path):
    assert bpy.ops.facewright.import_face_model(filepath=model_path) == {'FINISHED'}
    settings = bpy.context.scene.facewright
    assert (settings.model, settings.model_path) == ('FILE', model_path)
    bpy.ops.facewright.add_head()
    assert bpy.context.object['facewright_model'] == 'sphere'


def test_a_downloaded_face_model_is_used(model_path):
    from facewright.addon.operators import head

    head.FACEWRIGHT_OT_download_face_model.finish(None, bpy.context, {'source': model_path})
    settings = bpy.context.scene.facewright
    assert (settings.model, settings.model_path) == ('FILE', model_path)


def test_blender_offline_downloads_nothing():
    if bpy.app.online_access:
        pytest.skip('this Blender may go online')
    with pytest.raises(RuntimeError, match=r'online|poll'):
        bpy.ops.facewright.download_face_model()


def test_footage_without_a_picture_is_a_sentence_and_nothing_half_made(tmp_path):
    (tmp_path / 'leer.mp4').write_bytes(b'no video')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'leer.mp4'))
    objects = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match=r'leer.mp4 '):
        bpy.ops.facewright.reconstruct(output=str(tmp_path / 'out'))
    assert len(bpy.data.objects) == objects and not (tmp_path / 'out').exists()


RENDER = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); w.register_package()
from facewright.engine.lab.demo import render_demo_footage
render_demo_footage(pathlib.Path(sys.argv[2]), frames=12)
"""


@pytest.fixture
def clip(warm_cache, root) -> Path:
    """Twelve frames that the program renders itself."""
    path = warm_cache / fingerprint('lab.demo') / 'größe 1.mp4'
    if not path.exists():
        path.parent.mkdir()
        subprocess.run(
            [sys.executable, '-c', RENDER, str(root / 'engine' / 'worker.py'), str(path)],
            check=True,
            env=paths.child_environment(),
        )
    return path


def test_a_head_is_followed_through_another_take(tmp_path, clip):
    scene, settings = bpy.context.scene, bpy.context.scene.facewright
    bpy.ops.facewright.add_footage(filepath=str(clip))
    bpy.ops.facewright.reconstruct()
    first = settings.result
    bpy.ops.facewright.set_rig()
    settings.views[0].start = 0.1
    bpy.ops.facewright.reconstruct(old_take='HIDE')
    second = settings.result
    assert first != second and first.name in scene.objects
    for one, other in zip(first.data.shape_keys.key_blocks, second.data.shape_keys.key_blocks):
        assert one.name == other.name
        assert np.array_equal(coordinates(one.data), coordinates(other.data))
    assert f'Its head is that of {settings.rig}.' in api.notes(second)
    assert second['facewright_mean_error'] < 3


def test_a_clip_becomes_an_animated_head(tmp_path, clip):
    """The whole way."""
    bpy.ops.facewright.add_footage(filepath=str(clip))
    bpy.ops.facewright.reconstruct(output=str(tmp_path / 'out'))
    scene = bpy.context.scene
    head = scene.facewright.result
    assert (scene.frame_start, scene.frame_end) == (1, 12)
    assert len(head.data.shape_keys.key_blocks) == 55 and head['facewright_mean_error'] < 3
    assert np.abs(posed(head, 12) - posed(head, 1)).max() > 1e-4
    assert scene.camera.data.background_images[0].clip.frame_duration == 12
    assert {p.name for p in (tmp_path / 'out').iterdir()} >= {
        'rig.npz',
        'performance.npz',
        'performance.csv',
        'overlay.png',
        'report.json',
        'cameras.json',
    }

    if bpy.app.version < (5, 0):
        return  # once is enough: finding the model's parts takes a minute
    scene.frame_set(6)
    assert bpy.ops.facewright.preview_overlay(show='PARTS') == {'FINISHED'}
    shown = bpy.data.images[f'Overlay {head.name}']
    assert (
        tuple(shown.size) == tuple(scene.camera.data.background_images[0].clip.size)
        and shown.packed_file
    )
    assert (
        head['facewright_parts']['frame'] == 6
        and head['facewright_parts']['overlaps']['nose'] > 0.5
    )
    assert bpy.ops.facewright.bake_albedo(size=256) == {'FINISHED'}
    texture = next(
        n.image for m in head.data.materials for n in m.node_tree.nodes if n.type == 'TEX_IMAGE'
    )
    assert (
        tuple(texture.size) == (256, 256)
        and np.array(texture.pixels).reshape(-1, 4)[:, :3].std(0).max() > 0.05
    )


def foreign_head():
    """The built-in head as somebody else's: other topology, no keys, in centimetres, turned, its
    eyes and teeth objects of their own.
    """
    bpy.ops.facewright.add_head()
    head = bpy.context.object
    names = {i: g.name for i, g in enumerate(head.vertex_groups)}
    inner = [
        v.index
        for v in head.data.vertices
        if any(names[g.group].startswith(('eyeball', 'teeth', 'gums')) for g in v.groups)
    ]
    head.shape_key_clear()
    head.vertex_groups.clear()
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.select_all(action='DESELECT')
    edited = bmesh.from_edit_mesh(head.data)
    edited.verts.ensure_lookup_table()
    for index in inner:
        edited.verts[index].select = True
    edited.select_flush(True)
    bpy.ops.mesh.separate(type='SELECTED')
    bpy.ops.object.mode_set(mode='OBJECT')
    parts = list(bpy.context.selected_objects)
    for thing in parts:
        bpy.context.view_layer.objects.active = thing
        thing.modifiers.new('Fewer', 'DECIMATE').ratio = 0.8
        bpy.ops.object.modifier_apply(modifier='Fewer')
        thing.scale, thing.rotation_euler = (100, 100, 100), (0, 0, 2.0)
    bpy.context.view_layer.objects.active = max(parts, key=lambda o: len(o.data.vertices))
    return parts


@pytest.mark.skipif(
    bpy.app.version < (5, 0),
    reason='once is enough: what differs between the versions the fake engine tests',
)
def test_somebody_else_s_head_gets_shape_keys(warm_cache):
    """The whole way: found, wrapped, carried back onto a set of objects of another topology."""
    parts = foreign_head()
    head = bpy.context.view_layer.objects.active
    rest = {o.name: posed(o, 1) for o in parts}
    assert bpy.ops.facewright.generate_shape_keys() == {'FINISHED'}
    keys = head.data.shape_keys.key_blocks
    assert set(ICT_NAMES) <= set(keys.keys())
    up, left = np.array([0, 0, 1.0]), np.array([np.cos(2), np.sin(2), 0])

    def moved(name):
        for key in keys[1:]:
            if key.name in ICT_NAMES:
                key.value = float(key.name == name)
        bpy.context.view_layer.update()
        return {o.name: posed(o, 1) - rest[o.name] for o in parts}

    still = moved('')
    assert (
        max(np.abs(v).max() for v in still.values()) < 0.5
    )  # cm: the neutral may be settled, not changed
    jaw = moved('jawOpen')[head.name] @ up
    assert -4 < jaw.min() < -1 and np.abs(jaw[(rest[head.name] @ up) > 5]).max() < 0.3
    smile = moved('mouthSmile_L')[head.name]
    side = rest[head.name] @ left
    assert (
        np.linalg.norm(smile, axis=1)[side > 1].max()
        > 4 * np.linalg.norm(smile, axis=1)[side < -1.5].max()
    )
    other = next(o for o in parts if o != head)
    assert (
        other.data.shape_keys and np.abs(moved('jawOpen')[other.name] @ up).max() > 0.5
    )  # the lower teeth, driven by the head's slider
    words = bpy.context.scene.facewright.shapes.report
    assert words.startswith('Shape keys: ') and 'tells no unit' not in words


@pytest.mark.skipif(
    bpy.app.version < (5, 0),
    reason='once is enough: what differs between the versions the fake engine tests',
)
def test_what_lies_behind_a_sculpted_basis_follows_in_every_key(warm_cache):
    """The jaw pulled forward in edit mode: lower teeth and gums come along, eyes and upper teeth
    stay, and so does the skin.
    """
    bpy.ops.facewright.add_head()
    head = bpy.context.object
    names = {g.index: g.name for g in head.vertex_groups}
    groups = [[names[g.group] for g in v.groups] for v in head.data.vertices]
    inner = np.array([not {'face', 'head_neck'} & set(g) for g in groups])
    teeth = np.array(['teeth' in g for g in groups])
    eyes = np.array([any(n.startswith('eyeball') for n in g) for g in groups])
    before = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    rest = before['Basis']
    bpy.ops.object.mode_set(mode='EDIT')
    edited = bmesh.from_edit_mesh(head.data)
    for vertex, inside in zip(edited.verts, inner):
        if not inside:
            vertex.co.y -= (
                0.012 * np.exp(-(((vertex.co.z + 0.055) / 0.03) ** 4)) * (vertex.co.y < 0)
            )
    bmesh.update_edit_mesh(head.data)
    bpy.ops.object.mode_set(mode='OBJECT')
    sculpted = {k.name: coordinates(k.points) for k in head.data.shape_keys.key_blocks}
    assert bpy.ops.facewright.fix_cavities() == {'FINISHED'}
    for key in head.data.shape_keys.key_blocks:
        now = coordinates(key.points)
        assert (
            np.array_equal(now[~inner], sculpted[key.name][~inner])
            and np.abs((now - before[key.name])[eyes]).max() < 5e-4
        ), key.name
        assert (
            np.abs(
                (now - before[key.name])
                - (coordinates(head.data.shape_keys.reference_key.points) - rest)
            ).max()
            < 1e-6
        ), key.name
    moved = coordinates(head.data.shape_keys.reference_key.points) - rest
    low = teeth & (rest[:, 2] < np.median(rest[teeth, 2]))
    assert moved[low, 1].mean() < -0.003
    words = bpy.context.scene.facewright.shapes.report
    assert (
        words.startswith('The cavities of the Basis follow the skin')
        and 'crossings before' in words
    )


def test_compare_with_model_and_back_to_plain(warm_cache):
    bpy.ops.facewright.add_head()
    head, shapes = bpy.context.object, bpy.context.scene.facewright.shapes
    bpy.ops.facewright.compare_with_model()
    assert shapes.report.startswith("This head's shapes are the model's own.")
    keys = head.data.shape_keys.key_blocks
    head.active_shape_key_index = keys.find('jawOpen')
    jaw = coordinates(keys['jawOpen'].points)
    own = jaw + 0.1 * (jaw - coordinates(keys['Basis'].points))
    keys['jawOpen'].points.foreach_set('co', own.astype(np.float32).ravel())
    bpy.ops.facewright.compare_with_model()
    assert "1 of 54 shapes differs from the model's, jawOpen the most" in shapes.report
    bpy.ops.facewright.blend_with_model(share=0.0, keep_edits=False)
    assert np.abs(coordinates(keys['jawOpen'].points) - jaw).max() < 5e-6  # m
