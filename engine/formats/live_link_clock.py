"""When a Live Link recording's samples were taken, and the samples on a regular clock.

numpy only: the add-on imports this.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import FacewrightError
from .live_link import TICKS, Timecode, timecode_base
from .live_link_table import Source, Table

RATES = (10, 12, 15, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 200, 240)
CLOCK_RATES = (*RATES, *(r / 1.001 for r in (24, 30, 48, 60, 120)))  # of samples timed in seconds
FRAMES = re.compile(r'(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3}(?:\.\d+)?)')
CLOCK = re.compile(r'(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)')
MILLISECONDS = 1000.0
FRAMES_RATE = 30.0  # frames a second of bare frame numbers where nothing else is known
SAMPLES_TO_TELL_RATE = 500  # samples from which on 29.97 a second can be told from 30
MOST_DRIFT = (
    0.75  # samples by which a take's clock may be off at its end and still count as regular
)
SHORT_GAP = 0.5  # seconds without a sample that are told one by one from here on
LONGEST_GAP = 600.0  # seconds; beyond that a file is in pieces
# Samples a take may have filled in: so many, or so many times its own.
LEAST_SPAN, SPAN_RATIO = 200_000, 20


@dataclass(frozen=True)
class Stamps:
    """When T samples were taken.

    ticks: T, from the first; base: ticks a second; clock: whether they are seconds of a clock;
    start: where the timecodes began, None where there are none.
    """

    ticks: np.ndarray
    base: float
    clock: bool
    start: Timecode | None

    def timecode(self, seconds: float) -> Timecode | None:
        """Return the timecode some seconds after the first sample."""
        return None if self.start is None else self.start.later(seconds)


@dataclass(frozen=True)
class Rates:
    """Frames a second that the user gave: fps of the file (None: its own), frames_rate of bare
    frame numbers where fps is None."""

    fps: float | None = None
    frames_rate: float = FRAMES_RATE


def read_stamps(table: Table, column: int, rates: Rates, source: Source) -> Stamps:
    """Read when samples were taken, from timecodes, clock times, seconds or frame numbers.

    Raises FacewrightError with line and column of a cell that is none of them, or that goes back in
    time.
    """
    cells = [row[column].strip() for row in table.rows]
    name = table.header[column].strip()[:40]
    for read in (_timecodes, _clock_times, _bare_numbers):
        found = read(cells, rates, source)
        if found is not None:
            back = np.flatnonzero(np.diff(found.ticks) < 0)
            if back.size:
                raise FacewrightError(
                    f'{source.path}, line {table.lines[back[0] + 1]}, column {name}: it goes '
                    'back in time: export the recording again.'
                )
            return found
    kind = next((k for k in (FRAMES, CLOCK) if k.fullmatch(cells[0])), None)
    wrong = next((i for i, cell in enumerate(cells) if kind is None or not _valid(kind, cell)), 0)
    raise FacewrightError(
        f'{source.path}, line {table.lines[wrong]}, column {name}: {cells[wrong][:30]!r} is not '
        'a timecode HH:MM:SS:FF: correct the cell or export the recording again.'
    )


def _valid(kind: re.Pattern[str], cell: str) -> re.Match[str] | None:
    """Match a cell; None where minutes or seconds are beyond 59 as well."""
    match = kind.fullmatch(cell)
    return match if match and int(match[2]) <= 59 and float(match[3]) < 60 else None


def _matches(kind: re.Pattern[str], cells: Sequence[str]) -> list[re.Match[str]] | None:
    """Match every cell; None where one does not match."""
    found = [match for cell in cells if (match := _valid(kind, cell))]
    return found if len(found) == len(cells) else None


def _whole_seconds(found: Sequence[re.Match[str]]) -> np.ndarray:
    """Count T seconds of hours, minutes and seconds, on past midnight."""
    seconds = np.array([int(m[1]) * 3600 + int(m[2]) * 60 + float(m[3]) for m in found])
    return seconds + 86400 * np.cumsum(np.r_[0, np.diff(seconds) < -43200])


def _timecodes(cells: Sequence[str], rates: Rates, source: Source) -> Stamps | None:
    """Read HH:MM:SS:FF(.fff), or HH:MM:SS:mmm."""
    found = _matches(FRAMES, cells)
    if found is None:
        return None
    seconds, frames = _whole_seconds(found), np.array([float(m[5]) for m in found])
    drop = any(m[4] == ';' for m in found)
    first = float(frames[0])
    base = _ticks_a_second(found, seconds, frames, rates.fps, source)
    ticks = seconds * base + frames
    if drop:  # SMPTE 12M: the first counts of each minute but the tenth are skipped
        minutes = seconds // 60
        ticks -= round(base / 15) * (minutes - minutes // 10)
    start = Timecode(seconds[0] * base + first, round(base), drop)
    rate = base * (1000 / 1001 if drop else 1)
    return Stamps(_spread(ticks - ticks[0]), rate, base == MILLISECONDS, start)


def _ticks_a_second(
    found: Sequence[re.Match[str]],
    seconds: np.ndarray,
    frames: np.ndarray,
    fps: float | None,
    source: Source,
) -> float:
    """Tell the ticks a second of timecodes: from where the frames wrap, from how they are written,
    from the rate the user gave."""
    within = np.diff(frames)[np.diff(seconds) == 0]
    step = (
        float(np.quantile(within[within > 0], 0.5, method='lower')) if (within > 0).any() else 1.0
    )
    wraps = np.flatnonzero(np.diff(seconds) == 1)
    highest, fractions = float(frames.max()), bool((frames % 1).any())
    wide = all(len(m[5]) == 3 for m in found)
    if wide and (highest >= 240 or (not len(wraps) and not fps)):
        return MILLISECONDS
    if len(wraps):
        counted = (within > 0).any() or not fractions
        base = float(np.median(frames[wraps] + step - frames[wraps + 1])) if counted else TICKS
    elif fps and len(found) > 1:
        base = TICKS if fractions else float(round(step * fps))
    elif fractions or highest >= 50:
        base = TICKS  # the app's own
    elif len(found) == 1 or np.ptp(seconds) > 0:
        base = float(timecode_base(fps or FRAMES_RATE)[0])
    else:
        raise FacewrightError(
            f"{source.path} is shorter than a second, and its timecodes don't tell how many frames "
            'a second has: give the File Rate.'
        )
    return _usual_rate(max(base, math.floor(highest) + 1), highest)


def _usual_rate(base: float, highest: float) -> float:
    """Choose the rate of RATES that is nearest to `base`; else the nearest whole number.

    A rate must be near, and count as far as `highest`.
    """
    nearest = min(RATES, key=lambda r: abs(r - base))
    near = abs(nearest - base) <= max(0.6, 0.03 * base) and nearest > highest - 1e-6
    return float(nearest if near else round(base))


def _clock_times(cells: Sequence[str], rates: Rates, source: Source) -> Stamps | None:
    """Read HH:MM:SS.fff: seconds of a clock."""
    found = _matches(CLOCK, cells)
    if found is None:
        return None
    seconds = _whole_seconds(found)
    start = Timecode(seconds[0] * TICKS, TICKS, False)
    return Stamps(_spread(seconds - seconds[0]), 1.0, True, start)


def _bare_numbers(cells: Sequence[str], rates: Rates, source: Source) -> Stamps | None:
    """Read frame numbers, or seconds where they are no whole numbers."""
    try:
        numbers = np.array([float(cell) if '_' not in cell else math.nan for cell in cells])
    except ValueError:
        return None
    if not (np.abs(numbers) < 1e9).all():
        return None
    if (numbers % 1).any():
        source.notes.append('Its times are seconds.')
        return Stamps(_spread(numbers - numbers[0]), 1.0, True, None)
    rate = float(rates.fps or rates.frames_rate)
    if not rates.fps:
        source.notes.append(
            f'It has frame numbers in place of timecodes: taken at {rate:.5g} frames a second '
            '(File Rate, where it is another).'
        )
    return Stamps(_spread(numbers - numbers[0]), rate, False, None)


def _spread(ticks: np.ndarray) -> np.ndarray:
    """Spread timecodes that most samples share with as many others (60 a second, counted in
    thirtieths) evenly until the next."""
    first = np.flatnonzero(np.r_[True, np.diff(ticks) != 0])
    lengths = np.diff(np.r_[first, len(ticks)])
    usual = int(np.median(lengths))
    if usual < 2 or len(first) < 3:
        return ticks
    steps = np.diff(ticks[first])
    step = float(np.median(steps))
    nth = np.arange(len(ticks)) - np.repeat(first, lengths)
    return ticks + step * nth / np.repeat(np.maximum(lengths, usual), lengths)


def sample_times(stamps: Stamps, fps: float | None) -> tuple[np.ndarray, float]:
    """Tell T seconds from the first sample, and the file's own frame rate; non-drop frames of a
    known 1000/1001 rate are counted at it."""
    base = stamps.base
    if fps and not stamps.clock and round(fps) == base and abs(fps * 1.001 / base - 1) < 1e-4:
        base = fps
    steps = np.diff(stamps.ticks)
    steps = steps[steps > 0]
    if not len(steps):
        return stamps.ticks / base, fps or FRAMES_RATE
    middle = float(np.quantile(steps, 0.5, method='lower'))
    own = base / float(steps[np.abs(steps - middle) < 0.4 * middle].mean())
    loose = stamps.clock or base == TICKS
    known_rates = CLOCK_RATES if loose and len(steps) > SAMPLES_TO_TELL_RATE else RATES
    nearest = min(known_rates, key=lambda r: abs(r / own - 1))
    near = abs(nearest / own - 1) < (0.01 if loose else 5e-4)
    return stamps.ticks / base, float(nearest) if near else own


def faces_once(time: np.ndarray, seen: np.ndarray, source: Source) -> np.ndarray:
    """Choose the samples with a face (seen T), of several at one time the last: indices.

    Samples without a face are noted.
    """
    kept = np.flatnonzero(seen)
    kept = kept[np.r_[np.diff(time[kept]) > 0, True]]
    blind = len(seen) - int(seen.sum())
    if blind:
        inside = (~seen[kept[0] : kept[-1] + 1]).any()
        remedy = (
            'filled in from those around them' if inside else 'left out at the beginning or the end'
        )
        source.notes.append(f'{blind:,} of {len(seen):,} samples have no face: {remedy}.')
    return kept


def on_regular_clock(
    time: np.ndarray, fps: float, values: np.ndarray, source: Source
) -> tuple[np.ndarray, np.ndarray]:
    """Bring values T×C at time T (s, increasing) onto a regular clock: (times k / fps, values).

    Samples already on the clock stay as they are; gaps are filled in linearly, and noted.
    """
    gaps = np.diff(time)
    if gaps.max(initial=0) > LONGEST_GAP:
        raise FacewrightError(
            f'{source.path} has a gap of {gaps.max() / 60:.0f} minutes: cut it there, and import '
            'the pieces by themselves.'
        )
    place = (time - time[0]) * fps
    if place[-1] > max(LEAST_SPAN, SPAN_RATIO * len(time)):
        raise FacewrightError(
            f'{source.path} has samples for {len(time) / fps:.0f} of its {time[-1] - time[0]:.0f} '
            'seconds: cut it into pieces.'
        )
    place = _snapped(place)
    _note_gaps(place, fps, source.notes)
    count = math.floor(place[-1] + 0.25) + 1  # what is after the last sample is unknown
    wanted = np.arange(count, dtype=np.float64)
    if np.array_equal(wanted, place):
        return wanted / fps, values
    return wanted / fps, np.stack([np.interp(wanted, place, column) for column in values.T], 1)


def _snapped(place: np.ndarray) -> np.ndarray:
    """Put T increasing places (in samples) that are near whole numbers on them; a slow drift
    against the clock counts as none."""
    steps = np.diff(place)
    index = np.r_[0, np.cumsum(np.round(steps))]
    steady = (
        np.abs(steps - np.round(steps)).max(initial=0) < 0.25
        and np.abs(place - index).max() < MOST_DRIFT
    )
    snapped = (
        index
        if steady
        else np.where(np.abs(place - np.round(place)) < 0.25, np.round(place), place)
    )
    return snapped if (np.diff(snapped) > 0).all() else place


def _note_gaps(place: np.ndarray, fps: float, notes: list[str]) -> None:
    missing = np.diff(place)
    gaps = np.flatnonzero(missing > 1.5)
    if not len(gaps):
        return
    longest = gaps[missing[gaps].argmax()]
    length = missing[longest] / fps
    where = f', from second {place[longest] / fps:.1f} on' if length >= SHORT_GAP else ''
    many = (
        f'{len(gaps)} gaps are filled in with straight lines, the longest'
        if len(gaps) > 1
        else 'A gap is filled in with straight lines:'
    )
    notes.append(f'{many} {length:.2g} s{where}.')
