"""A linear face model fitted to a scan: where it stands in head space, who it is, what it does.

Gauss-Newton over similarity (7), identity and expression at once; landmarks first, then also the
surface (point to plane).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import nnls

from ..annotate.landmarks import ModelLandmarks
from ..core.files import read_npz
from ..evidence.expression_statistics import STATISTICS
from ..face_model.model import FaceModel
from ..footage.detector.landmark_sets import landmark_sets
from ..geometry.border import Border
from ..geometry.closest import Surface
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate

# The motion's unknowns, after identity and expression: rotation 3, translation 3, scale.
MOTION = 7
LARGEST_IDENTITY = 4.0  # standard deviations
LARGEST_GROWTH = 0.3  # of the scale, in one round
OUTLIER = 0.4  # cm: a landmark this far off counts half


@dataclass(frozen=True)
class ModelFitOptions:
    """Options of fitting the model; cm where not said otherwise.

    All measured here, on the scans of shared/data.
    """

    # of one landmark, all counted as SHARED_LANDMARKS independent ones
    landmark_sigma: float = 0.15
    marker_sigma: float = 0.05  # of a marker the user placed
    surface_sigma: float = 0.05  # of one point-to-plane distance
    # a landmark on lids or lips counts as so many others: little else tells what they do
    contours: float = 3.0
    # how many independent landmarks the detector's are worth together
    landmarks_worth: float = 120.0
    surface_worth: float = 400.0  # the same for surface points
    identity_spread: float = 0.3  # standard deviations the identity's coefficients have
    expression_spread: float = 0.25  # standard deviation of a weight before anything is seen
    expression_sparse: float = 5.0  # cost of a weight of 1, in half squared standard deviations
    brows: float = 1.0  # a landmark on the brows counts as so many others
    # weight of how expressions occur together in a recording (measure_statistics.py)
    statistics: float = 0.0
    statistics_floor: float = 0.1  # standard deviation that is added to every expression's there
    rim_sigma: float = 0.1  # of one vertex that belongs on the border of a hole
    rim_worth: float = 60.0  # how many independent points such vertices are worth together
    samples: int = 2500  # surface points used
    # of each round: how far the surface is looked for; 0: landmarks alone
    reach: tuple[float, ...] = (0, 0, 0, 0, 1.2, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.3, 0.25, 0.25)


@dataclass(frozen=True)
class Similarity:
    """How a mesh lies in head space: head = scale · rotation · mesh + translation."""

    rotation: np.ndarray  # 3×3
    translation: np.ndarray  # 3, cm
    scale: float  # cm a unit of the mesh

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """Carry points (…×3) from the mesh's own space into head space, cm."""
        return self.scale * points @ self.rotation.T + self.translation

    def from_head(self, points: np.ndarray) -> np.ndarray:
        """Carry points (…×3) from head space into the mesh's own space."""
        return (points - self.translation) @ self.rotation / self.scale

    @property
    def matrix(self) -> np.ndarray:
        """Return the 4×4 matrix mesh → head."""
        out = np.eye(4)
        out[:3, :3], out[:3, 3] = self.scale * self.rotation, self.translation
        return out

    def rescaled(self, scale: float, vertices: np.ndarray) -> Similarity:
        """Return the same with another scale, about the middle of a mesh's vertices."""
        middle = vertices.mean(0)
        shift = (self.scale - scale) * self.rotation @ middle
        return Similarity(self.rotation, self.translation + shift, scale)


@dataclass(frozen=True)
class ModelFit(Similarity):
    """A model fitted to a mesh, and how the mesh lies in head space."""

    vertices: np.ndarray  # V×3, the model in head space
    identity: np.ndarray  # I
    weights: np.ndarray  # E
    spread: float  # cm: robust distance of the face to the surface


@dataclass(frozen=True)
class FitTarget:
    """What a model is fitted to, in the mesh's own space."""

    vertices: np.ndarray  # N×3
    triangles: np.ndarray  # T×3
    # 478×3 with their confidence, 478; None where no face was seen.
    points: np.ndarray | None = None
    confidence: np.ndarray | None = None
    # Index of the 68 landmarks → 3.
    markers: Mapping[int, np.ndarray] = field(default_factory=dict)
    # cm a unit, where it is known.
    scale: float | None = None
    # Vertices of the model (K), and where they belong on the border of a hole (K×3).
    rim: tuple[np.ndarray, np.ndarray] | None = None
    # E bool: expressions that may be used; None for all.
    expressions: np.ndarray | None = None
    # Weights that are known from elsewhere, by name.
    known: Mapping[str, float] = field(default_factory=dict)


def fit_model(
    model: FaceModel,
    landmarks: ModelLandmarks,
    target: FitTarget,
    start: Similarity,
    options: ModelFitOptions = ModelFitOptions(),
) -> ModelFit:
    """Fit the model to a mesh.

    start: how the mesh lies in head space, about; a ModelFit is gone on from, then the surface is
    used from the first round.
    """
    fitting = _Fitting(model.tracked, landmarks, target, start, options)
    reach = [r for r in options.reach if r] if isinstance(start, ModelFit) else options.reach
    for limit in reach:
        fitting.step(limit)
    return fitting.result()


class _Fitting:
    """A fit on its way.

    Unknowns are identity α, the weights w of the expressions `used`, and the motion of the model
    against the mesh. Until the end the model is only had where the fit looks at it.
    """

    def __init__(
        self,
        model: FaceModel,
        landmarks: ModelLandmarks,
        target: FitTarget,
        start: Similarity,
        options: ModelFitOptions,
    ):
        self.model, self.target, self.options = model, target, options
        before = start if isinstance(start, ModelFit) else None
        if target.scale is not None:
            start = start.rescaled(target.scale, target.vertices)
        self.place = Similarity(start.rotation, start.translation, start.scale)
        may = True if target.expressions is None else target.expressions
        self.used = np.flatnonzero(np.broadcast_to(may, len(model.names)))
        self.alpha = np.zeros(len(model.identities)) if before is None else before.identity.copy()
        self.weights = np.zeros(len(model.names))
        if before is not None:
            self.weights[self.used] = before.weights[self.used]
        self.spread = np.inf
        self._restrict(landmarks)
        self._prepare_bases()
        # E×E: how expressions occur together.
        self.together = np.zeros((len(self.used),) * 2)
        if options.statistics:
            inverse = _statistics(model.names, options.statistics_floor)
            self.together = options.statistics * inverse[np.ix_(self.used, self.used)]
        self.importance = _importance(options, len(landmarks.weights))
        self.surface = Surface(target.vertices, target.triangles)
        self.border = Border(target.triangles, len(target.vertices))

    def _restrict(self, landmarks: ModelLandmarks) -> None:
        """Keep of the model what the fit looks at."""
        model, rim = self.model, self.target.rim
        face = model.regions['narrow_face']
        chosen_vertices = np.unique(
            np.concatenate(
                [
                    face,
                    landmarks.triangles.ravel(),
                    model.landmarks68,
                    [] if rim is None else rim[0],
                ]
            ).astype(int)
        )
        of = np.full(model.vertex_count, -1)
        of[chosen_vertices] = np.arange(len(chosen_vertices))
        self.landmarks = replace(landmarks, triangles=of[landmarks.triangles])
        self.marks68 = of[model.landmarks68]
        self.rim_rows = None if rim is None else of[rim[0]]
        # K×V×3: what one of each unknown adds, everywhere and at the chosen vertices.
        self.everywhere = np.concatenate([model.identities, model.expressions[self.used]])
        self.modes = np.take(self.everywhere, chosen_vertices, axis=1).astype(np.float64)
        self.neutral = model.neutral[chosen_vertices].astype(np.float64)
        samples = min(self.options.samples, len(face))
        self.samples = of[face][np.linspace(0, len(face) - 1, samples).astype(int)]
        triangles = triangulate(model.faces)
        self.face_triangles = of[triangles[np.isin(triangles, face).all(1)]]

    def _prepare_bases(self) -> None:
        """Lay out each kind of point's N×K×3 derivatives by identity and expression."""
        modes, landmarks = self.modes, self.landmarks
        response = np.concatenate(
            [
                np.zeros((len(self.alpha), *landmarks.response.shape[1:])),
                landmarks.response[self.used],
            ]
        )
        self.mark_basis = np.swapaxes(landmarks.on(modes) + response, 0, 1)
        self.sample_basis = np.swapaxes(modes[:, self.samples], 0, 1)
        self.pinned = sorted(self.target.markers)
        if self.pinned:
            self.pin_basis = np.swapaxes(modes[:, self.marks68[self.pinned]], 0, 1)
        if self.rim_rows is not None:
            self.rim_basis = np.swapaxes(modes[:, self.rim_rows], 0, 1)

    def step(self, limit: float) -> None:
        """Make one Gauss-Newton step; limit: cm, how far the surface is looked for, 0 for not."""
        shape = self.neutral + np.tensordot(self._unknowns(), self.modes, 1)
        terms = []
        if self.target.points is not None:
            terms.append(self._landmark_term(shape))
        if self.pinned:
            terms.append(self._marker_term(shape))
        if self.rim_rows is not None:
            terms.append(self._rim_term(shape))
        if limit:
            terms.append(self._surface_term(shape, limit))
        self._solve(*(np.concatenate(parts) for parts in zip(*terms)))

    def _unknowns(self) -> np.ndarray:
        """Return K: identity, then the expressions `used`."""
        return np.concatenate([self.alpha, self.weights[self.used]])

    def _jacobian(self, basis: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return N×3×(K + 7): derivatives of points at N×3 (basis N×K×3).

        By identity and expression, then rotation, translation, scale.
        """
        k = len(self.modes)
        out = np.zeros((len(at), 3, k + MOTION))
        out[:, :, :k] = np.swapaxes(basis, 1, 2)
        x, y, z = at.T
        out[:, 1, k], out[:, 2, k] = -z, y
        out[:, 0, k + 1], out[:, 2, k + 1] = z, -x
        out[:, 0, k + 2], out[:, 1, k + 2] = -y, x
        out[:, [0, 1, 2], [k + 3, k + 4, k + 5]] = 1
        out[:, :, k + 6] = at
        return out

    def _point_term(
        self, basis: np.ndarray, here: np.ndarray, there: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw points N×3 to others: (Jacobian rows, residuals, weights), three rows a point."""
        rows = self._jacobian(basis, here).reshape(-1, len(self.modes) + MOTION)
        return rows, (there - here).ravel(), weight

    def _landmark_term(self, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw the model's landmarks to those the detector saw."""
        options = self.options
        here = seen_landmarks(self.landmarks, shape, self.weights)
        there = self.place.to_head(self.target.points)
        off = there - here
        robust = 1 + (off**2).sum(1) / OUTLIER**2
        sure = self.landmarks.confidence * self.target.confidence / robust
        sure = sure * self.importance
        sure = sure * options.landmarks_worth / max(sure.sum(), 1e-9) / options.landmark_sigma**2
        return self._point_term(self.mark_basis, here, there, np.repeat(sure, 3))

    def _marker_term(self, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw landmarks to the markers that the user placed."""
        there = self.place.to_head(np.stack([self.target.markers[p] for p in self.pinned]))
        weight = np.full(3 * len(self.pinned), 1 / self.options.marker_sigma**2)
        return self._point_term(self.pin_basis, shape[self.marks68[self.pinned]], there, weight)

    def _rim_term(self, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw vertices to where they belong on the border of a hole."""
        options, here = self.options, shape[self.rim_rows]
        weight = np.full(3 * len(here), options.rim_worth / len(here) / options.rim_sigma**2)
        return self._point_term(
            self.rim_basis, here, self.place.to_head(self.target.rim[1]), weight
        )

    def _surface_term(
        self, shape: np.ndarray, limit: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw points of the face to the planes of the surface near them, within `limit` cm."""
        options, place, target = self.options, self.place, self.target
        here = shape[self.samples]
        normals = vertex_normals(shape, self.face_triangles)[self.samples]
        triangle, barycentric, _, _ = self.surface.closest(
            place.from_head(here), limit / place.scale, normals @ place.rotation, 0.5
        )
        hit = (triangle >= 0) & ~self.border.holds(triangle, barycentric)
        foot = np.zeros_like(here)
        corners = target.vertices[target.triangles[triangle[hit]]]
        foot[hit] = place.to_head((corners * barycentric[hit, :, None]).sum(1))
        normal = self.surface.normals[np.maximum(triangle, 0)] @ place.rotation.T
        off = ((foot - here) * normal).sum(1)
        self.spread = float(np.median(np.abs(off[hit]))) * 1.48 if hit.any() else np.inf
        robust = hit / (1 + (off / max(2 * self.spread, 0.03)) ** 2)
        weight = robust * options.surface_worth / max(hit.sum(), 1) / options.surface_sigma**2
        rows = (normal[:, None] @ self._jacobian(self.sample_basis, here))[:, 0]
        return rows, np.where(hit, off, 0), weight

    def _priors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (curvature of each of identity and expression, pull on each expression)."""
        options, first = self.options, len(self.alpha)
        prior = np.concatenate(
            [
                np.full(first, 1 / options.identity_spread**2),
                np.full(len(self.used), 1 / options.expression_spread**2),
            ]
        )
        mean = np.zeros(len(self.used))
        sparse = np.full(len(self.used), options.expression_sparse)
        for name, value in self.target.known.items():
            column = np.flatnonzero(self.used == self.model.names.index(name))
            prior[first + column], mean[column], sparse[column] = 1e6, value, 0
        return prior, prior[first:] * mean - sparse

    def _solve(self, jacobian: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> None:
        """Take the step that the terms and priors ask for."""
        first, k = len(self.alpha), len(self.modes)
        now, (prior, pull) = self._unknowns(), self._priors()
        a = jacobian.T @ (jacobian * weight[:, None])
        b = jacobian.T @ (weight * residual)
        b[:k] += a[:k, :k] @ now
        b[k:] += a[k:, :k] @ now
        a[:k, :k] += np.diag(prior)
        a[first:k, first:k] += self.together
        b[first:k] += pull
        free_scale = self.target.scale is None
        a[k:, k:] += np.diag([1e-3] * 6 + [1e-3 if free_scale else 1e9])
        solution = _bounded(a, b, first, k)
        self.alpha = np.clip(solution[:first], -LARGEST_IDENTITY, LARGEST_IDENTITY)
        self.weights[self.used] = solution[first:k]
        # The motion is the model's: the mesh takes its inverse.
        motion = solution[k:]
        turn = cv2.Rodrigues(np.asarray(motion[:3], np.float64))[0]
        grow = 1 + np.clip(motion[6], -LARGEST_GROWTH, LARGEST_GROWTH)
        self.place = Similarity(
            turn.T @ self.place.rotation,
            turn.T @ (self.place.translation - motion[3:6]) / grow,
            self.place.scale / grow,
        )

    def result(self) -> ModelFit:
        """Return the fit with the whole model."""
        shape = self.model.neutral + np.tensordot(
            self._unknowns(), self.everywhere.astype(np.float64), 1
        )
        return ModelFit(
            rotation=self.place.rotation,
            translation=self.place.translation,
            scale=float(self.place.scale),
            vertices=shape,
            identity=self.alpha,
            weights=self.weights,
            spread=self.spread,
        )


def _importance(options: ModelFitOptions, count: int) -> np.ndarray:
    """Return how much each of the 478 landmarks counts against the others."""
    sets = landmark_sets()
    out = np.ones(count)
    out[np.concatenate([sets['left_eye'], sets['right_eye'], sets['lips']])] = options.contours
    out[np.concatenate([sets['left_brow'], sets['right_brow']])] *= options.brows
    out[468:] = 0  # irises look about
    return out


def seen_landmarks(
    landmarks: ModelLandmarks, vertices: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return 478×3 where the detector sees the landmarks of a head V×3 with these weights.

    Lids are seen elsewhere than they are: see annotate.landmarks.
    """
    return landmarks.on(vertices) + np.tensordot(weights, landmarks.response, 1)


def _bounded(a: np.ndarray, b: np.ndarray, first: int, last: int) -> np.ndarray:
    """Return argmin ½xᵀAx − bᵀx with x[first:last] ≥ 0.

    By non-negative least squares in those after the others are eliminated. What comes out above 1
    is set to 1, and the others follow.
    """
    a = a + 1e-9 * np.trace(a) / len(a) * np.eye(len(a))
    bound = np.zeros(len(b), bool)
    bound[first:last] = True
    factor = cho_factor(a[~bound][:, ~bound])
    x = np.zeros(len(b))
    if bound.any():
        coupling = a[bound][:, ~bound]
        left = np.linalg.cholesky(a[bound][:, bound] - coupling @ cho_solve(factor, coupling.T))
        x[bound] = np.minimum(
            nnls(
                left.T,
                solve_triangular(
                    left, b[bound] - coupling @ cho_solve(factor, b[~bound]), lower=True
                ),
            )[0],
            1,
        )
    x[~bound] = cho_solve(factor, b[~bound] - a[~bound][:, bound] @ x[bound])
    return x


def _statistics(names: tuple[str, ...], floor: float) -> np.ndarray:
    """Return E×E: the inverse of the covariance of the recording's weights.

    floor: added to each standard deviation.
    """
    data = read_npz(STATISTICS, 'table of expression statistics')
    order = [data['names'].tolist().index(n) for n in names]
    return np.linalg.inv(
        data['covariance'][np.ix_(order, order)].astype(np.float64) + floor**2 * np.eye(len(order))
    )
