"""A performance's lips, held shut where they are seen shut, whatever was done to it since the fit.

Smoothing averages each weight by itself; lips are shut by several together. The nearest weights at
which they meet, and do not cross, are found anew: the fit's own term of lips, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..annotate.landmarks import ModelLandmarks
from ..core.threads import map_in_threads
from ..evidence.lids import lid_range
from ..evidence.lip_contact import LipContactTerm, SeenTouching, lip_basis, seen_touching
from ..evidence.options import TrackOptions
from ..evidence.parameters import POSE, FreeParameters
from ..evidence.point_basis import DTYPE, as_tensor
from ..evidence.priors import AnchorPrior
from ..evidence.sparsity import opposed_pairs
from ..evidence.state import SharedParameters, State, Trajectory
from ..evidence.term import Term
from ..face_model.model import FaceModel
from ..footage.footage import Camera, Footage, Observations
from ..formats.performance import Performance
from ..learning.threads import torch_threads
from .curves import UNUSED
from .solver import solve
from .view_landmarks import make_view_landmarks

# cm: of how far lips may stay apart that touch, and how deep lips may cross; with several views,
# whose pictures lie between two nodes and ask of both (measured here: firmer costs weights)
EXACT, EXACT_BETWEEN = 0.0005, 0.00065
STEPS, TOLERANCE = 8, 1e-3  # Gauss-Newton steps at most; relative fall of the cost at which to stop
WINDOW = 60  # samples at once, a window a thread


@dataclass(frozen=True)
class _BoundedWeights(FreeParameters):
    """Weights that stay within bounds of their own. most: K×E."""

    most: torch.Tensor = field(default_factory=lambda: torch.ones(0, 0, dtype=DTYPE))

    def room(self, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        down, up = super().room(state)
        up[:, POSE:] = self.most - state.trajectory.weights
        return down, up


@dataclass(frozen=True)
class _Sealing:
    """The problem: near the given weights, lips that meet and do not cross."""

    terms: tuple[Term, ...]
    parameters: FreeParameters


def seal_performance(
    model: FaceModel,
    landmarks: ModelLandmarks,
    neutral: np.ndarray,
    footage: Footage,
    observations: Observations,
    cameras: Sequence[Camera],
    performance: Performance,
) -> Performance:
    """Hold a performance's lips shut, and from crossing, where they are seen shut.

    neutral: V×3 cm; cameras: of each view, as they were found.
    """
    basis, weights = lip_basis(model, neutral), performance.weights
    options = TrackOptions()
    lids = [lid_range(shown.points[shown.present]) for shown in observations.views]
    heeded = best_seen_frames(footage, observations)
    exact = EXACT if len(footage.views) == 1 else EXACT_BETWEEN

    def sealed(start: int) -> np.ndarray:
        rows = slice(start, start + WINDOW)
        times = performance.time[rows]
        last = start + WINDOW >= len(weights)
        seen = []
        views = zip(footage.views, observations.views, cameras, lids, heeded)
        for view, shown, camera, own, best in views:
            inside = view.times < (np.inf if last else performance.time[start + WINDOW])
            frames = np.flatnonzero(best & inside & (view.times >= times[0]))
            timed = make_view_landmarks(
                view, shown, landmarks.confidence, times, camera.focal, options, frames, own
            )
            seen.append(seen_touching(model, landmarks, timed))
        given = Trajectory(
            *(as_tensor(a[rows]) for a in (performance.rotation, performance.translation, weights))
        )
        contact = LipContactTerm(basis, tuple(seen), exact, exact, shut_nodes(seen))
        most = _opposed_bounds(as_tensor(weights[rows]), performance.names)
        problem = _Sealing((AnchorPrior(given), contact), _BoundedWeights(0, len(seen), most=most))
        found = given
        for state in solve(problem, State(_nothing_shared(), given), STEPS, TOLERANCE):
            found = state.trajectory
        return found.weights.numpy()

    with torch_threads():
        windows = list(map_in_threads(sealed, range(0, len(weights), WINDOW)))
    return replace(performance, weights=np.concatenate(windows).astype(weights.dtype))


def best_seen_frames(footage: Footage, observations: Observations) -> list[np.ndarray]:
    """Choose of each view the frames (T bool) near which no other view shows the face better.

    From the side inner lips seem to touch that do not.
    """
    shown = observations.views
    sure = [float(one.confidence[one.present].mean()) if one.present.any() else 0 for one in shown]
    out: list[np.ndarray] = [one.present.copy() for one in shown]
    covered = np.zeros(0)
    for v in np.argsort(sure, kind='stable')[::-1]:
        times = footage.views[v].times
        if len(covered):
            away = np.abs(times[:, None] - covered).min(1)
            out[v] &= away > 1 / footage.views[v].fps
        covered = np.concatenate([covered, times[out[v]]])
    return out


def shut_nodes(seen: Sequence[SeenTouching]) -> torch.Tensor:
    """List the nodes nearest to where any view sees lips touch: the next may be an open mouth's."""
    found = [torch.zeros(0, dtype=torch.long)]
    for one in seen:
        shut = one.share.amax(1) > 0
        found.append(one.node[shut] + (one.between[shut] > 0.5))
    return torch.cat(found).unique()


def _opposed_bounds(weights: torch.Tensor, names: tuple[str, ...]) -> torch.Tensor:
    """Give the most that weights (K×E) may be so that opposed ones stay apart: K×E."""
    out = torch.ones_like(weights)
    for pair in opposed_pairs(names):
        both = weights[:, pair]
        smaller = torch.tensor(pair)[both.argmin(1)][:, None]
        out.scatter_(1, smaller, both.amin(1, keepdim=True).clamp_min(UNUSED))
    return out


def _nothing_shared() -> SharedParameters:
    none = torch.zeros(0, dtype=DTYPE)
    return SharedParameters(none, none, none, none, none)
