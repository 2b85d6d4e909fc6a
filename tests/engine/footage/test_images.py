"""Photos and image sequences: depth, grey, alpha, EXIF, runs."""

import os
import struct
import subprocess
import sys
import zlib
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage import image_formats, images, kinds, open_footage, read_frames
from facewright.engine.footage.exif import exif as read_exif


def save(path, image, exif=None):
    """Write an image file without cv2.imwrite, which cannot write every path; EXIF into a JPEG."""
    data = cv2.imencode(path.suffix, image)[1].tobytes()
    if exif:
        block = b'Exif\0\0' + exif
        data = data[:2] + b'\xff\xe1' + struct.pack('>H', len(block) + 2) + block + data[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def tiff(orientation=None, focal=None, make=False, order='<'):
    """A TIFF block with the tags the reader knows."""
    inner = [(0xA405, 3, focal)] if focal else []
    tags = ([(0x010F, 4, 0)] if make else []) + ([(0x0112, 3, orientation)] if orientation else [])
    at = 8 + 2 + 12 * (len(tags) + bool(inner)) + 4

    def entries(rows):
        return (
            struct.pack(order + 'H', len(rows))
            + b''.join(
                struct.pack(order + 'HHI', t, k, 1)
                + struct.pack(order + ('HH' if k == 3 else 'I'), *((v, 0) if k == 3 else (v,)))
                for t, k, v in rows
            )
            + bytes(4)
        )

    outer = tags + ([(0x8769, 4, at)] if inner else [])
    return (
        {'<': b'II', '>': b'MM'}[order]
        + struct.pack(order + 'HI', 42, 8)
        + entries(outer)
        + (entries(inner) if inner else b'')
    )


def first(path, **source):
    view = open_footage([{'path': path, **source}]).views[0]
    return view, next(read_frames(view))


COLOUR = np.zeros((20, 30, 3), np.uint8)
COLOUR[:, :, 0], COLOUR[:10, :15, 2] = 50, 200  # blue everywhere, red at the top left (BGR)


@pytest.mark.parametrize(
    'name', ['a.png', 'a.bmp', 'a.tif', 'a.webp', 'ein Bild – 画像.png', 'A.PNG']
)
def test_photos(tmp_path, name):
    view, frame = first(
        save(tmp_path / name.replace('PNG', 'png'), COLOUR)
        if name != 'A.PNG'
        else save(tmp_path / 'A.png', COLOUR).rename(tmp_path / name)
    )
    assert view.kind == 'photo' and view.size == (30, 20) and len(view.times) == 1
    assert (
        np.abs(frame[3, 3].astype(int) - (200, 0, 50)).max() < 12
        and np.abs(frame[15, 25].astype(int) - (0, 0, 50)).max() < 12
    )


def test_sixteen_bits(tmp_path):
    np.testing.assert_array_equal(
        first(save(tmp_path / 'a.png', COLOUR.astype(np.uint16) * 257))[1], COLOUR[..., ::-1]
    )
    np.testing.assert_array_equal(
        first(save(tmp_path / 'b.tif', COLOUR.astype(np.uint16) * 257))[1], COLOUR[..., ::-1]
    )


def test_grey_and_sixteen_bit_grey(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for path in (
        save(tmp_path / 'a.png', grey),
        save(tmp_path / 'b.png', grey.astype(np.uint16) * 257),
    ):
        np.testing.assert_array_equal(first(path)[1], grey[..., None].repeat(3, 2))


def exr(path, image, half=False):
    """A scene-linear EXR, H×W×3 float32 BGR."""
    os.environ['OPENCV_IO_ENABLE_OPENEXR'] = '1'
    path.write_bytes(
        cv2.imencode(
            '.exr',
            image,
            [
                cv2.IMWRITE_EXR_TYPE,
                cv2.IMWRITE_EXR_TYPE_HALF if half else cv2.IMWRITE_EXR_TYPE_FLOAT,
            ],
        )[1].tobytes()
    )
    return path


@pytest.mark.parametrize('half', [False, True])
def test_colours_and_alpha_of_exr(tmp_path, half):
    image = np.zeros((6, 8, 4), np.float32)
    image[:] = (0.05, 0.2140, 0.5, 1)
    image[3:, :, 3] = 0
    frame = first(exr(tmp_path / 'a.exr', image, half))[1].astype(int)
    assert np.abs(frame[0, 0] - (188, 127, 63)).max() <= 1 and np.abs(frame[5, 5] - 127).max() <= 1
    assert (
        np.abs(
            first(exr(tmp_path / 'b.exr', image[..., :3], half))[1].astype(int)[5, 5]
            - (188, 127, 63)
        ).max()
        <= 1
    )
    grey = first(exr(tmp_path / 'c.exr', image[..., 1], half))[1].astype(int)
    assert grey.shape == (6, 8, 3) and np.abs(grey - 127).max() <= 1


@pytest.mark.parametrize('depth', [np.uint8, np.uint16])
def test_jpeg_2000(tmp_path, depth):
    image = cv2.resize(COLOUR, (96, 64), interpolation=cv2.INTER_NEAREST).astype(depth) * (
        257 if depth == np.uint16 else 1
    )
    frame = first(save(tmp_path / 'a.jp2', image))[1].astype(int)
    assert (
        np.abs(frame[5, 5] - (200, 0, 50)).max() <= 3
        and np.abs(frame[60, 90] - (0, 0, 50)).max() <= 3
    )
    save(tmp_path / 'b.jp2', image[..., 0])
    assert np.abs(images.read(tmp_path / 'b.jp2').astype(int) - 50).max() <= 3


def test_scene_linear_exr(tmp_path):
    frame = first(exr(tmp_path / 'a.exr', np.full((4, 6, 3), 0.214, np.float32)))[
        1
    ]  # middle grey in light
    assert np.abs(frame.astype(int) - 127).max() <= 1


@pytest.mark.parametrize('name, codec, pixels', [('a.dpx', 'dpx', 'rgb24')])
def test_film_formats(tmp_path, name, codec, pixels):
    import av

    encoder = av.CodecContext.create(codec, 'w')
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = (
        30,
        20,
        pixels,
        Fraction(1, 25),
    )
    (tmp_path / name).write_bytes(
        b''.join(
            bytes(p)
            for p in encoder.encode(
                av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(COLOUR[..., ::-1]), format='rgb24'
                ).reformat(format=pixels)
            )
        )
    )
    view, frame = first(tmp_path / name)
    assert view.kind == 'photo'
    np.testing.assert_array_equal(frame, COLOUR[..., ::-1])


def heic(path, rgb, orientation=1, focal=None, **options):
    """A HEIC photo as phones write it: turned by its own transformation and by EXIF's tag."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    exif = b'Exif\0\0' + tiff(orientation, focal=focal, make=True)
    Image.fromarray(rgb).save(path, 'HEIF', quality=95, exif=exif, **options)
    return path


SHOWN = cv2.resize(COLOUR, (120, 80), interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_heic_is_turned_once(tmp_path, orientation):
    rgb = np.ascontiguousarray(stored(SHOWN, orientation)[..., ::-1])
    view, frame = first(heic(tmp_path / 'IMG_0001.HEIC', rgb, orientation))
    assert view.kind == 'photo' and view.size == (120, 80) and frame.shape == SHOWN.shape
    assert np.abs(frame.astype(int) - SHOWN[..., ::-1]).mean() < 4


def test_the_tiles_of_a_heic_are_joined(tmp_path):
    """As phones store large photos; FFmpeg gives the first tile for the picture."""
    rgb = cv2.resize(COLOUR, (200, 140), interpolation=cv2.INTER_NEAREST)[..., ::-1].copy()
    path = heic(tmp_path / 'a.heic', rgb, tile_size=64)
    assert b'grid' in path.read_bytes()
    frame = first(path)[1]
    assert frame.shape == rgb.shape and np.abs(frame.astype(int) - rgb).mean() < 4


def test_the_lens_and_transparency_of_a_heic(tmp_path):
    path = heic(tmp_path / 'a.heif', np.zeros((240, 360, 3), np.uint8), focal=50)
    assert first(path)[0].camera.focal == pytest.approx(500)
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:32, :, 0], rgba[32:, :, 3] = 200, 255
    frame = first(heic(tmp_path / 'b.hif', rgba))[1].astype(int)
    assert np.abs(frame[5, 5] - 127).max() < 6 and frame[60, 5].max() < 6


def test_heic_and_jpeg_under_each_others_names(tmp_path):
    rgb = np.ascontiguousarray(SHOWN[..., ::-1])
    for path in (
        heic(tmp_path / 'a.heic', rgb).rename(tmp_path / 'a.jpg'),
        save(tmp_path / 'b.jpg', SHOWN).rename(tmp_path / 'b.heic'),
    ):
        assert np.abs(first(path)[1].astype(int) - rgb).mean() < 6


def test_heics_are_photos_unless_the_user_says_otherwise(tmp_path):
    for k in range(24):
        heic(tmp_path / f'IMG_{k:04d}.HEIC', np.full((16, 16, 3), 9 * k, np.uint8))
    assert first(tmp_path / 'IMG_0003.HEIC')[0].kind == 'photo'
    frames = read_frames(open_footage(tmp_path).views[0])
    assert np.abs([f[8, 8, 0] / 9 - k for k, f in enumerate(frames)]).max() < 0.7


def test_a_damaged_or_huge_heic_is_said(tmp_path, monkeypatch):
    (tmp_path / 'a.HEIC').write_bytes(b'\0\0\0\x18ftypheic' + bytes(50))
    path = heic(tmp_path / 'b.heic', np.ascontiguousarray(SHOWN))
    (tmp_path / 'c.heic').write_bytes(path.read_bytes()[:-200])
    for name in ('a.HEIC', 'c.heic'):
        with pytest.raises(FacewrightError, match='not an image that can be read'):
            open_footage(tmp_path / name)
    monkeypatch.setattr(image_formats, 'MOST_PIXELS', 120 * 80 - 1)
    with pytest.raises(FacewrightError, match=r'120×80 pixels.*smaller'):
        open_footage(path)


def test_without_its_library_a_heic_is_said(tmp_path, monkeypatch):
    path = heic(tmp_path / 'a.heic', np.ascontiguousarray(SHOWN))
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    with pytest.raises(FacewrightError, match=r'HEIC.*save them as JPEG'):
        open_footage(path)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_avif(tmp_path, orientation):
    from PIL import Image

    rgb = np.ascontiguousarray(stored(SHOWN, orientation)[..., ::-1])
    exif = b'Exif\0\0' + tiff(orientation)
    Image.fromarray(rgb).save(tmp_path / 'a.avif', 'AVIF', quality=95, exif=exif)
    frame = first(tmp_path / 'a.avif')[1]
    assert frame.shape == SHOWN.shape
    assert np.abs(frame.astype(int) - SHOWN[..., ::-1]).mean() < 4


def test_every_format_has_its_own_names():
    names = [suffix for row in image_formats.FORMATS for suffix in row.suffixes]
    assert len(names) == len(set(names)) and set(names) == kinds.IMAGE_SUFFIXES
    assert all(name == name.lower() and name.startswith('.') for name in names)


def test_transparent_pixels_show_grey(tmp_path):
    image = np.full((8, 8, 4), 255, np.uint8)
    image[:4, :, :3], image[:4, :, 3] = (0, 0, 255), 0
    frame = first(save(tmp_path / 'a.png', image))[1]
    assert np.abs(frame[0, 0].astype(int) - 127).max() <= 1 and (frame[7, 7] == 255).all()


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('order', '<>')
def test_exif_orientation(tmp_path, orientation, order):
    shown = cv2.resize(COLOUR, (120, 80), interpolation=cv2.INTER_NEAREST)
    frame = first(
        save(tmp_path / 'a.jpg', stored(shown, orientation), tiff(orientation, order=order))
    )[1]
    assert frame.shape == shown.shape and np.abs(frame.astype(int) - shown[..., ::-1]).mean() < 6


def stored(shown, orientation):
    """A picture as a file with an EXIF orientation holds it."""
    return np.ascontiguousarray(
        {
            1: shown,
            2: shown[:, ::-1],
            3: shown[::-1, ::-1],
            4: shown[::-1],
            5: shown.swapaxes(0, 1),
            6: np.rot90(shown),
            7: np.rot90(shown, 2).swapaxes(0, 1),
            8: np.rot90(shown, -1),
        }[orientation]
    )


def with_orientation(data, orientation):
    """A TIFF with that tag, in a new folder of tags at its end."""
    order = {b'II': '<', b'MM': '>'}[data[:2]]
    (at,) = struct.unpack_from(order + 'I', data, 4)
    (count,) = struct.unpack_from(order + 'H', data, at)
    entries = [data[at + 2 + 12 * k : at + 14 + 12 * k] for k in range(count)]
    entries = sorted(
        [e for e in entries if struct.unpack_from(order + 'H', e)[0] != 0x0112]
        + [struct.pack(order + 'HHIHH', 0x0112, 3, 1, orientation, 0)],
        key=lambda e: struct.unpack_from(order + 'H', e)[0],
    )
    data += bytes(len(data) % 2)
    return (
        data[:4]
        + struct.pack(order + 'I', len(data))
        + data[8:]
        + struct.pack(order + 'H', len(entries))
        + b''.join(entries)
        + bytes(4)
    )


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('compression', [1, 5, 8, 32773])  # none, LZW, Deflate, PackBits
@pytest.mark.parametrize('depth', [np.uint8, np.uint16])
def test_tiff_is_turned_once(tmp_path, orientation, compression, depth):
    deep = stored(COLOUR, orientation).astype(depth) * (257 if depth == np.uint16 else 1)
    data = cv2.imencode('.tif', deep, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()
    (tmp_path / 'a.tif').write_bytes(with_orientation(data, orientation))
    view, frame = first(tmp_path / 'a.tif')
    np.testing.assert_array_equal(frame, COLOUR[..., ::-1])
    assert view.size == (30, 20)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_png_and_webp_are_turned_too(tmp_path, orientation):
    block = tiff(orientation)
    png = cv2.imencode('.png', stored(COLOUR, orientation))[1].tobytes()
    chunk = b'eXIf' + block
    (tmp_path / 'a.png').write_bytes(
        png[:33]
        + struct.pack('>I', len(block))
        + chunk
        + struct.pack('>I', zlib.crc32(chunk))
        + png[33:]
    )
    simple = cv2.imencode('.webp', stored(COLOUR, orientation), [cv2.IMWRITE_WEBP_QUALITY, 101])[
        1
    ].tobytes()  # above 100: without loss
    height, width = stored(COLOUR, orientation).shape[:2]
    size = (width - 1).to_bytes(3, 'little') + (height - 1).to_bytes(3, 'little')
    chunks = (
        b'VP8X'
        + struct.pack('<II', 10, 8)
        + size
        + simple[12:]
        + b'EXIF'
        + struct.pack('<I', len(block))
        + block
        + bytes(len(block) % 2)
    )
    (tmp_path / 'a.webp').write_bytes(
        b'RIFF' + struct.pack('<I', 4 + len(chunks)) + b'WEBP' + chunks
    )
    for name in ('a.png', 'a.webp'):
        np.testing.assert_array_equal(first(tmp_path / name)[1], COLOUR[..., ::-1])


def test_the_case_of_a_turned_tiff(shared_data, tmp_path):
    import lzma

    photos = shared_data / 'cases' / 'photos'
    (tmp_path / 'a.tif').write_bytes(lzma.decompress((photos / 'land_exif6.tif.xz').read_bytes()))
    np.testing.assert_array_equal(images.read(tmp_path / 'a.tif'), images.read(photos / 'land.png'))


def plain_tiff(image, photometric, order='<'):
    """H×W×C → an uncompressed TIFF; photometric 1: grey, 2: RGB, 5: CMYK."""
    height, width, channels = image.shape
    data = image.tobytes()
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8),
        (277, 3, channels),
        (278, 4, height),
        (279, 4, len(data)),
    ]
    if channels > 2:
        tags[2] = (258, 3, None)  # a list, at the end
    at = 8 + len(data)
    after = at + 2 + 12 * len(tags) + 4
    rows = b''.join(
        struct.pack(order + 'HHII', t, k, channels, after)
        if v is None
        else struct.pack(
            order + 'HHI' + {3: 'HH', 4: 'I'}[k], t, k, 1, *((v, 0) if k == 3 else (v,))
        )
        for t, k, v in tags
    )
    return (
        {'<': b'II', '>': b'MM'}[order]
        + struct.pack(order + 'HI', 42, at)
        + data
        + struct.pack(order + 'H', len(tags))
        + rows
        + bytes(4)
        + struct.pack(order + 'H' * channels, *[8] * channels)
    )


def test_cmyk(tmp_path):
    image = np.zeros((4, 6, 4), np.uint8)
    image[:] = (0, 200, 200, 30)
    (tmp_path / 'a.tif').write_bytes(plain_tiff(image, 5))
    assert np.abs(images.read(tmp_path / 'a.tif')[1, 1].astype(int) - (225, 48, 48)).max() <= 2


def test_targa(tmp_path):
    import av

    encoder = av.CodecContext.create('targa', 'w')
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = (
        30,
        20,
        'bgr24',
        Fraction(1, 25),
    )
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(COLOUR[..., ::-1]), format='rgb24')
    (tmp_path / 'a 50%d.tga').write_bytes(
        b''.join(bytes(p) for p in encoder.encode(frame.reformat(format='bgr24')))
    )
    np.testing.assert_array_equal(first(tmp_path / 'a 50%d.tga')[1], COLOUR[..., ::-1])
    (tmp_path / 'b.tga').write_bytes((tmp_path / 'a 50%d.tga').read_bytes()[:18])
    with pytest.raises(FacewrightError, match='not an image'):
        open_footage(tmp_path / 'b.tga')


def test_extreme_sizes(tmp_path):
    assert first(save(tmp_path / 'a.png', COLOUR[:1, :1]))[1].shape == (1, 1, 3)
    view, frame = first(
        save(tmp_path / 'b.pgm', np.full((6708, 8944), 90, np.uint8))
    )  # 60 megapixels
    assert view.size == (8944, 6708) and (frame[::500, ::500] == 90).all()
    header = cv2.imencode('.png', COLOUR)[1].tobytes()
    (tmp_path / 'c.png').write_bytes(
        header[:16] + struct.pack('>II', 100_000, 100_000) + header[24:]
    )
    with pytest.raises(FacewrightError, match=r'100000×100000 pixels.*smaller'):
        open_footage(tmp_path / 'c.png')


def test_of_an_animated_image_the_first_picture_is_taken_and_said(tmp_path):
    import av

    for suffix, codec, pixels in (
        ('webp', 'libwebp_anim', 'yuv420p'),
        ('gif', 'gif', 'rgb8'),
        ('apng', 'apng', 'rgb24'),
    ):
        with av.open(str(tmp_path / f'a.{suffix}'), 'w', format=suffix) as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 32, pixels
            for k in range(4):
                frame = av.VideoFrame.from_ndarray(
                    np.full((32, 32, 3), 36 + 36 * k, np.uint8), format='rgb24'
                ).reformat(format=pixels)
                frame.pts, frame.time_base = k, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    assert first(tmp_path / 'a.webp')[0].kind == 'photo'
    for suffix in ('gif', 'apng'):
        view = open_footage(tmp_path / f'a.{suffix}').views[0]
        assert view.kind == 'video' and len(view.times) == 4 and view.fps == 10
        assert [f[0, 0, 0] // 36 for f in read_frames(view)] == [1, 2, 3, 4]


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif', '.webp', '.bmp', '.jp2', '.ppm'])
@pytest.mark.parametrize('part', [0.3, 0.9])
def test_a_truncated_image_is_said(tmp_path, suffix, part):
    path = save(tmp_path / f'a{suffix}', cv2.resize(COLOUR, (300, 200)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(FacewrightError, match='not an image that can be read'):
        open_footage(path)


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_a_photo_as_a_video(tmp_path, orientation):
    shown = cv2.resize(COLOUR, (120, 80), interpolation=cv2.INTER_NEAREST)
    view, frame = first(
        save(tmp_path / 'a.jpg', stored(shown, orientation), tiff(orientation)), kind='video'
    )
    assert (
        view.kind == 'video'
        and view.size == (120, 80)
        and np.abs(frame.astype(int) - shown[..., ::-1]).mean() < 6
    )


def test_the_lens_in_exif(tmp_path):
    path = save(tmp_path / 'a.jpg', np.zeros((240, 360, 3), np.uint8), tiff(focal=50))
    assert first(path)[0].camera.focal == pytest.approx(500)
    assert first(path, lens_mm=25.0)[0].camera.focal == pytest.approx(
        250
    )  # what the user says goes first
    assert first(save(tmp_path / 'b.jpg', COLOUR))[0].camera.focal is None


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80),
    st.sampled_from(
        [
            b'',
            b'\xff\xd8\xff\xe1\x00\x40Exif\0\0',
            b'II*\0\x08\0\0\0',
            b'MM\0*\0\0\0\x08',
            b'\x89PNG\r\n\x1a\n',
            b'RIFF\x20\0\0\0WEBP',
        ]
    ),
)
def test_broken_exif_is_no_exif(data, start):
    found = read_exif(start + data)
    assert 1 <= found.orientation <= 8


def test_a_folder_is_a_sequence(tmp_path):
    for n in (1, 2, 10):
        save(tmp_path / 'shot one' / f'f{n}.png', np.full((4, 6, 3), n, np.uint8))
    (tmp_path / 'shot one' / 'notes.txt').write_text('x')
    view = open_footage([{'path': tmp_path / 'shot one', 'fps': 10}]).views[0]
    assert view.kind == 'sequence' and view.name == 'shot one' and view.fps == 10
    np.testing.assert_allclose(view.times, [0, 0.1, 0.2])
    assert [f[0, 0, 0] for f in read_frames(view)] == [1, 2, 10] and [
        f[0, 0, 0] for f in read_frames(view, [2])
    ] == [10]


def test_one_file_of_a_run(tmp_path):
    for n in (7, 8, 9, 11):
        save(tmp_path / f'a.{n:04d}.png', np.full((4, 6, 3), n, np.uint8))
    save(tmp_path / 'b.0010.png', COLOUR)
    view = open_footage(tmp_path / 'a.0008.png').views[0]
    assert view.kind == 'sequence' and view.fps == 24
    np.testing.assert_allclose(view.times * 24, [0, 1, 2, 4])
    trimmed = open_footage([{'path': tmp_path / 'a.0008.png', 'start': 1 / 24}]).views[0]
    assert [f[0, 0, 0] for f in read_frames(trimmed)] == [8, 9, 11]


def test_photos_are_not_a_run(tmp_path):
    for n in (1, 2, 3):
        save(tmp_path / f'lisa{n}.jpg', COLOUR)
        save(tmp_path / f'IMG_000{n}.jpg', COLOUR, tiff(1, make=True))
    assert open_footage(tmp_path / 'lisa2.jpg').views[0].kind == 'photo'
    assert open_footage(tmp_path / 'IMG_0002.jpg').views[0].kind == 'photo'


def test_sizes_must_agree(tmp_path):
    save(tmp_path / 's' / 'a1.png', COLOUR)
    save(tmp_path / 's' / 'a2.png', COLOUR[:10])
    with pytest.raises(FacewrightError, match=r'a2\.png'):
        list(read_frames(open_footage(tmp_path / 's').views[0]))


@pytest.mark.parametrize(
    'data, said',
    [
        (b'', 'empty'),
        (b'\x89PNG\r\n\x1a\n' + b'x' * 40, 'not an image'),
        (b'hello', 'not an image'),
    ],
)
def test_broken_images(tmp_path, data, said):
    (tmp_path / 'a.png').write_bytes(data)
    with pytest.raises(FacewrightError, match=said):
        open_footage(tmp_path / 'a.png')


def test_a_folder_without_images(tmp_path):
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'a.txt').write_text('')
    with pytest.raises(FacewrightError, match='no images'):
        open_footage(tmp_path / 'x')


def test_another_format_is_a_row_of_one_table(root, tmp_path):
    """Names, kind, reading and what Blender shows follow a row; no other file knows of it."""
    (tmp_path / 'a.made').write_bytes(b'MADE' + bytes([10, 20, 30] * 6))
    program = """
import importlib.util, pathlib, sys
root, path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
spec = importlib.util.spec_from_file_location('w', root / 'engine' / 'worker.py')
worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)
worker.register_package(root)
import numpy as np
from facewright.engine.footage import image_formats as table
decode = lambda path, data: table.StoredImage(np.frombuffer(data[4:], np.uint8).reshape(2, 3, 3))
made = table.ImageFormat(('.made',), decode, starts=((0, b'MADE'),), in_blender=False)
table.FORMATS = (*table.FORMATS, made)
from facewright.engine.footage import open_footage, proxies, read_frames
view = open_footage(path).views[0]
assert view.kind == 'photo' and view.size == (3, 2) and proxies.needs_proxy(view, 24)
assert (next(read_frames(view)) == (30, 20, 10)).all()
"""
    command = [sys.executable, '-c', program, str(root), str(tmp_path / 'a.made')]
    subprocess.run(command, check=True)
