"""The picture of `facewright bench part-iou`, on footage the program renders itself: the demo's clip as a capture whose true parts are known.

    python docs/figures/part_iou.py [OUT_DIR] [--frames N]      (default OUT_DIR: docs/pictures)

Writes part_iou.jpg and prints the table. With real captures: facewright bench part-iou FOLDER --out DIR.
"""
import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker.register_package(ROOT)

import numpy as np  # noqa: E402
from facewright.engine import tasks  # noqa: E402
from facewright.engine.demo import FOCAL, PERSON_SEED, PERSON_SPREAD, SIZE, render_demo_footage  # noqa: E402
from facewright.engine.face_model import load_model  # noqa: E402
from facewright.engine.footage.capture import read_capture  # noqa: E402
from facewright.engine.part_iou import Played  # noqa: E402
from facewright.engine.performance import read_performance  # noqa: E402


def make_capture(folder: Path, frames: int) -> None:
    """capture.json, view.mp4 and parts.npz of the demo."""
    clip = render_demo_footage(folder / 'view.mp4', frames=frames)
    truth = read_performance(folder / 'truth.npz')
    camera = {'name': 'view', 'video': clip.name, 'fps': truth.fps, 'width': SIZE[0], 'height': SIZE[1], 'K': [[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]],
              'R': np.eye(3).tolist(), 't': [0, 0, 0], 'time': truth.time.tolist()}
    (folder / 'capture.json').write_text(json.dumps({'units': 'cm', 'axes': 'OpenCV camera', 'cameras': [camera]}))
    model = load_model()
    person = model.shape(np.random.default_rng(PERSON_SEED).normal(size=len(model.identities)) * PERSON_SPREAD)
    played = Played(person, model.expressions, truth.time, truth.weights, truth.rotation, truth.translation)
    view = read_capture(folder / 'capture.json')[0]
    np.savez(folder / 'parts.npz', view=np.stack([played.labels(model, view, k) for k in range(frames)]))


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('out', nargs='?', type=Path, default=ROOT / 'docs' / 'pictures')
    ap.add_argument('--frames', type=int, default=60)
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        (capture := Path(scratch) / 'capture').mkdir()
        make_capture(capture, a.frames)
        report = worker.run(tasks.bench_part_iou(str(capture), str(Path(scratch) / 'out')), lambda p: print(f'\r{100 * p.fraction:3.0f} % {p.stage:60.60}', end='', file=sys.stderr))
        shutil.copy(Path(scratch) / 'out' / 'part_iou.jpg', a.out / 'part_iou.jpg')
    print('\n' + report['table'])


if __name__ == '__main__':
    main()
