"""The built-in head's pieces put together.

Vertex order, regions, mirror, materials, landmarks, UVs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..regions import REGION_NAMES
from . import uv
from .cage import FACE_POINTS, LIPS_INNER, OVAL_L, Cage, measured
from .eyes import eyeball
from .lashes import ROWS as LASH_ROWS
from .lashes import Lashes, grow_lashes
from .mouth import (
    CROWN_RINGS,
    GUM_COLUMNS,
    GUM_ROWS,
    LOWER_JAW,
    TONGUE_AROUND,
    TONGUE_RINGS,
    UPPER_JAW,
    gums,
    teeth,
    tongue,
)
from .skin import Skin, build_skin

MATERIALS = (
    'Face',
    'Head',
    'MouthSocket',
    'EyeSocket',
    'Gums',
    'Tongue',
    'Teeth',
    'Sclera',
    'Iris',
    'Pupil',
    'LashHair',
)
ORDER = (
    'narrow_face',
    'face',
    'head_neck',
    'mouth_socket',
    'eye_socket_L',
    'eye_socket_R',
    'gums_tongue',
    'teeth',
    'eyeball_L',
    'eyeball_R',
    'eyelashes_L',
    'eyelashes_R',
)
PART_REGION = {
    'face': 'face',
    'nostril_L': 'face',
    'nostril_R': 'face',
    'cranium': 'head_neck',
    'neck': 'head_neck',
    'ear_L': 'head_neck',
    'ear_R': 'head_neck',
    'mouth_socket': 'mouth_socket',
    'eye_socket_L': 'eye_socket_L',
    'eye_socket_R': 'eye_socket_R',
}
PART_MATERIAL = {
    'face': 0,
    'nostril_L': 0,
    'nostril_R': 0,
    'cranium': 1,
    'neck': 1,
    'ear_L': 1,
    'ear_R': 1,
    'mouth_socket': 2,
    'eye_socket_L': 3,
    'eye_socket_R': 3,
    'gums_upper': 4,
    'gums_lower': 4,
    'tongue': 5,
    'teeth_upper': 6,
    'teeth_lower': 6,
    'eyelashes_L': 10,
    'eyelashes_R': 10,
}

# Multi-PIE's 68 as points of the measured face, the person's right to left; a pair is the middle of
# two.
JAW_EDGE = (356, 454, 323, 361, 397, 379, 378, 377)
BROW_L = ((336, 285), (296, 295), (334, 282), (293, 283), (300, 276))
EYE_L = (362, 385, 387, 263, 373, 380)
NOSE_RIDGE = (168, 197, 195, 4)
NOSTRILS_L = (2, 326, 327)
LIPS_OUTER_L, LIPS_LOWER_L = (0, 267, 269, 291), (405, 314, 17)
MOUTH_L = (13, 311, 308, 402, 14)

LIPS_RED = (
    (291, 409, 270, 269, 267, 0, 375, 321, 405, 314, 17),
    (306, 408, 304, 303, 302, 11, 307, 320, 404, 315, 16),
    (292, 407, 272, 271, 268, 12, 325, 319, 403, 316, 15),
    (308, 415, 310, 311, 312, 13, 324, 318, 402, 317, 14),
)


@dataclass(frozen=True)
class Head:
    """The whole head in its final vertex order.

    vertices: V×3 cm. faces: F×4. face_parts: F names. regions: name → vertices.
    mirror: V, the vertex across the midline.
    matrix: V×C, a number on the cage's vertices → on the head's (0 off the skin).
    point: 468, the vertex at each measured point.
    pieces: name → vertices of each loose piece.
    forward: V, for the tongue 0 root … 1 tip.
    loops: named closed loops of vertices (lid_L, lid_edge_L, lips, nostril_L, ear_L …).
    furrow: V×3, what the lids' creases add.
    """

    vertices: np.ndarray
    faces: np.ndarray
    face_parts: np.ndarray
    face_materials: np.ndarray
    regions: dict[str, np.ndarray]
    mirror: np.ndarray
    matrix: sparse.csr_matrix
    point: np.ndarray
    pieces: dict[str, np.ndarray]
    forward: np.ndarray
    loops: dict[str, np.ndarray]
    cage: Cage
    furrow: np.ndarray
    uvs: np.ndarray
    face_uvs: np.ndarray
    landmarks68: np.ndarray
    lash_roots: dict[str, sparse.csr_matrix]


def flipped(faces: np.ndarray) -> np.ndarray:
    """Return faces turned inside out."""
    return np.where(faces[:, 3:] < 0, faces[:, [0, 2, 1, 3]], faces[:, ::-1])


@dataclass(frozen=True)
class Piece:
    """A piece before all are put together: the skin, or one that lies loose in or on it."""

    name: str
    # N×3 cm.
    vertices: np.ndarray
    # F×4 int32 into its own vertices, triangles padded with −1.
    faces: np.ndarray
    # F: an eyeball's 0 sclera, 1 iris, 2 pupil; None for pieces of one material.
    eye_part: np.ndarray | None = None


def assemble() -> Head:
    """Put the head together from its pieces."""
    skin = build_skin()
    lashes = grow_lashes(skin.vertices, skin.loops['lid_L'])
    pieces, forward = all_pieces(skin, lashes)
    vertices, faces, start = joined(pieces)
    parts, materials = face_parts(pieces, skin), face_materials(pieces, skin)

    # The final order: by region, as pieces come within.
    region = vertex_regions(vertices, skin, pieces, start)
    order = np.argsort(region, kind='stable')
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    vertices, region = vertices[order], region[order]
    faces = np.where(faces >= 0, number[faces], -1).astype(np.int32)
    mirror = mirror_map(vertices)
    vertices = (vertices + vertices[mirror] * [-1, 1, 1]) / 2

    # What the pieces brought, on the vertices in that order.
    block = sparse.vstack(
        [skin.matrix, sparse.csr_matrix((len(vertices) - len(skin.vertices), skin.matrix.shape[1]))]
    ).tocsr()
    matrix = block[order]
    index = {piece.name: number[start[k] : start[k + 1]] for k, piece in enumerate(pieces)}
    along = np.zeros(len(vertices))
    along[index['tongue']] = forward
    furrow = np.zeros_like(vertices)
    furrow[index['skin']] = skin.furrow
    furrow = (furrow + furrow[mirror] * [-1, 1, 1]) / 2
    regions, point = region_indices(region), number[:FACE_POINTS]
    uvs, face_uvs = unwrap(vertices, faces, parts, matrix, skin.cage, index)
    return Head(
        vertices=vertices,
        faces=faces,
        face_parts=parts,
        face_materials=materials,
        regions=regions,
        mirror=mirror,
        matrix=matrix,
        point=point,
        pieces=index,
        forward=along,
        loops={k: number[v] for k, v in skin.loops.items()},
        cage=skin.cage,
        furrow=furrow,
        uvs=uvs,
        face_uvs=face_uvs,
        landmarks68=landmarks(vertices, point, measured()['mirror'], regions['face']),
        lash_roots=lash_roots(lashes.roots, number, index, mirror),
    )


def all_pieces(skin: Skin, lashes: Lashes) -> tuple[list[Piece], np.ndarray]:
    """Return (the pieces, the skin first; how far forward each vertex of the tongue lies)."""
    jaws = ((UPPER_JAW, 'upper'), (LOWER_JAW, 'lower'))
    pieces = [Piece('skin', skin.vertices, skin.faces)]
    pieces += [Piece('gums_' + name, *gums(jaw)) for jaw, name in jaws]
    vertices, faces, forward = tongue()
    pieces.append(Piece('tongue', vertices, faces))
    pieces += [Piece('teeth_' + name, *teeth(jaw)) for jaw, name in jaws]
    for name, vertices, faces, eye_part in (
        ('eyeball', *eyeball()),
        ('eyelashes', lashes.vertices, lashes.faces, None),
    ):
        pieces.append(Piece(name + '_L', vertices, faces, eye_part))
        pieces.append(Piece(name + '_R', vertices * [-1, 1, 1], flipped(faces), eye_part))
    return pieces, forward


def joined(pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put pieces one after the other: (vertices V×3, faces F×4, where each begins P+1)."""
    vertices = np.concatenate([piece.vertices for piece in pieces])
    start = np.concatenate([[0], np.cumsum([len(piece.vertices) for piece in pieces])])
    faces = np.concatenate(
        [np.where(piece.faces >= 0, piece.faces + s, -1) for piece, s in zip(pieces, start)]
    )
    return vertices, faces, start


def face_parts(pieces: list[Piece], skin: Skin) -> np.ndarray:
    """Return F names: the part of the skin, or the piece, that each face belongs to."""
    return np.concatenate(
        [
            skin.parts if piece.name == 'skin' else np.full(len(piece.faces), piece.name)
            for piece in pieces
        ]
    ).astype('U16')


def face_materials(pieces: list[Piece], skin: Skin) -> np.ndarray:
    """Return F uint8 into MATERIALS."""
    out = []
    for piece in pieces:
        if piece.name == 'skin':
            out.append([PART_MATERIAL.get(part, 0) for part in skin.parts])
        elif piece.eye_part is not None:
            out.append(piece.eye_part + MATERIALS.index('Sclera'))
        else:
            out.append(np.full(len(piece.faces), PART_MATERIAL[piece.name]))
    return np.concatenate(out).astype(np.uint8)


def region_indices(region: np.ndarray) -> dict[str, np.ndarray]:
    """Return region name → int32 vertices, from V indices into ORDER; those it lacks are empty."""
    regions = {name: np.empty(0, np.int32) for name in REGION_NAMES}
    for k, name in enumerate(ORDER):
        regions[name] = np.flatnonzero(region == k).astype(np.int32)
    regions['face'] = np.flatnonzero(region <= 1).astype(np.int32)
    return regions


def lash_roots(
    roots: sparse.csr_matrix, number: np.ndarray, index: dict, mirror: np.ndarray
) -> dict[str, sparse.csr_matrix]:
    """Return side → where each lash vertex is rooted on the whole head's vertices, a sparse matrix.

    Rows are in the order of index['eyelashes_L' or '_R'].
    """
    roots = roots.tocoo()
    count = len(mirror)
    left = sparse.csr_matrix((roots.data, (roots.row, number[roots.col])), (roots.shape[0], count))
    right = sparse.csr_matrix(
        (roots.data, (roots.row, mirror[number[roots.col]])), (roots.shape[0], count)
    )
    return {'L': left, 'R': right}


def vertex_regions(
    vertices: np.ndarray, skin: Skin, pieces: list[Piece], start: np.ndarray
) -> np.ndarray:
    """Return V indices into ORDER; a vertex between two parts belongs to the first of them."""
    region = np.full(len(vertices), len(ORDER))
    for part, name in PART_REGION.items():
        rows = np.unique(skin.faces[skin.parts == part])
        rows = rows[rows >= 0]
        region[rows] = np.minimum(region[rows], ORDER.index(name))
    rim = np.zeros(skin.matrix.shape[1])
    mirror = measured()['mirror']
    rim[list(OVAL_L)] = rim[mirror[list(OVAL_L)]] = 1
    far = (skin.matrix @ rim) > 1e-3
    region[: len(far)][(region[: len(far)] == 1) & ~far] = 0
    for piece, a, b in zip(pieces[1:], start[1:-1], start[2:]):
        name = piece.name
        region[a:b] = ORDER.index(
            'gums_tongue'
            if name.startswith(('gums', 'tongue'))
            else 'teeth'
            if name.startswith('teeth')
            else name
        )
    return region


def mirror_map(vertices: np.ndarray) -> np.ndarray:
    """Return V: the vertex across the midline from each; exact, by construction."""
    distance, mirror = cKDTree(vertices).query(vertices * [-1, 1, 1])
    if distance.max() > 1e-4 or (mirror[mirror] != np.arange(len(mirror))).any():
        raise AssertionError(f'the built-in head is not symmetric ({distance.max():.3g} cm)')
    return mirror


def landmarks(
    vertices: np.ndarray, point: np.ndarray, mirror: np.ndarray, face: np.ndarray
) -> np.ndarray:
    """Return the 68 landmarks' vertices in Multi-PIE order.

    point, mirror: of the measured points, their vertices and the point across; face: vertices that
    a landmark between two points may be.
    """
    tree = cKDTree(vertices[face])

    def at(k) -> int:
        if isinstance(k, tuple):
            upper, lower = vertices[point[list(k)]]
            return int(face[tree.query(0.42 * upper + 0.58 * lower)[1]])
        return int(point[k])

    def other(k):
        return tuple(int(mirror[j]) for j in k) if isinstance(k, tuple) else int(mirror[k])

    right_lower = [other(k) for k in (267, 269)][::-1]
    marks = [other(k) for k in JAW_EDGE] + [152] + list(JAW_EDGE[::-1])
    marks += (
        [other(k) for k in BROW_L[::-1]]
        + list(BROW_L)
        + list(NOSE_RIDGE)
        + [other(k) for k in NOSTRILS_L[:0:-1]]
        + list(NOSTRILS_L)
    )
    marks += [
        other(k) for k in (EYE_L[3], EYE_L[2], EYE_L[1], EYE_L[0], EYE_L[5], EYE_L[4])
    ] + list(EYE_L)
    marks += (
        [other(291)]
        + right_lower
        + list(LIPS_OUTER_L)
        + list(LIPS_LOWER_L)
        + [other(314), other(405)]
    )
    marks += [other(308), other(311)] + list(MOUTH_L) + [other(402)]
    return np.array([at(k) for k in marks], np.int32)


def cavity_depth(head: Head) -> np.ndarray:
    """Return V in 0..1: how deep in a nostril or a concha each lies, where light hardly comes."""
    out = np.zeros(len(head.vertices))
    for part, rim in (('nostril_L', 0.95), ('nostril_R', 0.95), ('ear_L', 0.36), ('ear_R', 0.36)):
        known = np.zeros(head.matrix.shape[1])
        known[list(head.cage.discs[part])] = 1
        depth = 1 - np.linalg.norm(uv.disc_uv(head.matrix, head.cage.discs[part]), axis=1) / rim
        out = np.maximum(
            out,
            np.clip(depth * 2.5, 0, 1)
            * (0.3 if part[0] == 'e' else 1)
            * (head.matrix @ known > 0.6),
        )
    return out


def painted_areas(head: Head) -> dict[str, np.ndarray]:
    """Return name → V in 0..1: what of the skin is coloured, fading over its border.

    lips: their red; brows; throat: how deep in the mouth, where it is dark.
    """
    mirror = measured()['mirror']
    out = {}
    for name, points, low in (('lips', sum(LIPS_RED, ()), 0.55), ('brows', sum(BROW_L, ()), 0.64)):
        rows = np.zeros(head.matrix.shape[1])
        rows[list(points)] = rows[mirror[list(points)]] = 1
        if name == 'lips':
            first = min(head.cage.discs['mouth_socket'])
            rows[first : first + 40] = 1
        out[name] = np.clip((head.matrix @ rows - low) / 0.3, 0, 1)
    depth = np.zeros(head.matrix.shape[1])
    first, last = min(head.cage.discs['mouth_socket']), max(head.cage.discs['mouth_socket'])
    depth[first : last + 1] = np.clip(
        (np.arange(last + 1 - first) // len(LIPS_INNER) - 2) / 3, 0, 1
    )
    out['throat'] = head.matrix @ depth
    return out


def unwrap(vertices, faces, parts, matrix, cage, index) -> tuple[np.ndarray, np.ndarray]:
    """Return (U×2 UVs, F×4 face UVs).

    The face round the front, the crown, ears and tubes as discs, loose pieces in strips.
    """
    islands = [
        (
            np.isin(parts, ('face', 'neck')),
            uv.cylinder_uv(vertices),
            (0.005, 0.255, 0.995, 0.995),
            True,
        ),
        (parts == 'cranium', uv.crown_uv(vertices), (0.005, 0.005, 0.245, 0.245), False),
    ]
    slots = [
        'ear_L',
        'ear_R',
        'mouth_socket',
        'eye_socket_L',
        'eye_socket_R',
        'nostril_L',
        'nostril_R',
        'eyeball_L',
        'eyeball_R',
        'tongue',
        'gums_upper',
        'gums_lower',
        'teeth_upper',
        'teeth_lower',
        'eyelashes_L',
        'eyelashes_R',
    ]
    for k, part in enumerate(slots):
        column, row = k % 8, k // 8
        corner = (0.255 + 0.0935 * column, 0.005 + 0.125 * row)
        mask, periodic = parts == part, False
        if part in cage.discs:
            flat = uv.disc_uv(matrix, cage.discs[part])
        elif part.startswith('eyeball'):
            d = vertices - vertices[index[part]].mean(0)
            angle = np.arccos(np.clip(d[:, 2] / np.maximum(np.linalg.norm(d, axis=1), 1e-9), -1, 1))
            flat = d[:, :2] * (angle / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9))[:, None]
        else:
            flat = strip_uv(part, index, len(vertices))
            periodic = part.startswith(('teeth', 'tongue'))
        islands.append((mask, flat, (*corner, corner[0] + 0.088, corner[1] + 0.118), periodic))
    return uv.pack(faces, islands)


def strip_uv(part: str, index: dict, count: int) -> np.ndarray:
    """Return rows and columns of a swept piece as UVs; a tooth or the tongue closes round u."""
    flat = np.zeros((count, 2))
    rows = index[part]
    k = np.arange(len(rows))
    if part.startswith('teeth'):
        tooth, ring, around = k // (8 * CROWN_RINGS), k // 8 % CROWN_RINGS, k % 8
        flat[rows] = np.stack([around / 8.0, tooth * 1.2 + ring / CROWN_RINGS], 1)
    elif part == 'tongue':
        flat[rows] = np.stack(
            [k % TONGUE_AROUND / TONGUE_AROUND, k // TONGUE_AROUND / TONGUE_RINGS], 1
        )
        flat[rows[-2:]] = ((0.5, -0.05), (0.5, 1.05))
    elif part.startswith('eyelashes'):
        lash = 2 * LASH_ROWS
        flat[rows] = np.stack([k // lash + 0.6 * (k % 2), k % lash // 2 / LASH_ROWS], 1)
    else:
        n = GUM_COLUMNS
        flat[rows] = np.stack([k % n / (n - 1), k // n / (GUM_ROWS - 1)], 1)
    return flat
