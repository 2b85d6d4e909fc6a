"""What of a scene is its user's: frame rate, range, size and camera, and when a take leaves them
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from . import actions, takes


def keeps_settings(
    scene: bpy.types.Scene, choice: str, without: Iterable[bpy.types.Object] = ()
) -> bool:
    """Return whether a take leaves a scene's frame rate, range, size and camera as they are.

    choice: 'KEEP', 'FOOTAGE' or 'AUTO': where the scene holds animation. without: heads that the
    take will replace.
    """
    return choice == 'KEEP' or (
        choice == 'AUTO' and holds_animation(scene, {h[takes.TAKE] for h in without})
    )


def holds_animation(scene: bpy.types.Scene, without: set[str] = frozenset()) -> bool:
    """Return whether anything in a scene is keyframed, in the NLA or in the sequencer; `without`:
    takes that don't count.
    """
    if any(
        s.get(takes.TAKE) not in without or takes.TAKE not in s for s in takes.all_strips(scene)
    ):
        return True
    return any(_is_animated(d) for d in _datablocks(scene, without))


def _datablocks(scene: bpy.types.Scene, without: set[str]) -> Iterator[bpy.types.ID]:
    """Return all of a scene that can be animated."""
    yield scene
    for owner in (
        scene.world,
        getattr(scene, 'compositing_node_group', None),
        *_trees([scene, scene.world]),
    ):
        if owner is not None:
            yield owner
    for thing in scene.objects:
        if thing.get(takes.TAKE) in without:
            continue
        materials = [s.material for s in thing.material_slots if s.material]
        for owner in (
            thing,
            thing.data,
            getattr(thing.data, 'shape_keys', None),
            *materials,
            *_trees([thing.data, *materials]),
        ):
            if owner is not None:
                yield owner


def _trees(owners: list) -> list[bpy.types.NodeTree]:
    return [t for o in owners if (t := getattr(o, 'node_tree', None)) is not None]


def _is_animated(datablock: bpy.types.ID) -> bool:
    data = datablock.animation_data
    if data is None:
        return False
    curves = actions.curves(datablock) or ()
    return any(len(c.keyframe_points) for c in curves) or any(
        track.strips for track in data.nla_tracks
    )
