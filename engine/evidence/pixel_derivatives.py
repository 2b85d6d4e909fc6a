"""Where a view sees points of a head, how that changes, and the blocks that follow from it.

Derivatives are never written out point by point and unknown by unknown. A push on points, in head
axes, is felt by a node's unknowns as the moments of that field of forces (`_moments`); a curvature
of pixels is one of points, 3×3 each, and with the model's bases constant, the block of the weights
is those entries times the products of the basis with itself, found once (PointBasis.products).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .parameters import POSE, System
from .point_basis import DTYPE, PAIRS
from .state import LEAST_DEPTH, PointBasis, State, TimedRows, pose_points, projection


@dataclass(frozen=True)
class PixelDerivatives:
    """Pixels of n frames' L points, and their derivatives.

    pixels n×L×2; nodes: the two nodes round each frame, n each.
    By node, one entry where every frame lies on its node, else two: by_point 2×3×n×L, by the
    points in head axes as the node poses them; points 3×n×L, cm, head axes; rotations n×3×3, the
    node's.
    by_others c×2×n×L: by those of what is shared that are no identity; others c: which of the G
    they are.
    """

    basis: PointBasis
    pixels: torch.Tensor
    nodes: tuple[torch.Tensor, torch.Tensor]
    by_point: list[torch.Tensor]
    points: list[torch.Tensor]
    rotations: list[torch.Tensor]
    by_others: torch.Tensor
    others: list[int]

    def at(self, index: torch.Tensor) -> PixelDerivatives:
        """Take some of the points (an index)."""
        return PixelDerivatives(
            self.basis.at(index),
            self.pixels[:, index],
            self.nodes,
            [a[..., index] for a in self.by_point],
            [p[..., index] for p in self.points],
            self.rotations,
            self.by_others[..., index],
            self.others,
        )


def by_camera_point(camera: torch.Tensor, focal: torch.Tensor) -> torch.Tensor:
    """Differentiate the projection of …×3 points in camera space by them: …×2×3."""
    x, y, z = camera.unbind(-1)
    z = z.clamp_min(LEAST_DEPTH)
    o = torch.zeros_like(z)
    rows = [1 / z, o, -x / z**2, o, 1 / z, -y / z**2]
    return torch.stack(rows, -1).reshape(z.shape + (2, 3)) * focal


def pixel_derivatives(
    system: System,
    basis: PointBasis,
    state: State,
    timed: TimedRows,
    view: int,
    rows: slice,
) -> PixelDerivatives:
    """Project a basis' points into some rows of a view's pictures, and differentiate.

    system: whose parameters say what of the shared unknowns is free.
    timed: where the rows lie between the nodes.
    """
    shared, trajectory = state
    focal = shared.log_focal[view].exp()
    camera, world, turned, nodes = pose_points(basis, shared, trajectory, timed, view, rows)
    pixels, between = projection(camera, focal), timed.between[rows]
    depth = camera[..., 2].clamp_min(LEAST_DEPTH)
    scale, slant = focal / depth, camera[..., :2] / depth[..., None]
    by_point, points, rotations = [], [], []
    for k in range(2 if bool((between > 0).any()) else 1):
        rotation = trajectory.rotation[nodes[k]]
        r = shared.rotation[view] @ rotation * (1 - between if k == 0 else between)[:, None, None]
        axes = r.permute(1, 2, 0)[..., None]  # 3×3×n×1
        by_point.append((axes[:2, :] - slant.permute(2, 0, 1)[:, None] * axes[2]) * scale)
        points.append((turned[k] @ rotation).permute(2, 0, 1).contiguous())
        rotations.append(rotation)
    by_others, others = _by_others(system, view, camera, world @ shared.rotation[view].T, focal)
    return PixelDerivatives(basis, pixels, nodes, by_point, points, rotations, by_others, others)


def _by_others(
    system: System, view: int, camera: torch.Tensor, turned: torch.Tensor, focal: torch.Tensor
) -> tuple[torch.Tensor, list[int]]:
    """Differentiate pixels by a view's lens and camera: c×2×n×L and which of the G they are.

    camera, turned: n×L×3, the points in camera space and before the camera's shift
    """
    free, columns, which = system.parameters, [], []
    if free.focal and free.focal[view]:
        columns.append(projection(camera, focal)[..., None])
        which.append(free.identities + view)
    if free.cameras and view:  # the first camera is the world
        d = by_camera_point(camera, focal)
        columns += [torch.cross(turned[:, :, None].expand_as(d), d, dim=3), d]
        which += range(free.camera_column(view), free.camera_column(view) + POSE)
    if not columns:
        return camera.new_zeros(0, 2, *camera.shape[:2]), which
    return torch.cat(columns, 3).permute(3, 2, 0, 1), which


class Blocks:
    """Gauss-Newton blocks of a cost of pixels, summed into a system by groups of frames.

    dtype: of the products with the basis.
    """

    def __init__(self, system: System, basis: PointBasis, dtype: torch.dtype = DTYPE) -> None:
        self.system, self.basis, self.dtype = system, basis, dtype
        # of the points: by the identity, of all frames together; of each frame alone, and its node
        self.by_identity = torch.zeros(3, 3, len(basis.mean), dtype=DTYPE)
        self.by_frame: list[torch.Tensor] = []
        self.node: list[torch.Tensor] = []

    def add(self, seen: PixelDerivatives, curvature: torch.Tensor, slope: torch.Tensor) -> None:
        """Add some frames.

        curvature n×L×2×2 (symmetric), slope n×L×2: the cost's second and first derivatives by
        pixels
        """
        system, bent, slope = self.system, curvature.permute(2, 3, 0, 1), slope.permute(2, 0, 1)
        pulls = [_pull(a, bent) for a in seen.by_point]
        for k, (a, node) in enumerate(zip(seen.by_point, seen.nodes)):
            force = a[0] * slope[0] + a[1] * slope[1]
            system.gradient.index_add_(0, node, moments(seen, k, force))
            self._add_diagonal(seen, k, _stiffness(a, pulls[k]))
        if len(pulls) > 1 and len(system.upper):
            inner = seen.nodes[0] < len(system.upper)
            block = self._beside(seen, _stiffness(seen.by_point[0], pulls[1]))
            system.upper.index_add_(0, seen.nodes[0][inner], block[inner])
        if system.parameters.count:
            self._add_shared(seen, bent, sum(pulls), slope)

    def add_joint(self, seen: PixelDerivatives, rows: torch.Tensor, residual: torch.Tensor) -> None:
        """Add ½ |residual + Σ rows·d|² of some frames' L points, d the change of their pixels.

        rows n×R×L×2, residual n×R
        """
        system, (x, y) = self.system, rows.permute(3, 1, 0, 2)[:, :, None]  # R×1×n×L each
        forces = [a[0] * x + a[1] * y for a in seen.by_point]  # R×3×n×L
        by_node = [moments(seen, k, f).transpose(0, 1) for k, f in enumerate(forces)]  # n×R×m
        for j, node in zip(by_node, seen.nodes):
            system.diagonal.index_add_(0, node, j.mT @ j)
            system.gradient.index_add_(0, node, (j.mT @ residual[..., None])[..., 0])
        if len(by_node) > 1:
            inner = seen.nodes[0] < seen.nodes[1]
            block = by_node[0].mT @ by_node[1]
            system.upper.index_add_(0, seen.nodes[0][inner], block[inner])
        if system.parameters.count:
            shared = self._joint_by_shared(seen, sum(forces), rows)
            for j, node in zip(by_node, seen.nodes):
                system.border.index_add_(0, node, j.mT @ shared)
            flat = shared.flatten(0, 1)
            system.corner += flat.T @ flat
            system.gradient_shared += flat.T @ residual.flatten()

    def _joint_by_shared(
        self, seen: PixelDerivatives, force: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Differentiate joint residuals by what all frames share: n×R×G.

        force R×3×n×L in head axes, rows n×R×L×2
        """
        parameters = self.system.parameters
        out, ids = rows.new_zeros(*rows.shape[:2], parameters.count), parameters.identities
        if ids:
            flat = force.permute(2, 0, 3, 1).flatten(2)
            out[..., :ids] = flat @ seen.basis.identities.reshape(-1, ids)
        if seen.others:
            along = rows.permute(0, 1, 3, 2).flatten(2)  # n×R×2L
            out[..., seen.others] = along @ seen.by_others.permute(2, 1, 3, 0).flatten(1, 2)
        return out

    def finish(self) -> None:
        """Add what all frames are brought together for: blocks of weights, of what is shared."""
        self._add_weights()
        ids, identities = self.system.parameters.identities, self.basis.identities
        if ids:
            stiff = self.by_identity.permute(2, 0, 1) @ identities
            flat = identities.reshape(-1, ids)
            self.system.corner[:ids, :ids] += flat.T @ stiff.reshape(-1, ids)

    def _add_diagonal(self, seen: PixelDerivatives, k: int, stiffness: torch.Tensor) -> None:
        """Add to a node's own block what concerns its pose; stiffness 3×3×n×L."""
        pose, node = self._of_pose(seen, k, k, stiffness), seen.nodes[k]
        block = pose.new_zeros(len(pose), pose.shape[2], pose.shape[2])
        block[:, :POSE], block[:, POSE:, :POSE] = pose, pose[..., POSE:].mT
        self.system.diagonal.index_add_(0, node, block)
        six = torch.stack([stiffness[i, j] for i, j in PAIRS], 1)
        self.by_frame.append(six.flatten(1).to(self.dtype))
        self.node.append(node)

    def _add_weights(self) -> None:
        """Add the weights' own blocks."""
        if not self.node:
            return
        diagonal = self.system.diagonal
        packed = torch.cat(self.by_frame) @ self.basis.products(self.dtype)
        summed = torch.zeros(len(diagonal), packed.shape[1], dtype=DTYPE)
        summed.index_add_(0, torch.cat(self.node), packed.to(DTYPE))
        count = diagonal.shape[1] - POSE
        row, column = torch.triu_indices(count, count)
        block = torch.zeros(len(diagonal), count, count, dtype=DTYPE)
        block[:, row, column] = summed
        block[:, column, row] = summed
        diagonal[:, POSE:, POSE:] += block

    def _beside(self, seen: PixelDerivatives, stiffness: torch.Tensor) -> torch.Tensor:
        """Make the block n×m×m of the first node by the second, of a stiffness 3×3×n×L."""
        of_pose = self._of_pose(seen, 0, 1, stiffness.transpose(0, 1))
        n, m = len(of_pose), of_pose.shape[2]
        out = of_pose.new_empty(n, m, m)
        out[..., :POSE] = self._of_pose(seen, 1, 0, stiffness).mT
        out[:, :POSE] = of_pose
        out[:, POSE:, POSE:] = self._by_weights(stiffness, seen.basis.expressions)
        return out

    def _of_pose(
        self, seen: PixelDerivatives, j: int, k: int, stiffness: torch.Tensor
    ) -> torch.Tensor:
        """Make n×6×m: what node k feels of node j's pose. stiffness: 3 (k) ×3 (j) ×n×L."""
        felt = moments(seen, k, _pushes(seen.points[j], stiffness), self.dtype)
        return _turned(felt, seen.rotations[j]).movedim(0, 1)

    def _by_weights(self, stiffness: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Make n×E×c of a stiffness 3×3×n×L between the expressions and offsets L×3×c."""
        expressions, n = self.basis.expressions.to(self.dtype), stiffness.shape[2]
        points = stiffness.permute(3, 1, 2, 0).to(self.dtype)  # L×3×n×3
        felt = points.reshape(len(expressions), -1, 3) @ expressions
        flat = offsets.to(self.dtype).reshape(-1, offsets.shape[2])
        out = flat.T @ felt.reshape(len(flat), -1)
        return out.reshape(flat.shape[1], n, -1).permute(1, 2, 0).to(DTYPE)

    def _add_shared(
        self,
        seen: PixelDerivatives,
        bent: torch.Tensor,
        pull: torch.Tensor,
        slope: torch.Tensor,
    ) -> None:
        """Add what concerns the unknowns that all frames share.

        bent 2×2×n×L and slope 2×n×L of the cost; pull 2×3×n×L: bent by a change of shape
        """
        system, ids, others = self.system, self.system.parameters.identities, seen.others
        by_others, by_shape = seen.by_others, sum(seen.by_point)  # c×2×n×L, 2×3×n×L
        pulled = (bent * by_others[:, None]).sum(2)
        for k, (a, node) in enumerate(zip(seen.by_point, seen.nodes)):
            if others:
                felt = moments(seen, k, (a * pulled[:, :, None]).sum(1), self.dtype)
                border = torch.zeros_like(system.border[..., others])
                system.border[..., others] += border.index_add_(0, node, felt.permute(1, 2, 0))
            if ids:
                block = self._by_identity(seen, k, _stiffness(a, pull))
                system.border[..., :ids].index_add_(0, node, block)
        system.gradient_shared[others] += (by_others * slope).sum((1, 2, 3))
        grid = torch.meshgrid(*[torch.tensor(others, dtype=torch.long)] * 2, indexing='ij')
        system.corner[grid] += torch.einsum('canl,danl->cd', by_others, pulled)
        if ids:
            self.by_identity += _stiffness(by_shape, pull).sum(2)
            forces = torch.cat([slope[None], pulled])  # by the cost, then by lens and camera
            forces = (by_shape * forces[:, :, None]).sum((1, 3)).mT  # (1 + c)×L×3
            felt = forces.reshape(len(forces), -1) @ self.basis.identities.reshape(-1, ids)
            system.gradient_shared[:ids] += felt[0]
            system.corner[others, :ids] += felt[1:]
            system.corner[:ids, others] += felt[1:].T

    def _by_identity(self, seen: PixelDerivatives, k: int, stiffness: torch.Tensor) -> torch.Tensor:
        """Make n×m×I between a node's unknowns and the identity. stiffness: 3 (node) ×3×n×L."""
        identities = self.basis.identities
        pushes = _pushes(seen.points[k], stiffness.transpose(0, 1))
        flat = pushes.permute(0, 2, 3, 1).flatten(2).to(self.dtype)
        felt = flat @ identities.to(self.dtype).reshape(-1, identities.shape[2])
        pose = _turned(felt.to(DTYPE), seen.rotations[k]).movedim(0, 1)
        return torch.cat([pose, self._by_weights(stiffness, identities)], 1)


def moments(
    seen: PixelDerivatives, k: int, force: torch.Tensor, dtype: torch.dtype = DTYPE
) -> torch.Tensor:
    """Find what a node's unknowns feel of forces …×3×n×L on the points, in head axes: …×n×m."""
    turn = torch.stack([one.sum(-1) for one in _cross(seen.points[k], force.unbind(-3))])
    pose = torch.cat([turn, force.sum(-1).movedim(-2, 0)])  # 6×…×n
    pose = _turned(pose[..., None], seen.rotations[k])[..., 0].movedim(0, -1)
    flat = force.movedim(-3, -2).flatten(-2).to(dtype)
    return torch.cat([pose, (flat @ seen.basis.by_axis(dtype)).to(DTYPE)], -1)


def to_moments(seen: PixelDerivatives, k: int, force: torch.Tensor) -> torch.Tensor:
    """Find what a node's unknowns feel of forces 3×n×L×Q, each on its point alone: n×m×L×Q.

    In head axes; in single precision.
    """
    turn = torch.stack(_cross(seen.points[k][..., None], force.unbind(0)))
    pose = _turned(torch.cat([turn, force]).flatten(2), seen.rotations[k])
    pose = pose.unflatten(2, force.shape[2:]).transpose(0, 1)
    single = torch.float32
    felt = torch.einsum('inlq,lie->nelq', force.to(single), seen.basis.expressions.to(single))
    return torch.cat([pose.to(single), felt], 1)


def _pushes(points: torch.Tensor, stiffness: torch.Tensor) -> torch.Tensor:
    """Find the forces that a head's turn and shift make: 6×3×n×L, all in head axes.

    points 3×n×L, stiffness 3×3×n×L
    """
    turns = torch.stack(_cross(points, stiffness.unbind(1)))
    return torch.cat([turns, stiffness.movedim(1, 0)])


def _turned(values: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Take 6×…×n×c by a pose in head axes to those by one in the world's. rotation: n×3×3."""
    halves = values.unflatten(0, (2, 3))
    return torch.einsum('nij,pj...nc->pi...nc', rotation, halves).flatten(0, 1)


def _cross(a: torch.Tensor, b: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Take the cross product of 3×n×L and three of …×n×L: the same three."""
    return [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]


def _pull(by_point: torch.Tensor, bent: torch.Tensor) -> torch.Tensor:
    """Multiply a curvature 2×2×n×L of pixels by their derivatives: 2×3×n×L."""
    return bent[:, :1] * by_point[0] + bent[:, 1:] * by_point[1]


def _stiffness(by_point: torch.Tensor, pull: torch.Tensor) -> torch.Tensor:
    """Make a curvature of points, 3×3×n×L, of 2×3×n×L derivatives of pixels and their pull."""
    return by_point[0][:, None] * pull[0] + by_point[1][:, None] * pull[1]
