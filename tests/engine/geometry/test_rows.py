"""Distinct rows: NumPy's own answer, also where one number cannot tell them apart."""

import numpy as np
import pytest

from facewright.engine.geometry.rows import unique_rows


@pytest.mark.parametrize('kind', [np.int32, np.int64])
@pytest.mark.parametrize('columns', [1, 2, 3, 4])
@pytest.mark.parametrize('highest', [5, 2**31 - 1])
def test_the_same_as_numpy_s(kind, columns, highest):
    rng = np.random.default_rng(columns)
    rows = rng.integers(0, highest, (300, columns), dtype=kind)
    rows = np.concatenate([rows, rows[::3]])
    for asked in ({}, {'return_inverse': True}, {'return_inverse': True, 'return_counts': True}):
        found, expected = unique_rows(rows, **asked), np.unique(rows, axis=0, **asked)
        for one, other in zip(*((x if asked else (x,)) for x in (found, expected)), strict=True):
            np.testing.assert_array_equal(one.ravel(), other.ravel())
        assert asked or found.dtype == kind


def test_no_rows():
    assert unique_rows(np.zeros((0, 2), np.int32)).shape == (0, 2)
