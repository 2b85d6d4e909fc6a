"""Blinks, gaze, squints and brows of the left side."""

from __future__ import annotations

import numpy as np

from ....core.repeatable import arctan2
from ..cage import LID_L, LOWER_LID_L, UPPER_LID_L
from ..skin import CREASE_LOWER, CREASE_UPPER, FOLD_LOWER, FOLD_UPPER
from .fields import Fields, rotation, smoothstep

GAZE = {
    'eyeLookDown': ('x', 27.0),
    'eyeLookUp': ('x', -25.0),
    'eyeLookIn': ('y', -30.0),
    'eyeLookOut': ('y', 30.0),
}

CORNERS = (362, 263, 463, 359)


def lid_fields(fields: Fields) -> tuple[np.ndarray, np.ndarray]:
    """(upper, lower) V: how much each vertex goes with its lid's edge, 1 on the edges, 0 at the corners' far side and off the lids."""
    disc = fields.head.cage.discs['eye_socket_L']
    ring = len(LID_L)
    first = min(disc)
    loop = fields.head.cage.loops['lid_L']
    out = []
    for edge, crease, share in (
        (UPPER_LID_L, CREASE_UPPER, 0.52),
        (LOWER_LID_L, CREASE_LOWER, 0.55),
    ):
        handles = {v: 0.0 for v in LID_L}
        handles.update(
            {v: 0.0 for v in CREASE_UPPER + CREASE_LOWER + FOLD_UPPER + FOLD_LOWER + CORNERS}
        )
        handles.update({v: 1.0 for v in edge})
        handles.update({v: share for v in crease})
        fold = FOLD_UPPER if edge is UPPER_LID_L else FOLD_LOWER
        handles.update({v: 0.12 for v in fold})
        for v in (crease[0], crease[-1]):
            handles[v] = share * 0.7
        for k, v in enumerate(loop):
            for depth, follow in enumerate((1.0, 0.8, 0.45, 0.12)):
                handles[first + depth * ring + k] = follow * (v in edge)
        field = np.zeros(len(fields.cage))
        for v, w in handles.items():
            field[v] = w
        aim = field.copy()
        first_rows = fields.head.matrix[fields.head.point][:, :]
        keys = np.array([v for v in handles if v < len(fields.head.point)])
        for _ in range(8):
            field[keys] += aim[keys] - (first_rows @ field)[keys]
        weight = np.clip(fields.head.matrix @ field, 0, 1)
        out.append(weight)
    upper, lower = out
    for name in ('lid_L', 'lid_edge_L'):
        points = fields.head.loops[name]
        up = fine_side(fields, name)
        upper[points[up]], lower[points[up]] = 1, 0
        upper[points[~up]], lower[points[~up]] = 0, 1
    return upper, lower


def fine_side(fields: Fields, name: str) -> np.ndarray:
    """Which vertices of a lid loop lie on the upper lid: those from the inner corner over the top to the outer one."""
    loop = fields.head.loops[name]
    points = fields.neutral[loop]
    inner, outer = points[:, 0].argmin(), points[:, 0].argmax()
    n = len(loop)
    one = np.zeros(n, bool)
    k = inner
    while k != outer:
        one[k] = True
        k = (k + 1) % n
    if points[one, 1].mean() < points[~one, 1].mean():
        one = ~one
    return one


def elevation(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return arctan2(points[:, 1] - centre[1], points[:, 2] - centre[2])


class Lids:
    """The left eye's lids as two curves of elevation over x, seen from the eye's centre, and the fields that follow them."""

    def __init__(self, fields: Fields):
        self.fields, self.centre = fields, fields.eye_centre('L')
        self.upper, self.lower = lid_fields(fields)
        self.curves = []
        loop = fields.head.loops['lid_L']
        points = fields.neutral[loop]
        up = fine_side(fields, 'lid_L')
        ends = points[[points[:, 0].argmin(), points[:, 0].argmax()]]
        for chosen in (up, ~up):
            line = np.concatenate([points[chosen], ends])
            order = np.argsort(line[:, 0])
            line = line[order]
            keep = np.concatenate([[True], np.diff(line[:, 0]) > 1e-6])
            self.curves.append((line[keep, 0], elevation(line[keep], self.centre)))

        near = np.linalg.norm(fields.neutral - self.centre, axis=1) < 2.9
        still = np.concatenate([fields.head.loops['lid_L'], fields.head.loops['lid_edge_L']])
        near[still] = False
        near[:] &= np.isin(np.arange(fields.count), fields.head.regions['face'])
        band = (
            np.linalg.norm(fields.neutral - self.centre, axis=1) < 1.56
        )  # between the lids' outer and inner edges
        self.margin = np.isin(np.arange(fields.count), fields.head.regions['eye_socket_L'])
        self.margin |= band & np.isin(np.arange(fields.count), fields.head.regions['face'])
        self.outer_skin = np.flatnonzero(
            near & ~(band & (fields.neutral[:, 2] > self.centre[2]) & self.on_band(still))
        )

    def on_band(self, edges: np.ndarray) -> np.ndarray:
        """V: on the strip between a lid's outer and inner edge."""
        outer, inner = (
            np.isin(np.arange(self.fields.count), self.fields.head.loops[k])
            for k in ('lid_L', 'lid_edge_L')
        )
        beside = self.fields.neighbours
        return ((beside @ outer.astype(float)) > 0) & ((beside @ inner.astype(float)) > 0)

    def gap(self, x: np.ndarray) -> np.ndarray:
        """Angle between the lids at x."""
        (xu, eu), (xl, el) = self.curves
        return np.maximum(np.interp(x, xu, eu) - np.interp(x, xl, el), 0)

    def move(self, down: float, up: float) -> np.ndarray:
        """Offsets that bring the upper lid down by `down` and the lower up by `up`, shares of the gap (negative: open wider)."""
        f = self.fields
        offsets = np.zeros((f.count, 3))
        rows = np.flatnonzero((self.upper > 1e-4) | (self.lower > 1e-4))
        p = f.neutral[rows] - self.centre
        gap = self.gap(f.neutral[rows, 0])
        angle = -down * gap * self.upper[rows] + up * gap * self.lower[rows]
        c, s = np.cos(angle), np.sin(angle)
        # elevation grows with y: turn (z, y) by +angle
        offsets[rows, 1] = p[:, 1] * c + p[:, 2] * s - p[:, 1]
        offsets[rows, 2] = p[:, 2] * c - p[:, 1] * s - p[:, 2]
        offsets = f.smoothed(offsets, self.outer_skin, 16)
        return self.kept_apart(offsets, up) if down + up > 0.5 else offsets

    def kept_apart(self, offsets: np.ndarray, up: float, gap: float = 0.006) -> np.ndarray:
        """Offsets whose lids' edges and inner sides stay on their own side of the line where closing lids meet, by `gap` radians."""
        out = offsets.copy()
        (_, _), (x, low) = self.curves
        points = self.fields.neutral + offsets - self.centre
        line = np.interp(points[:, 0] + self.centre[0], x, low) + up * self.gap(
            points[:, 0] + self.centre[0]
        )
        now = arctan2(points[:, 1], points[:, 2])
        open_ = self.gap(self.fields.neutral[:, 0])
        slack = gap * smoothstep(open_, 0, 0.15)
        for side, own in ((1, self.upper), (-1, self.lower)):
            rows = np.flatnonzero((own > 0.35) & self.margin)
            lack = np.maximum(side * (line[rows] - now[rows]) + slack[rows], 0) * side
            c, s = np.cos(lack), np.sin(lack)
            y, z = points[rows, 1], points[rows, 2]
            out[rows, 1] += y * c + z * s - y
            out[rows, 2] += z * c - y * s - z
        return out


def gaze(fields: Fields, name: str, lids: Lids) -> np.ndarray:
    axis, degrees = GAZE[name]
    turn = rotation(axis, degrees)
    f = fields
    ball = f.head.regions['eyeball_L']
    offsets = np.zeros((f.count, 3))
    if name == 'eyeLookDown':
        offsets += lids.move(0.52, -0.26) - 0.35 * f.head.furrow * (f.neutral[:, :1] > 0)
    elif name == 'eyeLookUp':
        offsets += lids.move(-0.34, 0.06)
    else:
        sign = -1 if name == 'eyeLookIn' else 1
        open_ = lids.gap(f.neutral[:, 0])
        offsets[:, 0] += sign * 0.13 * (lids.upper + lids.lower) * open_ / open_.max()
    offsets[ball] = (
        (f.neutral[ball] - f.eye_centre('L')) @ turn.T + f.eye_centre('L') - f.neutral[ball]
    )
    return f.off_eyes(offsets, {'L': turn @ [0, 0, 1.0]})


def brow_handles(values: dict[int, tuple]) -> dict[int, np.ndarray]:
    return {k: np.array(v) for k, v in values.items()}


def brow_down(fields: Fields) -> np.ndarray:
    h = {
        336: (-0.22, -0.30, 0.12),
        285: (-0.28, -0.34, 0.15),
        296: (-0.36, -0.42, 0.16),
        295: (-0.40, -0.48, 0.2),
        334: (-0.34, -0.45, 0.18),
        282: (-0.36, -0.48, 0.22),
        293: (-0.22, -0.32, 0.16),
        283: (-0.22, -0.34, 0.18),
        300: (-0.08, -0.14, 0.10),
        276: (-0.10, -0.15, 0.1),
        9: (0, -0.18, 0.05),
        8: (0, -0.22, 0.05),
        441: (-0.12, -0.14, 0.06),
        442: (-0.12, -0.22, 0.08),
        443: (-0.12, -0.24, 0.09),
        444: (-0.08, -0.18, 0.06),
        413: (-0.06, -0.06, 0.02),
    }
    return finish_brow(fields, h, reach=2.6)


def brow_inner_up(fields: Fields) -> np.ndarray:
    h = {
        336: (0.02, 0.62, -0.06),
        285: (0.04, 0.62, -0.04),
        296: (0.02, 0.46, -0.05),
        295: (0.02, 0.48, -0.03),
        334: (0, 0.16, -0.02),
        282: (0, 0.18, -0.01),
        293: (0, 0, 0),
        283: (0, 0.0, 0),
        9: (0, 0.36, -0.03),
        8: (0, 0.30, 0.0),
        107: (0, 0.08, 0),
        55: (0, 0.07, 0),
        337: (0, 0.34, -0.08),
        151: (0, 0.22, -0.05),
        441: (0, 0.28, 0),
        442: (0, 0.24, 0),
        443: (0, 0.08, 0),
        413: (0, 0.10, 0),
    }
    return finish_brow(fields, h, reach=3.2)


def brow_outer_up(fields: Fields) -> np.ndarray:
    h = {
        336: (0, 0.10, 0),
        285: (0, 0.08, 0),
        296: (0.06, 0.40, -0.05),
        295: (0.06, 0.40, -0.04),
        334: (0.10, 0.78, -0.14),
        282: (0.10, 0.76, -0.12),
        293: (0.12, 0.84, -0.22),
        283: (0.12, 0.80, -0.20),
        300: (0.08, 0.58, -0.2),
        276: (0.08, 0.56, -0.18),
        333: (0.04, 0.42, -0.12),
        298: (0.05, 0.40, -0.14),
        443: (0.03, 0.40, -0.02),
        444: (0.05, 0.46, -0.05),
        442: (0.02, 0.22, 0),
        445: (0.05, 0.32, -0.06),
    }
    return finish_brow(fields, h, reach=3.2)


def finish_brow(fields: Fields, handles: dict, reach: float) -> np.ndarray:
    keep = {v: np.zeros(3) for v in LID_L + tuple(int(fields.mirror[v]) for v in LID_L)}
    keep.update(brow_handles(handles))
    return fields.off_eyes(fields.on_skin(fields.spread(keep, reach)))


def eye_squint(fields: Fields, lids: Lids) -> np.ndarray:
    h = {
        253: (0, 0.20, 0.04),
        252: (0.02, 0.20, 0.04),
        254: (-0.04, 0.22, 0.04),
        339: (-0.08, 0.20, 0.04),
        256: (0.04, 0.14, 0.03),
        450: (0, 0.22, 0.08),
        451: (0.03, 0.20, 0.07),
        449: (-0.06, 0.26, 0.08),
        448: (-0.12, 0.24, 0.06),
        347: (-0.08, 0.24, 0.10),
        348: (0, 0.20, 0.09),
        346: (-0.14, 0.20, 0.06),
        261: (-0.16, 0.16, 0.02),
        340: (-0.12, 0.08, 0.02),
        265: (-0.08, 0, 0),
        446: (-0.10, 0.03, 0),
        444: (0, -0.06, 0.02),
        445: (-0.04, -0.08, 0.02),
    }
    keep = {v: np.zeros(3) for v in LID_L + CREASE_UPPER}
    keep.update(brow_handles(h))
    return fields.off_eyes(fields.on_skin(fields.spread(keep, 2.2)) + lids.move(0.10, 0.24))


def cheek_squint(fields: Fields, lids: Lids) -> np.ndarray:
    h = {
        280: (0.02, 0.62, 0.36),
        330: (0.0, 0.60, 0.36),
        347: (-0.07, 0.52, 0.25),
        348: (0.0, 0.43, 0.20),
        346: (-0.10, 0.46, 0.18),
        266: (0.04, 0.50, 0.34),
        425: (0.07, 0.50, 0.32),
        352: (0.05, 0.40, 0.17),
        426: (0.04, 0.28, 0.10),
        427: (0.06, 0.30, 0.10),
        411: (0.04, 0.27, 0.08),
        450: (0, 0.27, 0.09),
        449: (-0.05, 0.34, 0.10),
        448: (-0.08, 0.30, 0.07),
        329: (0.0, 0.30, 0.15),
        371: (0.02, 0.25, 0.12),
        253: (0, 0.14, 0.03),
        254: (-0.02, 0.17, 0.03),
        252: (0, 0.12, 0.03),
        339: (-0.05, 0.15, 0.02),
        291: (0.05, 0.10, -0.03),
        410: (0.03, 0.14, 0),
        436: (0.04, 0.19, 0.02),
    }
    keep = {v: np.zeros(3) for v in LID_L}
    keep.update(brow_handles(h))
    return fields.off_eyes(fields.on_skin(fields.spread(keep, 2.6)) + lids.move(0.0, 0.16))


def shapes(fields: Fields) -> dict[str, np.ndarray]:
    """Left-side offsets by name without its _L."""
    lids = Lids(fields)
    left = fields.head.furrow * (fields.neutral[:, :1] > 0)
    out = {
        'eyeBlink': fields.off_eyes(lids.move(0.88, 0.12) - 0.6 * left),
        'eyeWide': fields.off_eyes(lids.move(-0.28, -0.10) + 0.15 * left),
        'eyeSquint': eye_squint(fields, lids),
        'cheekSquint': cheek_squint(fields, lids),
        'browDown': brow_down(fields),
        'browInnerUp': brow_inner_up(fields),
        'browOuterUp': brow_outer_up(fields),
    }
    for name in GAZE:
        out[name] = gaze(fields, name, lids)
    return out
