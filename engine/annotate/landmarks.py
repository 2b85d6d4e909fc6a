"""Which point of a face model each of the detector's 478 landmarks means, by looking at the model.

The painted model is rendered in several poses, identities and mouth openings; each detected
landmark is cast back onto the surface it hit; the hits are averaged in the neutral and put on the
nearest surface. No hand-made table: the detector's own bias (where it puts a brow, a cheek) goes
into the binding and so cancels when footage is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..core.files import check_arrays, read_npz, write_npz
from ..core.store import cached
from ..face_model.model import FaceModel
from ..face_model.paint import albedo, visible_faces
from ..footage.detector import detect_image
from ..footage.detector.landmark_sets import COUNT, landmark_sets
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
from .cached import landmarks_path

# Yaw and pitch in degrees; random identities are seen in the first SIDE_POSES alone.
POSES = (
    *((0, 0), (0, 12), (0, -12), (18, 0), (-18, 0), (34, 0), (-34, 0)),
    *((18, 10), (-18, 10), (18, -10), (-18, -10)),
)
SIDE_POSES = 7
IDENTITY_SEEDS = 3  # random identities beside the mean one
IDENTITY_SPREAD = 0.7  # standard deviations of those
# jawOpen: lips that touch cannot be told apart, so lips are bound on the open mouth alone.
MOUTH_OPENINGS = 0.0, 0.35
SIZE, DISTANCE = 512, 60.0  # pixels, cm
FOCAL = SIZE / 24.0 * DISTANCE  # frames 24 cm
CENTRE = SIZE / 2, SIZE / 2
HIT_DISTANCE = 6.0  # px from a landmark at which the surface counts e⁻¹
MEDIAN_ROUNDS, NEAREST = 8, 0.05  # of Weiszfeld's algorithm; cm: nearer hits weigh no more
SEEN_ENOUGH = 0.5  # pictures' worth: a landmark seen less has no confidence
SCATTER_UNIT = 0.15  # cm: a landmark seen this far from its binding has half the confidence
RESPONSE_POSES = ((-14, 0), (14, 0), (0, 8))  # yaw, pitch, degrees
RESPONSE_RIDGE = (0.025, 0.025, 0.5)  # depth is hardly seen in these poses
# Beginnings of the shapes' names whose motion the detector shows otherwise than the model has it.
LIDS = ('eyeBlink', 'eyeSquint', 'eyeWide')
MOUTH = (
    *('mouthDimple', 'mouthFrown', 'mouthFunnel', 'mouthLeft', 'mouthLowerDown', 'mouthPress'),
    *('mouthPucker', 'mouthRight', 'mouthRoll', 'mouthShrug', 'mouthSmile', 'mouthStretch'),
    'mouthUpperUp',
)
RESPONSE_NOISE = 0.02  # cm: responses smaller than this are the detector's own trembling
BOUND = 0.6  # part of the work done when the landmarks are bound


@dataclass(frozen=True)
class ModelLandmarks:
    """Where a model's landmarks lie: landmark k at Σⱼ weights[k, j] · vertex[triangles[k, j]].

    triangles: 478×3 int32 vertex indices
    weights: 478×3 float32, each row sums to 1
    confidence: 478 float32 in [0, 1], from how far from its place the detector saw it
    response, mouth_response: E×478×3 float32 cm: what the detector adds to an expression's motion
        (find_response), lids' and the mouth's
    """

    triangles: np.ndarray
    weights: np.ndarray
    confidence: np.ndarray
    response: np.ndarray
    mouth_response: np.ndarray

    def on(self, offsets: np.ndarray) -> np.ndarray:
        """Interpolate …×V×3 vertices or offsets at the landmarks: …×478×3."""
        return (offsets[..., self.triangles, :] * self.weights[..., None]).sum(-2)


class Sighting(NamedTuple):
    """What the detector saw in one picture of a model.

    points: 478×3, the neutral's point under each landmark, NaN where none
    weight: 478, facing² and less where the surface is further from the landmark
    pixels: 478×2, detected
    camera: V×3 cm, the model in camera space
    """

    points: np.ndarray
    weight: np.ndarray
    pixels: np.ndarray
    camera: np.ndarray


class Groups(NamedTuple):
    """Which surface a landmark may lie on: group 478, and allowed V bool of each group.

    0: skin, 1: lips (skin, on the open mouth alone), 2 and 3: the left and the right eyeball.
    """

    group: np.ndarray
    allowed: tuple[np.ndarray, ...]


SKIN_GROUP, LIPS_GROUP, LEFT_EYE_GROUP, RIGHT_EYE_GROUP = range(4)


def model_landmarks(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> ModelLandmarks:
    """Bind the landmarks to a model: from its cache, else found and cached (25 s of processor)."""
    model = model.template.tracked
    return cached(
        landmarks_path(model),
        lambda path: _read(path, model),
        lambda: find_landmarks(model, progress),
        _write,
    )


def _read(path: Path, model: FaceModel) -> ModelLandmarks:
    """Read a cached binding; FacewrightError where it is damaged."""
    data = read_npz(path, 'landmark cache')
    wanted = {
        'triangles': ('i', (COUNT, 3)),
        'weights': ('f', (COUNT, 3)),
        'confidence': ('f', (COUNT,)),
        'response': ('f', (len(model.names), COUNT, 3)),
        'mouth_response': ('f', (len(model.names), COUNT, 3)),
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
        mouth_response=found.mouth_response,
    )


def find_landmarks(
    model: FaceModel, progress: Callable[[float], None] = lambda fraction: None
) -> ModelLandmarks:
    """Render, detect, cast back, average.

    Raises FacewrightError where the detector sees no face in the model.
    """
    colours, groups = albedo(model), _landmark_groups(model)
    sightings, weights = _see_all(model, colours, groups, lambda f: progress(BOUND * f))
    points = np.nan_to_num(np.stack([one.points for one in sightings]))
    found = _bind(model, groups, _geometric_median(points, weights))
    found = replace(found, confidence=_confidence(found, sightings, weights))
    response = find_response(model, found, colours, lambda f: progress(BOUND + (1 - BOUND) * f))
    lids = np.array([name.startswith(LIDS) for name in model.names])[:, None, None]
    return replace(
        found, response=np.where(lids, response, 0), mouth_response=np.where(lids, 0, response)
    )


def _landmark_groups(model: FaceModel) -> Groups:
    skin = np.zeros(model.vertex_count, bool)
    for name in ('face', 'head_neck'):
        skin[model.regions[name]] = True
    eyeballs = [np.zeros(model.vertex_count, bool) for _ in 'LR']
    for allowed, side in zip(eyeballs, 'LR'):
        allowed[model.regions[f'eyeball_{side}']] = True
    sets, group = landmark_sets(), np.full(COUNT, SKIN_GROUP)
    group[sets['lips']] = LIPS_GROUP
    group[[*sets['left_iris'], sets['iris_centres'][1]]] = LEFT_EYE_GROUP
    group[[*sets['right_iris'], sets['iris_centres'][0]]] = RIGHT_EYE_GROUP
    return Groups(group, (skin, skin, *eyeballs))


def _see_all(
    model: FaceModel, colours: np.ndarray, groups: Groups, progress: Callable[[float], None]
) -> tuple[list[Sighting], np.ndarray]:
    """Look at the model in all poses, identities and mouth openings: N sightings, N×478 weights."""
    rng = np.random.default_rng(0)
    identities = [np.zeros(0)] + [
        rng.normal(size=len(model.identities)) * IDENTITY_SPREAD for _ in range(IDENTITY_SEEDS)
    ]
    wanted = [
        (identity, mouth, pose)
        for i, identity in enumerate(identities)
        for mouth in MOUTH_OPENINGS
        for pose in (POSES if i == 0 else POSES[:SIDE_POSES])
    ]
    jaw = model.names.index('jawOpen')
    sightings, weights = [], []
    for done, (identity, mouth, pose) in enumerate(wanted):
        expression = np.zeros(len(model.names))
        expression[jaw] = mouth
        seen = _see(model, model.shape(identity, expression), colours, groups, pose)
        if seen is not None:
            usable = (groups.group == LIPS_GROUP) == (mouth > 0)
            sightings.append(seen)
            weights.append(np.where(usable & np.isfinite(seen.points).all(1), seen.weight, 0))
        progress((done + 1) / len(wanted))
    if len(sightings) < len(wanted) / 2:
        raise FacewrightError(
            f'The landmark detector sees no face in the model {model.source or model.name}: use '
            'ICT-FaceKit or the built-in head.'
        )
    return sightings, np.stack(weights)


def _see(
    model: FaceModel,
    vertices: np.ndarray,
    colours: np.ndarray,
    groups: Groups,
    pose: tuple[float, float],
) -> Sighting | None:
    """Detect landmarks on one picture of a head (V×3) and cast them back; None where unseen.

    pose: yaw and pitch, degrees
    """
    faces = model.faces[visible_faces(model)]
    triangles = triangulate(faces)
    camera = _before_camera(model, vertices, pose)
    buffers = rasterise(camera, triangles, FOCAL, CENTRE, (SIZE, SIZE))
    found = detect_image(shade_buffers(camera, faces, colours, buffers))
    if not found:
        return None
    seen = found[0].landmarks
    triangle, barycentric, _ = buffers
    points, weight = np.full((len(seen), 3), np.nan), np.zeros(len(seen))
    normals = vertex_normals(camera, triangles)
    for g in np.unique(groups.group):
        ys, xs = np.nonzero((triangle >= 0) & groups.allowed[g][triangles[triangle, 0]])
        if not len(xs):
            continue
        rows = np.flatnonzero(groups.group == g)
        distance, nearest = cKDTree(np.c_[xs, ys] + 0.5).query(seen[rows, :2])
        y, x = ys[nearest], xs[nearest]
        corners, bary = triangles[triangle[y, x]], barycentric[y, x][..., None]
        points[rows] = (model.neutral[corners] * bary).sum(1)
        normal = (normals[corners] * bary).sum(1)
        ray = (camera[corners] * bary).sum(1)
        facing = -(normal * ray).sum(1) / np.maximum(
            np.linalg.norm(normal, axis=1) * np.linalg.norm(ray, axis=1), 1e-9
        )
        weight[rows] = np.clip(facing, 0, 1) ** 2 * np.exp(-((distance / HIT_DISTANCE) ** 2))
    return Sighting(points, weight, seen[:, :2], camera)


def _before_camera(model: FaceModel, vertices: np.ndarray, pose: tuple[float, float]) -> np.ndarray:
    """Turn a head (V×3) by yaw and pitch (degrees) before the camera: V×3 cm."""
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    return head_to_camera(vertices.astype(np.float64), *pose, 0, DISTANCE, centre)


def _geometric_median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Find L×3: the weighted geometric median of N×L×3 points, weights N×L (Weiszfeld)."""
    mean = np.zeros(points.shape[1:])
    for _ in range(MEDIAN_ROUNDS):
        robust = weights / np.maximum(np.linalg.norm(points - mean, axis=2), NEAREST)
        mean = (points * robust[..., None]).sum(0) / np.maximum(robust.sum(0), 1e-9)[:, None]
    return mean


def _bind(model: FaceModel, groups: Groups, points: np.ndarray) -> ModelLandmarks:
    """Put 478×3 points on the nearest surface that each may lie on."""
    import trimesh  # half a second that a cached binding does without

    triangles = triangulate(model.faces)
    corners, weights = np.zeros((COUNT, 3), np.int32), np.zeros((COUNT, 3), np.float32)
    for g, allowed in enumerate(groups.allowed):
        rows = np.flatnonzero(groups.group == g)
        own = triangles[allowed[triangles].all(1)]
        mesh = trimesh.Trimesh(model.neutral, own, process=False)
        close, _, index = trimesh.proximity.closest_point(mesh, points[rows])
        corners[rows] = own[index]
        weights[rows] = trimesh.triangles.points_to_barycentric(
            model.neutral[own[index]].astype(np.float64), close
        )
    weights = np.clip(weights, 0, 1)
    return ModelLandmarks(
        corners,
        weights / weights.sum(1, keepdims=True),
        np.ones(COUNT, np.float32),
        *np.zeros((2, len(model.names), COUNT, 3), np.float32),
    )


def _confidence(
    found: ModelLandmarks, sightings: list[Sighting], weights: np.ndarray
) -> np.ndarray:
    """Measure 478 float32: less where the detector saw landmarks far from where they are bound."""
    bound = np.stack([project(found.on(one.camera), FOCAL, CENTRE) for one in sightings])
    seen = np.stack([one.pixels for one in sightings])
    off = ((bound - seen) ** 2).sum(2) * (DISTANCE / FOCAL) ** 2
    scatter = np.sqrt((weights * off).sum(0) / np.maximum(weights.sum(0), 1e-9))
    confident = 1 / (1 + (scatter / SCATTER_UNIT) ** 2)
    return np.where(weights.sum(0) > SEEN_ENOUGH, confident, 0).astype(np.float32)


def find_response(
    model: FaceModel,
    found: ModelLandmarks,
    colours: np.ndarray,
    progress: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """Measure by how much more than the model the detector moves its landmarks with a shape.

    A closed lid is not seen as closed as it is, a corner pulled down goes half as far, and a mouth
    pushed to the side takes the nose along; without this a blink comes out half shut. The same from
    face to face: three other heads' responses leave 7 to 36 % of a head's unexplained. Of LIDS and
    MOUTH alone: the jaw's is as the model has it, mouthClose without it is no mouth that anyone
    makes, and what the detector does with cheeks, nose and gaze brought nothing (docs/bench.md).

    colours: V×3, the painted model's. Returns E×478×3 float32, cm in head space.
    """
    out = np.zeros((len(model.names), COUNT, 3))
    rest = {
        pose: _detector_offsets(model, found, colours, model.neutral, pose)
        for pose in RESPONSE_POSES
    }
    shapes = [e for e, name in enumerate(model.names) if name.startswith((*LIDS, *MOUTH))]
    for done, e in enumerate(shapes):
        normal, right = np.diag(RESPONSE_RIDGE), np.zeros((COUNT, 3))
        for pose in RESPONSE_POSES:
            moved = model.neutral + model.expressions[e]
            here = _detector_offsets(model, found, colours, moved, pose)
            if here is not None and rest[pose] is not None:
                turn = (HEAD_TO_CAMERA @ rotation_from_angles(*pose, 0))[:2]
                normal, right = normal + turn.T @ turn, right + (here - rest[pose]) @ turn
        response = np.linalg.solve(normal, right.T).T
        length = np.linalg.norm(response, axis=1, keepdims=True)
        out[e] = response * np.clip(1 - RESPONSE_NOISE / np.maximum(length, 1e-9), 0, None)
        progress((done + 1) / len(shapes))
    return out.astype(np.float32)


def _detector_offsets(
    model: FaceModel,
    found: ModelLandmarks,
    colours: np.ndarray,
    vertices: np.ndarray,
    pose: tuple[float, float],
) -> np.ndarray | None:
    """Find detected − bound landmarks 478×2, cm, of a head (V×3); None where unseen."""
    faces, camera = model.faces[visible_faces(model)], _before_camera(model, vertices, pose)
    picture = render_camera(camera, faces, colours, FOCAL, CENTRE, (SIZE, SIZE), supersample=1)
    seen, points = detect_image(picture), found.on(camera)
    if not seen:
        return None
    return (seen[0].landmarks[:, :2] - project(points, FOCAL, CENTRE)) * points[:, 2:] / FOCAL
