"""Shape keys whose parts keep out of each other, in single shapes and in combinations.

Lips, lids and eyeballs, cavities, gums and teeth. The rig stays linear, so the neutral and every
shape get small corrections, such that what penetrates in sampled poses no longer does: projection
of each pose's penetrations (Müller et al., "Position based dynamics", 2007, section 3.3–3.5) gives
the displacements wanted, a weighted ridge regression over the poses gives the corrections, a
membrane over the surface makes them smooth; repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..face_model.expressions import UNTRACKED, WITH_OPEN_JAW
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.laplacian import edges_of, weighted_laplacian
from ..geometry.polygons import triangulate
from ..render.preview import head_to_camera
from ..render.rasterise import rasterise
from .contact_options import DEFAULTS, ContactOptions
from .contact_pairs import find_contacts
from .crossings import Checker, sample_combinations
from .lids import meet_lids, through_lids
from .penetration import PenetrationQuery

LID_NEIGHBOURS = 6  # lid vertices that a vertex of lash or eye film rides on
NEUTRAL_TRIES = 5  # times at most that a neutral is settled
NEUTRAL_GAIN = 0.5  # of the penetrations: a settling that leaves more is not worth it
LEAST_MOVE_MM = 0.01  # mm: what moves less is not counted as moved
# Rings that a correction is taken back over where a shape crosses by it; after these, all.
TAKEN_BACK_RINGS = (2, 4, 8)
FREE_MOVE = 0.3  # cm: where a shape moves as far as this, it may be corrected freely
LEAST_DATA = 0.05  # weight of what was never in contact against the membrane


def training_poses(names: tuple[str, ...], options: ContactOptions) -> np.ndarray:
    """Return the K×E weights of the poses that are settled.

    The neutral, every shape alone (mouthClose with jawOpen, tongueOut never), blinks on their way,
    random combinations and their mirror images.
    """
    index = {name: k for k, name in enumerate(names)}
    single = np.eye(len(names))
    if 'mouthClose' in index and 'jawOpen' in index:
        single[index['mouthClose'], index['jawOpen']] = 1
    other = {'_L': '_R', '_R': '_L', 'Left': 'Right', 'Right': 'Left'}
    mirror = [
        next(
            (index.get(name.removesuffix(a) + b, k) for a, b in other.items() if name.endswith(a)),
            k,
        )
        for k, name in enumerate(names)
    ]
    alone = single[[name not in UNTRACKED for name in names]]
    blinks = single[[k for name, k in index.items() if name.startswith('eyeBlink')]]
    mixed = sample_combinations(names, options.poses, options.seed)
    return np.concatenate(
        [np.zeros((1, len(names))), alone, 0.35 * blinks, 0.65 * blinks, mixed, mixed[:, mirror]]
    )


def settle_contacts(
    model: FaceModel,
    neutral: np.ndarray,
    expressions: np.ndarray,
    options: ContactOptions = DEFAULTS,
    watch: Callable[[int, np.ndarray, np.ndarray], None] = lambda round, neutral, expressions: None,
    blinks: str = 'LR',
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Settle the contacts of a rig: (neutral V×3, expressions E×V×3, both float32; a report).

    neutral: V×3, expressions: E×V×3 offsets (cm), in the model's topology.
    watch: called with (round, neutral, expressions) after each round.
    blinks: the sides whose eyeBlink is first made to shut the lids (meet_lids).
    Lips and lids, the sockets behind them, lashes and eye films with the lids, and the jaws
    (rigidly) move; every other vertex is returned bit for bit. No shape alone crosses more about
    the mouth than it would on the settled neutral as it was.
    The report (mm, over the training poses, of what the contacts moved): moved, skin_moved,
    seen_moved (vertices; all, skin, skin seen from outside in the neutral), furthest,
    furthest_skin, furthest_seen, typical_seen (95 % of the seen ones that move, move less).
    """
    given = np.asarray(neutral, np.float32)
    system = _System(model, given, options)
    neutral = _settled_neutral(system, given)
    before = np.asarray(expressions, np.float32)
    expressions = meet_lids(model, neutral.astype(np.float64), expressions, blinks)

    weights = training_poses(model.names, options)
    total = _settle(
        system,
        _shapes_problem(model, system, neutral, expressions, weights),
        options.rounds,
        lambda k, found: watch(k, neutral, _corrected(expressions, found, system.owner)),
    )
    total = _without_harm(model, system, neutral, expressions, total)

    out = np.concatenate([neutral[None], _corrected(expressions, total, system.owner)])
    _ride(model, pieces(model), given, before, out)
    change = neutral - given
    first = np.concatenate(
        [change[system.zone], *(change[rows].mean(0)[None] for rows in system.bodies)]
    )
    report = _report(
        model,
        out[0],
        np.c_[np.ones(len(weights)), weights],
        np.concatenate([first[None], total]),
        system.owner,
    )
    return out[0], out[1:], report


def settle_neutral(
    model: FaceModel, neutral: np.ndarray, options: ContactOptions = DEFAULTS
) -> np.ndarray:
    """Settle the contacts of a neutral (V×3, cm) alone: V×3 float32.

    One that was settled before comes back as it is.
    """
    given = np.asarray(neutral, np.float32)
    out = _settled_neutral(_System(model, given, options), given)[None].copy()
    _ride(model, pieces(model), given, np.zeros((0, *given.shape), np.float32), out)
    return out[0]


class _System:
    """What the settling of one head's neutral and shapes shares.

    zone, bodies: as `ContactSet` has them. query: asks a pose for its penetrations.
    lap: the membrane, slots×slots; slots are the zone's vertices, then the bodies.
    owner: V, the slot that a vertex moves with, −1 for none.
    """

    def __init__(self, model: FaceModel, neutral: np.ndarray, options: ContactOptions):
        found = find_contacts(model, options)
        self.options, self.zone, self.bodies = options, found.zone, found.bodies
        self.query = PenetrationQuery(found.contacts, len(self.bodies), neutral)
        self.owner = np.full(model.vertex_count, -1)
        self.owner[self.zone] = np.arange(len(self.zone))
        for b, rows in enumerate(self.bodies):
            self.owner[rows] = len(self.zone) + b
        part, edges = pieces(model), edges_of(triangulate(model.faces))
        spread = np.full(model.vertex_count, options.spread)
        for side in 'LR':
            for name in ('upper_lid', 'lower_lid', 'eye_socket'):
                spread[part.get(f'{name}_{side}', [])] = options.lid_spread
        across = through_lids(model)
        membrane = weighted_laplacian(
            np.concatenate([edges, across]),
            np.r_[spread[edges].max(1), np.full(len(across), options.through)],
            model.vertex_count,
        )[self.zone][:, self.zone]
        self.lap = sparse.block_diag([membrane, sparse.csr_matrix((len(self.bodies),) * 2)]).tocsr()

    @property
    def slots(self) -> int:
        """How many vertices and bodies move."""
        return self.lap.shape[0]


@dataclass(frozen=True)
class _Problem:
    """Poses whose contacts are to be settled by corrections of U unknown shapes.

    base: P×R×3 (cm), where the query's rows are in each pose without corrections. weights: P×U.
    asked: P×contacts bool. reluctance: U×slots, the ridge against each correction.
    """

    base: np.ndarray
    weights: np.ndarray
    asked: np.ndarray
    reluctance: np.ndarray


def _shapes_problem(
    model: FaceModel,
    system: _System,
    neutral: np.ndarray,
    expressions: np.ndarray,
    weights: np.ndarray,
) -> _Problem:
    """Pose the settling of E shapes (E×V×3) over the training poses (P×E weights)."""
    rows = system.query.rows
    rig = expressions[:, rows].astype(np.float64)
    freedom = np.clip(
        _freedom(model, expressions, system.zone, len(system.bodies)), 1e-4, FREE_MOVE
    )
    return _Problem(
        base=np.tensordot(weights, rig, 1) + neutral[rows],
        weights=weights,
        asked=(weights > 0) @ system.query.moved_by(rig),
        reluctance=system.options.ridge * (FREE_MOVE / freedom) ** 2,
    )


def _settled_neutral(system: _System, neutral: np.ndarray) -> np.ndarray:
    """Settle the neutral again and again, as long as it gains much.

    So the last is one that settling finds nothing to do for.
    """
    query, options = system.query, system.options
    asked = np.ones((1, len(query.contacts)), bool)

    def total_depth(vertices: np.ndarray) -> float:
        """Return the sum of all the ways to go."""
        push = query(vertices[query.rows], options.reach, asked[0], False)[0]
        return float(np.linalg.norm(push, axis=1).sum())

    depth = total_depth(neutral)
    for _ in range(NEUTRAL_TRIES):
        problem = _Problem(
            base=neutral[query.rows][None].astype(np.float64),
            weights=np.ones((1, 1)),
            asked=asked,
            reluctance=np.full((1, system.slots), options.ridge),
        )
        total = _settle(system, problem, options.neutral_rounds)
        tried = _corrected(neutral[None], total, system.owner)[0]
        left = total_depth(tried)
        if left > NEUTRAL_GAIN * depth or depth == 0:
            break
        neutral, depth = tried, left
    return neutral


def _freedom(
    model: FaceModel, expressions: np.ndarray, zone: np.ndarray, bodies: int
) -> np.ndarray:
    """Return E×slots cm: how far each shape moves each vertex.

    That is how freely it may be corrected there.
    """
    part = pieces(model)
    lips = np.concatenate([part['upper_lip'], part['lower_lip']])
    free = np.linalg.norm(expressions[:, zone], axis=2)
    for side in 'LR':  # where an eyeball turns, its lids may give way
        lids = np.isin(zone, np.concatenate([part[f'upper_lid_{side}'], part[f'lower_lid_{side}']]))
        for e, name in enumerate(model.names):
            if name.startswith('eyeLook') and name.endswith(side):
                free[e, lids] = FREE_MOVE
    return np.concatenate(
        [free, np.repeat(FREE_MOVE * np.abs(expressions[:, lips]).max((1, 2))[:, None], bodies, 1)],
        1,
    )


def _settle(
    system: _System,
    problem: _Problem,
    rounds: int,
    watch: Callable[[int, np.ndarray], None] = lambda round, total: None,
) -> np.ndarray:
    """Find U×slots×3 corrections with which the problem's poses keep their contacts.

    watch: called with (round, corrections so far).
    """
    options, weights, slots = system.options, problem.weights, system.slots
    poses, unknowns = weights.shape
    total = np.zeros((unknowns, slots, 3))
    hit = np.zeros((poses, slots))
    alone = (weights != 0).sum(1) <= 2
    for k in range(rounds):
        now = np.tensordot(weights, total, 1)
        push, new = _penetrations(system, problem, now)
        hit = np.maximum(hit, new)
        keeps = 1 - np.where(alone, 1 - options.keeps, 0)[:, None] * (1 - new)
        wanted = hit[..., None] * (keeps[..., None] * now + options.boldness * push)
        some = np.flatnonzero(hit.max(0))
        if not len(some):
            break
        # How much each pose counts at each slot, against the others.
        a = (
            options.idle
            + (options.settled - options.idle) * hit[:, some]
            + (1 - options.settled) * new[:, some]
        )
        a *= np.where(alone, options.single, 1.0)[:, None]
        step = np.zeros((slots, unknowns * 3))
        found = _ridge(problem, a, wanted, some)
        step[some] = found - np.moveaxis(total[:, some], 0, 1).reshape(len(some), -1)
        total = total + _smoothed(system.lap, hit, step).reshape(slots, unknowns, 3).swapaxes(0, 1)
        watch(k, total)
    return total


def _penetrations(
    system: _System, problem: _Problem, now: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ask every pose, corrected by `now` (P×slots×3): (ways to go P×slots×3, contact P×slots)."""
    slots, bodies = system.slots, len(system.bodies)
    follows = system.owner[system.query.rows]
    moves = follows >= 0
    # The query's slot → ours.
    goes = np.concatenate(
        [np.where(follows < slots - bodies, follows, -1), slots - bodies + np.arange(bodies)]
    )
    push, contact = np.zeros_like(now), np.zeros(now.shape[:2])
    for p, base in enumerate(problem.base):
        points = base.copy()
        points[moves] += now[p, follows[moves]]
        push[p, goes[goes >= 0]], contact[p, goes[goes >= 0]] = (
            found[goes >= 0]
            for found in system.query(
                points, system.options.reach, problem.asked[p], len(problem.base) > 1
            )
        )
    return push, contact


def _ridge(
    problem: _Problem, counts: np.ndarray, wanted: np.ndarray, some: np.ndarray
) -> np.ndarray:
    """Return S×(U·3): the corrections of S slots that come nearest to what the poses want.

    counts: P×S, how much each pose counts. wanted: P×slots×3. some: the S slots.
    """
    weights = problem.weights
    poses, unknowns = weights.shape
    outer = (weights[:, :, None] * weights[:, None, :]).reshape(poses, -1)
    normal = (counts.T @ outer).reshape(len(some), unknowns, unknowns)
    normal[:, np.arange(unknowns), np.arange(unknowns)] += problem.reluctance[:, some].T
    right = np.einsum('ps,pu,psd->sud', counts, weights, wanted[:, some], optimize=True)
    return np.linalg.solve(normal, right).reshape(len(some), -1)


def _smoothed(lap: sparse.csr_matrix, hit: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Spread a step (slots×K) by the membrane, the less the more a slot was in contact.

    hit: P×slots.
    """
    data = LEAST_DATA + (1 - LEAST_DATA) * hit.max(0)
    smooth = splu(
        (sparse.diags(data) + lap).tocsc(),
        permc_spec='MMD_AT_PLUS_A',
        diag_pivot_thresh=0.0,
        options={'SymmetricMode': True},
    )
    return smooth.solve(step * data[:, None])


def _without_harm(
    model: FaceModel,
    system: _System,
    neutral: np.ndarray,
    expressions: np.ndarray,
    total: np.ndarray,
) -> np.ndarray:
    """Take corrections back where they make a shape alone cross more at the mouth.

    neutral: V×3, expressions: E×V×3 (cm), what the corrections `total` (E×slots×3) belong to.
    What serves the combinations can do harm in a shape alone, at the mouth's corners, where lips
    part only so far. Lids keep theirs: without them eyeballs come through lids in combinations,
    with them some of what is hidden behind a lid crosses. Shapes that are meant for an open jaw are
    looked at with one.
    """
    part = pieces(model)
    eyes = np.zeros(model.vertex_count, bool)
    for side in 'LR':
        for name in ('upper_lid', 'lower_lid', 'eye_socket', 'eyeball'):
            eyes[part[f'{name}_{side}']] = True
    check, out = Checker(model), total.copy()

    def about_the_mouth(vertices):
        """Return N×6: the corners of crossing pairs of triangles, but for those at the eyes."""
        crossing = check.triangles[check(vertices).pairs].reshape(-1, 6)
        return crossing[~eyes[crossing].any(1)]

    def corrected(e):
        """Return V×3 offsets of a shape with its corrections."""
        return _corrected(expressions[e][None], out[e][None], system.owner)[0]

    jaw = model.names.index('jawOpen') if 'jawOpen' in model.names else None
    for e in sorted(range(len(total)), key=lambda e: e != jaw):  # others are looked at with it
        with_jaw = jaw is not None and model.names[e] in WITH_OPEN_JAW
        rest = neutral + corrected(jaw) if with_jaw else neutral
        found = about_the_mouth(rest + corrected(e))
        allowed = len(about_the_mouth(rest + expressions[e])) if len(found) else 0
        crossing = np.zeros(total.shape[1], bool)
        for rings in (*TAKEN_BACK_RINGS, None):
            if len(found) <= allowed:
                break
            slots = system.owner[found.ravel()]
            crossing[slots[slots >= 0]] = True
            taken = 1.0 if rings is None else _fading(system.lap, crossing, rings)
            out[e] = total[e] * (1 - np.reshape(taken, (-1, 1)))
            found = about_the_mouth(rest + corrected(e))
    return out


def _fading(lap: sparse.csr_matrix, where: np.ndarray, rings: int) -> np.ndarray:
    """Fade from 1 at the slots `where` (bool) to 0 over so many rings of neighbours in `lap`."""
    near = abs(lap) > 0
    reached, out = where, where / (rings + 1)
    for _ in range(rings):
        reached = reached | (near @ reached > 0)
        out = out + reached / (rings + 1)
    return out


def _ride(
    model: FaceModel, part: dict, neutral: np.ndarray, expressions: np.ndarray, out: np.ndarray
) -> None:
    """Move lashes and eye films (in `out` (1+E)×V×3) as the nearest skin of the lids moved."""
    for side in 'LR':
        lids = np.concatenate([part[f'upper_lid_{side}'], part[f'lower_lid_{side}']])
        rows = np.concatenate(
            [
                part.get(f'{name}_{side}', np.empty(0, np.int32))
                for name in ('lashes', 'eye_surface')
            ]
        )
        if not len(rows):
            continue
        distance, near = cKDTree(neutral[lids]).query(neutral[rows], LID_NEIGHBOURS)
        weight = 1 / np.maximum(distance, 1e-3) ** 2
        weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
        for k, before in enumerate((neutral, *expressions)):
            went = out[k, lids] - before[lids]
            if np.abs(went).max() > 1e-5:
                out[k, rows] += (went[near] * weight[..., None]).sum(1)


def _corrected(shapes: np.ndarray, total: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return E×V×3 float32 shapes with the corrections E×slots×3 of what moves."""
    out = np.array(shapes, np.float32)
    rows = np.flatnonzero(owner >= 0)
    rows = rows[np.abs(total[:, owner[rows]]).max((0, 2)) > 1e-5]
    out[:, rows] += total[:, owner[rows]].astype(np.float32)
    return out


def seen_skin(model: FaceModel, neutral: np.ndarray) -> np.ndarray:
    """Return V bool: skin vertices on triangles seen from outside, on the neutral (V×3, cm).

    From the front and from both sides.
    """
    triangles = triangulate(model.faces)
    seen = np.zeros(model.vertex_count, bool)
    for yaw in (-50, 0, 50):
        points = head_to_camera(np.asarray(neutral, np.float64), yaw)
        shown = rasterise(points, triangles, 2400.0, (512, 512), (1024, 1024))[0]
        seen[triangles[np.unique(shown[shown >= 0])]] = True
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions['face']] = skin[model.regions['head_neck']] = True
    return seen & skin


def _report(
    model: FaceModel, neutral: np.ndarray, weights: np.ndarray, total: np.ndarray, owner: np.ndarray
) -> dict:
    """Return what `settle_contacts` reports."""
    far = 10 * np.linalg.norm(np.tensordot(weights, total, 1), axis=2).max(0)
    moved = np.where(owner >= 0, np.append(far, 0)[owner], 0)
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions['face']] = skin[model.regions['head_neck']] = True
    seen = seen_skin(model, neutral) & (moved > LEAST_MOVE_MM)
    return {
        'moved': int((moved > LEAST_MOVE_MM).sum()),
        'skin_moved': int((moved[skin] > LEAST_MOVE_MM).sum()),
        'seen_moved': int(seen.sum()),
        'furthest': round(float(moved.max()), 3),
        'furthest_skin': round(float(moved[skin].max()), 3),
        'furthest_seen': round(float(moved[seen].max(initial=0)), 3),
        'typical_seen': round(float(np.percentile(moved[seen], 95)) if seen.any() else 0.0, 3),
    }
