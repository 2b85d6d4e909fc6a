"""Footage → a head and its performance."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import write_npz, write_text
from ..core.progress import Clock, Plan, Progress, listen
from ..core.result_folder import results
from ..core.sources import fingerprint
from ..core.store import RESUMED, CheckpointStore, files_fingerprint
from .appearance import ALBEDO_FILES, open_reconstruction, write_albedo
from .shared import VERSION, Task, Value, writable_folder

TEXTURE = 1024  # pixels of the side of Standard's texture
FILES = (
    'rig.npz',
    'performance.npz',
    'performance.csv',
    'cameras.json',
    'parts.npz',
    'overlay.png',
    'report.json',
)
STANDARD_FILES = (*FILES, 'motion.npz', *ALBEDO_FILES)  # motion.npz: where there are several views


def reconstruct(
    sources: Sequence[str | dict],
    out: str,
    model: str = 'builtin',
    quality: str = 'draft',
    views: Sequence[str] = (),
    neutral_frame: int | None = None,
    smooth: float = 0.5,
    masks: Sequence[str | None] = (),
    part_masks: bool = True,
    clips: str = '',
    rate: float | None = None,
) -> Task:
    """Footage → rig.npz, performance.npz, performance.csv, cameras.json, parts.npz, overlay.png and report.json in `out` (formats: docs/formats.md).

    sources, views: see footage.open_footage. model: 'builtin' or a path. quality: 'draft' (landmarks) or 'standard' (pictures and part
    masks too, and bake_albedo's files). parts.npz: `labels` V int8, which part of a face each vertex is, `names` of the parts, see face_model/parts.py. neutral_frame: number of a used
    frame of the first view in which the face is at rest (None or −1: unknown). smooth: 0..1, see smoothing.py. masks: for each view a folder or pattern
    of the user's own part masks, or None (see footage/masks/user_masks.py). part_masks: False leaves PRDL out (for comparison).
    clips: a folder that gets what Blender shows behind the cameras in a scene of `rate` frames a second, as scene_clips; '' for none.
    Raises FacewrightError; then nothing new is left in `out`. What a run that was stopped has found is kept (engine/core/store.py): the same
    run goes on from there, to the same result.
    """
    seconds, began = {}, time.monotonic()
    folder = writable_folder(Path(out), FILES if quality == 'draft' else STANDARD_FILES)
    yield Progress(0.0, 'Opening the footage')
    from ..footage import open_footage

    footage = open_footage(list(sources), list(views))
    own = own_masks(masks, footage.views)
    neutral_frame = -1 if neutral_frame is None else int(neutral_frame)
    if neutral_frame >= len(footage.views[0].times):
        raise FacewrightError(
            f'The clip has {len(footage.views[0].times)} frames, so frame {neutral_frame} cannot be the neutral one: choose a smaller number.'
        )
    from ..annotate.landmarks import landmarks_are_cached, model_landmarks
    from ..face_model import cached_model_path, load_model
    from . import pace

    cached = cached_model_path(model).exists()
    clock = Plan(
        pace.expected_seconds(
            footage, quality, cached, (rate or footage.views[0].fps) if clips else None
        )
    )
    yield clock.at(0.0, pace.READING)
    for fraction in (reading := Value(listen(lambda report: load_model(model, report)))):
        yield clock.at(fraction, pace.READING)
    face = reading.value.tracked
    yield clock.at(1.0, pace.READING)
    clock.expect(pace.FROM_CACHE if landmarks_are_cached(face) else pace.BIND_MODEL, pace.BINDING)
    for fraction in (binding := Value(listen(lambda report: model_landmarks(face, report)))):
        yield clock.at(fraction, pace.BINDING)
    yield clock.at(1.0, pace.BINDING)
    landmarks = binding.value
    from ..evidence.options import StandardOptions, for_quality

    clips_as_they_are = [
        [
            v.name,
            files_fingerprint(v.images or [v.path]),
            v.times.tolist(),
            camera_fingerprint(v.camera),
        ]
        for v in footage.views
    ]
    masks_as_they_are = [one and [one.numbering, files_fingerprint(one.files)] for one in own]
    kept = CheckpointStore(
        [
            fingerprint('tasks.reconstruction'),
            face.digest,
            clips_as_they_are,
            quality,
            neutral_frame,
            part_masks,
            masks_as_they_are,
        ]
    )
    seconds['open'] = time.monotonic() - began

    from ..footage.detector import detect_view
    from ..footage.footage import Observations, ViewObservations

    seen = []
    for i, view in enumerate(footage.views):
        if (found := kept.read(f'view_{i}')) is not None:
            seen.append(
                ViewObservations(
                    found['points'],
                    found['confidence'],
                    found['present'],
                    tuple(found['replaced'].tolist()),
                )
            )
            clock.skip(1.0, pace.detecting(footage, i))
            yield clock.at(1.0, pace.detecting(footage, i), RESUMED)
            continue
        watching = Value(
            listen(
                lambda report, view=view: detect_view(
                    view,
                    {'draft': 'draft', 'standard': 'final'}[quality],
                    lambda done, total: report(done / max(total, 1)),
                )
            )
        )
        for fraction in watching:
            yield clock.at(fraction, pace.detecting(footage, i))
        seen.append(watching.value)
        kept.write(
            f'view_{i}',
            points=watching.value.points,
            confidence=watching.value.confidence,
            present=watching.value.present,
            replaced=np.array(watching.value.replaced, np.int64),
        )
    seconds['detect'] = time.monotonic() - began - seconds['open']

    from ..tracking.draft import FINDING, FOLLOWING, track
    from ..tracking.track import track_arrays, track_from

    if (before := kept.read('draft')) is not None:
        found = track_from(before, footage)
        for stage in (FINDING, FOLLOWING):
            clock.skip(1.0, stage)
    else:
        fitting = Value(
            track(
                face,
                landmarks,
                footage,
                Observations(tuple(seen)),
                for_quality(quality),
                neutral_frame,
            )
        )
        for fraction, stage in fitting:
            yield clock.at(fraction, stage)
        found = fitting.value
        kept.write('draft', **track_arrays(found))
    neutral, refined = face.shape(found.identity), None
    seconds['track'] = time.monotonic() - began - sum(seconds.values())
    if quality == 'standard':
        from ..tracking.standard import refine

        settings = StandardOptions() if part_masks else StandardOptions(parts=0.0)
        refining = Value(
            refine(face, landmarks, footage, Observations(tuple(seen)), found, settings, own, kept)
        )
        for fraction, stage, kept_before in refining:
            if kept_before:
                clock.skip(fraction, stage)
            yield clock.at(fraction, stage, RESUMED if kept_before else '')
        refined = refining.value
        found, neutral = refined.track, refined.neutral
        seconds['pictures'] = time.monotonic() - began - sum(seconds.values())

    yield clock.at(0.0, pace.WRITING)
    report = make_report(model, footage, seen, found, quality, seconds)
    if quality == 'standard':
        report['draft_frames'] = list(refined.fallback_frames)
    played = {}
    with results(folder, 'reconstruct', replaces=('bake_albedo',)) as work:
        _write(work, face, neutral, footage, found, refined, smooth)
        if quality == 'standard':
            write_text(
                work / 'report.json', json.dumps(report, indent=1)
            )  # the texture is made from the files
            report['warnings'] += yield from _texture(work, clock)
        if clips:
            played = {
                'clips': (yield from _clips(footage.views, clips, rate, clock, report['warnings']))
            }
        report['seconds']['write'] = round(time.monotonic() - began - sum(seconds.values()), 2)
        write_text(work / 'report.json', json.dumps(report, indent=1))
    kept.discard()
    yield Progress(1.0, 'Done', 0.0)
    return report | played | {'out': str(folder)}


def _texture(folder: Path, clock: Plan):
    """Make the texture of the reconstruction in `folder`, there: a generator of Progress.

    Returns what went wrong, in sentences: the head is finished without it.
    """
    from ..core.errors import sentence_for
    from . import pace

    def making():
        own = Clock()
        opened = yield from open_reconstruction(str(folder), own)
        yield from write_albedo(folder, opened, TEXTURE, own)

    try:
        for progress in making():
            yield clock.at(min(progress.fraction, 0.999), pace.BAKING, progress.stage)
    except Exception as error:
        traceback.print_exc()
        for name in ALBEDO_FILES:
            (folder / name).unlink(missing_ok=True)
        return [
            f'The head has no texture ({sentence_for(error).rstrip(".")}): press Bake Skin Texture to try again.'
        ]
    return []


def _clips(views, folder: str, rate: float | None, clock: Plan, warnings: list[str]):
    """{view: clip} for Blender's cameras (footage/proxies.py), none where they can't be written: the head matters more.

    A generator of Progress. warnings: gets a sentence then.
    """
    from ..footage.proxies import write_proxies
    from . import pace

    making = Value(write_proxies(views, Path(folder), rate or views[0].fps))
    try:
        for part in making:
            yield clock.at(min(part, 0.999), pace.FILMING)
    except (FacewrightError, OSError) as error:
        told = str(error).rstrip('.')
        warnings.append(
            f'The clip behind the camera could not be made ({told}): the footage itself is shown there.'
        )
        return {}
    return making.value


def _write(folder: Path, face, neutral: np.ndarray, footage, found, refined, smooth: float) -> None:
    """Everything but report.json and the texture. refined: what Standard found; None for Draft."""
    from ..annotate.parts import model_parts
    from ..face_model.expressions import TONGUE_OUT
    from ..face_model.part_labels import PARTS
    from ..face_model.tongue import with_tongue
    from ..footage.images import write_image
    from ..formats.live_link import write_live_link
    from ..formats.performance import Performance, write_performance
    from ..formats.rig import Rig, write_rig
    from ..texture.overlay import overlay
    from ..tracking.smoothing import smooth as smoothed

    fps = footage.views[0].fps
    performance = Performance(
        found.time,
        found.weights.astype(np.float32),
        face.names,
        found.rotation,
        found.translation,
        fps,
    )
    performance = smoothed(performance, smooth)
    expressions = with_tongue(face, neutral, face.expressions)
    write_rig(folder / 'rig.npz', Rig(neutral, expressions, (*face.names, TONGUE_OUT), face.faces))
    write_performance(folder / 'performance.npz', performance)
    write_npz(folder / 'parts.npz', labels=model_parts(face), names=np.array(PARTS))
    if refined is not None and len(footage.views) > 1:
        every = Performance(
            refined.time,
            refined.weights.astype(np.float32),
            face.names,
            refined.rotation,
            refined.translation,
            fps,
        )
        write_performance(
            folder / 'motion.npz', every
        )  # as it was found: what smoothing takes away was in the pictures
    write_live_link(folder / 'performance.csv', performance)
    write_image(folder / 'overlay.png', overlay(face, neutral, found, footage.views))
    write_text(folder / 'cameras.json', json.dumps(make_cameras(footage, found), indent=1))


def replaced_in_words(view: str, frames: Sequence[int]) -> str:
    """Say which frames of a view could not be decoded."""
    listed = ', '.join(map(str, frames[:8])) + (' …' if len(frames) > 8 else '')
    what = (
        f'frames {listed} ({len(frames)} in all, counted from 0)'
        if len(frames) > 1
        else f'frame {listed} (counted from 0)'
    )
    return f'{view}: {what} could not be decoded, and a picture beside was used: convert the clip to MP4, or cut it.'


def camera_fingerprint(camera) -> list:
    """What tells one camera from another."""
    return [
        None if a is None else np.asarray(a, float).tolist()
        for a in (
            camera.focal,
            camera.centre,
            camera.aspect,
            camera.distortion,
            camera.rotation,
            camera.translation,
        )
    ]


def own_masks(masks: Sequence[str | None], views) -> list:
    """The user's own masks of each view, None where there are none; FacewrightError where there are more of them than views."""
    from ..footage.masks import read_user_masks

    if len(masks) > len(views):
        raise FacewrightError(
            f'{len(masks)} folders of masks were given for {len(views)} views: give at most one a view, in their order.'
        )
    return [
        read_user_masks(path, view) if path else None
        for path, view in zip([*masks, *[None] * len(views)], views)
    ]


def make_cameras(footage, found) -> dict:
    """cameras.json: capture.json's format, so that it can be used as footage again."""
    cameras = []
    for view, camera in zip(footage.views, found.cameras):
        f = float(camera.focal)
        cameras.append(
            {
                'name': view.name,
                'video': str(Path(view.path).absolute()),
                'fps': float(view.fps),
                'first': int(view.first),
                'width': int(view.size[0]),
                'height': int(view.size[1]),
                'K': [
                    [f, 0.0, float(camera.centre[0])],
                    [0.0, f * camera.aspect, float(camera.centre[1])],
                    [0.0, 0.0, 1.0],
                ],
                'R': np.asarray(camera.rotation).tolist(),
                't': np.asarray(camera.translation).tolist(),
                'distortion': [float(d) for d in camera.distortion],
                'time': [float(t) for t in view.times],
            }
        )
    return {'units': 'cm', 'axes': 'OpenCV camera', 'cameras': cameras}


def _file_time(view) -> float:
    """Seconds from a file's first picture to the first one used."""
    from ..footage.video import probe

    return round(
        float(probe(view.path).times[view.first])
        if view.kind == 'video'
        else view.first / view.fps,
        6,
    )


def make_report(source: str, footage, seen, found, quality: str, seconds: dict) -> dict:
    """report.json: what was found and how well it fits (percent: of the distance between the outer eye corners)."""
    from ..footage.kinds import kind_in_words
    from ..footage.proxies import shown_right_by_counting
    from ..tracking.reprojection import region_errors

    first = 100 * found.errors[0]
    every = np.concatenate(found.errors)
    pixels = np.concatenate([e * d for e, d in zip(found.errors, found.eye_distance)])
    mean = lambda a: round(float(np.nanmean(a)), 4) if np.isfinite(a).any() else None
    listed = lambda a: [round(float(e), 3) if np.isfinite(e) else None for e in a]
    regions = region_errors(found.projected[0], seen[0])
    return {
        'version': VERSION,
        'model': source if source == 'builtin' else str(Path(source).absolute()),
        'quality': quality,
        'views': [
            {
                'name': v.name,
                'path': str(Path(v.path).absolute()),
                'kind': v.kind,
                'read_as': kind_in_words(v.kind, v.images, v.colours),
                'size': list(v.size),
                'fps': float(v.fps),
                'frames': len(v.times),
                'tracked': int(o.present.sum()),
                'replaced': list(o.replaced),
                'first': int(v.first),
                'rotation': int(v.rotation),
                'focal_px': round(float(c.focal), 2),
                'sound': v.sound_start is not None,
                'steady': shown_right_by_counting(v),
                'start': _file_time(v),
                'sound_start': None if v.sound_start is None else round(v.sound_start, 6),
                'mean_percent': mean(100 * e),
            }
            for v, o, c, e in zip(footage.views, seen, found.cameras, found.errors)
        ],
        'warnings': [
            replaced_in_words(v.name, o.replaced) for v, o in zip(footage.views, seen) if o.replaced
        ],
        'error': {
            'mean_percent': mean(100 * every),
            'mean_px': mean(pixels),
            'per_frame': listed(first),
            'regions': {
                name: {'mean_percent': mean(100 * e), 'per_frame': listed(100 * e)}
                for name, e in regions.items()
            },
        },
        'identity': [round(float(a), 4) for a in found.identity],
        'seconds': {k: round(v, 2) for k, v in seconds.items()},
    }
