"""A reconstruction looked at again: what colour the face is, and how its parts lie on the footage."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core import owned
from ..core.errors import FacewrightError
from ..core.files import write_npz, write_text
from ..core.progress import Clock, Progress, listen
from ..core.result_folder import results
from .shared import VERSION, Task, Value, writable_folder

LOOKS = 24  # pictures an albedo is made of, over all views
ALBEDO_FILES = 'albedo.png', 'albedo.npz', 'light.json'
LARGE = 1024  # pixels of a texture's side, from which fewer pictures must do, for memory
OPENED, PARTED, LOOKED, SOLVED = (
    0.05,
    0.1,
    0.5,
    0.96,
)  # parts of the bar, measured with a model in the cache


def open_reconstruction(folder: str, clock: Clock):
    """(result, face model, its parts' shares V×9): a generator of Progress."""
    from ..annotate.parts import model_part_shares
    from ..face_model import load_model
    from ..formats.result import open_result

    yield Progress(0.0, 'Opening the reconstruction')
    result = open_result(folder)
    for fraction in (reading := Value(listen(lambda report: load_model(result.model, report)))):
        yield clock.silent(OPENED * fraction, 'Reading the face model')
    model = reading.value
    result.check_topology(model)
    for fraction in (parting := Value(listen(lambda report: model_part_shares(model, report)))):
        yield clock.silent(OPENED + (PARTED - OPENED) * fraction, 'Finding the parts of the model')
    return result, model, parting.value


def bake_albedo(result: str, out: str | None = None, size: int = 1024) -> Task:
    """The folder of a reconstruction → albedo.png (sRGB, size×size, on the model's UVs, row 0 at the top), albedo.npz and light.json in `out` (by default
    that folder).

    albedo.npz: colours V×3 float32 sRGB for the materials that the texture does not cover, materials: names of those it does. light.json: nine
    spherical-harmonics coefficients a channel and view, in the world's axes. Formats: docs/formats.md. Raises FacewrightError; then nothing new is left.
    """
    clock, held = (
        Clock(),
        owned.hold(Path(result)),
    )  # where it lies in our cache: it stays until this is done
    opened = yield from open_reconstruction(result, clock)
    folder = writable_folder(Path(out or result), ALBEDO_FILES)
    with results(folder, 'bake_albedo') as part:
        report = yield from write_albedo(part, opened, size, clock)
    del held
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


def write_albedo(folder: Path, opened: tuple, size: int, clock: Clock) -> Task:
    """Write bake_albedo's files of what open_reconstruction gave into `folder`."""
    found, model, shares = opened
    from ..footage.images import write_image
    from ..texture.albedo import bake
    from ..texture.layout import make_layout

    parts = shares.argmax(1)
    layout = make_layout(model, size)
    samples, chosen = [], _spread(found.views, min(LOOKS, LOOKS * LARGE // size))
    total, done = sum(map(len, chosen)), 0
    for number, (view, frames) in enumerate(zip(found.views, chosen)):
        for taken in _texel_samples(found, model, layout, parts, number, frames):
            done += 1
            yield clock.at(PARTED + (LOOKED - PARTED) * done / total, 'Looking at the face')
            samples += [taken] if taken is not None else []
    if not samples:
        raise FacewrightError(
            'The face was not found again in any of the chosen frames: choose the result of a reconstruction that follows the face.'
        )
    for fraction in (
        baking := Value(
            listen(
                lambda report: bake(
                    model, layout, parts, samples, len(found.views), progress=report
                )
            )
        )
    ):
        yield clock.at(LOOKED + (SOLVED - LOOKED) * fraction, 'Telling light from skin')
    made = baking.value
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
    views = [
        {'name': view.name, 'coefficients': np.round(l, 6).tolist()}
        for view, l in zip(found.views, made.light)
    ]
    light = {
        'axes': 'world (as performance.npz)',
        'basis': 'real spherical harmonics, orthonormal: 1, y, z, x, xy, yz, 3z2-1, xz, x2-y2',
        'colour': 'linear RGB',
        'views': views,
    }
    write_image(folder / 'albedo.png', made.texture)
    write_npz(folder / 'albedo.npz', colours=made.colours, materials=np.array(materials))
    write_text(folder / 'light.json', json.dumps(light | report, indent=1))
    return report


def _spread(views, total: int) -> list[np.ndarray]:
    """Per view frames spread over its whole length, the same number of each where it has them."""
    each = max(1, total // len(views))
    return [
        np.unique(np.linspace(0, len(view.times) - 1, min(each, len(view.times))).astype(int))
        for view in views
    ]


def _texel_samples(found, model, layout, parts, number: int, frames: np.ndarray):
    """Yield a frame's TexelSamples (None: the face is not seen there), of each of a view's."""
    from ..footage.masks import segment_parts_at
    from ..formats.result import undistorted_frames
    from ..geometry.normals import vertex_normals
    from ..geometry.polygons import triangulate
    from ..render.rasterise import project
    from ..texture.texel_samples import PosedPicture, sample_texels

    view, triangles = found.views[number], triangulate(model.faces)
    for frame, picture in zip(frames, undistorted_frames(view, frames)):
        head, pose = found.head_at(view, int(frame))
        points = found.in_camera(view, int(frame))
        labels = segment_parts_at(
            picture, project(points[model.landmarks68], view.camera.focal, view.camera.centre)
        )
        yield (
            None
            if labels is None
            else sample_texels(
                model,
                layout,
                parts,
                PosedPicture(
                    number,
                    points,
                    vertex_normals(head, triangles) @ pose[:, :3].T,
                    view.camera.focal,
                    view.camera.centre,
                    picture,
                    labels,
                ),
            )
        )


def preview_overlay(
    result: str, out: str | None = None, show: str = 'mesh', frames: Sequence[int] | None = None
) -> Task:
    """The folder of a reconstruction → one PNG a frame, the whole frame with the head over it, and overlay.json with each part's IoU, in `out`
    (by default its folder overlay).

    show: 'mesh' (shaded, half transparent) or 'parts' (outlines). frames: numbers of used frames, from 0, of every view (by default six spread over
    the clip). Files are called after the frame, <frame>.png, with several views <view>_<frame>.png. Raises FacewrightError; then nothing new is left.
    """
    clock, held = (
        Clock(),
        owned.hold(Path(result)),
    )  # where it lies in our cache: it stays until this is done
    found, model, shares = yield from open_reconstruction(result, clock)
    wanted = None if frames is None or not len(frames) else sorted({int(f) for f in frames})
    longest = max(len(view.times) for view in found.views)
    if wanted and not 0 <= wanted[0] <= wanted[-1] < longest:
        raise FacewrightError(
            f'The clip has {longest} frames, so there is no frame {wanted[0] if wanted[0] < 0 else wanted[-1]}: choose numbers from 0 to {longest - 1}.'
        )
    folder = Path(out) if out else Path(result) / 'overlay'
    from ..face_model.part_labels import PARTS
    from ..footage.images import write_image
    from ..footage.masks import segment_parts_at
    from ..formats.result import undistorted_frames
    from ..render.rasterise import project
    from ..texture.overlay import draw_mesh, draw_parts
    from ..texture.part_iou import part_iou, part_labels_picture

    chosen = [
        c if wanted is None else np.array([f for f in wanted if f < len(v.times)], int)
        for v, c in zip(found.views, _spread(found.views, 6 * len(found.views)))
    ]
    total, rows = sum(map(len, chosen)), []
    with _new_folder(folder), results(folder, 'preview_overlay') as part:
        for view, own in zip(found.views, chosen):
            focal, centre = view.camera.focal, view.camera.centre
            for frame, picture in zip(own, undistorted_frames(view, own)):
                points = found.in_camera(view, int(frame))
                seen = part_labels_picture(model, shares, points, focal, centre, view.size)
                true = segment_parts_at(picture, project(points[model.landmarks68], focal, centre))
                iou = np.full(len(PARTS) - 1, np.nan) if true is None else part_iou(seen, true)
                drawn = (
                    draw_mesh(model, picture, points, focal, centre)
                    if show == 'mesh'
                    else draw_parts(picture, seen, iou)
                )
                name = (
                    f'{frame:04d}.png'
                    if len(found.views) == 1
                    else f'{re.sub("[^A-Za-z0-9._-]", "_", view.name)}_{frame:04d}.png'
                )
                write_image(part / name, drawn)
                rows.append(
                    {'view': view.name, 'frame': int(frame), 'picture': name, 'iou': _numbers(iou)}
                )
                yield clock.at(
                    PARTED + (SOLVED - PARTED) * len(rows) / total, 'Drawing the overlay'
                )
        scores = np.array(
            [[np.nan if v is None else v for v in row['iou'].values()] for row in rows]
        )
        report = {
            'version': VERSION,
            'show': show,
            'frames': rows,
            'iou': _numbers([np.nan if np.isnan(c).all() else np.nanmean(c) for c in scores.T]),
        }
        write_text(part / 'overlay.json', json.dumps(report, indent=1))
    yield Progress(1.0, 'Done', 0.0)
    return report | {'out': str(folder)}


@contextlib.contextmanager
def _new_folder(folder: Path):
    """Make sure of a folder to write to; where it is new and the work fails or is stopped, it goes again."""
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
    """Part → IoU, None where the picture does not show it."""
    from ..face_model.part_labels import PARTS

    return {name: None if np.isnan(v) else round(float(v), 4) for name, v in zip(PARTS[1:], iou)}
