"""Lips, cheeks and nose. One-sided shapes are given for the left; centimetres throughout."""

from __future__ import annotations

import numpy as np

from ..cage import LID_L
from .fields import Fields, rotation, smoothstep

NOSE_STILL = (1, 4, 5, 2, 94, 195, 197, 6, 168)
EYES_STILL = LID_L + (253, 252, 254, 339, 256)


def lip_shape(
    fields: Fields,
    along,
    others: dict | None = None,
    still=(),
    reach: float = 3.0,
    mirror_others: bool = False,
    even: bool = False,
    closed: bool = False,
    gain: float = 1.0,
) -> np.ndarray:
    """V×3 offsets: `along(side, place, ring, point)` → offset of each lip vertex; others: measured point → offset; the rest follows smoothly.
    even: symmetric; closed: the lips stay on each other; gain: how much of the handles' offsets (sized by ICT-FaceKit's shapes, for exchange).
    """
    handles = {
        v: np.array(along(side, place, min(ring, 5), fields.cage[v]), float)
        for v, (side, place, ring) in fields.lips.items()
    }
    for v, d in (others or {}).items():
        handles[v] = np.array(d, float)
        if mirror_others:
            handles[int(fields.mirror[v])] = np.array(d, float) * [-1, 1, 1]
    for v in still:
        for k in (v, int(fields.mirror[v])):
            handles.setdefault(k, np.zeros(3))
    for depth, follow in ((2, 0.35), (3, 0.08)):
        for k, v in enumerate(fields.inner_rings[depth]):
            handles[v] = follow * handles[fields.inner_rings[0][k]]
    for ring in fields.inner_rings[4:]:
        handles.update({v: np.zeros(3) for v in ring})
    out = fields.on_skin(fields.spread(handles, reach)) * gain
    out = fields.even(out) if even else out
    out = fields.off_lips(fields.off_teeth(fields.off_eyes(out)))
    return fields.seamed(out) if closed else out


def smile(f: Fields) -> np.ndarray:
    pull = np.array([0.72, 0.98, -0.78])

    def along(side, place, ring, p):
        s = max((place + 0.25) / 1.25, 0) ** 1.35
        thin = (0.05 if side > 0 else -0.03) * (ring < 2) * s
        return pull * s + (0, thin, 0)

    others = {
        287: (0.66, 0.90, -0.52),
        410: (0.58, 0.80, -0.22),
        436: (0.52, 0.74, 0.02),
        432: (0.62, 0.72, -0.28),
        426: (0.36, 0.58, 0.18),
        322: (0.44, 0.62, -0.10),
        425: (0.22, 0.46, 0.32),
        427: (0.42, 0.62, 0.14),
        411: (0.34, 0.46, 0.10),
        434: (0.46, 0.48, -0.10),
        416: (0.28, 0.30, 0.0),
        422: (0.50, 0.48, -0.22),
        430: (0.30, 0.26, -0.05),
        273: (0.50, 0.55, -0.4),
        335: (0.34, 0.34, -0.2),
        424: (0.28, 0.24, -0.08),
        266: (0.16, 0.38, 0.28),
        280: (0.12, 0.36, 0.26),
        330: (0.06, 0.26, 0.20),
        347: (0.0, 0.20, 0.12),
        346: (-0.02, 0.18, 0.08),
        348: (0, 0.14, 0.08),
        423: (0.20, 0.34, 0.04),
        391: (0.16, 0.22, -0.08),
        371: (0.06, 0.2, 0.1),
        327: (0.10, 0.08, -0.03),
        358: (0.14, 0.12, -0.04),
        294: (0.12, 0.1, -0.04),
        376: (0.16, 0.22, 0.0),
        352: (0.08, 0.20, 0.08),
        18: (0.0, 0.06, 0),
        164: (0.02, 0.05, -0.03),
        2: (0, 0, 0),
        1: (0, 0, 0),
        449: (0, 0.10, 0.03),
        450: (0, 0.08, 0.03),
        448: (0, 0.09, 0.02),
    }
    return lip_shape(f, along, others, EYES_STILL, closed=True, gain=1.16)


def frown(f: Fields) -> np.ndarray:
    pull = np.array([0.21, -0.66, -0.20])

    def along(side, place, ring, p):
        return pull * max((place + 0.1) / 1.1, 0) ** 1.8

    others = {
        287: (0.24, -0.70, -0.12),
        432: (0.16, -0.48, 0.0),
        410: (0.20, -0.58, -0.08),
        436: (0.12, -0.32, -0.02),
        422: (0.14, -0.36, 0.08),
        273: (0.14, -0.40, 0.06),
        426: (0.06, -0.16, -0.05),
        322: (0.08, -0.24, -0.08),
        424: (0.06, -0.18, 0.08),
        335: (0.06, -0.2, 0.06),
        434: (0.06, -0.16, 0.02),
        427: (0.05, -0.12, -0.02),
        18: (0, 0.05, 0.03),
        200: (0, 0.08, 0.06),
        431: (0, -0.05, 0.03),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152, 377, 280, 330), closed=True)


def dimple(f: Fields) -> np.ndarray:
    pull = np.array([0.50, 0.24, -0.84])

    def along(side, place, ring, p):
        return pull * max((place + 0.1) / 1.1, 0) ** 1.7 + (
            0,
            -side * 0.05 * (ring < 2) * max(place, 0),
            0,
        )

    others = {
        287: (0.30, 0.22, -0.92),
        410: (0.28, 0.20, -0.42),
        273: (0.26, 0.18, -0.46),
        436: (0.16, 0.16, 0.10),
        432: (0.14, 0.14, 0.08),
        422: (0.10, 0.10, 0.0),
        322: (0.1, 0.1, -0.08),
        426: (0.04, 0.08, 0.08),
        434: (0.04, 0.06, 0.08),
        427: (0.04, 0.08, 0.08),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152, 280, 200), closed=True)


def stretch(f: Fields) -> np.ndarray:
    pull = np.array([0.72, -0.32, -0.62])

    def along(side, place, ring, p):
        s = max((place + 0.25) / 1.25, 0) ** 1.3
        return pull * s + (0, (-0.05 if side > 0 else 0.05) * (ring < 3) * s, 0)

    others = {
        287: (0.64, -0.32, -0.40),
        410: (0.50, -0.20, -0.24),
        436: (0.40, -0.10, 0.0),
        432: (0.50, -0.22, -0.12),
        422: (0.44, -0.30, -0.12),
        273: (0.46, -0.32, -0.28),
        322: (0.32, -0.1, -0.14),
        426: (0.18, -0.05, 0.03),
        424: (0.26, -0.22, -0.06),
        335: (0.30, -0.22, -0.15),
        434: (0.32, -0.12, 0.0),
        430: (0.22, -0.16, 0.0),
        427: (0.22, -0.05, 0.05),
        416: (0.18, -0.05, 0.03),
        431: (0.10, -0.1, 0),
        364: (0.14, -0.05, 0),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152, 280, 330, 425), closed=True)


def upper_up(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        bell = np.exp(-(((place - 0.42) / 0.50) ** 2))
        if side > 0:
            return np.array([0.06, 0.62, 0.06 - 0.16 * (ring >= 3)]) * bell
        return (
            np.array([0.02, 0.10, -0.04]) * smoothstep(place, 0.5, 1.0)
            if side == 0
            else np.zeros(3)
        )

    others = {
        391: (0.08, 0.50, 0.06),
        393: (0.03, 0.32, 0.03),
        164: (0, 0.18, 0.0),
        322: (0.08, 0.44, 0.10),
        423: (0.06, 0.42, 0.08),
        426: (0.07, 0.30, 0.12),
        327: (0.10, 0.16, -0.02),
        326: (0.02, 0.08, 0),
        358: (0.14, 0.22, -0.02),
        294: (0.12, 0.2, -0.02),
        266: (0.03, 0.26, 0.14),
        371: (0.04, 0.22, 0.08),
        425: (0.04, 0.22, 0.12),
        410: (0.06, 0.22, 0.02),
        436: (0.05, 0.20, 0.05),
        330: (0.0, 0.14, 0.08),
        279: (0.06, 0.12, 0),
        287: (0.02, 0.08, 0),
        18: (0, 0, 0),
    }
    return lip_shape(f, along, others, NOSE_STILL[:-1] + (2, 152) + EYES_STILL, gain=1.32)


def lower_down(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        bell = np.exp(-(((place - 0.40) / 0.48) ** 2))
        if side < 0:
            return np.array([0.05, -0.58, -0.08 - 0.04 * (ring >= 3)]) * bell
        return (
            np.array([0.02, -0.08, -0.02]) * smoothstep(place, 0.5, 1.0)
            if side == 0
            else np.zeros(3)
        )

    others = {
        406: (0.05, -0.42, 0.02),
        313: (0.02, -0.36, 0.02),
        18: (0, -0.24, 0.02),
        335: (0.06, -0.36, 0.0),
        418: (0.03, -0.22, 0.02),
        424: (0.05, -0.26, 0.02),
        421: (0.01, -0.16, 0.01),
        200: (0, -0.1, 0),
        422: (0.04, -0.18, 0),
        273: (0.06, -0.24, 0),
        262: (0, -0.08, 0),
        431: (0.02, -0.1, 0),
        287: (0.0, -0.06, 0),
        164: (0, 0, 0),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152, 377))


def press(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        s = smoothstep(place, -0.35, 0.35)
        thin = {0: 0.19, 1: 0.26, 2: 0.09, 3: 0.0, 4: 0.0, 5: 0.0}[ring]
        thin *= 1 - max(place, 0) ** 2.2
        rise = 0.05
        back = {0: -0.03, 1: -0.11, 2: -0.14, 3: -0.10, 4: -0.05, 5: 0.0}[ring]
        if side > 0:
            return np.array([0.02 * place, rise - thin * 0.95, back]) * s
        if side < 0:
            return np.array([0.02 * place, rise + thin * 1.15, back]) * s
        return np.array([0.04, rise + 0.08, -0.10]) * s

    others = {
        18: (0, 0.06, 0.05),
        313: (0.0, 0.14, 0.06),
        406: (0.0, 0.14, 0.06),
        200: (0, 0.08, 0.06),
        421: (0, 0.14, 0.06),
        418: (0, 0.14, 0.05),
        164: (0, -0.03, 0),
        393: (0, -0.05, 0.02),
        391: (0, -0.04, 0.03),
        287: (0.08, 0.1, -0.14),
        410: (0.03, 0.06, 0.06),
        273: (0.02, 0.1, 0.08),
        436: (0.04, 0.06, 0.14),
        432: (0.05, 0.08, 0.13),
        335: (0, 0.12, 0.05),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152, 280), closed=True)


def roll_lower(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = max(1 - 1.12 * place**2, 0)
        if side < 0:
            d = {
                0: (0.42, -0.36),
                1: (0.74, -0.30),
                2: (0.16, -0.28),
                3: (-0.36, -0.26),
                4: (-0.52, -0.20),
                5: (-0.50, -0.04),
            }[ring]  # over the top and down behind
            return np.array([-0.03 * place, d[0], d[1]]) * a
        if side > 0:
            d = {
                0: (-0.03, -0.05),
                1: (-0.05, -0.08),
                2: (-0.04, -0.10),
                3: (0.0, -0.10),
                4: (0.02, -0.06),
                5: (0, 0),
            }[ring]
            return np.array([0, d[0], d[1]]) * a
        return np.array([0, 0.02, -0.10])

    others = {
        18: (0, 0.22, 0.04),
        313: (0, 0.22, 0.04),
        406: (0, 0.18, 0.03),
        200: (0, 0.12, 0.06),
        421: (0, 0.11, 0.05),
        335: (0, 0.12, 0.0),
        164: (0, -0.02, 0),
        287: (-0.02, 0.02, -0.04),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152,), mirror_others=True, even=True)


def roll_upper(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = max(1 - 1.12 * place**2, 0)
        if side > 0:
            d = {
                0: (-0.34, -0.34),
                1: (-0.60, -0.28),
                2: (-0.14, -0.28),
                3: (0.34, -0.26),
                4: (0.48, -0.20),
                5: (0.46, -0.04),
            }[ring]
            return np.array([-0.03 * place, d[0], d[1]]) * a
        if side < 0:
            d = {
                0: (0.03, -0.05),
                1: (0.05, -0.08),
                2: (0.04, -0.10),
                3: (0.0, -0.10),
                4: (-0.02, -0.06),
                5: (0, 0),
            }[ring]
            return np.array([0, d[0], d[1]]) * a
        return np.array([0, 0.0, -0.10])

    others = {
        164: (0, -0.20, -0.10),
        393: (0, -0.22, -0.10),
        391: (0, -0.16, -0.04),
        322: (0, -0.08, -0.02),
        18: (0, 0.02, 0),
        326: (0, -0.06, -0.03),
        2: (0, -0.04, -0.03),
        287: (-0.02, 0, -0.04),
    }
    return lip_shape(
        f, along, others, NOSE_STILL[:3] + NOSE_STILL[4:] + (152,), mirror_others=True, even=True
    )


def shrug_lower(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = 1 - 0.8 * abs(place) ** 2
        if side < 0:
            out = {0: 0.42, 1: 0.44, 2: 0.34, 3: 0.20, 4: 0.10, 5: 0.0}[ring]
            return np.array([0, 0.62 - 0.06 * ring, out]) * a
        if side > 0:
            up = {0: 0.26, 1: 0.30, 2: 0.40, 3: 0.44, 4: 0.42, 5: 0.30}[ring]
            return np.array([0, up, 0.20 if ring < 4 else 0.08]) * a
        return np.array([0, 0.08, 0.08])

    others = {
        18: (0, 0.68, 0.30),
        313: (0, 0.66, 0.30),
        406: (0, 0.54, 0.26),
        200: (0, 0.66, 0.26),
        421: (0, 0.62, 0.26),
        418: (0, 0.5, 0.22),
        199: (0, 0.62, 0.16),
        428: (0, 0.56, 0.16),
        262: (0, 0.42, 0.12),
        175: (0, 0.5, 0.12),
        396: (0, 0.44, 0.12),
        152: (0, 0.56, 0.24),
        377: (0, 0.50, 0.22),
        335: (0, 0.30, 0.18),
        424: (0, 0.28, 0.14),
        431: (0, 0.28, 0.1),
        369: (0, 0.3, 0.1),
        164: (0, 0.14, 0.08),
        393: (0, 0.14, 0.08),
        391: (0, 0.08, 0.05),
        287: (-0.02, 0.02, 0.02),
        400: (0, 0.36, 0.16),
        378: (0, 0.18, 0.08),
        395: (0, 0.22, 0.08),
    }
    return lip_shape(f, along, others, NOSE_STILL, mirror_others=True, even=True, gain=1.2)


def shrug_upper(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = 1 - 0.75 * abs(place) ** 2
        if side > 0:
            up = {0: 0.44, 1: 0.40, 2: 0.36, 3: 0.36, 4: 0.30, 5: 0.15}[ring]
            return np.array([0, up, 0.24 - 0.03 * ring]) * a
        if side < 0:
            return (
                np.array(
                    [
                        0,
                        {0: 0.05, 1: 0.10, 2: 0.22, 3: 0.34, 4: 0.30, 5: 0.12}[ring],
                        {0: 0.02, 1: 0.05, 2: 0.12, 3: 0.15, 4: 0.10, 5: 0}[ring],
                    ]
                )
                * a
            )
        return np.array([0, 0.09, 0.06])

    others = {
        164: (0, 0.36, 0.12),
        393: (0.02, 0.34, 0.12),
        391: (0.03, 0.26, 0.10),
        322: (0.02, 0.18, 0.07),
        2: (0, 0.16, 0.04),
        326: (0.01, 0.16, 0.03),
        327: (0.06, 0.12, 0.0),
        358: (0.06, 0.10, 0.0),
        423: (0.03, 0.14, 0.05),
        1: (0, 0.05, 0),
        94: (0, 0.10, 0.03),
        18: (0, 0.02, 0),
    }
    return lip_shape(
        f, along, others, (5, 195, 197, 152, 200), mirror_others=True, even=True, closed=True
    )


def round_lips(
    f: Fields, narrow: float, forward: float, part: float, corner_forward: float, flare: float
) -> np.ndarray:
    """Pucker and funnel: corners to the middle, lips forward, parted by ±part, border turned out by flare."""

    def along(side, place, ring, p):
        a = abs(place)
        dx = -narrow * np.sign(place) * (0.10 * a + 0.90 * a**1.4)
        dz = forward * (1 - a**2) + corner_forward * a**2
        lip = {0: 0.66, 1: 0.92, 2: 1.05, 3: 1.05, 4: 0.90, 5: 0.45}[ring]
        turn = {0: 0.35, 1: 0.75, 2: 1.0, 3: 1.0, 4: 0.8, 5: 0.4}[ring]
        open_ = part * max(1 - a**1.6, 0) ** 0.65 * side
        return np.array(
            [
                dx,
                open_ * turn
                + flare * side * (1 - a**2) * {0: -0.1, 1: 0.5, 2: 0.6, 3: 0.2, 4: 0.1, 5: 0}[ring]
                + 0.06,
                dz * lip,
            ]
        )

    k = forward
    others = {
        287: (-narrow * 0.78, 0.06, corner_forward * 0.75),
        410: (-narrow * 0.58, 0.08, 0.40 * k),
        273: (-narrow * 0.55, 0.05, 0.40 * k),
        436: (-narrow * 0.48, 0.08, 0.24 * k),
        432: (-narrow * 0.55, 0.08, 0.28 * k),
        422: (-narrow * 0.42, 0.05, 0.28 * k),
        322: (-narrow * 0.30, 0.07, 0.34 * k),
        426: (-narrow * 0.22, 0.08, 0.16 * k),
        391: (-0.03, 0.08, 0.34 * k),
        393: (0, 0.10, 0.40 * k),
        164: (0, 0.10, 0.36 * k),
        18: (0, -0.02, 0.34 * k),
        313: (0, -0.02, 0.34 * k),
        406: (-0.04, 0, 0.34 * k),
        335: (-narrow * 0.25, 0.02, 0.34 * k),
        418: (-0.02, 0.03, 0.20 * k),
        424: (-narrow * 0.20, 0.04, 0.2 * k),
        200: (0, 0.04, 0.14 * k),
        421: (0, 0.04, 0.14 * k),
        434: (-narrow * 0.35, 0.05, 0.08 * k),
        427: (-narrow * 0.2, 0.06, 0.08 * k),
        430: (-narrow * 0.22, 0.04, 0.08 * k),
        327: (-0.02, 0.02, 0.04),
        2: (0, 0.02, 0.02),
    }
    return lip_shape(
        f,
        along,
        others,
        NOSE_STILL[:3] + NOSE_STILL[4:] + (152, 280, 330),
        mirror_others=True,
        even=True,
        closed=part == 0,
    )


def sideways(f: Fields) -> np.ndarray:
    turn = rotation('y', 13.0)
    pivot = np.array([0, 0, 4.6])

    def slide(p, share):
        return ((p - pivot) @ turn.T + pivot - p) * share

    def along(side, place, ring, p):
        share = 1.0 - 0.42 * max(place, 0) ** 2
        return slide(p, share) + (
            0,
            0.10 * max(place, 0) ** 2,
            -0.04 * max(place, 0) ** 2 + 0.26 + 0.7 * max(-place, 0) ** 2,
        )  # over the teeth

    others = {}
    for v, a, b in (
        (287, 0.50, 0.95),
        (410, 0.52, 0.80),
        (273, 0.52, 0.85),
        (436, 0.34, 0.62),
        (432, 0.34, 0.72),
        (422, 0.38, 0.64),
        (322, 0.48, 0.62),
        (426, 0.2, 0.36),
        (391, 0.48, 0.5),
        (393, 0.52, 0.52),
        (335, 0.56, 0.66),
        (406, 0.62, 0.64),
        (313, 0.62, 0.62),
        (424, 0.36, 0.44),
        (418, 0.36, 0.38),
        (434, 0.2, 0.42),
        (427, 0.16, 0.32),
        (421, 0.28, 0.28),
        (423, 0.24, 0.28),
        (327, 0.22, 0.24),
        (430, 0.18, 0.26),
    ):
        others[v] = slide(f.cage[v], a)
        r = int(f.mirror[v])
        others[r] = slide(f.cage[r], b) + (0, 0, 0.55 * max(b - 0.45, 0))
    for v, a in (
        (164, 0.52),
        (18, 0.60),
        (200, 0.26),
        (2, 0.20),
        (152, 0.06),
        (199, 0.15),
        (1, 0.08),
    ):
        others[v] = slide(f.cage[v], a)
    return lip_shape(f, along, others, (5, 195, 197, 280, 330, 6), closed=True)


def puff(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        s = float(smoothstep(place, -0.6, 1.0))
        out = {0: 0.62, 1: 0.54, 2: 0.46, 3: 0.44, 4: 0.42, 5: 0.35}[ring] + 0.35 * max(
            place, 0
        ) ** 2
        return np.array([-0.12 * max(place, 0), 0.08, out]) * s

    others = {
        432: (0.46, 0.06, 1.12),
        436: (0.44, 0.12, 1.16),
        287: (0.12, 0.10, 1.10),
        427: (0.66, 0.10, 1.02),
        434: (0.72, 0.02, 1.0),
        426: (0.28, 0.14, 0.92),
        410: (0.12, 0.14, 1.0),
        422: (0.34, 0.0, 1.0),
        416: (0.72, 0.02, 0.68),
        411: (0.70, 0.08, 0.66),
        425: (0.30, 0.12, 0.58),
        322: (0.10, 0.10, 0.60),
        273: (0.10, 0.06, 0.92),
        430: (0.46, -0.06, 0.70),
        424: (0.18, -0.02, 0.60),
        335: (0.08, 0.0, 0.48),
        376: (0.44, 0.04, 0.32),
        433: (0.44, 0.02, 0.30),
        367: (0.40, 0, 0.26),
        364: (0.40, -0.06, 0.34),
        391: (0.02, 0.05, 0.30),
        423: (0.06, 0.08, 0.32),
        394: (0.28, -0.08, 0.30),
        431: (0.10, -0.04, 0.24),
        406: (0.0, 0.02, 0.25),
        352: (0.14, 0.02, 0.16),
        280: (0.08, 0.06, 0.22),
        266: (0.08, 0.08, 0.28),
        164: (0, 0, 0.06),
        18: (0, 0, 0.1),
        200: (0, 0, 0.04),
        435: (0.2, 0, 0.1),
        401: (0.12, 0, 0.06),
        397: (0.14, -0.03, 0.1),
        365: (0.1, -0.04, 0.1),
    }
    return lip_shape(f, along, others, NOSE_STILL + (152, 347, 346) + EYES_STILL, closed=True)


def sneer(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        bell = np.exp(-(((place - 0.35) / 0.42) ** 2))
        return (
            np.array([0.02, 0.42, 0.03]) * bell
            if side > 0
            else np.array([0, 0.06, 0]) * bell * (side == 0)
        )

    others = {
        358: (0.06, 0.52, 0.02),
        279: (0.03, 0.56, 0.04),
        294: (0.07, 0.46, 0.0),
        327: (0.05, 0.40, 0.0),
        331: (0.05, 0.54, 0.02),
        278: (0.05, 0.5, 0.03),
        344: (0.02, 0.34, 0.05),
        360: (0.0, 0.46, 0.06),
        429: (0.0, 0.5, 0.08),
        420: (-0.02, 0.44, 0.10),
        371: (-0.01, 0.52, 0.14),
        355: (-0.03, 0.46, 0.12),
        437: (-0.03, 0.34, 0.12),
        399: (-0.02, 0.28, 0.10),
        456: (0.0, 0.3, 0.06),
        363: (0.0, 0.3, 0.05),
        440: (0.0, 0.2, 0.04),
        391: (0.04, 0.44, 0.06),
        423: (0.02, 0.46, 0.14),
        266: (-0.02, 0.44, 0.20),
        329: (-0.04, 0.36, 0.14),
        330: (-0.03, 0.30, 0.15),
        343: (-0.03, 0.22, 0.09),
        412: (-0.02, 0.18, 0.08),
        326: (0.02, 0.14, 0),
        393: (0.01, 0.26, 0.03),
        322: (0.03, 0.34, 0.08),
        426: (0.02, 0.28, 0.12),
        425: (-0.02, 0.22, 0.10),
        277: (-0.03, 0.26, 0.10),
        349: (-0.02, 0.20, 0.08),
        350: (-0.02, 0.14, 0.06),
        348: (-0.02, 0.16, 0.07),
        351: (-0.02, 0.06, 0.05),
        419: (0, 0.12, 0.05),
        248: (0, 0.14, 0.04),
        281: (0, 0.16, 0.03),
        4: (0, 0.06, 0),
        1: (0, 0.06, 0),
        5: (0, 0.08, 0.01),
        195: (0, 0.08, 0.02),
        197: (0, 0.05, 0.02),
        6: (0, -0.04, 0.02),
        168: (0, -0.14, 0.05),
        417: (-0.05, -0.16, 0.07),
        285: (-0.10, -0.24, 0.09),
        8: (0, -0.16, 0.05),
        336: (-0.10, -0.22, 0.08),
        295: (-0.10, -0.22, 0.08),
        296: (-0.08, -0.18, 0.06),
        441: (-0.05, -0.10, 0.04),
        458: (0.03, 0.34, 0.02),
        459: (0.02, 0.32, 0.03),
        309: (0.02, 0.36, 0.03),
        392: (0.05, 0.42, 0.02),
        289: (0.05, 0.4, 0.01),
        305: (0.04, 0.36, 0.01),
        290: (0.03, 0.3, 0.01),
        250: (0.02, 0.28, 0.01),
        436: (0.02, 0.18, 0.05),
        410: (0.03, 0.2, 0.02),
        164: (0, 0.12, 0),
        2: (0, 0.06, 0),
    }
    return lip_shape(f, along, others, EYES_STILL + (151, 152), gain=1.5)


def shapes(f: Fields) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(left-side shapes by name without _L, symmetric and sideways shapes by their whole name)."""
    sided = {
        'mouthSmile': smile(f),
        'mouthFrown': frown(f),
        'mouthDimple': dimple(f),
        'mouthStretch': stretch(f),
        'mouthUpperUp': upper_up(f),
        'mouthLowerDown': lower_down(f),
        'mouthPress': press(f),
        'cheekPuff': puff(f),
        'noseSneer': sneer(f),
    }
    whole = {
        'mouthRollLower': roll_lower(f),
        'mouthRollUpper': roll_upper(f),
        'mouthShrugLower': shrug_lower(f),
        'mouthShrugUpper': shrug_upper(f),
        'mouthPucker': round_lips(f, 0.86, 0.95, 0.0, 0.66, 0.05),
        'mouthFunnel': round_lips(f, 0.80, 0.80, 0.56, 0.50, 0.16),
        'mouthLeft': sideways(f),
    }
    return sided, whole
