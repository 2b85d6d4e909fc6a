"""The built-in head's teeth, gums and tongue. Head space, cm.

Tooth widths are the usual anatomical ones (Wheeler's Dental Anatomy), in centimetres from the midline outwards.
"""
from __future__ import annotations

import numpy as np

UPPER_WIDTHS = (.86, .66, .76, .70, .68, 1.0, .95)
LOWER_WIDTHS = (.54, .60, .69, .70, .71, 1.05, 1.0)
UPPER_DEPTHS = (.34, .32, .42, .62, .66, .95, .95)     # thickness of the biting surface's base, cheek to tongue
LOWER_DEPTHS = (.32, .32, .42, .58, .62, .92, .92)
UPPER_HEIGHTS = (1.02, .90, .98, .82, .76, .70, .66)
LOWER_HEIGHTS = (.84, .86, .98, .82, .76, .70, .66)
UPPER_ARCH = (2.62, 4.9, 5.25)       # half width, length, z of the widest place: an ellipse in the horizontal plane
LOWER_ARCH = (2.42, 4.65, 5.25)
UPPER_EDGE, LOWER_EDGE = -3.42, -3.38   # y of the biting edges, teeth just touching behind the closed lips


def arch_point(arch: tuple, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N×2 x,z points, N×2 outward unit normals) at arc lengths from the midline along the dental arch, + to the left."""
    half, length, back = arch
    t = np.linspace(0, np.pi / 2, 400)
    curve = np.stack([half * np.sin(t) ** .92, back + length * np.cos(t)], 1)
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    d = np.abs(distance)
    over = np.maximum(d - run[-1], 0)
    x, z = np.interp(d, run, curve[:, 0]), np.interp(d, run, curve[:, 1]) - over
    normal = np.stack([np.interp(d, run, np.gradient(-curve[:, 1], run)), np.interp(d, run, np.gradient(curve[:, 0], run))], 1)
    normal[d == 0] = (0, 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    sign = np.where(distance < 0, -1., 1.)
    return np.stack([x * sign, z], 1), normal * np.stack([sign, np.ones_like(sign)], 1)


RING = np.array([(1, .45), (.38, 1), (-.38, 1), (-1, .45), (-1, -.45), (-.38, -1), (.38, -1), (1, -.45)])   # across, outwards


def teeth(upper: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vertices N×3, faces F×4, tooth number per vertex): fourteen teeth of one jaw."""
    widths, depths, heights, arch, edge = ((UPPER_WIDTHS, UPPER_DEPTHS, UPPER_HEIGHTS, UPPER_ARCH, UPPER_EDGE) if upper else
                                           (LOWER_WIDTHS, LOWER_DEPTHS, LOWER_HEIGHTS, LOWER_ARCH, LOWER_EDGE))
    up = 1. if upper else -1.
    vertices, faces, number = [], [], []
    for sign in (1, -1):
        start = 0.
        for k, (w, d, h) in enumerate(zip(widths, depths, heights)):
            (spot,), (normal,) = arch_point(arch, np.array([sign * (start + w / 2)]))
            start += w
            tangent = np.array([normal[1], -normal[0]]) * sign
            front = k < 3
            # from the root (inside the gum) to the biting edge: height above the edge, width, depth, outward shift
            profile = ((h + .22, .68, d * .95, -.08), (h * .5, .97, d * 1.05, .03), (h * .18, .99, d * (.62 if front else .98), .02),
                       (.0, .90, d * (.34 if front else .72), .0 if front else -.02))
            first = len(vertices) and sum(map(len, vertices))
            for height, width, depth, shift in profile:
                across, out = RING[:, 0] * w * .5 * width * .985, RING[:, 1] * depth * .5 + shift - d * .5
                lean = .10 * height * (-1 if front else 0)
                flat = spot + across[:, None] * tangent + (out + lean)[:, None] * normal
                point_up = np.full(8, edge + up * height)
                if k == 2:
                    point_up -= up * .06 * (1 - np.abs(RING[:, 0])) * (height == 0)
                vertices.append(np.stack([flat[:, 0], point_up, flat[:, 1]], 1))
                number += [k + 7 * (sign < 0) + 14 * (not upper)] * 8
            turn = sign * up
            for r in range(len(profile) - 1):
                a, b = first + 8 * r, first + 8 * (r + 1)
                for j in range(8):
                    m = (j + 1) % 8
                    quad = (a + j, a + m, b + m, b + j)
                    faces.append(quad if turn > 0 else quad[::-1])
            c = first + 8 * (len(profile) - 1)
            for quad in ((0, 1, 6, 7), (1, 2, 5, 6), (2, 3, 4, 5)):
                quad = tuple(c + q for q in quad)
                faces.append(quad if turn > 0 else quad[::-1])
    return np.concatenate(vertices), np.array(faces, np.int32), np.array(number)


def gums(upper: bool) -> tuple[np.ndarray, np.ndarray]:
    """(vertices, faces): the ridge of gum one jaw's teeth stand in, scalloped round their necks."""
    widths, depths, heights, arch, edge = ((UPPER_WIDTHS, UPPER_DEPTHS, UPPER_HEIGHTS, UPPER_ARCH, UPPER_EDGE) if upper else
                                           (LOWER_WIDTHS, LOWER_DEPTHS, LOWER_HEIGHTS, LOWER_ARCH, LOWER_EDGE))
    up = 1. if upper else -1.
    ends = np.concatenate([[0], np.cumsum(widths)])
    stations, between, depth, height = [], [], [], []
    for k in range(7):
        stations += [ends[k], (ends[k] + ends[k + 1]) / 2]
        between += [1., 0.]
        depth += [(depths[max(k - 1, 0)] + depths[k]) / 2, depths[k]]
        height += [(heights[max(k - 1, 0)] + heights[k]) / 2, heights[k]]
    stations, between = np.array(stations + [ends[7]]), np.array(between + [1.])
    depth, height = np.array(depth + [depths[6]]), np.array(height + [heights[6]])
    s = np.concatenate([-stations[:0:-1], stations])
    between, depth, height = (np.concatenate([a[:0:-1], a]) for a in (between, depth, height))
    spot, normal = arch_point(arch, s)
    neck = height - .02 - .16 * between                      # gum line above the biting edge
    rows = []
    for rise, out in ((neck + .72, .06), (neck + .45, .13), (neck + .16, .13), (neck, .045), (neck + .08, -depth - .02), (neck + .3, -depth - .16),
                      (neck + .6, -depth - .28), (neck + .85, -depth - .55)):
        lean = -.10 * rise * (np.abs(s) < ends[3])
        flat = spot + (out + lean - .02 * between)[:, None] * normal
        rows.append(np.stack([flat[:, 0], edge + up * rise, flat[:, 1]], 1))
    vertices = np.concatenate(rows)
    n = len(s)
    faces = []
    for r in range(len(rows) - 1):
        for k in range(n - 1):
            quad = (r * n + k, (r + 1) * n + k, (r + 1) * n + k + 1, r * n + k + 1)
            faces.append(quad if upper else quad[::-1])
    return vertices, np.array(faces, np.int32)


def tongue() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vertices, faces, how far forward each vertex lies: 0 root … 1 tip)."""
    around, rings = 12, 9
    turn = np.arange(around) * 2 * np.pi / around
    vertices, forward = [], []
    for k in range(rings):
        t = k / (rings - 1)
        z = 3.9 + 5.05 * t ** .95
        half = 1.9 * (1 - .38 * t) * np.sqrt(np.clip(1 - (t / 1.06) ** 5, 0, 1))
        thick = (.85 - .45 * t) * np.sqrt(np.clip(1 - (t / 1.04) ** 6, 0, 1))
        y = -4.35 + .35 * np.sin(np.pi * min(t * 1.1, 1)) + .05 * t
        groove = .10 * np.exp(-(np.cos(turn) / .3) ** 2) * (np.sin(turn) > 1e-9) * (1 - t)
        vertices.append(np.stack([half * np.cos(turn), y + thick * np.sin(turn) - groove, np.full(around, z)], 1))
        forward += [t] * around
    vertices += [np.array([[0, -4.5, 3.6]]), np.array([[0, -4.3, 9.08]])]
    forward += [0., 1.]
    faces = []
    for r in range(rings - 1):
        for k in range(around):
            m = (k + 1) % around
            faces.append((r * around + k, r * around + m, (r + 1) * around + m, (r + 1) * around + k))
    back, tip = rings * around, rings * around + 1
    for k in range(0, around):
        faces.append(((k + 1) % around, k, back, -1))
        faces.append(((rings - 1) * around + k, (rings - 1) * around + (k + 1) % around, tip, -1))
    return np.concatenate(vertices), np.array(faces, np.int32), np.array(forward)
