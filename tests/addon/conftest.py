"""Real Blender, as the bpy module of whichever version is on the path; a small synthetic face model instead of a real one."""
import os
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip('bpy', reason='needs Blender as the bpy module (build.py test runs these once per version)')

import facewright
from facewright.engine.face_model import store
from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.face_model.model import FaceModel
from facewright.engine.face_model.regions import REGION_NAMES


def sphere_model(rows: int = 24, columns: int = 32, radius: float = 9.) -> FaceModel:
    """A head-sized sphere of quads (triangles at the poles) with a smooth random shape per expression."""
    rng = np.random.default_rng(7)
    polar = np.linspace(0, np.pi, rows + 1)[1:-1]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    ring = np.stack([np.sin(polar)[:, None] * np.sin(around), np.cos(polar)[:, None] + 0 * around, np.sin(polar)[:, None] * np.cos(around)], -1)
    points = np.concatenate([ring.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    at = lambda r, c: r * columns + c % columns
    top, bottom = (rows - 1) * columns, (rows - 1) * columns + 1
    faces = [(at(r, c), at(r + 1, c), at(r + 1, c + 1), at(r, c + 1)) for r in range(rows - 2) for c in range(columns)]
    faces += [(top, at(0, c), at(0, c + 1), -1) for c in range(columns)] + [(bottom, at(rows - 2, c + 1), at(rows - 2, c), -1) for c in range(columns)]
    faces = np.array(faces, np.int32)
    centres = points[rng.integers(0, len(points), len(ICT_NAMES))]
    bumps = np.exp(-((points[None] - centres[:, None]) ** 2).sum(-1) / .1)[..., None] * rng.normal(size=(len(ICT_NAMES), 1, 3))
    v, front = len(points), np.flatnonzero(points[:, 2] > .6)
    regions = {name: np.arange(i, v, len(REGION_NAMES), dtype=np.int32) for i, name in enumerate(REGION_NAMES)}
    return FaceModel(
        name='sphere', neutral=(radius * points).astype(np.float32), faces=faces, names=ICT_NAMES, expressions=bumps.astype(np.float32),
        identities=rng.normal(size=(3, v, 3)).astype(np.float32) * .1, uvs=(points[:, :2] / 2 + .5).astype(np.float32), face_uvs=faces.copy(),
        materials=('Face', 'Teeth', 'Eyelashes'), face_materials=(np.arange(len(faces)) % 3).astype(np.uint8), regions=regions,
        landmarks68=np.resize(front, 68).astype(np.int32), source='test')


@pytest.fixture(scope='session')
def model() -> FaceModel:
    return sphere_model()


@pytest.fixture(scope='session')
def model_path(model, tmp_path_factory) -> str:
    """The synthetic model as a cached .npz, in a folder with a space and letters outside ASCII."""
    path = tmp_path_factory.mktemp('models') / 'kopf übung' / 'sphere.npz'
    store.write_model(path, model)
    return str(path)


@pytest.fixture(autouse=True)
def addon(tmp_path, monkeypatch):
    """A fresh file with the add-on registered and its own cache folder; unregistered afterwards."""
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'cache é'))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facewright.register()
    yield facewright
    facewright.unregister()
