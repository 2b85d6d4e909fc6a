"""The image formats that are read: one table, FORMATS. Another format is added in this file alone.

A row says by which names and first bytes a format is known and who decodes it. The standard library
only, at the top: Blender's side reads the names through kinds.py, and its Python has no OpenCV,
Pillow or PyAV. So a decoder imports its library when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import FacewrightError
from .exif import PNG_START, TIFF_STARTS, Exif, exif, picture_size, png_is_whole

if TYPE_CHECKING:
    import numpy as np

MOST_PIXELS = 250_000_000


@dataclass(frozen=True)
class StoredImage:
    """An image as a file holds it.

    pixels: H×W or H×W×C as OpenCV reads them: grey, grey and alpha, BGR or BGRA; uint8, uint16 or,
        in linear light, float32.
    orientation: EXIF's, 1 to 8, that is still to be undone.
    """

    pixels: np.ndarray
    orientation: int = 1


@dataclass(frozen=True)
class ImageFormat:
    """How one format is known and read.

    suffixes: of file names, lower case.
    starts: (offset, bytes) that a file of this format has, whatever it is called.
    decode: (path, the file's bytes) → StoredImage, or None where it is damaged.
    size: the file's bytes → (width, height), or None where that is told by decoding alone.
    exif: the file's bytes → its tags.
    in_blender: Blender shows the format.
    numbered: files with numbers in their names can be a sequence without the user saying so.
    """

    suffixes: tuple[str, ...]
    decode: Callable[[Path, bytes], StoredImage | None]
    starts: tuple[tuple[int, bytes], ...] = ()
    size: Callable[[bytes], tuple[int, int] | None] = picture_size
    exif: Callable[[bytes], Exif] = exif
    in_blender: bool = True
    numbered: bool = True


def format_of(path: Path, data: bytes = b'') -> ImageFormat:
    """The format of a file by its first bytes, else by its name; OpenCV's for an unknown one."""
    by_start = (f for f in FORMATS if any(data[at : at + len(b)] == b for at, b in f.starts))
    by_name = (f for f in FORMATS if path.suffix.lower() in f.suffixes)
    return next(by_start, None) or next(by_name, FORMATS[0])


def too_large(size: tuple[int, int] | None) -> bool:
    """Whether a picture of (width, height) has more pixels than are read."""
    return size is not None and size[0] * size[1] > MOST_PIXELS


# ---- decoders ------------------------------------------------------------------------------------


def opencv_pixels(data: bytes):
    """Decode an image file with OpenCV, depth and channels (BGR) as they are, TIFF turned upright.

    None where it can't.
    """
    import cv2
    import numpy as np

    if not data or too_large(picture_size(data)):
        return None
    if data[:8] == PNG_START and not png_is_whole(data):
        return None  # for a chunk of 2 GB OpenCV takes 2 GB
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return image if image is not None and image.size else None


def _by_opencv(path: Path, data: bytes) -> StoredImage | None:
    pixels = opencv_pixels(data)
    if pixels is None:
        return None
    # OpenCV has turned TIFF's pictures itself, no others.
    return StoredImage(pixels, 1 if data[:4] in TIFF_STARTS else exif(data).orientation)


def _by_ffmpeg(path: Path, data: bytes) -> StoredImage | None:
    import av
    import numpy as np

    from .video import orientation

    try:
        only_files = {'protocol_whitelist': 'file'}
        with av.open(f'file:{path.absolute()}', options=only_files) as container:
            frame = next(container.decode(video=0))
            turn, flipped = orientation(frame)
            picture = np.rot90(_as_opencv(frame), -turn)
            return StoredImage(picture[:, ::-1] if flipped else picture)
    except (av.error.FFmpegError, ValueError, IndexError, StopIteration):
        return None


def _as_opencv(frame):
    """A decoded frame as OpenCV reads images: BGRA, uint8, or in linear light float32."""
    import numpy as np

    if 'f32' not in frame.format.name and 'f16' not in frame.format.name:
        return frame.to_ndarray(format='bgra')
    alpha = frame.format.name.startswith(('gbra', 'rgba'))
    if frame.format.name.startswith('gray'):
        return frame.to_ndarray(format='grayf32le')[..., None]
    colour = frame.to_ndarray(format='gbrapf32le' if alpha else 'gbrpf32le')
    return np.ascontiguousarray(colour[..., [2, 1, 0, 3][: colour.shape[2]]])


def _heif(data: bytes):
    """The open file, its primary picture not yet decoded; ValueError and its like where damaged."""
    try:
        import pillow_heif
    except ImportError as error:
        raise FacewrightError(
            f'HEIC photos cannot be read here ({error}): save them as JPEG or PNG.'
        ) from error
    return pillow_heif.open_heif(data, bgr_mode=True)


DAMAGED_HEIF = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, IndexError)


def _by_libheif(path: Path, data: bytes) -> StoredImage | None:
    """The primary picture, its tiles joined, turned upright by libheif, in 8 bits."""
    import numpy as np

    try:
        return StoredImage(np.array(_heif(data)))
    except DAMAGED_HEIF:
        return None


def _heif_size(data: bytes) -> tuple[int, int] | None:
    try:
        return _heif(data).size
    except DAMAGED_HEIF:
        return None


def _heif_exif(data: bytes) -> Exif:
    """The tags, less the orientation: HEIF's own transformations are what counts."""
    try:
        block = _heif(data).info.get('exif') or b''
    except DAMAGED_HEIF:
        return Exif()
    return replace(exif(block.removeprefix(b'Exif\0\0')), orientation=1)


# ---- the table -----------------------------------------------------------------------------------

HEIF_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'hevm', b'hevs')

FORMATS = (
    ImageFormat(('.jpg', '.jpeg', '.jpe'), _by_opencv, starts=((0, b'\xff\xd8\xff'),)),
    ImageFormat(('.png',), _by_opencv, starts=((0, PNG_START),)),
    ImageFormat(('.tif', '.tiff'), _by_opencv, starts=tuple((0, s) for s in TIFF_STARTS)),
    ImageFormat(('.webp',), _by_opencv, starts=((8, b'WEBPVP8'),)),
    ImageFormat(('.bmp', '.dib', '.hdr'), _by_opencv),
    ImageFormat(('.ppm', '.pgm', '.pbm', '.pnm', '.sr', '.ras'), _by_opencv, in_blender=False),
    # On damaged ones of these two OpenCV hangs or crashes.
    ImageFormat(('.exr',), _by_ffmpeg, starts=((0, b'v/1\x01'),)),
    ImageFormat(('.jp2',), _by_ffmpeg, starts=((0, b'\0\0\0\x0cjP  '), (0, b'\xff\x4f\xff\x51'))),
    ImageFormat(('.dpx', '.tga'), _by_ffmpeg),
    ImageFormat(('.avif',), _by_ffmpeg, in_blender=False),
    # What phones and cameras take. Never frames, so never a sequence unless the user says so.
    ImageFormat(
        ('.heic', '.heif', '.hif'),
        _by_libheif,
        starts=tuple((4, b'ftyp' + brand) for brand in HEIF_BRANDS),
        size=_heif_size,
        exif=_heif_exif,
        in_blender=False,
        numbered=False,
    ),
)
