"""The anatomical pieces of a face model.

They are found from its regions, its connectivity and how it moves with the jaw; no table by hand.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..geometry.polygons import triangulate
from ..geometry.rows import unique_rows
from .model import FaceModel

# of the mouth's width: how far from the slit's rim a lip reaches over the skin (ICT: 2.1 cm, just
# past the lip's red)
LIP_REACH = 0.48
LID_REACH = 0.42  # of the eye's width: how far a lid reaches (ICT: 1.0 cm)
# of the largest motion of any tooth with the jaw: what moves less belongs to the skull
JAW_STILL = 0.1
# of the mouth's width: the median distance of tongue from the nearest tooth is more (gums hug their
# teeth)
TONGUE_GAP = 0.06
TONGUE_WIDTH = 0.8  # of the lower teeth's arch: the tongue is narrower
SOCKETS = {'mouth': 'mouth_socket', 'eye_L': 'eye_socket_L', 'eye_R': 'eye_socket_R'}
# slit → (upper, lower) contours, each through landmarks of the 68 from corner to corner
CONTOURS = {
    'mouth': (
        ([60, 61, 62, 63, 64], [48, 49, 50, 51, 52, 53, 54]),
        ([60, 67, 66, 65, 64], [48, 59, 58, 57, 56, 55, 54]),
    ),
    'eye_L': (([42, 43, 44, 45],), ([42, 47, 46, 45],)),
    'eye_R': (([36, 37, 38, 39],), ([36, 41, 40, 39],)),
}


def face_graph(vertices: np.ndarray, faces: np.ndarray) -> sparse.csr_matrix:
    """Return the V×V symmetric graph of faces' edges and diagonals, weighted by length (cm).

    faces: F×4, −1 padded. With both diagonals of a quad the graph is as symmetric as the faces are.
    Lengths are at least a nanometre.
    """
    pairs = np.concatenate([faces[:, [a, b]] for a in range(4) for b in range(a)])
    edges = unique_rows(np.sort(pairs[(pairs >= 0).all(1)], axis=1))
    length = np.maximum(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), 1e-7)
    half = sparse.coo_matrix((length, edges.T), (len(vertices),) * 2)
    return (half + half.T).tocsr()


def slit_rim(model: FaceModel, slit: str) -> np.ndarray:
    """Find the skin vertices where the socket behind a slit begins: one closed loop.

    slit: 'mouth', 'eye_L' or 'eye_R'.
    """
    inside, skin = np.zeros(model.vertex_count, bool), np.zeros(model.vertex_count, bool)
    inside[model.regions[SOCKETS[slit]]] = True
    for name in ('face', 'head_neck'):
        skin[model.regions[name]] = True
    triangles = triangulate(model.faces)
    mixed = triangles[inside[triangles].any(1) & skin[triangles].any(1)]
    if not len(mixed):
        raise FacewrightError(
            f'In the face model {model.source or model.name} {SOCKETS[slit]} is not joined to the '
            'skin: use ICT-FaceKit or the built-in head.'
        )
    return np.unique(mixed[skin[mixed]]).astype(np.int32)


def _contour(model: FaceModel, graph: sparse.csr_matrix, marks: list[int]) -> np.ndarray:
    """Find the vertices of the shortest paths over the surface from each landmark to the next.

    marks: indices of the 68.
    """
    stops = model.landmarks68[marks]
    _, before = dijkstra(
        graph,
        directed=False,
        indices=stops[:-1],
        limit=4 * np.ptp(model.neutral[stops], axis=0).max(),
        return_predecessors=True,
    )
    out = [stops]
    for row, end in zip(before, stops[1:]):
        path = [end]
        while row[path[-1]] >= 0:
            path.append(row[path[-1]])
        out.append(path)
    return np.unique(np.concatenate(out))


@lru_cache(maxsize=8)
def slit_contours(model: FaceModel, slit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (upper, lower) vertices along a slit's edges, through the landmarks.

    The corners are in neither.
    """
    return _along(model, *CONTOURS[slit])


@lru_cache(maxsize=4)
def inner_contours(model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Return (upper, lower) vertices along the inner edges of the lips.

    The corners are in neither.
    """
    return _along(model, *(side[:1] for side in CONTOURS['mouth']))


def _along(model: FaceModel, *sides: tuple[list[int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return (upper, lower) vertices along the contours through two sides' lists of landmarks."""
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    upper, lower = (
        np.unique(np.concatenate([_contour(model, graph, marks) for marks in side]))
        for side in sides
    )
    both = np.intersect1d(upper, lower)
    return np.setdiff1d(upper, both), np.setdiff1d(lower, both)


def slit_sides(
    model: FaceModel, slit: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (upper, lower, upper rim, lower rim): the skin round a slit and the parts of its rim.

    slit: 'mouth', 'eye_L' or 'eye_R'. Upper and lower are told by the landmarks' contours.
    """
    return _sides(model, face_graph(model.neutral.astype(np.float64), model.faces), slit)


def _sides(
    model: FaceModel, graph: sparse.csr_matrix, slit: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Do what `slit_sides` says, on the graph of the model's faces."""
    skin = np.union1d(model.regions['face'], model.regions['head_neck'])
    local = graph[skin][:, skin]
    onto = np.full(model.vertex_count, -1)
    onto[skin] = np.arange(len(skin))
    contours = [
        np.unique(np.concatenate([_contour(model, graph, marks) for marks in CONTOURS[slit][k]]))
        for k in (0, 1)
    ]
    both = np.intersect1d(*contours)
    rim = slit_rim(model, slit)
    first, second = CONTOURS[slit][0][0][0], CONTOURS[slit][0][0][-1]
    width = np.linalg.norm(
        model.neutral[model.landmarks68[first]] - model.neutral[model.landmarks68[second]]
    )

    def distance(sources, limit):
        rows = onto[sources]
        return dijkstra(local, directed=False, indices=rows[rows >= 0], min_only=True, limit=limit)

    reach = (LIP_REACH if slit == 'mouth' else LID_REACH) * width
    close = np.isfinite(distance(rim, reach))
    high, low = (distance(np.setdiff1d(contour, both), np.inf) for contour in contours)
    upper, lower = skin[close & (high <= low)], skin[close & (low < high)]
    return upper, lower, np.intersect1d(rim, upper), np.intersect1d(rim, lower)


def _tongue(model: FaceModel, moving: np.ndarray, teeth: np.ndarray) -> np.ndarray:
    """Find the tongue: UV islands that move with the jaw and keep away from the teeth.

    moving: of the gums and tongue, the vertices that move with the jaw; teeth: the lower ones.
    """
    width = np.linalg.norm(
        model.neutral[model.landmarks68[48]] - model.neutral[model.landmarks68[54]]
    )
    member = np.zeros(model.vertex_count, bool)
    member[moving] = True
    rows = member[model.faces[:, 0]]
    faces, uvs = model.faces[rows], model.face_uvs[rows]
    following = np.roll(uvs, -1, axis=1)
    following[uvs[:, 3] < 0, 2] = uvs[uvs[:, 3] < 0, 0]
    used = (uvs >= 0) & (following >= 0)
    count = len(model.uvs)
    _, island = connected_components(
        sparse.coo_matrix((np.ones(used.sum()), (uvs[used], following[used])), (count, count)),
        directed=False,
    )
    distance = np.full(model.vertex_count, np.inf)
    distance[moving] = (
        cKDTree(model.neutral[teeth]).query(model.neutral[moving])[0] if len(teeth) else 0
    )
    inside = TONGUE_WIDTH * np.abs(model.neutral[teeth, 0]).max(
        initial=np.inf if not len(teeth) else 0
    )
    found = []
    for k in np.unique(island[uvs[:, 0]]):
        rows = np.unique(faces[island[uvs[:, 0]] == k])
        rows = rows[(rows >= 0) & member[np.maximum(rows, 0)]]
        if (
            np.median(distance[rows]) > TONGUE_GAP * width
            and np.abs(model.neutral[rows, 0]).max() < inside
        ):
            found.append(rows)
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


@lru_cache(maxsize=2)
def pieces(model: FaceModel) -> dict[str, np.ndarray]:
    """Return piece name → sorted int32 vertex indices, the non-empty ones of:

    skin (face and head_neck), upper_lip, lower_lip, upper_lid_L/R, lower_lid_L/R (skin round the
    slit, from the rim where the socket begins), mouth_socket, eye_socket_L/R, upper_teeth,
    lower_teeth, upper_gums, lower_gums, tongue, eyeball_L/R, lashes_L/R, eye_surface_L/R (lacrimal
    fluid, eye blend, eye occlusion).
    Whether teeth and gums belong to the skull or to the jaw is told by jawOpen.
    """
    none = np.empty(0, np.int32)
    region = {name: np.asarray(index) for name, index in model.regions.items()}
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    out = {'skin': np.union1d(region['face'], region['head_neck'])}
    out['upper_lip'], out['lower_lip'] = _sides(model, graph, 'mouth')[:2]
    for side in 'LR':
        out[f'upper_lid_{side}'], out[f'lower_lid_{side}'] = _sides(model, graph, f'eye_{side}')[:2]
    for name in ('mouth_socket', 'eye_socket_L', 'eye_socket_R', 'eyeball_L', 'eyeball_R'):
        out[name] = region.get(name, none)
    teeth, gums = region.get('teeth', none), region.get('gums_tongue', none)
    motion = np.linalg.norm(model.expressions[model.names.index('jawOpen')], axis=1)
    still = JAW_STILL * motion[np.concatenate([teeth, gums])].max(initial=0)
    _, component = connected_components(graph, directed=False)
    tooth_motion = np.bincount(component[teeth], motion[teeth], component.max() + 1) / np.maximum(
        np.bincount(component[teeth], minlength=component.max() + 1), 1
    )
    lower = tooth_motion[component[teeth]] > still
    out['upper_teeth'], out['lower_teeth'] = teeth[~lower], teeth[lower]
    moving = gums[motion[gums] > still]
    out['upper_gums'] = np.setdiff1d(gums, moving)
    out['tongue'] = _tongue(model, moving, teeth[lower])
    out['lower_gums'] = np.setdiff1d(moving, out['tongue'])
    for side in 'LR':
        out[f'lashes_{side}'] = region.get(f'eyelashes_{side}', none)
        out[f'eye_surface_{side}'] = np.concatenate(
            [
                region.get(f'{name}_{side}', none)
                for name in ('lacrimal_fluid', 'eye_blend', 'eye_occlusion')
            ]
        )
    return {name: np.sort(index).astype(np.int32) for name, index in out.items() if len(index)}
