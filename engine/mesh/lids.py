"""Lids of any mesh kept outside its own eyeballs, shape by shape."""
from __future__ import annotations

import numpy as np
from scipy import sparse

from ..face_model.gaze import sphere_centre
from .closest import Surface
from .laplacian import components, edges_of

MOVING = ('eyeBlink', 'eyeSquint', 'eyeWide', 'eyeLook', 'cheekSquint', 'browDown')  # shapes that move lids, without their side
CLEAR = .02          # cm: how far off the eyeball a lid stays, unless it is nearer at rest
FURTHEST = .3        # cm: it is pushed at most
AROUND = 1.45        # eyeball radii: lids are within
ROUND = .2           # of the radius: how far an eyeball's vertices may be off its sphere
RADIUS = (.8, 1.8)   # cm: an eyeball's
NEAR = 1.2           # cm: its centre from the model's
SPREADING = 8        # rounds: a push is shared with so many rings of neighbours


def eyeballs(vertices: np.ndarray, triangles: np.ndarray, centres: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{side: vertex indices} of the round component near each centre (3, cm) of a mesh N×3, T×3; sides without one are left out."""
    component = components(len(vertices), triangles)
    used = np.zeros(len(vertices), bool)
    used[triangles] = True
    out = {}
    for side, centre in centres.items():
        near = used & (np.linalg.norm(vertices - centre, axis=1) < RADIUS[1] + NEAR)
        best = 0
        for k in np.unique(component[near]):
            rows = np.flatnonzero(component == k)
            if len(rows) < 20 or not near[rows].all():
                continue
            middle = sphere_centre(vertices[rows])
            away = np.linalg.norm(vertices[rows] - middle, axis=1)
            radius = float(np.median(away))
            whole = np.ptp(vertices[rows], axis=0).min() > radius  # not a cornea's cap
            if whole and RADIUS[0] < radius < RADIUS[1] and np.abs(away - radius).max() < ROUND * radius and np.linalg.norm(middle - centre) < NEAR and radius > best:
                best, out[side] = radius, rows
    return out


def lids_over_eyeballs(vertices: np.ndarray, triangles: np.ndarray, offsets: np.ndarray, names: tuple[str, ...], centres: dict[str, np.ndarray]) -> np.ndarray:
    """E×N×3 offsets like those given, in which what lies before an eyeball (N×3 cm, T×3 wound outwards; centres as `eyeballs` takes them)
    does not sink into it at full weight. Pushes go outwards from its centre and fade over the neighbours. Meshes without eyeballs of
    their own come back as they were."""
    out = offsets
    edges = edges_of(triangles)
    n = len(vertices)
    near = sparse.coo_matrix((np.ones(2 * len(edges)), (edges.ravel('F'), edges[:, ::-1].ravel('F'))), (n, n)).tocsr()
    near = sparse.diags(1 / np.maximum(np.asarray(near.sum(1)).ravel(), 1)) @ near
    for side, ball in eyeballs(vertices, triangles, centres).items():
        inside = np.zeros(n, bool)
        inside[ball] = True
        own = triangles[inside[triangles].all(1)]
        centre = sphere_centre(vertices[ball])
        radius = float(np.median(np.linalg.norm(vertices[ball] - centre, axis=1)))
        there = np.flatnonzero(~inside & (np.linalg.norm(vertices - centre, axis=1) < AROUND * radius) & (vertices[:, 2] > centre[2]))
        rest = _outside(Surface(vertices, own), vertices[there])
        there, rest = there[rest > 0], rest[rest > 0]
        if not len(there):
            continue
        local = near[there][:, there]
        for e, name in enumerate(names):
            if not (name.startswith(MOVING) and name.endswith('_' + side)):
                continue
            moved = vertices + offsets[e]
            points = moved[there]
            need = np.clip(np.minimum(rest, CLEAR) - _outside(Surface(moved, own), points), 0, FURTHEST)
            if not need.any():
                continue
            push = need
            for _ in range(SPREADING):
                push = np.maximum(need, local @ push)
            direction = points - centre
            direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
            if out is offsets:
                out = offsets.copy()
            out[e, there] += (push[:, None] * direction).astype(out.dtype)
    return out


def _outside(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Signed distance: positive outside."""
    triangle, _, point, distance = surface.closest(points)
    return np.where(((points - point) * surface.normals[triangle]).sum(1) < 0, -distance, distance)
