"""Facewright: footage of a face in, an animated head with shape keys out.

This folder is the Blender extension and the package. bpy is imported only from `register` on: the
engine's processes import this package too.
"""


def register():
    """Register the add-on: Blender calls it when the extension is enabled."""
    from . import addon

    addon.register()


def unregister():
    """Take the add-on away: Blender calls it when the extension is disabled."""
    from . import addon

    addon.unregister()
