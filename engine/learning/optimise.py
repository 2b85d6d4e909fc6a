"""The one optimiser loop: seeded, guarded against NaN, told of, stopped and resumed at any step."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

import torch

from ..core.errors import FacewrightError
from ..core.progress import Clock, Progress
from .checkpoint import Checkpoint, RunState, load, save

GIVEN_UP = (
    '{}: {} steps in a row, up to step {}, gave no finite numbers: '
    'take other footage or another part of it, and report this.'
)


@dataclass(frozen=True)
class OptimiseOptions:
    """How long an optimisation runs, and what it does when things go wrong."""

    steps: int
    seed: int = 0  # of all that the energy draws
    most_skipped: int = 10  # steps in a row without a finite loss and gradient, and it gives up
    checkpoint_every: int = 250  # steps


@dataclass(frozen=True)
class Step:
    """What the energy is told of the step at hand.

    number: from 0
    fraction: of all steps, 0..1: for windows and schedules
    generator: draw from this, and from nothing else, so that a run can be repeated and resumed
    """

    number: int
    fraction: float
    generator: torch.Generator


def warm_up(steps: int) -> Callable[[int], float]:
    """Return a schedule that rises to the full learning rate over the first steps."""
    return lambda number: min((number + 1) / steps, 1.0)


def optimise(
    energy: Callable[[Step], torch.Tensor],
    parameters: Mapping[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
    options: OptimiseOptions,
    *,
    stage: str = 'Optimising',
    schedule: Callable[[int], float] = lambda number: 1.0,
    checkpoint: Checkpoint | None = None,
) -> Generator[Progress, None, RunState]:
    """Minimise an energy by gradient steps; yields after each, returns how it went.

    The same seed, parameters and device give the same bits, however often the run was stopped.
    Closing the generator stops it at the step it has come to.

    energy: a scalar, differentiable in the parameters
    parameters: by name, all on one device; dict(module.named_parameters()) gives a network's
    optimiser: over these parameters
    stage: a few words for the bar
    schedule: a factor of the learning rates, by the step's number
    checkpoint: gone on from if it is there, written every options.checkpoint_every steps, at a stop
        and at the end; the caller deletes it

    Raises FacewrightError where options.most_skipped steps in a row have no finite gradient.
    """
    device = next(iter(parameters.values())).device
    generator = torch.Generator(device).manual_seed(options.seed)
    run = RunState()
    if checkpoint is not None:
        run = load(checkpoint, parameters, optimiser, generator) or run
    rates = [group['lr'] for group in optimiser.param_groups]
    clock = Clock()
    clock.skip(run.step / options.steps)
    saved = run.step

    def keep() -> None:
        nonlocal saved
        if checkpoint is not None and saved != run.step:
            save(checkpoint, parameters, optimiser, generator, run)
            saved = run.step

    try:
        while run.step < options.steps:
            _set_rates(optimiser, rates, schedule(run.step))
            step = Step(run.step, run.step / options.steps, generator)
            _take(step, energy, parameters, optimiser, run)
            if run.skipped_in_row >= options.most_skipped:
                raise FacewrightError(GIVEN_UP.format(stage, run.skipped_in_row, run.step))
            if run.step % options.checkpoint_every == 0:
                keep()
            yield clock.at(run.step / options.steps, stage)
        keep()
    except GeneratorExit:
        keep()
        raise
    finally:
        _set_rates(optimiser, rates, 1.0)
    return run


def _set_rates(optimiser: torch.optim.Optimizer, rates: list[float], factor: float) -> None:
    for group, rate in zip(optimiser.param_groups, rates):
        group['lr'] = rate * factor


def _take(
    step: Step,
    energy: Callable[[Step], torch.Tensor],
    parameters: Mapping[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
    run: RunState,
) -> None:
    """Take a step, or skip it where its loss or a gradient is not finite."""
    optimiser.zero_grad(set_to_none=True)
    with _deterministic(step.generator.device):
        loss = energy(step)
        usable = bool(torch.isfinite(loss))
        if usable:
            loss.backward()
            gradients = [p.grad for p in parameters.values() if p.grad is not None]
            usable = bool(torch.stack([torch.isfinite(g).all() for g in gradients]).all())
        if usable:
            optimiser.step()
    run.skipped_in_row = 0 if usable else run.skipped_in_row + 1
    run.losses.append(float(loss.detach()) if usable else math.nan)
    run.step += 1


@contextlib.contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Let CUDA add up in a fixed order, where PyTorch knows one; the processor does anyway."""
    if device.type != 'cuda':
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    before_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=before_warns)
