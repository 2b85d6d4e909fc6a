"""A performance as an animator edits it: what a face always does is its neutral, the rest few keys.

The fit spreads what it sees over all expressions. The mesh is linear in their weights: constants
move into the neutral and nothing else changes; and nearly the same mesh is had with fewer weights.
Nothing is asked of the pictures again: asked for few weights, the fit itself becomes worse
(weights' correlation of one view's Draft: dev2 .23 → .09, dev3 .59 → .51).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..annotate.landmarks import ModelLandmarks
from ..core.smoothstep import smoothstep
from ..evidence.lid_term import SIDES, lid_gaps, lid_opening
from ..evidence.sparsity import opposed_pairs
from ..face_model.lip_sections import lip_gaps, lip_sections, seal_lips
from ..face_model.model import FaceModel
from ..formats.performance import Performance

# The quantile over time of a weight that is its rest (.1: 1.3 keys more on an average frame; .2:
# one less, and twice as much of a motion is lost).
LEAST = 0.15
# Weights between which a rest is less and less taken for one: who smiles throughout smiles.
RESTING = 0.2, 0.4
SEEN_FOR = 0.5, 2.0  # s: between which a clip begins to show what its face always does
# Expressions that a rig's neutral, whose eyes are open and look ahead, never has.
NEVER_AT_REST = ('eyeBlink', 'eyeLook')
# Nor those that part its lips, which are sealed: .2 of one by more cm than this.
SOME, PARTED = 0.2, 0.15
NOISE = 0.01  # cm, RMS over the face: what a frame's shape may be off
# The price of a weight, beside (shape's error / NOISE)²/2: its slope at 0, halved at SCALE.
SLOPE, SCALE = 0.3, 0.05
UNUSED = 0.045  # of a weight: all that is left of the smaller of two opposed ones
# Of an eye's opening: up to which lids stand as far apart as they did, and from which as they come
SHUT_LIDS = 0.1, 0.3
# Expressions without a price: eyes' landmarks are the most exact, and a wide eye is always small.
WITHOUT_PRICE = ('eyeLook', 'eyeBlink', 'eyeWide')
STEADY = 1.0  # what a change of the shape's error from sample to sample costs beside the error
# s: standard deviations in time over which a price, and which of two is the smaller, are even
EVEN_PRICE, EVEN_SIDE = 0.12, 0.04
ROUNDS, STEPS = 12, 40  # times the prices are found anew; steps of descent between
IN_FULL = 0.7  # of the rounds: over which prices rise and opposed weights are held down


def make_editable(
    model: FaceModel,
    landmarks: ModelLandmarks,
    neutral: np.ndarray,
    performances: Sequence[Performance],
    neutral_frame: int = -1,
) -> tuple[np.ndarray, list[Performance]]:
    """Move a face's rest into its neutral, and say what is left with few weights.

    neutral: V×3 float32 cm; it comes back with sealed lips, of one actor's model as it is.
    performances: of one face; the first one tells its rest.
    neutral_frame: of the first one, where all expressions are at rest; −1: unknown
    """
    rest = rest_weights(model, performances[0], neutral_frame)
    moved = neutral
    if model.known_identity is None:
        shift = np.tensordot(rest, model.expressions, 1).astype(np.float32)
        moved = seal_lips(model, neutral + shift)
    openings = lid_opening(model, neutral), lid_opening(model, moved)
    points, edited = edited_points(model, landmarks), []
    for one in performances:
        few = few_weights(points, without_rest(one, rest, openings[1] / openings[0]))
        edited.append(keep_lids_shut(model, openings, one, few))
    return moved, edited


def rest_weights(model: FaceModel, performance: Performance, neutral_frame: int = -1) -> np.ndarray:
    """Find the E weights that a face hardly ever goes below.

    0 for a photo, and for one actor's model, whose rest is known.
    """
    if model.known_identity is not None:
        return np.zeros(len(model.names))
    weights = performance.weights.astype(np.float64)
    rest = np.quantile(weights, LEAST, axis=0)
    rest *= 1 - smoothstep(rest, *RESTING)
    rest[[name.startswith(NEVER_AT_REST) for name in performance.names]] = 0.0
    rest[_parts_lips(model)] = 0.0
    if neutral_frame >= 0:
        rest = np.minimum(rest, weights[neutral_frame])
    return rest * smoothstep(np.ptp(performance.time), *SEEN_FOR)


def without_rest(performance: Performance, rest: np.ndarray, openings: np.ndarray) -> Performance:
    """Take a face's rest (E) from its weights.

    openings: 2, the lids' distance at rest as a part of that before, right and left: eyeBlink shuts
    them from there, and 1 of it stays shut.
    """
    weights = np.maximum(performance.weights.astype(np.float64) - rest, 0)
    for side, opening in zip(SIDES, openings):
        if f'eyeBlink_{side}' in performance.names:
            weights[:, performance.names.index(f'eyeBlink_{side}')] /= opening
    return replace(performance, weights=np.clip(weights, 0, 1).astype(np.float32))


def keep_lids_shut(
    model: FaceModel,
    openings: tuple[np.ndarray, np.ndarray],
    performance: Performance,
    edited: Performance,
) -> Performance:
    """Let eyeBlink make up for what a shut eye lost as its performance was edited.

    A rest of eyeWide stays in the neutral though a shut eye had none, and a squint that helped to
    shut it may have had its price: by less than NOISE, and the eye stands open all the same.

    openings: how far lids stand apart on the neutral before and after, 2 cm each
    """
    lids, weights = lid_gaps(model), edited.weights.astype(np.float64)
    before, after = (
        opening * (1 + one.weights @ lids.changes_from(opening).T)
        for opening, one in zip(openings, (performance, edited))
    )
    before = np.maximum(before, 0)  # lids that met, not those that crossed
    share = 1 - smoothstep(before / openings[0], *SHUT_LIDS)
    more = share * (after - before) / openings[1]
    return replace(edited, weights=np.clip(weights + more @ lids.blinks, 0, 1).astype(np.float32))


@lru_cache(maxsize=4)
def _parts_lips(model: FaceModel) -> np.ndarray:
    """Tell which expressions part the lips of the model's neutral, or press them apart: E bool."""
    sections, neutral = lip_sections(model), seal_lips(model, model.neutral)
    heads = (neutral + SOME * one for one in model.expressions)
    return np.array([np.abs(lip_gaps(sections.on(head))).max() > PARTED for head in heads])


def edited_points(model: FaceModel, landmarks: ModelLandmarks) -> np.ndarray:
    """Take expressions (E×3P cm) where shapes are compared: half landmarks, half the face's skin.

    Scaled so that a row's product with itself is the mean square of what its expression moves.
    """
    skin = model.expressions[:, model.regions['narrow_face']].astype(np.float64)
    parts = (landmarks.on(model.expressions.astype(np.float64)), skin)
    rows = [part.reshape(len(part), -1) * np.sqrt(0.5 / part.shape[1]) for part in parts]
    return np.concatenate(rows, 1)


def few_weights(points: np.ndarray, performance: Performance) -> Performance:
    """Say a performance with few weights, and none beside its opposite.

    points: E×3P, see edited_points.

    The shape's error is least squares, a weight's price concave (Candès, Wakin & Boyd 2008,
    "Enhancing sparsity by reweighted l1 minimization"): round by round it is replaced by a slope,
    and the sum made small by accelerated proximal gradients (Beck & Teboulle 2009) within bounds.
    """
    wanted = performance.weights.astype(np.float64)
    size = np.maximum(np.linalg.norm(points, axis=1), 1e-9) / NOISE
    rows = points / NOISE / size[:, None]
    gram = rows @ rows.T
    curvature = float(np.linalg.eigvalsh(gram)[-1]) * (1 + 4 * STEADY)
    spacing = float(np.median(np.diff(performance.time))) if len(wanted) > 1 else 1.0
    prices = _Prices(performance.names, spacing)
    weights = wanted
    for turn in range(ROUNDS):
        rise = min(1.0, (turn + 1) / (IN_FULL * ROUNDS))
        price = rise / size * prices.slopes(weights)
        most = size * (1 + rise * (prices.bounds(weights) - 1))
        now = ahead = weights * size
        momentum = 1.0
        for _ in range(STEPS):
            pull = _steadily((ahead - wanted * size) @ gram)
            found = np.clip(ahead - (pull + price) / curvature, 0, most)
            momentum, before = (1 + np.sqrt(1 + 4 * momentum**2)) / 2, momentum
            ahead, now = found + (before - 1) / momentum * (found - now), found
        weights = now / size
    return replace(performance, weights=weights.astype(np.float32))


def _steadily(pull: np.ndarray) -> np.ndarray:
    """Add to the gradient of an error (T×E) that of its changes from sample to sample."""
    change = STEADY * np.diff(pull, axis=0)
    pull[1:] += change
    pull[:-1] -= change
    return pull


class _Prices:
    """What weights cost, and how far they may go. names: E; spacing: s between samples."""

    def __init__(self, names: tuple[str, ...], spacing: float) -> None:
        self.spacing = spacing
        self.slope = SLOPE * np.array([not name.startswith(WITHOUT_PRICE) for name in names])
        self.pairs = np.array(opposed_pairs(names), np.int64).reshape(-1, 2)

    def slopes(self, weights: np.ndarray) -> np.ndarray:
        """Give the price of a little more of each weight: T×E."""
        near = np.maximum(weights, self._even(weights, EVEN_PRICE))
        return self.slope / (1 + near / SCALE)

    def bounds(self, weights: np.ndarray) -> np.ndarray:
        """Give the most that each weight may be: T×E, UNUSED for the smaller of a pair."""
        first, second = self.pairs.T
        own = weights[:, first] - weights[:, second]
        near = self._even(own, EVEN_SIDE)
        lead = np.where(np.abs(own) > np.abs(near), own, near)  # a blink of one frame is one
        out = np.ones_like(weights)
        out[np.arange(len(weights))[:, None], np.where(lead < 0, first, second)] = UNUSED
        return out

    def _even(self, values: np.ndarray, reach: float) -> np.ndarray:
        """Average T×C over time."""
        return gaussian_filter1d(values, reach / self.spacing, axis=0, mode='nearest')
