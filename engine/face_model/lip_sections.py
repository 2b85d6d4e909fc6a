"""Where the lips of a head may meet: sections through the mouth, and how far the lips stand apart.

Columns stand at equal parts of the way from one corner of the mouth to the other; in each the
upper and the lower lip are cut by the sagittal plane, and the cut is followed from the lip's inner
edge outwards over the red and inwards behind it. What is cut belongs to the surface from then on
and moves with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ..core.errors import FacewrightError
from ..core.smoothstep import smoothstep
from ..geometry.polygons import triangulate
from .model import FaceModel
from .pieces import CONTOURS, face_graph, inner_contours

COLUMNS = 25  # the middle one in the mouth's middle
SEALING_COLUMNS = 41  # by which a neutral's lips are brought together
SAMPLES = 17  # of a lip's section, the middle one on the inner edge
REACH = 0.6  # cm: so far a section goes over the lip's red, and so far behind
FULL, FADED = 0.3, 1.2  # cm from the inner edge: where a lip moves whole to seal, and not at all
# cm: between which sealed lips stand apart, so that rounding is no crossing
TOUCHING = (0.001, 0.003)
ROUNDS = 4  # times a neutral's lips are brought together: other points may meet then
ROUND = 1.0  # of the mouth's width: how far from its middle the surface is cut


@dataclass(frozen=True, eq=False)
class LipSections:
    """C sections of either lip, S samples each, from the outside inwards.

    upper, lower: (C·S)×V, mixtures of vertices. along: C in (0, 1), from the person's right.
    corners: 2 vertices.
    """

    upper: sparse.csr_matrix
    lower: sparse.csr_matrix
    along: np.ndarray
    corners: np.ndarray

    @cached_property
    def rows(self) -> sparse.csr_matrix:
        """Stack the upper lip's points on the lower's: (2·C·S)×V."""
        return sparse.vstack([self.upper, self.lower]).tocsr()

    def on(self, offsets: np.ndarray) -> np.ndarray:
        """Interpolate V×3 vertices or offsets: 2×C×S×3 float64, the upper lip first."""
        shape = (2, len(self.along), SAMPLES, 3)
        return (self.rows @ offsets.astype(np.float64)).reshape(shape)


@lru_cache(maxsize=4)
def lip_sections(model: FaceModel, columns: int = COLUMNS) -> LipSections:
    """Cut the lips of a model's neutral into `columns` sections."""
    marks = CONTOURS['mouth'][0][0]
    corners = model.landmarks68[[marks[0], marks[-1]]]
    v = model.neutral.astype(np.float64)
    axis = v[corners[1]] - v[corners[0]]
    along = (np.arange(columns) + 0.5) / columns
    place = (v - v[corners[0]]) @ axis / (axis @ axis)
    skin = np.zeros(len(v), bool)
    for name in ('face', 'head_neck', 'mouth_socket'):
        skin[model.regions.get(name, [])] = True
    near = np.linalg.norm(v - v[corners].mean(0), axis=1) < ROUND * np.linalg.norm(axis)
    triangles = triangulate(model.faces)
    triangles = triangles[(skin & near)[triangles].all(1)]
    lips = [
        sparse.vstack([_section(v, triangles, place, contour, at) for at in along]).tocsr()
        for contour in inner_contours(model)
    ]
    return LipSections(lips[0], lips[1], along, corners)


def _section(
    v: np.ndarray, triangles: np.ndarray, place: np.ndarray, contour: np.ndarray, at: float
) -> sparse.csr_matrix:
    """Cut the surface where `place` (of each vertex) is `at`: SAMPLES×V along one lip.

    contour: the vertices of the lip's inner edge.
    """
    edges, neighbours = _cut(triangles, place - at)
    share = (at - place[edges[:, 0]]) / (place[edges[:, 1]] - place[edges[:, 0]])
    points = (1 - share)[:, None] * v[edges[:, 0]] + share[:, None] * v[edges[:, 1]]
    order = contour[np.argsort(place[contour], kind='stable')]
    edge = np.array([np.interp(at, place[order], v[order, k]) for k in range(3)])
    on_edge = np.isin(edges, contour).any(1) | (not np.isin(edges, contour).any())
    first = int(np.where(on_edge, np.linalg.norm(points - edge, axis=1), np.inf).argmin())
    ways = [_walk(points, neighbours, first, step) for step in neighbours[first][:2]]
    if len(ways) < 2:
        raise FacewrightError(
            'The lips of the face model end at a border: use ICT-FaceKit or the built-in head.'
        )
    # The way inwards is the one that leads back.
    outwards, inwards = sorted(ways, key=lambda way: -points[way[:3], 2].mean())
    inwards = _until_it_turns(points, inwards)
    way = np.array([*outwards[::-1], first, *inwards])
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points[way], axis=0), axis=1))]
    wanted = length[len(outwards)] + np.linspace(-REACH, REACH, SAMPLES)
    after = np.clip(np.searchsorted(length, wanted), 1, len(way) - 1)
    span = np.maximum(length[after] - length[after - 1], 1e-9)
    u = np.clip((wanted - length[after - 1]) / span, 0, 1)
    out = sparse.lil_matrix((SAMPLES, len(v)))
    for row, (a, b, t) in enumerate(zip(way[after - 1], way[after], u)):
        for point, weight in ((a, 1 - t), (b, t)):
            out[row, edges[point, 0]] += weight * (1 - share[point])
            out[row, edges[point, 1]] += weight * share[point]
    return out.tocsr()


def _cut(triangles: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Find the edges P×2 that change sign of `height`, and for each those it shares a face with."""
    above = height > 0
    cut = triangles[above[triangles].any(1) & ~above[triangles].all(1)]
    pairs = np.sort(np.stack([cut[:, [0, 1]], cut[:, [1, 2]], cut[:, [2, 0]]], 1), 2)
    crossing = above[pairs[..., 0]] != above[pairs[..., 1]]
    edges, index = np.unique(pairs[crossing], axis=0, return_inverse=True)
    neighbours = [[] for _ in edges]
    for a, b in index.reshape(-1, 2):  # two edges of every triangle that is cut
        neighbours[a].append(int(b))
        neighbours[b].append(int(a))
    return edges, neighbours


def _until_it_turns(points: np.ndarray, inwards: list[int]) -> list[int]:
    """End a way inwards where it comes back: near a corner it would go on in the other lip."""
    forwards = np.diff(points[inwards, 2]) > 0
    return inwards[: int(forwards.argmax()) + 1] if forwards.any() else inwards


def _walk(points: np.ndarray, neighbours: list[list[int]], first: int, step: int) -> list[int]:
    """Follow a cut from one point by way of a neighbour for REACH cm at least."""
    way, before, length = [step], first, float(np.linalg.norm(points[step] - points[first]))
    while length < REACH:
        onwards = [n for n in neighbours[way[-1]] if n != before]
        if not onwards or onwards[0] == first:
            break
        before = way[-1]
        way.append(onwards[0])
        length += float(np.linalg.norm(points[way[-1]] - points[before]))
    return way


class Meeting(NamedTuple):
    """Where in each section (…×C) the lips meet first, and how far apart they are there.

    gap: y of upper sample `upper` less y of the lower lip, cm; the latter (1 − share) of sample
    `lower` and share of `after`.
    """

    gap: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    after: np.ndarray
    share: np.ndarray


def aperture(points: np.ndarray) -> Meeting:
    """Find how far the lips stand apart as seen from the front.

    points: …×2×C×S×3 cm, or their y and z alone.

    Below 0 one lip hides a part of the other.
    """
    upper, lower = points[..., 0, :, :, -2], points[..., 1, :, :, -2]
    u, low = upper.argmin(-1), lower.argmax(-1)
    gap = upper.min(-1) - lower.max(-1)
    return Meeting(gap, u, low, low, np.zeros(u.shape))


def clearance(points: np.ndarray) -> Meeting:
    """Find how much room is left between the lips where they lie above one another.

    points: …×2×C×S×3 cm, or their y and z alone. Below 0 they cross. Where no point of the upper
    lip has the lower one below it the gap is infinite.
    """
    y, z = points[..., -2], points[..., -1]
    (upper, high), (lower, low) = ((np.take(y, k, axis=-3), np.take(z, k, axis=-3)) for k in (0, 1))
    first, second = low[..., None, :-1], low[..., None, 1:]
    step = np.where(second == first, 1.0, second - first)
    share = (high[..., :, None] - first) / step
    below = (1 - share) * lower[..., None, :-1] + share * lower[..., None, 1:]
    between = (share >= 0) & (share <= 1) & (second != first)
    gap = np.where(between, upper[..., :, None] - below, np.inf)
    flat = gap.reshape(*gap.shape[:-2], gap.shape[-2] * gap.shape[-1])
    best = flat.argmin(-1)
    u, segment = np.divmod(best, gap.shape[-1])
    at = best[..., None]
    value, along = (np.take_along_axis(a.reshape(flat.shape), at, -1)[..., 0] for a in (gap, share))
    return Meeting(value, u, segment, segment + 1, np.clip(along, 0, 1))


def meeting(points: np.ndarray) -> Meeting:
    """Find where the lips are nearest to each other: below 0 they cross.

    points: …×2×C×S×3 cm, or their y and z alone. Lips that only hide one another from the front
    let teeth be seen from above or below: so where they lie above one another it is clearance that
    counts, elsewhere the aperture, and no crossing.
    """
    over, front = clearance(points), aperture(points)
    front = front._replace(gap=np.maximum(front.gap, 0))
    return Meeting(*(np.where(np.isfinite(over.gap), a, b) for a, b in zip(over, front)))


def lip_gaps(points: np.ndarray) -> np.ndarray:
    """Measure how far the lips stand apart, below 0 how deep they cross: …×C cm."""
    return meeting(points).gap


def seal_lips(model: FaceModel, neutral: np.ndarray) -> np.ndarray:
    """Bring the lips of somebody's neutral (V×3, cm) together: V×3 float32.

    Each goes half of the way, straight up or down, whole near the inner edge and less away from
    it. Lips that cross are taken apart.
    """
    sections, (share, place) = lip_sections(model, SEALING_COLUMNS), _sealing(model)
    out = neutral.astype(np.float64)
    for _ in range(ROUNDS):
        gap = lip_gaps(sections.on(out))
        gap -= np.clip(gap, *TOUCHING)
        along = np.concatenate([[0], sections.along, [1]])
        out[:, 1] -= 0.5 * share * np.interp(place, along, np.concatenate([[0], gap, [0]]))
    return out.astype(np.float32)


@lru_cache(maxsize=4)
def _sealing(model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Say how far each vertex goes with its lip, V in [−1, 1] (the lower lip's below 0).

    And how far it lies from corner to corner: V.
    """
    v = model.neutral.astype(np.float64)
    corners = lip_sections(model).corners
    axis = v[corners[1]] - v[corners[0]]
    graph = face_graph(v, model.faces)
    upper, lower = (
        dijkstra(graph, indices=contour, min_only=True, limit=2 * FADED)
        for contour in inner_contours(model)
    )
    far = np.minimum(upper, lower)
    side = np.where(upper < lower, 1.0, np.where(lower < upper, -1.0, 0.0))
    return side * smoothstep(far, FADED, FULL), (v - v[corners[0]]) @ axis / (axis @ axis)
