"""The cubic that rises smoothly from 0 to 1."""

from __future__ import annotations

import numpy as np


def smoothstep(x, low: float = 0.0, high: float = 1.0):
    """Rise smoothly from 0 at `low` to 1 at `high`, for a number or an array; of its precision."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
