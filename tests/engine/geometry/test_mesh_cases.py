"""Meshes on which the program failed: where the face is found, shapes in proportion."""

import lzma

import numpy as np
import pytest

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.geometry.user_mesh import read_mesh, welded
from facewright.engine.shape_keys.generate import generate
from facewright.engine.wrap.scan_landmarks import find_face


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def landmarks(model):
    return model_landmarks(model)


def case(shared_data, folder, name):
    path = folder / f'{name}.obj'
    packed = shared_data / 'cases' / 'mesh' / f'{name}.obj.xz'
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return read_mesh(path)


def test_the_face_of_a_half_turned_mesh_is_found_in_front(shared_data, tmp_path, model, landmarks):
    """Where it is found on the scan that the mesh was made of."""
    reference = landmarks.on(model.neutral).astype(np.float64)
    scan = read_mesh(shared_data / 'meshes' / 'neutral_scans' / 'lee_perry_smith_decoded.obj')
    spoilt = case(shared_data, tmp_path, 'mixed_winding')
    there, _, size = find_face(*welded(scan)[:2], reference)
    here, _, scale = find_face(*welded(spoilt)[:2], reference)
    assert np.trace(there.T @ here) > 1 + 2 * np.cos(np.radians(3))
    assert scale == pytest.approx(size, rel=0.03)


def test_a_low_poly_head_keeps_its_proportions(shared_data, tmp_path, model, landmarks):
    """No shape moves a vertex much further than the model's own does (mouthClose did by 93 mm)."""
    rig = generate(model, landmarks, case(shared_data, tmp_path, 'lowpoly_500')).rig
    moved = dict(zip(rig.names, 10 * np.linalg.norm(rig.expressions, axis=2).max(1)))
    assert moved['mouthClose'] < 55 and moved['jawOpen'] < 66 and max(moved.values()) < 66
