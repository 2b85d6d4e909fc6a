"""The bar and the time told: of clocks in thin air, and of runs that were recorded."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facewright.engine.core.pipeline import expected_seconds
from facewright.engine.core.progress import Clock, Plan

RECORDED = json.loads(
    Path(__file__).with_name('recorded_progress.json').read_text(encoding='utf-8')
)
FACTOR, ROUNDED = 1.5, 2.5  # what is told is rounded to 5 s in Blender


class Time:
    """A clock that a test sets."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def told(clock, time, steps):
    """What a clock tells: [(seconds, Progress)] of [(seconds, *arguments of `at`)]."""
    out = []
    for seconds, *arguments in steps:
        time.seconds = seconds
        out.append((seconds, clock.at(*arguments)))
    return out


def test_nothing_is_told_before_it_means_something():
    clock = Clock(time := Time())
    found = told(clock, time, [(0.1, 0.01, 'a'), (1.9, 0.3, 'a'), (2.1, 0.32, 'a')])
    assert [p.remaining is None for _, p in found] == [True, True, False]
    plan = Plan({'a': 10.0, 'b': 90.0}, time := Time())
    found = told(plan, time, [(1.0, 0.4, 'a'), (3.0, 0.45, 'a'), (6.0, 0.6, 'a')])
    assert [p.remaining is None for _, p in found] == [True, True, False]


def test_reading_a_model_for_the_first_time_says_nothing_of_the_pace():
    """Told as the rest's pace, 20 s for .06 of the bar made 5 minutes of 20 s."""
    clock = Clock(time := Time())
    time.seconds = 20.0
    assert clock.silent(0.06, 'Finding the landmarks on the model').remaining is None
    assert clock.silent(0.08, 'Finding the landmarks on the model').remaining is None
    found = told(clock, time, [(20.0 + k, 0.08 + 0.046 * k, 'Fitting') for k in range(1, 20)])
    assert found[0][1].remaining is None
    assert all(abs(p.remaining - (40 - seconds)) < 2 for seconds, p in found[2:])


def test_a_plan_s_bar_is_its_share_of_the_time():
    plan = Plan({'a': 10.0, 'b': 30.0, 'c': 60.0}, Time())
    assert plan.at(0.5, 'a').fraction == pytest.approx(0.05)
    assert plan.at(0.0, 'b').fraction == pytest.approx(0.1)
    assert plan.at(1.0, 'b', 'Other words') == Plan({'b': 40.0, 'c': 60.0}, Time()).at(
        1.0, 'b', 'Other words'
    )
    assert plan.at(0.2, 'b').fraction == pytest.approx(0.4)  # never back
    assert plan.at(0.5, 'c').fraction == pytest.approx(0.7)
    plan.expect(200.0, 'c')
    assert plan.at(0.6, 'c').fraction == pytest.approx(
        0.7
    )  # nor where more is to be done than was thought
    assert plan.at(1.0, 'c').fraction == pytest.approx(1.0)


@pytest.mark.parametrize('slower', [0.4, 1.0, 3.0])
def test_a_machine_s_own_pace_is_found(slower):
    plan = Plan({'a': 20.0, 'b': 60.0, 'c': 20.0}, time := Time())
    steps = [
        (slower * (begin + 10 * k * length / 100), k / 10, step)
        for begin, length, step in ((0, 20, 'a'), (20, 60, 'b'), (80, 20, 'c'))
        for k in range(11)
    ]
    for seconds, progress in told(plan, time, steps):
        left = 100 * slower - seconds
        if seconds > 20 * slower and left > 4 * slower:
            assert left / 1.35 < progress.remaining < 1.35 * left


def test_what_an_earlier_run_did_says_nothing_of_the_pace():
    plan = Plan({'a': 50.0, 'b': 50.0}, time := Time())
    plan.skip(1.0, 'a')
    assert plan.at(1.0, 'a').remaining is None
    plan.skip(0.5, 'b')
    found = told(plan, time, [(0.1, 0.5, 'b'), (10.0, 0.75, 'b'), (15.0, 0.875, 'b')])
    assert found[0][1].fraction == pytest.approx(0.75)
    assert found[2][1].remaining == pytest.approx(5.0, rel=0.3)


def test_the_time_told_never_leaps_up():
    """A step that is stuck: its estimate rises by no more than the time that passes allows."""
    plan = Plan({'a': 10.0, 'b': 10.0}, time := Time())
    last = None
    for seconds in range(1, 40):
        time.seconds = float(seconds)
        remaining = plan.at(min(0.1 * seconds, 0.5), 'a').remaining
        if last is not None:
            assert remaining < last + 8
        last = remaining
    plan = Plan({'a': 10.0, 'b': 100.0}, time := Time())
    found = told(plan, time, [(5.0, 0.9, 'a'), (5.1, 0.9, 'a'), (5.2, 0.9, 'a')])
    assert found[2][1].remaining <= found[0][1].remaining + 1


@pytest.mark.parametrize('run', RECORDED, ids=[run['what'] for run in RECORDED])
def test_the_time_told_was_true(run):
    """Runs recorded on two cores (seconds since the footage was open, stage, fraction of it).

    The machine was busy with others: they are seconds of the program's own processor.
    """
    from facewright.engine.tasks.qualities import OPENING, QUALITIES
    from facewright.engine.tasks.steps import Reconstruction, Request

    footage = SimpleNamespace(
        views=[
            SimpleNamespace(name=name, times=np.arange(frames), size=size)
            for name, frames, size in run['views']
        ]
    )
    quality = QUALITIES[run['quality']]
    steps = (*OPENING, *quality.finding, *quality.writing)
    state = Reconstruction(Request(quality=run['quality']), quality, footage)
    plan = Plan(expected_seconds(steps, state), time := Time())
    found = told(
        plan, time, [(seconds, fraction, stage) for seconds, stage, fraction in run['rows']]
    )
    fractions = [p.fraction for _, p in found]
    assert fractions == sorted(fractions)
    for seconds, progress in found:
        left = run['total'] - seconds
        assert (
            abs(progress.fraction - seconds / run['total']) < 0.2
        )  # the bar is a share of the time
        if progress.remaining is None:
            assert seconds < max(0.1 * run['total'], 2.6)  # or before it means something
        elif seconds >= 0.1 * run['total']:
            assert (
                left / FACTOR <= progress.remaining <= FACTOR * left
                or abs(progress.remaining - left) <= ROUNDED
            )
