"""What a new user does, in a real window: install, open the tab, add a head, add footage,
reconstruct, cancel, reconstruct, undo.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
from window import (
    SHARE,
    addon,
    buttons,
    choose_file,
    drive,
    install,
    key,
    look,
    move,
    open_tab,
    over_viewport,
    picture,
    press,
    results,
    tool,
    until,
    viewport,
)

given = json.loads((SHARE / 'given.json').read_text())


def jobs():
    return addon('jobs')


def steps():
    yield from install(given)
    yield from open_tab()
    yield from add_and_undo_a_head()
    yield from reconstruct()
    if not results['failure']:
        yield from look_at_the_result()


def add_and_undo_a_head():
    yield from picture('empty')
    results['buttons'] = sorted((yield from buttons()))
    yield from press('facewright.add_head')
    yield from until(lambda: any(o.type == 'MESH' for o in bpy.data.objects), 120, 'the head')
    results['shape keys'] = len(
        next(o for o in bpy.data.objects if o.type == 'MESH').data.shape_keys.key_blocks
    )
    look()
    yield from picture('head')
    yield from over_viewport()
    key('ctrl+z')
    yield 1.0
    results['objects after undo of the head'] = len(bpy.data.objects)


def reconstruct():
    """Add footage and reconstruct, cancelled the first time."""
    yield from press('facewright.add_footage')
    yield from choose_file(given['footage'])
    yield from until(lambda: len(bpy.context.scene.facewright.views) == 1, 10, 'the view')
    yield from picture('footage')

    place = yield from press('facewright.reconstruct(')
    yield from until(
        lambda: jobs().current is not None and jobs().current.fraction > 0.05, 120, 'progress'
    )
    results['running'] = jobs().current.state
    found = yield from buttons('facewright.cancel', place)
    move(*found['bpy.ops.facewright.cancel()'])
    yield 0.3
    tool('xdotool', 'click', 1)
    results['seconds to cancel'] = yield from until(
        lambda: jobs().running() is None, 5, 'the cancelled state'
    )
    results['objects after cancel'] = len(bpy.data.objects)
    yield from picture('cancelled')

    yield from press('facewright.reconstruct(', place)
    yield from until(lambda: jobs().current.fraction > 0.3, 120, 'progress')
    yield from picture('running')
    results['seconds to reconstruct'] = yield from until(
        lambda: bpy.context.scene.facewright.result is not None or jobs().current.state == 'failed',
        400,
        'the result',
    )
    results['failure'] = (
        jobs().current.error if jobs().current and jobs().current.state == 'failed' else None
    )


def look_at_the_result():
    results['collections'] = [c.name for c in bpy.context.scene.collection.children]
    yield from over_viewport()
    before = len(bpy.data.objects)
    key('ctrl+z')
    yield 2.0
    results['objects before and after undo'] = [before, len(bpy.data.objects)]
    key('ctrl+shift+z')
    yield 2.0
    results['objects after redo'] = len(bpy.data.objects)

    bpy.context.scene.frame_set((bpy.context.scene.frame_start + bpy.context.scene.frame_end) // 2)
    yield from press('facewright.look_through')
    yield 1.0
    results['looks through the camera'] = viewport().spaces.active.region_3d.view_perspective
    yield from picture('result')


drive(steps)
