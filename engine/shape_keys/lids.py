"""Lids that shut, and that stay outside the eyeballs."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ..core.repeatable import arctan2
from ..face_model.gaze import sphere_centre
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces, slit_contours
from ..geometry.closest import Surface
from ..geometry.laplacian import (
    components,
    cotangent_laplacian,
    edges_of,
    mass,
    weighted_laplacian,
)
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate

# shapes that move lids, without their side
LID_SHAPES = ('eyeBlink', 'eyeSquint', 'eyeWide', 'eyeLook', 'cheekSquint', 'browDown')
LID_CLEARANCE = 0.02  # cm: how far off the eyeball a lid stays, unless it is nearer at rest
LARGEST_PUSH = 0.3  # cm: it is pushed at most
LIDS_WITHIN = 1.45  # eyeball radii: lids are within
LARGEST_DENT = 0.2  # of the radius: how far an eyeball's vertices may be off its sphere
EYEBALL_RADII = (0.8, 1.8)  # cm: an eyeball's
CENTRE_WITHIN = 1.2  # cm: its centre from the model's
PUSH_RINGS = 8  # rounds: a push is shared with so many rings of neighbours
LEAST_BLINK = 0.1  # cm: what moves nothing further is no blink
SMOOTHING_ROUNDS = 4  # rounds of [¼, ½, ¼] along a lid's edge that leave no teeth in it
EDGE_FADE = 0.5  # cm: over which what is changed at a lid's edge fades
BLINK_WEIGHTS = (1.0, 0.65)  # weights of a blink at which its lids must be before the eyeball
PUSH_ROUNDS = 3  # rounds: lids out of the eyeball
LID_COUPLING = 3.0  # how much both sides of a lid go together, in cotangent weights
LID_THICKNESS = 0.6  # cm: a lid is at most
OPPOSED_COSINE = -0.3  # cosine between the normals of its two sides, at most
COUPLED_EACH = 2  # vertices of the other side that one of this goes with
NEAREST = 40  # among so many nearest
EDGE_PULL = 1e4  # pull of a lid's edge against its surroundings, per cotangent weight


def eyeballs(
    vertices: np.ndarray, triangles: np.ndarray, centres: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Find eyeballs in a mesh N×3 (cm), T×3: {side: vertex indices}.

    centres: side → where one should be (3, cm). An eyeball is the round component near it; sides
    without one are left out.
    """
    component = components(len(vertices), triangles)
    used = np.zeros(len(vertices), bool)
    used[triangles] = True
    out = {}
    for side, centre in centres.items():
        near = used & (np.linalg.norm(vertices - centre, axis=1) < EYEBALL_RADII[1] + CENTRE_WITHIN)
        best = 0
        for k in np.unique(component[near]):
            rows = np.flatnonzero(component == k)
            if len(rows) < 20 or not near[rows].all():
                continue
            middle = sphere_centre(vertices[rows])
            away = np.linalg.norm(vertices[rows] - middle, axis=1)
            radius = float(np.median(away))
            whole = np.ptp(vertices[rows], axis=0).min() > radius  # not a cornea's cap
            if (
                whole
                and EYEBALL_RADII[0] < radius < EYEBALL_RADII[1]
                and np.abs(away - radius).max() < LARGEST_DENT * radius
                and np.linalg.norm(middle - centre) < CENTRE_WITHIN
                and radius > best
            ):
                best, out[side] = radius, rows
    return out


def meet_lids(
    model: FaceModel, neutral: np.ndarray, expressions: np.ndarray, sides: str = 'LR'
) -> np.ndarray:
    """Return the shapes, E×V×3 float32, with eyeBlink's lids meeting before the eyeball.

    neutral: V×3, expressions: E×V×3 offsets (cm). sides: the eyes whose blinks are changed.
    The edges meet in one smooth line: as high as the blink takes the lower lid's edge, as far out
    as that lies in the neutral. What is missing, in cylinder coordinates about the axis through the
    eyeball's centre from corner to corner, is prescribed at both edges and spread over lids and
    socket by a screened Laplace equation; then what still sinks into the eyeball is pushed out,
    spread alike. Nothing else changes.
    """
    out = np.array(expressions, np.float32)
    spreading = _spreading(model, neutral)
    for side in sides:
        e = model.names.index(f'eyeBlink_{side}') if f'eyeBlink_{side}' in model.names else None
        if e is None or np.abs(out[e]).max() < LEAST_BLINK:
            continue
        eye = _Eye(model, neutral, side, spreading)
        moved = eye.pushed_out(eye.shut(neutral + out[e]))
        out[e, eye.zone] = (moved - neutral)[eye.zone]
    return out


def _spreading(model: FaceModel, neutral: np.ndarray) -> sparse.csr_matrix:
    """Return the V×V matrix of the screened Laplace equation on the neutral (V×3, cm).

    Both sides of a lid go together.
    """
    triangles, across = triangulate(model.faces), through_lids(model)
    screened = cotangent_laplacian(neutral, triangles) + sparse.diags(
        mass(neutral, triangles) / EDGE_FADE**2
    )
    together = weighted_laplacian(across, np.full(len(across), LID_COUPLING), model.vertex_count)
    return (screened + together).tocsr()


class _Eye:
    """One eye of a head whose lids are to meet. Poses of it are V×3 (cm)."""

    def __init__(
        self, model: FaceModel, neutral: np.ndarray, side: str, spreading: sparse.csr_matrix
    ):
        part, triangles = pieces(model), triangulate(model.faces)
        eyeball = part[f'eyeball_{side}']
        self.model, self.neutral, self.side, self.spreading = model, neutral, side, spreading
        self.corners = model.landmarks68[{'L': [42, 45], 'R': [39, 36]}[side]]  # inner, outer
        self.centre = sphere_centre(neutral[eyeball])
        self.axes = _axes(neutral, *self.corners)
        self.surface = Surface(neutral, triangles[np.isin(triangles, eyeball).all(1)])
        self.lid = {lid: part[f'{lid}_lid_{side}'] for lid in ('upper', 'lower')}
        self.lids = np.union1d(self.lid['upper'], self.lid['lower'])
        self.zone = np.union1d(self.lids, part[f'eye_socket_{side}'])
        self.normals = vertex_normals(neutral, triangles)

    def spread(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return Z×K over the zone: the values (R×K) at `rows`, fading from there."""
        count = self.model.vertex_count
        held, right = np.zeros(count), np.zeros((count, values.shape[1]))
        held[rows], right[rows] = EDGE_PULL, EDGE_PULL * values
        matrix = (self.spreading + sparse.diags(held))[self.zone][:, self.zone].tocsc()
        return spsolve(matrix, right[self.zone]).reshape(len(self.zone), -1)

    def edges(self) -> list[np.ndarray]:
        """Return the vertices along the upper and the lower lid's edge, inner to outer corner."""
        inner, outer = self.corners
        across = self.model.neutral[outer] - self.model.neutral[inner]
        return [
            np.r_[inner, rows[np.argsort(self.model.neutral[rows] @ across)], outer]
            for rows in slit_contours(self.model, f'eye_{self.side}')
        ]

    def shut(self, blink: np.ndarray) -> np.ndarray:
        """Bring the edges of a blink's lids together, and what hangs over their line onto it."""
        upper, lower = self.edges()
        rest, shut = (_cylinder(v - self.centre, self.axes) for v in (self.neutral, blink))
        # The line that both edges go to.
        line = np.stack(
            [
                np.maximum.accumulate(_smoothed(shut[lower, 0])),
                _smoothed(shut[lower, 1]),
                _smoothed(rest[lower, 2]),
            ],
            1,
        )
        along = np.maximum.accumulate(_smoothed(shut[upper, 0]))
        onto_line = [along, *(np.interp(along, line[:, 0], line[:, k]) for k in (1, 2))]
        wanted = np.concatenate([np.stack(onto_line, 1)[1:-1], line[1:-1]])
        rows = np.r_[upper[1:-1], lower[1:-1]]
        first = shut.copy()
        for _ in range(PUSH_ROUNDS):
            shut[self.zone] = first[self.zone] + self.spread(rows, wanted - first[rows])
            over = self._over_line(shut, line, rows)
            if not len(over):
                break
            height = np.interp(shut[over, 0], line[:, 0], line[:, 1])
            rows = np.r_[rows, over]
            wanted = np.r_[wanted, np.stack([shut[over, 0], height, shut[over, 2]], 1)]
        moved = blink.copy()
        moved[self.zone] = _from_cylinder(shut[self.zone], self.axes) + self.centre
        return moved

    def _over_line(self, shut: np.ndarray, line: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Find the skin of the lids, but for `rows`, that hangs over the line where they meet.

        shut: V×3, line: L×3, both in cylinder coordinates.
        """
        over = []
        for sign, lid in ((1, 'upper'), (-1, 'lower')):
            skin = np.setdiff1d(self.lid[lid], rows)
            height = np.interp(shut[skin, 0], line[:, 0], line[:, 1])
            over.append(skin[sign * (shut[skin, 1] - height) < 0])
        over = np.concatenate(over)
        return over[(shut[over, 0] > line[0, 0]) & (shut[over, 0] < line[-1, 0])]

    def pushed_out(self, moved: np.ndarray) -> np.ndarray:
        """Push the lids of a pose out of the eyeball, at all weights of BLINK_WEIGHTS."""
        neutral, lids = self.neutral, self.lids
        outward = (self.normals[lids] * (neutral[lids] - self.centre)).sum(1) > 0
        mine = lids[outward]
        clear = np.minimum(_outside(self.surface, neutral[mine]), LID_CLEARANCE)
        mine, clear = mine[clear > 0], clear[clear > 0]
        for _ in range(PUSH_ROUNDS):
            need = np.max(
                [
                    (clear - _outside(self.surface, neutral[mine] + way * (moved - neutral)[mine]))
                    / way
                    for way in BLINK_WEIGHTS
                ],
                axis=0,
            )
            if (need <= 0).all():
                break
            away = moved[self.zone] - self.centre
            length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
            moved[self.zone] += self.spread(mine[need > 0], need[need > 0, None]) * away / length
        return moved


def through_lids(model: FaceModel) -> np.ndarray:
    """Return E×2 pairs of vertices that lie on both sides of a lid, which must go together.

    On its skin and its inner side or the socket behind, where the model's own blink shuts it.
    """
    part, triangles = pieces(model), triangulate(model.faces)
    out = [np.empty((0, 2), np.int64)]
    for side in 'LR':
        if f'eyeBlink_{side}' not in model.names:
            continue
        shut = (
            model.neutral.astype(np.float64)
            + model.expressions[model.names.index(f'eyeBlink_{side}')]
        )
        normals = vertex_normals(shut, triangles)
        for lid in ('upper', 'lower'):
            rows = np.union1d(part[f'{lid}_lid_{side}'], part[f'eye_socket_{side}'])
            distance, near = cKDTree(shut[rows]).query(
                shut[rows], NEAREST, distance_upper_bound=LID_THICKNESS
            )
            near = rows[np.minimum(near, len(rows) - 1)]
            first = np.isfinite(distance) & (
                (normals[rows][:, None] * normals[near]).sum(2) < OPPOSED_COSINE
            )
            first &= np.cumsum(first, 1) <= COUPLED_EACH
            i, k = np.nonzero(first)
            out.append(np.sort(np.c_[rows[i], near[i, k]], 1))
    return np.unique(np.concatenate(out), axis=0)


def _axes(vertices: np.ndarray, inner: int, outer: int) -> np.ndarray:
    """Return 3×3, rows: along the eye from its inner to its outer corner, up, to the front."""
    along = (vertices[outer] - vertices[inner]) / max(
        np.linalg.norm(vertices[outer] - vertices[inner]), 1e-9
    )
    front = np.array([0, 0, 1.0]) - along * along[2]
    front /= np.linalg.norm(front)
    up = np.cross(front, along)
    return np.stack([along, up * np.sign(up[1] or 1), front])


def _cylinder(points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return N×3 in cylinder coordinates.

    Along the first axis, the angle from the third towards the second, the distance from the first.
    """
    x, y, z = (points @ axes.T).T
    return np.stack([x, arctan2(y, z), np.hypot(y, z)], 1)


def _from_cylinder(points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return N×3 points of cylinder coordinates, as `_cylinder` gives them."""
    along, angle, radius = points.T
    return np.stack([along, radius * np.sin(angle), radius * np.cos(angle)], 1) @ axes


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return a row of numbers without its teeth; the ends stay."""
    for _ in range(SMOOTHING_ROUNDS):
        values = np.r_[
            values[0], 0.25 * values[:-2] + 0.5 * values[1:-1] + 0.25 * values[2:], values[-1]
        ]
    return values


def lids_over_eyeballs(
    vertices: np.ndarray,
    triangles: np.ndarray,
    offsets: np.ndarray,
    names: tuple[str, ...],
    centres: dict[str, np.ndarray],
) -> np.ndarray:
    """Keep what lies before an eyeball from sinking into it at full weight: E×N×3 offsets.

    vertices: N×3 cm, triangles: T×3 wound outwards. offsets: E×N×3, names: of the shapes. centres:
    as `eyeballs` takes them.
    Pushes go outwards from the eyeball's centre and fade over the neighbours. Meshes without
    eyeballs of their own come back as they were.
    """
    out = offsets
    edges = edges_of(triangles)
    n = len(vertices)
    near = sparse.coo_matrix(
        (np.ones(2 * len(edges)), (edges.ravel('F'), edges[:, ::-1].ravel('F'))), (n, n)
    ).tocsr()
    near = sparse.diags(1 / np.maximum(np.asarray(near.sum(1)).ravel(), 1)) @ near
    for side, ball in eyeballs(vertices, triangles, centres).items():
        inside = np.zeros(n, bool)
        inside[ball] = True
        own = triangles[inside[triangles].all(1)]
        centre = sphere_centre(vertices[ball])
        radius = float(np.median(np.linalg.norm(vertices[ball] - centre, axis=1)))
        there = np.flatnonzero(
            ~inside
            & (np.linalg.norm(vertices - centre, axis=1) < LIDS_WITHIN * radius)
            & (vertices[:, 2] > centre[2])
        )
        rest = _outside(Surface(vertices, own), vertices[there])
        there, rest = there[rest > 0], rest[rest > 0]
        if not len(there):
            continue
        local = near[there][:, there]
        for e, name in enumerate(names):
            if not (name.startswith(LID_SHAPES) and name.endswith('_' + side)):
                continue
            moved = vertices + offsets[e]
            points = moved[there]
            need = np.clip(
                np.minimum(rest, LID_CLEARANCE) - _outside(Surface(moved, own), points),
                0,
                LARGEST_PUSH,
            )
            if not need.any():
                continue
            push = need
            for _ in range(PUSH_RINGS):
                push = np.maximum(need, local @ push)
            direction = points - centre
            direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
            if out is offsets:
                out = offsets.copy()
            out[e, there] += (push[:, None] * direction).astype(out.dtype)
    return out


def _outside(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Return the signed distance of points, positive outside."""
    triangle, _, point, distance = surface.closest(points)
    return np.where(((points - point) * surface.normals[triangle]).sum(1) < 0, -distance, distance)
