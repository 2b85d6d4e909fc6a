"""Where a head's pieces cross: skin and cavities, lips, lids and eyeballs, gums and teeth and skin; triangle against triangle.

The rule. A crossing is a pair of triangles of two pieces of which an edge of one passes through the inside of the other: of
- a socket (with the triangles that join it to the rim) and the skin,
- the upper lip and the lower lip (triangles with two corners or more in the lip),
- a lid's skin and the eyeball, all of its shells,
- gums, teeth or tongue and the skin.
Touching is none, nor are two triangles that share a vertex. What belongs in each other does not count: teeth in gums, gums and
tongue in the mouth's wall, lashes in lids, the films before an eye, what lies behind an eyeball in its socket; nor does a
piece's crossing of itself, a fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import warp as wp

from ..face_model.expressions import UNTRACKED
from ..face_model.model import FaceModel, triangulate
from ..face_model.pieces import pieces

wp.config.log_level = wp.LOG_ERROR

KINDS = ('skin_socket', 'lip_lip', 'lid_eyeball', 'gums_teeth_skin')
MOST_ACTIVE = 8  # shapes at work in a random combination: 1 to this many
OPPOSITES = (
    ('jawLeft', 'jawRight'),
    ('mouthLeft', 'mouthRight'),
    *(
        (f'eyeLook{a}_{s}', f'eyeLook{b}_{s}')
        for s in 'LR'
        for a, b in (('In', 'Out'), ('Up', 'Down'))
    ),
    *((f'eye{a}_{s}', f'eyeWide_{s}') for s in 'LR' for a in ('Blink', 'Squint')),
)


@wp.func
def _volume(a: wp.vec3d, b: wp.vec3d, c: wp.vec3d, d: wp.vec3d):
    return wp.dot(wp.cross(b - a, c - a), d - a)


@wp.func
def _pierces(p: wp.vec3d, q: wp.vec3d, a: wp.vec3d, b: wp.vec3d, c: wp.vec3d):
    """Does the segment pq pass through the inside of the triangle abc? Touching does not count."""
    if _volume(a, b, c, p) * _volume(a, b, c, q) >= wp.float64(0.0):
        return False
    u = _volume(p, q, a, b)
    v = _volume(p, q, b, c)
    w = _volume(p, q, c, a)
    zero = wp.float64(0.0)
    return (u > zero and v > zero and w > zero) or (u < zero and v < zero and w < zero)


@wp.func
def triangles_cross(a: wp.vec3d, b: wp.vec3d, c: wp.vec3d, p: wp.vec3d, q: wp.vec3d, r: wp.vec3d):
    return (
        _pierces(p, q, a, b, c)
        or _pierces(q, r, a, b, c)
        or _pierces(r, p, a, b, c)
        or _pierces(a, b, p, q, r)
        or _pierces(b, c, p, q, r)
        or _pierces(c, a, p, q, r)
    )


@wp.kernel
def _crossing_pairs(
    mesh: wp.uint64,
    mine: wp.array(dtype=wp.vec3i),
    theirs: wp.array(dtype=wp.vec3i),
    points: wp.array(dtype=wp.vec3),
    pairs: wp.array(dtype=wp.vec2i),
    found: wp.array(dtype=wp.int32),
):
    t = wp.tid()
    m = mine[t]
    a = points[m[0]]
    b = points[m[1]]
    c = points[m[2]]
    query = wp.mesh_query_aabb(mesh, wp.min(wp.min(a, b), c), wp.max(wp.max(a, b), c))
    k = int(0)
    while wp.mesh_query_aabb_next(query, k):
        n = theirs[k]
        if (
            m[0] == n[0]
            or m[0] == n[1]
            or m[0] == n[2]
            or m[1] == n[0]
            or m[1] == n[1]
            or m[1] == n[2]
            or m[2] == n[0]
            or m[2] == n[1]
            or m[2] == n[2]
        ):
            continue
        if triangles_cross(
            wp.vec3d(a),
            wp.vec3d(b),
            wp.vec3d(c),
            wp.vec3d(points[n[0]]),
            wp.vec3d(points[n[1]]),
            wp.vec3d(points[n[2]]),
        ):
            at = wp.atomic_add(found, 0, 1)
            if at < pairs.shape[0]:
                pairs[at] = wp.vec2i(t, k)


class Crosser:
    """Two sets of triangles over the same vertices, asked again and again as the vertices move: one BVH, refitted.

    mine A×3, theirs B×3 vertex indices, count: vertices in all. Pairs that share a vertex never count.
    """

    def __init__(self, mine: np.ndarray, theirs: np.ndarray, vertices: np.ndarray):
        points = np.ascontiguousarray(vertices, np.float32)
        self.size = (len(mine), len(theirs))
        if not all(self.size):
            return
        self.points = wp.array(points, dtype=wp.vec3, device='cpu')
        self.mine = wp.array(np.ascontiguousarray(mine, np.int32), dtype=wp.vec3i, device='cpu')
        self.theirs = wp.array(np.ascontiguousarray(theirs, np.int32), dtype=wp.vec3i, device='cpu')
        self.mesh = wp.Mesh(
            self.points,
            wp.array(np.ascontiguousarray(theirs, np.int32).ravel(), dtype=wp.int32, device='cpu'),
        )
        self.pairs = wp.empty(4096, dtype=wp.vec2i, device='cpu')
        self.found = wp.zeros(1, dtype=wp.int32, device='cpu')

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """N×2 int32 rows (of mine, of theirs) that cross with the vertices at V×3, sorted."""
        if not all(self.size):
            return np.empty((0, 2), np.int32)
        self.points.numpy()[:] = vertices
        self.mesh.refit()
        while True:
            self.found.zero_()
            wp.launch(
                _crossing_pairs,
                dim=self.size[0],
                device='cpu',
                inputs=[self.mesh.id, self.mine, self.theirs, self.points, self.pairs, self.found],
            )
            count = int(self.found.numpy()[0])
            if count <= len(self.pairs):
                break
            self.pairs = wp.empty(2 * count, dtype=wp.vec2i, device='cpu')
        pairs = self.pairs.numpy()[:count].copy()
        return pairs[np.lexsort(pairs.T[::-1])]


@dataclass(frozen=True)
class Crossings:
    """Crossing pairs of triangles, indices into triangulate(model.faces)."""

    pairs: np.ndarray  # N×2 int32, in the order of KINDS, then sorted
    kind: np.ndarray  # N int8 into KINDS
    vertices: np.ndarray  # sorted int32: corners of the triangles that cross

    def counts(self) -> dict[str, int]:
        return {name: int((self.kind == k).sum()) for k, name in enumerate(KINDS)}


class Checker:
    """What `find_crossings` looks for in one model, ready to be asked for many poses."""

    def __init__(self, model: FaceModel):
        part = pieces(model)
        self.triangles = triangulate(model.faces)

        def of(*names, corners=3):
            member = np.zeros(model.vertex_count, bool)
            for name in names:
                member[part.get(name, [])] = True
            return np.flatnonzero(member[self.triangles].sum(1) >= corners)

        skin = of('skin')
        sockets = of('mouth_socket', 'eye_socket_L', 'eye_socket_R', corners=1)
        lids = of('upper_lid_L', 'lower_lid_L', 'upper_lid_R', 'lower_lid_R')
        balls = of('eyeball_L', 'eyeball_R')
        inner = of('upper_gums', 'lower_gums', 'tongue', 'upper_teeth', 'lower_teeth')
        self.sets = (
            (sockets, skin),
            (of('upper_lip', corners=2), of('lower_lip', corners=2)),
            (lids, balls),
            (inner, skin),
        )
        self.crossers = [
            Crosser(self.triangles[a], self.triangles[b], model.neutral) for a, b in self.sets
        ]

    def __call__(self, vertices: np.ndarray) -> Crossings:
        found = [crosser(vertices) for crosser in self.crossers]
        pairs = np.concatenate(
            [np.stack([a[p[:, 0]], b[p[:, 1]]], 1) for (a, b), p in zip(self.sets, found)]
        ).astype(np.int32)
        return Crossings(
            pairs,
            np.repeat(np.arange(len(KINDS), dtype=np.int8), [len(p) for p in found]),
            np.unique(self.triangles[pairs]),
        )

    def count(self, vertices: np.ndarray) -> np.ndarray:
        """How many pairs of each of KINDS cross."""
        return np.array([len(crosser(vertices)) for crosser in self.crossers])


def find_crossings(model: FaceModel, vertices: np.ndarray) -> Crossings:
    """Crossings of the model's surface with its vertices at V×3 (cm): sockets (with their rims' triangles) against skin, upper against lower
    lip, lids against eyeballs, gums, teeth and tongue against skin. Triangles that share a vertex or only touch do not cross."""
    return Checker(model)(vertices)


def count_crossings(
    model: FaceModel, neutral: np.ndarray, expressions: np.ndarray, combinations: np.ndarray
) -> np.ndarray:
    """C×4 int counts of KINDS at neutral + Σ weights·expressions (V×3, E×V×3, cm; C×E weights)."""
    check = Checker(model)
    return np.array([check.count(pose(neutral, expressions, w)) for w in combinations]).reshape(
        -1, len(KINDS)
    )


def pose(neutral: np.ndarray, expressions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """V×3 float32: neutral + Σ weights·expressions; only the shapes at work are read."""
    out = np.array(neutral, np.float32)
    for e in np.flatnonzero(weights):
        out += np.float32(weights[e]) * expressions[e]
    return out


def sample_combinations(names: tuple[str, ...], count: int, seed: int) -> np.ndarray:
    """count×E float64 weights: 1 to 8 shapes at work, each uniform in [0, 1]; of two opposites (left and right, up and down, blink and
    wide) the weaker is dropped; mouthClose, a corrective of jawOpen, never exceeds it (where jawOpen is not drawn, it comes along);
    tongueOut, which is meant to pass the lips, is never drawn."""
    rng = np.random.default_rng(seed)
    index = {name: k for k, name in enumerate(names)}
    out = np.zeros((count, len(names)))
    drawn = np.flatnonzero([name not in UNTRACKED for name in names])
    for row in out:
        chosen = drawn[
            rng.choice(len(drawn), min(rng.integers(1, MOST_ACTIVE + 1), len(drawn)), replace=False)
        ]
        row[chosen] = rng.uniform(size=len(chosen))
        for pair in OPPOSITES:
            if all(name in index for name in pair):
                a, b = (index[name] for name in pair)
                row[a if row[a] < row[b] else b] = 0
        if (
            'mouthClose' in index
            and 'jawOpen' in index
            and row[index['mouthClose']] > row[index['jawOpen']]
        ):
            row[[index['mouthClose'], index['jawOpen']]] = (
                row[[index['jawOpen'], index['mouthClose']]]
                if row[index['jawOpen']]
                else row[index['mouthClose']]
            )
    return out
