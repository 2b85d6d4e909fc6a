"""The loop: repeatable, resumable to the same bits, stopped at any step, not thrown by NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facewright.engine.core.device import device
from facewright.engine.core.errors import FacewrightError
from facewright.engine.learning.adam_uniform import AdamUniform
from facewright.engine.learning.checkpoint import Checkpoint, RunState
from facewright.engine.learning.networks import MLP
from facewright.engine.learning.optimise import OptimiseOptions, optimise, warm_up

OPTIMISERS = {'Adam': torch.optim.Adam, 'AdamUniform': AdamUniform}


class Problem:
    """A network that learns a sine from points drawn anew for every step."""

    def __init__(self, kind='Adam', seed=0):
        self.network = MLP((1, 16, 1), torch.Generator('cpu').manual_seed(5)).to(device())
        self.parameters = dict(self.network.named_parameters())
        self.optimiser = OPTIMISERS[kind](self.parameters.values(), lr=1e-2)
        self.seed, self.seen, self.broken = seed, [], ()

    def energy(self, step):
        x = torch.rand(64, 1, generator=step.generator, device=step.generator.device)
        self.seen.append((step.number, step.fraction, float(x[0])))
        loss = ((self.network(x) - torch.sin(3 * x)) ** 2).mean()
        return loss * torch.nan if step.number in self.broken else loss

    def run(self, steps, checkpoint=None, **options):
        return optimise(
            self.energy,
            self.parameters,
            self.optimiser,
            OptimiseOptions(steps, self.seed, **options),
            schedule=warm_up(5),
            checkpoint=checkpoint,
        )

    def weights(self):
        return torch.cat([p.detach().flatten().cpu() for p in self.parameters.values()]).numpy()


def finished(generator) -> tuple[list, RunState]:
    reports = []
    try:
        while True:
            reports.append(next(generator))
    except StopIteration as stop:
        return reports, stop.value


@pytest.mark.parametrize('kind', OPTIMISERS)
def test_forty_steps_at_once_are_twenty_and_twenty_more(kind, tmp_path):
    whole = Problem(kind)
    reports, run = finished(whole.run(40))
    assert run.step == 40 and run.skipped == 0 and run.losses[-1] < 0.3 * run.losses[0]
    assert [p.fraction for p in reports] == pytest.approx(np.arange(1, 41) / 40)
    place = Checkpoint(tmp_path / 'run.safetensors', 'sine')
    first = Problem(kind)
    going = first.run(40, place)
    for _ in range(20):
        next(going)
    going.close()  # a cancel, at any step
    second = Problem(kind)
    with torch.no_grad():
        for p in second.parameters.values():
            p.zero_()  # what it starts from does not count
    reports, resumed = finished(second.run(40, place))
    assert len(reports) == 20 and reports[0].fraction == pytest.approx(21 / 40)
    assert second.seen == whole.seen[20:]
    assert resumed.losses == run.losses
    assert (second.weights() == whole.weights()).all()
    third = Problem(kind)
    assert finished(third.run(40, place)) == ([], run)
    assert (third.weights() == whole.weights()).all()


def test_killed_between_checkpoints_goes_on_from_the_last(tmp_path):
    place = Checkpoint(tmp_path / 'run.safetensors')
    whole = Problem()
    finished(whole.run(12))
    killed = Problem()
    going = killed.run(12, place, checkpoint_every=4)
    for _ in range(7):
        next(going)
    kept = place.path.read_bytes()
    going.close()
    place.path.write_bytes(kept)
    second = Problem()
    finished(second.run(12, place))
    assert second.seen == whole.seen[4:] and (second.weights() == whole.weights()).all()


def test_a_seed_decides_all():
    runs = [Problem(seed=seed) for seed in (1, 1, 2)]
    for one in runs:
        finished(one.run(5))
    assert (runs[0].weights() == runs[1].weights()).all()
    assert (runs[0].weights() != runs[2].weights()).any()


def test_another_problem_s_checkpoint_or_a_damaged_one_is_not_gone_on_from(tmp_path):
    path = tmp_path / 'run.safetensors'
    finished(Problem().run(3, Checkpoint(path, 'one')))
    other = Problem()
    finished(other.run(3, Checkpoint(path, 'another')))
    assert len(other.seen) == 3
    path.write_bytes(path.read_bytes()[:-7])
    damaged = Problem()
    finished(damaged.run(3, Checkpoint(path, 'another')))
    assert len(damaged.seen) == 3 and damaged.seen == other.seen
    wider = Problem()
    wider.network = MLP((1, 17, 1), torch.Generator('cpu').manual_seed(5)).to(device())
    wider.parameters = dict(wider.network.named_parameters())
    wider.optimiser = torch.optim.Adam(wider.parameters.values())
    finished(wider.run(3, Checkpoint(path, 'another')))
    assert len(wider.seen) == 3


def test_a_step_that_is_not_finite_is_skipped_and_counted():
    problem = Problem()
    problem.broken = (3, 4, 9)
    going = problem.run(12, most_skipped=3)
    before = None
    for number in range(12):
        next(going)
        if number in problem.broken:
            assert (problem.weights() == before).all()
        before = problem.weights()
    with pytest.raises(StopIteration) as stop:
        next(going)
    run = stop.value.value
    assert run.skipped == 3 and run.skipped_in_row == 0
    assert np.isnan(run.losses).nonzero()[0].tolist() == [3, 4, 9]
    assert np.isfinite(problem.weights()).all()


def test_a_gradient_that_is_not_finite_is_skipped_too():
    x = torch.zeros(2, device=device(), requires_grad=True)  # √ has no slope at 0
    loop = optimise(
        lambda step: (x**2).sum().sqrt(),
        {'x': x},
        torch.optim.SGD([x], lr=0.1),
        OptimiseOptions(5, most_skipped=6),
    )
    _, run = finished(loop)
    assert run.skipped == 5 and x.tolist() == [0, 0]


def test_it_gives_up_with_a_sentence():
    problem = Problem()
    problem.broken = range(2, 100)
    going = problem.run(50, most_skipped=4)
    with pytest.raises(FacewrightError, match='4 steps in a row, up to step 6, gave no finite'):
        finished(going)


def test_the_learning_rates_are_put_back_and_follow_the_schedule():
    x = torch.zeros(1, device=device(), requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=1.0)
    going = optimise(
        lambda step: x.sum(), {'x': x}, optimiser, OptimiseOptions(4), schedule=warm_up(4)
    )
    places = []
    for _ in range(4):
        next(going)
        places.append(float(x))
    finished(going)
    assert places == [-0.25, -0.75, -1.5, -2.5]
    assert optimiser.param_groups[0]['lr'] == 1.0
