"""What a reconstruction brought into the file, known by custom properties: its head, its cameras,
clip and sound.

All that was made for one take bears its id (`TAKE`), so that it can be replaced or hidden as one,
whatever its names are.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from pathlib import Path

import bpy
import numpy as np

from . import actions

TAKE = 'facewright_take'  # custom property of all a take brought: which take
SOURCE = 'facewright_source'  # … of its head: the footage it was made of
# … of its head: how many objects there were, and what its shapes, curves and materials were
MADE = 'facewright_made'
FRAMES = 'facewright_frames'  # … of its head: the scene frame of each sample
# … of an image of a head over its footage: it goes with the head though an editor shows it
PICTURE = 'facewright_overlay'
MARKED = (
    'collections',
    'objects',
    'meshes',
    'materials',
    'cameras',
    'actions',
    'movieclips',
    'images',
    'sounds',
)


def new_id() -> str:
    """Make a name that no other take has, in this file or another."""
    return uuid.uuid4().hex[:16]


def source_of(views) -> str:
    """Name the footage of a take's SolvedViews: files and the part used, in words that can be
    compared (`same_footage`).
    """
    parts = [[str(v.path), v.first, v.first + max(len(v.time), 1) - 1] for v in views]
    return json.dumps(sorted(parts), ensure_ascii=False)


def files_of(head: bpy.types.Object) -> list[Path]:
    """Return the footage a head was made of; none where that is not known."""
    return [Path(part[0]).resolve() for part in json.loads(head.get(SOURCE, '[]'))]


def same_footage(one: str, other: str) -> bool:
    """Return whether two takes' sources are the same files, with parts that overlap."""
    a, b = json.loads(one), json.loads(other)
    return [p[0] for p in a] == [p[0] for p in b] and all(
        x[1] <= y[2] and y[1] <= x[2] for x, y in zip(a, b)
    )


def tag(take: str, things) -> None:
    """Give a take's id to data made for it."""
    for thing in things:
        thing[TAKE] = take


def join(head: bpy.types.Object, thing: bpy.types.ID) -> None:
    """Give what was made for a head later on its take's id."""
    if TAKE in head:
        thing[TAKE] = head[TAKE]


def remember(head: bpy.types.Object, source: str) -> None:
    """Remember on a new head what it was made of and how it was made, so that later work on it
    can be told.
    """
    head[SOURCE] = source
    head[MADE] = {
        'objects': len(members(head[TAKE])),
        'digest': fingerprint(head),
        'look': look_of(head),
    }


def has_own_look(head: bpy.types.Object) -> bool:
    """Return whether a user has changed the materials that were made for a head."""
    made = head[MADE].to_dict() if MADE in head else {}
    return 'look' in made and made['look'] != look_of(head)


def remember_look(head: bpy.types.Object) -> None:
    """Take a head's materials as they are now for what was made."""
    if MADE in head:
        head[MADE] = head[MADE].to_dict() | {'look': look_of(head)}


def members(take: str) -> list[bpy.types.Object]:
    """Return the objects of a take that are in the file."""
    return [o for o in bpy.data.objects if o.get(TAKE) == take]


def is_head(thing: bpy.types.Object | None) -> bool:
    """Return whether an object is a reconstructed head."""
    return thing is not None and thing.type == 'MESH' and FRAMES in thing


def head_of(thing: bpy.types.Object | None) -> bpy.types.Object | None:
    """Return the reconstructed head an object belongs to: itself, its take's, or the one it is
    parented to; None where there is none.
    """
    while thing is not None:
        if is_head(thing):
            return thing
        found = [o for o in members(thing[TAKE]) if is_head(o)] if TAKE in thing else []
        if found:
            return found[0]
        thing = thing.parent
    return None


def cameras_of(head: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the cameras a head's footage was filmed with, by name."""
    found = [o for o in members(head[TAKE]) if o.type == 'CAMERA'] if TAKE in head else []
    return sorted(found, key=lambda o: o.name)


def earlier(scene: bpy.types.Scene, source: str) -> list[bpy.types.Object]:
    """Return the visible or hidden heads of a scene that were made of the same footage."""
    return [
        o
        for o in scene.objects
        if is_head(o) and {TAKE, SOURCE, MADE} <= set(o.keys()) and same_footage(o[SOURCE], source)
    ]


def is_put_away(head: bpy.types.Object) -> bool:
    """Return whether a take was hidden when another took its place."""
    return head.hide_viewport and head.hide_render


def fingerprint(head: bpy.types.Object) -> str:
    """Digest a head's vertices, shape keys and curves."""
    digest = hashlib.sha256()
    keys = head.data.shape_keys
    blocks = [k.points for k in keys.key_blocks] if keys else [head.data.vertices]
    for points in blocks:
        co = np.empty(len(points) * 3, np.float32)
        points.foreach_get('co', co)
        digest.update(co.tobytes())
    for owner in [head, *([keys] if keys else [])]:
        for curve in actions.curves(owner) or ():
            co = np.empty(len(curve.keyframe_points) * 2, np.float32)
            curve.keyframe_points.foreach_get('co', co)
            digest.update(f'{curve.data_path}[{curve.array_index}]'.encode() + co.tobytes())
    return digest.hexdigest()[:32]


def look_of(head: bpy.types.Object) -> str:
    """Digest a head's materials: colours, nodes, their values and links."""
    contents = []
    for material in (slot.material for slot in head.material_slots):
        if material is None:
            contents.append('')
            continue
        contents.append([*material.diffuse_color, material.roughness, material.metallic])
        tree = material.node_tree
        for node in sorted(tree.nodes, key=lambda n: n.name) if tree else ():
            values = [_value_of(socket) for socket in node.inputs]
            contents.append([node.name, node.bl_idname, node.mute, values])
        for link in tree.links if tree else ():
            ends = (link.from_node, link.from_socket), (link.to_node, link.to_socket)
            contents.append([(node.name, socket.identifier) for node, socket in ends])
    return hashlib.sha256(repr(contents).encode()).hexdigest()[:32]


def _value_of(socket: bpy.types.NodeSocket):
    value = getattr(socket, 'default_value', None)
    if isinstance(value, bpy.types.ID):
        return value.name
    return value if isinstance(value, str) or not hasattr(value, '__len__') else tuple(value)


def own_work(head: bpy.types.Object) -> str:
    """Return what a user has done with a take since it was made, in a word or two; '' where nothing
    would be lost with it.
    """
    things = members(head[TAKE])
    made = head[MADE].to_dict()
    if len(things) > made['objects']:
        return 'was copied'
    if any(o.modifiers for o in things):
        return 'has modifiers'
    if any(o.constraints for o in things):
        return 'has constraints'
    if any(o.parent for o in things):
        return 'has a parent'
    if made['digest'] != fingerprint(head):
        return 'was edited'
    if any(_drivers(o) for o in things):
        return 'has drivers'
    if any(o.animation_data or o.data.animation_data for o in things if o.type == 'CAMERA'):
        return 'has a camera that was animated'
    if any(
        s.material is not None and s.material.get(TAKE) != head[TAKE] for s in head.material_slots
    ):
        return 'has other materials'
    if has_own_look(head):
        return 'has materials that were changed'
    if any(len(o.users_scene) > 1 for o in things):
        return 'is in another scene too'
    return _attached(things)


def _drivers(thing: bpy.types.Object) -> list:
    owners = [thing, thing.data, getattr(thing.data, 'shape_keys', None)]
    return [
        d for o in owners if o is not None and o.animation_data for d in o.animation_data.drivers
    ]


def _attached(things: list[bpy.types.Object]) -> str:
    """Return whether others' objects or collections lean on a take's."""
    users = bpy.data.user_map(subset=things)
    others = {
        u
        for thing in things
        for u in users.get(thing, ())
        if TAKE not in u and u.id_type not in ('SCENE', 'SCREEN', 'WINDOWMANAGER', 'WORKSPACE')
    }
    if any(u.id_type == 'OBJECT' for u in others):
        return 'is used by other objects'
    if any(c for c in _collections(things) for o in [*c.all_objects, *c.children] if TAKE not in o):
        return 'has other objects in its collection'
    return 'is used elsewhere' if any(u.id_type != 'COLLECTION' for u in others) else ''


def _collections(things: list[bpy.types.Object]) -> list[bpy.types.Collection]:
    """Return the collections made for a take."""
    return [c for c in {c for o in things for c in o.users_collection} if TAKE in c]


def put_away(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Hide a take in viewports and renders, with its collection, and mute its sound."""
    things = members(head[TAKE])
    for thing in [*things, *_collections(things)]:
        thing.hide_viewport = thing.hide_render = True
    for strip in strips_of(scene, head[TAKE]):
        strip.mute = True


def remove(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Delete a take: its objects, its strips, and what else was made for it and has no other
    user.
    """
    take = head[TAKE]
    ours = [(held, s) for held in _strip_lists(scene) for s in held if s.get(TAKE) == take]
    for held, strip in ours:
        held.remove(strip)
    things = members(take)
    bpy.data.batch_remove([*_collections(things), *things])
    for kind in MARKED:
        made = [d for d in getattr(bpy.data, kind) if d.get(TAKE) == take]
        bpy.data.batch_remove([d for d in made if d.users == int(d.use_fake_user) or PICTURE in d])


def strips(scene: bpy.types.Scene):
    """Return the sequencer's strips, made where there is none yet (Blender 4.2 calls them
    sequences).
    """
    return _strips_in(scene.sequence_editor_create())


def _strips_in(holder):
    """Return the strips of a sequencer or of a meta strip."""
    return holder.strips if hasattr(holder, 'strips') else holder.sequences


def _strip_lists(scene: bpy.types.Scene) -> list:
    """Return the strips of a scene's sequencer and of each meta strip in it."""
    metas = [s for s in all_strips(scene) if s.type == 'META']
    return [_strips_in(h) for h in (scene.sequence_editor, *metas) if h is not None]


def all_strips(scene: bpy.types.Scene) -> list:
    """Return every strip of a scene, those in meta strips too; nothing is made."""
    editor = scene.sequence_editor
    return (
        []
        if editor is None
        else list(editor.strips_all if hasattr(editor, 'strips_all') else editor.sequences_all)
    )


def strips_of(scene: bpy.types.Scene, take: str) -> list:
    """Return the strips a take brought."""
    return [s for s in all_strips(scene) if s.get(TAKE) == take]


def plain_names(take: str) -> None:
    """Take '.001' off the names of a take's data where the name itself has become free."""
    for kind in MARKED:
        data = getattr(bpy.data, kind)
        for thing in [d for d in data if d.get(TAKE) == take]:
            plain = re.sub(r'\.\d{3}$', '', thing.name)
            if plain != thing.name and plain not in data:
                thing.name = plain
