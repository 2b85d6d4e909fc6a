"""Which point of a face model each of the detector's 478 landmarks means, found by looking at the model.

The painted model is rendered in several poses, identities and mouth openings; each detected landmark is cast back onto the
surface it hit; the hits are averaged in the neutral and put on the nearest surface. No hand-made table: the detector's own
habits (where it puts a brow, a cheek) go into the binding and so cancel when footage is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz
from ..core.store import cached
from ..face_model.model import FaceModel
from ..face_model.paint import albedo, visible_faces
from ..footage.detector import detect_image
from ..footage.detector.landmark_sets import landmark_sets
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..render.preview import (
    HEAD_TO_CAMERA,
    head_to_camera,
    render_camera,
    rotation_from_angles,
    shade_buffers,
)
from ..render.rasterise import project, rasterise

POSES = (
    (0, 0),
    (0, 12),
    (0, -12),
    (18, 0),
    (-18, 0),
    (34, 0),
    (-34, 0),
    (18, 10),
    (-18, 10),
    (18, -10),
    (-18, -10),
)  # yaw, pitch, degrees
IDENTITY_SEEDS = 3  # random identities beside the mean one
IDENTITY_SPREAD = 0.7  # standard deviations of those
MOUTH_OPENINGS = (
    0.0,
    0.35,
)  # jawOpen: lips that touch cannot be told apart, so lips are bound on the open mouth alone
SIZE, DISTANCE = 512, 60.0  # pixels, cm
FOCAL = SIZE / 24.0 * DISTANCE  # frames 24 cm
RESPONSE_POSES = ((-14, 0), (14, 0), (0, 8))  # yaw, pitch, degrees
RESPONSE_RIDGE = (0.025, 0.025, 0.5)  # depth is hardly seen in these poses
RESPONSE_NOISE = 0.02  # cm: responses smaller than this are the detector's own trembling
LOOKED = 0.6  # part of the work done when all looks are taken
SCATTER_UNIT = 0.15  # cm: a landmark that is seen this far from where the binding puts it has half the confidence


@dataclass(frozen=True)
class ModelLandmarks:
    """Landmark k lies at Σⱼ weights[k, j] · vertex[triangles[k, j]]; confidence in [0, 1] from how far from it
    the detector saw it in the looks it was found by."""

    triangles: np.ndarray  # 478×3 int32 vertex indices
    weights: np.ndarray  # 478×3 float32, each row sums to 1
    confidence: np.ndarray  # 478 float32
    response: (
        np.ndarray
    )  # E×478×3 float32 cm: what the detector adds to an expression's motion (see find_response)

    def on(self, offsets: np.ndarray) -> np.ndarray:
        """…×V×3 vertices or offsets → …×478×3 at the landmarks."""
        return (offsets[..., self.triangles, :] * self.weights[..., None]).sum(-2)


def landmarks_are_cached(model: FaceModel) -> bool:
    """Whether model_landmarks has only to read them."""
    return _cache_path(model.tracked).exists()


def model_landmarks(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> ModelLandmarks:
    """The binding of `model`, from its cache if there is one, else found and cached (about 15 s on two cores)."""
    model = model.tracked
    return cached(
        _cache_path(model),
        lambda path: _read(path, model),
        lambda: find_landmarks(model, progress),
        _write,
    )


def _cache_path(model: FaceModel) -> Path:
    return model.cache_path('landmarks', 'annotate.landmarks')


def _read(path: Path, model: FaceModel) -> ModelLandmarks:
    """A kept binding; FacewrightError where it is damaged."""
    data = read_npz(path, 'landmark cache')
    wanted = {
        'triangles': ('i', (478, 3)),
        'weights': ('f', (478, 3)),
        'confidence': ('f', (478,)),
        'response': ('f', (len(model.names), 478, 3)),
    }
    check_arrays(path, data, wanted, 'delete it')
    return ModelLandmarks(*(data[name] for name in wanted))


def _write(path: Path, found: ModelLandmarks) -> None:
    write_npz(
        path,
        triangles=found.triangles,
        weights=found.weights,
        confidence=found.confidence,
        response=found.response,
    )


def _hits(
    model: FaceModel,
    vertices: np.ndarray,
    colours: np.ndarray,
    allowed: np.ndarray,
    group: np.ndarray,
    yaw: float,
    pitch: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """One look: the neutral point under each landmark (478×3, NaN where none), its weight (facing², 478), the detected pixels
    (478×2) and the model in camera space (V×3, cm)."""

    faces = model.faces[visible_faces(model)]
    triangles = triangulate(faces)
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    camera = head_to_camera(vertices.astype(np.float64), yaw, pitch, 0, DISTANCE, centre)
    buffers = rasterise(camera, triangles, FOCAL, (SIZE / 2, SIZE / 2), (SIZE, SIZE))
    found = detect_image(shade_buffers(camera, faces, colours, buffers))
    if not found:
        return None
    seen = found[0].landmarks
    triangle, barycentric, _ = buffers
    points = np.full((len(seen), 3), np.nan)
    weight = np.zeros(len(seen))
    normals = vertex_normals(camera, triangles)
    from scipy.spatial import cKDTree

    for g in np.unique(group):
        ys, xs = np.nonzero((triangle >= 0) & allowed[g][triangles[triangle, 0]])
        if not len(xs):
            continue
        rows = np.flatnonzero(group == g)
        distance, nearest = cKDTree(np.c_[xs, ys] + 0.5).query(seen[rows, :2])
        y, x = ys[nearest], xs[nearest]
        corners, bary = triangles[triangle[y, x]], barycentric[y, x][..., None]
        points[rows] = (model.neutral[corners] * bary).sum(1)
        normal = (normals[corners] * bary).sum(1)
        ray = (camera[corners] * bary).sum(1)
        facing = -(normal * ray).sum(1) / np.maximum(
            np.linalg.norm(normal, axis=1) * np.linalg.norm(ray, axis=1), 1e-9
        )
        weight[rows] = np.clip(facing, 0, 1) ** 2 * np.exp(-((distance / 6.0) ** 2))
    return points, weight, seen[:, :2], camera


def find_landmarks(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> ModelLandmarks:
    """Render, detect, cast back, average. FacewrightError where the detector sees no face in the model."""
    import trimesh

    colours = albedo(model)
    skin = np.zeros(model.vertex_count, bool)
    for name in ('face', 'head_neck'):
        skin[model.regions[name]] = True
    allowed = {0: skin, 1: skin}
    group = np.zeros(478, int)
    sets = landmark_sets()
    group[sets['lips']] = 1
    for g, side, name, centre in ((2, 'L', 'left_iris', 1), (3, 'R', 'right_iris', 0)):
        allowed[g] = np.zeros(model.vertex_count, bool)
        allowed[g][model.regions[f'eyeball_{side}']] = True
        group[[*sets[name], sets['iris_centres'][centre]]] = g
    rng = np.random.default_rng(0)
    identities = [np.zeros(0)] + [
        rng.normal(size=len(model.identities)) * IDENTITY_SPREAD for _ in range(IDENTITY_SEEDS)
    ]
    looks = [
        (i, mouth, pose)
        for i in range(len(identities))
        for mouth in MOUTH_OPENINGS
        for pose in (POSES if i == 0 else POSES[:7])
    ]
    jaw = model.names.index('jawOpen')
    points, weights, views = [], [], []
    for done, (i, mouth, (yaw, pitch)) in enumerate(looks):
        w = np.zeros(len(model.names))
        w[jaw] = mouth
        hit = _hits(model, model.shape(identities[i], w), colours, allowed, group, yaw, pitch)
        if hit is not None:
            usable = (group == 1) == (mouth > 0)
            points.append(hit[0])
            views.append(hit[2:])
            weights.append(np.where(usable & np.isfinite(hit[0]).all(1), hit[1], 0))
        progress(LOOKED * (done + 1) / len(looks))
    if len(points) < len(looks) / 2:
        raise FacewrightError(
            f'The landmark detector sees no face in the model {model.source or model.name}: use ICT-FaceKit or the built-in head.'
        )
    points, weights = np.nan_to_num(np.stack(points)), np.stack(weights)
    mean = np.zeros((478, 3))
    for _ in range(8):  # weighted geometric median (Weiszfeld)
        robust = weights / np.maximum(np.linalg.norm(points - mean, axis=2), 0.05)
        mean = (points * robust[..., None]).sum(0) / np.maximum(robust.sum(0), 1e-9)[:, None]
    triangles = triangulate(model.faces)
    out_t, out_w = np.zeros((478, 3), np.int32), np.zeros((478, 3), np.float32)
    for g in allowed:
        rows = np.flatnonzero(group == g)
        own = triangles[allowed[g][triangles].all(1)]
        mesh = trimesh.Trimesh(model.neutral, own, process=False)
        close, _, index = trimesh.proximity.closest_point(mesh, mean[rows])
        out_t[rows] = own[index]
        out_w[rows] = trimesh.triangles.points_to_barycentric(
            model.neutral[own[index]].astype(np.float64), close
        )
    out_w = np.clip(out_w, 0, 1)
    found = ModelLandmarks(
        out_t,
        out_w / out_w.sum(1, keepdims=True),
        np.ones(478, np.float32),
        np.zeros((len(model.names), 478, 3), np.float32),
    )
    bound = np.stack(
        [project(found.on(camera), FOCAL, (SIZE / 2, SIZE / 2)) for _, camera in views]
    )
    off = ((bound - np.stack([seen for seen, _ in views])) ** 2).sum(2) * (DISTANCE / FOCAL) ** 2
    scatter = np.sqrt((weights * off).sum(0) / np.maximum(weights.sum(0), 1e-9))
    confidence = np.where(weights.sum(0) > 0.5, 1 / (1 + (scatter / SCATTER_UNIT) ** 2), 0)
    found = replace(found, confidence=confidence.astype(np.float32))
    return replace(
        found,
        response=find_response(
            model, found, colours, lambda fraction: progress(LOOKED + (1 - LOOKED) * fraction)
        ),
    )


def find_response(
    model: FaceModel,
    found: ModelLandmarks,
    colours: np.ndarray,
    progress: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """E×478×3 float32 cm in head space: by how much more than the model the detector moves its landmarks when a lid shape is made in full.

    A closed lid is not seen as closed as it is; without this a blink comes out half shut. Lid shapes alone: what the detector does with
    the others varies too much from face to face (measured: taking in all made the capture's surface error 0.1 mm worse, gaze 0.05 mm).
    """

    faces = model.faces[visible_faces(model)]
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)

    def offset(vertices: np.ndarray, yaw: float, pitch: float) -> np.ndarray | None:
        camera = head_to_camera(vertices.astype(np.float64), yaw, pitch, 0, DISTANCE, centre)
        seen = detect_image(
            render_camera(
                camera, faces, colours, FOCAL, (SIZE / 2, SIZE / 2), (SIZE, SIZE), supersample=1
            )
        )
        marks = found.on(camera)
        return (
            None
            if not seen
            else (seen[0].landmarks[:, :2] - project(marks, FOCAL, (SIZE / 2, SIZE / 2)))
            * marks[:, 2:]
            / FOCAL
        )

    out = np.zeros((len(model.names), 478, 3))
    rest = {pose: offset(model.neutral, *pose) for pose in RESPONSE_POSES}
    shapes = [
        e
        for e, name in enumerate(model.names)
        if name.startswith(('eyeBlink', 'eyeSquint', 'eyeWide'))
    ]
    for done, e in enumerate(shapes):
        a, b = np.diag(RESPONSE_RIDGE), np.zeros((478, 3))
        for pose in RESPONSE_POSES:
            here = offset(model.neutral + model.expressions[e], *pose)
            if here is not None and rest[pose] is not None:
                turn = (HEAD_TO_CAMERA @ rotation_from_angles(*pose, 0))[:2]
                a, b = a + turn.T @ turn, b + (here - rest[pose]) @ turn
        moved = np.linalg.solve(a, b.T).T
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        out[e] = moved * np.clip(1 - RESPONSE_NOISE / np.maximum(length, 1e-9), 0, None)
        progress((done + 1) / len(shapes))
    return out.astype(np.float32)
