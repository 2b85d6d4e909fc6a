"""docs/pictures/lips_shut.jpg: twelve shut frames of the demo, footage above, result below.

usage: .venv/bin/python docs/figures/lips.py CLIP RESULT OUT.jpg

CLIP: the demo's own (`build.py demo`, footage.mp4); RESULT: the folder of its reconstruction.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
_worker.register_package(ROOT)

import cv2

from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import albedo, visible_faces
from facewright.engine.footage import open_footage
from facewright.engine.footage.detector import detect_view
from facewright.engine.footage.images import write_image
from facewright.engine.footage.sources import read_frames
from facewright.engine.formats.performance import read_performance
from facewright.engine.formats.rig import read_rig
from facewright.engine.lab.lip_measure import shut_frames
from facewright.engine.render.preview import head_to_camera, render_camera

SHOWN, COLUMNS = 12, 6
TILE, FOCAL = (240, 170), 1900.0
HALF = 60  # px of the footage to either side of the mouth


def main(clip: str, result: str, out: str) -> None:
    model = load_model().tracked
    view = open_footage([clip]).views[0]
    seen = detect_view(view)
    frames = shut_frames(seen)
    frames = frames[np.linspace(0, len(frames) - 1, SHOWN).astype(int)]
    rig, performance = (
        read_rig(Path(result) / 'rig.npz'),
        read_performance(Path(result) / 'performance.npz'),
    )
    colours, faces = albedo(model), model.faces[visible_faces(model)]
    mouth = rig.neutral[model.landmarks68[48:]].mean(0)
    pictures, tiles = list(read_frames(view)), []
    for k in frames:
        x, y = seen.points[k, [13, 14]].mean(0)
        high = HALF * TILE[1] / TILE[0]
        crop = pictures[k][int(y - high) : int(y + high), int(x - HALF) : int(x + HALF)]
        weights = performance.weights[k, : len(model.names)]
        head = rig.neutral + np.tensordot(weights, model.expressions, 1)
        camera = head_to_camera(head.astype(np.float64), 15, 0, 0, 60.0, mouth)
        picture = render_camera(camera, faces, colours, FOCAL, (TILE[0] / 2, TILE[1] / 2), TILE)
        tiles.append(np.concatenate([cv2.resize(crop, TILE), picture]))
    rows = [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, SHOWN, COLUMNS)]
    write_image(Path(out), np.concatenate(rows), 88)


if __name__ == '__main__':
    main(*sys.argv[1:])
