"""All of Facewright that knows Blender. Never imports the engine's heavy parts: those run in a child process (jobs.py)."""
from __future__ import annotations

import bpy

from . import jobs, panels, preferences, properties
from .operators import footage, head, performance, reconstruct

CLASSES = (*properties.CLASSES, *preferences.CLASSES, *head.CLASSES, *footage.CLASSES, *reconstruct.CLASSES, *performance.CLASSES, *panels.CLASSES)


def register() -> None:
    """Add the classes, the scene's settings and the handlers; whatever fails leaves nothing behind."""
    done = []
    try:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            done.append(cls)
        properties.attach()
        jobs.attach()
    except Exception:
        for cls in reversed(done):
            bpy.utils.unregister_class(cls)
        raise


def unregister() -> None:
    """Stop a running job and take everything away again."""
    jobs.detach()
    properties.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
