"""Where a head's pieces cross.

A crossing (geometry.intersections) counts between triangles
- of a socket (with the triangles that join it to the rim) and of the skin,
- of the upper lip and of the lower lip (those with two corners or more in the lip),
- of a lid's skin and of the eyeball, all of its shells,
- of gums, teeth or tongue and of the skin.
What belongs in each other does not count: teeth in gums, gums and tongue in the mouth's wall,
lashes in lids, the films before an eye, what lies behind an eyeball in its socket; nor does a
piece's crossing of itself, a fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face_model.expressions import OPPOSITES, UNTRACKED
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.intersections import Crosser
from ..geometry.polygons import triangulate

KINDS = ('skin_socket', 'lip_lip', 'lid_eyeball', 'gums_teeth_skin')
MOST_ACTIVE = 8  # shapes at work in a random combination: 1 to this many


@dataclass(frozen=True)
class Crossings:
    """Crossing pairs of triangles, indices into triangulate(model.faces)."""

    pairs: np.ndarray  # N×2 int32, in the order of KINDS, then sorted
    kind: np.ndarray  # N int8 into KINDS
    vertices: np.ndarray  # sorted int32: corners of the triangles that cross

    def counts(self) -> dict[str, int]:
        """Return how many pairs of each of KINDS cross."""
        return {name: int((self.kind == k).sum()) for k, name in enumerate(KINDS)}


class Checker:
    """What `find_crossings` looks for in one model, ready to be asked for many poses."""

    def __init__(self, model: FaceModel):
        part = pieces(model)
        self.triangles = triangulate(model.faces)

        def of(*names, corners=3):
            """Return the triangles of which at least so many corners are in the named pieces."""
            member = np.zeros(model.vertex_count, bool)
            for name in names:
                member[part.get(name, [])] = True
            return np.flatnonzero(member[self.triangles].sum(1) >= corners)

        skin = of('skin')
        sockets = of('mouth_socket', 'eye_socket_L', 'eye_socket_R', corners=1)
        lids = of('upper_lid_L', 'lower_lid_L', 'upper_lid_R', 'lower_lid_R')
        balls = of('eyeball_L', 'eyeball_R')
        inner = of('upper_gums', 'lower_gums', 'tongue', 'upper_teeth', 'lower_teeth')
        self.sets = (
            (sockets, skin),
            (of('upper_lip', corners=2), of('lower_lip', corners=2)),
            (lids, balls),
            (inner, skin),
        )
        self.crossers = [
            Crosser(self.triangles[a], self.triangles[b], model.neutral) for a, b in self.sets
        ]

    def __call__(self, vertices: np.ndarray) -> Crossings:
        found = [crosser(vertices) for crosser in self.crossers]
        pairs = np.concatenate(
            [np.stack([a[p[:, 0]], b[p[:, 1]]], 1) for (a, b), p in zip(self.sets, found)]
        ).astype(np.int32)
        return Crossings(
            pairs,
            np.repeat(np.arange(len(KINDS), dtype=np.int8), [len(p) for p in found]),
            np.unique(self.triangles[pairs]),
        )

    def count(self, vertices: np.ndarray) -> np.ndarray:
        """Return how many pairs of each of KINDS cross."""
        return np.array([len(crosser(vertices)) for crosser in self.crossers])


def find_crossings(model: FaceModel, vertices: np.ndarray) -> Crossings:
    """Find where the model's surface crosses itself with its vertices at V×3 (cm).

    Sockets (with their rims' triangles) against skin, upper against lower lip, lids against
    eyeballs, gums, teeth and tongue against skin. Triangles that share a vertex or only touch do
    not cross.
    """
    return Checker(model)(vertices)


def count_crossings(
    model: FaceModel, neutral: np.ndarray, expressions: np.ndarray, combinations: np.ndarray
) -> np.ndarray:
    """Return C×4 counts of KINDS at neutral + Σ weights·expressions.

    neutral: V×3, expressions: E×V×3 (cm), combinations: C×E weights.
    """
    check = Checker(model)
    return np.array([check.count(pose(neutral, expressions, w)) for w in combinations]).reshape(
        -1, len(KINDS)
    )


def pose(neutral: np.ndarray, expressions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return V×3 float32: neutral + Σ weights·expressions; only the shapes at work are read."""
    out = np.array(neutral, np.float32)
    for e in np.flatnonzero(weights):
        out += np.float32(weights[e]) * expressions[e]
    return out


def sample_combinations(names: tuple[str, ...], count: int, seed: int) -> np.ndarray:
    """Draw random combinations of shapes: count×E float64 weights.

    1 to 8 shapes at work, each uniform in [0, 1]; of two opposites (left and right, up and down,
    blink and wide) the weaker is dropped; mouthClose, a corrective of jawOpen, never exceeds it
    (where jawOpen is not drawn, it comes along); tongueOut, which is meant to pass the lips, is
    never drawn.
    """
    rng = np.random.default_rng(seed)
    index = {name: k for k, name in enumerate(names)}
    out = np.zeros((count, len(names)))
    drawn = np.flatnonzero([name not in UNTRACKED for name in names])
    for row in out:
        chosen = drawn[
            rng.choice(len(drawn), min(rng.integers(1, MOST_ACTIVE + 1), len(drawn)), replace=False)
        ]
        row[chosen] = rng.uniform(size=len(chosen))
        for pair in OPPOSITES:
            if all(name in index for name in pair):
                a, b = (index[name] for name in pair)
                row[a if row[a] < row[b] else b] = 0
        if (
            'mouthClose' in index
            and 'jawOpen' in index
            and row[index['mouthClose']] > row[index['jawOpen']]
        ):
            row[[index['mouthClose'], index['jawOpen']]] = (
                row[[index['jawOpen'], index['mouthClose']]]
                if row[index['jawOpen']]
                else row[index['mouthClose']]
            )
    return out
