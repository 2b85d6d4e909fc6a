"""The shapes that a head gets from the face model as it is, before anything personal is known."""

from __future__ import annotations

import numpy as np

from ..face_model.expressions import MERGED, TONGUE_OUT
from ..face_model.model import FaceModel
from ..face_model.tongue import append_tongue_out
from .comparison import shape_difference
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
    model: FaceModel, neutral: np.ndarray, own: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return {name: V×3 offsets (cm)} of the plain shapes among a head's own, in their order.

    ICT's names, and ARKit's of shapes that merge two of ICT's: their sum. Other names are left out.
    A head that has the model's shape to the letter, as one does that no footage made, keeps it.
    neutral: V×3 cm. own: {name: V×3 offsets (cm)}.
    """
    names, given = plain_expressions(model, neutral)
    raw = dict(zip(model.names, model.expressions))
    found = {}
    for name, shape in own.items():
        parts = MERGED.get(name, (name,))
        if not all(part in names for part in parts):
            continue
        found[name] = given[[names.index(part) for part in parts]].sum(0)
        if all(part in raw for part in parts):
            unchanged = np.sum([raw[part] for part in parts], axis=0)
            if shape_difference(shape, unchanged).none:
                found[name] = unchanged
    return found
