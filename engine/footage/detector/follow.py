"""The one face of a clip, followed from picture to picture, lost and found again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..crops import Crop
from ..footage import View
from .crop_landmarks import (
    DRAFT_AUGMENTATION,
    CropVariant,
    Face,
    crop_around,
    crop_change,
    ease_crop,
    is_plausible,
    is_usable,
    landmarks_in_crop,
    near_score,
)
from .search import NEW_FACE_SCORE, coarse_windows, exhaustive_windows, find_faces, same_place

# Face.score from which a followed face is still one (a hand before the mouth costs some), and a
# single picture's where nothing better is found.
FOLLOWED_FACE_SCORE = 0.45
# Mean score over a second below which a passage is taken back: what was followed slid onto an ear.
PASSAGE_SCORE = 0.62
# Of frames kept while searching, to be gone through backwards once the face is back.
HELD_BYTES = 64 << 20

Changes = list[tuple[int, Face | None]]  # frame, the face in it; None takes an earlier one back


class FaceFollower:
    """One face followed through a view: the largest of the first picture that shows one.

    It is told from others by continuity of place and size. `step` takes the pictures in turn.
    """

    def __init__(self, view: View, augmentation: tuple[CropVariant, ...] = DRAFT_AUGMENTATION):
        self.size, self.fps = view.size, view.fps
        self.augmentation = augmentation
        self.min_score = NEW_FACE_SCORE if len(view.times) > 1 else FOLLOWED_FACE_SCORE
        self.second = max(1, round(view.fps))  # in frames
        self.following = False
        self.last: Face | None = None  # as last seen
        self.lost_at = 0  # frame in which it was last seen, while it is lost
        self.others: list[Face] = []  # people that are not the one followed
        self.held: list[tuple[int, np.ndarray]] = []  # frames not searched since it was lost
        self.passage: list[tuple[int, float]] = []  # (frame, score) of the last second of following
        self.next_search = self.next_exhaustive = 0  # frames
        self.next_census = self.second  # frame in which others are looked for

    def step(self, frame: int, picture: np.ndarray) -> Changes:
        """Look at the next picture, H×W×3 uint8 RGB."""
        face, changes = None, []
        if self.following:
            face = follow_face(picture, self.last, self.augmentation)
            if face is None:
                changes += self._lose(frame)
        if face is None:
            if frame >= self.next_search:
                face, earlier = self._search(frame, picture)
                changes += earlier
            else:
                self.held.append((frame, picture))
        if face is not None:
            changes.append((frame, face))
            changes += self._accept(frame, picture, face)
        return changes

    def _lose(self, frame: int) -> Changes:
        self.following, self.lost_at, self.next_search = False, frame - 1, frame
        taken_back = _taken_back(self.passage)
        self.passage = []
        return taken_back

    def _search(self, frame: int, picture: np.ndarray) -> tuple[Face | None, Changes]:
        """Look for the face anywhere; with it, what was missed in the frames held since."""
        exhaustive = frame >= self.next_exhaustive
        if exhaustive:
            self.next_exhaustive = frame + 2 * self.second
        away = frame - self.lost_at
        seen = find_faces(picture, _windows(self.size, self.last, exhaustive), self.min_score)
        face = _choose(seen, self.last, self.others, away / self.fps)
        self.others = _update(self.others, [f for f in seen if f is not face])
        self.next_search = frame + min(
            max(away // 3, 1), self.second // 5 + 1, max(1, HELD_BYTES // picture.nbytes)
        )
        earlier: Changes = []
        if face is not None:
            start = replace(face, crop=crop_around(face.landmarks))
            face = follow_face(picture, start, self.augmentation) or face
            earlier = self._follow_backwards(face)
        self.held = []
        return face, earlier

    def _follow_backwards(self, face: Face) -> Changes:
        changes: Changes = []
        earlier: Face | None = face
        for frame, picture in reversed(self.held):
            earlier = follow_face(picture, earlier, self.augmentation)
            if earlier is None:
                break
            self.passage.insert(0, (frame, earlier.score))
            changes.append((frame, earlier))
        return changes

    def _accept(self, frame: int, picture: np.ndarray, face: Face) -> Changes:
        """Go on from the face; takes the last second back where it was never quite believed."""
        taken_back: Changes = []
        self.passage.append((frame, face.score))
        self.last, self.following = face, True
        if len(self.passage) >= self.second:
            taken_back = _taken_back(self.passage)
            self.following = not taken_back
            self.passage = [] if taken_back else self.passage[1:]
            self.lost_at, self.next_search = frame, frame + 1
        if frame >= self.next_census:
            seen = find_faces(picture, itertools.islice(coarse_windows(self.size), 1))
            self.others = _update(self.others, [f for f in seen if not same_place(f, face)])
            self.next_census = frame + self.second
        return taken_back


def follow_face(
    picture: np.ndarray,
    last: Face,
    augmentation: tuple[CropVariant, ...] = DRAFT_AUGMENTATION,
) -> Face | None:
    """Find the same face in the next picture, where it was; None where it is not believed to be."""
    crop = ease_crop(last.crop, crop_around(last.landmarks))
    face = landmarks_in_crop(picture, crop, augmentation)
    for _ in range(2):
        there = crop_around(face.landmarks)
        if not is_usable(there, picture) or crop_change(last.crop, there) > 1:
            return None
        if crop_change(crop, there) < 0.2:
            break
        crop = there  # it moved fast: look again where it went
        face = landmarks_in_crop(picture, crop, augmentation)
    if not is_plausible(face):
        return None
    face = replace(face, score=near_score(picture, face))
    return face if face.score >= FOLLOWED_FACE_SCORE and _continues(face, last, 0.6, 0.5) else None


def _taken_back(passage: list[tuple[int, float]]) -> Changes:
    """All frames of a passage whose mean score is too low; none of another's."""
    if len(passage) > 1 and np.mean([score for _, score in passage]) < PASSAGE_SCORE:
        return [(frame, None) for frame, _ in passage]
    return []


def _continues(face: Face, last: Face, shift: float, growth: float) -> bool:
    """Within `shift` sides, a factor exp(growth) in size and 45° of roll of where the face was?"""
    turn = crop_around(face.landmarks).roll - crop_around(last.landmarks).roll
    roll = abs(math.remainder(turn, 2 * math.pi))
    return bool(
        np.linalg.norm(face.centre - last.centre) < shift * last.side
        and abs(math.log(face.side / last.side)) < growth
        and roll < math.pi / 4
    )


def _windows(size: tuple[int, int], last: Face | None, exhaustive: bool) -> Iterator[list[Crop]]:
    """Where to search: around the last place, then everywhere."""
    if last is not None:
        yield [Crop(tuple(last.centre), 4 * last.side, last.crop.roll)]
    yield from (exhaustive_windows if exhaustive else coarse_windows)(size)


def _choose(seen: list[Face], last: Face | None, others: list[Face], seconds: float) -> Face | None:
    """The followed face among those seen: at first the largest.

    Later one that is nobody else and within reach after it was away for `seconds`.
    """
    if last is None:
        return seen[0] if seen else None
    reach = [f for f in seen if _continues(f, last, 0.6 + 3 * seconds, 0.4 + 0.5 * seconds)]
    strangers = [f for f in reach if not any(_continues(f, o, 0.5, 0.4) for o in others)]

    def distance(face: Face) -> float:
        shift = float(np.linalg.norm(face.centre - last.centre)) / last.side
        return shift + abs(math.log(face.side / last.side))

    return min(strangers, key=distance, default=None)


def _update(others: list[Face], seen: list[Face]) -> list[Face]:
    """The other people, each where last seen."""
    return seen + [o for o in others if not any(same_place(o, s) for s in seen)]
