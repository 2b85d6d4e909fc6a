"""Real Blender, as the bpy module of whichever version is on the path; a small synthetic face model
instead of a real one.
"""

import os
import sys
from pathlib import Path

import pytest

import facewright
from facewright.engine.face_model import store
from facewright.engine.face_model.model import FaceModel
from facewright.engine.formats.performance import write_performance

bpy = pytest.importorskip(
    'bpy', reason='needs Blender as the bpy module (build.py test runs these once per version)'
)
from .samples import make_result, sphere_model  # noqa: E402  it needs bpy

_status = 0


def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Blender as a module crashes (4.2, once its own exporters were used) or hangs (4.5, in a
    destructor after rendering) on leaving; test_registering sees to it that ours leaves cleanly.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


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


@pytest.fixture(scope='session')
def made_once(tmp_path_factory) -> Path:
    """A folder of what the engine computes alike for every Blender: build.py gives all sessions
    the same, by itself a session has its own.
    """
    given = os.environ.get('FACEWRIGHT_TEST_CACHE')
    folder = Path(given) if given else tmp_path_factory.mktemp('made once')
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def warm_cache(made_once, monkeypatch) -> Path:
    """The engine's cache with what tests before this one left in it: the built-in head and what
    was found on it, under keys of the sources that made them (engine/core/store.py).
    """
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(made_once / 'cache é'))
    return made_once


@pytest.fixture
def fake_worker(monkeypatch) -> Path:
    """Jobs run tests/addon/fake_worker.py instead of the engine."""
    from facewright.addon import paths

    worker = Path(__file__).with_name('fake_worker.py')
    monkeypatch.setattr(paths, 'WORKER', worker)
    return worker


@pytest.fixture
def result(tmp_path, model, model_path):
    """(folder, contents) of a small reconstruction."""
    folder = tmp_path / 'result ä'
    return folder, make_result(folder, model, model_path)


@pytest.fixture
def saved(tmp_path):
    """Write a performance to a file; returns its path."""

    def save(p, name='performance ñ.npz'):
        write_performance(tmp_path / name, p)
        return str(tmp_path / name)

    return save


@pytest.fixture
def worker(fake_worker, monkeypatch, tmp_path, model_path) -> Path:
    """The folder in which the fake worker leaves the input it was given; the scene uses the
    synthetic model.
    """
    monkeypatch.setenv('FAKE_SEEN', str(tmp_path / 'seen'))
    settings = bpy.context.scene.facewright
    settings.model, settings.model_path = 'FILE', model_path
    return tmp_path / 'seen'
