"""What a running task tells whoever waits for it."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """fraction: 0..1 of the whole task; stage: a few words for the bar; remaining: seconds left, None while unknown."""
    fraction: float
    stage: str
    remaining: float | None = None
