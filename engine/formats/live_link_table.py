"""The table in a Live Link Face CSV: its cells, and which of its columns mean what.

Commas, semicolons (with decimal commas) and tabs, Windows line ends, byte-order marks and other
spellings are read. numpy only: the add-on imports this.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import FacewrightError
from ..core.words import listed
from ..face_model.expressions import ARKIT_NAMES, LIVE_LINK_NAMES, MERGED
from ..face_model.spelling import expressions_among
from .live_link import EYES, HEAD

TIME_COLUMNS = ('timecode', 'time', 'timestamp', 'frame', 'frames', 'framenumber')
COUNT_COLUMNS = ('blendshapecount', 'blendshapescount')
NONE_COUNTED = ('0', '0.0')  # BlendShapeCount of a row without a face
LEAST_OF_A_ROW = 2  # cells with anything in them, at most, of a row without a face


@dataclass(frozen=True)
class Source:
    """A file that is being read: its path, for messages, and notes for the user of how it was
    read."""

    path: Path
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """A header and T rows, each as long as it, and the numbers of their lines (from 1)."""

    header: list[str]
    header_line: int
    rows: list[list[str]]
    lines: list[int]


@dataclass(frozen=True)
class Columns:
    """Where a table's columns are.

    clock: the time's; expressions: {ARKit or ICT name: column}, ARKit's order first; angles: {head
    or eye angle: column}; count: BlendShapeCount's, None where there is none.
    """

    clock: int
    expressions: dict[str, int]
    angles: dict[str, int]
    count: int | None


def read_table(source: Source) -> Table:
    """Read a file's cells; a last line that is cut off is left out, and that is noted."""
    path, all_rows = source.path, _read_rows(source.path)
    if not all_rows:
        raise FacewrightError(f'{path} is empty: export the recording again.')
    header = _without_empty_end(all_rows[0][1], 0)
    if len(all_rows) < 2:
        raise FacewrightError(f'{path} has a header but no frames: export the recording again.')
    lines, rows = [], []
    last = len(all_rows) - 1
    for t, (line, row) in enumerate(all_rows[1:], 1):
        row = _without_empty_end(row, len(header))
        if len(row) < len(header):
            filled = [cell for cell in row if cell.strip()]
            if t == last and last > 1 and len(filled) > LEAST_OF_A_ROW:
                source.notes.append(f'The last line ({line}) is cut off, and left out.')
                break
            if len(filled) > LEAST_OF_A_ROW:
                raise _wrong_length(path, line, row, header)
            row = row + [''] * (len(header) - len(row))
        elif len(row) > len(header):
            raise _wrong_length(path, line, row, header)
        lines.append(line)
        rows.append(row)
    return Table(header, all_rows[0][0], rows, lines)


def _wrong_length(path: Path, line: int, row: list[str], header: list[str]) -> FacewrightError:
    return FacewrightError(
        f'{path}, line {line}: {len(row)} cells where the header has {len(header)}: export the '
        'recording again.'
    )


def _without_empty_end(row: list[str], least: int) -> list[str]:
    """Take the empty cells off a row's end, as far as it is longer than `least`."""
    while len(row) > least and not row[-1].strip():
        row = row[:-1]
    return row


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read (line number, cells) of the lines that hold anything.

    Decimal commas are made points where the cells are not separated by commas.
    """
    text = _read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), '')
    separator = max(',;\t', key=first.count)
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FacewrightError(
            f'{path}, line {reader.line_num}: {error}: export the recording again.'
        ) from None
    if separator == ',':
        return rows
    return [(line, [cell.replace(',', '.') for cell in row]) for line, row in rows]


def _read_text(path: Path) -> str:
    """Read a file as UTF-8, or UTF-16 where it begins with that mark."""
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
    return text


def find_columns(table: Table, source: Source) -> Columns:
    """Find what a table's columns mean by their names; FacewrightError where the clock's or all
    expressions' are absent."""
    header = table.header
    place = {_plain(cell): i for i, cell in reversed(list(enumerate(header)))}
    clock = next((place[name] for name in TIME_COLUMNS if name in place), None)
    if clock is None:
        raise FacewrightError(
            f'{source.path}, line {table.header_line}: there is no Timecode column: choose a CSV '
            'exported from Live Link Face.'
        )
    angles = {name: place[name.lower()] for name in (*HEAD, *EYES) if name.lower() in place}
    known = {clock, *angles.values(), *(place[name] for name in COUNT_COLUMNS if name in place)}
    expressions = _expression_columns(table, known, source)
    count = next((place[name] for name in COUNT_COLUMNS if name in place), None)
    return Columns(clock, expressions, angles, count)


def _expression_columns(table: Table, known: set[int], source: Source) -> dict[str, int]:
    """Find {ARKit or ICT name: column}, ARKit's order first.

    What is missing is noted, with the columns that are neither `known` nor an expression's.
    """
    header, meant = table.header, {}
    for name, expression in expressions_among(dict.fromkeys(header)).items():
        meant.setdefault(expression, header.index(name))
    if not meant:
        raise FacewrightError(
            f'{source.path}, line {table.header_line}: none of the 52 expression columns is there: '
            'choose a CSV exported from Live Link Face.'
        )
    halves = {half: whole for whole, pair in MERGED.items() for half in pair}
    covered = set(meant) | {halves[n] for n in meant if n in halves}
    missing = [live for live, name in zip(LIVE_LINK_NAMES, ARKIT_NAMES) if name not in covered]
    if missing:
        known = known | set(meant.values())
        others = [cell.strip() for i, cell in enumerate(header) if i not in known and cell.strip()]
        note = f'{listed(missing)} {_are(missing)} not in the file, and taken as 0'
        if others:
            note += f'; {listed(name[:30] for name in others)} {_are(others)} not known'
        source.notes.append(note + '.')
    return {n: meant[n] for n in (*ARKIT_NAMES, *halves) if n in meant}


def _plain(cell: str) -> str:
    return re.sub(r'[^a-z0-9]', '', cell.lower())


def _are(things: list) -> str:
    return 'is' if len(things) == 1 else 'are'


def has_face(row: list[str], columns: Columns) -> bool:
    """Tell whether a row has values: one without a face has only its timecode, or counts 0."""
    places = (*columns.expressions.values(), *columns.angles.values())
    values = [row[place].strip() for place in places if row[place].strip()]
    count = columns.count
    if count is None or count == columns.clock or row[count].strip() not in NONE_COUNTED:
        return bool(values)
    return any(value.strip('0.-') for value in values)


def cell_value(table: Table, row: int, column: int, source: Source) -> float:
    """Read a cell as a number; FacewrightError with line and column where it is none."""
    cell = table.rows[row][column]
    try:
        value = float(cell) if '_' not in cell else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) < 1e6:  # also NaN
        raise FacewrightError(
            f'{source.path}, line {table.lines[row]}, column {table.header[column].strip()[:40]}: '
            f'{cell.strip()[:30]!r} is not a number: correct the cell or export the recording '
            'again.'
        )
    return value
