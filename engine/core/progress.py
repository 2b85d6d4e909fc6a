"""What a running task says to whoever waits for it; the one estimate of the time left."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar('T')
B = TypeVar('B')


@dataclass(frozen=True)
class Progress:
    """How far a whole task is.

    fraction: 0..1. stage: a few words for the bar. remaining: seconds left, None while unknown.
    """

    fraction: float
    stage: str
    remaining: float | None = None


class ListenerGoneError(Exception):
    """Raised inside work whose listener has gone."""


class Clock:
    """Turns fractions of a whole task into Progress with the time left, by the pace so far.

    No time is given before it means something: EARLIEST seconds and LEAST of the task. What is
    given moves towards a new estimate within some SETTLING of it, so that it never leaps up.
    """

    EARLIEST = 2.0  # s
    LEAST = 0.05  # of the task
    SETTLING = 0.04  # of the time left, and a second

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self.now = now
        self.last: tuple[float, float] | None = None  # when a time was given, seconds left
        self.skip(0.0)

    def skip(self, fraction: float) -> None:
        """Take so much as done already: the pace counts from here."""
        self.began, self.start = self.now(), fraction

    def at(self, fraction: float, stage: str) -> Progress:
        """Return the Progress of a task of which so much is done."""
        fraction = round(fraction, 9)  # so that sums of parts never go back by a rounding
        elapsed, done = self.now() - self.began, fraction - self.start
        estimate = elapsed * (1 - fraction) / done if done > self.LEAST else None
        return Progress(fraction, stage, self.settled(estimate, elapsed))

    def silent(self, fraction: float, stage: str) -> Progress:
        """Return Progress without a time left, and let the pace count from here.

        For what says nothing of the pace to come, such as reading a model for the first time.
        """
        self.skip(fraction)
        return Progress(fraction, stage)

    def settled(self, estimate: float | None, elapsed: float) -> float | None:
        """Return the seconds left to give: an estimate, on its way from what was given last.

        None before it means something.
        """
        now = self.now()
        if estimate is None or (self.last is None and elapsed < self.EARLIEST):
            return None
        if self.last is not None:
            when, before = self.last
            before = max(before - (now - when), 0.0)
            settling = 1 + self.SETTLING * max(estimate, before)
            estimate = before + (estimate - before) * -math.expm1((when - now) / settling)
        self.last = now, estimate
        return estimate


class Plan(Clock):
    """A Clock for a task in stages whose seconds on some machine are known.

    The bar is their share of the time; the time left is the present stage's at its own pace and the
    others' at the pace of all that was done.

    seconds: {stage: seconds expected}, in order. A stage's name is its words for the bar, unless
    others are given.
    """

    DOUBT = 3.0  # s of expected work: how much of the pace is believed to be as expected

    def __init__(self, seconds: dict[str, float], now: Callable[[], float] = time.monotonic):
        self.seconds = dict(seconds)
        self.stage, self.fraction = next(iter(self.seconds)), 0.0
        self.shown = 0.0  # the bar: never back, whatever else is expected meanwhile
        # Expected and true seconds of what this run itself did, before the present stage.
        self.done = self.elapsed = 0.0
        super().__init__(now)

    def skip(self, fraction: float, stage: str = '') -> None:
        """Take so much of a stage, by default the present one, as done by an earlier run."""
        self.move_to(stage or self.stage)
        self.began, self.start, self.fraction = self.now(), fraction, fraction

    def expect(self, seconds: float, stage: str) -> None:
        """Change what a stage to come is expected to take."""
        self.seconds[stage] = seconds

    def move_to(self, stage: str) -> None:
        """Go on to a stage: the present one is done, whether or not it said so."""
        if stage != self.stage:
            self.elapsed += self.now() - self.began
            self.done += self.seconds[self.stage] * (1 - self.start)
            self.stage, self.fraction, self.start, self.began = stage, 0.0, 0.0, self.now()

    def at(self, fraction: float, stage: str, words: str = '') -> Progress:
        """Return the Progress of a task of whose stage so much is done."""
        self.move_to(stage)
        self.fraction = max(fraction, self.fraction)
        names = list(self.seconds)
        here = self.seconds[stage]
        after = sum(self.seconds[name] for name in names[names.index(stage) + 1 :])
        total = sum(self.seconds.values())
        self.shown = max(self.shown, 1 - (here * (1 - self.fraction) + after) / total)
        return Progress(self.shown, words or stage, self.left(here, after, total))

    def left(self, here: float, after: float, total: float) -> float | None:
        """Return the seconds left.

        here, after, total: seconds that the present stage, those after it and all are expected to
        take.
        """
        taken, moved = self.now() - self.began, self.fraction - self.start
        done, elapsed = self.done + here * moved, self.elapsed + taken
        pace = (elapsed + self.DOUBT) / (done + self.DOUBT)
        rest = here * (1 - self.fraction) * pace
        if moved > 0:
            own = taken / moved * (1 - self.fraction)
            rest += (1 - (1 - moved) ** 4) * (own - rest)  # its own pace is soon known
        known = elapsed >= self.EARLIEST and done >= self.LEAST * total
        return self.settled(rest + after * pace if known or self.last else None, elapsed)


def relay(source: Iterator, change: Callable[[Any], B]) -> Generator[B, None, Any]:
    """Yield what a generator yields, changed, and return what it returns.

    It is closed when this one is.
    """
    try:
        while True:
            try:
                value = next(source)
            except StopIteration as stop:
                return stop.value
            yield change(value)
    finally:
        if isinstance(source, Generator):
            source.close()


def listen(work: Callable[[Callable[[float], None]], T]) -> Generator[float, None, T]:
    """Run `work(report)` in a thread and yield what it reports; return or raise what it does.

    Where the generator is closed (cancelled), the next report stops the work.
    """
    reports: queue.Queue = queue.Queue()
    gone = threading.Event()

    def report(fraction: float) -> None:
        if gone.is_set():
            raise ListenerGoneError
        reports.put(('report', fraction))

    def run() -> None:
        try:
            reports.put(('result', work(report)))
        except ListenerGoneError:
            pass
        except BaseException as error:  # noqa: BLE001 (all of them: raised again by the listener)
            reports.put(('error', error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = reports.get()
            if kind == 'result':
                return value
            if kind == 'error':
                raise value
            yield value
    finally:
        gone.set()
        thread.join(timeout=30)
