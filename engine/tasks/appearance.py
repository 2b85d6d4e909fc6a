"""A reconstruction looked at again: the face's colour, and how its parts lie on the footage."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core import owned
from ..core.errors import FacewrightError
from ..core.files import write_npz, write_text
from ..core.progress import Clock, Progress, listen, relay
from ..core.result_folder import results
from .shared import VERSION, Task, writable_folder

if TYPE_CHECKING:
    from ..face_model.model import FaceModel
    from ..formats.result import Result

    # a result, its face model and the model's parts: shares V×9
    Opened = tuple[Result, FaceModel, np.ndarray]

ALBEDO_PICTURES = 24  # pictures an albedo is made of, over all views
OVERLAY_PICTURES = 6  # pictures of a view that an overlay is drawn on, where none are named
ALBEDO_FILES = 'albedo.png', 'albedo.npz', 'light.json'
LARGE = 1024  # pixels of a texture's side, from which fewer pictures must do, for memory

# parts of the bar, measured with a model in the cache
OPENED, PARTED, SAMPLED, SOLVED = 0.05, 0.1, 0.5, 0.96


def open_reconstruction(folder: str, clock: Clock) -> Generator[Progress, None, Opened]:
    """Open a reconstruction with its face model and the model's parts: a generator of Progress."""
    from ..annotate.parts import model_part_shares
    from ..face_model import load_model
    from ..formats.result import open_result

    yield Progress(0.0, 'Opening the reconstruction')
    result = open_result(folder)
    model = yield from relay(
        listen(lambda report: load_model(result.model, report)),
        lambda part: clock.silent(OPENED * part, 'Reading the face model'),
    )
    result.check_topology(model)
    shares = yield from relay(
        listen(lambda report: model_part_shares(model, report)),
        lambda part: clock.silent(
            OPENED + (PARTED - OPENED) * part, 'Finding the parts of the model'
        ),
    )
    return result, model, shares


def bake_albedo(result: str, out: str | None = None, size: int = 1024) -> Task:
    """Bake the skin's texture of a reconstruction → albedo.png, albedo.npz, light.json in `out`.

    albedo.png: sRGB, size×size, on the model's UVs, row 0 at the top.
    albedo.npz: colours V×3 float32 sRGB for the materials that the texture does not cover,
    materials: names of those it does.
    light.json: nine spherical-harmonics coefficients a channel and view, in the world's axes.
    Formats: docs/formats.md.

    result: the folder of a reconstruction. out: by default that folder.

    Raises FacewrightError; then nothing new is left.
    """
    clock = Clock()
    with owned.holding(Path(result)):  # in our cache it stays until this is done
        opened = yield from open_reconstruction(result, clock)
        folder = writable_folder(Path(out or result), ALBEDO_FILES)
        with results(folder, 'bake_albedo') as part:
            report = yield from write_albedo(part, opened, size, clock)
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def write_albedo(folder: Path, opened: Opened, size: int, clock: Clock) -> Task:
    """Write bake_albedo's files of what open_reconstruction gave into `folder`."""
    from ..footage.images import write_image
    from ..texture.albedo import bake
    from ..texture.layout import make_layout

    found, model, shares = opened
    parts = shares.argmax(1)
    layout = make_layout(model, size)
    count = min(ALBEDO_PICTURES, ALBEDO_PICTURES * LARGE // size)
    samples, chosen = [], _spread(found.views, count)
    total, done = sum(map(len, chosen)), 0
    for number, frames in enumerate(chosen):
        for taken in _texel_samples(found, model, layout, parts, number, frames):
            done += 1
            yield clock.at(PARTED + (SAMPLED - PARTED) * done / total, 'Looking at the face')
            samples += [taken] if taken is not None else []
    if not samples:
        raise FacewrightError(
            'The face was not found again in any of the chosen frames: choose the result of a '
            'reconstruction that follows the face.'
        )
    made = yield from relay(
        listen(
            lambda report: bake(model, layout, parts, samples, len(found.views), progress=report)
        ),
        lambda part: clock.at(SAMPLED + (SOLVED - SAMPLED) * part, 'Telling light from skin'),
    )
    yield clock.at(SOLVED, 'Writing the texture')
    materials = [model.materials[k] for k in layout.materials]
    report = {
        'version': VERSION,
        'materials': materials,
        'size': size,
        'pictures': len(samples),
        'seen_percent': round(100 * made.seen, 1),
        'residual_percent': round(100 * made.residual, 2),
    }
    light = {
        'axes': 'world (as performance.npz)',
        'basis': 'real spherical harmonics, orthonormal: 1, y, z, x, xy, yz, 3z2-1, xz, x2-y2',
        'colour': 'linear RGB',
        'views': [
            {'name': view.name, 'coefficients': np.round(coefficients, 6).tolist()}
            for view, coefficients in zip(found.views, made.light)
        ],
    }
    write_image(folder / 'albedo.png', made.texture)
    write_npz(folder / 'albedo.npz', colours=made.colours, materials=np.array(materials))
    write_text(folder / 'light.json', json.dumps(light | report, indent=1))
    return report


def _spread(views, total: int) -> list[np.ndarray]:
    """Choose frames of each view over its whole length, as many of each where it has them."""
    each = max(1, total // len(views))
    return [
        np.unique(np.linspace(0, len(view.times) - 1, min(each, len(view.times))).astype(int))
        for view in views
    ]


def _texel_samples(found, model, layout, parts, number: int, frames: np.ndarray):
    """Yield a frame's TexelSamples (None: the face is not seen there), of each of a view's."""
    from ..core.threads import map_in_threads
    from ..footage.masks import segment_parts_at
    from ..formats.result import undistorted_frames
    from ..geometry.normals import vertex_normals
    from ..geometry.polygons import triangulate
    from ..render.rasterise import project
    from ..texture.texel_samples import PosedPicture, sample_texels

    view, triangles = found.views[number], triangulate(model.faces)

    def take(shown: tuple[int, np.ndarray]):
        frame, picture = shown
        head, pose = found.head_at(view, int(frame))
        points = found.in_camera(view, int(frame))
        labels = segment_parts_at(
            picture, project(points[model.landmarks68], view.camera.focal, view.camera.centre)
        )
        if labels is None:
            return None
        normals = vertex_normals(head, triangles) @ pose[:, :3].T
        focal, centre = view.camera.focal, view.camera.centre
        posed = PosedPicture(number, points, normals, focal, centre, picture, labels)
        return sample_texels(model, layout, parts, posed)

    yield from map_in_threads(take, zip(frames, undistorted_frames(view, frames)))


def preview_overlay(
    result: str, out: str | None = None, show: str = 'mesh', frames: Sequence[int] | None = None
) -> Task:
    """Draw a reconstruction over its footage → one PNG a frame and overlay.json in `out`.

    Each picture is the whole frame with the head over it, called <frame>.png, with several views
    <view>_<frame>.png. overlay.json has each part's IoU.

    result: the folder of a reconstruction. out: by default its folder overlay.
    show: 'mesh' (shaded, half transparent) or 'parts' (outlines).
    frames: numbers of used frames, from 0, of every view; by default six over the whole clip.

    Raises FacewrightError; then nothing new is left.
    """
    clock = Clock()
    with owned.holding(Path(result)):  # in our cache it stays until this is done
        opened = yield from open_reconstruction(result, clock)
        chosen = _chosen_frames(opened[0].views, frames)
        folder = Path(out) if out else Path(result) / 'overlay'
        total, rows = sum(map(len, chosen)), []
        with _new_folder(folder), results(folder, 'preview_overlay') as part:
            for row in _draw_overlays(part, opened, chosen, show):
                rows.append(row)
                yield clock.at(
                    PARTED + (SOLVED - PARTED) * len(rows) / total, 'Drawing the overlay'
                )
            scores = np.array(
                [[np.nan if v is None else v for v in row['iou'].values()] for row in rows]
            )
            means = [np.nan if np.isnan(c).all() else np.nanmean(c) for c in scores.T]
            report = {'version': VERSION, 'show': show, 'frames': rows, 'iou': _numbers(means)}
            write_text(part / 'overlay.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def _chosen_frames(views, frames: Sequence[int] | None) -> list[np.ndarray]:
    """Return the frames of each view to draw; FacewrightError for one that no view has."""
    if frames is None or not len(frames):
        return _spread(views, OVERLAY_PICTURES * len(views))
    wanted = sorted({int(f) for f in frames})
    longest = max(len(view.times) for view in views)
    if not 0 <= wanted[0] <= wanted[-1] < longest:
        raise FacewrightError(
            f'The clip has {longest} frames, so there is no frame '
            f'{wanted[0] if wanted[0] < 0 else wanted[-1]}: choose numbers from 0 to '
            f'{longest - 1}.'
        )
    return [np.array([f for f in wanted if f < len(view.times)], int) for view in views]


def _draw_overlays(
    folder: Path, opened: Opened, chosen: list[np.ndarray], show: str
) -> Iterator[dict]:
    """Draw the chosen frames of each view into a folder; yield what overlay.json says of each."""
    from ..face_model.part_labels import PARTS
    from ..footage.images import write_image
    from ..footage.masks import segment_parts_at
    from ..formats.result import undistorted_frames
    from ..render.rasterise import project
    from ..texture.overlay import draw_mesh, draw_parts
    from ..texture.part_iou import part_iou, part_labels_picture

    found, model, shares = opened
    for view, frames in zip(found.views, chosen):
        focal, centre = view.camera.focal or 0.0, view.camera.centre
        name = re.sub('[^A-Za-z0-9._-]', '_', view.name)
        for frame, picture in zip(frames, undistorted_frames(view, frames)):
            points = found.in_camera(view, int(frame))
            seen = part_labels_picture(model, shares, points, focal, centre, view.size)
            true = segment_parts_at(picture, project(points[model.landmarks68], focal, centre))
            iou = np.full(len(PARTS) - 1, np.nan) if true is None else part_iou(seen, true)
            drawn = (
                draw_mesh(model, picture, points, focal, centre)
                if show == 'mesh'
                else draw_parts(picture, seen, iou)
            )
            file = f'{frame:04d}.png' if len(found.views) == 1 else f'{name}_{frame:04d}.png'
            write_image(folder / file, drawn)
            yield {
                'view': view.name,
                'frame': int(frame),
                'picture': file,
                'iou': _numbers(iou),
            }


@contextlib.contextmanager
def _new_folder(folder: Path):
    """Make sure of a folder to write to; a new one goes again where the work fails or stops."""
    new = not folder.exists()
    writable_folder(folder)
    try:
        yield
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _numbers(iou) -> dict[str, float | None]:
    """Return {part: IoU}, None where the picture does not show it."""
    from ..face_model.part_labels import PARTS

    return {name: None if np.isnan(v) else round(float(v), 4) for name, v in zip(PARTS[1:], iou)}
