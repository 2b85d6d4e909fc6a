"""The flesh between a face's skin and the walls of its sockets (paper 1, supplement E).

As tetrahedra that every shape shares. The head's skin and sockets are one closed surface once the
neck is capped. TetGen fills it with that surface kept as it is; of the filling only what lies
between skin and a socket's wall, round the wall itself and inside the nose is kept. So no cap has
to be modelled behind the sockets, and what is kept is closed whatever was chosen. (Cutting the skin
round the mouth and capping the cut needs a cap that crosses neither socket nor nostril, for every
model and mask.) Nostrils are part of the skin: the nose is filled between its outer and its inner
skin.

A filling is made where the surface does not cross itself (ICT's closed lips do, the built-in head's
lids too): the mouth a little open, what still crosses smoothed apart; then it is carried back to
the neutral, as to any other shape, by ARAP with the surface fixed. A tetrahedron with all corners
on the surface can't be righted when an expression inverts it: edges through the flesh from surface
to surface are split, so none remains; after ARAP the inner points near inverted cells are moved to
right them (untangle.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz
from ..core.store import cached
from ..face_model.model import FaceModel
from ..geometry.arap import Arap
from ..geometry.folds import self_crossings
from ..geometry.laplacian import edges_of
from ..geometry.polygons import triangulate
from ..geometry.rigid import move, rigid_motion
from ..geometry.rows import unique_rows
from ..geometry.untangle import cell_sizes, relax, signed_volumes, untangle

FORMAT = 2
TETGEN_LEFTOVER = Path('tetgen-tmpfile_skipped.face')
REGIONS = ('mouth', 'nose', 'eye_L', 'eye_R')
WALL_REGIONS = {'mouth': 'mouth_socket', 'eye_L': 'eye_socket_L', 'eye_R': 'eye_socket_R'}
SKIN_REGIONS = ('face', 'head_neck')
# cm: kept where the distances to skin and to wall add up to less
WALL_TO_SKIN = {'mouth': 2.5, 'eye_L': 2.0, 'eye_R': 2.0}
NOSE_LANDMARKS = range(27, 36)  # of the 68 landmarks
NOSE_DEPTH = 1.8  # cm: kept nearer than this to one of them
SKIN_DEPTH = 1.0  # cm: how deep skin is filled that the rest surrounds
MASK_DEPTH = 1.8  # cm: how deep a mask's skin is filled where no wall lies behind it
NOTCH_RINGS = 4  # edges: bays in the chosen skin narrower than twice this are filled
LARGEST_VOLUME = 0.3  # cm³: TetGen's bound on volume
# jawOpen for the filling, tried in turn (ICT's lips are free from .03)
JAW_OPENINGS = (0.03, 0.05, 0.1, 0.2)
UNCROSSINGS = 30  # rounds of smoothing what crosses
ROUNDING = 60  # steps that make the filling's cells rounder
RADIUS_EDGE_RATIO = 1.4  # TetGen's bound on circumradius to shortest edge
ARAP_ITERATIONS = 3  # ARAP turns; more make no difference after untangling (measured)
# outward where the volume is positive
_FACES = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])
_EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])


@dataclass(frozen=True)
class Flesh:
    """Tetrahedra over a model's vertices and P further points inside."""

    surface: np.ndarray  # S int32, sorted: the model's vertices that take part
    points: np.ndarray  # P×3 float64 cm: the inner points of the model's neutral
    # M×4 int32 into [all V model vertices, then the P points], of positive volume in `rest`
    tetrahedra: np.ndarray
    # (S+P)×3 float64 cm: surface vertices and inner points in the pose it was filled in
    rest: np.ndarray
    vertex_count: int  # V

    @property
    def cells(self) -> np.ndarray:
        """M×4 int64: tetrahedra into [surface, points], as `rest` is."""
        new = np.full(self.vertex_count + len(self.points), -1)
        new[self.surface] = np.arange(len(self.surface))
        new[self.vertex_count :] = len(self.surface) + np.arange(len(self.points))
        return new[self.tetrahedra]

    @property
    def held(self) -> np.ndarray:
        """(S+P) bool: which rows of `rest` are the model's own."""
        return np.arange(len(self.rest)) < len(self.surface)


def closed_skin(model: FaceModel) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the model's skin and sockets, closed: (triangles T×3, caps K×3, openings' loops).

    The caps close the openings: cap k's middle is vertex V + k. Raises FacewrightError where the
    surface is not one whose openings can be closed.
    """
    part = np.zeros(model.vertex_count, bool)
    for name in (*SKIN_REGIONS, *WALL_REGIONS.values()):
        part[model.regions.get(name, [])] = True
    triangles = triangulate(model.faces)
    triangles = triangles[part[triangles].all(1)]
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, inverse, count = unique_rows(np.sort(edges, 1), return_inverse=True, return_counts=True)
    if not len(count) or count.max() > 2:
        raise FacewrightError(
            f'The skin of the face model {model.source or model.name} is no single sheet (an edge '
            'has more than two faces, or it has none): use ICT-FaceKit or the built-in head.'
        )
    open_edges = edges[count[inverse.ravel()] == 1]
    n = model.vertex_count
    _, loop = connected_components(
        sparse.coo_matrix((np.ones(len(open_edges)), open_edges.T), (n, n)), directed=False
    )
    loops = [open_edges[loop[open_edges[:, 0]] == k] for k in np.unique(loop[open_edges[:, 0]])]
    caps = [np.c_[rim[:, 1], rim[:, 0], np.full(len(rim), n + k)] for k, rim in enumerate(loops)]
    return (
        triangles,
        np.concatenate(caps) if caps else np.empty((0, 3), int),
        [rim[:, 0] for rim in loops],
    )


def _uncrossed(model: FaceModel, triangles: np.ndarray, opening: float) -> np.ndarray | None:
    """Return V×3 float64: the model, its mouth a little open, what still crosses smoothed apart.

    None where that fails.
    """
    weights = np.zeros(len(model.names), np.float32)
    weights[model.names.index('jawOpen')] = opening
    vertices = model.shape(None, weights).astype(np.float64)
    edges, n = edges_of(triangles), model.vertex_count
    neighbours = sparse.coo_matrix(
        (np.ones(2 * len(edges)), (edges.ravel(), edges[:, ::-1].ravel())), (n, n)
    ).tocsr()
    degree = np.maximum(np.asarray(neighbours.sum(1)), 1)
    for _ in range(UNCROSSINGS):
        pairs = self_crossings(vertices, triangles)
        if not len(pairs):
            return vertices
        near = np.zeros(n, bool)
        near[triangles[np.unique(pairs)]] = True
        near = near | (neighbours @ near > 0)
        vertices = np.where(
            near[:, None], (vertices + neighbours @ vertices / degree) / 2, vertices
        )
    return None


def _filled(
    vertices: np.ndarray, triangles: np.ndarray, caps: np.ndarray, loops: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Fill a closed surface: (points, tetrahedra of positive volume).

    The points are `vertices`, the caps' middles, then TetGen's own. Raises RuntimeError from
    TetGen.
    """
    from tetgen import TetGen

    points = np.concatenate([vertices, *(vertices[loop].mean(0, keepdims=True) for loop in loops)])
    surface = np.concatenate([triangles, caps])
    ids, local = np.unique(surface, return_inverse=True)
    # keywords: with `switches` it prints to stdout
    nodes, cells = TetGen(points[ids], local.reshape(-1, 3).astype(np.int32)).tetrahedralize(
        plc=True,
        nobisect=True,
        quality=True,
        minratio=RADIUS_EDGE_RATIO,
        fixedvolume=True,
        maxvolume=LARGEST_VOLUME,
        quiet=True,
    )[:2]
    back = np.concatenate([ids, len(points) + np.arange(len(nodes) - len(ids))])
    points, cells = np.concatenate([points, nodes[len(ids) :]]), back[cells]
    wrong = signed_volumes(points, cells) < 0
    cells[wrong] = cells[wrong][:, [1, 0, 2, 3]]
    return points, cells


def fill_head(model: FaceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fill the whole closed head: (points, tetrahedra, surface triangles T×3).

    The points are V vertices in the filling pose, caps' middles, inner points.
    """
    triangles, caps, loops = closed_skin(model)
    theirs = TETGEN_LEFTOVER.exists()
    for opening in JAW_OPENINGS:
        vertices = _uncrossed(model, triangles, opening)
        if vertices is None:
            continue
        try:
            return *_filled(vertices, triangles, caps, loops), triangles
        except RuntimeError:
            if not theirs:
                TETGEN_LEFTOVER.unlink(missing_ok=True)  # TetGen leaves this behind when it fails
    raise FacewrightError(
        f'The skin of the face model {model.source or model.name} crosses itself and cannot be '
        'filled: run Check Intersections and mend what it marks.'
    )


def _chosen(
    model: FaceModel,
    points: np.ndarray,
    cells: np.ndarray,
    triangles: np.ndarray,
    regions: tuple[str, ...],
    within: np.ndarray | None,
) -> np.ndarray:
    """Return bool per cell: what the regions (or the mask) ask for."""
    middle = points[cells].mean(1)
    skin = np.unique(np.concatenate([model.regions[name] for name in SKIN_REGIONS]))
    to_skin, below = cKDTree(points[skin]).query(middle)
    keep = np.zeros(len(cells), bool)
    for region, name in WALL_REGIONS.items():
        wall = model.regions.get(name, np.empty(0, np.int32))
        if region not in regions and within is None:
            continue
        if not len(wall):
            raise FacewrightError(
                f'The face model {model.source or model.name} has no {name}: choose regions '
                'without it.'
            )
        touching = np.zeros(len(points), bool)
        touching[wall] = True
        keep |= (
            cKDTree(points[wall]).query(middle)[0] + to_skin < WALL_TO_SKIN[region]
        ) | touching[cells].any(1)
    if within is not None:
        surface = np.unique(
            np.concatenate([skin, *(model.regions[name] for name in WALL_REGIONS.values())])
        )
        depth, nearest = cKDTree(points[surface]).query(middle)
        return np.asarray(within, bool)[surface[nearest]] & (keep | (depth < MASK_DEPTH))
    if 'nose' in regions:
        keep |= (
            cKDTree(points[model.landmarks68[list(NOSE_LANDMARKS)]]).query(middle)[0] < NOSE_DEPTH
        )
    rim = np.zeros(len(points), bool)
    rim[cells[keep]] = True
    return keep | (_without_notches(triangles, skin, rim)[skin[below]] & (to_skin < SKIN_DEPTH))


def _without_notches(triangles: np.ndarray, skin: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return bool per point: the chosen skin with its bays and holes filled."""
    edges, n = edges_of(triangles), len(chosen)
    on = np.zeros(n, bool)
    on[skin] = True
    edges = edges[on[edges].all(1)]
    near = sparse.coo_matrix(
        (np.ones(2 * len(edges)), (edges.ravel(), edges[:, ::-1].ravel())), (n, n)
    ).tocsr()
    grown = chosen & on
    for _ in range(NOTCH_RINGS):
        grown = grown | (near @ grown > 0)
    for _ in range(NOTCH_RINGS):
        grown = grown & ~(near @ (on & ~grown) > 0)
    out = (chosen & on) | grown
    rest = np.flatnonzero(on & ~out)
    _, piece = connected_components(near[rest][:, rest], directed=False)
    # what the largest piece of other skin is cut off from
    out[rest[piece != np.bincount(piece, minlength=1).argmax()]] = True
    return out


def _closed(cells: np.ndarray, keep: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return `keep` (bool per cell) such that its outside nowhere touches itself.

    Cells are added round every edge and vertex where it would; specks are dropped.
    """
    keep = keep.copy()
    for _ in range(50):
        outer = outer_triangles(cells[keep])
        edges = np.sort(outer[:, [[0, 1], [1, 2], [2, 0]]], 2)
        code = edges[..., 0].astype(np.int64) << 32 | edges[..., 1]
        unique, inverse, count = np.unique(code, return_inverse=True, return_counts=True)
        inverse = inverse.reshape(code.shape)
        bad = np.zeros(cells.max() + 1, bool)
        crowded = unique[count > 2]
        bad_edges = np.concatenate([crowded >> 32, crowded & 0xFFFFFFFF])
        # fans: a vertex's outer faces hang together over its own edges
        corner = np.arange(outer.size).reshape(outer.shape)
        order = np.argsort(inverse.ravel(), kind='stable')
        face, slot = np.divmod(order, 3)
        same = inverse.ravel()[order][1:] == inverse.ravel()[order][:-1]
        links = []
        for a in (0, 1):  # both ends of the shared edge
            first = corner[face, (slot + a) % 3]
            second = [corner[face, (slot + b) % 3] for b in (0, 1)]
            for b in (0, 1):
                match = same & (outer.ravel()[first[:-1]] == outer.ravel()[second[b][1:]])
                links.append(np.c_[first[:-1][match], second[b][1:][match]])
        links = np.concatenate(links)
        _, fan = connected_components(
            sparse.coo_matrix((np.ones(len(links)), links.T), (outer.size,) * 2), directed=False
        )
        pairs = unique_rows(np.c_[outer.ravel(), fan])
        vertex, fans = np.unique(pairs[:, 0], return_counts=True)
        bad[vertex[fans > 1]] = True
        bad[bad_edges] = True
        if not bad.any():
            break
        keep |= bad[cells].any(1) & usable
    return keep & _large(cells, keep)


def _large(cells: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return bool per cell: in a face-connected piece of at least a hundredth of all kept."""
    rows = np.flatnonzero(keep)
    faces = np.sort(cells[rows][:, _FACES].reshape(-1, 3), 1)
    _, inverse = unique_rows(faces, return_inverse=True)
    order = np.argsort(inverse.ravel(), kind='stable')
    same = inverse.ravel()[order][1:] == inverse.ravel()[order][:-1]
    a, b = order[:-1][same] // 4, order[1:][same] // 4
    _, piece = connected_components(
        sparse.coo_matrix((np.ones(len(a)), (a, b)), (len(rows),) * 2), directed=False
    )
    out = np.zeros(len(cells), bool)
    out[rows] = np.bincount(piece)[piece] >= len(rows) / 100
    return out


def outer_triangles(cells: np.ndarray) -> np.ndarray:
    """Return K×3: the faces that one of the tetrahedra M×4 alone has.

    They are turned outward where volumes are positive.
    """
    faces = cells[:, _FACES].reshape(-1, 3)
    _, inverse, count = unique_rows(np.sort(faces, 1), return_inverse=True, return_counts=True)
    return faces[count[inverse.ravel()] == 1]


def _split(
    points: np.ndarray, cells: np.ndarray, triangles: np.ndarray, v: int
) -> tuple[np.ndarray, np.ndarray]:
    """Halve every edge that joins two of the first v points through the flesh, longest first.

    Returns (points, cells).
    """

    def code(edges: np.ndarray) -> np.ndarray:
        """Return one number for each edge …×2."""
        return edges[..., 0].astype(np.int64) << 32 | edges[..., 1]

    own = np.sort(code(edges_of(triangles)))
    while True:
        edges = np.sort(cells[:, _EDGES], 2)
        codes = code(edges)
        wrong = (edges < v).all(2) & ~np.isin(codes, own)
        if not wrong.any():
            return points, cells
        unique, which = np.unique(codes[wrong], return_inverse=True)
        place = np.empty(len(unique), np.int64)
        place[
            np.argsort(
                ((points[unique >> 32] - points[unique & 0xFFFFFFFF]) ** 2).sum(1), kind='stable'
            )
        ] = np.arange(len(unique))
        rank = np.full(codes.shape, -1)
        rank[wrong] = place[which.ravel()]
        rows = np.flatnonzero(wrong.any(1))
        pick = rank[rows].argmax(1)
        picked = codes[rows, pick]
        every, needed = np.unique(codes[wrong], return_counts=True)
        some, given = np.unique(picked, return_counts=True)
        # split where all cells round it agree
        chosen = some[given == needed[np.searchsorted(every, some)]]
        split = np.isin(picked, chosen)
        rows, pick, picked = rows[split], pick[split], picked[split]
        new = len(points) + np.searchsorted(chosen, picked)
        points = np.concatenate([points, (points[chosen >> 32] + points[chosen & 0xFFFFFFFF]) / 2])
        halves = [cells[rows].copy(), cells[rows].copy()]
        for k in (0, 1):
            halves[k][np.arange(len(rows)), _EDGES[pick, k]] = new
        cells = np.concatenate([np.delete(cells, rows, 0), *halves])


def build_flesh(
    model: FaceModel, regions: tuple[str, ...] = REGIONS, within: np.ndarray | None = None
) -> Flesh:
    """Fill the flesh of `regions` of a model (about 8 s on two cores).

    within: a bool mask V that chooses the skin instead. Raises FacewrightError where a region's
    name is unknown, the model lacks its socket, the skin cannot be filled or the mask holds
    nothing.
    """
    unknown = set(regions) - set(REGIONS)
    if unknown:
        raise FacewrightError(
            f'There is no region {", ".join(sorted(unknown))}: choose from {", ".join(REGIONS)}.'
        )
    if within is not None and np.shape(within) != (model.vertex_count,):
        raise FacewrightError(
            f'The mask has {np.size(within)} values for {model.vertex_count} vertices: make it on '
            'this model.'
        )
    v = model.vertex_count
    points, cells, triangles = fill_head(model)
    usable = ((cells < v) | (cells >= v + len(closed_skin(model)[2]))).all(1)
    keep = _chosen(model, points, cells, triangles, tuple(regions), within) & usable
    if not keep.any():
        raise FacewrightError(
            'No flesh lies behind the chosen skin: choose the skin round the mouth, the nose or an '
            'eye.'
        )
    cells = cells[_closed(cells, keep, usable)]
    points, cells = _split(points, cells, triangles, v)
    ids = np.unique(cells)
    surface = ids[ids < v]
    rest, local = points[ids], np.searchsorted(ids, cells)
    held = np.arange(len(ids)) < len(surface)
    size = cell_sizes(rest, local)
    rest = untangle(
        relax(
            rest,
            local,
            ~held,
            size,
            epsilons=(1e-3,),
            steps=ROUNDING,
            bound=1e9,
            until_upright=False,
        ),
        local,
        ~held,
        size,
    )
    tetrahedra = np.where(
        local < len(surface), surface[np.minimum(local, len(surface) - 1)], local - len(surface) + v
    ).astype(np.int32)
    flesh = Flesh(surface.astype(np.int32), rest[~held], tetrahedra, rest, v)
    points = _carry(flesh, rest, model.neutral[None])[0]
    return Flesh(flesh.surface, points, tetrahedra, rest, v)


def _carry(flesh: Flesh, rest: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Return B×P×3: inner points for shapes B×V×3 from `rest` (S+P)×3.

    A rigid motion of a shape moves its points along.
    """
    cells, held = flesh.cells, flesh.held
    size = cell_sizes(rest, cells)
    surface = np.asarray(shapes, np.float64)[:, flesh.surface]
    rotation, shift, _ = rigid_motion(rest[held], surface)
    # as if the head had not moved: ARAP's few turns needn't find the motion of the whole
    level = (surface - shift[:, None]) @ rotation
    targets = np.concatenate(
        [level, np.broadcast_to(rest[~held], (len(level), (~held).sum(), 3))], 1
    )
    found = Arap(rest, cells, held).solve(targets, iterations=ARAP_ITERATIONS)
    known = signed_volumes(rest, cells) <= 0
    return move(
        np.stack([untangle(x, cells, ~held, size, known)[~held] for x in found]), rotation, shift
    )


def points_of(flesh: Flesh, vertices: np.ndarray) -> np.ndarray:
    """Return P×3 float64 cm: the inner points for any one shape (V×3) in the model's topology.

    Such as another head's neutral.
    """
    return _carry(flesh, flesh.rest, np.asarray(vertices)[None])[0]


def carry_flesh(flesh: Flesh, neutral: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Return E×P×3 float64 cm: the inner points for shapes E×V×3 (absolute).

    neutral: V×3, of the shapes' head. ARAP from that neutral with the surface fixed, then
    untangled. About 0.4 s a shape on two cores.
    """
    neutral = np.asarray(neutral, np.float64)
    rest = np.concatenate([neutral[flesh.surface], points_of(flesh, neutral)])
    return _carry(flesh, rest, np.asarray(shapes))


def inverted(flesh: Flesh, vertices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return …×M bool: tetrahedra without positive volume.

    vertices: …×V×3, points: …×P×3, the inner ones.
    """
    at = np.concatenate([np.asarray(vertices, np.float64)[..., flesh.surface, :], points], -2)
    return signed_volumes(at, flesh.cells) <= 0


def inversion_report(
    flesh: Flesh, neutral: np.ndarray, expressions: np.ndarray, names: tuple[str, ...]
) -> dict:
    """Return, for JSON, how many tetrahedra each shape inverts.

    neutral: V×3, expressions: E×V×3 offsets. The neutral and mouthClose on an open jaw are
    included.
    """
    neutral = np.asarray(neutral, np.float64)
    listed, shapes = ['neutral', *names], [neutral, *(neutral + expressions)]
    if {'jawOpen', 'mouthClose'} <= set(names):  # mouthClose is a corrective of jawOpen
        listed.append('jawOpen+mouthClose')
        shapes.append(
            neutral + expressions[names.index('jawOpen')] + expressions[names.index('mouthClose')]
        )
    shapes = np.stack(shapes)
    count = [
        int(inverted(flesh, v, p).sum())
        for v, p in zip(shapes, carry_flesh(flesh, neutral, shapes))
    ]
    worst = int(np.argmax(count))
    return {
        'tetrahedra': len(flesh.tetrahedra),
        'points': len(flesh.points),
        'inverted': dict(zip(listed, count)),
        'worst': listed[worst],
        'worst_percent': 100 * count[worst] / len(flesh.tetrahedra),
    }


def outer_faces(flesh: Flesh) -> np.ndarray:
    """Return the filling's closed surface, turned outward: K×3 int32.

    They are indices into [model vertices, points].
    """
    return outer_triangles(flesh.tetrahedra).astype(np.int32)


def flesh_edges(model: FaceModel, flesh: Flesh) -> np.ndarray:
    """Return E×2 int32 into [model vertices, points]: the edges of surface and tetrahedra.

    Of the model's whole surface (paper 1's graph).
    """
    return unique_rows(
        np.concatenate([edges_of(triangulate(model.faces)), edges_of(flesh.tetrahedra)])
    )


def write_flesh(path: Path, flesh: Flesh) -> None:
    """Write as .npz."""
    write_npz(
        path,
        format=np.int32(FORMAT),
        surface=flesh.surface,
        points=flesh.points,
        tetrahedra=flesh.tetrahedra,
        rest=flesh.rest,
        vertex_count=np.int32(flesh.vertex_count),
    )


def read_flesh(path: Path) -> Flesh:
    """Read what write_flesh wrote; raise FacewrightError where it is another file or not finite."""
    data = read_npz(path, 'cavity tetrahedra file')
    keys = ('surface', 'points', 'tetrahedra', 'rest', 'vertex_count')
    if not {'format', *keys} <= set(data) or data['format'].shape != () or data['format'] != FORMAT:
        raise FacewrightError(
            f'{path} holds no cavity tetrahedra of this version: build them again.'
        )
    then = 'it is damaged, so build the cavity tetrahedra again'
    check_arrays(
        path,
        data,
        {
            'surface': ('iu', (None,)),
            'points': ('f', (None, 3)),
            'tetrahedra': ('iu', (None, 4)),
            'vertex_count': ('iu', ()),
        },
        then,
    )
    check_arrays(path, data, {'rest': ('f', (len(data['surface']) + len(data['points']), 3))}, then)
    flesh = Flesh(*(data[key] for key in keys[:-1]), int(data['vertex_count']))
    total = flesh.vertex_count + len(flesh.points)
    if not 0 <= flesh.tetrahedra.min(initial=0) <= flesh.tetrahedra.max(initial=0) < max(
        total, 1
    ) or not 0 <= flesh.surface.min(initial=0) <= flesh.surface.max(initial=0) < max(
        flesh.vertex_count, 1
    ):
        raise FacewrightError(f'{path} is damaged: build the cavity tetrahedra again.')
    return flesh


def flesh(model: FaceModel) -> Flesh:
    """Return the flesh of a model's four regions, from its cache if there is one, else built."""
    model = model.tracked
    return cached(
        model.cache_path('flesh', 'shape_keys.tetrahedra'),
        read_flesh,
        lambda: build_flesh(model),
        write_flesh,
    )
