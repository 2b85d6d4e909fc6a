"""What a reconstruction's errors mean for an animator: each region of the face good, fair or poor,
and where to look.

Standard library only: the add-on and the command line say it in the same words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Error of a region's landmarks, % of the distance between the eyes' outer corners (about .9 mm
# each): up to the first good, up to the second fair. Chosen against the truth: docs/bench.md,
# "Good, fair and poor".
LIMITS = {
    'eyes': (2.0, 3.0),
    'brows': (2.0, 3.5),
    'lips': (2.0, 3.0),
    'jaw': (2.0, 4.0),
    'face': (1.6, 2.8),
}
MOST = 0.9  # of a region's frames are as good as the region is called
GRADES = ('good', 'fair', 'poor')


@dataclass(frozen=True)
class Verdict:
    """A region's grade over a clip.

    region: a key of LIMITS
    grade: of GRADES
    percent: the error that MOST frames stay below, of the outer eye corners' distance
    worst: index of the frame with the largest error
    """

    region: str
    grade: str
    percent: float
    worst: int


def grade(region: str, percent: float) -> str:
    """Call an error (% of the distance between the eyes' outer corners) good, fair or poor."""
    good, fair = LIMITS[region]
    return GRADES[0] if percent <= good else GRADES[1] if percent <= fair else GRADES[2]


def judge(region: str, per_frame: Sequence[float | None]) -> Verdict | None:
    """Judge a region by its error in each frame (None or below 0: no face there).

    None where there is no face at all.
    """
    seen = sorted(
        (e, -i) for i, e in enumerate(per_frame) if e is not None and e >= 0 and math.isfinite(e)
    )
    if not seen:
        return None
    percent = seen[min(math.ceil(MOST * len(seen)), len(seen)) - 1][0]
    return Verdict(region, grade(region, percent), percent, -seen[-1][1])


def judge_all(error: dict) -> list[Verdict]:
    """Judge report.json's `error` region by region, or the face as a whole in a report of before
    regions were measured."""
    found = {
        region: values['per_frame']
        for region, values in error.get('regions', {}).items()
        if region in LIMITS
    }
    verdicts = [
        judge(region, values)
        for region, values in (found or {'face': error.get('per_frame', ())}).items()
    ]
    return [v for v in verdicts if v is not None]


def grades_in_words(grades: dict[str, str]) -> str:
    """Say {region: grade} in a line, the worst first: 'lips poor, eyes fair', or 'all good'."""
    if set(grades.values()) == {GRADES[0]}:
        return 'all good' if len(grades) > 1 else GRADES[0]
    if len(grades) == 1:
        return next(iter(grades.values()))
    bad = sorted(
        (r for r in grades if grades[r] != GRADES[0]), key=lambda r: -GRADES.index(grades[r])
    )
    return ', '.join(f'{r} {grades[r]}' for r in bad)


def in_words(
    verdicts: Sequence[Verdict], frame_of: Callable[[int], int] = int, figures: bool = False
) -> str:
    """Say verdicts in a line: 'eyes good, brows fair, lips poor (see frame 37), jaw good'.

    frame_of: the number under which the user knows a frame of that index.
    figures: with the percentages.
    """
    out = []
    for verdict in verdicts:
        notes = [f'{verdict.percent:.1f} %'] if figures else []
        if verdict.grade == GRADES[2]:
            notes.append(f'see frame {frame_of(verdict.worst)}')
        out.append(
            f'{verdict.region} {verdict.grade}' + (f' ({", ".join(notes)})' if notes else '')
        )
    return ', '.join(out)
