"""A painted face: albedo per vertex, from the 68 landmarks and the regions, for any FaceModel.

The landmark detector places brows and lips by their colour; a model without brows would bias it.
"""
from __future__ import annotations

import numpy as np

from .model import FaceModel

TRANSPARENT = ('lacrimal_fluid_L', 'lacrimal_fluid_R', 'eye_blend_L', 'eye_blend_R', 'eye_occlusion_L', 'eye_occlusion_R',
               'eyelashes_L', 'eyelashes_R')

SKIN, LIP, BROW = (.80, .64, .55), (.68, .36, .33), (.24, .17, .13)
SCLERA, IRIS, PUPIL = (.93, .91, .89), (.30, .20, .12), (.03, .03, .03)
SOCKET, GUMS, TEETH = (.32, .10, .09), (.66, .30, .30), (.90, .87, .80)
CHEEK = (.60, .27, .25)                        # inside of the lips and cheeks, where a model says how deep the mouth is
LASH = (.09, .065, .055)
BROW_HALF_WIDTH, BROW_LIFT = .34, .15          # cm: painted half width, and how far above the landmark line
LIP_MIRROR = [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55]  # the outer lip's Multi-PIE landmarks, mirrored
IRIS_RADIUS, PUPIL_RADIUS = .58, .22           # cm, human means 11.7 and ~4.5 mm across


def visible_faces(model: FaceModel) -> np.ndarray:
    """F bool: faces that are not part of the transparent films and lash cards in front of the eye."""
    clear = np.zeros(model.vertex_count, bool)
    for name in TRANSPARENT:
        clear[model.regions.get(name, np.zeros(0, int))] = True
    return ~clear[model.faces[:, 0]]


def _distance_to_polyline(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    best = np.full(len(points), np.inf)
    for a, b in zip(line[:-1], line[1:]):
        u = np.clip(((points - a) @ (b - a)) / max(((b - a) ** 2).sum(), 1e-9), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - u[:, None] * (b - a), axis=1))
    return best


def _inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, 0)):
        crosses = (y1 > points[:, 1]) != (y2 > points[:, 1])
        inside ^= crosses & (points[:, 0] < (x2 - x1) * (points[:, 1] - y1) / np.where(y2 == y1, 1e-9, y2 - y1) + x1)
    return inside


def albedo(model: FaceModel, skin: tuple[float, ...] = SKIN, lip: tuple[float, ...] = LIP, brow: tuple[float, ...] = BROW,
           brow_half_width: float = BROW_HALF_WIDTH) -> np.ndarray:
    """V×3 float32 sRGB in 0..1: skin with brows and lips, white eyeballs with iris and pupil, red mouth, teeth.

    brow_half_width: cm, of brows painted along the landmarks (where the model brings no brows of its own).
    """
    colour = np.empty((model.vertex_count, 3), np.float32)
    colour[:] = skin
    v, region = model.neutral.astype(np.float64), model.regions
    mark = v[model.landmarks68]
    face = region['face']
    if 'brows' in model.extra:
        a = model.extra['brows'][:, None]
        colour = (1 - a) * colour + a * np.array(brow, np.float32)
    else:
        for line in (mark[17:22], mark[22:27]):
            distance = _distance_to_polyline(v[face], line + (0, BROW_LIFT, 0))
            a = np.clip((brow_half_width - distance) / (.35 * brow_half_width), 0, 1)[:, None]
            colour[face] = (1 - a) * colour[face] + a * np.asarray(brow)
    outline = (mark[48:60] + mark[LIP_MIRROR] * (-1, 1, 1)) / 2
    lips = face[_inside_polygon(v[face][:, :2], outline[:, :2]) & (v[face][:, 2] > outline[:, 2].min() - 1.5)]
    red = model.extra.get('lips', np.isin(np.arange(len(v)), lips).astype(np.float32))[:, None]
    colour = (1 - red) * colour + red * np.array(lip, np.float32)
    for name, value in (('mouth_socket', SOCKET), ('gums_tongue', GUMS), ('teeth', TEETH)):
        colour[region.get(name, np.zeros(0, int))] = value
    if 'throat' in model.extra:
        inside = region['mouth_socket']
        deep = model.extra['throat'][inside, None]
        colour[inside] = (1 - deep) * np.array(CHEEK, np.float32) + deep * np.array(SOCKET, np.float32)
    for side in 'LR':
        ball = region[f'eyeball_{side}']
        offset = v[ball] - v[ball[v[ball, 2].argmax()]]  # from the pole: in the neutral the eyes look along z
        radial = np.linalg.norm(offset[:, :2], axis=1)
        front = offset[:, 2] > -.8
        colour[ball] = SCLERA
        colour[ball[front & (radial < IRIS_RADIUS)]] = IRIS
        colour[ball[front & (radial < PUPIL_RADIUS)]] = PUPIL
        colour[region[f'eye_socket_{side}']] = LIP
        colour[region.get(f'eyelashes_{side}', np.zeros(0, int))] = LASH
    if 'cavity' in model.extra:
        colour *= 1 - .8 * model.extra['cavity'][:, None]
    return colour
