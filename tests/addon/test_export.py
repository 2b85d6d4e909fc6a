"""What leaves Blender still moves: FBX, glTF and USD carry the shape keys and their animation, read
back by Blender's own importers.
"""

import bpy
import numpy as np
import pytest

from facewright.addon import api
from facewright.addon.scene import actions

from .samples import posed


def write_and_read(kind, path):
    """Export the active head and read the file into an empty scene; returns the mesh object that
    came back.
    """
    if kind == 'fbx':
        bpy.ops.export_scene.fbx(
            filepath=path,
            use_selection=True,
            bake_anim=True,
            bake_anim_use_all_actions=False,
            bake_anim_use_nla_strips=False,
            bake_anim_simplify_factor=0,
            add_leaf_bones=False,
        )
    elif kind == 'glb':
        # 4.2 has two Actions, which glTF's default mode keeps apart as two animations
        mode = 'ACTIONS' if hasattr(bpy.types.AnimData, 'action_slot') else 'ACTIVE_ACTIONS'
        bpy.ops.export_scene.gltf(
            filepath=path,
            export_format='GLB',
            use_selection=True,
            export_morph=True,
            export_animations=True,
            export_animation_mode=mode,
        )
    else:
        bpy.ops.wm.usd_export(
            filepath=path, selected_objects_only=True, export_animation=True, export_shapekeys=True
        )
    fps = bpy.context.scene.render.fps, bpy.context.scene.render.fps_base
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps
    if kind == 'fbx':
        bpy.ops.import_scene.fbx(filepath=path)
    elif kind == 'glb':
        bpy.ops.import_scene.gltf(filepath=path)
    else:
        bpy.ops.wm.usd_import(filepath=path)
    return next(o for o in bpy.data.objects if o.type == 'MESH' and o.data.shape_keys)


@pytest.mark.parametrize('kind', ['fbx', 'glb', 'usdc'])
@pytest.mark.parametrize('naming', ['ICT', 'ARKIT'])
def test_shape_keys_and_their_animation_survive(result, tmp_path, kind, naming):
    folder, _content = result
    head = api.apply_result(bpy.context, folder, naming=naming)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    names = [k.name for k in head.data.shape_keys.key_blocks[1:]]
    values = {}
    for frame in (2, 11, 22):
        scene.frame_set(frame)
        values[frame] = [k.value for k in head.data.shape_keys.key_blocks[1:]]
    shapes = {frame: posed(head, frame) for frame in values}
    back = write_and_read(kind, str(tmp_path / f'kopf ä.{kind}'))
    keys = back.data.shape_keys.key_blocks
    assert [k.name for k in keys[1:]] == names or {k.name for k in keys[1:]} == set(names)
    curves = [c for c in actions.curves(back.data.shape_keys) if c.data_path.endswith('.value')]
    assert len(curves) == len(names)
    shift = round(min(c.keyframe_points[0].co.x for c in curves)) - 1
    for frame, wanted in values.items():
        bpy.context.scene.frame_set(frame + shift)
        got = {k.name: k.value for k in keys}
        assert np.allclose([got[n] for n in names], wanted, atol=0.01)
        there, here = posed(back, frame + shift), shapes[frame]
        assert np.allclose(there.min(0), here.min(0), atol=1e-3) and np.allclose(
            there.max(0), here.max(0), atol=1e-3
        )
