"""What keys caches and checkpoints: the sources that made them with all that those import."""

import pytest

from facewright.engine.core import sources
from facewright.engine.core.sources import ENGINE, closure, fingerprint


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small engine: a imports b, b imports c in a function, c reads data.npz; d is alone."""
    engine = tmp_path / 'engine'
    (engine / 'inner').mkdir(parents=True)
    texts = {
        '__init__.py': '',
        'a.py': 'from .inner.b import x\n',
        'inner/__init__.py': 'from ..d import y\n',
        'd.py': 'y = 1\n',
        'inner/b.py': 'def x():\n    from . import (c,  # so\n        e as f)\n',
        'inner/c.py': "DATA = 'data.npz'\n",
        'inner/data.npz': '1',
        'inner/e.py': '',
    }
    for name, text in texts.items():
        (engine / name).write_text(text)
    (tmp_path / 'pyproject.toml').write_text('mediapipe==1')
    monkeypatch.setattr(sources, 'ENGINE', engine)
    monkeypatch.setattr(sources, 'ROOT', tmp_path)
    fingerprint.cache_clear()
    yield engine
    fingerprint.cache_clear()


def key() -> str:
    fingerprint.cache_clear()
    return fingerprint('a')


def test_all_that_is_imported_counts_and_nothing_else(tree):
    assert {p.relative_to(tree).as_posix() for p in closure('a')} == {
        'a.py',
        'inner/b.py',
        'inner/__init__.py',
        'inner/c.py',
        'inner/e.py',
        'inner/data.npz',
        'd.py',
    }
    before = key()
    assert key() == before
    (tree / 'other.py').write_text('')
    assert key() == before
    for name in ('a.py', 'inner/b.py', 'inner/c.py', 'inner/data.npz', '../pyproject.toml'):
        (tree / name).write_bytes((tree / name).read_bytes() + b'\n# changed')
        assert key() != before, name
        before = key()
    with pytest.raises(ValueError, match='nowhere'):
        fingerprint('nowhere')


@pytest.mark.parametrize(
    'module, names',
    [
        (
            'annotate.landmarks',
            {
                'footage/detector/detect.py',
                'footage/detector/mediapipe_networks.py',
                'render/rasterise.py',
                'render/preview.py',
                'face_model/paint.py',
            },
        ),
        (
            'annotate.parts',
            {
                'footage/masks/segment.py',
                'footage/detector/search.py',
                'footage/detector/confidence.py',
                'render/rasterise.py',
                'face_model/pieces.py',
            },
        ),
        ('shape_keys.tetrahedra', {'geometry/folds.py', 'geometry/untangle.py'}),
        (
            'face_model.builtin',
            {
                'face_model/builtin/skin.py',
                'face_model/builtin/measured.npz',
                'face_model/builtin/expressions/jaw.py',
            },
        ),
        ('face_model.ict', {'face_model/gaze.py', 'face_model/regions.py'}),
        (
            'tasks.reconstruction',
            {
                'tracking/standard.py',
                'evidence/options.py',
                'annotate/detector_bias.py',
                'evidence/expression_statistics.npz',
                'footage/video.py',
                'geometry/normals.py',
            },
        ),
    ],
)
def test_of_the_engine(module, names):
    assert names <= {p.relative_to(ENGINE).as_posix() for p in closure(module)}
