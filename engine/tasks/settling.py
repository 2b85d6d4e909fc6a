"""Settling a head: its pieces no longer cross, in its neutral and in any of its shapes."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ..core.files import write_text
from ..core.progress import Clock, Progress
from ..core.result_folder import results
from .inputs import OPENED, open_model, read_head, run_between
from .shared import VERSION, Task, writable_folder


def settle_shape_keys(rig: str, out: str, model: str = 'builtin') -> Task:
    """Take a head's crossing pieces apart → OUT/rig.npz, report.json.

    rig: a rig.npz in the model's topology. Its neutral and every expression are changed as little
    as need be; report.json has of the neutral and of each the crossings before and after and how
    far (mm) the skin one sees moved at most. Raises FacewrightError; then nothing new is left in
    `out`.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('rig.npz', 'report.json'))
    face = yield from open_model(model, clock)
    head = read_head(rig, face)
    from ..formats.rig import Rig, write_rig
    from ..shape_keys.settle import settle_head

    found = yield from run_between(
        lambda report: settle_head(face, head.neutral, head.expressions, head.names, report=report),
        clock,
        (OPENED, 0.97),
        'Settling lips, lids and cavities',
    )
    shapes = [
        {
            'name': name,
            'before': int(before.sum()),
            'after': int(after.sum()),
            'seen_mm': round(float(moved), 3),
        }
        for name, before, after, moved in zip(
            ('neutral', *head.names), found.before, found.after, found.seen
        )
    ]
    report = {
        'version': VERSION,
        'model': model,
        'shapes': shapes,
        'seconds': round(time.monotonic() - began, 2),
    }
    with results(folder, 'settle') as part:
        write_rig(part / 'rig.npz', Rig(found.neutral, found.expressions, head.names, head.faces))
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}
