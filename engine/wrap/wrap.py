"""Any mesh of a head → the face model's topology lying on it: landmarks, linear model, then non-rigid registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..annotate.landmarks import ModelLandmarks
from ..core.errors import FacewrightError
from ..face_model.expressions import OPPOSITES
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.pieces import pieces
from ..footage.detector.landmark_sets import landmark_sets
from ..geometry.border import Border
from ..geometry.closest import Surface
from ..geometry.laplacian import components, mass
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..geometry.registration import RegistrationOptions, register
from ..geometry.rigid import rigid_motion
from ..geometry.user_mesh import UserMesh, seen_triangles, welded
from ..render.preview import head_to_camera
from ..render.rasterise import rasterise
from .model_fit import ModelFit, ModelFitOptions, fit_model, seen_landmarks
from .mouth_hole import mouth_rim
from .scan_landmarks import bare, find_face, look_at, look_round
from .transfer import ANCHOR, STILL, Transfer

UNITS = {'mm': 0.1, 'cm': 1.0, 'dm': 10.0, 'in': 2.54, 'm': 100.0}  # cm a unit
UNIT_SLACK = 0.2  # natural logarithm: a head this much off the usual size still tells its unit
# weight from which a fitted shape says that the face makes an expression, not that the person looks
# so
CERTAIN = 0.55
WORTH = 0.2  # weight from which a shape then belongs to it
# Shapes that cannot be made at once: fitted together they say what somebody looks like.
AGAINST = (
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
UNUSUAL = 1.45
PLAIN = ('eyeBlink', 'jawOpen', 'mouthSmile')  # is then believed still: nothing else looks like it
# The fit that the registration starts from: where a surface tells nothing, what decides how skin
# lies is who the fit thinks it is, so it believes less. Chosen, as are LOOSE_WORTH, RIM_WORTH and
# STIFFNESS, on the very scans of tests/bench/test_wrap.py, after about a hundred trials there, by
# how far a vertex slides between the four of Spacetime (one person) and by James's distance: what
# it does for others was not measured.
CAUTIOUS = ModelFitOptions(
    identity_spread=0.1,
    expression_sparse=1.0,
    contours=1.0,
    brows=4.0,
    statistics=2.0,
    landmarks_worth=60.0,
    surface_worth=800.0,
)
# the fit that says so: all it can explains by who it is
JUDGING = ModelFitOptions(identity_spread=1.0, expression_sparse=10.0)
SHUT = 0.6  # of the way from open to shut, above which an eye is taken to be shut
SHUT_EACH = 0.3  # the same of each eye: one that is missed does not shut an open one
# difference in opening between a shut and an open eye, below which the detector does not tell them
# apart
TELLING = 0.01
HABIT_LIMIT = 0.35  # cm: what the detector may be off on a bare head
TRUSTED = 0.02  # confidence below which a landmark does not pull
SEEN_FROM = [(yaw, pitch) for pitch in (-35, 0, 35) for yaw in range(-90, 91, 30)] + [
    (180, 0),
    (135, 0),
    (-135, 0),
    (0, 80),
]
SIGHT = 400  # pixels of the pictures that say what lies outside
# pixels of the pictures that say which vertices do: about a quarter of a millimetre each
CLOSE_SIGHT = 900
FEWEST_MARKERS = 4
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
INSIDE = 1.5  # cm
# mm, (median, 95 %) from the model to the mesh over the face. Seven real scans: up to .10 and .47;
# a low-poly head and a cartoon's up to .20 and 1.4 (the built-in head); a face found on the back of
# a head: .47 and 6.5 with ICT, 1.2 and 8.8 with the built-in head.
DOUBTFUL = 0.3, 2.0
REFUSED = 1.0, 5.0


@dataclass(frozen=True)
class Wrapped:
    """A face model's head on a mesh.

    vertices V×3: on the mesh, expression and all, in head space (cm); fit: the linear model under it (its to_head takes the mesh there);
    distance V: cm to the mesh, inf where nothing was matched; unit: 'mm', 'm', …, '' where the mesh's size says none (then lengths are
    those of a head of usual size); turned: the mesh's faces looked inwards; skin: what can be seen of the mesh, in head space;
    made E: the expression it makes (the fit's own weights also say what merely looks like one);
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


def wrap_mesh(
    model: FaceModel,
    landmarks: ModelLandmarks,
    mesh: UserMesh,
    markers: dict[int, np.ndarray] | None = None,
    expression: bool = True,
    report: Callable[[float, str], None] = lambda fraction, stage: None,
) -> Wrapped:
    """Lay the model's topology onto a mesh of any units, axes, topology.

    markers {index of the 68 landmarks: 3 in the mesh's own space}; with at least four no face need be detected. expression False: the mesh is
    taken to be at rest. Raises FacewrightError where no face, or more than one, is found.
    """
    located = locate(
        model, landmarks, mesh, markers, expression, lambda f: report(0.5 * f, 'Finding the face')
    )
    return lay(
        model, landmarks, located, markers, lambda f: report(0.5 + 0.5 * f, 'Wrapping the model')
    )


@dataclass(frozen=True)
class Located:
    """The linear model on a mesh; vertices N×3 and triangles T×3 of the mesh's skin in its own space, wound outwards;
    points 478×3 in that space and confidence 478, or None where markers alone were used; made E: the expression it makes;
    rim: (vertices of the model, where they belong in the mesh's space) where the mouth is a hole, or None."""

    fit: ModelFit
    vertices: np.ndarray
    triangles: np.ndarray
    points: np.ndarray | None
    confidence: np.ndarray | None
    unit: str
    turned: bool
    made: np.ndarray
    rim: tuple[np.ndarray, np.ndarray] | None = None


def locate(
    model: FaceModel,
    landmarks: ModelLandmarks,
    mesh: UserMesh,
    markers: dict[int, np.ndarray] | None,
    expression: bool,
    report: Callable[[float], None],
) -> Located:
    """Find the face on a mesh and lay the linear model onto it."""
    model = model.tracked
    vertices, triangles, of = welded(mesh)
    triangles = seen_triangles(mesh, triangles, of)
    name = mesh.source or 'The mesh'
    reference = landmarks.on(model.neutral).astype(np.float64)
    markers = markers or {}
    try:
        start = find_face(vertices, triangles, reference, name=name)
        seen = True
    except FacewrightError:
        if len(markers) < FEWEST_MARKERS:
            raise
        seen = False
    if len(markers) >= FEWEST_MARKERS:
        pinned = sorted(markers)
        start = rigid_motion(
            np.stack([markers[p] for p in pinned]),
            model.neutral[model.landmarks68[pinned]].astype(np.float64),
            scale=True,
        )
        start = start[0], start[1], float(start[2])
    report(0.25)
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    rough = start[2] * vertices @ start[0].T + start[1]
    outer, turned = skin_triangles(rough, triangles, centre, reference)
    if turned:
        outer = outer[:, ::-1]
    points = confidence = None
    if seen:
        try:
            points, confidence = look_round(
                rough, triangles, bare(len(rough)), centre, report=lambda f: report(0.25 + 0.25 * f)
            )
            points = (points - start[1]) @ start[0] / start[2]
        except FacewrightError:
            if len(markers) < FEWEST_MARKERS:
                raise
    if points is None and len(markers) < FEWEST_MARKERS:
        raise FacewrightError(
            f'No face was found on {name}: choose a mesh with a human face, or place at least four '
            'markers on it.'
        )
    # a bare scan does not show where it looks
    may = np.array([expression and not n.startswith('eyeLook') for n in model.names])
    fit = fit_model(
        model, landmarks, vertices, outer, start, points, confidence, markers, None, may
    )
    unit, scale = unit_of(fit.scale)
    if points is not None:
        bias = detector_habit(model, landmarks, fit, centre, lambda f: report(0.55 + 0.25 * f))
        points = points - bias @ fit.rotation / fit.scale
    known = (
        closed_eyes(model, fit, fit.to_head(vertices), outer, centre)
        if expression and points is not None
        else {}
    )
    fit = fit_model(
        model,
        landmarks,
        vertices,
        outer,
        (fit.rotation, fit.translation, fit.scale),
        points,
        confidence,
        markers,
        scale,
        may,
        known,
    )
    report(0.9)
    made = np.zeros(len(model.names))
    if expression:
        judging = fit_model(
            model,
            landmarks,
            vertices,
            outer,
            start,
            points,
            confidence,
            markers,
            scale,
            may,
            known,
            JUDGING,
            fit,
        )
        made = believed(model.names, judging.weights, judging.identity)
    rim = mouth_rim(
        model, fit.vertices, fit.to_head(vertices), triangles[:, ::-1] if turned else triangles
    )
    rim = None if rim is None else (rim[0], fit.from_head(rim[1]))
    fit = fit_model(
        model,
        landmarks,
        vertices,
        outer,
        start,
        points,
        confidence,
        markers,
        scale,
        may,
        known,
        CAUTIOUS,
        fit,
        rim,
    )
    report(1.0)
    return Located(fit, vertices, outer, points, confidence, unit, turned, made, rim)


def closed_eyes(
    model: FaceModel, fit: ModelFit, head: np.ndarray, triangles: np.ndarray, centre: np.ndarray
) -> dict[str, float]:
    """{eyeBlink_L: 1, eyeBlink_R: 1} where both eyes are shut on the mesh (head N×3): how wide the detector sees them lies nearer to what it sees
    on the fitted model with lids shut than with lids open. Of one eye alone it cannot be told, on a bare mesh it errs that much;
    but neither may look open."""
    index = [model.names.index(f'eyeBlink_{side}') for side in 'LR']
    faces = triangulate(model.faces[visible_faces(model)])
    open_ = fit.vertices - np.tensordot(fit.weights[index], model.expressions[index], 1)
    shut = open_ + model.expressions[index].sum(0)
    seen = [
        look_at(v, t, bare(len(v)), centre, 0, 0)
        for v, t in ((head, triangles), (open_, faces), (shut, faces))
    ]
    if any(s is None for s in seen):
        return {}
    here, wide, none = (
        np.array([opening(s[2][landmark_sets()[name]]) for name in ('left_eye', 'right_eye')])
        for s in seen
    )
    if (wide - none).min() < TELLING:
        return {}
    each = (wide - here) / (wide - none)
    closed = (wide - here).sum() / (wide - none).sum() > SHUT and each.min() > SHUT_EACH
    return {'eyeBlink_L': 1.0, 'eyeBlink_R': 1.0} if closed else {}


def opening(loop: np.ndarray) -> float:
    """How wide an eye is open: the area within its loop of pixels L×2 over the square of its width."""
    x, y = loop.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return float(area / max(((loop[:, None] - loop[None]) ** 2).sum(2).max(), 1e-9))


def believed(names: tuple[str, ...], weights: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Return E: the fitted weights that are an expression; all 0 where none is certain.

    Proportions are not an expression: of shapes that cannot be made at once the stronger keeps what
    it has over the weaker, mouthClose is nothing beyond jawOpen, and on a head whose identity lies
    far from people's only what can be nothing else is believed.
    """
    index = {name: k for k, name in enumerate(names)}
    out = weights.astype(np.float64).copy()
    for pair in AGAINST:
        first, second = (index.get(name) for name in pair)
        if first is not None and second is not None:
            out[[first, second]] -= min(out[first], out[second])
    if 'mouthClose' in index:
        out[index['mouthClose']] = min(out[index['mouthClose']], out[index['jawOpen']])
    if len(identity) and np.sqrt(np.mean(identity**2)) > UNUSUAL:
        out[[not name.startswith(PLAIN) for name in names]] = 0
    return np.where(out > WORTH, out, 0) if (out > CERTAIN).any() else np.zeros_like(out)


def unit_of(scale: float) -> tuple[str, float | None]:
    """('mm', .1) and so on where a scale (cm a unit) is near one; ('', None) where it is near none."""
    name = min(UNITS, key=lambda u: abs(np.log(scale / UNITS[u])))
    return (name, UNITS[name]) if abs(np.log(scale / UNITS[name])) < UNIT_SLACK else ('', None)


def detector_habit(
    model: FaceModel,
    landmarks: ModelLandmarks,
    fit: ModelFit,
    centre: np.ndarray,
    report: Callable[[float], None],
) -> np.ndarray:
    """478×3 cm: where the detector sees landmarks on a bare picture of the fitted head, less where they are; zero where it does not see them."""
    faces = triangulate(model.faces[visible_faces(model)])
    try:
        seen, confidence = look_round(
            fit.vertices, faces, bare(len(fit.vertices)), centre, report=report
        )
    except FacewrightError:
        return np.zeros((len(landmarks.weights), 3))
    off = seen - seen_landmarks(landmarks, fit.vertices, fit.weights)
    length = np.linalg.norm(off, axis=1, keepdims=True)
    return np.where(
        confidence[:, None] > 0, off * np.minimum(1, HABIT_LIMIT / np.maximum(length, 1e-9)), 0
    )


def skin_triangles(
    head: np.ndarray, triangles: np.ndarray, centre: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, bool]:
    """(triangles that can be seen from outside and hang together with the face, whether they are wound inwards). head N×3 in head space."""
    seen = np.zeros(len(triangles), bool)
    outward = 0
    for yaw, pitch in SEEN_FROM:
        camera = head_to_camera(head, yaw, pitch, 0, 80.0, centre)
        triangle = rasterise(
            camera, triangles, SIGHT / 34.0 * 80.0, (SIGHT / 2, SIGHT / 2), (SIGHT, SIGHT)
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


def body(model: FaceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skin and sockets, which hang together: (their vertices S, V: the place of each vertex among them or −1, T×3 int32 triangles of them)."""
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


def lay(
    model: FaceModel,
    landmarks: ModelLandmarks,
    found: Located,
    markers: dict[int, np.ndarray] | None,
    report: Callable[[float], None],
) -> Wrapped:
    """Register the model's skin onto the mesh from the fitted linear model; sockets follow, rigid pieces ride along."""
    piece, fit = pieces(model), found.fit
    skin, of, triangles = body(model)
    rows, targets = np.zeros((0, 3), int), np.zeros((0, 3))
    weights, worth = np.zeros((0, 3)), np.zeros(0)
    if found.points is not None:
        sure = np.flatnonzero(
            (landmarks.confidence * found.confidence > TRUSTED)
            & (of[landmarks.triangles] >= 0).all(1)
            & (np.arange(len(landmarks.weights)) < 468)
        )
        rows, weights, targets = (
            of[landmarks.triangles[sure]],
            landmarks.weights[sure].astype(np.float64),
            fit.to_head(found.points[sure]),
        )
        sets = landmark_sets()
        worth = np.where(
            np.isin(
                sure, np.concatenate([sets[k] for k in ('left_eye', 'right_eye', 'lips', 'nose')])
            ),
            1.0,
            LOOSE_WORTH,
        )
    if markers:
        pinned = sorted(markers)
        at = of[model.landmarks68[pinned]]
        rows, weights = (
            np.concatenate([rows, np.repeat(at[:, None], 3, 1)]),
            np.concatenate([weights, np.tile((1.0, 0, 0), (len(at), 1))]),
        )
        targets = np.concatenate([targets, fit.to_head(np.stack([markers[p] for p in pinned]))])
        worth = np.concatenate([worth, np.full(len(at), MARKER_WORTH)])
    if found.rim is not None:
        at = of[found.rim[0]]
        rows, weights = (
            np.concatenate([rows, np.repeat(at[:, None], 3, 1)]),
            np.concatenate([weights, np.tile((1.0, 0, 0), (len(at), 1))]),
        )
        targets, worth = (
            np.concatenate([targets, fit.to_head(found.rim[1])]),
            np.concatenate([worth, np.full(len(at), RIM_WORTH)]),
        )
    done = register(
        fit.vertices[skin],
        triangles,
        fit.to_head(found.vertices),
        found.triangles,
        (rows.astype(np.int32), weights),
        targets,
        RegistrationOptions(
            stiffness=STIFFNESS,
            weights=np.isin(skin, piece['skin']).astype(float),
            landmark_weights=worth,
        ),
        progress=report,
    )
    vertices = ride_along(model, fit.vertices, skin, done.vertices)
    distance = np.full(model.vertex_count, np.inf)
    distance[skin] = np.where(done.matched, done.distance, np.inf)
    return Wrapped(
        vertices,
        fit,
        distance,
        found.unit,
        found.turned,
        Surface(fit.to_head(found.vertices), found.triangles),
        found.made,
        done.folds,
    )


def ride_along(
    model: FaceModel, before: np.ndarray, skin: np.ndarray, skin_after: np.ndarray
) -> np.ndarray:
    """V×3: the registered skin and sockets, and everything else moved with what is round it (before V×3): teeth, gums and tongue as one
    with the mouth, each eyeball with its socket and lids, lashes and eye surfaces with the nearest lid."""
    piece = pieces(model)
    out = before.copy()
    out[skin] = skin_after
    inside = np.zeros(model.vertex_count, bool)
    inside[skin] = True

    def rigidly(members: np.ndarray, guides: np.ndarray, reach: float) -> None:
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
        from scipy.spatial import cKDTree

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
    """V×3 head space: the wrapped head with its expression taken off, by deformation transfer from the fitted model with it to the one without."""
    if not wrapped.made.any():
        return wrapped.vertices
    rest = wrapped.fit.vertices - np.tensordot(
        wrapped.made, model.tracked.expressions.astype(np.float64), 1
    )
    skin, _, t = body(model)
    change = rest[skin].astype(np.float64) - wrapped.fit.vertices[skin]
    still = np.linalg.norm(change, axis=1) < STILL
    transfer = Transfer(
        wrapped.fit.vertices[skin],
        t,
        wrapped.vertices[skin],
        still,
        ANCHOR * mass(wrapped.vertices[skin], t),
    )
    calm = transfer.solve(
        rest[None, skin].astype(np.float64), (wrapped.vertices[skin] + change)[None]
    )[0]
    out = ride_along(model, rest.astype(np.float64), skin, calm)
    return out


def fit_numbers(model: FaceModel, wrapped: Wrapped) -> dict[str, float]:
    """Distances in mm both ways over the narrow face: median and 95 %; how many of the skin's triangles are turned over, and how
    many of them or of new self-crossings the registration itself counts.

    Model → mesh: by area, over the narrow face where it is seen from outside (`outer_face`) and was not left over a hole or the mesh's border;
    `all` counts the whole of it, the insides of nostrils and lips too, which most scans do not have. Mesh → model: the mesh's vertices whose
    nearest point on the wrapped model lies on its narrow face, inside its border.
    """
    surface = wrapped.skin
    head, found_triangles = surface.vertices, surface.triangles
    face = model.regions['narrow_face']
    triangle, barycentric, _, distance = surface.closest(wrapped.vertices[face])
    inner = ~Border(found_triangles, len(head)).holds(triangle, barycentric)
    t = triangulate(model.faces)
    narrow = np.isin(t, face).all(1)
    area = mass(wrapped.vertices, t[narrow])[face]
    own = Surface(wrapped.vertices, t[narrow])
    used = np.unique(found_triangles)
    triangle, barycentric, _, back = own.closest(head[used], 0.6)
    hit = (triangle >= 0) & ~Border(t[narrow], len(wrapped.vertices)).holds(triangle, barycentric)
    numbers = {
        'model_to_mesh': (distance, area * (inner & outer_face(model, wrapped.vertices))),
        'model_to_mesh_all': (distance, area),
        'mesh_to_model': (back[hit], np.ones(hit.sum())),
    }
    out = {
        f'{k}_{name}_mm': quantile(10 * v, w, q)
        for k, (v, w) in numbers.items()
        for name, q in (('median', 0.5), ('95', 0.95))
    }
    return out | {'turned_triangles': turned_triangles(model, wrapped), 'folds': wrapped.folds}


def judged(numbers: dict[str, float], name: str, placed: bool) -> list[str]:
    """Return a sentence where the model hardly lies on the mesh, by `fit_numbers`; else none.

    name: the mesh's; placed: the user placed markers. Raises FacewrightError where it lies nowhere
    near and no markers say that it should.
    """
    median, most = (numbers.get(f'model_to_mesh_{q}_mm') for q in ('median', '95'))
    if median is None:
        return [
            f'How well the face model lies on {name} could not be measured: '
            'look at the result closely.'
        ]
    if median <= DOUBTFUL[0] and most <= DOUBTFUL[1]:
        return []
    off = (
        f'half of the face is within {median:.1f} mm of it, '
        f'a twentieth further off than {most:.1f} mm'
    )
    if not placed and (median > REFUSED[0] or most > REFUSED[1]):
        raise FacewrightError(
            f'The face model does not fit {name}: {off}. '
            'Place at least four markers on the face and try again.'
        )
    return [
        f'The face model hardly fits {name}: {off}. '
        'Look at the result closely; markers on the face help.'
    ]


def quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float | None:
    """The value below which `share` of the weight lies; None where there is no weight."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    if not len(values) or total[-1] <= 0:
        return None
    return round(
        float(values[order][min(np.searchsorted(total, share * total[-1]), len(values) - 1)]), 4
    )


def outer_face(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Bool for each vertex of the narrow face: it is seen from outside, past eyeballs and teeth, and nothing of the skin stands before it within
    INSIDE cm along its normal; so not the inside of nostrils, lips and lids."""
    face, t = model.regions['narrow_face'], triangulate(model.faces[visible_faces(model)])
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    seen = np.zeros(model.vertex_count, bool)
    for yaw, pitch in SEEN_FROM:
        if abs(yaw) <= 60 and abs(pitch) <= 35:
            camera = head_to_camera(vertices, yaw, pitch, 0, 80.0, centre)
            triangle, barycentric, _ = rasterise(
                camera,
                t,
                CLOSE_SIGHT / 22.0 * 80.0,
                (CLOSE_SIGHT / 2,) * 2,
                (CLOSE_SIGHT, CLOSE_SIGHT),
            )
            hit = triangle >= 0
            seen[t[triangle[hit], barycentric[hit].argmax(1)]] = True
    skin = np.zeros(model.vertex_count, bool)
    skin[pieces(model)['skin']] = True
    t = t[skin[t].all(1)]
    normal = vertex_normals(vertices, t)[face]
    return seen[face] & (
        Surface(vertices, t).rays(vertices[face] + 0.005 * normal, normal, INSIDE)[0] < 0
    )


def turned_triangles(model: FaceModel, wrapped: Wrapped) -> int:
    """How many skin triangles face more than 90° away from where they faced on the fitted model."""
    skin = np.zeros(model.vertex_count, bool)
    skin[pieces(model)['skin']] = True
    t = triangulate(model.faces)
    t = t[skin[t].all(1)]
    normal = lambda v: np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]])
    return int(((normal(wrapped.vertices) * normal(wrapped.fit.vertices)).sum(1) < 0).sum())
