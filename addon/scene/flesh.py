"""Tetrahedra as an object to look at."""

from __future__ import annotations

import bpy
import numpy as np

from . import heads

SIDES = np.array(
    [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
)  # a positive tetrahedron's faces, seen from outside
SHRUNK = 0.75


def faces_to_show(
    points: np.ndarray, tetrahedra: np.ndarray, show: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (vertices, triangles) of M tetrahedra: 'SURFACE' their outside, 'CUT' the outside of
    the head's right half, 'SHRUNK' each of that half by itself.
    """
    volume = np.einsum(
        'ij,ij->i',
        np.cross(
            points[tetrahedra[:, 1]] - points[tetrahedra[:, 0]],
            points[tetrahedra[:, 2]] - points[tetrahedra[:, 0]],
        ),
        points[tetrahedra[:, 3]] - points[tetrahedra[:, 0]],
    )
    tetrahedra = np.where((volume < 0)[:, None], tetrahedra[:, [1, 0, 2, 3]], tetrahedra)
    if show != 'SURFACE':
        tetrahedra = tetrahedra[points[tetrahedra].mean(1)[:, 0] < 0]
    if show == 'SHRUNK':
        corners = points[tetrahedra]
        corners = corners.mean(1, keepdims=True) + SHRUNK * (
            corners - corners.mean(1, keepdims=True)
        )
        return corners.reshape(-1, 3), (
            4 * np.arange(len(tetrahedra))[:, None, None] + SIDES
        ).reshape(-1, 3)
    sides = tetrahedra[:, SIDES].reshape(-1, 3)
    _, first, times = np.unique(np.sort(sides, 1), axis=0, return_index=True, return_counts=True)
    outside = sides[np.sort(first[times == 1])]
    used, outside = np.unique(outside, return_inverse=True)
    return points[used], outside.reshape(-1, 3)


def create_flesh(
    name: str,
    points: np.ndarray,
    tetrahedra: np.ndarray,
    show: str,
    collection: bpy.types.Collection,
) -> bpy.types.Object:
    """Tetrahedra (points P×3 cm in head space) as a new flat-shaded object."""
    vertices, triangles = faces_to_show(points, tetrahedra, show)
    mesh = heads.create_mesh(name, vertices, np.c_[triangles, np.full(len(triangles), -1)])
    mesh.polygons.foreach_set('use_smooth', np.zeros(len(mesh.polygons), bool))
    material = bpy.data.materials.get('Facewright Flesh') or heads.surface_material('gum')
    material.name = 'Facewright Flesh'
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    collection.objects.link(thing)
    return thing
