"""Random sequences of what a user may click, in real Blender: `python random_clicks.py FOLDER
SEED...`.

Every operator of the add-on, with random properties, between Blender's own: undo, redo, modes,
deletions, renames, other scenes, saving and loading. The engine is the fake worker. Each step is
written to FOLDER/steps.txt before it is done, so that a crash of Blender's leaves its cause behind.
Exits with 1 and says which step of which seed broke a promise:

- an operator ends, or says one sentence; nothing unforeseen, no exception out of a panel;
- what was neither selected nor active stays as it was, and so do the user's files;
- one undo takes back what an operator did.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import os
import random
import sys
import time
import traceback
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
STEPS = 30  # steps of a sequence
UNFORESEEN = 'something unforeseen'
WAITS_FOR_A_PERSON = {'check_engine'}  # starts a real Python


WRITES = {'export_performance'}  # to a file that was chosen
WAYS_IN = (
    'facewright.add_footage',
    'facewright.reconstruct',
    'facewright.apply_result',
    'facewright.add_head',
    'facewright.generate_shape_keys',
    'facewright.import_performance',
    'facewright.check_intersections',
)


class BrokenPromiseError(AssertionError):
    """A promise that a step broke."""


def load_project() -> None:
    """Make this checkout the package `facewright` and its tests importable."""
    spec = importlib.util.spec_from_file_location('worker', ROOT / 'engine' / 'worker.py')
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    worker.register_package(ROOT)
    sys.path.insert(0, str(ROOT))


class Session:
    """One sequence: its random numbers, the files it may choose from, and what was done so far."""

    def __init__(self, folder: Path, seed: int, files: dict[str, list[str]]):
        self.folder, self.random, self.files = folder, random.Random(seed), files
        self.seed, self.steps = seed, folder / 'steps.txt'

    def say(self, words: str) -> None:
        with self.steps.open('a', encoding='utf-8') as log:
            log.write(f'seed {self.seed}: {words}\n')

    def choice(self, things):
        things = list(things)
        return self.random.choice(things) if things else None


# ---- what is the user's ----------------------------------------------------------------------


def user_scene() -> None:
    """Put a bystander into the scene that no step selects: mesh, keys, animation, driver, text."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6, location=(3, 0, 0))
    thing = bpy.context.object
    thing.name = 'Bystander'
    thing.shape_key_add(name='Basis')
    thing.shape_key_add(name='jawOpen').value = 0.25
    thing.modifiers.new('Mine', 'SUBSURF')
    thing.keyframe_insert('location', frame=1)
    thing.keyframe_insert('location', frame=30)
    thing['mine'] = 'a note'
    thing.select_set(False)
    bpy.data.texts.new('My notes').write('keep me')
    bpy.context.view_layer.objects.active = bpy.data.objects['Cube']


def curves_of(datablock) -> list:
    """Every keyframe of a datablock's action, by path."""
    from facewright.addon.scene import actions

    found = actions.curves(datablock) if datablock is not None else None
    return sorted(
        (c.data_path, c.array_index, tuple(tuple(p.co) for p in c.keyframe_points))
        for c in found or ()
    )


def print_of(thing: bpy.types.Object) -> tuple:
    """What must not change about an object that an operator was not asked to touch."""
    points = b''
    if thing.type == 'MESH' and thing.mode != 'EDIT':
        co = np.empty(3 * len(thing.data.vertices), np.float32)
        thing.data.vertices.foreach_get('co', co)
        points = co.tobytes()
    keys = thing.data.shape_keys if thing.type == 'MESH' else None
    values = [(k.name, k.slider_max, k.mute) for k in keys.key_blocks] if keys else []
    own = [(k, str(v)) for k, v in thing.items() if not k.startswith('facewright')]
    return (
        thing.type,
        tuple(map(tuple, thing.matrix_basis)),
        [m.name for m in thing.modifiers],
        values,
        own,
        points,
        curves_of(thing),
        curves_of(keys),
    )


def ours(thing: bpy.types.Object) -> bool:
    """Whether Facewright made an object, or works on it."""
    return _is_marked(thing) or (thing.type == 'CAMERA' and _is_marked(thing.data))


def _is_marked(datablock: bpy.types.ID) -> bool:
    names = list(datablock.keys())  # not a dict: it can't be iterated over
    return any(name.startswith('facewright') for name in names)


def bystanders() -> dict[str, tuple]:
    """The user's objects that are neither selected nor active anywhere, by name."""
    touched = {o.name for s in bpy.data.scenes for v in s.view_layers for o in v.objects.selected}
    touched |= {
        v.objects.active.name
        for s in bpy.data.scenes
        for v in s.view_layers
        if v.objects.active is not None
    }
    family = {o.name for o in bpy.data.objects if o.parent is not None and o.parent.name in touched}
    return {
        o.name: print_of(o)
        for o in bpy.data.objects
        if o.name not in touched | family and not ours(o)
    }


def users_files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()
    }


# ---- clicks on Facewright ----------------------------------------------------------------------


def operators() -> list[type]:
    """The add-on's operators, without those that leave Blender."""
    from facewright import addon

    found = [c for c in addon.CLASSES if issubclass(c, bpy.types.Operator)]
    return [c for c in found if c.bl_idname.split('.')[1] not in WAITS_FOR_A_PERSON]


def value_of(session: Session, operator: str, prop):
    """A random value of one of an operator's properties; None: leave it out."""
    pick = session.random
    fitting = session.files.get(f'{operator}.{prop.identifier}')
    if fitting and (operator in WRITES or pick.random() < 0.8):
        return pick.choice(fitting)
    if prop.identifier in session.files:
        return pick.choice(session.files[prop.identifier])
    if prop.type == 'ENUM' and not prop.is_enum_flag:
        return session.choice(prop.enum_items.keys())
    if prop.type == 'BOOLEAN':
        return pick.random() < 0.5
    if prop.type in ('INT', 'FLOAT') and not prop.is_array:
        low, high = max(prop.soft_min, -3), min(prop.soft_max, 90)
        value = pick.uniform(low, max(low, high))
        return round(value) if prop.type == 'INT' else value
    if prop.type == 'STRING':
        return pick.choice(['', 'jawOpen', 'Ünbekannt "x"', some_key_name(session)])
    return None


def some_key_name(session: Session) -> str:
    keys = session.choice(bpy.data.shape_keys)
    return session.choice(keys.key_blocks).name if keys else 'none'


def click(session: Session) -> None:
    """Press one of the add-on's buttons, with random properties."""
    kind = session.choice(operators())
    if session.random.random() < 0.3:  # the short way to something to work on
        wanted = session.choice(WAYS_IN)
        kind = next(k for k in operators() if k.bl_idname == wanted)
    short = kind.bl_idname.split('.')[1]
    operator = getattr(bpy.ops.facewright, short)
    chosen = {}
    for prop in operator.get_rna_type().properties:
        if prop.identifier == 'rna_type' or prop.is_readonly:
            continue
        needed = prop.identifier in ('filepath', 'directory')
        if needed or session.random.random() < 0.5:
            value = value_of(session, short, prop)
            if value is not None:
                chosen[prop.identifier] = value
    if session.random.random() < 0.1:
        os.environ['FAKE_FAIL'] = '1'
    session.say(
        f'facewright.{short} {chosen} fail={os.environ.get("FAKE_FAIL", "")} '
        f'on {getattr(bpy.context.object, "name", None)} in {bpy.context.mode}'
    )
    names_before, prints = {o.name for o in bpy.data.objects}, bystanders()
    can_undo, mode = 'UNDO' in kind.bl_options, bpy.context.mode
    if can_undo:
        bpy.ops.ed.undo_push(message='Before the click')
    try:
        done = operator('EXEC_DEFAULT', can_undo, **chosen)
    except RuntimeError as error:
        done = {'CANCELLED'}
        check_sentence(str(error))
    finally:
        os.environ.pop('FAKE_FAIL', None)
    check_bystanders(prints)
    if can_undo and done == {'FINISHED'} and session.random.random() < 0.3:
        session.say('  and undo')
        bpy.ops.ed.undo()
        left = {o.name for o in bpy.data.objects}
        if left != names_before and mode != 'OBJECT':  # without a window the return to a mode is
            bpy.ops.ed.undo()  # a step of its own: operators/base.py
            left = {o.name for o in bpy.data.objects}
        if left != names_before:
            raise BrokenPromiseError(f'undo left {sorted(left ^ names_before)}')
        check_bystanders(prints)


def check_sentence(said: str) -> None:
    """An error is one sentence that nobody wrote by accident."""
    if UNFORESEEN in said or 'Traceback' in said:
        raise BrokenPromiseError(said)


def check_bystanders(prints: dict[str, tuple]) -> None:
    for name, before in prints.items():
        thing = bpy.data.objects.get(name)
        if thing is None:
            raise BrokenPromiseError(f'{name} is gone')
        now = print_of(thing)
        if now != before:
            parts = [i for i, (a, b) in enumerate(zip(before, now)) if a != b]
            raise BrokenPromiseError(f'{name} was changed, in part {parts} of what is looked at')


def run_a_job(session: Session) -> None:
    """Start a job that hangs, do something else, cancel it: nothing of it may live on."""
    from facewright.addon import jobs

    pids = session.folder / 'pids'
    session.say('a job that hangs, then cancel')
    pids.unlink(missing_ok=True)
    jobs.start('hang', {'pids': str(pids)}, 'Hanging')
    job = jobs.current
    draw_panels(session)
    other_step(session)
    if session.random.random() < 0.5:
        bpy.ops.facewright.cancel()
    else:
        jobs.cancel()
    if job.state == 'running' or job._process.poll() is None:
        raise BrokenPromiseError(f"the job's process {job.pid} lives on")
    if pids.exists():
        for pid in map(int, pids.read_text().split()):
            if lives(pid):
                raise BrokenPromiseError(f'process {pid}, which the job started, lives on')
        pids.unlink()


def lives(pid: int) -> bool:
    """Whether a process is there after a moment for the system to clear it away."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        state = Path(f'/proc/{pid}/stat')
        if state.exists() and state.read_text().rpartition(')')[2].split()[0] == 'Z':
            return False
        time.sleep(0.02)
    return True


# ---- clicks on Blender -------------------------------------------------------------------------


def undo(session: Session) -> None:
    step = session.choice((bpy.ops.ed.undo, bpy.ops.ed.redo))
    if step.poll():
        step()


def change_mode(session: Session) -> None:
    mode = session.choice(('OBJECT', 'EDIT', 'SCULPT', 'WEIGHT_PAINT', 'POSE'))
    thing = bpy.context.view_layer.objects.active
    if thing is None or not bpy.ops.object.mode_set.poll():
        return
    with contextlib.suppress(TypeError, RuntimeError):  # not a mode of this kind of object
        bpy.ops.object.mode_set(mode=mode)


def select(session: Session) -> None:
    if bpy.context.mode != 'OBJECT':
        bpy.ops.object.mode_set(mode='OBJECT')
    things = [
        o for o in bpy.context.view_layer.objects if o.name != 'Bystander' and o.visible_get()
    ]
    for thing in bpy.context.view_layer.objects:
        thing.select_set(False)
    for thing in session.random.sample(things, min(len(things), session.choice((0, 1, 1, 2)))):
        thing.select_set(True)
        bpy.context.view_layer.objects.active = thing


def delete(session: Session) -> None:
    things = [o for o in bpy.data.objects if o.name != 'Bystander']
    thing = session.choice(things)
    if thing is not None and bpy.context.mode == 'OBJECT':
        if session.random.random() < 0.5:
            bpy.data.objects.remove(thing)
        else:
            for other in bpy.context.view_layer.objects:
                other.select_set(other == thing)
            bpy.ops.object.delete()


def delete_data(session: Session) -> None:
    """Remove something that an object, a result or a panel may still count on."""
    if bpy.context.mode != 'OBJECT':
        return
    kind = session.choice(
        ('materials', 'images', 'actions', 'cameras', 'collections', 'movieclips')
    )
    thing = session.choice(t for t in getattr(bpy.data, kind) if not t.name.startswith('Bystander'))
    if thing is not None:
        getattr(bpy.data, kind).remove(thing)


def remove_key(session: Session) -> None:
    thing = bpy.context.view_layer.objects.active
    if thing is None or thing.name == 'Bystander' or thing.type != 'MESH':
        return
    if thing.data.shape_keys and bpy.context.mode == 'OBJECT':
        thing.shape_key_remove(session.choice(thing.data.shape_keys.key_blocks))


def rename(session: Session) -> None:
    keys = session.choice(k for k in bpy.data.shape_keys if k.user.name != 'Bystander')
    thing = session.choice(o for o in bpy.data.objects if o.name != 'Bystander')
    what = session.choice(
        (
            keys and session.choice(keys.key_blocks),
            thing,
            session.choice(bpy.data.materials),
            session.choice(bpy.data.scenes),
        )
    )
    if what is not None:
        what.name = session.choice(('Kopf', 'jawOpen', 'é' * 40, 'a "b" \\c', what.name + '.001'))


def key_settings(session: Session) -> None:
    """Mute, lock, move and drive a key as a user might."""
    thing = bpy.context.view_layer.objects.active
    keys = thing.data.shape_keys if thing is not None and thing.type == 'MESH' else None
    if keys is None or thing.name == 'Bystander':
        return
    key = session.choice(keys.key_blocks)
    key.mute, key.value = session.random.random() < 0.3, session.random.random()
    key.lock_shape = session.random.random() < 0.2
    thing.show_only_shape_key = session.random.random() < 0.2
    thing.active_shape_key_index = session.random.randrange(len(keys.key_blocks))
    key.relative_key = session.choice(keys.key_blocks)


def animate(session: Session) -> None:
    thing = bpy.context.view_layer.objects.active
    if thing is not None and thing.name != 'Bystander':
        thing.keyframe_insert('location', frame=session.random.randrange(1, 50))


def scenes(session: Session) -> None:
    if bpy.context.mode != 'OBJECT':
        return
    way = session.choice(('new', 'switch', 'switch', 'delete'))
    if way == 'new' and len(bpy.data.scenes) < 4:
        bpy.ops.scene.new(type=session.choice(('NEW', 'EMPTY', 'LINK_COPY')))
    elif way == 'switch':
        bpy.context.window.scene = session.choice(bpy.data.scenes)
    elif len(bpy.data.scenes) > 1 and session.random.random() < 0.4:
        bpy.ops.scene.delete()


def go(session: Session) -> None:
    bpy.context.scene.frame_set(session.random.randrange(-5, 60))


def hide(session: Session) -> None:
    thing = session.choice(bpy.context.view_layer.objects)
    if thing is not None and bpy.context.mode == 'OBJECT':
        thing.hide_set(session.random.random() < 0.5)
        thing.hide_viewport = session.random.random() < 0.2


def related(one: bpy.types.Object, other: bpy.types.Object) -> bool:
    """Whether one lies under the other."""
    return one in other.children_recursive or other in one.children_recursive or one == other.parent


def arrange(session: Session) -> None:
    """Move, turn, parent, duplicate."""
    thing = bpy.context.view_layer.objects.active
    if thing is None or thing.name == 'Bystander' or bpy.context.mode != 'OBJECT':
        return
    way = session.choice(('move', 'parent', 'copy', 'purge'))
    if way == 'move':
        thing.rotation_euler, thing.scale = (1.5708, 0, 0.3), (1, 1, session.choice((1, -1, 2)))
    elif way == 'parent':
        other = session.choice(o for o in bpy.context.scene.objects if o != thing)
        if other is not None and not related(thing, other):
            thing.parent = other
    elif way == 'copy' and len(bpy.data.objects) < 12:
        bpy.ops.object.duplicate()
    else:
        bpy.data.orphans_purge()


def save_and_load(session: Session) -> None:
    path = str(session.folder / 'scene ü.blend')
    if bpy.context.mode == 'OBJECT':
        bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False)
        bpy.ops.wm.open_mainfile(filepath=path)


def settings(session: Session) -> None:
    """Change one of the tab's settings."""
    group = session.choice((bpy.context.scene.facewright, bpy.context.scene.facewright.shapes))
    kinds = ('ENUM', 'BOOLEAN', 'INT', 'FLOAT')
    props = [
        p
        for p in group.bl_rna.properties
        if p.type in kinds and not p.is_readonly and p.identifier not in ('model',)
    ]
    prop = session.choice(props)
    value = value_of(session, '', prop)
    if value is not None:
        setattr(group, prop.identifier, value)


BLENDER = (
    undo,
    undo,
    undo,
    change_mode,
    change_mode,
    select,
    select,
    select,
    delete,
    delete_data,
    remove_key,
    rename,
    key_settings,
    animate,
    scenes,
    go,
    hide,
    arrange,
    save_and_load,
    settings,
)


def other_step(session: Session) -> None:
    """Do one thing that is not the add-on's, as a user's own undo step."""
    step = session.choice(BLENDER)
    session.say(f'{step.__name__} (active {getattr(bpy.context.object, "name", None)})')
    step(session)
    if step is not undo and bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=step.__name__)


def draw_panels(session: Session) -> None:
    """Draw every panel of the tab; an exception is a broken panel."""
    from facewright.addon import panels
    from tests.addon.test_panels import draw

    for panel in panels.CLASSES:
        shown = not hasattr(panel, 'poll') or panel.poll(bpy.context)
        if issubclass(panel, bpy.types.Panel) and shown:
            draw(panel)


# ---- running -----------------------------------------------------------------------------------


def play(folder: Path, seed: int, files: dict[str, list[str]], given: Path) -> None:
    """Play one sequence in a fresh default scene."""
    import facewright

    bpy.ops.wm.read_factory_settings(use_empty=False)
    facewright.register()
    session = Session(folder, seed, files)
    try:
        scene = bpy.context.scene.facewright
        scene.model, scene.model_path = 'FILE', files['model'][0]
        user_scene()
        bpy.ops.ed.undo_push(message='Start')
        before = users_files(given)
        for _ in range(STEPS):
            part = session.random.random()
            os.environ['FAKE_RESULT'] = session.choice(files['directory'][:2])
            (click if part < 0.55 else run_a_job if part < 0.58 else other_step)(session)
            draw_panels(session)
            if users_files(given) != before:
                raise BrokenPromiseError("a file of the user's was changed")
        if 'My notes' not in bpy.data.texts:
            raise BrokenPromiseError('the text My notes is gone')
    finally:
        facewright.unregister()


def files_to_choose(folder: Path) -> tuple[dict[str, list[str]], Path]:
    """{property: values it may take}, and the folder of the user's files."""
    from facewright.engine.face_model import store
    from tests.addon import samples
    from tests.addon.pictures import write_png

    given = folder / 'given ü'
    given.mkdir()
    results = folder / 'results'
    model = samples.sphere_model()
    store.write_model(folder / 'sphere.npz', model)
    path = str(folder / 'sphere.npz')
    picture = given / 'photo.png'
    write_png(picture, np.full((48, 64, 3), 90, np.uint8))
    for name, options in (('one', {}), ('two', {'frames': 9, 'fps': 24.0})):
        samples.make_result(results / name, model, path, clip=picture, kind='photo', **options)
    (given / 'empty').mkdir()
    (given / 'bad.csv').write_text('Timecode,BlendShapeCount\nnonsense')
    (given / 'notes.txt').write_text('mine')
    take = str(results / 'one' / 'performance.npz')
    return {
        'directory': [str(results / 'one'), str(results / 'two'), str(given / 'empty')],
        'filepath': [
            str(picture),
            take,
            str(given / 'bad.csv'),
            str(given / 'notes.txt'),
            str(folder / 'out.csv'),
            str(folder / 'out.npz'),
            path,
            '',
        ],
        'model': [path, 'builtin', str(given / 'nowhere')],
        'add_footage.filepath': [str(picture)],
        'import_performance.filepath': [take],
        'import_face_model.filepath': [path],
        'add_head.model': [path],
        'export_performance.filepath': [str(folder / 'out.csv'), str(folder / 'out.npz')],
        'output': ['', str(folder / 'out'), '//out'],
        'masks': [''],
        'size': [64, 128],
        'combinations': [0, 3],
    }, given


def main() -> int:
    faulthandler.enable()
    folder, seeds = Path(sys.argv[1]), [int(s) for s in sys.argv[2:]]
    load_project()
    from facewright.addon import paths

    paths.WORKER = Path(__file__).with_name('fake_worker.py')
    os.environ['FACEWRIGHT_CACHE'] = str(folder / 'cache')
    files, given = files_to_choose(folder)
    failed = 0
    for seed in seeds:
        try:
            play(folder, seed, files, given)
        except Exception:  # noqa: BLE001  whatever it was is printed
            failed += 1
            print(f'BROKEN seed {seed}:', traceback.format_exc(), 'END', sep='\n', flush=True)
    print(f'{len(seeds) - failed} of {len(seeds)} sequences kept every promise', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without Blender's destructors: see conftest.py
