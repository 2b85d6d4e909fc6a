"""What all panels share."""

from __future__ import annotations

import textwrap
import time

from .. import jobs

LETTER = 7  # pixels a letter of a label takes at interface scale 1, rounded up


class Panel:
    bl_space_type, bl_region_type, bl_category = 'VIEW_3D', 'UI', 'Facewright'


def idle_column(layout, ready: bool = True):
    """Make a column of buttons that start jobs: enabled where `ready` and while none runs."""
    column = layout.column(align=True)
    column.enabled = ready and jobs.running() is None
    return column


def draw_job(context, layout, tasks: tuple[str, ...]) -> None:
    """Draw the running job's bar, or what went wrong with the last, where it is one of `tasks`."""
    job = jobs.current
    if job is None or job.task not in tasks:
        return
    if job.state == 'running':
        layout.progress(factor=job.fraction, text=f'{job.title}: {100 * job.fraction:.0f} %')
        text(context, layout, job.stage)
        layout.label(text=time_left(job))  # drawn while empty too: what is below stays in its place
        layout.operator('facewright.cancel', icon='CANCEL')
    elif job.state == 'failed':
        box = layout.box()
        text(context, box, job.error, 'ERROR')
        if job.log and job.log.exists():
            box.operator('wm.path_open', text='Show Log', icon='TEXT').filepath = str(job.log)
        box.operator('facewright.clear_message', icon='X')


def text(context, layout, words: str, icon: str = 'NONE') -> None:
    """Draw a sentence over as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale or 1  # 0 without a window
    width = context.region.width if context.region else 300
    column = layout.column(align=True)
    for i, line in enumerate(textwrap.wrap(words, max(20, int((width / scale - 70) / LETTER)))):
        column.label(text=line, icon=icon if i == 0 else 'BLANK1' if icon != 'NONE' else 'NONE')


def time_left(job: jobs.Job) -> str:
    """Say 'About 2 min left', '' where the task has not said: what it last said, less the
    time since.
    """
    if job.remaining is None:
        return ''
    left = job.remaining - (time.monotonic() - job.reported_at)
    if left < 7.5:
        return 'A few seconds left'
    if left < 57.5:
        return f'About {5 * round(left / 5)} s left'
    return f'About {max(round(left / 60), 1)} min left'
