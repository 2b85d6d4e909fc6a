"""What the camera saw of a reconstructed head: the overlay over its footage, the albedo texture."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ...engine.core.errors import FacewrightError
from ...engine.tasks import specs
from ..scene import appearance, cameras, results, takes


def reconstructed_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the reconstructed head that the active object is or belongs to (its camera, a part of
    it), else the scene's last one.
    """
    found = (takes.head_of(context.object), context.scene.facewright.result)
    return next(
        (
            o
            for o in found
            if o is not None and results.FOLDER in o and o.name in context.scene.objects
        ),
        None,
    )


def _chosen(context: bpy.types.Context) -> bpy.types.Object:
    head = reconstructed_head(context)
    if head is None:
        raise FacewrightError(
            'There is no reconstruction in this scene yet: press Reconstruct first.'
        )
    return head


def result_folder(head: bpy.types.Object) -> str:
    """Return where the files of a head's reconstruction are kept; FacewrightError where they, or
    the footage, have gone.
    """
    folder = Path(head[results.FOLDER])
    if not (folder / 'rig.npz').exists():
        raise FacewrightError(
            f"The files of {head.name}'s reconstruction are not on this computer any more "
            f'({folder}): reconstruct again, or import its result folder.'
        )
    gone = next(
        (
            v.path
            for v in cameras.read_views(folder)
            if v.kind != 'sequence' and not v.path.exists()
        ),
        None,
    )
    if gone is not None:
        raise FacewrightError(
            f'The footage of {head.name} is not at {gone} any more: put it back, or '
            'reconstruct again from where it is now.'
        )
    return str(folder)


def overlay_job(context: bpy.types.Context, show: str = 'MESH') -> tuple[str, dict]:
    """Return (head's name, the task 'preview_overlay''s arguments) for the scene's current frame.
    show 'MESH' or 'PARTS'.
    """
    head = _chosen(context)
    frames = np.array(head.get(results.FRAMES, (0,)))
    arguments = {
        'result': result_folder(head),
        'out': '{job}/out',
        'show': show.lower(),
        'frames': [int(np.abs(frames - context.scene.frame_current_final).argmin())],
    }
    return head.name, specs.check('preview_overlay', arguments)


def apply_overlay(
    context: bpy.types.Context, name: str, out: str | Path, result: dict
) -> list[bpy.types.Image]:
    """Bring the pictures of the task 'preview_overlay' in as images, one a view, the scene camera's
    first; open Image Editors show that one.
    """
    head = _still_there(name)
    drawn = {row['view']: row for row in result['frames']}
    if not drawn:
        raise FacewrightError('No view has a picture of this frame: go to one within the footage.')
    frames = head.get(results.FRAMES, (context.scene.frame_current,))
    frame = round(frames[min(next(iter(drawn.values()))['frame'], len(frames) - 1)])
    made = appearance.add_overlays(
        head,
        {view: Path(out) / row['picture'] for view, row in drawn.items()},
        result['iou'],
        frame,
    )
    camera = context.scene.camera
    front = next(
        (
            v
            for v in made
            if camera is not None and cameras.SIZE in camera and camera.data.name.split('.')[0] == v
        ),
        next(iter(made)),
    )
    for editor in image_editors(context):
        editor.image = made[front]
    return [made[front], *(i for v, i in made.items() if v != front)]


def image_editors(context: bpy.types.Context) -> list[bpy.types.SpaceImageEditor]:
    """Return the open Image Editors that show this scene's pictures."""
    return [
        a.spaces.active
        for w in context.window_manager.windows
        if w.scene == context.scene
        for a in w.screen.areas
        if a.type == 'IMAGE_EDITOR'
    ]


def bake_job(context: bpy.types.Context, size: int = 1024) -> tuple[str, dict]:
    """Return (head's name, the task 'bake_albedo''s arguments). size: the texture's
    side in pixels.
    """
    head = _chosen(context)
    arguments = {'result': result_folder(head), 'out': '{job}/out', 'size': size}
    return head.name, specs.check('bake_albedo', arguments)


def apply_albedo(name: str, out: str | Path) -> bpy.types.Image:
    """Put what the task 'bake_albedo' left in a folder into a head's materials; returns the
    texture.
    """
    return appearance.apply_albedo(_still_there(name), Path(out))


def overlaps_in_words(head: bpy.types.Object) -> list[str]:
    """Return what the last overlay measured: a heading, then a line a part; [] where
    nothing was.
    """
    found = appearance.part_overlaps(head)
    if found is None or not found[1]:
        return []
    return [
        f"Overlap with the face's regions in the picture, frame {found[0]}:",
        *(f'{name.replace("_", " ")}: {100 * value:.0f} %' for name, value in found[1].items()),
    ]


def _still_there(name: str) -> bpy.types.Object:
    head = bpy.data.objects.get(name)
    if head is None:
        raise FacewrightError(f'The head {name} was removed meanwhile: nothing was changed.')
    return head
