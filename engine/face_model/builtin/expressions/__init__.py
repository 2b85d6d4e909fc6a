"""The 53 expressions of the built-in head, each an offset from the neutral.

Right-side shapes are the left's mirror images.
"""

from __future__ import annotations

import numpy as np

from ...expressions import ICT_NAMES
from ..assemble import Head
from . import eyes, jaw, mouth
from .fields import Fields


def expression_offsets(head: Head) -> np.ndarray:
    """Return E×V×3 float32 cm in ICT_NAMES order."""
    fields = Fields(head)
    sided, whole = mouth.shapes(fields)
    sided.update(eyes.shapes(fields))
    whole.update(jaw.shapes(fields))
    for name in ('jaw', 'mouth'):
        whole[name + 'Right'] = fields.by_mirror(whole[name + 'Left'])
    for name, offsets in sided.items():
        whole[name + '_L'], whole[name + '_R'] = offsets, fields.by_mirror(offsets)
    return np.stack([fields.with_lashes(whole[name]) for name in ICT_NAMES]).astype(np.float32)
