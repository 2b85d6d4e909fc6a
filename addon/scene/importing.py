"""A performance onto heads: keyframes where they are seen, on what drives a key where the key
itself is driven."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.core.words import listed
from ...engine.formats.live_link import Timecode
from ...engine.formats.performance import Performance
from . import actions, drivers, names

TIMECODE = 'facewright_timecode'  # custom property of a head: where its recording's timecodes stand
FINEST = 100  # ticks a second that have two digits
LONGEST_CHAIN = 8  # drivers that read driven properties that read …
Channel = tuple[bpy.types.ID, str, int]  # what is keyframed: datablock, data path, index


@dataclass
class Plan:
    """Where a performance goes on one head: {shape key: T values} that get keyframes themselves;
    {channel: (key, T values)} of what drives others; keys whose drivers can't be turned round.
    """

    head: bpy.types.Object
    own: dict[str, np.ndarray] = field(default_factory=dict)
    through: dict[Channel, tuple[str, np.ndarray]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)


def plan(heads: list[bpy.types.Object], performance: Performance) -> list[Plan]:
    """Return where a performance under ICT or ARKit names goes on each head. Raises FacewrightError
    where there is nothing for it to go to.
    """
    plans = [_plan_of(head, performance) for head in heads]
    if not any(p.own or p.through or p.stuck for p in plans):
        raise FacewrightError(
            f'{heads[0].name} has no shape key for what the performance moves: rename its shape '
            'keys to ICT or ARKit names first.'
        )
    if not any(p.own or p.through for p in plans):
        first = next(p for p in plans if p.stuck)
        raise FacewrightError(
            f'{listed(first.stuck)} of {first.head.name} are driven by drivers that compute '
            'something of their own: '
            'mute or remove those drivers, or animate what drives them.'
        )
    return plans


def _plan_of(head: bpy.types.Object, performance: Performance) -> Plan:
    made, keys = Plan(head), head.data.shape_keys
    for key, values in names.columns(performance, [k.name for k in keys.key_blocks]).items():
        channel = _channel_of(keys, actions.value_path(key))
        if channel is None:
            made.stuck.append(key)
        elif channel == (keys, actions.value_path(key), 0):
            made.own[key] = values
        else:
            made.through[channel] = (key, values)
    return made


def _channel_of(datablock: bpy.types.ID, path: str) -> Channel | None:
    """Return the property that decides another, through drivers that pass its value on; None where
    one computes something of its own.
    """
    for _ in range(LONGEST_CHAIN):
        path, index = _indexed(path)
        curve = drivers.driven(datablock, path, index)
        if curve is None:
            return (datablock, path, index) if datablock.library is None else None
        found = drivers.source(curve)
        if found is None:
            return None
        datablock, path = found
    return None


def _indexed(path: str) -> tuple[str, int]:
    """Split a path: 'location[1]', 'location.y' → ('location', 1); others: index 0."""
    found = re.fullmatch(r'(.*[^"])\[(\d+)\]', path)
    if found:
        return found[1], int(found[2])
    found = re.fullmatch(r'(.*(?:location|scale|rotation_euler))\.([xyz])', path)
    return (found[1], 'xyz'.index(found[2])) if found else (path, 0)


def write(plans: list[Plan], frames: np.ndarray) -> list[str]:
    """Keyframe what is planned at T frames, whose other keyframes stay; returns what to tell the
    user."""
    notes, own = (
        [],
        {(p.head.data.shape_keys, actions.value_path(k), 0) for p in plans for k in p.own},
    )
    for made in plans:
        head, keys = made.head, made.head.data.shape_keys
        shared = (
            head.animation_data.action
            if head.animation_data and hasattr(head.animation_data, 'action_slot')
            else None
        )
        if made.own:
            actions.write_weights(keys, frames, made.own, shared, keep=True)
        through = {channel: found for channel, found in made.through.items() if channel not in own}
        for (datablock, path, index), (_, values) in through.items():
            actions.write_curve(
                actions.curves(datablock, create=True), path, index, frames, values, keep=True
            )
        if through:
            owners = listed(dict.fromkeys(_called(datablock) for datablock, _, _ in through))
            which = [key for key, _ in through.values()]
            notes.append(
                f'{listed(which)} of {head.name} {"is" if len(which) == 1 else "are"} driven: the '
                f'take is on what drives {"it" if len(which) == 1 else "them"} ({owners}).'
            )
        if made.stuck:
            notes.append(
                f'{listed(made.stuck)} of {head.name} did not get the take, because of drivers '
                'that compute something of their own: '
                'mute or remove those to import onto the keys.'
            )
    return notes


def keep_timecode(head: bpy.types.Object, timecode: Timecode | None, frame: float) -> None:
    """Remember with a head the timecode that is at a scene frame; None: none is."""
    if timecode is not None:
        head[TIMECODE] = {
            'ticks': timecode.ticks,
            'base': timecode.base,
            'drop': timecode.drop,
            'frame': frame,
        }
    elif TIMECODE in head:
        del head[TIMECODE]


def timecode_at(head: bpy.types.Object, frame: float, fps: float) -> Timecode | None:
    """Return the timecode at a scene frame, by what is remembered with the head; None where nothing
    is, or its ticks are too fine to be written.
    """
    kept = head.get(TIMECODE)
    if kept is None or not 1 <= kept['base'] <= FINEST:
        return None
    return Timecode(kept['ticks'], int(kept['base']), bool(kept['drop'])).later(
        (frame - kept['frame']) / fps
    )


def _called(datablock: bpy.types.ID) -> str:
    """Return what a user knows a datablock by."""
    if isinstance(datablock, bpy.types.Key):
        return next((o.name for o in bpy.data.objects if o.data == datablock.user), datablock.name)
    return datablock.name
