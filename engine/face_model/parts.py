"""Which of the eight parts of a face (papers/4) each vertex of a face model belongs to: their Algorithm 1.

The painted model is rendered in several shapes, poses and textures, each picture is segmented as footage is, and every vertex seen
takes a vote from the pixel it lies in. What the paper corrects by hand is set by the model's own pieces here: eyeballs are eyes, skin
is none, sockets, teeth, gums, lashes and films are nothing.
"""
from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..errors import FacewrightError
from ..files import cache_folder, read_npz, write_npz
from .model import FaceModel, triangulate
from .paint import BROW, LIP, SKIN as SKIN_COLOUR, albedo, visible_faces
from .pieces import face_graph, pieces

PARTS = ('other', 'skin', 'nose', 'left_brow', 'right_brow', 'left_eye', 'right_eye', 'upper_lip', 'lower_lip')  # left is the person's
SKIN, NOSE, LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, UPPER_LIP, LOWER_LIP = range(1, 9)
MIRRORED = np.array([0, SKIN, NOSE, RIGHT_BROW, LEFT_BROW, RIGHT_EYE, LEFT_EYE, UPPER_LIP, LOWER_LIP])

FORMAT = 1
POSES = ((0, 0), (0, 12), (0, -12), (22, 0), (-22, 0), (40, 4), (-40, 4))   # yaw, pitch, degrees
EXPRESSIONS = ({}, {'jawOpen': .4}, {'jawOpen': .2, 'mouthSmile_L': .6, 'mouthSmile_R': .6}, {'browInnerUp_L': .6, 'browInnerUp_R': .6, 'jawOpen': .15})
IDENTITY_SEEDS, IDENTITY_SPREAD = 3, .7      # random identities beside the mean one, and their standard deviations
TEXTURES = (  # skin, lips, brows, brows' half width in cm: on twelve neutral London faces a brow is .082 of the outer eyes' distance high (.73 cm)
    {'brow_half_width': .40}, {'skin': (.88, .74, .66), 'lip': (.80, .47, .45), 'brow': (.42, .31, .22), 'brow_half_width': .44},
    {'skin': (.50, .35, .27), 'lip': (.42, .20, .20), 'brow': (.10, .07, .06), 'brow_half_width': .42})
SIZE, DISTANCE = 512, 60.                    # pixels, cm
FOCAL = SIZE / 24. * DISTANCE                # frames 24 cm: a vertex's neighbours lie 2 to 4 pixels from it
HIDDEN = .15                                 # cm a vertex may lie behind what is seen in its pixel
FACING = .25                                 # cosine to the camera from which a vertex is well seen


def _cache_path(model: FaceModel) -> Path:
    key = hashlib.sha256(model.neutral.tobytes() + model.faces.tobytes() + model.expressions.tobytes() + f'{FORMAT}'.encode()).hexdigest()[:16]
    return cache_folder() / 'models' / f'{model.name}-parts-{key}.npz'


def model_parts(model: FaceModel, progress: Callable[[float], None] = lambda fraction: None) -> np.ndarray:
    """V int8: the index into PARTS of each vertex, from the model's cache if there is one, else found and cached (about half a minute on two cores)."""
    path = _cache_path(model)
    if path.exists():
        return read_npz(path, 'part cache')['labels']
    labels = find_parts(model, progress)
    write_npz(path, labels=labels)
    return labels


def part_vertices(model: FaceModel) -> dict[str, np.ndarray]:
    """Vertex group name ('part_skin', 'part_nose' …) → sorted int32 vertex indices."""
    labels = model_parts(model)
    return {f'part_{name}': np.flatnonzero(labels == k).astype(np.int32) for k, name in enumerate(PARTS) if k}


def part_faces(model: FaceModel) -> np.ndarray:
    """F int8: the part most of a face's corners belong to; where two are as many, the one with the higher label."""
    labels = model_parts(model)
    votes = np.zeros((len(model.faces), len(PARTS)), np.int8)
    for k in range(model.faces.shape[1]):
        used = np.flatnonzero(model.faces[:, k] >= 0)
        votes[used, labels[model.faces[used, k]]] += 1
    return (len(PARTS) - 1 - votes[:, ::-1].argmax(1)).astype(np.int8)


def find_parts(model: FaceModel, progress: Callable[[float], None] = lambda fraction: None) -> np.ndarray:
    """V int8 labels by rendering, segmenting and voting. FacewrightError where the detector sees no face in the model."""
    rng = np.random.default_rng(0)
    identities = [np.zeros(0)] + [rng.normal(size=len(model.identities)) * IDENTITY_SPREAD for _ in range(IDENTITY_SEEDS)]
    colours = [albedo(model, **texture) for texture in TEXTURES]
    looks = [(i, e, pose) for e in range(len(EXPRESSIONS)) for i in range(len(identities)) for pose in (POSES if i == 0 else POSES[i::IDENTITY_SEEDS])]
    votes, seen = np.zeros((model.vertex_count, len(PARTS))), 0
    for done, (i, e, pose) in enumerate(looks):
        weights = np.array([EXPRESSIONS[e].get(name, 0.) for name in model.names])
        cast = _votes(model, model.shape(identities[i], weights), colours[done % len(colours)], *pose)
        if cast is not None:
            votes, seen = votes + cast, seen + 1
        progress((done + 1) / len(looks))
    if seen < len(looks) / 2:
        raise FacewrightError(f'The landmark detector sees no face in the model {model.source or model.name}: use ICT-FaceKit or the built-in head.')
    return _decided(model, votes)


def _votes(model: FaceModel, vertices: np.ndarray, colours: np.ndarray, yaw: float, pitch: float) -> np.ndarray | None:
    """One picture: V×9 votes, each vertex's for the part it is seen in, as heavy as it faces the camera; None where no face is found."""
    from ..footage.part_masks import frame_parts
    from ..footage.search import find, thorough_steps
    from ..footage.visibility import confidence
    from ..mesh.normals import vertex_normals
    from ..render.preview import head_to_camera, render_camera
    from ..render.rasterise import project, rasterise
    faces = model.faces[visible_faces(model)]
    triangles = triangulate(faces)
    middle, size = (SIZE / 2, SIZE / 2), (SIZE, SIZE)
    camera = head_to_camera(vertices.astype(np.float64), yaw, pitch, 0, DISTANCE, model.neutral[model.landmarks68].mean(0) - (0, 0, 3))
    buffers = rasterise(camera, triangles, FOCAL, middle, size)
    picture = render_camera(camera, faces, colours, FOCAL, middle, size, supersample=1, buffers=buffers)
    found = find(picture, thorough_steps(size))
    if not found:
        return None
    labels = frame_parts(picture, found[0].points[:, :2], confidence(found[0], size))
    x, y = np.clip(project(camera, FOCAL, middle).astype(int), 0, SIZE - 1).T
    normals = vertex_normals(camera, triangles)
    cosine = -(normals * camera).sum(1) / np.linalg.norm(camera, axis=1)
    weight = np.clip(cosine / FACING, 0, 1) * (camera[:, 2] < buffers[2][y, x] + HIDDEN)
    out = np.zeros((model.vertex_count, len(PARTS)))
    out[np.arange(model.vertex_count), labels[y, x]] = weight
    return out


def mirror_vertices(model: FaceModel) -> np.ndarray:
    """V int32: the vertex on the other side; the nearest to the mirror image within the regions on that side."""
    out = np.arange(model.vertex_count)
    kind = np.zeros(model.vertex_count, int)
    for k, name in enumerate(sorted({name.removesuffix('_L').removesuffix('_R') for name in model.regions if name != 'narrow_face'}), 1):
        for key in (name, f'{name}_L', f'{name}_R'):
            kind[model.regions.get(key, np.zeros(0, int))] = k
    for k in np.unique(kind):
        rows = np.flatnonzero(kind == k)
        out[rows] = rows[cKDTree(model.neutral[rows]).query(model.neutral[rows] * (-1, 1, 1))[1]]
    return out.astype(np.int32)


def _decided(model: FaceModel, votes: np.ndarray) -> np.ndarray:
    """Labels from V×9 votes: symmetric, in one piece each, only where they can be."""
    mirror = mirror_vertices(model)
    votes = (votes + votes[mirror][:, MIRRORED])
    votes[:, SKIN] += votes[:, LEFT_EYE] + votes[:, RIGHT_EYE]     # lids and lashes' shadow: skin all the same
    votes[:, [LEFT_EYE, RIGHT_EYE]] = 0
    region, piece = model.regions, pieces(model)
    for name, other in (('upper_lip', LOWER_LIP), ('lower_lip', UPPER_LIP)):
        votes[piece[name], LOWER_LIP + UPPER_LIP - other] += votes[piece[name], other]
        votes[piece[name], other] = 0
    skin = np.zeros(model.vertex_count, bool)
    skin[piece['skin']] = True
    face = np.zeros(model.vertex_count, bool)
    face[region['narrow_face']] = True
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    graph.data = np.exp(-graph.data / .15)                         # neighbours' votes, for what was never seen and against noise
    graph = graph @ sparse.diags(skin.astype(float))
    for _ in range(3):
        votes = .7 * votes + .3 * sparse.diags(1 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1e-9)) @ (graph @ votes)
    unseen = skin & (votes.sum(1) < 1e-3)
    for _ in range(60):
        if not unseen.any():
            break
        votes[unseen] = (graph @ votes)[unseen]
        unseen = skin & (votes.sum(1) < 1e-12)
    labels = votes.argmax(1)
    labels = np.where(face & (labels == 0), SKIN, labels)
    labels[~skin] = 0
    labels = _one_piece(labels, graph, skin)
    for side, label in (('L', LEFT_EYE), ('R', RIGHT_EYE)):
        labels[region[f'eyeball_{side}']] = label
    return labels.astype(np.int8)


def _one_piece(labels: np.ndarray, graph: sparse.csr_matrix, skin: np.ndarray) -> np.ndarray:
    """Islands of a label take the label round them."""
    labels = labels.copy()
    links = graph.tocoo()
    for k in range(1, len(PARTS)):
        own = (labels[links.row] == k) & (labels[links.col] == k) & skin[links.row]
        _, component = connected_components(sparse.coo_matrix((links.data[own], (links.row[own], links.col[own])), graph.shape), directed=False)
        rows = np.flatnonzero((labels == k) & skin)
        if not len(rows):
            continue
        islands = rows[component[rows] != np.bincount(component[rows]).argmax()]
        around = np.zeros((len(labels), len(PARTS)))
        around[np.arange(len(labels)), labels] = 1
        around[islands] = 0
        labels[islands] = np.where((graph @ around)[islands].sum(1) > 0, (graph @ around)[islands].argmax(1), SKIN)
    return labels
