"""Adding a head: what the object holds, and that operator and Python agree."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facewright.addon import api, models
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model.expressions import ICT_NAMES


def coordinates(points) -> np.ndarray:
    out = np.empty(len(points) * 3, np.float32)
    points.foreach_get('co', out)
    return out.reshape(-1, 3)


def test_add_head_contents(model, model_path):
    assert bpy.ops.facewright.add_head(model=model_path, naming='ICT') == {'FINISHED'}
    head = bpy.context.object
    mesh = head.data
    assert len(mesh.vertices) == model.vertex_count and len(mesh.polygons) == len(model.faces)
    assert np.allclose(
        coordinates(mesh.vertices), 0.01 * model.neutral[:, [0, 2, 1]] * [1, -1, 1], atol=1e-7
    )
    assert [tuple(p.vertices) for p in mesh.polygons] == [tuple(f[f >= 0]) for f in model.faces]
    assert all(p.use_smooth for p in mesh.polygons)
    assert mesh.validate() is False
    assert [m.name for m in mesh.materials] == list(model.materials)
    assert {g.name for g in head.vertex_groups} == set(model.regions)
    group = head.vertex_groups['teeth'].index
    assert [
        v.index for v in mesh.vertices if group in [g.group for g in v.groups]
    ] == model.regions['teeth'].tolist()
    uv = [tuple(mesh.uv_layers[0].uv[i].vector) for i in mesh.polygons[5].loop_indices]
    assert np.allclose(uv, model.uvs[model.face_uvs[5]])
    keys = mesh.shape_keys.key_blocks
    assert [k.name for k in keys] == ['Basis', *ICT_NAMES]
    for i in (0, 26, 52):
        assert np.allclose(
            coordinates(keys[i + 1].points),
            0.01 * (model.neutral + model.expressions[i])[:, [0, 2, 1]] * [1, -1, 1],
            atol=1e-7,
        )
    assert all(k.value == 0 and k.slider_min == 0 and k.slider_max == 1 for k in keys[1:])
    assert np.allclose(head.dimensions, 0.18, atol=0.002)


def test_materials_of_eyes_in_the_solid_view():
    """The viewport's colour of an opaque material is that of its vertices; what lies before an eye
    is clear.
    """
    from facewright.addon.scene import heads
    from facewright.engine.face_model import load_model

    model = load_model('builtin')
    head = heads.create_head('Head', model)
    colours = {m[heads.SURFACE]: np.array(m.diffuse_color) for m in head.data.materials}
    assert (
        np.allclose(colours['Iris'][:3], (0.0732, 0.0331, 0.0137), atol=0.003)
        and colours['Iris'][3] == 1
    )
    assert (
        (colours['Pupil'][:3] < 0.01).all()
        and (colours['Sclera'][:3] > 0.5).all()
        and (colours['Sclera'][:3] < 0.72).all()
    )
    for name in ('CorneaLeft', 'LacrimalFluid', 'EyeOcclusion', 'EyeBlend'):
        material = heads.surface_material(name)
        shader = next(n for n in material.node_tree.nodes if n.type == 'BSDF_PRINCIPLED')
        assert material.diffuse_color[3] == 0 and shader.inputs['Alpha'].default_value < 0.11
        assert material.surface_render_method == 'BLENDED'
    lash = heads.surface_material('EyeLashes')
    shader = next(n for n in lash.node_tree.nodes if n.type == 'BSDF_PRINCIPLED')
    assert (
        shader.inputs['Alpha'].is_linked
        and max(shader.inputs['Base Color'].default_value[:3]) < 0.05
    )
    assert lash.diffuse_color[3] < 0.2


def test_painting_again_keeps_the_alpha_and_moves_the_viewport_colours():
    from facewright.addon.scene import heads
    from facewright.engine.face_model import load_model

    head = heads.create_head('Head', load_model('builtin'))
    before = heads.point_colours(head.data)[:, 3]
    heads.paint(head.data, np.full((len(head.data.vertices), 3), 0.5))
    assert np.allclose(heads.point_colours(head.data)[:, 3], before, atol=0.01)
    iris = next(m for m in head.data.materials if m[heads.SURFACE] == 'Iris')
    assert np.allclose(iris.diffuse_color[:3], 0.2140, atol=0.002)


def test_a_damaged_cache_is_not_there(model, model_path, tmp_path, monkeypatch):
    """The engine makes it again; a model that was chosen as a file of its own is an error."""
    source = tmp_path / 'kit.zip'
    source.write_bytes(b'x')
    monkeypatch.setattr(
        models,
        'cached_model_path',
        lambda source: tmp_path / 'kept.npz' if source.endswith('zip') else Path(source),
    )
    (tmp_path / 'kept.npz').write_bytes(Path(model_path).read_bytes())
    assert models.cached(str(source)) is not None
    (tmp_path / 'kept.npz').write_bytes(Path(model_path).read_bytes()[:500])
    models.forget()
    assert models.cached(str(source)) is None
    assert api.model_is_ready(str(source)) is False
    with pytest.raises(FacewrightError, match='not a readable cached face model'):
        models.cached(str(tmp_path / 'kept.npz'))
