"""Displacements of a wrapped model head carried onto a mesh of any topology.

Each component of the mesh is told apart by where it lies: skin, eyeballs, what is in the mouth, and
what hangs on the skin. Skin takes the displacement of the nearest point of the wrapped head that
faces the same way and lies on the same side of mouth and eyes; where that is in doubt (the mouth
bag, ears, horns) the displacement is filled in by the smoothest one, bending energy with a little
stretching, as in Botsch & Kobbelt 2004, from where it is not. All shapes share one factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu, spsolve
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..face_model.gaze import sphere_centre
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.closest import Surface
from ..geometry.laplacian import edges_of, half_cotangents, mass, weighted_laplacian
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..geometry.rigid import rigid_motion

COPY_WITHIN = (
    0.01  # cm: a component this near to the wrapped head, all over, is a copy of that part of it
)
NORMAL_AGREEMENT = (
    0.5  # cosine between the normals of a vertex and of what it is bound to, at least
)
TRUST_DISTANCE = 0.35  # cm: at this distance a binding has lost 1 − 1/e of its trust
TAKEN_AS_IS = 0.75  # trust from which a binding is taken as it is
TRUSTED_PULL = 10.0  # cm⁻⁴: pull of a binding of trust ½
LEAST_PULL = 1e-2  # cm⁻⁴: pull of any binding: keeps what is far from all others from running away
MEMBRANE = 1.0  # cm⁻²: stretching against bending in what is filled in
LEAST_MOVE = 1e-4  # cm: what the model never moves by more than this stays where it is
# of the model's own strain: edges that the binding stretches more are torn, and filled in instead
LARGEST_STRAIN = 1.6
# of a vertex's side of a slit (−1 below … 1 above): less binds to either (the corners)
SIDE_DECIDED = 0.3
LOOSE_WITHIN = 3.0  # cm: from the skin, beyond which a loose part stays still
# cm: of a loose part, how much further from the skin than its nearest point still counts as its
# root
ROOT_DEPTH = 0.15
PATCH = 0.8, 0.1  # so much of a component's area on the skin, so many cm off: a patch of it
TOUCHING = 0.1  # cm: loose components this near to each other are one piece
FEW_PARTS = 60  # loose components compared surface by surface; more: vertex by vertex
RIGID_SIZE = 4.0  # cm: a loose piece wider than this is stiff (glasses, a hat, hair) …
# … unless more of it than this share lies this near (cm) to the skin (a beard)
RIGID_NEAR = (0.5, 0.5)
RIGID_HOLD = 0.02  # of its contacts' weight, how much a stiff piece is held from turning
# cm: a component this near (80 % of it) to the model's lashes or tear line goes with them
BESIDE_EYE = 0.25
BY_THE_EYE = ('lashes_L', 'lashes_R', 'eye_surface_L', 'eye_surface_R')
CHUNK_VERTICES = 4096  # vertices of a loose part at a time
SLITS = (('upper_lip', 'lower_lip'), ('upper_lid_L', 'lower_lid_L'), ('upper_lid_R', 'lower_lid_R'))


@dataclass(frozen=True)
class _Wrapped:
    """The wrapped head's deformation.

    vertices: V×3 cm. offsets: V×E×3. turning: V×E×3, the change of its vertex normals. triangles:
    T×3.
    """

    vertices: np.ndarray
    offsets: np.ndarray
    turning: np.ndarray
    triangles: np.ndarray


def carry_offsets(
    model: FaceModel,
    wrapped: np.ndarray,
    offsets: np.ndarray,
    mesh_vertices: np.ndarray,
    mesh_triangles: np.ndarray,
    part_of_vertex: np.ndarray | None = None,
) -> np.ndarray:
    """Carry a wrapped head's offsets onto a mesh of any topology: E×N×3 float32 (cm).

    wrapped: V×3, the model's head as it lies on the mesh. offsets: E×V×3 of it.
    mesh_vertices: N×3 in head space (cm). mesh_triangles: T×3, wound outwards.
    part_of_vertex: N, the object each vertex came from, where the mesh is a set of objects.
    Raises FacewrightError where the mesh's skin is nowhere near the wrapped head.
    """
    vertices = np.asarray(mesh_vertices, np.float64)
    triangles = np.asarray(mesh_triangles, np.int64)
    wrapped, offsets = np.asarray(wrapped, np.float64), np.asarray(offsets)
    _check(model, wrapped, offsets, vertices)
    piece, all_triangles = pieces(model), triangulate(model.faces)
    head = _Wrapped(
        wrapped,
        np.ascontiguousarray(offsets.transpose(1, 0, 2), np.float64),
        _turning(wrapped, offsets, all_triangles),
        all_triangles,
    )
    component = _components(len(vertices), triangles, part_of_vertex)
    kind = _kinds(piece, head, vertices, triangles, component)
    if not (kind == 'skin').any() and not (kind == 'copy').any():
        raise FacewrightError(
            'None of the mesh lies where the face model was wrapped: '
            'wrap the model onto this mesh first.'
        )
    out = np.zeros((len(vertices), len(offsets), 3))

    def rows_of(name: str) -> np.ndarray:
        return np.flatnonzero(kind[component] == name)

    if len(rows := rows_of('copy')):
        normals = vertex_normals(vertices, triangles)[rows]
        out[rows] = _copied(head, vertices[rows], normals, component[rows])
    if len(rows := rows_of('skin')):
        own = _of(triangles, rows, len(vertices))
        out[rows] = _skin(head, piece, vertices[rows], own)
    for side in 'LR':
        if len(rows := rows_of(f'eye_{side}')):
            out[rows] = _eye(head, piece[f'eyeball_{side}'], vertices, rows, component)
    if len(rows := rows_of('mouth')):
        out[rows] = _mouth(head, piece, vertices, rows, component)
    for name in BY_THE_EYE:
        if len(rows := rows_of(name)):
            out[rows] = _beside(head, piece[name], vertices[rows])
    _hang(vertices, triangles, component, kind, out)
    return np.ascontiguousarray(out.transpose(1, 0, 2), np.float32)


def _check(
    model: FaceModel, wrapped: np.ndarray, offsets: np.ndarray, vertices: np.ndarray
) -> None:
    """Raise FacewrightError where a head is not the model's, or the mesh's vertices not finite."""
    if wrapped.shape != model.neutral.shape or offsets.shape[1:] != wrapped.shape:
        raise FacewrightError(
            f'The wrapped head has {len(wrapped)} vertices and its shapes {offsets.shape[1]}, '
            f'the face model {model.vertex_count}: wrap this model.'
        )
    if not np.isfinite(vertices).all():
        raise FacewrightError(
            'The mesh has vertices that are not finite numbers: repair or delete them first.'
        )


def _turning(wrapped: np.ndarray, offsets: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return V×E×3: how each vertex's unit normal changes with each shape."""
    rest = vertex_normals(wrapped, triangles)
    out = np.zeros((len(wrapped), len(offsets), 3), np.float32)
    for i, offset in enumerate(offsets):
        touched = np.zeros(len(wrapped), bool)
        touched[triangles[(np.abs(offset[triangles]).max(2) > 1e-7).any(1)]] = True
        around = triangles[touched[triangles].any(1)]
        if len(around):
            out[touched, i] = (
                vertex_normals(wrapped + offset, around) - vertex_normals(wrapped, around)
            )[touched]
    out[(rest == 0).all(1)] = 0
    return out


def _components(n: int, triangles: np.ndarray, part: np.ndarray | None) -> np.ndarray:
    """Return N: the number of each vertex's connected component; parts never connect."""
    edges = edges_of(triangles)
    if part is not None:
        edges = edges[np.asarray(part)[edges[:, 0]] == np.asarray(part)[edges[:, 1]]]
    return connected_components(
        sparse.coo_matrix((np.ones(len(edges)), edges.T), (n, n)), directed=False
    )[1]


def _of(triangles: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Return the triangles among `rows`, renumbered."""
    onto = np.full(n, -1)
    onto[rows] = np.arange(len(rows))
    local = onto[triangles]
    return local[(local >= 0).all(1)]


def _members(piece: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Return the vertices of those of the named pieces that there are."""
    return np.concatenate(
        [piece[name] for name in names if name in piece] or [np.empty(0, np.int32)]
    )


def _kinds(
    piece: dict[str, np.ndarray],
    head: _Wrapped,
    vertices: np.ndarray,
    triangles: np.ndarray,
    component: np.ndarray,
) -> np.ndarray:
    """Return C str: what each component of the mesh is.

    'copy' (of a part of the wrapped head), 'eye_L', 'eye_R', 'mouth', one of BY_THE_EYE, 'skin' or
    'loose'.
    """
    wrapped, all_triangles = head.vertices, head.triangles
    count = component.max() + 1
    size = np.bincount(component, minlength=count)
    out = np.full(count, 'loose', '<U16')
    far = np.zeros(count)
    np.maximum.at(far, component, Surface(wrapped, all_triangles).closest(vertices)[3])
    out[far < COPY_WITHIN] = 'copy'
    skin = np.zeros(len(wrapped), bool)
    skin[_members(piece, ('skin',))] = True
    outer = Surface(wrapped, all_triangles[skin[all_triangles].all(1)])

    # Eyes and what lies in the mouth.
    inside = _inside_mouth(piece, wrapped, outer, vertices)
    balls = {
        side: _ball(wrapped[piece[f'eyeball_{side}']])
        for side in 'LR'
        if f'eyeball_{side}' in piece
    }
    order = np.argsort(component, kind='stable')
    starts = np.searchsorted(component[order], np.arange(count + 1))
    for c in np.flatnonzero(out == 'loose'):
        rows = order[starts[c] : starts[c + 1]]
        side = _eye_side(vertices[rows], balls) if size[c] >= 8 else None
        if side:
            out[c] = f'eye_{side}'
        elif inside[rows].mean() > 0.7:
            out[c] = 'mouth'

    # Lashes and the films before the eyes.
    for name in BY_THE_EYE:
        if name in piece:
            own = all_triangles[np.isin(all_triangles, piece[name]).all(1)]
            near = np.bincount(
                component,
                Surface(wrapped, own).closest(vertices, 2 * BESIDE_EYE)[3] < BESIDE_EYE,
                count,
            )
            out[(out == 'loose') & (near > 0.8 * size)] = name

    out[_skins(outer, vertices, triangles, component, out)] = 'skin'
    return out


def _skins(
    outer: Surface,
    vertices: np.ndarray,
    triangles: np.ndarray,
    component: np.ndarray,
    kind: np.ndarray,
) -> np.ndarray:
    """Find the loose components that are skin, by how much of them lies on the wrapped head's skin.

    outer: that skin. kind: C str so far.
    """
    count = len(kind)
    off = outer.closest(vertices, 0.6, vertex_normals(vertices, triangles), NORMAL_AGREEMENT)[3]
    bound = np.isfinite(off)
    area = mass(vertices, triangles)
    covered = np.bincount(component, area * bound, count)
    whole_area = np.bincount(component, area, count)
    mean_off = np.bincount(component, area * np.where(bound, off, 0), count)
    mean_off /= np.maximum(covered, 1e-12)
    candidates = np.flatnonzero(kind == 'loose')
    most = covered[candidates].max(initial=0)
    if most <= 0:
        return candidates[:0]
    keep = (
        (covered[candidates] > 0.3 * whole_area[candidates])
        & (covered[candidates] > 0.03 * most)
        & (whole_area[candidates] > 1.0)
    )
    keep |= covered[candidates] == most
    patch = covered[candidates] > PATCH[0] * whole_area[candidates]
    patch &= mean_off[candidates] < PATCH[1]
    keep |= patch & (whole_area[candidates] > 1.0)
    if (kind == 'copy').any():
        # What lies about a copy is loose unless it is a face of its own.
        keep &= covered[candidates] > 20
    return candidates[keep]


def _ball(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (centre 3, radius) of the sphere through points."""
    centre = sphere_centre(points)
    return centre, float(np.median(np.linalg.norm(points - centre, axis=1)))


def _eye_side(points: np.ndarray, balls: dict[str, tuple[np.ndarray, float]]) -> str | None:
    """Return the side of the eye that a component turns with, None for none.

    It is an eyeball, or a cornea, iris or pupil before it; not a tear line or lashes, which follow
    the lids.
    """
    for side, (centre, radius) in balls.items():
        away = np.linalg.norm(points - centre, axis=1)
        if np.quantile(away, 0.9) > 1.6 * radius:
            continue
        own, own_radius = _ball(points)
        residual = np.abs(np.linalg.norm(points - own, axis=1) - own_radius)
        extent = np.ptp(points, axis=0)
        if (
            np.median(residual) < 0.1 * own_radius
            and 0.5 * radius < own_radius < 1.6 * radius
            and np.linalg.norm(own - centre) < radius
            and extent.min() > 0.9 * own_radius
        ):
            return side
        direction = (points - centre) / np.maximum(away[:, None], 1e-9)
        middle = points.mean(0) - centre
        round_and_before = (
            0.75 < extent[1] / max(extent[0], 1e-9) < 1.33
            and extent[0] < 1.3 * radius
            and middle[2] > 0.3 * np.linalg.norm(middle)
        )
        if (
            round_and_before
            and (direction @ (middle / max(np.linalg.norm(middle), 1e-9)) > 0.9).any()
            and (away < 1.25 * radius).mean() > 0.9
        ):
            return side
    return None


def _inside_mouth(
    piece: dict, wrapped: np.ndarray, outer: Surface, vertices: np.ndarray
) -> np.ndarray:
    """N bool: in the mouth of the wrapped head, nearer to what is in it than to the skin."""
    content = _members(
        piece, ('upper_teeth', 'lower_teeth', 'upper_gums', 'lower_gums', 'tongue', 'mouth_socket')
    )
    if not len(content):
        return np.zeros(len(vertices), bool)
    low, high = wrapped[content].min(0), wrapped[content].max(0)
    margin = 0.2 * (high - low)
    box = np.flatnonzero(((vertices > low - margin) & (vertices < high + margin)).all(1))
    out = np.zeros(len(vertices), bool)
    out[box] = cKDTree(wrapped[content]).query(vertices[box])[0] < outer.closest(vertices[box])[3]
    return out


def _copied(
    head: _Wrapped, points: np.ndarray, normals: np.ndarray, component: np.ndarray
) -> np.ndarray:
    """Return R×E×3 of components that lie on the wrapped head.

    Each is interpolated from the one piece of it that it is a copy of.
    """
    theirs = _components(len(head.vertices), head.triangles, None)[head.triangles[:, 0]]
    whole, out = (
        Surface(head.vertices, head.triangles),
        np.zeros((len(points), *head.offsets.shape[1:])),
    )
    nearest = theirs[whole.closest(points)[0]]
    source = {c: int(np.bincount(nearest[component == c]).argmax()) for c in np.unique(component)}
    for piece in sorted(set(source.values())):
        rows = np.flatnonzero(np.isin(component, [c for c, s in source.items() if s == piece]))
        own = head.triangles[theirs == piece]
        surface = Surface(head.vertices, own)
        triangle, barycentric, _, distance = surface.closest(
            points[rows], normals=normals[rows], agreement=0
        )
        free = surface.closest(points[rows])
        lost = (triangle < 0) | (distance > free[3] + COPY_WITHIN)
        triangle[lost], barycentric[lost] = free[0][lost], free[1][lost]
        out[rows] = (barycentric[:, :, None, None] * head.offsets[own[triangle]]).sum(1)
    return out


def _beside(head: _Wrapped, members: np.ndarray, points: np.ndarray) -> np.ndarray:
    """R×E×3: the displacement of the nearest points of some of the model's vertices' triangles."""
    own = head.triangles[np.isin(head.triangles, members).all(1)]
    triangle, barycentric, _, _ = Surface(head.vertices, own).closest(points)
    return (barycentric[:, :, None, None] * head.offsets[own[triangle]]).sum(1)


def _skin(head: _Wrapped, piece: dict, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """N×E×3 of the mesh's skin: bound where that is certain, filled in elsewhere."""
    n = len(vertices)
    body = np.zeros(len(head.vertices), bool)
    body[_members(piece, ('skin', 'mouth_socket', 'eye_socket_L', 'eye_socket_R'))] = True
    body_triangles = head.triangles[body[head.triangles].all(1)]
    normals = vertex_normals(vertices, triangles)
    bits = _slit_bits(piece, len(head.vertices))
    surface = Surface(
        head.vertices, body_triangles, np.bitwise_and.reduce(bits[body_triangles], axis=1)
    )
    sides = _sides(head, piece, surface, vertices, triangles, normals)
    triangle, barycentric, point, distance = surface.closest(
        vertices, normals=normals, agreement=NORMAL_AGREEMENT, groups=sides
    )
    nearest = surface.closest(vertices, groups=sides)
    take = (triangle < 0) | (nearest[3] < 0.1 * COPY_WITHIN) | (distance > nearest[3] + 2.0)
    poor = take & (nearest[3] >= 0.1 * COPY_WITHIN)
    for mine, other in zip((triangle, barycentric, point, distance), nearest):
        mine[take] = other[take]
    poor |= triangle < 0
    agree = (surface.normals[triangle] * normals).sum(1)
    trust = np.exp(-((distance / TRUST_DISTANCE) ** 2)) * np.clip(
        (agree - NORMAL_AGREEMENT) / (0.85 - NORMAL_AGREEMENT), 0, 1
    )
    trust[distance < 0.1 * COPY_WITHIN] = 1
    trust[poor] = 0
    corners = body_triangles[triangle]
    weights = sparse.csr_matrix(
        (barycentric.ravel(), (np.repeat(np.arange(n), 3), corners.ravel())),
        (n, len(head.vertices)),
    )
    height = np.clip(((vertices - point) * surface.normals[triangle]).sum(1), -2, 2)
    height[np.abs(height) < 0.1 * COPY_WITHIN] = 0
    e = head.offsets.shape[1]
    bound = (weights @ head.offsets.reshape(len(head.vertices), -1)).reshape(n, e, 3)
    lifted = np.flatnonzero(height)
    bound[lifted] += height[lifted, None, None] * (
        weights[lifted] @ head.turning.reshape(len(head.vertices), -1)
    ).reshape(-1, e, 3)
    trust[_torn(head, body_triangles, vertices, triangles, bound, triangle, trust)] = 0
    still = (np.abs(bound).max((1, 2)) < LEAST_MOVE) & (distance < 2 * LOOSE_WITHIN)
    return _filled(
        vertices,
        triangles,
        bound,
        trust,
        (trust >= TAKEN_AS_IS)
        | (still & (trust > 0.3))
        | (still & (distance > TRUST_DISTANCE) & (agree > 0)),
    )


def _slit_bits(piece: dict, count: int) -> np.ndarray:
    """Return V int32: which sides of the slits a vertex of the wrapped head may bind.

    Bit 2k for all that may bind what is above slit k, 2k + 1 for what is below it; 2^20 for all.
    """
    bits = np.full(count, -1, np.int32)
    for k, (upper, lower) in enumerate(SLITS):
        bits[piece.get(lower, [])] &= ~np.int32(1 << 2 * k)
        bits[piece.get(upper, [])] &= ~np.int32(2 << 2 * k)
    return bits


def _sides(
    head: _Wrapped,
    piece: dict,
    surface: Surface,
    vertices: np.ndarray,
    triangles: np.ndarray,
    normals: np.ndarray,
) -> np.ndarray:
    """Return N int32: the bits a vertex may bind to, as `_slit_bits` gives them.

    Upper or lower side where it lies by a slit, told by its neighbourhood on its own mesh.
    """
    edges = edges_of(triangles)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    out = np.full(len(vertices), np.int32(1 << 20))
    for k, (upper, lower) in enumerate(SLITS):
        if upper not in piece or lower not in piece:
            continue
        near, away = [], []
        for name in (upper, lower):
            own = surface.triangles[np.isin(surface.triangles, piece[name]).any(1)]
            part = Surface(head.vertices, own)
            near.append(part.closest(vertices, 1.0)[3])
            away.append(part.closest(vertices, 1.0, normals, 0.3)[3])
        zone = np.isfinite(np.minimum(*near))
        if not zone.any():
            continue
        above, below = (np.where(np.isfinite(a), a, 1.0) for a in away)
        say = np.clip((below - above) / 0.1, -1, 1)  # + above
        sure = np.abs(say) * np.exp(-((np.minimum(above, below) / 0.15) ** 2)) + 1e-4
        rows = np.flatnonzero(zone)
        onto = np.full(len(vertices), -1)
        onto[rows] = np.arange(len(rows))
        local = onto[edges]
        keep = (local >= 0).all(1)
        smooth = weighted_laplacian(
            local[keep], 0.01 / np.maximum(length[keep], 1e-3) ** 2, len(rows)
        )
        label = spsolve((smooth + sparse.diags(sure[rows])).tocsc(), sure[rows] * say[rows])
        out[rows] = np.where(
            label > SIDE_DECIDED,
            np.int32(1 << 2 * k),
            np.where(label < -SIDE_DECIDED, np.int32(2 << 2 * k), np.int32(1 << 20)),
        )
    return out


def _torn(
    head: _Wrapped,
    body: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    bound: np.ndarray,
    triangle: np.ndarray,
    trust: np.ndarray,
) -> np.ndarray:
    """Find the vertices whose edges the binding stretches far more than the model stretches.

    In some shape, and where they are bound; triangle: where each vertex is, of `body`.
    """

    def strain(points, pairs, motion):
        """Return how much each pair's distance changes at most, of its length."""
        length = np.maximum(np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1), 1e-3)
        worst = np.zeros(len(pairs))
        for k in range(motion.shape[1]):
            worst = np.maximum(
                worst, np.linalg.norm(motion[pairs[:, 0], k] - motion[pairs[:, 1], k], axis=1)
            )
        return worst / length

    own = edges_of(body)
    most = np.zeros(len(head.vertices))
    source = strain(head.vertices, own, head.offsets)
    for k in (0, 1):
        np.maximum.at(most, own[:, k], source)
    allowed = most[body[triangle]].max(1)
    edges = edges_of(triangles)
    edges = edges[(trust[edges] > 0).all(1)]
    torn = (
        strain(vertices, edges, bound)
        > LARGEST_STRAIN * np.maximum(allowed[edges[:, 0]], allowed[edges[:, 1]]) + 0.2
    )
    return np.unique(edges[torn])


def _filled(
    vertices: np.ndarray,
    triangles: np.ndarray,
    bound: np.ndarray,
    trust: np.ndarray,
    fixed: np.ndarray,
) -> np.ndarray:
    """Return bound displacements (N×E×3) with those that are not fixed made the smoothest.

    They are drawn to their binding as far as it is trusted.
    """
    free = np.flatnonzero(~fixed)
    out = bound.copy()
    if not len(free):
        return out
    n = len(vertices)
    used = np.zeros(n, bool)
    used[triangles] = True
    area = mass(vertices, triangles)
    floor = max(1e-12, 0.05 * float(np.median(area[used])) if used.any() else 1e-12)
    area = np.maximum(area, floor)
    weight = np.clip(half_cotangents(vertices, triangles), 0.01, 10.0)
    edges = np.concatenate([triangles[:, [(k + 1) % 3, (k + 2) % 3]] for k in range(3)])
    laplacian = weighted_laplacian(edges, weight.T.ravel(), n)
    # rows of L that touch what is free are all that is needed
    near = np.unique(laplacian[free].indices)
    rows = laplacian[near]
    energy = (rows.T @ sparse.diags(1 / area[near]) @ rows + MEMBRANE * laplacian).tocsr()[free]
    pull = area[free] * (
        TRUSTED_PULL * trust[free] / np.maximum(1 - trust[free], 0.02) + LEAST_PULL
    )
    matrix = (energy[:, free] + sparse.diags(pull)).tocsc()
    known = np.where(fixed[:, None, None], bound, 0).reshape(n, -1)
    right = pull[:, None] * bound[free].reshape(len(free), -1) - energy @ known
    factor = splu(
        matrix, permc_spec='MMD_AT_PLUS_A', diag_pivot_thresh=0, options={'SymmetricMode': True}
    )
    out[free] = factor.solve(right).reshape(len(free), *bound.shape[1:])
    return out


def _eye(
    head: _Wrapped,
    eyeball: np.ndarray,
    vertices: np.ndarray,
    rows: np.ndarray,
    component: np.ndarray,
) -> np.ndarray:
    """Return R×E×3: turned as the model's eyeball of that side turns.

    About the centre of the mesh's own largest ball there.
    """
    rotation, translation, _ = rigid_motion(
        head.vertices[eyeball],
        (head.vertices[eyeball][:, None] + head.offsets[eyeball]).transpose(1, 0, 2),
    )
    theirs = sphere_centre(head.vertices[eyeball])
    spans = {
        c: np.ptp(vertices[rows[component[rows] == c]], axis=0).min()
        for c in np.unique(component[rows])
    }
    centre = sphere_centre(vertices[rows[component[rows] == max(spans, key=spans.get)]])
    shift = rotation @ theirs + translation - theirs
    about = vertices[rows] - centre
    return np.einsum('eij,nj->nei', rotation, about) - about[:, None] + shift


def _mouth(
    head: _Wrapped, piece: dict, vertices: np.ndarray, rows: np.ndarray, component: np.ndarray
) -> np.ndarray:
    """Return R×E×3: each component with the skull's teeth or with the jaw's.

    One that reaches over both is shared out between them.
    """
    upper, lower = (
        _members(piece, ('upper_teeth', 'upper_gums')),
        _members(piece, ('lower_teeth', 'lower_gums', 'tongue')),
    )
    moves = []
    for names in (('upper_teeth', 'upper_gums'), ('lower_teeth', 'lower_gums')):
        guide = _members(piece, names[:1]) if names[0] in piece else _members(piece, names)
        if not len(guide):
            moves.append(np.zeros((len(rows), head.offsets.shape[1], 3)))
            continue
        rotation, translation, _ = rigid_motion(
            head.vertices[guide],
            (head.vertices[guide][:, None] + head.offsets[guide]).transpose(1, 0, 2),
        )
        moves.append(
            np.einsum('eij,nj->nei', rotation, vertices[rows])
            + translation
            - vertices[rows][:, None]
        )
    to_upper = (
        cKDTree(head.vertices[upper]).query(vertices[rows])[0]
        if len(upper)
        else np.full(len(rows), np.inf)
    )
    to_lower = (
        cKDTree(head.vertices[lower]).query(vertices[rows])[0]
        if len(lower)
        else np.full(len(rows), np.inf)
    )
    share = np.zeros(len(rows))
    for c in np.unique(component[rows]):
        own = component[rows] == c
        down = np.mean(to_lower[own] < to_upper[own])
        mixed = 0.25 < down < 0.75 and np.ptp(vertices[rows[own], 1]) > 1.5
        share[own] = (
            1 / (1 + np.exp(np.clip((to_lower[own] - to_upper[own]) / 0.1, -30, 30)))
            if mixed
            else float(down > 0.5)
        )
    return moves[0] * (1 - share[:, None, None]) + moves[1] * share[:, None, None]


def _hang(
    vertices: np.ndarray,
    triangles: np.ndarray,
    component: np.ndarray,
    kind: np.ndarray,
    out: np.ndarray,
) -> None:
    """Move loose parts (lashes, brows, hair, tear lines) in `out` (N×E×3).

    Each vertex goes and turns with the skin under the nearest roots of its own part.
    """
    loose = np.flatnonzero(kind[component] == 'loose')
    firm = np.isin(kind[component], ('skin', 'copy'))
    own = triangles[firm[triangles].all(1)]
    if not len(loose) or not len(own):
        return
    triangle, barycentric, _, distance = Surface(vertices, own).closest(vertices[loose])
    floor = np.full(component.max() + 1, np.inf)
    np.minimum.at(floor, component[loose], distance)
    is_root = (distance <= floor[component[loose]] + ROOT_DEPTH) & (
        floor[component[loose]] <= LOOSE_WITHIN
    )
    roots = np.flatnonzero(is_root)
    if not len(roots):
        return
    corners = own[triangle[roots]]
    mix = barycentric[roots][:, :, None]
    before, after = _turned_normals(vertices, own, corners, out)
    n0, moved = (mix * before).sum(1), (mix[..., None] * out[corners]).sum(1)
    n0 /= np.maximum(np.linalg.norm(n0, axis=1, keepdims=True), 1e-12)
    n1 = (mix[..., None] * after).sum(1)
    n1 /= np.maximum(np.linalg.norm(n1, axis=2, keepdims=True), 1e-12)
    alone = (np.bincount(component, minlength=component.max() + 1) == 1)[component[loose]]
    out[loose[roots[alone[roots]]]] = moved[alone[roots]]
    stiff = np.zeros(len(loose), bool)
    parts = np.flatnonzero(~alone)
    piece = _joined(vertices, triangles, loose[parts], component[loose[parts]])
    for k in np.flatnonzero(_stiff(vertices[loose[parts]], piece, distance[parts])):
        rows = parts[piece == k]
        stiff[rows] = True
        if (floor[component[loose[rows]]] <= LOOSE_WITHIN).any():
            _ride(
                vertices, loose[rows], distance[rows], own[triangle[rows]], barycentric[rows], out
            )
    of_root = component[loose[roots]]
    for c in np.unique(of_root[~stiff[roots] & ~alone[roots]]):
        whole, mine = loose[component[loose] == c], np.flatnonzero(of_root == c)
        bases = vertices[loose[roots[mine]]]
        for part in np.array_split(whole, -(-len(whole) // CHUNK_VERTICES)):
            out[part] = _turned_about(vertices[part], bases, moved[mine], n0[mine], n1[mine])


def _turned_about(
    points: np.ndarray, roots: np.ndarray, moved: np.ndarray, n0: np.ndarray, n1: np.ndarray
) -> np.ndarray:
    """Return P×E×3 offsets of points that go and turn with the nearest of R roots.

    roots: R×3, moved: R×E×3 offsets of these. n0, n1: R×3 and R×E×3, the skin's unit normals
    there at rest and in each shape.
    """
    away, index = (
        a.reshape(len(points), -1) for a in cKDTree(roots).query(points, k=min(4, len(roots)))
    )
    share = 1 / (away + 1e-3) ** 2
    share /= share.sum(1, keepdims=True)
    out = np.zeros((len(points), *moved.shape[1:]))
    for k in range(index.shape[1]):
        r = index[:, k]
        arm = (points - roots[r])[:, None]
        out += share[:, k, None, None] * (moved[r] + _rotated(n0[r][:, None], n1[r], arm) - arm)
    return out


def _joined(
    vertices: np.ndarray, triangles: np.ndarray, rows: np.ndarray, component: np.ndarray
) -> np.ndarray:
    """Return R: the piece that each loose vertex (R rows, of component R) belongs to.

    Components that touch are one piece.
    """
    numbers, own = np.unique(component, return_inverse=True)
    count = len(numbers)
    if count > FEW_PARTS:
        pairs = cKDTree(vertices[rows]).query_pairs(TOUCHING, output_type='ndarray')
        pairs = own[pairs]
    else:
        of = np.full(len(vertices), -1)
        of[rows] = own
        part = of[triangles[:, 0]]
        points = [vertices[rows[own == k]] for k in range(count)]
        low, high = [p.min(0) for p in points], [p.max(0) for p in points]
        pairs = []
        for b in range(count):
            if not (part == b).any():
                continue
            surface = Surface(vertices, triangles[part == b])
            for a in range(count):
                apart = (low[a] > high[b] + TOUCHING).any() or (low[b] > high[a] + TOUCHING).any()
                if (
                    a != b
                    and not apart
                    and np.isfinite(surface.closest(points[a], TOUCHING)[3]).any()
                ):
                    pairs.append((a, b))
        pairs = np.array(pairs, int).reshape(-1, 2)
    graph = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), (count, count))
    return connected_components(graph, directed=False)[1][own]


def _stiff(points: np.ndarray, piece: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return P bool: which pieces (of each point R) move as one body.

    Those that are wide and touch the skin (distance R, cm) in few places.
    """
    count = piece.max(initial=-1) + 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, piece, points)
    np.maximum.at(high, piece, points)
    near = np.bincount(piece, distance < RIGID_NEAR[1], count) / np.bincount(piece, minlength=count)
    return ((high - low).max(1) > RIGID_SIZE) & (near <= RIGID_NEAR[0])


def _ride(
    vertices: np.ndarray,
    rows: np.ndarray,
    distance: np.ndarray,
    corners: np.ndarray,
    barycentric: np.ndarray,
    out: np.ndarray,
) -> None:
    """Move a stiff piece in `out` (N×E×3) by one rigid motion a shape, as the skin it touches.

    rows: R, its vertices; distance: R, cm from the skin; corners, barycentric: R×3, the skin's
    nearest points. Weights fall with the distance beyond the nearest; a little of the piece itself,
    shifted by the mean, holds what the contacts do not tell: how it turns about two nose pads.
    """
    weight = np.exp(-(((distance - distance.min()) / ROOT_DEPTH) ** 2))
    touching = weight > 1e-3
    mix = barycentric[touching][:, :, None]
    source = (mix * vertices[corners[touching]]).sum(1)
    moved = (mix[..., None] * out[corners[touching]]).sum(1)
    weight = weight[touching] / weight[touching].sum()
    shift = (weight[:, None, None] * moved).sum(0)
    points = vertices[rows]
    hold = points[np.linspace(0, len(points) - 1, min(len(points), 200)).astype(int)]
    start = np.concatenate([source, hold])
    goal = np.concatenate([source[None] + moved.transpose(1, 0, 2), hold[None] + shift[:, None]], 1)
    weights = np.concatenate([weight, np.full(len(hold), RIGID_HOLD / len(hold))])
    rotation, translation, _ = rigid_motion(start, goal, weights)
    out[rows] = np.einsum('eij,nj->nei', rotation, points) + translation - points[:, None]


def _turned_normals(
    vertices: np.ndarray, own: np.ndarray, corners: np.ndarray, moved: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return unit normals at corners (R×3 vertex indices): at rest R×3×3, in each shape R×3×E×3.

    own: triangles. moved: N×E×3.
    """
    wanted = np.zeros(len(vertices), bool)
    wanted[corners] = True
    around = own[wanted[own].any(1)]
    rows, local = np.unique(around, return_inverse=True)
    local, at = local.reshape(-1, 3), np.searchsorted(rows, corners)
    rest = vertex_normals(vertices[rows], local)
    shapes = np.stack(
        [vertex_normals(vertices[rows] + moved[rows, k], local)[at] for k in range(moved.shape[1])],
        2,
    )
    return rest[at], shapes


def _rotated(n0: np.ndarray, n1: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Return arms (…×3) turned by the smallest rotation from unit n0 to n1."""
    axis = np.cross(n0, n1)
    cosine = np.maximum((n0 * n1).sum(-1, keepdims=True), -0.9)
    once = np.cross(axis, arm)
    return arm + once + np.cross(axis, once) / (1 + cosine)
