"""Which parts of a head may touch: lip and lip, lips and teeth, lids and eyeballs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel
from ..face_model.pieces import face_graph, pieces, slit_sides
from ..geometry.laplacian import cotangent_laplacian
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from .contact_options import ContactOptions
from .penetration import Contact

JAWS = (('upper_teeth', 'upper_gums'), ('lower_teeth', 'lower_gums', 'tongue'))
LEVEL = 1e-9  # pull to 0, per cotangent weight, of what hangs on no rim
OUTER_SIDE = (
    -0.2
)  # cosine between a tooth's normal and the way out, from which it is its outer side


@dataclass(frozen=True)
class ContactSet:
    """What may touch on a head.

    zone: vertices that may move one by one. bodies: rigid ones, the upper teeth and gums, the lower
    ones with the tongue. contacts: what is settled between them.
    """

    zone: np.ndarray
    bodies: list[np.ndarray]
    contacts: list[Contact]


def find_contacts(model: FaceModel, options: ContactOptions) -> ContactSet:
    """Find what may touch on a head in the model's topology, from the model's own neutral."""
    part, sampler = pieces(model), _Sampler(model, options)
    mouth = _open_mouth(model, part, options)
    contacts = _lip_contacts(sampler, mouth, options)
    bodies = []
    for names in JAWS:
        rows = np.concatenate(
            [part[name] for name in names if name in part] or [np.empty(0, np.int32)]
        )
        if len(rows):
            contacts.append(_teeth_contact(sampler, mouth, rows, len(bodies), options))
            bodies.append(rows)
    zone = [mouth.upper_lip, mouth.lower_lip, mouth.socket]
    for side in 'LR':
        lids = np.concatenate([part[f'upper_lid_{side}'], part[f'lower_lid_{side}']])
        contacts.append(_lid_contact(sampler, lids, part[f'eyeball_{side}'], options))
        zone += [lids, part[f'eye_socket_{side}']]
    return ContactSet(
        np.unique(np.concatenate(zone)),
        bodies,
        [c for c in contacts if len(c.corners) and c.solid.any()],
    )


@dataclass(frozen=True)
class _Mouth:
    """The lips, and what lies behind them.

    upper_lip, lower_lip: skin round the slit; socket: the mouth's. above, below: a lip with its
    side of the socket. deep: V bool, of the socket what is far from the lips.
    """

    upper_lip: np.ndarray
    lower_lip: np.ndarray
    socket: np.ndarray
    above: np.ndarray
    below: np.ndarray
    deep: np.ndarray


def _open_mouth(model: FaceModel, part: dict[str, np.ndarray], options: ContactOptions) -> _Mouth:
    """Part the mouth's socket between the lips."""
    upper, lower, high, low = slit_sides(model, 'mouth')
    socket = part['mouth_socket']
    graph = face_graph(model.neutral.astype(np.float64), model.faces)
    near = [
        dijkstra(graph, directed=False, indices=rim, min_only=True)[socket] for rim in (high, low)
    ]
    roof = above_the_slit(model, high, low, socket)
    deep = np.zeros(model.vertex_count, bool)
    deep[socket[np.minimum(*near) > options.near]] = True
    return _Mouth(
        upper,
        lower,
        socket,
        np.union1d(upper, socket[roof]),
        np.union1d(lower, socket[~roof]),
        deep,
    )


class _Sampler:
    """Triangles of a model's parts, and points on them that lie near other parts."""

    def __init__(self, model: FaceModel, options: ContactOptions):
        self.model, self.options = model, options
        self.triangles = triangulate(model.faces)

    def patch(self, rows: np.ndarray, corners: int = 3) -> np.ndarray:
        """Return the triangles of which at least so many corners are among `rows`."""
        member = np.zeros(self.model.vertex_count, bool)
        member[rows] = True
        return self.triangles[member[self.triangles].sum(1) >= corners]

    def near(
        self, triangles: np.ndarray, others: np.ndarray, share: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (corners N×3, weights N×3) of points on triangles that are near other vertices.

        share: of options.near, how near.
        """
        corners, weights = sample_triangles(triangles, self.model.neutral, self.options.spacing)
        points = (self.model.neutral[corners] * weights[..., None]).sum(1)
        reach = share * self.options.near
        close = (
            cKDTree(self.model.neutral[others]).query(points, distance_upper_bound=reach)[0]
            < np.inf
        )
        return corners[close], weights[close]


def _lip_contacts(sampler: _Sampler, mouth: _Mouth, options: ContactOptions) -> list[Contact]:
    """Let each lip, with its side of the socket, stay in front of the other."""
    out = []
    for movers, others, down in ((mouth.above, mouth.below, -1.0), (mouth.below, mouth.above, 1.0)):
        corners, weights = sampler.near(
            sampler.patch(movers[~mouth.deep[movers]], 2), others[~mouth.deep[others]]
        )
        wall = sampler.patch(others, 2)
        out.append(
            Contact(
                corners=corners,
                weights=weights,
                wall=wall,
                solid=~mouth.deep[wall].any(1),
                share=0.5,
                yields=0.5,
                margin=(options.lip_margin, options.lip_margin_moving),
                outwards=np.tile([0, down, 0], (len(corners), 1)),
            )
        )
    return out


def _teeth_contact(
    sampler: _Sampler, mouth: _Mouth, rows: np.ndarray, body: int, options: ContactOptions
) -> Contact:
    """Let the outer side of a jaw's teeth and gums (`rows`) stay behind the lips."""
    model = sampler.model
    front = np.zeros(model.vertex_count, bool)
    front[np.concatenate([mouth.upper_lip, mouth.lower_lip])] = True
    corners, weights = sampler.near(sampler.patch(rows), np.flatnonzero(front))
    points = (model.neutral[corners] * weights[..., None]).sum(1)
    arch = points - np.median(model.neutral[rows], axis=0) * [0, 0, 1]
    length = np.linalg.norm(arch * [1, 0, 1], axis=1, keepdims=True)
    outwards = arch * [1, 0, 1] / np.maximum(length, 1e-9)
    normals = vertex_normals(model.neutral.astype(np.float64), sampler.triangles)
    own = normals[corners[np.arange(len(corners)), weights.argmax(1)]]
    outer = (own * outwards).sum(1) > OUTER_SIDE
    wall = sampler.patch(np.concatenate([mouth.above, mouth.below]))
    return Contact(
        corners=corners[outer],
        weights=weights[outer],
        wall=wall,
        solid=front[wall].all(1),
        share=0.9,
        yields=0.25,
        body=body,
        margin=(options.margin,) * 2,
        outwards=outwards[outer],
    )


def _lid_contact(
    sampler: _Sampler, lids: np.ndarray, eyeball: np.ndarray, options: ContactOptions
) -> Contact:
    """Let an eye's lids stay in front of its eyeball, which yields nothing."""
    ball = outer_shell(sampler.patch(eyeball), sampler.model.neutral)
    corners, weights = sampler.near(sampler.patch(lids), np.unique(ball), 0.6)
    return Contact(
        corners=corners,
        weights=weights,
        wall=ball,
        solid=np.ones(len(ball), bool),
        share=1.0,
        yields=0.0,
        margin=(options.margin,) * 2,
    )


def sample_triangles(
    triangles: np.ndarray, vertices: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return points on triangles as (corners N×3, weights N×3), corners among them.

    spacing: cm, how far they are about apart.
    """
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
    """Return the one of a piece's connected components (T×3) that holds the most volume."""
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
    one `low` is not negative. (By the nearest rim, all of the cheek's wall would go to the side
    that has the mouth's corner.)
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
