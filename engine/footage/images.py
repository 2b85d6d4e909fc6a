"""Reading photos and image sequences: any depth, grey or alpha, turned upright; focal length from EXIF."""

from __future__ import annotations

import re
from pathlib import Path

import av
import cv2
import numpy as np

from ..core.errors import FacewrightError
from .exif import PNG_START, TIFF_STARTS, Exif, exif, picture_size, png_is_whole
from .video import orientation

TILED = ('.heic', '.heif')  # phones store these in tiles that the libraries here do not join
BY_FFMPEG = ('.dpx', '.tga', '.avif')
# EXR, JPEG 2000: on damaged ones OpenCV hangs or crashes.
STARTS_BY_FFMPEG = (b'v/1\x01', b'\0\0\0\x0cjP  ', b'\xff\x4f\xff\x51')
BACKDROP = 0.5  # what shows behind transparent pixels
MOST_PIXELS = 250_000_000


def read(path: Path) -> np.ndarray:
    """An image file → H×W×3 uint8 RGB, turned upright, transparency over mid-grey; raises FacewrightError where it cannot be read."""
    path = Path(path)
    data = _bytes(path)
    if path.suffix.lower() in TILED:
        raise FacewrightError(
            f'{path} is an HEIC photo, which cannot be read: save it as JPEG or PNG.'
        )
    size = picture_size(data)
    if size and size[0] * size[1] > MOST_PIXELS:
        raise FacewrightError(
            f'{path} has {size[0]}×{size[1]} pixels, more than can be read: make it smaller.'
        )
    image = _decoded(path, data)
    if image is None or not image.size:
        raise FacewrightError(
            f'{path} is not an image that can be read (it may be cut off or of '
            'another kind): save it as PNG or JPEG.'
        )
    return np.ascontiguousarray(image)


def _decoded(path: Path, data: bytes) -> np.ndarray | None:
    """H×W×3 uint8 RGB, turned upright, or None."""
    if path.suffix.lower() in BY_FFMPEG or data.startswith(STARTS_BY_FFMPEG):
        return _by_ffmpeg(path)
    image = as_stored(data)
    if image is None:
        return None
    # OpenCV has turned TIFF's pictures itself, no others.
    return _upright(_eight_bit(image), 1 if data[:4] in TIFF_STARTS else exif(data).orientation)


def as_stored(data: bytes) -> np.ndarray | None:
    """Decode an image file with OpenCV, depth and channels (BGR) as they are, TIFF turned upright.

    None where it can't.
    """
    size = picture_size(data)
    if not data or size and size[0] * size[1] > MOST_PIXELS:
        return None
    if data[:8] == PNG_START and not png_is_whole(data):
        return None  # for a chunk of 2 GB OpenCV takes 2 GB
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return image if image is not None and image.size else None


def _bytes(path: Path) -> bytes:
    try:
        data = Path(path).read_bytes()  # not cv2.imread, which cannot open every path on Windows
    except FileNotFoundError:
        raise FacewrightError(f'There is no file {path}: check the path.') from None
    except OSError as error:
        raise FacewrightError(
            f'{path} cannot be read ({error.strerror or error}): check its permissions.'
        ) from error
    if not data:
        raise FacewrightError(f'{path} is empty: copy it again from the camera.')
    return data


def _by_ffmpeg(path: Path) -> np.ndarray | None:
    """DPX, Targa, AVIF, EXR and JPEG 2000: H×W×3 uint8 RGB, turned upright, or None."""
    try:
        only_files = {'protocol_whitelist': 'file'}
        with av.open(f'file:{path.absolute()}', options=only_files) as container:
            frame = next(container.decode(video=0))
            turn, flipped = orientation(frame)
            picture = np.rot90(_eight_bit(_as_opencv(frame)), -turn)
            return picture[:, ::-1] if flipped else picture
    except (av.error.FFmpegError, ValueError, IndexError, StopIteration):
        return None


def _as_opencv(frame) -> np.ndarray:
    """A decoded frame as OpenCV reads images: H×W×3 or 4, BGR, uint8 or (linear light) float32."""
    if 'f32' not in frame.format.name and 'f16' not in frame.format.name:
        return frame.to_ndarray(format='bgra')
    alpha = frame.format.name.startswith(('gbra', 'rgba'))
    if frame.format.name.startswith('gray'):
        return frame.to_ndarray(format='grayf32le')[..., None]
    colour = frame.to_ndarray(format='gbrapf32le' if alpha else 'gbrpf32le')
    return np.ascontiguousarray(colour[..., [2, 1, 0, 3][: colour.shape[2]]])


def _eight_bit(image: np.ndarray) -> np.ndarray:
    """OpenCV's image of any depth and channel count → H×W×3 uint8 RGB."""
    if image.dtype == np.uint16:
        image = (image.astype(np.uint32) * 255 + 32767) // 65535
    elif image.dtype.kind == 'f':  # linear light
        light = np.clip(np.nan_to_num(image), 0, 1)
        shown = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        if image.ndim == 3 and image.shape[2] in (2, 4):
            shown[..., -1] = light[..., -1]
        image = shown * 255 + 0.5
    elif image.dtype == np.int8 or image.dtype == np.int16:
        image = np.clip(image, 0, None).astype(np.float32) * (255 / np.iinfo(image.dtype).max)
    image = image.astype(np.uint8, copy=False)
    image = image if image.ndim == 3 else image[..., None]
    channels = image.shape[2]
    if channels <= 2:
        colour = cv2.cvtColor(np.ascontiguousarray(image[..., 0]), cv2.COLOR_GRAY2RGB)
    else:
        colour = cv2.cvtColor(image, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGB)
    if channels in (2, 4) and image[..., -1].min() < 255:
        alpha = image[..., -1:].astype(np.float32) / 255
        colour = (colour * alpha + 255 * BACKDROP * (1 - alpha) + 0.5).astype(np.uint8)
    return colour


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation 1..8."""
    if orientation in (2, 4, 5, 7):
        image = image[:, ::-1]
    return np.rot90(image, {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[orientation])


def read_exif(path: Path) -> Exif:
    """Read an image file's EXIF tags."""
    return exif(_bytes(path))


def is_run(files: tuple[Path, ...]) -> bool:
    """Whether images are numbered without gaps under one name, and stored upright: what Blender shows as a sequence."""
    parts = [re.fullmatch(r'(.*?)(\d+)', f.stem) for f in files]
    if not all(parts) or len({(p[1], f.suffix) for p, f in zip(parts, files)}) > 1:
        return False
    return [int(p[2]) - int(parts[0][2]) for p in parts] == list(range(len(files))) and is_upright(
        files[0]
    )


def is_upright(path: Path) -> bool:
    """Whether an image is shown right by a program that doesn't know orientation tags."""
    return read_exif(path).orientation == 1
