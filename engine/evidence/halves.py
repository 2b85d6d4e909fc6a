"""A term's frames linearised as two halves beside one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..core.threads import map_in_threads
from .parameters import System


def linearise_halves(
    linearise: Callable[[slice, System], None], count: int, system: System
) -> None:
    """Add what n frames say to a system: each half in a thread, with a system of its own.

    Always the same two halves, so that sums do not depend on the machine.

    linearise: adds what some frames say to a system
    """
    middle = -(-count // 2)
    halves = [half for half in (slice(0, middle), slice(middle, count)) if half.start < half.stop]

    def linearised(frames: slice) -> System:
        own = system.empty()
        linearise(frames, own)
        return own

    for half in map_in_threads(linearised, halves):
        system.add(half)


def chunks(frames: slice, size: int) -> Iterator[slice]:
    """Cut a run of frames into chunks: bounds memory."""
    for start in range(frames.start, frames.stop, size):
        yield slice(start, min(start + size, frames.stop))
