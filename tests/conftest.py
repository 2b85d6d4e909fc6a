"""Make this folder importable as `facewright`, whatever its name; find the data beside it."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

_spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
_worker.register_package(ROOT)
sys.path.insert(0, str(ROOT / 'tests' / 'support'))


@pytest.fixture(scope='session')
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Return the folder of real footage, models and captures; skip where it is absent."""
    folder = ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip('needs shared/data beside the project')
    return folder
