"""Shape keys onto a foreign head of 50,000 vertices, mesh file to rig.npz, in the child process."""

import json
import resource
import subprocess
import sys
import time

import pytest
from foreign_head import foreign_copy

from facewright.engine import worker
from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.geometry.user_mesh import write_mesh

pytestmark = pytest.mark.bench


def test_fifty_thousand_vertices(shared_data, tmp_path, table):
    rows = []
    mesh = foreign_copy(load_model('builtin'))
    for source in ('builtin', str(shared_data / 'ict-facekit.tar.xz')):
        model_landmarks(load_model(source))  # cached, as after the first use
        job = tmp_path / load_model(source).name
        job.mkdir()
        write_mesh(job / 'head.npz', mesh)
        (job / 'job.json').write_text(
            json.dumps(
                {
                    'task': 'generate_shape_keys',
                    'arguments': {
                        'mesh': str(job / 'head.npz'),
                        'out': str(job / 'out'),
                        'model': source,
                    },
                }
            )
        )
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, '-I', '-B', worker.__file__, str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        child.wait(600)  # its input stays open: at its end it would leave
        seconds = time.perf_counter() - began
        assert (job / 'out' / 'rig.npz').exists(), (job / 'log.txt').read_text()[-500:]
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        rows.append(
            (
                load_model(source).name,
                f'{len(mesh.vertices):,}',
                f'{seconds:.1f} s',
                f'{peak:.0f} MB',
            )
        )
    table(
        'Shape keys onto a foreign mesh, start of the process to rig.npz (asked for: 60 s, 3 GB; '
        'peak of this and earlier ones)',
        ('model', 'vertices', 'time', 'peak memory'),
        rows,
    )
