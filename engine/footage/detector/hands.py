"""Hands before the followed face: where they are, and which landmarks they cover.

The landmark network answers for a covered mouth as surely as for one that is seen. So hands are
looked for round the face now and then, followed from picture to picture while they are before it,
and followed backwards from where they were found. What looks there as it does without a hand, in
the pictures before and after, is not covered: wrinkles can pass for fingers.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.smoothstep import smoothstep
from ..crops import Crop, cut
from . import landmark_sets
from .crop_landmarks import Face, crop_around, is_usable

LOOK = 0.25  # s between two looks for hands, each in the next of WINDOWS
# The same, in all of them, where a hand was seen that is not yet, or no longer, believed: fists and
# fast hands get lost.
ALERT_LOOK = 1 / 12
# Sides of the windows round the face, in sides of the face: hands are found at one size or another.
WINDOWS = (1.6, 1.2, 2.4)
HELD_BYTES = 64 << 20  # of pictures kept since the last look
MIN_PALM, MIN_HAND = 0.2, 0.5  # least scores of a palm, of a hand's joints
# Least score of all palms found in one hand's place, and of the one in a single picture
MIN_PASSAGE, LONE_PALM = 0.8, 0.6
UNFOUND = 1.0  # s that a hand is followed while no palm is found where it is
# Of the face's side: the least way across a hand's joints. What is smaller is a nose or an ear.
SMALLEST = 0.4
# Of the face's side: a hand this far from its middle is not before it.
NEAR = 0.8
# From a palm's box to the crop of its hand, and from a hand's joints to the next: MediaPipe's own.
PALM_SHIFT, PALM_SIDE = 0.5, 2.6
HAND_SHIFT, HAND_SIDE = 0.1, 2.0
WRIST, MIDDLE, KNUCKLES = 0, 9, (5, 9, 13, 17)
# The joints that do not swing as fingers do: they say where a hand is.
STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
PALM = [0, 1, 5, 9, 13, 17]
BONES = np.array(
    [(0, 1), (1, 2), (2, 3), (3, 4)]
    + [(k, k + 1) for first in KNUCKLES for k in range(first, first + 3)]
)
# A finger's radius: of the knuckles' width, and at least of the palm's length (hands seen from the
# side).
FINGER, FINGER_OF_LENGTH = 0.2, 0.12
COVERED = 1.0, 1.8  # radii from a bone within which a landmark is covered, beyond which it is not
BRIDGE = 0.5  # s: a hand that was lost for no longer was there all the time
# The face as it looks: side of its square in the picture, of the face's; pixels; the pictures
# without a hand that a hand's are compared with, on either side, and the frames between two of
# them; pixels by which they may be apart.
LOOK_SIDE, LOOK_SIZE, REFERENCES, APART, SHIFT = 1.1, 64, 6, 5, 2
FEWEST = 30  # pixels under a hand that can be compared
# Correlation with the nearest look without a hand up to which something covers the face, and from
# which nothing does: wrinkles taken for fingers .91 to .95, hands .2 to .8 (measured here)
COVERING, USUAL = 0.8, 0.9


@dataclass(frozen=True)
class Hand:
    """A hand in a picture. joints: 21×2 px, as networks.CropHand's."""

    joints: np.ndarray

    @property
    def radius(self) -> float:
        """Half a finger's thickness, pixels."""
        width = np.linalg.norm(self.joints[KNUCKLES[0]] - self.joints[KNUCKLES[-1]])
        length = np.linalg.norm(self.joints[WRIST] - self.joints[MIDDLE])
        return float(max(FINGER * width, FINGER_OF_LENGTH * length))

    @property
    def crop(self) -> Crop:
        """The square in which it is looked at next, its fingers up."""
        knuckles = self.joints[list(KNUCKLES[:3])].mean(0)
        roll = _upright(knuckles - self.joints[WRIST])
        axes = Crop((0, 0), 1, roll).axes()
        local = self.joints[STEADY] @ axes
        low, high = local.min(0), local.max(0)
        side = float((high - low).max())
        x, y = axes @ ((low + high) / 2 - [0, HAND_SHIFT * side])
        return Crop((float(x), float(y)), HAND_SIDE * side, roll)


@dataclass
class _Passage:
    """One hand through some frames.

    hands: of each frame. score: of all palms that were found where it is, together. found: the
    last frame of one.
    """

    hands: dict[int, Hand]
    score: float
    found: int

    @property
    def is_believed(self) -> bool:
        """One look may see a hand in any wrinkle, two seldom see it in the same."""
        return self.score >= MIN_PASSAGE


class HandFollower:
    """The hands before the face of one view. `step` takes the pictures in turn."""

    def __init__(self, fps: float, frames: int):
        self.frames = frames
        self.interval, self.alert_interval, self.unfound, self.bridge = (
            max(1, round(seconds * fps)) for seconds in (LOOK, ALERT_LOOK, UNFOUND, BRIDGE)
        )
        self.passages: list[_Passage] = []
        self.going_on: list[_Passage] = []
        self.held: deque[tuple[int, np.ndarray, Face]] = deque(maxlen=self.unfound)
        self.looks = np.zeros((frames, LOOK_SIZE, LOOK_SIZE), np.uint8)
        self.has_look = np.zeros(frames, bool)
        self.next_search = self.searches = self.alert_until = 0

    def step(self, frame: int, picture: np.ndarray, face: Face | None) -> None:
        """Look at the next picture, H×W×3 uint8 RGB, with the face found in it."""
        if face is None:
            self.held.clear()
            self.going_on = []
            return
        self.looks[frame] = _look(picture, face.landmarks)
        self.has_look[frame] = True
        self._go_on(frame, picture, face)
        if frame >= self.next_search:
            self._search(frame, picture, face)
        self.held.append((frame, picture, face))
        while len(self.held) * picture.nbytes > HELD_BYTES:
            self.held.popleft()

    def cover(self, points: np.ndarray) -> np.ndarray:
        """Say how far each landmark (T×478×2, px) lies behind a hand: T×478 in [0, 1]."""
        out = np.zeros(points.shape[:2], np.float32)
        have = np.zeros(len(out), bool)
        believed = [
            passage
            for passage in self.passages
            if passage.is_believed or (self.frames == 1 and passage.score >= LONE_PALM)
        ]
        free = self.has_look.copy()
        for passage in believed:
            free[list(passage.hands)] = False
        for passage in believed:
            references = self._references(passage, np.flatnonzero(free))
            for frame, hand in passage.hands.items():
                have[frame] = True
                usual = self._likeness(frame, points[frame], hand, references)
                part = (1 - smoothstep(usual, COVERING, USUAL)) * covered(points[frame], hand)
                np.maximum(out[frame], part, out=out[frame])
        there = np.flatnonzero(have)
        for before, after in itertools.pairwise(there):
            if 1 < after - before <= self.bridge:
                part = np.linspace(0, 1, after - before + 1, dtype=np.float32)[1:-1, None]
                out[before + 1 : after] = (1 - part) * out[before] + part * out[after]
        return out

    def _references(self, passage: _Passage, free: np.ndarray) -> np.ndarray:
        """Choose frames without a hand near a passage, before it and after."""
        before = free[free < min(passage.hands)][::-1][: REFERENCES * APART : APART]
        after = free[free > max(passage.hands)][: REFERENCES * APART : APART]
        return np.concatenate([before, after])

    def _likeness(
        self, frame: int, points: np.ndarray, hand: Hand, references: np.ndarray
    ) -> float:
        """Correlate what a hand covers with the same part of the face elsewhere: the highest."""
        under = _mask(hand, _look_crop(points))
        if under.sum() < FEWEST or not self.has_look[frame]:
            return -1.0
        here = _standardised(self.looks[frame][under])
        shifts = [(y, x) for y in (-SHIFT, 0, SHIFT) for x in (-SHIFT, 0, SHIFT)]
        there = [
            _standardised(np.roll(self.looks[other], shift, (0, 1))[under])
            for other in references
            for shift in shifts
        ]
        return max((float((here * other).mean()) for other in there), default=-1.0)

    def _go_on(self, frame: int, picture: np.ndarray, face: Face) -> None:
        """Follow the hands of the picture before, while palms are found where they are."""
        still = []
        for passage in self.going_on:
            if frame - passage.found > self.unfound:  # what was followed slid onto the face
                passage.hands = {k: h for k, h in passage.hands.items() if k <= passage.found}
                continue
            hand = _follow(picture, passage.hands[frame - 1], face)
            if hand is not None:
                passage.hands[frame] = hand
                still.append(passage)
        self.going_on = still

    def _search(self, frame: int, picture: np.ndarray, face: Face) -> None:
        """Look for hands round the face; in all windows where there is one look or one was seen."""
        alert = frame < self.alert_until
        whole = alert or self.frames == 1
        sides = WINDOWS if whole else (WINDOWS[self.searches % len(WINDOWS)],)
        self.searches += 1
        for side in sides:
            for score, hand in find_hands(picture, face, side):
                self._take(frame, score, hand)
        if self.going_on:
            self.alert_until = frame + self.interval * len(WINDOWS)
        searching = frame < self.alert_until and not any(p.is_believed for p in self.going_on)
        self.next_search = frame + (self.alert_interval if searching else self.interval)

    def _take(self, frame: int, score: float, hand: Hand) -> None:
        """Take a hand that was found as one that is followed, or follow it, backwards too."""
        for passage in self.going_on:
            if _same(passage.hands[frame], hand):
                passage.score += score
                passage.found = frame
                return
        passage = _Passage({frame: hand}, score, frame)
        self.passages.append(passage)
        self.going_on.append(passage)
        later: Hand | None = hand
        for earlier, picture, face in reversed(self.held):
            later = _follow(picture, later, face)
            if later is None:
                break
            passage.hands[earlier] = later


def find_hands(picture: np.ndarray, face: Face, window: float) -> list[tuple[float, Hand]]:
    """Find hands before a face, in a window of so many of its sides: the palms' scores, hands."""
    network, around = landmark_sets.HANDS, Crop(tuple(face.centre), window * face.side)
    hands = []
    for palm in network.palms(cut(picture, around, network.palms_size)):
        if palm.score < MIN_PALM:
            continue
        points = around.to_picture(palm.keypoints)
        roll = _upright(points[2] - points[0])
        low, extent = palm.box[None, :2], palm.box[None, 2:]
        side = float(palm.box[2:].max() * around.side)
        centre = around.to_picture(low + extent / 2)[0]
        x, y = centre - Crop((0, 0), 1, roll).axes()[:, 1] * PALM_SHIFT * side
        hand = _hand_in(picture, Crop((float(x), float(y)), PALM_SIDE * side, roll))
        # looked at twice: what is no hand is seldom one from nearer
        hand = hand and _follow(picture, hand, face)
        if hand and not any(_same(hand, other) for _, other in hands):
            hands.append((palm.score, hand))
    return hands


def covered(points: np.ndarray, hand: Hand) -> np.ndarray:
    """Say how far points (N×2, px) lie behind a hand: N in [0, 1]."""
    start, end = hand.joints[BONES[:, 0]], hand.joints[BONES[:, 1]]
    bone = end - start
    way = points[:, None] - start
    part = (way * bone).sum(2) / np.maximum((bone**2).sum(1), 1e-9)
    apart = np.linalg.norm(way - np.clip(part, 0, 1)[..., None] * bone, axis=2).min(1)
    palm = cv2.convexHull(hand.joints[PALM].astype(np.float32))
    inside = [cv2.pointPolygonTest(palm, (float(x), float(y)), True) for x, y in points]
    apart = np.minimum(apart, np.maximum(-np.array(inside), 0))
    low, high = COVERED
    return 1 - smoothstep(apart / max(hand.radius, 1e-6), low, high)


def _look_crop(points: np.ndarray) -> Crop:
    return crop_around(points, LOOK_SIDE)


def _look(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Cut the face from a picture: LOOK_SIZE² grey."""
    return cv2.cvtColor(cut(picture, _look_crop(landmarks), LOOK_SIZE), cv2.COLOR_RGB2GRAY)


def _mask(hand: Hand, crop: Crop) -> np.ndarray:
    """Draw a hand into a crop of LOOK_SIZE² pixels: bool."""
    scale = LOOK_SIZE / crop.side
    joints = ((hand.joints - crop.centre) @ crop.axes() + crop.side / 2) * scale
    joints = np.clip(joints, -LOOK_SIZE, 2 * LOOK_SIZE).astype(np.int32)
    out = np.zeros((LOOK_SIZE, LOOK_SIZE), np.uint8)
    width = max(1, round(2 * hand.radius * scale))
    cv2.polylines(out, [joints[bone] for bone in BONES], False, 1, width)
    cv2.fillConvexPoly(out, cv2.convexHull(joints[PALM]), 1)
    return out > 0


def _standardised(values: np.ndarray) -> np.ndarray:
    out = values.astype(np.float32)
    return (out - out.mean()) / max(float(out.std()), 0.5)


def _hand_in(picture: np.ndarray, crop: Crop) -> Hand | None:
    if not is_usable(crop, picture):
        return None
    network = landmark_sets.HANDS
    seen = network.hand(cut(picture, crop, network.hand_size))
    if seen.presence < MIN_HAND:
        return None
    return Hand(crop.to_picture(seen.joints))


def _follow(picture: np.ndarray, hand: Hand, face: Face) -> Hand | None:
    """Find the same hand in a neighbouring picture; None where it is not before the face."""
    found = _hand_in(picture, hand.crop)
    if found is None or not _is_before(found, face) or not _same(found, hand):
        return None
    return found if np.ptp(found.joints, 0).max() >= SMALLEST * face.side else None


def _is_before(hand: Hand, face: Face) -> bool:
    return bool((np.abs(hand.joints - face.centre).max(1) < NEAR * face.side).any())


def _same(a: Hand, b: Hand) -> bool:
    """Whether two hands of one picture, or of neighbouring ones, are one."""
    apart = np.linalg.norm(a.joints[STEADY].mean(0) - b.joints[STEADY].mean(0))
    return bool(apart < 0.25 * max(a.crop.side, b.crop.side))


def _upright(fingers: np.ndarray) -> float:
    """Give the roll of a crop in which a direction of the picture is up."""
    return math.atan2(fingers[1], fingers[0]) + math.pi / 2
