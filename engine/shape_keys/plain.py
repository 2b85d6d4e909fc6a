"""The shapes that a head gets from the face model as it is, before anything personal is known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..face_model.expressions import MERGED, TONGUE_OUT
from ..face_model.model import FaceModel
from ..face_model.tongue import append_tongue_out
from .lids import meet_lids


def plain_expressions(model: FaceModel, neutral: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and E×V×3 float32 offsets (cm) that Draft and Standard give a head.

    The model's own, but for what depends on the head: lids that meet and the tongue that comes out.
    neutral: V×3 cm.
    """
    face = model.tracked
    shapes = append_tongue_out(face, neutral, meet_lids(face, neutral, face.expressions))
    return (*face.names, TONGUE_OUT), shapes


def plain_shapes(
    model: FaceModel, neutral: np.ndarray, names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Return {name: V×3 offsets (cm)} of the plain shapes among `names`, in their order.

    ICT's names, and ARKit's of shapes that merge two of ICT's: their sum. Other names are left out.
    """
    called, shapes = plain_expressions(model, neutral)
    row = {name: k for k, name in enumerate(called)}
    parts = {name: MERGED.get(name, (name,)) for name in names}
    return {
        name: shapes[[row[part] for part in of]].sum(0)
        for name, of in parts.items()
        if all(part in row for part in of)
    }
