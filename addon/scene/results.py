"""A reconstruction's result folder → head, performance, cameras, clip and sound, all in one new
collection.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.face_model.model import FaceModel
from ...engine.formats.lens_words import focal_in_words
from ...engine.formats.performance import read_performance
from ...engine.formats.rig import read_rig
from ...engine.formats.verdicts import LIMITS
from . import actions, appearance, cameras, heads, takes, units

# custom properties of the head: % of the outer-eye distance a frame, −1 where the face was not seen
ERROR = 'facewright_error'
MEAN, FRAMES = 'facewright_mean_error', takes.FRAMES  # … the mean; the scene frame of each sample

# … the error of each region of the face, {region: % a sample, −1 where no face was seen}
REGIONS = 'facewright_regions'
# … scene frames that Standard left as Draft found them, being better so
FALLBACK = 'facewright_draft_frames'
LENS = 'facewright_lens'  # … each view's focal length, and how sure it is, in words
FOLDER = 'facewright_folder'  # … where the files of its reconstruction are
# … whether the scene kept its own rate, range, size and camera
KEEPS_SETTINGS = 'facewright_kept_scene'
FIRST = 'facewright_first_camera'  # … the camera of its first view
NOTES = 'facewright_notes'  # … what the user should know of how it was brought in: sentences


def read_report(folder: Path) -> dict:
    """Read report.json of a result folder; what is used of it is of its types."""
    try:
        report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
        return report | _used(report)
    except cameras.DAMAGED as error:
        raise FacewrightError(
            f'{folder} holds no readable report of a reconstruction '
            f'({type(error).__name__}): choose a result folder, or reconstruct again.'
        ) from error


def _used(report: dict) -> dict:
    """Return what is used of a report; any of several errors where it is not as the engine writes
    it.
    """
    error = report['error']
    regions = {
        str(name): {'per_frame': _numbers(values['per_frame'])}
        | {k: v for k, v in values.items() if k != 'per_frame'}
        for name, values in (error.get('regions') or {}).items()
    }
    if not isinstance(report['model'], str) or '\0' in report['model']:
        raise ValueError('the face model is no path')
    used = {
        'per_frame': _numbers(error['per_frame']),
        'mean_percent': _numbers([error.get('mean_percent')])[0],
        'regions': regions,
    }
    return {
        'error': error | used,
        'draft_frames': [int(i) for i in report.get('draft_frames', ())],
        'lenses': _lenses_in_words(report.get('views', ())),
        'warnings': [str(sentence) for sentence in report.get('warnings', ())],
        'rig': str(report.get('rig') or ''),
    }


def _lenses_in_words(views: list[dict]) -> list[str]:
    """Say each view's focal length, with the view's name where there are several."""
    words = [focal_in_words(view) for view in views]
    if len(words) > 1:
        words = [w and f'{view["name"]}: {w}' for view, w in zip(views, words)]
    return [f'{w[0].upper()}{w[1:]}' for w in words if w]


def _numbers(values: list) -> list[float | None]:
    """Return finite numbers, and None for none."""
    found = [None if value is None else float(value) for value in values]
    if not all(value is None or abs(value) < 1e9 for value in found):
        raise ValueError('numbers that are not finite')
    return found


@dataclass(frozen=True)
class Choices:
    """How a result is brought into a scene. naming: 'ICT' or 'ARKIT'. sound: into the sequencer.
    start: scene frame of the first sample. keep: leave the scene's rate, range, size and camera
    alone. clips: what scene_clips made, {view: {'path', 'rate'}}.
    """

    naming: str = 'ICT'
    sound: bool = True
    start: int = 1
    keep: bool = False
    clips: dict | None = None


def source_of(folder: Path) -> str:
    """Return what a result folder was made of, in words that takes can be compared by."""
    return takes.source_of(cameras.read_views(folder))


def apply_result(
    scene: bpy.types.Scene, folder: Path, model: FaceModel, choices: Choices
) -> tuple[bpy.types.Object, list[str]]:
    """Bring a result folder, made with `model`, into a scene; returns (head, sentences about what
    the user should know).

    The scene takes the clip's frame rate, range, size and first camera unless `choices.keep`. Where
    anything fails nothing is left behind.
    """
    report, rig = read_report(folder), read_rig(folder / 'rig.npz')
    performance, views = (
        read_performance(folder / 'performance.npz'),
        cameras.read_views(folder, choices.clips),
    )
    if len(rig.neutral) != model.vertex_count or not views:
        raise FacewrightError(
            f'The result in {folder} was made with another face model, or with the built-in '
            'head of '
            'an earlier version: choose that model, or reconstruct again.'
        )
    take = takes.new_id()
    with _all_or_nothing(scene, take):
        head, notes = _build(scene, report, rig, performance, views, model, choices, take)
        if (folder / 'parts.npz').exists():
            appearance.add_parts(head, folder / 'parts.npz')
        if (folder / 'albedo.png').exists():
            appearance.apply_albedo(head, folder)
        head[FOLDER] = str(folder.resolve())
    takes.remember(head, takes.source_of(views))
    return head, notes


@contextlib.contextmanager
def _all_or_nothing(scene: bpy.types.Scene, take: str):
    """Mark the data the block makes as a take's; where it fails, remove it and give the scene
    its settings back.
    """
    had = {kind: set(getattr(bpy.data, kind)) for kind in takes.MARKED}
    settings = [
        (owner, name, getattr(owner, name))
        for owner, names in (
            (scene, ('frame_start', 'frame_end', 'frame_current', 'camera', 'sync_mode')),
            (
                scene.render,
                (
                    'fps',
                    'fps_base',
                    'resolution_x',
                    'resolution_y',
                    'resolution_percentage',
                    'pixel_aspect_x',
                    'pixel_aspect_y',
                ),
            ),
        )
        for name in names
    ]
    try:
        yield
    except Exception:
        for owner, name, value in settings:
            setattr(owner, name, value)
        for strip in takes.strips_of(scene, take):
            takes.strips(scene).remove(strip)
        for kind, before in had.items():
            bpy.data.batch_remove([made for made in getattr(bpy.data, kind) if made not in before])
        raise
    for kind, before in had.items():
        takes.tag(take, [made for made in getattr(bpy.data, kind) if made not in before])


def _build(
    scene, report, rig, performance, views, model, choices, take
) -> tuple[bpy.types.Object, list[str]]:
    """Make the head, its performance, cameras, clips and sound; what should be said of them."""
    collection = bpy.data.collections.new(f'Facewright {views[0].name}')
    scene.collection.children.link(collection)
    if not choices.keep:
        actions.frame_rate(scene, performance.fps)
    frames = actions.sample_frames(scene, performance.time, choices.start)
    last = max(choices.start, int(np.ceil(frames[-1])))
    head = heads.create_head(
        f'Head {views[0].name}',
        model,
        rig.neutral,
        rig.expressions,
        rig.names,
        choices.naming,
        collection,
    )
    axes = units.world_axes(performance.rotation, (views[0].R, views[0].t))
    actions.write_performance(head, performance, frames, axes)
    made = [(view, cameras.create_camera(view, axes, collection)) for view in views]
    if not choices.keep:
        cameras.look_through(scene, made[0][1])
        scene.frame_start, scene.frame_end = choices.start, last
    elif scene.camera is None:
        scene.camera = made[0][1]
    notes = [
        cameras.put_clip_behind(
            scene, camera, view, choices.start, shift(scene, view, performance.time[0])
        )
        for view, camera in made
    ]
    if report['rig']:
        notes.append(f'Its head is that of {report["rig"]}.')
    if choices.sound and views[0].sound:
        strip = cameras.add_sound(scene, views[0], choices.start, last - choices.start + 1)
        if strip is not None:
            strip[takes.TAKE] = take
            if not choices.keep:
                scene.sync_mode = 'AUDIO_SYNC'
    _remember(head, report, frames, choices.keep)
    head[FIRST] = made[0][1]
    if not choices.keep or not choices.start <= scene.frame_current <= last:
        scene.frame_set(choices.start)
    return head, [note for note in notes if note]


def _remember(head: bpy.types.Object, report: dict, frames: np.ndarray, keep: bool) -> None:
    """Put what the panel tells of a reconstruction on its head."""
    per_frame = [-1.0 if e is None else float(e) for e in report['error']['per_frame']]
    head[ERROR], head[MEAN], head[FRAMES] = (
        per_frame,
        float(report['error']['mean_percent'] or 0),
        frames.tolist(),
    )
    head[REGIONS] = region_errors(report['error'], len(frames))
    head[FALLBACK] = [
        round(frames[i]) for i in report.get('draft_frames', ()) if 0 <= i < len(frames)
    ]
    head[LENS] = '\n'.join(report['lenses'])
    head[KEEPS_SETTINGS] = keep


def shift(scene: bpy.types.Scene, view: cameras.SolvedView, zero: float) -> float:
    """Return how many scene frames after time `zero` (s, the take's first sample) a view's first
    used picture is.
    """
    return (view.time[0] - zero) * actions.scene_fps(scene) if len(view.time) else 0.0


def region_errors(error: dict, count: int) -> dict[str, list[float]]:
    """Read report.json's errors of each region: {region: `count` numbers, −1 for none}; {} in a
    report that has none.
    """
    found = {}
    for region, values in (error.get('regions') or {}).items():
        per_frame = [-1.0 if e is None else float(e) for e in values.get('per_frame', ())]
        if region in LIMITS and len(per_frame) == count:
            found[region] = per_frame
    return found


def sample_at(head: bpy.types.Object, frame: int) -> int | None:
    """Return the sample a scene frame shows; None beyond the take, and in its gaps."""
    frames = np.array(head.get(FRAMES, ()))
    if not len(frames):
        return None
    nearest = int(np.abs(frames - frame).argmin())
    apart = max(
        1.0, 0.75 * float(np.diff(frames).max(initial=0))
    )  # a scene's frames may be closer than the clip's
    return nearest if abs(frames[nearest] - frame) < apart else None


def worst_frame(head: bpy.types.Object) -> tuple[int, float] | None:
    """Return (scene frame, error) of the largest error; None where there is none."""
    errors, frames = np.array(head.get(ERROR, ())), np.array(head.get(FRAMES, ()))
    if not len(errors) or len(errors) != len(frames) or errors.max() < 0:
        return None
    return round(frames[errors.argmax()]), float(errors.max())


def unseen_frames(head: bpy.types.Object) -> int:
    """In how many frames the face was not found."""
    return int((np.array(head.get(ERROR, ())) < 0).sum())
