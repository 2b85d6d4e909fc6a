"""Live Link Face CSV: 52 ARKit weights, head and eye rotations, timecode. numpy only: the add-on imports this.

Head angles (radians), as Unreal's Live Link Face sees a face that looks at the phone: yaw + turns to the person's right, pitch + nods down,
roll + tilts towards the person's left shoulder. In head space (x left, y up, z front) the rotation head → world is
R = Ry(−yaw) · Rx(pitch) · Rz(−roll), world y up with the resting head along its axes: the identity is no rotation.
The signs of yaw and pitch were measured on a recording's eye columns against its eyeLook weights; order and roll are Unreal's FRotator.
"""
from __future__ import annotations

import csv
import io
import logging
import math
import re
from pathlib import Path

import numpy as np

from .errors import FacewrightError
from .face_model.expressions import ARKIT_NAMES, LIVE_LINK_NAMES, TO_ICT
from .face_model.gaze import EYE_DOWN, EYE_SIDEWAYS, EYE_UP
from .files import write_text
from .performance import Performance

log = logging.getLogger('facewright.live_link')

HEAD = ('HeadYaw', 'HeadPitch', 'HeadRoll')
EYES = tuple(f'{side}Eye{angle}' for side in ('Left', 'Right') for angle in ('Yaw', 'Pitch', 'Roll'))
HEADER = ('Timecode', 'BlendshapeCount') + LIVE_LINK_NAMES + HEAD + EYES
COUNT = len(LIVE_LINK_NAMES) + len(HEAD) + len(EYES)  # 61, what the app writes
RATES = (10, 12, 15, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 200, 240)
TICKS = 60  # the app's own timecode base, used where a clip's rate has no frame count of its own
TIMECODE = re.compile(r'(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3}(?:\.\d+)?)')
UPRIGHT = np.diag([1., -1., -1.])  # OpenCV camera axes ↔ y up


def head_rotation(angles: np.ndarray) -> np.ndarray:
    """…×3 (yaw, pitch, roll in radians, the module's signs) → …×3×3 head → world, y up."""
    yaw, pitch, roll = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    return _about(1, -yaw) @ _about(0, pitch) @ _about(2, -roll)


def head_angles(rotation: np.ndarray) -> np.ndarray:
    """…×3×3 head → world (y up) → …×3 yaw, pitch, roll; looking straight up or down the roll is 0."""
    r = np.asarray(rotation, np.float64)
    pitch = np.arcsin(np.clip(-r[..., 1, 2], -1, 1))
    upright = np.hypot(r[..., 1, 0], r[..., 1, 1]) > 1e-7
    yaw = np.where(upright, -np.arctan2(r[..., 0, 2], r[..., 2, 2]), np.arctan2(r[..., 2, 0], r[..., 0, 0]))
    roll = np.where(upright, -np.arctan2(r[..., 1, 0], r[..., 1, 1]), 0.)
    return np.stack([yaw, pitch, roll], -1)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """…×3×3 right-handed rotation about a coordinate axis."""
    out = np.zeros(np.shape(angle) + (3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i], out[..., i, j] = np.sin(angle), -np.sin(angle)
    return out


def write_live_link(path: Path, performance: Performance, start_timecode: int = 0) -> None:
    """Write a performance (ICT or ARKit names) as Live Link Face CSV, the first sample at frame number `start_timecode`.

    Timecode counts the clip's frames, at 29.97 and its like non-drop (30 counted a second; so it runs .1 % slow against the clock); at a rate
    without a frame count of its own (12.5) it counts sixtieths of a second. Eye angles follow from the eyeLook weights; positions are not kept.
    """
    weights = _arkit(performance)
    rotation = performance.rotation
    if len(rotation) and rotation[:, 1, 1].mean() < 0:  # the world is an OpenCV camera's
        rotation = UPRIGHT @ rotation
    angles = np.concatenate([head_angles(rotation), _eye_angles(weights)], 1)
    base, per_second = _timecode_base(performance.fps)
    lines = [','.join(HEADER)]
    for time, row, turns in zip(performance.time - performance.time[0], weights, angles):
        lines.append(','.join([_timecode(start_timecode + time * per_second, base), str(COUNT)] + [f'{v:.10f}' for v in row] + [f'{v:.10f}' for v in turns]))
    write_text(Path(path), '\n'.join(lines) + '\n')


def _arkit(performance: Performance) -> np.ndarray:
    """T×52 in ARKIT_NAMES order: names that are ARKit's as they are, ICT's by the mapping (two merged: their mean), absent ones 0."""
    index = {name: i for i, name in enumerate(performance.names)}
    out = np.zeros((len(performance.time), len(ARKIT_NAMES)))
    for k, name in enumerate(ARKIT_NAMES):
        have = [index[name]] if name in index else [index[n] for n in TO_ICT[name] if n in index]
        if have:
            out[:, k] = performance.weights[:, have].mean(1)
    return out


def _eye_angles(weights: np.ndarray) -> np.ndarray:
    """T×52 → T×6 in EYES order."""
    def w(name: str) -> np.ndarray:
        return weights[:, ARKIT_NAMES.index(name)]
    out = np.zeros((len(weights), 6))
    for side, sign, at in (('Left', 1, 0), ('Right', -1, 3)):  # the left eye looks in towards the person's right
        out[:, at] = sign * EYE_SIDEWAYS * (w(f'eyeLookIn{side}') - w(f'eyeLookOut{side}'))
        out[:, at + 1] = EYE_DOWN * w(f'eyeLookDown{side}') - EYE_UP * w(f'eyeLookUp{side}')
    return out


def _timecode_base(fps: float) -> tuple[int, float]:
    """Frames a second the timecode counts, and how many of them pass in a true second."""
    nominal = max(1, round(fps))
    if min(abs(fps / nominal - 1), abs(fps * 1.001 / nominal - 1)) < 1e-4 and nominal < 1000:
        return nominal, fps
    return TICKS, float(TICKS)


def _timecode(frames: float, base: int) -> str:
    thousandths = round(frames * 1000)
    seconds, rest = divmod(thousandths, base * 1000)
    return f'{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}'


def read_live_link(path: Path, fps: float | None = None) -> Performance:
    """Read a Live Link Face CSV onto a regular clock that starts at 0.

    names: ARKit's 52; columns the file lacks are 0, and said in the log. rotation: head → world, y up (module docstring); translation 0.
    fps: the rate to give the performance; when it is the timecode's own but for 1000/1001 (29.97 for 30), frames are counted at it. None: the file's.
    Dropped frames are filled in and uneven clocks evened by linear interpolation. Commas, semicolons (with decimal commas) and tabs, Windows
    line ends, a byte order mark are all read. Raises FacewrightError with line and column.
    """
    path = Path(path)
    rows = _rows(path)
    if not rows:
        raise FacewrightError(f'{path} is empty: export the recording again.')
    line, header = rows[0]
    columns = {_plain(cell): i for i, cell in reversed(list(enumerate(header)))}
    if 'timecode' not in columns:
        raise FacewrightError(f'{path}, line {line}: there is no Timecode column: choose a CSV exported from Live Link Face.')
    places = [columns.get(name.lower()) for name in LIVE_LINK_NAMES]
    if all(place is None for place in places):
        raise FacewrightError(f'{path}, line {line}: none of the 52 expression columns is there: choose a CSV exported from Live Link Face.')
    missing = [name for name, place in zip(LIVE_LINK_NAMES, places) if place is None]
    if missing:
        log.warning('%s lacks %s: taken as 0', path, ', '.join(missing))
    if len(rows) > 2 and len(rows[-1][1]) < len(header):
        log.warning('%s, line %d: cut off, left out', path, rows[-1][0])
        rows = rows[:-1]
    if len(rows) < 2:
        raise FacewrightError(f'{path} has a header but no frames: export the recording again.')
    weights = np.zeros((len(rows) - 1, len(ARKIT_NAMES)))
    head = np.zeros((len(rows) - 1, 3))
    wanted = [(weights, k, place) for k, place in enumerate(places)] + [(head, k, columns.get(name.lower())) for k, name in enumerate(HEAD)]
    wanted = [(out, k, place) for out, k, place in wanted if place is not None]
    stamps = []
    for t, (line, row) in enumerate(rows[1:]):
        if len(row) != len(header):
            raise FacewrightError(f'{path}, line {line}: {len(row)} cells where the header has {len(header)}: export the recording again.')
        for out, k, place in wanted:
            out[t, k] = _number(row[place], path, line, header[place])
        stamps.append(_stamp(row[columns['timecode']], path, line))
    lines = [line for line, _ in rows[1:]]
    over = float(max(weights.max(), 1 - weights.min()))
    if over > 1.001:
        log.warning('%s has weights outside 0..1 (up to %.2f): limited', path, over)
    ticks, base = _ticks(stamps, lines, fps, path)
    time, own = _seconds(ticks, base, fps)
    regular, values = _regular(time, fps or own, np.concatenate([np.clip(weights, 0, 1), np.unwrap(head, axis=0)], 1), path)
    return Performance(regular, values[:, :-3].astype(np.float32), ARKIT_NAMES, head_rotation(values[:, -3:]), np.zeros((len(regular), 3)), float(fps or own))


def _plain(cell: str) -> str:
    return cell.strip().lower()


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of the lines that hold anything; decimal commas made points where the cells are not separated by commas."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FacewrightError(f'There is no file {path}: check the path.') from None
    except OSError as error:
        raise FacewrightError(f'{path} cannot be read ({error.strerror or error}): choose a Live Link Face CSV you may read.') from error
    try:
        text = data.decode('utf-16' if data[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig')
    except UnicodeDecodeError:
        raise FacewrightError(f'{path} is not a text file: choose a CSV exported from Live Link Face.') from None
    if '\0' in text:
        raise FacewrightError(f'{path} is not a text file: choose a CSV exported from Live Link Face.')
    first = next((line for line in text.splitlines() if line.strip()), '')
    separator = max(',;\t', key=first.count)
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FacewrightError(f'{path}, line {reader.line_num}: {error}: export the recording again.') from None
    return rows if separator == ',' else [(line, [cell.replace(',', '.') for cell in row]) for line, row in rows]


def _number(cell: str, path: Path, line: int, column: str) -> float:
    try:
        value = float(cell) if '_' not in cell else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) < 1e6:  # also NaN
        raise FacewrightError(f'{path}, line {line}, column {column.strip()}: {cell.strip()[:30]!r} is not a number: correct the cell or export the recording again.')
    return value


def _stamp(cell: str, path: Path, line: int) -> tuple[int, float, bool]:
    """(whole seconds, frames, drop-frame) of a timecode HH:MM:SS:FF(.fff)."""
    match = TIMECODE.fullmatch(cell.strip())
    if not match or int(match[2]) > 59 or int(match[3]) > 59:
        raise FacewrightError(f'{path}, line {line}, column Timecode: {cell.strip()[:30]!r} is not a timecode HH:MM:SS:FF: correct the cell or export the recording again.')
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]), float(match[5]), match[4] == ';'


def _ticks(stamps: list[tuple[int, float, bool]], lines: list[int], fps: float | None, path: Path) -> tuple[np.ndarray, float]:
    """Timecodes → ticks since the first one and ticks a second, inferred from where the frames wrap."""
    seconds, frames = np.array([s for s, _, _ in stamps], np.float64), np.array([f for _, f, _ in stamps])
    seconds += 86400 * np.cumsum(np.r_[0, np.diff(seconds) < -43200])  # past midnight
    within = np.diff(frames)[np.diff(seconds) == 0]
    step = float(np.quantile(within[within > 0], .5, method='lower')) if (within > 0).any() else 1.
    wraps = np.flatnonzero(np.diff(seconds) == 1)
    if len(wraps):
        base = float(np.median(frames[wraps] + step - frames[wraps + 1]))
    elif fps:
        base = float(round(step * fps)) if len(stamps) > 1 else float(_timecode_base(fps)[0])
    else:  # shorter than a second: the app counts sixtieths
        base = TICKS if frames.max() >= 30 or (frames % 1).any() else 30
    base = max(base, math.floor(frames.max()) + 1)
    nearest = min(RATES, key=lambda r: abs(r - base))
    base = float(nearest if abs(nearest - base) <= max(.6, .03 * base) and nearest > frames.max() - 1e-6 else round(base))
    ticks = seconds * base + frames
    if any(drop for _, _, drop in stamps):  # SMPTE 12M: the first counts of each minute but the tenth are skipped
        minutes = seconds // 60
        ticks -= round(base / 15) * (minutes - minutes // 10)
        base *= 1000 / 1001
    back = np.flatnonzero(np.diff(ticks) < 0)
    if back.size:
        raise FacewrightError(f'{path}, line {lines[back[0] + 1]}, column Timecode: it goes back in time: export the recording again.')
    return ticks - ticks[0], base


def _seconds(ticks: np.ndarray, base: float, fps: float | None) -> tuple[np.ndarray, float]:
    """Ticks → seconds, and the file's own frame rate; non-drop frames of a known 1000/1001 rate are counted at it."""
    if fps and round(fps) == base and abs(fps * 1.001 / base - 1) < 1e-4:
        base = fps
    steps = np.diff(ticks)
    own = base / float(np.quantile(steps[steps > 0], .5, method='lower')) if (steps > 0).any() else (fps or 30.)
    nearest = min(RATES, key=lambda r: abs(r / own - 1))
    return ticks / base, float(nearest) if abs(nearest / own - 1) < 5e-4 or (abs(nearest / own - 1) < .01 and base == TICKS) else own


def _regular(time: np.ndarray, fps: float, values: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values at time (s, not decreasing) → regular times k / fps and values there; samples already on the clock stay as they are."""
    last = np.r_[np.diff(time) > 0, True]  # of samples with one timecode the later counts
    time, values = time[last], values[last]
    place = time * fps
    index = np.round(place).astype(int)
    if np.abs(place - index).max() < .25 and (np.diff(index) > 0).all():
        place = index.astype(np.float64)
    gaps = int((np.diff(place) > 1.5).sum())
    if gaps:
        log.warning('%s: %d gaps filled in, the longest %.2f s', path, gaps, float(np.diff(time).max()))
    count = int(math.floor(place[-1] + .25)) + 1
    wanted = np.arange(count, dtype=np.float64)
    if np.array_equal(wanted, place):
        return wanted / fps, values
    return wanted / fps, np.stack([np.interp(wanted, place, column) for column in values.T], 1)
