"""What a take does to a scene that somebody works in: its view, its settings, its earlier takes."""

import json
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Vector

from facewright.addon import api
from facewright.addon.scene import actions, results, takes, viewports

from .samples import make_clip, make_result, posed


@pytest.fixture
def start():
    """Blender's default scene: Cube, Camera, Light."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    bpy.ops.ed.undo_push(message='Start')
    return bpy.context.scene


@pytest.fixture
def folder(tmp_path, model, model_path) -> Path:
    make_result(tmp_path / 'r', model, model_path)
    return tmp_path / 'r'


def space():
    return viewports.main_view(bpy.context)[1].spaces.active


def scene_settings(scene):
    render = scene.render
    return (
        render.fps,
        round(render.fps_base, 6),
        scene.frame_start,
        scene.frame_end,
        render.resolution_x,
        render.resolution_y,
        scene.camera.name,
    )


def visible():
    return sorted(o.name for o in bpy.context.view_layer.objects if o.visible_get())


def animate(thing, frames=(1, 30)):
    for f in frames:
        thing.location.x = f / 10
        thing.keyframe_insert('location', frame=f)


def test_the_first_run_shows_the_head_over_its_clip_and_one_undo_brings_all_back(start, folder):
    before, settings, seen = viewports._state(space()), scene_settings(start), visible()
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(folder))
    head = bpy.context.object
    assert (
        head.select_get()
        and start.camera.type == 'CAMERA'
        and start.camera[takes.TAKE] == head[takes.TAKE]
    )
    assert space().region_3d.view_perspective == 'CAMERA'
    assert (space().shading.type, space().shading.color_type) == ('SOLID', 'VERTEX')
    assert 'Cube' not in visible() and {'Camera', 'Light', head.name} <= set(visible())
    assert 'Cube stands in the way and is hidden in the view (Alt-H shows all again).' in api.notes(
        head
    )
    assert not bpy.data.objects['Cube'].hide_render
    after = viewports._state(space())
    bpy.ops.ed.undo()
    assert visible() == seen and scene_settings(bpy.context.scene) == settings
    assert viewports._state(space()) == before
    bpy.ops.ed.redo()
    now = viewports._state(space())
    assert (
        now['region_3d.view_perspective'] == 'CAMERA'
        and now['shading.color_type'] == after['shading.color_type']
        and 'Cube' not in visible()
    )


@pytest.mark.parametrize('width, height, sidebar', [(300, 40, 0), (900, 52, 200)])
def test_a_view_of_which_next_to_nothing_is_free_keeps_its_camera_frame(
    start, width, height, sidebar
):
    region = SimpleNamespace(type='WINDOW', x=0, y=0, width=width, height=height)
    beside = SimpleNamespace(type='UI', x=width - sidebar, y=0, width=sidebar, height=height)
    header = SimpleNamespace(type='HEADER', x=0, y=height - 26, width=width, height=26)
    tools = SimpleNamespace(type='TOOLS', x=0, y=0, width=40, height=height)
    area = SimpleNamespace(type='VIEW_3D', regions=[region, beside, header, tools])
    window = SimpleNamespace(scene=start)
    context = SimpleNamespace(area=area, window=window, scene=start, screen=None)
    view = SimpleNamespace(view_camera_zoom=7.0, view_camera_offset=(0.1, 0.2))
    viewports._fit(context, view)
    assert view.view_camera_zoom == 7.0 and view.view_camera_offset == (0.1, 0.2)
    region.width, region.height, header.y = 900, 600, 574
    beside.x, beside.width = 900, 0
    viewports._fit(context, view)
    assert view.view_camera_zoom > 7.0


def test_a_view_that_was_changed_since_is_left_alone_by_undo(start, folder):
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(folder))
    space().region_3d.view_perspective = 'ORTHO'
    space().shading.type = 'WIREFRAME'
    space().region_3d.view_location = (1, 2, 3)
    bpy.ops.ed.undo()
    assert space().region_3d.view_perspective == 'ORTHO' and space().shading.type == 'WIREFRAME'
    assert tuple(space().region_3d.view_location) == (1, 2, 3)


def test_the_texture_is_shown_in_material_preview(start, folder, model):
    from .pictures import write_png

    write_png(folder / 'albedo.png', np.full((64, 64, 3), 120, np.uint8))
    np.savez(
        folder / 'albedo.npz',
        colours=np.full((model.vertex_count, 3), 0.25, np.float32),
        materials=np.array(['Face']),
    )
    api.apply_result(bpy.context, folder)
    assert space().shading.type == 'MATERIAL'


@pytest.mark.parametrize(
    'where, empty, animated',
    [
        ((0, 0.25, 0), True, True),
        ((0, 3, 0), True, False),
        ((0, -1, 0), False, False),
        ((3, 0.5, 0), False, False),
    ],
)
@pytest.mark.parametrize('keep', [False, True])
def test_what_stands_in_the_way(folder, where, empty, animated, keep):
    """The head is half a metre before the camera, which looks along +y from the origin. A set
    behind the head stays where it is the user's.
    """
    bpy.ops.mesh.primitive_cube_add(size=0.1, location=where)
    thing = bpy.context.object
    thing.scale *= 5 if where[1] > 1 else 1
    bpy.ops.mesh.primitive_cube_add(size=0.1, location=where)
    frame = bpy.context.object
    frame.display_type = 'WIRE'
    head = api.apply_result(bpy.context, folder, scene_settings='KEEP' if keep else 'AUTO')
    assert (
        thing.hide_get() == (animated if keep else empty)
        and not frame.hide_get()
        and head.visible_get()
    )
    assert ('in the way' in ' '.join(api.notes(head))) == thing.hide_get()


def test_an_instance_in_the_way_is_hidden(folder):
    bpy.ops.mesh.primitive_cube_add(size=0.1, location=(0, 0.25, 0))
    hidden = bpy.data.collections.new('Props')
    hidden.objects.link(bpy.context.object)
    bpy.context.scene.collection.objects.unlink(bpy.context.object)
    instance = bpy.data.objects.new('Instance', None)
    instance.instance_type, instance.instance_collection = 'COLLECTION', hidden
    bpy.context.scene.collection.objects.link(instance)
    api.apply_result(bpy.context, folder)
    assert instance.hide_get()


def test_a_scene_that_keeps_its_camera_is_looked_at_through_the_new_one(start, folder):
    animate(bpy.data.objects['Cube'])
    head = api.apply_result(bpy.context, folder)
    assert (
        start.camera.name == 'Camera'
        and space().use_local_camera
        and space().camera == api.head_cameras(head)[0]
    )
    api.look_through(bpy.context)
    assert start.camera.name == 'Camera' and (
        start.render.resolution_x,
        start.render.resolution_y,
    ) == (1920, 1080)


def test_added_heads_are_seen(start, model_path):
    bpy.ops.facewright.add_head('EXEC_DEFAULT', True, model=model_path)
    head = bpy.context.object
    assert bpy.data.objects['Cube'].hide_get() and head.visible_get()
    view = space().region_3d
    assert (
        (view.view_location - head.location).length < 0.2
        and view.view_distance < 1.5
        and view.view_perspective == 'PERSP'
    )
    before = Vector(view.view_location)
    bpy.ops.ed.undo()
    assert not bpy.data.objects['Cube'].hide_get()
    assert space().region_3d.view_distance > 3 and before.length < 1


def test_an_empty_scene_takes_the_footage_s_settings(start, folder):
    api.apply_result(bpy.context, folder)
    assert scene_settings(start)[:6] == (30, pytest.approx(1.001), 1, 24, 640, 480)


@pytest.mark.parametrize('what', ['object', 'nla', 'strip', 'keys', 'material', 'scene'])
def test_an_animated_scene_keeps_its_settings_and_the_take_its_speed(start, folder, tmp_path, what):
    cube = bpy.data.objects['Cube']
    if what == 'object':
        animate(cube)
    elif what == 'nla':
        animate(cube)
        action = cube.animation_data.action
        cube.animation_data.action = None
        cube.animation_data.nla_tracks.new().strips.new('a', 1, action)
    elif what == 'strip':
        takes.strips(start).new_effect(
            name='c',
            type='COLOR',
            channel=1,
            frame_start=1,
            **({'length': 9} if bpy.app.version >= (5, 0) else {'frame_end': 9}),
        )
    elif what == 'keys':
        cube.shape_key_add(name='Basis')
        cube.shape_key_add(name='a').keyframe_insert('value', frame=3)
    elif what == 'material':
        cube.active_material.keyframe_insert('diffuse_color', frame=2)
    else:
        start.keyframe_insert('gravity', frame=2)
    start.render.fps, start.frame_start, start.frame_end = 24, 11, 40
    had = scene_settings(start)
    head = api.apply_result(bpy.context, folder)
    assert scene_settings(start) == had
    at = actions.keyed_expressions(head)[1]
    assert at[0] == 11 and np.allclose(np.diff(at), 24 * 1.001 / 30, atol=1e-4)
    assert (
        'keeps its frame rate' in api.notes(head)[0] and '24 frames a second' in api.notes(head)[0]
    )
    assert results.sample_at(head, 12) is not None


def test_what_the_user_says_goes(start, folder):
    had = scene_settings(start)
    api.apply_result(bpy.context, folder, scene_settings='KEEP')
    assert scene_settings(start) == had
    animate(bpy.data.objects['Cube'])
    start.facewright.scene_settings = 'FOOTAGE'
    bpy.ops.facewright.apply_result(directory=str(folder))
    assert scene_settings(start)[:2] == (30, pytest.approx(1.001))


def test_a_second_take_at_another_rate_leaves_the_first_alone(start, tmp_path, model, model_path):
    make_result(tmp_path / 'a', model, model_path, fps=30.0, clip=tmp_path / 'a.mp4')
    make_result(tmp_path / 'b', model, model_path, fps=25.0, frames=50, clip=tmp_path / 'b.mp4')
    first = api.apply_result(bpy.context, tmp_path / 'a')
    had, keyed, pose = (
        scene_settings(start),
        actions.keyed_expressions(first)[1].tolist(),
        posed(first, 9),
    )
    second = api.apply_result(bpy.context, tmp_path / 'b')
    assert scene_settings(start) == had and first.name in bpy.data.objects
    assert actions.keyed_expressions(first)[1].tolist() == keyed and np.array_equal(
        posed(first, 9), pose
    )
    assert np.allclose(np.diff(actions.keyed_expressions(second)[1]), 1.2, atol=1e-4)
    assert 'ends before' in ' '.join(api.notes(second))


def test_reconstructing_again_replaces_the_take(start, folder):
    api.apply_result(bpy.context, folder)
    count = {k: len(getattr(bpy.data, k)) for k in takes.MARKED}
    names = {o.name for o in bpy.data.objects}
    head = api.apply_result(bpy.context, folder)
    assert {k: len(getattr(bpy.data, k)) for k in takes.MARKED} == count
    assert {o.name for o in bpy.data.objects} == names and start.facewright.result == head
    assert 'The earlier take of this footage was replaced.' in api.notes(head)
    assert scene_settings(start)[:2] == (30, pytest.approx(1.001))


@pytest.mark.parametrize(
    'kind, chosen',
    [
        ('VIDEO', 'f_001.png'),
        ('SEQUENCE', 'f_007.png'),
        ('CAPTURE', 'capture.json'),
        ('CAPTURE', '.'),
        ('VIDEO', 'f_007.png'),
    ],
)
def test_clips_are_made_for_the_rate_the_scene_will_have(
    start, tmp_path, model, model_path, kind, chosen
):
    shots = tmp_path / 'shots'
    shots.mkdir()
    for name in ('f_001.png', 'f_007.png', 'capture.json'):
        (shots / name).write_bytes(b'x')
    make_result(tmp_path / 'r', model, model_path, clip=shots / 'f_001.png', kind='sequence')
    api.apply_result(bpy.context, tmp_path / 'r')
    view = start.facewright.views.add()
    view.kind, view.filepath = kind, str(shots / chosen)
    kept = api.reconstruction(start)['rate']  # None: the footage's, as the take is replaced
    other = (kind, chosen) == ('VIDEO', 'f_007.png')
    assert kept == (actions.scene_fps(start) if other else None)
    assert api.reconstruction(start, old_take='HIDE')['rate'] == actions.scene_fps(start)


def test_a_strip_of_the_take_in_a_meta_strip_goes_and_the_others_there_stay(start, folder):
    old, strips = api.apply_result(bpy.context, folder), takes.strips(start)
    outer = strips.new_meta(name='Mine', channel=3, frame_start=1)
    for channel, mark in ((1, old[takes.TAKE]), (2, '')):
        inner = strips.new_meta(name='Inner', channel=channel, frame_start=1)
        inner[takes.TAKE] = mark
        inner.move_to_meta(outer)
    assert len(takes.all_strips(start)) == 3
    api.apply_result(bpy.context, folder)
    assert [s.get(takes.TAKE, '') for s in takes.all_strips(start)] == ['', '']


def test_reconstructing_again_in_one_undo_step(start, folder):
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(folder))
    first = bpy.context.object[takes.TAKE]
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(folder))
    assert bpy.context.object[takes.TAKE] != first
    bpy.ops.ed.undo()
    assert (
        bpy.context.scene.facewright.result[takes.TAKE] == first
        and space().region_3d.view_perspective == 'CAMERA'
    )
    bpy.ops.ed.undo()
    assert (
        bpy.context.scene.camera.name == 'Camera' and space().region_3d.view_perspective == 'PERSP'
    )


def test_the_old_take_can_be_kept_hidden(start, folder):
    old = api.apply_result(bpy.context, folder)
    new = api.apply_result(bpy.context, folder, old_take='HIDE')
    assert not old.visible_get() and new.visible_get() and old.hide_render
    assert [o for o in bpy.context.view_layer.objects if o.visible_get() and takes.is_head(o)] == [
        new
    ]
    third = api.apply_result(bpy.context, folder, old_take='HIDE')
    assert (
        len([o for o in bpy.data.objects if takes.is_head(o)]) == 3
        and third.visible_get()
        and not new.visible_get()
    )


def own_modifier(head):
    head.modifiers.new('Mine', 'SUBSURF')


def own_parent(head):
    head.parent = bpy.data.objects['Light']


def own_child(head):
    bpy.data.objects['Cube'].parent = head


def own_object(head):
    head.users_collection[0].objects.link(bpy.data.objects['Cube'])


def own_constraint(head):
    bpy.data.objects['Cube'].constraints.new('COPY_LOCATION').target = head


def own_sculpting(head):
    head.data.shape_keys.key_blocks[3].data[7].co.x += 0.001


def own_keys(head):
    head.data.shape_keys.key_blocks[4].keyframe_insert('value', frame=77)


def own_copy(head):
    twin = head.copy()
    bpy.context.scene.collection.objects.link(twin)


def own_material(head):
    head.material_slots[0].material = bpy.data.materials.new('Mine')


def own_shading(head):
    nodes = head.material_slots[0].material.node_tree.nodes
    shader = next(n for n in nodes if n.type == 'BSDF_PRINCIPLED')
    shader.inputs['Roughness'].default_value = 0.9


def own_node(head):
    head.material_slots[0].material.node_tree.nodes.new('ShaderNodeTexNoise')


def own_camera_move(head):
    animate(api.head_cameras(head)[0])


def own_scene(head):
    bpy.data.scenes.new('Other').collection.children.link(head.users_collection[0])


@pytest.mark.parametrize(
    'work',
    [
        own_modifier,
        own_parent,
        own_child,
        own_object,
        own_constraint,
        own_sculpting,
        own_keys,
        own_copy,
        own_material,
        own_shading,
        own_node,
        own_camera_move,
        own_scene,
    ],
)
def test_what_the_user_made_of_the_old_head_is_kept_hidden_and_said(start, folder, work):
    old = api.apply_result(bpy.context, folder)
    work(old)
    name = old.name
    new = api.apply_result(bpy.context, folder)
    assert old.name == name and not old.visible_get() and new.visible_get()
    assert f'The earlier {name}' in ' '.join(api.notes(new)) and 'kept, hidden' in ' '.join(
        api.notes(new)
    )
    assert 'Cube' in bpy.data.objects


def test_names_say_nothing_about_whose_an_object_is(start, folder):
    mine = bpy.data.objects['Cube']
    old = api.apply_result(bpy.context, folder)
    old.name, mine.name = 'Anna', 'Head front'
    api.apply_result(bpy.context, folder)
    assert 'Anna' not in bpy.data.objects and mine.name == 'Head front'


def test_other_footage_and_other_parts_of_it_are_other_takes(start, tmp_path, model, model_path):
    clip = tmp_path / 'c.mp4'
    for name, first in (('a', 0), ('b', 100), ('c', 110)):
        make_result(tmp_path / name, model, model_path, clip=clip, first=first)
    make_result(tmp_path / 'd', model, model_path, clip=tmp_path / 'd.mp4')
    for name, count in (('a', 1), ('b', 2), ('c', 2), ('d', 3)):
        api.apply_result(bpy.context, tmp_path / name)
        assert len([o for o in bpy.data.objects if takes.is_head(o)]) == count


def test_the_result_is_the_selected_head_s(start, tmp_path, model, model_path):
    make_result(tmp_path / 'a', model, model_path, clip=tmp_path / 'a.mp4')
    make_result(tmp_path / 'b', model, model_path, clip=tmp_path / 'b.mp4', size=(320, 240))
    first, second = (api.apply_result(bpy.context, tmp_path / n) for n in 'ab')

    def pick(thing):
        bpy.context.view_layer.objects.active = thing

    pick(bpy.data.objects['Light'])
    assert api.reconstructed_head(bpy.context) == second
    for thing in (first, api.head_cameras(first)[0]):
        pick(thing)
        assert api.reconstructed_head(bpy.context) == first
    assert api.look_through(bpy.context) == api.head_cameras(first)[0]
    assert bpy.context.scene.camera == api.head_cameras(first)[0]
    pick(second)
    assert api.look_through(bpy.context) == api.head_cameras(second)[0]
    child = bpy.data.objects['Cube']
    child.parent = first
    pick(child)
    assert api.reconstructed_head(bpy.context) == first


def test_a_folder_beside_an_unsaved_blend_is_refused_at_once(tmp_path, fake_worker):
    (tmp_path / 'clip.mp4').write_bytes(b'x')
    bpy.ops.facewright.add_footage(filepath=str(tmp_path / 'clip.mp4'))
    with pytest.raises(RuntimeError, match='not saved yet'):
        bpy.ops.facewright.reconstruct(output='//out')
    with pytest.raises(RuntimeError, match='not saved yet'):
        bpy.ops.facewright.add_footage(filepath='//clip.mp4')
    with pytest.raises(RuntimeError, match='not saved yet'):
        bpy.ops.facewright.import_face_model(filepath='//model.zip')
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / 'a.blend'))
    assert api.reconstruction(bpy.context.scene, output='//out')['out'] == str(tmp_path / 'out')
    assert json.dumps(api.reconstruction(bpy.context.scene))


def test_the_clip_lies_over_the_head_and_back_again(start, tmp_path, model, model_path):
    make_clip(tmp_path / 'clip.mp4')
    make_result(
        tmp_path / 'r', model, model_path, frames=20, size=(64, 48), clip=tmp_path / 'clip.mp4'
    )
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(tmp_path / 'r'))

    def behind():
        return bpy.context.scene.camera.data.background_images[0]

    assert (behind().display_depth, behind().alpha) == ('BACK', 1)
    space().region_3d.view_perspective = 'PERSP'
    bpy.ops.facewright.lay_clip_over('EXEC_DEFAULT', True)
    assert (behind().display_depth, behind().alpha) == ('FRONT', 0.5)
    assert api.clip_over(bpy.context.scene.facewright.result) == behind()
    bpy.ops.ed.undo()
    assert (behind().display_depth, behind().alpha) == ('BACK', 1)
    bpy.ops.facewright.lay_clip_over(opacity=0.25)
    assert behind().alpha == 0.25
    bpy.ops.facewright.lay_clip_over()
    assert (behind().display_depth, behind().alpha) == ('BACK', 1) and api.clip_over(
        bpy.context.scene.facewright.result
    ) is None


def test_no_clip_no_overlay(start, folder):
    with pytest.raises(RuntimeError, match='reconstruct first'):
        bpy.ops.facewright.lay_clip_over()
    api.apply_result(bpy.context, folder)
    assert 'The footage of front is not at' in ' '.join(api.notes(start.facewright.result))
    with pytest.raises(RuntimeError, match='put the footage back'):
        bpy.ops.facewright.lay_clip_over()


def test_the_head_as_wire_and_back(start, folder):
    with pytest.raises(RuntimeError, match='reconstruct first'):
        bpy.ops.facewright.show_wire()
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(folder))
    space().region_3d.view_perspective = 'PERSP'
    bpy.ops.facewright.show_wire('EXEC_DEFAULT', True)
    assert bpy.context.scene.facewright.result.display_type == 'WIRE'
    bpy.ops.ed.undo()
    assert bpy.context.scene.facewright.result.display_type == 'TEXTURED'
    bpy.ops.facewright.show_wire()
    bpy.ops.facewright.show_wire()
    assert bpy.context.scene.facewright.result.display_type == 'TEXTURED'


def test_an_undo_of_something_else_leaves_the_view_in_the_camera(start, folder):
    bpy.ops.facewright.apply_result('EXEC_DEFAULT', True, directory=str(folder))
    bpy.ops.facewright.apply_result(
        'EXEC_DEFAULT', True, directory=str(folder)
    )  # the first one is replaced
    bpy.ops.mesh.primitive_cube_add('EXEC_DEFAULT', True)
    bpy.ops.ed.undo()
    assert space().region_3d.view_perspective == 'CAMERA'
    bpy.ops.ed.redo()
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    assert (
        space().region_3d.view_perspective == 'CAMERA' and bpy.context.scene.camera.name == 'front'
    )


def test_what_was_baked_and_drawn_for_a_head_goes_with_it(start, folder, tmp_path, model):
    from .pictures import write_png

    had = set(bpy.data.images)
    head = api.apply_result(bpy.context, folder)
    write_png(tmp_path / 'albedo.png', np.full((64, 64, 3), 120, np.uint8))
    np.savez(
        tmp_path / 'albedo.npz',
        colours=np.full((model.vertex_count, 3), 0.25, np.float32),
        materials=np.array(['Face']),
    )
    api.apply_albedo(head.name, tmp_path)
    write_png(tmp_path / 'front.png', np.full((48, 64, 3), 120, np.uint8))
    api.apply_overlay(
        bpy.context,
        head.name,
        tmp_path,
        {'iou': {}, 'frames': [{'view': 'front', 'frame': 0, 'picture': 'front.png'}]},
    )
    assert len(set(bpy.data.images) - had) == 2
    api.apply_result(bpy.context, folder)
    assert set(bpy.data.images) == had
