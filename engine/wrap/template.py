"""The face model's topology registered onto a mesh, from the linear model that was fitted to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..annotate.landmarks import ModelLandmarks
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..footage.detector.landmark_sets import landmark_sets
from ..geometry.closest import Surface
from ..geometry.laplacian import mass
from ..geometry.polygons import triangulate
from ..geometry.registration import RegistrationOptions, register
from ..geometry.rigid import rigid_motion
from .linear_fit import FittedScan
from .model_fit import ModelFit
from .transfer import ANCHOR_WEIGHT, LEAST_MOVE, Transfer

LEAST_CONFIDENCE = 0.02  # confidence below which a landmark does not pull
# what a vertex that belongs on the border of the mouth's hole counts for in the registration; a
# lip's landmark counts 1
RIM_WORTH = 3.0
# the same of a landmark not on lids, lips or nose: the detector's brows and cheeks are off by
# millimetres on a bare mesh
LOOSE_WORTH = 0.01
# cm⁴, of the registration, first and last (measured here: at .01 James's 95 % is 1.27 mm, at .007 a
# nostril breaks through his cheek)
STIFFNESS = (8.0, 0.008)
MARKER_WORTH = 10.0  # detected landmarks that a placed marker counts for in the registration


@dataclass(frozen=True)
class Wrapped:
    """A face model's head on a mesh.

    vertices: V×3, on the mesh, expression and all, in head space (cm).
    fit: the linear model under it (its to_head takes the mesh there).
    distance: V, cm to the mesh, inf where nothing was matched.
    unit: 'mm', 'm', …, '' where the mesh's size says none (lengths are then a usual head's).
    turned: the mesh's faces looked inwards.
    skin: what can be seen of the mesh, in head space.
    made: E, the expression it makes (the fit's own weights also say what merely looks like one).
    folds: turned triangles and new self-crossings that could not be smoothed away.
    """

    vertices: np.ndarray
    fit: ModelFit
    distance: np.ndarray
    unit: str
    turned: bool
    skin: Surface
    made: np.ndarray
    folds: int


def register_template(
    model: FaceModel,
    landmarks: ModelLandmarks,
    found: FittedScan,
    markers: dict[int, np.ndarray] | None,
    report: Callable[[float], None],
) -> Wrapped:
    """Register the model's skin onto the mesh, from the fitted linear model.

    Sockets follow, rigid pieces ride along. markers: as `wrap_mesh` takes them. report: called with
    0..1.
    """
    piece, fit = pieces(model), found.fit
    skin, of, triangles = skin_and_sockets(model)
    points = _point_constraints(model, landmarks, found, markers or {}, of)
    done = register(
        fit.vertices[skin],
        triangles,
        fit.to_head(found.vertices),
        found.triangles,
        (points.rows.astype(np.int32), points.weights),
        points.targets,
        RegistrationOptions(
            stiffness=STIFFNESS,
            weights=np.isin(skin, piece['skin']).astype(float),
            landmark_weights=points.worth,
        ),
        progress=report,
    )
    distance = np.full(model.vertex_count, np.inf)
    distance[skin] = np.where(done.matched, done.distance, np.inf)
    return Wrapped(
        vertices=ride_along(model, fit.vertices, skin, done.vertices),
        fit=fit,
        distance=distance,
        unit=found.unit,
        turned=found.turned,
        skin=Surface(fit.to_head(found.vertices), found.triangles),
        made=found.made,
        folds=done.folds,
    )


@dataclass(frozen=True)
class _PointConstraints:
    """Points on the model's skin that belong somewhere.

    rows: K×3, the corners of their triangles. weights: K×3 of these. targets: K×3, head space.
    worth: K.
    """

    rows: np.ndarray
    weights: np.ndarray
    targets: np.ndarray
    worth: np.ndarray


def _point_constraints(
    model: FaceModel,
    landmarks: ModelLandmarks,
    found: FittedScan,
    markers: dict[int, np.ndarray],
    of: np.ndarray,
) -> _PointConstraints:
    """Gather the landmarks that the detector saw, the user's markers, and the mouth's rim.

    of: V, each vertex's place among the skin's.
    """
    fit = found.fit
    rows, targets = np.zeros((0, 3), int), np.zeros((0, 3))
    weights, worth = np.zeros((0, 3)), np.zeros(0)
    if found.points is not None:
        sure = np.flatnonzero(
            (landmarks.confidence * found.confidence > LEAST_CONFIDENCE)
            & (of[landmarks.triangles] >= 0).all(1)
            & (np.arange(len(landmarks.weights)) < 468)
        )
        rows, weights = of[landmarks.triangles[sure]], landmarks.weights[sure].astype(np.float64)
        targets = fit.to_head(found.points[sure])
        sets = landmark_sets()
        firm = np.concatenate([sets[k] for k in ('left_eye', 'right_eye', 'lips', 'nose')])
        worth = np.where(np.isin(sure, firm), 1.0, LOOSE_WORTH)
    pinned = sorted(markers)
    single = []
    if pinned:
        marked = np.stack([markers[p] for p in pinned])
        single.append((of[model.landmarks68[pinned]], marked, MARKER_WORTH))
    if found.rim is not None:
        single.append((of[found.rim[0]], found.rim[1], RIM_WORTH))
    for at, there, each in single:
        rows = np.concatenate([rows, np.repeat(at[:, None], 3, 1)])
        weights = np.concatenate([weights, np.tile((1.0, 0, 0), (len(at), 1))])
        targets = np.concatenate([targets, fit.to_head(there)])
        worth = np.concatenate([worth, np.full(len(at), each)])
    return _PointConstraints(rows, weights, targets, worth)


def skin_and_sockets(model: FaceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the skin and the sockets, which hang together.

    (Their vertices S, V: the place of each vertex among them or −1, T×3 int32 triangles of them.)
    """
    piece = pieces(model)
    skin = np.unique(
        np.concatenate(
            [
                piece[k]
                for k in ('skin', 'mouth_socket', 'eye_socket_L', 'eye_socket_R')
                if k in piece
            ]
        )
    )
    of = np.full(model.vertex_count, -1)
    of[skin] = np.arange(len(skin))
    t = of[triangulate(model.faces)]
    return skin, of, t[(t >= 0).all(1)].astype(np.int32)


def ride_along(
    model: FaceModel, before: np.ndarray, skin: np.ndarray, skin_after: np.ndarray
) -> np.ndarray:
    """Return V×3: the registered skin and sockets, and everything else moved with what is round it.

    before: V×3. Teeth, gums and tongue go as one with the mouth, each eyeball with its socket and
    lids, lashes and eye surfaces with the nearest lid.
    """
    piece = pieces(model)
    out = before.copy()
    out[skin] = skin_after
    inside = np.zeros(model.vertex_count, bool)
    inside[skin] = True

    def rigidly(members: np.ndarray, guides: np.ndarray, reach: float) -> None:
        """Move vertices as one body, as vertices within `reach` cm of their middle went."""
        centre = before[members].mean(0)
        weight = np.exp(-((np.linalg.norm(before[guides] - centre, axis=1) / reach) ** 2)) + 1e-9
        rotation, translation, _ = rigid_motion(before[guides], out[guides], weight)
        out[members] = before[members] @ rotation.T + translation

    mouth = [
        piece[k]
        for k in ('upper_teeth', 'lower_teeth', 'upper_gums', 'lower_gums', 'tongue')
        if k in piece
    ]
    if mouth:
        lips = np.concatenate([piece[k] for k in ('upper_lip', 'lower_lip') if k in piece])
        near = skin[np.linalg.norm(before[skin] - before[lips].mean(0), axis=1) < 5.0]
        rigidly(np.concatenate(mouth), near, 3.0)
    for side in 'LR':
        guides = np.concatenate(
            [
                piece[k]
                for k in (f'upper_lid_{side}', f'lower_lid_{side}', f'eye_socket_{side}')
                if k in piece
            ]
        )
        if f'eyeball_{side}' in piece:
            rigidly(piece[f'eyeball_{side}'], guides, 2.0)
        for name in (f'lashes_{side}', f'eye_surface_{side}'):
            if name in piece:
                distance, nearest = cKDTree(before[guides]).query(before[piece[name]], k=4)
                share = 1 / (distance + 1e-3)
                share /= share.sum(1, keepdims=True)
                out[piece[name]] += (
                    (out[guides] - before[guides])[nearest] * share[..., None]
                ).sum(1)
    return out


def at_rest(model: FaceModel, wrapped: Wrapped) -> np.ndarray:
    """Return V×3 in head space: the wrapped head with its expression taken off.

    By deformation transfer from the fitted model with it to the one without.
    """
    if not wrapped.made.any():
        return wrapped.vertices
    rest = wrapped.fit.vertices - np.tensordot(
        wrapped.made, model.tracked.expressions.astype(np.float64), 1
    )
    skin, _, t = skin_and_sockets(model)
    change = rest[skin].astype(np.float64) - wrapped.fit.vertices[skin]
    still = np.linalg.norm(change, axis=1) < LEAST_MOVE
    transfer = Transfer(
        wrapped.fit.vertices[skin],
        t,
        wrapped.vertices[skin],
        still,
        ANCHOR_WEIGHT * mass(wrapped.vertices[skin], t),
    )
    calm = transfer.solve(
        rest[None, skin].astype(np.float64), (wrapped.vertices[skin] + change)[None]
    )[0]
    out = ride_along(model, rest.astype(np.float64), skin, calm)
    return out
