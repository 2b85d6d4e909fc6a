"""What an animator does to shapes by hand: mirror, symmetrise, split, reset, strength.

Plain numpy: Blender runs it in its own process.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np

from ..core.errors import FacewrightError
from ..core.smoothstep import smoothstep
from ..geometry.rows import unique_rows

MATCHED = 0.98  # share of the vertices that must have a mirror image
IN_ONE_CELL = 32  # candidates looked at per grid cell: bounds the time where many vertices coincide
TURNED = 0.1  # radians: a middle plane this near to an axis' own is that
# of the mesh's size: nearer to 0 the middle is at 0, nearer together left and right can't be told
# apart
STRAIGHT = 0.02

_SWAP = {
    'L': 'R',
    'R': 'L',
    'l': 'r',
    'r': 'l',
    'Left': 'Right',
    'Right': 'Left',
    'left': 'right',
    'right': 'left',
    'LEFT': 'RIGHT',
    'RIGHT': 'LEFT',
}
# at a name's end, but for the number Blender gives to names that are taken, or at its beginning
_SIDE = re.compile(
    r'(?:(?<=[_. -])[LRlr]|Left|Right|(?<![A-Za-z])(?:left|right|LEFT|RIGHT))(?=(?:\.\d{3})?$)'
    r'|^(?:Left|Right)(?=[A-Z_. -])|^(?:left|right|LEFT|RIGHT)(?=[_. -])'
)


def other_side(name: str) -> str | None:
    """Return a shape's name for the other side, None for a name without a side.

    'mouthSmile_L' → 'mouthSmile_R', 'jawRight' → 'jawLeft', 'Blink.l' → 'Blink.r'.
    """
    return _SIDE.sub(lambda m: _SWAP[m[0]], name) if _SIDE.search(name) else None


def side_of(name: str) -> str | None:
    """'left', 'right' or None, by a name's ending or beginning."""
    found = _SIDE.search(name)
    return None if not found else 'left' if found[0][0] in 'Ll' else 'right'


@dataclass(frozen=True)
class Symmetry:
    """How a mesh mirrors onto itself.

    partner: N int32, the vertex at each one's mirror image, its own number on the middle, −1 for
    none. axis: 0..2, across which it mirrors. side: N, the distance from the middle plane, positive
    on the person's left.
    """

    partner: np.ndarray
    axis: int
    side: np.ndarray


def find_symmetry(
    points: np.ndarray, faces: np.ndarray, tolerance: float = 1e-3, left: float = 1.0
) -> Symmetry:
    """Find the mirror map of N×3 points with faces F×4 (−1 padded), from their positions.

    Across x, else y or z, at 0 or at the middle. Where vertices coincide (closed lips), their
    neighbours decide.
    tolerance: how far from exact, as a part of the mesh's size. left: +1 or −1, on which side of
    the axis the person's left is. Raises FacewrightError where the sides don't match.
    """
    points = np.asarray(points, np.float64)
    low, high = points.min(0), points.max(0)
    reach = tolerance * max(np.linalg.norm(high - low), 1e-12)
    around = _neighbours_mean(points, faces)
    best, most = None, -1.0
    for axis in range(3):
        for centre in (0.0, (low[axis] + high[axis]) / 2):
            if not low[axis] < centre < high[axis]:
                continue
            partner = _mirror_partners(points, around, axis, centre, reach)
            matched = float((partner >= 0).mean())
            if matched > most:
                best, most = Symmetry(partner, axis, left * (points[:, axis] - centre)), matched
            if matched >= MATCHED:
                return best
    raise FacewrightError(
        f'Only {100 * max(most, 0):.0f} % of the vertices have a mirror image on the other side: '
        'raise the tolerance, or make the mesh symmetrical first.'
    )


def left_side(points: np.ndarray, shapes: dict[str, np.ndarray], axis: int = 0) -> float:
    """Return +1 or −1: on which side of an axis the shapes named after the left move.

    +1 where their names don't tell.
    """
    across = points[:, axis] - (points[:, axis].min() + points[:, axis].max()) / 2
    sign = {'left': 1.0, 'right': -1.0, None: 0.0}
    lean = sum(
        sign[side_of(name)] * float(np.linalg.norm(offsets, axis=1) @ across)
        for name, offsets in shapes.items()
    )
    return -1.0 if lean < 0 else 1.0


def distance_from_middle(points: np.ndarray, shapes: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return N: how far N×3 points are from the person's middle plane, positive on the left.

    The plane that best parts what the left and the right of pairs of shapes (smile_L, smile_R)
    move; None without a pair. Where that is nearly one of the axes' own, it is that one. No
    symmetry is needed.
    """
    pairs = [
        (o, shapes[other_side(n)])
        for n, o in shapes.items()
        if side_of(n) == 'left' and other_side(n) in shapes
    ]
    left, right = (sum(np.linalg.norm(pair[k], axis=1) for pair in pairs) for k in (0, 1))
    size = np.ptp(points, axis=0).max()
    if not pairs or not left.any() or not right.any():
        return None
    across = left @ points / left.sum() - right @ points / right.sum()
    if np.linalg.norm(across) < STRAIGHT * size:
        return None
    across /= np.linalg.norm(across)
    axis = int(np.abs(across).argmax())
    if abs(across[axis]) > np.cos(TURNED):
        across = np.eye(3)[axis] * np.sign(across[axis])
    along = points @ across
    order = np.argsort(along)
    # with the plane behind each vertex in turn, but for a constant
    on_wrong_side = np.cumsum((left - right)[order])
    best = np.flatnonzero(on_wrong_side <= on_wrong_side.min() + 1e-9 * left.sum())
    middle = (along[order[best[0]]] + along[order[min(best[-1] + 1, len(order) - 1)]]) / 2
    return along - (middle if abs(middle) > STRAIGHT * size else 0)


def edges_of_faces(faces: np.ndarray) -> np.ndarray:
    """Return the edges (E×2, each once) of F×4 faces (−1 padded)."""
    ring = np.where(faces < 0, faces[:, :1], faces)
    pairs = np.sort(np.stack([ring, np.roll(ring, -1, 1)], -1).reshape(-1, 2), 1)
    return unique_rows(pairs[pairs[:, 0] != pairs[:, 1]])


def _neighbours_mean(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return N×3: the mean of each point's neighbours along the faces' edges."""
    edges = edges_of_faces(np.asarray(faces))
    both = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(both[:, 0], minlength=len(points))
    total = np.stack(
        [np.bincount(both[:, 0], points[both[:, 1], k], len(points)) for k in range(3)], -1
    )
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)


def _mirror_partners(points, around, axis, centre, reach) -> np.ndarray:
    """Return the nearest vertex to each mirrored one within `reach`; −1 where not mutual.

    By its place and its neighbours'.
    """

    def mirrored(p):
        """Return points on the other side of the middle plane."""
        q = p.copy()
        q[:, axis] = 2 * centre - q[:, axis]
        return q

    wanted, wanted_around = mirrored(points), mirrored(around)
    cells = np.floor((points - points.min(0)) / reach).astype(np.int64) + 1
    strides = np.cumprod(np.concatenate([[1], cells.max(0)[:2] + 2]))
    order = np.argsort(cells @ strides, kind='stable')
    keys = (cells @ strides)[order]
    home = np.floor((wanted - points.min(0)) / reach).astype(np.int64) + 1
    inside = ((home >= 0) & (home <= cells.max(0) + 1)).all(1)
    best, nearest = np.full(len(points), np.inf), np.full(len(points), -1, np.int32)
    for step in itertools.product((-1, 0, 1), repeat=3):
        key = np.where(inside, (home + step) @ strides, -1)
        first, last = np.searchsorted(keys, key, 'left'), np.searchsorted(keys, key, 'right')
        for rank in range(min(IN_ONE_CELL, int((last - first).max(initial=0)))):
            asking = np.flatnonzero(first + rank < last)
            candidate = order[first[asking] + rank]
            apart = np.linalg.norm(points[candidate] - wanted[asking], axis=1)
            score = apart + np.linalg.norm(around[candidate] - wanted_around[asking], axis=1)
            better = (apart <= reach) & (score < best[asking])
            best[asking[better]], nearest[asking[better]] = score[better], candidate[better]
    mutual = (nearest >= 0) & (nearest[nearest] == np.arange(len(points)))
    return np.where(mutual, nearest, -1).astype(np.int32)


def mirror(offsets: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """Return the same shape on the other side; vertices without a mirror image get no offset."""
    out = np.where(symmetry.partner[:, None] >= 0, offsets[symmetry.partner], 0)
    out[:, symmetry.axis] *= -1
    return out


def symmetrise(offsets: np.ndarray, symmetry: Symmetry, source: str = 'average') -> np.ndarray:
    """Make a shape symmetrical.

    source: the 'left' or the 'right' side, or the 'average' of both. Vertices without a mirror
    image stay as they are.
    """
    other = mirror(offsets, symmetry)
    if source == 'average':
        out = (offsets + other) / 2
    else:
        out = np.where((symmetry.side > 0)[:, None] == (source == 'left'), offsets, other)
    middle = symmetry.partner == np.arange(len(offsets))
    out[middle] = ((offsets + other) / 2)[middle]
    return np.where(symmetry.partner[:, None] >= 0, out, offsets)


def symmetrise_pair(
    left: np.ndarray, right: np.ndarray, symmetry: Symmetry, source: str = 'average'
) -> tuple[np.ndarray, np.ndarray]:
    """Make a pair of shapes (mouthSmile_L, mouthSmile_R) mirror images.

    source: of the 'left', of the 'right', or of their 'average'.
    """
    if source == 'average':
        left = (left + mirror(right, symmetry)) / 2
    elif source == 'right':
        return mirror(right, symmetry), right
    return left, mirror(left, symmetry)


def split(offsets: np.ndarray, side: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a shape's left and right halves, which sum to it.

    side: N, as Symmetry's. width: of the soft middle, in the same unit.
    """
    left = offsets * smoothstep(side / max(width, 1e-12) + 0.5)[:, None]
    return left, offsets - left


def blend(
    offsets: np.ndarray, target: np.ndarray | float, weights: np.ndarray | float
) -> np.ndarray:
    """Return offsets where weights are 0, target where they are 1."""
    w = np.broadcast_to(weights, len(offsets))[:, None]
    return offsets * (1 - w) + np.asarray(target) * w


def scale(offsets: np.ndarray, strength: float, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """Return offsets, times `strength` where weights are 1."""
    return offsets * (1 + (strength - 1) * np.broadcast_to(weights, len(offsets)))[:, None]


def falloff(points: np.ndarray, edges: np.ndarray, chosen: np.ndarray, reach: float) -> np.ndarray:
    """Return N weights: 1 on the chosen vertices, smoothly to 0 at `reach` along the edges.

    chosen: bool N. edges: E×2.
    """
    distance = np.where(chosen, 0.0, np.inf)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    while reach > 0:
        before = distance.copy()
        for a, b in (edges.T, edges[:, ::-1].T):
            near = distance[a] + length
            step = near < np.minimum(distance[b], reach)
            np.minimum.at(distance, b[step], near[step])
        if np.array_equal(before, distance):
            break
    return smoothstep(1 - distance / reach) if reach > 0 else chosen.astype(float)
