"""tongueOut, the one of ARKit's expressions that ICT-FaceKit lacks.

The tongue comes out between the teeth and over the lower lip. The shape is made from the tongue's
own and from where teeth and lips lie, for any face model. As ARKit's, it moves nothing but the
tongue: it is meant for an open jaw (jawOpen from about .35), with closed lips it passes through
them. Head space, cm.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.sparse.csgraph import dijkstra

from ..core.smoothstep import smoothstep
from .expressions import TONGUE_OUT
from .model import FaceModel
from .pieces import face_graph, pieces

BEYOND_LIPS = 1.7  # how far the tip comes out of the lips' line
DROOP = 0.75  # how far the tip hangs below where the tongue leaves the lips
THICKNESS = 0.50  # of the tongue where it passes the teeth
OVER_TEETH = 0.10  # clearance over the lower incisors' edges
OVER_LIP = 0.12  # and over the lower lip
PASSAGE_WIDTH = (
    0.42  # the tongue's width between the front teeth, as a share of the lower teeth's arch's
)
TIP_WIDENED = 0.10  # share of its width at rest that its tip gains
# from this share of its length on the tongue comes out unstretched, so that its tip keeps its shape
UNSTRETCHED_FROM = 0.82
ROOT_HELD = 1.1  # from where the tongue grows out of the mouth's floor, this far it is held back
SLICES = 40


def with_tongue_out(model: FaceModel) -> FaceModel:
    """Return the model with tongueOut as its last expression, 0 where the model has no tongue."""
    return replace(
        model,
        names=(*model.names, TONGUE_OUT),
        expressions=append_tongue_out(model, model.neutral, model.expressions),
    )


def append_tongue_out(model: FaceModel, neutral: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """Return (E+1)×V×3 float32 offsets: a head's expressions and its own tongueOut.

    neutral: V×3 (cm), a head in the model's topology; expressions: its E×V×3 offsets.
    """
    offsets = np.zeros((1, *neutral.shape), np.float32)
    part = (
        pieces(model) if model.regions['gums_tongue'].max(initial=-1) < model.vertex_count else {}
    )
    if 'tongue' in part and 'lower_teeth' in part:
        tongue, v = part['tongue'], neutral.astype(np.float64)
        teeth, lips = v[part['lower_teeth']], v[model.landmarks68[[61, 62, 63, 65, 66, 67]]]
        incisors = teeth[np.abs(teeth[:, 0]) < 0.5]
        edge = incisors[incisors[:, 1] > incisors[:, 1].max() - 0.12]
        offsets[0, tongue] = tongue_out(
            v[tongue],
            tongue_freedom(model, tongue),
            edge.mean(0),
            lips.mean(0),
            np.abs(teeth[:, 0]).max(),
        )
    return np.concatenate([expressions, offsets])


def tongue_freedom(model: FaceModel, tongue: np.ndarray) -> np.ndarray:
    """Return N in 0..1: how freely each vertex of the tongue moves.

    0 where it grows out of the mouth's floor.
    """
    member = np.zeros(model.vertex_count, bool)
    member[tongue] = True
    inside = member[model.faces] & (model.faces >= 0)
    joint = model.faces[inside.any(1) & (~inside & (model.faces >= 0)).any(1)]
    seam = np.intersect1d(joint, tongue)
    if not len(seam):
        return np.ones(len(tongue))
    graph = face_graph(model.neutral.astype(np.float64), model.faces)[tongue][:, tongue]
    distance = dijkstra(graph, directed=False, indices=np.searchsorted(tongue, seam), min_only=True)
    return smoothstep(distance, 0, ROOT_HELD)


def tongue_out(
    points: np.ndarray, free: np.ndarray, edge: np.ndarray, lips: np.ndarray, arch: float
) -> np.ndarray:
    """Return N×3 offsets of a tongue (N×3) from rest to tongueOut at weight 1.

    free: N, how much of the motion each vertex makes.
    edge, lips: 3, the middles of the lower incisors' edges and of the line between the closed lips.
    arch: half the width of the lower teeth's arch.
    """
    z, tip, root = points[:, 2], points[:, 2].max(), points[:, 2].min()
    t = np.clip((z - root) / (tip - root), 0, 1)
    slices = np.linspace(root, tip, SLICES)
    middle = np.abs(points[:, 0]) < 0.35 * np.abs(points[:, 0]).max()
    near = np.abs(z[None] - slices[:, None]) < 1.2 * (slices[1] - slices[0])
    top = np.array([points[m & middle, 1].max() if (m & middle).any() else np.nan for m in near])
    low = np.array([points[m & middle, 1].min() if (m & middle).any() else np.nan for m in near])
    known = np.isfinite(top)
    top, low = (
        np.interp(slices, slices[known], top[known]),
        np.interp(slices, slices[known], low[known]),
    )
    top = np.convolve(np.pad(top, 2, mode='edge'), np.full(5, 0.2), 'valid')
    rest = np.interp(z, slices, top)

    out = points.copy()
    out[:, 2] = z + (lips[2] + BEYOND_LIPS - tip) * smoothstep(t, -0.02, UNSTRETCHED_FROM)
    start = edge[2] - 2.2
    over_teeth, over_lip = edge[1] + OVER_TEETH + THICKNESS, lips[1] + OVER_LIP + THICKNESS
    path = PchipInterpolator(
        (root, start, edge[2], lips[2], lips[2] + 0.7, lips[2] + BEYOND_LIPS + 0.1),
        (
            np.interp(root, slices, top),
            max(np.interp(start, slices, top), over_teeth - 0.25),
            over_teeth,
            over_lip,
            over_lip - 0.12,
            over_lip - DROOP,
        ),
    )
    thick = np.quantile(top - low, 0.7)
    squash = 1 - (1 - min(THICKNESS / thick, 1)) * smoothstep(t, 0.25, 0.75)
    turned = smoothstep(t, 0.1, 0.5)
    out[:, 1] = (1 - turned) * points[:, 1] + turned * (
        path(out[:, 2]) - (rest - points[:, 1]) * squash
    )
    narrow = 1 - min(PASSAGE_WIDTH * arch / np.abs(points[:, 0]).max(), 1)
    out[:, 0] *= (
        1 - narrow * smoothstep(t, 0.15, 0.5) + (narrow + TIP_WIDENED) * smoothstep(t, 0.62, 0.95)
    )
    return (out - points) * free[:, None]
