"""Overlay and Texture panels: the head over its footage, the texture from it."""

from __future__ import annotations

from ...engine.tasks import specs
from .. import api, jobs
from ..options import prop
from .base import JobOperator, redraw


class FACEWRIGHT_OT_preview_overlay(JobOperator):
    bl_description = (
        'Draw the reconstructed head over its footage at the current frame, as found (not as '
        'edited since), into an image; with how well each region of the face fits'
    )

    bl_idname = 'facewright.preview_overlay'
    bl_label = 'Overlay'
    bl_options = {'UNDO'}

    show: prop(specs.PreviewOverlay, 'show')

    def begin(self, context):
        self.head, arguments = api.overlay_job(context, self.show)
        return jobs.start('preview_overlay', arguments, 'Overlay')

    def finish(self, context, result):
        first, *others = api.apply_overlay(context, self.head, self.job.arguments['out'], result)
        redraw(context)
        where = (
            'is in the Image Editor'
            if api.image_editors(context)
            else 'can be chosen in an Image Editor'
        )
        self.report(
            {'INFO'},
            f'The image {first.name}'
            + (f', with {len(others)} of the other views,' if others else '')
            + f' {where}.',
        )


class FACEWRIGHT_OT_bake_albedo(JobOperator):
    bl_description = (
        "Make a texture of the skin's own colour, without the light, from the footage and "
        "put it into the head's material"
    )

    bl_idname = 'facewright.bake_albedo'
    bl_label = 'Bake Skin Texture'
    bl_options = {'UNDO'}

    size: prop(specs.BakeAlbedo, 'size')

    def begin(self, context):
        self.head, arguments = api.bake_job(context, self.size)
        return jobs.start('bake_albedo', arguments, 'Skin texture')

    def finish(self, context, result):
        image = api.apply_albedo(self.head, self.job.arguments['out'])
        self.report(
            {'INFO'}, f"{image.name} ({image.size[0]}×{image.size[1]}) is in the skin's material."
        )


CLASSES = (FACEWRIGHT_OT_preview_overlay, FACEWRIGHT_OT_bake_albedo)
