"""Searching a picture for faces of any size and roll."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..crops import Crop, cut, tiles, whole_picture
from . import landmark_sets
from .crop_landmarks import Face, converged_face

NEW_FACE_SCORE = 0.65  # Face.score from which something new is a face
SURE_SCORE = 0.78  # and from which no further windows are tried
BOX_MARGIN = 1.5  # crop side per longer side of the wide detector's box
SMALL = 0.2  # of a window: below, a face is detected once more from nearer


def find_faces(
    picture: np.ndarray,
    windows_in_turn: Iterable[Sequence[Crop]],
    min_score: float = NEW_FACE_SCORE,
) -> list[Face]:
    """Search groups of windows one after the other; the largest face first.

    Ends with the first group that shows a sure face; else the group with the highest score counts.
    """
    best: list[Face] = []
    for windows in windows_in_turn:
        seen: list[Face] = []
        for crop in _candidate_crops(picture, windows):
            face = converged_face(picture, crop)
            if (
                face
                and face.score >= min_score
                and not any(same_place(face, other) for other in seen)
            ):
                seen.append(face)
        if _top_score(seen) > _top_score(best):
            best = seen
        if _top_score(best) >= SURE_SCORE:
            break
    return sorted(best, key=lambda f: -f.side)


def coarse_windows(size: tuple[int, int]) -> Iterator[list[Crop]]:
    """The whole picture, then its halves."""
    yield [whole_picture(size)]
    yield tiles(size, 2)


def exhaustive_windows(size: tuple[int, int]) -> Iterator[list[Crop]]:
    """The whole picture, tiles, the picture turned, ever smaller tiles.

    Turned, as the detector mistakes the roll of faces that are turned by more than 60°.
    """
    yield from coarse_windows(size)
    for roll in (90, -90, 180, 45, -45, 135, -135):
        yield [whole_picture(size, math.radians(roll))]
    if max(size) > 500:
        yield tiles(size, 4)
    if max(size) > 1000:
        yield tiles(size, 8)


def same_place(a: Face, b: Face) -> bool:
    """Whether two faces of one picture are one."""
    return bool(np.linalg.norm(a.centre - b.centre) < 0.5 * max(a.side, b.side))


def _candidate_crops(picture: np.ndarray, windows: Sequence[Crop]) -> list[Crop]:
    """Crops for the landmark network, best first, overlapping ones once."""
    found = []
    for window in windows:
        for score, crop in _scored_crops(picture, window):
            if crop.side < SMALL * window.side:
                # Too few pixels for the detector to place it: look again from nearer.
                near = _scored_crops(picture, Crop(crop.centre, 4 * crop.side))
                found.append(
                    min(
                        near,
                        key=lambda f, here=crop.centre: math.dist(f[1].centre, here),
                        default=(score, crop),
                    )
                )
            else:
                found.append((score, crop))
    apart: list[Crop] = []
    for _, crop in sorted(found, key=lambda f: -f[0]):
        if all(math.dist(crop.centre, k.centre) > 0.35 * max(crop.side, k.side) for k in apart):
            apart.append(crop)
    return apart


def _scored_crops(picture: np.ndarray, window: Crop) -> list[tuple[float, Crop]]:
    """The wide detector's faces in one window: score, crop for the landmark network."""
    network = landmark_sets.NETWORKS
    out = []
    for face in network.wide(cut(picture, window, network.wide_size)):
        eyes = window.to_picture(face.keypoints[:2])
        roll = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
        low, extent = face.box[None, :2], face.box[None, 2:]
        centre = tuple(float(v) for v in window.to_picture(low + extent / 2)[0])
        side = float(face.box[2:].max() * window.side * BOX_MARGIN)
        out.append((face.score, Crop(centre, side, roll)))
    return out


def _top_score(faces: list[Face]) -> float:
    return max((f.score for f in faces), default=0.0)
