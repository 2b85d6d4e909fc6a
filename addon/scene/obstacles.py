"""What stands in the way of a head: found by rays, hidden in the viewport alone, where Blender's
undo brings it back.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from . import heads, takes

LAYERS = 16  # objects behind each other that are looked through
SAMPLES = 48  # points of a head, or of a camera's frame, that rays go to
POSES = 5  # frames of a take at which it is looked at
FAR = 1000.0  # m
NEAR = 0.002  # m: how far behind a surface the next ray starts
DISTANCE = 2.0  # m from which a head that was added is looked at


def clear_camera(
    context: bpy.types.Context, camera: bpy.types.Object, head: bpy.types.Object, whole: bool
) -> list[str]:
    """Hide what stands between a camera and a head anywhere in its take; with `whole`, all that
    covers the clip behind too.

    Returns the names of the objects hidden.
    """
    scene, spare = context.scene, takes.members(head[takes.TAKE])
    frames, now = np.array(head[takes.FRAMES]), (scene.frame_current, scene.frame_subframe)
    hidden = []
    for frame in np.unique(np.linspace(frames[0], frames[-1], POSES).round().astype(int)):
        scene.frame_set(int(frame))
        rays = head_rays(camera, head) + (frame_rays(scene, camera) if whole else [])
        hidden += hide(context, rays, spare)
    scene.frame_set(now[0], subframe=now[1])
    return hidden


def clear_round(context: bpy.types.Context, head: bpy.types.Object, eye: Vector) -> list[str]:
    """Hide what stands between a head and who looks at it from `eye` or from the front, other heads
    left alone.

    Returns the names of the objects hidden.
    """
    context.view_layer.update()
    front = head.matrix_world.translation + head.matrix_world.to_3x3() @ Vector((0, -DISTANCE, 0))
    rays = [(start, p) for start in (eye, front) for p in _points(head)]
    return hide(context, rays, [o for o in context.view_layer.objects if heads.MODEL in o])


def head_rays(camera: bpy.types.Object, head: bpy.types.Object) -> list[tuple[Vector, Vector]]:
    """Return lines from a camera to points all over a head, as it stands now."""
    return [(camera.matrix_world.translation.copy(), p) for p in _points(head)]


def frame_rays(scene: bpy.types.Scene, camera: bpy.types.Object) -> list[tuple[Vector, Vector]]:
    """Return lines from a camera through its frame, as far as it goes: what they meet covers the
    clip behind.
    """
    right, _, left, up = (Vector(c) for c in camera.data.view_frame(scene=scene))
    count = int(SAMPLES**0.5)
    start, turn = camera.matrix_world.translation, camera.matrix_world.to_3x3()
    rays = []
    for across in np.linspace(0.02, 0.98, count):
        for down in np.linspace(0.02, 0.98, count):
            at = up + (right - up) * across + (left - up) * down
            rays.append((start.copy(), start + (turn @ at).normalized() * FAR))
    return rays


def _points(head: bpy.types.Object) -> list[Vector]:
    vertices = head.data.vertices
    chosen = np.unique(np.linspace(0, len(vertices) - 1, SAMPLES).astype(int))
    return [head.matrix_world @ vertices[int(i)].co for i in chosen]


def hide(
    context: bpy.types.Context, rays: list[tuple[Vector, Vector]], spare: list[bpy.types.Object]
) -> list[str]:
    """Hide what a view layer's rays (start, end) meet, but for `spare`; returns the names of the
    objects hidden.
    """
    layer, hidden = context.view_layer, []
    shown = {
        o: o.select_get(view_layer=layer)
        for o in spare
        if o.name in layer.objects and not o.hide_get(view_layer=layer)
    }
    for thing in shown:  # their surfaces would stop the rays
        thing.hide_set(True, view_layer=layer)
    try:
        for _ in range(LAYERS):
            layer.update()
            graph = context.evaluated_depsgraph_get()
            met = {o for start, end in rays for o in _met(context.scene, layer, graph, start, end)}
            if not met:
                break
            for thing in sorted(met, key=lambda o: o.name):
                thing.hide_set(True, view_layer=layer)
                hidden.append(thing.name)
    finally:
        for thing, selected in shown.items():
            thing.hide_set(False, view_layer=layer)
            thing.select_set(selected, view_layer=layer)  # hiding ends that
        layer.update()
    return hidden


def _met(scene, layer, graph, start: Vector, end: Vector) -> list[bpy.types.Object]:
    """Return the first object on a line that can be hidden and covers what is behind it."""
    along = end - start
    left, direction = along.length, along.normalized()
    for _ in range(LAYERS):
        hit, place, _, _, thing, _ = scene.ray_cast(graph, start, direction, distance=left)
        if not hit:
            return []
        found = _shown_by(layer, thing.original)
        if found is not None and found.display_type in ('SOLID', 'TEXTURED'):
            return [found]
        left -= (place - start).length + NEAR
        start = place + direction * NEAR
        if left <= 0:
            return []
    return []


def _shown_by(layer: bpy.types.ViewLayer, thing: bpy.types.Object) -> bpy.types.Object | None:
    """Return what to hide so that an object is not seen: itself, or the empty that shows it as an
    instance.
    """
    if thing.name in layer.objects and thing.visible_get(view_layer=layer):
        return thing
    instancers = (
        o
        for o in layer.objects
        if o.instance_type == 'COLLECTION'
        and o.instance_collection
        and o.visible_get(view_layer=layer)
    )
    return next((o for o in instancers if thing.name in o.instance_collection.all_objects), None)
