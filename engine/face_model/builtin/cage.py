"""The control cage of the built-in head's skin: the measured face, and what grows from it.

Head space, cm. The face is the averaged 478-point measurement (lab/measure_builtin.py) with its
triangles paired into quads; neck, skull, ears, lids, lips, nostrils and the mouth bag are strips of
quads grown from its boundary loops, so that the whole is one surface, open at the neck only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ...core.repeatable import arctan2
from ...core.smoothstep import smoothstep
from .mouth import UPPER_JAW, arch_front
from .subdivide import catmull_clark, edges_of

FACE_POINTS = 468
# forehead → chin, head's left
# fmt: off
OVAL_L = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
)
# fmt: on
# inner corner → over the top → outer → below
LID_L = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
UPPER_LID_L, LOWER_LID_L = LID_L[1:8], LID_L[:8:-1]
# left corner → upper → right → lower
# fmt: off
LIPS_INNER = (
    308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78, 95, 88, 178, 87, 14, 317, 402, 318, 324,
)
# fmt: on
LIP_UPPER = (
    (291, 409, 270, 269, 267, 0),
    (306, 408, 304, 303, 302, 11),
    (292, 407, 272, 271, 268, 12),
    (308, 415, 310, 311, 312, 13),
)
LIP_LOWER = (
    (291, 375, 321, 405, 314, 17),
    (306, 307, 320, 404, 315, 16),
    (292, 325, 319, 403, 316, 15),
    (308, 324, 318, 402, 317, 14),
)
NOSTRIL_L = (458, 459, 309, 392, 289, 305, 290, 250)

EYE_CENTRE_L = np.array([3.13, 3.66, 7.93])
EYE_RADIUS = 1.42
LID_THICKNESS = 0.15


@dataclass
class Cage:
    """A control mesh under construction.

    vertices: V×3 (cm). faces: quads and padded triangles. parts: the name each face belongs to.
    loops: named closed loops of vertices.
    """

    vertices: list = field(default_factory=list)
    faces: list = field(default_factory=list)
    parts: list = field(default_factory=list)
    loops: dict = field(default_factory=dict)
    # part → {vertex: (x, y)} in the unit disc, for its UV island
    discs: dict = field(default_factory=dict)

    def add(self, points) -> list[int]:
        """Add points (N×3) and return their indices."""
        first = len(self.vertices)
        self.vertices.extend(np.asarray(p, float) for p in points)
        return list(range(first, len(self.vertices)))

    def face(self, part: str, *corners: int) -> None:
        """Add a face of a part."""
        self.faces.append(tuple(corners) + (-1,) * (4 - len(corners)))
        self.parts.append(part)

    def band(self, part: str, outer, inner, closed: bool = True) -> None:
        """Add quads between two loops of equal length.

        A face's outside is seen when outer → inner runs to the right of the loop's sense.
        """
        n = len(outer)
        for k in range(n if closed else n - 1):
            m = (k + 1) % n
            self.face(part, outer[k], outer[m], inner[m], inner[k])

    def fan(self, part: str, loop, centre: int) -> None:
        """Close a loop by triangles to a vertex in its middle."""
        n = len(loop)
        for k in range(n):
            self.face(part, loop[k], loop[(k + 1) % n], centre)

    def tube(self, part: str, loop, rings, centre, first_part: str | None = None) -> list[int]:
        """Carry a loop through rings of points, close it at `centre`, and return the first ring.

        first_part: the part of the first band, where it is another.
        """
        n, total, disc = len(loop), len(rings) + 1, self.discs.setdefault(part, {})
        turn = np.arange(n) * 2 * np.pi / n
        around = np.stack([np.cos(turn), np.sin(turn)], 1)
        firsts, ring = None, list(loop)
        for k, points in enumerate(rings):
            inner = self.add(points)
            self.band(first_part if first_part and k == 0 else part, ring, inner)
            firsts = firsts or inner
            if not (first_part and k == 0):
                disc.update({v: around[j] * (1 - k / total) for j, v in enumerate(ring)})
            ring = inner
        (middle,) = self.add([centre])
        disc.update({v: around[j] * (1 - (total - 1) / total) for j, v in enumerate(ring)})
        disc[middle] = np.zeros(2)
        self.fan(part, ring, middle)
        return firsts

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (vertices V×3, faces F×4 int32, part names F)."""
        return np.array(self.vertices), np.array(self.faces, np.int32), np.array(self.parts)


def measured() -> dict[str, np.ndarray]:
    """The committed table: `mean` 478×3 cm, `quads` 426×4, `mirror` 478, and the measured modes."""
    with np.load(Path(__file__).with_name('measured.npz'), allow_pickle=False) as data:
        return {
            k: data[k].astype(float if data[k].dtype.kind == 'f' else np.int32) for k in data.files
        }


def mirrored(points: np.ndarray) -> np.ndarray:
    """Return points on the other side of the midline."""
    return np.asarray(points) * [-1.0, 1.0, 1.0]


def build_cage() -> Cage:
    """Build the skin's cage, such that its subdivision passes through the measured points."""
    table = measured()
    target = shaped_face(table['mean'][:FACE_POINTS], table['mirror'])
    mirror = table['mirror']
    cage = Cage()
    cage.add(target)
    for quad in table['quads']:
        cage.face('face', *map(int, quad))
    grow_nostrils(cage, mirror)
    grow_sockets(cage, mirror)
    grow_mouth(cage)
    grow_head(cage, mirror)
    interpolate(cage, target)
    return cage


def shaped_face(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return the measured points with lids laid on the eyeballs and lips just closed."""
    p = points.copy()
    centre, radius = EYE_CENTRE_L, EYE_RADIUS + LID_THICKNESS
    for k in LID_L:
        flat = np.hypot(*(p[k, :2] - centre[:2]))
        lift = np.sqrt(max(radius**2 - flat**2, 0)) + centre[2]
        corner = np.clip((abs(p[k, 0] - centre[0]) - 0.9) / 0.5, 0, 1)
        p[k, 2] = lift * (1 - corner) + max(p[k, 2], lift) * corner
    left = list(LID_L)
    p[mirror[left]] = mirrored(p[left])
    for upper, lower in zip(LIPS_INNER[1:10], LIPS_INNER[:10:-1]):
        middle = (p[upper] + p[lower]) / 2
        gap = np.array([0, 0.012, 0.0])
        p[upper], p[lower] = middle + gap, middle - gap
    return p


def grow_nostrils(cage: Cage, mirror: np.ndarray) -> None:
    """Replace the three quads inside each nostril's rim by a short tunnel."""
    rims = {'L': list(NOSTRIL_L), 'R': [int(mirror[k]) for k in NOSTRIL_L]}
    inside = {side: set(rim) for side, rim in rims.items()}
    keep = [k for k, f in enumerate(cage.faces) if not any(set(f) <= s for s in inside.values())]
    cage.faces, cage.parts = [cage.faces[k] for k in keep], [cage.parts[k] for k in keep]
    for side, sign in (('L', 1), ('R', -1)):
        rim = rims[side] if side == 'R' else rims[side][::-1]
        points = np.array([cage.vertices[k] for k in rim])
        middle = points.mean(0)
        rings = [
            middle + (points - middle) * shrink + up
            for shrink, up in (
                (0.80, (-0.02 * sign, 0.12, -0.02)),
                (0.78, (-0.08 * sign, 0.45, -0.10)),
                (0.5, (-0.15 * sign, 0.75, -0.25)),
            )
        ]
        cage.tube('nostril_' + side, rim, rings, middle + np.array([-0.18 * sign, 0.85, -0.3]))
        cage.loops['nostril_' + side] = rim


def grow_sockets(cage: Cage, mirror: np.ndarray) -> None:
    """Grow the lids' margins, their inner sides along the eyeball, and the socket behind it."""
    for side in 'LR':
        loop = list(LID_L)[::-1] if side == 'L' else [int(mirror[k]) for k in LID_L]
        sign = 1 if side == 'L' else -1
        centre = EYE_CENTRE_L * [sign, 1, 1]
        offset = np.array([cage.vertices[k] for k in loop]) - centre
        azimuth, polar = (
            arctan2(offset[:, 1], offset[:, 0]),
            arctan2(np.hypot(offset[:, 0], offset[:, 1]), offset[:, 2]),
        )
        cage.loops['lid_' + side] = loop
        rings = []
        for fraction, clearance in ((0.0, 0.035), (0.12, 0.03), (0.35, 0.06), (0.62, 0.12)):
            angle = polar + (np.radians(150) - polar) * fraction
            distance = np.maximum(
                EYE_RADIUS + clearance,
                (np.linalg.norm(offset, axis=1) - LID_THICKNESS) * (1 - fraction) ** 4,
            )
            rings.append(
                centre
                + np.stack(
                    [
                        np.sin(angle) * np.cos(azimuth),
                        np.sin(angle) * np.sin(azimuth),
                        np.cos(angle),
                    ],
                    1,
                )
                * distance[:, None]
            )
        back = centre - [0, 0, EYE_RADIUS + 0.15]
        cage.loops['lid_edge_' + side] = cage.tube(
            'eye_socket_' + side, loop, rings, back, first_part='face'
        )


def grow_mouth(cage: Cage) -> None:
    """Grow the lips' inner sides, the folds behind them and the bag down to the throat."""
    loop = list(LIPS_INNER)
    rim = np.array([cage.vertices[k] for k in loop])
    theta = np.arange(20) * np.pi / 10
    across, up = (
        np.sign(np.cos(theta)) * np.abs(np.cos(theta)) ** 0.8,
        np.sign(np.sin(theta)) * np.abs(np.sin(theta)) ** 0.6,
    )
    across[[5, 15]] = 0
    up[[0, 10]] = 0
    x = rim[:, 0]
    rings = [
        rim + np.stack([-0.015 * x, 0.05 * up, np.full(20, -0.17)], 1),
        rim + np.stack([-0.03 * x, 0.20 * up, np.full(20, -0.34)], 1),
    ]
    # in front of the teeth, then the folds between lips and gums
    for half_width, middle, half_height, clearance in (
        (2.65, -3.22, 0.95, 0.24),
        (2.95, -3.25, 1.85, 0.28),
    ):
        px = half_width * across
        z = arch_front(UPPER_JAW.arch, px, clearance) - 0.16 * np.abs(up) * (half_height - 0.95)
        rings.append(np.stack([px, middle + half_height * up, z], 1))
    for half_width, middle, half_height, front, bend in (
        (3.5, -3.3, 2.3, 8.6, 0.10),
        (3.5, -3.45, 2.3, 5.4, 0.0),
        (2.2, -3.7, 1.7, 3.2, 0.0),
    ):
        px = half_width * across
        rings.append(np.stack([px, middle + half_height * up, front - bend * px**2], 1))
    cage.loops['lips'] = loop
    cage.tube('mouth_socket', loop, rings, [0, -3.8, 2.4], first_part='face')


SKULL_CENTRE = np.array([0.0, 4.6, 0.6])


def on_skull(direction: np.ndarray) -> np.ndarray:
    """Return points of the skull's rounded ellipsoid in directions N×3 from SKULL_CENTRE."""
    d = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    radii = np.stack(
        [np.full(len(d), 7.75), np.where(d[:, 1] > 0, 9.7, 9.5), np.where(d[:, 2] > 0, 9.9, 9.8)], 1
    )
    power = 2.25
    scale = (np.abs(d / radii) ** power).sum(1) ** (-1 / power)
    return SKULL_CENTRE + d * scale[:, None]


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Return the direction at a share t of the way from unit a to unit b."""
    angle = np.arccos(np.clip(a @ b, -1, 1))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


# Where the skin meets the ear's root, from above its front over the top and down behind it to below
# the lobe; the last ends in the jaw's first row.
# fmt: off
EAR_LOOP = (
    (7.22, 4.0, 3.3), (7.3, 4.75, 2.7), (7.36, 5.15, 1.8), (7.38, 5.1, 0.8), (7.36, 4.6, 0.0),
    (7.3, 3.7, -0.5), (7.2, 2.5, -0.7), (7.1, 1.3, -0.55), (6.98, 0.25, -0.15), (6.86, -0.55, 0.55),
    (6.8, -1.0, 1.7),
)
# fmt: on
NECK_SIDE = ((6.3, -4.0, 0.4), (5.88, -8.0, -0.4), (6.0, -12.0, -0.9), (6.6, -16.0, -1.3))
# The head's midline from above the forehead to the nape, and down the neck's back.
# fmt: off
CROWN = (
    (0, 9.0, 9.7), (0, 10.9, 9.0), (0, 12.5, 7.4), (0, 13.7, 4.8), (0, 14.3, 1.8), (0, 14.2, -1.4),
    (0, 13.2, -4.6), (0, 11.2, -7.4), (0, 8.4, -9.0), (0, 5.2, -9.4), (0, 2.2, -8.8),
    (0, -0.4, -7.8), (0, -2.6, -7.1),
)
# fmt: on
NAPE = ((0, -5.8, -6.8), (0, -9.2, -6.7), (0, -12.6, -7.0), (0, -16.0, -7.6))
NECK_BOTTOM = -16.0  # y of the neck's open end
FRONT_OF_EAR = (7, 10)  # the oval's points (7, 8, 9) that the ear's root touches


def neck_point(turn: float, y: float) -> np.ndarray:
    """Return a point (3) of the neck's side and front.

    turn: degrees, 0 front … 90 side; y: cm.
    """
    low = np.clip((-8 - y) / 8, 0, 1)
    half, front, middle = 5.75 + 0.75 * low**2, 4.9 + 0.2 * low, -1.0 - 0.3 * low
    a = np.radians(turn)
    return np.array([half * np.sin(a), y, middle + (front - middle) * np.cos(a)])


def grow_head(cage: Cage, mirror: np.ndarray) -> None:
    """Grow skull, ears and neck from the face's rim.

    mirror: measured point → the one across the midline.
    """
    oval = {'L': list(OVAL_L), 'R': [int(mirror[k]) for k in OVAL_L]}
    rows, grown = sweep_over_head(cage, oval)
    last, below = sweep_down_neck(cage, oval, rows)
    for side, column in (('L', 0), ('R', -1)):
        # Over the ear, down behind it, then up in front; the left one the other way round.
        behind = [rows[r][column] for r in range(1, len(EAR_LOOP) + 1)]
        hole = behind + oval[side][slice(*FRONT_OF_EAR)][::-1]
        cage.loops['ear_' + side] = hole[::-1] if side == 'L' else hole
    cage.loops['neck'] = rows[-1] + last[1:-1][::-1]
    fair(cage, grown + below)
    grow_ears(cage)


def sweep_over_head(cage: Cage, oval: dict[str, list[int]]) -> tuple[list[list[int]], list[int]]:
    """Grow rows of quads from the brow back over the head and down the neck, each from ear to ear.

    oval: the rim's points of each side, forehead → chin. Returns (rows, the brow's own first; the
    new vertices).
    """
    brow = [oval['L'][k] for k in range(7, 0, -1)] + [10] + [oval['R'][k] for k in range(1, 8)]
    edge = np.array(EAR_LOOP + NECK_SIDE)
    columns = len(brow)  # from the left ear to the right one
    # The head's midline, cut as often as the ear's loop.
    crown = np.array(CROWN)
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(crown, axis=0), axis=1))])
    stops = np.linspace(0, run[-1], len(EAR_LOOP) + 1)[1:]
    middle = [
        np.array([0, np.interp(t, run, crown[:, 1]), np.interp(t, run, crown[:, 2])]) for t in stops
    ] + [np.array(p) for p in NAPE]
    rows, grown = [brow], []
    for r in range(len(edge)):
        on_cranium = r < len(EAR_LOOP)
        points = np.zeros((columns, 3))
        for j in range(8):
            spot = (skull_point if on_cranium else nape_point)(edge[r], middle[r], j / 7)
            points[j] = spot
            points[columns - 1 - j] = mirrored(spot)
        row = cage.add(points)
        cage.band('cranium' if on_cranium else 'neck', row, rows[-1], closed=False)
        rows.append(row)
        grown += row
    return rows, grown


def skull_point(left: np.ndarray, top: np.ndarray, t: float) -> np.ndarray:
    """Return the point (3, cm) at a share t of the way over the skull from `left` to `top`."""
    a, b = left - SKULL_CENTRE, top - SKULL_CENTRE
    if not 0 < t < 1:
        return (left, top)[int(t)]
    spot = on_skull(slerp(a / np.linalg.norm(a), b / np.linalg.norm(b), t)[None])[0]
    miss = (left - on_skull(a[None])[0]) * (1 - t) ** 2 + (top - on_skull(b[None])[0]) * t**2
    return spot + miss


def nape_point(left: np.ndarray, back: np.ndarray, t: float) -> np.ndarray:
    """Return the point (3, cm) at a share t of the way round the neck from `left` to its `back`."""
    a = t * np.pi / 2
    return np.array(
        [
            left[0] * np.cos(a) ** 0.9,
            left[1] + (back[1] - left[1]) * t,
            left[2] + (back[2] - left[2]) * np.sin(a),
        ]
    )


def sweep_down_neck(
    cage: Cage, oval: dict[str, list[int]], rows: list[list[int]]
) -> tuple[list[int], list[int]]:
    """Grow rows of quads from the jaw down the front of the neck.

    rows: as `sweep_over_head` gives them. Returns (the last row, the new vertices).
    """
    jaw = (
        [rows[len(EAR_LOOP)][0]]
        + oval['L'][FRONT_OF_EAR[1] - 1 :]
        + oval['R'][17 : FRONT_OF_EAR[1] - 2 : -1]
        + [rows[len(EAR_LOOP)][-1]]
    )
    half, depth = len(jaw) // 2, len(NECK_SIDE)
    above, grown = jaw, []
    for r in range(depth):
        side = rows[len(EAR_LOOP) + 1 + r]
        points = []
        for j in range(1, half + 1):
            throat = -9.3 + 4.6 * (j / half - 1) ** 2
            if r == 0:
                # The first row lies just under the jaw.
                start = np.array(cage.vertices[jaw[j]])
                spot = start + np.array(
                    [-0.22 * start[0], -0.25 - 0.25 * (j < half - 2), -0.27 * (start[2] - 2)]
                )
            else:
                share = ((r - 1) / (depth - 2)) ** 1.1
                height = throat + (NECK_BOTTOM - throat) * share if r > 1 else throat
                spot = neck_point(90 - 90 * j / half, height)
            points.append(spot)
        points = np.array(points)
        inner = cage.add(np.concatenate([points, mirrored(points[:-1][::-1])]))
        row = [side[0]] + inner + [side[-1]]
        cage.band('neck', above, row, closed=False)
        grown += inner
        above = row
    return above, grown


def fair(cage: Cage, free: list[int], hold: float = 0.4) -> None:
    """Smooth the free vertices.

    Minimises the squared uniform Laplacian plus hold² times the squared distance to where they were
    put.
    """
    vertices, faces, _ = cage.arrays()
    n = len(vertices)
    edges, _, _ = edges_of(faces)
    graph = sparse.csr_matrix(
        (np.ones(2 * len(edges)), (edges.ravel(), edges[:, ::-1].ravel())), (n, n)
    )
    laplacian = sparse.diags(1 / np.asarray(graph.sum(1)).ravel()) @ graph - sparse.identity(n)
    free = np.array(free)
    keep = np.setdiff1d(np.arange(n), free)
    a = laplacian.tocsc()
    inside = np.unique(np.concatenate([free, edges[np.isin(edges, free).any(1)].ravel()]))
    a = a[inside]
    normal = a[:, free].T @ a[:, free] + sparse.identity(len(free)) * hold**2
    right = -a[:, free].T @ (a[:, keep] @ vertices[keep]) + hold**2 * vertices[free]
    solved = spsolve(normal.tocsc(), right)
    for k, p in zip(free, solved):
        cage.vertices[k] = p


EAR_CENTRE = np.array([7.25, 1.95, 1.15])
# Rings from the head outward behind the ear, over the helix and across scapha and antihelix into
# the concha: share of the outline's size behind and in front (where no skin turns under), share of
# the ear's height over the head, and what the ear's relief adds to it (cm) above and behind, and in
# the lobe.
EAR_RINGS = (
    (0.74, 1.20, 0.28, 0.0, 0.0),
    (0.93, 1.10, 0.72, 0.0, 0.0),
    (1.0, 1.01, 1.0, 0.02, 0.0),
    (0.975, 0.93, 1.0, 0.24, 0.10),
    (0.90, 0.86, 1.0, 0.26, 0.15),
    (0.85, 0.79, 1.0, -0.08, 0.17),
    (0.76, 0.73, 1.0, -0.18, 0.16),
    (0.65, 0.67, 1.0, 0.20, 0.10),
    (0.56, 0.57, 1.0, 0.17, 0.0),
    (0.47, 0.47, 1.0, -0.42, -0.26),
    (0.34, 0.34, 1.0, -0.78, -0.60),
    (0.17, 0.18, 1.0, -0.86, -0.76),
)
EAR_TILT = 0.16  # the ear's top lies this much further back, per cm of height


def bump(angle: np.ndarray, at: float, width: float) -> np.ndarray:
    """Return 1 at an angle round the ear, fading over a width (degrees).

    0 is behind, 90 above, 180 in front, −90 below.
    """
    away = (np.degrees(angle) - at + 180) % 360 - 180
    return np.exp(-((away / width) ** 2))


def ear_outline(angle: np.ndarray) -> np.ndarray:
    """Return N×2 (forwards, upwards) of the ear's edge about its middle.

    Broad above, a lobe below, straight in front.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    behind, front = (1 + cos) / 2, np.clip(-cos, 0, 1)
    below = bump(angle, -90, 55)
    out = np.stack(
        [
            -cos * (1.42 + 0.34 * sin + 0.34 * behind - 0.10 * front + 0.36 * below),
            sin * (3.10 + 0.05 * cos - 0.22 * bump(angle, -90, 25)),
        ],
        1,
    )
    out[:, 0] += 0.20 * below
    return out


def grow_ears(cage: Cage) -> None:
    """Grow each ear from its root's loop.

    Out behind the ear, over the helix, across scapha and antihelix into the concha; in front the
    cheek runs into the tragus and the root of the helix.
    """
    for side, sign in (('L', 1), ('R', -1)):
        loop = cage.loops['ear_' + side]
        base = np.array([cage.vertices[k] for k in loop]) * [sign, 1, 1]
        flat = base[:, [2, 1]] - EAR_CENTRE[[2, 1]]
        angle = np.unwrap(arctan2(flat[:, 1] / 1.45, -flat[:, 0]))  # 0 behind, 90 degrees above
        even = np.sign(angle[1] - angle[0]) * np.arange(len(angle)) * 2 * np.pi / len(angle)
        angle = 0.4 * angle + 0.6 * (even + (angle - even).mean())
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        rings = [ear_ring(angle, base, ring) * [sign, 1, 1] for ring in EAR_RINGS]
        cage.tube('ear_' + side, loop, rings, rings[-1].mean(0) - [0.03 * sign, 0, 0])


def ear_ring(angle: np.ndarray, base: np.ndarray, ring: tuple[float, ...]) -> np.ndarray:
    """Return N×3 of one of EAR_RINGS on the left ear.

    angle: N; base: N×3, the loop on the head that the ear grows from.
    """
    share_behind, share_front, lift, fold, in_lobe = ring
    front = smoothstep((-np.cos(angle) - 0.30 * np.sin(angle) - 0.25) / 0.55)
    lobe = bump(angle, -90, 38)
    share = share_behind + (share_front - share_behind) * front
    place = (
        ear_outline(angle) * share[:, None]
        + np.outer(1 - share, (0.10, -0.28)) * (share < 1)[:, None]
    )
    # the ear's own plane, further out behind
    height = -0.04 + 0.44 * np.maximum(1.45 - place[:, 0], 0) * (1 - 0.35 * lobe)
    relief = fold * (1 - lobe) + in_lobe * lobe
    shallow = share_behind > 0.5
    if shallow:
        relief = relief * (1 - front)
    if 0.5 < share_behind < 0.9:
        across = np.exp(-(((share_behind - 0.66) / 0.12) ** 2))
        tragus, antitragus = across * bump(angle, -170, 24), across * bump(angle, -128, 20)
        relief = relief + 0.52 * tragus + 0.22 * antitragus
        place[:, 0] -= 0.58 * tragus
    if 0.3 < share_behind < 0.6:
        relief = relief + 0.30 * bump(angle, 148, 22)  # the helix's root runs into the concha
    out = height * lift + relief
    # in front the first rings lie on the cheek
    on_head = front * smoothstep((share - 0.68) / 0.50)
    x = (1 - on_head) * (EAR_CENTRE[0] + out) + on_head * base[:, 0]
    return np.stack(
        [x, EAR_CENTRE[1] + place[:, 1], EAR_CENTRE[2] + place[:, 0] - EAR_TILT * place[:, 1]], 1
    )


def interpolate(cage: Cage, target: np.ndarray, steps: int = 6) -> None:
    """Move the measured vertices until the surface passes through their targets.

    target: FACE_POINTS×3, where they lie after two subdivisions.
    """
    vertices, faces, _ = cage.arrays()
    first = catmull_clark(faces, len(vertices))
    second = catmull_clark(first.faces, first.matrix.shape[0])
    reach = (second.matrix[: len(vertices)] @ first.matrix)[:FACE_POINTS]
    points = vertices.copy()
    for _ in range(steps):
        points[:FACE_POINTS] += 0.8 * (target - reach @ points)
    for k in range(FACE_POINTS):
        cage.vertices[k] = points[k]
