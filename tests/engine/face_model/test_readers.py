"""The table of face models: who reads what, and that a new row is all another model needs."""

from dataclasses import replace

import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.core.sources import closure
from facewright.engine.face_model import cached_model_path, load_model, readers


def test_each_reader_names_a_module_there_is():
    for reader in readers.READERS:
        assert closure(reader.module), reader.name
    assert len({reader.name for reader in readers.READERS}) == len(readers.READERS)


def test_sources_go_to_their_readers(tmp_path):
    assert readers.reader_of('builtin').name == 'builtin'
    assert readers.reader_of(str(tmp_path)).name == 'ict'
    assert cached_model_path('builtin').name.startswith('builtin-')
    assert cached_model_path(str(tmp_path)).name.startswith('ict-')
    assert cached_model_path('head.npz').as_posix() == 'head.npz'


def test_another_model_is_one_row(tmp_path, monkeypatch):
    """It is recognised, read once, cached under its name, and read again when its file changes."""
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'cache'))
    builtin = load_model('builtin')
    source, asked = tmp_path / 'somebody.head', []
    source.write_text('first')

    def read(path, report):
        asked.append(path)
        report(1.0)
        return replace(builtin, name='other', source=path)

    row = readers.ModelReader(
        name='other',
        module='face_model.ict',
        recognises=lambda path: path.endswith('.head'),
        files=lambda path: [source],
        read=read,
    )
    monkeypatch.setattr(readers, 'READERS', (row, *readers.READERS))
    fractions = []
    model = load_model(str(source), fractions.append)
    assert model.name == 'other' and fractions == [1.0]
    assert load_model(str(source)).fingerprint == model.fingerprint and asked == [str(source)]
    assert cached_model_path(str(source)).name.startswith('other-')
    source.write_text('second version')
    load_model(str(source))
    assert len(asked) == 2
    assert load_model('builtin').name == 'builtin'


def test_nothing_at_a_path(tmp_path):
    with pytest.raises(FacewrightError, match='There is no face model at'):
        load_model(str(tmp_path / 'nowhere'))
