"""What a reconstruction says of itself: report.json and cameras.json (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..evidence.options import TrackOptions
from .shared import VERSION

if TYPE_CHECKING:
    from ..footage.footage import Camera, Footage, View, ViewObservations
    from ..tracking.track import Track


# Of what is known of a lens: where more is the guess's, it is said to be one (measured: six lone
# views of captures, 35 to 68 % the guess's, were off by 7 to 38 %).
MOSTLY = 0.25


def make_report(
    source: str,
    footage: Footage,
    observations: Sequence[ViewObservations],
    track: Track,
    quality: str,
    seconds: dict[str, float],
) -> dict:
    """Return report.json: what was found and how well it fits.

    Errors in percent are of the distance between the outer eye corners.

    source: the face model as it was asked for. seconds: {phase: seconds it took}.
    """
    from ..tracking.reprojection import region_errors

    errors = np.concatenate(track.errors)
    pixels = [e * eyes for e, eyes in zip(track.errors, track.eye_distance)]
    regions = region_errors(track.projected[0], observations[0])
    return {
        'version': VERSION,
        'model': source if source == 'builtin' else str(Path(source).absolute()),
        'quality': quality,
        'views': [
            _view_report(*one)
            for one in zip(
                footage.views, observations, track.cameras, track.errors, _deviations(track)
            )
        ],
        'warnings': [
            replaced_in_words(view.name, seen.replaced)
            for view, seen in zip(footage.views, observations)
            if seen.replaced
        ],
        'error': {
            'mean_percent': _mean(100 * errors),
            'mean_px': _mean(np.concatenate(pixels)),
            'per_frame': _numbers(100 * track.errors[0]),
            'regions': {
                name: {'mean_percent': _mean(100 * error), 'per_frame': _numbers(100 * error)}
                for name, error in regions.items()
            },
        },
        'identity': [round(float(a), 4) for a in track.identity],
        'seconds': {phase: round(spent, 2) for phase, spent in seconds.items()},
    }


def _view_report(
    view: View, seen: ViewObservations, camera: Camera, errors: np.ndarray, deviation: float
) -> dict:
    from ..footage.kinds import kind_in_words
    from ..footage.proxies import shown_right_by_counting

    return {
        'name': view.name,
        'path': str(Path(view.path).absolute()),
        'kind': view.kind,
        'read_as': kind_in_words(view.kind, view.images, view.colours),
        'size': list(view.size),
        'fps': float(view.fps),
        'frames': len(view.times),
        'tracked': int(seen.present.sum()),
        'replaced': list(seen.replaced),
        'first': int(view.first),
        'rotation': int(view.rotation),
        'focal_px': round(_focal(camera), 2),
        'focal_percent': round(100 * deviation, 1),
        'focal_from': _focal_origin(view.camera, deviation),
        'sound': view.sound_start is not None,
        'steady': shown_right_by_counting(view),
        'start': _file_time(view),
        'sound_start': None if view.sound_start is None else round(view.sound_start, 6),
        'mean_percent': _mean(100 * errors),
    }


def _focal(camera: Camera) -> float:
    """Return a solved camera's focal length in pixels."""
    if camera.focal is None:
        raise ValueError('the camera is not solved')
    return float(camera.focal)


def _deviations(track: Track) -> list[float]:
    """Return the standard deviation of each view's log focal length, 0 where it was known."""
    return track.focal_deviation.tolist() or [0.0] * len(track.cameras)


def _focal_origin(before: Camera, deviation: float) -> str:
    """Say where a view's focal length comes from: one of lens_words.ORIGINS.

    before: the camera as it was opened. deviation: of the log focal length found
    """
    if before.focal_from_file:
        return 'file'
    if before.focal is not None:
        return 'given'
    guessed = (deviation / TrackOptions().focal_sigma) ** 2  # the guess's share of the precision
    return 'guess' if guessed > MOSTLY else 'turns'


def _mean(values: np.ndarray) -> float | None:
    """Return the mean of what is finite in values, None where nothing is."""
    return round(float(np.nanmean(values)), 4) if np.isfinite(values).any() else None


def _numbers(values: np.ndarray) -> list[float | None]:
    """Return values for JSON, None where they are not finite."""
    return [round(float(value), 3) if np.isfinite(value) else None for value in values]


def _file_time(view: View) -> float:
    """Return the seconds from a file's first picture to the first one used."""
    from ..footage.video import probe

    return round(
        float(probe(view.path).times[view.first])
        if view.kind == 'video'
        else view.first / view.fps,
        6,
    )


def replaced_in_words(view: str, frames: Sequence[int]) -> str:
    """Say which frames of a view could not be decoded."""
    listed = ', '.join(map(str, frames[:8])) + (' …' if len(frames) > 8 else '')
    what = (
        f'frames {listed} ({len(frames)} in all, counted from 0)'
        if len(frames) > 1
        else f'frame {listed} (counted from 0)'
    )
    return (
        f'{view}: {what} could not be decoded, and a picture beside was used: '
        'convert the clip to MP4, or cut it.'
    )


def make_cameras(footage: Footage, track: Track) -> dict:
    """Return cameras.json: capture.json's format, so that it can be used as footage again."""
    cameras = []
    for view, camera in zip(footage.views, track.cameras):
        f = _focal(camera)
        cameras.append(
            {
                'name': view.name,
                'video': str(Path(view.path).absolute()),
                'fps': float(view.fps),
                'first': int(view.first),
                'width': int(view.size[0]),
                'height': int(view.size[1]),
                'K': [
                    [f, 0.0, float(camera.centre[0])],
                    [0.0, f * camera.aspect, float(camera.centre[1])],
                    [0.0, 0.0, 1.0],
                ],
                'R': np.asarray(camera.rotation).tolist(),
                't': np.asarray(camera.translation).tolist(),
                'distortion': [float(d) for d in camera.distortion],
                'time': [float(t) for t in view.times],
            }
        )
    return {'units': 'cm', 'axes': 'OpenCV camera', 'cameras': cameras}
