"""Part annotation and part masks on captures whose true masks are known (ICT).

The ceiling of part IoU: the true head at the true time, its parts as the model is annotated. And
the masks that segment_parts finds in the pictures.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

pytestmark = pytest.mark.bench
CAPTURES = 'dev', 'dev2', 'dev3'
EVERY = 4  # each how many frames are measured
NEIGHBOURS = 30  # skin vertices that what truth.npz leaves out moves with
LEAST_CEILING = 0.84


def true_head(capture, model, folder):
    """Write a capture's true head and motion as a result.

    What lies behind truth.npz's vertices is the model's own, moved with the skin before it.
    """
    from facewright.engine.formats.performance import Performance, write_performance
    from facewright.engine.formats.rig import Rig, write_rig

    truth = np.load(capture / 'truth.npz', allow_pickle=False)
    neutral = model.shape(truth['identity'].astype(np.float64)).astype(np.float64)
    count = len(truth['neutral'])
    offset = truth['neutral'] - neutral[:count]
    near = cKDTree(neutral[:count]).query(neutral[count:], k=NEIGHBOURS)[1]
    neutral[:count], neutral[count:] = truth['neutral'], neutral[count:] + offset[near].mean(1)
    expressions = model.expressions.copy()
    place = [truth['names'].tolist().index(name) for name in model.names]
    expressions[:, :count] = truth['expressions'][place]
    folder.mkdir()
    write_rig(
        folder / 'rig.npz',
        Rig(neutral.astype(np.float32), expressions, model.names, model.faces),
    )
    motion = (truth['weights'][:, place].astype(np.float32), model.names, truth['R'], truth['t'])
    write_performance(folder / 'performance.npz', Performance(truth['time'], *motion, 120.0))


def found_masks(capture):
    """7 IoU of segment_parts with the true masks, mean over views and frames."""
    from facewright.engine.footage import open_footage
    from facewright.engine.footage.detector import detect_view
    from facewright.engine.footage.masks import segment_parts
    from facewright.engine.footage.sources import read_frames
    from facewright.engine.texture.part_iou import part_iou, read_parts

    truth, scores = read_parts(capture), []
    for view in open_footage([str(capture / 'capture.json')]).views:
        seen = detect_view(view, 'final')
        for k, picture in enumerate(read_frames(view)):
            if k % EVERY == 0 and seen.present[k]:
                found = segment_parts(picture, seen.points[k][:, :2], seen.confidence[k])
                scores.append(part_iou(found, truth[view.name][k]))
    return np.nanmean(scores, 0)[1:]


def test_parts_of_the_captures(shared_data, tmp_path, table):
    from facewright.engine.face_model import load_model
    from facewright.engine.face_model.part_labels import PARTS
    from facewright.engine.texture.part_iou import measure

    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    rows, ceilings = [], []
    for name in CAPTURES:
        capture = shared_data / 'captures' / name
        true_head(capture, model, tmp_path / name)
        measured = measure(capture, {name: tmp_path / name}, model, every=EVERY)
        ceilings.append(np.mean([row.mean for row in measured]))
        for what, iou in (
            ('ceiling', np.nanmean([row.iou for row in measured], 0)[1:]),
            ('found in the frame', found_masks(capture)),
        ):
            rows.append((f'{name}: {what}', *(f'{100 * v:.1f}' for v in (*iou, iou.mean()))))
    table(
        'Parts: IoU with the true masks, per cent',
        ('capture', *(part.replace('_', ' ') for part in PARTS[2:]), 'mean of seven'),
        rows,
    )
    assert min(ceilings) > LEAST_CEILING, ceilings
