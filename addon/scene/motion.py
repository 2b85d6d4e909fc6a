"""How a head turns with a performance: on top of how it stands at rest, by its object or by the
bone it hangs on.

Head space: x to the head's left, y up, z front. `axes_of` says how a mesh's own axes lie in it: a
sculpt made in Blender looks along −y, what other programs' files hold has y up; so a head may stand
upright by its object's rotation alone, which is its rest.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from ...engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES
from ...engine.shape_keys.editing import other_side, side_of
from . import actions, mesh_sets, names, shape_keys, units

REST = 'facewright_rest'  # custom property of what turns: its rotation at rest, a quaternion
LEVEL = np.cos(np.radians(35))  # own axes nearer to the face's than that are the face's
AGREE = 0.6  # how far pairs of keys must agree on where left is: 1 is to the bit, 0 at random
UPPER = tuple(n for n in {*ICT_NAMES, *ARKIT_NAMES} if n.startswith(('brow', 'eye')))
LOWER = tuple(n for n in {*ICT_NAMES, *ARKIT_NAMES} if n.startswith(('mouth', 'jaw')))
NOT_THE_HEAD = {'end', 'top', 'nub', 'tip', 'target', 'aim', 'look'}
RIG_PREFIXES = ('DEF-', 'ORG-', 'MCH-')  # Rigify's own bones, which follow those that are animated


@dataclass(frozen=True)
class Carrier:
    """What turns when a head does: an object, or a pose bone of an armature."""

    thing: bpy.types.Object
    bone: str = ''

    @property
    def turned(self) -> bpy.types.Object | bpy.types.PoseBone:
        """Return what has the rotation."""
        return self.thing.pose.bones[self.bone] if self.bone else self.thing

    def path(self, name: str) -> str:
        """Return the data path of one of its properties."""
        return (
            f'pose.bones["{bpy.utils.escape_identifier(self.bone)}"].{name}' if self.bone else name
        )


def carrier_of(head: bpy.types.Object) -> Carrier | None:
    """Return what turns a mesh's head; None where it hangs on an armature in which no bone for the
    head is found.
    """
    armature = _armature_of(head)
    if armature is None:
        return Carrier(head)
    bone = _head_bone(head, armature)
    return Carrier(armature, bone) if bone else None


def _armature_of(head: bpy.types.Object) -> bpy.types.Object | None:
    above = head.parent
    while above is not None:
        if above.type == 'ARMATURE':
            return above
        above = above.parent
    return next((m.object for m in head.modifiers if m.type == 'ARMATURE' and m.object), None)


def _head_bone(head: bpy.types.Object, armature: bpy.types.Object) -> str:
    """Return the name of the bone that turns the head: called so, else the one that carries most of
    what the expressions move; '' for none.
    """
    bones = armature.pose.bones
    if head.parent == armature and head.parent_type == 'BONE' and head.parent_bone in bones:
        bone = bones[head.parent_bone]
        return next((b.name for b in (bone, *bone.parent_recursive) if _is_head(b.name)), bone.name)
    called = [b.name for b in bones if _is_head(b.name)]
    if called:
        return min(called, key=lambda name: (name.startswith(RIG_PREFIXES), len(name), name))
    weight = {
        g.index: 0.0
        for g in head.vertex_groups
        if g.name in bones and bones[g.name].bone.use_deform
    }
    moved = np.flatnonzero(_moved_by(head, UPPER + LOWER))
    for vertex in moved.tolist():
        for element in head.data.vertices[vertex].groups:
            if element.group in weight:
                weight[element.group] += element.weight
    most = max(weight, key=weight.get, default=None)
    return (
        head.vertex_groups[most].name
        if most is not None and weight[most] > 0.5 * len(moved) > 0
        else ''
    )


def _is_head(name: str) -> bool:
    words = [w.lower() for w in re.findall(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+', name)]
    return 'head' in words and not NOT_THE_HEAD & set(words)


def _moved_by(head: bpy.types.Object, expressions: tuple[str, ...]) -> np.ndarray:
    """Return N: how far some expressions move each vertex, all together, in the mesh's
    own units.
    """
    blocks, total = head.data.shape_keys.key_blocks, np.zeros(len(head.data.vertices))
    for key, name in names.expressions_among(k.name for k in blocks).items():
        if name in expressions:
            total += np.linalg.norm(shape_keys.offsets_of(blocks[key]), axis=1)
    return total


def axes_of(head: bpy.types.Object) -> np.ndarray:
    """Return 3×3: a mesh's own axes → head space, a rotation. By what its left and right, upper and
    lower keys move; else by what stands upright.
    """
    if 'facewright_model' in head:
        return units.AXES.T
    found = _axes_from_keys(head)
    if found is None:
        world = np.array(head.matrix_world.to_quaternion().to_matrix())
        return max((units.AXES.T, np.eye(3)), key=lambda axes: round((world @ axes.T)[2, 1], 3))
    near = max(_right_angles(), key=lambda axes: np.trace(axes @ found.T))
    return near if (np.trace(near @ found.T) - 1) / 2 > LEVEL else found


def _axes_from_keys(head: bpy.types.Object) -> np.ndarray | None:
    """axes_of as far as the keys tell; None where they don't, or contradict each other."""
    points = mesh_sets.base_points(head).astype(np.float64)
    blocks = head.data.shape_keys.key_blocks
    least, across = 0.02 * np.ptp(points, axis=0).max(), []
    for key in blocks:
        other = blocks.get(other_side(key.name) or '') if side_of(key.name) == 'left' else None
        if other is None:
            continue
        left, right = (
            _middle(points, np.linalg.norm(shape_keys.offsets_of(k), axis=1)) for k in (key, other)
        )
        if left is not None and right is not None and np.linalg.norm(left - right) > least:
            across.append((left - right) / np.linalg.norm(left - right))
    upper, lower = (_middle(points, _moved_by(head, part)) for part in (UPPER, LOWER))
    if len(across) < 3 or upper is None or lower is None or np.linalg.norm(upper - lower) < least:
        return None
    left = np.mean(across, 0)
    agreed, up = np.linalg.norm(left), (upper - lower) / np.linalg.norm(upper - lower)
    left /= max(agreed, 1e-9)
    if agreed < AGREE or abs(left @ up) > 0.5:
        return None
    up -= (up @ left) * left
    up /= np.linalg.norm(up)
    return np.stack([left, up, np.cross(left, up)])


def _middle(points: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    return weights @ points / weights.sum() if weights.sum() > 1e-9 else None


def _right_angles() -> list[np.ndarray]:
    """Return the 24 rotations that take axes to axes."""
    turns = [
        np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
    ]
    return [turn for turn in turns if np.linalg.det(turn) > 0]


def _rotation_paths(carrier: Carrier) -> set[str]:
    return {
        carrier.path(name)
        for name in ('rotation_quaternion', 'rotation_euler', 'rotation_axis_angle')
    }


def is_driven(carrier: Carrier) -> bool:
    """Return whether drivers decide the rotation of what turns."""
    data, paths = carrier.thing.animation_data, _rotation_paths(carrier)
    return bool(data) and any(d.data_path in paths and not d.mute for d in data.drivers)


def is_animated(carrier: Carrier) -> bool:
    """Return whether the rotation of what turns has curves."""
    paths = _rotation_paths(carrier)
    return any(
        c.data_path in paths for fcurves in actions.all_curves(carrier.thing) for c in fcurves
    )


def rest_of(carrier: Carrier, head: bpy.types.Object) -> np.ndarray | None:
    """Return 3×3: the rotation at rest of what turns, in its own channels; None where it is
    animated and that is not known.
    """
    turned = carrier.turned
    if not is_animated(carrier):
        return np.array(turned.matrix_basis.to_quaternion().to_matrix())
    if REST in turned:
        return np.array(Quaternion(turned[REST]).to_matrix())
    return np.eye(3) if 'facewright_model' in head and not carrier.bone else None


def turn_head(
    head: bpy.types.Object, carrier: Carrier, frames: np.ndarray, rotation: np.ndarray
) -> None:
    """Keyframe T×3×3 rotations in head space (the identity: as it stands at rest) at T frames;
    keyframes outside them stay."""
    axes, rest = axes_of(head), rest_of(carrier, head)
    if rest is None:
        rest = actions.rotations_at(carrier.thing, carrier.turned, carrier.path(''), frames[:1])[0]
    carrier.turned[REST] = list(Matrix(rest).to_quaternion())
    if carrier.bone:
        to_head = _bone_to_head(head, carrier, axes, rest)
        turns = to_head.T @ rotation @ to_head @ rest
    else:
        turns = rest @ axes.T @ rotation @ axes
    if not carrier.bone and not is_animated(carrier):
        carrier.turned.rotation_mode = 'QUATERNION'
    actions.write_rotations(
        carrier.thing, carrier.turned, carrier.path(''), frames, turns, keep=True
    )


def _bone_to_head(
    head: bpy.types.Object, carrier: Carrier, axes: np.ndarray, rest: np.ndarray
) -> np.ndarray:
    """Return 3×3: a bone's axes at rest → head space."""
    mesh = _turn_of(head.matrix_world)
    bone = _bone_axes(carrier)
    if head.parent == carrier.thing and head.parent_type == 'BONE':  # it has the bone's turn now
        mesh = bone @ rest @ _turn_of(carrier.thing.matrix_world @ carrier.turned.matrix).T @ mesh
    return axes @ mesh.T @ bone


def _bone_axes(carrier: Carrier) -> np.ndarray:
    """Return 3×3: a bone's axes, where its armature has it at rest → Blender's world."""
    return _turn_of(
        carrier.thing.matrix_world @ carrier.thing.data.bones[carrier.bone].matrix_local
    )


def _turn_of(matrix: Matrix) -> np.ndarray:
    return np.array(matrix.to_quaternion().to_matrix())


def read_rotations(
    context: bpy.types.Context, head: bpy.types.Object, frames: np.ndarray, world: np.ndarray
) -> np.ndarray:
    """Return T×3×3 rotations in head space of a head at T frames, the identity as it stands at
    rest. world: T×3×3, its object's in Blender's world.
    """
    axes, carrier = axes_of(head), carrier_of(head)
    if carrier is None or not carrier.bone:
        rest = rest_of(Carrier(head), head)
        still = units.AXES @ axes if rest is None else rest
        return axes @ still.T @ world @ axes.T
    rest = rest_of(carrier, head)
    rest = np.eye(3) if rest is None else rest
    bone = _bone_axes(carrier)
    to_head = _bone_to_head(head, carrier, axes, rest) @ bone.T
    posed = actions.sample_bone(context, carrier.thing, carrier.bone, frames)
    return to_head @ posed @ (bone @ rest).T @ to_head.T


def local_location(head: bpy.types.Object, place: np.ndarray) -> np.ndarray:
    """Return T×3 locations (m) in Blender's world → in an object's own channels, under its parent
    as that stands now.
    """
    if head.parent is None:
        return place
    inverse = np.array((head.matrix_world @ head.matrix_basis.inverted_safe()).inverted_safe())
    return place @ inverse[:3, :3].T + inverse[:3, 3]
