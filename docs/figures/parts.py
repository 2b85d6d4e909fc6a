"""docs/pictures/builtin_parts.jpg: the built-in head with its parts, as Part IoU draws them.

usage: .venv/bin/python docs/figures/parts.py OUT.jpg
"""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
_worker.register_package(ROOT)

from facewright.engine.annotate.parts import model_part_shares
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import visible_faces
from facewright.engine.footage.images import write_image
from facewright.engine.render.preview import head_to_camera, render_head
from facewright.engine.texture.part_iou import part_labels_picture

SIZE, FOCAL, OPACITY = (420, 480), 1100.0, 0.55
COLOURS = np.array(
    [
        (128, 128, 128),
        (240, 214, 180),
        (240, 150, 40),
        (60, 170, 70),
        (140, 220, 140),
        (60, 80, 210),
        (130, 165, 240),
        (215, 60, 55),
        (225, 90, 200),
    ],
    np.uint8,
)
LOOKS = (
    (0, {}),
    (40, {}),
    (0, {'jawOpen': 0.6}),
    (-35, {'eyeBlink_L': 1, 'eyeBlink_R': 1, 'mouthSmile_L': 0.8, 'mouthSmile_R': 0.8}),
)


def main(out: str) -> None:
    model = load_model('builtin')
    shares, tiles = model_part_shares(model), []
    for yaw, weights in LOOKS:
        head = model.shape(None, [weights.get(name, 0.0) for name in model.names])
        picture = render_head(
            head, model.faces[visible_faces(model)], yaw=yaw, size=SIZE, focal=FOCAL
        )
        labels = part_labels_picture(
            model,
            shares,
            head_to_camera(head.astype(np.float64), yaw),
            2 * FOCAL,
            SIZE,
            (2 * SIZE[0], 2 * SIZE[1]),
        )
        colours = cv2.resize(
            np.where(
                labels[..., None] > 0, COLOURS[labels], np.repeat(np.repeat(picture, 2, 0), 2, 1)
            ),
            SIZE,
            interpolation=cv2.INTER_AREA,
        )
        tiles.append(cv2.addWeighted(colours, OPACITY, picture, 1 - OPACITY, 0))
    write_image(Path(out), np.concatenate(tiles, 1), 88)


if __name__ == '__main__':
    main(sys.argv[1])
