"""The nouns of footage: Camera, View, Footage, and what was seen in it, Observations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in OpenCV axes (x right, y down, z forward).

    Pixels count from the top-left corner, their centres are at .5.
    """

    focal: float | None  # pixels of the view; None: unknown, to be found
    centre: tuple[float, float]  # principal point, pixels
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)  # k1, k2, p1, p2
    rotation: np.ndarray | None = None  # 3×3 world → camera; None: unknown
    translation: np.ndarray | None = None  # 3, cm
    aspect: float = 1.0  # fy / fx
    focal_from_file: bool = False  # the footage's own data say it, not the user or a capture
    # px: what a video's own data say of an unknown focal length. They name the lens as built, of
    # whose picture a video shows less (sources.VIDEO_CROP).
    focal_guess: float | None = None


@dataclass(frozen=True)
class View:
    """One camera's footage. Frames are addressed 0..len(times)−1 after in and out were applied."""

    name: str
    path: Path  # video file, photo, or the first image of a sequence
    kind: str  # 'video' | 'sequence' | 'photo'
    size: tuple[int, int]  # width, height in pixels as shown (after the rotation flag)
    fps: float  # nominal
    times: np.ndarray  # T float64 s, each frame's time on the common clock (file time + offset)
    first: int  # index in the file of the first used frame
    # Degrees clockwise the stored picture must be turned (already applied by the reader).
    rotation: int
    camera: Camera
    sound_start: float | None = None  # s after the file's first frame; None: silent
    images: tuple[Path, ...] = ()  # the files of a sequence or photo
    colours: str = ''  # what is done to the file's colours, in words; '': nothing


@dataclass(frozen=True)
class Footage:
    """All views of one performance; the first view's clock is the performance's clock."""

    views: tuple[View, ...]
    calibrated: bool  # rotation, translation and focal are known for every view (a capture.json)


@dataclass(frozen=True)
class ViewObservations:
    """What was seen in one view. Rows of frames without a face are zero with confidence 0."""

    points: np.ndarray  # T×478×2 float32, pixels (corner origin) of the view
    confidence: np.ndarray  # T×478 float32 in [0, 1]
    present: np.ndarray  # T bool: the tracked face was found in the frame
    replaced: tuple[int, ...] = ()  # frames not to be decoded: others were looked at


@dataclass(frozen=True)
class Observations:
    """What was seen in all views."""

    views: tuple[ViewObservations, ...]  # in the order of Footage.views
