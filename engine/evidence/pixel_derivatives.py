"""Where a view sees points of a head, how that changes, and the blocks that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..geometry.rotations import skew
from .parameters import POSE, FreeParameters, System
from .point_basis import DTYPE
from .state import PointBasis, State, TimedRows, blend_nodes, pose_points, projection


@dataclass(frozen=True)
class PixelDerivatives:
    """Pixels of n frames' L points, and their derivatives.

    pixels n×L×2; nodes: the two nodes round each frame, n each; by_node: by the unknowns of each
    of those, n×L×2×m (one entry where every frame lies on its node); by_shared n×L×2×G, or None
    where nothing shared is free.
    """

    pixels: torch.Tensor
    nodes: tuple[torch.Tensor, torch.Tensor]
    by_node: list[torch.Tensor]
    by_shared: torch.Tensor | None

    def frame(self, k: int) -> PixelDerivatives:
        """Take one frame's."""
        own = slice(k, k + 1)
        return PixelDerivatives(
            self.pixels[own],
            tuple(node[own] for node in self.nodes),
            [j[own] for j in self.by_node],
            None if self.by_shared is None else self.by_shared[own],
        )


def by_camera_point(camera: torch.Tensor, focal: torch.Tensor) -> torch.Tensor:
    """Differentiate the projection of …×3 points in camera space by them: …×2×3."""
    x, y, z = camera.unbind(-1)
    z = z.clamp_min(1.0)
    o = torch.zeros_like(z)
    rows = [1 / z, o, -x / z**2, o, 1 / z, -y / z**2]
    return torch.stack(rows, -1).reshape(z.shape + (2, 3)) * focal


def pixel_derivatives(
    parameters: FreeParameters,
    basis: PointBasis,
    state: State,
    timed: TimedRows,
    view: int,
    rows: slice,
    dtype: torch.dtype = DTYPE,
) -> PixelDerivatives:
    """Project a basis' points into some rows of a view's pictures, and differentiate.

    timed: where the rows lie between the nodes. dtype: of the derivatives by weights and identity.
    """
    shared, trajectory = state
    focal = shared.log_focal[view].exp()
    camera, world, turned, nodes = pose_points(basis, shared, trajectory, timed, view, rows)
    pixels = projection(camera, focal)
    d = by_camera_point(camera, focal)
    dw = d @ shared.rotation[view]  # by a move in the world
    between = timed.between[rows]
    n, m = len(pixels), POSE + trajectory.weights.shape[1]
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
    js, ids = None, parameters.identities
    if parameters.count:
        js = torch.zeros(n, dw.shape[1], 2, parameters.count, dtype=dtype)
        if ids:
            rotation = blend_nodes(
                between, trajectory.rotation[nodes[0]], trajectory.rotation[nodes[1]]
            )
            js[..., :ids] = torch.einsum(
                'nlai,lie->nlae', (dw @ rotation[:, None]).to(dtype), identities
            )
        if parameters.focal and parameters.focal[view]:
            js[..., ids + view] = pixels
        if parameters.cameras and view:  # the first camera is the world
            at = parameters.camera_column(view)
            js[..., at : at + 3] = -(d @ skew(world @ shared.rotation[view].T))
            js[..., at + 3 : at + 6] = d
    return PixelDerivatives(pixels, nodes, by_node, js)


def add_blocks(
    system: System,
    derivatives: PixelDerivatives,
    half: Callable[[torch.Tensor], torch.Tensor],
    residual: torch.Tensor,
) -> None:
    """Add frames' Gauss-Newton blocks, JᵀJ and Jᵀr.

    half: takes derivatives of pixels n×L×2×c to the rows J, n×R×c, whose square is the curvature.
    residual r: n×R.
    """
    count, nodes = len(system.diagonal), derivatives.nodes
    rows = [half(j).flatten(1, -2) for j in derivatives.by_node]
    residual = residual.to(rows[0].dtype)
    for k, row in enumerate(rows):
        system.diagonal.index_add_(0, nodes[k], (row.transpose(1, 2) @ row).to(DTYPE))
        system.gradient.index_add_(0, nodes[k], torch.einsum('nrm,nr->nm', row, residual).to(DTYPE))
    if len(rows) > 1 and count > 1:
        inner = nodes[0] < count - 1
        system.upper.index_add_(
            0, nodes[0][inner], (rows[0].transpose(1, 2) @ rows[1])[inner].to(DTYPE)
        )
    if derivatives.by_shared is not None:
        common = half(derivatives.by_shared).flatten(1, -2)
        for k, row in enumerate(rows):
            system.border.index_add_(0, nodes[k], (row.transpose(1, 2) @ common).to(DTYPE))
        flat = common.reshape(-1, common.shape[-1])
        system.corner += (flat.T @ flat).to(DTYPE)
        system.gradient_shared += (flat.T @ residual.reshape(-1)).to(DTYPE)
