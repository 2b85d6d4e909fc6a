"""Read Live Link Face CSV, as the app writes it and as other programs do; what was recognised,
filled or limited is told.

numpy only: the add-on imports this. Signs and axes: live_link.py.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.words import listed
from ..face_model.expressions import ARKIT_NAMES, LIVE_LINK_NAMES, MERGED
from ..face_model.spelling import matches
from .live_link import EYES, HEAD, TICKS, Timecode, head_rotation, timecode_base
from .performance import Performance

RATES = (10, 12, 15, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 200, 240)
CLOCK_RATES = (*RATES, *(r / 1.001 for r in (24, 30, 48, 60, 120)))  # of samples timed in seconds
FRAMES = re.compile(r'(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3}(?:\.\d+)?)')
CLOCK = re.compile(r'(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)')
TIME_COLUMNS = ('timecode', 'time', 'timestamp', 'frame', 'frames', 'framenumber')
COUNT_COLUMNS = ('blendshapecount', 'blendshapescount')
NONE_COUNTED = ('0', '0.0')  # BlendShapeCount of a row without a face
MILLISECONDS = 1000.0
FRAMES_RATE = 30.0  # frames a second of bare frame numbers where nothing else is known
TALL = 1.02  # weights are limited to 1; from here on that is said: the app itself goes to 1.01
PERCENT = (
    1.5,
    130.0,
)  # the columns' maxima: a middle one above the first, none above the second, are percents
STEEP = (
    3.2,
    1.58,
    1.6,
)  # radians that yaw and roll, pitch, and eyes can't exceed: beyond, the angles are degrees
LONG = 500  # samples from which on 29.97 a second can be told from 30
DRIFT = 0.75  # samples by which a take's clock may be off at its end and still count as regular
SHORT_GAP = 0.5  # seconds without a sample that are told one by one from here on
LONGEST_GAP = 600.0  # seconds; beyond that a file is in pieces
LEAST_ROOM, ROOM = (
    200_000,
    20,
)  # samples a take may have filled in: so many, or so many times its own


@dataclass(frozen=True)
class Recording:
    """A take from a file: the performance, what to tell the user of how it was read, and where its
    timecodes began (None: it had none)."""

    performance: Performance
    notes: tuple[str, ...]
    timecode: Timecode | None


@dataclass(frozen=True)
class _Stamps:
    """When T samples were taken: ticks T (from the first), ticks a second, whether they are seconds
    of a clock, where they began."""

    ticks: np.ndarray
    base: float
    clock: bool
    start: Timecode | None


def read_live_link(path: Path, fps: float | None = None) -> Performance:
    """Read a Live Link Face CSV as read_recording does, without what there is to tell."""
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
    path, notes = Path(path), []
    header, lines, rows = _table(path, notes)
    columns = {_plain(cell): i for i, cell in reversed(list(enumerate(header)))}
    clock_column = next((columns[name] for name in TIME_COLUMNS if name in columns), None)
    if clock_column is None:
        raise FacewrightError(
            f'{path}, line {lines[0]}: there is no Timecode column: choose a CSV exported from '
            'Live Link Face.'
        )
    places = _expression_columns(path, lines[0], header, clock_column, columns, notes)
    angle_places = {
        name: columns[name.lower()] for name in (*HEAD, *EYES) if name.lower() in columns
    }
    count_column = next((columns[name] for name in COUNT_COLUMNS if name in columns), None)
    seen = np.array(
        [
            _has_face(row, clock_column, count_column, [*places.values(), *angle_places.values()])
            for row in rows
        ]
    )
    if not seen.any():
        raise FacewrightError(f'{path} has no frame in which a face was seen: choose another take.')
    values = np.zeros((len(rows), len(places) + len(angle_places)))
    order = list(places.items()) + list(angle_places.items())
    for t in np.flatnonzero(seen):
        for k, (_, place) in enumerate(order):
            values[t, k] = _number(rows[t][place], path, lines[t + 1], header[place])
    stamps = _stamps(
        [row[clock_column] for row in rows],
        lines[1:],
        header[clock_column],
        fps,
        frames_rate,
        path,
        notes,
    )
    weights = _weights(values[:, : len(places)], path, notes)
    angles = _angles(dict(zip(angle_places, values[:, len(places) :].T)), len(rows), notes)
    time, own = _seconds(stamps, fps)
    time, kept = _each_once(time, seen, notes)
    rate = float(fps or own)
    regular, evened = _regular(
        time[kept], rate, np.concatenate([weights, angles], 1)[kept], path, notes
    )
    names, table = _under_arkit_names(tuple(places), evened[:, :-3])
    performance = Performance(
        regular,
        table.astype(np.float32),
        names,
        head_rotation(evened[:, -3:]),
        np.zeros((len(regular), 3)),
        rate,
    )
    return Recording(performance, tuple(notes), _start(stamps, time[kept][0]))


def _plain(cell: str) -> str:
    return re.sub(r'[^a-z0-9]', '', cell.lower())


def _table(path: Path, notes: list[str]) -> tuple[list[str], list[int], list[list[str]]]:
    """Header, line numbers (the header's first), and rows, each as long as the header."""
    rows = _rows(path)
    if not rows:
        raise FacewrightError(f'{path} is empty: export the recording again.')
    header = _without_empty_end(rows[0][1], 0)
    if len(rows) < 2:
        raise FacewrightError(f'{path} has a header but no frames: export the recording again.')
    lines, table = [rows[0][0]], []
    last = len(rows) - 1
    for t, (line, row) in enumerate(rows[1:], 1):
        row = _without_empty_end(row, len(header))
        if len(row) < len(header):
            filled = [cell for cell in row if cell.strip()]
            if t == last and last > 1 and len(filled) > 2:
                notes.append(f'The last line ({line}) is cut off, and left out.')
                break
            if len(filled) > 2:
                raise _wrong_length(path, line, row, header)
            row = row + [''] * (len(header) - len(row))
        elif len(row) > len(header):
            raise _wrong_length(path, line, row, header)
        lines.append(line)
        table.append(row)
    return header, lines, table


def _wrong_length(path: Path, line: int, row: list[str], header: list[str]) -> FacewrightError:
    return FacewrightError(
        f'{path}, line {line}: {len(row)} cells where the header has {len(header)}: export the '
        'recording again.'
    )


def _without_empty_end(row: list[str], least: int) -> list[str]:
    """A row without the empty cells at its end, as far as it is longer than `least`."""
    while len(row) > least and not row[-1].strip():
        row = row[:-1]
    return row


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of the lines that hold anything; decimal commas made points where the
    cells are not separated by commas."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FacewrightError(f'There is no file {path}: check the path.') from None
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise FacewrightError(
            f'{path} cannot be read ({reason}): choose a Live Link Face CSV you may read.'
        ) from error
    try:
        text = data.decode('utf-16' if data[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig')
    except UnicodeDecodeError:
        raise FacewrightError(
            f'{path} is not a text file: choose a CSV exported from Live Link Face.'
        ) from None
    if '\0' in text:
        raise FacewrightError(
            f'{path} is not a text file: choose a CSV exported from Live Link Face.'
        )
    first = next((line for line in text.splitlines() if line.strip()), '')
    separator = max(',;\t', key=first.count)
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FacewrightError(
            f'{path}, line {reader.line_num}: {error}: export the recording again.'
        ) from None
    return (
        rows
        if separator == ','
        else [(line, [cell.replace(',', '.') for cell in row]) for line, row in rows]
    )


def _expression_columns(
    path: Path,
    line: int,
    header: list[str],
    clock_column: int,
    columns: dict[str, int],
    notes: list[str],
) -> dict[str, int]:
    """{ARKit or ICT name: column}, ARKit's order first; what is missing or spelled otherwise is
    told."""
    meant: dict[str, int] = {}
    for name, expression in matches(dict.fromkeys(header)).items():
        meant.setdefault(expression, header.index(name))
    if not meant:
        raise FacewrightError(
            f'{path}, line {line}: none of the 52 expression columns is there: choose a CSV '
            'exported from Live Link Face.'
        )
    halves = {half: whole for whole, pair in MERGED.items() for half in pair}
    covered = set(meant) | {halves[n] for n in meant if n in halves}
    missing = [live for live, name in zip(LIVE_LINK_NAMES, ARKIT_NAMES) if name not in covered]
    if missing:
        known = {
            clock_column,
            *meant.values(),
            *(columns.get(n.lower()) for n in (*HEAD, *EYES)),
            *(columns.get(n) for n in COUNT_COLUMNS),
        }
        others = [cell.strip() for i, cell in enumerate(header) if i not in known and cell.strip()]
        notes.append(
            f'{listed(missing)} {"is" if len(missing) == 1 else "are"} not in the file, and taken '
            'as 0'
            + (
                f'; {listed(name[:30] for name in others)} {"is" if len(others) == 1 else "are"} not known.'
                if others
                else '.'
            )
        )
    return {n: meant[n] for n in (*ARKIT_NAMES, *halves) if n in meant}


def _has_face(
    row: list[str], clock_column: int, count_column: int | None, places: list[int]
) -> bool:
    """Whether a row has values: one without a face has only its timecode, or counts 0 of them."""
    values = [row[place].strip() for place in places if row[place].strip()]
    uncounted = count_column is None or count_column == clock_column
    if uncounted or row[count_column].strip() not in NONE_COUNTED:
        return bool(values)
    return any(value.strip('0.-') for value in values)


def _number(cell: str, path: Path, line: int, column: str) -> float:
    try:
        value = float(cell) if '_' not in cell else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) < 1e6:  # also NaN
        raise FacewrightError(
            f'{path}, line {line}, column {column.strip()[:40]}: {cell.strip()[:30]!r} is not a '
            'number: '
            'correct the cell or export the recording again.'
        )
    return value


def _weights(weights: np.ndarray, path: Path, notes: list[str]) -> np.ndarray:
    """T×E in [0, 1]: percents divided, what is beyond limited, and both told."""
    top = weights.max(0, initial=0)
    highest, moving = float(top.max(initial=0)), top[top > 1e-6]
    if len(moving) and np.median(moving) > PERCENT[0]:
        if highest > PERCENT[1]:
            raise FacewrightError(
                f'{path} has weights up to {highest:.4g}, which are neither 0 to 1 nor 0 to 100: '
                'export the recording again.'
            )
        notes.append('The weights run from 0 to 100: taken as percent.')
        weights, highest = weights / 100, highest / 100
    lowest = float(weights.min(initial=0))
    if highest > TALL or lowest < 1 - TALL:
        notes.append(f'Weights outside 0 to 1 (from {lowest:.2f} to {highest:.2f}) are limited.')
    return np.clip(weights, 0, 1)


def _angles(found: dict[str, np.ndarray], count: int, notes: list[str]) -> np.ndarray:
    """T×3 head angles in radians, without jumps; degrees are recognised by what no head or eye can
    turn, and told."""
    columns = [found.get(name, np.zeros(count)) for name in HEAD]
    steepest = [float(np.abs(c).max(initial=0)) for c in columns]
    eyes = max((float(np.abs(found[n]).max(initial=0)) for n in EYES if n in found), default=0.0)
    if max(steepest[0], steepest[2]) > STEEP[0] or steepest[1] > STEEP[1] or eyes > STEEP[2]:
        notes.append("The head's angles are degrees.")
        columns = [np.radians(c) for c in columns]
    elif max(steepest) > np.pi / 2 + 0.1:
        notes.append(
            f'The head turns by up to {np.degrees(max(steepest)):.0f}° where its angles are '
            'radians, as taken.'
        )
    return np.unwrap(np.stack(columns, -1), axis=0)


def _stamps(
    cells: list[str],
    lines: list[int],
    column: str,
    fps: float | None,
    frames_rate: float,
    path: Path,
    notes: list[str],
) -> _Stamps:
    """When samples were taken, from timecodes, clock times, seconds or frame numbers."""
    cells = [cell.strip() for cell in cells]
    for read in (_timecodes, _clock_times, _bare_numbers):
        found = read(cells, lines, fps, frames_rate, path, notes)
        if found is not None:
            back = np.flatnonzero(np.diff(found.ticks) < 0)
            if back.size:
                raise FacewrightError(
                    f'{path}, line {lines[back[0] + 1]}, column {column.strip()[:40]}: it goes '
                    'back in time: export the recording again.'
                )
            return found
    kind = next((k for k in (FRAMES, CLOCK) if k.fullmatch(cells[0])), None)
    wrong = next((i for i, cell in enumerate(cells) if kind is None or not _valid(kind, cell)), 0)
    raise FacewrightError(
        f'{path}, line {lines[wrong]}, column {column.strip()[:40]}: {cells[wrong][:30]!r} is not '
        'a timecode HH:MM:SS:FF: '
        'correct the cell or export the recording again.'
    )


def _valid(kind: re.Pattern, cell: str) -> bool:
    match = kind.fullmatch(cell)
    return match is not None and int(match[2]) <= 59 and float(match[3]) < 60


def _whole_seconds(matches_: list[re.Match]) -> np.ndarray:
    """T seconds of hours, minutes and seconds, counted on past midnight."""
    seconds = np.array([int(m[1]) * 3600 + int(m[2]) * 60 + float(m[3]) for m in matches_])
    return seconds + 86400 * np.cumsum(np.r_[0, np.diff(seconds) < -43200])


def _timecodes(cells, lines, fps, frames_rate, path, notes) -> _Stamps | None:
    """HH:MM:SS:FF(.fff), or HH:MM:SS:mmm."""
    if not all(_valid(FRAMES, cell) for cell in cells):
        return None
    found = [FRAMES.fullmatch(cell) for cell in cells]
    seconds, frames = _whole_seconds(found), np.array([float(m[5]) for m in found])
    drop = any(m[4] == ';' for m in found)
    first = float(frames[0])
    base = _base(found, seconds, frames, fps, path)
    ticks = seconds * base + frames
    if drop:  # SMPTE 12M: the first counts of each minute but the tenth are skipped
        minutes = seconds // 60
        ticks -= round(base / 15) * (minutes - minutes // 10)
    start = Timecode(seconds[0] * base + first, round(base), drop)
    return _Stamps(
        _spread(ticks - ticks[0]), base * (1000 / 1001 if drop else 1), base == MILLISECONDS, start
    )


def _base(
    found: list[re.Match], seconds: np.ndarray, frames: np.ndarray, fps: float | None, path: Path
) -> float:
    """Ticks a second of timecodes: from where the frames wrap, from how they are written, from the
    rate the user gave."""
    within = np.diff(frames)[np.diff(seconds) == 0]
    step = (
        float(np.quantile(within[within > 0], 0.5, method='lower')) if (within > 0).any() else 1.0
    )
    wraps = np.flatnonzero(np.diff(seconds) == 1)
    highest, fractions = float(frames.max()), bool((frames % 1).any())
    if all(len(m[5]) == 3 for m in found) and (highest >= 240 or not len(wraps) and not fps):
        return MILLISECONDS
    if len(wraps) and not (within > 0).any() and fractions:
        base = TICKS
    elif len(wraps):
        base = float(np.median(frames[wraps] + step - frames[wraps + 1]))
    elif fps and len(found) > 1:
        base = TICKS if fractions else float(round(step * fps))
    elif fractions or highest >= 50:
        base = TICKS  # the app's own
    elif len(found) == 1 or np.ptp(seconds) > 0:
        base = float(timecode_base(fps or FRAMES_RATE)[0])
    else:
        raise FacewrightError(
            f"{path} is shorter than a second, and its timecodes don't tell how many frames "
            'a second has: '
            'give the File Rate.'
        )
    base = max(base, math.floor(highest) + 1)
    nearest = min(RATES, key=lambda r: abs(r - base))
    return float(
        nearest
        if abs(nearest - base) <= max(0.6, 0.03 * base) and nearest > highest - 1e-6
        else round(base)
    )


def _clock_times(cells, lines, fps, frames_rate, path, notes) -> _Stamps | None:
    """HH:MM:SS.fff: seconds of a clock."""
    if not all(_valid(CLOCK, cell) for cell in cells):
        return None
    seconds = _whole_seconds([CLOCK.fullmatch(cell) for cell in cells])
    return _Stamps(
        _spread(seconds - seconds[0]), 1.0, True, Timecode(seconds[0] * TICKS, TICKS, False)
    )


def _bare_numbers(cells, lines, fps, frames_rate, path, notes) -> _Stamps | None:
    """Frame numbers, or seconds where they are no whole numbers."""
    try:
        numbers = np.array([float(cell) if '_' not in cell else math.nan for cell in cells])
    except ValueError:
        return None
    if not (np.abs(numbers) < 1e9).all():
        return None
    if (numbers % 1).any():
        notes.append('Its times are seconds.')
        return _Stamps(_spread(numbers - numbers[0]), 1.0, True, None)
    rate = float(fps or frames_rate)
    if not fps:
        notes.append(
            f'It has frame numbers in place of timecodes: taken at {rate:.5g} frames a second '
            '(File Rate, where it is another).'
        )
    return _Stamps(_spread(numbers - numbers[0]), rate, False, None)


def _spread(ticks: np.ndarray) -> np.ndarray:
    """Timecodes that most samples share with as many others (60 a second, counted in thirtieths):
    spread evenly until the next."""
    first = np.flatnonzero(np.r_[True, np.diff(ticks) != 0])
    lengths = np.diff(np.r_[first, len(ticks)])
    usual = int(np.median(lengths))
    if usual < 2 or len(first) < 3:
        return ticks
    steps = np.diff(ticks[first])
    step = float(np.median(steps))
    nth = np.arange(len(ticks)) - np.repeat(first, lengths)
    return ticks + step * nth / np.repeat(np.maximum(lengths, usual), lengths)


def _seconds(stamps: _Stamps, fps: float | None) -> tuple[np.ndarray, float]:
    """T seconds from the first sample, and the file's own frame rate; non-drop frames of a known
    1000/1001 rate are counted at it."""
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
    nearest = min(
        CLOCK_RATES if loose and len(steps) > LONG else RATES, key=lambda r: abs(r / own - 1)
    )
    return stamps.ticks / base, float(nearest) if abs(nearest / own - 1) < (
        0.01 if loose else 5e-4
    ) else own


def _each_once(
    time: np.ndarray, seen: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Times of the samples with a face, of several at one time the last: (T times, indices);
    samples without a face are told."""
    kept = np.flatnonzero(seen)
    kept = kept[np.r_[np.diff(time[kept]) > 0, True]]
    blind = len(seen) - int(seen.sum())
    if blind:
        inside = (~seen[kept[0] : kept[-1] + 1]).any()
        notes.append(
            f'{blind:,} of {len(seen):,} samples have no face: '
            + (
                'filled in from those around them.'
                if inside
                else 'left out at the beginning or the end.'
            )
        )
    return time, kept


def _regular(
    time: np.ndarray, fps: float, values: np.ndarray, path: Path, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Values at time (s, increasing) → regular times k / fps from 0 and values there; samples
    already on the clock stay as they are."""
    gaps = np.diff(time)
    if gaps.max(initial=0) > LONGEST_GAP:
        raise FacewrightError(
            f'{path} has a gap of {gaps.max() / 60:.0f} minutes: cut it there, and import the '
            'pieces by themselves.'
        )
    place = (time - time[0]) * fps
    if place[-1] > max(LEAST_ROOM, ROOM * len(time)):
        raise FacewrightError(
            f'{path} has samples for {len(time) / fps:.0f} of its {time[-1] - time[0]:.0f} '
            'seconds: cut it into pieces.'
        )
    place = _snapped(place)
    _tell_gaps(place, fps, notes)
    count = int(math.floor(place[-1] + 0.25)) + 1  # what is after the last sample is unknown
    wanted = np.arange(count, dtype=np.float64)
    if np.array_equal(wanted, place):
        return wanted / fps, values
    return wanted / fps, np.stack([np.interp(wanted, place, column) for column in values.T], 1)


def _snapped(place: np.ndarray) -> np.ndarray:
    """T places in samples, increasing, those near whole numbers on them; a slow drift against the
    clock counts as none."""
    steps = np.diff(place)
    index = np.r_[0, np.cumsum(np.round(steps))]
    steady = (
        np.abs(steps - np.round(steps)).max(initial=0) < 0.25
        and np.abs(place - index).max() < DRIFT
    )
    snapped = (
        index
        if steady
        else np.where(np.abs(place - np.round(place)) < 0.25, np.round(place), place)
    )
    return snapped if (np.diff(snapped) > 0).all() else place


def _tell_gaps(place: np.ndarray, fps: float, notes: list[str]) -> None:
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


def _start(stamps: _Stamps, first: float) -> Timecode | None:
    """Where the timecodes of the first sample kept stand."""
    if stamps.start is None:
        return None
    return stamps.start.later(first)


def _under_arkit_names(
    names: tuple[str, ...], values: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and T×E weights with all of ARKit's first: an absent whole is the mean of its halves,
    other absent ones 0."""
    column = dict(zip(names, values.T))
    still = np.zeros(len(values))
    for whole, pair in MERGED.items():
        have = [column[half] for half in pair if half in column]
        if whole not in column and have:
            column[whole] = np.mean(have, 0)
    order = (*ARKIT_NAMES, *(n for n in names if n not in ARKIT_NAMES))
    return order, np.stack([column.get(name, still) for name in order], 1)
