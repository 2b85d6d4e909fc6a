"""Opening footage: what the user chose → views with cameras and clocks; their frames, streamed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from . import images, kinds, video
from .capture import CaptureView, read_capture
from .footage import Camera, Footage, View

# How much narrower a video's picture is than its lens's: 16:9 out of 4:3, and some of it kept for
# steadying (one phone's 27 mm filmed as 32).
VIDEO_CROP = 1.1
FILM_DIAGONAL = math.hypot(36, 24)  # mm: a 35-mm equivalent compares diagonals (CIPA DCG-001)
LENSES = (1.0, 1e4)  # mm on film: what else a file says is no lens
SEQUENCE_FPS = 24.0
ABOVE_ZERO = frozenset(('lens_mm', 'focal_px', 'fps'))
NUMBERS = ABOVE_ZERO | {'offset', 'start', 'end'}
SOURCE_KEYS = NUMBERS | {'path', 'name', 'kind'}


def open_footage(
    sources: Sequence[dict | str | Path] | str | Path, views: Sequence[str] = ()
) -> Footage:
    """Open videos, photos, image sequences or a capture.json as one performance's views.

    sources: one or more, each a path or a dict with `path` and, where known,
        name: of the view.
        lens_mm, focal_px: focal length, 35-mm equivalent, or in pixels.
        offset: s, added to the file's own time to give the common clock.
        start, end: s of the file's own time, end excluded.
        fps: of a sequence.
        kind: of kinds.KINDS; else judged by kinds.kind_of.
        A sequence is a folder or one file of a numbered run, a capture also its folder.
    views: the names to use, in this order; all when empty.
    Raises FacewrightError: one sentence, naming the file and what to do.
    """
    opened: list[View] = []
    for source in [sources] if isinstance(sources, (str, Path, dict)) else sources:
        opened += _open(_checked(source))
    if not opened:
        raise FacewrightError(
            'No footage was chosen: choose a video, a photo, an image sequence or a capture.json.'
        )
    opened = _named_apart(opened)
    names = [v.name for v in opened]
    unknown = [n for n in views if n not in names]
    if unknown:
        raise FacewrightError(f'There is no view {unknown[0]}: the footage has {", ".join(names)}.')
    if len(set(views)) < len(views):
        raise FacewrightError('A view is named twice: name each once.')
    if views:
        opened = [opened[names.index(n)] for n in views]
    calibrated = all(
        v.camera.focal is not None
        and v.camera.rotation is not None
        and v.camera.translation is not None
        for v in opened
    )
    return Footage(tuple(opened), calibrated)


def read_frames(
    view: View, indices: Sequence[int] | np.ndarray | None = None, replaced: list[int] | None = None
) -> Iterator[np.ndarray]:
    """Yield the view's frames as H×W×3 uint8 RGB: all, or those with the given increasing indices.

    `replaced` gets the numbers of frames that cannot be decoded, in whose place a neighbour comes.
    """
    wanted = np.arange(len(view.times)) if indices is None else np.asarray(indices, np.int64)
    if wanted.size and (
        wanted.ndim != 1
        or (np.diff(wanted) <= 0).any()
        or wanted[0] < 0
        or wanted[-1] >= len(view.times)
    ):
        raise ValueError(f'frame indices must increase within 0..{len(view.times) - 1}')
    if view.kind == 'video':
        in_file: list[int] = []
        for picture in video.read(view.path, wanted + view.first, in_file):
            if replaced is not None:
                replaced[:] = [i - view.first for i in in_file]
            yield picture
        return
    for i in wanted:
        picture = images.read(view.images[i])
        if picture.shape[1::-1] != view.size:
            raise FacewrightError(
                f'{view.images[i]} is {picture.shape[1]}×{picture.shape[0]} pixels, '
                f'the first of its sequence {view.size[0]}×{view.size[1]}: '
                'use images of one size.'
            )
        yield picture


def _checked(source) -> dict:
    """A source as a dict with a Path and numbers that make sense."""
    if isinstance(source, (str, Path)):
        source = {'path': source}
    if (
        not isinstance(source, dict)
        or not isinstance(source.get('path'), (str, Path))
        or not str(source['path'])
    ):
        raise FacewrightError(
            'A source of footage needs a path: '
            'choose a video, a photo, an image sequence or a capture.json.'
        )
    unknown = sorted(set(source) - SOURCE_KEYS)
    if unknown:
        raise FacewrightError(
            f'A source of footage has no "{unknown[0]}": '
            f'it may have {", ".join(sorted(SOURCE_KEYS))}.'
        )
    out = {key: value for key, value in source.items() if value is not None}
    out['path'] = Path(source['path']).expanduser()
    for key in sorted(NUMBERS & set(out)):
        out[key] = _number(key, out[key], out['path'])
    if out.get('kind') not in (None, *kinds.KINDS):
        raise FacewrightError(
            f'{out["path"]}: "kind" is {out["kind"]!r}: use {", ".join(kinds.KINDS)}.'
        )
    return out


def _number(key: str, value, path: Path) -> float:
    positive = key in ABOVE_ZERO
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not math.isfinite(value)
        or (positive and value <= 0)
    ):
        expected = 'a number above 0' if positive else 'a number of seconds'
        raise FacewrightError(f'{path}: "{key}" is {value!r}: give {expected}.')
    return float(value)


def _open(source: dict) -> list[View]:
    path: Path = source['path']
    try:
        there = path.is_file() or path.is_dir()
    except OSError as error:
        raise FacewrightError(
            f'{path} cannot be read ({error.strerror or error}): check the path.'
        ) from error
    if not there:
        raise FacewrightError(f'There is no file or folder {path}: check the path.')
    kind = source.get('kind') or kinds.kind_of(path)
    if kind == 'capture':
        capture = path / 'capture.json' if path.is_dir() else path
        return [_calibrated(v, source) for v in read_capture(capture)]
    if path.is_dir() and kind != 'sequence':
        raise FacewrightError(f'{path} is a folder, no {kind}: choose the file itself.')
    return [_trimmed(_uncalibrated(path, kind, source), source)]


def _uncalibrated(path: Path, kind: str, source: dict) -> View:
    """A view of a whole file, its clock at 0, its camera as far as the source or file says."""
    if kind == 'video':
        return _video(path, source)
    if path.is_dir():
        return _sequence(kinds.images_in(path), None, source)
    run = kinds.run_of(path) if kind == 'sequence' else None
    if run:
        return _sequence(*run, source)
    return _sequence(_beside(path) if kind == 'sequence' else (path,), None, source)


def _beside(path: Path) -> tuple[Path, ...]:
    """All images of a file's folder that have its suffix."""
    found = [
        p
        for p in kinds.files_in(path.parent)
        if p.suffix == path.suffix and p.is_file() and not p.name.startswith('.')
    ]
    return tuple(sorted({path, *found}, key=kinds.natural))


def _video(path: Path, source: dict) -> View:
    info = video.probe(path)
    camera = _camera(info.size, source, info.focal_35mm, 1 / info.aspect, VIDEO_CROP)
    return View(
        source.get('name') or path.stem,
        path,
        'video',
        info.size,
        info.fps,
        info.times,
        0,
        info.turn * 90,
        camera,
        info.sound_start,
        colours=info.colours,
    )


def _sequence(files: tuple[Path, ...], numbers: tuple[int, ...] | None, source: dict) -> View:
    picture = images.read(files[0])
    size = (picture.shape[1], picture.shape[0])
    fps = source.get('fps', SEQUENCE_FPS)
    times = (np.arange(len(files)) if numbers is None else np.array(numbers) - numbers[0]) / fps
    name = source.get('name') or (
        files[0].stem if len(files) == 1 else files[0].parent.name or files[0].stem
    )
    camera = _camera(size, source, images.read_exif(files[0]).focal_35mm, 1.0)
    return View(
        name,
        files[0],
        'photo' if len(files) == 1 else 'sequence',
        size,
        fps,
        times,
        0,
        0,
        camera,
        images=files,
    )


def _camera(
    size: tuple[int, int],
    source: dict,
    focal_35mm: float | None,
    aspect: float,
    crop: float = 1.0,
) -> Camera:
    """A camera of focal_px, else lens_mm, else what the file says, else of unknown focal length.

    aspect: fy / fx, the reciprocal of a pixel's height / width. The principal point is the middle.
    crop: how much narrower than its lens's the picture may be: what the file says is a guess then.
    """

    def pixels(lens: float) -> float:
        return lens / FILM_DIAGONAL * math.hypot(size[0], size[1] / aspect)

    middle = (size[0] / 2, size[1] / 2)
    focal = source.get('focal_px')
    if focal is None and source.get('lens_mm'):
        focal = pixels(source['lens_mm'])
    if focal is not None or focal_35mm is None or not LENSES[0] <= focal_35mm <= LENSES[1]:
        return Camera(focal, middle, aspect=aspect)
    if crop > 1:
        guess = crop * pixels(focal_35mm)
        return Camera(None, middle, aspect=aspect, focal_from_file=True, focal_guess=guess)
    return Camera(pixels(focal_35mm), middle, aspect=aspect, focal_from_file=True)


def _calibrated(given: CaptureView, source: dict) -> View:
    """A view of a capture.json."""
    kind = kinds.kind_of(given.path)
    if kind in ('photo', 'sequence') and given.time is not None:  # its times say which
        kind = 'photo' if len(given.time) == 1 and not given.first else 'sequence'
    if kind == 'capture':
        raise FacewrightError(
            f'{given.path} is a capture.json within a capture.json: give each '
            'camera its own footage.'
        )
    view = _uncalibrated(given.path, kind, {'fps': given.fps} if given.fps else {})
    where = f'{given.path}, camera {given.name}'
    if view.size != given.size:
        raise FacewrightError(
            f'{where}: the pictures are {view.size[0]}×{view.size[1]} pixels, '
            f'capture.json says {given.size[0]}×{given.size[1]}: '
            'use the footage the cameras were calibrated for.'
        )
    times = view.times + given.offset
    if given.time is not None:
        view = _from_first(view, given)
        if len(given.time) != len(view.times):
            raise FacewrightError(
                f'{where}: the footage has {len(view.times)} frames, '
                f'capture.json lists {len(given.time)} times: '
                'copy the video again or export the capture again.'
            )
        times = given.time
    view = replace(
        view, name=given.name, times=times, camera=given.camera, fps=given.fps or view.fps
    )
    return _trimmed(
        view, {key: value for key, value in source.items() if key in ('start', 'end', 'offset')}
    )


def _from_first(view: View, given: CaptureView) -> View:
    """The frames of a view that a capture's times are for, where it says with which they begin."""
    if given.first is None:
        return view
    part = slice(given.first, given.first + len(given.time))
    return replace(view, times=view.times[part], first=given.first, images=view.images[part])


def _trimmed(view: View, source: dict) -> View:
    """In and out (in the clock the view has), then the offset."""
    start, end = source.get('start', -math.inf), source.get('end', math.inf)
    used = np.flatnonzero((view.times >= start - 1e-6) & (view.times < end - 1e-6))
    if not used.size:
        raise FacewrightError(_nothing_between(view, start, end))
    part = slice(used[0], used[-1] + 1)
    return replace(
        view,
        times=view.times[part] + source.get('offset', 0.0),
        first=view.first + int(used[0]),
        images=view.images[part],
    )


def _nothing_between(view: View, start: float, end: float) -> str:
    """Say that a view has no frame from `start` to `end` (s; infinite: not given)."""
    first, last = (f'{t:.6g}' for t in (view.times[0], view.times[-1]))
    if len(view.times) == 1:
        return (
            f'{view.path} has one frame, at {first} s, and it is left out by the chosen times: '
            'take them away.'
        )
    if start >= end:
        return (
            f'{view.path}: the end ({end:g} s) does not come after the start ({start:g} s): '
            'choose a later end.'
        )
    chosen = f'between the start ({start:g} s) and the end ({end:g} s)'
    if end == math.inf:
        chosen = f'at or after the start ({start:g} s)'
    elif start == -math.inf:
        chosen = f'before the end ({end:g} s)'
    return (
        f'{view.path}: no frame lies {chosen}; its frames are from {first} to {last} s: '
        'choose other times.'
    )


def _named_apart(views: list[View]) -> list[View]:
    """Views with the same name get a number."""
    out: list[View] = []
    for view in views:
        name, n = view.name, 2
        while any(name == v.name for v in out):
            name, n = f'{view.name}_{n}', n + 1
        out.append(replace(view, name=name))
    return out
