"""Shape keys for any head: wrapping, generating, filling cavities, fixing them, counting what crosses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import read_npz, write_npz, write_text
from ..core.progress import Clock, Progress, listen
from ..core.result_folder import results
from .shared import VERSION, Task, Value, writable_folder

OPENED = 0.08  # part of the bar until the model and the mesh are read


def _open_model(source: str, clock: Clock, landmarks: bool = False):
    """The model, and its landmarks where asked for: a generator of Progress."""
    from ..face_model import load_model

    for fraction in (reading := Value(listen(lambda report: load_model(source, report)))):
        yield clock.silent(OPENED * 0.5 * fraction, 'Reading the face model')
    if not landmarks:
        return reading.value, None
    return reading.value.tracked, (yield from _landmarks(reading.value, clock))


def _landmarks(model, clock: Clock):
    """A model's landmarks: a generator of Progress."""
    from ..annotate.landmarks import model_landmarks

    for fraction in (binding := Value(listen(lambda report: model_landmarks(model, report)))):
        yield clock.silent(OPENED * (0.5 + 0.5 * fraction), 'Finding the landmarks on the model')
    return binding.value


def _staged(
    work: Callable[[Callable[[float, str], None]], object],
    clock: Clock,
    first: float,
    last: float,
    stage: str,
):
    """Run work(report(fraction, stage)) in a thread: a generator of Progress between two parts of the bar; its value is the work's."""
    now = [stage]

    def inner(report):
        def told(fraction: float, stage: str | None = None) -> None:
            now[0] = stage or now[0]
            report(fraction)

        return work(told)

    for fraction in (running := Value(listen(inner))):
        yield clock.at(first + (last - first) * fraction, now[0])
    return running.value


def read_markers(path: str | None) -> dict[int, np.ndarray]:
    """markers.json, {name: [x, y, z]} in the mesh's units, as {index of the 68 landmarks: 3}; FacewrightError for an unknown name or not three numbers."""
    from ..wrap.scan_landmarks import MARKERS

    if not path:
        return {}
    try:
        found = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FacewrightError(f'There are no markers at {path}: check the path.') from None
    except (OSError, ValueError) as error:
        raise FacewrightError(
            f'{path} is not a readable list of markers ({type(error).__name__}): write it as {{"nose_tip": [x, y, z], …}}.'
        ) from error
    if not isinstance(found, dict):
        raise FacewrightError(
            f'{path} is not a list of markers: write it as {{"nose_tip": [x, y, z], …}}.'
        )
    out = {}
    for name, place in found.items():
        if name not in MARKERS:
            raise FacewrightError(
                f'{path} has a marker {name!r} that I do not know: use nose_tip, chin, eye_outer_L, mouth_corner_R, … or landmark_00 to landmark_67.'
            )
        numbers = (
            isinstance(place, list)
            and len(place) == 3
            and all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in place)
        )
        if not numbers or not np.isfinite(np.array(place, float)).all():
            raise FacewrightError(
                f'The marker {name} in {path} is not three finite numbers: write it as [x, y, z].'
            )
        out[MARKERS[name]] = np.array(place, float)
    return out


def add_markers(mesh: str, out: str, model: str = 'builtin') -> Task:
    """Where the face is on a mesh → OUT/landmarks.json: {marker name: [x, y, z] in the mesh's own space}, as `markers` takes it."""
    clock = Clock()
    folder = writable_folder(Path(out), ('landmarks.json',))
    from ..geometry.user_mesh import read_mesh

    read = read_mesh(mesh)
    face, landmarks = yield from _open_model(model, clock, True)
    from ..wrap.linear_fit import fit_linear_model
    from ..wrap.scan_landmarks import MARKERS

    found = yield from _staged(
        lambda report: fit_linear_model(face, landmarks, read, None, True, report),
        clock,
        OPENED,
        0.97,
        'Finding the face',
    )
    from ..geometry.closest import Surface

    at = Surface(found.vertices, found.triangles).closest(
        found.fit.from_head(found.fit.vertices[face.landmarks68])
    )[2]
    named = {
        name: at[i].tolist() for name, i in MARKERS.items() if not name.startswith('landmark_')
    }
    with results(folder, 'scan_landmarks') as part:
        write_text(part / 'landmarks.json', json.dumps(named, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return {'out': str(folder), 'landmarks': named}


def wrap_model(
    mesh: str,
    out: str,
    model: str = 'builtin',
    markers: str | None = None,
    expression: str = 'auto',
) -> Task:
    """Lay the model's topology onto a mesh → OUT/wrapped.obj (the mesh's own space; all the model's vertices in its order), wrap.npz, report.json.

    model: 'builtin' or a path. markers: path of a markers.json. expression: 'auto' finds what the face does, 'none' takes it to be at rest.
    Raises FacewrightError; then nothing new is left in `out`.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('wrapped.obj', 'wrap.npz', 'report.json'))
    yield Progress(0.0, 'Reading the mesh')
    from ..geometry.user_mesh import read_mesh

    read, pinned = read_mesh(mesh), read_markers(markers)
    face, landmarks = yield from _open_model(model, clock, True)
    opened = time.monotonic() - began
    from ..geometry.obj import write_obj
    from ..shape_keys.generate import removed
    from ..wrap.fit_quality import fit_numbers, fit_warnings
    from ..wrap.wrap import wrap_mesh

    wrapped = yield from _staged(
        lambda report: wrap_mesh(face, landmarks, read, pinned, expression == 'auto', report),
        clock,
        OPENED,
        0.95,
        'Finding the face',
    )
    own, fit = wrapped.fit.from_head(wrapped.vertices), fit_numbers(face, wrapped)
    warnings = fit_warnings(fit, read.source or str(mesh), bool(pinned))
    report = {
        'version': VERSION,
        'model': model,
        'mesh': str(mesh),
        'vertices': len(read.vertices),
        'faces': len(read.faces),
        'unit': wrapped.unit,
        'to_head': wrapped.fit.matrix.tolist(),
        'expression': removed(face, wrapped),
        'fit': fit,
        'warnings': warnings,
        'identity': [round(float(a), 4) for a in wrapped.fit.identity],
        'seconds': {'open': round(opened, 2), 'wrap': round(time.monotonic() - began - opened, 2)},
    }
    with results(folder, 'wrap') as part:
        write_obj(part / 'wrapped.obj', own, face.faces)
        write_npz(
            part / 'wrap.npz',
            vertices=own,
            faces=face.faces,
            distance=(10 * wrapped.distance).astype(np.float32),
            to_head=wrapped.fit.matrix,
        )
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def generate_shape_keys(
    mesh: str,
    out: str,
    model: str = 'builtin',
    onto: str = 'mesh',
    markers: str | None = None,
    expression: str = 'auto',
    settle: bool = True,
) -> Task:
    """The model's expressions for any head → OUT/rig.npz (head space, cm; the model's vertices, or with onto 'mesh' the mesh's own in its order), report.json.

    report.json's to_head is the 4×4 similarity from the mesh's own space to head space. model, markers, expression: as for `wrap`.
    settle: keep lips, lids and cavities from crossing. Raises FacewrightError; then nothing new is left in `out`.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('rig.npz', 'report.json'))
    yield Progress(0.0, 'Reading the mesh')
    from ..geometry.user_mesh import read_mesh

    read, pinned = read_mesh(mesh), read_markers(markers)
    from ..shape_keys.generate import generate, has_topology

    face, _ = yield from _open_model(model, clock)
    landmarks = None if has_topology(face, read) else (yield from _landmarks(face, clock))
    made = yield from _staged(
        lambda report: generate(
            face, landmarks, read, onto, pinned, settle, expression == 'auto', report
        ),
        clock,
        OPENED,
        0.97,
        'Carrying the expressions over',
    )
    from ..formats.rig import write_rig

    report = {
        'version': VERSION,
        'model': model,
        'mesh': str(mesh),
        'onto': onto,
        'vertices': len(made.rig.neutral),
        'names': list(made.rig.names),
        'to_head': made.to_head.tolist(),
        **made.numbers,
        'seconds': round(time.monotonic() - began, 2),
    }
    with results(folder, 'shape_keys') as part:
        write_rig(part / 'rig.npz', made.rig)
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def _read_head(path: str, model) -> object:
    """A rig in the model's topology; FacewrightError for any other."""
    from ..formats.rig import read_rig

    rig = read_rig(Path(path))
    if len(rig.neutral) != model.vertex_count:
        raise FacewrightError(
            f"{path} has {len(rig.neutral):,} vertices where the face model has {model.vertex_count:,}: use a head in the face model's topology (Wrap Face Model makes one)."
        )
    return rig


def read_mask(path: Path, vertices: int) -> np.ndarray:
    """mask.npz: V bool, which vertices of the model to fill; FacewrightError for anything else."""
    mask = read_npz(path, 'mask').get('mask')
    if mask is None or mask.shape != (vertices,) or mask.dtype.kind not in 'biu':
        raise FacewrightError(
            f"{path} does not say for each of the model's {vertices:,} vertices whether to fill: choose a vertex group of the head."
        )
    return mask.astype(bool)


def read_edits(
    path: Path, vertices: int, shapes: Sequence[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """edits.npz: (names n, shapes before and after the edit n×V×3 float64 cm); FacewrightError for anything else or a name that is not in `shapes`."""
    data = read_npz(path, 'list of edits')
    names = data.get('names', np.zeros(0, 'U1'))
    fits = names.ndim == 1 and names.dtype.kind == 'U' and names.size
    for key in ('before', 'edited'):
        array = data.get(key)
        fits = (
            fits
            and array is not None
            and array.dtype.kind in 'fiu'
            and array.shape == (len(names), vertices, 3)
            and np.isfinite(array).all()
        )
    if not fits:
        raise FacewrightError(
            f"{path} does not hold the edited shapes: edit a shape key of a head in the face model's topology and try again."
        )
    unknown = [n for n in names.tolist() if n != 'neutral' and n not in shapes]
    if unknown:
        raise FacewrightError(f'The head has no shape called {unknown[0]}: choose one of its own.')
    return names.tolist(), data['before'].astype(np.float64), data['edited'].astype(np.float64)


def build_tetrahedra(
    model: str, out: str, head: str | None = None, mask: str | None = None
) -> Task:
    """What is filled between skin and cavities → OUT/flesh.npz: vertices (all of the model's, then the filling's)×3 cm, tetrahedra M×4, surface
    triangles B×3 (the filling's outside), inverted per shape; report.json.

    head: a rig.npz in the model's topology to fill instead of the model's own neutral. mask: an .npz with `mask`, V bool: what to fill instead of
    the surroundings of mouth, nose and eyes.
    """
    clock, began = Clock(), time.monotonic()
    folder = writable_folder(Path(out), ('flesh.npz', 'report.json'))
    face, _ = yield from _open_model(model, clock)
    from ..shape_keys.tetrahedra import build_flesh, carry_flesh, flesh, inverted, outer_faces

    rig = _read_head(head, face) if head else None
    within = None
    if mask:
        within = read_mask(Path(mask), face.vertex_count)
    filled = yield from _staged(
        lambda report: build_flesh(face, within=within) if mask else flesh(face),
        clock,
        OPENED,
        0.6,
        'Filling with tetrahedra',
    )
    neutral, expressions, names = (
        (rig.neutral, rig.expressions, rig.names)
        if rig
        else (face.neutral, face.expressions, face.names)
    )

    def carrying(report):
        shapes = neutral[None] + np.concatenate([np.zeros_like(expressions[:1]), expressions])
        return shapes, carry_flesh(filled, neutral, shapes)

    shapes, inner = yield from _staged(
        carrying, clock, 0.6, 0.97, 'Carrying the filling through the shapes'
    )
    share = {
        n: float(inverted(filled, s, p).mean())
        for n, s, p in zip(('neutral', *names), shapes, inner)
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
    """Sockets, gums, teeth and eyeballs follow an edited skin → OUT/rig.npz, report.json.

    rig: a rig.npz in the model's topology, as it was before the edits. edits: an .npz with names n, before and edited n×V×3 (absolute, head space,
    cm): the shapes that were edited by hand ('neutral' for the basis). spread: the other shapes get the same edit.
    """
    clock = Clock()
    folder = writable_folder(Path(out), ('rig.npz', 'report.json'))
    face, _ = yield from _open_model(model, clock)
    head = _read_head(rig, face)
    names, befores, afters = read_edits(Path(edits), face.vertex_count, head.names)
    from ..formats.rig import Rig, write_rig
    from ..shape_keys.cavities import follow_skin, spread_edit
    from ..shape_keys.crossings import find_crossings
    from ..shape_keys.tetrahedra import flesh

    def work(report):
        filled = flesh(face)
        neutral, expressions = (
            head.neutral.astype(np.float64),
            head.expressions.astype(np.float64).copy(),
        )
        told = []
        for k, name in enumerate(names):
            before, edited = befores[k], afters[k]
            fixed = follow_skin(face, filled, before, edited)
            counts = [len(find_crossings(face, v).pairs) for v in (edited, fixed)]
            told.append({'name': name, 'before': counts[0], 'after': counts[1]})
            if name == 'neutral':
                if spread:
                    neutral = fixed  # the offsets stay: every shape moves along
                else:
                    expressions += (neutral - fixed)[None]  # the shapes stay where they are
                    neutral = fixed
            else:
                index = head.names.index(name)
                expressions[index] = fixed - neutral
                if spread:
                    expressions = spread_edit(face, neutral, expressions, index, fixed - before)
            report((k + 1) / len(names))
        return neutral, expressions, told

    neutral, expressions, told = yield from _staged(
        work, clock, OPENED, 0.97, 'Moving the cavities with the skin'
    )
    report = {'version': VERSION, 'model': model, 'shapes': told, 'spread': bool(spread)}
    with results(folder, 'fix_cavities') as part:
        write_rig(
            part / 'rig.npz',
            Rig(neutral.astype(np.float32), expressions.astype(np.float32), head.names, head.faces),
        )
        write_text(part / 'report.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def check_intersections(
    rig: str, out: str, model: str, combinations: int = 0, seed: int = 0
) -> Task:
    """Where cavities cross the skin, lips lips, lids eyeballs → OUT/crossings.npz (names n, counts n×kinds, kinds, marked n×V uint8; for random
    combinations their weights and counts), report.json.

    The shapes are the neutral, then every expression in full (mouthClose and tongueOut with the jaw open, as they are meant); then so many random combinations.
    """
    clock = Clock()
    folder = writable_folder(Path(out), ('crossings.npz', 'report.json'))
    face, _ = yield from _open_model(model, clock)
    head = _read_head(rig, face)
    from ..face_model.expressions import WITH_OPEN_JAW
    from ..shape_keys.crossings import (
        KINDS,
        count_crossings,
        find_crossings,
        sample_combinations,
    )

    def work(report):
        names, marked, counts = ('neutral', *head.names), [], []
        jaw = head.expressions[head.names.index('jawOpen')] if 'jawOpen' in head.names else 0
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
            report(0.5 * (k + 1) / len(names))
        weights = sample_combinations(head.names, combinations, seed)
        many = np.zeros((0, len(KINDS)), int)
        for block in np.array_split(weights, max(1, combinations // 50)) if combinations else ():
            many = np.concatenate(
                [many, count_crossings(face, head.neutral, head.expressions, block)]
            )
            report(0.5 + 0.5 * len(many) / combinations)
        return names, np.array(counts), np.stack(marked), weights, many

    names, counts, marked, weights, many = yield from _staged(
        work, clock, OPENED, 0.97, 'Looking for crossings'
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
