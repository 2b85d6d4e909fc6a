"""Rig from Another Take in the Reconstruct panel: an earlier head for more footage of its actor."""

import json

import bpy
import numpy as np
import pytest

from facewright.addon import api, jobs, panels, paths, result_store
from facewright.engine.formats.rig import read_rig

from .samples import coordinates, make_result
from .test_panels import draw


@pytest.fixture
def footage(tmp_path, model_path):
    """A clip in the scene, whose face model is the synthetic one."""
    clip, settings = tmp_path / 'clip.mp4', bpy.context.scene.facewright
    clip.write_bytes(b'x')
    settings.model, settings.model_path = 'FILE', model_path
    bpy.ops.facewright.add_footage(filepath=str(clip))
    return settings


def arguments(result):
    return json.loads((result[0].parent / 'arguments.json').read_text())


def test_the_panels_rig_is_followed_and_none_where_it_is_empty(
    footage, result, fake_worker, monkeypatch
):
    monkeypatch.setenv('FAKE_RESULT', str(result[0]))
    assert footage.rig == '' and 'rig' not in api.reconstruction(bpy.context.scene)
    bpy.ops.facewright.reconstruct()
    assert 'rig' not in arguments(result)
    footage.rig = str(result[0] / 'rig.npz')
    bpy.ops.facewright.reconstruct()
    assert arguments(result)['rig'] == str(result[0] / 'rig.npz')
    bpy.ops.facewright.reconstruct(rig='')
    assert 'rig' not in arguments(result)


def test_the_rig_of_a_head_in_the_scene(footage, result):
    assert 'facewright.set_rig' not in draw(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    with pytest.raises(RuntimeError, match='There is no reconstructed head in this scene'):
        bpy.ops.facewright.set_rig()
    api.apply_result(bpy.context, result[0])
    shown = draw(panels.reconstruct.FACEWRIGHT_PT_reconstruct)
    assert 'rig' in shown and 'facewright.set_rig' in shown
    bpy.ops.facewright.set_rig()
    assert np.array_equal(read_rig(footage.rig).neutral, result[1]['rig'].neutral)
    assert api.reconstruction(bpy.context.scene, rig=footage.rig)['rig'] == footage.rig


def test_its_texture_is_kept_beside_it(footage, result):
    for name in ('albedo.png', 'albedo.npz'):
        (result[0] / name).write_bytes(b'of this head')
    result_store.save(result[0])
    (kept,) = (paths.cache_folder() / 'results').glob('*/albedo.npz')
    assert kept.with_name('albedo.png').exists() and kept.with_name('rig.npz').exists()


def test_a_rig_that_is_gone_is_said_before_a_job_begins(footage, result, fake_worker, tmp_path):
    footage.rig = str(tmp_path / 'gone.npz')
    with pytest.raises(RuntimeError, match=r'There is no rig at .*gone\.npz: check the path'):
        bpy.ops.facewright.reconstruct()
    assert jobs.current is None or jobs.current.task != 'reconstruct'


def test_what_head_it_is_stands_beside_it(tmp_path, model, model_path):
    folder = tmp_path / 'r'
    content = make_result(folder, model, model_path)
    report = json.loads((folder / 'report.json').read_text())
    (folder / 'report.json').write_text(json.dumps(report | {'rig': '/takes/a/rig.npz'}))
    head = api.apply_result(bpy.context, folder)
    assert 'Its head is that of /takes/a/rig.npz.' in api.notes(head)
    assert len(coordinates(head.data.vertices)) == len(content['rig'].neutral)
