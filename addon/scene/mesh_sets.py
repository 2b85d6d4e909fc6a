"""One or several mesh objects as one mesh, and shapes of that mesh back in each object's own axes.

The base meshes are taken (the Basis where there are shape keys, no modifiers), where the objects
stand in the world. What Mask modifiers hide is taken too, and marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.geometry.polygons import polygons_to_faces
from ...engine.geometry.user_mesh import UserMesh
from .masks import hidden_by_masks

# colour attributes that are not how a face looks
MADE_HERE = ('Fit', 'Difference', 'Crossing Colours')


@dataclass(frozen=True)
class Part:
    """One object of a set as it was when taken: name, how many vertices, matrix 4×4 (its axes → the
    world's).
    """

    name: str
    count: int
    matrix: np.ndarray


@dataclass(frozen=True)
class MeshSet:
    """parts in order, the first the one that leads; mesh: all of them in the world's axes and
    units, vertices in the parts' order.
    """

    parts: tuple[Part, ...]
    mesh: UserMesh

    def objects(self) -> list[bpy.types.Object]:
        """Return the parts' objects; raises FacewrightError where one is gone or has other vertices
        than it had.
        """
        found = []
        for part in self.parts:
            thing = bpy.data.objects.get(part.name)
            if thing is None or thing.type != 'MESH' or len(thing.data.vertices) != part.count:
                raise FacewrightError(
                    f'{part.name} is no longer the mesh it was when this started: do it again.'
                )
            found.append(thing)
        return found

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Cut …×N×K values of all vertices → one array a part."""
        return np.split(values, np.cumsum([p.count for p in self.parts])[:-1], axis=-2)

    def to_local(self, offsets: np.ndarray, to_head: np.ndarray) -> list[np.ndarray]:
        """Convert E×N×3 offsets in head space → a float32 array a part in its object's own axes.
        to_head: 4×4 world → head space.
        """
        back = np.linalg.inv(to_head[:3, :3])
        return [
            (
                part_offsets.astype(np.float64) @ (np.linalg.inv(part.matrix[:3, :3]) @ back).T
            ).astype(np.float32)
            for part, part_offsets in zip(self.parts, self.split(offsets))
        ]


def collect(things: list[bpy.types.Object]) -> MeshSet:
    """Take mesh objects as a MeshSet. Raises FacewrightError naming the object with which nothing
    can be done, and why.
    """
    parts, vertices, corners, sizes, colours, start = [], [], [], [], [], 0
    for thing in things:
        check(thing)
        thing.update_from_editmode()
        mesh, matrix = thing.data, np.array(thing.matrix_world, np.float64)
        points = base_points(thing).astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(points).all(1))
        if len(bad):
            raise FacewrightError(
                f'{thing.name} has {len(bad)} vertices whose coordinates are not numbers (the '
                f'first is vertex {bad[0]}): delete them first.'
            )
        size, extent = np.linalg.det(matrix[:3, :3]), np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.isfinite(matrix).all() or abs(size) <= 1e-9 * extent.prod() or not extent.all():
            raise FacewrightError(
                f'{thing.name} is flat: its scale, or that of a parent, is zero along an '
                'axis. Give it a scale first.'
            )
        count = np.empty(len(mesh.polygons), np.int32)
        loops = np.empty(len(mesh.loops), np.int32)
        mesh.polygons.foreach_get('loop_total', count)
        mesh.loops.foreach_get('vertex_index', loops)
        parts.append(Part(thing.name, len(points), matrix))
        vertices.append(points @ matrix[:3, :3].T + matrix[:3, 3])
        corners.append((_turned(loops, count) if size < 0 else loops).astype(np.int64) + start)
        sizes.append(count.astype(np.int64))
        colours.append(_colours(mesh))
        start += len(points)
    if not sum(len(s) for s in sizes):
        raise FacewrightError(f'{things[0].name} has no faces: choose a mesh of a head.')
    faces = polygons_to_faces(np.concatenate(corners), np.concatenate(sizes)).astype(np.int32)
    part = np.repeat(np.arange(len(parts), dtype=np.int32), [p.count for p in parts])
    paint = None if any(c is None for c in colours) else np.concatenate(colours)
    hidden = np.concatenate([hidden_by_masks(thing) for thing in things])
    mesh = UserMesh(
        np.concatenate(vertices),
        faces,
        part,
        tuple(p.name for p in parts),
        paint,
        parts[0].name,
        hidden if hidden.any() else None,
    )
    return MeshSet(tuple(parts), mesh)


def check(thing: bpy.types.Object) -> None:
    """Raise FacewrightError where a mesh object cannot get shape keys."""
    if thing.library or thing.data.library or thing.override_library or thing.data.override_library:
        raise FacewrightError(
            f'{thing.name} is linked from another file: make it local first (Object › '
            'Relations › Make Local… › Selected Objects and Data).'
        )
    if not len(thing.data.vertices):
        raise FacewrightError(f'{thing.name} has no vertices: choose a mesh of a head.')
    if thing.data.shape_keys and not thing.data.shape_keys.use_relative:
        raise FacewrightError(
            f'{thing.name} has absolute shape keys: switch Relative on in its Shape Keys '
            'panel first.'
        )
    if (
        thing.mode != 'EDIT'
        and thing.data.shape_keys
        and len(thing.data.shape_keys.reference_key.points) != len(thing.data.vertices)
    ):
        raise FacewrightError(
            f'The shape keys of {thing.name} do not fit its vertices any more: delete them, '
            'or go back to before the mesh was changed.'
        )


def what_to_select(thing: bpy.types.Object) -> str:
    """Say what to do about a selected object that is no mesh: a sentence's rest behind its name."""
    kind = thing.type.replace('_', ' ').lower()
    kind = f'{"an" if kind[0] in "aeiou" else "a"} {kind}'
    if thing.type == 'EMPTY' and thing.instance_type == 'COLLECTION' and thing.instance_collection:
        linked = thing.instance_collection.library
        then = ', then make them local (Object › Relations › Make Local › All)' if linked else ''
        return (
            f'shows the collection {thing.instance_collection.name} as an instance: '
            f'make its objects real (Object › Apply › Make Instances Real){then}, '
            "and select the head's mesh among them."
        )
    if thing.type in ('CURVE', 'SURFACE', 'META', 'FONT'):
        return (
            f'is {kind}, no mesh: convert it to one (Object › Convert › Mesh), '
            "or select the head's mesh."
        )
    meshes = [o.name for o in moved_by(thing)]
    if meshes:
        others = f' or {", ".join(meshes[1:3])}' if len(meshes) > 1 else ''
        return f"is {kind}, no mesh: select the head's mesh under it, {meshes[0]}{others}."
    return f"is {kind}, no mesh: select the head's mesh."


def moved_by(thing: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the meshes under an object or moved by it as an armature, the largest first."""
    meshes = {o for o in thing.children_recursive if o.type == 'MESH'}
    for other in bpy.data.objects if thing.type == 'ARMATURE' else ():
        moved = any(m.type == 'ARMATURE' and m.object == thing for m in other.modifiers)
        if other.type == 'MESH' and moved:
            meshes.add(other)
    return sorted(meshes, key=lambda o: (-len(o.data.vertices), o.name))


def base_points(thing: bpy.types.Object) -> np.ndarray:
    """Return N×3 float32: the Basis, or the vertices of a mesh without shape keys, in the object's
    own axes.
    """
    keys = thing.data.shape_keys
    return coordinates(keys.reference_key.points if keys else thing.data.vertices)


def coordinates(points) -> np.ndarray:
    """Return N×3 float32 of a mesh's vertices or a shape key's points."""
    out = np.empty(len(points) * 3, np.float32)
    points.foreach_get('co', out)
    return out.reshape(-1, 3)


def faces_of(mesh: bpy.types.Mesh) -> np.ndarray:
    """Return a mesh's faces, F×4 int32, triangles padded with −1, larger polygons cut."""
    count, loops = np.empty(len(mesh.polygons), np.int32), np.empty(len(mesh.loops), np.int32)
    mesh.polygons.foreach_get('loop_total', count)
    mesh.loops.foreach_get('vertex_index', loops)
    return polygons_to_faces(loops.astype(np.int64), count.astype(np.int64)).astype(np.int32)


def group_weights(thing: bpy.types.Object, group: bpy.types.VertexGroup) -> np.ndarray:
    """Return N weights of a vertex group."""
    out = np.zeros(len(thing.data.vertices))
    for vertex in thing.data.vertices:
        for element in vertex.groups:
            if element.group == group.index:
                out[vertex.index] = element.weight
    return out


def _turned(loops: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the same polygons with their corners the other way round: what a negative
    scale shows.
    """
    start = np.cumsum(count) - count
    within = np.arange(len(loops)) - np.repeat(start, count)
    return loops[
        np.repeat(start, count) + (np.repeat(count, count) - within) % np.repeat(count, count)
    ]


def _colours(mesh: bpy.types.Mesh) -> np.ndarray | None:
    """Return N×3 sRGB of the active colour attribute where it has a colour a vertex."""
    layer = mesh.color_attributes.active_color
    if (
        layer is None
        or layer.domain != 'POINT'
        or layer.name in MADE_HERE
        or len(layer.data) != len(mesh.vertices)
    ):
        return None
    out = np.empty(len(layer.data) * 4, np.float32)
    layer.data.foreach_get('color_srgb', out)
    return np.clip(out.reshape(-1, 4)[:, :3], 0, 1)
