"""Steps in a pipeline: their share of the bar, what is loaded of an earlier run, what is kept."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from facewright.engine.core import store
from facewright.engine.core.pipeline import Pipeline, StageProgress, Step, expected_seconds
from facewright.engine.core.store import RESUMED, CheckpointStore


@dataclass
class State:
    """What two steps find; `log` says what was done."""

    sizes: tuple[int, ...] = (2, 3)
    numbers: list[float] = field(default_factory=list)
    total: float = 0.0
    log: list[str] = field(default_factory=list)


def count_all(state: State) -> list[Step[State]]:
    """One step for each size."""

    def make(index: int) -> Step[State]:
        size = state.sizes[index]

        def run(state):
            state.log.append(f'counted {index}')
            for k in range(size):
                yield StageProgress((k + 1) / size, f'Counting {index}')
            state.numbers.append(float(size))

        return Step(
            'count',
            run,
            lambda state: {f'Counting {index}': 10.0 * size},
            f'count_{index}',
            lambda state: {'number': np.array(state.numbers[index])},
            lambda state, arrays: state.numbers.append(float(arrays['number'])),
        )

    return [make(index) for index in range(len(state.sizes))]


def _add(state):
    state.log.append('added')
    yield StageProgress(0.5, 'Adding', 'Adding up')
    state.total = sum(state.numbers)


add = Step[State]('add', _add, lambda state: {'Adding': 50.0})
STEPS = (count_all, add)


class Time:
    """A clock that goes on by a second whenever it is asked."""

    seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(store, 'cache_folder', lambda: tmp_path)
    return CheckpointStore('a run')


def test_steps_fill_the_state_and_the_bar_by_their_seconds():
    pipeline = Pipeline(STEPS, state := State(), Time())
    seen = list(pipeline.run(STEPS))
    assert state.total == 5 and state.log == ['counted 0', 'counted 1', 'added']
    assert expected_seconds(STEPS, state) == {'Counting 0': 20, 'Counting 1': 30, 'Adding': 50}
    assert [p.fraction for p in seen] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.75])
    assert seen[-1].stage == 'Adding up' and seen[-1].remaining is not None
    assert list(pipeline.spent) == ['count', 'add'] and pipeline.spent['count'] > 0


def test_a_stopped_run_goes_on_from_its_checkpoints(checkpoints):
    running = Pipeline(STEPS, State()).run(STEPS, checkpoints)
    assert next(p for p in running if p.stage == 'Counting 1').fraction == pytest.approx(0.3)
    running.close()
    seen = list(Pipeline(STEPS, state := State()).run(STEPS, CheckpointStore('a run')))
    assert state.log == ['counted 1', 'added'] and state.total == 5
    assert seen[0].stage == RESUMED and seen[0].fraction == pytest.approx(0.2)
    list(Pipeline(STEPS, state := State()).run(STEPS, CheckpointStore('a run')))
    assert state.log == ['added'] and state.total == 5


def test_another_run_finds_nothing(checkpoints):
    list(Pipeline(STEPS, State()).run(STEPS, checkpoints))
    list(Pipeline(STEPS, state := State()).run(STEPS, CheckpointStore('another')))
    assert state.log == ['counted 0', 'counted 1', 'added']


def test_what_a_step_expects_is_asked_again_when_its_turn_comes():
    later = Step[State]('later', _add, lambda state: {'Adding': 10.0 if state.numbers else 1000.0})
    steps = (count_all, later)
    seen = list(Pipeline(steps, State()).run(steps))
    assert seen[0].fraction < 0.02 and seen[-1].fraction == pytest.approx(55 / 60)


def test_a_closed_pipeline_closes_its_step():
    closed = []

    def run(state):
        try:
            yield StageProgress(0.5, 'Waiting')
        finally:
            closed.append(True)

    steps = (Step[State]('wait', run, lambda state: {'Waiting': 1.0}),)
    running = Pipeline(steps, State()).run(steps)
    next(running)
    running.close()
    assert closed == [True]
