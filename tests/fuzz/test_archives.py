"""Damaged face models, folder, zip and tar: read, or refused in one sentence; not unpacked."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from fuzzing import damaged, damaged_json, fuzzed, survives
from hypothesis import given
from hypothesis import strategies as st

from facewright.engine.face_model import ict
from facewright.engine.face_model.expressions import ICT_NAMES

VERTICES, IDENTITIES = 70, 1
INDICES = {'idx_to_landmark_verts': list(range(68))}


def obj(seed: int) -> bytes:
    points = np.random.default_rng(seed).normal(size=(VERTICES, 3))
    lines = [
        '# ICT FaceKit',
        *(f'v {x:.4f} {y:.4f} {z:.4f}' for x, y, z in points),
        'vt 0.1 0.2',
        'vt 0.3 0.4',
        'usemtl M_Face',
        'f 1/1 2/2 3/1 4/2',
        'f 5/1 6/2 7/1',
        '',
    ]
    return '\n'.join(lines).encode()


FILES = {
    ict.NEUTRAL: obj(0),
    ict.INDICES: json.dumps(INDICES).encode(),
    'identity000.obj': obj(1),
    **{f'{n}.obj': obj(2) for n in ICT_NAMES},
}


def packed(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == 'zip':
        with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name, data in FILES.items():
                archive.writestr(f'ICT-FaceKit-master/FaceXModel/{name}', data)
    else:
        with tarfile.open(fileobj=stream, mode=kind) as archive:
            for name, data in FILES.items():
                info = tarfile.TarInfo(f'FaceXModel/{name}')
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(ict, 'VERTICES', VERTICES)
    monkeypatch.setattr(ict, 'IDENTITIES', IDENTITIES)


def use(path):
    """Read a model and look at what it says."""
    model = ict.read_ict(path)
    assert (
        model.vertex_count == VERTICES
        and np.isfinite(model.expressions).all()
        and len(model.fingerprint) == 64
    )
    (
        model.neutral[model.landmarks68],
        model.neutral[model.faces[model.faces >= 0]],
        model.uvs[model.face_uvs[model.face_uvs >= 0]],
    )
    return model


@pytest.mark.parametrize('kind', ['zip', 'w:', 'w:gz', 'w:xz', 'w:bz2'])
def test_damaged_archives(tmp_path, kind):
    path, whole = tmp_path / 'kit', packed(kind)
    path.write_bytes(whole)
    assert survives(use, path) is not None

    @fuzzed
    @given(
        data=st.one_of(
            damaged(whole), damaged(whole[-3000:], 2).map(lambda end: whole[:-3000] + end)
        )
    )
    def check(data):
        path.write_bytes(data)
        survives(use, path)
        assert [p.name for p in tmp_path.iterdir()] == ['kit']

    check()


@pytest.mark.parametrize('name', [ict.NEUTRAL, 'jawOpen.obj', ict.INDICES])
def test_a_damaged_file(tmp_path, name):
    folder = tmp_path / 'FaceXModel'
    folder.mkdir()
    for other, data in FILES.items():
        (folder / other).write_bytes(data)

    @fuzzed
    @given(data=damaged(FILES[name]))
    def check(data):
        (folder / name).write_bytes(data)
        survives(use, folder)

    check()


def test_damaged_indices(tmp_path):
    folder = tmp_path / 'FaceXModel'
    folder.mkdir()
    for other, data in FILES.items():
        (folder / other).write_bytes(data)

    @fuzzed
    @given(value=damaged_json(INDICES))
    def check(value):
        (folder / ict.INDICES).write_text(
            json.dumps(value), encoding='utf-8', errors='surrogatepass'
        )
        survives(use, folder)

    check()
