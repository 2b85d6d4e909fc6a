"""What a task's option is: the field that carries it, what it refuses, how one writes it.

specs.py describes the tasks with these. Standard library only: Blender imports it.
"""

# No `from __future__ import annotations`: as in specs.py, the fields' types are read.

import dataclasses
import functools
import math
import numbers
import os
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, field

from ..core.errors import FacewrightError

SYNOPSIS_WIDTH = 110


@dataclass(frozen=True)
class Range:
    """What a number may be. least, most: refused beyond; above: `least` itself is refused too.

    soft_least, soft_most: how far a slider goes, where that is less.
    """

    least: float | None = None
    most: float | None = None
    above: bool = False
    soft_least: float | None = None
    soft_most: float | None = None


@dataclass(frozen=True)
class Choice:
    """One value of an option: as the task takes it (Blender in capitals), its label, its help."""

    name: str
    label: str
    help: str
    icon: str = ''


@dataclass(frozen=True)
class Spelling:
    """How an option is written on the command line.

    flag: '': `--` and the option's name; of a switch that is on by default, what turns it off.
    positional: without a flag. metavar: '': the unit's, or the type's.
    """

    flag: str = ''
    metavar: str = ''
    positional: bool = False


@dataclass(frozen=True)
class Display:
    """How an option is shown in Blender.

    subtype, precision: as bpy.props takes them. unset: what Blender has in place of None;
    meaning: what that says.
    """

    name: str
    subtype: str = ''
    precision: int | None = None
    unset: float | str | None = None
    meaning: str = ''


@dataclass(frozen=True)
class Option:
    """What an option's field carries besides name, type and default."""

    help: str
    range: Range
    unit: str
    choices: tuple[Choice, ...]
    spelling: Spelling | None
    display: Display | None


def option(
    default: typing.Any = MISSING,
    *,
    help: str,
    range: Range = Range(),
    unit: str = '',
    choices: tuple[Choice, ...] = (),
    spelling: Spelling | None = None,
    display: Display | None = None,
) -> typing.Any:
    """A dataclass field that carries an Option. help: a sentence without its full stop.

    unit: 's', 'm', 'mm', 'px' or 'fps'. spelling, display: None where it is not on the command
    line, not in Blender.
    """
    carried = Option(help, range, unit, choices, spelling, display)
    return field(default=default, metadata={'option': carried})


# ---- reading a spec ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """One option of a task as it is read: what its field says, taken apart.

    type: bool, int, float, str or a dataclass of options; many: a list of them; optional: None is
    allowed, optional_entries: in the list.
    """

    name: str
    type: type
    many: bool
    optional: bool
    optional_entries: bool
    default: typing.Any
    option: Option

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def flag(self) -> str:
        """How it is written on the command line; its metavar where it is positional."""
        given = self.option.spelling.flag if self.option.spelling else ''
        return self.metavar if self.positional else given or f'--{self.name.replace("_", "-")}'

    @property
    def positional(self) -> bool:
        return self.option.spelling is not None and self.option.spelling.positional

    @property
    def metavar(self) -> str:
        given = self.option.spelling.metavar if self.option.spelling else ''
        if not given and self.option.choices:
            return '|'.join(choice.name for choice in self.option.choices)
        return given or self.option.unit.upper() or {int: 'N', float: 'X'}.get(self.type, 'TEXT')

    @property
    def in_words(self) -> str:
        """Its help as one reads it on the command line: with its choices and its default."""
        choices = self.option.choices
        said = [f'{choice.name} ({_small(choice.help)})' for choice in choices]
        default = (
            f' (default: {self.default:g})'
            if isinstance(self.default, (int, float)) and not isinstance(self.default, bool)
            else f' (default: {self.default})'
            if isinstance(self.default, str) and self.default
            else ''
        )
        return _small(self.option.help) + (f': {"; ".join(said)}' if said else '') + default


@functools.cache
def parameters(spec: type) -> tuple[Parameter, ...]:
    """The options of a spec, in their order."""
    return tuple(_parameter(one) for one in dataclasses.fields(spec))


def parameter(spec: type, name: str) -> Parameter:
    """A spec's option called `name`; KeyError where there is none."""
    return {p.name: p for p in parameters(spec)}[name]


def _parameter(one: dataclasses.Field) -> Parameter:
    kinds, optional = _without_none(one.type)
    many, optional_entries = typing.get_origin(kinds[0]) is tuple, False
    if many:
        kinds, optional_entries = _without_none(typing.get_args(kinds[0])[0])
    # Of `str | Source` a path stands for a source of which nothing else is said.
    kind: type = max(kinds, key=dataclasses.is_dataclass)
    carried = one.metadata['option']
    return Parameter(one.name, kind, many, optional, optional_entries, one.default, carried)


def _without_none(annotation: typing.Any) -> tuple[list[typing.Any], bool]:
    """The alternatives of an annotation, and whether None is one more."""
    union = isinstance(annotation, types.UnionType)
    kinds = list(typing.get_args(annotation)) if union else [annotation]
    return [kind for kind in kinds if kind is not type(None)], type(None) in kinds


def _small(text: str) -> str:
    """A sentence within another: its first letter small, unless it begins an abbreviation."""
    return text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] == ' ' else text


# ---- what is refused ---------------------------------------------------------------------------


def check_against(spec: type, arguments: dict, what: str) -> dict:
    """Return `arguments` if each is an option of the spec, of its type, within its range.

    what: whose options they are. Raises FacewrightError, one sentence, also where a required one
    lacks.
    """
    known = {p.name: p for p in parameters(spec)}
    for name in arguments:
        if name not in known:
            raise FacewrightError(
                f'{what} has no option {name!r}: it may have {", ".join(sorted(known))}.'
            )
    for name, one in known.items():
        if name not in arguments and one.required:
            raise FacewrightError(f'{what} needs {name}: {_small(one.option.help)}.')
        if name in arguments:
            problem = problem_of(one, arguments[name])
            if problem:
                raise FacewrightError(f'{what}: {name} {problem}.')
    return arguments


def problem_of(one: Parameter, value: object) -> str:
    """What is wrong with an option's value: 'is 2: choose a number from 0 to 1'; '': nothing."""
    if value is None and one.optional:
        return ''
    if one.many:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            return f'is {value!r}: give a list'
        return next(filter(None, (_problem_of_one(one, v) for v in value)), '')
    return _problem_of_one(one, value)


def _problem_of_one(one: Parameter, value: object) -> str:
    names = [choice.name for choice in one.option.choices]
    if dataclasses.is_dataclass(one.type):
        return _problem_of_entry(one.type, value)
    if value is None and one.optional_entries:
        return ''  # a view without masks of its own
    if names and value not in names:
        return f'is {value!r}: choose {", ".join(names[:-1])} or {names[-1]}'
    if one.type is str:
        return '' if isinstance(value, (str, os.PathLike)) else f'is {value!r}: give a text'
    if one.type is bool:
        return '' if isinstance(value, bool) else f'is {value!r}: give true or false'
    if (
        isinstance(value, numbers.Integral if one.type is int else numbers.Real)
        and not isinstance(value, bool)
        and within(one, float(value))
    ):
        return ''
    return f'is {value!r}: choose {allowed(one)}'


def _problem_of_entry(spec: type, value: object) -> str:
    """The same for an entry of a list that has options of its own; a text is a path."""
    if isinstance(value, (str, os.PathLike)):
        return ''
    if not isinstance(value, dict):
        return f'has an entry {value!r}: give a path, or its options'
    try:
        check_against(spec, value, f'a {spec.__name__.lower()}')
    except FacewrightError as error:
        return f'has a wrong entry: {str(error).rstrip(".")}'
    return ''


def within(one: Parameter, value: float) -> bool:
    """Whether a number is finite and lies in an option's range."""
    limits = one.option.range
    least = -math.inf if limits.least is None else limits.least
    most = math.inf if limits.most is None else limits.most
    at_least = least < value if limits.above else least <= value
    return math.isfinite(value) and at_least and value <= most


def allowed(one: Parameter) -> str:
    """What numbers an option takes, in words: 'a whole number from 64 to 4096'."""
    limits = one.option.range
    what = 'a whole number' if one.type is int else 'a number'
    if limits.least is None:
        return what
    if limits.most is None:
        return (
            f'{what} above {limits.least:g}' if limits.above else f'{what} from {limits.least:g} up'
        )
    begin = (
        f'{what} above {limits.least:g}, up' if limits.above else f'{what} from {limits.least:g}'
    )
    return f'{begin} to {limits.most:g}'


# ---- the command line, in words ----------------------------------------------------------------


def spelled(spec: type) -> Iterator[Parameter]:
    """Yield the options that the command line has: a spec's own, then those of its entries."""
    yield from (one for one in parameters(spec) if one.option.spelling)
    for one in parameters(spec):
        if dataclasses.is_dataclass(one.type):
            yield from spelled(one.type)


def synopsis(command: str, spec: type) -> str:
    """Write a command and its arguments as man pages do, in lines that fit the README."""
    found = sorted(spelled(spec), key=lambda one: (not one.positional, not one.required))
    lines = [command]
    for one in found:
        word = _argument(one)
        if len(lines[-1]) + 1 + len(word) > SYNOPSIS_WIDTH:
            lines.append('          ')
        lines[-1] += f' {word}'
    return '\n'.join(lines)


def _argument(one: Parameter) -> str:
    """One argument of a synopsis: 'MESH', '[--size PX]'."""
    value = one.metavar + ('...' if one.many else '')
    if one.positional:
        return value
    written = one.flag if one.type is bool else f'{one.flag} {value}'
    return written if one.required else f'[{written}]'
