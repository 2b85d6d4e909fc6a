"""How well the parts of a reconstruction cover those of the picture: Part IoU (papers/4, section 5.2, eq. 13)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..annotate.parts import model_part_shares
from ..core.errors import FacewrightError
from ..core.files import read_npz
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.part_labels import PARTS
from ..footage.capture import read_capture
from ..formats.performance import read_motion
from ..formats.played import at, to_camera
from ..formats.rig import read_rig
from ..geometry.polygons import triangulate
from ..render.rasterise import rasterise

WITHOUT_SKIN = tuple(
    k for k, name in enumerate(PARTS) if name not in ('other', 'skin')
)  # labels the paper averages over
SLACK = 0.051  # s by which a performance may miss a frame's time at its ends


@lru_cache(maxsize=4)
def _seen_triangles(model: FaceModel) -> np.ndarray:
    return triangulate(model.faces[visible_faces(model)])


def part_labels_picture(
    model: FaceModel,
    parts: np.ndarray,
    vertices_camera: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """H×W uint8 labels of the parts seen of a head.

    parts V×9 shares (`model_part_shares`) or V labels (`model_parts`), vertices_camera V×3 cm in OpenCV camera axes, focal and centre in
    pixels, size (width, height). Every face is drawn (films and lashes excepted): teeth, tongue and ears hide what is behind them. A pixel
    takes the label whose share, linear over its triangle, is the largest.
    """
    triangles = _seen_triangles(model)
    triangle, barycentric, _ = rasterise(vertices_camera, triangles, focal, centre, size)
    drawn = triangle >= 0
    shares = parts if parts.ndim == 2 else np.eye(len(PARTS), dtype=np.float32)[parts]
    labels = np.zeros(triangle.shape, np.uint8)
    labels[drawn] = np.einsum(
        'nc,ncp->np', barycentric[drawn], shares[triangles[triangle[drawn]]]
    ).argmax(1)
    return labels


def part_iou(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """8 float: intersection over union of the labels 1..8 of two H×W label pictures (eq. 13); NaN where the true mask is empty."""
    if predicted.shape != true.shape:
        raise ValueError(f'label pictures of shapes {predicted.shape} and {true.shape}')
    pairs = np.bincount(
        predicted.ravel().astype(np.int64) * len(PARTS) + true.ravel(), minlength=len(PARTS) ** 2
    ).reshape(len(PARTS), -1)
    both, mine, theirs = pairs.diagonal(), pairs.sum(1), pairs.sum(0)
    out = both / np.maximum(mine + theirs - both, 1)
    return np.where(theirs > 0, out, np.nan)[1:]


@dataclass(frozen=True)
class PartIouRow:
    """One result on one view: `iou` 8 means over the frames (NaN: the part is never seen), frames counted, frames the performance lacks."""

    name: str
    view: str
    iou: np.ndarray
    frames: int
    missing: int

    @property
    def mean(self) -> float:
        """Over the seven parts without skin."""
        return float(np.nanmean(self.iou[[k - 1 for k in WITHOUT_SKIN]]))


def read_parts(capture: Path) -> dict[str, np.ndarray]:
    """View name → T×H×W labels of a capture's parts.npz, checked against its capture.json."""
    truth = read_npz(Path(capture) / 'parts.npz', 'file of true part masks')
    for view in read_capture(Path(capture) / 'capture.json'):
        labels = truth.get(view.name)
        if labels is None:
            raise FacewrightError(
                f'{capture}/parts.npz has no masks of the view {view.name}: make it again from the same capture.'
            )
        count = len(view.time) if view.time is not None else None
        fits = (
            labels.dtype.kind in 'iu'
            and labels.ndim == 3
            and labels.shape[:0:-1] == view.size
            and count in (None, len(labels))
        )
        if not fits or labels.min(initial=0) < 0 or labels.max(initial=0) >= len(PARTS):
            raise FacewrightError(
                f'{capture}/parts.npz, {view.name}: expected labels 0 to {len(PARTS) - 1} of {count or "all"} frames, {view.size[0]}×{view.size[1]} pixels.'
            )
        truth[view.name] = labels.astype(np.uint8)
    return truth


@dataclass(frozen=True)
class Played:
    """A result folder's head and performance: neutral V×3, expressions E×V×3, time T, weights T×E in the expressions' order, rotation, translation."""

    neutral: np.ndarray
    expressions: np.ndarray
    time: np.ndarray
    weights: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    def labels(self, model: FaceModel, view, frame: int) -> np.ndarray | None:
        """H×W labels of the parts as a capture's view sees them at a frame's time, pose and weights interpolated; None outside the performance."""
        when = (
            view.time[frame] if view.time is not None else view.offset + frame / (view.fps or 30.0)
        )
        if not self.time[0] - SLACK <= when <= self.time[-1] + SLACK:
            return None
        head = self.neutral + np.tensordot(
            at(self.time, self.weights, when).astype(np.float32), self.expressions, 1
        )
        world = head @ at(self.time, self.rotation, when).T + at(self.time, self.translation, when)
        return part_labels_picture(
            model,
            model_part_shares(model),
            to_camera(world, view.camera),
            view.camera.focal,
            view.camera.centre,
            view.size,
        )


def open_played(folder: Path, model: FaceModel) -> Played:
    """Read rig.npz and the motion (performance.read_motion); FacewrightError where one is missing or the head is not in `model`'s topology."""
    rig, play = read_rig(Path(folder) / 'rig.npz'), read_motion(folder)
    if rig.neutral.shape != model.neutral.shape:
        raise FacewrightError(
            f'{folder}/rig.npz has {len(rig.neutral)} vertices, the face model {model.name} {model.vertex_count}: choose the model it was made with.'
        )
    place = {n: k for k, n in enumerate(play.names)}
    order = [place.get(n, -1) for n in rig.names]
    weights = np.concatenate([play.weights, np.zeros((len(play.time), 1))], 1)[:, order]
    return Played(rig.neutral, rig.expressions, play.time, weights, play.rotation, play.translation)


def measure(
    capture: Path,
    results: dict[str, Path],
    model: FaceModel,
    views: tuple[str, ...] = (),
    every: int = 1,
) -> list[PartIouRow]:
    """Part IoU of result folders (rig.npz, performance.npz) through a capture's own cameras against its parts.npz.

    views: names to measure on (all when empty); every: each how many frames. A frame outside the performance counts as nothing found.
    """
    truth, cameras, rows = read_parts(capture), read_capture(Path(capture) / 'capture.json'), []
    for name, folder in results.items():
        played = open_played(folder, model)
        for view in cameras:
            if views and view.name not in views:
                continue
            frames, missing = range(0, len(truth[view.name]), every), 0
            scores = np.empty((len(frames), len(PARTS) - 1))
            for k, frame in enumerate(frames):
                seen = played.labels(model, view, frame)
                missing += seen is None
                scores[k] = part_iou(
                    np.zeros_like(truth[view.name][frame]) if seen is None else seen,
                    truth[view.name][frame],
                )
            rows.append(PartIouRow(name, view.name, _mean(scores), len(frames), missing))
    return rows


def _mean(scores: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # a part no frame shows
        return np.nanmean(scores, 0)


def table(rows: list[PartIouRow]) -> str:
    """Markdown, per cent: one line a result and view, then one a result over all its views."""
    heads = [name.replace('_', ' ') for name in PARTS[2:]]
    out = [
        '| result | view | ' + ' | '.join(heads) + ' | mean of seven | skin | frames |',
        '|---' * (len(heads) + 5) + '|',
    ]
    names = list(dict.fromkeys(row.name for row in rows))
    whole = [(name, [row for row in rows if row.name == name]) for name in names]
    for row in rows + [
        PartIouRow(
            name,
            'all',
            _mean(np.stack([r.iou for r in own])),
            sum(r.frames for r in own),
            sum(r.missing for r in own),
        )
        for name, own in whole
        if len(own) > 1
    ]:
        numbers = [*row.iou[1:], row.mean, row.iou[0]]
        lacking = f' ({row.missing} missing)' if row.missing else ''
        out.append(
            f'| {row.name} | {row.view} | '
            + ' | '.join('–' if np.isnan(v) else f'{100 * v:.1f}' for v in numbers)
            + f' | {row.frames}{lacking} |'
        )
    return '\n'.join(out) + '\n'
