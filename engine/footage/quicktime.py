"""The lens that a QuickTime or MP4 file names: metadata keys of the movie and of its tracks.

QuickTime File Format, "Metadata": `meta` holds a table of `keys` and a list `ilst` of values, each
with its type. FFmpeg, and so PyAV, reads the movie's own alone, and few types; phones write the
lens into the track of the picture.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

FOCAL_KEYS = (
    'com.apple.quicktime.camera.focal_length.35mm_equivalent',
    'camera.focal_length.35mm_equivalent',
)
# Types of values (big-endian): whole numbers of any length, and of one.
SIGNED, UNSIGNED = (21, 65, 66, 67, 74), (22, 75, 76, 77, 78)
TEXT, FLOAT, DOUBLE = 1, 23, 24
LONGEST_NUMBER = 8  # bytes
LARGEST = 1 << 20  # bytes of a metadata atom: a lens is a number among few words

Atom = tuple[bytes, int, int]  # its name, where its content begins and ends


def focal_35mm(path: Path) -> float | None:
    """Read the lens in mm, as on 36×24 mm film, of a QuickTime or MP4 file; None where it is mute.

    The movie's own word counts before its tracks'.
    """
    try:
        with path.open('rb') as file:
            end = file.seek(0, 2)
            for name in ('meta', 'udta/meta', 'trak/meta', 'trak/udta/meta'):
                for meta in _inside(file, (b'', 0, end), f'moov/{name}'):
                    if focal := _focal(file, meta):
                        return focal
    except (OSError, struct.error):
        pass
    return None


def _inside(file: BinaryIO, atom: Atom, path: str) -> Iterator[Atom]:
    """Yield the atoms at a path of names below an atom."""
    first, _, rest = path.partition('/')
    for child in list(_atoms(file, atom)):
        if child[0] == first.encode():
            yield from _inside(file, child, rest) if rest else (child,)


def _atoms(file: BinaryIO, atom: Atom) -> Iterator[Atom]:
    """Yield the atoms that an atom is made of, as far as they are whole."""
    _, at, end = atom
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack('>I4s', file.read(8))
        head = 8
        if size == 1:
            (size,), head = struct.unpack('>Q', file.read(8)), 16
        size = size or end - at  # 0: up to the end
        if size < head or at + size > end:
            return
        yield name, at + head, at + size
        at += size


def _focal(file: BinaryIO, meta: Atom) -> float | None:
    """Read a lens from a `meta` atom: in MP4 a full one, whose content begins four bytes later."""
    for skipped in (0, 4):
        content = meta[0], meta[1] + skipped, meta[2]
        parts = {name: (name, at, end) for name, at, end in _atoms(file, content)}
        if {b'keys', b'ilst'} <= parts.keys():
            wanted = [
                k for k, key in enumerate(_keys(file, parts[b'keys']), 1) if key in FOCAL_KEYS
            ]
            for item in _atoms(file, parts[b'ilst']):
                if struct.unpack('>I', item[0])[0] in wanted:
                    return _value(file, item)
    return None


def _keys(file: BinaryIO, keys: Atom) -> list[str]:
    """List a table's keys, whose first has the number 1."""
    return [
        _content(file, key).decode('utf-8', 'replace')
        for key in _atoms(file, (keys[0], keys[1] + 8, keys[2]))
    ]


def _value(file: BinaryIO, item: Atom) -> float | None:
    """Read the number that an item of a list has, above 0; None where it has none."""
    for data in _atoms(file, item):
        if data[0] == b'data':
            content = _content(file, data)
            kind = struct.unpack_from('>I', content)[0] & 0xFFFFFF  # then four bytes of locale
            try:
                number = _number(kind, content[8:])
            except ValueError:
                return None
            return number if math.isfinite(number) and number > 0 else None
    return None


def _number(kind: int, value: bytes) -> float:
    if kind == TEXT:
        return float(value.decode('utf-8', 'replace').strip('\0 '))
    if kind in (FLOAT, DOUBLE):
        return struct.unpack('>f' if kind == FLOAT else '>d', value)[0]
    if kind in (*SIGNED, *UNSIGNED) and 0 < len(value) <= LONGEST_NUMBER:
        return float(int.from_bytes(value, 'big', signed=kind in SIGNED))
    return math.nan


def _content(file: BinaryIO, atom: Atom) -> bytes:
    file.seek(atom[1])
    return file.read(min(atom[2] - atom[1], LARGEST))
