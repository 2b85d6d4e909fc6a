"""Which of the eight parts of a face each vertex of a face model belongs to: papers/4, Algorithm 1.

The painted model is rendered in several shapes, poses and textures, each picture is segmented as
footage is, and every vertex seen takes a vote from the pixel it lies in. What the paper corrects by
hand is set by the model itself here. Brows and lips are the model's own, else a band along the
brows' landmarks and what lies within the lips' (a painted brow would only come back as it was
painted). Eyeballs are eyes; sockets, teeth, gums, lashes and films are nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz
from ..core.store import cached
from ..face_model.model import FaceModel
from ..face_model.paint import (
    BROW_COLOUR,
    LIP_COLOUR,
    LIP_MIRROR,
    SKIN_COLOUR,
    albedo,
    visible_faces,
)
from ..face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    MIRRORED,
    PARTS,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ..face_model.pieces import face_graph, pieces
from ..footage.detector import NEW_FACE_SCORE, detect_image
from ..footage.masks import segment_parts
from ..geometry.normals import vertex_normals
from ..geometry.planar import distance_to_polyline, inside_polygon
from ..geometry.polygons import triangulate
from ..render.preview import head_to_camera, shade_buffers
from ..render.rasterise import project, rasterise

POSES = ((0, 0), (0, 12), (0, -12), (22, 0), (-22, 0), (40, 4), (-40, 4))  # yaw, pitch, degrees
EXPRESSIONS = (
    {},
    {'jawOpen': 0.4},
    {'jawOpen': 0.2, 'mouthSmile_L': 0.6, 'mouthSmile_R': 0.6},
    {'browInnerUp_L': 0.6, 'browInnerUp_R': 0.6, 'jawOpen': 0.15},
)
IDENTITY_SEEDS = 3  # random identities beside the mean one
IDENTITY_SPREAD = 0.7  # standard deviations of those
# Skin, lips, brows, brows' half width in cm: on twelve neutral London faces a brow is .082 of the
# outer eyes' distance high (.73 cm).
TEXTURES = (
    {'brow_half_width': 0.40},
    {
        'skin': (0.88, 0.74, 0.66),
        'lip': (0.80, 0.47, 0.45),
        'brow': (0.42, 0.31, 0.22),
        'brow_half_width': 0.44,
    },
    {
        'skin': (0.50, 0.35, 0.27),
        'lip': (0.42, 0.20, 0.20),
        'brow': (0.10, 0.07, 0.06),
        'brow_half_width': 0.42,
    },
)
# Parts that the model itself bounds: no vote counts for them.
DRAWN = [LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, UPPER_LIP, LOWER_LIP]
SIZE, DISTANCE = 512, 60.0  # pixels, cm
FOCAL = SIZE / 24.0 * DISTANCE  # frames 24 cm: a vertex's neighbours lie 2 to 4 pixels from it
LIP_EDGE = 0.25  # cm over which the painted lip's edge is soft: a mesh's edges are as long
# Half of a brow's height, of the distance between the eyes' outer corners: .041 on twelve neutral
# London faces, .037 to .042 as three captures draw it.
BROW_HALF_HEIGHT = 0.04
LIP_DEPTH = 1.5  # cm that a lip reaches behind the rearmost landmark of its outline
OUTLINE_EDGE = 0.2  # cm over which brows' and lips' shares grow from none to all across an outline
# cm over which a vertex that no picture shows, or an island, takes after its neighbours.
NEIGHBOURHOOD = 0.15
OCCLUSION_TOLERANCE = 0.15  # cm a vertex may lie behind what is seen in its pixel
WELL_SEEN_COSINE = 0.25  # cosine to the camera from which a vertex is well seen


def model_part_shares(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> np.ndarray:
    """Tell how much of each vertex is which of PARTS: V×9 float32, rows sum to 1.

    From the model's cache, else found and cached (about half a minute on two cores). Where two
    parts' shares are even between vertices, there one ends.
    """
    model = model.template.tracked

    def read(path: Path) -> np.ndarray:
        data = read_npz(path, 'part cache')
        check_arrays(path, data, {'shares': ('f', (model.vertex_count, len(PARTS)))}, 'delete it')
        return data['shares']

    return cached(
        model.cache_path('parts', 'annotate.parts'),
        read,
        lambda: find_parts(model, progress),
        lambda path, shares: write_npz(path, shares=shares),
    )


def model_parts(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> np.ndarray:
    """Label each vertex with its largest share: V int8, into PARTS."""
    return model_part_shares(model, progress).argmax(1).astype(np.int8)


def part_vertices(model: FaceModel) -> dict[str, np.ndarray]:
    """List {vertex group's name ('part_skin', 'part_nose' …): sorted int32 vertex indices}."""
    labels = model_parts(model)
    return {
        f'part_{name}': np.flatnonzero(labels == k).astype(np.int32)
        for k, name in enumerate(PARTS)
        if k
    }


def part_faces(model: FaceModel) -> np.ndarray:
    """Label each face with the part of most of its corners, of two the higher: F int8."""
    labels = model_parts(model)
    votes = np.zeros((len(model.faces), len(PARTS)), np.int8)
    for k in range(model.faces.shape[1]):
        used = np.flatnonzero(model.faces[:, k] >= 0)
        votes[used, labels[model.faces[used, k]]] += 1
    return (len(PARTS) - 1 - votes[:, ::-1].argmax(1)).astype(np.int8)


def find_parts(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> np.ndarray:
    """Find V×9 shares by rendering, segmenting and voting.

    Raises FacewrightError where the detector sees no face in the model.
    """
    rng = np.random.default_rng(0)
    identities = [np.zeros(0)] + [
        rng.normal(size=len(model.identities)) * IDENTITY_SPREAD for _ in range(IDENTITY_SEEDS)
    ]
    colours = [_painted(model, **texture) for texture in TEXTURES]
    pictures = [
        (i, e, pose)
        for e in range(len(EXPRESSIONS))
        for i in range(len(identities))
        for pose in (POSES if i == 0 else POSES[i::IDENTITY_SEEDS])
    ]
    votes, seen = np.zeros((model.vertex_count, len(PARTS))), 0
    for done, (i, e, pose) in enumerate(pictures):
        weights = np.array([EXPRESSIONS[e].get(name, 0.0) for name in model.names])
        cast = _votes(
            model, model.shape(identities[i], weights), colours[done % len(colours)], *pose
        )
        if cast is not None:
            votes, seen = votes + cast, seen + 1
        progress((done + 1) / len(pictures))
    if seen < len(pictures) / 2:
        raise FacewrightError(
            f'The landmark detector sees no face in the model {model.source or model.name}: use '
            'ICT-FaceKit or the built-in head.'
        )
    return _shares_from_votes(model, votes)


def _painted(
    model: FaceModel, brow_half_width: float, skin=SKIN_COLOUR, lip=LIP_COLOUR, brow=BROW_COLOUR
) -> np.ndarray:
    """Paint V×3 albedo whose lips end on the landmarks' outline, between vertices."""
    colours = albedo(model, skin, lip, brow, brow_half_width)
    if 'lips' in model.extra:
        return colours
    face = model.regions['narrow_face']
    distance = _inside_lips(model, face)
    alpha = np.clip(0.5 + distance / LIP_EDGE, 0, 1)
    near = face[np.abs(distance) < LIP_EDGE]
    alpha = alpha[np.abs(distance) < LIP_EDGE, None]
    colours[near] = (1 - alpha) * np.asarray(skin) + alpha * np.asarray(lip)
    return colours


def _inside_lips(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Tell how far within the outer lips' outline N vertices lie, seen from the front: N cm.

    Negative outside of it, −inf behind the lips. The outline: the landmarks' polygon.
    """
    v = model.neutral[vertices].astype(np.float64)
    mark = model.neutral[model.landmarks68].astype(np.float64)
    outline = (mark[48:60] + mark[LIP_MIRROR] * (-1, 1, 1)) / 2
    distance = distance_to_polyline(v[:, :2], np.concatenate([outline, outline[:1]])[:, :2])
    distance *= np.where(inside_polygon(v[:, :2], outline[:, :2]), 1, -1)
    return np.where(v[:, 2] > outline[:, 2].min() - LIP_DEPTH, distance, -np.inf)


def _votes(
    model: FaceModel, vertices: np.ndarray, colours: np.ndarray, yaw: float, pitch: float
) -> np.ndarray | None:
    """Render and segment one picture: V×9 votes of each vertex for the part it is seen in.

    As heavy as the vertex faces the camera; None where no face is found. yaw, pitch: degrees.
    """
    faces = model.faces[visible_faces(model)]
    triangles = triangulate(faces)
    middle, size = (SIZE / 2, SIZE / 2), (SIZE, SIZE)
    camera = head_to_camera(
        vertices.astype(np.float64),
        yaw,
        pitch,
        0,
        DISTANCE,
        model.neutral[model.landmarks68].mean(0) - (0, 0, 3),
    )
    buffers = rasterise(camera, triangles, FOCAL, middle, size)
    picture = shade_buffers(camera, faces, colours, buffers)
    found = detect_image(picture, min_score=NEW_FACE_SCORE)
    if not found:
        return None
    labels = segment_parts(picture, found[0].landmarks[:, :2], found[0].confidence)
    x, y = np.clip(project(camera, FOCAL, middle).astype(int), 0, SIZE - 1).T
    normals = vertex_normals(camera, triangles)
    cosine = -(normals * camera).sum(1) / np.linalg.norm(camera, axis=1)
    weight = np.clip(cosine / WELL_SEEN_COSINE, 0, 1) * (
        camera[:, 2] < buffers[2][y, x] + OCCLUSION_TOLERANCE
    )
    out = np.zeros((model.vertex_count, len(PARTS)))
    out[np.arange(model.vertex_count), labels[y, x]] = weight
    return out


def mirror_vertices(model: FaceModel) -> np.ndarray:
    """Find each vertex' counterpart on the other side, in the same region there: V int32."""
    out = np.arange(model.vertex_count)
    kind = np.zeros(model.vertex_count, int)
    names = {
        name.removesuffix('_L').removesuffix('_R')
        for name in model.regions
        if name != 'narrow_face'
    }
    for k, name in enumerate(sorted(names), 1):
        for key in (name, f'{name}_L', f'{name}_R'):
            kind[model.regions.get(key, np.zeros(0, int))] = k
    for k in np.unique(kind):
        rows = np.flatnonzero(kind == k)
        out[rows] = rows[cKDTree(model.neutral[rows]).query(model.neutral[rows] * (-1, 1, 1))[1]]
    return out.astype(np.int32)


def _shares_from_votes(model: FaceModel, votes: np.ndarray) -> np.ndarray:
    """Make V×9 float32 shares of V×9 votes: symmetric, parts in one piece, where they can be."""
    votes = votes + votes[mirror_vertices(model)][:, MIRRORED]
    votes[:, SKIN] += votes[:, DRAWN].sum(1)  # for eyes: lids and what lashes shade
    votes[:, DRAWN] = 0
    region, piece = model.regions, pieces(model)
    votes[region['narrow_face'], 0] = 0  # the edge of the landmarks' mesh, the mouth's inside
    skin = np.zeros(model.vertex_count, bool)
    skin[piece['skin']] = True
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    graph.data = np.exp(-graph.data / NEIGHBOURHOOD)
    graph = sparse.diags(skin.astype(float)) @ graph @ sparse.diags(skin.astype(float))
    unseen = skin & (votes.sum(1) == 0)
    shares = votes / np.where(votes.sum(1) > 0, votes.sum(1), 1)[:, None]
    while (reached := unseen & ((around := graph @ shares).sum(1) > 0)).any():
        shares[reached] = around[reached] / around[reached].sum(1, keepdims=True)
        unseen &= ~reached
    shares[region['narrow_face'], SKIN] += shares[region['narrow_face']].sum(1) == 0
    shares = _one_piece(_with_brows_and_lips(model, shares), graph, skin)
    shares[~skin | (shares.sum(1) == 0)] = np.eye(len(PARTS))[0]
    for side, label in (('L', LEFT_EYE), ('R', RIGHT_EYE)):
        shares[region[f'eyeball_{side}']] = np.eye(len(PARTS))[label]
    return shares.astype(np.float32)


def _with_brows_and_lips(model: FaceModel, shares: np.ndarray) -> np.ndarray:
    """Lay brows and lips over V×9 shares: the model's own, else as its landmarks bound them."""
    v, piece = model.neutral.astype(np.float64), pieces(model)
    mark, face = v[model.landmarks68], model.regions['narrow_face']
    half = BROW_HALF_HEIGHT * np.linalg.norm(mark[45] - mark[36])
    drawn = np.zeros((model.vertex_count, len(PARTS)))
    for label, line in ((RIGHT_BROW, mark[17:22]), (LEFT_BROW, mark[22:27])):
        if 'brows' in model.extra:
            drawn[:, label] = model.extra['brows'] * (v[:, 0] * line[0, 0] > 0)
        else:
            drawn[face, label] = _share(half - distance_to_polyline(v[face], line))
    for label, name in ((UPPER_LIP, 'upper_lip'), (LOWER_LIP, 'lower_lip')):
        rows = piece[name]
        own = (
            model.extra['lips'][rows]
            if 'lips' in model.extra
            else _share(_inside_lips(model, rows))
        )
        drawn[rows, label] = own
    drawn = (drawn + drawn[mirror_vertices(model)][:, MIRRORED]) / 2
    return shares * (1 - drawn.sum(1, keepdims=True)) + drawn


def _share(inside: np.ndarray) -> np.ndarray:
    """Share of a part at points that lie so far (cm) within its outline: half of it there."""
    return np.clip(0.5 + inside / OUTLINE_EDGE, 0, 1)


def _one_piece(shares: np.ndarray, graph: sparse.csr_matrix, skin: np.ndarray) -> np.ndarray:
    """Give islands of a part the shares round them."""
    shares = shares.copy()
    links = graph.tocoo()
    for k in range(1, len(PARTS)):
        member = (shares.argmax(1) == k) & skin
        own = member[links.row] & member[links.col]
        _, component = connected_components(
            sparse.coo_matrix((links.data[own], (links.row[own], links.col[own])), graph.shape),
            directed=False,
        )
        if not member.any():
            continue
        rows = np.flatnonzero(member)
        islands = rows[component[rows] != np.bincount(component[rows]).argmax()]
        around = shares.copy()
        around[islands] = 0
        around = (graph @ around)[islands]
        around[:, k] = 0
        around[around.sum(1) == 0, SKIN] = 1
        shares[islands] = around / around.sum(1, keepdims=True)
    return shares
