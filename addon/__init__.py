"""All of Facewright that knows Blender. Never imports the engine's heavy parts: those run in a
child process (jobs.py).
"""

from __future__ import annotations

import atexit

import bpy

from . import environment, jobs, panels, preferences, properties
from .operators import (
    appearance,
    cavities,
    comparison,
    footage,
    head,
    performance,
    reconstruct,
    shape_keys,
    shape_tools,
)
from .scene import viewports

OPERATORS = {
    'Head': head,
    'Footage': footage,
    'Reconstruct': reconstruct,
    'Overlay and texture': appearance,
    'Performance': performance,
    'Shape keys': shape_keys,
    'Cavities': cavities,
    'Editing shape keys': shape_tools,
    'Comparing with the model': comparison,
}
CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *(cls for module in OPERATORS.values() for cls in module.CLASSES),
    *panels.CLASSES,
)


def register() -> None:
    """Add the classes, the scene's settings and the handlers; where anything fails, nothing stays
    behind.
    """
    steps = [
        (
            lambda cls=cls: bpy.utils.register_class(cls),
            lambda cls=cls: bpy.utils.unregister_class(cls),
        )
        for cls in CLASSES
    ]
    steps += [
        (properties.attach, properties.detach),
        (jobs.attach, jobs.detach),
        (lambda: None, environment.detach),
        (viewports.attach, viewports.detach),
    ]
    undo = []
    try:
        for do, take_back in steps:
            do()
            undo.append(take_back)
        # the application disables add-ons before it ends; the module crashes (4.2) if nobody does
        if not bpy.app.binary_path:
            atexit.register(unregister)
    except Exception:
        for take_back in reversed(undo):
            take_back()
        raise


def unregister() -> None:
    """Stop a running job and take everything away again."""
    atexit.unregister(unregister)
    viewports.detach()
    jobs.detach()
    environment.detach()
    properties.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
