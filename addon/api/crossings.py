"""Where a head's shapes cross themselves: checked, told in words, shown."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...engine.core.errors import FacewrightError
from ...engine.core.files import read_npz
from ...engine.tasks import specs
from ..scene import crossings, head_space
from .head import find_model
from .rig_jobs import RigJob, active_head, model_of
from .shared import show_colours

POSE = 'current pose'


def crossings_job(context: bpy.types.Context, combinations: int = 0, seed: int = 0) -> RigJob:
    """Return the task 'check_intersections' for the active head. Without combinations the pose its
    sliders make is checked as well.
    """
    head = active_head(context)
    source = model_of(context.scene, head)
    posed = (
        combinations == 0
        and head.data.shape_keys
        and any(k.value for k in head.data.shape_keys.key_blocks[1:])
    )
    rig, matrix, keys = head_space.rig_of(head, find_model(source), POSE if posed else '')
    arguments = {
        'rig': '{job}/rig.npz',
        'out': '{job}/out',
        'model': source,
        'combinations': combinations,
        'seed': seed,
    }
    checked = specs.check('check_intersections', arguments)
    return RigJob(head.name, rig, matrix, checked, keys)


def apply_crossings(context: bpy.types.Context, job: RigJob, folder: str | Path) -> str:
    """Keep a check's counts with the head and show the worst shape's crossings; returns what to
    tell the user.
    """
    head, data = job.object(), read_npz(Path(folder) / 'crossings.npz', 'list of crossings')
    # the task's order: the neutral, the keys, then the pose where one was checked
    called = [head.data.shape_keys.reference_key.name, *job.keys]
    counts, crossing = data['counts'], data['marked'].astype(bool)
    shapes, vertices = 1 + len(job.names), len(head.data.vertices)
    if len(counts) != shapes or crossing.shape != (shapes, vertices):
        raise FacewrightError(f'The result in {folder} is for another head: do it again.')
    n = len(called)
    pose = counts[n].tolist() if shapes > n else None
    crossings.record(head, called, counts[:n], crossing[:n], data['combination_counts'], pose)
    name = crossings.worst(head.data.shape_keys)
    if name:
        crossings.show(head, name)
        show_colours(context)
    return crossings_in_words(head.data.shape_keys)


def crossings_in_words(keys: bpy.types.Key) -> str:
    """Return the last check in words; '' where there was none."""
    found = crossings.summary(keys)
    if not found:
        return ''

    def before(key: str, now: int) -> str:
        return f', {found[key]:,} before' if found[key] not in (-1, now) else ''

    shapes, total = (
        sum(1 for row in keys[crossings.PROPERTY]['counts'].values() if sum(row)),
        found['total'],
    )
    words = [
        (
            f'{total:,} crossing{"s" if total != 1 else ""} in {shapes} of the shapes'
            if total
            else 'No shape crosses itself'
        )
        + before('before', total)
        + '.'
    ]
    if found['combinations']:
        words.append(
            f'{found["combinations_total"]:,} in {found["combinations"]} combinations, of '
            f'which {found["combinations_clean"]} are clean'
            f'{before("combinations_before", found["combinations_total"])}.'
        )
    if len(found['pose']):
        words.append(f'{sum(found["pose"]):,} in the pose the sliders make.')
    return ' '.join(words)


def show_crossings(context: bpy.types.Context, key: str = '') -> int:
    """Mark where a shape key ('': the active one) crosses itself, as the last check found; returns
    how many vertices.
    """
    head = active_head(context)
    name = key or (head.active_shape_key.name if head.active_shape_key else '')
    if crossings.count(head.data.shape_keys, name) is None:
        raise FacewrightError(
            f'{name or head.name} has not been checked yet: press Check Intersections first.'
        )
    show_colours(context)
    return crossings.show(head, name)


def hide_crossings(context: bpy.types.Context) -> None:
    """Show the active head as it was before crossings were marked on it."""
    crossings.hide(active_head(context))
