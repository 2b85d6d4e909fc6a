"""Levenberg-Marquardt over a sum of terms whose normal equations have the shape of an arrow.

It knows nothing of faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from ..evidence.parameters import FreeParameters, System, empty_system
from ..evidence.point_basis import DTYPE
from ..evidence.state import State
from ..evidence.term import Term
from .arrow import solve_arrow

# Of a first step, and the least: the quadratic holds well. More would hold what only differences of
# nodes or of many points show (a head's slow way in depth, its shape): .001 of a clip's depth prior
# costs twelve steps in place of five.
DAMPING = 1e-6
HARDER, EASIER = 8, 4  # factors of the damping after a step that failed, and one that did not
TRIES = 6  # steps tried from one linearisation
PASSES = 3  # of finding which unknowns a step puts on their bounds

Step = tuple[torch.Tensor, torch.Tensor]  # of K nodes' m unknowns, of the G shared ones


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


def hold(system: System, held: torch.Tensor, damping: float) -> System:
    """Make the damped equations in which held unknowns (K×m bool) stand alone."""
    live = (~held).to(DTYPE)
    second = system.second
    diagonal = _between_live(damped(system.diagonal, damping), live, live)
    diagonal.diagonal(dim1=1, dim2=2).add_(1 - live)
    return replace(
        system,
        diagonal=diagonal,
        upper=_between_live(system.upper.clone(), live[:-1], live[1:]),
        second=None if second is None else _between_live(second.clone(), live[:-2], live[2:]),
        border=system.border * live[:, :, None],
        corner=damped(system.corner, damping),
    )


def _between_live(blocks: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Leave in K blocks m×m, in place, what lies between live unknowns (K×m: 1, else 0)."""
    return blocks.mul_(rows[:, :, None]).mul_(columns[:, None, :])


def times(system: System, step: torch.Tensor, shared: torch.Tensor) -> Step:
    """Multiply the curvature by a step of the nodes (K×m) and of what is shared (G)."""
    out = _by_node(system.diagonal, step) + system.border @ shared
    for gap, blocks in ((1, system.upper), (2, system.second)):
        if blocks is not None:
            out[:-gap] += _by_node(blocks, step[gap:])
            out[gap:] += _by_node(blocks.mT, step[:-gap])
    return out, torch.einsum('kig,ki->g', system.border, step) + system.corner @ shared


def _by_node(blocks: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Multiply K blocks m×m by K×m: eight times as fast as as many products of matrices."""
    return (blocks * step[:, None, :]).sum(2)


def bounded_step(system: System, room: Step, damping: float) -> Step:
    """Minimise the damped quadratic within bounds: the step of the nodes K×m and of what is shared.

    A primal-dual active set: what would leave its bounds is put on them, what would come back from
    them is let go, until neither happens (Hintermüller, Ito and Kunisch, "The primal-dual active
    set strategy as a semismooth Newton method", 2002).

    room: how far each unknown of a node may go down and up, K×m each
    """
    low, high = room
    held = ((low >= 0) & (system.gradient > 0)) | ((high <= 0) & (system.gradient < 0))
    fixed = torch.zeros_like(system.gradient)
    for _ in range(PASSES):
        equations = hold(system, held, damping)
        pull = times(system, fixed, torch.zeros_like(system.gradient_shared))
        right = torch.where(held, fixed, -(system.gradient + pull[0]))
        step, shared = solve_arrow(
            equations.diagonal,
            equations.upper,
            equations.border,
            equations.corner,
            right,
            -(system.gradient_shared + pull[1]),
            equations.second,
            equations.eliminated,
        )
        slope = system.gradient + times(system, step, shared)[0]
        stays = held & torch.where(fixed <= low, slope > 0, slope < 0)
        now_held = stays | (~held & ((step < low) | (step > high)))
        if bool((now_held == held).all()):
            break
        held = now_held
        fixed = torch.where(held, step.clamp(low, high), 0.0)
    return step, shared


def damped(blocks: torch.Tensor, damping: float) -> torch.Tensor:
    """Raise the diagonals of …×m×m blocks, in a copy, as Marquardt does."""
    out = blocks.clone()
    out.diagonal(dim1=-2, dim2=-1).mul_(1 + damping).add_(1e-9)
    return out


def solve(
    problem: Problem,
    state: State,
    iterations: int,
    tolerance: float,
    damping: float = DAMPING,
) -> Iterator[State]:
    """Minimise a problem, bounded unknowns by an active set.

    A generator of the state after each accepted step.

    tolerance: the relative fall of the cost in one step at which it stops.
    damping: of the first step, a part of each unknown's curvature.
    """
    parameters = problem.parameters
    for _ in range(iterations):
        system = linearise(problem, state)
        room = parameters.room(state)
        for _ in range(TRIES):
            step = bounded_step(system, room, damping)
            tried = parameters.retract(state, *step)
            new_cost = cost(problem, tried)
            if np.isfinite(new_cost) and new_cost < system.cost:
                break
            damping *= HARDER
        else:
            return
        damping = max(damping / EASIER, DAMPING)
        state = tried
        yield state
        if system.cost - new_cost < tolerance * abs(system.cost):
            return
