"""Functions whose numpy kernels depend on memory addresses in the last bit, made repeatable."""

from __future__ import annotations

import numpy as np


def arctan2(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return np.arctan2 of arrays, the same bits on every call.

    Of strided input (a column of an N×3 array) numpy 1.26 picks its vector or its scalar kernel by
    where the result happens to lie in memory, and the two differ in the last bit.
    """
    return np.arctan2(np.asarray(y, order='C'), np.asarray(x, order='C'))
