"""With the engine itself: what the operators start really runs, from a cache that is still empty."""
import subprocess
import sys
import zipfile

import bpy
import numpy as np
import pytest

from facewright.addon import jobs, paths
from facewright.engine.face_model.expressions import ICT_NAMES

from .conftest import posed


def test_the_built_in_head_is_made_the_first_time(tmp_path):
    assert bpy.ops.facewright.add_head() == {'FINISHED'}
    head = bpy.context.object
    assert [k.name for k in head.data.shape_keys.key_blocks[1:]] == list(ICT_NAMES)
    assert 5000 <= len(head.data.vertices) <= 12000 and .2 < head.dimensions.z < .5
    assert all(len(m.node_tree.nodes) >= 2 for m in head.data.materials)
    done = jobs.current
    bpy.ops.facewright.add_head(naming='ARKIT')
    assert jobs.current is done and 'jawOpen' in bpy.context.object.data.shape_keys.key_blocks  # from the cache: no second job


def test_importing_what_is_no_face_model_is_a_sentence_with_a_log(tmp_path):
    with pytest.raises(RuntimeError, match='There is no face model at'):
        bpy.ops.facewright.import_face_model(filepath=str(tmp_path / 'none'))
    with zipfile.ZipFile(tmp_path / 'empty.zip', 'w') as archive:
        archive.writestr('FaceXModel/readme.txt', 'nothing')
    with pytest.raises(RuntimeError, match='empty.zip lacks .*Log: '):
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
    with pytest.raises(RuntimeError, match='online|poll'):
        bpy.ops.facewright.download_face_model()


def test_footage_without_a_picture_is_a_sentence_and_nothing_half_made(tmp_path):
    (tmp_path / 'leer.mp4').write_bytes(b'')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'leer.mp4'))
    objects = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match='leer.mp4 is empty'):
        bpy.ops.facewright.reconstruct(output=str(tmp_path / 'out'))
    assert len(bpy.data.objects) == objects and list((tmp_path / 'out').iterdir()) == []


RENDER = '''
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); w.register_package()
from facewright.engine.demo import render_demo_footage
render_demo_footage(pathlib.Path(sys.argv[2]), frames=12)
'''


def test_a_clip_becomes_an_animated_head(tmp_path, root):
    """The whole way, on twelve frames that the program renders itself."""
    clip = tmp_path / 'größe 1.mp4'
    subprocess.run([sys.executable, '-c', RENDER, str(root / 'engine' / 'worker.py'), str(clip)], check=True, env=paths.child_environment())
    bpy.ops.facewright.add_footage(filepath=str(clip))
    bpy.ops.facewright.reconstruct(output=str(tmp_path / 'out'))
    scene = bpy.context.scene
    head = scene.facewright.result
    assert (scene.frame_start, scene.frame_end) == (1, 12)
    assert len(head.data.shape_keys.key_blocks) == 54 and head['facewright_mean_error'] < 3
    assert np.abs(posed(head, 12) - posed(head, 1)).max() > 1e-4
    assert scene.camera.data.background_images[0].clip.frame_duration == 12
    assert {p.name for p in (tmp_path / 'out').iterdir()} >= {'rig.npz', 'performance.npz', 'performance.csv', 'overlay.png', 'report.json', 'cameras.json'}
