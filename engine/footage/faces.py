"""Finding a face in a picture and its 478 landmarks."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import networks
from .crops import Crop, cut

EYE_CORNERS = (33, 263)      # outer eye corners: the person's right, left
PRESENT = .5                 # presence score from which a face is believed (MediaPipe's own threshold)
MARGIN = 1.5                 # crop side per longer side of the landmarks' box (MediaPipe's own)
DETECTOR_RANGE = .06         # a face smaller than this part of the detector's picture may be missed: measured


@dataclass(frozen=True)
class Face:
    """points 478×3 (x, y pixels with corner origin, z in the same scale); presence in [0, 1]; the crop it was seen in."""
    points: np.ndarray
    presence: float
    crop: Crop


def crop_around(points: np.ndarray, margin: float = MARGIN) -> Crop:
    """The upright square around landmarks (478×≥2 pixels): the eye line level, side = margin × the longer side of their box."""
    eyes = points[list(EYE_CORNERS), :2]
    roll = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    axes = Crop((0, 0), 1, roll).axes()
    local = points[:, :2] @ axes
    low, high = local.min(0), local.max(0)
    return Crop(tuple(float(v) for v in axes @ ((low + high) / 2)), float((high - low).max() * margin), roll)


def see(picture: np.ndarray, crop: Crop) -> Face:
    """Run the landmark network on one crop."""
    points, presence = networks.landmarks(cut(picture, crop, networks.INPUT))
    return Face(crop.to_picture(points), presence, crop)


def refine(picture: np.ndarray, crop: Crop, rounds: int = 3) -> Face | None:
    """Look, recentre the crop on what was seen, look again; None where no face is believed."""
    for _ in range(rounds):
        face = see(picture, crop)
        crop = crop_around(face.points)
        if not 8 <= crop.side <= 4 * max(picture.shape[:2]):
            return None
    return face if plausible(face) else None


def plausible(face: Face) -> bool:
    """Is it a face: the network says so and the points fill their crop as a face does."""
    if not (face.presence >= PRESENT and np.isfinite(face.points).all()):
        return False
    size = crop_around(face.points, 1.).side / face.crop.side
    return .3 < size < 1.2


def candidates(picture: np.ndarray, windows: list[Crop]) -> list[tuple[float, Crop]]:
    """Run the detector on windows → (score, crop for the landmark network), best first, overlapping ones once."""
    found = []
    for window in windows:
        for score, box, keypoints in networks.faces(cut(picture, window, networks.INPUT)):
            eyes = window.to_picture(keypoints[:2])
            roll = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
            centre = window.to_picture(box[None, :2] + box[None, 2:] / 2)[0]
            found.append((score, Crop(tuple(float(v) for v in centre), float(box[2:].max() * window.side * 1.5), roll)))
    kept: list[tuple[float, Crop]] = []
    for score, crop in sorted(found, key=lambda f: -f[0]):
        if all(np.hypot(crop.centre[0] - k.centre[0], crop.centre[1] - k.centre[1]) > .35 * max(crop.side, k.side) for _, k in kept):
            kept.append((score, crop))
    return kept


def whole(size: tuple[int, int], roll: float = 0.) -> list[Crop]:
    """The window that holds the whole picture (width, height)."""
    return [Crop((size[0] / 2, size[1] / 2), float(max(size)), roll)]


def tiles(size: tuple[int, int], parts: int) -> list[Crop]:
    """Half-overlapping square windows, each 1/parts of the longer side."""
    side = max(size) / parts
    at = [[length / 2] if length <= side else np.linspace(side / 2, length - side / 2, int(np.ceil((length / side - 1) * 2)) + 1).tolist() for length in size]
    return [Crop((x, y), side) for y in at[1] for x in at[0]]


def search_steps(size: tuple[int, int]):
    """Windows to try in turn: the whole picture, ever smaller tiles, then the picture turned."""
    yield whole(size)
    yield tiles(size, 2)
    for roll in (90, -90, 180, 45, -45, 135, -135):
        yield whole(size, np.radians(roll))
    if max(size) > 500:
        yield tiles(size, 4)
    if max(size) > 1000:
        yield tiles(size, 8)


def find(picture: np.ndarray, thorough: bool = True) -> list[Face]:
    """All believed faces of the first search step that shows one, the largest first."""
    size = (picture.shape[1], picture.shape[0])
    for step, windows in enumerate(search_steps(size)):
        if step > 1 and not thorough:
            break
        seen: list[Face] = []
        for score, crop in candidates(picture, windows):
            face = refine(picture, crop)
            if face and all(np.linalg.norm(face.points[:, :2].mean(0) - s.points[:, :2].mean(0)) > .3 * s.crop.side for s in seen):
                seen.append(face)
        if seen:
            return sorted(seen, key=lambda f: -f.crop.side)
    return []


def detect_image(picture: np.ndarray) -> np.ndarray | None:
    """H×W×3 uint8 RGB → 478×3 float64 landmarks of the largest face (x, y pixels with corner origin, z in the same scale), or None."""
    found = find(picture)
    return found[0].points if found else None
