"""A reconstruction's result folder → head, performance, cameras, clip and sound, all in one new collection."""
from __future__ import annotations

import contextlib
import json
from pathlib import Path

import bpy
import numpy as np

from ...engine.errors import FacewrightError
from ...engine.face_model.model import FaceModel
from ...engine.performance import read_performance
from ...engine.rig import read_rig
from . import actions, appearance, cameras, heads, units

ERROR = 'facewright_error'  # custom properties of the head: % of the outer-eye distance a frame, −1 where the face was not seen
MEAN, FRAMES = 'facewright_mean_error', 'facewright_frames'  # … the mean; the scene frame of each sample

FALLEN = 'facewright_draft_frames'  # … scene frames that Standard left as Draft found them, being better so
FOLDER = 'facewright_folder'  # … where the files of its reconstruction are


def read_report(folder: Path) -> dict:
    """report.json of a result folder."""
    try:
        report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
        report['model'], report['error']['per_frame']
        return report
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FacewrightError(f'{folder} holds no readable report of a reconstruction ({type(error).__name__}): choose a result folder, or reconstruct again.') from error


def apply_result(scene: bpy.types.Scene, folder: Path, model: FaceModel, naming: str = 'ICT', sound: bool = True, start: int = 1) -> bpy.types.Object:
    """Bring a result folder, made with `model`, into a scene; returns the head.

    The scene takes the clip's frame rate, range, size and first camera. Where anything fails nothing is left behind.
    """
    report, rig, performance, views = read_report(folder), read_rig(folder / 'rig.npz'), read_performance(folder / 'performance.npz'), cameras.read_views(folder)
    if len(rig.neutral) != model.vertex_count or not views:
        raise FacewrightError(f'The result in {folder} was made with another face model: choose that one, or reconstruct again.')
    with _all_or_nothing(scene):
        head = _build(scene, report, rig, performance, views, model, naming, sound, start)
        if (folder / 'parts.npz').exists():
            appearance.add_parts(head, folder / 'parts.npz')
        if (folder / 'albedo.png').exists():
            appearance.apply_albedo(head, folder)
        head[FOLDER] = str(folder.resolve())
        return head


@contextlib.contextmanager
def _all_or_nothing(scene: bpy.types.Scene):
    """Where the block fails: remove the data it made and give the scene its settings back."""
    had = {kind: set(getattr(bpy.data, kind)) for kind in ('collections', 'objects', 'meshes', 'materials', 'cameras', 'actions', 'movieclips', 'images', 'sounds')}
    settings = [(owner, name, getattr(owner, name)) for owner, names in (
        (scene, ('frame_start', 'frame_end', 'frame_current', 'camera', 'sync_mode')),
        (scene.render, ('fps', 'fps_base', 'resolution_x', 'resolution_y', 'resolution_percentage', 'pixel_aspect_x', 'pixel_aspect_y'))) for name in names]
    try:
        yield
    except Exception:
        for owner, name, value in settings:
            setattr(owner, name, value)
        for kind, before in had.items():
            bpy.data.batch_remove([made for made in getattr(bpy.data, kind) if made not in before])
        raise


def _build(scene, report, rig, performance, views, model, naming, sound, start) -> bpy.types.Object:
    collection = bpy.data.collections.new(f'Facewright {views[0].name}')
    scene.collection.children.link(collection)
    actions.frame_rate(scene, performance.fps)
    frames = actions.sample_frames(scene, performance.time, start)
    scene.frame_start, scene.frame_end = start, max(start, int(np.ceil(frames[-1])))
    head = heads.create_head(f'Head {views[0].name}', model, rig.neutral, rig.expressions, rig.names, naming, collection)
    axes = units.world_axes(performance.rotation, (views[0].R, views[0].t))
    actions.write_performance(head, performance, frames, axes)
    for view in views:
        camera = cameras.create_camera(view, axes, collection)
        cameras.put_clip_behind(camera, view, clip_start(scene, view, performance.time[0], start))
        if view is views[0]:
            cameras.look_through(scene, camera)
    if sound and views[0].sound:
        cameras.add_sound(scene, views[0], start)
    per_frame = [-1. if e is None else float(e) for e in report['error']['per_frame']]
    head[ERROR], head[MEAN], head[FRAMES] = per_frame, float(report['error']['mean_percent'] or 0), frames.tolist()
    head[FALLEN] = [round(frames[i]) for i in report.get('draft_frames', ()) if 0 <= i < len(frames)]
    scene.frame_set(start)
    return head


def clip_start(scene: bpy.types.Scene, view: cameras.SolvedView, zero: float, start: int) -> int:
    """The scene frame of a view's first used frame, where time `zero` (s) is at `start`."""
    return round(start + (view.time[0] - zero) * actions.scene_fps(scene)) if len(view.time) else start


def frame_error(head: bpy.types.Object, frame: int) -> float | None:
    """The head's error at a scene frame in % of the outer-eye distance; None where the face was not seen."""
    errors, frames = np.array(head.get(ERROR, ())), np.array(head.get(FRAMES, ()))
    if not len(errors) or len(errors) != len(frames):
        return None
    nearest = int(np.abs(frames - frame).argmin())
    return float(errors[nearest]) if errors[nearest] >= 0 and abs(frames[nearest] - frame) < 1 else None


def worst_frame(head: bpy.types.Object) -> tuple[int, float] | None:
    """(scene frame, error) of the largest error; None where there is none."""
    errors, frames = np.array(head.get(ERROR, ())), np.array(head.get(FRAMES, ()))
    if not len(errors) or len(errors) != len(frames) or errors.max() < 0:
        return None
    return round(frames[errors.argmax()]), float(errors.max())


def unseen_frames(head: bpy.types.Object) -> int:
    """In how many frames the face was not found."""
    return int((np.array(head.get(ERROR, ())) < 0).sum())
