"""Damaged .npz files: read, or refused in one sentence; what is read can be used."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from fuzzing import damaged, damaged_arrays, fuzzed, survives
from hypothesis import given

from facewright.engine.core.files import read_npz
from facewright.engine.core.store import CheckpointStore
from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.face_model.model import FaceModel
from facewright.engine.face_model.store import read_model, write_model
from facewright.engine.formats.performance import read_performance
from facewright.engine.formats.rig import read_rig
from facewright.engine.shape_keys.tetrahedra import Flesh, read_flesh, write_flesh
from facewright.engine.tasks.inputs import read_edits, read_mask
from facewright.engine.texture.part_iou import read_parts

NAMES = np.array(['jawOpen', 'eyeBlink_L'])
V = 6


def npz(arrays: dict) -> bytes:
    """The bytes of an .npz."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


RIG = {
    'neutral': np.eye(4, 3, dtype=np.float32),
    'expressions': np.ones((2, 4, 3), np.float32),
    'names': NAMES,
    'faces': np.array([[0, 1, 2, 3], [0, 1, 2, -1]], np.int32),
    'untracked_names': np.array(['tongueOut']),
    'untracked_expressions': np.ones((1, 4, 3), np.float32),
    'untracked_places': np.array([1], np.int32),
}
PERFORMANCE = {
    'time': np.arange(3) / 30.0,
    'weights': np.full((3, 2), 0.5, np.float32),
    'names': NAMES,
    'rotation': np.tile(np.eye(3), (3, 1, 1)),
    'translation': np.ones((3, 3)),
    'fps': np.float64(30.0),
}
PARTS = {'left': np.zeros((2, 4, 5), np.uint8)}
MASK = {'mask': np.ones(V, bool)}
EDITS = {
    'names': NAMES,
    'before': np.zeros((2, V, 3), np.float32),
    'edited': np.ones((2, V, 3), np.float32),
}
MODEL = FaceModel(
    name='ict',
    neutral=np.arange(3.0 * V, dtype=np.float32).reshape(V, 3),
    faces=np.array([[0, 1, 2, 3], [3, 4, 5, -1]], np.int32),
    names=ICT_NAMES,
    expressions=np.ones((len(ICT_NAMES), V, 3), np.float32),
    identities=np.ones((2, V, 3), np.float32),
    uvs=np.zeros((4, 2), np.float32),
    face_uvs=np.array([[0, 1, 2, 3], [0, 1, 2, -1]], np.int32),
    materials=('Face', 'Teeth'),
    face_materials=np.array([0, 1], np.uint8),
    regions={'face': np.arange(3, dtype=np.int32)},
    landmarks68=np.zeros(68, np.int32),
    extra={'lips': np.ones(V, np.float32)},
)
FLESH = Flesh(np.arange(3), np.zeros((1, 3)), np.array([[0, 1, 2, V]]), np.zeros((4, 3)), V)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder for the files, which is also a capture of one view: two frames of 5×4 pixels."""
    path = tmp_path_factory.mktemp('npz')
    camera = {
        'name': 'left',
        'video': 'left.mp4',
        'fps': 30,
        'width': 5,
        'height': 4,
        'K': [[9, 0, 2], [0, 9, 2], [0, 0, 1]],
        'R': np.eye(3).tolist(),
        't': [0, 0, 60],
        'time': [0, 0.03],
    }
    (path / 'left.mp4').write_bytes(b'x')
    (path / 'capture.json').write_text(json.dumps({'units': 'cm', 'cameras': [camera]}))
    return path


def arrays_of(write, value, folder) -> dict:
    write(folder / 'valid.npz', value)
    return read_npz(folder / 'valid.npz', 'file')


def use_rig(path):
    rig = read_rig(path)
    assert rig.neutral.shape[1:] == (3,) and rig.expressions.shape == (
        len(rig.names),
        *rig.neutral.shape,
    )
    assert (
        np.isfinite(rig.neutral).all()
        and np.isfinite(rig.expressions).all()
        and all(isinstance(n, str) for n in rig.names)
    )
    return rig


def use_performance(path):
    found = read_performance(path)
    assert (
        found.weights.shape == (len(found.time), len(found.names))
        and np.isfinite(found.weights).all()
    )
    assert (
        np.isfinite(found.rotation).all()
        and np.isfinite(found.translation).all()
        and 0 < found.fps < np.inf
    )
    return found


def use_model(path):
    model = read_model(path)
    assert (
        len(model.fingerprint) == 64
        and model.shape(np.ones(min(1, len(model.identities))), np.zeros(len(model.names))).shape
        == model.neutral.shape
    )
    assert all(region.max(initial=-1) < model.vertex_count for region in model.regions.values())
    (
        model.neutral[model.landmarks68],
        [model.materials[k] for k in model.face_materials],
        model.uvs[model.face_uvs],
    )
    return model


def use_parts(path):
    return {
        name: np.bincount(labels.ravel(), minlength=9)
        for name, labels in read_parts(path.parent).items()
        if name == 'left'
    }


def use_mask(path):
    mask = read_mask(path, V)
    assert mask.dtype == bool and mask.shape == (V,)
    return mask


def use_edits(path):
    names, before, edited = read_edits(path, V, tuple(NAMES.tolist()))
    assert (
        before.shape == edited.shape == (len(names), V, 3)
        and np.isfinite(before).all()
        and np.isfinite(edited).all()
    )
    return names


READERS = {
    'rig.npz': (RIG, use_rig),
    'performance.npz': (PERFORMANCE, use_performance),
    'parts.npz': (PARTS, use_parts),
    'mask.npz': (MASK, use_mask),
    'edits.npz': (EDITS, use_edits),
    'model.npz': ((write_model, MODEL), use_model),
    'flesh.npz': ((write_flesh, FLESH), read_flesh),
}


def valid(name: str, folder) -> tuple:
    """(arrays, reader) of a kind of file."""
    arrays, use = READERS[name]
    return (arrays if isinstance(arrays, dict) else arrays_of(*arrays, folder)), use


@pytest.mark.parametrize('name', READERS)
def test_the_valid_one_is_read(folder, name):
    arrays, use = valid(name, folder)
    (folder / name).write_bytes(npz(arrays))
    assert survives(use, folder / name) is not None


@pytest.mark.parametrize('name', READERS)
def test_damaged_bytes(folder, name):
    arrays, use = valid(name, folder)

    @fuzzed
    @given(data=damaged(npz(arrays)))
    def check(data):
        (folder / name).write_bytes(data)
        survives(use, folder / name)

    check()


@pytest.mark.parametrize('name', READERS)
def test_damaged_arrays(folder, name):
    arrays, use = valid(name, folder)

    @fuzzed
    @given(found=damaged_arrays(arrays))
    def check(found):
        (folder / name).write_bytes(npz(found))
        survives(use, folder / name)

    check()


@fuzzed
@given(data=damaged(npz(RIG)))
def test_a_damaged_step_is_one_to_do_again(tmp_path_factory, data):
    """Never an error: a stopped run's file only saves time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('FACEWRIGHT_CACHE', str(tmp_path_factory.getbasetemp() / 'cache'))
        run = CheckpointStore('fuzz')
        run.write('draft', a=np.zeros(1))
        (run.folder / 'draft.npz').write_bytes(data)
        found = run.read('draft')
    assert found is None or isinstance(found, dict)
