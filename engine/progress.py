"""What a running task tells whoever waits for it."""
from __future__ import annotations

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
    """Turns fractions of a whole task into Progress with the time left, by the pace so far."""

    def __init__(self):
        self.skip(0.)

    def skip(self, fraction: float) -> None:
        """So much is done already: the pace counts from here."""
        self.began, self.start = time.monotonic(), fraction

    def at(self, fraction: float, stage: str) -> Progress:
        elapsed, done = time.monotonic() - self.began, fraction - self.start
        known = done > .04 and elapsed > 1.5
        return Progress(fraction, stage, elapsed * (1 - fraction) / done if known else None)


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
