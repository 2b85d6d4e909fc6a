"""ICT's 53 shape keys into a scene, beside setting one vertex at a time, in the newest Blender."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.bench

PROGRAM = """
import json, sys, time
import bpy
import numpy as np
import facewright
from facewright.engine.face_model import load_model
from facewright.addon.scene import heads, shape_keys, units
model = load_model(sys.argv[1])

def head():
    thing = bpy.data.objects.new('Head', heads.create_mesh('Head', model.neutral, model.faces))
    bpy.context.collection.objects.link(thing)
    return thing

def one_at_a_time(thing, expressions, names):
    thing.shape_key_add(name='Basis', from_mix=False)
    rest = units.points_to_blender(model.neutral)
    for name, offsets in zip(names, expressions):
        key = thing.shape_key_add(name=name, from_mix=False)
        moved = rest + units.points_to_blender(offsets)
        for i in range(len(moved)):
            key.data[i].co = moved[i]

def best(function, times):
    taken = []
    for _ in range(times):
        thing = head()
        began = time.perf_counter()
        function(thing, model.expressions, model.names)
        taken.append(time.perf_counter() - began)
        keys = np.empty((len(model.neutral), 3), np.float32)
        thing.data.shape_keys.key_blocks[-1].points.foreach_get('co', keys.ravel())
        last = units.points_to_blender(model.neutral + model.expressions[-1])
        assert np.allclose(keys, last, atol=1e-6)
    return min(taken)

print('TOLD ' + json.dumps({
    'vertices': len(model.neutral),
    'keys': len(model.names),
    'ours': best(shape_keys.add_shape_keys, 3),
    'peer': best(one_at_a_time, 1),
}))
"""


def test_shape_keys_into_the_scene(root, shared_data, table):
    environment = {**os.environ, 'PYTHONPATH': str(root / '.venv' / 'blender' / '5.0')}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, str(shared_data / 'ict-facekit.tar.xz')],
        capture_output=True,
        text=True,
        env=environment,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith('TOLD ')), None)
    assert line, done.stdout[-1000:] + done.stderr[-2000:]
    told = json.loads(line[5:])
    table(
        'Shape keys into the scene',
        ('vertices', 'shape keys', 'facewright', 'one vertex at a time', 'asked for'),
        [
            (
                told['vertices'],
                told['keys'],
                f'{told["ours"]:.3f} s',
                f'{told["peer"]:.2f} s',
                '0.3 s',
            )
        ],
    )
    assert told['ours'] < 0.3
