"""The linear face model fitted to any mesh of a head: found, measured, judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..annotate.landmarks import ModelLandmarks
from ..core.errors import FacewrightError
from ..face_model.expressions import OPPOSITES
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..footage.detector.landmark_sets import landmark_sets
from ..geometry.closest import Surface
from ..geometry.laplacian import components
from ..geometry.polygons import triangulate
from ..geometry.rigid import rigid_motion
from ..geometry.user_mesh import UserMesh, seen_triangles, welded
from ..render.preview import head_to_camera
from ..render.rasterise import rasterise
from .model_fit import (
    FitTarget,
    ModelFit,
    ModelFitOptions,
    Similarity,
    fit_model,
    seen_landmarks,
)
from .mouth_hole import mouth_rim
from .scan_landmarks import bare_colours, find_face, landmarks_from_all_round, landmarks_in_view

UNITS = {'mm': 0.1, 'cm': 1.0, 'dm': 10.0, 'in': 2.54, 'm': 100.0}  # cm a unit
UNIT_SLACK = 0.2  # natural logarithm: a head this much off the usual size still tells its unit
# Weight from which a shape says that the face makes an expression, not that somebody looks so.
CERTAIN_WEIGHT = 0.55
LEAST_WEIGHT = 0.2  # weight from which a shape then belongs to it
# Shapes that cannot be made at once: fitted together they say what somebody looks like.
EXCLUSIVE = (
    *OPPOSITES,
    *(
        (f'{a}_{s}', f'{b}_{s}')
        for s in 'LR'
        for a, b in (
            ('mouthSmile', 'mouthFrown'),
            ('browInnerUp', 'browDown'),
            ('browOuterUp', 'browDown'),
        )
    ),
)
# RMS of an identity's coefficients, in standard deviations, beyond which a head is no usual one.
# Real scans: up to 1.31; the cartoon of the cases: 1.52 with the built-in head, 1.58 with ICT.
UNUSUAL_IDENTITY = 1.45
# Is then believed still: nothing else looks like it.
UNMISTAKABLE = ('eyeBlink', 'jawOpen', 'mouthSmile')
# The fit that the registration starts from: where a surface tells nothing, what decides how skin
# lies is who the fit thinks it is, so it believes less. Chosen, as are LOOSE_WORTH, RIM_WORTH and
# STIFFNESS, on the very scans of tests/bench/test_wrap.py, after about a hundred trials there, by
# how far a vertex slides between the four of Spacetime (one person) and by James's distance: what
# it does for others was not measured.
REGISTRATION_FIT = ModelFitOptions(
    identity_spread=0.1,
    expression_sparse=1.0,
    contours=1.0,
    brows=4.0,
    statistics=2.0,
    landmarks_worth=60.0,
    surface_worth=800.0,
)
# The fit that says what is an expression: all it can it explains by who somebody is.
EXPRESSION_FIT = ModelFitOptions(identity_spread=1.0, expression_sparse=10.0)
SHUT_SHARE = 0.6  # of the way from open to shut, above which an eye is taken to be shut
SHUT_SHARE_EACH = 0.3  # the same of each eye: one that is missed does not shut an open one
# Difference in opening between a shut and an open eye, below which the detector tells none.
LEAST_OPENING = 0.01
LARGEST_BIAS = 0.35  # cm: what the detector may be off on a bare head
VIEWS_ALL_ROUND = [(yaw, pitch) for pitch in (-35, 0, 35) for yaw in range(-90, 91, 30)] + [
    (180, 0),
    (135, 0),
    (-135, 0),
    (0, 80),
]
PICTURE_SIZE = 400  # pixels of the pictures that say what lies outside
FEWEST_MARKERS = 4
UNSEEN = 'eyeLook'  # shapes that a bare scan does not show


@dataclass(frozen=True)
class FittedScan:
    """The linear model on a mesh, and what was found of the mesh for it."""

    fit: ModelFit
    # The mesh's skin in its own space, wound outwards: N×3, T×3.
    vertices: np.ndarray
    triangles: np.ndarray
    # 478×3 in that space and their confidence, 478; None where markers alone were used.
    points: np.ndarray | None
    confidence: np.ndarray | None
    # 'mm', 'm', …; '' where the mesh's size says none.
    unit: str
    # The mesh's faces looked inwards.
    turned: bool
    # E: the expression it makes.
    made: np.ndarray
    # (Vertices of the model, where they belong in the mesh's space) where the mouth is a hole.
    rim: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class _Scan:
    """A mesh whose face has been found.

    vertices: N×3 and triangles: T×3, all of the mesh in its own space, wound outwards.
    skin: of the triangles, those that can be seen and hang together with the face.
    start: how the mesh lies in head space, about. centre: 3, what pictures of it look at.
    has_face: the detector sees a face on it.
    """

    name: str
    vertices: np.ndarray
    triangles: np.ndarray
    skin: np.ndarray
    turned: bool
    start: Similarity
    centre: np.ndarray
    has_face: bool


def fit_linear_model(
    model: FaceModel,
    landmarks: ModelLandmarks,
    mesh: UserMesh,
    markers: dict[int, np.ndarray] | None,
    expression: bool,
    report: Callable[[float], None],
) -> FittedScan:
    """Find the face on a mesh and fit the linear model to it.

    markers, expression: as `wrap_mesh` takes them. report: called with 0..1. Raises FacewrightError
    where no face, or more than one, is found.
    """
    model, markers = model.tracked, markers or {}
    scan = _place_scan(model, landmarks, mesh, markers)
    report(0.25)
    points, confidence = _scan_landmarks(scan, markers, lambda f: report(0.25 + 0.25 * f))

    # Once with the scale free, to know the unit and what the detector gets wrong on this face.
    may = np.array([expression and not n.startswith(UNSEEN) for n in model.names])
    target = FitTarget(scan.vertices, scan.skin, points, confidence, markers, expressions=may)
    fit = fit_model(model, landmarks, target, scan.start)
    unit, scale = unit_of(fit.scale)
    target = replace(target, scale=scale)
    if points is not None:
        bias = detector_bias(model, landmarks, fit, scan.centre, lambda f: report(0.55 + 0.25 * f))
        points = points - bias @ fit.rotation / fit.scale
        target = replace(target, points=points)
        if expression:
            head = fit.to_head(scan.vertices)
            known = closed_eyes(model, fit, head, scan.skin, scan.centre)
            target = replace(target, known=known)
    fit = fit_model(model, landmarks, target, Similarity(fit.rotation, fit.translation, fit.scale))
    report(0.9)

    # What of the fit is an expression, and the fit that the registration starts from.
    made = np.zeros(len(model.names))
    if expression:
        judged = fit_model(model, landmarks, target, fit, EXPRESSION_FIT)
        made = certain_expression(model.names, judged.weights, judged.identity)
    rim = mouth_rim(model, fit.vertices, fit.to_head(scan.vertices), scan.triangles)
    if rim is not None:
        rim = rim[0], fit.from_head(rim[1])
    fit = fit_model(model, landmarks, replace(target, rim=rim), fit, REGISTRATION_FIT)
    report(1.0)
    return FittedScan(
        fit=fit,
        vertices=scan.vertices,
        triangles=scan.skin,
        points=points,
        confidence=confidence,
        unit=unit,
        turned=scan.turned,
        made=made,
        rim=rim,
    )


def _place_scan(
    model: FaceModel,
    landmarks: ModelLandmarks,
    mesh: UserMesh,
    markers: dict[int, np.ndarray],
) -> _Scan:
    """Find where a mesh lies in head space, by its face or by markers, and what of it is skin."""
    vertices, triangles, of = welded(mesh)
    triangles = seen_triangles(mesh, triangles, of)
    name = mesh.source or 'The mesh'
    reference = landmarks.on(model.neutral).astype(np.float64)
    try:
        start = find_face(vertices, triangles, reference, name=name)
        has_face = True
    except FacewrightError:
        if len(markers) < FEWEST_MARKERS:
            raise
        has_face = False
    if len(markers) >= FEWEST_MARKERS:
        pinned = sorted(markers)
        start = rigid_motion(
            np.stack([markers[p] for p in pinned]),
            model.neutral[model.landmarks68[pinned]].astype(np.float64),
            scale=True,
        )
    start = Similarity(start[0], start[1], float(start[2]))
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    skin, turned = skin_triangles(start.to_head(vertices), triangles, centre, reference)
    if turned:
        skin, triangles = skin[:, ::-1], triangles[:, ::-1]
    return _Scan(name, vertices, triangles, skin, turned, start, centre, has_face)


def _scan_landmarks(
    scan: _Scan, markers: dict[int, np.ndarray], report: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return (478×3 landmarks in the mesh's space, confidence 478), or Nones with markers alone."""
    if scan.has_face:
        rough = scan.start.to_head(scan.vertices)
        # As the mesh was wound: turning it over would turn its shading.
        triangles = scan.triangles[:, ::-1] if scan.turned else scan.triangles
        try:
            points, confidence = landmarks_from_all_round(
                rough, triangles, bare_colours(len(rough)), scan.centre, report=report
            )
            return scan.start.from_head(points), confidence
        except FacewrightError:
            if len(markers) < FEWEST_MARKERS:
                raise
    if len(markers) < FEWEST_MARKERS:
        raise FacewrightError(
            f'No face was found on {scan.name}: choose a mesh with a human face, '
            'or place at least four markers on it.'
        )
    return None, None


def closed_eyes(
    model: FaceModel, fit: ModelFit, head: np.ndarray, triangles: np.ndarray, centre: np.ndarray
) -> dict[str, float]:
    """Return {eyeBlink_L: 1, eyeBlink_R: 1} where both eyes are shut on the mesh, else {}.

    head: N×3, the mesh in head space. How wide the detector sees them lies nearer to what it sees
    on the fitted model with lids shut than with lids open. Of one eye alone it cannot be told, on a
    bare mesh it errs that much; but neither may look open.
    """
    index = [model.names.index(f'eyeBlink_{side}') for side in 'LR']
    faces = triangulate(model.faces[visible_faces(model)])
    open_ = fit.vertices - np.tensordot(fit.weights[index], model.expressions[index], 1)
    shut = open_ + model.expressions[index].sum(0)
    seen = [
        landmarks_in_view(v, t, bare_colours(len(v)), centre, 0, 0)
        for v, t in ((head, triangles), (open_, faces), (shut, faces))
    ]
    if any(s is None for s in seen):
        return {}
    here, wide, none = (
        np.array([opening(s[2][landmark_sets()[name]]) for name in ('left_eye', 'right_eye')])
        for s in seen
    )
    if (wide - none).min() < LEAST_OPENING:
        return {}
    each = (wide - here) / (wide - none)
    closed = (wide - here).sum() / (wide - none).sum() > SHUT_SHARE and each.min() > SHUT_SHARE_EACH
    return {'eyeBlink_L': 1.0, 'eyeBlink_R': 1.0} if closed else {}


def opening(loop: np.ndarray) -> float:
    """Return how wide an eye is open: the area of its loop L×2 (px) over its width squared."""
    x, y = loop.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return float(area / max(((loop[:, None] - loop[None]) ** 2).sum(2).max(), 1e-9))


def certain_expression(
    names: tuple[str, ...], weights: np.ndarray, identity: np.ndarray
) -> np.ndarray:
    """Return E: the fitted weights that are an expression; all 0 where none is certain.

    Proportions are not an expression: of shapes that cannot be made at once the stronger keeps what
    it has over the weaker, mouthClose is nothing beyond jawOpen, and on a head whose identity lies
    far from people's only what can be nothing else is certain_expression.
    """
    index = {name: k for k, name in enumerate(names)}
    out = weights.astype(np.float64).copy()
    for pair in EXCLUSIVE:
        first, second = (index.get(name) for name in pair)
        if first is not None and second is not None:
            out[[first, second]] -= min(out[first], out[second])
    if 'mouthClose' in index:
        out[index['mouthClose']] = min(out[index['mouthClose']], out[index['jawOpen']])
    if len(identity) and np.sqrt(np.mean(identity**2)) > UNUSUAL_IDENTITY:
        out[[not name.startswith(UNMISTAKABLE) for name in names]] = 0
    return (
        np.where(out > LEAST_WEIGHT, out, 0) if (out > CERTAIN_WEIGHT).any() else np.zeros_like(out)
    )


def unit_of(scale: float) -> tuple[str, float | None]:
    """Return ('mm', .1) and so on where a scale (cm a unit) is near one; ('', None) near none."""
    name = min(UNITS, key=lambda u: abs(np.log(scale / UNITS[u])))
    return (name, UNITS[name]) if abs(np.log(scale / UNITS[name])) < UNIT_SLACK else ('', None)


def detector_bias(
    model: FaceModel,
    landmarks: ModelLandmarks,
    fit: ModelFit,
    centre: np.ndarray,
    report: Callable[[float], None],
) -> np.ndarray:
    """Return 478×3 cm: where the detector sees the fitted head's landmarks, less where they are.

    On a bare picture of it; zero where it does not see them.
    """
    faces = triangulate(model.faces[visible_faces(model)])
    try:
        seen, confidence = landmarks_from_all_round(
            fit.vertices, faces, bare_colours(len(fit.vertices)), centre, report=report
        )
    except FacewrightError:
        return np.zeros((len(landmarks.weights), 3))
    off = seen - seen_landmarks(landmarks, fit.vertices, fit.weights)
    length = np.linalg.norm(off, axis=1, keepdims=True)
    return np.where(
        confidence[:, None] > 0, off * np.minimum(1, LARGEST_BIAS / np.maximum(length, 1e-9)), 0
    )


def skin_triangles(
    head: np.ndarray, triangles: np.ndarray, centre: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Return (the triangles that are skin, whether they are wound inwards).

    head: N×3 in head space. Skin can be seen from outside and hangs together with the face.
    """
    seen = np.zeros(len(triangles), bool)
    outward = 0
    for yaw, pitch in VIEWS_ALL_ROUND:
        camera = head_to_camera(head, yaw, pitch, 0, 80.0, centre)
        triangle = rasterise(
            camera,
            triangles,
            PICTURE_SIZE / 34.0 * 80.0,
            (PICTURE_SIZE / 2, PICTURE_SIZE / 2),
            (PICTURE_SIZE, PICTURE_SIZE),
        )[0]
        hit = np.unique(triangle[triangle >= 0])
        seen[hit] = True
        if abs(yaw) < 60 and pitch == 0:
            corner = camera[triangles[hit]]
            normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
            outward += float(np.sum(-(normal * corner.mean(1)).sum(1)))
    component = components(len(head), triangles)
    of_triangle = component[triangles[:, 0]]
    surface = Surface(head, triangles[seen])
    under = np.bincount(
        of_triangle[seen][surface.closest(reference[:468])[0]], minlength=component.max() + 1
    )
    together = under >= 0.05 * under.sum()
    chosen = seen & together[of_triangle]
    # a triangle too thin to be drawn counts with its neighbours: all corners seen
    corner_seen = np.zeros(len(head), bool)
    corner_seen[triangles[chosen]] = True
    return triangles[corner_seen[triangles].all(1) & together[of_triangle]], outward < 0
