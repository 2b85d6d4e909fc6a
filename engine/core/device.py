"""The one choice of what computes: the processor, or an NVIDIA card through CUDA.

What follows the choice is parallel all through, and gives the same bits in any order of its
threads: the renderer and all that draws with it, closest points and rays (`geometry.closest`),
crossings (`geometry.intersections`, `geometry.folds`), the nearest points of PRDL
(`evidence.prdl`), differential coordinates, and whatever `learning` optimises.

What stays on the HOST whatever the choice, because a card would make it slower or its results
would depend on the order of threads:

- what takes turns with scipy in float64, point after point: ARAP's rotations, untangling;
- what is one long sequence: farthest-point sampling;
- contacts of shape keys, which add up floats atomically;
- the tracking solver: float64, blocks of some hundred unknowns one after another, of which a card
  is no faster at any, and OpenCV's sampling of pictures beside it;
- MediaPipe's networks, which come for the processor alone.
"""

from __future__ import annotations

import os
from functools import lru_cache

from .errors import FacewrightError

CHOICES = ('auto', 'cpu', 'cuda')
VARIABLE = 'FACEWRIGHT_DEVICE'  # of the environment, so that child processes choose alike
HOST = 'cpu'


def set_device(choice: str) -> None:
    """Choose for this process and its children.

    choice: one of CHOICES; 'auto' takes CUDA where PyTorch and Warp both find it.

    Raises FacewrightError for another word.
    """
    os.environ[VARIABLE] = _checked(choice)


def device() -> str:
    """Return 'cpu' or 'cuda', as PyTorch and Warp both call them.

    Raises FacewrightError where CUDA is asked for and not there, or for a word that is no choice.
    """
    choice = _checked(os.environ.get(VARIABLE) or 'auto')
    if choice == HOST:
        return HOST
    missing = _cuda_missing()
    if missing is None:
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # its sums in a fixed order
        return 'cuda'
    if choice == 'cuda':
        raise FacewrightError(
            f'CUDA was asked for, and {missing}: choose the device "auto" or "cpu", '
            'or a Python whose PyTorch has CUDA on a machine with an NVIDIA card.'
        )
    return HOST


def check_device() -> None:
    """Raise FacewrightError at a task's start where what is chosen cannot be had.

    Costs nothing for 'auto' and 'cpu'.
    """
    if os.environ.get(VARIABLE) not in (None, '', 'auto', HOST):
        device()


def _checked(choice: str) -> str:
    if choice not in CHOICES:
        raise FacewrightError(
            f'"{choice}" is no device that can be chosen: choose {", ".join(CHOICES[:-1])} '
            f'or {CHOICES[-1]}.'
        )
    return choice


@lru_cache(maxsize=1)
def _cuda_missing() -> str | None:
    """Say what CUDA lacks here; None where it is ready. Asked once a process."""
    import warp

    warp.config.log_level = warp.LOG_ERROR  # it prints its start-up otherwise
    if not warp.is_cuda_available():
        return 'no NVIDIA driver is found'
    import torch

    if not torch.cuda.is_available():
        return f'this PyTorch ({torch.__version__}) has none'
    return None
