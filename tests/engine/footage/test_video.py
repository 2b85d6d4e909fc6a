"""Videos of every kind, and broken ones."""

import os
import sys
from fractions import Fraction
from pathlib import Path

import films
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage import open_footage, read_frames

COUNT = 12
RED, GREEN = (220, 30, 30), (30, 220, 30)


def clip(count=COUNT, size=(64, 48)):
    return [films.picture(i, size) for i in range(count)]


def opened(path, **source):
    return open_footage([{'path': path, **source}]).views[0]


@pytest.mark.parametrize(
    'name, options',
    [
        ('a.mp4', {}),
        ('with b frames.mp4', {'codec': 'libx264'}),
        ('a.avi', {}),
        ('a.mpg', {'codec': 'mpeg1video'}),
        ('a.h264', {'codec': 'libx264'}),
        ('a.webm', {'codec': 'libvpx-vp9'}),
        ('ten bits.mkv', {'codec': 'ffv1', 'pixels': 'yuv420p10le'}),
        ('alpha.mkv', {'codec': 'ffv1', 'pixels': 'bgra'}),
        ('prores.mov', {'codec': 'prores_ks', 'pixels': 'yuv422p10le'}),
        ('motion jpeg.mov', {'codec': 'mjpeg', 'pixels': 'yuvj420p'}),
        ('naïve Gesichter 顔.mp4', {}),
    ],
)
def test_every_kind(tmp_path, name, options):
    view = opened(films.write_video(tmp_path / name, clip(), **options))
    frames = list(read_frames(view))
    assert (
        view.size == (64, 48)
        and view.kind == 'video'
        and view.fps == 25
        and view.sound_start is None
    )
    np.testing.assert_allclose(view.times, np.arange(COUNT) / 25, atol=1e-6)
    assert [films.column(f) for f in frames] == list(range(COUNT))
    assert all(
        f.shape == (48, 64, 3) and f.dtype == np.uint8 and f.flags.c_contiguous for f in frames
    )
    assert (
        np.abs(frames[0][2, 2].astype(int) - RED).max() < 16
        and np.abs(frames[0][2, -3].astype(int) - GREEN).max() < 16
    )


@pytest.mark.parametrize('pixels', ['gray', 'gray16le'])
def test_grey(tmp_path, pixels):
    frame = next(
        read_frames(
            opened(films.write_video(tmp_path / 'a.mkv', clip(1), codec='ffv1', pixels=pixels))
        )
    )
    assert (frame[2, 2] == frame[2, 2, 0]).all() and abs(
        int(frame[2, 2, 0]) - 87
    ) < 3  # .299·220 + .701·30


@pytest.mark.parametrize('size', [(65, 47), (17, 33), (1, 1)])
def test_odd_sizes(tmp_path, size):
    frames = [np.full((size[1], size[0], 3), 77, np.uint8)] * 2
    view = opened(films.write_video(tmp_path / 'a.mkv', frames, codec='ffv1', pixels='bgr0'))
    assert view.size == size and all(
        (f == 77).all() and f.shape == (size[1], size[0], 3) for f in read_frames(view)
    )


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


@pytest.mark.parametrize(
    'rate',
    [
        Fraction(30000, 1001),
        Fraction(24000, 1001),
        Fraction(60000, 1001),
        Fraction(10),
        Fraction(25, 2),
    ],
)
def test_the_true_rate(tmp_path, rate):
    view = opened(films.write_video(tmp_path / 'a.mp4', clip(60), rate=rate))
    assert view.fps == float(rate)
    np.testing.assert_allclose(view.times, np.arange(60) / float(rate), atol=1e-4)


def test_what_an_edit_list_cuts_off_is_not_shown(tmp_path, caplog):
    import av

    with av.open(
        str(tmp_path / 'a.mp4'),
        'w',
        options={
            'avoid_negative_ts': 'disabled',
            'use_editlist': '1',
            'movflags': '+negative_cts_offsets',
        },
    ) as container:
        stream = container.add_stream('libx264', rate=25, options={'bf': '2', 'crf': '4'})
        stream.width, stream.height, stream.pix_fmt = 640, 16, 'yuv420p'
        for i, picture in enumerate(clip(20, (640, 16))):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = i - 6, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    view = opened(tmp_path / 'a.mp4')
    assert [films.column(f) for f in read_frames(view)] == list(range(6, 20)) and view.times[0] == 0
    assert [films.column(f) for f in read_frames(view, [5, 13])] == [
        11,
        19,
    ] and 'early' not in caplog.text


@pytest.mark.parametrize('late', [0, 0.4, -0.2])
@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'mov'])
def test_when_the_sound_starts(tmp_path, suffix, late):
    path = films.write_video(tmp_path / f'a.{suffix}', clip(), sound=True, late=late)
    assert opened(path).sound_start + films.beep(path) == pytest.approx(late + 0.1, abs=0.003)


def test_the_start_of_the_sound_is_the_file_s_whatever_is_used_of_it(tmp_path):
    path = films.write_video(tmp_path / 'a.mp4', clip(), sound=True, late=0.3)
    assert (
        opened(path, start=0.2, offset=5.0).sound_start
        == opened(path).sound_start
        == pytest.approx(0.3, abs=0.07)
    )


@pytest.mark.parametrize(
    'name, start',
    [('audio_in_step.mp4', 0), ('audio_starts_late.mp4', 0.478), ('audio_starts_late.mkv', 0.494)],
)
def test_sound_that_starts_late(shared_data, name, start):
    assert opened(shared_data / 'cases' / 'video' / name).sound_start == pytest.approx(
        start, abs=0.002
    )


@pytest.fixture(scope='module')
def long_clip(tmp_path_factory):
    """150 frames, a key frame every 12, B frames between."""
    return films.write_video(
        tmp_path_factory.mktemp('clip') / 'long.mp4',
        clip(150, (640, 16)),
        codec='libx264',
        options={'g': '12', 'bf': '2', 'crf': '4'},
    )


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 149), max_size=12))
def test_any_frames_can_be_picked(long_clip, wanted):
    wanted = sorted(wanted)
    assert [films.column(f) for f in read_frames(opened(long_clip), wanted)] == wanted


@pytest.fixture(
    scope='module', params=['mpg', 'vob', 'ts', 'avi', 'mkv', 'mov', 'flv', 'wmv', 'webm']
)
def other_clip(request, tmp_path_factory):
    """60 frames in other containers, a key frame every 12, with B frames where there can be."""
    codec = {
        'mpg': 'mpeg1video',
        'vob': 'mpeg2video',
        'wmv': 'wmv2',
        'webm': 'libvpx',
        'flv': 'flv',
    }.get(request.param, 'libx264')
    options = {'g': '12'} | {
        'libx264': {'bf': '2', 'crf': '4'},
        'mpeg1video': {'bf': '2'},
        'mpeg2video': {'bf': '2'},
    }.get(codec, {})
    return films.write_video(
        tmp_path_factory.mktemp('others') / f'a.{request.param}',
        clip(60, (320, 16)),
        codec=codec,
        options=options,
    )


@pytest.mark.parametrize(
    'wanted', [[59], [57, 58, 59], [0, 30, 58], [11, 12, 13, 47, 48, 49], list(range(60))]
)
def test_any_frame_of_other_containers(other_clip, wanted):
    def close(a, b):
        return np.abs(a.astype(int) - b).mean() < 1

    view = opened(other_clip)
    every = list(read_frames(view))
    assert len(view.times) == 60 and (np.diff(view.times) > 0.03).all()
    assert all(abs(films.column(f) - k) <= 1 for k, f in enumerate(every))
    assert [films.column(f) for f in every] == sorted(films.column(f) for f in every)
    assert all(close(f, every[k]) for k, f in zip(wanted, read_frames(view, wanted)))
    late = opened(other_clip, start=float(view.times[57]))
    assert [close(f, every[57 + k]) for k, f in enumerate(read_frames(late))] == [True] * 3


def test_b_frames_in_a_file_that_has_no_times_for_them(tmp_path):
    path = films.write_video(
        tmp_path / 'a.avi',
        clip(40, (640, 16)),
        codec='libx264',
        options={'g': '12', 'bf': '3', 'crf': '4'},
    )
    view, replaced = opened(path), []
    assert [films.column(f) for f in read_frames(view, replaced=replaced)] == list(
        range(40)
    ) and replaced == []
    assert [films.column(f) for f in read_frames(view, [17, 18, 39])] == [17, 18, 39]
    np.testing.assert_allclose(view.times, np.arange(40) / 25, atol=1e-6)


def test_two_pictures_at_one_time(tmp_path):
    """Such a clip's other times stay what they are."""
    from facewright.engine.footage.video import _seconds

    times = _seconds(np.array([100, 200, 200, 400, 500]), Fraction(1, 100))
    np.testing.assert_allclose(times, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(_seconds(np.array([0, 100, 100]), Fraction(1, 100)), [0, 1, 1.5])


def test_the_default_stream(tmp_path):
    small, large = clip(5), [np.full((96, 128, 3), 200, np.uint8)] * 5
    assert opened(films.write_two_streams(tmp_path / 'a.mkv', small, large, 0)).size == (64, 48)
    assert opened(films.write_two_streams(tmp_path / 'b.mkv', small, large, 1)).size == (128, 96)
    assert opened(films.write_two_streams(tmp_path / 'c.mkv', large, small, 1)).size == (64, 48)
    assert opened(films.write_two_streams(tmp_path / 'd.mkv', small, large, None)).size == (64, 48)
    assert [films.column(f) for f in read_frames(opened(tmp_path / 'a.mkv'))] == list(range(5))


@pytest.mark.parametrize(
    'name',
    [
        '12:30 take.mp4',
        'http:a.mp4',
        'file:b.mp4',
        'take %03d.mp4',
        '100%.mkv',
        'a|b.mp4',
        '-i.mp4',
        '[x]{y}.mov',
    ],
)
@pytest.mark.skipif(sys.platform == 'win32', reason='Windows forbids most of these names')
def test_odd_names_relative_and_whole(tmp_path, monkeypatch, name):
    films.write_video(tmp_path / 'plain.mp4', clip(3), sound=True).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (name, Path(name), tmp_path / name):
        assert [films.column(f) for f in read_frames(opened(path))] == [0, 1, 2]


def test_a_playlist_opens_no_other_file(tmp_path):
    films.write_video(tmp_path / 'a.ts', clip(3), codec='libx264')
    for name, text in (
        ('a.m3u8.mp4', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n'),
        ('b.mp4', 'ffconcat version 1.0\nfile a.ts\n'),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(FacewrightError):
            opened(tmp_path / name)


def yuv(colour, kr, kb, full=False):
    """8-bit RGB → (Y, U, V) of 10 bits by a matrix's weights of red and blue."""
    r, g, b = np.array(colour) / 255
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    return tuple(
        np.rint(
            (1023 * y, 512 + 1023 * u, 512 + 1023 * v)
            if full
            else (64 + 876 * y, 512 + 896 * u, 512 + 896 * v)
        ).astype(int)
    )


BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)


@pytest.mark.parametrize('full', [False, True])
@pytest.mark.parametrize(
    'matrix, weights, size',
    [
        (6, BT601, (64, 48)),
        (1, BT709, (64, 48)),
        (9, BT2020, (64, 48)),
        (2, BT601, (64, 48)),
        (2, BT709, (1280, 16)),
        (2, BT709, (16, 720)),
        (6, BT601, (1280, 16)),
        (2, BT601, (720, 576)),
    ],
)
def test_matrices_and_ranges(tmp_path, matrix, weights, size, full):
    for colour in ((200, 30, 30), (30, 90, 200), (222, 160, 130), (0, 0, 0), (255, 255, 255)):
        path = films.write_tagged(
            tmp_path / 'a.mkv', yuv(colour, *weights, full), matrix, full, size=size, count=1
        )
        assert np.abs(next(read_frames(opened(path)))[4, 4].astype(int) - colour).max() <= 3
        path.unlink()


def hdr(colour, transfer):
    """Encode a display's 8-bit RGB as an HLG or PQ signal in BT.2020's primaries (BT.2100).

    The display has gamma 2.4 and a white of 203 cd/m²; the signal is 0 to 1.
    """
    wide = (
        np.array(
            [
                [0.627404, 0.329283, 0.043313],
                [0.069097, 0.919541, 0.011362],
                [0.016391, 0.088013, 0.895595],
            ]
        )
        @ (np.array(colour) / 255) ** 2.4
        * 203
    )
    if transfer == 'PQ':
        power = (wide / 10000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    scene = (wide / 1000) ** (1 / 1.2)
    return np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )


@pytest.mark.parametrize('full', [False, True])
@pytest.mark.parametrize(
    'transfer, number, primaries', [('HLG', 18, 9), ('PQ', 16, 9), ('HLG', 18, 2)]
)
def test_hdr_is_converted_and_said(tmp_path, transfer, number, primaries, full):
    for colour in (
        (200, 30, 30),
        (30, 180, 60),
        (60, 40, 200),
        (222, 160, 130),
        (0, 0, 0),
        (250, 250, 250),
    ):
        signal = hdr(colour, transfer) * 255
        path = films.write_tagged(
            tmp_path / 'a.mkv', yuv(signal, *BT2020, full), 9, full, number, primaries, count=1
        )
        view = opened(path)
        assert view.colours == f'HDR ({transfer}) converted to BT.709'
        assert np.abs(next(read_frames(view))[4, 4].astype(int) - colour).max() <= 6
        path.unlink()


def test_hdr_is_not_shown_as_it_is(tmp_path, long_clip):
    from facewright.engine.footage.video import shown_right_by_counting

    assert shown_right_by_counting(long_clip)
    assert not shown_right_by_counting(
        films.write_tagged(tmp_path / 'a.mkv', (400, 512, 512), 9, False, 18, 9, count=5)
    )


def test_what_is_brighter_than_white_is_white(tmp_path):
    path = films.write_tagged(tmp_path / 'a.mkv', (940, 512, 512), 9, False, 16, 9)
    assert (next(read_frames(opened(path))) == 255).all()


def test_wide_primaries_without_hdr(tmp_path):
    """BT.709's red in BT.2020's and P3's primaries."""
    for primaries, wide in (
        (9, (0.627404, 0.069097, 0.016391)),
        (12, (0.822462, 0.033194, 0.017083)),
    ):
        colour = 255 * np.array(wide) ** (1 / 2.4)
        path = films.write_tagged(
            tmp_path / f'{primaries}.mkv', yuv(colour, *BT709), 1, False, 1, primaries
        )
        view = opened(path)
        frame = next(read_frames(view))[4, 4].astype(int)
        assert frame[0] >= 252 and frame[1:].max() <= 24 and 'converted to BT.709' in view.colours


@pytest.mark.parametrize('matrix', [8, 10, 12, 14, 15])
def test_colours_of_an_unknown_kind_are_read_and_said(tmp_path, matrix):
    view = opened(films.write_tagged(tmp_path / 'a.mkv', yuv((130, 120, 110), *BT709), matrix))
    assert (
        np.abs(next(read_frames(view))[4, 4].astype(int) - (130, 120, 110)).max() < 8
        and 'may be wrong' in view.colours
    )


def test_pictures_that_cannot_be_converted_are_said(long_clip, monkeypatch):
    from facewright.engine.footage import colours

    def fails(frame):
        raise ValueError('Conversion to numpy array with format `vaapi` is not yet supported')

    monkeypatch.setattr(colours, 'to_rgb', fails)
    with pytest.raises(
        FacewrightError, match=r'of a kind that cannot be read \(yuv420p\): convert it to MP4'
    ):
        next(read_frames(opened(long_clip)))


def test_ordinary_colours_are_left_alone(long_clip):
    assert opened(long_clip).colours == ''


def test_frames_must_increase(long_clip):
    for wrong in ([3, 2], [2, 2], [-1], [150]):
        with pytest.raises(ValueError):
            list(read_frames(opened(long_clip), wrong))


def test_in_out_and_offset(long_clip):
    view = opened(long_clip, start=1.0, end=2.0, offset=0.5, name='front')
    assert (
        view.first == 25
        and len(view.times) == 25
        and view.times[0] == pytest.approx(1.5)
        and view.name == 'front'
    )
    assert [films.column(f) for f in read_frames(view)] == list(range(25, 50))
    assert [films.column(f) for f in read_frames(view, [0, 24])] == [25, 49]


@pytest.mark.parametrize(
    'times, said',
    [
        (
            {'start': 50.0},
            r'no frame lies at or after the start \(50 s\); '
            r'its frames are from 0 to 5\.96 s: choose',
        ),
        ({'end': -1.0}, r'no frame lies before the end \(-1 s\); its'),
        ({'start': 2.0, 'end': 1.0}, r'the end \(1 s\) does not come after the start \(2 s\)'),
        ({'start': 50.0, 'end': 60.0}, r'between the start \(50 s\) and the end \(60 s\)'),
    ],
)
def test_nothing_between_in_and_out(long_clip, times, said):
    with pytest.raises(FacewrightError, match=said) as caught:
        opened(long_clip, **times)
    assert 'inf' not in str(caught.value)


def test_a_clip_of_one_frame(tmp_path):
    path = films.write_video(tmp_path / 'a.mp4', clip(1))
    assert len(opened(path).times) == 1
    with pytest.raises(FacewrightError, match='has one frame, at 0 s, and it is left out'):
        opened(path, start=1.0)


def test_lens(long_clip):
    assert opened(long_clip).camera.focal is None
    assert opened(long_clip, focal_px=700.0).camera.focal == 700
    view = opened(
        films.write_video(long_clip.parent / 'wide.mp4', clip(1, (360, 240))), lens_mm=50.0
    )
    assert view.camera.focal == pytest.approx(500) and view.camera.centre == (180, 120)


def test_two_views_with_one_name_are_told_apart(long_clip):
    assert [v.name for v in open_footage([long_clip, {'path': long_clip}]).views] == [
        'long',
        'long_2',
    ]


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path, caplog):
    whole = films.write_video(tmp_path / 'a.mkv', clip(60), codec='libx264')
    (tmp_path / 'cut.mkv').write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    view = opened(tmp_path / 'cut.mkv')
    frames = list(read_frames(view))
    assert 10 < len(frames) == len(view.times) < 60 and [
        films.column(f) for f in frames[:10]
    ] == list(range(10))


def test_a_frame_damaged_in_the_middle_is_survived_and_said(tmp_path, caplog):
    whole = films.write_video(
        tmp_path / 'a.mkv', clip(40, (640, 16)), codec='mjpeg', pixels='yuvj420p'
    )
    data = bytearray(whole.read_bytes())
    places = [i for i in range(len(data) - 1) if data[i : i + 3] == b'\xff\xd8\xff']
    data[places[20] : places[21] - 40] = bytes(places[21] - 40 - places[20])
    (tmp_path / 'b.mkv').write_bytes(data)
    frames = list(read_frames(opened(tmp_path / 'b.mkv')))
    got = [films.column(f) for f in frames]
    assert got[:20] == list(range(20)) and got[21:] == list(range(21, 40)) and got[20] in (19, 20)
    assert got[20] == 20 or 'frame 20' in caplog.text


@pytest.mark.parametrize(
    'make, said',
    [
        (lambda p: None, 'no file'),
        (lambda p: p.write_bytes(b''), 'empty'),
        (lambda p: p.write_bytes(b'This is no video at all. ' * 50), 'not a video'),
        (lambda p: p.write_bytes(bytes(5000)), 'not a video'),
        (films.write_sound, 'only sound'),
        (
            lambda p: (films.write_video(p, clip(40)), p.write_bytes(p.read_bytes()[:1500])),
            'not a video',
        ),
        (lambda p: p.mkdir(), 'no images'),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, make, said):
    path = tmp_path / 'my clip.mp4'
    make(path)
    with pytest.raises(FacewrightError, match=said) as caught:
        opened(path)
    assert (
        'my clip.mp4' in str(caught.value)
        and ': ' in str(caught.value)
        and '\n' not in str(caught.value)
    )


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes with names here')
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / 'a.mp4')
    with pytest.raises(FacewrightError, match='no file or folder'):
        opened(tmp_path / 'a.mp4')


def test_a_name_too_long():
    with pytest.raises(FacewrightError, match=r'cannot be read|no file'):
        opened('x' * 3000 + '.mp4')


def test_a_video_without_frames(tmp_path):
    import av

    with av.open(str(tmp_path / 'a.mkv'), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        container.start_encoding()
    with pytest.raises(FacewrightError, match=r'holds no readable frame|not a video'):
        opened(tmp_path / 'a.mkv')


def test_a_picture_size_that_changes(tmp_path):
    """As a screen recorder writes it when the window changes: the first size counts."""
    parts = [
        films.write_video(tmp_path / f'{k}.h264', clip(6, size), codec='libx264').read_bytes()
        for k, size in enumerate([(64, 48), (128, 96)])
    ]
    (tmp_path / 'a.h264').write_bytes(b''.join(parts))
    view = opened(tmp_path / 'a.h264')
    frames = list(read_frames(view))
    assert (
        view.size == (64, 48)
        and len(frames) == len(view.times) == 12
        and all(f.shape == (48, 64, 3) for f in frames)
    )
    assert [films.column(f) for f in frames[:6]] == list(range(6)) and np.abs(
        frames[11][2, 2].astype(int) - RED
    ).max() < 25


@pytest.mark.parametrize(
    'source, said',
    [
        ({'path': 'x.mp4', 'speed': 2}, 'speed'),
        ({'name': 'x'}, 'path'),
        ({'path': ''}, 'path'),
        ({'path': 'x.mp4', 'lens_mm': 0}, 'lens_mm'),
        ({'path': 'x.mp4', 'offset': float('nan')}, 'offset'),
        ({'path': 'x.mp4', 'start': 'soon'}, 'start'),
        ({'path': 'x.mp4', 'kind': 'film'}, 'kind'),
    ],
)
def test_a_source_that_makes_no_sense(source, said):
    with pytest.raises(FacewrightError, match=said):
        open_footage([source])


def test_no_sources():
    with pytest.raises(FacewrightError):
        open_footage([])


def test_a_frame_that_cannot_be_decoded_is_named(tmp_path):
    whole = films.write_video(
        tmp_path / 'a.mkv', clip(20, (640, 16)), codec='mjpeg', pixels='yuvj420p'
    )
    data = bytearray(whole.read_bytes())
    places = [i for i in range(len(data) - 1) if data[i : i + 3] == b'\xff\xd8\xff']
    data[places[9] : places[10] - 40] = bytes(places[10] - 40 - places[9])
    (tmp_path / 'b.mkv').write_bytes(data)
    replaced, view = [], opened(tmp_path / 'b.mkv', start=0.2)
    frames = [films.column(f) for f in read_frames(view, replaced=replaced)]
    assert replaced == [9 - view.first] and frames == [*range(5, 9), 8, *range(10, 20)]


def test_the_last_group_of_a_program_stream(shared_data):
    for path in sorted((shared_data / 'videos').glob('grid_*.mpg'))[:4]:
        every, replaced = list(read_frames(opened(path))), []
        for start in (2.9, 2.85, 2.6, 1.0):
            view = opened(path, start=start)
            assert all(
                (a == b).all()
                for a, b in zip(
                    read_frames(view, replaced=replaced), every[view.first :], strict=True
                )
            )
        assert replaced == []


def test_cases_of_video(shared_data):
    cases = shared_data / 'cases' / 'video'
    hlg = opened(cases / 'hevc_hlg_10bit.mov')
    red = np.median(next(read_frames(hlg))[336:356, 486:514].reshape(-1, 3), 0)
    assert np.abs(red - (200, 30, 30)).max() <= 6 and hlg.colours == 'HDR (HLG) converted to BT.709'
    assert opened(cases / 'two_streams_second_larger.mp4').size == (640, 360)


def test_b_frames_of_an_avi_are_shown_in_the_decoder_s_order(shared_data):
    import av

    path = shared_data / 'cases' / 'video' / 'h264_bframes.avi'
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    view, replaced = opened(path), []
    assert (
        all(
            (a == b).all()
            for a, b in zip(read_frames(view, replaced=replaced), decoded, strict=True)
        )
        and replaced == []
    )
    np.testing.assert_allclose(view.times, np.arange(36) / 30, atol=1e-6)


def test_a_phone_s_variable_rate(shared_data):
    import av

    path = shared_data / 'cases' / 'video' / 'android_jitter_lowlight_90k.mp4'
    with av.open(str(path)) as container:
        decoded = [
            (frame.time, frame.to_ndarray(format='rgb24')) for frame in container.decode(video=0)
        ]
    view = opened(path)
    np.testing.assert_allclose(view.times, [t - decoded[0][0] for t, _ in decoded], atol=1e-6)
    assert all((a == b).all() for a, (_, b) in zip(read_frames(view), decoded, strict=True))


def test_real_videos_open(shared_data):
    for path in sorted((shared_data / 'videos').glob('grid_b*.mpg')):
        view = opened(path)
        assert len(view.times) == 75 and view.fps == 25 and abs(view.sound_start) < 0.001
        assert sum(1 for _ in read_frames(view, [0, 40, 74])) == 3
    assert opened(shared_data / 'videos' / 'obama_weekly_address_1.mp4').fps == 30000 / 1001
