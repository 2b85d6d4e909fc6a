"""Pictures for tests, without a library."""

import struct
import zlib
from pathlib import Path

import numpy as np


def write_png(path: Path, rgb: np.ndarray) -> None:
    """H×W×3 uint8 → a PNG file."""
    height, width, _ = rgb.shape
    rows = b''.join(b'\0' + row.tobytes() for row in rgb)
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + _chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
        + _chunk(b'IDAT', zlib.compress(rows))
        + _chunk(b'IEND', b'')
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    length, checksum = struct.pack('>I', len(data)), struct.pack('>I', zlib.crc32(kind + data))
    return length + kind + data + checksum
