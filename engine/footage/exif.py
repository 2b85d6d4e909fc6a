"""EXIF of photos: which way up, which lens, and whether a camera wrote it (EXIF 2.32, TIFF 6.0).

Standard library only, and so not Pillow's: Blender's Python, which has no Pillow, asks too whether
a camera wrote a file (kinds.sequence_of), from a file's first bytes, which Pillow opens as a whole.
Two readers of the same tags could disagree on what a file is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

TIFF_STARTS = (b'II*\0', b'MM\0*')
PNG_START = b'\x89PNG\r\n\x1a\n'
WIDTH, HEIGHT = 0x0100, 0x0101
MAKE, ORIENTATION, EXIF_FOLDER, FOCAL_35MM = 0x010F, 0x0112, 0x8769, 0xA405


@dataclass(frozen=True)
class Exif:
    """The tags that are used.

    orientation: 1 to 8.
    focal_35mm: mm, the lens as on 36×24 mm film; None unknown.
    from_camera: a camera wrote its maker into the file.
    """

    orientation: int = 1
    focal_35mm: float | None = None
    from_camera: bool = False


def exif(data: bytes) -> Exif:
    """Read the EXIF tags of a JPEG, PNG, WebP or TIFF; Exif() where there are none."""
    try:
        block = _exif_block(data)
        if block is None:
            return Exif()
        order = {b'II': '<', b'MM': '>'}[block[:2]]
        tags = _tags(block, order, struct.unpack_from(order + 'I', block, 4)[0])
        inner = _tags(block, order, tags[EXIF_FOLDER]) if EXIF_FOLDER in tags else {}
        orientation, focal = tags.get(ORIENTATION, 1), inner.get(FOCAL_35MM)
        upright = orientation if 1 <= orientation <= 8 else 1
        return Exif(upright, float(focal) if focal else None, MAKE in tags)
    except (struct.error, KeyError, IndexError, TypeError):
        return Exif()


def _exif_block(data: bytes) -> bytes | None:
    """The TIFF structure that holds the EXIF tags."""
    if data[:4] in TIFF_STARTS:
        return data
    if data[:2] == b'\xff\xd8':
        for marker, at, length in jpeg_segments(data):
            if marker == 0xE1 and data[at : at + 6] == b'Exif\0\0':
                return data[at + 6 : at + length]
    if data[:8] == PNG_START:
        return _chunk(data, 8, '>', name_first=False, name=b'eXIf', padding=4)
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP':
        block = _chunk(data, 12, '<', name_first=True, name=b'EXIF', padding=0)
        return block[6:] if block and block[:6] == b'Exif\0\0' else block
    return None


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Tell a PNG's, JPEG's or TIFF's (width, height), as stored, from its beginning.

    None for others.
    """
    try:
        if data[:8] == PNG_START and data[12:16] == b'IHDR':
            return struct.unpack_from('>II', data, 16)
        if data[:2] == b'\xff\xd8':
            for marker, at, _ in jpeg_segments(data):
                if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                    height, width = struct.unpack_from('>HH', data, at + 1)
                    return width, height
        if data[:4] in TIFF_STARTS:
            order = {b'II': '<', b'MM': '>'}[data[:2]]
            tags = _tags(data, order, struct.unpack_from(order + 'I', data, 4)[0])
            return tags[WIDTH], tags[HEIGHT]
    except (struct.error, KeyError):
        pass
    return None


def png_is_whole(data: bytes) -> bool:
    """Whether a PNG's chunks lie within its data, up to the end it marks."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from('>I', data, at)
        if data[at + 4 : at + 8] == b'IEND':
            return True
        at += 12 + length
    return False


def jpeg_segments(data: bytes):
    """Yield (marker, where its content begins, length of the content) up to a JPEG's picture."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = struct.unpack_from('>H', data, at + 2)[0]
        yield data[at + 1], at + 4, max(length - 2, 0)
        at += 2 + length


def _chunk(
    data: bytes, at: int, order: str, name_first: bool, name: bytes, padding: int
) -> bytes | None:
    while at + 8 <= len(data):
        head, second = data[at : at + 4], data[at + 4 : at + 8]
        label, length = (head, second) if name_first else (second, head)
        size = struct.unpack(order + 'I', length)[0]
        if label == name:
            return data[at + 8 : at + 8 + size]
        at += 8 + size + (size % 2 if name_first else 0) + padding
    return None


def _tags(block: bytes, order: str, at: int) -> dict[int, int]:
    """The whole-number tags of one TIFF folder (text tags as 0)."""
    out = {}
    for k in range(struct.unpack_from(order + 'H', block, at)[0]):
        tag, kind, _ = struct.unpack_from(order + 'HHI', block, at + 2 + 12 * k)
        where = at + 2 + 12 * k + 8
        read = {3: 'H', 4: 'I'}.get(kind)
        out[tag] = struct.unpack_from(order + read, block, where)[0] if read else 0
    return out
