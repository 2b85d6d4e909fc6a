"""Clips for Blender's cameras: which footage needs one, and that picture k is the one of scene
frame k.
"""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from facewright.engine.footage import open_footage, read_frames
from facewright.engine.footage.clip_timing import frame_count, keeps_rate, pictures_at
from facewright.engine.footage.proxies import needs_proxy, write_proxies

CASES = Path(__file__).resolve().parents[4] / 'shared' / 'data' / 'cases'

GREYS = 16 + 5 * (np.arange(40) * 17 % 40)


def film(path: Path, ticks, base: Fraction, rate, codec='mpeg4', size=(64, 48), **options) -> Path:
    """Pictures of greys far from their neighbours' at the given ticks of a time base."""
    with av.open(str(path), 'w', **options) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, 'yuv420p'
        if base:
            stream.codec_context.time_base = base
        for k, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), GREYS[k % 40], np.uint8), format='rgb24'
            )
            if base:
                frame.pts, frame.time_base = int(tick), base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def written(footage, folder, rate):
    making = write_proxies(footage.views, folder, rate)
    while True:
        try:
            next(making)
        except StopIteration as stop:
            return stop.value


def pictures(path) -> np.ndarray:
    """Mean grey of each picture of a film."""
    with av.open(str(path)) as container:
        return np.array([f.to_ndarray(format='rgb24').mean() for f in container.decode(video=0)])


def shown(made, source) -> list[int]:
    """Which picture of the source each picture of a clip is."""
    levels = np.array([p.mean() for p in read_frames(open_footage(source).views[0])])
    return np.abs(pictures(made['path'])[:, None] - levels).argmin(1).tolist()


def test_the_nearest_picture_belongs_to_each_frame():
    times = np.array([0, 0.03, 0.08, 0.11, 0.16, 0.26])
    assert pictures_at(times, 0.0, 30.0, 8).tolist() == [0, 1, 2, 3, 3, 4, 4, 5]
    assert pictures_at(times + 5, 5.0, 10.0, 3).tolist() == [0, 3, 4]
    assert pictures_at(np.array([2.0]), 0.0, 24.0, 3).tolist() == [0, 0, 0]
    assert (
        frame_count(1.0, 24.0) == 25
        and frame_count(23 / 30, 30.0) == 24
        and frame_count(0.51, 10.0) == 7
    )
    assert keeps_rate(np.arange(9) / 30 + 7, 30.0) and not keeps_rate(np.arange(99) / 30, 29.9)


def test_a_steady_film_is_shown_as_it_is(tmp_path):
    footage = open_footage(film(tmp_path / 'a.mp4', range(30), None, Fraction(30000, 1001)))
    assert not needs_proxy(footage.views[0], 30000 / 1001)
    assert written(footage, tmp_path / 'none', footage.views[0].fps) == {}
    assert not (tmp_path / 'none').exists()


def test_a_film_at_another_rate_than_the_scene(tmp_path):
    footage = open_footage({'path': film(tmp_path / 'a.mp4', range(30), None, 30), 'start': 0.2})
    made = written(footage, tmp_path / 'clips', 24.0)
    assert shown(made['a'], tmp_path / 'a.mp4') == [
        min(29, 6 + round(k * 30 / 24 - 1e-6)) for k in range(20)
    ]
    with av.open(made['a']['path']) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == stream.guessed_rate == 24
    footage = open_footage(tmp_path / 'a.mp4')
    assert shown(written(footage, tmp_path / 'more', 60.0)['a'], tmp_path / 'a.mp4') == [
        k // 2 for k in range(59)
    ]


@pytest.mark.parametrize('spread', [1, 2, 3])
def test_a_film_of_variable_rate(tmp_path, spread):
    rng = np.random.default_rng(spread)
    ticks = np.cumsum(rng.integers(2000, 2000 + 2500 * spread, 40))
    footage = open_footage(
        film(tmp_path / 'v.mp4', ticks - ticks[0], Fraction(1, 90000), 30, 'libx264')
    )
    view = footage.views[0]
    assert needs_proxy(view, view.fps)
    found = np.array(shown(written(footage, tmp_path / 'clips', view.fps)['v'], tmp_path / 'v.mp4'))
    when = np.arange(len(found)) / view.fps
    assert np.abs(view.times[found] - when)[:-1].max() <= np.diff(view.times).max() / 2 + 1e-5
    assert found[0] == 0 and found[-1] == 39


def test_a_program_stream_and_a_second_view(tmp_path):
    film(tmp_path / 'p.mpg', range(20), None, 25, codec='mpeg2video', format='mpeg')
    film(tmp_path / 'q.mp4', range(40), None, 50)
    footage = open_footage(
        [{'path': tmp_path / 'q.mp4'}, {'path': tmp_path / 'p.mpg', 'offset': 0.2}]
    )
    made = written(footage, tmp_path / 'clips', 50.0)
    assert list(made) == ['p']
    assert shown(made['p'], tmp_path / 'p.mpg') == [max(0, (k - 10) // 2) for k in range(40)]


def test_sequences_and_photos(tmp_path):
    for k in (1, 2, 3, 5):
        cv2.imwrite(str(tmp_path / f'f_{k:04d}.png'), np.full((48, 64, 3), 6 * k, np.uint8))
    run = open_footage({'path': tmp_path / 'f_0001.png', 'fps': 24, 'end': 0.1}).views[0]
    assert len(run.images) == 3 and not needs_proxy(run, 24.0) and needs_proxy(run, 30.0)
    gap = open_footage({'path': tmp_path / 'f_0001.png', 'fps': 24})
    assert shown(
        written(gap, tmp_path / 'clips', 24.0)[gap.views[0].name], tmp_path / 'f_0001.png'
    ) == [0, 1, 2, 2, 3]
    photo = open_footage({'path': tmp_path / 'f_0005.png', 'kind': 'photo'}).views[0]
    assert not needs_proxy(photo, 24.0)


def test_photos_that_blender_does_not_read(tmp_path):
    """HEIC, AVIF and portable pixmaps: written again as PNG."""
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    picture = Image.fromarray(np.full((48, 64, 3), 90, np.uint8))
    for name in ('a.heic', 'b.avif', 'c.ppm'):
        picture.save(tmp_path / name)
        photo = open_footage({'path': tmp_path / name, 'kind': 'photo'})
        (made,) = written(photo, tmp_path / 'clips', 24.0).values()
        assert np.abs(cv2.imread(made['path']).astype(int) - 90).max() < 4


def small(picture) -> np.ndarray:
    return cv2.resize(picture, (96, 54), interpolation=cv2.INTER_AREA).astype(np.float32)


@pytest.mark.skipif(not CASES.exists(), reason='needs ../shared/data/cases')
@pytest.mark.parametrize(
    'name, rate',
    [
        ('cases/video/android_jitter_lowlight_90k.mp4', None),
        ('cases/video/h264_bframes.avi', None),
        ('videos/grid_bbaf2n.mpg', None),
        ('videos/pyfeat_single_face_smile.mp4', 24.0),
    ],
)
def test_each_scene_frame_shows_the_picture_that_was_tracked(tmp_path, name, rate):
    footage = open_footage({'path': CASES.parent / name, 'end': 2.0})
    view = footage.views[0]
    rate = rate or view.fps
    (clip,) = written(footage, tmp_path, rate).values()
    source = np.array([small(p) for p in read_frames(view)])
    wanted = pictures_at(
        view.times, view.times[0], rate, frame_count(view.times[-1] - view.times[0], rate)
    )
    with av.open(clip['path']) as container:
        shown_here = np.array(
            [small(f.to_ndarray(format='rgb24')) for f in container.decode(video=0)]
        )
    assert len(shown_here) == len(wanted)
    apart = np.array([np.abs(source - p).mean((1, 2, 3)) for p in shown_here])
    assert (apart[np.arange(len(wanted)), wanted] <= apart.min(1) + 0.05).all()


@pytest.mark.skipif(not CASES.exists(), reason='needs ../shared/data/cases')
def test_a_photo_that_is_stored_turned(tmp_path):
    turned = open_footage({'path': CASES / 'photos' / 'exif6.jpg', 'kind': 'photo'})
    made = written(turned, tmp_path, 24.0)[turned.views[0].name]['path']
    assert cv2.imread(made).shape[1::-1] == turned.views[0].size
