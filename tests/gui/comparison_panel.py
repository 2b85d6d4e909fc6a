"""Compare with Model in a real window: a head whose shapes are its own, coloured, blended and
undone.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import numpy as np
from window import (
    SHARE,
    addon,
    arrange,
    comes,
    drive,
    install,
    look,
    open_tab,
    over_viewport,
    picture,
    places_of,
    press_at,
    results,
    shortcut,
    sidebar,
    until,
    viewport,
)

given = json.loads((SHARE / 'given.json').read_text())
OPENED = 'PT_shape_keys', 'comparison'


def person():
    """The built-in head with the shapes of personal.npz, the active object."""
    bpy.ops.facewright.add_head()
    yield from until(lambda: bpy.context.object is not None, 200, 'the head')
    bpy.data.objects.remove(bpy.context.object)
    model = addon('models').cached('builtin')
    rig = np.load(SHARE / 'personal.npz')
    names = tuple(rig['names'].tolist())
    head = addon('scene.heads').create_head(
        'Person', model, rig['neutral'], rig['expressions'], names
    )
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    activate(head, 'mouthSmile_L')
    look()


def activate(head, name):
    head.active_shape_key_index = head.data.shape_keys.key_blocks.find(name)
    bpy.ops.ed.undo_push(message=name)


def shape(name):
    block = bpy.data.objects['Person'].data.shape_keys.key_blocks[name]
    out = np.empty(len(block.points) * 3, np.float32)
    block.points.foreach_get('co', out)
    return out


def scroll_down():
    """Scroll the sidebar to its end, not a list under the mouse."""
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=viewport(), region=sidebar()):
        for _ in range(60):
            bpy.ops.view2d.scroll_down()


def said():
    return bpy.context.scene.facewright.shapes.report


def steps():
    yield from install(given)
    arrange(*OPENED)
    yield from open_tab()
    yield from person()
    yield 1.0
    yield from picture('comparison_before')
    places = yield from places_of('compare_with_model')
    yield from press_at(places['compare_with_model'])
    yield from until(lambda: addon('jobs').running() is None and said(), 200, 'the comparison')
    yield 1.0
    results['said'] = said()
    yield from over_viewport()
    yield from picture('comparison_smile')
    for name in given['parts']:
        bpy.ops.facewright.show_difference(key=name)
        yield from picture(f'comparison_{name}')
    bpy.ops.facewright.show_difference(key='mouthSmile_L')
    bpy.ops.ed.undo_push(message='Shown')
    own = shape('mouthSmile_L')
    scroll_down()
    yield from picture('comparison_scrolled')
    places = yield from places_of('blend_with_model', 'hide_difference')
    yield from press_at(places['blend_with_model'])
    results['blended'] = yield from comes(lambda: not np.array_equal(shape('mouthSmile_L'), own))
    yield from over_viewport()
    yield from picture('comparison_blended')
    yield from shortcut('ctrl+z')
    results['undone'] = yield from comes(lambda: np.array_equal(shape('mouthSmile_L'), own))
    yield from press_at(places['hide_difference'])
    head = bpy.data.objects['Person']
    results['own colours'] = yield from comes(
        lambda: head.data.color_attributes.active_color.name == 'Albedo'
    )
    yield from picture('comparison_after')


drive(steps)
