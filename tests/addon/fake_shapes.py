"""The fake worker's shape-key tasks: the files the engine would write, with shapes of a closed
form, so that tests know what must arrive.
"""

import json
import os
from pathlib import Path

import numpy as np

NAMES = (
    'browInnerUp_L',
    'browInnerUp_R',
    'eyeBlink_L',
    'eyeBlink_R',
    'jawOpen',
    'mouthSmile_L',
    'mouthSmile_R',
)
TURN = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # Blender's axes → head space


def to_head() -> np.ndarray:
    """4×4: a world in metres (or FAKE_UNIT of them) → head space, a little turned and moved."""
    a = 0.3
    out = np.eye(4)
    out[:3, :3] = (
        100
        * float(os.environ.get('FAKE_UNIT', 1))
        * np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        @ TURN
    )
    out[:3, 3] = 1.0, -2.0, 3.0
    return out


def expressions(head: np.ndarray) -> np.ndarray:
    """E×N×3 cm for N×3 points in head space: smooth, different for each, _L ones on x > 0 alone,
    jawOpen below y = 0 alone.
    """
    out = []
    for i, name in enumerate(NAMES):
        shape = (
            np.stack([np.sin(head[:, 1]), 0.1 * head[:, 0], np.ones(len(head))], -1) * 0.1 * (i + 1)
        )
        side = (
            {'L': head[:, :1] > 0, 'R': head[:, :1] < 0}.get(name[-1], head[:, 1:2] < 0)
            if '_' in name or name == 'jawOpen'
            else True
        )
        out.append(shape * side)
    return np.stack(out)


def in_head_space(vertices: np.ndarray) -> np.ndarray:
    matrix = to_head()
    return vertices @ matrix[:3, :3].T + matrix[:3, 3]


def write_rig(path, neutral, shapes, names, faces) -> None:
    np.savez(
        path,
        neutral=neutral.astype(np.float32),
        expressions=shapes.astype(np.float32),
        names=np.array(names),
        faces=faces.astype(np.int32),
    )


def run(task: str, arguments: dict) -> dict:
    """Do what the engine's task would; leaves its input in the folder named by FAKE_SEEN."""
    out = Path(arguments['out'])
    out.mkdir(parents=True, exist_ok=True)
    inputs = {
        k: dict(np.load(v))
        for k, v in arguments.items()
        if k in ('mesh', 'rig', 'edits', 'head', 'mask') and v
    }
    if os.environ.get('FAKE_SEEN'):
        seen = Path(os.environ['FAKE_SEEN'])
        seen.mkdir(exist_ok=True)
        (seen / 'arguments.json').write_text(json.dumps(arguments))
        for name, arrays in inputs.items():
            np.savez(seen / f'{name}.npz', **arrays)
        if arguments.get('markers'):
            (seen / 'markers.json').write_text(Path(arguments['markers']).read_text())
    report = globals()[task](arguments, inputs, out)
    (out / 'report.json').write_text(json.dumps(report))
    return report


def model_of(arguments):
    return dict(np.load(arguments['model']))


def add_markers(arguments, inputs, out):
    points = inputs['mesh']['vertices']
    found = {
        'nose_tip': points[0].tolist(),
        'chin': points[1].tolist(),
        'landmark_07': points[2].tolist(),
    }
    (out / 'landmarks.json').write_text(json.dumps(found))
    return {'landmarks': found}


def generate_shape_keys(arguments, inputs, out):
    mesh = inputs['mesh']
    if arguments['onto'] == 'model':
        model = model_of(arguments)
        write_rig(
            out / 'rig.npz', model['neutral'], expressions(model['neutral']), NAMES, model['faces']
        )
    else:
        head = in_head_space(mesh['vertices'])
        shift = np.array([0, 0.2, 0]) if os.environ.get('FAKE_REST') else 0
        factor = float(os.environ.get('FAKE_STRENGTH', 1))
        write_rig(out / 'rig.npz', head + shift, factor * expressions(head), NAMES, mesh['faces'])
    found = {'mouthSmile_L': 0.6} if os.environ.get('FAKE_REST') else {}
    return {
        'onto': arguments['onto'],
        'to_head': to_head().tolist(),
        'unit': 'm',
        'expression': found,
    }


def wrap_model(arguments, inputs, out):
    model, matrix = model_of(arguments), to_head()
    own = (model['neutral'].astype(float) - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    distance = np.linspace(0, 4, len(own))
    distance[-5:] = np.inf
    np.savez(
        out / 'wrap.npz', vertices=own, faces=model['faces'], distance=distance, to_head=matrix
    )
    return {
        'to_head': matrix.tolist(),
        'unit': '',
        'expression': {},
        'fit': {
            'model_to_mesh_median_mm': 0.21,
            'model_to_mesh_95_mm': 0.93,
            'mesh_to_model_median_mm': None,
            'mesh_to_model_95_mm': None,
        },
    }


def build_tetrahedra(arguments, inputs, out):
    neutral = (inputs['head'] if 'head' in inputs else model_of(arguments))['neutral']
    points = np.concatenate([neutral, [[0, 0, 0]]])
    corners = np.array([[0, 1, 2], [5, 6, 7], [100, 101, 102], [200, 201, 202]])
    np.savez(
        out / 'flesh.npz',
        vertices=points.astype(np.float32),
        tetrahedra=np.c_[corners, np.full(4, len(neutral))].astype(np.int32),
    )
    return {'tetrahedra': 4, 'inverted_percent': {'neutral': 0, 'jawOpen': 0.25}}


def fix_cavities(arguments, inputs, out):
    """What moved is added on the first ten vertices too; `spread`: on the first ten of every other
    shape as well. The neutral's: see the engine's task.
    """
    rig, edits = inputs['rig'], inputs['edits']
    shapes, neutral, told = rig['expressions'].copy(), rig['neutral'].copy(), []
    for name, before, edited in zip(edits['names'].tolist(), edits['before'], edits['edited']):
        push = (edited - before)[np.abs(edited - before).sum(1).argmax()]
        if name == 'neutral':
            neutral[:10] += push
            shapes[:, :10] -= 0 if arguments['spread'] else push
        else:
            at = rig['names'].tolist().index(name)
            for i in range(len(shapes)) if arguments['spread'] else [at]:
                shapes[i, :10] += push
        told.append({'name': name, 'before': 7, 'after': 0})
    write_rig(out / 'rig.npz', neutral, shapes, rig['names'], rig['faces'])
    return {'shapes': told, 'spread': arguments['spread']}


def settle_shape_keys(arguments, inputs, out):
    """The neutral's first five vertices go up by a millimetre, jawOpen's next five
    forwards by two.
    """
    rig = inputs['rig']
    neutral, shapes, names = rig['neutral'].copy(), rig['expressions'].copy(), rig['names'].tolist()
    neutral[:5, 1] += 0.1
    shapes[names.index('jawOpen'), 5:10, 2] += 0.2
    write_rig(out / 'rig.npz', neutral, shapes, rig['names'], rig['faces'])
    told = [
        {
            'name': n,
            'before': 7 if n == 'jawOpen' else 0,
            'after': 0,
            'seen_mm': 2.0 if n == 'jawOpen' else 1.0,
        }
        for n in ('neutral', *names)
    ]
    return {'shapes': told}


def compare_with_model(arguments, inputs, out):
    """The plain shapes are the model's own, of those that the model has under these names."""
    rig, model = inputs['rig'], model_of(arguments)
    own = dict(zip(model['names'].tolist(), model['expressions']))
    own['browInnerUp'] = own['browInnerUp_L'] + own['browInnerUp_R']
    names = [name for name in rig['names'].tolist() if name in own]
    plain = np.stack([own[name] for name in names])
    np.savez(
        out / 'comparison.npz',
        names=np.array(['neutral', *names]),
        distance=np.zeros((1 + len(names), len(rig['neutral'])), np.float32),
        plain=plain.astype(np.float32),
    )
    return {'shapes': []}


def check_intersections(arguments, inputs, out):
    rig, n = inputs['rig'], len(inputs['rig']['neutral'])
    names = ['neutral', *rig['names'].tolist()]
    counts = np.zeros((len(names), 4), np.int32)
    marked = np.zeros((len(names), n), np.uint8)
    if not os.environ.get('FAKE_CLEAN'):
        counts[names.index('jawOpen')] = 3, 1, 0, 0
        counts[-1, 2] = 1
        marked[names.index('jawOpen'), 4:9] = 1
        marked[-1, 1] = 1
    many = np.zeros((arguments['combinations'], 4), np.int32)
    many[:2, 0] = 5 if not os.environ.get('FAKE_CLEAN') else 0
    np.savez(
        out / 'crossings.npz',
        names=np.array(names),
        counts=counts,
        marked=marked,
        kinds=np.array(['a', 'b', 'c', 'd']),
        combination_counts=many,
        weights=np.zeros((len(many), len(names) - 1)),
    )
    return {'shapes': {}}
