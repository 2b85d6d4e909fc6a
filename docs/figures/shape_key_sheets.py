"""Contact sheets of the 53 shapes of heads that shape keys were generated for: to be looked at.

    python docs/figures/shape_key_sheets.py OUT_DIR MESH [MESH ...] [--model PATH|builtin]
                                            [--onto mesh|model] [--no-settle] [--close]

--close: several larger sheets a head, of mouth and eyes near by. Heads in the model's topology are
painted, so that teeth and eyes are told from skin. MESH may also be `builtin` (the built-in head
itself) or `foreign` (a copy of it in another topology, turned, in metres).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
_worker.register_package(ROOT)
sys.path.insert(0, str(ROOT / 'tests' / 'support'))

from foreign_head import foreign_copy

from facewright.engine.annotate.landmarks import model_landmarks
from facewright.engine.face_model import load_model
from facewright.engine.face_model.paint import albedo, visible_faces
from facewright.engine.footage.images import write_image
from facewright.engine.geometry.user_mesh import UserMesh, read_mesh
from facewright.engine.render.preview import contact_sheet, render_head
from facewright.engine.shape_keys.generate import generate

UPPER = ('brow', 'eye', 'cheekSquint')


CLOSE = 18  # shapes a sheet


def sheets(rig, model, close: bool) -> list[np.ndarray]:
    """The neutral and every shape of any rig in full from the front and half side.

    MouthClose with the jaw open, as it is meant.
    """
    size, width, columns = ((360, 300), 10.0, 8) if close else ((240, 190), 14.0, 12)
    own = len(rig.neutral) == model.vertex_count
    faces, colours = (
        (model.faces[visible_faces(model)], albedo(model)) if own else (rig.faces, None)
    )
    jaw = rig.expressions[rig.names.index('jawOpen')]
    pairs = []
    for name, offsets in [('neutral', 0), *zip(rig.names, rig.expressions)]:
        vertices = rig.neutral + offsets + (jaw if name == 'mouthClose' else 0)
        centre = np.array((0, 2.6, 6.0) if name.startswith(UPPER) else (0, -3.6, 6.0))
        pairs.append(
            (
                [
                    render_head(
                        vertices,
                        faces,
                        colours,
                        yaw=yaw,
                        size=size,
                        focal=size[0] * 60 / width,
                        look_at=centre,
                    )
                    for yaw in (0, -40 if name.endswith('_L') else 40)
                ],
                [name, ''],
            )
        )
    parts = [pairs[k : k + CLOSE] for k in range(0, len(pairs), CLOSE)] if close else [pairs]
    return [
        contact_sheet(
            [t for tiles, _ in part for t in tiles],
            columns,
            [n for _, names in part for n in names],
        )
        for part in parts
    ]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument('out', type=Path)
    ask.add_argument('meshes', nargs='+')
    ask.add_argument('--model', default='builtin')
    ask.add_argument('--onto', default='mesh', choices=('mesh', 'model'))
    ask.add_argument('--close', action='store_true')
    ask.add_argument('--no-settle', dest='settle', action='store_false')
    options = ask.parse_args()
    model = load_model(options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    for source in options.meshes:
        if source == 'builtin':
            head = load_model('builtin')
            mesh = UserMesh(
                head.neutral.astype(np.float64),
                head.faces,
                np.zeros(head.vertex_count, np.int32),
                ('head',),
            )
        else:
            mesh = foreign_copy(load_model('builtin')) if source == 'foreign' else read_mesh(source)
        made = generate(
            model, lambda: model_landmarks(model), mesh, options.onto, settle=options.settle
        )
        for k, picture in enumerate(sheets(made.rig, model, options.close)):
            number = f'-{k}' if options.close else ''
            name = f'{Path(source).stem}-{model.name}-{options.onto}{number}.jpg'
            path = options.out / name
            write_image(path, picture, 88)
        print(path, {k: v for k, v in made.numbers.items() if k != 'contacts'}, flush=True)


if __name__ == '__main__':
    main()
