"""As-rigid-as-possible deformation of triangle and tetrahedral meshes, many shapes at a time.

E(p, R) = Σₖ Σ_{ij ∈ k} wᵢⱼ |(pᵢ − pⱼ) − Rₖ (rᵢ − rⱼ)|² over elements k with a rotation each,
minimised by turns over R (polar decomposition) and p (one linear solve, factored once); each turn
lowers E or leaves it (Sorkine & Alexa 2007).

Triangles: an element is a vertex with all edges of its triangles ("spokes and rims", Chao et al.
2010), cotangent weights, clamped. Tetrahedra: an element is a tetrahedron; its edges' cotangent
weights sum to volume · |F − R|² (Chao et al. 2010, eq. 5), so that the whole is convex in p
whatever the sign of a single weight; the volume is taken positive and flat cells are kept from
outweighing others.
"""

from __future__ import annotations

import itertools

import numpy as np
import warp as wp
from scipy import sparse
from scipy.sparse.linalg import splu

from ..core.device import HOST
from ..core.errors import FacewrightError
from .laplacian import half_cotangents, weighted_laplacian

wp.config.log_level = wp.LOG_ERROR

# Half-cotangents below this (obtuse corners) are raised to it: positive weights keep the solution
# unflipped.
MIN_COTANGENT = 0.02
# A tetrahedron's weights are scaled down to those of one whose volume is this share of a regular
# one's.
FLATTEST = 0.05
STILL = 1e-10  # radians: a rotation this near its best is left
_PAIRS = tuple(itertools.combinations(range(4), 2))


@wp.kernel
def _fit_rotations(
    s: wp.array(dtype=wp.float64, ndim=4), r: wp.array(dtype=wp.float64, ndim=4), still: wp.float64
):
    """Set r to the rotation q that makes tr(qᵀs) largest; both [element, column, shape, row].

    Newton from the last r: with y = qᵀs, S its symmetric part and a its axial vector, q is best
    where a = 0 and tr(S)I − S is positive (then no other rotation is a maximum). Singular values
    where Newton doesn't get there.
    """
    k, b = wp.tid()
    m = wp.mat33d()
    q = wp.mat33d()
    for c in range(3):
        for a in range(3):
            m[a, c] = s[k, c, b, a]
            q[a, c] = r[k, c, b, a]
    zero = wp.float64(0.0)
    one = wp.float64(1.0)
    half = wp.float64(0.5)
    # 0: not there, 1: there, 2: Newton is no use
    state = int(0)  # noqa: UP018, RUF046 - a literal would be a constant to Warp
    changed = int(0)  # noqa: UP018, RUF046 - likewise
    tries = int(0)  # noqa: UP018, RUF046 - likewise
    while state == 0 and tries < 8:
        tries += 1
        y = wp.transpose(q) @ m
        axial = wp.vec3d(y[2, 1] - y[1, 2], y[0, 2] - y[2, 0], y[1, 0] - y[0, 1])
        h00 = y[1, 1] + y[2, 2]
        h11 = y[0, 0] + y[2, 2]
        h22 = y[0, 0] + y[1, 1]
        h01 = -half * (y[0, 1] + y[1, 0])
        h02 = -half * (y[0, 2] + y[2, 0])
        h12 = -half * (y[1, 2] + y[2, 1])
        h = wp.mat33d(h00, h01, h02, h01, h11, h12, h02, h12, h22)
        scale = h00 + h11 + h22
        if (
            h00 <= zero
            or h00 * h11 - h01 * h01 <= zero
            or wp.determinant(h) <= wp.float64(1.0e-9) * scale * scale * scale
        ):
            state = 2
        elif wp.max(wp.max(wp.abs(axial[0]), wp.abs(axial[1])), wp.abs(axial[2])) <= still * scale:
            state = 1
        else:
            w = wp.inverse(h) @ axial * half
            q = q @ wp.quat_to_matrix(wp.normalize(wp.quatd(w[0], w[1], w[2], one)))
            changed = 1
    if state != 1:
        u = wp.mat33d()
        sigma = wp.vec3d()
        v = wp.mat33d()
        wp.svd3(m, u, sigma, v)
        q = u @ wp.diag(wp.vec3d(one, one, wp.determinant(u) * wp.determinant(v))) @ wp.transpose(v)
        changed = 1
    if changed == 1:
        for c in range(3):
            for a2 in range(3):
                r[k, c, b, a2] = q[a2, c]


def factor(matrix: sparse.spmatrix):
    """Factor a symmetric positive matrix (scipy's SuperLU, with the options that measured fastest).

    `.solve(B)` of the result takes many columns.
    """
    return splu(
        matrix.tocsc(),
        permc_spec='MMD_AT_PLUS_A',
        diag_pivot_thresh=0,
        options={'SymmetricMode': True},
    )


class Arap:
    """One mesh whose fixed vertices lead the others.

    rest: N×3, any unit
    cells: T×3 triangles or M×4 tetrahedra
    fixed: N bool

    Raises FacewrightError where a connected piece has no fixed vertex.
    """

    def __init__(self, rest: np.ndarray, cells: np.ndarray, fixed: np.ndarray):
        self.rest = np.asarray(rest, np.float64)
        n = len(self.rest)
        element, i, j, weight = (_tetrahedra if cells.shape[1] == 4 else _triangles)(
            self.rest, np.asarray(cells, np.int64)
        )
        used = np.zeros(n, bool)
        used[cells] = True
        self.free = np.flatnonzero(used & ~np.asarray(fixed, bool))
        self.held = np.flatnonzero(used & np.asarray(fixed, bool))
        laplacian = weighted_laplacian(np.c_[i, j], weight, n)
        _, piece = sparse.csgraph.connected_components(laplacian, directed=False)
        if len(np.setdiff1d(piece[self.free], piece[self.held])):
            raise FacewrightError(
                'A part of the mesh has no fixed vertex to follow: fix at least one vertex of '
                'every connected part.'
            )
        self.laplacian = laplacian
        self._lead = laplacian[self.free][:, self.held]
        self._factor = factor(laplacian[self.free][:, self.free]) if len(self.free) else None
        side = (self.rest[i] - self.rest[j]) * weight[:, None]
        columns = 3 * element[:, None] + np.arange(3)
        self.elements = int(element.max(initial=-1)) + 1
        self._gather = sparse.coo_matrix(
            (
                np.concatenate([side.ravel(), -side.ravel()]),
                (
                    np.concatenate([np.repeat(i, 3), np.repeat(j, 3)]),
                    np.concatenate([columns.ravel()] * 2),
                ),
            ),
            (n, 3 * self.elements),
        ).tocsr()
        self._spread = self._gather[self.free]
        self._collect = self._gather.T.tocsr()

    def harmonic(self, targets: np.ndarray) -> np.ndarray:
        """Continue the fixed vertices' displacements with least Dirichlet energy: B×N×3.

        targets: B×N×3, of which the fixed rows count
        """
        out = np.array(targets, np.float64)
        moved = np.moveaxis(out[:, self.held] - self.rest[self.held], 1, 0).reshape(
            len(self.held), -1
        )
        if len(self.free):
            inner = self._factor.solve(np.ascontiguousarray(-(self._lead @ moved)))
            out[:, self.free] = self.rest[self.free] + np.moveaxis(
                inner.reshape(len(self.free), len(out), 3), 0, 1
            )
        return out

    def rotations(self, positions: np.ndarray, last: np.ndarray | None = None) -> np.ndarray:
        """Find every element's best rotation, [element, column, shape, row] float64.

        positions: B×N×3
        last: reused and updated
        """
        b = len(positions)
        s = (self._collect @ np.moveaxis(positions, 1, 0).reshape(len(self.rest), -1)).reshape(
            self.elements, 3, b, 3
        )
        r = (
            last
            if last is not None
            else np.ascontiguousarray(np.broadcast_to(np.eye(3)[None, :, None], s.shape))
        )
        wp.launch(
            _fit_rotations,
            dim=(self.elements, b),
            device=HOST,
            inputs=[
                wp.array(s, dtype=wp.float64, device=HOST, copy=False),
                wp.array(r, dtype=wp.float64, device=HOST, copy=False),
                STILL,
            ],
        )
        return r

    def energy(self, positions: np.ndarray) -> np.ndarray:
        """Return B energies of positions B×N×3, each with its best rotations."""
        p = np.moveaxis(np.asarray(positions, np.float64), 1, 0)
        s = (self._collect @ p.reshape(len(p), -1)).reshape(self.elements, 3, -1, 3)
        stretch = (p * (self.laplacian @ p.reshape(len(p), -1)).reshape(p.shape)).sum((0, 2)) + (
            self.rest * (self.laplacian @ self.rest)
        ).sum()
        return stretch - 2 * (s * self.rotations(np.asarray(positions, np.float64))).sum((0, 1, 3))

    def solve(
        self,
        targets: np.ndarray,
        start: np.ndarray | None = None,
        iterations: int = 10,
        tolerance: float = 0.0,
    ) -> np.ndarray:
        """Find B×N×3: the free vertices where E is low, the fixed rows as in targets.

        Rows that no cell uses come back as in targets, too.

        targets: B×N×3
        start: B×N×3, the first guess; None: the harmonic one
        tolerance: ends early when no vertex moved more in a turn
        """
        out = self.harmonic(targets) if start is None else np.array(targets, np.float64)
        if not len(self.free):
            return out
        if start is not None:
            out[:, self.free] = start[:, self.free]
        b = len(out)
        pull = self._lead @ np.moveaxis(out[:, self.held], 1, 0).reshape(len(self.held), -1)
        r = None
        for _ in range(iterations):
            r = self.rotations(out, r)
            inner = self._factor.solve(
                np.ascontiguousarray(self._spread @ r.reshape(3 * self.elements, -1) - pull)
            )
            inner = np.moveaxis(inner.reshape(len(self.free), b, 3), 0, 1)
            step = np.abs(inner - out[:, self.free]).max(initial=0)
            out[:, self.free] = inner
            if step <= tolerance:
                break
        return out


def _tetrahedra(
    rest: np.ndarray, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (element, i, j, weight) of all edges of all tetrahedra."""
    corners = rest[cells]
    # area vectors (twice), all turned the same way
    opposite = np.stack(
        [
            np.cross(
                corners[:, (k + 2) % 4] - corners[:, (k + 1) % 4],
                corners[:, (k + 3) % 4] - corners[:, (k + 1) % 4],
            )
            * (-1) ** k
            for k in range(4)
        ],
        1,
    )
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6
    length = np.sqrt(np.mean([((corners[:, a] - corners[:, b]) ** 2).sum(1) for a, b in _PAIRS], 0))
    volume = np.maximum(volume, FLATTEST * length**3 / (6 * np.sqrt(2)) + 1e-300)
    weight = np.stack(
        [-(opposite[:, a] * opposite[:, b]).sum(1) / (36 * volume) for a, b in _PAIRS], 1
    )
    i, j = (np.stack([cells[:, pair[side]] for pair in _PAIRS], 1).ravel() for side in (0, 1))
    return np.repeat(np.arange(len(cells)), 6), i, j, weight.ravel()


def _triangles(
    rest: np.ndarray, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (element, i, j, weight): each triangle's edges, for each corner's element."""
    weight = np.maximum(half_cotangents(rest, cells), MIN_COTANGENT)
    _, element = np.unique(cells, return_inverse=True)
    element = element.reshape(cells.shape)
    i, j = np.roll(cells, -1, 1), np.roll(cells, -2, 1)
    return (
        np.concatenate([np.repeat(element[:, k], 3) for k in range(3)]),
        np.tile(i.ravel(), 3),
        np.tile(j.ravel(), 3),
        np.tile(weight.ravel(), 3),
    )
