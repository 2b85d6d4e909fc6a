"""Head panel: choose, import or download a face model, add its head."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import api, jobs, models, options, paths
from ..options import items, prop
from .base import FileOperator, JobOperator

AS_IN_PANEL = ('SCENE', 'As in the Panel', "The scene's setting")


class FACEWRIGHT_OT_add_head(JobOperator):
    """Add the face model's head with all its expressions as shape keys, in real-world size"""

    bl_idname = 'facewright.add_head'
    bl_label = 'Add Head'

    model: StringProperty(
        name='Face Model',
        description='"builtin", or the path of ICT-FaceKit\'s folder or archive. Empty: as set '
        'in the panel',
    )
    naming: prop(
        options.Head, 'naming', items=[AS_IN_PANEL, *items(options.NAMINGS)], default='SCENE'
    )

    def begin(self, context):
        source = self.model or models.source_of(context.scene.facewright)
        return (
            None
            if api.model_is_ready(source)
            else jobs.start(
                'import_face_model',
                {'source': source, 'landmarks': False},
                'Reading the face model',
            )
        )

    def finish(self, context, result):
        settings = context.scene.facewright
        naming = settings.naming if self.naming == 'SCENE' else self.naming
        said = []
        head = api.add_head(context, self.model or models.source_of(settings), naming, said)
        self.report({'INFO'}, ' '.join([f'{head.name} is in the scene.', *said]))


class FACEWRIGHT_OT_import_face_model(FileOperator, JobOperator):
    bl_description = (
        'Read ICT-FaceKit from its folder, its GitHub zip or a tar archive, once, and use it '
        'in this scene'
    )

    bl_idname = 'facewright.import_face_model'
    bl_label = 'Import ICT-FaceKit'

    filepath: prop(options.Head, 'path', name='File', options={'SKIP_SAVE'})

    filter_glob: StringProperty(
        name='Filter',
        description='What the file browser shows',
        default='*.zip;*.tar;*.tgz;*.gz;*.xz;*.npz',
        options={'HIDDEN'},
    )

    def begin(self, context):
        source = api.checked_path(self.filepath, 'face model')
        return (
            None
            if api.model_is_ready(source)
            else jobs.start('import_face_model', {'source': source}, 'Reading the face model')
        )

    def finish(self, context, result):
        api.use_model(context.scene, api.checked_path(self.filepath, 'face model'))


class FACEWRIGHT_OT_download_face_model(JobOperator):
    bl_description = (
        'Download the ICT-FaceKit face model (MIT licence, some hundred megabytes) from '
        'GitHub and use it in this scene'
    )

    bl_idname = 'facewright.download_face_model'
    bl_label = 'Download ICT-FaceKit'

    @classmethod
    def poll(cls, context):
        if not bpy.app.online_access:
            cls.poll_message_set(
                'Blender may not go online: allow it in Preferences > System > Network, or '
                'import a copy you downloaded yourself'
            )
        return bpy.app.online_access

    def begin(self, context):
        return jobs.start(
            'download_face_model',
            {'folder': str(paths.cache_folder() / 'downloads'), 'scratch': '{job}'},
            'Downloading ICT-FaceKit',
        )

    def finish(self, context, result):
        api.use_model(context.scene, result['source'])


CLASSES = (
    FACEWRIGHT_OT_add_head,
    FACEWRIGHT_OT_import_face_model,
    FACEWRIGHT_OT_download_face_model,
)
