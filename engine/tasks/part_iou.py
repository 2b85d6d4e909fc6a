"""The part-IoU benchmark (papers/4, eq. 13), on a capture whose true part masks are known."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import write_text
from ..core.progress import Progress
from ..core.result_folder import results
from .reconstruction import reconstruct
from .shared import Task, writable_folder

RUNS = {
    'draft': {'quality': 'draft'},
    'standard without PRDL': {'quality': 'standard', 'part_masks': False},
    'standard': {'quality': 'standard'},
}
PICTURED = 4  # frames of the first view that are drawn
MEASURING = 0.97  # part of the bar


def bench_part_iou(
    capture: str, out: str, model: str = 'builtin', views: Sequence[str] = (), every: int = 4
) -> Task:
    """Measure Draft, Standard without part masks and Standard → part_iou.md, part_iou.jpg in `out`.

    capture: a folder with capture.json and parts.npz (formats: docs/formats.md). every: each how
    many frames are measured. The picture shows frames of the first view: the true parts, then each
    result's, the true outlines in white. FacewrightError where the capture has no true masks.
    """
    from ..face_model import load_model
    from ..texture.part_iou import measure, read_parts, table

    folder = writable_folder(Path(out), ('part_iou.md', 'part_iou.jpg'))
    if not (Path(capture) / 'parts.npz').is_file():
        raise FacewrightError(
            f'{capture} has no parts.npz: choose a capture folder whose true part masks are known.'
        )
    read_parts(Path(capture))
    with tempfile.TemporaryDirectory(prefix='facewright-bench-') as scratch:
        made = {}
        for k, (name, settings) in enumerate(RUNS.items()):
            made[name] = Path(scratch) / str(k)
            for progress in reconstruct(
                [str(Path(capture) / 'capture.json')],
                str(made[name]),
                model,
                views=views,
                **settings,
            ):
                yield Progress(
                    MEASURING * (k + progress.fraction) / len(RUNS), f'{name}: {progress.stage}'
                )
        yield Progress(MEASURING, 'Measuring')
        face = load_model(model)
        rows = measure(Path(capture), made, face, tuple(views), every)
        text = table(rows)
        with results(folder, 'bench_part_iou') as part:
            write_text(part / 'part_iou.md', text)
            write_picture(part / 'part_iou.jpg', Path(capture), made, face, rows[0].view)
    yield Progress(1.0, 'Done', 0.0)
    return {
        'out': str(folder),
        'table': text,
        'mean': {
            name: round(float(np.mean([r.mean for r in rows if r.name == name])), 4)
            for name in made
        },
    }


def write_picture(path: Path, capture: Path, made: dict[str, Path], face, view: str) -> None:
    """Write a contact sheet of one view: a row a frame, the true parts and each result's."""
    import cv2

    from ..footage.capture import read_capture
    from ..footage.images import write_image
    from ..formats.animated_head import open_animated_head
    from ..render.preview import contact_sheet
    from ..texture.part_iou import parts_at, read_parts

    truth, camera = (
        read_parts(capture)[view],
        next(v for v in read_capture(capture / 'capture.json') if v.name == view),
    )
    heads = {name: open_animated_head(folder, face) for name, folder in made.items()}
    tiles, labels = [], []
    for frame in np.linspace(0, len(truth) - 1, PICTURED).astype(int):
        true = truth[frame]
        edge = cv2.morphologyEx(true, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        rows, columns = np.nonzero(true > 1)
        window = (
            np.s_[
                max(rows.min() - 20, 0) : rows.max() + 20,
                max(columns.min() - 20, 0) : columns.max() + 20,
            ]
            if len(rows)
            else np.s_[:, :]
        )
        for name, seen in [
            ('true', true),
            *((name, parts_at(head, face, camera, int(frame))) for name, head in heads.items()),
        ]:
            picture = COLOURS[np.zeros_like(true) if seen is None else seen]
            if name != 'true':
                picture = np.where(edge[..., None], 255, picture).astype(np.uint8)
            tiles.append(cv2.resize(picture[window], (320, 320), interpolation=cv2.INTER_NEAREST))
            labels.append(name)
    write_image(path, contact_sheet(tiles, len(made) + 1, labels), 88)


COLOURS = np.array(
    [
        (30, 30, 30),
        (200, 160, 140),
        (255, 200, 0),
        (0, 120, 255),
        (0, 0, 200),
        (0, 255, 0),
        (0, 160, 0),
        (255, 0, 0),
        (255, 0, 255),
    ],
    np.uint8,
)
