"""capture.json: several cameras with their calibration and clocks (format: design.md, data README)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from .footage import Camera

UNITS = {'cm': 1.0, 'mm': 0.1, 'm': 100.0}  # centimetres each


@dataclass(frozen=True)
class CaptureView:
    """One camera of a capture.json: its file, size in pixels, Camera and clock.

    The clock is `time` (T s, common clock, one a frame) or else `offset` (s). first: number in the
    file of the frame that `time` begins with; None: `time` has all the file's frames.
    """

    name: str
    path: Path
    size: tuple[int, int]
    camera: Camera
    time: np.ndarray | None
    offset: float
    fps: float | None
    first: int | None = None


def read_capture(path: Path) -> list[CaptureView]:
    """Read and check a capture.json; raises FacewrightError naming the camera and the field that is wrong."""
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding='utf-8-sig'))
    except FileNotFoundError:
        raise FacewrightError(f'There is no capture.json at {path}: check the path.') from None
    except OSError as error:
        raise FacewrightError(
            f'{path} cannot be read ({error.strerror or error}): check its permissions.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise FacewrightError(
            f'{path} is not valid JSON ({error}): export the capture again.'
        ) from error
    cameras = data.get('cameras') if isinstance(data, dict) else None
    if not isinstance(cameras, list) or not cameras:
        raise FacewrightError(
            f'{path} lists no cameras: it needs a list "cameras" with one entry a view.'
        )
    unit = data.get('units', 'cm')
    if not isinstance(unit, str) or unit not in UNITS:
        raise FacewrightError(f'{path} has units {unit!r}: use one of {", ".join(UNITS)}.')
    views = [_view(entry, i, path, UNITS[unit]) for i, entry in enumerate(cameras)]
    names = [v.name for v in views]
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        raise FacewrightError(f'{path} has two cameras named {doubled[0]}: give each its own name.')
    return views


def _view(entry, i: int, path: Path, unit: float) -> CaptureView:
    def wrong(field: str, expected: str):
        return FacewrightError(
            f'{path}, camera {label}: "{field}" must be {expected}: export the capture again.'
        )

    label = str(i)
    if not isinstance(entry, dict):
        raise FacewrightError(
            f'{path}, camera {label}: must be an object with name, video, width, height, K, R, t: export the capture again.'
        )
    if isinstance(entry.get('name'), str) and entry['name']:
        label = entry['name']
    missing = [
        key for key in ('name', 'video', 'width', 'height', 'K', 'R', 't') if key not in entry
    ]
    if missing:
        raise FacewrightError(
            f'{path}, camera {label}: lacks {", ".join(missing)}: export the capture again.'
        )
    for key in ('name', 'video'):
        if not isinstance(entry[key], str) or not entry[key]:
            raise wrong(key, 'text')

    def numbers(field: str, shape: tuple[int | None, ...], expected: str) -> np.ndarray:
        if not _all_numbers(entry[field]):
            raise wrong(field, expected)
        try:
            array = np.array(entry[field], np.float64)
        except (ValueError, OverflowError):
            raise wrong(field, expected) from None
        if (
            array.ndim != len(shape)
            or any(s is not None and s != n for s, n in zip(shape, array.shape))
            or not np.isfinite(array).all()
        ):
            raise wrong(field, expected)
        return array

    size = []
    for key in ('width', 'height'):
        value = float(numbers(key, (), 'a whole number of pixels'))
        if value < 1 or value != int(value) or value > 1e6:
            raise wrong(key, 'a whole number of pixels')
        size.append(int(value))
    k = numbers('K', (3, 3), 'a 3×3 matrix of finite numbers')
    if (
        k[0, 0] <= 0
        or k[1, 1] <= 0
        or abs(k[0, 1]) > 1e-3 * k[0, 0]
        or np.abs(k[[1, 2, 2], [0, 0, 1]]).max() > 1e-6
        or abs(k[2, 2] - 1) > 1e-6
    ):
        raise wrong(
            'K', 'a camera matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0'
        )
    r = numbers('R', (3, 3), 'a 3×3 rotation matrix of finite numbers')
    if np.abs(r @ r.T - np.eye(3)).max() > 1e-3 or np.linalg.det(r) < 0:
        raise wrong('R', 'a rotation (world to camera, orthonormal, not mirrored)')
    t = numbers('t', (3,), '3 finite numbers')
    distortion = np.zeros(4)
    if entry.get('distortion') is not None:
        distortion = numbers('distortion', (None,), '4 finite numbers (k1, k2, p1, p2)')
        if len(distortion) > 5 or (len(distortion) == 5 and distortion[4]) or len(distortion) < 4:
            raise wrong('distortion', '4 finite numbers (k1, k2, p1, p2)')
    time = None
    if entry.get('time') is not None:
        time = numbers('time', (None,), 'a list of increasing seconds, one a frame')
        if not len(time) or (np.diff(time) <= 0).any():
            raise wrong('time', 'a list of increasing seconds, one a frame')
    offset = float(numbers('offset', (), 'seconds')) if entry.get('offset') is not None else 0.0
    fps = (
        float(numbers('fps', (), 'frames a second, above 0'))
        if entry.get('fps') is not None
        else None
    )
    if fps is not None and not 0 < fps < 1e5:
        raise wrong('fps', 'frames a second, above 0')
    first = None
    if entry.get('first') is not None:
        value = float(numbers('first', (), 'a whole number of frames, from 0'))
        if value < 0 or value != int(value) or value > 1e9:
            raise wrong('first', 'a whole number of frames, from 0')
        first = int(value)
    video = path.parent / entry['video']
    try:
        there = video.exists()
    except OSError:  # a name too long to be one
        there = False
    if not there:
        raise FacewrightError(
            f'{path}, camera {label}: there is no {video}: put the video beside capture.json or correct "video".'
        )
    camera = Camera(
        float(k[0, 0]),
        (float(k[0, 2]), float(k[1, 2])),
        tuple(float(d) for d in distortion[:4]),
        r,
        t * unit,
        float(k[1, 1] / k[0, 0]),
    )
    return CaptureView(entry['name'], video, (size[0], size[1]), camera, time, offset, fps, first)


def _all_numbers(value) -> bool:
    """Only finite numbers in (nested) lists: no text that numpy would convert, no true or false."""
    if isinstance(value, list):
        return all(_all_numbers(v) for v in value)
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < 1e300
        and math.isfinite(value)
    )
