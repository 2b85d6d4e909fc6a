"""Facewright: footage of a face in, an animated head with shape keys out. This folder is the Blender extension and the package."""


def register():
    """Called by Blender when the extension is enabled. bpy is imported only from here on: the engine's processes import this package too."""
    from . import addon

    addon.register()


def unregister():
    """Called by Blender when the extension is disabled."""
    from . import addon

    addon.unregister()
