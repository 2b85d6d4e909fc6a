"""Damaged .npz files: every reader takes them, or refuses them in one sentence."""
from __future__ import annotations

import io

import numpy as np
from fuzzing import damaged, fuzzed, survives
from hypothesis import given

from facewright.engine.performance import read_performance
from facewright.engine.rig import read_rig

NAMES = np.array(['jawOpen', 'eyeBlink_L'])


def npz(**arrays) -> bytes:
    """The bytes of an .npz."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


RIG = dict(neutral=np.eye(4, 3, dtype=np.float32), expressions=np.ones((2, 4, 3), np.float32), names=NAMES,
           faces=np.array([[0, 1, 2, 3], [0, 1, 2, -1]], np.int32))
PERFORMANCE = dict(time=np.arange(3) / 30., weights=np.full((3, 2), .5, np.float32), names=NAMES, rotation=np.tile(np.eye(3), (3, 1, 1)),
                   translation=np.ones((3, 3)), fps=np.float64(30.))


@fuzzed
@given(data=damaged(npz(**RIG)))
def test_a_damaged_rig(tmp_path, data):
    path = tmp_path / 'rig.npz'
    path.write_bytes(data)
    survives(read_rig, path)


@fuzzed
@given(data=damaged(npz(**PERFORMANCE)))
def test_a_damaged_performance(tmp_path, data):
    path = tmp_path / 'performance.npz'
    path.write_bytes(data)
    survives(read_performance, path)


def test_the_valid_ones_are_read(tmp_path):
    for name, arrays, read in (('rig', RIG, read_rig), ('performance', PERFORMANCE, read_performance)):
        (tmp_path / name).write_bytes(npz(**arrays))
        assert survives(read, tmp_path / name) is not None
