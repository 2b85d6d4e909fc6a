"""Damaged capture.json files: read, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fuzzing import damaged, damaged_json, fuzzed, survives
from hypothesis import given

from facewright.engine.footage.capture import read_capture

CAMERA = {
    'name': 'left',
    'video': 'left.mp4',
    'fps': 29.97,
    'width': 64,
    'height': 48,
    'K': [[100, 0, 32], [0, 101, 24], [0, 0, 1]],
    'R': [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    't': [0, 1.5, 60],
    'time': [0.01, 0.05, 0.09],
    'offset': 0.1,
    'distortion': [0.1, -0.2, 0, 0],
}
VALID = {'units': 'cm', 'cameras': [CAMERA, CAMERA | {'name': 'right', 'video': 'right.mp4'}]}


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """With the footage that the capture names."""
    path = tmp_path_factory.mktemp('capture')
    for name in ('left', 'right'):
        (path / f'{name}.mp4').write_bytes(b'x')
    return path


def read(path: Path):
    """Read a capture, and check what it says."""
    views = read_capture(path)
    for view in views:
        assert view.path.exists() and view.size[0] > 0 and np.isfinite(view.camera.focal)
        assert (
            np.isfinite(view.camera.rotation).all()
            and np.isfinite(view.camera.translation).all()
            and np.isfinite(view.offset)
        )
    return views


@fuzzed
@given(data=damaged(json.dumps(VALID).encode()))
def test_damaged_bytes(folder, data):
    (folder / 'capture.json').write_bytes(data)
    survives(read, folder / 'capture.json')


@fuzzed
@given(value=damaged_json(VALID))
def test_damaged_values(folder, value):
    (folder / 'capture.json').write_text(
        json.dumps(value), encoding='utf-8', errors='surrogatepass'
    )
    survives(read, folder / 'capture.json')


def test_the_valid_one_is_read(folder):
    (folder / 'capture.json').write_text(json.dumps(VALID))
    assert len(survives(read, folder / 'capture.json')) == 2
