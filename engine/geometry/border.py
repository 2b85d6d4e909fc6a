"""Where an open triangle mesh ends."""

from __future__ import annotations

import numpy as np

ON_EDGE = 1e-6  # barycentric weight below which a point lies on the edge opposite


class Border:
    """The border of a mesh, triangles T×3 over `count` vertices.

    edges: T×3 bool: whether the edge opposite each corner belongs to no other triangle
    vertices: bool, the ends of such edges
    """

    def __init__(self, triangles: np.ndarray, count: int):
        self.triangles = triangles
        opposite = triangles[:, [[1, 2], [2, 0], [0, 1]]]  # T×3×2
        code = np.sort(opposite, axis=2).astype(np.int64) @ (count, 1)
        _, inverse, times = np.unique(code.ravel(), return_inverse=True, return_counts=True)
        self.edges = (times[inverse.ravel()] == 1).reshape(-1, 3)
        self.vertices = np.zeros(count, bool)
        self.vertices[opposite[self.edges]] = True

    def holds(self, triangle: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
        """Tell which points (as `Surface.closest` gives them) lie on a border edge or vertex.

        triangle: N; −1: none, which is on no border
        barycentric: N×3
        """
        on_edge = barycentric < ON_EDGE
        out = (on_edge & self.edges[triangle]).any(1)
        out |= (~on_edge & self.vertices[self.triangles[triangle]]).any(1) & (on_edge.sum(1) == 2)
        return out & (triangle >= 0)
