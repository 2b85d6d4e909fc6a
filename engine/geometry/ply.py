"""PLY files, text and binary, with polygons of any size (trimesh wants all faces alike).

Turk, "The PLY polygon file format", 1994.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError

TYPES = {
    'char': 'i1',
    'int8': 'i1',
    'uchar': 'u1',
    'uint8': 'u1',
    'short': 'i2',
    'int16': 'i2',
    'ushort': 'u2',
    'uint16': 'u2',
    'int': 'i4',
    'int32': 'i4',
    'uint': 'u4',
    'uint32': 'u4',
    'float': 'f4',
    'float32': 'f4',
    'double': 'f8',
    'float64': 'f8',
    'int64': 'i8',
    'uint64': 'u8',
}
ORDERS = {'ascii': '', 'binary_little_endian': '<', 'binary_big_endian': '>'}
LONGEST_HEADER = 65536  # bytes
CORNERS = ('vertex_indices', 'vertex_index')


@dataclass(frozen=True)
class PlyFile:
    """points N×3 float64; colours N×3 in 0..1 or None; corners of all polygons; sizes F of them."""

    points: np.ndarray
    colours: np.ndarray | None
    corners: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class _Element:
    """One kind of row: properties (name, type, type of the length or '' for a single number)."""

    name: str
    count: int
    properties: list[tuple[str, str, str]]


def read_ply(path: Path) -> PlyFile:
    """Read vertices, colours and polygons of a PLY.

    Raises FacewrightError where it is cut off or holds no faces; ValueError, IndexError, KeyError
    or OverflowError where it is damaged.
    """
    data = Path(path).read_bytes()
    order, elements, start = _header(data)
    if order:
        source = _Bytes(data, start, order)
    else:
        source = _Numbers(np.array(data[start:].split(), np.float64))
    columns: dict[str, dict] = {}
    for element in elements:
        if element.count * source.least(element) > source.left():
            raise FacewrightError(
                f'{path} is cut off: it should hold {element.count:,} rows of '
                f'{element.name}. Copy or export it again.'
            )
        columns[element.name] = source.rows(element)
    vertex, face = columns.get('vertex', {}), columns.get('face', {})
    if not {'x', 'y', 'z'} <= vertex.keys():
        raise FacewrightError(f'{path} has no faces: choose a mesh of a head.')
    none = np.zeros(0), np.zeros(0)
    corners, sizes = next((face[name] for name in CORNERS if name in face), none)
    if not len(sizes):
        raise FacewrightError(
            f'{path} holds points alone, no faces: make a surface of them first '
            '(MeshLab: Filters › Remeshing › Screened Poisson), or choose a mesh.'
        )
    points = np.stack([vertex[axis] for axis in 'xyz'], 1).astype(np.float64)
    return PlyFile(points, _colours(vertex), corners.astype(np.int64), sizes.astype(np.int64))


def _header(data: bytes) -> tuple[str, list[_Element], int]:
    """(byte order, '' for text; elements; where the rows begin)."""
    if data[:3] != b'ply':
        raise ValueError('no PLY')
    end = data.find(b'end_header', 0, LONGEST_HEADER)
    stop = data.find(b'\n', end)
    if end < 0:
        raise ValueError('a header without an end')
    order, elements = None, []
    for line in data[:end].decode('latin-1').splitlines():
        words = line.split()
        if words[:1] == ['format']:
            order = ORDERS[words[1]]
        elif words[:1] == ['element']:
            elements.append(_Element(words[1], int(words[2]), []))
            if elements[-1].count < 0:
                raise ValueError('fewer rows than none')
        elif words[:2] == ['property', 'list']:
            elements[-1].properties.append((words[4], TYPES[words[3]], TYPES[words[2]]))
        elif words[:1] == ['property']:
            elements[-1].properties.append((words[2], TYPES[words[1]], ''))
    if order is None:
        raise ValueError('no format')
    return order, elements, len(data) if stop < 0 else stop + 1


def _colours(vertex: dict) -> np.ndarray | None:
    """Return N×3 in 0..1, whole numbers being parts of the largest; None without colours."""
    if not {'red', 'green', 'blue'} <= vertex.keys():
        return None
    found = np.stack([vertex[name] for name in ('red', 'green', 'blue')], 1)
    if found.dtype.kind in 'iu':
        most = np.iinfo(found.dtype).max
    else:
        most = 255.0 if found.max(initial=0) > 1 else 1.0
    found = found / most
    return np.clip(found, 0, 1) if np.isfinite(found).all() else None


def _columns(element: _Element, rows: list[tuple[list, list]]) -> dict:
    """{property: its column, or for a list (all its numbers, how many each row has)}."""
    out = {}
    for (name, _, length), (values, sizes) in zip(element.properties, rows):
        if values:
            column = np.concatenate(values)
            out[name] = (column, np.array(sizes)) if length else column
    return out


class _Bytes:
    """Rows one after another in binary."""

    def __init__(self, data: bytes, at: int, order: str):
        self.data, self.at, self.order = data, at, order

    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at

    def least(self, element: _Element) -> int:
        """How many bytes a row takes at least."""
        return sum(np.dtype(length or kind).itemsize for _, kind, length in element.properties)

    def rows(self, element: _Element) -> dict:
        """{property: its column, or for a list (all its numbers, how many each row has)}."""
        dtype = self._alike(element)
        if dtype is None:
            return self._one_by_one(element)
        table = np.frombuffer(self.data, dtype, element.count, self.at)
        lists = [k for k, (_, _, length) in enumerate(element.properties) if length]
        sizes = [(k, table[f'n{k}']) for k in lists]
        if any((size != size[:1]).any() for _, size in sizes):
            return self._one_by_one(element)
        self.at += element.count * dtype.itemsize
        counts = dict(sizes)
        return {
            name: (table[f'v{k}'].ravel(), counts[k]) if length else table[f'v{k}']
            for k, (name, _, length) in enumerate(element.properties)
        }

    def _alike(self, element: _Element) -> np.dtype | None:
        """The rows' type if all are as long as the first; None where they are not."""
        fields, at = [], self.at
        for k, (_, kind, length) in enumerate(element.properties):
            if length:
                count = self._number(length, at) if element.count else 0
                fields += [(f'n{k}', self.order + length), (f'v{k}', self.order + kind, (count,))]
            else:
                fields.append((f'v{k}', self.order + kind))
            at = self.at + np.dtype(fields).itemsize
        dtype = np.dtype(fields)
        return dtype if element.count * dtype.itemsize <= self.left() else None

    def _number(self, kind: str, at: int) -> int:
        value = int(np.frombuffer(self.data, self.order + kind, 1, at)[0])
        if not 0 <= value <= len(self.data):
            raise ValueError('a list of impossible length')
        return value

    def _one_by_one(self, element: _Element) -> dict:
        """The same where lists are of several lengths."""
        out = [([], []) for _ in element.properties]
        for _ in range(element.count):
            for (_, kind, length), (values, sizes) in zip(element.properties, out):
                count = 1
                if length:
                    count = self._number(length, self.at)
                    self.at += np.dtype(length).itemsize
                    sizes.append(count)
                values.append(np.frombuffer(self.data, self.order + kind, count, self.at))
                self.at += count * np.dtype(kind).itemsize
        return _columns(element, out)


class _Numbers:
    """The same in text: one number after another."""

    def __init__(self, numbers: np.ndarray):
        self.numbers, self.at = numbers, 0

    def left(self) -> int:
        """How many numbers are left."""
        return len(self.numbers) - self.at

    def least(self, element: _Element) -> int:
        """How many numbers a row has at least."""
        return len(element.properties)

    def rows(self, element: _Element) -> dict:
        """{property: its column, or for a list (all its numbers, how many each row has)}."""
        if not any(length for _, _, length in element.properties):
            table = self._take(element.count * len(element.properties))
            table = table.reshape(element.count, len(element.properties))
            return {
                name: table[:, k] if kind[0] == 'f' else table[:, k].astype(kind)
                for k, (name, kind, _) in enumerate(element.properties)
            }
        out = [([], []) for _ in element.properties]
        for _ in range(element.count):
            for (_, _, length), (values, sizes) in zip(element.properties, out):
                count = int(self._take(1)[0]) if length else 1
                sizes.append(count)
                values.append(self._take(count))
        return _columns(element, out)

    def _take(self, count: int) -> np.ndarray:
        if not 0 <= count <= self.left():
            raise ValueError('fewer numbers than said')
        self.at += count
        return self.numbers[self.at - count : self.at]
