"""Reading photos and image sequences: any depth, grey or alpha, turned upright; focal length from EXIF."""
from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import FacewrightError

SUFFIXES = frozenset('.jpg .jpeg .jpe .jp2 .png .tif .tiff .bmp .dib .webp .ppm .pgm .pbm .pnm .hdr .exr .sr .ras .dpx .avif .heic .heif'.split())
TILED = ('.heic', '.heif')  # phones store these in tiles that the libraries here do not join
os.environ.setdefault('OPENCV_IO_ENABLE_OPENEXR', '1')  # read by OpenCV at its first EXR
BACKDROP = .5  # what shows behind transparent pixels
MAKE, ORIENTATION, EXIF_FOLDER, FOCAL_35MM = 0x010F, 0x0112, 0x8769, 0xA405


@dataclass(frozen=True)
class Exif:
    """orientation 1..8; focal_35mm: the lens as on 36×24 mm film, None unknown; from_camera: a camera wrote its maker into the file."""
    orientation: int = 1
    focal_35mm: float | None = None
    from_camera: bool = False


def read(path: Path) -> np.ndarray:
    """An image file → H×W×3 uint8 RGB, turned upright, transparency over mid-grey; raises FacewrightError where it cannot be read."""
    data = _bytes(path)
    if Path(path).suffix.lower() in TILED:
        raise FacewrightError(f'{path} is an HEIC photo, which cannot be read: save it as JPEG or PNG.')
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        image = _film_format(data)
    if image is None or not image.size:
        raise FacewrightError(f'{path} is not an image that can be read (it may be cut off or of another kind): save it as PNG or JPEG.')
    return np.ascontiguousarray(_upright(_eight_bit(image), exif(data).orientation))


def _bytes(path: Path) -> bytes:
    try:
        data = Path(path).read_bytes()  # not cv2.imread, which cannot open every path on Windows
    except FileNotFoundError:
        raise FacewrightError(f'There is no file {path}: check the path.') from None
    except OSError as error:
        raise FacewrightError(f'{path} cannot be read ({error.strerror or error}): check its permissions.') from error
    if not data:
        raise FacewrightError(f'{path} is empty: copy it again from the camera.')
    return data


def _film_format(data: bytes) -> np.ndarray | None:
    """DPX and what else FFmpeg reads as one picture: H×W×4 uint8 BGRA, or None."""
    import av
    try:
        with av.open(io.BytesIO(data)) as container:
            if not container.format.name.endswith('_pipe') and container.format.name != 'image2':
                return None
            return next(container.decode(video=0)).to_ndarray(format='bgra')
    except (av.error.FFmpegError, ValueError, IndexError, StopIteration):
        return None


def _eight_bit(image: np.ndarray) -> np.ndarray:
    """OpenCV's image of any depth and channel count → H×W×3 uint8 RGB."""
    if image.dtype == np.uint16:
        image = (image.astype(np.uint32) * 255 + 32767) // 65535
    elif image.dtype.kind == 'f':  # linear light
        light = np.clip(np.nan_to_num(image), 0, 1)
        shown = np.where(light <= .0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - .055)
        if image.ndim == 3 and image.shape[2] in (2, 4):
            shown[..., -1] = light[..., -1]
        image = shown * 255 + .5
    elif image.dtype == np.int8 or image.dtype == np.int16:
        image = np.clip(image, 0, None).astype(np.float32) * (255 / np.iinfo(image.dtype).max)
    image = image.astype(np.uint8) if image.ndim == 3 else image.astype(np.uint8)[..., None]
    channels = image.shape[2]
    colour = image[..., :1].repeat(3, 2) if channels <= 2 else image[..., 2::-1]
    if channels in (2, 4) and image[..., -1].min() < 255:
        alpha = image[..., -1:].astype(np.float32) / 255
        colour = (colour * alpha + 255 * BACKDROP * (1 - alpha) + .5).astype(np.uint8)
    return colour


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation 1..8."""
    if orientation in (2, 4, 5, 7):
        image = image[:, ::-1]
    return np.rot90(image, {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[orientation])


def read_exif(path: Path) -> Exif:
    return exif(_bytes(path))


def exif(data: bytes) -> Exif:
    """Orientation and focal length from a JPEG's, PNG's, WebP's or TIFF's EXIF block (EXIF 2.32, TIFF 6.0); Exif() where there is none."""
    try:
        block = _exif_block(data)
        if block is None:
            return Exif()
        order = {b'II': '<', b'MM': '>'}[block[:2]]
        tags = _tags(block, order, struct.unpack_from(order + 'I', block, 4)[0])
        inner = _tags(block, order, tags[EXIF_FOLDER]) if EXIF_FOLDER in tags else {}
        orientation, focal = tags.get(ORIENTATION, 1), inner.get(FOCAL_35MM)
        return Exif(orientation if 1 <= orientation <= 8 else 1, float(focal) if focal else None, MAKE in tags)
    except (struct.error, KeyError, IndexError, TypeError):
        return Exif()


def _exif_block(data: bytes) -> bytes | None:
    """The TIFF structure that holds the EXIF tags."""
    if data[:4] in (b'II*\0', b'MM\0*'):
        return data
    if data[:2] == b'\xff\xd8':
        at = 2
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
            length = struct.unpack_from('>H', data, at + 2)[0]
            if data[at + 1] == 0xE1 and data[at + 4:at + 10] == b'Exif\0\0':
                return data[at + 10:at + 2 + length]
            at += 2 + length
    if data[:8] == b'\x89PNG\r\n\x1a\n':
        return _chunk(data, 8, '>', name_first=False, name=b'eXIf', padding=4)
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP':
        block = _chunk(data, 12, '<', name_first=True, name=b'EXIF', padding=0)
        return block[6:] if block and block[:6] == b'Exif\0\0' else block
    return None


def _chunk(data: bytes, at: int, order: str, name_first: bool, name: bytes, padding: int) -> bytes | None:
    while at + 8 <= len(data):
        head, second = data[at:at + 4], data[at + 4:at + 8]
        label, length = (head, second) if name_first else (second, head)
        size = struct.unpack(order + 'I', length)[0]
        if label == name:
            return data[at + 8:at + 8 + size]
        at += 8 + size + (size % 2 if name_first else 0) + padding
    return None


def _tags(block: bytes, order: str, at: int) -> dict[int, int]:
    """The whole-number tags of one TIFF folder (text tags as 0)."""
    out = {}
    for k in range(struct.unpack_from(order + 'H', block, at)[0]):
        tag, kind, _ = struct.unpack_from(order + 'HHI', block, at + 2 + 12 * k)
        where = at + 2 + 12 * k + 8
        out[tag] = struct.unpack_from(order + {3: 'H', 4: 'I'}[kind], block, where)[0] if kind in (3, 4) else 0
    return out


def in_folder(folder: Path) -> tuple[Path, ...]:
    """The image files of a folder in natural order (frame2 before frame10), hidden ones left out."""
    found = [p for p in Path(folder).iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith('.') and p.is_file()]
    if not found:
        raise FacewrightError(f'{folder} holds no images: choose a folder of PNG, JPEG or TIFF frames, or a video file.')
    kinds = {s: [p for p in found if p.suffix.lower() == s] for s in {p.suffix.lower() for p in found}}
    return tuple(sorted(max(kinds.values(), key=len), key=natural))


def natural(path: Path) -> list:
    """Sorting key of a file's name: frame2 before frame10."""
    return [(int(part), '') if part.isdigit() else (-1, part.lower()) for part in re.split(r'(\d+)', path.name)]


def numbered_run(path: Path) -> tuple[tuple[Path, ...], np.ndarray] | None:
    """The files of the run `path` is part of (name.0001.png, name.0002.png …) and their numbers, or None where it stands alone.

    Three digits and a neighbour make a run, or ten files of any count of digits; photos a camera numbered do not.
    """
    match = re.fullmatch(r'(.*?)(\d+)', path.stem)
    if not match:
        return None
    prefix, digits = match.groups()
    pattern = re.compile(re.escape(prefix) + r'(\d+)' + re.escape(path.suffix))
    run = {}
    for other in path.parent.iterdir():
        hit = pattern.fullmatch(other.name)
        if hit and (len(hit[1]) == len(digits) or (digits[0] != '0' and hit[1][0] != '0')):
            run[int(hit[1])] = other
    number = int(digits)
    neighbours = number - 1 in run or number + 1 in run
    if not (neighbours and (len(digits) >= 3 or len(run) >= 10)) or read_exif(path).from_camera:
        return None
    numbers = np.array(sorted(run))
    return tuple(run[n] for n in numbers), numbers
