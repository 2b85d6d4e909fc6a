"""What a running task tells whoever waits for it."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar('T')


@dataclass(frozen=True)
class Progress:
    """fraction: 0..1 of the whole task; stage: a few words for the bar; remaining: seconds left, None while unknown."""

    fraction: float
    stage: str
    remaining: float | None = None


class Stopped(Exception):
    """Raised inside work whose listener has gone."""


class Clock:
    """Turns fractions of a whole task into Progress with the time left, by the pace so far.

    Nothing is told before it means something: EARLIEST seconds and LEAST of the task. What is told
    moves towards a new estimate within some SETTLING of it, so that it never leaps up.
    """

    EARLIEST = 2.0  # s
    LEAST = 0.05  # of the task
    SETTLING = 0.04  # of the time left, and a second

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self.now = now
        self.told: tuple[float, float] | None = None  # when, seconds left
        self.skip(0.0)

    def skip(self, fraction: float) -> None:
        """So much is done already: the pace counts from here."""
        self.began, self.start = self.now(), fraction

    def at(self, fraction: float, stage: str) -> Progress:
        fraction = round(fraction, 9)  # so that sums of parts never go back by a rounding
        elapsed, done = self.now() - self.began, fraction - self.start
        estimate = elapsed * (1 - fraction) / done if done > self.LEAST else None
        return Progress(fraction, stage, self.settled(estimate, elapsed))

    def silent(self, fraction: float, stage: str) -> Progress:
        """Progress in what says nothing of the pace to come, such as reading a model for the first time: no time is told,
        and the pace counts from here."""
        self.skip(fraction)
        return Progress(fraction, stage)

    def settled(self, estimate: float | None, elapsed: float) -> float | None:
        """An estimate of the seconds left, on its way from what was told last; None before it means something."""
        now = self.now()
        if estimate is None or (self.told is None and elapsed < self.EARLIEST):
            return None
        if self.told is not None:
            when, before = self.told
            before = max(before - (now - when), 0.0)
            settling = 1 + self.SETTLING * max(estimate, before)
            estimate = before + (estimate - before) * -math.expm1((when - now) / settling)
        self.told = now, estimate
        return estimate


class Plan(Clock):
    """A Clock for a task in steps whose seconds on some machine are known: the bar is their share of the time, and the
    time left is the present step's at its own pace and the others' at the pace of all that was done.

    seconds: {step: seconds expected}, in order. A step's name is its stage for the bar, unless other words are given.
    """

    DOUBT = 3.0  # s of expected work: how much of the pace is believed to be as expected

    def __init__(self, seconds: dict[str, float], now: Callable[[], float] = time.monotonic):
        self.seconds = dict(seconds)
        self.step, self.fraction = next(iter(self.seconds)), 0.0
        self.shown = 0.0  # the bar: never back, whatever else is expected meanwhile
        self.done = self.elapsed = (
            0.0  # expected and true seconds of what this run itself did, before the present step
        )
        super().__init__(now)

    def skip(self, fraction: float, step: str = '') -> None:
        """So much of a step (the present one where none is named) was done by an earlier run."""
        self.move_to(step or self.step)
        self.began, self.start, self.fraction = self.now(), fraction, fraction

    def expect(self, seconds: float, step: str) -> None:
        """Change what a step to come is expected to take."""
        self.seconds[step] = seconds

    def move_to(self, step: str) -> None:
        """Go on to a step: the present one is done, whether or not it said so."""
        if step != self.step:
            self.elapsed += self.now() - self.began
            self.done += self.seconds[self.step] * (1 - self.start)
            self.step, self.fraction, self.start, self.began = step, 0.0, 0.0, self.now()

    def at(self, fraction: float, step: str, words: str = '') -> Progress:
        """fraction: of the step."""
        self.move_to(step)
        self.fraction = max(fraction, self.fraction)
        names = list(self.seconds)
        here, after = (
            self.seconds[step],
            sum(self.seconds[n] for n in names[names.index(step) + 1 :]),
        )
        total = sum(self.seconds.values())
        self.shown = max(self.shown, 1 - (here * (1 - self.fraction) + after) / total)
        return Progress(self.shown, words or step, self.left(here, after, total))

    def left(self, here: float, after: float, total: float) -> float | None:
        """Seconds left, where the present step and those after it are expected to take so many of so many in all."""
        taken, moved = self.now() - self.began, self.fraction - self.start
        done, elapsed = self.done + here * moved, self.elapsed + taken
        pace = (elapsed + self.DOUBT) / (done + self.DOUBT)
        rest = here * (1 - self.fraction) * pace
        if moved > 0:
            own = taken / moved * (1 - self.fraction)
            rest += (1 - (1 - moved) ** 4) * (own - rest)  # its own pace is soon known
        known = elapsed >= self.EARLIEST and done >= self.LEAST * total
        return self.settled(rest + after * pace if known or self.told else None, elapsed)


def listen(work: Callable[[Callable[[float], None]], T]) -> Generator[float, None, T]:
    """Run `work(report)` in a thread and yield what it reports; its return value is the generator's, its exception is raised here.

    Where the generator is closed (cancelled), the next report stops the work.
    """
    reports: queue.Queue = queue.Queue()
    gone = threading.Event()

    def report(fraction: float) -> None:
        if gone.is_set():
            raise Stopped
        reports.put(('report', fraction))

    def run() -> None:
        try:
            reports.put(('result', work(report)))
        except Stopped:
            pass
        except BaseException as error:  # handed to the listener
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
