"""Videos of every kind, and broken ones."""
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import films

from facewright.engine.errors import FacewrightError
from facewright.engine.footage import open_footage, read_frames

COUNT = 12
RED, GREEN = (220, 30, 30), (30, 220, 30)


def clip(count=COUNT, size=(64, 48)):
    return [films.picture(i, size) for i in range(count)]


def opened(path, **source):
    return open_footage([{'path': path, **source}]).views[0]


@pytest.mark.parametrize('name, options', [
    ('a.mp4', {}), ('with b frames.mp4', {'codec': 'libx264'}), ('a.avi', {}), ('a.mpg', {'codec': 'mpeg1video'}), ('a.h264', {'codec': 'libx264'}),
    ('a.webm', {'codec': 'libvpx-vp9'}), ('ten bits.mkv', {'codec': 'ffv1', 'pixels': 'yuv420p10le'}), ('alpha.mkv', {'codec': 'ffv1', 'pixels': 'bgra'}),
    ('prores.mov', {'codec': 'prores_ks', 'pixels': 'yuv422p10le'}), ('motion jpeg.mov', {'codec': 'mjpeg', 'pixels': 'yuvj420p'}),
    ('naïve Gesichter 顔.mp4', {})])
def test_every_kind(tmp_path, name, options):
    view = opened(films.write_video(tmp_path / name, clip(), **options))
    frames = list(read_frames(view))
    assert view.size == (64, 48) and view.kind == 'video' and view.fps == 25 and view.sound_start is None
    np.testing.assert_allclose(view.times, np.arange(COUNT) / 25, atol=1e-6)
    assert [films.column(f) for f in frames] == list(range(COUNT))
    assert all(f.shape == (48, 64, 3) and f.dtype == np.uint8 and f.flags.c_contiguous for f in frames)
    assert np.abs(frames[0][2, 2].astype(int) - RED).max() < 16 and np.abs(frames[0][2, -3].astype(int) - GREEN).max() < 16


@pytest.mark.parametrize('pixels', ['gray', 'gray16le'])
def test_grey(tmp_path, pixels):
    frame = next(read_frames(opened(films.write_video(tmp_path / 'a.mkv', clip(1), codec='ffv1', pixels=pixels))))
    assert (frame[2, 2] == frame[2, 2, 0]).all() and abs(int(frame[2, 2, 0]) - 87) < 3  # .299·220 + .701·30


@pytest.mark.parametrize('size', [(65, 47), (17, 33), (1, 1)])
def test_odd_sizes(tmp_path, size):
    frames = [np.full((size[1], size[0], 3), 77, np.uint8)] * 2
    view = opened(films.write_video(tmp_path / 'a.mkv', frames, codec='ffv1', pixels='bgr0'))
    assert view.size == size and all((f == 77).all() and f.shape == (size[1], size[0], 3) for f in read_frames(view))


@pytest.mark.parametrize('counter_clockwise', [90, 180, 270])
def test_the_rotation_flag(tmp_path, counter_clockwise):
    view = opened(films.write_video(tmp_path / 'a.mp4', clip(2), turn=counter_clockwise))
    upright = np.rot90(clip(1)[0], counter_clockwise // 90)
    assert view.size == upright.shape[1::-1] and view.rotation == -counter_clockwise % 360
    assert np.abs(next(read_frames(view)).astype(int) - upright).mean() < 12


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    stamps = [0, 40, 90, 130, 300, 340, 380, 420, 500, 540, 580, 620]
    view = opened(films.write_video(tmp_path / 'a.mkv', clip(), stamps=stamps))
    np.testing.assert_allclose(view.times, np.array(stamps) / 1000, atol=1e-6)
    assert [films.column(f) for f in read_frames(view)] == list(range(COUNT))


@pytest.mark.parametrize('rate', [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60000, 1001), Fraction(10), Fraction(25, 2)])
def test_the_true_rate(tmp_path, rate):
    view = opened(films.write_video(tmp_path / 'a.mp4', clip(60), rate=rate))
    assert view.fps == float(rate)
    np.testing.assert_allclose(view.times, np.arange(60) / float(rate), atol=1e-4)


def test_what_an_edit_list_cuts_off_is_not_shown(tmp_path, caplog):
    import av
    with av.open(str(tmp_path / 'a.mp4'), 'w', options={'avoid_negative_ts': 'disabled', 'use_editlist': '1', 'movflags': '+negative_cts_offsets'}) as container:
        stream = container.add_stream('libx264', rate=25, options={'bf': '2', 'crf': '4'})
        stream.width, stream.height, stream.pix_fmt = 640, 16, 'yuv420p'
        for i, picture in enumerate(clip(20, (640, 16))):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = i - 6, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    view = opened(tmp_path / 'a.mp4')
    assert [films.column(f) for f in read_frames(view)] == list(range(6, 20)) and view.times[0] == 0
    assert [films.column(f) for f in read_frames(view, [5, 13])] == [11, 19] and 'early' not in caplog.text


@pytest.mark.parametrize('late', [0, .4, -.2])
@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'mov'])
def test_when_the_sound_starts(tmp_path, suffix, late):
    path = films.write_video(tmp_path / f'a.{suffix}', clip(), sound=True, late=late)
    assert opened(path).sound_start + films.beep(path) == pytest.approx(late + .1, abs=.003)


def test_the_start_of_the_sound_is_the_file_s_whatever_is_used_of_it(tmp_path):
    path = films.write_video(tmp_path / 'a.mp4', clip(), sound=True, late=.3)
    assert opened(path, start=.2, offset=5.).sound_start == opened(path).sound_start == pytest.approx(.3, abs=.07)


@pytest.mark.parametrize('name, start', [('audio_in_step.mp4', 0), ('audio_starts_late.mp4', .478), ('audio_starts_late.mkv', .494)])
def test_sound_that_starts_late(shared_data, name, start):
    assert opened(shared_data / 'cases' / 'video' / name).sound_start == pytest.approx(start, abs=.002)


@pytest.fixture(scope='module')
def long_clip(tmp_path_factory):
    """150 frames, a key frame every 12, B frames between."""
    return films.write_video(tmp_path_factory.mktemp('clip') / 'long.mp4', clip(150, (640, 16)), codec='libx264', options={'g': '12', 'bf': '2', 'crf': '4'})


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 149), max_size=12))
def test_any_frames_can_be_picked(long_clip, wanted):
    wanted = sorted(wanted)
    assert [films.column(f) for f in read_frames(opened(long_clip), wanted)] == wanted


def test_frames_must_increase(long_clip):
    for wrong in ([3, 2], [2, 2], [-1], [150]):
        with pytest.raises(ValueError):
            list(read_frames(opened(long_clip), wrong))


def test_in_out_and_offset(long_clip):
    view = opened(long_clip, start=1., end=2., offset=.5, name='front')
    assert view.first == 25 and len(view.times) == 25 and view.times[0] == pytest.approx(1.5) and view.name == 'front'
    assert [films.column(f) for f in read_frames(view)] == list(range(25, 50))
    assert [films.column(f) for f in read_frames(view, [0, 24])] == [25, 49]


def test_nothing_between_in_and_out(long_clip):
    with pytest.raises(FacewrightError, match='start'):
        opened(long_clip, start=50.)


def test_lens(long_clip):
    assert opened(long_clip).camera.focal is None
    assert opened(long_clip, focal_px=700.).camera.focal == 700
    view = opened(films.write_video(long_clip.parent / 'wide.mp4', clip(1, (360, 240))), lens_mm=50.)
    assert view.camera.focal == pytest.approx(500) and view.camera.centre == (180, 120)


def test_two_views_with_one_name_are_told_apart(long_clip):
    assert [v.name for v in open_footage([long_clip, {'path': long_clip}]).views] == ['long', 'long_2']


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path, caplog):
    whole = films.write_video(tmp_path / 'a.mkv', clip(60), codec='libx264')
    (tmp_path / 'cut.mkv').write_bytes(whole.read_bytes()[:whole.stat().st_size * 2 // 3])
    view = opened(tmp_path / 'cut.mkv')
    frames = list(read_frames(view))
    assert 10 < len(frames) == len(view.times) < 60 and [films.column(f) for f in frames[:10]] == list(range(10))


def test_a_frame_damaged_in_the_middle_is_survived_and_said(tmp_path, caplog):
    whole = films.write_video(tmp_path / 'a.mkv', clip(40, (640, 16)), codec='mjpeg', pixels='yuvj420p')
    data = bytearray(whole.read_bytes())
    places = [i for i in range(len(data) - 1) if data[i:i + 3] == b'\xff\xd8\xff']
    data[places[20]:places[21] - 40] = bytes(places[21] - 40 - places[20])
    (tmp_path / 'b.mkv').write_bytes(data)
    frames = list(read_frames(opened(tmp_path / 'b.mkv')))
    got = [films.column(f) for f in frames]
    assert got[:20] == list(range(20)) and got[21:] == list(range(21, 40)) and got[20] in (19, 20)
    assert got[20] == 20 or 'frame 20' in caplog.text


@pytest.mark.parametrize('make, said', [
    (lambda p: None, 'no file'), (lambda p: p.write_bytes(b''), 'empty'), (lambda p: p.write_bytes(b'This is no video at all. ' * 50), 'not a video'),
    (lambda p: p.write_bytes(bytes(5000)), 'not a video'), (films.write_sound, 'only sound'),
    (lambda p: (films.write_video(p, clip(40)), p.write_bytes(p.read_bytes()[:1500])), 'not a video'),
    (lambda p: p.mkdir(), 'no images')])
def test_what_cannot_be_used_is_said(tmp_path, make, said):
    path = tmp_path / 'my clip.mp4'
    make(path)
    with pytest.raises(FacewrightError, match=said) as caught:
        opened(path)
    assert 'my clip.mp4' in str(caught.value) and ': ' in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('source, said', [
    ({'path': 'x.mp4', 'speed': 2}, 'speed'), ({'name': 'x'}, 'path'), ({'path': ''}, 'path'), ({'path': 'x.mp4', 'lens_mm': 0}, 'lens_mm'),
    ({'path': 'x.mp4', 'offset': float('nan')}, 'offset'), ({'path': 'x.mp4', 'start': 'soon'}, 'start'), ({'path': 'x.mp4', 'kind': 'film'}, 'kind')])
def test_a_source_that_makes_no_sense(source, said):
    with pytest.raises(FacewrightError, match=said):
        open_footage([source])


def test_no_sources():
    with pytest.raises(FacewrightError):
        open_footage([])


def test_real_videos_open(shared_data):
    for path in sorted((shared_data / 'videos').glob('grid_b*.mpg')):
        view = opened(path)
        assert len(view.times) == 75 and view.fps == 25 and abs(view.sound_start) < .001
        assert sum(1 for _ in read_frames(view, [0, 40, 74])) == 3
    assert opened(shared_data / 'videos' / 'obama_weekly_address_1.mp4').fps == 30000 / 1001
