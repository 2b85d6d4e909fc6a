"""rig.npz: what comes back is what was written, and other programs find ICT's names alone."""

import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model.expressions import EXPRESSION_NAMES, ICT_NAMES
from facewright.engine.formats.rig import Rig, read_rig, write_rig

FACES = np.array([[0, 1, 2, 3], [0, 1, 2, -1]], np.int32)


def rig(names) -> Rig:
    shapes = np.random.default_rng(0).normal(size=(len(names), 4, 3)).astype(np.float32)
    return Rig(np.eye(4, 3, dtype=np.float32), shapes, tuple(names), FACES)


@pytest.mark.parametrize(
    'names',
    [EXPRESSION_NAMES, ICT_NAMES, ('jawOpen', 'tongueOut', 'eyeBlink_L'), ('tongueOut',), ()],
)
def test_every_shape_comes_back_at_its_place(tmp_path, names):
    write_rig(tmp_path / 'rig.npz', rig(names))
    back = read_rig(tmp_path / 'rig.npz')
    assert back.names == tuple(names)
    np.testing.assert_array_equal(back.expressions, rig(names).expressions)


def test_names_are_those_footage_tells_of(tmp_path):
    write_rig(tmp_path / 'rig.npz', rig(EXPRESSION_NAMES))
    arrays = np.load(tmp_path / 'rig.npz')
    assert tuple(arrays['names']) == ICT_NAMES and len(arrays['expressions']) == len(ICT_NAMES)


def test_a_rig_of_before_tongue_out_is_read(tmp_path):
    whole = rig(ICT_NAMES)
    np.savez(
        tmp_path / 'rig.npz',
        neutral=whole.neutral,
        expressions=whole.expressions,
        names=np.array(whole.names),
        faces=whole.faces,
    )
    assert read_rig(tmp_path / 'rig.npz').names == ICT_NAMES


@pytest.mark.parametrize('places', [[-1], [[0]], [0.5]])
def test_places_that_are_none_are_one_sentence(tmp_path, places):
    write_rig(tmp_path / 'rig.npz', rig(EXPRESSION_NAMES))
    arrays = dict(np.load(tmp_path / 'rig.npz')) | {'untracked_places': np.array(places)}
    np.savez(tmp_path / 'rig.npz', **arrays)
    with pytest.raises(FacewrightError, match='untracked'):
        read_rig(tmp_path / 'rig.npz')
