"""What is taken of the selected meshes, and what is told where no mesh is selected."""

import bpy
import numpy as np
import pytest

from facewright.addon import api
from facewright.addon.scene.masks import hidden_by_masks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.geometry.user_mesh import read_mesh, seen_triangles, welded, write_mesh

from .samples import add_mesh, select

pytestmark = pytest.mark.usefixtures('worker')


def masked(thing, rows, **settings):
    """Add a Mask modifier that shows the vertices `rows`."""
    group = thing.vertex_groups.new(name='Shown')
    group.add(rows, 0.8, 'REPLACE')
    modifier = thing.modifiers.new('Mask', 'MASK')
    modifier.vertex_group = group.name
    for name, value in settings.items():
        setattr(modifier, name, value)
    return modifier


def shown_by_blender(thing) -> int:
    bpy.context.view_layer.update()
    return len(thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices)


@pytest.mark.parametrize(
    'settings',
    [
        {},
        {'invert_vertex_group': True},
        {'threshold': 0.5},
        {'threshold': 0.9},
        {'show_viewport': False},
    ],
)
def test_masks_hide_what_blender_hides(settings):
    head = add_mesh()
    masked(head, range(40), **settings)
    assert (~hidden_by_masks(head)).sum() == shown_by_blender(head)


@pytest.mark.parametrize('invert', [False, True])
def test_masks_by_an_armatures_selected_bones(invert):
    head = add_mesh()
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    group = head.vertex_groups.new(name=rig.data.bones[0].name)
    group.add(range(25), 1.0, 'REPLACE')
    modifier = head.modifiers.new('Mask', 'MASK')
    modifier.mode, modifier.armature, modifier.invert_vertex_group = 'ARMATURE', rig, invert
    bone = rig.pose.bones[0] if hasattr(rig.pose.bones[0], 'select') else rig.data.bones[0]
    bone.select = True
    expected = len(head.data.vertices) - 25 if invert else 25
    assert (~hidden_by_masks(head)).sum() == shown_by_blender(head) == expected


def test_a_hidden_shell_goes_along_and_is_marked(worker, tmp_path):
    """A cube about the head, hidden by a mask, gets keys but is not looked at."""
    bpy.ops.mesh.primitive_cube_add(size=1)
    shell = bpy.context.object
    head = add_mesh()
    count = len(head.data.vertices)
    select(head, shell)
    bpy.ops.object.join()
    masked(head, range(count))
    select(head)
    job = api.head_job(bpy.context)
    assert job.meshes.mesh.hidden.tolist() == [False] * count + [True] * 8
    write_mesh(tmp_path / 'head.npz', job.meshes.mesh)
    mesh = read_mesh(tmp_path / 'head.npz')
    vertices, triangles, of = welded(mesh)
    seen = vertices[seen_triangles(mesh, triangles, of)]
    assert np.ptp(seen, axis=(0, 1)).max() < 0.21 < np.ptp(vertices, axis=0).max()
    assert mesh.source == head.name
    assert bpy.ops.facewright.generate_shape_keys() == {'FINISHED'}
    assert any(
        k.data[count].co.x != k.relative_key.data[count].co.x
        for k in head.data.shape_keys.key_blocks[1:]
    )


def refused(thing) -> str:
    bpy.context.view_layer.update()
    select(thing)
    with pytest.raises(FacewrightError) as error:
        api.head_job(bpy.context)
    assert str(error.value).startswith(thing.name)
    return str(error.value)


def test_an_armature_says_which_mesh_to_select():
    head = add_mesh('Skin')
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    head.modifiers.new('Armature', 'ARMATURE').object = rig
    assert "select the head's mesh under it, Skin" in refused(rig) and 'Convert' not in refused(rig)


def test_an_instance_says_how_it_is_made_real():
    inside = bpy.data.collections.new('Hero')
    empty = bpy.data.objects.new('Instance', None)
    bpy.context.collection.objects.link(empty)
    empty.instance_type, empty.instance_collection = 'COLLECTION', inside
    assert 'collection Hero' in refused(empty) and 'Make Instances Real' in refused(empty)


def test_curves_are_converted_and_others_are_not():
    bpy.ops.curve.primitive_bezier_circle_add()
    assert 'Convert' in refused(bpy.context.object)
    bpy.ops.object.camera_add()
    assert "is a camera, no mesh: select the head's mesh." in refused(bpy.context.object)
    parent = bpy.data.objects.new('Group', None)
    bpy.context.collection.objects.link(parent)
    add_mesh('Small', rings=4).parent = parent
    add_mesh('Large').parent = parent
    assert 'under it, Large or Small' in refused(parent)


def test_a_warning_of_the_engine_is_one_in_blender(worker, monkeypatch, capfd):
    """Said at warning level, and kept in the panel's report as one."""
    from facewright.addon.operators import shape_keys as operators

    operator = operators.FACEWRIGHT_OT_generate_shape_keys
    told, finish = ['Shape keys: 3 on Head.', 'It hardly fits.'], operators.HeadOperator.finish

    def finish_warned(self, context, result):
        return finish(self, context, result | {'warnings': told[1:]})

    monkeypatch.setattr(operator, 'apply', lambda self, context, out, result: list(told))
    monkeypatch.setattr(operator, 'finish', finish_warned)
    select(add_mesh())
    assert bpy.ops.facewright.generate_shape_keys() == {'FINISHED'}
    assert 'Warning: It hardly fits.' in bpy.context.scene.facewright.shapes.report.splitlines()
    assert 'Warning: Shape keys' in capfd.readouterr().out
