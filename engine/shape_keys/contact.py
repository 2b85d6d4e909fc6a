"""Shape keys whose parts keep out of each other: lips, lids and eyeballs, cavities, gums and teeth, in single shapes and in combinations.

The rig stays linear, so the neutral and every shape get small corrections, such that what penetrates in sampled poses no longer does:
projection of each pose's penetrations (Müller et al., "Position based dynamics", 2007, section 3.3–3.5) gives the displacements wanted,
a weighted ridge regression over the poses gives the corrections, a membrane over the surface makes them smooth; repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import warp as wp
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..core.device import HOST
from ..face_model.expressions import UNTRACKED, WITH_OPEN_JAW
from ..face_model.model import FaceModel
from ..face_model.pieces import face_graph, pieces, slit_sides
from ..geometry.laplacian import cotangent_laplacian, edges_of, weighted_laplacian
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..render.preview import head_to_camera
from ..render.rasterise import rasterise
from .crossings import Checker, sample_combinations
from .lids import meet_lids, through_lids

wp.config.log_level = wp.LOG_ERROR


RIDERS = 6  # lid vertices that a vertex of lash or eye film rides on
NEUTRAL_TRIES = 5  # times at most that a neutral is settled
NEUTRAL_GAIN = 0.5  # of the penetrations: a settling that leaves more is not worth it
FIRM = 0.0003  # cm: depths that a vertex shares in, from which its contact counts in full
MOVED = 0.01  # mm: what moves less is not counted as moved
# rings a correction is taken back over where a shape crosses by it; then all
TAKEN_BACK = (2, 4, 8)
LEVEL = 1e-9  # pull to 0, per cotangent weight, of what hangs on no rim
FREE = 0.3  # cm: where a shape moves as far as this, it may be corrected freely


@dataclass(frozen=True)
class ContactOptions:
    """How contacts are settled; all numbers measured here, on ICT's and the built-in head."""

    # random combinations looked at, each with its mirror image, beside the neutral and every shape
    # alone
    poses: int = 90
    seed: int = 20220  # of those; another than any a test or a bench scores with
    neutral_rounds: int = 12  # for the neutral, which is settled first and by itself
    rounds: int = 5  # for the shapes
    lip_margin: float = 0.01  # cm: how far apart lips that touched are put in the neutral
    lip_margin_moving: float = 0.03  # cm: the same in every other pose
    margin: float = 0.03  # cm: the same for lids and eyeballs, lips and teeth
    # cm: lids deeper in the eyeball than this are not seen; lips and teeth, twice as deep
    reach: float = 0.3
    spacing: float = 0.15  # cm: between the points looked at
    # cm: teeth, gums and cavities further than this from the lips are not looked at
    near: float = 0.8
    # weight of a pose without contact, where the correction should vanish, against one with
    idle: float = 0.04
    # weight of a pose whose contact is settled already, where the correction should stay
    settled: float = 0.4
    # how much more than a combination a shape alone counts: artists look at these
    single: float = 2.0
    # of its correction a shape alone keeps each round that it has no contact: so it closes again
    # where it may
    keeps: float = 0.95
    boldness: float = 1.6  # part of a penetration undone at once
    ridge: float = 0.005  # weight of a shape's correction where the shape moves .3 cm or more
    spread: float = 0.4  # membrane against the wanted corrections
    lid_spread: float = 3.0  # the same on lids, which are thin
    through: float = 0.2  # the same from one side of a lid to the other, which must go together


@wp.kernel
def _push_apart(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.vec3i),
    weights: wp.array(dtype=wp.vec3),
    wall: wp.array(dtype=wp.vec3i),
    solid: wp.array(dtype=wp.int32),
    reach: float,
    margin: float,
    share: float,
    yields: float,
    body: int,
    push: wp.array(dtype=wp.vec3),
    mass: wp.array(dtype=float),
):
    i = wp.tid()
    c = corners[i]
    w = weights[i]
    p = points[c[0]] * w[0] + points[c[1]] * w[1] + points[c[2]] * w[2]
    query = wp.mesh_query_point_sign_normal(mesh, p, reach)
    if not query.result:
        return
    f = query.face
    if solid[f] == 0:
        return
    d = p - wp.mesh_eval_position(mesh, f, query.u, query.v)
    length = wp.length(d)
    gap = query.sign * length
    if gap >= margin:
        return
    away = wp.mesh_eval_face_normal(mesh, f)
    if length > 1.0e-5:
        away = d * (query.sign / length)
    depth = margin - gap
    step = away * depth
    if share > 0.0:
        if body >= 0:
            wp.atomic_add(push, body, step * (share * depth))
            wp.atomic_add(mass, body, depth)
        else:
            for k in range(3):
                wp.atomic_add(push, c[k], step * (share * depth * w[k]))
                wp.atomic_add(mass, c[k], depth * w[k])
    if yields > 0.0:
        b = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)
        n = wall[f]
        for k in range(3):
            part = wp.max(b[k], 0.0)
            wp.atomic_add(push, n[k], step * (-yields * depth * part))
            wp.atomic_add(mass, n[k], depth * part)


@wp.func
def _touches(triangle: wp.vec3i, corner: int, weight: float):
    return weight > 0.0 and (
        triangle[0] == corner or triangle[1] == corner or triangle[2] == corner
    )


@wp.kernel
def _push_back(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.vec3i),
    weights: wp.array(dtype=wp.vec3),
    outwards: wp.array(dtype=wp.vec3),
    wall: wp.array(dtype=wp.vec3i),
    solid: wp.array(dtype=wp.int32),
    reach: float,
    margin: float,
    share: float,
    yields: float,
    body: int,
    push: wp.array(dtype=wp.vec3),
    mass: wp.array(dtype=float),
):
    """A tooth's point is in the flesh where, going back into the mouth, one comes out of the lip's inner side. Triangles that the point itself is a
    corner of do not count: it is a matter of rounding whether they are met."""
    i = wp.tid()
    c = corners[i]
    w = weights[i]
    out = outwards[i]
    p = points[c[0]] * w[0] + points[c[1]] * w[1] + points[c[2]] * w[2] + out * margin
    # Warp: a number that changes in a loop must be declared, or it is taken for a constant.
    depth = float(0.0)  # noqa: UP018
    f = int(-1)  # noqa: UP018, RUF046
    u = float(0.0)  # noqa: UP018
    v = float(0.0)  # noqa: UP018
    for _turn in range(6):
        if f < 0 and depth < reach:
            query = wp.mesh_query_ray(mesh, p - out * depth, -out, reach - depth)
            if query.result:
                depth = depth + query.t
                own = (
                    _touches(wall[query.face], c[0], w[0])
                    or _touches(wall[query.face], c[1], w[1])
                    or _touches(wall[query.face], c[2], w[2])
                )
                if not own and wp.dot(wp.mesh_eval_face_normal(mesh, query.face), out) < 0.0:
                    f = query.face
                    u = query.u
                    v = query.v
                else:
                    depth = depth + 1.0e-3
            else:
                depth = reach
    if f < 0:
        return
    if solid[f] == 0:
        return
    step = out * depth
    if body >= 0:
        wp.atomic_add(push, body, step * (-share * depth))
        wp.atomic_add(mass, body, depth)
    else:
        for k in range(3):
            wp.atomic_add(push, c[k], step * (-share * depth * w[k]))
            wp.atomic_add(mass, c[k], depth * w[k])
    b = wp.vec3(u, v, 1.0 - u - v)
    n = wall[f]
    for k in range(3):
        part = wp.max(b[k], 0.0)
        wp.atomic_add(push, n[k], step * (yields * depth * part))
        wp.atomic_add(mass, n[k], depth * part)


@dataclass(frozen=True)
class Contact:
    """Sample points must stay in front of a wall; they go `share` of the way, the wall yields `yields` of it."""

    corners: np.ndarray  # N×3 vertex indices
    weights: np.ndarray  # N×3, rows sum to 1
    wall: np.ndarray  # T×3 triangles
    solid: np.ndarray  # T bool: what is nearest to another part of the wall is not in contact
    share: float
    yields: float
    body: int = -1  # the rigid body the points belong to, −1: each vertex moves by itself
    # cm: how far in front, in the neutral and in other poses
    margin: tuple[float, float] = (0.0, 0.0)
    outwards: np.ndarray | None = None  # N×3: the way out of the mouth, for a body


def grid(
    triangles: np.ndarray, vertices: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Points about `spacing` apart on triangles, corners among them, as (corners N×3, weights N×3)."""
    longest = np.linalg.norm(vertices[triangles] - vertices[np.roll(triangles, 1, 1)], axis=2).max(
        1
    )
    steps = np.clip(np.ceil(longest / spacing).astype(int), 1, 8)
    corners, weights = (
        [np.repeat(np.unique(triangles)[:, None], 3, 1)],
        [np.tile([1.0, 0, 0], (len(np.unique(triangles)), 1))],
    )
    for n in np.unique(steps):
        w = (
            np.array(
                [
                    (i, j, n - i - j)
                    for i in range(n + 1)
                    for j in range(n + 1 - i)
                    if max(i, j, n - i - j) < n
                ]
                or np.empty((0, 3))
            )
            / n
        )
        rows = triangles[steps == n]
        corners.append(np.repeat(rows, len(w), 0))
        weights.append(np.tile(w, (len(rows), 1)))
    return np.concatenate(corners), np.concatenate(weights)


def outer_shell(triangles: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Of a piece's connected components (T×3), the one that holds the most volume."""
    count = triangles.max() + 1
    links = (np.r_[triangles[:, 0], triangles[:, 1]], np.r_[triangles[:, 1], triangles[:, 2]])
    _, label = connected_components(
        sparse.coo_matrix((np.ones(2 * len(triangles)), links), (count, count)), directed=False
    )
    a, b, c = np.moveaxis(
        vertices[triangles].astype(np.float64) - vertices[triangles].mean((0, 1)), 1, 0
    )
    volume = np.bincount(label[triangles[:, 0]], (a * np.cross(b, c)).sum(1))
    return triangles[label[triangles[:, 0]] == np.abs(volume).argmax()]


def above_the_slit(
    model: FaceModel, high: np.ndarray, low: np.ndarray, socket: np.ndarray
) -> np.ndarray:
    """Tell which vertices of the mouth's socket (N indices) belong to its upper side, N bool.

    Those where the harmonic function that is 1 on the slit's upper rim `high` and −1 on the lower
    one `low` is not negative. (By the nearest rim, all of the cheek's wall would go to the side that
    has the mouth's corner.)
    """
    rim = np.concatenate([high, low])
    height = np.repeat([1.0, -1.0], [len(high), len(low)])
    triangles = triangulate(model.faces)
    member = np.zeros(model.vertex_count, bool)
    member[rim] = member[socket] = True
    within = triangles[member[triangles].all(1)]
    lap = cotangent_laplacian(model.neutral.astype(np.float64), within)
    inner = lap[socket][:, socket] + LEVEL * sparse.identity(len(socket))
    return splu(inner.tocsc()).solve(-(lap[socket][:, rim] @ height)) >= 0


def contacts_of(
    model: FaceModel, neutral: np.ndarray, options: ContactOptions
) -> tuple[np.ndarray, list[np.ndarray], list[Contact]]:
    """(zone: vertices that may move one by one; rigid bodies: upper teeth and gums, lower ones with the tongue; the contacts to settle)."""
    part = pieces(model)
    triangles = triangulate(model.faces)
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    zone, bodies, out = [], [], []

    def patch(rows, corners=3):
        member = np.zeros(model.vertex_count, bool)
        member[rows] = True
        return triangles[member[triangles].sum(1) >= corners]

    def within(corners, weights, others, part=1.0):
        points = (model.neutral[corners] * weights[..., None]).sum(1)
        return (
            cKDTree(model.neutral[others]).query(points, distance_upper_bound=part * options.near)[
                0
            ]
            < np.inf
        )

    upper, lower, high, low = slit_sides(model, 'mouth')
    socket = part['mouth_socket']
    near = [
        dijkstra(graph, directed=False, indices=rim, min_only=True)[socket] for rim in (high, low)
    ]
    roof = above_the_slit(model, high, low, socket)
    above, below = np.union1d(upper, socket[roof]), np.union1d(lower, socket[~roof])
    front = np.zeros(model.vertex_count, bool)
    front[np.concatenate([upper, lower])] = True
    deep = np.zeros(model.vertex_count, bool)
    deep[socket[np.minimum(*near) > options.near]] = True
    zone += [upper, lower, socket]
    for movers, others, down in ((above, below, -1.0), (below, above, 1.0)):
        corners, weights = grid(patch(movers[~deep[movers]], 2), model.neutral, options.spacing)
        wall = patch(others, 2)
        close = within(corners, weights, others[~deep[others]])
        corners, weights = corners[close], weights[close]
        out.append(
            Contact(
                corners,
                weights,
                wall,
                ~deep[wall].any(1),
                0.5,
                0.5,
                -1,
                (options.lip_margin, options.lip_margin_moving),
                np.tile([0, down, 0], (len(corners), 1)),
            )
        )
    mouth = patch(np.concatenate([above, below]))
    for jaw, names in (
        ('upper', ('upper_teeth', 'upper_gums')),
        ('lower', ('lower_teeth', 'lower_gums', 'tongue')),
    ):
        rows = np.concatenate(
            [part[name] for name in names if name in part] or [np.empty(0, np.int32)]
        )
        if len(rows):
            corners, weights = grid(patch(rows), model.neutral, options.spacing)
            close = within(corners, weights, np.flatnonzero(front))
            points = (model.neutral[corners] * weights[..., None]).sum(1)
            arch = points - np.median(model.neutral[rows], axis=0) * [0, 0, 1]
            outwards = (
                arch
                * [1, 0, 1]
                / np.maximum(np.linalg.norm(arch * [1, 0, 1], axis=1, keepdims=True), 1e-9)
            )
            normals = vertex_normals(model.neutral.astype(np.float64), triangles)
            close &= (normals[corners[np.arange(len(corners)), weights.argmax(1)]] * outwards).sum(
                1
            ) > -0.2  # their outer side
            out.append(
                Contact(
                    corners[close],
                    weights[close],
                    mouth,
                    front[mouth].all(1),
                    0.9,
                    0.25,
                    len(bodies),
                    (options.margin,) * 2,
                    outwards[close],
                )
            )
            bodies.append(rows)
    for side in 'LR':
        lids = np.concatenate([part[f'upper_lid_{side}'], part[f'lower_lid_{side}']])
        ball = outer_shell(patch(part[f'eyeball_{side}']), model.neutral)
        zone += [lids, part[f'eye_socket_{side}']]
        corners, weights = grid(patch(lids), model.neutral, options.spacing)
        close = within(corners, weights, np.unique(ball), 0.6)
        out.append(
            Contact(
                corners[close],
                weights[close],
                ball,
                np.ones(len(ball), bool),
                1.0,
                0.0,
                -1,
                (options.margin,) * 2,
            )
        )
    return (
        np.unique(np.concatenate(zone)),
        bodies,
        [c for c in out if len(c.corners) and c.solid.any()],
    )


class Pushes:
    """The contacts ready to be asked pose after pose. `rows`: the vertices it must know; slots 0…len(rows) are these, then the bodies.

    On the processor whatever the choice of device: the kernels add floats atomically, in an order that CUDA would leave open.
    """

    def __init__(self, contacts: list[Contact], bodies: int, vertices: np.ndarray):
        self.contacts = contacts
        self.rows = np.unique(
            np.concatenate([np.concatenate([c.corners.ravel(), c.wall.ravel()]) for c in contacts])
        )
        count = len(self.rows)

        def local(index):
            return wp.array(
                np.searchsorted(self.rows, index).astype(np.int32), dtype=wp.vec3i, device=HOST
            )

        self.points = wp.array(
            np.ascontiguousarray(vertices[self.rows], np.float32), dtype=wp.vec3, device=HOST
        )
        self.push, self.mass = (
            wp.zeros(count + bodies, dtype=wp.vec3, device=HOST),
            wp.zeros(count + bodies, dtype=float, device=HOST),
        )
        meshes = {}
        self.queries = []
        for c in contacts:
            wall = local(c.wall)
            mesh = meshes.setdefault(c.wall.tobytes(), None) or wp.Mesh(
                self.points, wp.array(wall.numpy().ravel(), dtype=wp.int32, device=HOST)
            )
            meshes[c.wall.tobytes()] = mesh
            self.queries.append(
                (
                    mesh,
                    local(c.corners),
                    wp.array(c.weights.astype(np.float32), dtype=wp.vec3, device=HOST),
                    wall,
                    wp.array(c.solid.astype(np.int32), dtype=wp.int32, device=HOST),
                    c.margin,
                    c.share,
                    c.yields,
                    count + c.body if c.body >= 0 else -1,
                    None
                    if c.outwards is None
                    else wp.array(c.outwards.astype(np.float32), dtype=wp.vec3, device=HOST),
                )
            )

    def moved_by(self, offsets: np.ndarray) -> np.ndarray:
        """E×contacts bool: does a shape (E×R×3 offsets of `rows`) move the points or the wall of a contact?"""
        moved = np.abs(offsets).max(2) > 0.01
        return np.stack(
            [
                moved[:, np.searchsorted(self.rows, np.union1d(c.corners, c.wall))].any(1)
                for c in self.contacts
            ],
            1,
        )

    def __call__(
        self, points: np.ndarray, reach: float, asked: np.ndarray, moving: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """((R + bodies)×3: the way each vertex and body should go, with `rows` at R×3; R + bodies: how much it is in contact, from 0, without, to 1).
        Both grow from 0 with the contact, so that a head that is the same but for rounding gets the same shapes. asked: contacts bool."""
        self.points.numpy()[:] = points
        for mesh in {
            id(query[0]): query[0] for query, ask in zip(self.queries, asked) if ask
        }.values():
            mesh.refit()
        self.push.zero_()
        self.mass.zero_()
        for mesh, corners, weights, wall, solid, margin, share, yields, body, outwards in [
            query for query, ask in zip(self.queries, asked) if ask
        ]:
            last = [share, yields, body, self.push, self.mass]
            if outwards is None:
                wp.launch(
                    _push_apart,
                    dim=len(corners),
                    device=HOST,
                    inputs=[
                        mesh.id,
                        self.points,
                        corners,
                        weights,
                        wall,
                        solid,
                        reach,
                        margin[moving],
                        *last,
                    ],
                )
            else:
                wp.launch(
                    _push_back,
                    dim=len(corners),
                    device=HOST,
                    inputs=[
                        mesh.id,
                        self.points,
                        corners,
                        weights,
                        outwards,
                        wall,
                        solid,
                        2.0 * reach,
                        margin[moving],
                        *last,
                    ],
                )
        mass = self.mass.numpy()
        return self.push.numpy() / np.maximum(mass, FIRM)[:, None], np.minimum(mass / FIRM, 1)


def training_poses(names: tuple[str, ...], options: ContactOptions) -> np.ndarray:
    """K×E weights: the neutral, every shape alone (mouthClose with jawOpen, tongueOut never), blinks on their way, random combinations and their mirror images."""
    index = {name: k for k, name in enumerate(names)}
    single = np.eye(len(names))
    if 'mouthClose' in index and 'jawOpen' in index:
        single[index['mouthClose'], index['jawOpen']] = 1
    other = {'_L': '_R', '_R': '_L', 'Left': 'Right', 'Right': 'Left'}
    mirror = [
        next(
            (index.get(name.removesuffix(a) + b, k) for a, b in other.items() if name.endswith(a)),
            k,
        )
        for k, name in enumerate(names)
    ]
    alone = single[[name not in UNTRACKED for name in names]]
    blinks = single[[k for name, k in index.items() if name.startswith('eyeBlink')]]
    mixed = sample_combinations(names, options.poses, options.seed)
    return np.concatenate(
        [np.zeros((1, len(names))), alone, 0.35 * blinks, 0.65 * blinks, mixed, mixed[:, mirror]]
    )


def settle_contacts(
    model: FaceModel,
    neutral: np.ndarray,
    expressions: np.ndarray,
    options: ContactOptions = ContactOptions(),
    watch: Callable[[int, np.ndarray, np.ndarray], None] = lambda round, neutral, expressions: None,
    blinks: str = 'LR',
) -> tuple[np.ndarray, np.ndarray, dict]:
    """(neutral V×3, expressions E×V×3 float32, report): the rig (cm) with its contacts settled.

    First eyeBlink of the sides `blinks` is made to shut the lids (meet_lids). Lips and lids, the sockets behind them, lashes and eye films with the
    lids, and the jaws (rigidly) move; every other vertex is returned bit for bit. No shape alone
    crosses more about the mouth than it would on the settled neutral as it was. report (mm, over
    the
    training poses, of what the contacts moved): moved, skin_moved, seen_moved (vertices; all, skin, skin seen from outside in the neutral), furthest, furthest_skin,
    furthest_seen, typical_seen (95 % of the seen ones that move, move less).
    watch(round, neutral, expressions) is called after each round.
    """
    given = np.asarray(neutral, np.float32)
    system = _System(model, given, options)
    neutral = _settled_neutral(system, given, options)
    before, expressions = (
        np.asarray(expressions, np.float32),
        meet_lids(model, neutral.astype(np.float64), expressions, blinks),
    )
    pushes, owner = system.pushes, system.owner
    weights = training_poses(model.names, options)
    rig = expressions[:, pushes.rows].astype(np.float64)
    base = np.tensordot(weights, rig, 1) + neutral[pushes.rows]
    reluctance = (
        options.ridge
        * (
            FREE
            / np.clip(_freedom(model, expressions, system.zone, len(system.bodies)), 1e-4, FREE)
        )
        ** 2
    )
    total = _settle(
        pushes,
        base,
        owner,
        len(system.bodies),
        weights,
        reluctance,
        system.lap,
        (weights > 0) @ pushes.moved_by(rig),
        options.rounds,
        options,
        lambda k, found: watch(k, neutral, _corrected(expressions, found, owner)),
    )
    total = _without_harm(model, system, neutral, expressions, total)
    out = np.concatenate([neutral[None], _corrected(expressions, total, owner)])
    _ride(model, pieces(model), given, before, out)
    first = np.concatenate(
        [
            (neutral - given)[system.zone],
            *((neutral - given)[rows].mean(0)[None] for rows in system.bodies),
        ]
    )
    return (
        out[0],
        out[1:],
        _report(
            model,
            out[0],
            np.c_[np.ones(len(weights)), weights],
            np.concatenate([first[None], total]),
            owner,
        ),
    )


def settle_neutral(
    model: FaceModel, neutral: np.ndarray, options: ContactOptions = ContactOptions()
) -> np.ndarray:
    """V×3 float32: a neutral (cm) with its contacts settled. One that was settled before comes back as it is."""
    given = np.asarray(neutral, np.float32)
    out = _settled_neutral(_System(model, given, options), given, options)[None].copy()
    _ride(model, pieces(model), given, np.zeros((0, *given.shape), np.float32), out)
    return out[0]


class _System:
    """What the settling of one head's neutral and shapes shares: zone, bodies and contacts as `contacts_of` gives them, pushes, lap: the membrane,
    owner V: the slot a vertex moves with, its own in the zone or its body's behind them, −1 for none."""

    def __init__(self, model: FaceModel, neutral: np.ndarray, options: ContactOptions):
        self.zone, self.bodies, contacts = contacts_of(model, neutral, options)
        self.pushes = Pushes(contacts, len(self.bodies), neutral)
        self.owner = np.full(model.vertex_count, -1)
        self.owner[self.zone] = np.arange(len(self.zone))
        for b, rows in enumerate(self.bodies):
            self.owner[rows] = len(self.zone) + b
        part, edges = pieces(model), edges_of(triangulate(model.faces))
        spread = np.full(model.vertex_count, options.spread)
        for side in 'LR':
            for name in ('upper_lid', 'lower_lid', 'eye_socket'):
                spread[part.get(f'{name}_{side}', [])] = options.lid_spread
        across = through_lids(model)
        membrane = weighted_laplacian(
            np.concatenate([edges, across]),
            np.r_[spread[edges].max(1), np.full(len(across), options.through)],
            model.vertex_count,
        )[self.zone][:, self.zone]
        self.lap = sparse.block_diag([membrane, sparse.csr_matrix((len(self.bodies),) * 2)]).tocsr()


def _settled_neutral(system: _System, neutral: np.ndarray, options: ContactOptions) -> np.ndarray:
    """The neutral settled again and again, as long as it gains much: so the last is one that settling finds nothing to do for."""
    pushes, slots = system.pushes, system.lap.shape[0]
    asked = np.ones((1, len(pushes.contacts)), bool)

    def deep(vertices):
        return float(
            np.linalg.norm(
                pushes(vertices[pushes.rows], options.reach, asked[0], False)[0], axis=1
            ).sum()
        )

    depth = deep(neutral)
    for _ in range(NEUTRAL_TRIES):
        total = _settle(
            pushes,
            neutral[pushes.rows][None].astype(np.float64),
            system.owner,
            len(system.bodies),
            np.ones((1, 1)),
            np.full((1, slots), options.ridge),
            system.lap,
            asked,
            options.neutral_rounds,
            options,
            lambda k, found: None,
        )
        tried = _corrected(neutral[None], total, system.owner)[0]
        left = deep(tried)
        if left > NEUTRAL_GAIN * depth or depth == 0:
            break
        neutral, depth = tried, left
    return neutral


def _freedom(
    model: FaceModel, expressions: np.ndarray, zone: np.ndarray, bodies: int
) -> np.ndarray:
    """E×slots cm: how far each shape moves each vertex, which is how freely it may be corrected there."""
    part = pieces(model)
    lips = np.concatenate([part['upper_lip'], part['lower_lip']])
    free = np.linalg.norm(expressions[:, zone], axis=2)
    for side in 'LR':  # where an eyeball turns, its lids may give way
        lids = np.isin(zone, np.concatenate([part[f'upper_lid_{side}'], part[f'lower_lid_{side}']]))
        for e, name in enumerate(model.names):
            if name.startswith('eyeLook') and name.endswith(side):
                free[e, lids] = FREE
    return np.concatenate(
        [free, np.repeat(FREE * np.abs(expressions[:, lips]).max((1, 2))[:, None], bodies, 1)], 1
    )


def _settle(
    pushes: Pushes,
    base: np.ndarray,
    owner: np.ndarray,
    bodies: int,
    weights: np.ndarray,
    reluctance: np.ndarray,
    lap: sparse.csr_matrix,
    asked: np.ndarray,
    rounds: int,
    options: ContactOptions,
    watch: Callable[[int, np.ndarray], None],
) -> np.ndarray:
    """U×slots×3 corrections of U unknown shapes, such that the poses base P×R×3 + weights P×U · corrections keep their contacts."""
    poses, unknowns = weights.shape
    slots = lap.shape[0]
    follows = owner[pushes.rows]
    moves = follows >= 0
    # Pushes' slot → ours
    goes = np.concatenate(
        [np.where(follows < slots - bodies, follows, -1), slots - bodies + np.arange(bodies)]
    )
    total = np.zeros((unknowns, slots, 3))
    hit = np.zeros((poses, slots))
    alone = (weights != 0).sum(1) <= 2
    outer = (weights[:, :, None] * weights[:, None, :]).reshape(poses, -1)
    for k in range(rounds):
        now = np.tensordot(weights, total, 1)
        push, new = np.zeros_like(now), np.zeros((poses, slots))
        for p in range(poses):
            points = base[p].copy()
            points[moves] += now[p, follows[moves]]
            push[p, goes[goes >= 0]], new[p, goes[goes >= 0]] = (
                found[goes >= 0] for found in pushes(points, options.reach, asked[p], poses > 1)
            )
        hit = np.maximum(hit, new)
        keeps = 1 - np.where(alone, 1 - options.keeps, 0)[:, None] * (1 - new)
        wanted = hit[..., None] * (keeps[..., None] * now + options.boldness * push)
        some = np.flatnonzero(hit.max(0))
        if not len(some):
            break
        a = (
            options.idle
            + (options.settled - options.idle) * hit[:, some]
            + (1 - options.settled) * new[:, some]
        )
        a *= np.where(alone, options.single, 1.0)[:, None]
        normal = (a.T @ outer).reshape(len(some), unknowns, unknowns)
        normal[:, np.arange(unknowns), np.arange(unknowns)] += reluctance[:, some].T
        right = np.einsum('ps,pu,psd->sud', a, weights, wanted[:, some], optimize=True)
        step = np.zeros((slots, unknowns * 3))
        step[some] = np.linalg.solve(normal, right).reshape(len(some), -1) - np.moveaxis(
            total[:, some], 0, 1
        ).reshape(len(some), -1)
        data = 0.05 + 0.95 * hit.max(0)
        smooth = splu(
            (sparse.diags(data) + lap).tocsc(),
            permc_spec='MMD_AT_PLUS_A',
            diag_pivot_thresh=0.0,
            options={'SymmetricMode': True},
        )
        total = total + np.moveaxis(
            smooth.solve(step * data[:, None]).reshape(slots, unknowns, 3), 1, 0
        )
        watch(k, total)
    return total


def _without_harm(
    model: FaceModel,
    system: _System,
    neutral: np.ndarray,
    expressions: np.ndarray,
    total: np.ndarray,
) -> np.ndarray:
    """Take corrections back (E×slots×3 `total`) where they make a shape alone cross more at the mouth.

    What serves the combinations can do harm in a shape alone, at the mouth's corners, where lips
    part only so far. Lids keep theirs: without them eyeballs come through lids in combinations,
    with them some of what is hidden behind a lid crosses. neutral V×3, expressions E×V×3 (cm): what the
    corrections belong to. Shapes that are meant for an open jaw are looked at with one.
    """
    part = pieces(model)
    eyes = np.zeros(model.vertex_count, bool)
    for side in 'LR':
        for name in ('upper_lid', 'lower_lid', 'eye_socket', 'eyeball'):
            eyes[part[f'{name}_{side}']] = True
    check, out = Checker(model), total.copy()

    def about_the_mouth(vertices):
        crossing = check.triangles[check(vertices).pairs].reshape(-1, 6)
        return crossing[~eyes[crossing].any(1)]

    def corrected(e):
        return _corrected(expressions[e][None], out[e][None], system.owner)[0]

    jaw = model.names.index('jawOpen') if 'jawOpen' in model.names else None
    for e in sorted(range(len(total)), key=lambda e: e != jaw):  # others are looked at with it
        with_jaw = jaw is not None and model.names[e] in WITH_OPEN_JAW
        rest = neutral + corrected(jaw) if with_jaw else neutral
        found = about_the_mouth(rest + corrected(e))
        allowed = len(about_the_mouth(rest + expressions[e])) if len(found) else 0
        crossing = np.zeros(total.shape[1], bool)
        for rings in (*TAKEN_BACK, None):
            if len(found) <= allowed:
                break
            slots = system.owner[found.ravel()]
            crossing[slots[slots >= 0]] = True
            taken = 1.0 if rings is None else _fading(system.lap, crossing, rings)
            out[e] = total[e] * (1 - np.reshape(taken, (-1, 1)))
            found = about_the_mouth(rest + corrected(e))
    return out


def _fading(lap: sparse.csr_matrix, where: np.ndarray, rings: int) -> np.ndarray:
    """Fade from 1 at the slots `where` (bool) to 0 over so many rings of neighbours in `lap`."""
    near = abs(lap) > 0
    reached, out = where, where / (rings + 1)
    for _ in range(rings):
        reached = reached | (near @ reached > 0)
        out = out + reached / (rings + 1)
    return out


def _ride(
    model: FaceModel, part: dict, neutral: np.ndarray, expressions: np.ndarray, out: np.ndarray
) -> None:
    """Lashes and eye films go (in `out` (1+E)×V×3) where the nearest skin of the lids went."""
    for side in 'LR':
        lids = np.concatenate([part[f'upper_lid_{side}'], part[f'lower_lid_{side}']])
        rows = np.concatenate(
            [
                part.get(f'{name}_{side}', np.empty(0, np.int32))
                for name in ('lashes', 'eye_surface')
            ]
        )
        if not len(rows):
            continue
        distance, near = cKDTree(neutral[lids]).query(neutral[rows], RIDERS)
        weight = 1 / np.maximum(distance, 1e-3) ** 2
        weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
        for k, before in enumerate((neutral, *expressions)):
            went = out[k, lids] - before[lids]
            if np.abs(went).max() > 1e-5:
                out[k, rows] += (went[near] * weight[..., None]).sum(1)


def _corrected(shapes: np.ndarray, total: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """E×V×3 float32 shapes with the corrections E×slots×3 of what moves."""
    out = np.array(shapes, np.float32)
    rows = np.flatnonzero(owner >= 0)
    rows = rows[np.abs(total[:, owner[rows]]).max((0, 2)) > 1e-5]
    out[:, rows] += total[:, owner[rows]].astype(np.float32)
    return out


def seen_skin(model: FaceModel, neutral: np.ndarray) -> np.ndarray:
    """V bool: skin vertices on triangles seen from outside, the neutral looked at from the front and from both sides."""
    triangles = triangulate(model.faces)
    seen = np.zeros(model.vertex_count, bool)
    for yaw in (-50, 0, 50):
        points = head_to_camera(np.asarray(neutral, np.float64), yaw)
        shown = rasterise(points, triangles, 2400.0, (512, 512), (1024, 1024))[0]
        seen[triangles[np.unique(shown[shown >= 0])]] = True
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions['face']] = skin[model.regions['head_neck']] = True
    return seen & skin


def _report(
    model: FaceModel, neutral: np.ndarray, weights: np.ndarray, total: np.ndarray, owner: np.ndarray
) -> dict:
    far = 10 * np.linalg.norm(np.tensordot(weights, total, 1), axis=2).max(0)
    moved = np.where(owner >= 0, np.append(far, 0)[owner], 0)
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions['face']] = skin[model.regions['head_neck']] = True
    seen = seen_skin(model, neutral) & (moved > MOVED)
    return {
        'moved': int((moved > MOVED).sum()),
        'skin_moved': int((moved[skin] > MOVED).sum()),
        'seen_moved': int(seen.sum()),
        'furthest': round(float(moved.max()), 3),
        'furthest_skin': round(float(moved[skin].max()), 3),
        'furthest_seen': round(float(moved[seen].max(initial=0)), 3),
        'typical_seen': round(float(np.percentile(moved[seen], 95)) if seen.any() else 0.0, 3),
    }
