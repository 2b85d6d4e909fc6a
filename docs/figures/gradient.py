"""Paper 1's figure 8 on the built-in head: what one vertex's gradient at the tip of the nose moves,
without and with differential coordinates.

    python docs/figures/gradient.py OUT_DIR      (default: docs/pictures)

Writes gradient_skin.png (the face: the plain gradient; spread over the surface's edges; over
surface and tetrahedra) and gradient_inside.png (the same three with one half of the head away: cut
flesh, nostril, socket walls), and prints how far each reaches.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker.register_package(ROOT)

import numpy as np
import torch

from facewright.engine.face_model import FaceModel, load_model
from facewright.engine.footage.images import write_image
from facewright.engine.geometry.differential import DifferentialCoordinates
from facewright.engine.geometry.laplacian import edges_of
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.preview import contact_sheet, render_head
from facewright.engine.shape_keys.tetrahedra import flesh, flesh_edges, outer_triangles

WALLS = ('mouth_socket', 'eye_socket_L', 'eye_socket_R')
NOSE_TIP = 30  # of the 68 landmarks
SIZE = (560, 640)
BONE, RED = np.array([0.86, 0.83, 0.79]), np.array([0.80, 0.02, 0.03])
FLESH_TINT, WALL_TINT = np.array([0.93, 0.86, 0.70]), np.array([0.72, 0.77, 0.86])
LABELS = ['plain gradient', 'spread over the surface', 'surface and tetrahedra']


def spread(edges: np.ndarray | None, n: int, vertex: int) -> np.ndarray:
    """n float64.

    The step of every vertex when the loss pulls `vertex` alone and a gradient step is taken in u.
    """
    if edges is None:
        return (np.arange(n) == vertex).astype(float)
    coordinates = DifferentialCoordinates(edges, n, dtype=torch.float64)
    u = coordinates.to_differential(torch.zeros(n, 1, dtype=torch.float64)).requires_grad_()
    coordinates.from_differential(u)[vertex, 0].backward()  # the gradient in u …
    with torch.no_grad():
        return coordinates.from_differential(u.grad)[
            :, 0
        ].numpy()  # … and what a step along it does to the vertices


def shown(values: np.ndarray) -> np.ndarray:
    """0..1 for the colour.

    Logarithmic, from a hundredth of the largest (pale) to the largest (red).
    """
    return np.clip(1 + np.log10(np.maximum(values / values.max(), 1e-9)) / 2, 0, 1)


def picture(
    points: np.ndarray, triangles: np.ndarray, base: np.ndarray, values: np.ndarray, **camera
) -> np.ndarray:
    """Render triangles, each its own base colour (T×3), reddened by the values at its corners.

    Flat shading keeps cut cells apart.
    """
    heat = values[triangles].reshape(-1, 1)
    colours = np.repeat(base, 3, 0) * (1 - heat) + RED * heat
    return render_head(
        points[triangles].reshape(-1, 3),
        np.arange(3 * len(triangles)).reshape(-1, 3),
        colours,
        size=SIZE,
        **camera,
    )


def members(model: FaceModel, regions: tuple[str, ...], count: int) -> np.ndarray:
    """Return bool, so many: which vertices lie in one of the regions."""
    out = np.zeros(count, bool)
    for name in regions:
        out[model.regions[name]] = True
    return out


def main(folder: Path) -> None:
    """Write both pictures into the folder and print how far each step reaches."""
    model = load_model('builtin')
    filled = flesh(model)
    n, tip = model.vertex_count, int(model.landmarks68[NOSE_TIP])
    total = n + len(filled.points)
    points = np.concatenate([model.neutral.astype(np.float64), filled.points])
    triangles = triangulate(model.faces)
    steps = [
        spread(None, total, tip),
        spread(edges_of(triangles), total, tip),
        spread(flesh_edges(model, filled), total, tip),
    ]

    wall = members(model, WALLS, total)
    seen = members(model, ('face', 'head_neck', *WALLS, 'eyeball_L', 'eyeball_R'), n)
    face = triangles[seen[triangles].all(1)]
    front = {'yaw': -24, 'focal': SIZE[1] / 16 * 60, 'look_at': np.array([0, 0.8, 9.0])}
    pictures = []
    for step in steps:
        heat = shown(step)[:n, None]
        pictures.append(
            render_head(points[:n], face, BONE * (1 - heat) + RED * heat, size=SIZE, **front)
        )

    # one half of the flesh: its cut faces are those the whole does not have
    half = filled.tetrahedra[points[filled.tetrahedra].mean(1)[:, 0] < 0]
    cut = outer_triangles(half)
    whole = set(map(tuple, np.sort(outer_triangles(filled.tetrahedra), 1)))
    is_cut = np.array([tuple(f) not in whole for f in np.sort(cut, 1)])
    base = np.where(
        is_cut[:, None], FLESH_TINT, np.where(wall[cut].all(1)[:, None], WALL_TINT, BONE)
    )
    inside = {'yaw': -68, 'focal': SIZE[1] / 13 * 60, 'look_at': np.array([0, 0.0, 8.5])}
    cuts = [picture(points, cut, base, shown(step), **inside) for step in steps]
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in (('gradient_skin.png', pictures), ('gradient_inside.png', cuts)):
        write_image(folder / name, contact_sheet(images, 3, LABELS))
        print(folder / name)

    far = model.regions['mouth_socket']
    for label, step in zip(LABELS, steps):
        print(
            f'{label}: {int((step > 1e-2 * step.max()).sum())} of {total} points move by over a '
            'hundredth of the tip, '
            f"{int((step[n:] > 1e-2 * step.max()).sum())} of them inside; the mouth's wall by up "
            f'to {step[far].max() / step.max():.1e}'
        )


if __name__ == '__main__':
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / 'docs' / 'pictures')
