"""The texture, the parts and the overlay of a reconstructed head; own masks; qualities. The engine
is played by fake_worker.
"""

import json
import os
import shutil
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from facewright.addon import api, jobs, panels, paths, result_store
from facewright.addon.scene import appearance, results
from facewright.engine.core import owned, store
from facewright.engine.face_model.part_labels import PARTS

from .pictures import write_png
from .samples import make_result
from .test_panels import said

COUNT = store.LIMITS['results'].entries + 1  # and the newest


@pytest.fixture
def standard(tmp_path, model, model_path):
    """A result folder as Standard quality writes it: with a texture (red, its top row green) and
    parts.
    """
    folder = tmp_path / 'result ä'
    make_result(folder, model, model_path)
    write_png(
        folder / 'albedo.png', np.array([[(0, 200, 0)] * 8] + [[(200, 0, 0)] * 8] * 7, np.uint8)
    )
    np.savez(
        folder / 'albedo.npz',
        colours=np.full((model.vertex_count, 3), 0.5, np.float32),
        materials=np.array(['Face']),
    )
    np.savez(
        folder / 'parts.npz',
        labels=(np.arange(model.vertex_count) % 9).astype(np.int8),
        names=np.array(PARTS),
    )
    return folder


@pytest.fixture
def head(standard, fake_worker):
    bpy.ops.facewright.apply_result(directory=str(standard))
    (standard / 'missing.mp4').touch()
    return bpy.context.scene.facewright.result


def textures(head) -> dict:
    return {
        m.name.split('.')[0]: m.node_tree.nodes[appearance.NODE]
        for m in head.data.materials
        if appearance.NODE in m.node_tree.nodes
    }


def test_the_texture_is_in_the_skin_s_material(head, standard, tmp_path):
    found = textures(head)
    assert set(found) == {'Face'}  # not the teeth, not the lashes
    assert 'VERTEX_COLOR' not in [
        n.type for n in head.data.materials[0].node_tree.nodes
    ] and 'VERTEX_COLOR' in [n.type for n in head.data.materials[1].node_tree.nodes]
    assert head.data.color_attributes.keys() == ['Albedo']
    shown, corner = (
        head.data.color_attributes['Albedo'].data,
        head.data.loops[0],
    )  # the first face's: the picture's colour at its UV
    green = head.data.uv_layers[0].uv[0].vector[1] > 0.5
    assert np.allclose(
        shown[corner.vertex_index].color_srgb[:3],
        (0, 200 / 255, 0) if green else (200 / 255, 0, 0),
        atol=0.01,
    )
    node = found['Face']
    assert node.image.packed_file and node.image.colorspace_settings.name == 'sRGB'
    colour = node.outputs['Color'].links[0]
    assert (colour.to_socket.name, colour.to_node.type) == ('Base Color', 'BSDF_PRINCIPLED')
    assert node.inputs['Vector'].links[0].from_node.uv_map == 'UVMap' == head.data.uv_layers[0].name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / 'a.blend'))
    shutil.rmtree(standard)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / 'a.blend'))
    image = textures(bpy.context.scene.facewright.result)['Face'].image
    pixels = np.array(image.pixels).reshape(8, 8, 4)
    assert (
        image.size[:] == (8, 8)
        and np.allclose(pixels[-1, 0, :3], (0, 200 / 255, 0), atol=1e-3)
        and np.allclose(pixels[0, 0, :3], (200 / 255, 0, 0), atol=1e-3)
    )


def test_frames_that_fell_back_are_listed(standard):
    report = json.loads((standard / 'report.json').read_text())
    (standard / 'report.json').write_text(json.dumps(report | {'draft_frames': [4, 9]}))
    bpy.ops.facewright.apply_result(directory=str(standard))
    assert (
        '2 frames as in Draft' in (words := said(panels.reconstruct.FACEWRIGHT_PT_result))
        and '5, 10' in words
    )


def test_parts_are_vertex_groups(head, model):
    names = [g.name for g in head.vertex_groups if g.name.startswith('part_')]
    assert names == [f'part_{n}' for n in PARTS[1:]]
    group = head.vertex_groups['part_nose'].index
    assert [v.index for v in head.data.vertices if group in [g.group for g in v.groups]] == list(
        range(PARTS.index('nose'), model.vertex_count, 9)
    )


@pytest.mark.parametrize(
    'spoil',
    [{'labels': np.zeros(3, np.int8), 'names': np.array(PARTS)}, {'labels': np.zeros(3, np.int8)}],
)
def test_parts_of_another_head_are_refused(standard, spoil):
    np.savez(standard / 'parts.npz', **spoil)
    with pytest.raises(RuntimeError, match='does not fit'):
        bpy.ops.facewright.apply_result(directory=str(standard))
    assert not bpy.data.objects and not bpy.data.images
    assert list((paths.cache_folder() / 'results').iterdir()) == []


def test_a_draft_has_neither(result):
    bpy.ops.facewright.apply_result(directory=str(result[0]))
    head = bpy.context.object
    assert (
        not textures(head)
        and not [g for g in head.vertex_groups if g.name.startswith('part_')]
        and not bpy.data.images
    )


def test_baking_puts_the_texture_in_with_one_undo_step(result, fake_worker):
    bpy.ops.ed.undo_push(message='Start')
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(result[0]))
    shutil.rmtree(result[0])  # what it needs was kept, but the footage
    result[0].mkdir()
    (result[0] / 'missing.mp4').touch()
    assert bpy.ops.facewright.bake_albedo('EXEC_DEFAULT', True, size=64) == {'FINISHED'}
    image = textures(bpy.context.object)['Face'].image
    assert image.size[:] == (64, 64) and jobs.current.arguments['size'] == 64
    bpy.ops.facewright.bake_albedo('EXEC_DEFAULT', True, size=128)
    assert [(i.name, i.size[0]) for i in bpy.data.images] == [
        ('Head front Albedo', 128)
    ]  # in place of the first
    bpy.ops.ed.undo()
    assert textures(bpy.context.scene.facewright.result)['Face'].image.size[0] == 64
    bpy.ops.ed.undo()
    assert (
        not textures(bpy.context.scene.facewright.result)
        and 'facewright_folder' in bpy.context.scene.facewright.result
    )


def test_the_overlay_of_the_current_frame(head):
    scene = bpy.context.scene
    scene.frame_set(7)
    assert bpy.ops.facewright.preview_overlay(show='PARTS') == {'FINISHED'}
    given = jobs.current.arguments
    assert (given['show'], given['frames']) == ('parts', [6]) and given['result'] == head[
        results.FOLDER
    ]
    (image,) = appearance.overlay_images(head)
    assert image.packed_file and image.size[:] == (64, 48) and image.name == f'Overlay {head.name}'
    assert panels.overlay.FACEWRIGHT_PT_overlay.poll(bpy.context)
    words = said(panels.overlay.FACEWRIGHT_PT_overlay)
    assert (
        'frame 7' in words
        and 'nose: 91 %' in words
        and 'upper lip: 74 %' in words
        and 'left brow' not in words
    )
    scene.frame_set(900)
    bpy.ops.facewright.preview_overlay()
    assert jobs.current.arguments['frames'] == [23] and jobs.current.arguments['show'] == 'mesh'
    assert (
        len(appearance.overlay_images(head)) == 1
        and appearance.overlay_images(head)[0].name == f'Overlay {head.name}'
    )
    jobs.clear()
    assert appearance.overlay_images(head)[0].pixels[0] >= 0


def test_an_overlay_of_several_views(tmp_path, model, model_path, fake_worker):
    views = [(n, np.diag([1.0, -1.0, -1.0]), np.array([0, 0.0, 70.0])) for n in ('left', 'right')]
    make_result(tmp_path / 'r', model, model_path, views=views)
    head = api.apply_result(bpy.context, tmp_path / 'r')
    (tmp_path / 'r' / 'missing.mp4').touch()
    bpy.context.scene.camera = bpy.data.objects['right']
    bpy.ops.facewright.preview_overlay()
    assert {i.name for i in appearance.overlay_images(head)} == {
        f'Overlay {head.name} left',
        f'Overlay {head.name} right',
    }


def test_without_a_reconstruction_it_says_so(model_path):
    for operator in (bpy.ops.facewright.preview_overlay, bpy.ops.facewright.bake_albedo):
        with pytest.raises(RuntimeError, match='no reconstruction in this scene'):
            operator()
    assert not panels.overlay.FACEWRIGHT_PT_overlay.poll(bpy.context)
    assert 'Reconstruct a head first' in said(panels.texture.FACEWRIGHT_PT_texture)


def test_without_its_files_it_says_so(head):
    shutil.rmtree(paths.cache_folder() / 'results')
    for operator in (bpy.ops.facewright.preview_overlay, bpy.ops.facewright.bake_albedo):
        with pytest.raises(RuntimeError, match=r'not on this computer any more.*reconstruct again'):
            operator()


def test_without_its_footage_it_says_so(head, standard):
    (standard / 'missing.mp4').unlink()
    for operator in (bpy.ops.facewright.preview_overlay, bpy.ops.facewright.bake_albedo):
        with pytest.raises(
            RuntimeError,
            match=r'The footage of Head front is not at .*missing.mp4 any more: put it back',
        ):
            operator()


def test_while_it_runs_its_bar_is_in_the_buttons_place(head, monkeypatch):
    shown = {
        'preview_overlay': panels.overlay.FACEWRIGHT_PT_overlay,
        'bake_albedo': panels.texture.FACEWRIGHT_PT_texture,
    }
    for task in (*shown, 'reconstruct'):
        for button, panel in shown.items():
            with monkeypatch.context() as patch:
                patch.setattr(
                    jobs,
                    'current',
                    SimpleNamespace(
                        task=task,
                        state='running',
                        fraction=0.4,
                        title='Job',
                        stage='Drawing',
                        remaining=3.0,
                        reported_at=0.0,
                    ),
                )
                words = said(panel)
            assert (
                (f'facewright.{button}' in words)
                == (task != button)
                != ('facewright.cancel' in words)
            )


def test_a_failed_bake_changes_nothing(head, monkeypatch):
    before = textures(head)['Face'].image
    monkeypatch.setenv('FAKE_FAIL', '1')
    for operator in (bpy.ops.facewright.preview_overlay, bpy.ops.facewright.bake_albedo):
        with pytest.raises(RuntimeError, match='The footage has gone'):
            operator()
    assert textures(head)['Face'].image == before and 'The footage has gone' in said(
        panels.texture.FACEWRIGHT_PT_texture
    )


def test_only_the_last_results_are_kept(standard):
    made = [result_store.save(standard) for _ in range(COUNT + 2)]
    left = set((paths.cache_folder() / 'results').iterdir())
    assert (
        len(left) == COUNT
        and made[-1] in left
        and {p.name for p in made[-1].iterdir()}
        == {owned.MARK} | {n for n in result_store.FILES if (standard / n).exists()}
    )


def test_folders_of_the_users_beside_the_kept_results_stay(standard):
    theirs = paths.cache_folder() / 'results' / 'theirs'
    theirs.mkdir(parents=True)
    os.utime(theirs, (1, 1))
    for _ in range(COUNT + 2):
        result_store.save(standard)
    assert theirs.exists()


def test_a_result_that_cannot_be_kept_leaves_nothing(standard, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(result_store.shutil, 'copy2', full)
    with pytest.raises(RuntimeError, match=r'No space left on device.*another cache folder'):
        bpy.ops.facewright.apply_result(directory=str(standard))
    assert list((paths.cache_folder() / 'results').iterdir()) == [] and not bpy.data.objects


def test_own_masks_reach_the_engine(tmp_path):
    (tmp_path / 'masken ö').mkdir()
    for n in ('a.mp4', 'b.png'):
        (tmp_path / n).write_bytes(b'x')
    bpy.ops.facewright.add_footage(
        filepath=str(tmp_path / 'a.mp4'), masks=str(tmp_path / 'masken ö')
    )
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'b.png'))
    settings = bpy.context.scene.facewright
    assert 'masks' in said(panels.footage.FACEWRIGHT_PT_footage_advanced)
    assert api.reconstruction(bpy.context.scene)['masks'] == [str(tmp_path / 'masken ö'), None]
    settings.views[1].masks = str(tmp_path / 'masken ö' / 'face_*.png')
    assert api.reconstruction(bpy.context.scene, 'STANDARD')['masks'][1] == str(
        tmp_path / 'masken ö' / 'face_*.png'
    )
    (tmp_path / 'capture.json').write_text('{"cameras": [{}, {}, {}]}')
    bpy.ops.facewright.add_footage(
        filepath=str(tmp_path / 'capture.json'), masks=str(tmp_path / 'masken ö')
    )
    assert api.reconstruction(bpy.context.scene)['masks'][2:] == [str(tmp_path / 'masken ö')] * 3
    bpy.ops.facewright.remove_footage()
    settings.views[1].masks = str(tmp_path / 'none')
    with pytest.raises(RuntimeError, match='There is no folder of masks for the view b at'):
        bpy.ops.facewright.reconstruct()
    settings.views[0].masks = settings.views[1].masks = ''
    assert 'masks' not in api.reconstruction(bpy.context.scene)


def test_a_quality_saved_as_final_is_standard():
    settings = bpy.context.scene.facewright
    assert settings.quality == 'DRAFT'
    if bpy.app.version < (5, 0):
        settings['quality'] = 1  # as a file of the version before holds it: 0 draft, 1 final
    else:
        settings.bl_system_properties_get(do_create=True)['quality'] = 1
    assert settings.quality == 'STANDARD'
    with pytest.raises(TypeError):
        settings.quality = 'FINAL'


def test_a_photo_is_a_clip_of_one_frame(tmp_path, model, model_path, fake_worker, monkeypatch):
    write_png(tmp_path / 'foto.png', np.full((48, 64, 3), 99, np.uint8))
    make_result(
        tmp_path / 'r',
        model,
        model_path,
        frames=1,
        size=(64, 48),
        clip=tmp_path / 'foto.png',
        kind='photo',
        fps=25.0,
    )
    monkeypatch.setenv('FAKE_RESULT', str(tmp_path / 'r'))
    scene = bpy.context.scene
    scene.facewright.model, scene.facewright.model_path = 'FILE', model_path
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'foto.png'))
    assert scene.facewright.views[0].kind == 'PHOTO'
    bpy.ops.facewright.reconstruct(quality='STANDARD')
    assert json.loads((tmp_path / 'arguments.json').read_text())['sources'] == [
        {'path': str(tmp_path / 'foto.png'), 'name': 'foto', 'kind': 'photo'}
    ]
    assert (scene.frame_start, scene.frame_end) == (1, 1)
    assert scene.camera.data.background_images[0].image.size[:] == (64, 48)
    bpy.ops.facewright.preview_overlay()
    assert jobs.current.arguments['frames'] == [0]
    assert 'Frame 1: good' in said(panels.reconstruct.FACEWRIGHT_PT_result)


@pytest.mark.parametrize(
    'spoil',
    [
        {'colours': np.zeros((3, 3))},
        {'colours': np.full((9, 3), np.nan), 'materials': np.array(['Face'])},
        {'colours': np.zeros((9, 3)), 'materials': np.array(['Fur'])},
    ],
)
def test_colours_that_are_none_are_refused(standard, spoil):
    np.savez(standard / 'albedo.npz', **spoil)
    with pytest.raises(RuntimeError, match='again'):
        bpy.ops.facewright.apply_result(directory=str(standard))
    assert not bpy.data.objects and not bpy.data.images


def test_a_texture_that_is_no_picture_is_refused(standard):
    for content in (b'', b'no picture'):
        (standard / 'albedo.png').write_bytes(content)
        with pytest.raises(RuntimeError, match='cannot read the picture'):
            bpy.ops.facewright.apply_result(directory=str(standard))
        assert not bpy.data.objects and not bpy.data.images


def test_a_head_that_was_edited_takes_the_texture(head):
    """Materials renamed and in another order, a vertex less: the texture finds its place."""
    face = head.data.materials[0]
    face.name, head.name = 'Anna', 'Anna'
    head.shape_key_clear()
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.select_all(action='DESELECT')
    bpy.ops.object.mode_set(mode='OBJECT')
    head.data.vertices[9].select = True
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.delete(type='VERT')
    assert bpy.ops.facewright.bake_albedo(size=64) == {'FINISHED'}
    assert (
        face.node_tree.nodes[appearance.NODE].image.name == 'Anna Albedo'
        and bpy.context.mode == 'EDIT_MESH'
    )
    assert len(bpy.data.images) == 1
