"""Rows of whole numbers (edges, faces) told apart, by one number each."""

from __future__ import annotations

import numpy as np

LARGEST_KEY = 2.0**62


def unique_rows(rows: np.ndarray, **asked: bool):
    """Find the distinct rows, in order, of N×k whole numbers that are not below 0.

    The same as np.unique(rows, axis=0, **asked) to the bit, which compares rows as strings of
    bytes and takes ten times as long.

    asked: return_inverse, return_counts, of np.unique
    """
    width = int(rows.max(initial=0)) + 1
    if float(width) ** rows.shape[1] > LARGEST_KEY:
        return np.unique(rows, axis=0, **asked)
    key = np.zeros(len(rows), np.int64)
    for column in rows.T:
        key = key * width + column
    found = np.unique(key, **asked)
    key, *others = found if isinstance(found, tuple) else (found,)
    distinct = np.empty((len(key), rows.shape[1]), rows.dtype)
    for k in reversed(range(rows.shape[1])):
        key, distinct[:, k] = np.divmod(key, width)
    return (distinct, *others) if others else distinct
