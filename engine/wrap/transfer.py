"""Expressions of one head carried onto another of the same topology.

Sumner & Popović, "Deformation transfer for triangle meshes", SIGGRAPH 2004: each triangle's affine
deformation, the normal's image by their fourth vertex (eq. 1–4), asked of the target in the
least-squares sense (eq. 6–8). The fourth vertex is eliminated as in Botsch et al., "Deformation
transfer for detail-preserving surface editing", 2006: the unknowns are the V vertices alone, the
matrix GᵀWG is the cotangent Laplacian of the target, factored once for all shapes.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..core.smoothstep import smoothstep
from ..face_model.gaze import sphere_centre
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.polygons import triangulate
from ..geometry.rigid import move, rigid_motion

LEAST_MOVE = 1e-4  # cm: a vertex that no shape moves further does not move
# cm: where the source moves less than this, the target follows it as it is, and so is still where
# the source is
FADE_MOVE = 0.03
# per cm²: the source's own displacements against the gradients; they hold back what is wider than
# 2π/√.1 = 20 cm
ANCHOR_WEIGHT = 0.1
SHAPE_NOISE = 0.01  # cm: what the identity fit may leave to the transfer, per vertex
SHAPE_SAMPLES = 300  # how many independent vertices the skin is worth in the identity fit
CHIN_VERTICES = 100  # skin vertices that tell how far the jaw goes
SKIN_NEIGHBOURS = 6  # skin vertices that a vertex of lash or eye film rides on
LINED_PIECES = ('mouth_socket', 'eye_socket_L', 'eye_socket_R')
RIDING_PIECES = ('lashes_L', 'lashes_R', 'eye_surface_L', 'eye_surface_R')


def triangle_frames(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return T×3×3 whose columns are two edges and the normal over the root of its length.

    Sumner & Popović eq. 1.
    """
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.stack([b - a, c - a, normal / np.sqrt(np.maximum(length, 1e-30))], 2)


def gradient_operator(
    vertices: np.ndarray, triangles: np.ndarray
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return (G 3T×V, area T): G·f is the gradient of a function given at the vertices.

    Three rows a triangle. Flat triangles give zero.
    """
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    normal = np.cross(b - a, c - a)
    square = (normal**2).sum(1)
    usable = square > 1e-12 * max(np.median(square), 1e-300)
    inverse = np.where(usable, 1 / np.where(usable, square, 1), 0)[:, None]
    # T×corner×3
    basis = (
        np.stack([np.cross(normal, c - b), np.cross(normal, a - c), np.cross(normal, b - a)], 1)
        * inverse[:, None]
    )
    rows = 3 * np.arange(len(triangles))[:, None, None] + np.arange(3)[None, None]
    columns = np.broadcast_to(triangles[:, :, None], basis.shape)
    rows = np.broadcast_to(rows, basis.shape)
    return sparse.coo_matrix(
        (basis.ravel(), (rows.ravel(), columns.ravel())), (3 * len(triangles), len(vertices))
    ).tocsr(), np.sqrt(square) / 2


class Transfer:
    """Deformation transfer from one neutral to another of the same topology, factored once.

    source_neutral, target_neutral: V×3 (any unit). triangles: T×3.
    fixed: V bool, vertices that stay where the target's neutral has them; a connected component
    without any is held by its first vertex, then moved so that its centroid goes where the source's
    goes, scaled by the target's size.
    anchor: V or a number, how strongly `anchors` in `solve` are followed (0: pure deformation
    transfer).
    """

    def __init__(
        self,
        source_neutral: np.ndarray,
        triangles: np.ndarray,
        target_neutral: np.ndarray,
        fixed: np.ndarray | None = None,
        anchor: np.ndarray | float = 0.0,
    ):
        self.source, self.target = (
            np.asarray(v, np.float64) for v in (source_neutral, target_neutral)
        )
        if self.source.shape != self.target.shape:
            raise FacewrightError(
                f'The two heads have {len(self.source)} and {len(self.target)} vertices: '
                'deformation transfer needs one topology, wrap the model first.'
            )
        self.triangles = np.asarray(triangles)
        count = len(self.target)
        grad, area = gradient_operator(self.target, self.triangles)
        if not (area > 0).any():
            raise FacewrightError('The head has no surface: every face has zero area.')
        self.weighted = (grad.T @ sparse.diags(np.repeat(area, 3))).tocsr()
        matrix = (self.weighted @ grad).tocsr()
        used = np.zeros(count, bool)
        used[self.triangles] = True
        fixed = ~used if fixed is None else np.asarray(fixed, bool) | ~used
        self.anchor = np.broadcast_to(np.asarray(anchor, np.float64), count)
        self.floating = []
        number, label = sparse.csgraph.connected_components(matrix, directed=False)
        held = np.zeros(number, bool)
        held[label[fixed | (self.anchor > 0)]] = True
        fixed = fixed.copy()
        for k in np.flatnonzero(~held):
            rows = np.flatnonzero(label == k)
            fixed[rows[0]] = True
            self.floating.append(rows)
        self.free, self.fixed = np.flatnonzero(~fixed), np.flatnonzero(fixed)
        self.coupling = matrix[self.free][:, self.fixed]
        system = (matrix + sparse.diags(self.anchor))[self.free][:, self.free].tocsc()
        # a vertex all of whose triangles are flat
        lift = 1e-12 * abs(system.diagonal()).max(initial=0)
        self.factor = (
            splu(
                system + lift * sparse.identity(len(self.free), format='csc'),
                permc_spec='MMD_AT_PLUS_A',
                diag_pivot_thresh=0.0,
                options={'SymmetricMode': True},
            )
            if len(self.free)
            else None
        )
        self.lift = lift
        self.inverse_frames = _inverse(triangle_frames(self.source, self.triangles))

    def solve(self, source_shapes: np.ndarray, anchors: np.ndarray | None = None) -> np.ndarray:
        """Return E×V×3 float64 target vertices from E×V×3 source vertices (absolute).

        anchors: E×V×3, where `anchor` draws the vertices to.
        """
        shapes = np.asarray(source_shapes)
        right = np.empty((len(self.free), 3 * len(shapes)))
        for e, shape in enumerate(shapes):
            deformation = (
                triangle_frames(shape.astype(np.float64), self.triangles) @ self.inverse_frames
            )
            b = (self.weighted @ np.swapaxes(deformation, 1, 2).reshape(-1, 3))[
                self.free
            ] - self.coupling @ self.target[self.fixed]
            right[:, 3 * e : 3 * e + 3] = b + self.lift * self.target[self.free]
            if anchors is not None:
                right[:, 3 * e : 3 * e + 3] += self.anchor[self.free, None] * anchors[e][self.free]
        out = np.repeat(self.target[None], len(shapes), 0)
        if self.factor is not None:
            out[:, self.free] = np.moveaxis(
                self.factor.solve(right).reshape(len(self.free), len(shapes), 3), 1, 0
            )
        for rows in self.floating:
            s = _size(self.target[rows]) / max(_size(self.source[rows]), 1e-30)
            moved = (shapes[:, rows].astype(np.float64) - self.source[rows]).mean(1) * s
            out[:, rows] += (self.target[rows].mean(0) + moved - out[:, rows].mean(1))[:, None]
        return out


def _size(points: np.ndarray) -> float:
    """Return the root mean square distance of points from their middle."""
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Return inverses of T×3×3; the pseudo-inverse where a triangle is flat."""
    determinant = np.abs(np.linalg.det(matrices))
    flat = determinant <= 1e-10 * np.median(determinant)
    out = np.linalg.inv(np.where(flat[:, None, None], np.eye(3), matrices))
    if flat.any():
        out[flat] = np.linalg.pinv(matrices[flat])
    return out


def nearest_of_the_model(
    model: FaceModel, neutral: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the head s·R·(model neutral + identities·α) + t that is nearest to a neutral.

    neutral: V×3 (cm). rows: the vertices it is near over. Returns (α I, sR 3×3, t 3).
    Maximum a posteriori with α ~ N(0, 1) and a flat prior on the motion; exact for a moved and
    scaled neutral (α = 0). The motion is linearised round the last one in each round.
    """
    source, target = model.neutral[rows].astype(np.float64), np.asarray(neutral, np.float64)[rows]
    modes = model.identities[:, rows].astype(np.float64)
    weight = SHAPE_SAMPLES / (len(rows) * SHAPE_NOISE**2)
    alpha = np.zeros(len(modes))
    r, t, s = rigid_motion(source, target, scale=True)
    # in the model's space: source + modes·α − [turn, grow, shift]·β ≈ target, the motion undone
    flat = modes.reshape(len(modes), -1)
    for _ in range(6):
        back = (target - t) @ r / s
        shape = source + np.tensordot(alpha, modes, 1)
        motion = [
            np.cross(np.broadcast_to(axis, shape.shape), shape).ravel() for axis in np.eye(3)
        ] + [shape.ravel()]
        motion += [np.broadcast_to(axis, shape.shape).ravel() for axis in np.eye(3)]
        basis = np.concatenate([flat, motion])
        prior = np.r_[np.ones(len(modes)), np.zeros(7)]
        normal = weight * basis @ basis.T
        step = np.linalg.lstsq(
            normal + np.diag(prior),
            weight * basis @ (back - shape).ravel() - prior * np.r_[alpha, np.zeros(7)],
            rcond=1e-13,
        )[0]
        alpha = alpha + step[: len(modes)]
        r, t, s = rigid_motion(source + np.tensordot(alpha, modes, 1), target, scale=True)
        if np.abs(step).max() < 1e-7:
            break
    return alpha, s * r, t


def transfer_expressions(model: FaceModel, neutral: np.ndarray) -> np.ndarray:
    """Carry the model's expressions onto a head in its topology: E×V×3 float32 offsets (cm).

    neutral: V×3 (cm, head space), that head's.
    The source is not the model's mean head but the nearest one it can make (its expressions are the
    same offsets on all of them), so that the transfer has only what the model cannot make to
    bridge. Skin and sockets by deformation transfer; lower teeth and gums by the jaw's rigid
    motion, whatever the skin over it does; eyeballs turn about their own centres; the tongue rides
    on the jaw, lashes and eye films on the lids. What the model leaves still is still. No contact
    is looked for here: see shape_keys/contact.py.
    """
    neutral = np.asarray(neutral, np.float64)
    if neutral.shape != model.neutral.shape:
        raise FacewrightError(
            f'The head has {len(neutral)} vertices and the face model {model.vertex_count}: wrap '
            'the face model onto it first.'
        )
    if not np.isfinite(neutral).all():
        raise FacewrightError('The head holds NaN or infinite coordinates: clean the mesh first.')
    part = pieces(model)
    alpha, turn, shift = nearest_of_the_model(model, neutral, part['skin'])
    source = model.shape(alpha).astype(np.float64) @ turn.T + shift
    offsets = model.expressions.astype(np.float64) @ turn.T
    out = np.zeros_like(offsets)

    _transfer_skin(model, part, source, neutral, offsets, out)
    _jaw(model, part, source, neutral, offsets, out)
    # its eyeballs turn rigidly; an identity's, with the same offsets, not quite
    mean = model.neutral.astype(np.float64) @ turn.T + shift
    for side in 'LR':
        ball = part.get(f'eyeball_{side}', np.empty(0, np.int32))
        if len(ball):
            _turn_in_orbit(mean[ball], neutral[ball], offsets[:, ball], out, ball)
    _carry_riders(part, source, offsets, out)
    return out.astype(np.float32)


def _transfer_skin(
    model: FaceModel,
    part: dict[str, np.ndarray],
    source: np.ndarray,
    neutral: np.ndarray,
    offsets: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the rows of skin and sockets in `out` (E×V×3), by deformation transfer."""
    lined = np.concatenate([part['skin'], *(part[k] for k in LINED_PIECES if k in part)])
    inside = np.zeros(model.vertex_count, bool)
    inside[lined] = True
    onto = np.cumsum(inside) - 1
    rows = np.flatnonzero(inside)
    triangles = triangulate(model.faces)
    triangles = onto[triangles[inside[triangles].all(1)]]
    follow = offsets[:, rows]
    area = (
        np.bincount(
            triangles.ravel(),
            np.repeat(gradient_operator(neutral[rows], triangles)[1], 3),
            len(rows),
        )
        / 3
    )
    transfer = Transfer(
        source[rows],
        triangles,
        neutral[rows],
        fixed=np.abs(follow).max((0, 2)) < LEAST_MOVE,
        anchor=ANCHOR_WEIGHT * area,
    )
    solved = transfer.solve(source[rows] + follow, neutral[rows] + follow) - neutral[rows]
    fade = smoothstep(np.linalg.norm(follow, axis=2, keepdims=True) / FADE_MOVE)
    out[:, rows] = fade * solved + (1 - fade) * follow


def _carry_riders(
    part: dict[str, np.ndarray], source: np.ndarray, offsets: np.ndarray, out: np.ndarray
) -> None:
    """Write the rows of lashes and eye films, which ride on the skin beside them."""
    riding = np.concatenate(
        [part[k] for k in RIDING_PIECES if k in part] or [np.empty(0, np.int32)]
    )
    if len(riding):
        distance, near = cKDTree(source[part['skin']]).query(source[riding], SKIN_NEIGHBOURS)
        weight = 1 / np.maximum(distance, 1e-3) ** 2
        weight /= weight.sum(1, keepdims=True)
        moved = offsets[:, riding]
        more = ((out - offsets)[:, part['skin'][near]] * weight[..., None]).sum(2)
        out[:, riding] = moved + more * np.clip(
            np.linalg.norm(moved, axis=2, keepdims=True) / FADE_MOVE, 0, 1
        )


def _jaw(
    model: FaceModel,
    part: dict,
    source: np.ndarray,
    neutral: np.ndarray,
    offsets: np.ndarray,
    out: np.ndarray,
) -> None:
    """Move lower teeth and gums as one rigid body.

    Turned as the source's about their own place, and shifted by as much more or less as the skin of
    the chin is. The tongue rides on them and adds what the source's adds. Upper teeth and gums
    stay.
    """
    bone = np.concatenate(
        [part[k] for k in ('lower_teeth', 'lower_gums') if k in part] or [np.empty(0, np.int32)]
    )
    soft = part.get('tongue', np.empty(0, np.int32))
    if not len(bone):
        out[:, soft] = offsets[:, soft]
        return
    core = part.get('lower_teeth', bone)
    opened = offsets[model.names.index('jawOpen')]
    r, t, _ = rigid_motion(source[core], source[core] + opened[core])
    skin = part['skin']
    off_bone = np.linalg.norm(move(source[skin], r, t) - source[skin] - opened[skin], axis=1)
    chin = skin[
        np.argsort(
            off_bone + 1e9 * (np.linalg.norm(opened[skin], axis=1) < 0.5 * np.abs(opened).max()),
            kind='stable',
        )[:CHIN_VERTICES]
    ]
    centre, place = source[core].mean(0), neutral[core].mean(0)
    for e in range(len(offsets)):
        if np.abs(offsets[e, core]).max() < 10 * LEAST_MOVE:
            out[e, soft] = offsets[e, soft]
            continue
        r, t, _ = rigid_motion(source[core], source[core] + offsets[e, core])
        goal = place + r @ centre + t - centre + (out[e, chin] - offsets[e, chin]).mean(0)
        for rows in (bone, soft):
            out[e, rows] = (neutral[rows] - place) @ r.T + goal - neutral[rows]
        out[e, soft] += source[soft] + offsets[e, soft] - move(source[soft], r, t)


def _turn_in_orbit(
    source: np.ndarray, neutral: np.ndarray, offsets: np.ndarray, out: np.ndarray, rows: np.ndarray
) -> None:
    """Make each shape's rotation of the source's eyeball about the target's own centre."""
    first, centre = sphere_centre(source), sphere_centre(neutral)
    for e in np.flatnonzero(np.abs(offsets).max((1, 2)) > 10 * LEAST_MOVE):
        r, t, _ = rigid_motion(source, source + offsets[e])
        size = _size(neutral) / max(_size(source), 1e-30)
        out[e, rows] = (neutral - centre) @ r.T + centre + size * (r @ first + t - first) - neutral
