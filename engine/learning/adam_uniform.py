"""Adam with one second moment for a whole tensor.

Nicolet, Jacobson and Jakob, "Large Steps in Inverse Rendering of Geometry", 2021, section 3.4: Adam
divides each coordinate by its own root mean square, which undoes the smoothness that differential
coordinates give a gradient. Dividing by the largest keeps the gradient's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch


class AdamUniform(torch.optim.Optimizer):
    """Adam whose second moment is its maximum over each tensor.

    parameters: tensors, or groups of them as torch.optim takes them
    lr: length of a step, in the parameters' own unit: no coordinate moves much further
    betas: decay of the first and of the second moment
    eps: added to the root of the second moment
    """

    def __init__(
        self,
        parameters: Iterable,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-12,
    ):
        super().__init__(parameters, {'lr': lr, 'betas': betas, 'eps': eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], torch.Tensor] | None = None) -> torch.Tensor | None:
        """Take one step; a parameter without a gradient stays."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group['params']:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: torch.Tensor, group: dict) -> None:
        state, (b1, b2) = self.state[parameter], group['betas']
        if not state:
            state['step'] = torch.zeros(())  # on the processor, as torch's own optimisers keep it
            state['first'] = torch.zeros_like(parameter)
            state['second'] = torch.zeros_like(parameter)
        state['step'] += 1
        count = float(state['step'])
        state['first'].lerp_(parameter.grad, 1 - b1)
        state['second'].mul_(b2).addcmul_(parameter.grad, parameter.grad, value=1 - b2)
        largest = (state['second'].max() / (1 - b2**count)).sqrt()
        parameter -= group['lr'] / (1 - b1**count) * state['first'] / (largest + group['eps'])
