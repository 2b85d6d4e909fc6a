"""How many threads PyTorch works in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int | None = None) -> Iterator[None]:
    """Let PyTorch work in `count` threads for a while; None: in half as many as there are cores.

    Where matrices are small OpenMP's threads wait more than they work, and they wait by spinning,
    which on a busy machine costs ten times what they bring.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or max(1, (os.cpu_count() or 2) // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)
