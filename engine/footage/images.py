"""Reading photos and image sequences, of any depth, grey or alpha, turned upright; writing images.

Which formats there are, and who decodes them, says image_formats.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import FacewrightError
from ..core.files import replacing
from .exif import Exif
from .image_formats import format_of, too_large

BACKDROP = 0.5  # what shows behind transparent pixels


def read(path: Path) -> np.ndarray:
    """Read an image file: H×W×3 uint8 RGB, turned upright, transparency over mid-grey.

    Raises FacewrightError where it cannot be read.
    """
    path = Path(path)
    data = _bytes(path)
    image_format = format_of(path, data)
    size = image_format.size(data)
    if too_large(size):
        raise FacewrightError(
            f'{path} has {size[0]}×{size[1]} pixels, more than can be read: make it smaller.'
        )
    stored = image_format.decode(path, data)
    if stored is None or not stored.pixels.size:
        raise FacewrightError(
            f'{path} is not an image that can be read (it may be cut off or of '
            'another kind): save it as PNG or JPEG.'
        )
    return np.ascontiguousarray(_upright(_eight_bit(stored.pixels), stored.orientation))


def write_image(path: Path, rgb: np.ndarray, quality: int | None = None) -> None:
    """Write a picture, H×W×3 uint8 RGB, as .png or .jpg, through a temporary file.

    path: may have any letters.
    quality: of a .jpg, 0 to 100.
    Raises FacewrightError where the picture cannot be encoded or the file not be written.
    """
    options = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    try:
        done, data = cv2.imencode(Path(path).suffix, np.ascontiguousarray(rgb[..., ::-1]), options)
    except cv2.error:
        done = False
    if not done:
        raise FacewrightError(
            f'A picture of {rgb.shape[1]}×{rgb.shape[0]} pixels could not be encoded for {path}: '
            'choose a smaller size.'
        )
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())


def read_exif(path: Path) -> Exif:
    """Read an image file's EXIF tags."""
    path = Path(path)
    data = _bytes(path)
    return format_of(path, data).exif(data)


def is_run(files: tuple[Path, ...]) -> bool:
    """Whether Blender shows images as one sequence, each as it is read here.

    That is where they are numbered without gaps under one name, and stored upright.
    """
    parts = [re.fullmatch(r'(.*?)(\d+)', f.stem) for f in files]
    if not all(parts) or len({(p[1], f.suffix) for p, f in zip(parts, files)}) > 1:
        return False
    counted = [int(p[2]) - int(parts[0][2]) for p in parts] == list(range(len(files)))
    return counted and is_shown_by_blender(files[0])


def is_shown_by_blender(path: Path) -> bool:
    """Whether Blender, which doesn't know orientation tags, shows an image as it is read here."""
    data = _bytes(path)
    image_format = format_of(path, data)
    return image_format.in_blender and image_format.exif(data).orientation == 1


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
        code = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGB
        colour = cv2.cvtColor(np.ascontiguousarray(image), code)
    if channels in (2, 4) and image[..., -1].min() < 255:
        alpha = image[..., -1:].astype(np.float32) / 255
        colour = (colour * alpha + 255 * BACKDROP * (1 - alpha) + 0.5).astype(np.uint8)
    return colour


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation 1..8."""
    if orientation in (2, 4, 5, 7):
        image = image[:, ::-1]
    return np.rot90(image, {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[orientation])
