"""capture.json: several cameras with their calibration and clocks (docs/formats.md)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from .footage import Camera

REQUIRED = ('name', 'video', 'width', 'height', 'K', 'R', 't')
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
    """Read and check a capture.json.

    Raises FacewrightError naming the camera and the field that is wrong.
    """
    path = Path(path)
    data = _read_json(path)
    cameras = data.get('cameras') if isinstance(data, dict) else None
    if not isinstance(cameras, list) or not cameras:
        raise FacewrightError(
            f'{path} lists no cameras: it needs a list "cameras" with one entry a view.'
        )
    unit = data.get('units', 'cm')
    if not isinstance(unit, str) or unit not in UNITS:
        raise FacewrightError(f'{path} has units {unit!r}: use one of {", ".join(UNITS)}.')
    views = [_Entry(entry, i, path).view(UNITS[unit]) for i, entry in enumerate(cameras)]
    names = [v.name for v in views]
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        raise FacewrightError(f'{path} has two cameras named {doubled[0]}: give each its own name.')
    return views


def _read_json(path: Path):
    try:
        return json.loads(path.read_text(encoding='utf-8-sig'))
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


class _Entry:
    """One camera's object in a capture.json; its fields are checked as they are read."""

    def __init__(self, entry, number: int, path: Path) -> None:
        self.path, self.label = path, str(number)
        if not isinstance(entry, dict):
            raise self._error(
                f'must be an object with {", ".join(REQUIRED)}: export the capture again'
            )
        self.entry = entry
        if isinstance(entry.get('name'), str) and entry['name']:
            self.label = entry['name']
        missing = [key for key in REQUIRED if key not in entry]
        if missing:
            raise self._error(f'lacks {", ".join(missing)}: export the capture again')
        for key in ('name', 'video'):
            if not isinstance(entry[key], str) or not entry[key]:
                raise self._wrong(key, 'text')

    def view(self, unit: float) -> CaptureView:
        """The checked view. unit: centimetres each of the capture's lengths."""
        size = self._size()
        k = self._camera_matrix()
        rotation = self._rotation()
        translation = self._numbers('t', (3,), '3 finite numbers')
        distortion = self._distortion()
        time = self._time()
        offset = float(self._numbers('offset', (), 'seconds')) if self._given('offset') else 0.0
        fps = self._fps()
        first = self._first()
        video = self._video()
        camera = Camera(
            float(k[0, 0]),
            (float(k[0, 2]), float(k[1, 2])),
            tuple(float(d) for d in distortion[:4]),
            rotation,
            translation * unit,
            float(k[1, 1] / k[0, 0]),
        )
        return CaptureView(
            self.entry['name'], video, size, camera, time, offset=offset, fps=fps, first=first
        )

    def _error(self, sentence: str) -> FacewrightError:
        return FacewrightError(f'{self.path}, camera {self.label}: {sentence}.')

    def _wrong(self, field: str, expected: str) -> FacewrightError:
        return self._error(f'"{field}" must be {expected}: export the capture again')

    def _given(self, field: str) -> bool:
        return self.entry.get(field) is not None

    def _numbers(self, field: str, shape: tuple[int | None, ...], expected: str) -> np.ndarray:
        """A field's float64 array of that shape, None for any length."""
        if not _all_numbers(self.entry[field]):
            raise self._wrong(field, expected)
        try:
            array = np.array(self.entry[field], np.float64)
        except (ValueError, OverflowError):
            raise self._wrong(field, expected) from None
        if (
            array.ndim != len(shape)
            or any(s is not None and s != n for s, n in zip(shape, array.shape))
            or not np.isfinite(array).all()
        ):
            raise self._wrong(field, expected)
        return array

    def _size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        size = []
        for key in ('width', 'height'):
            value = float(self._numbers(key, (), 'a whole number of pixels'))
            if value < 1 or value != int(value) or value > 1e6:
                raise self._wrong(key, 'a whole number of pixels')
            size.append(int(value))
        return size[0], size[1]

    def _camera_matrix(self) -> np.ndarray:
        k = self._numbers('K', (3, 3), 'a 3×3 matrix of finite numbers')
        if (
            k[0, 0] <= 0
            or k[1, 1] <= 0
            or abs(k[0, 1]) > 1e-3 * k[0, 0]
            or np.abs(k[[1, 2, 2], [0, 0, 1]]).max() > 1e-6
            or abs(k[2, 2] - 1) > 1e-6
        ):
            raise self._wrong(
                'K', 'a camera matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0'
            )
        return k

    def _rotation(self) -> np.ndarray:
        r = self._numbers('R', (3, 3), 'a 3×3 rotation matrix of finite numbers')
        if np.abs(r @ r.T - np.eye(3)).max() > 1e-3 or np.linalg.det(r) < 0:
            raise self._wrong('R', 'a rotation (world to camera, orthonormal, not mirrored)')
        return r

    def _distortion(self) -> np.ndarray:
        """k1, k2, p1, p2; a fifth number, k3, may be there when it is 0."""
        if not self._given('distortion'):
            return np.zeros(4)
        expected = '4 finite numbers (k1, k2, p1, p2)'
        found = self._numbers('distortion', (None,), expected)
        if len(found) > 5 or (len(found) == 5 and found[4]) or len(found) < 4:
            raise self._wrong('distortion', expected)
        return found

    def _time(self) -> np.ndarray | None:
        if not self._given('time'):
            return None
        expected = 'a list of increasing seconds, one a frame'
        time = self._numbers('time', (None,), expected)
        if not len(time) or (np.diff(time) <= 0).any():
            raise self._wrong('time', expected)
        return time

    def _fps(self) -> float | None:
        if not self._given('fps'):
            return None
        expected = 'frames a second, above 0'
        fps = float(self._numbers('fps', (), expected))
        if not 0 < fps < 1e5:
            raise self._wrong('fps', expected)
        return fps

    def _first(self) -> int | None:
        if not self._given('first'):
            return None
        expected = 'a whole number of frames, from 0'
        value = float(self._numbers('first', (), expected))
        if value < 0 or value != int(value) or value > 1e9:
            raise self._wrong('first', expected)
        return int(value)

    def _video(self) -> Path:
        video = self.path.parent / self.entry['video']
        try:
            there = video.exists()
        except OSError:  # a name too long to be one
            there = False
        if not there:
            raise self._error(
                f'there is no {video}: put the video beside capture.json or correct "video"'
            )
        return video


def _all_numbers(value) -> bool:
    """Whether lists, nested or not, hold finite numbers alone: no text, no true or false."""
    if isinstance(value, list):
        return all(_all_numbers(v) for v in value)
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < 1e300
        and math.isfinite(value)
    )
