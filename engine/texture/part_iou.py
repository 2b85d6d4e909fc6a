"""How well a reconstruction's parts cover the picture's: Part IoU (papers/4, section 5.2)."""

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
from ..footage.capture import CaptureView, read_capture
from ..formats.animated_head import AnimatedHead, open_animated_head
from ..geometry.polygons import triangulate
from ..render.rasterise import rasterise

# Labels the paper averages over.
WITHOUT_SKIN = tuple(k for k, name in enumerate(PARTS) if name not in ('other', 'skin'))


@lru_cache(maxsize=4)
def _drawn_triangles(model: FaceModel) -> np.ndarray:
    return triangulate(model.faces[visible_faces(model)])


def part_labels_picture(
    model: FaceModel,
    parts: np.ndarray,
    vertices_camera: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """Draw the parts seen of a head: H×W uint8 labels.

    Every face is drawn (films and lashes excepted): teeth, tongue and ears hide what is behind
    them. A pixel takes the label whose share, linear over its triangle, is the largest.

    parts: V×9 shares (`model_part_shares`) or V labels (`model_parts`)
    vertices_camera: V×3, cm in OpenCV camera axes
    focal, centre: pixels
    size: width, height in pixels
    """
    triangles = _drawn_triangles(model)
    triangle, barycentric, _ = rasterise(vertices_camera, triangles, focal, centre, size)
    drawn = triangle >= 0
    shares = parts if parts.ndim == 2 else np.eye(len(PARTS), dtype=np.float32)[parts]
    labels = np.zeros(triangle.shape, np.uint8)
    labels[drawn] = np.einsum(
        'nc,ncp->np', barycentric[drawn], shares[triangles[triangle[drawn]]]
    ).argmax(1)
    return labels


def part_iou(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Measure the intersection over union of two H×W label pictures (eq. 13).

    Returns 8 float of the labels 1..8, NaN where the true mask is empty.
    """
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
    """One result on one view.

    iou: 8 means over the frames, NaN of a part that is never seen
    frames: how many were counted
    missing: how many of them the performance lacks
    """

    name: str
    view: str
    iou: np.ndarray
    frames: int
    missing: int

    @property
    def mean(self) -> float:
        """Average over the seven parts without skin."""
        return float(np.nanmean(self.iou[[k - 1 for k in WITHOUT_SKIN]]))


def read_parts(capture: Path) -> dict[str, np.ndarray]:
    """Read a capture's parts.npz, checked against its capture.json: {view name: T×H×W labels}."""
    truth = read_npz(Path(capture) / 'parts.npz', 'file of true part masks')
    for view in read_capture(Path(capture) / 'capture.json'):
        labels = truth.get(view.name)
        if labels is None:
            raise FacewrightError(
                f'{capture}/parts.npz has no masks of the view {view.name}: make it again from the '
                'same capture.'
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
                f'{capture}/parts.npz, {view.name}: expected labels 0 to {len(PARTS) - 1} of '
                f'{count or "all"} frames, {view.size[0]}×{view.size[1]} pixels.'
            )
        truth[view.name] = labels.astype(np.uint8)
    return truth


def parts_at(
    head: AnimatedHead, model: FaceModel, view: CaptureView, frame: int
) -> np.ndarray | None:
    """Draw an animated head's parts as a capture's view sees them at a frame's time: H×W labels.

    None outside the performance.
    """
    when = view.time[frame] if view.time is not None else view.offset + frame / (view.fps or 30.0)
    if not head.covers(when):
        return None
    return part_labels_picture(
        model,
        model_part_shares(model),
        head.in_camera(view.camera, when),
        view.camera.focal,
        view.camera.centre,
        view.size,
    )


def measure(
    capture: Path,
    results: dict[str, Path],
    model: FaceModel,
    views: tuple[str, ...] = (),
    every: int = 1,
) -> list[PartIouRow]:
    """Measure results through a capture's own cameras against its parts.npz.

    A frame outside the performance counts as nothing found.

    results: {name: folder with rig.npz and performance.npz}
    views: names to measure on, all when empty
    every: each how many frames
    """
    truth, cameras, rows = read_parts(capture), read_capture(Path(capture) / 'capture.json'), []
    for name, folder in results.items():
        head = open_animated_head(folder, model)
        for view in cameras:
            if views and view.name not in views:
                continue
            frames, missing = range(0, len(truth[view.name]), every), 0
            scores = np.empty((len(frames), len(PARTS) - 1))
            for k, frame in enumerate(frames):
                seen = parts_at(head, model, view, frame)
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
    """Write rows as Markdown, per cent: a line a result and view, then one a result over all."""
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
