"""Clips for Blender's cameras: footage written again so that picture k is the one of scene frame k.

Blender's clips know one rate and count pictures, or stamps at that rate. A clip of variable frame
rate, of another rate than the scene's, or of a kind it seeks wrongly in is written again: one
picture a scene frame, each decodable alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..core.errors import FacewrightError
from . import images, video
from .clip_timing import frame_count, keeps_rate, pictures_at
from .footage import View
from .sources import read_frames

LARGEST = 1920  # pixels of the longer side: more than a viewport shows


def shown_right_by_counting(view: View) -> bool:
    """Whether a player that counts pictures at the file's own rate shows what is read here."""
    if view.kind == 'photo':
        return images.is_shown_by_blender(view.path)
    if view.kind == 'sequence':
        return images.is_run(view.images)
    return video.shown_right_by_counting(view.path)


def needs_proxy(view: View, rate: float) -> bool:
    """Whether a view's own file would show wrong pictures in a scene of `rate` frames a second."""
    return not (
        shown_right_by_counting(view) and (view.kind == 'photo' or keeps_rate(view.times, rate))
    )


def write_proxies(views: tuple[View, ...], folder: Path, rate: float) -> Iterator[float]:
    """Write a proxy for each view that needs one at `rate` (1/s); a generator of the part done.

    Each covers the first view's time. Returns {view's name: {'path', 'rate'}}; picture 0 is at the
    first view's first used frame.
    """
    wanted = [(k, v) for k, v in enumerate(views) if needs_proxy(v, rate)]
    made, zero = {}, float(views[0].times[0])
    count = frame_count(float(views[0].times[-1]) - zero, rate)
    for done, (k, view) in enumerate(wanted):
        folder.mkdir(parents=True, exist_ok=True)
        if view.kind == 'photo':
            path = _write_photo(view, folder / f'clip_{k}.png')
        else:
            path, indices = folder / f'clip_{k}.mp4', pictures_at(view.times, zero, rate, count)
            try:
                for part in _write_clip(view, path, indices, rate):
                    yield (done + part) / len(wanted)
            except (av.error.FFmpegError, OSError) as error:
                raise FacewrightError(
                    f'{view.path} cannot be written again as a clip for Blender '
                    f'({error}): free some space on the disk.'
                ) from error
        made[view.name] = {'path': str(path), 'rate': rate}
    return made


def _write_photo(view: View, path: Path) -> Path:
    """Write a photo turned upright."""
    images.write_image(path, images.read(view.path))
    return path


def _write_clip(view: View, path: Path, indices: np.ndarray, rate: float) -> Iterator[float]:
    """Encode the pictures with the given indices, which don't decrease."""
    scale = min(1.0, LARGEST / max(view.size))
    width, height = (max(2, 2 * round(s * scale / 2)) for s in view.size)
    x264 = 'libx264' in av.codecs_available
    settings = (
        {'crf': '17', 'preset': 'superfast', 'bf': '0'}
        if x264
        else {'qscale': '2', 'flags': '+qscale'}
    )
    exact = Fraction(rate).limit_denominator(1001)
    if not math.isclose(exact, rate, rel_tol=1e-6):
        exact = Fraction(rate).limit_denominator(60000)
    used, repeats = np.unique(indices, return_counts=True)
    with av.open(f'file:{path.absolute()}', 'w') as out:
        stream = out.add_stream('libx264' if x264 else 'mpeg4', rate=exact, options=settings)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, 'yuv420p', 1
        at = 0
        for picture, times in zip(read_frames(view, used), repeats):
            for _ in range(times):
                frame = av.VideoFrame.from_ndarray(picture, format='rgb24').reformat(
                    width, height, 'yuv420p'
                )
                frame.pts, frame.time_base = at, 1 / exact
                out.mux(stream.encode(frame))
                at += 1
            yield at / len(indices)
        out.mux(stream.encode())
