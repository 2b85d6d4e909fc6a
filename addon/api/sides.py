"""Which side of a mesh is the person's left, and how its halves mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.shape_keys import editing as shape_tools
from .. import models
from ..scene import head_space, mesh_sets, shape_keys

# of the width: an uneven mesh whose middle is further from x = 0 was not made around it
OFF_CENTRE = 0.2


@dataclass(frozen=True)
class Halves:
    """A mesh's symmetry, and the 3×3 that takes its own axes to those the symmetry is in."""

    symmetry: shape_tools.Symmetry
    axes: np.ndarray

    def of(self, tool: Callable, shape: np.ndarray, **arguments) -> np.ndarray:
        """Return a tool's result on an N×3 shape given, and returned, in the mesh's own axes."""
        return tool(shape @ self.axes.T, self.symmetry, **arguments) @ np.linalg.inv(self.axes).T

    def of_pair(
        self, tool: Callable, left: np.ndarray, right: np.ndarray, **arguments
    ) -> tuple[np.ndarray, np.ndarray]:
        """Apply a tool that takes and returns two shapes, as `of` does."""
        out = tool(left @ self.axes.T, right @ self.axes.T, self.symmetry, **arguments)
        back = np.linalg.inv(self.axes).T
        return out[0] @ back, out[1] @ back


def halves(scene: bpy.types.Scene, thing: bpy.types.Object, tolerance: float = 1e-3) -> Halves:
    """Return how a mesh mirrors: by its topology where it is a face model's, else by where its
    vertices are.
    """
    for source in dict.fromkeys((models.BUILTIN, models.source_of(scene.facewright))):
        try:
            model = models.cached(source)
        except FacewrightError:
            continue
        if model is not None and head_space.has_topology(thing, model):
            return Halves(
                shape_tools.find_symmetry(model.neutral, model.faces),
                head_space.local_to_head(thing, model)[:3, :3],
            )
    points = mesh_sets.base_points(thing)
    found = shape_tools.find_symmetry(points, mesh_sets.faces_of(thing.data), tolerance)
    left = shape_tools.left_side(points, _sided_shapes(thing), found.axis)
    return Halves(replace(found, side=found.side * left), np.eye(3))


def left_of_middle(
    scene: bpy.types.Scene, thing: bpy.types.Object, tolerance: float = 1e-3
) -> np.ndarray:
    """Return N: each vertex's distance from the middle, positive on the person's left, in the
    object's units.

    By the symmetry where there is one, else by the keys that have a side in their names, else by
    its x.
    """
    try:
        found = halves(scene, thing, tolerance)
        return found.symmetry.side / np.cbrt(abs(np.linalg.det(found.axes)))
    except FacewrightError:
        points = mesh_sets.base_points(thing).astype(np.float64)
        side = shape_tools.distance_from_middle(points, _sided_shapes(thing))
        across = points[:, 0]
        middle = (across.min() + across.max()) / 2
        off_centre = abs(middle) > OFF_CENTRE * np.ptp(across)
        return across - off_centre * middle if side is None else side


def _sided_shapes(thing: bpy.types.Object) -> dict[str, np.ndarray]:
    """Return {name: N×3 offsets} of the keys that have a side in their names."""
    return {
        k.name: shape_keys.offsets_of(k)
        for k in thing.data.shape_keys.key_blocks
        if shape_tools.side_of(k.name)
    }
