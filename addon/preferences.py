"""The add-on's preferences: the engine's Python, the cache, what is missing and how to add it."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ..engine.core.errors import FacewrightError
from . import environment, paths
from .operators.base import Operator
from .panels.drawing import text


def _ask(self, context) -> None:
    environment.ask()


class Preferences(bpy.types.AddonPreferences):
    bl_idname = paths.PACKAGE

    python: StringProperty(
        name="Engine's Python",
        description="The Python program of an environment that has the engine's requirements, for "
        "instance one with CUDA. Empty: Blender's own, with the packages that came with "
        'Facewright',
        subtype='FILE_PATH',
        update=_ask,
    )
    cache: StringProperty(
        name='Cache',
        description='Where face models, results and running jobs are kept, in a folder '
        "facewright of their own. Empty: the extension's own folder",
        subtype='DIR_PATH',
    )

    device: EnumProperty(
        name='Device',
        description='What computes',
        items=(
            (
                'auto',
                'Automatic',
                "An NVIDIA card where the engine's Python finds one, else the processor",
            ),
            ('cpu', 'Processor', 'The processor alone'),
            (
                'cuda',
                'CUDA',
                "An NVIDIA card; needs an engine's Python whose PyTorch has CUDA",
            ),
        ),
        default='auto',
    )

    def draw(self, context):
        layout = self.layout
        layout.prop(self, 'python')
        layout.prop(self, 'device')
        layout.prop(self, 'cache')
        layout.label(text=f'In use: {paths.cache_folder()}', icon='DISK_DRIVE')
        layout.operator('facewright.check_engine', icon='VIEWZOOM')
        found = environment.known()
        if environment.asking():
            layout.label(text=f'Asking {paths.engine_python()} what it has…', icon='SORTTIME')
        elif found is None:
            words = (
                f'The engine runs in {paths.engine_python()}. Check whether it has all it needs.'
            )
            text(context, layout, words, 'INFO')
        elif found.wrong is None:
            text(context, layout, f'Ready: Python {found.version} at {found.python}', 'CHECKMARK')
        else:
            draw_missing(context, layout, found)


def draw_missing(context, layout, found: environment.Environment) -> None:
    """Draw what doesn't fit, and how to put it right."""
    box = layout.box()
    if not found.packages:
        text(context, box, found.wrong, 'ERROR')
        return
    text(
        context, box, f'{found.python} (Python {found.version}) cannot run the engine yet:', 'ERROR'
    )
    for name, wanted, version in found.packages:
        box.label(
            text=f'{name} {wanted}: '
            + ('missing' if version is None else f'{version} is there instead'),
            icon='DOT',
        )
    text(
        context,
        box,
        'Install the Facewright zip made for your system, which brings them all. Or, with '
        'the small zip, make an environment '
        'with Python 3.11, run the command below in it, and choose its Python above.',
    )
    row = box.row()
    row.operator('facewright.copy_install_command', icon='COPYDOWN')


class FACEWRIGHT_OT_check_engine(Operator):
    """Ask the engine's Python whether it has all it needs"""

    bl_idname = 'facewright.check_engine'
    bl_label = 'Check the Engine'
    bl_options = {'INTERNAL'}

    def run(self, context):
        environment.ask(anew=True)
        if not bpy.app.background:
            return
        found = environment.wait()
        if found.wrong and not found.packages:
            raise FacewrightError(found.wrong)
        if found.wrong:
            self.report({'WARNING'}, found.wrong)


class FACEWRIGHT_OT_copy_install_command(Operator):
    """Copy the command that adds the missing packages to the environment, for a terminal"""

    bl_idname = 'facewright.copy_install_command'
    bl_label = 'Copy the Install Command'
    bl_options = {'INTERNAL'}

    def run(self, context):
        found = environment.known() or environment.check()
        context.window_manager.clipboard = environment.command(found.python, found.packages)


class FACEWRIGHT_OT_open_preferences(Operator):
    """Show Facewright's preferences, where the engine's Python is chosen"""

    bl_idname = 'facewright.open_preferences'
    bl_label = 'Open Preferences'
    bl_options = {'INTERNAL'}

    def run(self, context):
        if paths.PACKAGE not in context.preferences.addons:
            raise FacewrightError(
                'Facewright is not enabled as an extension here: it has no preferences.'
            )
        bpy.ops.preferences.addon_show(module=paths.PACKAGE)


CLASSES = (
    Preferences,
    FACEWRIGHT_OT_open_preferences,
    FACEWRIGHT_OT_check_engine,
    FACEWRIGHT_OT_copy_install_command,
)
