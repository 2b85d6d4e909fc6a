"""Caches of face models: another model, another version or a damaged file is not what is asked."""

import dataclasses
import os

import numpy as np
import pytest

from facewright.engine.annotate import landmarks, parts
from facewright.engine.core.store import cached
from facewright.engine.face_model import cached_model_path, load_model
from facewright.engine.face_model import model as noun
from facewright.engine.shape_keys import tetrahedra


@pytest.fixture
def builtin(tmp_path, monkeypatch):
    """The built-in head, and a cache of this test's own."""
    model = load_model('builtin')
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path))
    return model


def made(monkeypatch, model):
    """Count how often landmarks, parts and flesh are made; return a function that asks for all."""
    count = []
    marks = landmarks.ModelLandmarks(
        np.zeros((478, 3), np.int32),
        np.zeros((478, 3), np.float32),
        np.ones(478, np.float32),
        *np.zeros((2, len(model.tracked.names), 478, 3), np.float32),
    )
    flesh = tetrahedra.Flesh(
        np.arange(3),
        np.zeros((1, 3)),
        np.array([[0, 1, 2, model.vertex_count]]),
        np.zeros((4, 3)),
        model.vertex_count,
    )
    monkeypatch.setattr(landmarks, 'find_landmarks', lambda *_: count.append('landmarks') or marks)
    monkeypatch.setattr(
        parts,
        'find_parts',
        lambda *_: count.append('parts') or np.ones((model.vertex_count, 9), np.float32),
    )
    monkeypatch.setattr(tetrahedra, 'build_flesh', lambda *_: count.append('flesh') or flesh)

    def ask(model) -> list[str]:
        count.clear()
        landmarks.model_landmarks(model)
        parts.model_part_shares(model)
        tetrahedra.flesh(model)
        return list(count)

    return ask


ALL = ['landmarks', 'parts', 'flesh']


def test_another_model_or_version_is_made_anew(builtin, monkeypatch):
    ask = made(monkeypatch, builtin)
    assert ask(builtin) == ALL and ask(builtin) == []
    for field, value in (
        ('identities', builtin.identities * 2),
        ('identities', builtin.identities[:3]),
        ('uvs', builtin.uvs + 1),
        ('landmarks68', builtin.landmarks68[::-1].copy()),
        ('regions', builtin.regions | {'face': builtin.regions['face'][:-1]}),
    ):
        other = dataclasses.replace(builtin, **{field: value})
        assert ask(other) == ALL and ask(other) == [] and ask(builtin) == [], field
    assert ask(dataclasses.replace(builtin, source='elsewhere')) == []
    monkeypatch.setattr(noun, 'fingerprint', lambda module: f'a later {module}')
    assert ask(builtin) == ALL and ask(builtin) == []


@pytest.mark.parametrize(
    'spoil',
    [
        lambda p: p.write_bytes(b'half a file'),
        lambda p: p.write_bytes(p.read_bytes()[:-200]),
        lambda p: p.write_bytes(b''),
        lambda p: np.savez(p, shares=np.zeros(3), triangles=np.zeros((1, 2))),
    ],
)
def test_a_damaged_file_is_made_again(builtin, monkeypatch, tmp_path, spoil):
    ask = made(monkeypatch, builtin)
    ask(builtin)
    for path in (tmp_path / 'facewright' / 'models').iterdir():
        spoil(path)
    assert ask(builtin) == ALL and ask(builtin) == []


def test_a_damaged_model_is_read_again(builtin):
    load_model('builtin')
    path = cached_model_path('builtin')
    path.write_bytes(path.read_bytes()[:1000])
    assert (
        load_model('builtin').fingerprint
        == builtin.fingerprint
        == load_model('builtin').fingerprint
    )


def test_a_cache_that_cannot_be_written_to_is_no_error(builtin, monkeypatch, tmp_path):
    ask = made(monkeypatch, builtin)
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'file'))
    assert (
        ask(builtin) == ALL
        and ask(builtin) == ALL
        and load_model('builtin').fingerprint == builtin.fingerprint
    )


def test_what_a_killed_process_left_goes_after_a_day(tmp_path):
    old, fresh, theirs = (
        tmp_path / name for name in ('.0123abcd-ict.npz', '.89abcdef-ict.npz', '.profile')
    )
    for path in (old, fresh, theirs):
        path.write_text('half')
    for path in (old, theirs):
        os.utime(path, (1, 1))
    assert cached(tmp_path / 'a.npz', lambda path: 1, lambda: 2, lambda path, value: None) == 2
    assert not old.exists() and fresh.exists() and theirs.exists()
