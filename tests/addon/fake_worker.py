"""Stands in for engine/worker.py: the same protocol, with tasks that behave as real ones can.

What the add-on sends is checked against the engine's own description of its tasks
(engine/tasks/specs.py): where a name, a type or a range is wrong the job fails, and with it the
test.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

STRANGE = 'hang', 'die', 'quiet', 'fail', 'echo'  # tasks that only tests ask for


def send(**message):
    print(json.dumps(message), flush=True)


def watch():
    while os.read(0, 4096):
        pass
    os._exit(130)


folder = Path(sys.argv[1])
job = json.loads((folder / 'job.json').read_text(encoding='utf-8'))
task, arguments = job['task'], job['arguments']
threading.Thread(target=watch, daemon=True).start()
print('not JSON: a library talking', flush=True)
print('to the log', file=sys.stderr, flush=True)


def check_arguments() -> None:
    """End with an error where the arguments are none that the engine's task takes."""
    path = Path(__file__).resolve().parents[2] / 'engine' / 'worker.py'
    spec = importlib.util.spec_from_file_location('real_worker', path)
    real = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(real)
    real.register_package()
    from facewright.engine.core.errors import FacewrightError
    from facewright.engine.tasks import specs

    try:
        specs.check(task, arguments)
    except FacewrightError as error:
        send(error=f'Not what engine/tasks/specs.py allows: {error}', log=str(folder / 'log.txt'))
        sys.exit(1)


if task not in STRANGE:
    check_arguments()

if task == 'hang':
    helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    Path(arguments['pids']).write_text(f'{os.getpid()} {helper.pid}')
    send(progress=0.25, stage='Hanging', remaining=600.0)
    time.sleep(600)
elif task == 'die':
    send(progress=0.5, stage='Dying')
    os.kill(os.getpid(), 9)
elif task == 'quiet':
    sys.exit(0)
elif task == 'fail':
    send(error='The footage shows no face: choose another clip.', log=str(folder / 'log.txt'))
    sys.exit(1)
elif task == 'echo':
    send(progress=0.5, stage='Half', remaining=1.0)
    send(
        result={
            'arguments': arguments,
            'environment': dict(os.environ),
            'flags': [sys.flags.isolated, sys.dont_write_bytecode],
            'python': sys.executable,
        }
    )
elif task == 'reconstruct':
    if os.environ.get('FAKE_FAIL'):
        send(error='The footage shows no face: choose another clip.', log=str(folder / 'log.txt'))
        sys.exit(1)
    send(progress=0.9, stage='Writing')
    shutil.copytree(os.environ['FAKE_RESULT'], arguments['out'], dirs_exist_ok=True)
    (Path(os.environ['FAKE_RESULT']).parent / 'arguments.json').write_text(json.dumps(arguments))
    send(result=json.loads((Path(arguments['out']) / 'report.json').read_text(encoding='utf-8')))
elif task in ('bake_albedo', 'preview_overlay'):
    if os.environ.get('FAKE_FAIL'):
        send(error='The footage has gone: put it back.', log=str(folder / 'log.txt'))
        sys.exit(1)
    sys.path.insert(0, str(Path(__file__).parent))
    import numpy as np
    from pictures import write_png

    out = Path(arguments['out'])
    out.mkdir()
    if task == 'bake_albedo':
        write_png(
            out / 'albedo.png', np.full((arguments['size'], arguments['size'], 3), 120, np.uint8)
        )
        np.savez(
            out / 'albedo.npz',
            colours=np.full((738, 3), 0.25, np.float32),
            materials=np.array(['Face']),
        )
        send(result={'out': str(out)})
    else:
        views = [
            c['name']
            for c in json.loads(
                (Path(arguments['result']) / 'cameras.json').read_text(encoding='utf-8')
            )['cameras']
        ]
        for name in views:
            write_png(out / f'{name}.png', np.full((48, 64, 3), 120, np.uint8))
        overlaps = {'nose': 0.912, 'upper_lip': 0.736, 'left_brow': None}
        send(
            result={
                'out': str(out),
                'iou': overlaps,
                'frames': [
                    {
                        'view': name,
                        'frame': arguments['frames'][0],
                        'picture': f'{name}.png',
                        'iou': overlaps,
                    }
                    for name in views
                ],
            }
        )
elif task in ('import_face_model', 'download_face_model'):
    send(error=f'no {task} here', log=str(folder / 'log.txt'))
elif task in (
    'add_markers',
    'wrap_model',
    'generate_shape_keys',
    'build_tetrahedra',
    'fix_cavities',
    'check_intersections',
    'settle_shape_keys',
    'compare_with_model',
):
    if os.environ.get('FAKE_FAIL'):
        send(error='No face was found on Head: place markers.', log=str(folder / 'log.txt'))
        sys.exit(1)
    sys.path.insert(0, str(Path(__file__).parent))
    import fake_shapes

    send(progress=0.5, stage='Carrying the expressions over')
    send(result=fake_shapes.run(task, arguments))
