"""Searching a picture for faces of any size and roll."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from . import networks
from .crops import Crop, cut
from .looking import Face, refined

BELIEVED = 0.65  # `confirm` from which something new is a face
SMALL = 0.2  # of a window: below, a face is detected once more from nearer
SURE = 0.78  # and from which no further step is tried


def candidates(picture: np.ndarray, windows: list[Crop]) -> list[Crop]:
    """Run the wide detector on windows → crops for the landmark network, best first, overlapping ones once."""
    found = []
    for window in windows:
        for score, crop in _detected(picture, window):
            if (
                crop.side < SMALL * window.side
            ):  # too few pixels for the detector to place it: look again from nearer
                near = _detected(picture, Crop(crop.centre, 4 * crop.side))
                score, crop = min(
                    near, key=lambda f: math.dist(f[1].centre, crop.centre), default=(score, crop)
                )
            found.append((score, crop))
    kept: list[Crop] = []
    for _, crop in sorted(found, key=lambda f: -f[0]):
        if all(math.dist(crop.centre, k.centre) > 0.35 * max(crop.side, k.side) for k in kept):
            kept.append(crop)
    return kept


def _detected(picture: np.ndarray, window: Crop) -> list[tuple[float, Crop]]:
    """The wide detector's faces in one window: score, crop for the landmark network."""
    out = []
    for score, box, keypoints in networks.faces(cut(picture, window, networks.INPUT)):
        eyes = window.to_picture(keypoints[:2])
        roll = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
        centre = window.to_picture(box[None, :2] + box[None, 2:] / 2)[0]
        out.append(
            (
                score,
                Crop(
                    tuple(float(v) for v in centre), float(box[2:].max() * window.side * 1.5), roll
                ),
            )
        )
    return out


def whole(size: tuple[int, int], roll: float = 0.0) -> list[Crop]:
    """The window that holds the whole picture (width, height)."""
    return [Crop((size[0] / 2, size[1] / 2), float(max(size)), roll)]


def tiles(size: tuple[int, int], parts: int) -> list[Crop]:
    """Half-overlapping square windows, each 1/parts of the longer side."""
    side = max(size) / parts
    at = [
        [length / 2]
        if length <= side
        else np.linspace(
            side / 2, length - side / 2, int(np.ceil((length / side - 1) * 2)) + 1
        ).tolist()
        for length in size
    ]
    return [Crop((x, y), side) for y in at[1] for x in at[0]]


def quick_steps(size: tuple[int, int]) -> Iterator[list[Crop]]:
    yield whole(size)
    yield tiles(size, 2)


def thorough_steps(size: tuple[int, int]) -> Iterator[list[Crop]]:
    """Windows to try in turn: the whole picture, tiles, the picture turned (the detector mistakes the roll of faces turned by more than 60°), ever smaller tiles."""
    yield from quick_steps(size)
    for roll in (90, -90, 180, 45, -45, 135, -135):
        yield whole(size, math.radians(roll))
    if max(size) > 500:
        yield tiles(size, 4)
    if max(size) > 1000:
        yield tiles(size, 8)


def find(
    picture: np.ndarray, steps: Iterable[list[Crop]], believed: float = BELIEVED
) -> list[Face]:
    """The believed faces of the first step that shows a sure one, else of the step with the most believed; the largest first."""
    best: list[Face] = []
    for windows in steps:
        seen: list[Face] = []
        for crop in candidates(picture, windows):
            face = refined(picture, crop)
            if (
                face
                and face.belief >= believed
                and not any(same_place(face, other) for other in seen)
            ):
                seen.append(face)
        if _top(seen) > _top(best):
            best = seen
        if _top(best) >= SURE:
            break
    return sorted(best, key=lambda f: -f.side)


def _top(faces: list[Face]) -> float:
    return max((f.belief for f in faces), default=0.0)


def same_place(a: Face, b: Face) -> bool:
    return bool(np.linalg.norm(a.centre - b.centre) < 0.5 * max(a.side, b.side))
