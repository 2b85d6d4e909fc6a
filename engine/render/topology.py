"""What belongs to a list of triangles alone, made once and kept as long as their tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import warp as wp
from torch.utils.weak import WeakTensorKeyDictionary

from .launch import OPTIONS, check, launch

wp.set_module_options(OPTIONS)

_kept = WeakTensorKeyDictionary()


@dataclass(frozen=True, eq=False)
class Topology:
    """Who is whose neighbour. Corner 3t + k is corner k of triangle t.

    triangles: T×3 int32, contiguous
    vertices: how many the indices need at least
    """

    triangles: torch.Tensor
    vertices: int

    @cached_property
    def corners(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The corners at each vertex, int32.

        Where each vertex's begin (vertices + 1), the corners in ascending order (3T).
        """
        flat = self.triangles.reshape(-1).long()
        count = torch.bincount(flat, minlength=self.vertices)
        start = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return start.int(), torch.argsort(flat, stable=True).int()

    @cached_property
    def across(self) -> torch.Tensor:
        """T×3 int32: the corner across the edge opposite each corner; −1: a border.

        Where more than two triangles share an edge each gets one of the others.
        """
        ends = (
            torch.stack([self.triangles[:, [1, 2, 0]], self.triangles[:, [2, 0, 1]]], -1)
            .reshape(-1, 2)
            .long()
        )
        edge, order = torch.sort(ends.amin(1) * self.vertices + ends.amax(1), stable=True)
        same = edge[1:] == edge[:-1]
        found = torch.full_like(order, -1)
        found[1:][same] = order[:-1][same]
        found[:-1][same] = order[1:][same]
        out = torch.empty_like(order)
        out[order] = found
        return out.int().reshape(-1, 3)


def topology(triangles: torch.Tensor) -> Topology:
    """Return the topology of T×3 integer vertex indices, made once a tensor.

    Raises FacewrightError where they are no triangles.
    """
    kept = _kept.get(triangles)
    if kept is None or kept[0] != triangles._version:
        check(
            triangles.ndim == 2
            and triangles.shape[1] == 3
            and not triangles.is_floating_point()
            and 0 < len(triangles) < 2**24,
            'Triangles must be T×3 vertex indices, at most 16 million, and these are '
            f'{tuple(triangles.shape)} of {triangles.dtype}.',
        )
        low, high = (int(v) for v in torch.aminmax(triangles))
        check(low >= 0, f'A triangle refers to vertex {low}.')
        # a copy: the entry must not keep its own key alive
        kept = _kept[triangles] = (
            triangles._version,
            Topology(triangles.detach().to(torch.int32, copy=True).contiguous(), high + 1),
        )
    return kept[1]


@wp.kernel
def _gather(
    part: wp.vec3i,
    start: wp.array(dtype=wp.int32),
    corners: wp.array(dtype=wp.int32),
    values: wp.array3d(dtype=wp.float64),
    common: int,
    out: wp.array3d(dtype=float),
):
    o, i = wp.tid()
    v = part[1] + i
    if v + 1 >= start.shape[0]:
        return
    first = o
    last = o + 1
    if common == 1:
        first = 0
        last = values.shape[0]
    for c in range(values.shape[2]):
        total = wp.float64(0.0)
        for b in range(first, last):
            for k in range(start[v], start[v + 1]):
                total += values[b, corners[k], c]
        out[o, v, c] = float(total)


def gather(
    values: torch.Tensor, triangles: Topology, vertices: int, common: bool = False
) -> torch.Tensor:
    """Sum values of corners at their vertices, always in the same order: B×V×C float32.

    values: B×3T×C float64
    common: sum over the batch too (1×V×C)
    """
    out = torch.zeros(
        1 if common else len(values),
        vertices,
        values.shape[2],
        dtype=torch.float32,
        device=values.device,
    )
    launch(_gather, out.shape[:2], *triangles.corners, values, int(common), out)
    return out
