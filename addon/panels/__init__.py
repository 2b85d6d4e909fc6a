"""The Facewright tab in the 3D viewport's sidebar, one file a panel."""
from . import appearance, footage, head, performance, reconstruct, shape_keys

CLASSES = (*head.CLASSES, *footage.CLASSES, *reconstruct.CLASSES, *appearance.CLASSES, *performance.CLASSES, *shape_keys.CLASSES)
