"""From footage to a head in the scene."""
from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np

from ...engine.errors import FacewrightError
from ...engine.result_folder import settle
from .. import kept, models
from ..scene import cameras, results
from .head import find_model
from .shared import checked_path, select

FIRST_FRAME = 1  # the scene frame at which a take begins


def reconstruction(scene: bpy.types.Scene, quality: str = 'DRAFT', neutral_frame: int = -1, smooth: float = 0.5, output: str = '') -> dict:
    """The task 'reconstruct''s arguments for a scene's face model and footage. quality 'DRAFT' or 'STANDARD'; output '': into the job's folder.

    neutral_frame: counted from 0 at the first view's in-point, −1: unknown (`neutral_index` makes it of a scene frame).
    """
    settings = scene.facewright
    if not settings.views:
        raise FacewrightError('There is no footage yet: add a video, an image sequence or a photo in the Footage panel.')
    source = models.source_of(settings)
    if source != models.BUILTIN:
        source = checked_path(source, 'face model')
    masks = sum((_masks(view) for view in settings.views), [])
    return {'sources': [_source(view) for view in settings.views], 'views': _chosen(settings.views),
            'out': bpy.path.abspath(output) if output else '{job}/out', 'model': source, 'quality': quality.lower(), 'neutral_frame': None if neutral_frame < 0 else neutral_frame, 'smooth': smooth} \
        | ({'masks': masks} if any(masks) else {})


def neutral_index(scene: bpy.types.Scene) -> int:
    """Turn the panel's neutral frame, a scene frame, into the engine's: from 0 at the first view's in-point, −1: unknown.

    Where the scene's last result is there, the frame is its nearest sample; else the footage begins at FIRST_FRAME.
    Raises FacewrightError where the frame lies outside the footage.
    """
    settings, head = scene.facewright, scene.facewright.result
    if not settings.neutral_known:
        return -1
    frame = settings.neutral_at
    samples = np.array(head.get(results.FRAMES, ())) if head and head.name in scene.objects else np.empty(0)
    if not len(samples):
        first, last = FIRST_FRAME, None
    else:
        first, last = round(samples[0]), round(samples[-1])
    if frame < first or (last is not None and frame > last):
        where = f'goes from {first} to {last}' if last is not None else f'begins at {first}'
        raise FacewrightError(f'The neutral frame {frame} is outside the footage, which {where}: '
                              'choose a frame within it, or none.')
    return int(np.abs(samples - frame).argmin()) if len(samples) else frame - first


def _source(view) -> dict:
    known = {'path': checked_path(view.filepath, f'footage for the view {view.label}'), 'offset': view.offset or None,
             'start': view.start or None, 'end': view.end or None}
    if view.kind != 'CAPTURE':
        known |= {'name': view.label, 'kind': view.kind.lower(), 'lens_mm': view.lens or None}
    if view.kind == 'SEQUENCE':
        known['fps'] = view.fps
    return {k: v for k, v in known.items() if v is not None}


def _masks(view) -> list[str | None]:
    """A view's own masks, a folder, a pattern with * or a file; of a capture the same for each of its cameras (the engine looks for its folder there)."""
    path, what = Path(view.masks), f'folder of masks for the view {view.label}'
    found = None if not view.masks else checked_path(view.masks, what) if '*' not in path.name else str(Path(checked_path(str(path.parent), what)) / path.name)
    return [found] * (_camera_count(view) if view.kind == 'CAPTURE' else 1)


def _camera_count(view) -> int:
    """How many cameras of a capture are used; 1 where its file cannot be read, which the engine will say."""
    names = [n for n in view.cameras.split(',') if n.strip()]
    path = Path(bpy.path.abspath(view.filepath))
    try:
        return len(names) or len(json.loads((path / 'capture.json' if path.is_dir() else path).read_text(encoding='utf-8'))['cameras'])
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def _chosen(views) -> list[str]:
    """Names of the views to use where a capture's cameras were chosen; [] for all."""
    if not any(v.kind == 'CAPTURE' and v.cameras for v in views):
        return []
    names = [[n.strip() for n in v.cameras.split(',') if n.strip()] if v.kind == 'CAPTURE' else [v.label] for v in views]
    if not all(names):
        raise FacewrightError('Cameras of one capture were chosen but not of another: name them for each, or for none.')
    return sum(names, [])


def model_of_result(scene: bpy.types.Scene, folder: str | Path) -> str:
    """The face model a result folder was made with; the scene's own where that is not on this computer."""
    settle(Path(folder))
    source = results.read_report(Path(folder))['model']
    return source if source == models.BUILTIN or Path(source).exists() else models.source_of(scene.facewright)


def warnings_of(folder: str | Path) -> list[str]:
    """What a reconstruction in a result folder warns of, in sentences."""
    told = results.read_report(Path(folder)).get('warnings', [])
    return [sentence for sentence in told if isinstance(sentence, str)] if isinstance(told, list) else []


def apply_result(context: bpy.types.Context, folder: str | Path, naming: str = 'ICT', sound: bool = True, start: int = FIRST_FRAME) -> bpy.types.Object:
    """Bring a reconstruction's folder into the scene as a new collection; returns the head, which is selected.

    What later steps need of the folder is kept in the add-on's cache.
    """
    model = find_model(model_of_result(context.scene, folder))
    home = kept.keep(Path(folder))
    try:
        head = results.apply_result(context.scene, Path(folder), model, naming, sound, start)
    except Exception:
        kept.drop(home)
        raise
    head[results.FOLDER] = str(home)
    context.scene.facewright.result = head
    select(context, head)
    return head


def show_worst_frame(scene: bpy.types.Scene) -> int:
    """Go to the last result's frame with the largest error; returns it."""
    head = scene.facewright.result
    worst = results.worst_frame(head) if head else None
    if worst is None:
        raise FacewrightError('There is no result with errors to look at: reconstruct first.')
    scene.frame_set(worst[0])
    return worst[0]


def look_through(context: bpy.types.Context) -> bpy.types.Object:
    """Make the selected Facewright camera, or the next one, the scene's, with its footage's size; turn the viewports to it."""
    scene, active = context.scene, context.object
    found = sorted((o for o in scene.objects if o.type == 'CAMERA' and cameras.MARK in o), key=lambda o: o.name)
    if not found:
        raise FacewrightError('There is no camera of a reconstruction in this scene: reconstruct first.')
    after = found[(found.index(scene.camera) + 1) % len(found)] if scene.camera in found else found[0]
    camera = active if active in found and active != scene.camera else after
    cameras.look_through(scene, camera)
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'VIEW_3D' and window.scene == scene:
                area.spaces.active.region_3d.view_perspective = 'CAMERA'
    return camera
