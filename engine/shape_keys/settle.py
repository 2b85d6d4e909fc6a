"""Settling a head: changing it as little as need be until none of its pieces cross.

First lips, lids, jaws and cavities are settled together, in single shapes and in combinations
(contact.py). What still crosses in a single shape is then taken apart there: crossing triangles
push each other back to the sides they lie on at rest (after Volino and Magnenat-Thalmann,
"Resolving surface collisions through intersection contour minimization", 2006), the eye's pieces
away from its middle, lips away from teeth; the pushes fade over the surface round about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..face_model.expressions import WITH_OPEN_JAW
from ..face_model.gaze import sphere_centre
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.laplacian import edges_of
from ..geometry.polygons import triangulate
from ..render.preview import head_to_camera
from ..render.rasterise import rasterise
from .contact import seen_skin, settle_contacts
from .contact_options import ContactOptions
from .crossings import KINDS, Checker, pose

APART = 0.002  # cm: how far crossing triangles are put apart
MOST_ROUNDS = 40  # at most, of pushing a shape's crossings apart
FADE_RINGS = 6  # rings of neighbours that a push fades over
MOST_POSE_ROUNDS = 160  # rounds at most for one pose, all tries together
# rounds without a gain, after which the next of these is tried, from the start, then from the best
# found:
PATIENCE = 8
TRIES = tuple((growth, by_rest) for growth in (0.0, 0.04, 0.12, 0.3) for by_rest in (True, False))
# growth: so much pushes grow a round, where the same triangles cross again and again; by_rest:
# lips, too, are told apart by the sides they lie on at rest, which is wrong where they slide along
# each other; else by the air between them
SHARES = {
    'skin_socket': (0.9, 0.1),
    'lip_lip': (0.5, 0.5),
    'lid_eyeball': (1.0, 0.0),
    'gums_teeth_skin': (0.0, 1.0),
}
# contact's own margins would part shut lips visibly
CLOSE_CONTACTS = ContactOptions(lip_margin=0.002, lip_margin_moving=0.006)
SLIVER_PIXELS = (
    8  # pixels of an eye seen between shut lids that are none (of 100 a centimetre and view)
)
# cm: shapes whose seen skin moves further are settled by themselves alone, if that moves it less
LARGEST_SEEN_MOVE = 0.2
SEPARATING_SHARE = 0.35  # of the bar


@dataclass(frozen=True)
class Settled:
    """A settled head.

    neutral: V×3, expressions: E×V×3 float32 (cm). before, after: (1+E)×4, crossings of KINDS in the
    neutral and each shape alone, in full. seen: 1+E mm, how far the skin that is seen moved in
    each, at most.
    """

    neutral: np.ndarray
    expressions: np.ndarray
    before: np.ndarray
    after: np.ndarray
    seen: np.ndarray


def settle_head(
    model: FaceModel,
    neutral: np.ndarray,
    expressions: np.ndarray,
    names: tuple[str, ...],
    options: ContactOptions = CLOSE_CONTACTS,
    report: Callable[[float], None] = lambda fraction: None,
) -> Settled:
    """Settle a head in the model's topology. About a minute on two cores.

    neutral: V×3, expressions: E×V×3 offsets (cm). names: of the expressions, some of which the
    model may lack. report: called with 0..1.
    A shape is looked at in full and alone (mouthClose and tongueOut with the jaw open, as they are
    meant). What does not cross stays to the bit, but for what its combinations with other shapes
    ask for.
    """
    neutral, expressions = np.asarray(neutral, np.float32), np.asarray(expressions, np.float32)
    separator, seen = Separator(model), seen_skin(model, neutral)
    before = [separator.check.count(v) for v in poses(neutral, expressions, names)]
    report(0.03)

    # Lips, lids, jaws and cavities together, in combinations too.
    whole = np.zeros_like(model.expressions)
    known = [(k, model.names.index(name)) for k, name in enumerate(names) if name in model.names]
    for k, at in known:
        whole[at] = expressions[k]
    ajar = _blinks_ajar(separator, neutral, expressions, names)
    together, found, _ = settle_contacts(
        model,
        neutral,
        whole,
        options,
        lambda k, *_: report(0.03 + (0.92 - SEPARATING_SHARE) * (k + 1) / options.rounds),
        ajar,
    )
    together = separator.separate(together)
    settled = expressions.copy()
    for k, at in known:
        settled[k] = found[at]

    # What still crosses, shape by shape; what is meant for an open jaw with the jaw as it will be.
    out = settled.copy()
    jaw = names.index('jawOpen') if 'jawOpen' in names else None
    order = sorted(range(len(names)), key=lambda k: k != jaw)
    for done, k in enumerate(order):
        with_jaw = names[k] in WITH_OPEN_JAW and jaw is not None
        opened, opened_before = (out[jaw], expressions[jaw]) if with_jaw else (0, 0)
        was = neutral + expressions[k] + opened_before
        tried = [
            separator.separate(together + shape[k] + opened) for shape in (settled, expressions)
        ]
        side = names[k][-1] if names[k].startswith('eyeBlink') and names[k][-1] in ajar else ''
        out[k] = _better(separator, tried, was, seen, side) - together - opened
        report(0.95 - SEPARATING_SHARE + SEPARATING_SHARE * (done + 1) / len(names))

    last = list(poses(together, out, names))
    moved = [10 * _seen_move(a, b, seen) for a, b in zip(last, poses(neutral, expressions, names))]
    after = [separator.check.count(v) for v in last]
    return Settled(together, out, np.array(before), np.array(after), np.array(moved))


def _blinks_ajar(
    separator: Separator, neutral: np.ndarray, expressions: np.ndarray, names: tuple[str, ...]
) -> str:
    """Return the sides, of 'LR', whose blink leaves some of the eyeball to be seen."""
    return ''.join(
        name[-1]
        for k, name in enumerate(names)
        if name in ('eyeBlink_L', 'eyeBlink_R')
        and separator.eye_seen(neutral + expressions[k], name[-1]) > SLIVER_PIXELS
    )


def _better(
    separator: Separator, tried: list[np.ndarray], was: np.ndarray, seen: np.ndarray, side: str
) -> np.ndarray:
    """Return the better of a pose settled with all others and the same settled by itself alone.

    The one that crosses less; else, of a blink that was to shut the eye of `side`, the one that
    shows less of it; else the first, unless its skin one sees moved far.
    """
    crossing = [int(separator.check.count(v).sum()) for v in tried]
    if crossing[0] != crossing[1]:
        alone = crossing[1] < crossing[0]
    elif side:
        eye = [separator.eye_seen(v, side) for v in tried]
        alone = eye[1] <= eye[0]
    else:
        far = [_seen_move(v, was, seen) for v in tried]
        alone = far[0] > LARGEST_SEEN_MOVE and far[1] < far[0]
    return tried[alone]


def poses(neutral: np.ndarray, expressions: np.ndarray, names: tuple[str, ...]):
    """Yield the neutral and each shape in full, V×3 float32.

    mouthClose and tongueOut with jawOpen.
    """
    yield np.asarray(neutral, np.float32)
    for k, name in enumerate(names):
        weights = np.zeros(len(names))
        weights[k] = 1
        if name in WITH_OPEN_JAW and 'jawOpen' in names:
            weights[names.index('jawOpen')] = 1
        yield pose(neutral, expressions, weights)


def _seen_move(now: np.ndarray, was: np.ndarray, seen: np.ndarray) -> float:
    """Return the furthest (cm) that one of the vertices `seen` (V bool) moved."""
    return float(np.linalg.norm(now - was, axis=1)[seen].max(initial=0))


class Separator:
    """Takes the crossing pieces of single poses of one model apart."""

    def __init__(self, model: FaceModel):
        part = pieces(model)
        self.model, self.check = model, Checker(model)
        self.triangles, self.rest = triangulate(model.faces), model.neutral.astype(np.float64)
        n = model.vertex_count
        edges = edges_of(self.triangles)
        near = sparse.coo_matrix(
            (np.ones(2 * len(edges)), (edges.ravel('F'), edges[:, ::-1].ravel('F'))), (n, n)
        ).tocsr()
        self.average = (
            sparse.diags(1 / np.maximum(np.asarray(near.sum(1)).ravel(), 1)) @ near
        ).tocsr()
        self.free = np.ones(n, bool)  # what may move vertex by vertex
        for name in (
            'eyeball_L',
            'eyeball_R',
            'upper_teeth',
            'lower_teeth',
            'upper_gums',
            'lower_gums',
            'tongue',
            'lashes_L',
            'lashes_R',
            'eye_surface_L',
            'eye_surface_R',
        ):
            self.free[part.get(name, [])] = False
        self.ball = np.zeros(n, int)  # the eyeball a vertex belongs to: 1, 2 or 0
        for k, side in enumerate('LR'):
            self.ball[part.get(f'eyeball_{side}', [])] = k + 1
        self.eyes = [part.get(f'eyeball_{side}', np.empty(0, int)) for side in 'LR']
        self.skin = np.zeros(n, bool)
        self.skin[part['skin']] = True

    def eye_seen(self, vertices: np.ndarray, side: str) -> int:
        """Return how many pixels show the eyeball of `side` ('L' or 'R').

        Of 100 a cm and from three sides.
        """
        part = pieces(self.model)
        ball = part.get(f'eyeball_{side}', np.empty(0, int))
        if not len(ball):
            return 0
        films = np.zeros(len(vertices), bool)
        for name in (f'lashes_{side}', f'eye_surface_{side}'):
            films[part.get(name, [])] = True
        shown = self.triangles[~films[self.triangles].any(1)]
        middle, total = np.asarray(vertices, np.float64)[ball].mean(0), 0
        for yaw in (-30, 0, 30):
            points = head_to_camera(np.asarray(vertices, np.float64), yaw, look_at=middle)
            seen = rasterise(points, shown, 6000.0, (200.0, 150.0), (400, 300))[0]  # from 60 cm
            total += int(np.isin(shown[seen[seen >= 0], 0], ball).sum())
        return total

    def separate(self, vertices: np.ndarray) -> np.ndarray:
        """Take the crossing triangles of a pose (V×3 cm) apart, as far as that goes: V×3 float32.

        Without crossings it comes back as it is.
        """
        best = np.asarray(vertices, np.float32)
        fewest = int(self.check.count(best).sum())
        spent = 0
        for again in (False, True):
            start = best if again else np.asarray(vertices, np.float32)
            for growth, by_rest in TRIES:
                now, least, gained = start.astype(np.float64), np.inf, 0
                for turn in range(MOST_ROUNDS):
                    if not fewest or turn - gained > PATIENCE or spent == MOST_POSE_ROUNDS:
                        break
                    spent += 1
                    now += self._apart(now, 1 + growth * turn, by_rest)
                    count = int(self.check.count(now.astype(np.float32)).sum())
                    if count < least:
                        least, gained = count, turn
                    if count < fewest:
                        best, fewest = now.astype(np.float32), count
        return best

    def _apart(self, now: np.ndarray, boldness: float, by_rest: bool) -> np.ndarray:
        """Return V×3: one step that takes the crossing triangles of a pose apart."""
        found = self.check(now.astype(np.float32))
        wanted, weight = np.zeros_like(now), np.zeros(len(now))
        for kind, name in enumerate(KINDS):
            pairs = found.pairs[found.kind == kind]
            if len(pairs):
                self._push(name, pairs, now, by_rest, wanted, weight)
        pushed = weight > 0
        wanted[pushed] *= boldness / weight[pushed, None]
        return self._faded(wanted, pushed)

    def _push(
        self,
        name: str,
        pairs: np.ndarray,
        now: np.ndarray,
        by_rest: bool,
        wanted: np.ndarray,
        weight: np.ndarray,
    ) -> None:
        """Add the ways that corners should go to `wanted` (V×3), and 1 each to `weight` (V).

        pairs: the crossing pairs of one kind.
        """
        for mine, theirs, share in (
            (pairs[:, 0], pairs[:, 1], SHARES[name][0]),
            (pairs[:, 1], pairs[:, 0], SHARES[name][1]),
        ):
            if not share:
                continue
            a, b = self.triangles[mine], self.triangles[theirs]
            if name == 'lid_eyeball':
                way = now[a].mean(1)
                for k, ball in enumerate(self.eyes):
                    own = self.ball[b[:, 0]] == k + 1
                    if own.any():
                        way[own] -= sphere_centre(now[ball])
                side = np.ones(len(a))
            else:
                corner = now[b]
                way = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
                sided = name == 'skin_socket' or (by_rest and name == 'lip_lip')
                side = self._sides(a, b) if sided else np.ones(len(a))
            way *= side[:, None] / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
            height = ((now[a] - now[b].mean(1, keepdims=True)) * way[:, None]).sum(2)
            if name == 'lid_eyeball':
                height -= (
                    ((now[b] - now[b].mean(1, keepdims=True)) * way[:, None])
                    .sum(2)
                    .max(1, keepdims=True)
                )
            depth = share * np.clip(APART - height, 0, None)
            depth *= self.free[a]
            np.add.at(wanted, a.ravel(), (depth[..., None] * way[:, None]).reshape(-1, 3))
            np.add.at(weight, a.ravel(), (depth > 0).ravel().astype(float))

    def _sides(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return N: +1 or −1, on which side of triangles b (N×3) the triangles a lie at rest."""
        corner = self.rest[b]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        away = self.rest[a].mean(1) - corner.mean(1)
        return np.where((away * normal).sum(1) < 0, -1.0, 1.0)

    def _faded(self, wanted: np.ndarray, pushed: np.ndarray) -> np.ndarray:
        """Return V×3: `wanted` where it is asked for (bool V), fading over the surface about."""
        out = wanted * pushed[:, None]
        for _ in range(FADE_RINGS):
            out = np.where(pushed[:, None], out, self.average @ out)
            out[~self.free] = 0
        return out
