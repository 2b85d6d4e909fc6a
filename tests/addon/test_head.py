"""Adding a head: what the object holds, and that operator and Python agree."""
import bpy
import numpy as np
import pytest

from facewright.addon import api
from facewright.addon.scene import units
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES


def coordinates(points) -> np.ndarray:
    out = np.empty(len(points) * 3, np.float32)
    points.foreach_get('co', out)
    return out.reshape(-1, 3)


def test_add_head_contents(model, model_path):
    assert bpy.ops.facewright.add_head(model=model_path, naming='ICT') == {'FINISHED'}
    head = bpy.context.object
    mesh = head.data
    assert len(mesh.vertices) == model.vertex_count and len(mesh.polygons) == len(model.faces)
    assert np.allclose(coordinates(mesh.vertices), .01 * model.neutral[:, [0, 2, 1]] * [1, -1, 1], atol=1e-7)
    assert [tuple(p.vertices) for p in mesh.polygons] == [tuple(f[f >= 0]) for f in model.faces]
    assert all(p.use_smooth for p in mesh.polygons)
    assert mesh.validate() is False
    assert [m.name for m in mesh.materials] == list(model.materials)
    assert {g.name for g in head.vertex_groups} == set(model.regions)
    group = head.vertex_groups['teeth'].index
    assert [v.index for v in mesh.vertices if group in [g.group for g in v.groups]] == model.regions['teeth'].tolist()
    uv = [tuple(mesh.uv_layers[0].uv[i].vector) for i in mesh.polygons[5].loop_indices]
    assert np.allclose(uv, model.uvs[model.face_uvs[5]])
    keys = mesh.shape_keys.key_blocks
    assert [k.name for k in keys] == ['Basis', *ICT_NAMES]
    for i in (0, 26, 52):
        assert np.allclose(coordinates(keys[i + 1].points), .01 * (model.neutral + model.expressions[i])[:, [0, 2, 1]] * [1, -1, 1], atol=1e-7)
    assert all(k.value == 0 and k.slider_min == 0 and k.slider_max == 1 for k in keys[1:])
    assert np.allclose(head.dimensions, .18, atol=.002)
