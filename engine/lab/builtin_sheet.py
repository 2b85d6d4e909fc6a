"""Pictures of the built-in head to judge it by.

Neutral from all round, every expression, every identity mode:

    python -m facewright.engine.lab.builtin_sheet FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ..face_model.builtin import build
from ..face_model.builtin.identities import mode_names
from ..face_model.expressions import WITH_OPEN_JAW
from ..face_model.model import FaceModel
from ..face_model.paint import albedo
from ..footage.images import write_image
from ..render.preview import contact_sheet, render_head

UPPER_FACE = (
    'brow',
    'eye',
    'cheekSquint',
)  # what the picture is framed on: the eyes, else the mouth


def neutral_sheet(model: FaceModel) -> np.ndarray:
    """Draw the neutral from all round."""
    colours = albedo(model)
    views = [(0, 0), (35, 0), (90, 0), (150, 0), (0, 25), (0, -30)]
    return contact_sheet(
        [
            render_head(model.neutral, model.faces, colours, yaw=y, pitch=p, size=(320, 400))
            for y, p in views
        ],
        6,
    )


def expression_sheet(model: FaceModel, size: tuple[int, int] = (240, 190)) -> np.ndarray:
    """Draw every shape at full weight from the front and half side, framed on where it acts.

    mouthClose and tongueOut with the jaw open, as they are meant.
    """
    colours = albedo(model)
    tiles, labels = [], []
    for k, name in enumerate(model.names):
        vertices = model.neutral + model.expressions[k]
        if name in WITH_OPEN_JAW:
            vertices = vertices + model.expressions[model.names.index('jawOpen')]
        centre = (0, 4.2, 8.0) if name.startswith(UPPER_FACE) else (0, -3.2, 8.0)
        turn = -40 if name.endswith('_L') else 40
        for yaw in (0, turn):
            tiles.append(
                render_head(
                    vertices,
                    model.faces,
                    colours,
                    yaw=yaw,
                    size=size,
                    focal=size[0] * 60 / 14.0,
                    look_at=np.array(centre),
                )
            )
            labels.append(name if not yaw else '')
    return contact_sheet(tiles, 8, labels)


def identity_sheet(
    model: FaceModel, size: tuple[int, int] = (170, 200), strength: float = 2.5
) -> np.ndarray:
    """Draw each mode at −strength and +strength standard deviations, front and side."""
    colours = albedo(model)
    tiles, labels = [], []
    for mode, name in zip(model.identities, mode_names()):
        for sign in (-strength, strength):
            for yaw in (0, 55):
                tiles.append(
                    render_head(
                        model.neutral + sign * mode,
                        model.faces,
                        colours,
                        yaw=yaw,
                        size=size,
                        focal=size[1] * 2.4,
                    )
                )
                labels.append(name if sign < 0 and not yaw else '')
    return contact_sheet(tiles, 12, labels)


def main() -> None:
    """Write the three sheets into the folder of the command line."""
    folder = Path(sys.argv[1])
    model = build()
    for name, picture in (
        ('neutral', neutral_sheet(model)),
        ('expressions', expression_sheet(model)),
        ('identities', identity_sheet(model)),
    ):
        write_image(folder / f'builtin_{name}.jpg', picture, 82)


if __name__ == '__main__':
    main()
