"""Speed and memory of PRDL: eight parts of the built-in head at 224², one process, one core."""

import multiprocessing
import resource
import time

import pytest

pytestmark = pytest.mark.bench
PEAK = 600  # MB


def measured(most_skin: int):
    import numpy as np
    import torch

    from facewright.engine.annotate.parts import model_parts
    from facewright.engine.evidence.part_points import part_points
    from facewright.engine.evidence.prdl import gauss_newton, mask_side, prdl
    from facewright.engine.face_model import load_model
    from facewright.engine.face_model.part_labels import PARTS
    from facewright.engine.render.preview import head_to_camera
    from facewright.engine.texture.part_iou import part_labels_picture

    torch.set_num_threads(1)
    model, size, focal = load_model('builtin'), (224, 224), 560.0
    points = part_points(model, most_skin=most_skin)
    labels = part_labels_picture(
        model,
        model_parts(model),
        head_to_camera(model.neutral.astype(float), 12.0, distance=55.0),
        focal,
        (112.0, 112.0),
        size,
    )
    at = points.matrix @ head_to_camera(model.neutral.astype(float), distance=55.0)
    pixels = at[:, :2] / at[:, 2:] * focal + 112
    own = [pixels[points.part == k] for k in range(1, len(PARTS))]

    def each(work, turns: int = 5) -> float:
        work()
        start = time.process_time()
        for _ in range(turns):
            work()
        return (time.process_time() - start) / turns

    def sides():
        made = [mask_side(labels == k) for k in range(1, len(PARTS))]
        for side in made:
            side.nearest(), side.furthest(), side.mean()
        return made

    masks = sides()
    tensors = [torch.tensor(p, requires_grad=True) for p in own]

    def memory() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = memory()
    whole = each(lambda: sum(prdl(p, side) for p, side in zip(tensors, masks)).backward())
    peak = memory()
    rows = [
        ("mask's side, eight parts", each(sides)),
        (f'loss and gradient, eight parts, {len(np.concatenate(own))} points', whole),
        (
            'Gauss-Newton form, one part',
            each(lambda: [gauss_newton(p, side) for p, side in zip(own[1:], masks[1:])]) / 7,
        ),
    ]
    return rows, before, peak


def test_prdl(table):
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        rows, before, peak = pool.apply(measured, (3000,))
    table(
        'PRDL at 224²',
        ('what', 'CPU ms'),
        [(name, f'{1000 * seconds:.1f}') for name, seconds in rows]
        + [('process before / at its peak', f'{before:.0f} / {peak:.0f} MB')],
    )
    assert peak < PEAK
