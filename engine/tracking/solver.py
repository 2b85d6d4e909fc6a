"""Levenberg-Marquardt over a sum of terms whose normal equations have the shape of an arrow.

It knows nothing of faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from ..evidence.parameters import FreeParameters, System, empty_system
from ..evidence.point_basis import DTYPE
from ..evidence.state import State
from ..evidence.term import Term
from .arrow import solve_arrow

FIRST_DAMPING, LEAST_DAMPING = 1e-3, 1e-6
HARDER, EASIER = 8, 4  # factors of the damping after a step that failed, and one that did not
TRIES = 6  # steps tried from one linearisation


class Problem(Protocol):
    """A sum of terms to minimise by its free parameters and every node of a trajectory."""

    @property
    def terms(self) -> tuple[Term, ...]: ...

    @property
    def parameters(self) -> FreeParameters: ...


def linearise(problem: Problem, state: State) -> System:
    """Sum all terms' cost, gradient and Gauss-Newton curvature at one state."""
    count, size = state.nodes_and_unknowns
    system = empty_system(problem.parameters, count, size)
    for term in problem.terms:
        term.linearise(state, system)
    problem.parameters.add_gauge(system.corner)
    return system


def cost(problem: Problem, state: State) -> float:
    """Sum all terms' cost alone."""
    with torch.no_grad():
        return sum(float(term.energy(state)) for term in problem.terms)


def hold(system: System, pinned: torch.Tensor) -> None:
    """Take pinned unknowns (K×m bool) out of the equations: their step becomes 0."""
    live = (~pinned).to(DTYPE)
    system.diagonal = system.diagonal * live[:, :, None] * live[:, None, :] + torch.diag_embed(
        1 - live
    )
    system.upper = system.upper * live[:-1, :, None] * live[1:, None, :]
    if system.second is not None:
        system.second = system.second * live[:-2, :, None] * live[2:, None, :]
    system.border = system.border * live[:, :, None]
    system.gradient = system.gradient * live


def damped(blocks: torch.Tensor, damping: float) -> torch.Tensor:
    """Raise the diagonals of …×m×m blocks as Marquardt does."""
    return blocks + torch.diag_embed(blocks.diagonal(dim1=-2, dim2=-1) * damping + 1e-9)


def solve(problem: Problem, state: State, iterations: int, tolerance: float) -> Iterator[State]:
    """Minimise a problem, bounded unknowns by an active set.

    A generator of the state after each accepted step.

    tolerance: the relative fall of the cost in one step at which it stops.
    """
    parameters, damping = problem.parameters, FIRST_DAMPING
    for _ in range(iterations):
        system = linearise(problem, state)
        hold(system, parameters.at_bounds(state, system.gradient))
        for _ in range(TRIES):
            step = solve_arrow(
                damped(system.diagonal, damping),
                system.upper,
                system.border,
                damped(system.corner, damping),
                -system.gradient,
                -system.gradient_shared,
                system.second,
            )
            tried = parameters.retract(state, *step)
            new_cost = cost(problem, tried)
            if np.isfinite(new_cost) and new_cost < system.cost:
                break
            damping *= HARDER
        else:
            return
        damping = max(damping / EASIER, LEAST_DAMPING)
        state = tried
        yield state
        if system.cost - new_cost < tolerance * abs(system.cost):
            return
