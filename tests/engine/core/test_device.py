"""One choice of device, and a sentence where it cannot be had."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from facewright import engine
from facewright.engine.core import device as device_module
from facewright.engine.core.device import HOST, VARIABLE, device, set_device
from facewright.engine.core.errors import FacewrightError

ENGINE = Path(engine.__file__).parent
LACKS = {'no driver': 'no NVIDIA driver is found', 'ready': None}


@pytest.fixture(params=LACKS)
def cuda_missing(request, monkeypatch):
    """What CUDA lacks on this machine, made up."""
    monkeypatch.setattr(device_module, '_cuda_missing', lambda: LACKS[request.param])
    monkeypatch.delenv(VARIABLE, raising=False)
    return LACKS[request.param]


def test_automatic_takes_cuda_where_it_is(cuda_missing, monkeypatch):
    wanted = 'cuda' if cuda_missing is None else 'cpu'
    assert device() == wanted
    monkeypatch.setenv(VARIABLE, '')
    assert device() == wanted
    monkeypatch.setenv(VARIABLE, 'auto')
    assert device() == wanted


def test_what_is_chosen_holds_for_children_too(cuda_missing, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'auto')  # put back at the end
    set_device('cpu')
    assert device() == HOST == 'cpu'
    told = subprocess.run(
        [sys.executable, '-c', f'import os; print(os.environ["{VARIABLE}"])'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == 'cpu'


def test_asked_for_and_absent(cuda_missing, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'cuda')
    if cuda_missing is None:
        assert device() == 'cuda'
        return
    with pytest.raises(FacewrightError, match='no NVIDIA driver is found: choose the device'):
        device()


def test_another_word(monkeypatch):
    monkeypatch.setenv(VARIABLE, 'tpu')
    with pytest.raises(FacewrightError, match='"tpu" is no device that can be chosen'):
        device()
    with pytest.raises(FacewrightError, match='choose auto, cpu or cuda'):
        set_device('gpu')


def test_the_processor_is_not_asked_for_cuda(monkeypatch):
    monkeypatch.setenv(VARIABLE, 'cpu')
    monkeypatch.setattr(device_module, '_cuda_missing', lambda: pytest.fail('asked'))
    assert device() == 'cpu'


def test_this_machine_answers():
    assert device_module._cuda_missing() is None or isinstance(device_module._cuda_missing(), str)


def test_nothing_else_names_the_processor():
    """One place for the choice: no 'cpu' in code elsewhere."""
    named = [
        f'{path.relative_to(ENGINE)}:{number}'
        for path in ENGINE.rglob('*.py')
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1)
        if re.search(r"""['"]cpu['"]|\.cpu\b(?!\(\))|\.cuda\(""", line)
        and path != ENGINE / 'core' / 'device.py'
    ]
    assert not named, named


def test_nothing_heavy_is_imported_to_choose():
    script = (
        'import sys; sys.path.insert(0, sys.argv[1]); import core.device; '
        'print([m for m in ("torch", "warp", "numpy") if m in sys.modules])'
    )
    told = subprocess.run(
        [sys.executable, '-I', '-c', script, str(ENGINE)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == '[]'
