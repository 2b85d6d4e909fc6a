"""The face in a picture, and the one face of a clip followed through it."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ...core.errors import FacewrightError
from ..footage import View, ViewObservations
from ..sources import read_frames
from .crops import Crop
from .landmark_sets import COUNT
from .looking import (
    DRAFT_LOOKS,
    FINAL_LOOKS,
    Face,
    change,
    confirm,
    crop_around,
    eased,
    look,
    plausible,
)
from .search import BELIEVED, find, quick_steps, same_place, thorough_steps
from .visibility import confidence

log = logging.getLogger('facewright.footage')

DOUBTED = 0.62  # mean `confirm` over a second below which a passage is taken back: what was followed slid onto an ear
KEPT = (
    0.45  # `confirm` from which a followed face is still one (a hand before the mouth costs some)
)
FALLBACK = KEPT  # the same for a single picture where nothing better is found
HELD_BYTES = (
    64 << 20
)  # of frames kept while searching, to be gone through backwards once the face is back


def detect_image(picture: np.ndarray) -> np.ndarray | None:
    """H×W×3 uint8 RGB → 478×3 float64 landmarks of the largest face (x, y pixels with corner origin, z in the same scale), or None."""
    size = (picture.shape[1], picture.shape[0])
    found = find(picture, thorough_steps(size)) or find(picture, quick_steps(size), FALLBACK)
    return found[0].points if found else None


def detect_view(
    view: View, quality: str = 'draft', progress: Callable[[int, int], None] | None = None
) -> ViewObservations:
    """Follow one face through a view: the largest of the first picture that shows one, kept by continuity of place and size.

    quality: 'draft' looks once a frame, 'final' four times (two crops, each also mirrored) and averages. progress(done, total) after each frame.
    Raises FacewrightError where no frame shows a face.
    """
    looks = {'draft': DRAFT_LOOKS, 'final': FINAL_LOOKS}[quality]
    count = len(view.times)
    points = np.zeros((count, COUNT, 2), np.float32)
    trust = np.zeros((count, COUNT), np.float32)
    present = np.zeros(count, bool)
    replaced: list[int] = []
    report = (lambda done: progress(done, count)) if progress else lambda done: None
    for i, face in _follow_through(view, looks, report, replaced):
        if face is None:
            points[i], trust[i], present[i] = 0, 0, False
        else:
            points[i], trust[i], present[i] = face.points[:, :2], confidence(face, view.size), True
    if not present.any():
        raise FacewrightError(
            f'No face was found in {view.path}: choose footage in which one face is lit, in view and at least 30 pixels wide.'
        )
    log.info('%s: the face is seen in %d of %d frames', view.path, present.sum(), count)
    return ViewObservations(points, trust, present, tuple(replaced))


def _follow_through(
    view: View, looks, report: Callable[[int], None], replaced: list[int]
) -> Iterator[tuple[int, Face | None]]:
    """Yield (frame, face) where the face is seen, in about their order; (frame, None) takes one back.

    replaced: see read_frames.
    """
    second = max(1, round(view.fps))
    last: Face | None = None  # as last seen
    lost_at = 0  # frame of the last sight, while it is lost
    others: list[Face] = []  # people that are not the one followed
    held: list[tuple[int, np.ndarray]] = []  # frames not searched since the face was lost
    recent: list[tuple[int, float]] = []  # (frame, belief) of the last second of following
    following, next_search, next_thorough, next_census = False, 0, 0, second
    for i, picture in enumerate(read_frames(view, replaced=replaced)):
        face = follow(picture, last, looks) if following else None
        if face is None and following:
            following, lost_at, next_search = False, i - 1, i
            yield from _taken_back(recent)
            recent = []
        if face is None and i >= next_search:
            thorough = i >= next_thorough
            if thorough:
                next_thorough = i + 2 * second
            seen = find(
                picture,
                _steps(view.size, last, thorough),
                BELIEVED if len(view.times) > 1 else FALLBACK,
            )
            face = _choose(seen, last, others, (i - lost_at) / view.fps)
            others = _update(others, [f for f in seen if f is not face])
            pause = min(
                max((i - lost_at) // 3, 1), second // 5 + 1, max(1, HELD_BYTES // picture.nbytes)
            )
            next_search = i + pause
            if face is not None:
                face = follow(picture, replace(face, crop=crop_around(face.points)), looks) or face
                earlier = face
                for k, before in reversed(held):
                    earlier = follow(before, earlier, looks)
                    if earlier is None:
                        break
                    recent.insert(0, (k, earlier.belief))
                    yield k, earlier
            held = []
        elif face is None:
            held.append((i, picture))
        if face is not None:
            yield i, face
            recent.append((i, face.belief))
            last, following = face, True
            if len(recent) >= second:
                wrong = list(_taken_back(recent))
                yield from wrong
                following, recent = not wrong, [] if wrong else recent[1:]
                lost_at, next_search = i, i + 1
            if i >= next_census:
                others = _update(
                    others,
                    [
                        f
                        for f in find(picture, itertools.islice(quick_steps(view.size), 1))
                        if not same_place(f, face)
                    ],
                )
                next_census = i + second
        report(i + 1)


def _taken_back(recent: list[tuple[int, float]]) -> Iterator[tuple[int, None]]:
    """The frames of a passage that was never quite believed."""
    if len(recent) > 1 and np.mean([belief for _, belief in recent]) < DOUBTED:
        yield from ((i, None) for i, _ in recent)


def follow(picture: np.ndarray, last: Face, looks=DRAFT_LOOKS) -> Face | None:
    """The same face in the next picture, looked for where it was; None where it is not believed to be there."""
    crop = eased(last.crop, crop_around(last.points))
    face = look(picture, crop, looks)
    for _ in range(2):
        there = crop_around(face.points)
        if not (8 <= there.side <= 4 * max(picture.shape[:2])) or change(last.crop, there) > 1:
            return None
        if change(crop, there) < 0.2:
            break
        crop = there  # it moved fast: look again where it went
        face = look(picture, crop, looks)
    if not plausible(face):
        return None
    face = replace(face, belief=confirm(picture, face))
    return face if face.belief >= KEPT and _continues(face, last, 0.6, 0.5) else None


def _continues(face: Face, last: Face, shift: float, growth: float) -> bool:
    """Within `shift` sides, a factor exp(growth) in size and 45° of roll of where the face was?"""
    roll = abs(
        math.remainder(crop_around(face.points).roll - crop_around(last.points).roll, 2 * math.pi)
    )
    return bool(
        np.linalg.norm(face.centre - last.centre) < shift * last.side
        and abs(math.log(face.side / last.side)) < growth
        and roll < math.pi / 4
    )


def _steps(size: tuple[int, int], last: Face | None, thorough: bool) -> Iterator[list[Crop]]:
    """Where to search: around the last place, then everywhere."""
    if last is not None:
        yield [Crop(tuple(last.centre), 4 * last.side, last.crop.roll)]
    yield from (thorough_steps if thorough else quick_steps)(size)


def _choose(seen: list[Face], last: Face | None, others: list[Face], away: float) -> Face | None:
    """The followed face among those seen: at first the largest; later one that is nobody else and within reach after `away` seconds."""
    if last is None:
        return seen[0] if seen else None
    reach = [f for f in seen if _continues(f, last, 0.6 + 3 * away, 0.4 + 0.5 * away)]
    strangers = [f for f in reach if not any(_continues(f, o, 0.5, 0.4) for o in others)]
    return min(
        strangers,
        key=lambda f: (
            float(np.linalg.norm(f.centre - last.centre)) / last.side
            + abs(math.log(f.side / last.side))
        ),
        default=None,
    )


def _update(others: list[Face], seen: list[Face]) -> list[Face]:
    """The other people, each where last seen."""
    return seen + [o for o in others if not any(same_place(o, s) for s in seen)]
