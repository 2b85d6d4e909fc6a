"""Wavefront OBJ text: the one reader and the one writer.

Bourke, "Object Files (.obj)", 1990s: keywords and numbers apart by any white space, a backslash at
a line's end goes on in the next, `#` opens a comment, indices count from 1 or, negative, from
the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import write_text

COLOUR_DEPTH = 255.0  # some programs write colours as 0 to 255


@dataclass(frozen=True)
class ObjFile:
    """What an OBJ holds, all indices from 0.

    points: N×3 float64, in the file's order
    colours: N×3 sRGB in 0..1, or None
    corners, uv_corners: vertices (and UVs, −1 for none) of all polygons, one after another
    sizes: F, how many corners each polygon has
    objects, materials: names in the order of their first use, '' for what has none
    object_of_face, material_of_face: F
    uvs: K×2 float64
    """

    points: np.ndarray
    colours: np.ndarray | None
    corners: np.ndarray
    uv_corners: np.ndarray
    sizes: np.ndarray
    objects: tuple[str, ...]
    object_of_face: np.ndarray
    materials: tuple[str, ...]
    material_of_face: np.ndarray
    uvs: np.ndarray


def decoded(data: bytes) -> str:
    """Return an OBJ's text without a byte-order mark, continued lines joined, lines apart by \\n.

    UTF-16 is told by its mark; bytes that are no UTF-8 (an old program's names) become `�`.
    """
    if data[:2] in (b'\xff\xfe', b'\xfe\xff'):
        text = data.decode('utf-16', 'replace')
    else:
        text = data.decode('utf-8-sig', 'replace')
    text = text.replace('\r\n', '\n').replace('\r', '\n')
    return re.sub(r'\\[ \t]*\n', ' ', text) if '\\' in text else text


def positions(text: str) -> np.ndarray:
    """Read the N×3 float64 positions of an OBJ's text; ValueError where one is not numbers."""
    found = re.findall(r'^[ \t]*v[ \t]+([^#\n]*)', text, re.MULTILINE)
    if not found:
        return np.zeros((0, 3))
    width = len(found[0].split())
    numbers = np.array(' '.join(found).split(), np.float64)
    if width >= 3 and len(numbers) == width * len(found):
        return numbers.reshape(-1, width)[:, :3].copy()
    return np.array([line.split()[:3] for line in found], np.float64).reshape(-1, 3)


def parse(text: str) -> ObjFile:
    """Read an OBJ's text (`decoded`).

    Raises ValueError for what is not a number, IndexError for a face of missing vertices.
    """
    points, uvs, corners, uv_corners, sizes = [], [], [], [], []
    objects, object_of_face, materials, material_of_face = {}, [], {}, []
    current = material = ''
    for line in text.split('\n'):
        words = line.partition('#')[0].split()
        if not words:
            continue
        keyword = words[0]
        if keyword == 'v':
            points.append(words[1:7])
        elif keyword == 'vt':
            uvs.append(words[1:3])
        elif keyword in ('f', 'fo'):
            for word in words[1:]:
                position, _, rest = word.partition('/')
                corners.append(_from_zero(position, len(points)))
                uv = rest.partition('/')[0]
                uv_corners.append(_from_zero(uv, len(uvs)) if uv else -1)
            sizes.append(len(words) - 1)
            object_of_face.append(objects.setdefault(current, len(objects)))
            material_of_face.append(materials.setdefault(material, len(materials)))
        elif keyword == 'o':
            current = ' '.join(line.split()[1:])  # a name may hold a #
        elif keyword == 'usemtl':
            material = ' '.join(line.split()[1:])
    width = min((len(p) for p in points), default=3)
    numbers = np.array([p[:6] if width >= 6 else p[:3] for p in points], np.float64)
    numbers = numbers.reshape(len(points), -1 if points else 3)
    if numbers.shape[1] not in (3, 6):
        raise ValueError('a position of fewer than three numbers')
    corners = np.array(corners, np.int64)
    if len(corners) and (corners.min() < 0 or corners.max() >= len(points)):
        raise IndexError('a face of vertices that are not there')
    return ObjFile(
        numbers[:, :3].copy(),
        _colours(numbers[:, 3:]),
        corners,
        np.array(uv_corners, np.int64),
        np.array(sizes, np.int64),
        tuple(objects),
        np.array(object_of_face, np.int32),
        tuple(materials),
        np.array(material_of_face, np.int32),
        np.array([u + ['0'] * (2 - len(u)) for u in uvs], np.float64).reshape(-1, 2),
    )


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Write vertices V×3 and faces F×4 (triangles padded with −1) in order."""
    lines = ['# Facewright: a face model wrapped onto a mesh']
    lines += [f'v {x:.7g} {y:.7g} {z:.7g}' for x, y, z in vertices.tolist()]
    lines += ['f ' + ' '.join(str(i + 1) for i in f if i >= 0) for f in faces.tolist()]
    write_text(path, '\n'.join(lines) + '\n')


def read_obj(path: Path) -> ObjFile:
    """Read an OBJ file that holds faces.

    Raises FacewrightError: no faces, faces of missing vertices; ValueError where it is damaged.
    """
    try:
        found = parse(decoded(Path(path).read_bytes()))
    except IndexError as error:
        sentence = f'{path} has faces that name missing vertices: export it again.'
        raise FacewrightError(sentence) from error
    if not len(found.points) or not len(found.sizes):
        raise FacewrightError(f'{path} has no faces: choose a mesh of a head.')
    return found


def _from_zero(word: str, count: int) -> int:
    """Count a face's index from 0; −1 where it is the invalid 0 or lies before the first."""
    index = int(word)
    return index - 1 if index > 0 else max(count + index, -1) if index < 0 else -1


def _colours(numbers: np.ndarray) -> np.ndarray | None:
    """N×3 in 0..1 of the numbers behind the positions; None where there are none."""
    if numbers.shape[1] != 3 or not np.isfinite(numbers).all():
        return None
    return np.clip(numbers / (COLOUR_DEPTH if numbers.max(initial=0) > 1 else 1.0), 0, 1)
