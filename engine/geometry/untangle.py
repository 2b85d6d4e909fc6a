"""Moving the inner points of tetrahedra until as few of them as possible are inside out.

Energy: Garanzha et al. 2021, "Foldover-free maps in 50 lines of code", eq. 4–7: Σ f(J)/3 + λ g(J)
with the determinant D replaced by χ = (D + √(D² + ε²))/2, ε falling. J maps a regular tetrahedron
of the cell's own size, so that cells also become rounder. Ours: each term e becomes c·log(1 + e/c).
Where the surface itself is folded some cells cannot be righted, and without that bound they drag
their neighbours with them (measured on one expression of 55,000 cells: 211 left inverted without,
120 with).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import warp as wp
from scipy.optimize import minimize

from ..core.device import HOST

wp.config.log_level = wp.LOG_ERROR

EPSILONS = (0.1, 0.03, 0.01, 0.003)  # ε's fall (measured here)
STEPS = 120  # L-BFGS iterations for each
VOLUME_WEIGHT = 0.1  # λ
BOUND = 30.0  # c
RINGS = 2  # how far round an inverted cell points are moved
_PAIRS = tuple(itertools.combinations(range(4), 2))


@wp.kernel
def _energy(  # noqa: PLR0915 - the energy and its gradient written out
    points: wp.array(dtype=wp.vec3d),
    cells: wp.array(dtype=wp.vec4i),
    size: wp.array(dtype=wp.float64),
    epsilon: wp.float64,
    weight: wp.float64,
    bound: wp.float64,
    energy: wp.array(dtype=wp.float64),
    gradient: wp.array(dtype=wp.vec3d),
):
    """Find energy and gradient of every cell.

    J's columns are a, b, c: the images of the regular tetrahedron's axes.
    """
    t = wp.tid()
    cell = cells[t]
    one = wp.float64(1.0)
    two = wp.float64(2.0)
    third = one / wp.float64(3.0)
    s = one / size[t]
    o = points[cell[0]]
    x = (points[cell[1]] - o) * s
    y = (points[cell[2]] - o) * s
    z = (points[cell[3]] - o) * s
    # inverse of the regular tetrahedron's edge matrix:
    # edges (1,0,0), (1/2,√3/2,0), (1/2,√3/6,√(2/3))
    k11 = wp.float64(-0.5773502691896258)
    k12 = wp.float64(1.1547005383792517)
    k20 = wp.float64(-0.408248290463863)
    k22 = wp.float64(1.2247448713915892)
    a = x
    b = x * k11 + y * k12
    c = (x + y) * k20 + z * k22
    ca = wp.cross(b, c)
    cb = wp.cross(c, a)
    cc = wp.cross(a, b)
    d = wp.dot(a, ca)
    root = wp.sqrt(d * d + epsilon * epsilon)
    chi = wp.float64(0.5) * (d + root)
    if d < wp.float64(0.0):
        chi = wp.float64(0.5) * epsilon * epsilon / (root - d)
    slope = wp.float64(0.5) * (one + d / root)
    if d < wp.float64(0.0):
        slope = chi / root
    n = wp.dot(a, a) + wp.dot(b, b) + wp.dot(c, c)
    p = wp.pow(chi, -two * third)
    e = n * p * third + weight * (d * d + one) / chi
    energy[t] = bound * wp.log(one + e / bound)
    w = one / (one + e / bound)
    gn = w * two * third * p
    gd = w * (
        -two * third * third * n * p / chi * slope
        + weight * (two * d / chi - (d * d + one) / (chi * chi) * slope)
    )
    ga = a * gn + ca * gd
    gb = b * gn + cb * gd
    gc = c * gn + cc * gd
    gx = (ga + gb * k11 + gc * k20) * s
    gy = (gb * k12 + gc * k20) * s
    gz = gc * (k22 * s)
    wp.atomic_add(gradient, cell[0], -(gx + gy + gz))
    wp.atomic_add(gradient, cell[1], gx)
    wp.atomic_add(gradient, cell[2], gy)
    wp.atomic_add(gradient, cell[3], gz)


def signed_volumes(points: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return …×M volumes of tetrahedra M×4 at points …×N×3.

    Positive where corners 1, 2, 3 turn counter-clockwise seen from corner 0's far side.
    """
    o, x, y, z = (points[..., cells[:, k], :] for k in range(4))
    return (np.cross(x - o, y - o) * (z - o)).sum(-1) / 6


def cell_sizes(points: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return the root mean square of each tetrahedron's edges, M."""
    return np.sqrt(
        np.mean([((points[cells[:, a]] - points[cells[:, b]]) ** 2).sum(1) for a, b in _PAIRS], 0)
    )


def relax(
    points: np.ndarray,
    cells: np.ndarray,
    free: np.ndarray,
    size: np.ndarray,
    epsilons: tuple[float, ...] = EPSILONS,
    steps: int = STEPS,
    bound: float = BOUND,
    until_upright: bool = True,
) -> np.ndarray:
    """Move the free points to where the energy of all cells that have one is least: N×3.

    points: N×3; free: N bool
    cells: M×4
    size: M, edge length (cell_sizes of a good state) of the regular tetrahedron each cell is
        compared with
    epsilons, steps, bound: ε's fall, L-BFGS iterations for each, c
    until_upright: stop at the first ε that leaves no such cell inverted
    """
    touched = free[cells].any(1)
    if not touched.any():
        return points
    ids, local = np.unique(cells[touched], return_inverse=True)
    local = np.ascontiguousarray(local.reshape(-1, 4), np.int32)
    at = np.ascontiguousarray(points[ids], np.float64)
    moving = np.flatnonzero(free[ids])
    value = _energy_of(at, local, moving, size[touched], bound)
    x = at[moving].ravel()
    for epsilon in epsilons:
        x = minimize(
            value,
            x,
            args=(epsilon,),
            jac=True,
            method='L-BFGS-B',
            options={'maxiter': steps, 'maxcor': 8},
        ).x
        at[moving] = x.reshape(-1, 3)
        if until_upright and (signed_volumes(at, local) > 0).all():
            break
    out = np.array(points, np.float64)
    out[ids] = at
    return out


def _energy_of(
    at: np.ndarray, cells: np.ndarray, moving: np.ndarray, size: np.ndarray, bound: float
) -> Callable[[np.ndarray, float], tuple[float, np.ndarray]]:
    """Make the function of the moving points and ε that gives the energy and its gradient.

    It puts the moving points' places into `at`.
    """
    energy, gradient = np.zeros(len(cells)), np.zeros(at.shape)
    arrays = [
        wp.array(x, dtype=d, device=HOST, copy=False)
        for x, d in (
            (at, wp.vec3d),
            (cells, wp.vec4i),
            (np.ascontiguousarray(size, np.float64), wp.float64),
            (energy, wp.float64),
            (gradient, wp.vec3d),
        )
    ]

    def value(x: np.ndarray, epsilon: float) -> tuple[float, np.ndarray]:
        at[moving] = x.reshape(-1, 3)
        gradient[:] = 0
        wp.launch(
            _energy,
            dim=len(cells),
            device=HOST,
            inputs=[*arrays[:3], epsilon, VOLUME_WEIGHT, bound, *arrays[3:]],
        )
        return energy.sum(), gradient[moving].ravel()

    return value


def untangle(
    points: np.ndarray,
    cells: np.ndarray,
    free: np.ndarray,
    size: np.ndarray,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """Move the free points near inverted cells to right these: N×3.

    Fewer are inverted, or the points come back as they were.

    points, cells, free, size: as in `relax`
    known: M bool, cells that could not be righted before; nothing is moved for them alone
    """
    wrong = signed_volumes(points, cells) <= 0
    seeds = wrong if known is None else wrong & ~known
    if not seeds.any():
        return points
    near = np.zeros(len(points), bool)
    near[cells[seeds]] = True
    for _ in range(RINGS):
        near[cells[near[cells].any(1)]] = True
    out = relax(points, cells, near & free, size)
    return out if (signed_volumes(out, cells) <= 0).sum() < wrong.sum() else points
