"""What an artist does to the skin of a shape, continued into the sockets and what lies in them.

Socket walls follow through the tetrahedra between skin and wall (tetrahedra.py): ARAP from the
shape as it was, the skin fixed where the artist put it, walls and inner points free, then
untangled. So an unedited shape comes back as it was.
Teeth, gums, tongue and eyeballs don't hang on the skin: each moves rigidly as most of the wall
round it did, and stays if most of it stayed. Where the skin was pressed into one, it gives way, no
further than it must. Lashes and the eyes' surfaces go with the lid beside.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.arap import Arap
from ..geometry.folds import local_rotations
from ..geometry.intersections import Crosser
from ..geometry.laplacian import edges_of
from ..geometry.polygons import triangulate
from ..geometry.rigid import move, rigid_motion
from ..geometry.untangle import cell_sizes, signed_volumes, untangle
from .tetrahedra import Flesh, points_of

ARAP_ITERATIONS = 12
LEAST_INNER_MOVE = 1e-3  # cm: inner points that moved less aren't touched by untangling
# cm: wall vertices that would move less stay to the bit; an edit smaller than this is none
LEAST_WALL_MOVE = 1e-4
PIECE_FALLOFF = (
    0.6  # cm: how the weight of a wall vertex falls with its distance from a rigid piece
)
LEAST_RIGID_MOVE = 0.02  # cm: a rigid piece's motion smaller than this all over is none
# of the skin's mean motion where it was pressed into a rigid piece: tried in turn
GIVING_STEPS = np.arange(1, 9) / 4
CROSSINGS_LEFT = 0.03  # of the new crossings: so many may stay
LASH_NEIGHBOURS = 8  # skin vertices a lash vertex goes with
# cm: where the edited shape itself moves less, an edit is spread as if it moved so much
SPREAD_FLOOR = 0.1
SPREAD_ROUNDS = 6  # smoothing of where an edit is spread to
RIGID_PIECES = {  # name → pieces that move as one, the wall round them, doubt, worth
    # doubt (cm): wall vertices this far from the rigid motion count half; worth: the piece moves
    # only where that leaves less than this share of the wall's disagreement with staying. The jaw
    # hangs in flesh and goes readily, skull and orbits don't (measured with the model's own
    # jawOpen, jawLeft, jawForward, mouthPucker, eyeBlink given as edits).
    'skull': (('upper_teeth', 'upper_gums'), 'mouth_socket', 0.06, 0.5),
    'jaw': (('lower_teeth', 'lower_gums', 'tongue'), 'mouth_socket', 0.12, 0.8),
    'eye_L': (('eyeball_L',), 'eye_socket_L', 0.06, 0.5),
    'eye_R': (('eyeball_R',), 'eye_socket_R', 0.06, 0.5),
}
SOFT_PIECES = ('lashes_L', 'lashes_R', 'eye_surface_L', 'eye_surface_R')


def follow_skin(
    model: FaceModel, flesh: Flesh, before: np.ndarray, edited: np.ndarray
) -> np.ndarray:
    """Let all that lies under an edited skin follow it: V×3 (edited's dtype).

    before, edited: V×3 cm, one shape; only the skin rows of `edited` are looked at. About 3 s a
    shape on two cores. Raises FacewrightError where shapes don't fit the model or hold NaN.
    """
    for vertices in (before, edited):
        if np.shape(vertices) != (model.vertex_count, 3) or not np.isfinite(vertices).all():
            raise FacewrightError(
                f'An edited shape has {len(vertices)} vertices or NaN where the model has '
                f'{model.vertex_count}: edit a shape key of this model.'
            )
    part = pieces(model)
    skin = part['skin']
    out = np.array(before, np.float64)
    out[skin] = edited[skin]
    if np.array_equal(before[skin], edited[skin]):
        return out.astype(edited.dtype)
    was = out.copy()
    was[skin] = before[skin]
    rest = np.concatenate([was[flesh.surface], points_of(flesh, was)])
    fixed = np.zeros(len(rest), bool)
    fixed[: len(flesh.surface)] = np.isin(flesh.surface, skin)
    targets = rest.copy()
    targets[: len(flesh.surface)] = out[flesh.surface]
    cells = flesh.cells
    found = Arap(rest, cells, fixed).solve(targets[None], iterations=ARAP_ITERATIONS)[0]
    free = ~fixed & (np.linalg.norm(found - rest, axis=1) > LEAST_INNER_MOVE)
    found = untangle(found, cells, free, cell_sizes(rest, cells), signed_volumes(rest, cells) <= 0)
    followed = ~fixed & (np.linalg.norm(found - rest, axis=1) > LEAST_WALL_MOVE)
    rows = np.flatnonzero(followed[: len(flesh.surface)])
    out[flesh.surface[rows]] = found[rows]
    _follow_walls(part, was, out)
    _give_way(model, part, was, out)
    _follow_lids(model, part, was, out)
    out = out.astype(edited.dtype)
    out[skin] = edited[skin]
    return out


def _rows(part: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Return the vertices of those of the named pieces that there are."""
    return np.concatenate([part[name] for name in names if name in part] or [np.empty(0, np.int32)])


def _follow_walls(part: dict[str, np.ndarray], was: np.ndarray, out: np.ndarray) -> None:
    """Write the rigid pieces' rows of `out` (V×3, walls already moved)."""
    for names, wall, doubt, worth in RIGID_PIECES.values():
        rows, near = _rows(part, names), part.get(wall, np.empty(0, np.int32))
        if not len(rows) or not len(near):
            continue
        closeness = np.exp(-((cKDTree(was[rows]).query(was[near])[0] / PIECE_FALLOFF) ** 2) / 2)
        off = ((out[near] - was[near]) ** 2).sum(1)
        stayed = (closeness * off / (off + doubt**2)).sum()
        weights = closeness
        for _ in range(20):  # iteratively reweighted, Geman-McClure
            rotation, shift, _ = rigid_motion(was[near], out[near], weights)
            off = ((move(was[near], rotation, shift) - out[near]) ** 2).sum(1)
            weights = closeness / (1 + off / doubt**2) ** 2
        moved = move(was[rows], rotation, shift)
        if (closeness * off / (off + doubt**2)).sum() < worth * stayed and np.linalg.norm(
            moved - was[rows], axis=1
        ).max() > LEAST_RIGID_MOVE:
            out[rows] = moved


def _give_way(
    model: FaceModel, part: dict[str, np.ndarray], was: np.ndarray, out: np.ndarray
) -> None:
    """Shift rigid pieces that the skin crosses in `out` more than it did before.

    Along the motion of the skin that crosses them.
    """
    triangles = triangulate(model.faces)

    def of(rows: np.ndarray) -> np.ndarray:
        """Return the triangles among vertices."""
        member = np.zeros(len(was), bool)
        member[rows] = True
        return triangles[member[triangles].all(1)]

    skin = of(part['skin'])
    for names, *_ in RIGID_PIECES.values():
        rows = _rows(part, names)
        crosses = Crosser(of(rows), skin, was)
        before, now = len(crosses(was)), crosses(out)
        if len(now) <= before:
            continue
        pressed = np.unique(skin[now[:, 1]])
        motion = (out - was)[pressed]
        shift = (
            motion[np.linalg.norm(motion, axis=1) > LEAST_INNER_MOVE].mean(0)
            if (np.abs(motion) > LEAST_INNER_MOVE).any()
            else np.zeros(3)
        )
        at, best, fewest = out.copy(), out[rows], len(now)
        for step in GIVING_STEPS:
            at[rows] = out[rows] + step * shift
            count = len(crosses(at))
            if count < fewest:
                best, fewest = at[rows].copy(), count
            if count <= before + CROSSINGS_LEFT * (len(now) - before):
                break
        out[rows] = best


def _follow_lids(
    model: FaceModel, part: dict[str, np.ndarray], was: np.ndarray, out: np.ndarray
) -> None:
    """Write the rows of lashes and eye surfaces.

    They are carried by the skin vertices beside them, turned as these turned.
    """
    rows = _rows(part, SOFT_PIECES)
    skin = part['skin']
    if not len(rows):
        return
    triangles = triangulate(model.faces)
    own = np.zeros(len(was), bool)
    own[skin] = True
    distance, beside = cKDTree(was[skin]).query(was[rows], LASH_NEIGHBOURS)
    nearby = skin[beside]
    if not (out[nearby] != was[nearby]).any():
        return
    turn = local_rotations(was, np.where(own[:, None], out, was), triangles[own[triangles].all(1)])[
        nearby
    ]
    weight = 1 / np.maximum(distance, 1e-3) ** 2
    weight /= weight.sum(1, keepdims=True)
    carried = out[nearby] + (turn @ (was[rows][:, None] - was[nearby])[..., None])[..., 0]
    out[rows] = (carried * weight[..., None]).sum(1)


def spread_edit(
    model: FaceModel, neutral: np.ndarray, expressions: np.ndarray, index: int, edit: np.ndarray
) -> np.ndarray:
    """Give an edit of one shape to the others: E×V×3 (expressions' dtype).

    neutral: V×3, expressions: E×V×3 offsets (cm). edit: V×3, already in shape `index`.
    A shape gets the edit only where and as far as it moves as shape `index` did before the edit
    (paper 1, supplement C: a shape may deviate only where and as far as it moves), never more than
    whole, turned by its own local rotation; teeth, gums and eyeballs stay rigid.
    """
    neutral, out = np.asarray(neutral, np.float64), np.array(expressions)
    touched = np.abs(edit).max(1) > LEAST_WALL_MOVE
    if not touched.any():
        return out
    triangles = triangulate(model.faces)
    edges, n = edges_of(triangles), len(neutral)
    neighbours = sparse.coo_matrix(
        (np.ones(2 * len(edges)), (edges.ravel(), edges[:, ::-1].ravel())), (n, n)
    ).tocsr()
    average = sparse.diags(1 / (1 + np.asarray(neighbours.sum(1)).ravel())) @ (
        neighbours + sparse.identity(n)
    )
    # What the rotations of touched vertices depend on.
    near = touched
    for _ in range(3):
        near = near | (neighbours @ near > 0)
    local = (np.cumsum(near) - 1)[triangles[near[triangles].all(1)]]

    own = np.asarray(expressions[index], np.float64) - edit
    size = np.maximum(_averaged(average, (own * own).sum(1)), SPREAD_FLOOR**2)
    turn_back = np.swapaxes(_turns(neutral, own, near, local), -1, -2)
    for e in range(len(out)):
        if e == index:
            continue
        other = np.asarray(expressions[e], np.float64)
        share = np.clip(_averaged(average, (own * other).sum(1)) / size, 0, 1)
        if not (share[touched] > 1e-3).any():
            continue
        turned = (_turns(neutral, other, near, local) @ turn_back @ edit[..., None])[..., 0]
        changed = other + np.where(share > 1e-3, share, 0)[:, None] * turned
        _keep_rigid(pieces(model), neutral, other, changed, touched)
        out[e] = changed
    return out


def _averaged(average: sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    """Return V values smoothed over the surface."""
    for _ in range(SPREAD_ROUNDS):
        values = average @ values
    return values


def _turns(
    neutral: np.ndarray, shape: np.ndarray, near: np.ndarray, local: np.ndarray
) -> np.ndarray:
    """Return V×3×3 rotations of the surface by a shape (V×3 offsets), at the vertices `near`.

    local: triangles among these.
    """
    out = np.broadcast_to(np.eye(3), (len(neutral), 3, 3)).copy()
    out[near] = local_rotations(neutral[near], (neutral + shape)[near], local)
    return out


def _keep_rigid(
    part: dict[str, np.ndarray],
    neutral: np.ndarray,
    other: np.ndarray,
    changed: np.ndarray,
    touched: np.ndarray,
) -> None:
    """Write the rigid pieces' rows of a changed shape: one motion each, none where untouched."""
    for names, *_ in RIGID_PIECES.values():
        rows = _rows(part, names)
        if len(rows) and touched[rows].any():
            before = neutral[rows] + other[rows]
            rotation, shift, _ = rigid_motion(before, neutral[rows] + changed[rows])
            changed[rows] = move(before, rotation, shift) - neutral[rows]
        elif len(rows):
            changed[rows] = other[rows]
