"""The built-in head's lashes: thin tapering cards that grow from the lids' edges.

They turn with the lids. Head space, cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ...core.repeatable import arctan2
from .cage import EYE_CENTRE_L

ROWS = 3  # pairs of vertices along a lash, root to tip
WIDTH = (0.036, 0.026, 0.006)  # of a lash at each of them


@dataclass(frozen=True)
class Lid:
    """How the lashes of one lid grow.

    count: of lashes. length: cm, the greatest. rise: at the root, a share of the way out. curl: up
    towards the tip. cover: the part of the lid with lashes, shares of its length from the inner
    corner.
    """

    count: int
    length: float
    rise: float
    curl: float
    cover: tuple[float, float]


UPPER_LASHES = Lid(count=26, length=0.70, rise=0.0, curl=0.34, cover=(0.13, 0.985))
LOWER_LASHES = Lid(count=18, length=0.40, rise=-0.62, curl=0.14, cover=(0.22, 0.95))


@dataclass(frozen=True)
class Lashes:
    """Lashes of the LEFT eye.

    vertices: N×3. faces: F×4. roots: N×V, each vertex's root on the skin's vertices.
    """

    vertices: np.ndarray
    faces: np.ndarray
    roots: sparse.csr_matrix


def lid_line(points: np.ndarray, loop: np.ndarray, upper: bool) -> np.ndarray:
    """Return the vertices of one lid's edge from the inner to the outer corner.

    loop: the closed loop of both lids.
    """
    x, n = points[loop, 0], len(loop)
    inner, outer = int(x.argmin()), int(x.argmax())
    there = loop[(inner + np.arange((outer - inner) % n + 1)) % n]
    back = loop[(inner - np.arange((inner - outer) % n + 1)) % n]
    return max(there, back, key=lambda line: points[line, 1].mean() * (1 if upper else -1))


def grow_lashes(points: np.ndarray, loop) -> Lashes:
    """Grow the left eye's lashes.

    points: V×3 of the skin. loop: the edge of its lids, a closed loop of vertices.
    """
    vertices, faces, rows, columns, shares = [], [], [], [], []
    for lid, upper in ((UPPER_LASHES, True), (LOWER_LASHES, False)):
        line = lid_line(points, np.asarray(loop), upper)
        edge = points[line]
        run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(edge, axis=0), axis=1))])
        stops = np.linspace(*lid.cover, lid.count) * run[-1]
        for number, stop in enumerate(stops):
            k = min(int(np.searchsorted(run, stop, 'right')) - 1, len(line) - 2)
            share = (stop - run[k]) / (run[k + 1] - run[k])
            first = sum(map(len, vertices))
            vertices.append(
                _lash(
                    lid,
                    (1 - share) * edge[k] + share * edge[k + 1],
                    edge[k + 1] - edge[k],
                    stop / run[-1],
                    number,
                )
            )
            faces += [
                (first + 2 * r, first + 2 * r + 1, first + 2 * r + 3, first + 2 * r + 2)
                for r in range(ROWS - 1)
            ]
            for row in range(first, first + 2 * ROWS):
                rows += [row, row]
                columns += [line[k], line[k + 1]]
                shares += [1 - share, share]
    vertices = np.concatenate(vertices)
    return Lashes(
        vertices,
        np.array(faces, np.int32),
        sparse.csr_matrix((shares, (rows, columns)), (len(vertices), len(points))),
    )


def _lash(lid: Lid, root: np.ndarray, along: np.ndarray, place: float, number: int) -> np.ndarray:
    """Return 2·ROWS×3: one lash. Lengths alternate a little, as lashes do.

    root, along: 3, where it grows and the lid's direction there. place: 0 inner … 1 outer corner.
    number: its number on the lid.
    """
    along = along / np.linalg.norm(along)
    out = (root - EYE_CENTRE_L) / np.linalg.norm(root - EYE_CENTRE_L)
    fan = np.array([0.55 * (place - 0.38), 0, 0])
    direction = out * [1, 0.35, 1] + [0, lid.rise, 0] + fan
    direction /= np.linalg.norm(direction)
    length = (
        lid.length
        * (0.52 + 0.48 * np.sin(np.pi * min(place * 0.92 + 0.08, 1)))
        * (1, 0.84, 0.93)[number % 3]
    )
    t = np.linspace(0, 1, ROWS)[:, None]
    spine = root + length * (t * direction + t**2 * lid.curl * np.array([0, 1, 0]))
    half = np.array(WIDTH)[:, None] / 2 * along
    return np.stack([spine - half, spine + half], 1).reshape(-1, 3)


def carry_lashes(
    points: np.ndarray,
    roots: sparse.csr_matrix,
    lashes: np.ndarray,
    offsets: np.ndarray,
    centre: np.ndarray,
    turning: bool = True,
) -> np.ndarray:
    """Return N×3 offsets of lashes (rows of points V×3) whose lids move by offsets V×3.

    They go with their roots and, where they are turning, turn about the eye's own left-right axis
    (through its centre) as their roots do.
    """
    root = roots @ points
    moved = root + roots @ offsets
    if not turning:
        return moved - root
    before, after = root - centre, moved - centre
    angle = arctan2(after[:, 1], after[:, 2]) - arctan2(before[:, 1], before[:, 2])
    c, s = np.cos(angle), np.sin(angle)
    arm = points[lashes] - root
    turned = np.stack([arm[:, 0], arm[:, 1] * c + arm[:, 2] * s, arm[:, 2] * c - arm[:, 1] * s], 1)
    return moved + turned - points[lashes]
