"""Driving a real Blender window from inside: mouse and keys through xdotool, pictures through
ImageMagick.

Runs in Blender's Python. A test is a generator that yields the seconds to wait; `drive` steps it
with a timer, so that Blender keeps drawing and handling events between the steps.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy

SHARE = Path('/t')
ADDON = 'bl_ext.user_default.facewright'
results = {}


def tool(*command):
    """Start a program without waiting for it: Blender must go on handling events."""
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def done(process, pause):
    """Wait until a program has done its work, however busy the machine, and `pause` seconds more
    for Blender; a generator.
    """
    while process.poll() is None:
        yield 0.02
    yield pause


def picture(name):
    """Take a picture of the whole screen; a generator."""
    yield 0.6
    yield from done(tool('import', '-window', 'root', SHARE / f'{name}.png'), 0.1)


def viewport():
    """The 3D viewport's area."""
    return next(
        area
        for area in bpy.context.window_manager.windows[0].screen.areas
        if area.type == 'VIEW_3D'
    )


def sidebar():
    """The 3D viewport's sidebar."""
    return next(region for region in viewport().regions if region.type == 'UI')


def screen(x, y):
    """Blender's window coordinates (from the bottom) as the screen's (from the top)."""
    return round(x), round(bpy.context.window_manager.windows[0].height - y)


def move(x, y):
    return tool('xdotool', 'mousemove', *screen(x, y))


def click(x, y):
    """Click at Blender's window coordinates; a generator."""
    yield from done(move(x, y), 0.3)
    yield from done(tool('xdotool', 'click', 1), 0.4)


def key(name):
    return tool('xdotool', 'key', name)


def in_viewport():
    """A context override for operators that want the 3D viewport."""
    region = next(region for region in viewport().regions if region.type == 'WINDOW')
    return bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=viewport(), region=region
    )


def look():
    """Frame the selected object in the viewport, from the front, in its colours."""
    with in_viewport():
        bpy.ops.view3d.view_axis(type='FRONT')
        bpy.ops.view3d.view_selected()
    viewport().spaces.active.shading.color_type = 'VERTEX'


def drag(start, end):
    """Press the mouse at one place, (x, y), and release it at another; a generator."""
    yield from done(move(*start), 0.3)
    yield from done(tool('xdotool', 'mousedown', 1), 0.2)
    for step in range(1, 9):
        yield from done(move(*(a + (b - a) * step / 8 for a, b in zip(start, end))), 0.05)
    yield from done(tool('xdotool', 'mouseup', 1), 0.5)


def install(given, empty=True):
    """Install the zip, empty the scene unless told not to; a generator.

    given: {'zip': its name in the share, 'python': the engine's, 'threads': it may use, '' for its
    own choice}.
    """
    if given['threads']:
        os.environ['OMP_NUM_THREADS'] = given['threads']
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.view.filebrowser_display_type = 'SCREEN'
    bpy.ops.extensions.package_install_files(
        filepath=str(SHARE / given['zip']), repo='user_default', enable_on_install=True
    )
    bpy.context.preferences.addons[ADDON].preferences.python = given['python']
    if empty:
        for thing in list(bpy.data.objects):
            bpy.data.objects.remove(thing)
        bpy.ops.ed.undo_push(message='Empty')
    yield 1.0


def arrange(*opened):
    """Before the tab is first drawn: the panels whose classes' names end so open, all others
    closed.
    """
    classes = [c for c in addon('panels').CLASSES if '_PT_' in c.__name__]
    for one in reversed(classes):
        bpy.utils.unregister_class(one)
    for one in classes:
        options = set(getattr(one, 'bl_options', ())) - {'DEFAULT_CLOSED'}
        one.bl_options = options if one.__name__.endswith(opened) else options | {'DEFAULT_CLOSED'}
        bpy.utils.register_class(one)


def open_tab(wider=96):
    """Open the sidebar's Facewright tab as a person does, and make it so many pixels wider; a
    generator.
    """
    yield from over_viewport()
    yield from done(key('Escape'), 0.3)
    yield from done(key('n'), 1.0)
    space = viewport().spaces.active
    results['sidebar opened by N'] = space.show_region_ui
    space.show_region_ui = True
    yield 0.5
    sidebar().active_panel_category = 'Facewright'
    yield 0.5
    if wider:
        edge, y = sidebar().x, sidebar().y + sidebar().height / 2
        yield from drag((edge, y), (edge - wider, y))
    results['sidebar width'] = sidebar().width


def addon(name):
    """One of the add-on's modules, such as 'jobs'."""
    return sys.modules[f'{ADDON}.addon.{name}']


def over_viewport():
    """Put the mouse into the middle of the viewport; a generator."""
    region = next(region for region in viewport().regions if region.type == 'WINDOW')
    yield from done(move(region.x + region.width / 3, region.y + region.height / 2), 0.3)


def scroll(steps):
    """Scroll the sidebar down (up where negative); a generator."""
    region = sidebar()
    move(region.x + region.width / 2, region.y + region.height / 2)
    yield 0.2
    for _ in range(abs(steps)):
        tool('xdotool', 'click', 5 if steps > 0 else 4)
        yield 0.1
    yield 0.3


def buttons(wanted='', near=None):
    """Where the sidebar's operator buttons are: {python command: (x, y)}, found as a person would
    copy them, Ctrl-C over each; a generator.

    Stops at the first command that holds `wanted`. near: (x, y), to look from a little above there
    down and no further than a hand.
    """
    region, manager = sidebar(), bpy.context.window_manager
    columns = [
        region.x + region.width * 0.3,
        region.x + region.width * 0.7,
        region.x + region.width - 40,
    ]
    top, bottom = region.y + region.height - 12, region.y
    if near:
        columns, top, bottom = [near[0]], near[1] + 70, near[1] - 130
    found = {}
    for x in columns:
        y = top
        while y > bottom:
            manager.clipboard = ''
            yield from done(move(x, y), 0.03)
            yield from done(key('ctrl+c'), 0.06)
            command = manager.clipboard
            if command.startswith('bpy.ops.'):
                found.setdefault(command, (x, y))
                if wanted and wanted in command:
                    return found
            y -= 11
    return found


def places_of(*words):
    """Where the buttons are whose commands hold these words, {words: (x, y)}; a generator. On a
    busy machine one look may miss some.
    """
    found = {}
    for _ in range(4):
        found |= yield from buttons()
        places = {
            w: next((place for command, place in found.items() if w in command), None)
            for w in words
        }
        if all(places.values()):
            return places
    raise LookupError(f'no button for {[w for w in words if not places[w]]} among {sorted(found)}')


def choose_file(name):
    """Choose a file of the share in the file browser that is open, then confirm: two clicks; a
    generator.
    """
    screen_areas = bpy.context.window_manager.windows[0].screen
    yield from until(
        lambda: any(a.type == 'FILE_BROWSER' for a in screen_areas.areas), 10, 'the file browser'
    )
    browser = next(a for a in screen_areas.areas if a.type == 'FILE_BROWSER')
    browser.spaces.active.params.directory = str(SHARE).encode()
    browser.spaces.active.params.filename = name
    yield 1.0
    yield from click(browser.x + browser.width / 2, browser.y + browser.height / 3)
    browser.spaces.active.params.filename = name
    yield 0.5
    yield from done(key('Return'), 0.5)


def press_at(place):
    """Click a button, from the viewport, so that a message that covers the panel closes; a
    generator.
    """
    yield from over_viewport()
    yield 0.5
    yield from click(*place)


def shortcut(name):
    yield from over_viewport()
    yield from done(key(name), 1.0)


def press(words, near=None):
    """Click the sidebar's button whose command holds `words`; returns where it is; a generator."""
    found = yield from buttons(words, near)
    place = next((place for command, place in found.items() if words in command), None)
    if place is None:
        raise LookupError(f'no button for {words} among {sorted(found)}')
    yield from click(*place)
    return place


def until(condition, seconds, what):
    """Wait for a condition; a generator. Raises TimeoutError naming `what`."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f'{what} did not come within {seconds} s')
        yield 0.1
    return time.monotonic() - began


def comes(condition, seconds=15):
    """Whether a condition comes true in time; a generator."""
    try:
        yield from until(condition, seconds, '')
        return True
    except TimeoutError:
        return False


def drive(steps):
    """Run the generator to its end, write results.json, quit Blender. On a busy machine every wait
    is up to twice as long.
    """
    running = steps()

    def tick():
        try:
            return next(running) * min(max(1.0, os.getloadavg()[0] / os.cpu_count() / 2), 2.0)
        except StopIteration:
            results['done'] = True
        except Exception:  # noqa: BLE001  whatever it was is in the results
            results['error'] = traceback.format_exc()
            subprocess.run(['import', '-window', 'root', str(SHARE / 'failed.png')])
        (SHARE / 'results.json').write_text(json.dumps(results, indent=1))
        bpy.ops.wm.quit_blender()

    bpy.app.timers.register(tick, first_interval=2.0, persistent=True)
