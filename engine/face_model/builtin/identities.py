"""Identity modes of the built-in head, each one standard deviation.

Measured ones first, then one for every trait an artist would name. The sizes of these follow adult
head anthropometry (Farkas 1994; Gordon et al., ANSUR 1988): standard deviations of about 6 mm for
head and jaw breadths, 6.5 mm for face height, 3.5 mm for nose height, 3 mm for nose and mouth
breadth, 2.5 mm for eye spacing, 4 mm for ears.
Head space, cm; x to the head's left, y up, z front.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...core.smoothstep import smoothstep
from .assemble import Head
from .cage import EYE_CENTRE_L, LIPS_INNER, measured
from .expressions.fields import Fields

Motion = Callable[[np.ndarray], np.ndarray]  # N×3 points → N×3 offsets


def bell(p: np.ndarray, centre, radius) -> np.ndarray:
    """Return N: a smooth bump of the given radii round `centre` and its mirror image."""
    q = p * [1, 1, 1]
    q[:, 0] = np.abs(q[:, 0])
    return np.exp(-(((q - centre) / radius) ** 2).sum(1))


def side(p: np.ndarray, width: float = 0.6) -> np.ndarray:
    """Return N: −1 right … 1 left, smooth over the midline."""
    return np.tanh(p[:, 0] / width)


def vector(x=0.0, y=0.0, z=0.0) -> np.ndarray:
    """Return …×3 of numbers or arrays along the axes."""
    return np.stack(
        np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float), np.asarray(z, float)), -1
    )


def front(p: np.ndarray) -> np.ndarray:
    """Return N: 1 on the face, fading to 0 behind the ears."""
    return smoothstep(p[:, 2], -1.0, 6.0)


def below(p: np.ndarray, y: float, width: float) -> np.ndarray:
    """Return N: 1 below a height `y` (cm), fading to 0 over twice a width (cm)."""
    return smoothstep(-p[:, 1], -y - width, -y + width)


def head_and_jaw_traits() -> dict[str, Motion]:
    """Return what varies about the skull, the jaw and the chin."""
    return {
        'head_size': lambda p: 0.03 * (p - [0, 0, 2.0]),
        'head_width': lambda p: vector(0.038 * p[:, 0]),
        'head_depth': lambda p: vector(0, 0, 0.036 * (p[:, 2] - 3)),
        'skull_height': lambda p: vector(0, 0.07 * np.maximum(p[:, 1] - 4, 0) ** 1.3 / 1.6),
        'face_length': lambda p: vector(
            0, 0.048 * (np.minimum(p[:, 1], 3.6) - 3.6) * smoothstep(p[:, 1], -13, -8)
        ),
        'lower_face_length': lambda p: vector(
            0, -0.34 * below(p, -3.5, 3.2) * smoothstep(p[:, 1], -14, -9) * (0.4 + 0.6 * front(p))
        ),
        'jaw_width': lambda p: vector(
            0.34
            * side(p, 3.0)
            * np.exp(-(((p[:, 1] + 4.5) / 3.4) ** 2))
            * smoothstep(p[:, 2], -1, 4)
        ),
        'jaw_angle': lambda p: (
            vector(0.22 * side(p, 1.0), -0.30, -0.05)
            * bell(p, (6.2, -4.2, 4.6), (2.0, 2.2, 2.6))[:, None]
        ),
        'chin_forward': lambda p: vector(0, 0, 0.42 * bell(p, (0, -7.2, 10), (3.0, 2.4, 4))),
        'chin_width': lambda p: vector(
            0.28 * side(p, 1.2) * bell(p, (2.0, -7.0, 9.2), (2.2, 1.8, 3))
        ),
        'chin_height': lambda p: vector(0, -0.34 * bell(p, (0, -8.0, 10), (3.6, 2.3, 4))),
        'double_chin': lambda p: (
            vector(0, -0.5, 0.2) * bell(p, (0, -9.0, 7), (4.0, 1.8, 3.4))[:, None]
        ),
    }


def cheek_and_forehead_traits() -> dict[str, Motion]:
    """Return what varies about cheeks, forehead, brows and temples."""
    return {
        'cheek_fullness': lambda p: (
            vector(0.24 * side(p, 1.5), 0, 0.30)
            * bell(p, (4.6, -2.4, 8.2), (2.2, 2.4, 3.0))[:, None]
        ),
        'cheekbone_width': lambda p: (
            vector(0.28 * side(p, 2.0), 0, 0.05)
            * bell(p, (6.4, 1.6, 6.0), (2.0, 2.0, 3.4))[:, None]
        ),
        'cheekbone_forward': lambda p: (
            vector(0.06 * side(p), 0.04, 0.28) * bell(p, (4.4, 1.0, 9.0), (2.0, 1.5, 2.4))[:, None]
        ),
        'forehead_slope': lambda p: vector(0, 0, -0.36 * bell(p, (0, 10.0, 8.5), (6, 2.8, 4))),
        'forehead_width': lambda p: vector(
            0.26 * side(p, 2.5) * bell(p, (5.6, 7.5, 5.5), (3.0, 3.0, 4.0))
        ),
        'brow_ridge': lambda p: (
            vector(0, -0.05, 0.24) * bell(p, (2.8, 5.4, 10.3), (2.6, 0.9, 2.0))[:, None]
        ),
        'glabella': lambda p: vector(0, 0, 0.20 * bell(p, (0, 5.0, 10.8), (1.2, 1.2, 2.0))),
        'brow_height': lambda p: vector(0, 0.22 * bell(p, (3.4, 5.6, 10), (3.0, 1.0, 3.0))),
        'temple_hollow': lambda p: vector(
            -0.24 * side(p, 2.0) * bell(p, (6.6, 5.0, 5.0), (1.8, 2.2, 2.4))
        ),
    }


def eye_and_nose_traits() -> dict[str, Motion]:
    """Return what varies about the eyes and the nose."""
    eye, nose_tip, wing = EYE_CENTRE_L + [0, 0, 1.0], (0, 0.2, 12.8), (1.8, -0.2, 11.2)
    return {
        'eye_spacing': lambda p: vector(0.16 * side(p) * bell(p, eye, (2.0, 1.6, 3.4))),
        'eye_height': lambda p: vector(0, 0.20 * bell(p, eye, (2.6, 1.8, 3.4))),
        'eye_depth': lambda p: vector(0, 0, -0.20 * bell(p, eye, (2.0, 1.5, 3.4))),
        'eye_tilt': lambda p: vector(
            0,
            0.13
            * np.tanh((np.abs(p[:, 0]) - EYE_CENTRE_L[0]) / 1.2)
            * bell(p, eye, (2.2, 1.2, 2.6)),
        ),
        'nose_length': lambda p: (
            vector(0, -0.28, 0.04)
            * (smoothstep(-p[:, 1], -3.2, 0.6) * bell(p, (0, -0.4, 12), (2.1, 2.6, 2.8)))[:, None]
        ),
        'nose_width': lambda p: vector(0.15 * side(p, 0.8) * bell(p, wing, (1.4, 1.2, 2.0))),
        'nose_projection': lambda p: vector(0, 0, 0.28 * bell(p, nose_tip, (1.5, 1.6, 2.6))),
        'nose_tip_up': lambda p: (
            vector(0, 0.20, 0.03) * bell(p, nose_tip, (1.2, 1.1, 1.5))[:, None]
        ),
        'nose_bridge_height': lambda p: vector(
            0, 0, 0.22 * bell(p, (0, 2.9, 11.6), (1.2, 1.7, 2.0))
        ),
        'nose_bridge_width': lambda p: vector(
            0.12 * side(p, 0.5) * bell(p, (0.9, 2.6, 11.0), (1.0, 1.8, 1.8))
        ),
        'nose_hump': lambda p: vector(0, 0, 0.16 * bell(p, (0, 2.0, 12.3), (0.9, 0.9, 1.6))),
    }


def mouth_ear_and_neck_traits() -> dict[str, Motion]:
    """Return what varies about the mouth, the ears and the neck."""
    return {
        'philtrum_length': lambda p: (
            vector(0, -0.20, 0)
            * (smoothstep(-p[:, 1], 0.9, 2.3) * bell(p, (0, -3.2, 11), (3.0, 1.9, 3.0)))[:, None]
        ),
        'mouth_width': lambda p: vector(
            0.20 * side(p, 1.2) * bell(p, (2.4, -3.3, 10.3), (1.6, 1.4, 2.0))
        ),
        'mouth_forward': lambda p: vector(0, 0, 0.24 * bell(p, (0, -3.3, 11), (3.0, 1.9, 3.0))),
        'ear_size': lambda p: (
            0.10
            * (p - [0, 1.7, 0] - vector(6.9 * np.sign(p[:, 0]), 0, 1.8))
            * [1, 1, 1]
            * smoothstep(np.abs(p[:, 0]), 7.1, 7.7)[:, None]
        ),
        'ear_flare': lambda p: vector(
            0.34
            * np.sign(p[:, 0])
            * smoothstep(np.abs(p[:, 0]), 7.25, 8.8)
            * smoothstep(-p[:, 2], -2.4, 1.5)
        ),
        'neck_width': lambda p: (
            vector(0.09 * p[:, 0], 0, 0.06 * (p[:, 2] + 1))
            * smoothstep(-p[:, 1], 3.5, 10.0)[:, None]
            * (1 - 0.85 * smoothstep(p[:, 2], 5.5, 8.0))[:, None]
        ),
    }


def designed() -> dict[str, Motion]:
    """Return name → motion of one standard deviation, of every trait that is modelled by hand."""
    return {
        **head_and_jaw_traits(),
        **cheek_and_forehead_traits(),
        **eye_and_nose_traits(),
        **mouth_ear_and_neck_traits(),
    }


def lip_modes(fields: Fields) -> dict[str, np.ndarray]:
    """Return name → cage offsets of the lips' fullness.

    Their borders move away from the line between them.
    """
    out = {}
    for name, wanted in (('upper_lip_fullness', 1), ('lower_lip_fullness', -1)):
        handles = {}
        for v, (lip, place, ring) in fields.lips.items():
            bulge = 1 - abs(place) ** 2.5
            if lip == wanted:
                up, out_ = {0: (0.16, 0.03), 1: (0.12, 0.12), 2: (0.05, 0.10), 3: (0.0, 0.03)}.get(
                    ring, (0, 0)
                )
                handles[v] = np.array([0, lip * up, out_]) * bulge
            else:
                handles[v] = np.zeros(3)
        for v in (164, 2, 1, 18, 200, 152):
            handles[v] = np.zeros(3)
        out[name] = fields.spread(handles, 1.8)
    return out


def with_rigid_pieces(fields: Fields, offsets: np.ndarray) -> np.ndarray:
    """Make an offset (V×3) one that a head can have.

    Eyeballs, teeth, gums and tongue are carried rigidly, sockets and lids kept clear of the
    eyeballs, and it is made exactly symmetric.
    """
    head = fields.head
    out = fields.with_lips_sealed(fields.even(offsets))
    base = fields.neutral
    lips = head.point[list(LIPS_INNER)]
    step = out[lips].mean(0) * [0, 1, 1]
    widen = (out[lips, 0] * base[lips, 0]).sum() / (base[lips, 0] ** 2).sum() * 0.5
    for name in ('gums_upper', 'gums_lower', 'teeth_upper', 'teeth_lower', 'tongue'):
        rows = head.pieces[name]
        out[rows] = step + np.stack(
            [widen * base[rows, 0], np.zeros(len(rows)), np.zeros(len(rows))], 1
        )
    for name in 'LR':
        lids = head.loops['lid_' + name]
        shift = out[lids].mean(0)
        ball = head.regions['eyeball_' + name]
        out[ball] = shift
        zone, clearance = fields.lid_zone[name]
        centre = fields.eye_centre(name)
        relative = base[zone] - centre
        both = []
        for s in (1, -1):
            moved = base[zone] + s * (out[zone] - shift)
            lack = np.maximum(clearance - fields.eye_gap(moved, name, np.array([0, 0, 1.0])), 0)
            radial = moved - centre
            both.append(
                moved
                + radial / np.linalg.norm(radial, axis=1, keepdims=True) * lack[:, None]
                - base[zone]
            )
        near = smoothstep(2.4 - np.linalg.norm(relative, axis=1), 0, 0.3)[:, None]
        out[zone] += near * ((both[0] - both[1]) / 2 + shift - out[zone])
    return fields.even(fields.with_lashes(out, turning=False))


def measured_modes(fields: Fields) -> list[np.ndarray]:
    """Return V×3 each: the measured modes faded over the rest of the head, lips kept closed."""
    out = []
    for mode in measured()['modes']:
        mode = mode.copy()
        for upper, lower in zip(LIPS_INNER[1:10], LIPS_INNER[:10:-1]):
            mode[upper] = mode[lower] = (mode[upper] + mode[lower]) / 2
        handles = dict(enumerate(mode))
        inside = mode[list(LIPS_INNER)].mean(0)
        for k, ring in enumerate(fields.inner_rings):
            for j, v in enumerate(ring):
                lip = mode[LIPS_INNER[j]]
                share = (1.0, 0.8, 0.5, 0.25, 0.0, 0.0, 0.0)[min(k, 6)]
                handles[v] = share * lip + (1 - share) * inside * [0, 1, 1]
        for v in fields.head.cage.loops['neck']:
            handles[int(v)] = np.zeros(3)
        out.append(fields.on_skin(fields.fade(handles)))
    return out


def mode_names() -> tuple[str, ...]:
    """Return what each mode does, in order."""
    return (
        tuple(f'measured_{k + 1}' for k in range(len(measured()['modes'])))
        + tuple(designed())
        + ('upper_lip_fullness', 'lower_lip_fullness')
    )


def identity_modes(head: Head) -> np.ndarray:
    """Return I×V×3 float32 cm per standard deviation, in mode_names() order."""
    fields = Fields(head)
    offsets = measured_modes(fields)
    offsets += [motion(head.vertices) for motion in designed().values()]
    offsets += [fields.on_skin(field) for field in lip_modes(fields).values()]
    return np.stack([with_rigid_pieces(fields, o) for o in offsets]).astype(np.float32)
