"""Blinks, gaze, squints and brows of the left side."""

from __future__ import annotations

import numpy as np

from ....core.repeatable import arctan2
from ....core.smoothstep import smoothstep
from ..cage import LID_L, LOWER_LID_L, UPPER_LID_L
from ..skin import CREASE_LOWER, CREASE_UPPER, FOLD_LOWER, FOLD_UPPER
from .fields import Fields, rotation
from .handles import HANDLES

GAZE = {
    'eyeLookDown': ('x', 27.0),
    'eyeLookUp': ('x', -25.0),
    'eyeLookIn': ('y', -30.0),
    'eyeLookOut': ('y', 30.0),
}

CORNERS = (362, 263, 463, 359)


def lid_fields(fields: Fields) -> tuple[np.ndarray, np.ndarray]:
    """Return (upper, lower) V: how much each vertex goes with its lid's edge.

    1 on the edges, 0 at the corners' far side and off the lids.
    """
    disc = fields.head.cage.discs['eye_socket_L']
    ring = len(LID_L)
    first = min(disc)
    loop = fields.head.cage.loops['lid_L']
    out = []
    for edge, crease, share in (
        (UPPER_LID_L, CREASE_UPPER, 0.52),
        (LOWER_LID_L, CREASE_LOWER, 0.55),
    ):
        handles = dict.fromkeys(LID_L, 0.0)
        handles.update(
            dict.fromkeys(CREASE_UPPER + CREASE_LOWER + FOLD_UPPER + FOLD_LOWER + CORNERS, 0.0)
        )
        handles.update(dict.fromkeys(edge, 1.0))
        handles.update(dict.fromkeys(crease, share))
        fold = FOLD_UPPER if edge is UPPER_LID_L else FOLD_LOWER
        handles.update(dict.fromkeys(fold, 0.12))
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
    """Tell which vertices of a lid loop lie on the upper lid.

    Those from the inner corner over the top to the outer one.
    """
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
    """Return the angle (radians) of points above the eye's axis, seen from its centre."""
    return arctan2(points[:, 1] - centre[1], points[:, 2] - centre[2])


class Lids:
    """The left eye's lids as two curves of elevation over x, and the fields that follow them."""

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
        # between the lids' outer and inner edges
        band = np.linalg.norm(fields.neutral - self.centre, axis=1) < 1.56
        self.margin = np.isin(np.arange(fields.count), fields.head.regions['eye_socket_L'])
        self.margin |= band & np.isin(np.arange(fields.count), fields.head.regions['face'])
        self.outer_skin = np.flatnonzero(
            near & ~(band & (fields.neutral[:, 2] > self.centre[2]) & self.on_band(still))
        )

    def on_band(self, edges: np.ndarray) -> np.ndarray:
        """Return V: on the strip between a lid's outer and inner edge."""
        outer, inner = (
            np.isin(np.arange(self.fields.count), self.fields.head.loops[k])
            for k in ('lid_L', 'lid_edge_L')
        )
        beside = self.fields.neighbours
        return ((beside @ outer.astype(float)) > 0) & ((beside @ inner.astype(float)) > 0)

    def gap(self, x: np.ndarray) -> np.ndarray:
        """Return the angle between the lids at x."""
        (xu, eu), (xl, el) = self.curves
        return np.maximum(np.interp(x, xu, eu) - np.interp(x, xl, el), 0)

    def move(self, down: float, up: float) -> np.ndarray:
        """Return offsets that bring the upper lid down by `down` and the lower up by `up`.

        Both are shares of the gap; negative ones open wider.
        """
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
        """Keep lids' edges and inner sides on their own side of the line where closing lids meet.

        up: the lower lid's share of the gap. gap: radians between them.
        """
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
    """Make the left side's offsets of an eyeLook shape: the eyeball turns, its lids follow."""
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


def brow_down(fields: Fields) -> np.ndarray:
    """Make browDown."""
    return finish_brow(fields, HANDLES['brow_down'], reach=2.6)


def brow_inner_up(fields: Fields) -> np.ndarray:
    """Make browInnerUp."""
    return finish_brow(fields, HANDLES['brow_inner_up'], reach=3.2)


def brow_outer_up(fields: Fields) -> np.ndarray:
    """Make browOuterUp."""
    return finish_brow(fields, HANDLES['brow_outer_up'], reach=3.2)


def finish_brow(fields: Fields, handles: dict, reach: float) -> np.ndarray:
    """Spread a brow's handles over the skin within `reach` cm, the lids' edges held still."""
    keep = {v: np.zeros(3) for v in LID_L + tuple(int(fields.mirror[v]) for v in LID_L)}
    keep.update(handles)
    return fields.off_eyes(fields.on_skin(fields.spread(keep, reach)))


def eye_squint(fields: Fields, lids: Lids) -> np.ndarray:
    """Make eyeSquint."""
    keep = {v: np.zeros(3) for v in LID_L + CREASE_UPPER}
    keep.update(HANDLES['eye_squint'])
    return fields.off_eyes(fields.on_skin(fields.spread(keep, 2.2)) + lids.move(0.10, 0.24))


def cheek_squint(fields: Fields, lids: Lids) -> np.ndarray:
    """Make cheekSquint."""
    keep = {v: np.zeros(3) for v in LID_L}
    keep.update(HANDLES['cheek_squint'])
    return fields.off_eyes(fields.on_skin(fields.spread(keep, 2.6)) + lids.move(0.0, 0.16))


def shapes(fields: Fields) -> dict[str, np.ndarray]:
    """Return left-side offsets by name without its _L."""
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
