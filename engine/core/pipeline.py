"""A long task as a list of steps, each with its share of the bar and a checkpoint of what it found.

A pipeline's list of steps is its table of contents. Each step reads and fills one state, a
dataclass of the task's own; the pipeline gives the bar and the time left (progress.Plan), loads
what an earlier run of the same has found, and keeps what this one finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from .progress import Plan, Progress
from .store import RESUMED, CheckpointStore

State = TypeVar('State')
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StageProgress:
    """How far one stage of a task is.

    fraction: 0..1. stage: its name, and its words for the bar unless others are given.
    resumed: an earlier run had come so far, which says nothing of this one's pace.
    """

    fraction: float
    stage: str
    words: str = ''
    resumed: bool = False


Work = Generator[StageProgress, None, None]


@dataclass(frozen=True)
class Step(Generic[State]):
    """One step of a pipeline.

    phase: the name its seconds are counted under; several steps may share it. run: does the work, a
    generator of StageProgress that reads and fills the state. seconds: what the work is expected to
    take, {stage: seconds} in order, by which it gets its share of the bar; asked before the first
    step, and again when its turn has come. checkpoint: the name under which `save`'s arrays are
    kept, for `load` to fill the state from; '' where there is nothing to keep, or `run` keeps it
    piece by piece.
    """

    phase: str
    run: Callable[[State], Work]
    seconds: Callable[[State], dict[str, float]]
    checkpoint: str = ''
    save: Callable[[State], Arrays] = lambda state: {}
    load: Callable[[State, Arrays], None] = lambda state, arrays: None


# Steps of which there are as many as the footage has views, say, are made for the state.
Steps = Sequence[Step[State] | Callable[[State], Sequence[Step[State]]]]


class Pipeline(Generic[State]):
    """Runs steps on a state, one list of them after the other.

    steps: all of them, for the bar. spent: {phase: seconds it took}, for reports.
    """

    def __init__(
        self,
        steps: Steps[State],
        state: State,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state, self.now = state, now
        self.plan = Plan(expected_seconds(steps, state), now)
        self.spent: dict[str, float] = {}

    def run(
        self, steps: Steps[State], checkpoints: CheckpointStore | None = None
    ) -> Iterator[Progress]:
        """Run some of the steps: a generator of Progress.

        checkpoints: where steps that have a checkpoint are loaded from and saved to; None: nowhere.
        """
        for step in expand(steps, self.state):
            began = self.now()
            for stage, seconds in step.seconds(self.state).items():
                self.plan.expect(seconds, stage)
            yield from self._run_step(step, checkpoints if step.checkpoint else None)
            self.spent[step.phase] = self.spent.get(step.phase, 0.0) + self.now() - began

    def _run_step(self, step: Step[State], checkpoints: CheckpointStore | None):
        found = checkpoints.read(step.checkpoint) if checkpoints else None
        if found is not None:
            step.load(self.state, found)
            for stage in step.seconds(self.state):
                yield self._progress(StageProgress(1.0, stage, RESUMED, resumed=True))
            return
        for progress in step.run(self.state):
            yield self._progress(progress)
        if checkpoints:
            checkpoints.write(step.checkpoint, **step.save(self.state))

    def _progress(self, progress: StageProgress) -> Progress:
        if progress.resumed:
            self.plan.skip(progress.fraction, progress.stage)
        return self.plan.at(progress.fraction, progress.stage, progress.words)


def expand(steps: Steps[State], state: State) -> Iterator[Step[State]]:
    """Yield the steps for a state, those that are made for it among them."""
    for one in steps:
        yield from [one] if isinstance(one, Step) else one(state)


def expected_seconds(steps: Steps[State], state: State) -> dict[str, float]:
    """Return the stages of steps in order, {stage: seconds expected}."""
    out = {}
    for step in expand(steps, state):
        out |= step.seconds(state)
    return out
