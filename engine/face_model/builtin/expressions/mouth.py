"""Lips, cheeks and nose. One-sided shapes are given for the left; centimetres throughout."""
from __future__ import annotations

import numpy as np

from ..cage import LID_L
from .fields import Fields, rotation, smoothstep

NOSE_STILL = (1, 4, 5, 2, 94, 195, 197, 6, 168)
EYES_STILL = LID_L + (253, 252, 254, 339, 256)


def lip_shape(fields: Fields, along, others: dict | None = None, still=(), reach: float = 3.0, mirror_others: bool = False,
              even: bool = False, closed: bool = False, gain: float = 1.) -> np.ndarray:
    """V×3 offsets: `along(side, place, ring, point)` → offset of each lip vertex; others: measured point → offset; the rest follows smoothly.
    even: symmetric; closed: the lips stay on each other; gain: how much of the handles' offsets (sized by ICT-FaceKit's shapes, for exchange).
    """
    handles = {v: np.array(along(side, place, min(ring, 5), fields.cage[v]), float) for v, (side, place, ring) in fields.lips.items()}
    for v, d in (others or {}).items():
        handles[v] = np.array(d, float)
        if mirror_others:
            handles[int(fields.mirror[v])] = np.array(d, float) * [-1, 1, 1]
    for v in still:
        for k in (v, int(fields.mirror[v])):
            handles.setdefault(k, np.zeros(3))
    for depth, follow in ((2, .35), (3, .08)):
        for k, v in enumerate(fields.inner_rings[depth]):
            handles[v] = follow * handles[fields.inner_rings[0][k]]
    for ring in fields.inner_rings[4:]:
        handles.update({v: np.zeros(3) for v in ring})
    out = fields.on_skin(fields.spread(handles, reach)) * gain
    out = fields.even(out) if even else out
    out = fields.off_lips(fields.off_teeth(fields.off_eyes(out)))
    return fields.seamed(out) if closed else out


def smile(f: Fields) -> np.ndarray:
    pull = np.array([.72, .98, -.78])

    def along(side, place, ring, p):
        s = max((place + .25) / 1.25, 0) ** 1.35
        thin = (.05 if side > 0 else -.03) * (ring < 2) * s
        return pull * s + (0, thin, 0)
    others = {287: (.66, .90, -.52), 410: (.58, .80, -.22), 436: (.52, .74, .02), 432: (.62, .72, -.28), 426: (.36, .58, .18), 322: (.44, .62, -.10),
              425: (.22, .46, .32), 427: (.42, .62, .14), 411: (.34, .46, .10), 434: (.46, .48, -.10), 416: (.28, .30, .0), 422: (.50, .48, -.22),
              430: (.30, .26, -.05), 273: (.50, .55, -.4), 335: (.34, .34, -.2), 424: (.28, .24, -.08), 266: (.16, .38, .28), 280: (.12, .36, .26),
              330: (.06, .26, .20), 347: (.0, .20, .12), 346: (-.02, .18, .08), 348: (0, .14, .08), 423: (.20, .34, .04), 391: (.16, .22, -.08),
              371: (.06, .2, .1), 327: (.10, .08, -.03), 358: (.14, .12, -.04), 294: (.12, .1, -.04), 376: (.16, .22, .0), 352: (.08, .20, .08),
              18: (.0, .06, 0), 164: (.02, .05, -.03), 2: (0, 0, 0), 1: (0, 0, 0), 449: (0, .10, .03), 450: (0, .08, .03), 448: (0, .09, .02)}
    return lip_shape(f, along, others, EYES_STILL, closed=True, gain=1.16)


def frown(f: Fields) -> np.ndarray:
    pull = np.array([.21, -.66, -.20])

    def along(side, place, ring, p):
        return pull * max((place + .1) / 1.1, 0) ** 1.8
    others = {287: (.24, -.70, -.12), 432: (.16, -.48, .0), 410: (.20, -.58, -.08), 436: (.12, -.32, -.02), 422: (.14, -.36, .08),
              273: (.14, -.40, .06), 426: (.06, -.16, -.05), 322: (.08, -.24, -.08), 424: (.06, -.18, .08), 335: (.06, -.2, .06),
              434: (.06, -.16, .02), 427: (.05, -.12, -.02), 18: (0, .05, .03), 200: (0, .08, .06), 431: (0, -.05, .03)}
    return lip_shape(f, along, others, NOSE_STILL + (152, 377, 280, 330), closed=True)


def dimple(f: Fields) -> np.ndarray:
    pull = np.array([.50, .24, -.84])

    def along(side, place, ring, p):
        return pull * max((place + .1) / 1.1, 0) ** 1.7 + (0, -side * .05 * (ring < 2) * max(place, 0), 0)
    others = {287: (.30, .22, -.92), 410: (.28, .20, -.42), 273: (.26, .18, -.46), 436: (.16, .16, .10), 432: (.14, .14, .08), 422: (.10, .10, .0),
              322: (.1, .1, -.08), 426: (.04, .08, .08), 434: (.04, .06, .08), 427: (.04, .08, .08)}
    return lip_shape(f, along, others, NOSE_STILL + (152, 280, 200), closed=True)


def stretch(f: Fields) -> np.ndarray:
    pull = np.array([.72, -.32, -.62])

    def along(side, place, ring, p):
        s = max((place + .25) / 1.25, 0) ** 1.3
        return pull * s + (0, (-.05 if side > 0 else .05) * (ring < 3) * s, 0)
    others = {287: (.64, -.32, -.40), 410: (.50, -.20, -.24), 436: (.40, -.10, .0), 432: (.50, -.22, -.12), 422: (.44, -.30, -.12),
              273: (.46, -.32, -.28), 322: (.32, -.1, -.14), 426: (.18, -.05, .03), 424: (.26, -.22, -.06), 335: (.30, -.22, -.15),
              434: (.32, -.12, .0), 430: (.22, -.16, .0), 427: (.22, -.05, .05), 416: (.18, -.05, .03), 431: (.10, -.1, 0), 364: (.14, -.05, 0)}
    return lip_shape(f, along, others, NOSE_STILL + (152, 280, 330, 425), closed=True)


def upper_up(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        bell = np.exp(-((place - .42) / .50) ** 2)
        if side > 0:
            return np.array([.06, .62, .06 - .16 * (ring >= 3)]) * bell
        return np.array([.02, .10, -.04]) * smoothstep(place, .5, 1.) if side == 0 else np.zeros(3)
    others = {391: (.08, .50, .06), 393: (.03, .32, .03), 164: (0, .18, .0), 322: (.08, .44, .10), 423: (.06, .42, .08), 426: (.07, .30, .12),
              327: (.10, .16, -.02), 326: (.02, .08, 0), 358: (.14, .22, -.02), 294: (.12, .2, -.02), 266: (.03, .26, .14), 371: (.04, .22, .08),
              425: (.04, .22, .12), 410: (.06, .22, .02), 436: (.05, .20, .05), 330: (.0, .14, .08), 279: (.06, .12, 0), 287: (.02, .08, 0),
              18: (0, 0, 0)}
    return lip_shape(f, along, others, NOSE_STILL[:-1] + (2, 152) + EYES_STILL, gain=1.32)


def lower_down(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        bell = np.exp(-((place - .40) / .48) ** 2)
        if side < 0:
            return np.array([.05, -.58, -.08 - .04 * (ring >= 3)]) * bell
        return np.array([.02, -.08, -.02]) * smoothstep(place, .5, 1.) if side == 0 else np.zeros(3)
    others = {406: (.05, -.42, .02), 313: (.02, -.36, .02), 18: (0, -.24, .02), 335: (.06, -.36, .0), 418: (.03, -.22, .02), 424: (.05, -.26, .02),
              421: (.01, -.16, .01), 200: (0, -.1, 0), 422: (.04, -.18, 0), 273: (.06, -.24, 0), 262: (0, -.08, 0), 431: (.02, -.1, 0),
              287: (.0, -.06, 0), 164: (0, 0, 0)}
    return lip_shape(f, along, others, NOSE_STILL + (152, 377))


def press(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        s = smoothstep(place, -.35, .35)
        thin = {0: .19, 1: .26, 2: .09, 3: .0, 4: 0., 5: 0.}[ring]
        thin *= 1 - max(place, 0) ** 2.2
        rise = .05
        back = {0: -.03, 1: -.11, 2: -.14, 3: -.10, 4: -.05, 5: 0.}[ring]
        if side > 0:
            return np.array([.02 * place, rise - thin * .95, back]) * s
        if side < 0:
            return np.array([.02 * place, rise + thin * 1.15, back]) * s
        return np.array([.04, rise + .08, -.10]) * s
    others = {18: (0, .06, .05), 313: (.0, .14, .06), 406: (.0, .14, .06), 200: (0, .08, .06), 421: (0, .14, .06), 418: (0, .14, .05),
              164: (0, -.03, 0), 393: (0, -.05, .02), 391: (0, -.04, .03), 287: (.08, .1, -.14), 410: (.03, .06, .06), 273: (.02, .1, .08),
              436: (.04, .06, .14), 432: (.05, .08, .13), 335: (0, .12, .05)}
    return lip_shape(f, along, others, NOSE_STILL + (152, 280), closed=True)


def roll_lower(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = max(1 - 1.12 * place ** 2, 0)
        if side < 0:
            d = {0: (.42, -.36), 1: (.74, -.30), 2: (.16, -.28), 3: (-.36, -.26), 4: (-.52, -.20), 5: (-.50, -.04)}[ring]   # over the top and down behind
            return np.array([-.03 * place, d[0], d[1]]) * a
        if side > 0:
            d = {0: (-.03, -.05), 1: (-.05, -.08), 2: (-.04, -.10), 3: (.0, -.10), 4: (.02, -.06), 5: (0, 0)}[ring]
            return np.array([0, d[0], d[1]]) * a
        return np.array([0, .02, -.10])
    others = {18: (0, .22, .04), 313: (0, .22, .04), 406: (0, .18, .03), 200: (0, .12, .06), 421: (0, .11, .05), 335: (0, .12, .0),
              164: (0, -.02, 0), 287: (-.02, .02, -.04)}
    return lip_shape(f, along, others, NOSE_STILL + (152,), mirror_others=True, even=True)


def roll_upper(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = max(1 - 1.12 * place ** 2, 0)
        if side > 0:
            d = {0: (-.34, -.34), 1: (-.60, -.28), 2: (-.14, -.28), 3: (.34, -.26), 4: (.48, -.20), 5: (.46, -.04)}[ring]
            return np.array([-.03 * place, d[0], d[1]]) * a
        if side < 0:
            d = {0: (.03, -.05), 1: (.05, -.08), 2: (.04, -.10), 3: (.0, -.10), 4: (-.02, -.06), 5: (0, 0)}[ring]
            return np.array([0, d[0], d[1]]) * a
        return np.array([0, .0, -.10])
    others = {164: (0, -.20, -.10), 393: (0, -.22, -.10), 391: (0, -.16, -.04), 322: (0, -.08, -.02), 18: (0, .02, 0), 326: (0, -.06, -.03),
              2: (0, -.04, -.03), 287: (-.02, 0, -.04)}
    return lip_shape(f, along, others, NOSE_STILL[:3] + NOSE_STILL[4:] + (152,), mirror_others=True, even=True)


def shrug_lower(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = 1 - .8 * abs(place) ** 2
        if side < 0:
            out = {0: .42, 1: .44, 2: .34, 3: .20, 4: .10, 5: .0}[ring]
            return np.array([0, .62 - .06 * ring, out]) * a
        if side > 0:
            up = {0: .26, 1: .30, 2: .40, 3: .44, 4: .42, 5: .30}[ring]
            return np.array([0, up, .20 if ring < 4 else .08]) * a
        return np.array([0, .08, .08])
    others = {18: (0, .68, .30), 313: (0, .66, .30), 406: (0, .54, .26), 200: (0, .66, .26), 421: (0, .62, .26), 418: (0, .5, .22),
              199: (0, .62, .16), 428: (0, .56, .16), 262: (0, .42, .12), 175: (0, .5, .12), 396: (0, .44, .12), 152: (0, .56, .24),
              377: (0, .50, .22), 335: (0, .30, .18), 424: (0, .28, .14), 431: (0, .28, .1), 369: (0, .3, .1), 164: (0, .14, .08),
              393: (0, .14, .08), 391: (0, .08, .05), 287: (-.02, .02, .02), 400: (0, .36, .16), 378: (0, .18, .08), 395: (0, .22, .08)}
    return lip_shape(f, along, others, NOSE_STILL, mirror_others=True, even=True, gain=1.2)


def shrug_upper(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        a = 1 - .75 * abs(place) ** 2
        if side > 0:
            up = {0: .44, 1: .40, 2: .36, 3: .36, 4: .30, 5: .15}[ring]
            return np.array([0, up, .24 - .03 * ring]) * a
        if side < 0:
            return np.array([0, {0: .05, 1: .10, 2: .22, 3: .34, 4: .30, 5: .12}[ring], {0: .02, 1: .05, 2: .12, 3: .15, 4: .10, 5: 0}[ring]]) * a
        return np.array([0, .09, .06])
    others = {164: (0, .36, .12), 393: (.02, .34, .12), 391: (.03, .26, .10), 322: (.02, .18, .07), 2: (0, .16, .04), 326: (.01, .16, .03),
              327: (.06, .12, .0), 358: (.06, .10, .0), 423: (.03, .14, .05), 1: (0, .05, 0), 94: (0, .10, .03), 18: (0, .02, 0)}
    return lip_shape(f, along, others, (5, 195, 197, 152, 200), mirror_others=True, even=True, closed=True)


def round_lips(f: Fields, narrow: float, forward: float, part: float, corner_forward: float, flare: float) -> np.ndarray:
    """Pucker and funnel: corners to the middle, lips forward, parted by ±part, border turned out by flare."""
    def along(side, place, ring, p):
        a = abs(place)
        dx = -narrow * np.sign(place) * (.10 * a + .90 * a ** 1.4)
        dz = forward * (1 - a ** 2) + corner_forward * a ** 2
        lip = {0: .66, 1: .92, 2: 1.05, 3: 1.05, 4: .90, 5: .45}[ring]
        turn = {0: .35, 1: .75, 2: 1., 3: 1., 4: .8, 5: .4}[ring]
        open_ = part * max(1 - a ** 1.6, 0) ** .65 * side
        return np.array([dx, open_ * turn + flare * side * (1 - a ** 2) * {0: -.1, 1: .5, 2: .6, 3: .2, 4: .1, 5: 0}[ring] + .06, dz * lip])
    k = forward
    others = {287: (-narrow * .78, .06, corner_forward * .75), 410: (-narrow * .58, .08, .40 * k), 273: (-narrow * .55, .05, .40 * k),
              436: (-narrow * .48, .08, .24 * k), 432: (-narrow * .55, .08, .28 * k), 422: (-narrow * .42, .05, .28 * k),
              322: (-narrow * .30, .07, .34 * k), 426: (-narrow * .22, .08, .16 * k), 391: (-.03, .08, .34 * k), 393: (0, .10, .40 * k),
              164: (0, .10, .36 * k), 18: (0, -.02, .34 * k), 313: (0, -.02, .34 * k), 406: (-.04, 0, .34 * k), 335: (-narrow * .25, .02, .34 * k),
              418: (-.02, .03, .20 * k), 424: (-narrow * .20, .04, .2 * k), 200: (0, .04, .14 * k), 421: (0, .04, .14 * k),
              434: (-narrow * .35, .05, .08 * k), 427: (-narrow * .2, .06, .08 * k), 430: (-narrow * .22, .04, .08 * k), 327: (-.02, .02, .04),
              2: (0, .02, .02)}
    return lip_shape(f, along, others, NOSE_STILL[:3] + NOSE_STILL[4:] + (152, 280, 330), mirror_others=True, even=True, closed=part == 0)


def sideways(f: Fields) -> np.ndarray:
    turn = rotation('y', 13.)
    pivot = np.array([0, 0, 4.6])

    def slide(p, share):
        return ((p - pivot) @ turn.T + pivot - p) * share

    def along(side, place, ring, p):
        share = 1. - .42 * max(place, 0) ** 2
        return slide(p, share) + (0, .10 * max(place, 0) ** 2, -.04 * max(place, 0) ** 2 + .26 + .7 * max(-place, 0) ** 2)     # over the teeth
    others = {}
    for v, a, b in ((287, .50, .95), (410, .52, .80), (273, .52, .85), (436, .34, .62), (432, .34, .72), (422, .38, .64), (322, .48, .62), (426, .2, .36),
                    (391, .48, .5), (393, .52, .52), (335, .56, .66), (406, .62, .64), (313, .62, .62), (424, .36, .44), (418, .36, .38), (434, .2, .42), (427, .16, .32), (421, .28, .28), (423, .24, .28),
                    (327, .22, .24), (430, .18, .26)):
        others[v] = slide(f.cage[v], a)
        r = int(f.mirror[v])
        others[r] = slide(f.cage[r], b) + (0, 0, .55 * max(b - .45, 0))
    for v, a in ((164, .52), (18, .60), (200, .26), (2, .20), (152, .06), (199, .15), (1, .08)):
        others[v] = slide(f.cage[v], a)
    return lip_shape(f, along, others, (5, 195, 197, 280, 330, 6), closed=True)


def puff(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        s = float(smoothstep(place, -.6, 1.))
        out = {0: .62, 1: .54, 2: .46, 3: .44, 4: .42, 5: .35}[ring] + .35 * max(place, 0) ** 2
        return np.array([-.12 * max(place, 0), .08, out]) * s
    others = {432: (.46, .06, 1.12), 436: (.44, .12, 1.16), 287: (.12, .10, 1.10), 427: (.66, .10, 1.02), 434: (.72, .02, 1.0), 426: (.28, .14, .92),
              410: (.12, .14, 1.0), 422: (.34, .0, 1.0), 416: (.72, .02, .68), 411: (.70, .08, .66), 425: (.30, .12, .58), 322: (.10, .10, .60),
              273: (.10, .06, .92), 430: (.46, -.06, .70), 424: (.18, -.02, .60), 335: (.08, .0, .48), 376: (.44, .04, .32), 433: (.44, .02, .30),
              367: (.40, 0, .26), 364: (.40, -.06, .34), 391: (.02, .05, .30), 423: (.06, .08, .32), 394: (.28, -.08, .30), 431: (.10, -.04, .24),
              406: (.0, .02, .25), 352: (.14, .02, .16), 280: (.08, .06, .22), 266: (.08, .08, .28), 164: (0, 0, .06), 18: (0, 0, .1),
              200: (0, 0, .04), 435: (.2, 0, .1), 401: (.12, 0, .06), 397: (.14, -.03, .1), 365: (.1, -.04, .1)}
    return lip_shape(f, along, others, NOSE_STILL + (152, 347, 346) + EYES_STILL, closed=True)


def sneer(f: Fields) -> np.ndarray:
    def along(side, place, ring, p):
        bell = np.exp(-((place - .35) / .42) ** 2)
        return np.array([.02, .42, .03]) * bell if side > 0 else np.array([0, .06, 0]) * bell * (side == 0)
    others = {358: (.06, .52, .02), 279: (.03, .56, .04), 294: (.07, .46, .0), 327: (.05, .40, .0), 331: (.05, .54, .02), 278: (.05, .5, .03),
              344: (.02, .34, .05), 360: (.0, .46, .06), 429: (.0, .5, .08), 420: (-.02, .44, .10), 371: (-.01, .52, .14), 355: (-.03, .46, .12),
              437: (-.03, .34, .12), 399: (-.02, .28, .10), 456: (.0, .3, .06), 363: (.0, .3, .05), 440: (.0, .2, .04), 391: (.04, .44, .06),
              423: (.02, .46, .14), 266: (-.02, .44, .20), 329: (-.04, .36, .14), 330: (-.03, .30, .15), 343: (-.03, .22, .09),
              412: (-.02, .18, .08), 326: (.02, .14, 0), 393: (.01, .26, .03), 322: (.03, .34, .08), 426: (.02, .28, .12), 425: (-.02, .22, .10),
              277: (-.03, .26, .10), 349: (-.02, .20, .08), 350: (-.02, .14, .06), 348: (-.02, .16, .07), 351: (-.02, .06, .05), 419: (0, .12, .05),
              248: (0, .14, .04), 281: (0, .16, .03), 4: (0, .06, 0), 1: (0, .06, 0), 5: (0, .08, .01), 195: (0, .08, .02), 197: (0, .05, .02),
              6: (0, -.04, .02), 168: (0, -.14, .05), 417: (-.05, -.16, .07), 285: (-.10, -.24, .09), 8: (0, -.16, .05), 336: (-.10, -.22, .08),
              295: (-.10, -.22, .08), 296: (-.08, -.18, .06), 441: (-.05, -.10, .04), 458: (.03, .34, .02), 459: (.02, .32, .03),
              309: (.02, .36, .03), 392: (.05, .42, .02), 289: (.05, .4, .01), 305: (.04, .36, .01), 290: (.03, .3, .01), 250: (.02, .28, .01),
              436: (.02, .18, .05), 410: (.03, .2, .02), 164: (0, .12, 0), 2: (0, .06, 0)}
    return lip_shape(f, along, others, EYES_STILL + (151, 152), gain=1.5)


def shapes(f: Fields) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(left-side shapes by name without _L, symmetric and sideways shapes by their whole name)."""
    sided = {'mouthSmile': smile(f), 'mouthFrown': frown(f), 'mouthDimple': dimple(f), 'mouthStretch': stretch(f), 'mouthUpperUp': upper_up(f),
             'mouthLowerDown': lower_down(f), 'mouthPress': press(f), 'cheekPuff': puff(f), 'noseSneer': sneer(f)}
    whole = {'mouthRollLower': roll_lower(f), 'mouthRollUpper': roll_upper(f), 'mouthShrugLower': shrug_lower(f), 'mouthShrugUpper': shrug_upper(f),
             'mouthPucker': round_lips(f, .86, .95, .0, .66, .05), 'mouthFunnel': round_lips(f, .80, .80, .56, .50, .16), 'mouthLeft': sideways(f)}
    return sided, whole
