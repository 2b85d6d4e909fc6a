"""What tasks read before they begin: the face model, heads, and small files written by others."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import read_npz
from ..core.progress import Clock, Progress, listen, relay

if TYPE_CHECKING:
    from ..annotate.landmarks import ModelLandmarks
    from ..face_model.model import FaceModel
    from ..formats.rig import Rig

T = TypeVar('T')
Opening = Generator[Progress, None, T]

OPENED = 0.08  # part of the bar until the model and the mesh are read


def open_model(source: str, clock: Clock) -> Opening[FaceModel]:
    """Read the face model of a source: a generator of Progress."""
    from ..face_model import load_model

    return (
        yield from relay(
            listen(lambda report: load_model(source, report)),
            lambda part: clock.silent(OPENED * 0.5 * part, 'Reading the face model'),
        )
    )


def find_landmarks(model: FaceModel, clock: Clock) -> Opening[ModelLandmarks]:
    """Find a model's landmarks, or read them from the cache: a generator of Progress."""
    from ..annotate.landmarks import model_landmarks

    return (
        yield from relay(
            listen(lambda report: model_landmarks(model, report)),
            lambda part: clock.silent(
                OPENED * (0.5 + 0.5 * part), 'Finding the landmarks on the model'
            ),
        )
    )


def run_between(
    work: Callable[[Callable[..., None]], Any],
    clock: Clock,
    bar: tuple[float, float],
    stage: str,
) -> Opening[Any]:
    """Run work(report) in a thread: a generator of Progress that returns what the work does.

    work: calls report(fraction, stage=None); a stage it gives takes the place of the one before.
    bar: between which parts of the whole task's bar.
    """
    first, last = bar
    current = stage

    def listened(report: Callable[[float], None]):
        def report_stage(fraction: float, stage: str | None = None) -> None:
            nonlocal current
            current = stage or current
            report(fraction)

        return work(report_stage)

    return (
        yield from relay(
            listen(listened), lambda part: clock.at(first + (last - first) * part, current)
        )
    )


def read_head(path: str, model: FaceModel) -> Rig:
    """Read a rig in the model's topology; raises FacewrightError for any other."""
    from ..formats.rig import read_rig

    rig = read_rig(Path(path))
    if len(rig.neutral) != model.vertex_count:
        raise FacewrightError(
            f'{path} has {len(rig.neutral):,} vertices where the face model has '
            f"{model.vertex_count:,}: use a head in the face model's topology "
            '(Wrap Face Model makes one).'
        )
    return rig


def read_markers(path: str | None) -> dict[int, np.ndarray]:
    """Read markers.json, {name: [x, y, z]} in the mesh's units, as {index of the 68 landmarks: 3}.

    Raises FacewrightError for an unknown name or not three numbers. None, '': no markers.
    """
    from ..wrap.scan_landmarks import MARKERS

    if not path:
        return {}
    out = {}
    for name, place in _read_marker_list(path).items():
        if name not in MARKERS:
            raise FacewrightError(
                f'{path} has a marker {name!r} that I do not know: use nose_tip, chin, '
                'eye_outer_L, mouth_corner_R, … or landmark_00 to landmark_67.'
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


def _read_marker_list(path: str) -> dict:
    try:
        found = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FacewrightError(f'There are no markers at {path}: check the path.') from None
    except (OSError, ValueError) as error:
        raise FacewrightError(
            f'{path} is not a readable list of markers ({type(error).__name__}): '
            'write it as {"nose_tip": [x, y, z], …}.'
        ) from error
    if not isinstance(found, dict):
        raise FacewrightError(
            f'{path} is not a list of markers: write it as {{"nose_tip": [x, y, z], …}}.'
        )
    return found


def read_mask(path: Path, vertices: int) -> np.ndarray:
    """Read mask.npz: V bool, which vertices of the model to fill.

    Raises FacewrightError for anything else.
    """
    mask = read_npz(path, 'mask').get('mask')
    if mask is None or mask.shape != (vertices,) or mask.dtype.kind not in 'biu':
        raise FacewrightError(
            f"{path} does not say for each of the model's {vertices:,} vertices whether to fill: "
            'choose a vertex group of the head.'
        )
    return mask.astype(bool)


def read_edits(
    path: Path, vertices: int, shapes: Sequence[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Read edits.npz: names n, and the shapes before and after the edit, n×V×3 float64 cm.

    Raises FacewrightError for anything else, or a name that is not in `shapes`.
    """
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
            f'{path} does not hold the edited shapes: edit a shape key of a head in the face '
            "model's topology and try again."
        )
    unknown = [n for n in names.tolist() if n != 'neutral' and n not in shapes]
    if unknown:
        raise FacewrightError(f'The head has no shape called {unknown[0]}: choose one of its own.')
    return names.tolist(), data['before'].astype(np.float64), data['edited'].astype(np.float64)
