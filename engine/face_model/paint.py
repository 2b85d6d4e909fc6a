"""A painted face: albedo per vertex, from the 68 landmarks and the regions, for any FaceModel.

The landmark detector places brows and lips by their colour; a model without brows would bias it.
"""

from __future__ import annotations

import numpy as np

from ..geometry.planar import distance_to_polyline, inside_polygon
from .model import FaceModel

TRANSPARENT = (
    'lacrimal_fluid_L',
    'lacrimal_fluid_R',
    'eye_blend_L',
    'eye_blend_R',
    'eye_occlusion_L',
    'eye_occlusion_R',
    'eyelashes_L',
    'eyelashes_R',
)

SKIN_COLOUR, LIP_COLOUR, BROW_COLOUR = (0.80, 0.64, 0.55), (0.68, 0.36, 0.33), (0.24, 0.17, 0.13)
SCLERA_COLOUR, IRIS_COLOUR, PUPIL_COLOUR = (
    (0.93, 0.91, 0.89),
    (0.30, 0.20, 0.12),
    (0.03, 0.03, 0.03),
)
SOCKET_COLOUR, GUMS_COLOUR, TEETH_COLOUR = (
    (0.32, 0.10, 0.09),
    (0.66, 0.30, 0.30),
    (0.90, 0.87, 0.80),
)
# inside of the lips and cheeks, where a model says how deep the mouth is
CHEEK_COLOUR = (0.60, 0.27, 0.25)
LASH_COLOUR = (0.09, 0.065, 0.055)
BROW_HALF_WIDTH = 0.34  # cm: painted along the landmark line
# the outer lip's Multi-PIE landmarks, mirrored
LIP_MIRROR = [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55]
IRIS_RADIUS, PUPIL_RADIUS = 0.58, 0.22  # cm, human means 11.7 and ~4.5 mm across
# What people see, where the colours above are what the landmark detector is shown.
NATURAL_LIP, NATURAL_SCLERA = (0.73, 0.50, 0.45), (0.84, 0.81, 0.785)
CORNER_COLOUR = (0.80, 0.60, 0.54)  # an eye's inner corner
FILM_EDGE = 0.15  # cm: over which colours on the films before an eye go over
NATURAL_LIP_EDGE = 0.12  # cm: over which a lip's red fades
IRIS_DEPTH = 0.8  # cm: how far behind the pole an iris reaches
CORNEA_RADIUS = 1.08 * IRIS_RADIUS  # cm: what lies within it, before an iris, is clear
HOLE_RADIUS = 0.9 * PUPIL_RADIUS  # cm: an iris of its own mesh is open as far as this


def visible_faces(model: FaceModel) -> np.ndarray:
    """Return F bool: faces that are no part of the clear films and lash cards before an eye."""
    clear = np.zeros(model.vertex_count, bool)
    for name in TRANSPARENT:
        clear[model.regions.get(name, np.zeros(0, int))] = True
    return ~clear[model.faces[:, 0]]


def eye_pole(model: FaceModel, side: str) -> np.ndarray:
    """Find the point of the eyeball of `side`, 'L' or 'R', that the iris is round (3, cm).

    An eyeball is meshed in rings: its pole is the vertex before its middle where most faces meet.
    """
    ball, v = model.regions[f'eyeball_{side}'], model.neutral.astype(np.float64)
    used = model.faces[model.faces >= 0]
    meeting = np.bincount(used, minlength=len(v))[ball].astype(np.float64)
    meeting[v[ball, 2] < np.median(v[ball, 2])] = 0
    return v[ball[meeting.argmax()]]


def _iris_radii(model: FaceModel, side: str) -> np.ndarray:
    """Return V: how far each vertex of an eyeball lies from its iris' axis (cm).

    inf for those behind and for all others. On the shell that has the pole the vertices of a ring
    have one radius: so colours end on rings.
    """
    v, ball, pole = model.neutral, model.regions[f'eyeball_{side}'], eye_pole(model, side)
    out = np.full(model.vertex_count, np.inf)
    out[ball] = np.linalg.norm((v[ball] - pole)[:, :2], axis=1)
    out[ball[v[ball, 2] < pole[2] - IRIS_DEPTH]] = np.inf
    outer, _ = eye_shells(model, side)
    ring = np.where(model.faces[outer] < 0, model.faces[outer, :1], model.faces[outer])
    edges = np.stack([ring, np.roll(ring, -1, 1)], -1).reshape(-1, 2)
    edges = np.concatenate([edges, edges[:, ::-1]])
    reached = np.zeros(model.vertex_count, bool)
    reached[ball[np.linalg.norm(v[ball] - pole, axis=1).argmin()]] = True
    while True:
        following = np.zeros_like(reached)
        following[edges[reached[edges[:, 0]], 1]] = True
        following &= ~reached
        if (
            not following.any()
            or not np.isfinite(out[following]).all()
            or out[following].min() > 2 * IRIS_RADIUS
        ):
            return out
        out[following] = out[following].mean()
        reached |= following


def iris_vertices(model: FaceModel, side: str) -> np.ndarray:
    """Find the vertices that show the iris' colour, away from the pupil and from the white."""
    radii = _iris_radii(model, side)
    return np.flatnonzero((radii > PUPIL_RADIUS) & (radii < 0.95 * IRIS_RADIUS))


def _faces_within(model: FaceModel, *regions: str) -> np.ndarray:
    """Find the faces all of whose corners lie in one of the regions."""
    member = np.zeros(model.vertex_count, bool)
    for name in regions:
        member[model.regions.get(name, np.zeros(0, int))] = True
    return np.flatnonzero((member[model.faces] | (model.faces < 0)).all(1))


def eye_shells(model: FaceModel, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (faces of the outer shell, faces of the shell with the iris) of an eyeball.

    Both are indices into model.faces; the second is empty where the eyeball is one surface, with
    its iris painted on.
    """
    rows = _faces_within(model, f'eyeball_{side}')
    ring = np.where(model.faces[rows] < 0, model.faces[rows, :1], model.faces[rows])
    label = np.arange(model.vertex_count)
    while True:
        lowest = label[ring].min(1)
        before = label.copy()
        for k in range(4):
            np.minimum.at(label, ring[:, k], lowest)
        label = label[label]
        if np.array_equal(label, before):
            break
    shells = [rows[label[ring[:, 0]] == k] for k in np.unique(label[ring[:, 0]])]
    if not shells:
        return np.empty(0, int), np.empty(0, int)
    front = [model.neutral[model.faces[shell, :3], 2].max() for shell in shells]
    outer = shells[int(np.argmax(front))]
    others = [shell for shell in shells if shell is not outer]
    return outer, np.concatenate(others or [np.empty(0, int)])


def surface_materials(model: FaceModel) -> tuple[tuple[str, ...], np.ndarray]:
    """Return (names of materials, F uint8: the one of each face), eyes' layers told apart.

    Before an iris of its own mesh the outer shell is 'Cornea…', clear; what is seen through the
    iris' hole is 'Pupil…'. Sockets whose material is the skin's too get their own.
    """
    names, of = list(model.materials), model.face_materials.copy()
    skin = _faces_within(model, 'face', 'head_neck')
    for name, regions in (
        ('MouthSocket', ('mouth_socket',)),
        ('EyeSocket', ('eye_socket_L', 'eye_socket_R')),
    ):
        rows = _faces_within(model, *regions)
        if np.isin(of[rows], of[skin]).any():
            of[rows] = len(names)
            names.append(name)
    for side, word in (('L', 'Left'), ('R', 'Right')):
        outer, inner = eye_shells(model, side)
        if not len(inner):
            continue
        radii, v = _iris_radii(model, side), model.neutral
        centre = v[model.regions[f'eyeball_{side}']].mean(0)
        of_face = radii[model.faces[:, :3]].mean(1)

        a, b, c = np.moveaxis(v[model.faces[inner, :3]] - centre, 1, 0)
        hole = (of_face[inner] < HOLE_RADIUS) | ((np.cross(b - a, c - a) * (a + b + c)).sum(1) < 0)
        of[inner[~hole & ~(of_face[inner] < CORNEA_RADIUS)]] = np.bincount(of[outer]).argmax()
        for name, rows in (
            (f'Cornea{word}', outer[of_face[outer] < CORNEA_RADIUS]),
            (f'Pupil{word}', inner[hole]),
        ):
            of[rows] = len(names)
            names.append(name)
    return tuple(names), of


def natural_albedo(model: FaceModel, iris: tuple[float, ...] = IRIS_COLOUR) -> np.ndarray:
    """Paint the model as people see it: V×3 float32 sRGB in 0..1.

    As `albedo`, but with natural lips and whites; the films before an eye have the colours of what
    lies behind them. iris: sRGB.
    """
    colour = albedo(
        model, lip=NATURAL_LIP, sclera=NATURAL_SCLERA, iris=iris, lip_edge=NATURAL_LIP_EDGE
    )
    names, of = surface_materials(model)
    pupils = [k for k in range(len(model.materials), len(names)) if names[k].startswith('Pupil')]
    deep = model.faces[np.isin(of, pupils)]
    colour[np.setdiff1d(deep[deep >= 0], model.faces[~np.isin(of, pupils)])] = PUPIL_COLOUR
    there = opacity(model)[:, None]
    for side in 'LR':
        cards = _lash_cards(model, side)
        colour[cards] = np.array(SKIN_COLOUR) + there[cards] ** 2 * (
            np.array(LASH_COLOUR) - SKIN_COLOUR
        )
        _paint_films(model, side, iris, colour)
    return colour


def _paint_films(model: FaceModel, side: str, iris: tuple[float, ...], colour: np.ndarray) -> None:
    """Colour the films before an eyeball as the eye behind them, pink beside the skin.

    Writes their rows of `colour` (V×3).
    """
    v, ball = model.neutral, model.regions[f'eyeball_{side}']
    films = np.concatenate(
        [
            model.regions.get(f'{name}_{side}', np.zeros(0, int))
            for name in ('lacrimal_fluid', 'eye_blend', 'eye_occlusion')
        ]
    ).astype(int)
    if not len(films) or not len(ball):
        return
    radial = np.linalg.norm((v[films] - eye_pole(model, side))[:, :2], axis=1)[:, None]
    painted = np.broadcast_to(np.array(NATURAL_SCLERA), (len(films), 3))
    for value, radius in ((iris, IRIS_RADIUS), (PUPIL_COLOUR, PUPIL_RADIUS)):
        painted = painted + np.clip(0.5 + (radius - radial) / FILM_EDGE, 0, 1) * (
            np.array(value) - painted
        )
    face = v[model.regions['face']]
    face = face[np.linalg.norm(face - v[ball].mean(0), axis=1) < 3.0]
    if len(face):
        away = np.linalg.norm(v[films][:, None] - face, axis=2).min(1)[:, None]
        painted = painted + 0.8 * np.clip(1 - away / FILM_EDGE, 0, 1) * (
            np.array(CORNER_COLOUR) - painted
        )
    colour[films] = painted


def _lash_cards(model: FaceModel, side: str) -> np.ndarray:
    """Find the vertices of cards with lashes.

    None where lashes are modelled hair by hair (their material is called so).
    """
    rows = np.asarray(model.regions.get(f'eyelashes_{side}', np.zeros(0, int)), int)
    hair = [k for k, name in enumerate(model.materials) if 'hair' in name.lower()]
    return rows[~np.isin(rows, model.faces[np.isin(model.face_materials, hair)])]


def opacity(model: FaceModel) -> np.ndarray:
    """Say how much of each vertex is there: V float32 in 0..1.

    1 but for cards of lashes, which fade from 1 at their roots to 0 at their tips.
    """
    out, v = np.ones(model.vertex_count, np.float32), model.neutral
    face = v[model.regions['face']]
    for side in 'LR':
        lashes = _lash_cards(model, side)
        ball = v[model.regions[f'eyeball_{side}'], 1]
        above = v[lashes, 1] > (ball.mean() if len(ball) else 0)
        for rows in (lashes[above], lashes[~above]):
            if not len(rows):
                continue
            near = face[(face > v[rows].min(0) - 1).all(1) & (face < v[rows].max(0) + 1).all(1)]
            if len(near):
                away = np.linalg.norm(v[rows][:, None] - near, axis=2).min(1)
                out[rows] = 1 - away / max(away.max(), 1e-6)
    return out


def _painted_lips(model: FaceModel, edge: float) -> np.ndarray:
    """Return V float32 in 0..1: the lips' red within the outer landmarks, fading over `edge` cm."""
    v, face = model.neutral.astype(np.float64), model.regions['face']
    mark = v[model.landmarks68]
    outline = (mark[48:60] + mark[LIP_MIRROR] * (-1, 1, 1)) / 2
    lips = face[
        inside_polygon(v[face][:, :2], outline[:, :2]) & (v[face][:, 2] > outline[:, 2].min() - 1.5)
    ]
    painted = np.isin(np.arange(len(v)), lips).astype(np.float32)
    if edge:
        inside = np.where(painted[face] > 0, 1, -1)
        away = distance_to_polyline(v[face][:, :2], np.concatenate([outline, outline[:1]])[:, :2])
        near = v[face][:, 2] > outline[:, 2].min() - 1.5
        painted[face] = np.clip(0.5 + inside * away / edge, 0, 1) * near
    return painted


def albedo(
    model: FaceModel,
    skin: tuple[float, ...] = SKIN_COLOUR,
    lip: tuple[float, ...] = LIP_COLOUR,
    brow: tuple[float, ...] = BROW_COLOUR,
    brow_half_width: float = BROW_HALF_WIDTH,
    sclera: tuple[float, ...] = SCLERA_COLOUR,
    iris: tuple[float, ...] = IRIS_COLOUR,
    lip_edge: float = 0.0,
) -> np.ndarray:
    """Paint the model as the landmark detector is shown it: V×3 float32 sRGB in 0..1.

    Skin with brows and lips, white eyeballs with iris and pupil, red mouth, teeth.
    brow_half_width: cm, of brows painted along the landmarks, where the model brings none of its
    own.
    lip_edge: cm, over which painted lips fade into the skin, where the model brings none of its
    own.
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
            distance = distance_to_polyline(v[face], line)
            a = np.clip((brow_half_width - distance) / (0.35 * brow_half_width), 0, 1)[:, None]
            colour[face] = (1 - a) * colour[face] + a * np.asarray(brow)
    red = model.extra.get('lips', _painted_lips(model, lip_edge))[:, None]
    colour = (1 - red) * colour + red * np.array(lip, np.float32)
    for name, value in (
        ('mouth_socket', SOCKET_COLOUR),
        ('gums_tongue', GUMS_COLOUR),
        ('teeth', TEETH_COLOUR),
    ):
        colour[region.get(name, np.zeros(0, int))] = value
    if 'throat' in model.extra:
        inside = region['mouth_socket']
        deep = model.extra['throat'][inside, None]
        colour[inside] = (1 - deep) * np.array(CHEEK_COLOUR, np.float32) + deep * np.array(
            SOCKET_COLOUR, np.float32
        )
    for side in 'LR':
        ball = region[f'eyeball_{side}']
        radii = _iris_radii(model, side)[ball]
        colour[ball] = sclera
        colour[ball[radii < IRIS_RADIUS]] = iris
        colour[ball[radii < PUPIL_RADIUS]] = PUPIL_COLOUR
        colour[region[f'eye_socket_{side}']] = LIP_COLOUR
        colour[region.get(f'eyelashes_{side}', np.zeros(0, int))] = LASH_COLOUR
    if 'cavity' in model.extra:
        colour *= 1 - 0.8 * model.extra['cavity'][:, None]
    return colour
