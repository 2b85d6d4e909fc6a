"""The step of quality 'personal': the head's own surface, after Standard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.errors import FacewrightError
from ..core.pipeline import Arrays, StageProgress, Step, Work
from ..personal.options import PersonalOptions
from .steps import Reconstruction

FINDING_SURFACE = "Finding the head's own surface"
LOOK = 0.25  # s a picture: cut out, masked, and compared in two rounds
KNOWN = 'The head of the rig is kept as it is, so Personal gives what Standard gives.'
ALONE = (
    "One camera does not tell a head's own surface well enough, so Personal gives what Standard "
    'gives: film with two cameras or more, 30° apart, say.'
)


def _find_surface(run: Reconstruction) -> Work:
    """Find the head's own neutral; where too little shows it, Standard's stays and is said to."""
    from ..formats.trajectory import trajectory_of
    from ..personal.refine import PersonalHead, refine

    if reason := _left_out(run):
        run.warnings.append(reason)
        return
    if run.at_all_times is None:
        raise ValueError('the step follows refine_with_pictures')
    cameras = run.track.cameras
    views = [replace(view, camera=one) for view, one in zip(run.footage.views, cameras)]
    work = refine(
        run.face,
        run.neutral,
        trajectory_of(run.at_all_times),
        views,
        [seen.present for seen in run.views_seen],
    )
    try:
        for step in work:
            if isinstance(step, PersonalHead):
                run.neutral = step.neutral
                run.report_more['personal'] = {
                    'pictures': step.pictures,
                    'moved_mm': round(step.moved, 3),
                }
            else:
                yield StageProgress(step, FINDING_SURFACE)
    except FacewrightError as error:
        run.warnings.append(str(error))


def _left_out(run: Reconstruction) -> str:
    """Say why the step has nothing to do; '' where it has.

    One view (view_1 of captures): dev2 and dev3 came out 4 and 8 % better, dev 32 % worse.
    """
    if run.actor is not None:
        return KNOWN
    return ALONE if len(run.footage.views) < 2 else ''


def _seconds(run: Reconstruction) -> dict[str, float]:
    if _left_out(run):
        return {}
    pictures = min(PersonalOptions.pictures, sum(len(view.times) for view in run.footage.views))
    return {FINDING_SURFACE: LOOK * pictures}


def _save(run: Reconstruction) -> Arrays:
    told = run.report_more.get('personal', {'pictures': 0, 'moved_mm': 0.0})
    return {
        'neutral': run.neutral,
        'told': np.array([told['pictures'], told['moved_mm']]),
        'warnings': np.array(run.warnings, str),
    }


def _load(run: Reconstruction, arrays: Arrays) -> None:
    run.neutral = arrays['neutral']
    pictures, moved = arrays['told'].tolist()
    if pictures:
        run.report_more['personal'] = {'pictures': int(pictures), 'moved_mm': moved}
    run.warnings = arrays['warnings'].tolist()


find_own_surface = Step[Reconstruction](
    phase='personal',
    run=_find_surface,
    seconds=_seconds,
    checkpoint='personal',
    save=_save,
    load=_load,
)
