"""The command line: the same tasks as the add-on's, run in this process."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import NoReturn

from . import worker
from .core.device import CHOICES, check_device, set_device
from .core.errors import FacewrightError, sentence_for
from .core.progress import Progress
from .tasks import specs
from .tasks.options import Parameter, parameters, problem_of, spelled

STOPPED = 'facewright: stopped, nothing was written.'


def parser() -> argparse.ArgumentParser:
    """The arguments of every verb; its help is the command line's reference."""
    top = argparse.ArgumentParser(
        prog=specs.PROGRAM, description='A video of a face in, an animated head out.'
    )
    top.add_argument(
        '--verbose', action='store_true', help='show what libraries print, and tracebacks'
    )
    top.add_argument(
        '--device',
        choices=CHOICES,
        help='what computes (default: auto, an NVIDIA card where PyTorch and Warp find one)',
    )
    verbs = top.add_subparsers(dest='verb', required=True, metavar='VERB')
    for task in specs.on_command_line():
        text, _, more = (specs.SPECS[task].__doc__ or '').partition('\n')
        description = ' '.join(more.split()) or text
        add = verbs.add_parser(specs.verb_of(task), help=text, description=description)
        add.set_defaults(task=task)
        for option in spelled(specs.SPECS[task]):
            add_argument(add, option)
    return top


def add_argument(add: argparse.ArgumentParser, option: Parameter) -> None:
    """Give a verb the argument that a task's option is spelled as."""
    how: dict = {'help': option.in_words.replace('%', '%%')}
    if option.type is bool:
        how['action'] = 'store_false' if option.default else 'store_true'
    else:
        how |= {'type': reader(option), 'metavar': option.metavar}
        if option.many:
            how['nargs'] = '+'
        if option.option.choices:
            how['choices'] = [choice.name for choice in option.option.choices]
    if option.positional:
        add.add_argument(option.name, **how)
    elif option.required:
        add.add_argument(option.flag, dest=option.name, required=True, **how)
    else:
        add.add_argument(option.flag, dest=option.name, default=option.default, **how)


def reader(option: Parameter) -> Callable[[str], object]:
    """What makes an option's value of a word of the command line; refuses it with a sentence."""

    def read(text: str) -> object:
        try:
            value = text if is_dataclass(option.type) else option.type(text)
        except ValueError:
            value = text
        problem = (
            '' if option.option.choices else problem_of(option, [value] if option.many else value)
        )
        if problem:
            raise argparse.ArgumentTypeError(f'it {problem}')
        return value

    return read


def with_new_names(line: list[str]) -> list[str]:
    """A command line whose verb is called as it is today; ALIASES has what it was called before."""
    before = ['', *line]  # what stands before each word: --device takes the next one
    words = (k for k, word in enumerate(line) if word[:1] != '-' and before[k] != '--device')
    at = next(words, len(line))
    for count in (2, 1):
        old = ' '.join(line[at : at + count]).replace('-', '_')
        if old in specs.ALIASES:
            return [*line[:at], specs.verb_of(specs.ALIASES[old]), *line[at + count :]]
    return line


def arguments_of(options: argparse.Namespace) -> tuple[str, dict]:
    """The task a command line asks for, and its arguments."""
    start, end = getattr(options, 'start', None), getattr(options, 'end', None)
    if start is not None and end is not None and end <= start:
        raise FacewrightError(
            f'--end {end:g} does not come after --start {start:g}: give a later end.'
        )
    given = {}
    for option in parameters(specs.SPECS[options.task]):
        if is_dataclass(option.type):
            shared = {p.name: getattr(options, p.name) for p in spelled(option.type)}
            shared = {name: value for name, value in shared.items() if value is not None}
            entries = getattr(options, option.name)
            given[option.name] = [{'path': path, **shared} for path in entries]
        elif option.option.spelling:
            value = getattr(options, option.name)
            given[option.name] = list(value) if isinstance(value, tuple) else value
    return options.task, given


def clock(remaining: float) -> str:
    """Seconds left as a person says them: '8 s', '1:05 min', '1:02 h'."""
    whole = int(remaining + 0.5)
    if whole < 60:
        return f'{whole} s'
    return (
        f'{whole // 60}:{whole % 60:02d} min'
        if whole < 3600
        else f'{whole // 3600}:{whole // 60 % 60:02d} h'
    )


def bar(progress: Progress, width: int = 24) -> str:
    """One line: bar, percent, stage, time left."""
    fraction = min(max(progress.fraction, 0.0), 1.0)
    full = int(fraction * width)
    left = '' if progress.remaining is None else f', {clock(progress.remaining)} left'
    return f'[{"#" * full}{"." * (width - full)}] {100 * fraction:3.0f} %  {progress.stage}{left}'


class ProgressLine:
    """Redraws one line on a terminal; elsewhere prints a line when the stage changes."""

    def __init__(self, stream):
        self.stream, self.terminal, self.stage, self.width, self.drawn = (
            stream,
            stream.isatty(),
            None,
            0,
            0.0,
        )

    def show(self, progress: Progress) -> None:
        if self.terminal:
            if time.monotonic() - self.drawn < 0.1 and progress.stage == self.stage:
                return
            line = bar(progress)
            self.stream.write('\r' + line.ljust(self.width))
            self.width, self.drawn = len(line), time.monotonic()
        elif progress.stage != self.stage:
            self.stream.write(bar(progress) + '\n')
        self.stage = progress.stage
        self.stream.flush()

    def clear(self) -> None:
        if self.terminal and self.width:
            self.stream.write('\r' + ' ' * self.width + '\r')
            self.stream.flush()


@dataclass
class Log:
    """Where what libraries print goes; None: it is shown. keep: it stays when the run is over."""

    path: Path | None = None
    keep: bool = False


@contextlib.contextmanager
def chatter_in_a_log(shown: bool) -> Iterator[Log]:
    """Send what is printed in the block into a log in the cache.

    Not where it is to be shown, or the cache cannot be written to.
    """
    from .core import owned, store
    from .core.files import cache_folder

    log, hold = Log(), None
    if not shown:
        with contextlib.suppress(OSError):
            base = cache_folder() / 'jobs'
            folder, hold = owned.make_new(base)
            store.evict(base)
            log.path = folder / 'log.txt'
    if log.path is None:
        yield log
        return
    saved = os.dup(1), os.dup(2), sys.stdout, sys.stderr
    try:
        worker.redirect_output(log.path).close()
        yield log
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = saved[2:]
        for descriptor, copy in zip((1, 2), saved[:2]):
            os.dup2(copy, descriptor)
            os.close(copy)
        if hold is not None:
            hold.release()
        if not log.keep:
            owned.remove(log.path.parent)


@contextlib.contextmanager
def stopping_once(leave: Callable[[], None]) -> Iterator[None]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into KeyboardInterrupt.

    At the next one call leave() and end the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = []

    def stop(*_):
        if stopped:
            leave()
            os._exit(worker.EXIT_INTERRUPTED)
        stopped.append(True)
        raise KeyboardInterrupt

    signals = [
        getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP') if hasattr(signal, name)
    ]
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; return the exit code.

    0: done, 1: an error told in one sentence, 2: a wrong command line, 130: Ctrl-C.
    """
    options = parser().parse_args(with_new_names(sys.argv[1:] if arguments is None else arguments))
    errors = os.fdopen(os.dup(2), 'w', encoding=sys.stderr.encoding or 'utf-8', errors='replace')
    line = ProgressLine(errors)
    out = Path(options.out) if getattr(options, 'out', None) else None
    new_folder = out is not None and not out.exists()

    def leave(text: str = STOPPED) -> None:
        line.clear()
        if new_folder and out is not None:
            with contextlib.suppress(OSError):
                out.rmdir()  # made for this run, and empty
        print(text, file=errors, flush=True)

    with stopping_once(leave), chatter_in_a_log(options.verbose) as log:
        text, code = outcome(options, line, log)
    if code:
        leave(text)
    else:
        line.clear()
        print(text)
    errors.close()
    return code


def run_as_program() -> NoReturn:
    """Run this process's command line, and end the process.

    Nothing is torn down: what libraries do at exit takes most of a second, and nothing is left to
    do for them.
    """
    code = main()
    with contextlib.suppress(OSError):  # whoever read it is gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def outcome(options: argparse.Namespace, line: ProgressLine, log: Log) -> tuple[str, int]:
    """Run the task a command line asks for: what to print, and the exit code."""
    try:
        wrong = worker.prepare_imports()
        if wrong:
            raise FacewrightError(wrong)
        if options.device:
            set_device(options.device)
        check_device()
        task, given = arguments_of(options)
        result = worker.run(worker.find_task(task)(**given), line.show)
        from .tasks.summary import summary

        return summary(task, given, result if isinstance(result, dict) else {}), 0
    except KeyboardInterrupt:
        return STOPPED, worker.EXIT_INTERRUPTED
    except FacewrightError as error:
        return f'facewright: {error}', worker.EXIT_ERROR
    except BaseException as error:  # noqa: BLE001 - whatever it is, the user reads a sentence
        traceback.print_exc()
        log.keep = log.path is not None
        where = f'\n(log: {log.path})' if log.keep else ''
        return f'facewright: {sentence_for(error)}{where}', worker.EXIT_ERROR
