"""Animation curves, written and read whole, in every supported version of Blender's actions.

4.2: one Action a datablock. 4.4 and later: one Action with a slot for the object and one for its
shape keys. 5.0: no `action.fcurves`.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion

from ...engine.core.errors import FacewrightError
from ...engine.formats.performance import Performance
from . import names, units

KEYFRAME = (
    ('co', 2, np.float32),
    ('interpolation', 1, np.int32),
    ('easing', 1, np.int32),
    ('handle_left_type', 1, np.int32),
    ('handle_right_type', 1, np.int32),
    ('handle_left', 2, np.float32),
    ('handle_right', 2, np.float32),
    ('type', 1, np.int32),
)  # name, numbers, kind
TOGETHER = 1e-2  # frames: keyframes nearer than that are one
# keyframe interpolation enum, as foreach_set wants it: exact between samples, no overshoot round a
# blink
LINEAR = 1


def curves(datablock: bpy.types.ID, create: bool = False, action: bpy.types.Action | None = None):
    """Return the F-curve collection that animates an object or shape-key datablock; None where
    there is none and `create` is False.

    With create an Action (or a slot in `action`) is made where missing.
    """
    data = datablock.animation_data
    if not create and (data is None or data.action is None):
        return None
    if data is None:
        data = datablock.animation_data_create()
    if data.action is None:
        data.action = action or bpy.data.actions.new(f'{datablock.name} performance')
    if not hasattr(data, 'action_slot'):
        return data.action.fcurves
    strips = [s for layer in data.action.layers for s in layer.strips if s.type == 'KEYFRAME']
    if data.action_slot is None:
        if not create:
            return None
        data.action_slot = data.action.slots.new(id_type=datablock.id_type, name=datablock.name)
    if not strips:
        layer = data.action.layers[0] if data.action.layers else data.action.layers.new('Layer')
        strips = [layer.strips.new(type='KEYFRAME')]
    bag = strips[0].channelbag(data.action_slot, ensure=create)
    return None if bag is None else bag.fcurves


def write_curve(
    fcurves, path: str, index: int, frames: np.ndarray, values: np.ndarray, keep: bool = False
) -> None:
    """Write T keyframes at (possibly fractional) frames as one F-curve. keep: its keyframes outside
    those frames stay, and what it does there."""
    curve = fcurves.find(path, index=index)
    if curve is not None and not keep:
        fcurves.remove(curve)
        curve = None
    if curve is None:
        curve = fcurves.new(path, index=index)
    keyframes = _spliced(curve, frames, values)
    curve.keyframe_points.clear()
    curve.keyframe_points.add(len(keyframes['co']))
    for name, column in keyframes.items():
        curve.keyframe_points.foreach_set(name, column.ravel())
    curve.update()


def read_keyframes(curve: bpy.types.FCurve) -> dict[str, np.ndarray]:
    """Return {what a keyframe has: N×width} of a curve's N keyframes."""
    found = {}
    for name, width, kind in KEYFRAME:
        found[name] = np.empty((len(curve.keyframe_points), width), kind)
        curve.keyframe_points.foreach_get(name, found[name].ravel())
    return found


def _spliced(
    curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray
) -> dict[str, np.ndarray]:
    """Return a curve's keyframes with those in the range of T new ones replaced; a frame before and
    after them it does what it did.
    """
    had = read_keyframes(curve)
    at, first, last = had['co'][:, 0], frames[0], frames[-1]
    before, after = at < first - TOGETHER, at > last + TOGETHER
    if after.any() and at[after].min() > last + 1 + TOGETHER:
        frames, values = np.append(frames, last + 1), np.append(values, curve.evaluate(last + 1))
    if before.any() and at[before].max() < first - 1 - TOGETHER:
        frames, values = np.append(first - 1, frames), np.append(curve.evaluate(first - 1), values)
    new = _straight(frames, values)
    return {name: np.concatenate([had[name][before], new[name], had[name][after]]) for name in had}


def _straight(frames: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Make keyframes with straight lines between them."""
    points = np.stack([frames, values], -1).astype(np.float32)
    handle = (
        bpy.types.Keyframe.bl_rna.properties['handle_left_type'].enum_items['AUTO_CLAMPED'].value
    )
    kinds = {
        'interpolation': LINEAR,
        'easing': 0,
        'handle_left_type': handle,
        'handle_right_type': handle,
        'type': 0,
    }
    columns = {name: np.full((len(frames), 1), kind, np.int32) for name, kind in kinds.items()}
    return columns | dict.fromkeys(('co', 'handle_left', 'handle_right'), points)


def frame_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene to a clip's rate; NTSC rates (23.976, 29.97, 59.94…) exactly, as 24, 30 or 60
    over 1.001."""
    whole = max(1, round(fps))
    ntsc = round(fps * 1.001)
    if abs(fps - whole) < 1e-3:
        scene.render.fps, scene.render.fps_base = whole, 1.0
    elif ntsc > 0 and abs(fps - ntsc / 1.001) < 5e-3:
        scene.render.fps, scene.render.fps_base = ntsc, 1.001
    else:
        scene.render.fps, scene.render.fps_base = int(np.ceil(fps)), float(np.ceil(fps) / fps)


def scene_fps(scene: bpy.types.Scene) -> float:
    """Return frames a second of a scene."""
    return scene.render.fps / scene.render.fps_base


def sample_frames(scene: bpy.types.Scene, time: np.ndarray, start: float) -> np.ndarray:
    """Convert T times (s) → T scene frames, the first at `start`; snapped to whole frames where the
    clip keeps a steady rate.
    """
    frames = start + (time - time[0]) * scene_fps(scene)
    whole = np.round(frames)
    steady = np.abs(frames - whole).max() < 0.02 and (np.diff(whole) > 0).all()
    return whole if steady else frames


def write_weights(
    keys: bpy.types.Key,
    frames: np.ndarray,
    curves_by_key: dict[str, np.ndarray],
    action: bpy.types.Action | None = None,
    keep: bool = False,
) -> None:
    """Keyframe shape keys: {key name: T values}. Where the keys have no Action yet, `action` is
    shared (4.4 and later). keep: as write_curve's."""
    fcurves = curves(keys, create=True, action=action)
    for name, values in curves_by_key.items():
        write_curve(fcurves, value_path(name), 0, frames, values, keep)


def write_motion(
    thing: bpy.types.Object, frames: np.ndarray, rotation: np.ndarray, location: np.ndarray | None
) -> None:
    """Keyframe an object: T×3×3 rotations and, unless None, T×3 locations (m), both in Blender's
    world."""
    thing.rotation_mode = 'QUATERNION'
    fcurves = curves(thing, create=True)
    for k, column in enumerate(units.quaternions(rotation).T):
        write_curve(fcurves, 'rotation_quaternion', k, frames, column)
    for k, column in enumerate([] if location is None else location.T):
        write_curve(fcurves, 'location', k, frames, column)


def write_performance(
    head: bpy.types.Object,
    performance: Performance,
    frames: np.ndarray,
    axes: np.ndarray | None,
    location: bool = True,
) -> int:
    """Keyframe a mesh's ICT or ARKit shape keys, and its transform unless `axes` (units.world_axes)
    is None; returns how many keys it drove.

    location: translation too. One Action holds both where Blender has slots.
    """
    keys = head.data.shape_keys
    columns = names.columns(performance, [k.name for k in keys.key_blocks])
    if not columns:
        raise FacewrightError(
            f'{head.name} has no shape keys under ICT or ARKit names: rename its shape keys to one '
            'of them first.'
        )
    if axes is not None:
        rotation, place = units.poses_to_blender(
            performance.rotation, performance.translation, axes
        )
        write_motion(head, frames, rotation, place if location else None)
    shared = (
        head.animation_data.action
        if head.animation_data and hasattr(head.animation_data, 'action_slot')
        else None
    )
    write_weights(keys, frames, columns, shared)
    return len(columns)


def is_keyed(datablock: bpy.types.ID, path: str) -> bool:
    """Return whether a property has a curve."""
    fcurves = curves(datablock)
    return fcurves is not None and any(c.data_path == path for c in fcurves)


def keyed_expressions(head: bpy.types.Object) -> tuple[list[str], np.ndarray]:
    """Return the mesh's ICT or ARKit shape keys that have curves, and all frames (float64,
    increasing) at which those are keyed.
    """
    found, fcurves = set(), curves(head.data.shape_keys) if head.data.shape_keys else None
    keyed = {c.data_path: c for c in fcurves or ()}
    called = (
        [
            n
            for n in names.expressions_among(k.name for k in head.data.shape_keys.key_blocks)
            if value_path(n) in keyed
        ]
        if keyed
        else []
    )
    for name in called:
        points = keyed[value_path(name)].keyframe_points
        co = np.empty(len(points) * 2, np.float32)
        points.foreach_get('co', co)
        found.update(co[::2].tolist())
    return called, np.array(sorted(found), np.float64)


def sample(
    context: bpy.types.Context, head: bpy.types.Object, frames: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return what a mesh does at T frames: {shape key: T values}, rotations T×3×3 and locations T×3
    (m) in Blender's world.

    Reads the curves; where drivers, the NLA, parents or constraints have a say, steps the scene
    through the frames.
    """
    keys = head.data.shape_keys
    wanted = [k.name for k in keys.key_blocks if k != keys.reference_key]
    if _simple(keys) and _simple(head) and head.parent is None and not head.constraints:
        values = {
            n: _evaluate(keys, value_path(n), 0, keys.key_blocks[n].value, frames) for n in wanted
        }
        return values, rotations_at(head, head, '', frames), locations_at(head, frames)
    values = {n: np.empty(len(frames)) for n in wanted}
    rotation, place = np.empty((len(frames), 3, 3)), np.empty((len(frames), 3))
    scene, now = context.scene, (context.scene.frame_current, context.scene.frame_subframe)
    for i, frame in enumerate(frames):
        scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1))
        seen = head.evaluated_get(context.evaluated_depsgraph_get())
        for n in wanted:
            values[n][i] = (
                seen.data.shape_keys.key_blocks[n].value
                if seen.data.shape_keys
                else keys.key_blocks[n].value
            )
        place[i], turn, _ = seen.matrix_world.decompose()
        rotation[i] = turn.to_matrix()
    scene.frame_set(now[0], subframe=now[1])
    return values, rotation, place


def locations_at(thing: bpy.types.Object, frames: np.ndarray) -> np.ndarray:
    """Return T×3: what an object's location channels say at T frames (m, under its parent)."""
    return np.stack(
        [_evaluate(thing, 'location', k, thing.location[k], frames) for k in range(3)], -1
    )


def _simple(datablock: bpy.types.ID) -> bool:
    data = datablock.animation_data
    return data is None or (not data.drivers and not data.nla_tracks)


def _evaluate(
    datablock: bpy.types.ID, path: str, index: int, still: float, frames: np.ndarray
) -> np.ndarray:
    fcurves = curves(datablock)
    curve = fcurves.find(path, index=index) if fcurves else None
    return (
        np.array([curve.evaluate(f) for f in frames])
        if curve
        else np.full(len(frames), still, np.float64)
    )


def rotations_at(
    datablock: bpy.types.ID,
    turned: bpy.types.Object | bpy.types.PoseBone,
    prefix: str,
    frames: np.ndarray,
) -> np.ndarray:
    """Return T×3×3: what the rotation channels of an object or pose bone say at T frames. prefix:
    of their data paths, '' for an object's own.
    """

    def channels(name: str) -> np.ndarray:
        still = getattr(turned, name)
        return np.stack(
            [
                _evaluate(datablock, prefix + name, k, value, frames)
                for k, value in enumerate(still)
            ],
            -1,
        )

    if turned.rotation_mode == 'QUATERNION':
        return np.array(
            [Quaternion(q).normalized().to_matrix() for q in channels('rotation_quaternion')]
        )
    if turned.rotation_mode == 'AXIS_ANGLE':
        return np.array(
            [Quaternion(q[1:], q[0]).to_matrix() for q in channels('rotation_axis_angle')]
        )
    return np.array(
        [Euler(e, turned.rotation_mode).to_matrix() for e in channels('rotation_euler')]
    )


def write_rotations(
    datablock: bpy.types.ID,
    turned: bpy.types.Object | bpy.types.PoseBone,
    prefix: str,
    frames: np.ndarray,
    rotation: np.ndarray,
    keep: bool = False,
) -> None:
    """Keyframe T×3×3 rotations of an object or pose bone, in the channels of its rotation mode.
    keep: as write_curve's."""
    four = units.quaternions(rotation)
    if turned.rotation_mode == 'QUATERNION':
        name, columns = 'rotation_quaternion', four
    elif turned.rotation_mode == 'AXIS_ANGLE':
        name = 'rotation_axis_angle'
        columns = np.array(
            [(angle, *axis) for axis, angle in (Quaternion(q).to_axis_angle() for q in four)]
        )
    else:
        name, eulers = 'rotation_euler', []
        for matrix in rotation:
            eulers.append(Matrix(matrix).to_euler(turned.rotation_mode, *eulers[-1:]))
        columns = np.array(eulers)
    fcurves = curves(datablock, create=True)
    for k, column in enumerate(columns.T):
        write_curve(fcurves, prefix + name, k, frames, column, keep)


def sample_bone(
    context: bpy.types.Context, armature: bpy.types.Object, bone: str, frames: np.ndarray
) -> np.ndarray:
    """Return T×3×3: a pose bone's rotation in Blender's world at T frames."""
    out, scene = np.empty((len(frames), 3, 3)), context.scene
    now = scene.frame_current, scene.frame_subframe
    for i, frame in enumerate(frames):
        scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1))
        seen = armature.evaluated_get(context.evaluated_depsgraph_get())
        out[i] = (seen.matrix_world @ seen.pose.bones[bone].matrix).to_quaternion().to_matrix()
    scene.frame_set(now[0], subframe=now[1])
    return out


def value_path(key: str) -> str:
    """Return the data path of a shape key's value."""
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def all_curves(datablock: bpy.types.ID) -> list:
    """Return every F-curve collection that animates a datablock: its Action's, and those of its
    strips in the NLA.
    """
    data = datablock.animation_data
    found = [curves(datablock)]
    for strip in [s for track in data.nla_tracks for s in track.strips] if data else ():
        if strip.action is not None:
            found.append(_curves_of(strip.action, getattr(strip, 'action_slot', None)))
    return [f for i, f in enumerate(found) if f is not None and f not in found[:i]]


def _curves_of(action: bpy.types.Action, slot):
    """Return an Action's F-curves for one of its slots (None before 4.4)."""
    if not hasattr(action, 'slots'):
        return action.fcurves
    strips = [s for layer in action.layers for s in layer.strips if s.type == 'KEYFRAME']
    bag = strips[0].channelbag(slot) if strips and slot is not None else None
    return None if bag is None else bag.fcurves


def merge_value_curves(keys: bpy.types.Key, into: str, other: str) -> bool:
    """Give key `into` the mean of its curve and `other`'s, which is removed; returns whether the
    two differed."""
    differed = False
    for fcurves in all_curves(keys):
        a, b = (fcurves.find(value_path(n)) for n in (into, other))
        if a is None and b is None:
            continue
        at = _times_of_both(a, b)
        still = [keys.key_blocks[n].value for n in (into, other)]
        ours, theirs = (
            np.array([c.evaluate(f) if c else v for f in at]) for c, v in zip((a, b), still)
        )
        if np.allclose(ours, theirs, atol=1e-6):
            if a is None:
                copy_curve(fcurves, b, value_path(into))
        else:
            differed = True
            write_curve(fcurves, value_path(into), 0, at, (ours + theirs) / 2)
        if b is not None:
            fcurves.remove(b)
    return differed


def _times_of_both(a, b) -> np.ndarray:
    """Return the frames at which two curves (or None) are keyed; all between too where either
    bends.
    """
    both = [c for c in (a, b) if c is not None]
    keyed = {p.co.x for c in both for p in c.keyframe_points}
    straight = all(p.interpolation == 'LINEAR' for c in both for p in c.keyframe_points)
    if (not straight or any(len(c.modifiers) for c in both)) and keyed:
        keyed |= set(np.arange(np.ceil(min(keyed)), max(keyed) + 1).tolist())
    return np.array(sorted(keyed))


def copy_value_curve(keys: bpy.types.Key, source: str, target: str) -> None:
    """Give key `target` a copy of `source`'s curve, if it has one."""
    for fcurves in all_curves(keys):
        curve = fcurves.find(value_path(source))
        if curve is not None:
            copy_curve(fcurves, curve, value_path(target))


def copy_curve(fcurves, curve: bpy.types.FCurve, path: str) -> bpy.types.FCurve:
    """Copy an F-curve to another property: keyframes with their handles, modifiers, what it does
    beyond its ends."""
    old = fcurves.find(path, index=curve.array_index)
    if old is not None:
        fcurves.remove(old)
    made = fcurves.new(path, index=curve.array_index)
    made.keyframe_points.add(len(curve.keyframe_points))
    for name, column in read_keyframes(curve).items():
        made.keyframe_points.foreach_set(name, column.ravel())
    made.extrapolation, made.mute, made.lock = curve.extrapolation, curve.mute, curve.lock
    for modifier in curve.modifiers:
        copy_settings(modifier, made.modifiers.new(modifier.type))
    made.update()
    return made


def copy_settings(source, target) -> None:
    """Copy every setting that can be written from one of Blender's structures to its like."""
    for setting in source.bl_rna.properties:
        if not setting.is_readonly and setting.identifier != 'name':
            setattr(target, setting.identifier, getattr(source, setting.identifier))
