"""Smooth displacement fields on the built-in head's skin.

And what keeps lids off eyeballs and lips off teeth.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ....core.smoothstep import smoothstep
from ..assemble import Head
from ..cage import EYE_CENTRE_L, EYE_RADIUS, LIP_LOWER, LIP_UPPER, LIPS_INNER, measured
from ..eyes import cornea_height
from ..lashes import carry_lashes
from ..mouth import LOWER_JAW, UPPER_JAW
from ..skin import SEAM, lip_gap, lip_pairs, seam_pairs
from ..subdivide import edges_of

HINGE = np.array([0.0, 1.0, 2.4])  # the jaw joint's axis, just in front of the ears


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Return the rotation (3×3) about x, y or z, right-handed."""
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    return np.array(
        {
            'x': [[1, 0, 0], [0, c, -s], [0, s, c]],
            'y': [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            'z': [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


class Fields:
    """The head with what its shapes are made of. Offsets are V×3 over all vertices, cm."""

    def __init__(self, head: Head):
        self.head = head
        self.cage, self.cage_faces, self.cage_parts = head.cage.arrays()
        self.mirror = measured()['mirror']
        self.neutral = head.vertices
        self.count = len(head.vertices)

    @cached_property
    def bending(self) -> sparse.csc_matrix:
        """The cage's bilaplacian C×C, edges weighted by 1/length and vertices by area.

        Its null space are constants.
        """
        edges, _, _ = edges_of(self.cage_faces)
        length = np.linalg.norm(self.cage[edges[:, 0]] - self.cage[edges[:, 1]], axis=1)
        weight = 1 / np.maximum(length, 0.12)
        n = len(self.cage)
        graph = sparse.csr_matrix(
            (np.repeat(weight, 2), (edges.ravel(), edges[:, ::-1].ravel())), (n, n)
        )
        laplacian = sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph
        size = np.zeros(n)
        np.add.at(size, edges.ravel(), np.repeat(np.maximum(length, 0.12) ** 2, 2) / 4)
        return (laplacian @ sparse.diags(1 / size) @ laplacian).tocsc()

    @cached_property
    def lips(self) -> dict[int, tuple[int, float, int]]:
        """Cage vertex → (side, place, ring) on the lips.

        side: 1 upper, −1 lower, 0 corner; place: −1 … 1 towards the left; ring: 0 border … 3 inner
        edge, 4 and 5 behind it.
        """
        out = {}
        for side, rings in ((1, LIP_UPPER), (-1, LIP_LOWER)):
            for ring, line in enumerate(rings):
                for k, v in enumerate(line):
                    place = (5 - k) / 5
                    out[v] = (side if k else 0, place, ring)
                    if k < 5:
                        out[int(self.mirror[v])] = (side if k else 0, -place, ring)
        rows = self.inner_rings
        for depth in (0, 1):
            for k, v in enumerate(LIPS_INNER):
                side, place, _ = out[v]
                out[rows[depth][k]] = (side, place, 4 + depth)
        return out

    @cached_property
    def inner_rings(self) -> list[list[int]]:
        """The cage's rings behind the lips' inner edge, front to throat, in LIPS_INNER's order."""
        first = self.head.cage.discs['mouth_socket']
        start = min(first)
        return [
            list(range(start + 20 * k, start + 20 * k + 20)) for k in range((len(first) - 1) // 20)
        ]

    @cached_property
    def stiffness(self) -> sparse.csc_matrix:
        """Bending with a little tension and a pull to zero, C×C.

        For fields that must fade over the whole head without overshooting.
        """
        edges, _, _ = edges_of(self.cage_faces)
        length = np.maximum(
            np.linalg.norm(self.cage[edges[:, 0]] - self.cage[edges[:, 1]], axis=1), 0.12
        )
        n = len(self.cage)
        graph = sparse.csr_matrix(
            (np.repeat(1 / length, 2), (edges.ravel(), edges[:, ::-1].ravel())), (n, n)
        )
        laplacian = sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph
        size = np.bincount(edges.ravel(), np.repeat(length**2, 2) / 4, n)
        return (self.bending + 0.25 * laplacian + 0.004 * sparse.diags(size)).tocsc()

    def fade(self, handles: dict[int, object]) -> np.ndarray:
        """Return C×3 over the cage: the handles' values, fading smoothly over everything else."""
        keys = np.array(list(handles))
        field = np.zeros((len(self.cage), 3))
        field[keys] = np.array([handles[k] for k in keys], float)
        free = np.setdiff1d(np.arange(len(self.cage)), keys)
        a = self.stiffness
        field[free] = splu(a[free][:, free]).solve(-(a[free][:, keys] @ field[keys]))
        return field

    def spread(
        self, handles: dict[int, object], reach: float = 3.0, hold=(), width: int = 3
    ) -> np.ndarray:
        """Return C×width over the cage: the least-bending field that takes the handles' values.

        It is 0 farther than `reach` cm from all of them, and at `hold`.
        """
        n = len(self.cage)
        keys = np.array(list(handles))
        values = np.array([np.broadcast_to(handles[k], width) for k in keys], float)
        moving = np.abs(values).sum(1) > 0
        sources = self.cage[keys[moving]]
        near = np.linalg.norm(self.cage[:, None] - sources[None], axis=2).min(1) < reach
        field = np.zeros((n, width))
        field[keys] = values
        fixed = ~near
        fixed[keys] = True
        fixed[list(hold)] = True
        field[[k for k in hold if k not in handles]] = 0
        free = np.flatnonzero(~fixed)
        if len(free):
            a = self.bending
            field[free] = splu(a[free][:, free]).solve(
                -(a[free][:, np.flatnonzero(fixed)] @ field[fixed])
            )
        return field

    def on_skin(self, field: np.ndarray) -> np.ndarray:
        """Carry a cage field C×k to V×k, 0 off the skin."""
        return self.head.matrix @ field

    def by_mirror(self, offsets: np.ndarray) -> np.ndarray:
        """Return the same shape for the other side."""
        return offsets[self.head.mirror] * [-1, 1, 1]

    def even(self, offsets: np.ndarray) -> np.ndarray:
        """Return the symmetric part."""
        return (offsets + self.by_mirror(offsets)) / 2

    @cached_property
    def neighbours(self) -> sparse.csr_matrix:
        """V×V: the mean over the vertices next to each one."""
        edges, _, _ = edges_of(self.head.faces)
        graph = sparse.csr_matrix(
            (np.ones(2 * len(edges)), (edges.ravel(), edges[:, ::-1].ravel())),
            (self.count, self.count),
        )
        return (sparse.diags(1 / np.asarray(graph.sum(1)).ravel()) @ graph).tocsr()

    def smoothed(self, offsets: np.ndarray, rows: np.ndarray, rounds: int) -> np.ndarray:
        """Draw the offsets of `rows` towards their neighbours' mean, `rounds` times."""
        out = offsets.copy()
        mean = self.neighbours[rows]
        for _ in range(rounds):
            out[rows] = 0.5 * out[rows] + 0.5 * (mean @ out)
        return out

    def with_lips_sealed(self, offsets: np.ndarray) -> np.ndarray:
        """Keep the lips' inner edges on each other."""
        out = offsets.copy()
        upper, lower = seam_pairs(self.head.loops['lips'])
        out[upper] = out[lower] = (offsets[upper] + offsets[lower]) / 2
        return out

    @cached_property
    def lip_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(upper, lower, depth): see skin.lip_pairs."""
        return lip_pairs(self.head.matrix, self.head.cage)

    def with_lips_together(self, offsets: np.ndarray, reach: float = 2.5) -> np.ndarray:
        """Stick the lips to each other at their edges, less the farther from them.

        reach: cage rings.
        """
        out = offsets.copy()
        upper, lower, depth = self.lip_pairs
        share = (1 - smoothstep(depth, 0, reach))[:, None]
        mean = (out[upper] + out[lower]) / 2
        out[upper] += share * (mean - out[upper])
        out[lower] += share * (mean - out[lower])
        return self.with_lips_sealed(out)

    def off_lips(self, offsets: np.ndarray) -> np.ndarray:
        """Push vertices of the lips that lie on each other apart where they passed through.

        Each goes half the way.
        """
        out = offsets.copy()
        upper, lower, depth = self.lip_pairs
        rest = self.neutral[upper, 1] - self.neutral[lower, 1]
        wanted = np.minimum(rest, 2 * SEAM + lip_gap(depth))
        lack = np.maximum(wanted - rest - out[upper, 1] + out[lower, 1], 0) / 2
        out[upper, 1] += lack
        out[lower, 1] -= lack
        return out

    def with_lashes(self, offsets: np.ndarray, turning: bool = True) -> np.ndarray:
        """Let the lashes be carried by their lids."""
        out = offsets.copy()
        for side in 'LR':
            lashes = self.head.pieces['eyelashes_' + side]
            out[lashes] = carry_lashes(
                self.neutral,
                self.head.lash_roots[side],
                lashes,
                offsets,
                self.eye_centre(side),
                turning,
            )
        return out

    # What keeps parts off each other.

    def eye_centre(self, side: str) -> np.ndarray:
        """Return the centre (3) of the eyeball of a side, 'L' or 'R'."""
        return EYE_CENTRE_L * [1 if side == 'L' else -1, 1, 1]

    @cached_property
    def lid_zone(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Side → (skin vertices within reach of the eyeball, the clearance each keeps from it, cm).

        The clearance is its own in the neutral, at most .03.
        """
        out = {}
        skin = self.head.pieces['skin']
        for side in 'LR':
            offset = self.neutral[skin] - self.eye_centre(side)
            distance = np.linalg.norm(offset, axis=1)
            zone = skin[(distance < 2.4) & (distance > 0.9 * EYE_RADIUS)]
            gap = self.eye_gap(self.neutral[zone], side, np.array([0, 0, 1.0]))
            out[side] = zone, np.minimum(gap, 0.03)
        return out

    def eye_gap(self, points: np.ndarray, side: str, axis: np.ndarray) -> np.ndarray:
        """Return the distance of points outside the eye's surface, cornea included.

        axis: 3, where its pupil looks.
        """
        offset = points - self.eye_centre(side)
        distance = np.linalg.norm(offset, axis=1)
        angle = np.arccos(np.clip(offset @ axis / distance, -1, 1))
        return distance - EYE_RADIUS - cornea_height(angle)

    def off_eyes(
        self, offsets: np.ndarray, axes: dict[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Push the skin out of the eyeballs along their radii, keeping each vertex's clearance.

        axes: side → where its pupil looks (3); to the front where it is not given.
        """
        offsets = offsets.copy()
        for side in 'LR':
            zone, clearance = self.lid_zone[side]
            axis = (axes or {}).get(side, np.array([0, 0, 1.0]))
            points = self.neutral[zone] + offsets[zone]
            lack = np.maximum(clearance - self.eye_gap(points, side, axis), 0)
            radial = points - self.eye_centre(side)
            offsets[zone] += radial / np.linalg.norm(radial, axis=1, keepdims=True) * lack[:, None]
        return offsets

    @cached_property
    def behind_lips(self) -> np.ndarray:
        """Skin vertices that may touch the front teeth.

        The lips' inner sides and the bag's front.
        """
        n = np.zeros(len(self.cage))
        for ring in self.inner_rings[:3]:
            n[ring] = 1
        n[list(LIPS_INNER)] = 1
        for v, (_, _, ring) in self.lips.items():
            if ring >= 2:
                n[v] = 1
        return np.flatnonzero(self.head.matrix @ n > 0.05)

    def off_teeth(
        self,
        offsets: np.ndarray,
        jaw: np.ndarray | None = None,
        shift=(0.0, 0.0, 0.0),
        clearance: float = 0.14,
    ) -> np.ndarray:
        """Push the lips' inner sides out of the dental arches.

        jaw, shift: the lower arch's motion in this shape: it turns about HINGE (3×3) and shifts (3,
        cm).
        """
        offsets = offsets.copy()
        zone = self.behind_lips
        for arch, turn, move, band in (
            (UPPER_JAW.arch, np.eye(3), np.zeros(3), (-3.5, -0.9)),
            (LOWER_JAW.arch, np.eye(3) if jaw is None else jaw, np.asarray(shift), (-5.6, -3.3)),
        ):
            points = self.neutral[zone] + offsets[zone]
            local = (points - HINGE - move) @ turn + HINGE
            half, length, back = arch[0] + clearance, arch[1] + clearance, arch[2]
            x, z = local[:, 0], local[:, 2] - back
            inside = np.sqrt((np.abs(x) / half) ** 2.1 + (np.maximum(z, 0) / length) ** 2)
            weight = (
                smoothstep(local[:, 1], band[0] - 0.25, band[0])
                * (1 - smoothstep(local[:, 1], band[1], band[1] + 0.25))
                * (z > 0)
            )
            # never tighter than the neutral
            base = self.neutral[zone]
            rest = np.sqrt(
                (np.abs(base[:, 0]) / half) ** 2.1
                + (np.maximum(base[:, 2] - back, 0) / length) ** 2
            )
            wanted = np.minimum(rest, 1.0)
            push = np.maximum(wanted / np.maximum(inside, 0.3), 1) - 1
            change = np.stack([x * push, np.zeros(len(x)), z * push], 1) * weight[:, None]
            offsets[zone] += change @ turn.T
        return offsets
