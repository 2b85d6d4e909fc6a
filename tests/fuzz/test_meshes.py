"""Damaged meshes of every kind and lists of markers: read, or refused in one sentence.

No crash, no hang, no huge memory.
"""

from __future__ import annotations

import base64
import io
import json
import os

import numpy as np
import pytest
import trimesh
from fuzzing import COUNT, HOSTILE_NUMBERS, damaged, damaged_json, fuzzed, survives
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.geometry.user_mesh import read_mesh, welded
from facewright.engine.tasks.inputs import read_markers

# JSON is slow to damage.
slow = settings(fuzzed, max_examples=COUNT if 'FACEWRIGHT_FUZZ' in os.environ else 40)
BALL = trimesh.creation.icosphere(subdivisions=1)
OBJ = (
    b'# made here\r\nmtllib a.mtl\no head\nv 0 0 0 .5 .5 .5\nv 1 0 0 .1 .2 .3\nv 1 1 0 1 1 1\n'
    b'v 0 1 .5 0 0 0\nvt 0 0\nvn 0 0 1\n'
    b'usemtl skin\nf 1/1/1 2/1/1 \\\n 3/1/1\no eye\nf -4//1 -2//1 -1//1 1\n'
)
PLY = {kind: BALL.export(file_type='ply', encoding=kind) for kind in ('ascii', 'binary')}
MIXED = (
    b'ply\nformat binary_little_endian 1.0\nelement vertex 4\n'
    b'property float x\nproperty float y\nproperty float z\n'
    b'property uchar red\nproperty uchar green\nproperty uchar blue\n'
    b'element face 2\nproperty list uchar int vertex_indices\n'
    b'end_header\n'
    + b''.join(
        np.array(p, '<f4').tobytes() + b'\1\2\3'
        for p in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 1))
    )
    + b'\3'
    + np.arange(3, dtype='<i4').tobytes()
    + b'\4'
    + np.arange(4, dtype='<i4').tobytes()
)


def text(data) -> bytes:
    return data.encode() if isinstance(data, str) else data


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(
        stream,
        vertices=np.eye(4, 3),
        faces=np.array([[0, 1, 2, 3], [0, 1, 2, -1]], np.int32),
        part=np.zeros(4, np.int32),
        part_names=np.array(['head']),
        colours=np.full((4, 3), 0.5, np.float32),
        hidden=np.zeros(4, np.uint8),
        name=np.array('Head'),
    )
    return stream.getvalue()


VALID = {
    '.obj': OBJ,
    '.stl': text(BALL.export(file_type='stl')),
    '.off': text(BALL.export(file_type='off')),
    '.glb': BALL.export(file_type='glb'),
    '.npz': npz(),
}


def read(tmp_path, suffix: str, data: bytes) -> None:
    """Read it; a mesh that is read can be welded too."""
    path = tmp_path / f'head{suffix}'
    path.write_bytes(data)
    mesh = survives(read_mesh, path)
    if mesh is not None:
        assert (
            np.isfinite(mesh.vertices).all()
            and mesh.faces.min() >= -1
            and mesh.faces.max() < len(mesh.vertices)
        )
        joined = survives(welded, mesh)
        if joined is None:
            return
        vertices, triangles, of = joined
        assert len(of) == len(mesh.vertices) and triangles.max(initial=-1) < len(vertices)


@pytest.mark.parametrize('suffix', VALID)
def test_the_valid_ones_are_read(tmp_path, suffix):
    (tmp_path / f'head{suffix}').write_bytes(VALID[suffix])
    assert survives(read_mesh, tmp_path / f'head{suffix}') is not None


@fuzzed
@given(data=damaged(OBJ))
def test_a_damaged_obj(tmp_path, data):
    read(tmp_path, '.obj', data)


@fuzzed
@given(
    words=st.lists(
        st.sampled_from(
            (
                'v',
                'f',
                'vt',
                'o',
                'usemtl',
                'fo',
                '#',
                '\\',
                '\n',
                '\r',
                '\t',
                ' ',
                '\ufeff',
                '1',
                '2',
                '3',
                '-1',
                '1/1',
                '2//1',
                '/',
                '0 0 0',
                '1 0 0',
                '0 1 0',
                *HOSTILE_NUMBERS,
            )
        ),
        max_size=40,
    )
)
def test_any_words_of_an_obj(tmp_path, words):
    read(tmp_path, '.obj', ' '.join(words).encode())


@fuzzed
@given(data=st.one_of(damaged(text(PLY['ascii'])), damaged(PLY['binary']), damaged(MIXED)))
def test_a_damaged_ply(tmp_path, data):
    read(tmp_path, '.ply', data)


@fuzzed
@given(
    vertices=st.sampled_from(HOSTILE_NUMBERS),
    faces=st.sampled_from(HOSTILE_NUMBERS),
    kind=st.sampled_from(('ascii', 'binary_little_endian', 'binary_big_endian')),
    length=st.sampled_from(('uchar', 'char', 'int', 'uint64', 'float', 'double')),
    rest=st.binary(max_size=60),
)
def test_huge_counts_in_a_plys_header(tmp_path, vertices, faces, kind, length, rest):
    head = (
        f'ply\nformat {kind} 1.0\nelement vertex {vertices}\n'
        'property float x\nproperty float y\nproperty float z\n'
        f'element nothing {faces}\nelement face {faces}\n'
        f'property list {length} int vertex_index\nend_header\n'
    )
    read(tmp_path, '.ply', head.encode() + rest)


@fuzzed
@given(data=damaged(VALID['.stl']))
def test_a_damaged_stl(tmp_path, data):
    read(tmp_path, '.stl', data)


@fuzzed
@given(data=damaged(text(BALL.export(file_type='stl_ascii'))))
def test_a_damaged_stl_in_text(tmp_path, data):
    read(tmp_path, '.stl', data)


@fuzzed
@given(data=damaged(VALID['.off']))
def test_a_damaged_off(tmp_path, data):
    read(tmp_path, '.off', data)


@fuzzed
@given(data=damaged(VALID['.glb']))
def test_a_damaged_glb(tmp_path, data):
    read(tmp_path, '.glb', data)


def gltf() -> dict:
    """A glTF's JSON, its buffer inside it."""
    files = trimesh.Scene(BALL).export(file_type='gltf')
    document = json.loads(files['model.gltf'])
    for buffer in document['buffers']:
        buffer['uri'] = (
            'data:application/octet-stream;base64,'
            + base64.b64encode(files[buffer['uri']]).decode()
        )
    return document


@slow
@given(document=damaged_json(gltf()))
def test_a_damaged_gltf(tmp_path, document):
    read(tmp_path, '.gltf', json.dumps(document).encode())


@fuzzed
@given(data=damaged(VALID['.npz']))
def test_a_damaged_npz(tmp_path, data):
    read(tmp_path, '.npz', data)


@slow
@given(
    value=damaged_json(
        {
            'nose_tip': [1, 2, 3.5],
            'chin': [0, -1e3, 7],
            'landmark_12': [0, 0, 0],
            'eye_outer_L': [1, 1, 1],
        }
    )
)
def test_damaged_markers(tmp_path, value):
    path = tmp_path / 'markers.json'
    path.write_text(json.dumps(value), encoding='utf-8')
    found = survives(read_markers, path)
    assert found is None or all(np.isfinite(p).all() for p in found.values())


@fuzzed
@given(data=damaged(b'{"nose_tip": [1, 2, 3.5], "chin": [0, -1e3, 7]}'))
def test_markers_that_are_no_json(tmp_path, data):
    path = tmp_path / 'markers.json'
    path.write_bytes(data)
    survives(read_markers, path)
