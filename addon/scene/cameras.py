"""Cameras that match footage: pose, lens, shift and the clip behind; the clip's sound beside."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.footage.clip_timing import keeps_rate
from . import actions, takes, units

# custom property of a camera: width, height, pixel aspect x and y of its footage
SIZE = 'facewright_footage'

# What reading a damaged JSON file of a result can raise.
DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


@dataclass(frozen=True)
class SolvedView:
    """One view as a reconstruction found it. K 3×3 pixels; R 3×3, t 3 cm world → camera
    (OpenCV); time T s on the first view's clock.
    """

    name: str
    path: Path
    kind: str  # 'video' | 'sequence' | 'photo'
    size: tuple[int, int]
    fps: float
    first: int  # index in the file of the first used frame
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    time: np.ndarray
    rotation: int = 0  # degrees clockwise the stored picture is turned for showing
    sound: bool = False
    start: float = 0.0  # s from the file's first picture to the first one used
    sound_start: float = 0.0  # s from the file's first picture to its first sound
    # Counting pictures at the file's rate finds the right ones; a photo: it is stored upright.
    steady: bool = True
    # the footage written again for the scene's frames (engine/footage/proxies.py)
    clip: Path | None = None
    clip_rate: float = 0.0  # … for a scene of so many frames a second


def read_views(folder: Path, clips: dict | None = None) -> tuple[SolvedView, ...]:
    """Read the views of a result folder, from its cameras.json (capture.json's format) and
    report.json.

    clips: {view: {'path', 'rate'}}, what the task scene_clips made for them.
    """
    try:
        given = json.loads((folder / 'cameras.json').read_text(encoding='utf-8'))['cameras']
        report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
        reported = {v['name']: v for v in report['views']}
        return tuple(
            _view(c, reported.get(c['name'], {}), (clips or {}).get(c['name'])) for c in given
        )
    except DAMAGED as error:
        what = f'{type(error).__name__}: {error}'[:200]
        raise FacewrightError(
            f'The result in {folder} has no readable cameras ({" ".join(what.split())}): '
            'reconstruct again.'
        ) from error


def _view(camera: dict, reported: dict, clip: dict | None) -> SolvedView:
    first, fps = int(reported.get('first', 0)), float(camera['fps'])
    view = SolvedView(
        camera['name'],
        Path(reported.get('path') or camera['video']),
        reported.get('kind', 'video'),
        (int(camera['width']), int(camera['height'])),
        fps,
        first,
        np.array(camera['K'], float),
        np.array(camera['R'], float),
        np.array(camera['t'], float).reshape(3),
        np.array(camera['time'], float),
        int(reported.get('rotation', 0)),
        bool(reported.get('sound')),
        float(reported.get('start', first / fps)),
        float(reported.get('sound_start') or 0),
        bool(reported.get('steady', True)),
        Path(clip['path']) if clip else None,
        float(clip['rate']) if clip else 0.0,
    )
    _check(view)
    return view


def _check(view: SolvedView) -> None:
    """Raise ValueError, which says what, where a view holds what no camera has."""
    if not isinstance(view.name, str) or '\0' in f'{view.name}{view.path}':
        raise ValueError('a name that is not text')
    if view.kind not in ('video', 'sequence', 'photo') or view.rotation not in (0, 90, 180, 270):
        raise ValueError(f'kind {view.kind!r}, turned by {view.rotation}°')
    numbers = [view.K, view.R, view.t, view.time, [view.fps, view.start, view.sound_start]]
    if (
        view.K.shape != (3, 3)
        or view.R.shape != (3, 3)
        or view.time.ndim != 1
        or not all(np.isfinite(a).all() for a in numbers)
    ):
        raise ValueError('numbers that are missing or not finite')
    lengths = (view.fps, view.K[0, 0], view.K[1, 1], *view.size)
    if not (
        0 <= view.first < 1 << 30
        and all(0 < number < 1e6 for number in lengths)
        and (np.diff(view.time) > 0).all()
    ):
        raise ValueError('numbers out of range')
    if np.abs(view.R @ view.R.T - np.eye(3)).max() > 0.01 or np.linalg.det(view.R) < 0:
        raise ValueError('R is no rotation')


def create_camera(
    view: SolvedView, axes: np.ndarray, collection: bpy.types.Collection
) -> bpy.types.Object:
    """Make a camera object that sees what the view saw. axes: units.world_axes of the performance.
    Settings of the scene are left alone.
    """
    data = bpy.data.cameras.new(view.name)
    data.sensor_fit = 'HORIZONTAL'
    for name, value in intrinsics(view).items():
        if not name.startswith('pixel_aspect'):
            setattr(data, name, value)
    data.clip_start, data.clip_end = 0.01, 1000
    data.display_size = 0.1
    camera = bpy.data.objects.new(view.name, data)
    camera.matrix_world = units.camera_to_blender(view.R, view.t, axes).T
    camera[SIZE] = [
        *view.size,
        *(v for k, v in intrinsics(view).items() if k.startswith('pixel_aspect')),
    ]
    collection.objects.link(camera)
    return camera


def intrinsics(view: SolvedView) -> dict[str, float]:
    """Return a view's lens as Blender's camera and render settings."""
    return units.lens(
        view.K[0, 0], (view.K[0, 2], view.K[1, 2]), view.size, view.K[1, 1] / view.K[0, 0]
    )


def look_through(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Make a reconstruction's camera the scene's and give renders its footage's size."""
    width, height, aspect_x, aspect_y = camera[SIZE]
    render, scene.camera = scene.render, camera
    render.resolution_x, render.resolution_y, render.resolution_percentage = (
        int(width),
        int(height),
        100,
    )
    render.pixel_aspect_x, render.pixel_aspect_y = aspect_x, aspect_y


def is_right(view: SolvedView, rate: float) -> bool:
    """Return whether the footage's own file shows the right picture at every frame of a scene of
    `rate` frames a second.
    """
    if _is_program_stream(view.path):
        return False
    return view.steady and (view.kind == 'photo' or keeps_rate(view.time, rate))


def _is_program_stream(path: Path) -> bool:
    """Return whether a file is an MPEG program stream: Blender 4.2 dies of opening some, and none
    is found its way in by counting.
    """
    try:
        with path.open('rb') as file:
            return file.read(4) == b'\x00\x00\x01\xba'
    except OSError:
        return False


def put_clip_behind(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    view: SolvedView,
    start: int,
    shift: float = 0.0,
) -> str:
    """Show the footage behind a camera: at the scene's frame `start`, the take's first, the picture
    that belongs to it.

    shift: frames from `start` to the view's first used picture. Returns what should be said of it,
    '' where all is right. Footage that has gone, or that Blender cannot read, is left out.
    """
    rate = actions.scene_fps(scene)
    written_for_it = view.clip is not None and math.isclose(view.clip_rate, rate, rel_tol=1e-5)
    if written_for_it:
        upright, is_photo = True, view.kind == 'photo'
        shown = _picture(view.clip) if is_photo else _clip(view.clip, view.name, start)
    elif not view.path.exists():
        return (
            f'The footage of {view.name} is not at {view.path} any more: nothing lies behind '
            'its camera.'
        )
    elif _is_program_stream(view.path):
        return (
            f'{view.path.name} is of a kind that Blender cannot show behind a camera by '
            'itself: press Reconstruct once more.'
        )
    elif view.kind == 'photo':
        shown, upright = _picture(view.path), True
    else:
        shown, upright = _clip(view.path, view.name, round(start + shift) - view.first), False
    if shown is None:
        return f'Blender cannot read {view.path.name}: nothing lies behind the camera {view.name}.'
    in_step = written_for_it or is_right(view, rate)
    background = camera.data.background_images.new()
    background.alpha, background.display_depth = 1.0, 'BACK'
    background.frame_method = _frame_method(scene.render, view)
    camera.data.show_background_images = True
    if view.kind == 'photo':
        background.source, background.image = 'IMAGE', shown
        what = f'The photo behind {view.name} is turned by a tag that Blender does not read'
    else:
        background.source, background.clip = 'MOVIE_CLIP', shown
        if not upright and _ignores_rotation(shown, view):
            # clockwise, as the footage's
            background.frame_method, background.rotation = 'FIT', math.radians(view.rotation)
            background.scale = max(view.size) / min(view.size) if view.rotation % 180 else 1.0
        what = f'The clip behind {view.name} keeps its own rate and drifts from the head'
    return '' if in_step else f'{what}: press Reconstruct once more.'


def clips_of(found: list[bpy.types.Object]) -> list[bpy.types.CameraBackgroundImage]:
    """Return the footage that lies behind or over cameras."""
    return [b for camera in found for b in camera.data.background_images[:1]]


def lay_clip(found: list[bpy.types.Object], opacity: float | None) -> None:
    """Lay the footage over what cameras see, at an opacity (0..1), or, with None, behind it as
    it was.
    """
    for background in clips_of(found):
        background.display_depth = 'BACK' if opacity is None else 'FRONT'
        background.alpha = 1.0 if opacity is None else opacity


def lies_over(found: list[bpy.types.Object]) -> bool:
    """Return whether the footage lies over what cameras see."""
    return any(b.display_depth == 'FRONT' for b in clips_of(found))


def _frame_method(render: bpy.types.RenderSettings, view: SolvedView) -> str:
    """Return how a picture gets the camera frame's width whatever the render's shape: the lens was
    found for that width.
    """
    shape = (
        render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    )
    pixels = view.size[0] / view.size[1] * view.K[1, 1] / view.K[0, 0]
    if abs(shape / pixels - 1) < 0.005:
        return 'STRETCH'
    return 'FIT' if pixels > shape else 'CROP'


def _picture(path: Path) -> bpy.types.Image | None:
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError:
        return None
    return image if image.size[0] else None


def _clip(path: Path, name: str, frame: int) -> bpy.types.MovieClip | None:
    """Load a movie clip whose first picture is at the scene's `frame`."""
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError:
        return None
    if clip.frame_duration == 0:
        bpy.data.movieclips.remove(clip)
        return None
    clip.name, clip.frame_start = name, frame
    return clip


def _ignores_rotation(clip: bpy.types.MovieClip, view: SolvedView) -> bool:
    """Return whether this Blender (4.3 and before) shows a video as it is stored, not as its
    rotation flag says.
    """
    if view.rotation % 180:
        return tuple(clip.size) != tuple(view.size)
    return view.rotation % 360 == 180 and bpy.app.version < (4, 4)


def add_sound(scene: bpy.types.Scene, view: SolvedView, start: int, frames: int):
    """Put the footage's sound into the sequencer for `frames` frames from the scene's frame
    `start`, where the first used picture is, in step with it. Returns the strip, None where
    there is none to be had.
    """
    if not bpy.app.build_options.audaspace or not view.path.exists():
        return None
    channel = 1 + max((s.channel for s in takes.all_strips(scene)), default=0)
    begins = start + (view.sound_start - view.start) * actions.scene_fps(
        scene
    )  # where the file's first sound is heard
    whole = math.floor(begins)
    try:
        strip = takes.strips(scene).new_sound(view.name, str(view.path), channel, whole)
    except RuntimeError:  # a format this Blender cannot read
        return None
    strip.sound_offset = (begins - whole) / actions.scene_fps(scene)
    if whole < start:
        strip.frame_offset_start = start - whole
    strip.frame_final_duration = max(
        1, min(strip.frame_final_duration, start + frames - strip.frame_final_start)
    )
    return strip
