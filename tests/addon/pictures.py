"""Pictures for tests, without a library."""

import struct
import zlib
from pathlib import Path

import numpy as np


def write_png(path: Path, rgb: np.ndarray) -> None:
    """H×W×3 uint8 → a PNG file."""
    height, width, _ = rgb.shape
    rows = b''.join(b'\0' + row.tobytes() for row in rgb)
    part = lambda kind, data: (
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    )
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + part(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
        + part(b'IDAT', zlib.compress(rows))
        + part(b'IEND', b'')
    )
