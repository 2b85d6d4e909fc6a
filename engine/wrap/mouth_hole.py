"""A scan's open mouth is often a hole in it: its border, and what of the model belongs on it.

No surface point says where an opening ends (matches on a border are refused, or the model would be
drawn to every torn edge), so that without this a wrapped mouth opens less than the scan's.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import dijkstra

from ..face_model.model import FaceModel
from ..face_model.pieces import CONTOURS, face_graph, slit_sides
from ..geometry.rows import unique_rows

MIDDLE_WITHIN = 0.5  # of the mouth's width: how far the hole's middle may be from the model's
WIDTHS = (0.4, 1.7)  # of the mouth's width: how wide the hole may be
TALLEST = 1.6  # of the mouth's width: how high and how deep at most
FEWEST_BORDER = 8  # border vertices
SMOOTHED_OVER = 0.03  # of half the loop's length: over which its torn edge is smoothed
EVEN_POINTS = 200  # points the loop is cut into


def border_loops(triangles: np.ndarray) -> list[np.ndarray]:
    """Return the borders of a welded surface T×3 as closed loops of vertex indices, in order.

    Where loops touch they are cut at that vertex.
    """
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, inverse, count = unique_rows(np.sort(edges, 1), return_inverse=True, return_counts=True)
    following: dict[int, list[int]] = {}
    for a, b in edges[count[inverse.ravel()] == 1].tolist():
        following.setdefault(a, []).append(b)
    loops = []
    for start in list(following):
        path, place = [start], {start: 0}
        while following.get(path[-1]):
            nearest = following[path[-1]].pop()
            if nearest in place:
                at = place[nearest]
                loops.append(np.array(path[at:]))
                for gone in path[at + 1 :]:
                    del place[gone]
                del path[at + 1 :]
            else:
                place[nearest] = len(path)
                path.append(nearest)
    return loops


def lip_line(model: FaceModel, marks: list[int]) -> np.ndarray:
    """Return the vertices of the shortest way over the neutral surface through landmarks, in order.

    marks: indices of the 68.
    """
    graph, stops = (
        face_graph(model.neutral.astype(np.float64), model.faces),
        model.landmarks68[marks],
    )
    reach = 4 * float(np.ptp(model.neutral[stops], axis=0).max())
    before = dijkstra(
        graph, directed=False, indices=stops[:-1], limit=reach, return_predecessors=True
    )[1]
    out = [int(stops[0])]
    for row, end in zip(before, stops[1:]):
        path = [int(end)]
        while row[path[-1]] >= 0:
            path.append(int(row[path[-1]]))
        out += path[::-1][1:]
    return np.array(out)


def mouth_rim(
    model: FaceModel, head: np.ndarray, vertices: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find which vertices of the model belong on the border of the mouth's hole: (K, K×3 where).

    None where there is no hole. head: V×3, the model as it lies on the mesh so far. vertices: N×3,
    triangles: T×3, of the whole mesh, in the same space.
    The vertices are those of the line where the lips meet, or of the rim behind it where the
    mouth's socket begins: whichever lies nearer. Upper and lower line run from corner to corner; a
    vertex belongs to the point at the same share of the way.
    """
    lines = [lip_line(model, marks[0]) for marks in CONTOURS['mouth']]
    right, left = head[lines[0][0]], head[lines[0][-1]]
    middle, width = (right + left) / 2, float(np.linalg.norm(left - right))
    across = (left - right) / width
    found = [
        loop
        for loop in border_loops(triangles)
        if len(loop) >= FEWEST_BORDER and _is_mouth(vertices[loop], middle, across, width)
    ]
    if not found:
        return None
    loop = _evened(vertices[max(found, key=len)])
    first, last = int((loop @ across).argmin()), int((loop @ across).argmax())
    way = [
        np.roll(loop, -first, 0)[: (last - first) % EVEN_POINTS + 1],
        np.roll(loop, -last, 0)[: (first - last) % EVEN_POINTS + 1][::-1],
    ]
    way = [_smoothed(path) for path in way]
    up = head[lines[0]].mean(0) - head[lines[1]].mean(0)
    if np.linalg.norm(up) < 0.05 * width:  # lips that touch: up is where the nose is
        up = head[model.landmarks68[33]] - middle
    if ((way[0].mean(0) - way[1].mean(0)) * up).sum() < 0:
        way = way[::-1]
    rims = [rim[np.argsort(model.neutral[rim, 0])] for rim in slit_sides(model, 'mouth')[2:]]
    index, target = min(
        (_matched(head, pair, way) for pair in (lines, rims)),
        key=lambda m: np.linalg.norm(head[m[0]] - m[1], axis=1).mean(),
    )
    return index, target


def _matched(
    head: np.ndarray, lines: list[np.ndarray], way: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (vertices of both lines, K×3 points at the same share of the way along paths)."""
    target = []
    for line, path in zip(lines, way):
        share, along = _along(head[line]), _along(path)
        target.append(np.stack([np.interp(share, along, path[:, k]) for k in range(3)], 1))
    # the corners are in both lines
    index, first = np.unique(np.concatenate(lines), return_index=True)
    return index, np.concatenate(target)[first]


def _is_mouth(points: np.ndarray, middle: np.ndarray, across: np.ndarray, width: float) -> bool:
    """Tell whether a loop of points lies and is as large as a mouth of this middle and width."""
    wide = float(np.ptp(points @ across))
    off = points - middle
    rest = np.linalg.norm(off - (off @ across)[:, None] * across, axis=1).max()
    return bool(
        np.linalg.norm(_evened(points).mean(0) - middle) < MIDDLE_WITHIN * width
        and WIDTHS[0] * width < wide < WIDTHS[1] * width
        and rest < TALLEST / 2 * width
    )


def _along(path: np.ndarray) -> np.ndarray:
    """Return the share of its length at which each point of a path lies."""
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    return length / max(length[-1], 1e-12)


def _evened(loop: np.ndarray) -> np.ndarray:
    """Return EVEN_POINTS×3: a closed loop cut into equal lengths."""
    closed = np.concatenate([loop, loop[:1]])
    return np.stack(
        [
            np.interp(np.arange(EVEN_POINTS) / EVEN_POINTS, _along(closed), closed[:, k])
            for k in range(3)
        ],
        1,
    )


def _smoothed(path: np.ndarray) -> np.ndarray:
    """Return the same path without the jags of a torn edge; its ends stay."""
    from scipy.ndimage import gaussian_filter1d

    n = len(path) - 1
    longer = (
        np.concatenate([2 * path[0] - path[n:0:-1], path, 2 * path[-1] - path[n - 1 :: -1]])
        if n
        else path
    )
    return (
        gaussian_filter1d(longer, SMOOTHED_OVER * EVEN_POINTS / 2, axis=0)[n : 2 * n + 1]
        if n
        else path
    )
