"""How far lids stand apart, beside how they stand when the eye is open as usual.

Lids' landmarks are bound to a model's open eye and lie about shut ones as the detector likes; how
far apart they are beside the same eye's own open distance (lids.py) says more: an
eye seen shut is shut. One row of weights for each eye, in head space: a pose changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from ..face_model.model import FaceModel
from ..face_model.pieces import CONTOURS, slit_contours
from ..footage.detector.landmark_sets import landmark_sets
from .lids import EYES
from .parameters import POSE, System
from .part_points import along_contour
from .point_basis import DTYPE
from .state import State, ViewLandmarks, blend_nodes
from .term import Term

SIDES = 'RL'
ALONG = np.linspace(0.3, 0.7, 5)  # of the way from corner to corner: where distances are taken
# Standard deviations of an openness. Of shut lids: .15 mm of a slit 10 mm high. Of open ones, as a
# part: what is seen errs by .13 to .33 of the true rigs' own (three captures, frontal views), for a
# person's usual eye is not quite the neutral's.
SHUT_NOISE, OPEN_NOISE = 0.015, 0.3
# Expressions that say nothing of shut lids, where eyeBlink alone shuts; and their weights' standard
# deviation there.
AT_REST, REST_NOISE = ('eyeSquint', 'eyeWide'), 0.1
# Trust in an eye's landmarks from which its lids count, and in full: in profile the far eye's are
# guessed (one clip's, .22, looked shut; every real blink's are at .97 or more).
TRUSTED = 0.25, 0.6
HALF_OPEN = 0.3  # openness from which the iris is seen
HELD_GAZE = 0.3  # of a weight, per √s: how a gaze changes behind shut lids


@dataclass(frozen=True, eq=False)
class LidGaps:
    """The distances of a model's upper lids from the lower ones, right and left, cm.

    neutral 2, identities 2×I, expressions 2×E as offsets. blinks 2×E: 1 at each eye's own eyeBlink.
    """

    neutral: np.ndarray
    identities: np.ndarray
    expressions: np.ndarray
    blinks: np.ndarray

    def changes(self, identity: torch.Tensor) -> torch.Tensor:
        """Give 2×E, what each expression adds to an eye's openness."""
        own = self.neutral + self.identities @ identity.numpy()
        return torch.as_tensor(self.changes_from(own), dtype=DTYPE)

    def changes_from(self, opening: np.ndarray) -> np.ndarray:
        """Give 2×E, what each expression adds to the openness of eyes that open so far (2, cm).

        eyeBlink takes away all of it, as in the rig that is written (shape_keys/lids.py).
        """
        part = self.expressions / np.maximum(opening, 0.3 * self.neutral)[:, None]
        return np.where(self.blinks > 0, -1.0, part)


def lid_gaps(model: FaceModel) -> LidGaps:
    """Measure a tracked model's lids, along its vertical, in the middle of the slit."""
    rows = _mean_across_slits(model)
    blinks = [[float(name == f'eyeBlink_{side}') for name in model.names] for side in SIDES]
    return LidGaps(
        rows @ model.neutral[:, 1].astype(np.float64),
        rows @ model.identities[..., 1].astype(np.float64).T,
        rows @ model.expressions[..., 1].astype(np.float64).T,
        np.array(blinks),
    )


def lid_opening(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Measure how far the lids of a head (V×3) stand apart, as lid_gaps does: 2, right and left."""
    return _mean_across_slits(model) @ vertices[:, 1].astype(np.float64)


def across_slit(model: FaceModel, side: str, along: np.ndarray) -> sparse.csr_matrix:
    """Give what vertices count in the distance of an eye's lids, N parts of the way along: N×V."""
    slit = f'eye_{side}'
    (first, *_, last), *_ = CONTOURS[slit][0]
    corners = model.landmarks68[[first, last]]
    upper, lower = (along_contour(model, one, corners, along) for one in slit_contours(model, slit))
    return upper - lower


def _mean_across_slits(model: FaceModel) -> np.ndarray:
    """Give what vertices count in the mean distance of either eye's lids: 2×V."""
    rows = (across_slit(model, side, ALONG).mean(0) for side in SIDES)
    return np.stack([np.asarray(row).ravel() for row in rows])


@dataclass(frozen=True)
class LidTerm(Term):
    """One view's lids are as open as seen: an exact quadratic in the weights.

    ½ Σ precision (row·w − target)².

    rows: S×E. target, precision: n×S.
    """

    observed: ViewLandmarks
    rows: torch.Tensor
    target: torch.Tensor
    precision: torch.Tensor

    def linearise(self, state: State, system: System) -> None:
        residual, seen = self._residual(state), self.observed
        system.cost += float(0.5 * (self.precision * residual**2).sum())
        block = torch.einsum('ns,se,sf->nef', self.precision, self.rows, self.rows)
        slope = (self.precision * residual) @ self.rows
        late, own = seen.between, slice(POSE, None)
        after = (seen.node + 1).clamp_max(len(system.gradient) - 1)
        for node, share in ((seen.node, 1 - late), (after, late)):
            system.gradient[:, own].index_add_(0, node, share[:, None] * slope)
            square = (share**2)[:, None, None] * block
            system.diagonal[:, own, own].index_add_(0, node, square)
        on = torch.nonzero(late > 0)[:, 0]
        both = (late * (1 - late))[on, None, None] * block[on]
        system.upper[:, own, own].index_add_(0, seen.node[on], both)

    def energy(self, state: State) -> torch.Tensor:
        return 0.5 * (self.precision * self._residual(state) ** 2).sum()

    def _residual(self, state: State) -> torch.Tensor:
        weights, seen = state.trajectory.weights, self.observed
        after = weights[(seen.node + 1).clamp_max(len(weights) - 1)]
        between = blend_nodes(seen.between, weights[seen.node], after)
        return between @ self.rows.T - self.target


def lid_term(
    observed: ViewLandmarks, changes: torch.Tensor, names: tuple[str, ...], weight: float
) -> LidTerm:
    """Ask a view's lids to be as open as seen, and those seen shut to be shut by eyeBlink alone.

    changes: 2×E, LidGaps.changes. weight: what it counts.

    Each eye counts by its own noise, and by how far its landmarks are trusted.
    """
    trust = weight * lid_trust(observed)
    variance = SHUT_NOISE**2 + (OPEN_NOISE * observed.openness) ** 2
    rest = [f'{name}_{side}' for name in AT_REST for side in SIDES]
    alone = torch.zeros(len(rest), len(names), dtype=DTYPE)
    alone[torch.arange(len(rest)), [names.index(name) for name in rest]] = 1
    shut = trust * shutness(observed.openness) / REST_NOISE**2
    return LidTerm(
        observed,
        torch.cat([changes, alone]),
        torch.cat([observed.openness - 1, torch.zeros(len(trust), len(rest), dtype=DTYPE)], 1),
        torch.cat([trust / variance, *(shut,) * len(AT_REST)], 1),
    )


def lid_trust(observed: ViewLandmarks) -> torch.Tensor:
    """Say how far either eye's lids are seen, n×2: a hidden eye's say nothing."""
    loops = [landmark_sets()[loop] for loop, _ in EYES]
    trust = torch.stack([observed.trust[:, loop].mean(1) for loop in loops], 1)
    low, high = TRUSTED
    return trust * ((trust - low) / (high - low)).clamp(0, 1)


def shutness(openness: torch.Tensor) -> torch.Tensor:
    """Say how far no iris is to be seen: 1 where lids are shut, 0 from HALF_OPEN on."""
    return (1 - openness / HALF_OPEN).clamp_min(0)


def gaze_hold(
    landmarks_by_view: tuple[ViewLandmarks, ...], names: tuple[str, ...], nodes: int
) -> torch.Tensor:
    """Give (K−1)×(6 + E), the precision with which a gaze stays from node to node behind lids."""
    hidden = torch.zeros(nodes, 2, dtype=DTYPE)
    for seen in landmarks_by_view:
        here = shutness(seen.openness) * (lid_trust(seen) > 0)
        index = seen.node[:, None].expand_as(here)
        hidden = hidden.scatter_reduce(0, index, here, 'amax')
    step = torch.maximum(hidden[1:], hidden[:-1]) / HELD_GAZE**2
    out = torch.zeros(nodes - 1, POSE + len(names), dtype=DTYPE)
    for eye, side in enumerate(SIDES):
        own = [n.startswith('eyeLook') and n.endswith(f'_{side}') for n in names]
        out[:, POSE:][:, torch.tensor(own)] = step[:, eye, None]
    return out
