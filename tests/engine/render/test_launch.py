"""Kernels are loaded once, however many threads are the first to ask."""

import subprocess
import sys

import pytest

FIRST_LAUNCHES = """
import importlib.util, sys
from concurrent.futures import ThreadPoolExecutor
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); w.register_package()
import numpy as np
from facewright.engine.render.preview import render_camera
corners = np.array([[-9.0, -9, 60], [9, -9, 60], [0, 9, 60]])

def draw(_):
    faces = np.array([[0, 1, 2, -1]])
    return render_camera(corners, faces, np.ones((3, 3)), 600.0, (160.0, 160.0), (320, 320))

sys.setswitchinterval(1e-6)
with ThreadPoolExecutor(4) as pool:
    first, *others = pool.map(draw, range(8))
assert first.std() > 0 and all((one == first).all() for one in others)
"""


@pytest.mark.parametrize('cores', ['1', '2'])
def test_threads_that_meet_a_kernel_first_all_draw(root, cores, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', cores)
    command = [sys.executable, '-c', FIRST_LAUNCHES, str(root / 'engine' / 'worker.py')]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
