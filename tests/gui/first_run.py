"""The first run in Blender's default scene, Cube and all: clicks counted, what is seen, one
undo; then again, and the clip over the head.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
from window import (
    SHARE,
    addon,
    choose_file,
    done,
    drive,
    install,
    key,
    open_tab,
    over_viewport,
    picture,
    press,
    results,
    shortcut,
    sidebar,
    until,
    viewport,
)

given = json.loads((SHARE / 'given.json').read_text())


def seen():
    """What the 3D view shows, and how."""
    space = viewport().spaces.active
    view = space.region_3d
    return {
        'objects': sorted(o.name for o in bpy.context.view_layer.objects if o.visible_get()),
        'perspective': view.view_perspective,
        'shading': [space.shading.type, space.shading.color_type],
        'distance': round(view.view_distance, 3),
        'turn': [round(v, 3) for v in view.view_rotation],
        'camera': bpy.context.scene.camera.name,
        'rate': bpy.context.scene.render.fps,
        'size': bpy.context.scene.render.resolution_x,
    }


def finished(mark):
    job, head = addon('jobs').current, bpy.context.scene.facewright.result
    return job is not None and (
        job.state == 'failed' or (head is not None and head.get('facewright_take') != mark)
    )


def reconstruct(quality):
    """Press Reconstruct and wait for the head; a generator."""
    head = bpy.context.scene.facewright.result
    mark = head.get('facewright_take') if head else None
    bpy.context.scene.facewright.quality = quality
    yield from press('facewright.reconstruct(')
    yield from until(lambda: finished(mark), 900, f'the result of {quality}')
    job = addon('jobs').current
    results[f'failure of {quality}'] = job.error if job.state == 'failed' else None
    yield 2.0


def plays():
    """Whether the head moves while the scene plays; a generator."""
    scene, head = bpy.context.scene, bpy.context.scene.facewright.result
    yield from over_viewport()
    frames, places = set(), set()
    yield from done(key('space'), 0.2)
    for _ in range(20):
        frames.add(scene.frame_current)
        places.add(tuple(round(v, 5) for v in head.matrix_world.translation))
        yield 0.1
    yield from done(key('space'), 0.2)
    return len(frames) > 3 and len(places) > 3


def steps():
    yield from install(given, empty=False)
    clicks = 0
    before = seen()
    yield from open_tab()
    clicks += 1  # the tab
    yield from picture('first_start')
    yield from press('facewright.add_footage')
    yield from choose_file(given['footage'])
    clicks += 3  # the button, the file, the file browser's button
    yield from until(lambda: len(bpy.context.scene.facewright.views) == 1, 10, 'the view')
    yield from reconstruct('DRAFT')
    clicks += 1
    results['seen'] = seen()
    yield from picture('first_result')
    results['moves'] = yield from plays()
    clicks += 1  # play
    results['clicks'] = clicks
    yield from picture('first_played')

    place = yield from press('facewright.lay_clip_over')
    yield 1.0
    results['over'] = addon('api').clip_over(bpy.context.scene.facewright.result) is not None
    yield from picture('first_over')
    yield from shortcut('ctrl+z')
    results['over after undo'] = (
        addon('api').clip_over(bpy.context.scene.facewright.result) is not None
    )
    yield from press('facewright.show_wire', (sidebar().x + sidebar().width * 0.7, place[1]))
    yield from picture('first_wire')
    yield from shortcut('ctrl+z')

    yield from reconstruct('STANDARD')
    results['seen again'] = seen()
    results['heads'] = [o.name for o in bpy.data.objects if 'facewright_frames' in o]
    yield from picture('first_again')
    yield from press('facewright.lay_clip_over')
    yield 1.0
    yield from picture('first_over_standard')
    for _ in range(3):
        yield from shortcut('ctrl+z')
    yield 1.0
    results['before and after undo'] = [before, seen()]
    yield from picture('first_undone')


drive(steps)
