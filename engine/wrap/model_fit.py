"""A linear face model laid onto a scan: where the scan stands in head space, who it is, and which expression it makes.

Gauss-Newton over similarity (7), identity and expression at once; landmarks first, then also the surface (point to plane).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..annotate.landmarks import ModelLandmarks
from ..core.files import read_npz
from ..evidence.expression_statistics import STATISTICS
from ..face_model.model import FaceModel
from ..footage.detector.landmark_sets import landmark_sets
from ..geometry.border import Border
from ..geometry.closest import Surface
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate


@dataclass(frozen=True)
class ModelFitOptions:
    """cm where not said otherwise; all measured here, on the scans of shared/data."""

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
class ModelFit:
    """vertices V×3 of the model in head space; identity I; weights E; mesh → head: head = scale · rotation · mesh + translation;
    spread: cm, robust distance of the face to the surface."""

    vertices: np.ndarray
    identity: np.ndarray
    weights: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    scale: float
    spread: float

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """…×3 in the mesh's own space → head space, cm."""
        return self.scale * points @ self.rotation.T + self.translation

    def from_head(self, points: np.ndarray) -> np.ndarray:
        """…×3 in head space → the mesh's own space."""
        return (points - self.translation) @ self.rotation / self.scale

    @property
    def matrix(self) -> np.ndarray:
        """4×4 mesh → head."""
        out = np.eye(4)
        out[:3, :3], out[:3, 3] = self.scale * self.rotation, self.translation
        return out


def small_rotation(vector: np.ndarray) -> np.ndarray:
    """3×3 rotation by a rotation vector."""
    import cv2

    return cv2.Rodrigues(np.asarray(vector, np.float64))[0]


def fit_model(
    model: FaceModel,
    landmarks: ModelLandmarks,
    vertices: np.ndarray,
    triangles: np.ndarray,
    start: tuple[np.ndarray, np.ndarray, float],
    points: np.ndarray | None,
    confidence: np.ndarray | None,
    markers: dict[int, np.ndarray] | None = None,
    scale_fixed: float | None = None,
    expression: bool | np.ndarray = True,
    known: dict[str, float] | None = None,
    options: ModelFitOptions = ModelFitOptions(),
    begin: ModelFit | None = None,
    rim: tuple[np.ndarray, np.ndarray] | None = None,
    report: Callable[[float], None] = lambda fraction: None,
) -> ModelFit:
    """Lay the model onto a mesh.

    vertices N×3 and triangles of the mesh (its own units); start: its rotation, translation, scale into head space; points 478×3 in the mesh's
    space with confidence 478, or None; markers {index of the 68 landmarks: 3 in the mesh's space}; scale_fixed: cm a unit, where known;
    expression False: weights stay 0, E bool: those that may not; known: weights that are
    known from elsewhere, {name: weight}; begin: an earlier fit to go on from (then the surface is used from the first round);
    rim: (K vertices of the model, K×3 of the mesh's space where they belong).
    """
    model = model.tracked
    rotation, translation, scale = (
        start if begin is None else (begin.rotation, begin.translation, begin.scale)
    )
    if scale_fixed is not None:
        rotation, translation, scale = _rescaled(
            rotation, translation, scale, scale_fixed, vertices
        )
    i_count = len(model.identities)
    used = np.flatnonzero(np.broadcast_to(expression, len(model.names)))
    e_count = len(used)
    alpha = np.zeros(i_count) if begin is None else begin.identity.copy()
    w = np.zeros(len(model.names))
    if begin is not None:
        w[used] = begin.weights[used]
    face = model.regions['narrow_face']
    # until the end the model is only had there
    looked_at = np.unique(
        np.concatenate(
            [face, landmarks.triangles.ravel(), model.landmarks68, [] if rim is None else rim[0]]
        ).astype(int)
    )
    of = np.full(model.vertex_count, -1)
    of[looked_at] = np.arange(len(looked_at))
    landmarks, marks68 = (
        replace(landmarks, triangles=of[landmarks.triangles]),
        of[model.landmarks68],
    )
    everywhere = np.concatenate([model.identities, model.expressions[used]])
    # K×N×3
    neutral, modes = (
        model.neutral[looked_at].astype(np.float64),
        np.take(everywhere, looked_at, axis=1).astype(np.float64),
    )
    surface = Surface(vertices, triangles)
    border = Border(triangles, len(vertices))
    chosen = of[face][np.linspace(0, len(face) - 1, min(options.samples, len(face))).astype(int)]
    face_triangles = triangulate(model.faces)
    face_triangles = of[face_triangles[np.isin(face_triangles, face).all(1)]]

    def rows(basis: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Jacobian N×3×(K + 7) of points at N×3 (basis N×K×3) after identity and expression, then rotation, translation, scale."""
        out = np.zeros((len(at), 3, len(modes) + 7))
        out[:, :, : len(modes)] = np.swapaxes(basis, 1, 2)
        x, y, z = at.T
        k = len(modes)
        (
            out[:, 1, k],
            out[:, 2, k],
            out[:, 0, k + 1],
            out[:, 2, k + 1],
            out[:, 0, k + 2],
            out[:, 1, k + 2],
        ) = -z, y, z, -x, -y, x
        out[:, [0, 1, 2], [k + 3, k + 4, k + 5]] = 1
        out[:, :, k + 6] = at
        return out

    response = np.concatenate(
        [np.zeros((i_count, *landmarks.response.shape[1:])), landmarks.response[used]]
    )
    mark_basis = np.swapaxes(landmarks.on(modes) + response, 0, 1)  # 478×K×3
    sample_basis = np.swapaxes(modes[:, chosen], 0, 1)
    pinned = sorted(markers or {})
    pin_basis = np.swapaxes(modes[:, marks68[pinned]], 0, 1) if pinned else None
    rim_basis = np.swapaxes(modes[:, of[rim[0]]], 0, 1) if rim is not None else None
    together = (
        options.statistics * _statistics(model.names, options.statistics_floor)[np.ix_(used, used)]
        if options.statistics
        else 0.0
    )
    reach = options.reach if begin is None else [r for r in options.reach if r]
    sets = landmark_sets()
    importance = np.ones(len(landmarks.weights))
    importance[np.concatenate([sets['left_eye'], sets['right_eye'], sets['lips']])] = (
        options.contours
    )
    importance[np.concatenate([sets['left_brow'], sets['right_brow']])] *= options.brows
    importance[468:] = 0  # irises look about
    spread = np.inf
    for step, limit in enumerate(reach):
        shape = neutral + np.tensordot(np.concatenate([alpha, w[used]]), modes, 1)
        jacobian, residual, weight = [], [], []
        if points is not None:
            here = seen_landmarks(landmarks, shape, w)
            target = scale * points @ rotation.T + translation
            off = target - here
            sure = landmarks.confidence * confidence / (1 + (off**2).sum(1) / 0.4**2)
            sure = sure * importance
            sure = (
                sure * options.landmarks_worth / max(sure.sum(), 1e-9) / options.landmark_sigma**2
            )
            jacobian.append(rows(mark_basis, here).reshape(-1, len(modes) + 7))
            residual.append(off.ravel())
            weight.append(np.repeat(sure, 3))
        if pinned:
            here = shape[marks68[pinned]]
            target = scale * np.stack([markers[p] for p in pinned]) @ rotation.T + translation
            jacobian.append(rows(pin_basis, here).reshape(-1, len(modes) + 7))
            residual.append((target - here).ravel())
            weight.append(np.full(3 * len(pinned), 1 / options.marker_sigma**2))
        if rim is not None:
            here = shape[of[rim[0]]]
            jacobian.append(rows(rim_basis, here).reshape(-1, len(modes) + 7))
            residual.append((scale * rim[1] @ rotation.T + translation - here).ravel())
            weight.append(
                np.full(3 * len(here), options.rim_worth / len(here) / options.rim_sigma**2)
            )
        if limit:
            here = shape[chosen]
            normals = vertex_normals(shape, face_triangles)[chosen]
            back = (here - translation) @ rotation / scale
            triangle, barycentric, _, distance = surface.closest(
                back, limit / scale, normals @ rotation, 0.5
            )
            hit = (triangle >= 0) & ~border.holds(triangle, barycentric)
            foot = np.zeros_like(here)
            foot[hit] = (
                scale
                * (vertices[triangles[triangle[hit]]] * barycentric[hit, :, None]).sum(1)
                @ rotation.T
                + translation
            )
            normal = surface.normals[np.maximum(triangle, 0)] @ rotation.T
            off = ((foot - here) * normal).sum(1)
            spread = float(np.median(np.abs(off[hit]))) * 1.48 if hit.any() else np.inf
            robust = hit / (1 + (off / max(2 * spread, 0.03)) ** 2)
            jacobian.append((normal[:, None] @ rows(sample_basis, here))[:, 0])
            residual.append(np.where(hit, off, 0))
            weight.append(
                robust * options.surface_worth / max(hit.sum(), 1) / options.surface_sigma**2
            )
        j, r, q = np.concatenate(jacobian), np.concatenate(residual), np.concatenate(weight)
        now = np.concatenate([alpha, w[used]])
        prior = np.concatenate(
            [
                np.full(i_count, 1 / options.identity_spread**2),
                np.full(e_count, 1 / options.expression_spread**2),
            ]
        )
        mean, sparse = np.zeros(e_count), np.full(e_count, options.expression_sparse)
        for name, value in (known or {}).items():
            column = np.flatnonzero(used == model.names.index(name))
            prior[i_count + column], mean[column], sparse[column] = 1e6, value, 0
        a = j.T @ (j * q[:, None])
        b = j.T @ (q * r)
        k = len(modes)
        b[:k] += a[:k, :k] @ now
        b[k:] += a[k:, :k] @ now
        a[:k, :k] += np.diag(prior)
        a[i_count:k, i_count:k] += together
        b[i_count:k] += prior[i_count:] * mean - sparse
        a[k:, k:] += np.diag([1e-3] * 3 + [1e-3] * 3 + [1e9 if scale_fixed is not None else 1e-3])
        solution = _bounded(a, b, i_count, k)
        alpha, motion = np.clip(solution[:i_count], -4, 4), solution[k:]
        w[used] = solution[i_count:k]
        # the motion is the model's: the mesh takes its inverse
        turn, grow = small_rotation(motion[:3]), 1 + np.clip(motion[6], -0.3, 0.3)
        rotation, translation, scale = (
            turn.T @ rotation,
            turn.T @ (translation - motion[3:6]) / grow,
            scale / grow,
        )
        report((step + 1) / len(reach))
    shape = model.neutral + np.tensordot(
        np.concatenate([alpha, w[used]]), everywhere.astype(np.float64), 1
    )
    return ModelFit(shape, alpha, w, rotation, translation, float(scale), spread)


def seen_landmarks(
    landmarks: ModelLandmarks, vertices: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """478×3 where the detector sees the landmarks of a head V×3 with these weights (lids: see face_model.landmarks.find_response)."""
    return landmarks.on(vertices) + np.tensordot(weights, landmarks.response, 1)


def _bounded(a: np.ndarray, b: np.ndarray, first: int, last: int) -> np.ndarray:
    """argmin ½xᵀAx − bᵀx with x[first:last] ≥ 0: non-negative least squares in those after the others are eliminated. What comes out above 1 is
    set to 1, and the others follow."""
    from scipy.linalg import cho_factor, cho_solve, solve_triangular
    from scipy.optimize import nnls

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
    """E×E: the inverse of the covariance of the recording's weights, `floor` added to each standard deviation."""
    data = read_npz(STATISTICS, 'table of expression statistics')
    order = [data['names'].tolist().index(n) for n in names]
    return np.linalg.inv(
        data['covariance'][np.ix_(order, order)].astype(np.float64) + floor**2 * np.eye(len(order))
    )


def _rescaled(rotation, translation, scale, wanted, vertices):
    """The same placing with another scale about the mesh's middle."""
    middle = vertices.mean(0)
    return rotation, translation + (scale - wanted) * rotation @ middle, wanted
