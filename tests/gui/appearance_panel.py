"""Overlay and Texture in a real window: a Standard reconstruction, cancel, overlay, bake, undo,
redo; then a bake onto a Draft one.
"""

import json
import os
import signal
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
from window import (
    SHARE,
    addon,
    arrange,
    buttons,
    click,
    comes,
    done,
    drive,
    in_viewport,
    install,
    key,
    open_tab,
    over_viewport,
    picture,
    press,
    press_at,
    results,
    shortcut,
    sidebar,
    until,
    viewport,
)

given = json.loads((SHARE / 'given.json').read_text())
MESH, PARTS, BAKE = "preview_overlay(show='MESH')", "preview_overlay(show='PARTS')", 'bake_albedo'


def head():
    return bpy.context.scene.facewright.result


def jobs():
    return addon('jobs')


def textures():
    """{material: its albedo texture's image}"""
    return {
        m.name: m.node_tree.nodes['Facewright Albedo'].image.name
        for m in head().data.materials
        if 'Facewright Albedo' in m.node_tree.nodes
    }


def overlays():
    return [i.name for i in bpy.data.images if 'facewright_overlay' in i]


def overlaps():
    return addon('api').overlaps_in_words(head())


def colours():
    values = bytearray(4 * 4 * len(head().data.vertices))
    head().data.color_attributes[0].data.foreach_get('color', memoryview(values).cast('f'))
    return zlib.crc32(values)


def everything():
    """All that Overlay and Bake Albedo can change."""
    return {
        'images': sorted(
            (i.name, *i.size, zlib.crc32(i.packed_file.data) if i.packed_file else 0)
            for i in bpy.data.images
            if i.source == 'FILE'
        ),
        'textures': textures(),
        'nodes': {m.name: sorted(m.node_tree.nodes.keys()) for m in head().data.materials},
        'colours': colours(),
        'overlaps': overlaps(),
        'properties': sorted(head().keys()),
        'objects': sorted(bpy.data.objects.keys()),
        'frame': bpy.context.scene.frame_current,
        'mode': head().mode,
        'active': bpy.context.view_layer.objects.active.name,
    }


def image_editor():
    return next(
        (a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'IMAGE_EDITOR'),
        None,
    )


def shown():
    image = image_editor().spaces.active.image if image_editor() else None
    return image.name if image else None


def open_image_editor():
    """Beside the viewport."""
    with in_viewport():
        bpy.ops.screen.area_split(direction='VERTICAL', factor=0.36)
    areas = sorted(
        (a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'VIEW_3D'),
        key=lambda a: a.width,
    )
    areas[0].type = 'IMAGE_EDITOR'
    yield 1.0


def fit_image():
    area = image_editor()
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0],
        area=area,
        region=next(r for r in area.regions if r.type == 'WINDOW'),
    ):
        bpy.ops.image.view_all(fit_view=True)


def take():
    """Which take the head is: a new one takes the old one's name."""
    return head()['facewright_take'] if head() else None


def reconstruct(quality):
    bpy.context.scene.facewright.quality = quality
    bpy.ops.ed.undo_push(message=quality)
    before = take()
    yield from over_viewport()
    yield from press('facewright.reconstruct(')
    yield from until(lambda: jobs().running(), 20, 'the job')
    yield from until(lambda: jobs().running() is None, 600, 'the end of the reconstruction')
    results[f'failure of {quality}'] = jobs().current.error or None
    yield from until(lambda: take() not in (None, before), 20, 'the head')
    yield 1.0


def places():
    """Where the panel's buttons are, {words: (x, y)}; a generator. On a busy machine one look may
    miss some.
    """
    for _ in range(4):
        found = yield from buttons(BAKE)
        row = next((y for command, (_, y) in found.items() if MESH in command), sidebar().y)
        found |= yield from buttons(PARTS, (sidebar().x + sidebar().width * 0.7, row))
        out = {
            w: next((place for command, place in found.items() if w in command), None)
            for w in (MESH, PARTS, BAKE)
        }
        if all(out.values()):
            return out
    raise LookupError(f'not all buttons among {sorted(found)}')


def cancelled(name, place, at):
    """Press a button, then Cancel once its bar is so far: [it was ended, nothing was changed]; a
    generator. The engine holds still while Cancel is looked for.
    """
    before = everything()
    yield from press_at(place)
    yield from until(
        lambda: jobs().running() is not None and jobs().running().fraction >= at, 60, 'progress'
    )
    ran = jobs().running()
    os.killpg(ran.pid, signal.SIGSTOP)
    found = yield from buttons('facewright.cancel', place)
    yield from picture(f'cancelling_{name}')
    yield from click(*found['bpy.ops.facewright.cancel()'])
    ended = yield from comes(lambda: ran.state == 'cancelled', 5)
    yield 1.0
    results[f'{name}: cancelled, nothing changed'] = [ended, everything() == before]


def pressed(place):
    """Press a button and wait for what it does; a generator."""
    yield from press_at(place)
    yield from until(lambda: jobs().running(), 20, 'the job')
    yield from until(lambda: jobs().running() is None, 200, 'the end of the job')
    yield 2.0


def undone_and_redone(name, before):
    """Press Ctrl-Z, then Ctrl-Shift-Z: [as before, as after]; a generator."""
    after = everything()
    yield from shortcut('ctrl+z')
    undone = yield from comes(lambda: everything() == before)
    yield 1.0
    yield from shortcut('ctrl+shift+z')
    redone = yield from comes(lambda: everything() == after)
    results[f'{name}: undone, redone'] = [undone, redone]
    yield 1.0


def standard():
    yield from reconstruct('STANDARD')
    results['textures of Standard'] = textures()
    bpy.ops.facewright.look_through()
    yield from open_image_editor()
    bpy.context.scene.frame_set(5)
    bpy.ops.ed.undo_push(message='Frame')
    yield from over_viewport()
    at = yield from places()
    yield from cancelled('bake', at[BAKE], 0.3)
    yield from cancelled('parts', at[PARTS], 0.0)

    before = everything()
    yield from pressed(at[MESH])
    results['overlay of the mesh'] = [overlays(), shown(), overlaps()]
    yield from undone_and_redone('mesh', before)

    before = everything()
    yield from pressed(at[PARTS])
    results['overlay of the parts'] = [overlays(), shown(), overlaps()]
    yield from undone_and_redone('parts', before)

    yield from done(key('Right'), 1.0)
    yield from pressed(at[PARTS])
    yield from click(at[PARTS][0] + 5, at[PARTS][1])  # the mouse has not left the button
    results['pressed again at once'] = yield from comes(lambda: jobs().running(), 5)
    yield from until(lambda: jobs().running() is None, 200, 'the end of the job')
    yield 2.0
    results['overlay of the next frame'] = [overlays(), shown(), overlaps()]
    fit_image()
    viewport().spaces.active.shading.color_type = 'TEXTURE'
    yield from over_viewport()
    yield from picture('texture')

    at = yield from places()  # the figures of the overlay have moved what is below them
    before = everything()
    yield from pressed(at[BAKE])
    results['textures baked'] = textures()
    results['images'] = sorted(i.name for i in bpy.data.images)
    yield from undone_and_redone('bake', before)


def draft():
    yield from reconstruct('DRAFT')
    results['textures of Draft'] = textures()
    before = everything()
    yield from over_viewport()
    at = yield from places()
    yield from pressed(at[BAKE])
    results['textures baked for Draft'] = textures()
    yield from undone_and_redone('bake of Draft', before)
    yield from picture('appearance_draft')


def failing():
    """A reconstruction whose files are spoilt: what the panel says, and that nothing changes."""
    yield from over_viewport()
    at = yield from places()
    folder = Path(head()['facewright_folder'])
    (folder / 'rig.npz').write_bytes(b'')
    before = everything()
    yield from pressed(at[BAKE])
    results['failed'] = [jobs().current.state, jobs().current.error, everything() == before]
    yield from over_viewport()
    yield from picture('appearance_failed')


def steps():
    yield from install(given)
    arrange('PT_reconstruct', 'PT_overlay', 'PT_texture')
    bpy.ops.facewright.add_footage(filepath=str(SHARE / given['footage']))
    yield from open_tab()
    for part in given['parts']:
        yield from globals()[part]()


drive(steps)
