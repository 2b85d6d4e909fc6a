"""The built-in head's teeth, gums and tongue. Head space, cm.

Tooth widths and heights are the usual anatomical ones (Wheeler's Dental Anatomy), from the midline
outwards. The arches are 58 and 54 mm wide at the molars; overbite and overjet are 2 to 3 mm; the
upper incisors' edges lie 4.5 mm behind the closed lips' seam and 2.5 mm below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Jaw:
    """One jaw's teeth, central incisor to second molar (7 of each), cm.

    The right side mirrors them.
    widths: along the arch.
    depths: cheek to tongue, of the crown's widest place.
    heights: biting edge to gum line.
    edges: y of the biting edges.
    arch: half width, length and z of the widest place of an ellipse in the horizontal plane, on
    which the teeth's outer faces lie at their edges.
    lean: how far a front tooth's outer face falls back, per cm away from its edge.
    up: 1 upper, −1 lower.
    """

    widths: tuple[float, ...]
    depths: tuple[float, ...]
    heights: tuple[float, ...]
    edges: tuple[float, ...]
    arch: tuple[float, float, float]
    lean: float
    up: float


UPPER_JAW = Jaw(
    widths=(0.86, 0.66, 0.76, 0.70, 0.68, 1.0, 0.95),
    depths=(0.66, 0.60, 0.76, 0.90, 0.90, 1.08, 1.05),
    heights=(1.04, 0.90, 1.0, 0.84, 0.76, 0.70, 0.66),
    edges=(-3.41, -3.36, -3.43, -3.37, -3.35, -3.33, -3.32),
    arch=(2.90, 4.91, 5.93),
    lean=0.20,
    up=1.0,
)
LOWER_JAW = Jaw(
    widths=(0.54, 0.60, 0.69, 0.70, 0.71, 1.05, 1.0),
    depths=(0.56, 0.58, 0.70, 0.78, 0.80, 1.02, 1.0),
    heights=(0.86, 0.90, 1.02, 0.84, 0.78, 0.72, 0.68),
    edges=(-3.19, -3.20, -3.20, -3.345, -3.345, -3.325, -3.315),
    arch=(2.70, 4.61, 5.93),
    lean=0.10,
    up=-1.0,
)
FRONT_TEETH = 3  # incisors and canine
SIDE_TEETH = 5  # to the second premolar; then molars


def arch_point(arch: tuple, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (N×2 x,z points, N×2 outward unit normals) at arc lengths along the dental arch.

    distance: N cm from the midline, + to the left.
    """
    half, length, back = arch
    t = np.linspace(0, np.pi / 2, 400)
    curve = np.stack([half * np.sin(t) ** 0.92, back + length * np.cos(t)], 1)
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    d = np.abs(distance)
    over = np.maximum(d - run[-1], 0)
    x, z = np.interp(d, run, curve[:, 0]), np.interp(d, run, curve[:, 1]) - over
    normal = np.stack(
        [
            np.interp(d, run, np.gradient(-curve[:, 1], run)),
            np.interp(d, run, np.gradient(curve[:, 0], run)),
        ],
        1,
    )
    normal[d == 0] = (0, 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    sign = np.where(distance < 0, -1.0, 1.0)
    return np.stack([x * sign, z], 1), normal * np.stack([sign, np.ones_like(sign)], 1)


def arch_front(arch: tuple, x: np.ndarray, clearance: float) -> np.ndarray:
    """Return z of the arch widened by a clearance (cm) at each x.

    Beyond its widest place that one's is held.
    """
    half, length, back = arch
    across = np.clip(np.abs(x) / (half + clearance), 0, 1)
    return back + (length + clearance) * np.sqrt(1 - across**2.1)


# across, outwards
RING = np.array(
    [
        (1, 0.25),
        (0.48, 1),
        (-0.48, 1),
        (-1, 0.25),
        (-0.88, -0.55),
        (-0.36, -1),
        (0.36, -1),
        (0.88, -0.55),
    ]
)
RING_CORNER = np.abs(RING[:, 0]) > 0.8
CROWN_RINGS = 5


def crown(kind: int) -> tuple[tuple[float, float, float, float], ...]:
    """Return the rings of a tooth from its root in the gum to its edge.

    Each: share of the height above the edge, share of the width, share of the depth, cm the outer
    face bulges.
    """
    if kind < FRONT_TEETH:
        return (
            (1.28, 0.62, 0.86, -0.05),
            (0.92, 0.76, 0.98, 0.01),
            (0.52, 0.97, 0.82, 0.035),
            (0.12, 0.985, 0.44, 0.012),
            (0.0, 0.93, 0.26, -0.005),
        )
    if kind < SIDE_TEETH:
        return (
            (1.30, 0.68, 0.84, -0.06),
            (0.90, 0.80, 0.96, 0.0),
            (0.52, 0.97, 1.0, 0.03),
            (0.18, 0.985, 0.86, 0.0),
            (0.0, 0.86, 0.56, -0.06),
        )
    return (
        (1.35, 0.74, 0.88, -0.06),
        (0.90, 0.84, 0.97, 0.0),
        (0.55, 0.97, 1.0, 0.03),
        (0.22, 0.985, 0.90, 0.0),
        (0.0, 0.86, 0.66, -0.06),
    )


def edge_relief(kind: int) -> np.ndarray:
    """Return how far each point of the last ring stands back from the biting edge.

    As a share of the width: rounded corners of incisors, the tip of a canine, cusps.
    """
    if kind < 2:
        return np.where(RING_CORNER, 0.05, 0.0)
    if kind == 2:
        return np.where(RING_CORNER, 0.15, 0.0)
    if kind < SIDE_TEETH:
        return np.where(RING_CORNER, 0.12, 0.0) + np.where(RING[:, 1] < 0, 0.06, 0)
    return np.where(RING_CORNER, 0.0, 0.05)


def teeth(jaw: Jaw) -> tuple[np.ndarray, np.ndarray]:
    """Return (vertices N×3, faces F×4) of one jaw's fourteen teeth.

    Each is CROWN_RINGS rings of eight.
    """
    vertices, faces = [], []
    for sign in (1, -1):
        start = 0.0
        for kind, (width, depth, height) in enumerate(zip(jaw.widths, jaw.depths, jaw.heights)):
            (spot,), (normal,) = arch_point(jaw.arch, np.array([sign * (start + width / 2)]))
            start += width
            first = CROWN_RINGS * 8 * (7 * (sign < 0) + kind)
            for above, wide, deep, bulge in crown(kind):
                vertices.append(
                    _tooth_ring(
                        jaw,
                        kind,
                        sign,
                        spot,
                        normal,
                        (above * height, wide * width, deep * depth, bulge),
                    )
                )
            vertices[-1][:, 1] += jaw.up * edge_relief(kind) * width
            faces += _tooth_faces(first, sign * jaw.up > 0)
    return np.concatenate(vertices), np.array(faces, np.int32)


def _tooth_ring(
    jaw: Jaw, kind: int, sign: int, spot: np.ndarray, normal: np.ndarray, ring: tuple[float, ...]
) -> np.ndarray:
    """Return 8×3 points round a tooth.

    ring: cm above the edge, width, depth, bulge of the outer face.
    """
    above, width, depth, bulge = ring
    tangent = np.array([normal[1], -normal[0]]) * sign
    lean = jaw.lean * above if kind < FRONT_TEETH else -0.05 * above
    out = RING[:, 1] * depth / 2 - depth / 2 + bulge - lean
    if kind >= FRONT_TEETH:
        out -= (jaw.depths[kind] - depth) * 0.45  # the crown narrows from both sides
    flat = spot + RING[:, :1] * width / 2 * tangent + out[:, None] * normal
    return np.stack([flat[:, 0], np.full(8, jaw.edges[kind] + jaw.up * above), flat[:, 1]], 1)


def _tooth_faces(first: int, outward: bool) -> list[tuple[int, ...]]:
    """Return quads round a tooth whose vertices begin at `first`, and over its biting edge."""
    out = []
    for ring in range(CROWN_RINGS - 1):
        a, b = first + 8 * ring, first + 8 * (ring + 1)
        out += [(a + j, a + (j + 1) % 8, b + (j + 1) % 8, b + j) for j in range(8)]
    last = first + 8 * (CROWN_RINGS - 1)
    out += [tuple(last + k for k in quad) for quad in ((0, 1, 6, 7), (1, 2, 5, 6), (2, 3, 4, 5))]
    return out if outward else [quad[::-1] for quad in out]


GUM_STATIONS = 4  # along each tooth
GUM_COLUMNS = 2 * 7 * GUM_STATIONS + 1
GUM_ROWS = 8


def gums(jaw: Jaw) -> tuple[np.ndarray, np.ndarray]:
    """Return (vertices, faces) of the ridge of gum that one jaw's teeth stand in.

    An arc round each tooth's neck and a papilla between two; GUM_ROWS rows of GUM_COLUMNS.
    """
    ends = np.concatenate([[0], np.cumsum(jaw.widths)])
    middles = (ends[:-1] + ends[1:]) / 2
    half = np.interp(np.arange(7 * GUM_STATIONS + 1) / GUM_STATIONS, np.arange(8), ends)
    s = np.concatenate([-half[:0:-1], half])
    phase = np.abs(np.arange(len(s)) - 7 * GUM_STATIONS) % GUM_STATIONS / GUM_STATIONS
    between = np.abs(1 - 2 * phase) ** 1.7  # 1 between two teeth, 0 at a tooth's middle

    def along(values) -> np.ndarray:
        """Return the teeth's values at the stations."""
        return np.interp(np.abs(s), middles, values)

    depth, height, edge = along(jaw.depths), along(jaw.heights), along(jaw.edges)
    lean = np.interp(np.abs(s), (ends[2], ends[4]), (jaw.lean, -0.05))
    spot, normal = arch_point(jaw.arch, s)
    neck = height * 0.94 - 0.24 * between  # gum line above the biting edge
    rows = []
    for rise, out in (
        (neck + 0.78, -0.04),
        (neck + 0.45, 0.07),
        (neck + 0.16, 0.09),
        (neck, 0.045),
        (neck - 0.01, -0.06),
        (neck + 0.06, -depth + 0.02),
        (neck + 0.30, -depth - 0.15),
        (neck + 0.85, -depth - 0.55),
    ):
        flat = spot + (out - lean * rise - 0.05 * between * (rise < neck + 0.2))[:, None] * normal
        rows.append(np.stack([flat[:, 0], edge + jaw.up * rise, flat[:, 1]], 1))
    n = GUM_COLUMNS
    faces = []
    for r in range(GUM_ROWS - 1):
        for k in range(n - 1):
            quad = (r * n + k, (r + 1) * n + k, (r + 1) * n + k + 1, r * n + k + 1)
            faces.append(quad if jaw.up > 0 else quad[::-1])
    return np.concatenate(rows), np.array(faces, np.int32)


TONGUE_AROUND, TONGUE_RINGS = 16, 14
TONGUE_ROOT, TONGUE_TIP = 4.2, 9.92  # z


def tongue() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (vertices, faces, how far forward each vertex lies: 0 root … 1 tip).

    The tip rests behind the lower incisors.
    """
    around, rings = TONGUE_AROUND, TONGUE_RINGS
    turn = np.arange(around) * 2 * np.pi / around
    vertices, forward = [], []
    for k in range(rings):
        t = 1 - (1 - k / (rings - 1)) ** 1.25  # closer together towards the tip
        z = TONGUE_ROOT + (TONGUE_TIP - 0.06 - TONGUE_ROOT) * t
        blunt = np.sqrt(np.clip(1 - (t / 1.012) ** 8, 0, 1))
        half = 1.52 * (1 - 0.28 * t**1.5) * blunt
        thick = (0.80 - 0.46 * t) * blunt
        y = -4.15 + 0.32 * np.sin(np.pi * min(t * 1.05, 1)) + 0.33 * t**2
        groove = 0.10 * np.exp(-((np.cos(turn) / 0.3) ** 2)) * (np.sin(turn) > 1e-9) * (1 - t**3)
        rise = thick * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.85
        vertices.append(np.stack([half * np.cos(turn), y + rise - groove, np.full(around, z)], 1))
        forward += [t] * around
    vertices += [np.array([[0, -4.3, TONGUE_ROOT - 0.3]]), np.array([[0, y, TONGUE_TIP]])]
    forward += [0.0, 1.0]
    faces = []
    for r in range(rings - 1):
        for k in range(around):
            m = (k + 1) % around
            faces.append(
                (r * around + k, r * around + m, (r + 1) * around + m, (r + 1) * around + k)
            )
    back, tip = rings * around, rings * around + 1
    for k in range(around):
        faces.append(((k + 1) % around, k, back, -1))
        faces.append(((rings - 1) * around + k, (rings - 1) * around + (k + 1) % around, tip, -1))
    return np.concatenate(vertices), np.array(faces, np.int32), np.array(forward)
