"""What a term of evidence is: one cost with two faces, for Gauss-Newton and for autograd."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from .parameters import System
from .state import State


class Term(ABC):
    """A part of the negative logarithm of a posterior.

    That its two faces agree is tested in tests/engine/evidence/test_terms.py.
    """

    @abstractmethod
    def linearise(self, state: State, system: System) -> None:
        """Add the cost, gradient and Gauss-Newton curvature at a state to the system."""

    @abstractmethod
    def energy(self, state: State) -> torch.Tensor:
        """Give the cost alone, a scalar that is differentiable by the state."""
