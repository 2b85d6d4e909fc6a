"""Read Live Link Face CSV, as the app writes it and as other programs do; what was recognised,
filled or limited is noted.

The cells: live_link_table.py; the clock: live_link_clock.py; signs and axes: live_link.py. numpy
only: the add-on imports this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..face_model.expressions import ARKIT_NAMES, MERGED
from .live_link import EYES, HEAD, Timecode, head_rotation
from .live_link_clock import (
    FRAMES_RATE,
    Rates,
    faces_once,
    on_regular_clock,
    read_stamps,
    sample_times,
)
from .live_link_table import Source, Table, cell_value, find_columns, has_face, read_table
from .performance import Performance

NOTED_WEIGHT = (
    1.02  # weights are limited to 1; from here on that is said: the app itself goes to 1.01
)
# The columns' maxima: a middle one above the first, none above the second, are percents.
PERCENT_MAXIMA = 1.5, 130.0
# Radians that yaw and roll, pitch, and eyes can't exceed: beyond, the angles are degrees.
LARGEST_RADIANS = 3.2, 1.58, 1.6


@dataclass(frozen=True)
class Recording:
    """A take from a file: the performance, notes for the user of how it was read, and where its
    timecodes began (None: it had none)."""

    performance: Performance
    notes: tuple[str, ...]
    timecode: Timecode | None


def read_live_link(path: Path, fps: float | None = None) -> Performance:
    """Read a Live Link Face CSV as read_recording does, without its notes."""
    return read_recording(path, fps).performance


def read_recording(
    path: Path, fps: float | None = None, frames_rate: float = FRAMES_RATE
) -> Recording:
    """Read a Live Link Face CSV onto a regular clock that starts at 0.

    names: ARKit's 52 (and ICT's halves where the file has them); columns the file lacks are 0.
    rotation: head → world, y up; translation 0. fps: the rate to give the performance; when it is
    the timecode's own but for 1000/1001 (29.97 for 30), frames are counted at it. None: the file's.
    frames_rate: of a file that has bare frame numbers. Rows without a face and gaps are filled in
    and uneven clocks evened by linear interpolation. Commas, semicolons (with decimal commas) and
    tabs, Windows line ends, byte-order marks, percents, degrees and other spellings are read.
    Raises FacewrightError with line and column, and where a take is too short for its timecodes to
    tell the rate.
    """
    source = Source(Path(path))
    table = read_table(source)
    columns = find_columns(table, source)
    seen = np.array([has_face(row, columns) for row in table.rows])
    if not seen.any():
        raise FacewrightError(f'{path} has no frame in which a face was seen: choose another take.')
    weights = _numbers(table, columns.expressions, seen, source)
    angles = _numbers(table, columns.angles, seen, source)
    stamps = read_stamps(table, columns.clock, Rates(fps, frames_rate), source)
    weights = _as_weights(weights, source)
    angles = _head_angles(dict(zip(columns.angles, angles.T)), len(seen), source.notes)
    time, own_rate = sample_times(stamps, fps)
    kept = faces_once(time, seen, source)
    rate = float(fps or own_rate)
    values = np.concatenate([weights, angles], 1)[kept]
    regular, evened = on_regular_clock(time[kept], rate, values, source)
    names, weights = _under_arkit_names(tuple(columns.expressions), evened[:, :-3])
    performance = Performance(
        regular,
        weights.astype(np.float32),
        names,
        head_rotation(evened[:, -3:]),
        np.zeros((len(regular), 3)),
        rate,
    )
    return Recording(performance, tuple(source.notes), stamps.timecode(time[kept][0]))


def _numbers(table: Table, columns: dict[str, int], seen: np.ndarray, source: Source) -> np.ndarray:
    """Read T×C float64 of named columns, rows without a face 0."""
    out = np.zeros((len(table.rows), len(columns)))
    for t in np.flatnonzero(seen):
        for k, column in enumerate(columns.values()):
            out[t, k] = cell_value(table, int(t), column, source)
    return out


def _as_weights(weights: np.ndarray, source: Source) -> np.ndarray:
    """Bring T×E into [0, 1]: percents divided, what is beyond limited, and both noted."""
    top = weights.max(0, initial=0)
    highest, moving = float(top.max(initial=0)), top[top > 1e-6]
    if len(moving) and np.median(moving) > PERCENT_MAXIMA[0]:
        if highest > PERCENT_MAXIMA[1]:
            raise FacewrightError(
                f'{source.path} has weights up to {highest:.4g}, which are neither 0 to 1 nor '
                '0 to 100: export the recording again.'
            )
        source.notes.append('The weights run from 0 to 100: taken as percent.')
        weights, highest = weights / 100, highest / 100
    lowest = float(weights.min(initial=0))
    if highest > NOTED_WEIGHT or lowest < 1 - NOTED_WEIGHT:
        source.notes.append(
            f'Weights outside 0 to 1 (from {lowest:.2f} to {highest:.2f}) are limited.'
        )
    return np.clip(weights, 0, 1)


def _head_angles(found: dict[str, np.ndarray], count: int, notes: list[str]) -> np.ndarray:
    """Make T×3 head angles in radians, without jumps.

    Degrees are recognised by what no head or eye can turn, and noted.
    """
    columns = [found.get(name, np.zeros(count)) for name in HEAD]
    steepest = [float(np.abs(c).max(initial=0)) for c in columns]
    eyes = max((float(np.abs(found[n]).max(initial=0)) for n in EYES if n in found), default=0.0)
    if (
        max(steepest[0], steepest[2]) > LARGEST_RADIANS[0]
        or steepest[1] > LARGEST_RADIANS[1]
        or eyes > LARGEST_RADIANS[2]
    ):
        notes.append("The head's angles are degrees.")
        columns = [np.radians(c) for c in columns]
    elif max(steepest) > np.pi / 2 + 0.1:
        notes.append(
            f'The head turns by up to {np.degrees(max(steepest)):.0f}° where its angles are '
            'radians, as taken.'
        )
    return np.unwrap(np.stack(columns, -1), axis=0)


def _under_arkit_names(
    names: tuple[str, ...], values: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Bring names and T×E weights into an order with all of ARKit's first: an absent whole is the
    mean of its halves, other absent ones 0."""
    column = dict(zip(names, values.T))
    still = np.zeros(len(values))
    for whole, pair in MERGED.items():
        have = [column[half] for half in pair if half in column]
        if whole not in column and have:
            column[whole] = np.mean(have, 0)
    order = (*ARKIT_NAMES, *(n for n in names if n not in ARKIT_NAMES))
    return order, np.stack([column.get(name, still) for name in order], 1)
