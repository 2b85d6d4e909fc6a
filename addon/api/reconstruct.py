"""From footage to a head in the scene."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.result_folder import recover
from ...engine.formats.verdicts import in_words
from ...engine.tasks import specs
from .. import models, result_store
from ..scene import (
    actions,
    appearance,
    cameras,
    obstacles,
    regions,
    results,
    settings,
    takes,
    viewports,
)
from .appearance import reconstructed_head
from .head import find_model, model_is_ready
from .shared import absolute, checked_path, hidden_in_words, select


def reconstruction(
    scene: bpy.types.Scene,
    quality: str = 'DRAFT',
    neutral_frame: int = -1,
    smooth: float = 0.5,
    output: str = '',
    scene_settings: str = 'AUTO',
    old_take: str = 'REPLACE',
    rig: str = '',
) -> dict:
    """Return the task 'reconstruct''s arguments for a scene's face model and footage. quality
    'DRAFT' or 'STANDARD'; output '': into the job's folder. neutral_frame: counted from 0 at the
    first view's in-point, −1: unknown (`neutral_index` makes it of a scene frame). scene_settings,
    old_take: as apply_result's, for the clips behind the cameras. rig: a rig.npz of the same actor
    (`rig_of_head` gives a head's), which is followed as it is; '': the person is found.
    """
    chosen = scene.facewright
    if not chosen.views:
        raise FacewrightError(
            'There is no footage yet: add a video, an image sequence or a photo in the '
            'Footage panel.'
        )
    source = models.source_of(chosen)
    if source != models.BUILTIN:
        source = checked_path(source, 'face model')
    out = absolute(output, 'folder') if output else '{job}/out'
    masks = [mask for view in chosen.views for mask in _masks(view)]
    given = [_source(view) for view in chosen.views]
    arguments = {
        'sources': given,
        'views': _chosen(chosen.views),
        'out': out,
        'model': source,
        'quality': quality.lower(),
        'neutral_frame': None if neutral_frame < 0 else neutral_frame,
        'smooth': smooth,
        'clips': '{job}/clips',
        'rate': clip_rate(scene, scene_settings, old_take, _takes_of_footage(scene)),
    }
    if any(masks):
        arguments['masks'] = masks
    if rig:
        arguments['rig'] = checked_path(rig, 'rig')
    return specs.check('reconstruct', arguments)


def rig_of_head(context: bpy.types.Context) -> str:
    """Return the rig.npz of the selected reconstructed head, or of the scene's last: as it was
    found, not as edited since.
    """
    head = reconstructed_head(context)
    if head is None:
        raise FacewrightError(
            'There is no reconstructed head in this scene: reconstruct first, or choose a rig.npz.'
        )
    return checked_path(str(Path(head[results.FOLDER]) / 'rig.npz'), f'rig of {head.name}')


def neutral_index(scene: bpy.types.Scene) -> int:
    """Turn the panel's neutral frame, a scene frame, into the engine's: from 0 at the first view's
    in-point, −1: unknown.

    Where the scene's last result is of the same footage, the frame is its nearest sample; else the
    footage begins where a take would (`first_frame`). Raises FacewrightError where the frame lies
    outside the footage.
    """
    chosen = scene.facewright
    if not chosen.neutral_known:
        return -1
    frame, samples = chosen.neutral_at, _frames_of_footage(scene)
    if not len(samples):
        first, last = (
            first_frame(scene, settings.keeps_settings(scene, chosen.scene_settings)),
            None,
        )
    else:
        first, last = round(samples[0]), round(samples[-1])
    if frame < first or (last is not None and frame > last):
        where = f'goes from {first} to {last}' if last is not None else f'begins at {first}'
        raise FacewrightError(
            f'The neutral frame {frame} is outside the footage, which {where}: '
            'choose a frame within it, or none.'
        )
    return int(np.abs(samples - frame).argmin()) if len(samples) else frame - first


def _frames_of_footage(scene: bpy.types.Scene) -> np.ndarray:
    """Return the scene frames of the last result's samples; none where it is gone, or was made of
    other footage.
    """
    chosen, head = scene.facewright, scene.facewright.result
    if not head or head.name not in scene.objects or not chosen.views:
        return np.empty(0)
    samples, used = np.array(head.get(results.FRAMES, ())), takes.files_of(head)
    same = any(_has_file(chosen.views[0], file) for file in used)
    return samples if same or not used else np.empty(0)


def _has_file(view, file: Path) -> bool:
    """Return whether a file of a take may be of a view, whose own files are known to the engine
    alone.
    """
    path = Path(absolute(view.filepath, 'footage')).resolve()
    if view.kind in ('CAPTURE', 'SEQUENCE'):
        return file.is_relative_to(path if path.is_dir() else path.parent)
    return file == path


def _takes_of_footage(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the heads of a scene that were made of the footage that is chosen, as far as can be
    told before it is opened.
    """
    views = scene.facewright.views
    heads = [o for o in scene.objects if takes.is_head(o) and takes.MADE in o]
    return [
        head
        for head in heads
        if takes.files_of(head)
        and all(any(_has_file(v, file) for v in views) for file in takes.files_of(head))
    ]


def _source(view) -> dict:
    known = {
        'path': checked_path(view.filepath, f'footage for the view {view.label}'),
        'offset': view.offset or None,
        'start': view.start or None,
        'end': view.end or None,
    }
    if view.kind != 'CAPTURE':
        known |= {'name': view.label, 'kind': view.kind.lower(), 'lens_mm': view.lens or None}
    if view.kind == 'SEQUENCE':
        known['fps'] = view.fps
    return {k: v for k, v in known.items() if v is not None}


def _masks(view) -> list[str | None]:
    """Return a view's own masks, a folder, a pattern with * or a file; of a capture the same for
    each of its cameras (the engine looks for its folder there).
    """
    path, what = Path(view.masks), f'folder of masks for the view {view.label}'
    found = (
        None
        if not view.masks
        else checked_path(view.masks, what)
        if '*' not in path.name
        else str(Path(checked_path(str(path.parent), what)) / path.name)
    )
    return [found] * (_camera_count(view) if view.kind == 'CAPTURE' else 1)


def _camera_count(view) -> int:
    """Return how many cameras of a capture are used; 1 where its file cannot be read, which the
    engine will say.
    """
    names = [n for n in view.cameras.split(',') if n.strip()]
    path = Path(absolute(view.filepath, 'footage'))
    try:
        return len(names) or len(
            json.loads(
                (path / 'capture.json' if path.is_dir() else path).read_text(encoding='utf-8')
            )['cameras']
        )
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def _chosen(views) -> list[str]:
    """Return names of the views to use where a capture's cameras were chosen; [] for all."""
    if not any(v.kind == 'CAPTURE' and v.cameras for v in views):
        return []
    names = [
        [n.strip() for n in v.cameras.split(',') if n.strip()] if v.kind == 'CAPTURE' else [v.label]
        for v in views
    ]
    if not all(names):
        raise FacewrightError(
            'Cameras of one capture were chosen but not of another: name them for each, '
            'or for none.'
        )
    return [name for of_view in names for name in of_view]


def model_of_result(scene: bpy.types.Scene, folder: str | Path) -> str:
    """Return the face model a result folder was made with; the scene's own where that is not on
    this computer.
    """
    recover(Path(folder))
    source = results.read_report(Path(folder))['model']
    return (
        source
        if source == models.BUILTIN or Path(source).exists()
        else models.source_of(scene.facewright)
    )


def first_frame(scene: bpy.types.Scene, keep: bool) -> int:
    """Return the scene frame at which a take begins: the scene's first where it keeps its range,
    else 1.
    """
    return scene.frame_start if keep else 1


def warnings_of(folder: str | Path) -> list[str]:
    """Return what a reconstruction in a result folder warns of, in sentences."""
    return results.read_report(Path(folder))['warnings']


def clip_rate(
    scene: bpy.types.Scene, scene_settings: str, old_take: str, earlier: list[bpy.types.Object]
) -> float | None:
    """Return frames a second that a scene will have once a result is in it; None: the footage's.
    earlier: the heads of the same footage.
    """
    leaving = [h for h in earlier if old_take == 'REPLACE' and not takes.own_work(h)]
    keep = settings.keeps_settings(scene, scene_settings, leaving)
    return actions.scene_fps(scene) if keep else None


def result_job(
    scene: bpy.types.Scene,
    folder: str | Path,
    scene_settings: str = 'AUTO',
    old_take: str = 'REPLACE',
) -> dict | None:
    """Return the task 'scene_clips''s arguments where a result folder needs its face model read or
    its clips made; else None.
    """
    model = model_of_result(scene, folder)
    ready = model_is_ready(model)
    old = takes.earlier(scene, results.source_of(Path(folder)))
    rate = clip_rate(scene, scene_settings, old_take, old)
    views = cameras.read_views(Path(folder))
    shown = all(cameras.is_right(v, rate or views[0].fps) for v in views if v.path.exists())
    there = all(v.path.exists() for v in views)
    if ready and (shown or not there):
        return None
    arguments = {
        'result': str(folder),
        'out': '{job}/clips',
        'rate': rate,
        'model': '' if ready else model,
    }
    return specs.check('scene_clips', arguments)


def apply_result(
    context: bpy.types.Context,
    folder: str | Path,
    naming: str = 'ICT',
    sound: bool = True,
    start: int | None = None,
    scene_settings: str = 'AUTO',
    old_take: str = 'REPLACE',
    clips: dict | None = None,
) -> bpy.types.Object:
    """Bring a reconstruction's folder into the scene as a new collection; returns the head, which
    is selected and seen through its camera; what stands in the way is hidden. What the user should
    know is in `notes(head)`.

    start: scene frame of the first sample; None: 1, or the scene's first frame where the scene
    keeps its own. scene_settings: 'AUTO' (a scene that holds animation keeps its rate, range, size
    and camera), 'KEEP', 'FOOTAGE'. old_take: what happens to an earlier take of the same footage,
    'REPLACE' or 'HIDE'. clips: what the task scene_clips made. What later steps need of the folder
    is kept in the add-on's cache.
    """
    scene, folder = context.scene, Path(folder)
    model = find_model(model_of_result(scene, folder))
    old = takes.earlier(scene, results.source_of(folder))
    leaving = [h for h in old if old_take == 'REPLACE' and not takes.own_work(h)]
    keep = settings.keeps_settings(scene, scene_settings, leaving)
    home = result_store.save(folder)
    try:
        begin = first_frame(scene, keep) if start is None else start
        choices = results.Choices(naming, sound, begin, keep, result_store.save_clips(clips or {}))
        head, notes = results.apply_result(scene, folder, model, choices)
    except Exception:
        result_store.delete(home)
        raise
    head[results.FOLDER] = str(home)
    notes = [
        *_settings_in_words(scene, head, keep, scene_settings),
        *_retire(scene, old, leaving),
        *notes,
    ]
    takes.plain_names(head[takes.TAKE])
    scene.facewright.result = head
    select(context, head)
    head[results.NOTES] = notes + _show(context, head, keep)
    return head


def _settings_in_words(
    scene: bpy.types.Scene, head: bpy.types.Object, keep: bool, choice: str
) -> list[str]:
    """Return what became of the scene's settings, where that was a choice."""
    if not keep:
        return []
    frames = head[results.FRAMES]
    first, last = round(frames[0]), round(frames[-1])
    why = 'holds animation and keeps' if choice == 'AUTO' else 'keeps'
    past = f' The scene ends before, at {scene.frame_end}.' if last > scene.frame_end else ''
    return [
        f'The scene {why} its frame rate, range, size and camera: the take runs from '
        f'{first} to {last} at '
        f'{actions.scene_fps(scene):.4g} frames a second.{past}'
    ]


def _retire(
    scene: bpy.types.Scene, old: list[bpy.types.Object], leaving: list[bpy.types.Object]
) -> list[str]:
    """Remove the earlier takes in `leaving`, hide the others; what happened, in words."""
    notes = []
    for head in old:
        if head in leaving:
            continue
        if not takes.is_put_away(head):
            work = takes.own_work(head)
            notes.append(
                f'The earlier {head.name}{" " + work + ": it" if work else ""} is kept, '
                'hidden, with its camera and sound.'
            )
        takes.put_away(scene, head)
    if leaving:
        notes.append('The earlier take of this footage was replaced.')
        for head in leaving:
            takes.remove(scene, head)
    return notes


def _show(context: bpy.types.Context, head: bpy.types.Object, keep: bool) -> list[str]:
    """Look at a new head through its camera, hide what stands in the way; what was hidden, in
    words.
    """
    camera = next(iter(head_cameras(head)), None)
    if camera is None or head.name not in context.view_layer.objects:
        return []
    hidden = obstacles.clear_camera(context, camera, head, whole=not keep)
    viewports.look_through(context, camera, textured=appearance.has_texture(head))
    return hidden_in_words(hidden)


def notes(head: bpy.types.Object) -> list[str]:
    """Return what the user should know of how a head was brought into the scene, a
    sentence each.
    """
    return list(head.get(results.NOTES, ()))


def head_cameras(head: bpy.types.Object) -> list[bpy.types.Object]:
    """Return a reconstructed head's cameras, the first view's first."""
    first = head.get(results.FIRST)
    return sorted(takes.cameras_of(head), key=lambda o: (o != first, o.name))


def show_worst_frame(context: bpy.types.Context, region: str = '') -> int:
    """Go to the frame in which a region of the reconstructed face ('': the face as a whole) fits
    worst; returns it.
    """
    head = reconstructed_head(context)
    verdicts = {v.region: v for v in regions.verdicts_of(head)} if head else {}
    if region and verdicts and region not in verdicts:
        raise FacewrightError(
            f'Nothing is known of {region}: choose {", ".join(verdicts)}, or none for the '
            'whole face.'
        )
    worst = results.worst_frame(head) if head else None
    if worst is None:
        raise FacewrightError('There is no result with errors to look at: reconstruct first.')
    frame = regions.scene_frame(head, verdicts[region].worst) if region else worst[0]
    context.scene.frame_set(frame)
    return frame


def verdict_in_words(head: bpy.types.Object) -> str:
    """Say how good a reconstruction is: 'eyes good, brows fair, lips poor (see frame 37), jaw
    good'.
    """
    return in_words(regions.verdicts_of(head), lambda sample: regions.scene_frame(head, sample))


def look_through(context: bpy.types.Context) -> bpy.types.Object:
    """Turn the 3D view to the selected camera of a head, or to the head's next; returns it.

    The head: the selected one, or the scene's last. The scene takes the camera and its footage's
    size too, unless it kept its own when the head was made.
    """
    scene, head = context.scene, reconstructed_head(context)
    found = [c for c in (head_cameras(head) if head else []) if c.name in scene.objects]
    if head is None or not found:
        raise FacewrightError(
            'There is no camera of a reconstruction in this scene: reconstruct first.'
        )
    now = viewports.camera_looked_through(context)
    after = found[(found.index(now) + 1) % len(found)] if now in found else found[0]
    camera = context.object if context.object in found and context.object != now else after
    if not head.get(results.KEEPS_SETTINGS):
        cameras.look_through(scene, camera)
    viewports.look_through(context, camera)
    return camera


def lay_clip_over(context: bpy.types.Context, opacity: float = 0.5) -> bool:
    """Lay the footage over the selected head (or the scene's last) at an opacity, seen through
    its camera; or, where it lies so already, back behind it. Returns whether it lies over the
    head now.
    """
    head = reconstructed_head(context)
    found = head_cameras(head) if head else []
    if not cameras.clips_of(found):
        raise FacewrightError(
            'No clip lies behind the camera of a reconstructed head: reconstruct first, '
            'or put the footage back.'
        )
    over = not cameras.lies_over(found)
    cameras.lay_clip(found, opacity if over else None)
    if over and viewports.camera_looked_through(context) not in found:
        viewports.look_through(context, found[0])
    return over


def show_wire(context: bpy.types.Context) -> bool:
    """Draw the selected reconstructed head (or the scene's last) as wire over its clip, or,
    where it is so already, with its surface again. Returns whether it is wire now.
    """
    head = reconstructed_head(context)
    if head is None:
        raise FacewrightError('There is no reconstructed head in this scene: reconstruct first.')
    wire = head.display_type != 'WIRE'
    head.display_type = 'WIRE' if wire else 'TEXTURED'
    found = head_cameras(head)
    if wire and found and viewports.camera_looked_through(context) not in found:
        viewports.look_through(context, found[0])
    return wire


def clip_over(head: bpy.types.Object) -> bpy.types.CameraBackgroundImage | None:
    """Return the footage that lies over a head, whose `alpha` is its opacity; None
    where none does.
    """
    found = cameras.clips_of(head_cameras(head))
    return next((b for b in found if b.display_depth == 'FRONT'), None)
