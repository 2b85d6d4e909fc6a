"""Performances onto and from meshes with ICT or ARKit shape keys."""
from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ...engine import smoothing
from ...engine.errors import FacewrightError
from ...engine.live_link import read_live_link, write_live_link
from ...engine.performance import Performance, read_performance, write_performance
from ..scene import actions, names, renaming, units
from .shared import checked_path
from .sides import left_of_middle


def heads_in(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected meshes with ICT or ARKit shape keys, the active one first."""
    chosen = ([context.object] if context.object else []) + [o for o in context.selected_objects if o != context.object]
    return [o for o in chosen if o.type == 'MESH' and o.data.shape_keys and names.matches(k.name for k in o.data.shape_keys.key_blocks)]


def _heads(context: bpy.types.Context) -> list[bpy.types.Object]:
    found = heads_in(context)
    if not found:
        raise FacewrightError('No selected mesh has shape keys under ICT or ARKit names: select a head that has them.')
    return found


def _suffix(path: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in ('.csv', '.npz'):
        raise FacewrightError(f'{path} is neither a .csv (Live Link Face) nor a .npz (performance): give it one of these endings.')
    return suffix


def import_performance(context: bpy.types.Context, path: str, start: int = 1, motion: bool = True, frame_rate: bool = False) -> Performance:
    """Keyframe the selected meshes from a Live Link Face .csv or a performance.npz, the first sample at frame `start`.

    motion: the active mesh turns as the head did (and, from a .npz, moves); frame_rate: the scene takes the file's.
    """
    path = checked_path(path, 'performance')
    csv = _suffix(path) == '.csv'
    found, scene = _heads(context), context.scene
    performance = _read_csv(Path(path), actions.scene_fps(scene)) if csv else read_performance(Path(path))
    if frame_rate:
        actions.frame_rate(scene, performance.fps)
    frames = actions.sample_frames(scene, performance.time, start)
    moving = motion and np.abs(performance.rotation - np.eye(3)).max() > 1e-6
    for head in found:
        axes = units.world_axes(performance.rotation) if moving and head == found[0] else None
        actions.write_performance(head, performance, frames, axes, location=not csv)
    scene.frame_end = max(scene.frame_end, int(np.ceil(frames[-1])))
    return performance


def _read_csv(path: Path, fps: float) -> Performance:
    """A Live Link Face CSV. Timecodes count 29.97 frames a second as 30: they are taken at the scene's rate where that is the difference."""
    performance = read_live_link(path)
    return read_live_link(path, fps) if abs(fps * 1.001 / performance.fps - 1) < 1e-4 else performance


def sample_performance(context: bpy.types.Context, frames: np.ndarray) -> Performance:
    """The active (or first selected) head's animation at scene frames (increasing), world y up."""
    head = _heads(context)[0]
    values, rotation, place = actions.sample(context, head, frames)
    called = names.performance_names(values)
    fps = actions.scene_fps(context.scene)
    rotation, translation = units.poses_from_blender(rotation, place, np.eye(3))
    weights = np.clip(np.stack([values[k] for k in called], -1), 0, 1).astype(np.float32)
    return Performance((frames - frames[0]) / fps, weights, tuple(called.values()), rotation, translation, fps)


def export_performance(context: bpy.types.Context, path: str, first: int, last: int) -> Performance:
    """Write the active head's animation from scene frame `first` to `last` as a Live Link Face .csv or a performance.npz."""
    if not path:
        raise FacewrightError('No file was given: choose where to write the performance.')
    suffix = _suffix(path)
    if last < first:
        raise FacewrightError(f'Frame {last} does not come after {first}: choose a later end frame.')
    performance = sample_performance(context, np.arange(first, last + 1, dtype=np.float64))
    (write_live_link if suffix == '.csv' else write_performance)(Path(bpy.path.abspath(path)), performance)
    return performance


def smooth_performance(context: bpy.types.Context, strength: float = .5, motion: bool = True) -> None:
    """Calm the selected heads' keyframes in place, and the active one's own motion, without losing blinks."""
    found, fps = _heads(context), actions.scene_fps(context.scene)
    keyed = {head: actions.keyed_expressions(head) for head in found}
    if not any(len(frames) > 2 for _, frames in keyed.values()):
        raise FacewrightError('The selected heads have no animation to smooth: reconstruct or import a performance first.')
    for head, (keys, frames) in keyed.items():
        if len(frames) < 3:
            continue
        values, rotation, place = actions.sample(context, head, frames)
        weights = np.stack([values[k] for k in keys], -1).astype(np.float32)
        calm = smoothing.smooth(Performance(frames / fps, weights, tuple(keys), rotation, place / units.METRES, fps), strength)
        actions.write_weights(head.data.shape_keys, frames, dict(zip(keys, calm.weights.T)))
        if motion and head == found[0] and head.parent is None and actions.is_keyed(head, 'rotation_quaternion'):
            actions.write_motion(head, frames, calm.rotation, calm.translation * units.METRES if actions.is_keyed(head, 'location') else None)


def rename_shape_keys(context: bpy.types.Context, naming: str) -> tuple[int, list[str]]:
    """Give the selected heads' shape keys ICT's or ARKit's names; returns how many keys changed, and what to tell the user."""
    count, notes = 0, []
    for head in _heads(context):
        changed, told = renaming.rename(head, naming, lambda: left_of_middle(context.scene, head))
        count += changed
        notes += [f'{head.name}: {note}' for note in told]
    return count, notes
