"""The built-in head: measured and modelled by this project.

With it everything works without a download.
"""

from __future__ import annotations

import numpy as np

from ..expressions import ICT_NAMES
from ..model import FaceModel
from ..tongue import with_tongue_out


def build() -> FaceModel:
    """Build the head from the measured table and code, the same every time (about a second)."""
    from .assemble import MATERIALS, assemble, cavity_depth, painted_areas
    from .expressions import expression_offsets
    from .identities import identity_modes

    head = assemble()
    model = FaceModel(
        name='builtin',
        neutral=head.vertices.astype(np.float32),
        faces=head.faces,
        names=ICT_NAMES,
        expressions=expression_offsets(head),
        identities=identity_modes(head),
        uvs=head.uvs,
        face_uvs=head.face_uvs,
        materials=MATERIALS,
        face_materials=head.face_materials,
        regions=head.regions,
        landmarks68=head.landmarks68,
        source='the built-in head',
        extra={
            'mirror': head.mirror.astype(np.int32),
            'measured_points': head.point.astype(np.int32),
            'cavity': cavity_depth(head).astype(np.float32),
            **{name: share.astype(np.float32) for name, share in painted_areas(head).items()},
        },
    )
    return with_tongue_out(model)
