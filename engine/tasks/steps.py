"""The steps of a reconstruction and what each is expected to take; qualities.py joins them.

Seconds on two cores; how they compare was measured by processor time, on clips of 2 to 8 s and a
capture of four views. Where another machine is slower or faster, the clock (core/progress.py) finds
out by how much.
"""

from __future__ import annotations

import contextlib
import json
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FacewrightError, sentence_for
from ..core.files import write_npz, write_text
from ..core.pipeline import Arrays, StageProgress, Step, Steps, Work
from ..core.progress import Clock, listen, relay
from ..core.store import RESUMED, CheckpointStore
from ..evidence.options import StandardOptions, TrackOptions
from ..formats.performance import Performance
from .actor_rig import ActorRig, model_of_actor
from .appearance import ALBEDO_FILES, open_reconstruction, write_albedo
from .reports import make_cameras

if TYPE_CHECKING:
    from ..annotate.landmarks import ModelLandmarks
    from ..face_model.model import FaceModel
    from ..footage.footage import Footage, Observations, ViewObservations
    from ..footage.masks import UserMasks
    from ..tracking.track import Track

TEXTURE_SIZE = 1024  # pixels of the side of Standard's texture

READING, BINDING = 'Reading the face model', 'Finding the landmarks on the model'
WRITING = 'Writing the result'
BAKING = "Taking the skin's texture"
FILMING = 'Making the clip behind the camera'

FROM_CACHE = 0.3  # s: a face model, or its landmarks, found before
READ_MODEL, BIND_MODEL = 3.0, 25.0  # s: else
FIND_PARTS = 10.0  # s: the parts of a new model's face, found while writing
START_DETECTING = 1.5  # s: libraries are imported beside it
DETECT = {'draft': 0.011, 'final': 0.025}  # s a frame of a view
FIND_PERSON = 0.06  # s a keyframe of a view
BETWEEN_NODES = 1.5  # times that: with several views, whose pictures lie between two nodes each
FOLLOW = 0.006  # s a frame of a view
FIND_IN_PICTURES = 1.4  # s a picture that finds the person, all rounds
FOLLOW_IN_PICTURES = 0.17  # s a frame of a view
WRITE, WRITE_PIXELS = 0.5, 0.45  # s a view; a million pixels of it
SHUT_LIDS = 0.5  # s: this head's lids made to meet
BAKE = 9.0  # s: the whole texture
FILM_PIXELS = 0.025  # s a million pixels of a frame, of views that need another clip

NEARLY = 0.999  # the most of a stage that does not end the bar before the files are in their place


@dataclass(frozen=True)
class Quality:
    """What one quality of reconstruction does.

    finding: the steps from footage to head and performance, kept by their checkpoints.
    writing: the steps that write the result's folder. files: all they may write there.
    detector: which of footage.detector's ways follows the face: 'draft' or 'final'.
    tracking, refinement: the options of `track_landmarks` and `refine_with_pictures`.
    """

    finding: Steps[Reconstruction]
    writing: Steps[Reconstruction]
    files: tuple[str, ...]
    detector: str
    tracking: TrackOptions
    refinement: StandardOptions | None = None


@dataclass(frozen=True)
class Request:
    """What was asked for, see the task `reconstruct`. neutral_frame: −1 where none is known."""

    model: str = 'builtin'
    quality: str = 'draft'
    neutral_frame: int = -1
    smooth: float = 0.5
    part_masks: bool = True
    clips: str = ''
    rate: float | None = None


@dataclass
class Reconstruction:
    """A reconstruction on its way: what was asked for, then what the steps have found.

    user_masks: of each view, None where there are none.
    actor: the head of an earlier take, which is followed as it is; None: the person is found.
    model_is_cached, landmarks_are_cached: when the task began; of the landmarks a guess until the
    model is read.
    """

    request: Request
    quality: Quality
    footage: Footage
    user_masks: Sequence[UserMasks | None] = ()
    actor: ActorRig | None = None
    model_is_cached: bool = True
    landmarks_are_cached: bool = True

    # Found by the steps: the model as it is tracked.
    face: FaceModel = field(init=False)
    checkpoints: CheckpointStore = field(init=False)
    views_seen: list[ViewObservations] = field(default_factory=list)
    # The head, V×3 float32 cm; its fit: cameras, and the performance on the first view's clock.
    neutral: np.ndarray = field(init=False)
    track: Track = field(init=False)
    # The performance at every time at which any view took a picture, where that is known.
    at_all_times: Performance | None = None
    # What report.json says besides, and its further warnings.
    report_more: dict = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    # Made by the writing steps, in `folder`.
    folder: Path = field(init=False)
    report: dict = field(init=False)
    clips: dict[str, dict] | None = None

    @cached_property
    def landmarks(self) -> ModelLandmarks:
        """What the detector says of the model."""
        from ..annotate.landmarks import model_landmarks

        return model_landmarks(self.face)

    @property
    def observations(self) -> Observations:
        """What the detector saw in all views."""
        from ..footage.footage import Observations

        return Observations(tuple(self.views_seen))

    @property
    def clip_rate(self) -> float:
        """Frames a second of the clips behind Blender's cameras."""
        return self.request.rate or self.footage.views[0].fps


def megapixels(view) -> float:
    """Return millions of pixels of a view's frame."""
    return view.size[0] * view.size[1] / 1e6


# ---- opening: the face model ----


def _read_model(run: Reconstruction) -> Work:
    from ..annotate.cached import landmarks_are_cached
    from ..face_model import load_model

    yield StageProgress(0.0, READING)
    model = yield from relay(
        listen(lambda report: load_model(run.request.model, report)),
        lambda fraction: StageProgress(fraction, READING),
    )
    run.face = model.tracked
    if run.actor is not None:
        run.face = model_of_actor(run.face, run.actor)
        run.report_more |= {'rig': str(run.actor.path), 'identity': []}
    run.landmarks_are_cached = landmarks_are_cached(run.face)
    yield StageProgress(1.0, READING)


def _bind_landmarks(run: Reconstruction) -> Work:
    """Find the landmarks on a model that has none yet; else they are read when they are asked for.

    What reads them takes long to import, which can be done while the face is followed.
    """
    if run.landmarks_are_cached:
        yield StageProgress(1.0, BINDING)
        return
    from ..annotate.landmarks import model_landmarks

    run.landmarks = yield from relay(
        listen(lambda report: model_landmarks(run.face, report)),
        lambda fraction: StageProgress(fraction, BINDING),
    )
    yield StageProgress(1.0, BINDING)


read_model = Step[Reconstruction](
    phase='open',
    run=_read_model,
    seconds=lambda run: {READING: FROM_CACHE if run.model_is_cached else READ_MODEL},
)
bind_landmarks = Step[Reconstruction](
    phase='open',
    run=_bind_landmarks,
    seconds=lambda run: {BINDING: FROM_CACHE if run.landmarks_are_cached else BIND_MODEL},
)


# ---- finding: the face in every view ----


def detect_views(run: Reconstruction) -> list[Step[Reconstruction]]:
    """Make a step for each view: its face is followed by the landmark detector."""
    return [_detect_view(run.footage, index) for index in range(len(run.footage.views))]


def _detect_view(footage: Footage, index: int) -> Step[Reconstruction]:
    view = footage.views[index]
    several = len(footage.views) > 1
    stage = f'Following the face in {view.name}' if several else 'Following the face'

    def detect(run: Reconstruction) -> Work:
        from ..footage.detector import detect_view

        threading.Thread(target=_prepare_what_follows, args=(run.face,)).start()

        def work(report):
            def count(done: int, total: int) -> None:
                report(done / max(total, 1))

            return detect_view(view, run.quality.detector, count)

        seen = yield from relay(listen(work), lambda fraction: StageProgress(fraction, stage))
        run.views_seen.append(seen)

    def load(run: Reconstruction, arrays: Arrays) -> None:
        from ..footage.footage import ViewObservations

        run.views_seen.append(
            ViewObservations(
                arrays['points'],
                arrays['confidence'],
                arrays['present'],
                tuple(arrays['replaced'].tolist()),
            )
        )

    return Step(
        phase='detect',
        run=detect,
        seconds=lambda run: {
            stage: DETECT[run.quality.detector] * len(view.times)
            + (0.0 if index else START_DETECTING)
        },
        checkpoint=f'view_{index}',
        save=lambda run: _seen_arrays(run.views_seen[index]),
        load=load,
    )


def import_libraries() -> None:
    """Import the two largest libraries, which nothing needs before the face has been followed.

    Run by a thread from the task's beginning: it takes longer than opening the footage. What it
    imports is imported by no other thread meanwhile (two that need each other's would not end).
    """
    import torch  # noqa: F401
    import warp  # noqa: F401


def _prepare_what_follows(face: FaceModel) -> None:
    """Import what the steps after this one need, and find what they ask of the face model.

    Run by a thread, while the face is followed.
    """
    from ..annotate import landmarks, parts  # noqa: F401
    from ..face_model import tongue  # noqa: F401
    from ..face_model.lip_sections import seal_lips
    from ..face_model.pieces import pieces, slit_contours
    from ..shape_keys import lids  # noqa: F401
    from ..texture import overlay  # noqa: F401
    from ..tracking import curves, draft, lip_sealing, smoothing  # noqa: F401

    with contextlib.suppress(FacewrightError):  # what a model lacks is said where it is needed
        pieces(face)
        slit_contours(face, 'eye_L')
        slit_contours(face, 'eye_R')
        seal_lips(face, face.neutral)


def _seen_arrays(seen: ViewObservations) -> Arrays:
    return {
        'points': seen.points,
        'confidence': seen.confidence,
        'present': seen.present,
        'replaced': np.array(seen.replaced, np.int64),
    }


# ---- finding: the head and its performance ----


def _track_landmarks(run: Reconstruction) -> Work:
    from ..tracking.draft import track

    found = yield from relay(
        track(
            run.face,
            run.landmarks,
            run.footage,
            run.observations,
            run.quality.tracking,
            run.request.neutral_frame,
        ),
        lambda step: StageProgress(*step),
    )
    _take_track(run, found)


def _take_track(run: Reconstruction, track: Track) -> None:
    from ..face_model.lip_sections import seal_lips

    run.track = track
    if run.actor is not None:
        run.neutral = run.actor.rig.neutral
    else:
        run.neutral = seal_lips(run.face, run.face.shape(track.identity))


def _tracking_seconds(run: Reconstruction) -> dict[str, float]:
    from ..tracking.stages import FINDING, FOLLOWING

    views = run.footage.views
    options = run.quality.tracking
    keyframes = min(options.keyframes, len(views[0].times))
    each = FIND_PERSON * (BETWEEN_NODES if len(views) > 1 else 1.0)
    if run.actor is not None:
        each *= options.known_rounds / options.rounds
    return {
        FINDING: each * keyframes * len(views),
        FOLLOWING: FOLLOW * sum(len(view.times) for view in views),
    }


def _track_arrays(run: Reconstruction) -> Arrays:
    from ..tracking.track import track_arrays

    return track_arrays(run.track)


def _load_track(run: Reconstruction, arrays: Arrays) -> None:
    from ..tracking.track import track_from

    _take_track(run, track_from(arrays, run.footage))


track_landmarks = Step[Reconstruction](
    phase='track',
    run=_track_landmarks,
    seconds=_tracking_seconds,
    checkpoint='draft',
    save=_track_arrays,
    load=_load_track,
)


def _refine_with_pictures(run: Reconstruction) -> Work:
    from ..tracking.standard import refine

    options = run.quality.refinement or StandardOptions()
    found = yield from relay(
        refine(
            run.face,
            run.landmarks,
            run.footage,
            run.observations,
            run.track,
            options if run.request.part_masks else replace(options, parts=0.0),
            run.user_masks,
            run.checkpoints,
        ),
        lambda step: StageProgress(
            step[0], step[1], RESUMED if step[2] else '', resumed=bool(step[2])
        ),
    )
    run.track = found.track
    run.neutral = found.neutral if run.actor is None else run.actor.rig.neutral
    run.at_all_times = Performance(
        found.time,
        found.weights.astype(np.float32),
        run.face.names,
        found.rotation,
        found.translation,
        run.footage.views[0].fps,
    )
    run.report_more['draft_frames'] = list(found.fallback_frames)


def _refining_seconds(run: Reconstruction) -> dict[str, float]:
    from ..tracking.stages import FINDING_IN_PICTURES, FOLLOWING_IN_PICTURES

    views = run.footage.views
    options = run.quality.refinement or StandardOptions()
    keyframes = min(options.keyframes, len(views[0].times))
    several = len(views) > 1
    pictures = keyframes // 2 * (len(views) + 1) if several else keyframes
    if run.actor is not None:
        pictures *= options.known_key_rounds / options.key_rounds
    return {
        FINDING_IN_PICTURES: FIND_IN_PICTURES * pictures,
        FOLLOWING_IN_PICTURES: FOLLOW_IN_PICTURES * sum(len(view.times) for view in views),
    }


# It keeps the person and each window of frames in the run's checkpoints itself.
refine_with_pictures = Step[Reconstruction](
    phase='pictures', run=_refine_with_pictures, seconds=_refining_seconds
)


# ---- writing: the result's folder ----


def _write_files(run: Reconstruction) -> Work:
    """Write everything but the texture."""
    from ..annotate.parts import model_parts
    from ..face_model.part_labels import PARTS
    from ..footage.images import write_image
    from ..formats.live_link import write_live_link
    from ..formats.performance import write_performance
    from ..texture.overlay import overlay
    from ..tracking.curves import make_editable
    from ..tracking.smoothing import smooth
    from ..tracking.track import performance_of

    yield StageProgress(0.0, WRITING)
    face, footage, track, folder = run.face, run.footage, run.track, run.folder
    found = performance_of(track, face.names, footage.views[0].fps)
    performances = [smooth(found, run.request.smooth)]
    if run.at_all_times is not None and len(footage.views) > 1:
        # As it was found: what smoothing takes away was in the pictures.
        performances.append(run.at_all_times)
    neutral, performances = make_editable(
        face, run.landmarks, run.neutral, performances, run.request.neutral_frame
    )
    with ThreadPoolExecutor(1) as beside:
        rig = beside.submit(_write_rig, run, neutral)
        performance, *motion = (_seal(run, neutral, one) for one in performances)
        own = rig.result()
    write_performance(folder / 'performance.npz', performance)
    write_npz(folder / 'parts.npz', labels=model_parts(face), names=np.array(PARTS))
    for one in motion:
        write_performance(folder / 'motion.npz', one)
    write_live_link(folder / 'performance.csv', performance)
    # what is written, not what was fitted: lips are sealed since
    shown = replace(
        track,
        weights=performance.weights,
        rotation=performance.rotation,
        translation=performance.translation,
    )
    write_image(folder / 'overlay.png', overlay(own, neutral, shown, footage.views))
    cameras = make_cameras(footage, track)
    write_text(folder / 'cameras.json', json.dumps(cameras, indent=1))
    write_text(folder / 'report.json', json.dumps(run.report, indent=1))


def _write_rig(run: Reconstruction, neutral: np.ndarray) -> FaceModel:
    """Write the head, V×3 cm, with shapes of its own; returns the model with its blinks.

    A head that was given is written as it is, its texture too.
    """
    from ..formats.rig import Rig, write_rig
    from ..shape_keys.plain import plain_expressions

    face = run.face
    if run.actor is not None:
        write_rig(run.folder / 'rig.npz', run.actor.rig)
        for name, content in run.actor.texture.items():
            (run.folder / name).write_bytes(content)
        return face
    names, expressions = plain_expressions(face, neutral)
    write_rig(run.folder / 'rig.npz', Rig(neutral, expressions, names, face.faces))
    return replace(face, expressions=expressions[: len(face.names)])


def _seal(run: Reconstruction, neutral: np.ndarray, performance: Performance) -> Performance:
    """Hold lips shut where they are seen shut. neutral: V×3 cm."""
    from ..tracking.lip_sealing import seal_performance

    return seal_performance(
        run.face,
        run.landmarks,
        neutral,
        run.footage,
        run.observations,
        run.track.cameras,
        performance,
    )


def _writing_seconds(run: Reconstruction) -> dict[str, float]:
    seconds = sum(WRITE + WRITE_PIXELS * megapixels(view) for view in run.footage.views)
    return {WRITING: seconds + SHUT_LIDS + (0.0 if run.model_is_cached else FIND_PARTS)}


write_files = Step[Reconstruction](phase='write', run=_write_files, seconds=_writing_seconds)


def _bake_texture(run: Reconstruction) -> Work:
    """Make the texture from the files; where it fails, the head is finished without it.

    A head that came with a texture keeps it.
    """
    if run.actor is not None and run.actor.texture:
        return

    def bake():
        clock = Clock()
        opened = yield from open_reconstruction(str(run.folder), clock)
        yield from write_albedo(run.folder, opened, TEXTURE_SIZE, clock)

    try:
        yield from relay(
            bake(), lambda step: StageProgress(min(step.fraction, NEARLY), BAKING, step.stage)
        )
    except Exception as error:  # noqa: BLE001 (whatever it is, the head matters more)
        traceback.print_exc()
        for name in ALBEDO_FILES:
            (run.folder / name).unlink(missing_ok=True)
        reason = sentence_for(error).rstrip('.')
        run.report['warnings'].append(
            f'The head has no texture ({reason}): press Bake Skin Texture to try again.'
        )


bake_texture = Step[Reconstruction](
    phase='write',
    run=_bake_texture,
    seconds=lambda run: {} if run.actor is not None and run.actor.texture else {BAKING: BAKE},
)


def _film_clips(run: Reconstruction) -> Work:
    """Write clips for Blender's cameras, none where they can't be: the head matters more."""
    from ..footage.proxies import write_proxies

    if not run.request.clips:
        return
    try:
        run.clips = yield from relay(
            write_proxies(run.footage.views, Path(run.request.clips), run.clip_rate),
            lambda fraction: StageProgress(min(fraction, NEARLY), FILMING),
        )
    except (FacewrightError, OSError) as error:
        run.clips = {}
        reason = str(error).rstrip('.')
        run.report['warnings'].append(
            f'The clip behind the camera could not be made ({reason}): the footage itself is '
            'shown there.'
        )


def _filming_seconds(run: Reconstruction) -> dict[str, float]:
    from ..footage.proxies import needs_proxy

    if not run.request.clips:
        return {}
    return {
        FILMING: sum(
            FILM_PIXELS * megapixels(view) * len(view.times)
            for view in run.footage.views
            if needs_proxy(view, run.clip_rate)
        )
    }


film_clips = Step[Reconstruction](phase='write', run=_film_clips, seconds=_filming_seconds)
