"""Shapes that move the jaw, and the one that keeps the lips closed while it opens."""

from __future__ import annotations

import numpy as np

from ....core.smoothstep import smoothstep
from .fields import HINGE, Fields, rotation

OPEN_DEGREES = 20.0  # degrees about the joint's axis
OPEN_SHIFT = (0.0, -0.25, 0.25)  # the joint slides forward and down as it opens
FORWARD_SHIFT, SIDE_SHIFT = (0.0, -0.12, 0.95), (0.58, 0.0, 0.0)

# fmt: off
JAW_LINE = {
    152: 1.0, 377: 1.0, 400: 1.0, 378: 0.98, 379: 0.93, 365: 0.80, 397: 0.60, 288: 0.36, 361: 0.14,
    323: 0.02, 175: 1.0, 396: 1.0, 369: 0.98, 395: 0.95, 394: 0.84, 364: 0.64, 367: 0.42, 435: 0.22,
    401: 0.05, 199: 1.0, 428: 1.0, 262: 0.98, 431: 0.90, 430: 0.76, 434: 0.50, 416: 0.30, 433: 0.12,
    200: 1.0, 421: 1.0, 418: 0.97, 424: 0.86, 422: 0.70, 432: 0.46, 18: 1.0, 313: 1.0, 406: 0.97,
    335: 0.82, 273: 0.64, 287: 0.44,
}
# fmt: on
# fmt: off
SKULL_POINTS = (
    1, 2, 4, 94, 164, 168, 197, 5, 327, 326, 358, 279, 371, 330, 280, 352, 366, 447, 454, 356, 264,
    345, 346, 347, 348,
)
# fmt: on
# fmt: off
CHEEK_WEIGHTS = {
    436: 0.26, 427: 0.20, 411: 0.10, 376: 0.04, 426: 0.10, 425: 0.04, 410: 0.26, 322: 0.12,
    423: 0.03, 391: 0.02, 393: 0.0, 266: 0.0,
}
# fmt: on


def jaw_weights(fields: Fields, closed: bool = False) -> np.ndarray:
    """Return C: how much of the jaw's motion each cage vertex makes.

    closed: with the lips kept together.
    """
    handles = {}
    for table in (JAW_LINE, CHEEK_WEIGHTS, dict.fromkeys(SKULL_POINTS, 0.0)):
        for v, w in table.items():
            handles[v] = handles[int(fields.mirror[v])] = w
    for v, (side, place, ring) in fields.lips.items():
        a = abs(place)
        corner = 0.42
        if closed:
            top = 0.05 + 0.07 * a**2
            corner = 0.12
            w = top if side >= 0 else top + (0.11 * (3 - min(ring, 3)) * (1 - a**2))
            if side >= 0 and ring < 3:
                w = top - 0.01 * (3 - ring) * (1 - a)
        elif side < 0:
            w = corner + (1 - corner) * (1 - a**2.2) ** 0.75
        else:
            w = 0.04 + (corner - 0.04) * a**2.6
        handles[v] = w if side else corner
    for depth, ring in enumerate(fields.inner_rings[2:]):
        for k, v in enumerate(ring):
            # 0 on the bag's roof, 1 on its floor
            down = smoothstep(-np.sin(k * np.pi / 10), -0.3, 0.35)
            handles[v] = down * (1.0, 1.0, 1.0, 0.9, 0.5)[min(depth, 4)]
    parts = fields.cage_parts
    hold = np.unique(
        fields.cage_faces[
            np.isin(
                parts,
                (
                    'cranium',
                    'ear_L',
                    'ear_R',
                    'eye_socket_L',
                    'eye_socket_R',
                    'nostril_L',
                    'nostril_R',
                ),
            )
        ]
    )
    low = np.flatnonzero(fields.cage[:, 1] < -12)
    throat = np.flatnonzero(np.arange(len(fields.cage)) == fields.inner_rings[-1][-1] + 1)
    handles[int(throat[0])] = 0.3
    return fields.spread(
        {k: (v, 0, 0) for k, v in handles.items()},
        4.2,
        hold=[int(k) for k in np.concatenate([hold[hold >= 0], low]) if k not in handles],
    )[:, 0]


def jaw_pieces(fields: Fields) -> np.ndarray:
    """Return V: 1 for what is fixed to the jaw inside the mouth, and the tongue's share."""
    h = fields.head
    out = np.zeros(fields.count)
    for name in ('gums_lower', 'teeth_lower'):
        out[h.pieces[name]] = 1
    t = h.pieces['tongue']
    out[t] = 0.62 + 0.36 * h.forward[t]
    return out


def jaw_motion(
    fields: Fields,
    weights: np.ndarray,
    degrees: float,
    shift,
    axis: str = 'x',
    pieces: np.ndarray | None = None,
) -> np.ndarray:
    """Return offsets of everything that goes with the jaw; each vertex turns by its own share.

    weights: C, the skin's, on the cage. pieces: V, those of what lies in the mouth.
    degrees, axis: of the turn about HINGE. shift: 3, cm.
    """
    skin = fields.head.matrix @ weights
    share = skin if pieces is None else np.where(pieces > 0, pieces, skin)
    out = np.zeros((fields.count, 3))
    rows = np.flatnonzero(np.abs(share) > 1e-5)
    p = fields.neutral[rows] - HINGE
    a = np.radians(degrees) * share[rows]
    c, s = np.cos(a), np.sin(a)
    if axis == 'x':
        turned = np.stack([p[:, 0], p[:, 1] * c - p[:, 2] * s, p[:, 1] * s + p[:, 2] * c], 1)
    else:
        turned = np.stack([p[:, 0] * c + p[:, 2] * s, p[:, 1], -p[:, 0] * s + p[:, 2] * c], 1)
    out[rows] = turned - p + share[rows, None] * np.asarray(shift)
    return out


def open_pose(fields: Fields, closed: bool) -> np.ndarray:
    """Return offsets of the open jaw, the lips parted or kept together."""
    out = jaw_motion(
        fields, jaw_weights(fields, closed), OPEN_DEGREES, OPEN_SHIFT, pieces=jaw_pieces(fields)
    )
    narrow = np.zeros((len(fields.cage), 3))
    if not closed:
        handles = {
            v: (-0.32 * np.sign(place) * abs(place) ** 3, 0, -0.10 * abs(place) ** 3)
            for v, (side, place, ring) in fields.lips.items()
        }
        for v, d in (
            (436, -0.22),
            (432, -0.22),
            (434, -0.30),
            (416, -0.25),
            (427, -0.16),
            (287, -0.3),
            (410, -0.25),
            (422, -0.2),
            (411, -0.12),
            (430, -0.1),
        ):
            handles[v] = (d, 0, -0.05)
            handles[int(fields.mirror[v])] = (-d, 0, -0.05)
        for v in SKULL_POINTS:
            handles[v] = handles[int(fields.mirror[v])] = (0, 0, 0)
        narrow = fields.spread(handles, 3.0)
    return out + fields.on_skin(narrow)


def shapes(fields: Fields) -> dict[str, np.ndarray]:
    """Return jawOpen, jawForward, jawLeft and mouthClose (all with their final names)."""
    turn = rotation('x', OPEN_DEGREES)
    weights, pieces = jaw_weights(fields), jaw_pieces(fields)
    opened = fields.off_teeth(fields.even(open_pose(fields, False)), turn, OPEN_SHIFT)
    together = fields.off_teeth(fields.even(open_pose(fields, True)), turn, OPEN_SHIFT)
    together = fields.off_lips(fields.with_lips_together(together, 1.2))
    side = jaw_motion(fields, weights, 2.0, SIDE_SHIFT, 'y', pieces)
    return {
        'jawOpen': opened,
        'mouthClose': together - opened,
        'jawForward': fields.off_teeth(
            fields.even(jaw_motion(fields, weights, 0.0, FORWARD_SHIFT, pieces=pieces)),
            None,
            FORWARD_SHIFT,
        ),
        'jawLeft': fields.off_lips(
            fields.off_teeth(fields.with_lips_together(side), rotation('y', 2.0), SIDE_SHIFT)
        ),
    }
