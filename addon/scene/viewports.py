"""The 3D view a result is shown in, and the view as it was before, where the result is undone.

Screens are not in Blender's undo: what was changed in them is remembered here and put back when a
take goes with an undo, and changed again when it comes back with a redo. Nothing the user has
changed since is touched.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import bpy
from mathutils import Vector

from . import takes

SETTINGS = (
    'shading.type',
    'shading.color_type',
    'overlay.show_overlays',
    'use_local_camera',
    'region_3d.view_perspective',
    'region_3d.view_camera_zoom',
    'region_3d.view_camera_offset',
)
PLACE = (
    'region_3d.view_rotation',
    'region_3d.view_location',
    'region_3d.view_distance',
)  # Blender changes it in a camera's view
MARGIN = 2.2  # how much farther than its size a framed object is looked at from
FILLED = 0.96  # of the free part of a view, by a camera's frame
SMALLEST = 100  # pixels of a view that is drawn
LEAST_PART = 0.05  # of a view's width, of which a smaller frame would not be seen
SEEN = ('SOLID', 'MATERIAL', 'RENDERED')


@dataclass
class Change:
    """What was changed in one viewport for a take: the settings before and after."""

    screen: str
    area: int
    take: str
    before: dict
    after: dict


_changes: list[Change] = []
_present: set[str] = set()  # the takes there were before the undo or redo that is going on


def main_view(context: bpy.types.Context) -> tuple[bpy.types.Screen, bpy.types.Area] | None:
    """Return the 3D view to show something in: the one that is pressed in, else the largest that
    shows the scene.
    """
    here = (
        context.area is not None
        and context.window is not None
        and context.window.scene == context.scene
    )
    if here and context.area.type == 'VIEW_3D':
        return context.screen, context.area
    found = [
        (w.screen, a)
        for w in context.window_manager.windows
        if w.scene == context.scene
        for a in w.screen.areas
        if a.type == 'VIEW_3D'
    ]
    return max(found, key=lambda f: f[1].width * f[1].height, default=None)


def look_through(
    context: bpy.types.Context, camera: bpy.types.Object, textured: bool | None = None
) -> None:
    """Turn the main 3D view to a camera; remembered with the camera's take.

    textured: True: in material preview, False: in solid view with the head's colours, None: shading
    as it is.
    """
    with _remembered(context, camera.get(takes.TAKE, '')) as space:
        if space is None:
            return
        if (textured and space.shading.type == 'SOLID') or space.shading.type not in SEEN:
            space.shading.type = 'MATERIAL' if textured else 'SOLID'
        if textured is False and space.shading.type == 'SOLID':
            space.shading.color_type = 'VERTEX'
        space.overlay.show_overlays = True  # the clip behind is one
        if context.scene.camera != camera or space.use_local_camera:
            space.use_local_camera, space.camera = True, camera
        view = space.region_3d
        view.view_perspective = 'CAMERA'
        _fit(context, view)


def _fit(context: bpy.types.Context, view: bpy.types.RegionView3D) -> None:
    """Make a camera's frame as large as the main 3D view shows beside its sidebar and tools, for a
    horizontal sensor fit.

    Blender's own arithmetic (BKE_camera_params_from_view3d): a frame is `part` of the region wide,
    and moves by 2 part offset.
    """
    _, area = main_view(context)
    whole = next(r for r in area.regions if r.type == 'WINDOW')
    if whole.width < SMALLEST:  # without a window
        return
    left, right, middle = whole.x, whole.x + whole.width, whole.x + whole.width / 2
    for beside in (r for r in area.regions if r.type in ('UI', 'TOOLS') and r.width > 1):
        if beside.x > middle:
            right = min(right, beside.x)
        elif beside.x + beside.width < middle:
            left = max(left, beside.x + beside.width)
    heads = sum(
        r.height
        for r in area.regions
        if r.type in ('HEADER', 'TOOL_HEADER') and whole.y <= r.y < whole.y + whole.height
    )
    render = context.scene.render
    shape = (
        render.resolution_y * render.pixel_aspect_y / (render.resolution_x * render.pixel_aspect_x)
    )
    part = FILLED * min(right - left, (whole.height - 2 * heads) / shape) / whole.width
    if part < LEAST_PART:  # next to nothing of the view is free
        return
    view.view_camera_zoom = 50 * (2 * part**0.5 - 2**0.5)
    view.view_camera_offset = ((middle - (left + right) / 2) / (2 * part * whole.width), 0.0)


def camera_looked_through(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the camera that the main 3D view shows, or would show; the scene's where there is no
    view.
    """
    found = main_view(context)
    space = found[1].spaces.active if found else None
    return space.camera if space is not None and space.use_local_camera else context.scene.camera


def frame_object(context: bpy.types.Context, thing: bpy.types.Object) -> None:
    """Bring an object into the middle of the main 3D view, from the side it is looked at from;
    remembered with its take.
    """
    with _remembered(context, thing.get(takes.TAKE, '')) as space:
        if space is None:
            return
        view = space.region_3d
        if view.view_perspective == 'CAMERA':
            view.view_perspective = 'PERSP'
        corners = [thing.matrix_world @ Vector(c) for c in thing.bound_box]
        view.view_location = sum(corners, Vector()) / 8
        view.view_distance = (
            MARGIN * max((a - b).length for a in corners for b in corners) * 50 / space.lens
        )


def eye_point(context: bpy.types.Context, target: Vector, distance: float) -> Vector:
    """Return a point `distance` m from `target` on the side the main 3D view looks from; in front
    of a head where there is no view.
    """
    found = main_view(context)
    view = found[1].spaces.active.region_3d if found else None
    if view is None or view.view_perspective == 'CAMERA':
        return target + Vector((0, -distance, 0))
    return target + view.view_rotation @ Vector((0, 0, distance))


@contextlib.contextmanager
def _remembered(context: bpy.types.Context, take: str):
    """Yield the main 3D view's space, None without one, and remember with a take what the block
    changes in it.
    """
    found = main_view(context)
    if found is None:
        yield None
        return
    screen, area = found
    space = area.spaces.active
    before = _state(space)
    yield space
    if take:
        where = next(i for i, a in enumerate(screen.areas) if a == area)
        _changes.append(Change(screen.name, where, take, before, _state(space)))


def _state(space: bpy.types.SpaceView3D) -> dict:
    """Return a view's settings by name; its camera by name too, as Blender's undo gives all data
    new addresses.
    """
    state = {name: _plain(space.path_resolve(name)) for name in (*SETTINGS, *PLACE)}
    return state | {'camera': space.camera.name if space.use_local_camera and space.camera else ''}


def _plain(value):
    return value if isinstance(value, (str, bool, int, float)) else tuple(value)


def _put(space: bpy.types.SpaceView3D, wanted: dict, expected: dict) -> None:
    """Give a view the settings `wanted` that it still has as `expected`."""
    now = _state(space)
    same = {name for name in SETTINGS if now[name] == expected[name]}
    turned = expected['region_3d.view_perspective'] != wanted['region_3d.view_perspective']
    for name in SETTINGS:
        if name in same and now[name] != wanted[name]:
            _set(space, name, wanted[name])
    if space.use_local_camera and wanted['camera'] in bpy.data.objects:
        space.camera = bpy.data.objects[wanted['camera']]
    moved = all(_close(now[name], expected[name]) for name in PLACE)
    if (
        'region_3d.view_perspective' in same
        and wanted['region_3d.view_perspective'] != 'CAMERA'
        and (turned or moved)
    ):
        for name in PLACE:
            _set(space, name, wanted[name])


def _close(a, b) -> bool:
    return (Vector(a) - Vector(b)).length < 1e-5 if isinstance(a, tuple) else abs(a - b) < 1e-5


def _set(space: bpy.types.SpaceView3D, path: str, value) -> None:
    owner, _, name = path.rpartition('.')
    setattr(space.path_resolve(owner) if owner else space, name, value)


def _takes() -> set[str]:
    """Return the takes that are in the file."""
    return {o[takes.TAKE] for o in bpy.data.objects if takes.TAKE in o}


@bpy.app.handlers.persistent
def _before_step(*_) -> None:
    """Remember which takes there are before an undo or a redo."""
    global _present
    _present = _takes()


@bpy.app.handlers.persistent
def _after_undo(*_) -> None:
    """Put the views back that were turned to a take which an undo took away."""
    gone = _present - _takes()
    for change in reversed([c for c in _changes if c.take in gone]):
        _put_in(change, change.before, change.after)


@bpy.app.handlers.persistent
def _after_redo(*_) -> None:
    """Turn the views again to a take which a redo brought back."""
    back = _takes() - _present
    for change in [c for c in _changes if c.take in back]:
        _put_in(change, change.after, change.before)


def _put_in(change: Change, wanted: dict, expected: dict) -> None:
    """Give a change's view the settings `wanted` that it still has as `expected`, where it is
    still there.
    """
    screen = bpy.data.screens.get(change.screen)
    area = screen.areas[change.area] if screen and change.area < len(screen.areas) else None
    if area is not None and area.type == 'VIEW_3D':
        _put(area.spaces.active, wanted, expected)


@bpy.app.handlers.persistent
def _forget(*_) -> None:
    _changes.clear()


HANDLERS = (
    ('undo_pre', _before_step),
    ('redo_pre', _before_step),
    ('undo_post', _after_undo),
    ('redo_post', _after_redo),
    ('load_pre', _forget),
)


def attach() -> None:
    """Add the handlers."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def detach() -> None:
    """Take the handlers away."""
    _forget()
    for name, handler in HANDLERS:
        if handler in getattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).remove(handler)
