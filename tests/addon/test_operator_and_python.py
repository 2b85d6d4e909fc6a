"""Every operator does what the Python functions of addon/api do: the same scene comes of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest

import facewright
from facewright.addon import api, jobs
from facewright.addon.scene import actions, results, shape_keys, takes
from facewright.engine.face_model.expressions import ARKIT_NAMES

from .pictures import write_png
from .samples import add_mesh, character, coordinates, make_result, performance, select

OPS = bpy.ops.facewright
# Which take a thing is of is a random number, where its files are kept depends on the time.
RANDOM = takes.TAKE, results.FOLDER
# What an operator tells its user stands in the panel; of the functions the caller tells it.
TOLD = 'report'
# Operators that no Python function stands behind, with the reason.
ALONE = {
    'download_face_model': 'goes online; its end, use_model, is that of import_face_model',
    'cancel': 'acts on the running job alone: jobs.cancel, see test_jobs',
    'clear_message': 'acts on the last job alone: jobs.clear, see test_jobs',
    'check_engine': 'asks another Python and changes no scene: see test_environment',
    'copy_install_command': 'writes to the clipboard: see test_environment',
    'open_preferences': "opens Blender's own window: see test_environment",
}


@dataclass(frozen=True)
class Given:
    """What the cases start from: the small face model, a result, a performance, pictures."""

    model: str
    result: str
    performance: str
    picture: str
    folder: Path


@dataclass(frozen=True)
class Case:
    """One operator: the scene it starts in, a call of it, and the same with Python functions."""

    start: Callable[[Given], object]
    operator: Callable[[Given], object]
    python: Callable[[Given], object]


# ---- what becomes of a scene -------------------------------------------------------------------


def state() -> dict:
    """Return everything in the file that an operator may change, as what compares exactly."""
    scene = bpy.context.scene
    scene.frame_set(scene.frame_current)  # what is animated shows this frame
    active = bpy.context.view_layer.objects.active
    return {
        'objects': {thing.name: of_object(thing) for thing in bpy.data.objects},
        'scene': (scene.frame_current, scene.frame_start, scene.frame_end, scene.render.fps),
        'size': (scene.render.resolution_x, scene.render.resolution_y, plain(scene.camera)),
        'settings': plain(scene.facewright),
        'images': {image.name: tuple(image.size) for image in bpy.data.images},
        'materials': sorted(material.name for material in bpy.data.materials),
        'active': active and active.name,
        'strips': scene.sequence_editor and len(scene.sequence_editor.sequences_all)
        if not hasattr(scene.sequence_editor, 'strips_all')
        else len(scene.sequence_editor.strips_all),
    }


def of_object(thing: bpy.types.Object) -> dict:
    found = {
        'data': (thing.type, thing.display_type, thing.parent and thing.parent.name),
        'place': tuple(map(tuple, thing.matrix_basis)),
        'seen': (thing.hide_get(), thing.hide_viewport, thing.hide_render, thing.select_get()),
        'notes': {k: plain(v) for k, v in thing.items() if k not in RANDOM},
        'curves': curves_of(thing),
    }
    if thing.type == 'CAMERA':
        found['clips'] = [(b.alpha, b.display_depth) for b in thing.data.background_images]
    return found | (of_mesh(thing) if thing.type == 'MESH' else {})


def of_mesh(thing: bpy.types.Object) -> dict:
    mesh, keys = thing.data, thing.data.shape_keys
    groups = [tuple((g.group, g.weight) for g in vertex.groups) for vertex in mesh.vertices]
    blocks = keys.key_blocks if keys else ()
    return {
        'points': coordinates(mesh.vertices).tobytes(),
        'chosen': [vertex.select for vertex in mesh.vertices],
        'groups': ([group.name for group in thing.vertex_groups], groups),
        'colours': [layer.name for layer in mesh.color_attributes],
        'materials': [material and material.name for material in mesh.materials],
        'keys': [(k.name, k.value, k.slider_max, coordinates(k.data).tobytes()) for k in blocks],
        'pinned': thing.show_only_shape_key,
        'key notes': {k: plain(v) for k, v in keys.items()} if keys else {},
        'key curves': curves_of(keys),
        'drivers': len(keys.animation_data.drivers) if keys and keys.animation_data else 0,
    }


def curves_of(datablock) -> list:
    found = actions.curves(datablock) if datablock is not None else None
    return sorted(
        (c.data_path, c.array_index, tuple(tuple(p.co) for p in c.keyframe_points))
        for c in found or ()
    )


def plain(value) -> object:
    """Turn a property's value into what compares by content."""
    if isinstance(value, bpy.types.ID):
        return value.name
    if isinstance(value, bpy.types.PropertyGroup):
        names = [n for n in type(value).__annotations__ if n != TOLD]
        return {name: plain(getattr(value, name)) for name in names}
    if hasattr(value, 'to_dict'):
        return value.to_dict()
    if hasattr(value, 'to_list'):
        return value.to_list()
    if isinstance(value, str) or not hasattr(value, '__len__'):
        return value
    return [plain(v) for v in value]


def differences(a, b, where: str = '') -> list[str]:
    """Name what is not the same in two states."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = [differences(a.get(k), b.get(k), f'{where}/{k}') for k in {**a, **b}]
        return [path for paths in found for path in paths]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        found = [
            differences(one, other, f'{where}[{k}]') for k, (one, other) in enumerate(zip(a, b))
        ]
        return [path for paths in found for path in paths][:5]
    return [] if a == b else [f'{where}: {str(a)[:80]} and {str(b)[:80]}']


# ---- how a scene starts ------------------------------------------------------------------------


def empty(given: Given) -> None:
    """An empty scene with the small face model."""
    settings = bpy.context.scene.facewright
    settings.model, settings.model_path = 'FILE', given.model


def head(given: Given) -> bpy.types.Object:
    """A head in the face model's topology, with two keys edited by hand."""
    empty(given)
    api.add_head(bpy.context, given.model)
    thing = bpy.context.object
    for name in ('jawOpen', 'mouthSmile_L'):
        key = thing.data.shape_keys.key_blocks[name]
        points = coordinates(key.data)
        points[:20, 2] += 0.003
        key.data.foreach_set('co', points.ravel())
    activate(thing, 'jawOpen')
    return thing


def activate(thing: bpy.types.Object, name: str) -> None:
    thing.active_shape_key_index = thing.data.shape_keys.key_blocks.find(name)


def scan(given: Given) -> None:
    """A foreign head with an eye of its own, which is not selected."""
    empty(given)
    thing = add_mesh()
    eye = add_mesh('Eye', rings=6, radius=0.02, location=(0.03, -0.08, 0.02))
    eye.parent = thing
    select(thing)


def marked(given: Given) -> None:
    scan(given)
    bpy.context.scene.cursor.location = (0, -0.1, 0.02)
    api.add_marker(bpy.context, 'chin')
    select(bpy.data.objects['Head'])


def halves(given: Given) -> None:
    """A symmetrical mesh with keys of two sides and one of the middle, the last one active."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=12, y_subdivisions=6, size=0.2)
    thing = bpy.context.object
    thing.shape_key_add(name='Basis')
    rest, rng = coordinates(thing.data.vertices), np.random.default_rng(1)
    sides = {'smile_L': rest[:, :1] > 0, 'smile_R': rest[:, :1] < 0, 'jawOpen': True}
    for name, side in sides.items():
        moved = rest + 0.01 * rng.normal(size=rest.shape) * side
        thing.shape_key_add(name=name).data.foreach_set('co', moved.astype(np.float32).ravel())
    activate(thing, 'jawOpen')


def footage(given: Given) -> None:
    empty(given)
    for name in ('left', 'right'):
        api.add_footage(bpy.context.scene, given.picture, name=name, kind='PHOTO')


def reconstructed(given: Given) -> None:
    empty(given)
    api.apply_result(bpy.context, given.result)


def reconstructed_there(given: Given) -> None:
    reconstructed(given)  # into a folder of the cache that is called otherwise each time
    bpy.context.scene.facewright.result[results.FOLDER] = given.result


def animated(given: Given) -> None:
    character(ARKIT_NAMES)
    api.import_performance(bpy.context, given.performance)


def checked(given: Given) -> None:
    head(given)
    OPS.check_intersections()


def compared(given: Given) -> None:
    head(given)
    keys = bpy.context.object.data.shape_keys.key_blocks
    shape_keys.set_offsets(keys['jawOpen'], 1.5 * shape_keys.offsets_of(keys['jawOpen']))
    bpy.context.object.active_shape_key_index = keys.find('jawOpen')
    OPS.compare_with_model()


# ---- the same with Python ----------------------------------------------------------------------


def done(task: str, arguments: dict, write=None) -> tuple[str, dict]:
    """Run a task; the folder of its results, and what it returned."""
    job = jobs.start(task, arguments, prepare=write)
    result = jobs.wait(job)
    return job.arguments.get('out', ''), result


def reconstruct(given: Given) -> None:
    scene = bpy.context.scene
    arguments = api.reconstruction(scene, quality='STANDARD', neutral_frame=2, smooth=0.25)
    out, result = done('reconstruct', arguments)
    api.apply_result(bpy.context, out, naming='ARKIT', clips=result.get('clips'))


def set_rig(given: Given) -> None:
    bpy.context.scene.facewright.rig = api.rig_of_head(bpy.context)


def preview_overlay(given: Given) -> None:
    thing, arguments = api.overlay_job(bpy.context, 'PARTS')
    out, result = done('preview_overlay', arguments)
    api.apply_overlay(bpy.context, thing, out, result)


def bake_albedo(given: Given) -> None:
    thing, arguments = api.bake_job(bpy.context, 64)
    api.apply_albedo(thing, done('bake_albedo', arguments)[0])


def generate_shape_keys(given: Given) -> None:
    job = api.head_job(bpy.context, onto='mesh', settle=False, expression='none')
    out, _ = done('generate_shape_keys', job.arguments, job.write)
    api.apply_shape_keys(bpy.context, job, out, 'ARKIT')


def wrap_model(given: Given) -> None:
    job = api.head_job(bpy.context, 'wrap_model', expression='auto')
    api.apply_head(bpy.context, job, done('wrap_model', job.arguments, job.write)[0], hide=False)


def add_markers(given: Given) -> None:
    job = api.landmarks_job(bpy.context)
    api.apply_markers(bpy.context, job, done('add_markers', job.arguments, job.write)[0])


def check_intersections(given: Given) -> None:
    job = api.crossings_job(bpy.context, 5, 1)
    out, _ = done('check_intersections', job.arguments, job.write)
    api.apply_crossings(bpy.context, job, out)


def compare_with_model(given: Given) -> None:
    job = api.comparison_job(bpy.context)
    out, _ = done('compare_with_model', job.arguments, job.write)
    api.apply_comparison(bpy.context, job, out)


def settle_shape_keys(given: Given) -> None:
    job = api.settle_job(bpy.context)
    out, result = done('settle_shape_keys', job.arguments, job.write)
    api.apply_settled(bpy.context, job, out, result)


def fix_cavities(given: Given) -> None:
    job = api.fix_job(bpy.context, 'EDITED', True)
    api.apply_fix(bpy.context, job, done('fix_cavities', job.arguments, job.write)[0])


def build_tetrahedra(given: Given) -> None:
    job = api.flesh_job(bpy.context)
    out, _ = done('build_tetrahedra', job.arguments, job.write)
    api.apply_flesh(bpy.context, job, out, 'SURFACE')


def neutral_frame(given: Given) -> None:
    settings = bpy.context.scene.facewright
    settings.neutral_known, settings.neutral_at = True, bpy.context.scene.frame_current


CASES = {
    'add_head': Case(
        empty,
        lambda g: OPS.add_head(naming='ARKIT'),
        lambda g: api.add_head(bpy.context, g.model, 'ARKIT'),
    ),
    'import_face_model': Case(
        lambda g: None,
        lambda g: OPS.import_face_model(filepath=g.model),
        lambda g: api.use_model(bpy.context.scene, g.model),
    ),
    'add_footage': Case(
        empty,
        lambda g: OPS.add_footage(filepath=g.picture, name='a', kind='PHOTO', lens=26, start=1),
        lambda g: api.add_footage(bpy.context.scene, g.picture, 'a', 'PHOTO', lens=26, start=1),
    ),
    'remove_footage': Case(
        footage,
        lambda g: OPS.remove_footage(index=0),
        lambda g: api.remove_footage(bpy.context.scene, 0),
    ),
    'move_footage': Case(
        footage,
        lambda g: OPS.move_footage(step=-1),
        lambda g: api.move_footage(bpy.context.scene, bpy.context.scene.facewright.active_view, -1),
    ),
    'reconstruct': Case(
        footage,
        lambda g: OPS.reconstruct(quality='STANDARD', neutral_frame=2, smooth=0.25, naming='ARKIT'),
        reconstruct,
    ),
    'set_neutral_frame': Case(
        lambda g: bpy.context.scene.frame_set(7), lambda g: OPS.set_neutral_frame(), neutral_frame
    ),
    'set_rig': Case(reconstructed_there, lambda g: OPS.set_rig(), set_rig),
    'apply_result': Case(
        empty,
        lambda g: OPS.apply_result(directory=g.result, naming='ARKIT', sound=False),
        lambda g: api.apply_result(bpy.context, g.result, 'ARKIT', False),
    ),
    'show_worst_frame': Case(
        reconstructed,
        lambda g: OPS.show_worst_frame(),
        lambda g: api.show_worst_frame(bpy.context),
    ),
    'look_through': Case(
        reconstructed, lambda g: OPS.look_through(), lambda g: api.look_through(bpy.context)
    ),
    'lay_clip_over': Case(
        reconstructed,
        lambda g: OPS.lay_clip_over(opacity=0.25),
        lambda g: api.lay_clip_over(bpy.context, 0.25),
    ),
    'show_wire': Case(
        reconstructed, lambda g: OPS.show_wire(), lambda g: api.show_wire(bpy.context)
    ),
    'preview_overlay': Case(
        reconstructed, lambda g: OPS.preview_overlay(show='PARTS'), preview_overlay
    ),
    'bake_albedo': Case(reconstructed, lambda g: OPS.bake_albedo(size=64), bake_albedo),
    'import_performance': Case(
        lambda g: character(ARKIT_NAMES),
        lambda g: OPS.import_performance(filepath=g.performance, start=11, motion=False),
        lambda g: api.import_performance(bpy.context, g.performance, 11, False),
    ),
    'export_performance': Case(
        animated,
        lambda g: OPS.export_performance(
            filepath=str(g.folder / 'a.csv'), whole=False, start=3, end=9
        ),
        lambda g: api.export_performance(bpy.context, str(g.folder / 'a.csv'), 3, 9),
    ),
    'smooth_performance': Case(
        animated,
        lambda g: OPS.smooth_performance(strength=0.75, motion=False),
        lambda g: api.smooth_performance(bpy.context, 0.75, False),
    ),
    'rename_shape_keys': Case(
        animated,
        lambda g: OPS.rename_shape_keys(naming='ICT'),
        lambda g: api.rename_shape_keys(bpy.context, 'ICT'),
    ),
    'generate_shape_keys': Case(
        scan,
        lambda g: OPS.generate_shape_keys(naming='ARKIT', settle=False, at_rest=False),
        generate_shape_keys,
    ),
    'wrap_model': Case(scan, lambda g: OPS.wrap_model(hide=False), wrap_model),
    'add_markers': Case(scan, lambda g: OPS.add_markers(), add_markers),
    'add_marker': Case(
        scan,
        lambda g: OPS.add_marker(name='chin'),
        lambda g: api.add_marker(bpy.context, 'chin'),
    ),
    'remove_markers': Case(
        marked, lambda g: OPS.remove_markers(), lambda g: api.remove_markers(bpy.context)
    ),
    'select_companions': Case(
        scan, lambda g: OPS.select_companions(), lambda g: api.select_companions(bpy.context)
    ),
    'unpin_shape_keys': Case(
        checked, lambda g: OPS.unpin_shape_keys(), lambda g: api.unpin(bpy.context)
    ),
    'check_intersections': Case(
        head, lambda g: OPS.check_intersections(combinations=5, seed=1), check_intersections
    ),
    'show_crossings': Case(
        checked,
        lambda g: OPS.show_crossings(key='mouthSmile_L'),
        lambda g: api.show_crossings(bpy.context, 'mouthSmile_L'),
    ),
    'hide_crossings': Case(
        checked, lambda g: OPS.hide_crossings(), lambda g: api.hide_crossings(bpy.context)
    ),
    'compare_with_model': Case(head, lambda g: OPS.compare_with_model(), compare_with_model),
    'show_difference': Case(
        compared,
        lambda g: OPS.show_difference(key='mouthSmile_L'),
        lambda g: api.show_difference(bpy.context, 'mouthSmile_L'),
    ),
    'hide_difference': Case(
        compared, lambda g: OPS.hide_difference(), lambda g: api.hide_difference(bpy.context)
    ),
    'blend_with_model': Case(
        compared,
        lambda g: OPS.blend_with_model(share=0.25, keep_edits=False),
        lambda g: api.blend_with_model(bpy.context, 0.25, keep_edits=False),
    ),
    'settle_shape_keys': Case(head, lambda g: OPS.settle_shape_keys(), settle_shape_keys),
    'fix_cavities': Case(
        head, lambda g: OPS.fix_cavities(keys='EDITED', spread=True), fix_cavities
    ),
    'build_tetrahedra': Case(
        head, lambda g: OPS.build_tetrahedra(show='SURFACE'), build_tetrahedra
    ),
    'symmetrise_shape_keys': Case(
        halves,
        lambda g: OPS.symmetrise_shape_keys(source='RIGHT', keys='ALL'),
        lambda g: api.shape_tools.symmetrise(bpy.context, 'RIGHT', 'ALL'),
    ),
    'mirror_shape_key': Case(
        halves,
        lambda g: OPS.mirror_shape_key(to='ITSELF'),
        lambda g: api.shape_tools.mirror(bpy.context, 'ITSELF'),
    ),
    'split_shape_key': Case(
        halves,
        lambda g: OPS.split_shape_key(width=0.0625),
        lambda g: api.shape_tools.split(bpy.context, 0.0625),
    ),
    'reset_shape_key_region': Case(
        halves,
        lambda g: OPS.reset_shape_key_region(keys='ALL'),
        lambda g: api.shape_tools.reset(bpy.context, keys='ALL'),
    ),
    'scale_shape_key': Case(
        halves,
        lambda g: OPS.scale_shape_key(strength=0.5),
        lambda g: api.shape_tools.scale(bpy.context, 0.5),
    ),
}
READ_ONLY = {'export_performance'}  # change a file, not the scene


@pytest.fixture
def given(fake_worker, monkeypatch, tmp_path, model, model_path, saved) -> Given:
    """A reconstruction of two views, each a photo; the stand-in's reconstruct gives the same."""
    picture, result = tmp_path / 'photo ö.png', tmp_path / 'result ä'
    write_png(picture, np.full((48, 64, 3), 120, np.uint8))
    views = [('left', np.eye(3), np.zeros(3)), ('right', np.eye(3), np.array([5.0, 0, 0]))]
    make_result(result, model, model_path, clip=picture, kind='photo', views=views)
    monkeypatch.setenv('FAKE_RESULT', str(result))
    file = str(saved(performance(ARKIT_NAMES)))
    return Given(model_path, str(result), file, str(picture), tmp_path)


def after(case: Case, step: Callable[[Given], object], given: Given) -> tuple[dict, dict, bytes]:
    """Make the case's scene in a new file, do a step; the scene before and after, and its file."""
    facewright.unregister()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facewright.register()
    case.start(given)
    before = state()
    step(given)
    written = given.folder / 'a.csv'
    return before, state(), written.read_bytes() if written.exists() else b''


def test_every_operator_is_here():
    named = {name.removeprefix('FACEWRIGHT_OT_') for name in dir(bpy.types) if 'IGHT_OT_' in name}
    assert set(CASES) | set(ALONE) == named and not set(CASES) & set(ALONE)


@pytest.mark.parametrize('name', CASES)
def test_the_operator_does_what_python_does(given, name):
    case = CASES[name]
    before, by_operator, file = after(case, case.operator, given)
    (given.folder / 'a.csv').unlink(missing_ok=True)
    again, by_python, same_file = after(case, case.python, given)
    assert differences(before, again) == []
    assert differences(by_operator, by_python) == []
    assert file == same_file
    assert name in READ_ONLY or before != by_operator, 'the case changes nothing'
