"""The Shape Keys panel in a real window: keys for a head of another topology, the tools in all
three modes, cavities after the Basis was sculpted.
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
    drag,
    drive,
    in_viewport,
    install,
    look,
    open_tab,
    over_viewport,
    picture,
    places_of,
    press_at,
    results,
    scroll,
    shortcut,
    until,
    viewport,
)

given = json.loads((SHARE / 'given.json').read_text())
# what a button's command holds → keys that must change, where mouthSmile_L was edited and is the
# active one
TOOLS = {
    "symmetrise_shape_keys(source='LEFT')": {'mouthSmile_R'},
    "symmetrise_shape_keys(source='RIGHT')": {'mouthSmile_L'},
    "mirror_shape_key(to='OTHER')": {'mouthSmile_R'},
    "mirror_shape_key(to='ITSELF')": {'mouthSmile_L'},
    "region(to='BASIS')": {'mouthSmile_L'},
    "region(to='GENERATED')": {'mouthSmile_L'},
    'scale_shape_key': {'mouthSmile_L'},
}


def head():
    return bpy.context.view_layer.objects.active


def shapes():
    """{key: N×3}"""
    head().update_from_editmode()
    out = {}
    for block in head().data.shape_keys.key_blocks:
        out[block.name] = np.empty(len(block.points) * 3, np.float32)
        block.points.foreach_get('co', out[block.name])
    return out


def changed(before, after):
    """Names of the keys that differ, are new, or are gone."""
    return {
        n
        for n in before.keys() | after.keys()
        if n not in before or n not in after or not np.array_equal(before[n], after[n])
    }


def activate(name):
    head().active_shape_key_index = head().data.shape_keys.key_blocks.find(name)
    bpy.ops.ed.undo_push(message=name)


def mode(name):
    with in_viewport():
        bpy.ops.object.mode_set(mode=name)
    bpy.ops.ed.undo_push(message=name)


def foreign():
    """The built-in head as somebody else's: other vertices, no keys, no groups."""
    with in_viewport():
        head().shape_key_clear()
        head().vertex_groups.clear()
        del head()['facewright_model']
        head().modifiers.new('Fewer', 'DECIMATE').ratio = 0.8
        bpy.ops.object.modifier_apply(modifier='Fewer')
    head().name = 'Someone'
    bpy.ops.ed.undo_push(message='Foreign')


def press_and_undo(place, name, expected):
    """Click a tool's button, then Ctrl-Z: [did what was expected, was undone, in the mode that
    was]; a generator. expected: of a set of changed keys.
    """
    before = shapes()
    yield from press_at(place)
    did = yield from comes(lambda: expected(changed(before, shapes())))
    yield 1.0
    yield from shortcut('ctrl+z')
    undone = yield from comes(lambda: not changed(before, shapes()))
    yield 1.0  # the panel must be drawn anew before it takes a click
    return [did, undone, head().mode == name]


def idle(seconds):
    yield from until(lambda: addon('jobs').running() is None, seconds, 'the end of the job')
    yield 1.5


def brush():
    """A brush to sculpt with: this Blender comes without."""
    made = bpy.data.brushes.new('Grab', mode='SCULPT')
    made.asset_mark()
    made.sculpt_tool = 'GRAB'
    with in_viewport():
        bpy.ops.wm.tool_set_by_id(name='builtin.brush')
        bpy.ops.brush.asset_activate(
            asset_library_type='LOCAL', relative_asset_identifier='Brush/Grab'
        )
    bpy.context.scene.tool_settings.unified_paint_settings.size = 110


def somebody_elses_head():
    bpy.ops.facewright.add_head()
    yield from until(lambda: addon('jobs').running() is None and head(), 200, 'the head')
    look()
    foreign()
    yield 1.0
    places = yield from places_of('generate_shape_keys')
    yield from press_at(places['generate_shape_keys'])
    yield from until(lambda: addon('jobs').running(), 20, 'the job')
    yield from idle(900)
    results["keys on somebody else's head"] = len(head().data.shape_keys.key_blocks)
    activate('mouthFunnel')
    yield from scroll(30)
    places = yield from places_of('split')
    yield from press_at(places['split'])
    yield from comes(lambda: 'mouthFunnel_R' in shapes())
    yield from scroll(-30)
    results['split of an uneven mesh'] = sorted(n for n in shapes() if 'Funnel' in n)
    yield from shortcut('ctrl+z')
    for name, value in (
        ('mouthSmile_L', 0.9),
        ('mouthSmile_R', 0.6),
        ('browOuterUp_L', 0.8),
        ('jawOpen', 0.25),
    ):
        head().data.shape_keys.key_blocks[name].value = value
    activate('mouthSmile_L')
    yield from over_viewport()
    yield from picture('shape_keys')
    bpy.data.objects.remove(head())
    bpy.context.scene.facewright.shapes.report = ''


def tools_in_three_modes():
    bpy.ops.facewright.add_head()
    yield from until(lambda: head() and head().data.shape_keys, 200, 'the head')
    look()
    block = head().data.shape_keys.key_blocks['mouthSmile_L']
    edited = (
        shapes()['mouthSmile_L']
        + np.random.default_rng(0).normal(size=len(block.points) * 3).astype(np.float32) * 3e-4
    )
    block.points.foreach_set('co', edited)
    activate('mouthSmile_L')
    yield 1.0
    places = yield from places_of(*TOOLS, 'split')
    found = {}
    for name in ('OBJECT', 'EDIT', 'SCULPT'):
        mode(name)
        yield 1.0
        for words, keys in TOOLS.items():
            found[f'{name} {words}'] = yield from press_and_undo(
                places[words], name, lambda changes, keys=keys: changes == keys
            )
        activate('jawOpen')
        found[f'{name} split'] = yield from press_and_undo(
            places['split'], name, lambda changes: changes == {'jawOpen', 'jawOpen_L', 'jawOpen_R'}
        )
        activate('mouthSmile_L')
        mode('OBJECT')
    results['tools: did it, undone, in the mode that was'] = found


def sculpted_basis():
    activate('Basis')
    mode('SCULPT')
    yield 1.0
    brush()
    places = yield from places_of('fix_cavities')
    area = next(region for region in viewport().regions if region.type == 'WINDOW')
    lips = area.x + area.width / 2, area.y + area.height * 0.4
    before = shapes()
    yield from drag(lips, (lips[0], lips[1] - 20))
    yield from comes(lambda: changed(before, shapes()))
    yield 1.0
    sculpted = shapes()
    results['keys a stroke on the Basis moves'] = len(changed(before, sculpted))
    yield from press_at(places['fix_cavities'])
    yield from until(lambda: addon('jobs').running(), 20, 'the job')
    yield from idle(600)
    yield from comes(lambda: head().mode == 'SCULPT')
    fixed = shapes()
    results['keys the cavities move in'] = len(changed(sculpted, fixed))
    results['said'] = bpy.context.scene.facewright.shapes.report
    yield from picture('sculpted_basis')
    yield from shortcut('ctrl+z')
    results['undone to the stroke'] = yield from comes(
        lambda: not changed(sculpted, shapes()) and head().mode == 'SCULPT'
    )


def steps():
    yield from install(given)
    arrange('PT_shape_keys', 'cavities', 'edit')
    yield from open_tab()
    for part in given['parts']:
        yield from globals()[part]()


drive(steps)
