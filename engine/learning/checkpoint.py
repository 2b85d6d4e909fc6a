"""The state of an optimisation in a safetensors file: all that the next step depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file

from ..core.device import HOST
from ..core.files import replacing

FORMAT = 'facewright optimisation 1'


@dataclass(frozen=True)
class Checkpoint:
    """Where a state is kept, and what it belongs to.

    fingerprint: of the problem; a file is read again only for the same
    """

    path: Path
    fingerprint: str = ''


@dataclass
class RunState:
    """How far an optimisation has come.

    step: how many steps are done, skipped ones included
    losses: of each of them; NaN: skipped
    skipped_in_row: how many of the last steps were skipped
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    skipped_in_row: int = 0

    @property
    def skipped(self) -> int:
        """How many steps were skipped."""
        return sum(loss != loss for loss in self.losses)


def save(
    checkpoint: Checkpoint,
    parameters: Mapping[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    run: RunState,
) -> None:
    """Write weights, the optimiser's moments, the generator's state and the step, all or nothing.

    Raises FacewrightError where the file cannot be written.
    """
    tensors = {f'weights/{name}': value.detach() for name, value in parameters.items()}
    for number, state in optimiser.state_dict()['state'].items():
        tensors |= {f'optimiser/{number}/{key}': torch.as_tensor(v) for key, v in state.items()}
    tensors['random'] = generator.get_state()
    tensors['losses'] = torch.tensor(run.losses, dtype=torch.float64, device=HOST)
    metadata = {
        'format': FORMAT,
        'fingerprint': checkpoint.fingerprint,
        'step': str(run.step),
        'skipped_in_row': str(run.skipped_in_row),
    }
    alone = {name: value.cpu().contiguous().clone() for name, value in tensors.items()}
    with replacing(checkpoint.path) as temporary:
        save_file(alone, temporary, metadata)


def load(
    checkpoint: Checkpoint,
    parameters: Mapping[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> RunState | None:
    """Put back what `save` wrote; None, and nothing changed, where it belongs to something else.

    Something else: no such file, one that is damaged, other parameters, another fingerprint.
    """
    try:
        with safetensors.safe_open(checkpoint.path, 'pt') as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (OSError, safetensors.SafetensorError):
        return None
    shapes = {name: value.shape for name, value in parameters.items()}
    weights = _under('weights', tensors)
    if (
        (metadata.get('format'), metadata.get('fingerprint')) != (FORMAT, checkpoint.fingerprint)
        or {name: value.shape for name, value in weights.items()} != shapes
        or not {'random', 'losses'} <= tensors.keys()
    ):
        return None
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _under('optimiser', tensors).items():
        number, _, key = name.partition('/')
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict(
        {'state': state, 'param_groups': optimiser.state_dict()['param_groups']}
    )
    with torch.no_grad():
        for name, value in weights.items():
            parameters[name].copy_(value)
    generator.set_state(tensors['random'])
    return RunState(
        int(metadata['step']), tensors['losses'].tolist(), int(metadata['skipped_in_row'])
    )


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what is named prefix/NAME, by NAME."""
    start = f'{prefix}/'
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
