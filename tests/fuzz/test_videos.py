"""Damaged videos: read, or refused in one sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from fuzzing import damaged, fuzzed, survives
from hypothesis import given
from hypothesis import strategies as st

from facewright.engine.footage import open_footage, read_frames, video

FRAMES = 6
CODECS = {
    'mp4': 'libx264',
    'mov': 'mpeg4',
    'avi': 'mpeg4',
    'mkv': 'libx264',
    'mpg': 'mpeg1video',
    'ts': 'mpeg2video',
    'webm': 'libvpx',
    'gif': 'gif',
    'wmv': 'wmv2',
    'flv': 'flv',
}


def encoded(suffix: str) -> bytes:
    """Six small frames, with sound where the kind of file takes AAC."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f'a.{suffix}'
        with av.open(str(path), 'w') as container:
            stream = container.add_stream(CODECS[suffix], rate=25)
            stream.width, stream.height, stream.pix_fmt = (
                32,
                16,
                'rgb8' if suffix == 'gif' else 'yuv420p',
            )
            sound = (
                container.add_stream('aac', rate=16000) if suffix in ('mp4', 'mkv', 'mov') else None
            )
            for k in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(
                    np.full((16, 32, 3), 30 * k, np.uint8), format='rgb24'
                ).reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = k, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound:
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
                )
                silence.sample_rate, silence.pts = 16000, 0
                container.mux(sound.encode(silence))
                container.mux(sound.encode(None))
        return path.read_bytes()


VALID = {suffix: encoded(suffix) for suffix in CODECS}


def opened(path: Path, start: float | None = None) -> int:
    """Open a video and read its frames, at most sixty; their number."""
    view = open_footage([{'path': path, 'start': start}]).views[0]
    wanted = np.arange(len(view.times))[:60]
    count = 0
    for picture in read_frames(view, wanted):
        assert picture.shape == (view.size[1], view.size[0], 3)
        count += 1
    assert (
        count == len(wanted) and np.isfinite(view.times).all() and (np.diff(view.times) > 0).all()
    )
    video.shown_right_by_counting(path)
    return count


@fuzzed
@given(
    data=st.sampled_from(sorted(CODECS)).flatmap(lambda s: damaged(VALID[s]).map(lambda d: (s, d))),
    start=st.sampled_from((None, 0.1, 0.2)),
)
def test_a_damaged_video(tmp_path, data, start):
    suffix, content = data
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(content)
    video._probe.cache_clear()
    video.shown_right_by_counting.cache_clear()
    survives(opened, path, start)


@pytest.mark.parametrize('suffix', sorted(CODECS))
def test_the_valid_ones_are_read(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(VALID[suffix])
    assert opened(path) == FRAMES
