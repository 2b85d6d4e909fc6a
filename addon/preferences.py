"""The add-on's preferences: the engine's Python, the cache, what is missing and how to add it."""
from __future__ import annotations

import bpy
from bpy.props import StringProperty

from . import environment, paths
from .operators.base import Operator
from .panels.drawing import text

last_check: environment.Environment | None = None
"""What the last check found; None before one, or after the choice of Python changed."""


def _forget(self, context) -> None:
    global last_check
    last_check = None


class Preferences(bpy.types.AddonPreferences):
    bl_idname = paths.PACKAGE

    python: StringProperty(name='Engine\'s Python', description='The Python program of an environment that has the engine\'s requirements, for instance one with CUDA. Empty: Blender\'s own, with the packages that came with Facewright',
                           subtype='FILE_PATH', update=_forget)
    cache: StringProperty(name='Cache', description='Where face models, results and running jobs are kept, in a folder facewright of their own. Empty: the extension\'s own folder',
                          subtype='DIR_PATH')

    def draw(self, context):
        layout = self.layout
        layout.prop(self, 'python')
        layout.prop(self, 'cache')
        layout.label(text=f'In use: {paths.cache_folder()}', icon='DISK_DRIVE')
        layout.operator('facewright.check_engine', icon='VIEWZOOM')
        if last_check is None:
            layout.label(text=f'The engine runs in {paths.engine_python()}. Check whether it has all it needs.', icon='INFO')
        elif last_check.wrong is None:
            layout.label(text=f'Ready: Python {last_check.version} at {last_check.python}', icon='CHECKMARK')
        else:
            draw_missing(context, layout, last_check)


def draw_missing(context, layout, found: environment.Environment) -> None:
    """What doesn't fit, and how to put it right."""
    box = layout.box()
    box.label(text=f'{found.python} (Python {found.version}) cannot run the engine yet:', icon='ERROR')
    for name, wanted, version in found.packages:
        box.label(text=f'{name} {wanted}: ' + ('missing' if version is None else f'{version} is there instead'), icon='DOT')
    text(context, box, 'Install the Facewright zip made for your system, which brings them all. Or, with the small zip, make an environment '
              'with Python 3.11, run the command below in it, and choose its Python above.')
    row = box.row()
    row.operator('facewright.copy_install_command', icon='COPYDOWN')


class FACEWRIGHT_OT_check_engine(Operator):
    """Ask the engine's Python whether it has all it needs"""
    bl_idname = 'facewright.check_engine'
    bl_label = 'Check the Engine'
    bl_options = {'INTERNAL'}

    def run(self, context):
        global last_check
        last_check = environment.check()
        if last_check.wrong:
            self.report({'WARNING'}, last_check.wrong)


class FACEWRIGHT_OT_copy_install_command(Operator):
    """Copy the command that adds the missing packages to the environment, for a terminal"""
    bl_idname = 'facewright.copy_install_command'
    bl_label = 'Copy the Install Command'
    bl_options = {'INTERNAL'}

    def run(self, context):
        found = last_check or environment.check()
        context.window_manager.clipboard = environment.command(found.python, found.packages)


CLASSES = (Preferences, FACEWRIGHT_OT_check_engine, FACEWRIGHT_OT_copy_install_command)
