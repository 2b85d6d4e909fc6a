"""The detector's two doors: the face of a view, the faces of a picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.errors import FacewrightError
from ...core.threads import ahead
from ..crops import Crop
from ..footage import View, ViewObservations
from ..sources import read_frames
from .confidence import confidence_beside_hands, landmark_confidence
from .crop_landmarks import (
    DRAFT_AUGMENTATION,
    FINAL_AUGMENTATION,
    CropVariant,
    Face,
    converged_face,
    crop_around,
    landmarks_in_crop,
)
from .follow import FOLLOWED_FACE_SCORE, FaceFollower
from .hands import HandFollower
from .landmark_sets import COUNT
from .search import NEW_FACE_SCORE, coarse_windows, exhaustive_windows, find_faces

log = logging.getLogger('facewright.footage')

FRAMES_AHEAD = 2  # decoded while the one before is looked at
AUGMENTATIONS = {'draft': DRAFT_AUGMENTATION, 'final': FINAL_AUGMENTATION}
# Of a view: in so few pictures nothing evens out what one look is off, and four cost little.
FEW_PICTURES = 3


@dataclass(frozen=True)
class Detection:
    """A face found in a picture.

    landmarks: 478×3, x and y in pixels (corner origin), z in the same scale, nearer is less.
    confidence: 478 float32 in [0, 1].
    score: in [0, 1], how surely it is a face; NEW_FACE_SCORE is the usual threshold.
    square: the upright square around the landmarks, the eye line level.
    """

    landmarks: np.ndarray
    confidence: np.ndarray
    score: float
    square: Crop


def detect_image(
    picture: np.ndarray,
    *,
    expected: Crop | None = None,
    windows: Iterable[Sequence[Crop]] | None = None,
    min_score: float = FOLLOWED_FACE_SCORE,
    quality: str = 'draft',
) -> list[Detection]:
    """Find the faces of a picture, H×W×3 uint8 RGB; the largest first, empty where there is none.

    expected: where a face should be, with room around it: what the landmark network takes for a
        face there is the answer, whatever its score; only else the windows are searched.
    windows: groups of windows to search in turn, () for none. By default the whole picture in any
        roll and ever smaller tiles, for faces of NEW_FACE_SCORE; where there is none of these, the
        picture and its halves once more for faces of `min_score`.
    min_score: least Detection.score of a face that is not the expected one.
    quality: 'final' looks at each face found four times more and averages, see `detect_view`.
    """
    size = (picture.shape[1], picture.shape[0])
    face = None if expected is None else converged_face(picture, expected)
    if face is not None:
        faces = [face]
    elif windows is not None:
        faces = find_faces(picture, windows, min_score)
    else:
        faces = find_faces(picture, exhaustive_windows(size), max(min_score, NEW_FACE_SCORE))
        if not faces and min_score < NEW_FACE_SCORE:
            faces = find_faces(picture, coarse_windows(size), min_score)
    if quality != 'draft':
        faces = [_looked_at_again(picture, face, AUGMENTATIONS[quality]) for face in faces]
    return [_detection(face, size) for face in faces]


def detect_view(
    view: View, quality: str = 'draft', progress: Callable[[int, int], None] | None = None
) -> ViewObservations:
    """Follow one face through a view: the largest of the first picture that shows one.

    quality: 'draft' runs the landmark network once a frame, 'final' four times (two crops, each
        also mirrored) and averages, as 'draft' does too where there are few.
    progress: called with (frames done, frames) after each frame.
    Raises FacewrightError where no frame shows a face.
    """
    count = len(view.times)
    quality = 'final' if count <= FEW_PICTURES else quality
    follower = FaceFollower(view, AUGMENTATIONS[quality])
    hands = HandFollower(view.fps, count)
    points = np.zeros((count, COUNT, 2), np.float32)
    confidence = np.zeros((count, COUNT), np.float32)
    present = np.zeros(count, bool)
    replaced: list[int] = []

    def followed() -> Iterator[tuple[int, np.ndarray, dict[int, Face | None]]]:
        pictures = ahead(read_frames(view, replaced=replaced), FRAMES_AHEAD)
        for i, picture in enumerate(pictures):
            yield i, picture, dict(follower.step(i, picture))

    # The face is followed by a thread of its own, the hands before it by this one.
    for i, picture, changes in ahead(followed(), FRAMES_AHEAD):
        for k, face in changes.items():
            present[k] = face is not None
            points[k] = 0 if face is None else face.landmarks[:, :2]
            confidence[k] = 0 if face is None else landmark_confidence(face, view.size)
        hands.step(i, picture, changes.get(i))
        if progress:
            progress(i + 1, count)
    if not present.any():
        raise FacewrightError(
            f'No face was found in {view.path}: choose footage in which one face is lit, '
            'in view and at least 30 pixels wide.'
        )
    confidence *= confidence_beside_hands(points, hands.cover(points))
    log.info('%s: the face is seen in %d of %d frames', view.path, present.sum(), count)
    return ViewObservations(points, confidence, present, tuple(replaced))


def _looked_at_again(
    picture: np.ndarray, face: Face, augmentation: tuple[CropVariant, ...]
) -> Face:
    again = landmarks_in_crop(picture, crop_around(face.landmarks), augmentation)
    return replace(again, score=face.score)


def _detection(face: Face, size: tuple[int, int]) -> Detection:
    square = crop_around(face.landmarks, 1.0)
    return Detection(face.landmarks, landmark_confidence(face, size), face.score, square)
