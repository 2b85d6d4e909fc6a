"""Cameras that match footage: pose, lens, shift and the clip behind; the clip's sound beside."""
from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.errors import FacewrightError
from . import units

MARK = 'facewright_footage'  # custom property of a camera: width, height, pixel aspect x and y of its footage


@dataclass(frozen=True)
class SolvedView:
    """One view as a reconstruction found it. K 3×3 pixels; R 3×3, t 3 cm world → camera (OpenCV); time T s on the first view's clock."""
    name: str
    path: Path
    kind: str                 # 'video' | 'sequence' | 'photo'
    size: tuple[int, int]
    fps: float
    first: int                # index in the file of the first used frame
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    time: np.ndarray
    rotation: int = 0         # degrees clockwise the stored picture is turned for showing
    sound: bool = False


def read_views(folder: Path) -> tuple[SolvedView, ...]:
    """The views of a result folder, from its cameras.json (capture.json's format) and report.json."""
    try:
        cameras = json.loads((folder / 'cameras.json').read_text(encoding='utf-8'))['cameras']
        reports = {v['name']: v for v in json.loads((folder / 'report.json').read_text(encoding='utf-8'))['views']}
        return tuple(SolvedView(
            c['name'], Path(r.get('path') or c['video']), r.get('kind', 'video'), (int(c['width']), int(c['height'])), float(c['fps']), int(r.get('first', 0)),
            np.array(c['K'], float), np.array(c['R'], float), np.array(c['t'], float).reshape(3), np.array(c['time'], float),
            int(r.get('rotation', 0)), bool(r.get('sound'))) for c in cameras for r in [reports.get(c['name'], {})])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FacewrightError(f'The result in {folder} has no readable cameras ({type(error).__name__}: {error}): reconstruct again.') from error


def create_camera(view: SolvedView, axes: np.ndarray, collection: bpy.types.Collection) -> bpy.types.Object:
    """A camera object that sees what the view saw. axes: units.world_axes of the performance. Settings of the scene are left alone."""
    data = bpy.data.cameras.new(view.name)
    data.sensor_fit = 'HORIZONTAL'
    for name, value in intrinsics(view).items():
        if not name.startswith('pixel_aspect'):
            setattr(data, name, value)
    data.clip_start, data.clip_end = 0.01, 1000
    data.display_size = 0.1
    camera = bpy.data.objects.new(view.name, data)
    camera.matrix_world = units.camera_to_blender(view.R, view.t, axes).T
    camera[MARK] = [*view.size, *(v for k, v in intrinsics(view).items() if k.startswith('pixel_aspect'))]
    collection.objects.link(camera)
    return camera


def intrinsics(view: SolvedView) -> dict[str, float]:
    """A view's lens as Blender's camera and render settings."""
    return units.lens(view.K[0, 0], (view.K[0, 2], view.K[1, 2]), view.size, view.K[1, 1] / view.K[0, 0])


def look_through(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Make a reconstruction's camera the scene's and give renders its footage's size."""
    width, height, aspect_x, aspect_y = camera[MARK]
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = int(width), int(height), 100
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect_x, aspect_y


def put_clip_behind(camera: bpy.types.Object, view: SolvedView, frame: int) -> None:
    """Show the footage behind a camera; its first used frame at the scene's `frame`. Footage that has gone, or that Blender cannot read, is left out."""
    shown = None if not view.path.exists() else _picture(view) if view.kind == 'photo' else _clip(view, frame)
    if shown is None:
        return
    background = camera.data.background_images.new()
    background.alpha, background.display_depth, background.frame_method = 1.0, 'BACK', 'STRETCH'
    camera.data.show_background_images = True
    if view.kind == 'photo':
        background.source, background.image = 'IMAGE', shown
        return
    background.source, background.clip = 'MOVIE_CLIP', shown
    if _ignores_rotation(shown, view):
        background.frame_method, background.rotation = 'FIT', math.radians(view.rotation)  # clockwise, as the footage's
        background.scale = max(view.size) / min(view.size) if view.rotation % 180 else 1.


def _picture(view: SolvedView) -> bpy.types.Image | None:
    try:
        image = bpy.data.images.load(str(view.path), check_existing=True)
    except RuntimeError:
        return None
    return image if image.size[0] else None


def _clip(view: SolvedView, frame: int) -> bpy.types.MovieClip | None:
    try:
        clip = bpy.data.movieclips.load(str(view.path))
    except RuntimeError:
        return None
    if clip.frame_duration == 0:
        bpy.data.movieclips.remove(clip)
        return None
    clip.name, clip.frame_start = view.name, frame - view.first
    return clip


def _ignores_rotation(clip: bpy.types.MovieClip, view: SolvedView) -> bool:
    """Whether this Blender (4.3 and before) shows a video as it is stored, not as its rotation flag says."""
    if view.rotation % 180:
        return tuple(clip.size) != tuple(view.size)
    return view.rotation % 360 == 180 and bpy.app.version < (4, 4)


def add_sound(scene: bpy.types.Scene, view: SolvedView, frame: int) -> None:
    """Put the clip's sound into the sequencer, to the scene's end: what is heard at `frame` is what was heard at the first used frame."""
    if not bpy.app.build_options.audaspace or not view.path.exists():
        return
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
    everything = editor.strips_all if hasattr(editor, 'strips_all') else editor.sequences_all
    channel = 1 + max((s.channel for s in everything), default=0)
    try:
        strip = strips.new_sound(view.name, str(view.path), channel, frame - view.first)
    except RuntimeError:  # a format this Blender cannot read
        return
    if view.first > 0:
        strip.frame_offset_start = view.first
    strip.frame_final_duration = min(strip.frame_final_duration, scene.frame_end - frame + 1)
    scene.sync_mode = 'AUDIO_SYNC'
