"""A head in a face model's topology, whatever its units and axes, to head space and back."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.face_model.model import FaceModel
from ...engine.formats.rig import Rig
from . import mesh_sets, names, shape_keys, units

PLAIN = np.eye(4)  # local → head space as Facewright's own heads have it
PLAIN[:3, :3] = units.AXES.T / units.METRES


def has_topology(thing: bpy.types.Object, model: FaceModel) -> bool:
    """Return whether a mesh has a face model's vertices and faces, in its order."""
    mesh = thing.data
    if len(mesh.vertices) != model.vertex_count or len(mesh.polygons) != len(model.faces):
        return False
    loops = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get('vertex_index', loops)
    return np.array_equal(loops, model.faces[model.faces >= 0])


def local_to_head(thing: bpy.types.Object, model: FaceModel) -> np.ndarray:
    """Return the 4×4 similarity from a head's own axes to head space: the plain one where that
    makes it a head, else the best onto the model's neutral.
    """
    points = mesh_sets.base_points(thing).astype(np.float64)
    target = model.neutral.astype(np.float64)
    a, b = points - points.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale, turn = (s * np.diag(flip)).sum() / (a**2).sum(), u @ flip @ vt
    if abs(np.log(scale * units.METRES)) < 0.35 and np.trace(turn @ units.AXES) > 1 + 2 * np.cos(
        0.3
    ):
        return PLAIN
    out = np.eye(4)
    out[:3, :3] = scale * turn
    out[:3, 3] = target.mean(0) - out[:3, :3] @ points.mean(0)
    return out


def neutral_points(thing: bpy.types.Object) -> np.ndarray:
    """Return N×3: the head at rest in its own axes, which is its Basis with the key 'atRest' as far
    as that is on.
    """
    keys = thing.data.shape_keys
    rest = keys.key_blocks.get(shape_keys.AT_REST) if keys else None
    return mesh_sets.base_points(thing) + (rest.value * shape_keys.offsets_of(rest) if rest else 0)


def expressions_of(thing: bpy.types.Object) -> dict[str, str]:
    """Return {shape key: the expression it stands for, under ICT's name where that has one}, each
    expression once.
    """
    keys, found = thing.data.shape_keys, {}
    for key, name in (
        names.expressions_among(k.name for k in keys.key_blocks).items() if keys else ()
    ):
        if names.spelled(name, 'ICT') not in found.values():
            found[key] = names.spelled(name, 'ICT')
    return found


def rig_of(
    thing: bpy.types.Object, model: FaceModel, pose: str = ''
) -> tuple[Rig, np.ndarray, tuple[str, ...]]:
    """Return a head's expressions as a Rig in head space (ICT's or ARKit's names), its
    local_to_head, and the shape keys' names in the rig's order.

    pose: where not '', the head as its sliders stand is added as one more expression of that name.
    Raises FacewrightError without expressions.
    """
    if not has_topology(thing, model):
        raise FacewrightError(
            f"{thing.name} has not the face model's own topology ({model.vertex_count:,} "
            'vertices, in its order): generate its shape keys '
            'onto the face model first, or choose the model it was made from in the Head panel.'
        )
    found = expressions_of(thing)
    if not found:
        raise FacewrightError(
            f'{thing.name} has no shape keys under ICT or ARKit names: generate them first.'
        )
    matrix = local_to_head(thing, model)
    blocks = thing.data.shape_keys.key_blocks
    offsets = [shape_keys.offsets_of(blocks[key]) for key in found]
    called = list(found.values())
    if pose:
        offsets.append(sum(blocks[key].value * o for key, o in zip(found, offsets)))
        called.append(pose)
    neutral = neutral_points(thing) @ matrix[:3, :3].T + matrix[:3, 3]
    expressions = np.stack([o @ matrix[:3, :3].T for o in offsets])
    return (
        Rig(neutral.astype(np.float32), expressions.astype(np.float32), tuple(called), model.faces),
        matrix,
        tuple(found),
    )
