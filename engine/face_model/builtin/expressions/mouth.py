"""Lips, cheeks and nose. One-sided shapes are given for the left; centimetres throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ....core.smoothstep import smoothstep
from ..cage import LID_L
from .fields import Fields, rotation
from .handles import HANDLES, Offset

NOSE_STILL = (1, 4, 5, 2, 94, 195, 197, 6, 168)
EYES_STILL = LID_L + (253, 252, 254, 339, 256)

LipMotion = Callable[[int, float, int, np.ndarray], np.ndarray]


def lip_shape(
    fields: Fields,
    along: LipMotion,
    others: Mapping[int, Offset],
    still: tuple[int, ...] = (),
    mirror_others: bool = False,
    even: bool = False,
    closed: bool = False,
    gain: float = 1.0,
) -> np.ndarray:
    """Make a shape of the lips: V×3 offsets (cm).

    along: (side, place, ring, point) of a lip's cage vertex, as `Fields.lips` says → its offset.
    others: measured point off the lips → its offset; with mirror_others its mirror image's too.
    still: measured points that stay, on both sides. The rest of the skin follows smoothly.
    even: make it symmetric. closed: the lips stay on each other.
    gain: how much of the handles' offsets (sized by ICT-FaceKit's shapes, for exchange with them).
    """
    handles = {
        v: np.array(along(side, place, min(ring, 5), fields.cage[v]), float)
        for v, (side, place, ring) in fields.lips.items()
    }
    for v, d in others.items():
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
    out = fields.on_skin(fields.spread(handles)) * gain
    out = fields.even(out) if even else out
    out = fields.off_lips(fields.off_teeth(fields.off_eyes(out)))
    return fields.with_lips_sealed(out) if closed else out


def smile(f: Fields) -> np.ndarray:
    """Make mouthSmile."""
    pull = np.array([0.72, 0.98, -0.78])

    def along(side, place, ring, p):
        s = max((place + 0.25) / 1.25, 0) ** 1.35
        thin = (0.05 if side > 0 else -0.03) * (ring < 2) * s
        return pull * s + (0, thin, 0)

    return lip_shape(f, along, others=HANDLES['smile'], still=EYES_STILL, closed=True, gain=1.16)


def frown(f: Fields) -> np.ndarray:
    """Make mouthFrown."""
    pull = np.array([0.21, -0.66, -0.20])

    def along(side, place, ring, p):
        return pull * max((place + 0.1) / 1.1, 0) ** 1.8

    return lip_shape(
        f, along, others=HANDLES['frown'], still=NOSE_STILL + (152, 377, 280, 330), closed=True
    )


def dimple(f: Fields) -> np.ndarray:
    """Make mouthDimple."""
    pull = np.array([0.50, 0.24, -0.84])

    def along(side, place, ring, p):
        return pull * max((place + 0.1) / 1.1, 0) ** 1.7 + (
            0,
            -side * 0.05 * (ring < 2) * max(place, 0),
            0,
        )

    return lip_shape(
        f, along, others=HANDLES['dimple'], still=NOSE_STILL + (152, 280, 200), closed=True
    )


def stretch(f: Fields) -> np.ndarray:
    """Make mouthStretch."""
    pull = np.array([0.72, -0.32, -0.62])

    def along(side, place, ring, p):
        s = max((place + 0.25) / 1.25, 0) ** 1.3
        return pull * s + (0, (-0.05 if side > 0 else 0.05) * (ring < 3) * s, 0)

    return lip_shape(
        f, along, others=HANDLES['stretch'], still=NOSE_STILL + (152, 280, 330, 425), closed=True
    )


def upper_up(f: Fields) -> np.ndarray:
    """Make mouthUpperUp."""

    def along(side, place, ring, p):
        bell = np.exp(-(((place - 0.42) / 0.50) ** 2))
        if side > 0:
            return np.array([0.06, 0.62, 0.06 - 0.16 * (ring >= 3)]) * bell
        return (
            np.array([0.02, 0.10, -0.04]) * smoothstep(place, 0.5, 1.0)
            if side == 0
            else np.zeros(3)
        )

    return lip_shape(
        f,
        along,
        others=HANDLES['upper_up'],
        still=NOSE_STILL[:-1] + (2, 152) + EYES_STILL,
        gain=1.32,
    )


def lower_down(f: Fields) -> np.ndarray:
    """Make mouthLowerDown."""

    def along(side, place, ring, p):
        bell = np.exp(-(((place - 0.40) / 0.48) ** 2))
        if side < 0:
            return np.array([0.05, -0.58, -0.08 - 0.04 * (ring >= 3)]) * bell
        return (
            np.array([0.02, -0.08, -0.02]) * smoothstep(place, 0.5, 1.0)
            if side == 0
            else np.zeros(3)
        )

    return lip_shape(f, along, others=HANDLES['lower_down'], still=NOSE_STILL + (152, 377))


def press(f: Fields) -> np.ndarray:
    """Make mouthPress."""

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

    return lip_shape(f, along, others=HANDLES['press'], still=NOSE_STILL + (152, 280), closed=True)


def roll_lower(f: Fields) -> np.ndarray:
    """Make mouthRollLower."""

    def along(side, place, ring, p):
        a = max(1 - 1.12 * place**2, 0)
        if side < 0:
            # over the top and down behind
            d = {
                0: (0.42, -0.36),
                1: (0.74, -0.30),
                2: (0.16, -0.28),
                3: (-0.36, -0.26),
                4: (-0.52, -0.20),
                5: (-0.50, -0.04),
            }[ring]
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

    return lip_shape(
        f,
        along,
        others=HANDLES['roll_lower'],
        still=NOSE_STILL + (152,),
        mirror_others=True,
        even=True,
    )


def roll_upper(f: Fields) -> np.ndarray:
    """Make mouthRollUpper."""

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

    return lip_shape(
        f,
        along,
        others=HANDLES['roll_upper'],
        still=NOSE_STILL[:3] + NOSE_STILL[4:] + (152,),
        mirror_others=True,
        even=True,
    )


def shrug_lower(f: Fields) -> np.ndarray:
    """Make mouthShrugLower."""

    def along(side, place, ring, p):
        a = 1 - 0.8 * abs(place) ** 2
        if side < 0:
            out = {0: 0.42, 1: 0.44, 2: 0.34, 3: 0.20, 4: 0.10, 5: 0.0}[ring]
            return np.array([0, 0.62 - 0.06 * ring, out]) * a
        if side > 0:
            up = {0: 0.26, 1: 0.30, 2: 0.40, 3: 0.44, 4: 0.42, 5: 0.30}[ring]
            return np.array([0, up, 0.20 if ring < 4 else 0.08]) * a
        return np.array([0, 0.08, 0.08])

    return lip_shape(
        f,
        along,
        others=HANDLES['shrug_lower'],
        still=NOSE_STILL,
        mirror_others=True,
        even=True,
        gain=1.2,
    )


def shrug_upper(f: Fields) -> np.ndarray:
    """Make mouthShrugUpper."""

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

    return lip_shape(
        f,
        along,
        others=HANDLES['shrug_upper'],
        still=(5, 195, 197, 152, 200),
        mirror_others=True,
        even=True,
        closed=True,
    )


def round_lips_handles(narrow: float, forward: float, corner_forward: float) -> dict[int, Offset]:
    """Return where the skin round the lips goes in `round_lips`."""
    k = forward
    return {
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


def round_lips(
    f: Fields, narrow: float, forward: float, part: float, corner_forward: float, flare: float
) -> np.ndarray:
    """Make mouthPucker or mouthFunnel: corners to the middle, lips forward.

    narrow, forward, corner_forward: cm. part: cm, by which the lips part up and down. flare: cm, by
    which their borders turn out.
    """

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

    return lip_shape(
        f,
        along,
        others=round_lips_handles(narrow, forward, corner_forward),
        still=NOSE_STILL[:3] + NOSE_STILL[4:] + (152, 280, 330),
        mirror_others=True,
        even=True,
        closed=part == 0,
    )


# Measured point of the left cheek, lip or chin → shares of the slide: its own, its mirror image's.
# fmt: off
SIDEWAYS = {
    287: (0.50, 0.95), 410: (0.52, 0.80), 273: (0.52, 0.85), 436: (0.34, 0.62), 432: (0.34, 0.72),
    422: (0.38, 0.64), 322: (0.48, 0.62), 426: (0.2, 0.36), 391: (0.48, 0.5), 393: (0.52, 0.52),
    335: (0.56, 0.66), 406: (0.62, 0.64), 313: (0.62, 0.62), 424: (0.36, 0.44), 418: (0.36, 0.38),
    434: (0.2, 0.42), 427: (0.16, 0.32), 421: (0.28, 0.28), 423: (0.24, 0.28), 327: (0.22, 0.24),
    430: (0.18, 0.26),
}
# The same of points on the midline.
SIDEWAYS_MIDDLE = {
    164: 0.52, 18: 0.60, 200: 0.26, 2: 0.20, 152: 0.06, 199: 0.15, 1: 0.08,
}
# fmt: on


def sideways(f: Fields) -> np.ndarray:
    """Make mouthLeft."""
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
    for v, (a, b) in SIDEWAYS.items():
        others[v] = slide(f.cage[v], a)
        r = int(f.mirror[v])
        others[r] = slide(f.cage[r], b) + (0, 0, 0.55 * max(b - 0.45, 0))
    for v, a in SIDEWAYS_MIDDLE.items():
        others[v] = slide(f.cage[v], a)
    return lip_shape(f, along, others=others, still=(5, 195, 197, 280, 330, 6), closed=True)


def puff(f: Fields) -> np.ndarray:
    """Make cheekPuff."""

    def along(side, place, ring, p):
        s = float(smoothstep(place, -0.6, 1.0))
        out = {0: 0.62, 1: 0.54, 2: 0.46, 3: 0.44, 4: 0.42, 5: 0.35}[ring] + 0.35 * max(
            place, 0
        ) ** 2
        return np.array([-0.12 * max(place, 0), 0.08, out]) * s

    return lip_shape(
        f,
        along,
        others=HANDLES['puff'],
        still=NOSE_STILL + (152, 347, 346) + EYES_STILL,
        closed=True,
    )


def sneer(f: Fields) -> np.ndarray:
    """Make noseSneer."""

    def along(side, place, ring, p):
        bell = np.exp(-(((place - 0.35) / 0.42) ** 2))
        return (
            np.array([0.02, 0.42, 0.03]) * bell
            if side > 0
            else np.array([0, 0.06, 0]) * bell * (side == 0)
        )

    return lip_shape(f, along, others=HANDLES['sneer'], still=EYES_STILL + (151, 152), gain=1.5)


def shapes(f: Fields) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (left-side shapes by name without _L, all others by their whole name)."""
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
