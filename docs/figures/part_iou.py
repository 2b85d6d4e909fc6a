"""The picture of `facewright bench-part-iou`, on footage the program renders itself: the demo's
clip as a capture whose true parts are known.

    python docs/figures/part_iou.py [OUT_DIR] [--frames N]      (default OUT_DIR: docs/pictures)

Writes part_iou.jpg and prints the table. With real captures: facewright bench-part-iou FOLDER --out
DIR.
"""

import argparse
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker.register_package(ROOT)

from facewright.engine import tasks
from facewright.engine.lab.demo import render_demo_capture


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument('out', nargs='?', type=Path, default=ROOT / 'docs' / 'pictures')
    ap.add_argument('--frames', type=int, default=60)
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        (capture := Path(scratch) / 'capture').mkdir()
        render_demo_capture(capture, a.frames)
        report = worker.run(
            tasks.bench_part_iou(str(capture), str(Path(scratch) / 'out')),
            lambda p: print(
                f'\r{100 * p.fraction:3.0f} % {p.stage:60.60}', end='', file=sys.stderr
            ),
        )
        shutil.copy(Path(scratch) / 'out' / 'part_iou.jpg', a.out / 'part_iou.jpg')
    print('\n' + report['table'])


if __name__ == '__main__':
    main()
