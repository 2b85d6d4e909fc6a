"""Damaged images: read, or refused in one sentence."""

from __future__ import annotations

import io
import os
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from fuzzing import damaged, fuzzed, survives
from hypothesis import given
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage import open_footage, read_frames
from facewright.engine.footage.footage import Camera, View
from facewright.engine.footage.kinds import kind_of
from facewright.engine.footage.masks import read_user_masks

PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8), (64, 48))
EXIF = b'II*\0\x08\0\0\0\x01\0' + struct.pack('<HHIHH', 0x0112, 3, 1, 6, 0) + bytes(4)


def encoded(suffix: str) -> bytes:
    """The picture as a file of that kind; as JPEG with an orientation."""
    if suffix in ('.tga', '.dpx'):
        pixels = 'bgr24' if suffix == '.tga' else 'rgb24'
        encoder = av.CodecContext.create('targa' if suffix == '.tga' else 'dpx', 'w')
        encoder.height, encoder.width = PICTURE.shape[:2]
        encoder.pix_fmt, encoder.time_base = pixels, Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(PICTURE, format='rgb24').reformat(format=pixels)
        return b''.join(bytes(packet) for packet in encoder.encode(frame))
    if suffix == '.heic':
        return heic()
    os.environ['OPENCV_IO_ENABLE_OPENEXR'] = '1'
    image = PICTURE.astype(np.float32) / 255 if suffix in ('.hdr', '.exr') else PICTURE
    data = cv2.imencode(suffix, image)[1].tobytes()
    if suffix == '.jpg':
        block = b'Exif\0\0' + EXIF
        data = data[:2] + b'\xff\xe1' + struct.pack('>H', len(block) + 2) + block + data[2:]
    return data


def heic() -> bytes:
    """The picture in a grid of tiles, with an orientation."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, 'HEIF', exif=b'Exif\0\0' + EXIF, tile_size=32)
    return stream.getvalue()


def opened(path):
    """Open an image as footage, and read it."""
    view = open_footage(path).views[0]
    picture = next(read_frames(view))
    assert picture.shape == (view.size[1], view.size[0], 3) and picture.dtype == np.uint8
    return picture


SUFFIXES = (
    '.jpg',
    '.png',
    '.tif',
    '.webp',
    '.bmp',
    '.ppm',
    '.jp2',
    '.hdr',
    '.exr',
    '.sr',
    '.tga',
    '.dpx',
    '.heic',
)
VALID = {suffix: encoded(suffix) for suffix in SUFFIXES}


@fuzzed
@given(data=st.sampled_from(SUFFIXES).flatmap(lambda s: damaged(VALID[s]).map(lambda d: (s, d))))
def test_a_damaged_image(tmp_path, data):
    suffix, content = data
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content)
    survives(opened, path)


@fuzzed
@given(
    data=st.sampled_from(('.png', '.tif', '.bmp')).flatmap(
        lambda s: damaged(VALID[s]).map(lambda d: (s, d))
    )
)
def test_a_damaged_mask(tmp_path, data):
    suffix, content = data
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content)
    view = View('v', path, 'photo', (64, 48), 24.0, np.zeros(1), 0, 0, Camera(None, (32, 24)))
    survives(lambda: read_user_masks(path, view).read(0))


@fuzzed
@given(
    start=st.binary(max_size=60), suffix=st.sampled_from((*SUFFIXES, '.json', '.mp4', '', '.txt'))
)
def test_any_bytes_of_any_name(tmp_path, start, suffix):
    path = tmp_path / f'a{suffix}'
    path.write_bytes(start)
    survives(kind_of, path)
    survives(lambda: open_footage(path))


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_the_valid_ones_are_read(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    path.write_bytes(VALID[suffix])
    shown = opened(path)
    assert shown.shape == ((64, 48, 3) if suffix in ('.jpg', '.heic') else (48, 64, 3))


def test_a_mask_of_nothing(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'')
    view = View('v', tmp_path, 'photo', (64, 48), 24.0, np.zeros(1), 0, 0, Camera(None, (32, 24)))
    with pytest.raises(FacewrightError, match='not a readable image'):
        read_user_masks(tmp_path / 'a.png', view)
