"""The maximum-a-posteriori fit of a trajectory and what all frames share: residuals, priors, Levenberg-Marquardt.

Unknowns of a node (a moment of the first view): rotation vector, translation, expression weights. A picture between two nodes
sees the straight line between them (design: the motion is a function of time; no common clock is needed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..core.files import read_npz
from ..evidence.expression_statistics import STATISTICS
from ..evidence.options import TrackOptions
from ..evidence.state import (
    DTYPE,
    Evidence,
    PointBasis,
    SharedParameters,
    Trajectory,
    ViewLandmarks,
    blend_nodes,
    pose_points,
    project_landmarks,
    projection,
)
from ..geometry.rotations import skew, so3_exp, so3_log
from .arrow import solve_arrow

CHUNK = 24  # frames linearised at once: bounds memory
EVIDENCE_CHUNK = 4


@dataclass(frozen=True)
class Priors:
    """Quadratic priors on a node's weights: precision E×E, linear E (the prior's mean and the L1 prior: weights are not negative); velocity
    precision per second of the node's unknowns (6 + E: rotation, translation, weights), and that of their acceleration's integral."""

    precision: torch.Tensor
    linear: torch.Tensor
    velocity: torch.Tensor
    acceleration: torch.Tensor
    jaw_open: int
    mouth_close: int


def make_priors(names: tuple[str, ...], options: TrackOptions) -> Priors:
    """Gaussian prior of how expressions occur together (measure_statistics.py), softened; plus the L1 prior; lids and gaze may move fast.

    The mean is only partly believed: a performer's rest should come out as weights near zero.
    """
    data = read_npz(STATISTICS, 'table of expression statistics')
    index = {str(n): i for i, n in enumerate(data['names'])}
    order = [index[n] for n in names]
    covariance = data['covariance'].astype(np.float64)[np.ix_(order, order)]
    widen = np.array([options.lid_range if n.startswith('eyeBlink') else 1.0 for n in names])
    covariance *= widen[:, None] * widen
    covariance = (
        (1 - options.decorrelate) * covariance
        + options.decorrelate * np.diag(np.diag(covariance))
        + options.statistics_floor**2 * np.eye(len(names))
    )
    precision = torch.as_tensor(np.linalg.inv(covariance)) * options.statistics
    mean = torch.as_tensor(data['mean'].astype(np.float64)[order]) * options.statistics_mean
    linear = options.weight_l1 - precision @ mean
    of_each = lambda turn, move, weight, fast: (
        torch.tensor(
            [turn] * 3
            + [move] * 3
            + [
                fast if n.startswith(('eyeBlink', 'eyeLook', 'eyeWide', 'eyeSquint')) else weight
                for n in names
            ],
            dtype=DTYPE,
        )
        ** -2
    )
    velocity = of_each(
        options.rotation_velocity,
        options.translation_velocity,
        options.weight_velocity,
        options.fast_velocity,
    )
    acceleration = of_each(
        options.rotation_acceleration,
        options.translation_acceleration,
        options.weight_acceleration,
        options.fast_acceleration,
    )
    position = {n: i for i, n in enumerate(names)}
    return Priors(
        precision,
        linear,
        velocity,
        acceleration,
        position.get('jawOpen', -1),
        position.get('mouthClose', -1),
    )


@dataclass
class System:
    """Normal equations of one linearisation (see arrow.solve_arrow) and the cost there."""

    diagonal: torch.Tensor
    upper: torch.Tensor
    border: torch.Tensor
    corner: torch.Tensor
    gradient: torch.Tensor
    gradient_shared: torch.Tensor
    cost: float
    second: torch.Tensor | None = None


@dataclass(frozen=True)
class Problem:
    """Everything that stays fixed while solving. free: which shared unknowns move ('identity', 'focal', 'cameras')."""

    basis: PointBasis
    landmarks_by_view: tuple[ViewLandmarks, ...]
    priors: Priors
    options: TrackOptions
    step: torch.Tensor  # K−1 seconds between nodes
    neutral_node: int  # −1: unknown
    focal_prior: torch.Tensor  # V log focal
    unknown_focal: tuple[bool, ...]
    bias: tuple[torch.Tensor, ...]  # per view L×2, see tracker.find_view_bias
    free: frozenset[str] = frozenset()
    anchor: Trajectory | None = None  # node 0 is held near this
    anchors: int = 0  # how many first nodes are held
    surface: PointBasis | None = None  # the points evidence is about
    evidence: tuple[Evidence, ...] = ()  # per view, or none
    smooth: bool = False  # nodes lie closer than one view's pictures: changes of speed cost too

    @property
    def identity_count(self) -> int:
        return self.basis.identities.shape[2] if 'identity' in self.free else 0

    @property
    def shared_count(self) -> int:
        views = len(self.landmarks_by_view)
        return (
            self.identity_count
            + (views if 'focal' in self.free else 0)
            + (6 * views if 'cameras' in self.free else 0)
        )


@dataclass(frozen=True)
class PixelDerivatives:
    """Pixels n×L×2 of some frames' points; their derivatives by each of the nodes round a frame, n×L×2×m each, and by what is shared, n×L×2×G."""

    pixels: torch.Tensor
    nodes: tuple[torch.Tensor, torch.Tensor]
    by_node: list[torch.Tensor]
    by_shared: torch.Tensor | None


def pixel_derivatives(
    problem: Problem,
    basis: PointBasis,
    shared: SharedParameters,
    trajectory: Trajectory,
    view_landmarks: ViewLandmarks | Evidence,
    view: int,
    rows: slice,
    dtype: torch.dtype = DTYPE,
) -> PixelDerivatives:
    """Where a view sees points, and how that changes with the unknowns (rotation vector, translation, weights of a node; shared ones)."""
    ids, g, views = problem.identity_count, problem.shared_count, len(problem.landmarks_by_view)
    focal = shared.log_focal[view].exp()
    camera, world, turned, nodes = pose_points(
        basis, shared, trajectory, view_landmarks, view, rows
    )
    pixels = projection(camera, focal)
    x, y, z = camera.unbind(-1)
    z = z.clamp_min(1.0)
    o = torch.zeros_like(z)
    d = (
        torch.stack([1 / z, o, -x / z**2, o, 1 / z, -y / z**2], -1).reshape(z.shape + (2, 3))
        * focal
    )  # by camera-space motion
    dw = d @ shared.rotation[view]  # by world-space motion
    between = view_landmarks.between[rows]
    n, m = len(pixels), 6 + trajectory.weights.shape[1]
    expressions, identities = basis.expressions.to(dtype), basis.identities.to(dtype)
    by_node = []
    for k in range(2 if bool((between > 0).any()) else 1):
        dk = dw * (1 - between if k == 0 else between)[:, None, None, None]
        j = torch.empty(n, dk.shape[1], 2, m, dtype=dtype)
        j[..., :3] = -(dk @ skew(turned[k]))
        j[..., 3:6] = dk
        j[..., 6:] = torch.einsum(
            'nlai,lie->nlae', (dk @ trajectory.rotation[nodes[k]][:, None]).to(dtype), expressions
        )
        by_node.append(j)
    js = None
    if g:
        js = torch.zeros(n, dw.shape[1], 2, g, dtype=dtype)
        if ids:
            rotation = blend_nodes(
                between, trajectory.rotation[nodes[0]], trajectory.rotation[nodes[1]]
            )
            js[..., :ids] = torch.einsum(
                'nlai,lie->nlae', (dw @ rotation[:, None]).to(dtype), identities
            )
        if 'focal' in problem.free and problem.unknown_focal[view]:
            js[..., ids + view] = pixels
        if 'cameras' in problem.free and view:
            at = g - 6 * views + 6 * view
            js[..., at : at + 3] = -(d @ skew(world @ shared.rotation[view].T))
            js[..., at + 3 : at + 6] = d
    return PixelDerivatives(pixels, nodes, by_node, js)


def add_blocks(
    system: System,
    blocks: PixelDerivatives,
    half: Callable[[torch.Tensor], torch.Tensor],
    residual: torch.Tensor,
) -> None:
    """Add frames' Gauss-Newton terms: `half` takes derivatives of pixels n×L×2×c to rows n×R×c whose square is the curvature; residual n×R."""
    count = len(system.diagonal)
    rows = [half(j).flatten(1, -2) for j in blocks.by_node]
    residual = residual.to(rows[0].dtype)
    for k, row in enumerate(rows):
        system.diagonal.index_add_(0, blocks.nodes[k], (row.transpose(1, 2) @ row).to(DTYPE))
        system.gradient.index_add_(
            0, blocks.nodes[k], torch.einsum('nrm,nr->nm', row, residual).to(DTYPE)
        )
    if len(rows) > 1 and count > 1:
        inner = blocks.nodes[0] < count - 1
        system.upper.index_add_(
            0, blocks.nodes[0][inner], (rows[0].transpose(1, 2) @ rows[1])[inner].to(DTYPE)
        )
    if blocks.by_shared is not None:
        common = half(blocks.by_shared).flatten(1, -2)
        for k, row in enumerate(rows):
            system.border.index_add_(0, blocks.nodes[k], (row.transpose(1, 2) @ common).to(DTYPE))
        flat = common.reshape(-1, common.shape[-1])
        system.corner += (flat.T @ flat).to(DTYPE)
        system.gradient_shared += (flat.T @ residual.reshape(-1)).to(DTYPE)


def linearise(
    problem: Problem, shared: SharedParameters, trajectory: Trajectory, derivatives: bool = True
) -> System:
    """The cost and, where asked, its Gauss-Newton normal equations at one state."""
    basis, options = problem.basis, problem.options
    count, expressions = trajectory.weights.shape
    m, g = 6 + expressions, problem.shared_count
    system = System(
        torch.zeros(count, m, m, dtype=DTYPE),
        torch.zeros(max(count - 1, 0), m, m, dtype=DTYPE),
        torch.zeros(count, m, g, dtype=DTYPE),
        torch.zeros(g, g, dtype=DTYPE),
        torch.zeros(count, m, dtype=DTYPE),
        torch.zeros(g, dtype=DTYPE),
        0.0,
    )
    for view, view_landmarks in enumerate(problem.landmarks_by_view):
        for start in range(0, len(view_landmarks.node), CHUNK):
            rows = slice(start, start + CHUNK)
            if derivatives:
                blocks = pixel_derivatives(
                    problem, basis, shared, trajectory, view_landmarks, view, rows
                )
                pixels = blocks.pixels
            else:
                pixels = project_landmarks(basis, shared, trajectory, view_landmarks, view, rows)
            residual = torch.einsum(
                'nlij,nlj->nli',
                view_landmarks.sqrt_information[rows],
                pixels - view_landmarks.pixels[rows],
            )
            square = (residual**2).sum(2) / options.robust**2
            system.cost += 0.5 * options.data * options.robust**2 * float(torch.log1p(square).sum())
            if derivatives:
                root = torch.sqrt(options.data / (1 + square))[
                    ..., None
                ]  # IRLS for the Cauchy loss
                sqrt_information = view_landmarks.sqrt_information[rows] * root[..., None]
                add_blocks(
                    system, blocks, lambda j: sqrt_information @ j, (residual * root).flatten(1)
                )
    for view, evidence in enumerate(problem.evidence):
        add_evidence(problem, shared, trajectory, evidence, view, system, derivatives)
    add_priors(problem, shared, trajectory, system)
    return system


def add_evidence(
    problem: Problem,
    shared: SharedParameters,
    trajectory: Trajectory,
    evidence: Evidence,
    view: int,
    system: System,
    derivatives: bool,
) -> None:
    """Add what the pictures of one view say. In single precision: sums of a few thousand terms that are looked at anew each round."""
    for start in range(0, len(evidence.node), EVIDENCE_CHUNK):
        rows = slice(start, start + EVIDENCE_CHUNK)
        means = evidence.means[rows] if evidence.means else ()
        told = (evidence.curvature[rows] != 0).any(3).any(2).any(0) | (
            evidence.gradient[rows] != 0
        ).any(2).any(0)
        for index, _, _ in (term for of_frame in means for term in of_frame):
            told[index] = True
        onto = told.cumsum(0) - 1
        means = [
            [(onto[index], row, residual) for index, row, residual in of_frame]
            for of_frame in means
        ]
        at, gradient, curvature = (
            evidence.at[rows][:, told],
            evidence.gradient[rows][:, told],
            evidence.curvature[rows][:, told],
        )
        surface = problem.surface.of(told)
        blank = replace(shared, deviation=torch.zeros_like(surface.mean))
        if derivatives:
            blocks = pixel_derivatives(
                problem, surface, blank, trajectory, evidence, view, rows, torch.float32
            )
            pixels = blocks.pixels
        else:
            pixels = project_landmarks(surface, blank, trajectory, evidence, view, rows)
        off = pixels - at
        pull = torch.einsum('nlij,nlj->nli', curvature, off)
        system.cost += float((gradient * off).sum() + 0.5 * (off * pull).sum())
        left = [
            [
                residual + torch.einsum('rli,li->r', row, off[k, index])
                for index, row, residual in of_frame
            ]
            for k, of_frame in enumerate(means)
        ]
        system.cost += sum(float(0.5 * (r**2).sum()) for of_frame in left for r in of_frame)
        if not derivatives:
            continue
        root, inverse = roots(curvature)
        add_blocks(
            system,
            blocks,
            lambda j: root.to(j.dtype) @ j,
            torch.einsum('nlij,nlj->nli', inverse, gradient + pull).flatten(1),
        )
        for k, of_frame in enumerate(means):
            one = PixelDerivatives(
                None,
                tuple(i[k : k + 1] for i in blocks.nodes),
                [j[k : k + 1] for j in blocks.by_node],
                None if blocks.by_shared is None else blocks.by_shared[k : k + 1],
            )
            for (index, row, _), residual in zip(of_frame, left[k]):
                add_blocks(
                    system,
                    one,
                    lambda j: torch.einsum('rli,nlic->nrc', row.to(j.dtype), j[:, index])[:, None],
                    residual[None],
                )


def roots(curvature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """…×2×2 positive semi-definite → symmetric square roots and their pseudo-inverses (0 where the curvature is)."""
    value, vector = torch.linalg.eigh(curvature)
    root = value.clamp_min(0).sqrt()
    inverse = torch.where(
        root > 1e-6 * root.amax().clamp_min(1e-30),
        1 / root.clamp_min(1e-30),
        torch.zeros_like(root),
    )
    return (vector * root[..., None, :]) @ vector.mT, (vector * inverse[..., None, :]) @ vector.mT


def add_priors(
    problem: Problem, shared: SharedParameters, trajectory: Trajectory, system: System
) -> None:
    """Add every prior's cost, gradient and curvature."""
    priors, options = problem.priors, problem.options
    w = trajectory.weights
    pull = w @ priors.precision
    system.cost += float(0.5 * (w * pull).sum() + (w * priors.linear).sum())
    system.diagonal[:, 6:, 6:] += priors.precision
    system.gradient[:, 6:] += pull + priors.linear
    if (
        priors.jaw_open >= 0 and priors.mouth_close >= 0
    ):  # mouthClose is a corrective of jawOpen: it may not exceed it
        a, b = 6 + priors.mouth_close, 6 + priors.jaw_open
        excess = (w[:, a - 6] - w[:, b - 6]).clamp_min(0) / 0.05
        on = (excess > 0).to(DTYPE) / 0.05**2
        system.cost += float(0.5 * (excess**2).sum())
        for i, j, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            system.diagonal[:, i, j] += sign * on
        system.gradient[:, a] += excess / 0.05
        system.gradient[:, b] -= excess / 0.05
    if len(w) > 1:
        precision = priors.velocity / problem.step[:, None].clamp_min(1e-4)
        turn = so3_log(trajectory.rotation[1:] @ trajectory.rotation[:-1].transpose(1, 2))
        change = torch.cat(
            [turn, trajectory.translation[1:] - trajectory.translation[:-1], w[1:] - w[:-1]], 1
        )
        system.cost += float(0.5 * (precision * change**2).sum())
        spread = torch.diag_embed(precision)
        system.diagonal[1:] += spread
        system.diagonal[:-1] += spread
        system.upper -= spread
        system.gradient[1:] += precision * change
        system.gradient[:-1] -= precision * change
        if problem.smooth and len(w) > 2:
            add_acceleration_prior(system, change, problem.step, priors.acceleration)
    if problem.neutral_node >= 0:
        k, tight = problem.neutral_node, options.neutral_sigma**-2
        system.cost += float(0.5 * tight * (w[k] ** 2).sum())
        system.diagonal[k, 6:, 6:] += tight * torch.eye(w.shape[1], dtype=DTYPE)
        system.gradient[k, 6:] += tight * w[k]
    if problem.anchor is not None:
        k = problem.anchors
        gap = torch.cat(
            [
                so3_log(trajectory.rotation[:k] @ problem.anchor.rotation[:k].transpose(1, 2)),
                trajectory.translation[:k] - problem.anchor.translation[:k],
                w[:k] - problem.anchor.weights[:k],
            ],
            1,
        )
        tight = torch.cat(
            [
                torch.full((3,), 1e6, dtype=DTYPE),
                torch.full((3,), 1e4, dtype=DTYPE),
                torch.full((w.shape[1],), 1e5, dtype=DTYPE),
            ]
        )
        system.cost += float(0.5 * (tight * gap**2).sum())
        system.diagonal[:k] += torch.diag(tight)
        system.gradient[:k] += tight * gap
    ids, views = problem.identity_count, len(problem.landmarks_by_view)
    if ids:
        precision = options.identity_weight / options.identity**2
        system.cost += float(0.5 * precision * (shared.identity**2).sum())
        system.corner[:ids, :ids] += precision * torch.eye(ids, dtype=DTYPE)
        system.gradient_shared[:ids] += precision * shared.identity
    if 'focal' in problem.free:
        gap = (shared.log_focal - problem.focal_prior) / options.focal_sigma**2
        weight = 10.0  # against keyframes × landmarks: a guess of the lens is worth ten pictures
        system.cost += float(0.5 * weight * (gap * (shared.log_focal - problem.focal_prior)).sum())
        rows = torch.arange(ids, ids + views)
        system.corner[rows, rows] += weight / options.focal_sigma**2
        system.gradient_shared[rows] += weight * gap
    if 'cameras' in problem.free:
        rows = torch.arange(problem.shared_count - 6 * views, problem.shared_count)
        system.corner[rows, rows] += 1e-3


def add_acceleration_prior(
    system: System, change: torch.Tensor, step: torch.Tensor, acceleration: torch.Tensor
) -> None:
    """White noise of acceleration as a prior: change (K−1)×m from node to node, step K−1 s, acceleration m its precision over a second."""
    step = step[:, None].clamp_min(1e-4)
    early, late = step[:-1], step[1:]
    span = (early + late) / 2
    factor = [1 / (span * early), -(1 / early + 1 / late) / span, 1 / (span * late)]
    change_of_speed = change[1:] * factor[2] - change[:-1] * factor[0]
    precision = span * acceleration
    system.cost += float(0.5 * (precision * change_of_speed**2).sum())
    m, count = len(acceleration), len(system.diagonal)
    if system.second is None:
        system.second = torch.zeros(count - 2, m, m, dtype=DTYPE)
    part = lambda i, j: torch.diag_embed(precision * factor[i] * factor[j])
    for i in range(3):
        rows = slice(i, count - 2 + i)
        system.gradient[rows] += precision * factor[i] * change_of_speed
        system.diagonal[rows] += part(i, i)
    system.upper[:-1] += part(0, 1)
    system.upper[1:] += part(1, 2)
    system.second += part(0, 2)


def solve(
    problem: Problem,
    shared: SharedParameters,
    trajectory: Trajectory,
    iterations: int,
    tolerance: float,
) -> Iterator[tuple[SharedParameters, Trajectory]]:
    """Levenberg-Marquardt with weights kept in [0, 1] by an active set; yields the state after each accepted step."""
    damping, cost = 1e-3, None
    ids, views = problem.identity_count, len(problem.landmarks_by_view)
    for _ in range(iterations):
        system = linearise(problem, shared, trajectory)
        w = trajectory.weights
        pinned = torch.cat(
            [
                torch.zeros(len(w), 6, dtype=torch.bool),
                ((w <= 0) & (system.gradient[:, 6:] > 0))
                | ((w >= 1) & (system.gradient[:, 6:] < 0)),
            ],
            1,
        )
        live = (~pinned).to(DTYPE)
        system.diagonal = system.diagonal * live[:, :, None] * live[:, None, :] + torch.diag_embed(
            1 - live
        )
        system.upper = system.upper * live[:-1, :, None] * live[1:, None, :]
        if system.second is not None:
            system.second = system.second * live[:-2, :, None] * live[2:, None, :]
        system.border = system.border * live[:, :, None]
        gradient = system.gradient * live
        accepted = False
        for _ in range(6):
            raise_by = lambda d: torch.diag_embed(d.diagonal(dim1=-2, dim2=-1) * damping + 1e-9)
            step, shared_step = solve_arrow(
                system.diagonal + raise_by(system.diagonal),
                system.upper,
                system.border,
                system.corner + raise_by(system.corner),
                -gradient,
                -system.gradient_shared,
                system.second,
            )
            new_trajectory = Trajectory(
                so3_exp(step[:, :3]) @ trajectory.rotation,
                trajectory.translation + step[:, 3:6],
                (w + step[:, 6:]).clamp(0, 1),
            )
            new_shared = shared
            if ids:
                new_shared = replace(new_shared, identity=shared.identity + shared_step[:ids])
            if 'focal' in problem.free:
                new_shared = replace(
                    new_shared,
                    log_focal=shared.log_focal + shared_step[ids : ids + views].clamp(-0.3, 0.3),
                )
            if 'cameras' in problem.free:
                change = shared_step[-6 * views :].reshape(views, 6)
                new_shared = replace(
                    new_shared,
                    rotation=so3_exp(change[:, :3]) @ shared.rotation,
                    translation=shared.translation + change[:, 3:],
                )
            new_cost = linearise(problem, new_shared, new_trajectory, derivatives=False).cost
            if np.isfinite(new_cost) and new_cost < system.cost:
                accepted = True
                break
            damping *= 8
        if not accepted:
            return
        damping = max(damping / 4, 1e-6)
        shared, trajectory = new_shared, new_trajectory
        yield shared, trajectory
        if system.cost - new_cost < tolerance * abs(system.cost):
            return
