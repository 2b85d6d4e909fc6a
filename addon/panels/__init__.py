"""The Facewright tab in the 3D viewport's sidebar, one file a panel."""

from . import banner, footage, head, overlay, performance, reconstruct, shape_keys, texture

CLASSES = (
    *banner.CLASSES,
    *head.CLASSES,
    *footage.CLASSES,
    *reconstruct.CLASSES,
    *overlay.CLASSES,
    *performance.CLASSES,
    *texture.CLASSES,
    *shape_keys.CLASSES,
)
