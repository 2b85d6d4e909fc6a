"""Cavities of a head: filled round about, made to follow the skin, their crossings counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.files import write_npz, write_text
from ..core.progress import Clock, Progress
from ..core.result_folder import results
from .inputs import OPENED, open_model, read_edits, read_head, read_mask, run_between
from .shared import VERSION, Task, writable_folder

if TYPE_CHECKING:
    from ..face_model.model import FaceModel
    from ..formats.rig import Rig

BLOCK = 50  # combinations whose crossings are counted between two reports


def build_tetrahedra(
    model: str, out: str, head: str | None = None, mask: str | None = None
) -> Task:
    """Fill what is between skin and cavities with tetrahedra → OUT/flesh.npz, report.json.

    flesh.npz: vertices (all of the model's, then the filling's)×3 cm, tetrahedra M×4, surface
    triangles B×3 (the filling's outside), inverted per shape.

    head: a rig.npz in the model's topology to fill instead of the model's own neutral. mask: an
    .npz with `mask`, V bool: what to fill instead of the surroundings of mouth, nose and eyes.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('flesh.npz', 'report.json'))
    face = yield from open_model(model, clock)
    from ..shape_keys.tetrahedra import build_flesh, carry_flesh, flesh, inverted, outer_faces

    shape = read_head(head, face) if head else face
    within = read_mask(Path(mask), face.vertex_count) if mask else None
    filled = yield from run_between(
        lambda report: build_flesh(face, within=within) if mask else flesh(face),
        clock,
        (OPENED, 0.6),
        'Filling with tetrahedra',
    )
    neutral, expressions = shape.neutral, shape.expressions

    def carry(report):
        shapes = neutral[None] + np.concatenate([np.zeros_like(expressions[:1]), expressions])
        return shapes, carry_flesh(filled, neutral, shapes)

    shapes, inner = yield from run_between(
        carry, clock, (0.6, 0.97), 'Carrying the filling through the shapes'
    )
    share = {
        n: float(inverted(filled, s, p).mean())
        for n, s, p in zip(('neutral', *shape.names), shapes, inner)
    }
    report = {
        'version': VERSION,
        'model': model,
        'tetrahedra': len(filled.tetrahedra),
        'inside_points': len(inner[0]),
        'inverted_percent': {n: round(100 * v, 4) for n, v in share.items()},
        'seconds': round(time.monotonic() - began, 2),
    }
    with results(folder, 'tetrahedra') as part:
        write_npz(
            part / 'flesh.npz',
            vertices=np.concatenate([neutral, inner[0]]).astype(np.float32),
            tetrahedra=filled.tetrahedra.astype(np.int32),
            surface=outer_faces(filled).astype(np.int32),
        )
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def fix_cavities(rig: str, out: str, model: str, edits: str, spread: bool = False) -> Task:
    """Let sockets, gums, teeth and eyeballs follow an edited skin → OUT/rig.npz, report.json.

    rig: a rig.npz in the model's topology, as it was before the edits.
    edits: an .npz with names n, before and edited n×V×3 (absolute, head space, cm): the shapes that
    were edited by hand ('neutral' for the basis).
    spread: the other shapes get the same edit.
    """
    clock = Clock()
    folder = writable_folder(Path(out), ('rig.npz', 'report.json'))
    face = yield from open_model(model, clock)
    from ..formats.rig import Rig, write_rig

    head = read_head(rig, face)
    edited = read_edits(Path(edits), face.vertex_count, head.names)
    neutral, expressions, shapes = yield from run_between(
        lambda report: _follow_edits(face, head, edited, spread, report),
        clock,
        (OPENED, 0.97),
        'Moving the cavities with the skin',
    )
    report = {'version': VERSION, 'model': model, 'shapes': shapes, 'spread': bool(spread)}
    with results(folder, 'fix_cavities') as part:
        write_rig(
            part / 'rig.npz',
            Rig(neutral.astype(np.float32), expressions.astype(np.float32), head.names, head.faces),
        )
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def _follow_edits(
    face: FaceModel,
    head: Rig,
    edits: tuple[Sequence[str], np.ndarray, np.ndarray],
    spread: bool,
    report: Callable[[float], None],
) -> tuple[np.ndarray, np.ndarray, list[dict]]:
    """Let the cavities follow each edit of the skin.

    Returns neutral V×3 and expressions E×V×3, float64 cm, and what report.json says of each edit.
    """
    from ..shape_keys.cavities import follow_skin, spread_edit
    from ..shape_keys.crossings import find_crossings
    from ..shape_keys.tetrahedra import flesh

    filled = flesh(face)
    neutral = head.neutral.astype(np.float64)
    expressions = head.expressions.astype(np.float64).copy()
    names, befores, afters = edits
    shapes = []
    for k, name in enumerate(names):
        before, edited = befores[k], afters[k]
        fixed = follow_skin(face, filled, before, edited)
        counts = [len(find_crossings(face, v).pairs) for v in (edited, fixed)]
        shapes.append({'name': name, 'before': counts[0], 'after': counts[1]})
        if name == 'neutral':
            if not spread:
                expressions += (neutral - fixed)[None]  # the shapes stay where they are
            neutral = fixed  # else the offsets stay: every shape moves along
        else:
            index = head.names.index(name)
            expressions[index] = fixed - neutral
            if spread:
                expressions = spread_edit(face, neutral, expressions, index, fixed - before)
        report((k + 1) / len(names))
    return neutral, expressions, shapes


def check_intersections(
    rig: str, out: str, model: str, combinations: int = 0, seed: int = 0
) -> Task:
    """Find where cavities cross the skin, lips lips, lids eyeballs → OUT/crossings.npz.

    crossings.npz: names n, counts n×kinds, kinds, marked n×V uint8; for random combinations their
    weights and counts. The shapes are the neutral, then every expression in full (mouthClose and
    tongueOut with the jaw open, as they are meant); then so many random combinations. report.json.
    """
    clock = Clock()
    folder = writable_folder(Path(out), ('crossings.npz', 'report.json'))
    face = yield from open_model(model, clock)
    from ..shape_keys.crossings import KINDS, sample_combinations

    head = read_head(rig, face)
    names = ('neutral', *head.names)
    weights = sample_combinations(head.names, combinations, seed)

    def work(report):
        counts, marked = _cross_shapes(face, head, lambda part: report(0.5 * part))
        many = _cross_combinations(face, head, weights, lambda part: report(0.5 + 0.5 * part))
        return counts, marked, many

    counts, marked, many = yield from run_between(
        work, clock, (OPENED, 0.97), 'Looking for crossings'
    )
    report = {
        'version': VERSION,
        'model': model,
        'kinds': list(KINDS),
        'shapes': {n: int(c.sum()) for n, c in zip(names, counts)},
        'combinations': int(combinations),
        'crossings_in_combinations': int(many.sum()),
        'combinations_with_crossings': int((many.sum(1) > 0).sum()),
    }
    with results(folder, 'check_intersections') as part:
        write_npz(
            part / 'crossings.npz',
            names=np.array(names),
            kinds=np.array(KINDS),
            counts=counts.astype(np.int32),
            marked=marked,
            weights=weights.astype(np.float32),
            combination_counts=many.astype(np.int32),
        )
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def _cross_shapes(
    face: FaceModel, head: Rig, report: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return crossings of the neutral and of each expression: counts n×kinds, marked n×V uint8."""
    from ..face_model.expressions import WITH_OPEN_JAW
    from ..shape_keys.crossings import KINDS, find_crossings

    names = ('neutral', *head.names)
    jaw = head.expressions[head.names.index('jawOpen')] if 'jawOpen' in head.names else 0
    counts, marked = [], []
    for k, name in enumerate(names):
        vertices = (
            head.neutral
            + (0 if k == 0 else head.expressions[k - 1])
            + (jaw if name in WITH_OPEN_JAW else 0)
        )
        found = find_crossings(face, vertices)
        counts.append([int((found.kind == kind).sum()) for kind in range(len(KINDS))])
        marks = np.zeros(face.vertex_count, np.uint8)
        marks[found.vertices] = 1
        marked.append(marks)
        report((k + 1) / len(names))
    return np.array(counts), np.stack(marked)


def _cross_combinations(
    face: FaceModel, head: Rig, weights: np.ndarray, report: Callable[[float], None]
) -> np.ndarray:
    """Return counts of crossings C×kinds of C combinations of weights C×E."""
    from ..shape_keys.crossings import KINDS, count_crossings

    many = np.zeros((0, len(KINDS)), int)
    if not len(weights):
        return many
    for block in np.array_split(weights, max(1, len(weights) // BLOCK)):
        counts = count_crossings(face, head.neutral, head.expressions, block)
        many = np.concatenate([many, counts])
        report(len(many) / len(weights))
    return many
