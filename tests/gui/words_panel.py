"""The panels at the sidebar's default width: the missing engine, what is folded, a run's bar, the
result's words, a pinned key.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
from window import (
    ADDON,
    SHARE,
    addon,
    arrange,
    buttons,
    comes,
    drive,
    install,
    open_tab,
    over_viewport,
    picture,
    press,
    press_at,
    results,
    sidebar,
    until,
)

given = json.loads((SHARE / 'given.json').read_text())


def preferences():
    return bpy.context.preferences.addons[ADDON].preferences


def environment():
    return addon('environment')


def jobs():
    return addon('jobs')


def missing_engine():
    """Blender's own Python lacks the packages: said as soon as the tab is open; then the right one
    is chosen.
    """
    preferences().python = ''
    yield from open_tab(wider=0)
    results['the engine was asked'] = yield from comes(
        lambda: environment().known() is not None, 60
    )
    yield 1.0
    found = environment().known()
    results['what it lacks'] = [found.wrong, len(found.packages)] if found else None
    yield from picture('engine_missing')
    results['buttons without an engine'] = sorted((yield from buttons('facewright.add_head')))
    preferences().python = given['python']
    results['asked again by itself'] = yield from comes(
        lambda: environment().known() is not None, 60
    )
    results['then ready'] = environment().known().wrong
    yield from over_viewport()
    yield 1.0
    results['buttons with an engine'] = sorted(
        (yield from buttons('facewright.add_head'))
    )  # from the top down to it


def footage():
    bpy.ops.facewright.add_footage(filepath=str(SHARE / given['footage']))
    yield from over_viewport()
    yield 1.0
    yield from picture('footage_folded')


def reconstruction():
    settings = bpy.context.scene.facewright
    settings.quality = 'DRAFT'
    bpy.context.scene.frame_set(3)
    found = yield from buttons('facewright.reconstruct(')
    place = next(place for command, place in found.items() if 'facewright.reconstruct(' in command)
    yield from press('set_neutral_frame', (sidebar().x + sidebar().width - 47, place[1] + 100))
    results['neutral frame'] = [settings.neutral_known, settings.neutral_at]
    yield from press_at(place)
    yield from until(lambda: jobs().running() and jobs().running().fraction > 0.1, 200, 'progress')
    yield from picture('running_narrow')
    yield from until(lambda: jobs().running() is None, 600, 'the end of the reconstruction')
    results['failure'] = jobs().current.error or None
    yield from until(lambda: settings.result is not None, 20, 'the head')
    yield 2.0
    yield from over_viewport()
    yield from picture('result_words')
    head = settings.result
    results['verdicts'] = addon('api').verdict_in_words(head)
    results['frames shown'] = []
    near = place
    for region in ('eyes', 'lips'):
        near = yield from press(
            f'show_worst_frame(region="{region}")', (sidebar().x + sidebar().width * 0.7, near[1])
        )
        yield 0.5
        results['frames shown'].append(bpy.context.scene.frame_current)
    at = addon('scene.regions')
    results['frames told'] = [
        at.scene_frame(head, v.worst) for v in at.verdicts_of(head) if v.region in ('eyes', 'lips')
    ]


def pinned():
    """The Shape Keys panel is folded and another object is selected: the top of the tab says it all
    the same.
    """
    head = bpy.context.scene.facewright.result
    head.show_only_shape_key, head.active_shape_key_index = True, 5
    camera = addon('api').head_cameras(head)[0]
    head.select_set(False)
    camera.select_set(True)
    bpy.context.view_layer.objects.active = camera
    bpy.ops.ed.undo_push(message='Pinned')
    yield from over_viewport()
    yield 1.0
    yield from picture('pinned')
    found = yield from buttons('unpin_shape_keys')
    places = [place for command, place in found.items() if 'unpin_shape_keys' in command]
    results['a button ends the pin'] = len(places)
    yield from press_at(places[0])
    results['the pin was ended'] = yield from comes(lambda: not head.show_only_shape_key)
    yield 1.0
    results['buttons after it'] = sorted((yield from buttons('facewright.add_head')))


def steps():
    yield from install(given)
    arrange('PT_head', 'PT_footage', 'PT_reconstruct', 'PT_result', 'PT_engine', 'PT_pinned')
    for part in (missing_engine, footage, reconstruction, pinned):
        yield from part()


drive(steps)
