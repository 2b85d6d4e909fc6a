"""Performances onto and from meshes with ICT or ARKit shape keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.face_model.expressions import MERGED
from ...engine.formats.live_link import write_live_link
from ...engine.formats.live_link_reader import Recording, read_recording
from ...engine.formats.performance import Performance, read_performance, write_performance
from ...engine.tracking import smoothing
from ..scene import actions, importing, names, renaming, settings, units
from ..scene import motion as motion_of
from .shared import absolute, checked_path
from .sides import left_of_middle

LEAST_WAY = 0.1  # cm: a head that moves by less stays where it is
LEAST_APART = 0.01  # of a weight: sides nearer than that are alike


def heads_in(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return the selected meshes with ICT or ARKit shape keys, the active one first."""
    chosen = ([context.object] if context.object else []) + [
        o for o in context.selected_objects if o != context.object
    ]
    return [
        o
        for o in chosen
        if o.type == 'MESH'
        and o.data.shape_keys
        and names.expressions_among(k.name for k in o.data.shape_keys.key_blocks)
    ]


def _heads(context: bpy.types.Context) -> list[bpy.types.Object]:
    found = heads_in(context)
    if not found:
        raise FacewrightError(
            'No selected mesh has shape keys under ICT or ARKit names: select a head that has them.'
        )
    return found


def _suffix(path: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in ('.csv', '.npz'):
        raise FacewrightError(
            f'{path} is neither a .csv (Live Link Face) nor a .npz (performance): give it one of '
            'these endings.'
        )
    return suffix


def import_performance(
    context: bpy.types.Context,
    path: str,
    start: int = 1,
    motion: bool = True,
    frame_rate: str = 'AUTO',
    rate: float = 0.0,
) -> tuple[Performance, list[str]]:
    """Keyframe the selected meshes from a Live Link Face .csv or a performance.npz, the first
    sample at frame `start`.

    Keyframes outside the take's own frames stay. motion: the active mesh turns as the head did
    (and, from a .npz, moves). frame_rate: 'FILE': the scene takes the file's, 'KEEP': never,
    'AUTO': where nothing in it is animated. rate: frames a second of a .csv, 0 as its timecodes
    say. Returns the performance and what to tell the user.
    """
    path = checked_path(path, 'performance')
    csv = _suffix(path) == '.csv'
    found, scene = _heads(context), context.scene
    if csv:
        recording = _read_csv(Path(path), rate, actions.scene_fps(scene))
    else:
        recording = Recording(read_performance(Path(path)), (), None)
    performance, notes = recording.performance, list(recording.notes)
    plans = importing.plan(found, performance)
    animated = settings.holds_animation(scene)
    follow = frame_rate == 'FILE' or (frame_rate == 'AUTO' and not animated)
    if follow:
        actions.frame_rate(scene, performance.fps)
    frames = actions.sample_frames(scene, performance.time, start)
    notes += importing.write(plans, frames)
    for head in found:
        importing.keep_timecode(head, recording.timecode, float(frames[0]))
    if motion and np.abs(performance.rotation - np.eye(3)).max() > 1e-6:
        notes += _import_motion(found[0], performance, frames, csv)
    notes += _fit_scene(scene, frames, performance.fps, animated)
    scene.frame_set(scene.frame_current)
    return performance, notes


def _import_motion(
    head: bpy.types.Object, performance: Performance, frames: np.ndarray, csv: bool
) -> list[str]:
    """Let a head turn, and from a performance.npz move, on top of how it stands; returns what to
    tell the user."""
    carrier = motion_of.carrier_of(head)
    if carrier is None:
        return [
            f'{head.name} hangs on an armature in which no bone for the head was found: its '
            'expressions have the take, its rotation has not.'
        ]
    if motion_of.is_driven(carrier):
        return [f'{carrier.bone or head.name} is turned by drivers, and has not got the rotation.']
    axes = units.world_axes(performance.rotation)
    motion_of.turn_head(head, carrier, frames, axes @ performance.rotation)
    if carrier.bone:
        moved = not csv and np.ptp(performance.translation, axis=0).max() > LEAST_WAY
        return [
            f"The head's rotation is on the bone {carrier.bone} of {carrier.thing.name}"
            + ('; its way through space is left out.' if moved else '.')
        ]
    if not csv:
        _, place = units.poses_to_blender(performance.rotation, performance.translation, axes)
        fcurves = actions.curves(head, create=True)
        for k, column in enumerate(motion_of.local_location(head, place).T):
            actions.write_curve(fcurves, 'location', k, frames, column, keep=True)
    return []


def _fit_scene(scene: bpy.types.Scene, frames: np.ndarray, fps: float, animated: bool) -> list[str]:
    """Give a scene that held no animation the take's range; returns what to tell the user of one
    that keeps its own."""
    last, own, notes = int(np.ceil(frames[-1] - 1e-3)), actions.scene_fps(scene), []
    if not animated:
        scene.frame_start, scene.frame_end = (
            min(scene.frame_start, int(frames[0])),
            max(last, int(frames[0]) + 1),
        )
    elif last > scene.frame_end:
        notes.append(f'The take runs to frame {last}, the scene to {scene.frame_end}.')
    if abs(own / fps - 1) > 1e-3:
        notes.append(
            f'The take has {fps:.5g} frames a second and the scene {own:.5g}: all {len(frames):,} '
            'keyframes are there, at their exact times between frames.'
        )
    return notes


def _read_csv(path: Path, rate: float, fps: float) -> Recording:
    """Read a Live Link Face CSV. rate: frames a second, 0 as it says; bare frame numbers are the
    scene's (of `fps` a second).

    Timecodes count 29.97 frames a second as 30: they are taken at the scene's rate where that is
    the difference.
    """
    recording = read_recording(path, rate or None, fps)
    if not rate and abs(fps * 1.001 / recording.performance.fps - 1) < 1e-4:
        return read_recording(path, fps)
    return recording


def sample_performance(context: bpy.types.Context, frames: np.ndarray) -> Performance:
    """Return the active (or first selected) head's animation at scene frames (increasing), world y
    up; no rotation is how it stands at rest.
    """
    head = _heads(context)[0]
    values, rotation, place = actions.sample(context, head, frames)
    called = names.performance_names(values)
    fps = actions.scene_fps(context.scene)
    _, translation = units.poses_from_blender(rotation, place, np.eye(3))
    turns = motion_of.read_rotations(context, head, frames, rotation)
    weights = np.clip(np.stack([values[k] for k in called], -1), 0, 1).astype(np.float32)
    return Performance(
        (frames - frames[0]) / fps, weights, tuple(called.values()), turns, translation, fps
    )


def export_performance(context: bpy.types.Context, path: str, first: int, last: int) -> Performance:
    """Write the active head's animation from scene frame `first` to `last` as a Live Link Face .csv
    or a performance.npz.

    The .csv's timecodes are those of the recording that was imported last, where there was one.
    """
    if not path:
        raise FacewrightError('No file was given: choose where to write the performance.')
    suffix, path = _suffix(path), absolute(path, 'file')
    if last < first:
        raise FacewrightError(
            f'Frame {last} does not come after {first}: choose a later end frame.'
        )
    performance = sample_performance(context, np.arange(first, last + 1, dtype=np.float64))
    if suffix == '.csv':
        write_live_link(
            Path(path),
            performance,
            importing.timecode_at(_heads(context)[0], first, performance.fps),
        )
    else:
        write_performance(Path(path), performance)
    return performance


def sides_apart(performance: Performance) -> list[str]:
    """Return the names under which a .csv has one value where the performance's left and right
    differ.
    """
    column = dict(zip(performance.names, performance.weights.T))
    return [
        whole
        for whole, (left, right) in MERGED.items()
        if left in column
        and right in column
        and np.abs(column[left] - column[right]).max(initial=0) > LEAST_APART
    ]


def smooth_performance(
    context: bpy.types.Context, strength: float = 0.5, motion: bool = True
) -> None:
    """Calm the selected heads' keyframes in place, and the active one's own motion, without losing
    blinks."""
    found, fps = _heads(context), actions.scene_fps(context.scene)
    keyed = {head: actions.keyed_expressions(head) for head in found}
    if not any(len(frames) > 2 for _, frames in keyed.values()):
        raise FacewrightError(
            'The selected heads have no animation to smooth: reconstruct or import a performance '
            'first.'
        )
    for head, (keys, frames) in keyed.items():
        if len(frames) < 3:
            continue
        values, rotation, place = actions.sample(context, head, frames)
        weights = np.stack([values[k] for k in keys], -1).astype(np.float32)
        carrier = motion_of.carrier_of(head) if motion and head == found[0] else None
        if carrier is not None and not motion_of.is_animated(carrier):
            carrier = None
        if carrier is not None:
            rotation = actions.rotations_at(carrier.thing, carrier.turned, carrier.path(''), frames)
            place = actions.locations_at(head, frames)
        calm = smoothing.smooth(
            Performance(frames / fps, weights, tuple(keys), rotation, place / units.METRES, fps),
            strength,
        )
        actions.write_weights(head.data.shape_keys, frames, dict(zip(keys, calm.weights.T)))
        if carrier is None:
            continue
        actions.write_rotations(
            carrier.thing, carrier.turned, carrier.path(''), frames, calm.rotation
        )
        if not carrier.bone and actions.is_keyed(head, 'location'):
            for k, column in enumerate(calm.translation.T * units.METRES):
                actions.write_curve(actions.curves(head), 'location', k, frames, column)


def rename_shape_keys(context: bpy.types.Context, naming: str) -> tuple[int, list[str]]:
    """Give the selected heads' shape keys ICT's or ARKit's names; returns how many keys changed,
    and what to tell the user."""
    count, notes = 0, []
    for head in _heads(context):
        changed, messages = renaming.rename(
            head, naming, partial(left_of_middle, context.scene, head)
        )
        count += changed
        notes += [f'{head.name}: {note}' for note in messages]
    return count, notes
