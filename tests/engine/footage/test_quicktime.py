"""The lens a clip names, wherever a phone writes it, and files that name none."""

import math
import struct

import films
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.engine.footage import open_footage
from facewright.engine.footage.quicktime import FOCAL_KEYS, focal_35mm
from facewright.engine.footage.sources import VIDEO_CROP

KEY = FOCAL_KEYS[0].encode()
OTHER = b'com.apple.quicktime.camera.lens_model'
TEXT, FLOAT, DOUBLE = 1, 23, 24
INTEGERS = {21: 'b', 22: 'B', 65: 'b', 66: 'h', 67: 'i', 74: 'q', 75: 'B', 76: 'H', 77: 'I'}
PLACES = 'moov', 'moov/udta', 'moov/trak', 'moov/trak/udta'


def atom(name, content):
    return struct.pack('>I4s', 8 + len(content), name) + content


def item(number, kind, value):
    data = atom(b'data', struct.pack('>II', kind, 0) + value)
    return struct.pack('>II', 8 + len(data), number) + data


def metadata(kind, value, full=False):
    """Make a `meta` atom of two keys, the second the lens; full: as MP4 writes it."""
    keys = atom(b'keys', struct.pack('>II', 0, 2) + atom(b'mdta', OTHER) + atom(b'mdta', KEY))
    ilst = atom(b'ilst', item(1, TEXT, b'a back camera') + item(2, kind, value))
    handler = atom(b'hdlr', bytes(8) + b'mdta' + bytes(13))
    return atom(b'meta', (bytes(4) if full else b'') + handler + keys + ilst)


def with_metadata(movie, place, meta):
    """Put an atom at a place of a movie whose pictures lie before its `moov`."""
    if not place:
        return movie + meta
    first, _, rest = place.partition('/')
    out, at, found = b'', 0, False
    while at < len(movie):
        size, name = struct.unpack_from('>I4s', movie, at)
        content = movie[at + 8 : at + size]
        if name == first.encode():
            content, found = with_metadata(content, rest, meta), True
        out, at = out + atom(name, content), at + size
    return out if found else out + atom(first.encode(), with_metadata(b'', rest, meta))


@pytest.fixture(scope='module')
def movie(tmp_path_factory):
    path = tmp_path_factory.mktemp('lens') / 'a.mov'
    films.write_video(path, [np.zeros((240, 360, 3), np.uint8)] * 2)
    return path.read_bytes()


@pytest.mark.parametrize('full', [False, True])
@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize(
    ('kind', 'value'),
    [
        (TEXT, b'50'),
        (FLOAT, struct.pack('>f', 50)),
        (DOUBLE, struct.pack('>d', 50)),
        *((kind, struct.pack('>' + letter, 50)) for kind, letter in INTEGERS.items()),
    ],
)
def test_the_lens_is_found_wherever_it_is_and_however_it_is_written(
    tmp_path, movie, place, kind, value, full
):
    path = tmp_path / 'a.mov'
    path.write_bytes(with_metadata(movie, place, metadata(kind, value, full)))
    assert focal_35mm(path) == 50


def test_a_clip_is_seen_through_the_lens_its_picture_track_names_but_the_users_wins(
    tmp_path, movie
):
    path = tmp_path / 'a.mov'
    path.write_bytes(with_metadata(movie, 'moov/trak', metadata(67, struct.pack('>i', 50))))
    camera = open_footage([path]).views[0].camera
    assert camera.focal is None and camera.focal_from_file, 'the lens as built: the crop is unknown'
    assert camera.focal_guess == pytest.approx(VIDEO_CROP * 500)
    own = open_footage([{'path': path, 'lens_mm': 25.0}]).views[0].camera
    assert own.focal == pytest.approx(250)
    assert not own.focal_from_file and own.focal_guess is None


@pytest.mark.parametrize(
    ('kind', 'value'),
    [(TEXT, b'wide'), (FLOAT, struct.pack('>f', math.nan)), (67, struct.pack('>i', -26))]
    + [(TEXT, b''), (FLOAT, b'\0\0'), (67, b''), (99, b'\x1a'), (22, b'\xff' * 200)],
)
def test_what_is_no_lens_is_none(tmp_path, movie, kind, value):
    path = tmp_path / 'a.mov'
    path.write_bytes(with_metadata(movie, 'moov/trak', metadata(kind, value)))
    assert focal_35mm(path) is None
    camera = open_footage([path]).views[0].camera
    assert camera.focal is None and camera.focal_guess is None and not camera.focal_from_file


@pytest.mark.parametrize('lens', [1e-3, 1e30])
def test_a_lens_that_nobody_builds_is_not_believed(tmp_path, movie, lens):
    path = tmp_path / 'a.mov'
    path.write_bytes(with_metadata(movie, 'moov/trak', metadata(DOUBLE, struct.pack('>d', lens))))
    camera = open_footage([path]).views[0].camera
    assert camera.focal is None and camera.focal_guess is None and not camera.focal_from_file


def test_a_file_without_a_word_and_none_that_is_there(tmp_path, movie):
    (tmp_path / 'a.mov').write_bytes(movie)
    assert focal_35mm(tmp_path / 'a.mov') is None
    assert focal_35mm(tmp_path / 'b.mov') is None


@given(st.data())
def test_damaged_files_never_fail(tmp_path_factory, movie, data):
    whole = bytearray(with_metadata(movie, 'moov/trak', metadata(67, struct.pack('>i', 26))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp('damaged') / 'a.mov'
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    focal = focal_35mm(path)
    assert focal is None or (math.isfinite(focal) and focal > 0)
