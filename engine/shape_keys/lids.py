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
MOVING = ('eyeBlink', 'eyeSquint', 'eyeWide', 'eyeLook', 'cheekSquint', 'browDown')
CLEAR = 0.02  # cm: how far off the eyeball a lid stays, unless it is nearer at rest
FURTHEST = 0.3  # cm: it is pushed at most
AROUND = 1.45  # eyeball radii: lids are within
ROUND = 0.2  # of the radius: how far an eyeball's vertices may be off its sphere
RADIUS = (0.8, 1.8)  # cm: an eyeball's
NEAR = 1.2  # cm: its centre from the model's
SPREADING = 8  # rounds: a push is shared with so many rings of neighbours
LEAST = 0.1  # cm: what moves nothing further is no blink
SMOOTHING = 4  # rounds of [¼, ½, ¼] along a lid's edge that leave no teeth in it
FADE = 0.5  # cm: over which what is changed at a lid's edge fades
ON_THE_WAY = (1.0, 0.65)  # weights of a blink at which its lids must be before the eyeball
PUSHES = 3  # rounds: lids out of the eyeball
TOGETHER = 3.0  # how much both sides of a lid go together, in cotangent weights
THICK = 0.6  # cm: a lid is at most
OPPOSED = -0.3  # cosine between the normals of its two sides, at most
ACROSS = 2  # vertices of the other side that one of this goes with
NEIGHBOURS = 40  # among so many nearest
EDGE = 1e4  # pull of a lid's edge against its surroundings, per cotangent weight


def eyeballs(
    vertices: np.ndarray, triangles: np.ndarray, centres: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """{side: vertex indices} of the round component near each centre (3, cm) of a mesh N×3, T×3; sides without one are left out."""
    component = components(len(vertices), triangles)
    used = np.zeros(len(vertices), bool)
    used[triangles] = True
    out = {}
    for side, centre in centres.items():
        near = used & (np.linalg.norm(vertices - centre, axis=1) < RADIUS[1] + NEAR)
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
                and RADIUS[0] < radius < RADIUS[1]
                and np.abs(away - radius).max() < ROUND * radius
                and np.linalg.norm(middle - centre) < NEAR
                and radius > best
            ):
                best, out[side] = radius, rows
    return out


def meet_lids(
    model: FaceModel, neutral: np.ndarray, expressions: np.ndarray, sides: str = 'LR'
) -> np.ndarray:
    """E×V×3 float32: the shapes (offsets from `neutral` V×3, cm) with eyeBlink changed so that the lids' edges meet before the eyeball.

    They meet in one smooth line: as high as the blink takes the lower lid's edge, as far out as that lies in the neutral. What is missing, in
    cylinder coordinates about the axis through the eyeball's centre from corner to corner, is prescribed at both edges and spread over lids and
    socket by a screened Laplace equation; then what still sinks into the eyeball is pushed out, spread alike. Nothing else changes.
    sides: the eyes whose blinks are changed.
    """
    out = np.array(expressions, np.float32)
    part, triangles = pieces(model), triangulate(model.faces)
    spreading = cotangent_laplacian(neutral, triangles) + sparse.diags(
        mass(neutral, triangles) / FADE**2
    )
    across, normals = through_lids(model), vertex_normals(neutral, triangles)
    spreading = (
        spreading + weighted_laplacian(across, np.full(len(across), TOGETHER), model.vertex_count)
    ).tocsr()
    for side in sides:
        e = model.names.index(f'eyeBlink_{side}') if f'eyeBlink_{side}' in model.names else None
        if e is None or np.abs(out[e]).max() < LEAST:
            continue
        inner, outer = model.landmarks68[{'L': [42, 45], 'R': [39, 36]}[side]]
        ball = triangles[np.isin(triangles, part[f'eyeball_{side}']).all(1)]
        centre = sphere_centre(neutral[part[f'eyeball_{side}']])
        lids = np.union1d(part[f'upper_lid_{side}'], part[f'lower_lid_{side}'])
        zone = np.union1d(lids, part[f'eye_socket_{side}'])
        axes = _axes(neutral, inner, outer)

        def spread(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
            held, right = (
                np.zeros(model.vertex_count),
                np.zeros((model.vertex_count, values.shape[1])),
            )
            held[rows], right[rows] = EDGE, EDGE * values
            return spsolve(
                (spreading + sparse.diags(held))[zone][:, zone].tocsc(), right[zone]
            ).reshape(len(zone), -1)

        ordered = [
            np.r_[
                inner,
                rows[
                    np.argsort(model.neutral[rows] @ (model.neutral[outer] - model.neutral[inner]))
                ],
                outer,
            ]
            for rows in slit_contours(model, f'eye_{side}')
        ]
        rest, shut = (_cylinder(v - centre, axes) for v in (neutral, neutral + out[e]))
        upper, lower = ordered
        line = np.stack(
            [
                np.maximum.accumulate(_smoothed(shut[lower, 0])),
                _smoothed(shut[lower, 1]),
                _smoothed(rest[lower, 2]),
            ],
            1,
        )
        along = np.maximum.accumulate(_smoothed(shut[upper, 0]))
        wanted = np.concatenate(
            [
                np.stack([along, *(np.interp(along, line[:, 0], line[:, k]) for k in (1, 2))], 1)[
                    1:-1
                ],
                line[1:-1],
            ]
        )
        rows = np.r_[upper[1:-1], lower[1:-1]]
        first = shut.copy()
        for _ in range(PUSHES):
            shut[zone] = first[zone] + spread(rows, wanted - first[rows])
            over = [
                (sign, np.setdiff1d(part[f'{lid}_lid_{side}'], rows))
                for sign, lid in ((1, 'upper'), (-1, 'lower'))
            ]
            over = np.concatenate(
                [
                    r[sign * (shut[r, 1] - np.interp(shut[r, 0], line[:, 0], line[:, 1])) < 0]
                    for sign, r in over
                ]
            )
            over = over[(shut[over, 0] > line[0, 0]) & (shut[over, 0] < line[-1, 0])]
            if not len(over):
                break
            rows = np.r_[rows, over]  # skin that hangs over the line
            wanted = np.r_[
                wanted,
                np.stack(
                    [
                        shut[over, 0],
                        np.interp(shut[over, 0], line[:, 0], line[:, 1]),
                        shut[over, 2],
                    ],
                    1,
                ),
            ]
        moved = neutral + out[e]
        moved[zone] = _from_cylinder(shut[zone], axes) + centre

        eye = Surface(neutral, ball)
        mine = lids[(normals[lids] * (neutral[lids] - centre)).sum(1) > 0]
        clear = np.minimum(_outside(eye, neutral[mine]), CLEAR)
        mine, clear = mine[clear > 0], clear[clear > 0]
        for _ in range(PUSHES):
            need = np.max(
                [
                    (clear - _outside(eye, neutral[mine] + way * (moved - neutral)[mine])) / way
                    for way in ON_THE_WAY
                ],
                axis=0,
            )
            if (need <= 0).all():
                break
            away = moved[zone] - centre
            moved[zone] += (
                spread(mine[need > 0], need[need > 0, None])
                * away
                / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
            )
        out[e, zone] = (moved - neutral)[zone]
    return out


def through_lids(model: FaceModel) -> np.ndarray:
    """E×2 pairs of vertices that lie on both sides of a lid, its skin and its inner side or the socket behind, where the model's own blink shuts it:
    what must go together."""
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
                shut[rows], NEIGHBOURS, distance_upper_bound=THICK
            )
            near = rows[np.minimum(near, len(rows) - 1)]
            first = np.isfinite(distance) & (
                (normals[rows][:, None] * normals[near]).sum(2) < OPPOSED
            )
            first &= np.cumsum(first, 1) <= ACROSS
            i, k = np.nonzero(first)
            out.append(np.sort(np.c_[rows[i], near[i, k]], 1))
    return np.unique(np.concatenate(out), axis=0)


def _axes(vertices: np.ndarray, inner: int, outer: int) -> np.ndarray:
    """3×3, rows: along the eye from its inner to its outer corner, up, to the front."""
    along = (vertices[outer] - vertices[inner]) / max(
        np.linalg.norm(vertices[outer] - vertices[inner]), 1e-9
    )
    front = np.array([0, 0, 1.0]) - along * along[2]
    front /= np.linalg.norm(front)
    up = np.cross(front, along)
    return np.stack([along, up * np.sign(up[1] or 1), front])


def _cylinder(points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """N×3: along the first axis, the angle from the third towards the second, the distance from the first."""
    x, y, z = (points @ axes.T).T
    return np.stack([x, arctan2(y, z), np.hypot(y, z)], 1)


def _from_cylinder(points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    along, angle, radius = points.T
    return np.stack([along, radius * np.sin(angle), radius * np.cos(angle)], 1) @ axes


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A row of numbers without its teeth; the ends stay."""
    for _ in range(SMOOTHING):
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
    """E×N×3 offsets like those given, in which what lies before an eyeball (N×3 cm, T×3 wound outwards; centres as `eyeballs` takes them)
    does not sink into it at full weight. Pushes go outwards from its centre and fade over the neighbours. Meshes without eyeballs of
    their own come back as they were."""
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
            & (np.linalg.norm(vertices - centre, axis=1) < AROUND * radius)
            & (vertices[:, 2] > centre[2])
        )
        rest = _outside(Surface(vertices, own), vertices[there])
        there, rest = there[rest > 0], rest[rest > 0]
        if not len(there):
            continue
        local = near[there][:, there]
        for e, name in enumerate(names):
            if not (name.startswith(MOVING) and name.endswith('_' + side)):
                continue
            moved = vertices + offsets[e]
            points = moved[there]
            need = np.clip(
                np.minimum(rest, CLEAR) - _outside(Surface(moved, own), points), 0, FURTHEST
            )
            if not need.any():
                continue
            push = need
            for _ in range(SPREADING):
                push = np.maximum(need, local @ push)
            direction = points - centre
            direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
            if out is offsets:
                out = offsets.copy()
            out[e, there] += (push[:, None] * direction).astype(out.dtype)
    return out


def _outside(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Signed distance: positive outside."""
    triangle, _, point, distance = surface.closest(points)
    return np.where(((points - point) * surface.normals[triangle]).sum(1) < 0, -distance, distance)
