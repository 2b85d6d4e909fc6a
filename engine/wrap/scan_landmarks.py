"""Where the 478 landmarks lie on a mesh: it is drawn from all sides, the face detected, what was seen cast back onto its surface.

Nothing is asked of the mesh's units, axes or winding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.errors import FacewrightError
from ..footage.crops import tiles, whole_picture
from ..footage.detector import NEW_FACE_SCORE, Detection, detect_image
from ..footage.detector.landmark_sets import COUNT
from ..geometry.normals import vertex_normals
from ..geometry.rigid import rigid_motion
from ..render.preview import HEAD_TO_CAMERA, head_to_camera, shade_buffers
from ..render.rasterise import rasterise

SEARCH_SIZE = 384  # pixels of the pictures the face is searched in
# pixels, cm: of the pictures it is looked at in, as in face_model/landmarks.py
SIZE, DISTANCE = (512, 60.0)
FOCAL = SIZE / 24.0 * DISTANCE
POSES = ((0, 0), (0, 12), (0, -12), (18, 0), (-18, 0), (34, 0), (-34, 0))  # yaw, pitch, degrees
BARE = (0.72, 0.58, 0.50)  # sRGB of a mesh without colours
# cm: median distance from the reference, within which a face is seen as it should be
FACE_LIKE = 0.6
HIT = 6.0  # pixels: a landmark this far from the surface in a picture counts a third

# What a user may place, by name, as indices into the 68 Multi-PIE landmarks. Right and left are the
# person's.
MARKERS: dict[str, int] = {
    'chin': 8,
    'brow_outer_R': 17,
    'brow_inner_R': 21,
    'brow_inner_L': 22,
    'brow_outer_L': 26,
    'nose_bridge': 27,
    'nose_tip': 30,
    'nose_base': 33,
    'nostril_R': 31,
    'nostril_L': 35,
    'eye_outer_R': 36,
    'eye_inner_R': 39,
    'eye_inner_L': 42,
    'eye_outer_L': 45,
    'mouth_corner_R': 48,
    'mouth_corner_L': 54,
    'upper_lip': 51,
    'lower_lip': 57,
    'upper_lip_inner': 62,
    'lower_lip_inner': 66,
    'jaw_R': 4,
    'jaw_L': 12,
}
MARKERS |= {f'landmark_{i:02d}': i for i in range(68)}


@dataclass(frozen=True)
class ScanLandmarks:
    """points 478×3 on the surface, in the mesh's own units and axes; confidence 478 in [0, 1]."""

    points: np.ndarray
    confidence: np.ndarray


def directions() -> list[np.ndarray]:
    """Rotations (3×3, mesh → head axes) whose pictures are searched in turn: the six sides, then the twelve edges between them."""
    sides = [
        np.array(d, float)
        for d in ((0, 0, 1), (0, -1, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, 0, -1))
    ]
    edges = [a + b for i, a in enumerate(sides) for b in sides[i + 1 :] if abs(a @ b) < 0.5]
    out = []
    for front in sides + edges:
        z = front / np.linalg.norm(front)
        up = np.array((0.0, 0, 1) if abs(z[2]) < 0.9 else (0.0, 1, 0))
        x = np.cross(up, z)
        x /= np.linalg.norm(x)
        out.append(np.stack([x, np.cross(z, x), z]))
    return out


def bare(count: int) -> np.ndarray:
    """count×3: the colour of a mesh that has none."""
    return np.broadcast_to(np.asarray(BARE), (count, 3))


def find_face(
    vertices: np.ndarray, triangles: np.ndarray, reference: np.ndarray, name: str = 'The mesh'
) -> tuple[np.ndarray, np.ndarray, float]:
    """(rotation 3×3, translation 3, scale) of the mesh into head space: head = scale · R · mesh + t.

    reference: 478×3 a usual head's landmarks in head space (cm). Raises FacewrightError where no face is seen, or more than one in one picture.
    """
    corners = vertices[triangles]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    centre = (corners.mean(1) * area[:, None]).sum(0) / area.sum()
    radius = (
        float(np.sqrt((area * ((corners.mean(1) - centre) ** 2).sum(1)).sum() / area.sum())) * 1.9
    )
    middle, size, focal = (
        (SEARCH_SIZE / 2, SEARCH_SIZE / 2),
        (SEARCH_SIZE, SEARCH_SIZE),
        SEARCH_SIZE / 22.0 * DISTANCE,
    )
    paint = bare(len(vertices))
    windows = [
        [whole_picture(size, math.radians(r)) for r in (0, 90, -90, 180, 45, -45)],
        tiles(size, 2),
    ]
    best = None
    for turn in directions():
        camera = (vertices - centre) @ turn.T / radius * 10 @ HEAD_TO_CAMERA.T + (0, 0, DISTANCE)
        buffers = rasterise(camera, triangles, focal, middle, size)
        faces = detect_image(
            shade_buffers(camera, triangles, paint, buffers),
            windows=windows,
            min_score=NEW_FACE_SCORE - 0.1,
        )
        for face in faces:
            if _bulges(face, camera, triangles, buffers):
                rotation, translation, scale, off = _onto(
                    at(vertices, triangles, *cast(face.landmarks[:, :2], buffers)[:2]), reference
                )
                if best is None or off < best[0]:
                    best = (
                        off,
                        rotation,
                        translation,
                        scale,
                        len(
                            [
                                f
                                for f in faces
                                if f.score > NEW_FACE_SCORE
                                and f.square.side > 0.6 * face.square.side
                            ]
                        ),
                    )
        if best is not None and best[0] < FACE_LIKE:
            break
    if best is None:
        raise FacewrightError(
            f'No face was found on {name}: choose a mesh with a human face, or place at least four '
            'markers on it.'
        )
    if best[4] > 1:
        raise FacewrightError(f'{name} shows {best[4]} faces: select one head at a time.')
    return best[1:4]


def _onto(points: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The similarity that takes points onto the reference (both 478×3), far-off ones counting less; its median distance in cm last."""
    weight = np.ones(len(points))
    for _ in range(6):
        rotation, translation, scale = rigid_motion(points, reference, weight, scale=True)
        off = np.linalg.norm(scale * points @ rotation.T + translation - reference, axis=1)
        weight = 1 / (1 + (off / 0.5) ** 2)
    return rotation, translation, float(scale), float(np.median(off))


def _bulges(face: Detection, camera: np.ndarray, triangles: np.ndarray, buffers) -> bool:
    """Is what looks like a face really nearer where the detector says so? A mask seen from inside looks like a face too."""
    depth = at(camera, triangles, *cast(face.landmarks[:, :2], buffers)[:2])[:, 2]
    return bool(np.corrcoef(depth, face.landmarks[:, 2])[0, 1] > 0.2)


def cast(pixels: np.ndarray, buffers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels L×2 → what is drawn nearest to them: triangle L, barycentric L×3, and how far from them in pixels (L)."""
    triangle, barycentric, _ = buffers
    h, w = triangle.shape
    x, y = (
        np.clip(np.floor(pixels[:, k]).astype(int), 0, size - 1) for k, size in ((0, w), (1, h))
    )
    distance = np.linalg.norm(pixels - np.c_[x, y] - 0.5, axis=1)
    off = np.flatnonzero(triangle[y, x] < 0)
    if len(off):
        from scipy.spatial import cKDTree

        drawn = np.pad(triangle >= 0, 1)
        inner = drawn[:-2, 1:-1] & drawn[2:, 1:-1] & drawn[1:-1, :-2] & drawn[1:-1, 2:]
        ys, xs = np.nonzero((triangle >= 0) & ~inner)  # the nearest has an empty neighbour
        distance[off], nearest = cKDTree(np.c_[xs, ys] + 0.5).query(pixels[off])
        y[off], x[off] = ys[nearest], xs[nearest]
    return triangle[y, x], barycentric[y, x], distance


def at(
    values: np.ndarray, triangles: np.ndarray, triangle: np.ndarray, barycentric: np.ndarray
) -> np.ndarray:
    """L×3 of per-vertex values N×3 where `cast` hit."""
    return (values[triangles[triangle]] * barycentric[..., None]).sum(1)


def look_at(
    vertices: np.ndarray,
    triangles: np.ndarray,
    paint: np.ndarray,
    centre: np.ndarray,
    yaw: float,
    pitch: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """One picture of a head that stands in head space (cm): the 478×3 points seen, their weights (facing², 478) and pixels; None where no face is seen."""
    camera = head_to_camera(vertices, yaw, pitch, 0, DISTANCE, centre)
    middle, size = (SIZE / 2, SIZE / 2), (SIZE, SIZE)
    buffers = rasterise(camera, triangles, FOCAL, middle, size)
    picture = shade_buffers(camera, triangles, paint, buffers)
    whole = whole_picture(size)
    faces = detect_image(picture, expected=whole, windows=[[whole]], min_score=0.4)
    if not faces:
        return None
    face = faces[0]
    triangle, barycentric, distance = cast(face.landmarks[:, :2], buffers)
    points, seen, ray = (
        at(v, triangles, triangle, barycentric)
        for v in (vertices, vertex_normals(camera, triangles), camera)
    )
    facing = np.abs((seen * ray).sum(1)) / np.maximum(
        np.linalg.norm(seen, axis=1) * np.linalg.norm(ray, axis=1), 1e-9
    )
    return (
        points,
        np.clip(facing, 0, 1) ** 2 * np.exp(-((distance / HIT) ** 2)),
        face.landmarks[:, :2],
    )


def look_round(
    vertices: np.ndarray,
    triangles: np.ndarray,
    paint: np.ndarray,
    centre: np.ndarray,
    poses=POSES,
    report: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, np.ndarray]:
    """(478×3 points, confidence 478) of a head in head space, by the weighted geometric median over several poses.

    Raises FacewrightError where fewer than two pictures show a face.
    """
    looks = []
    for i, (yaw, pitch) in enumerate(poses):
        seen = look_at(vertices, triangles, paint, centre, yaw, pitch)
        if seen is not None:
            looks.append(seen)
        report((i + 1) / len(poses))
    if len(looks) < min(2, len(poses)):
        raise FacewrightError(
            'The face on the mesh is lost when it is turned: place at least four markers on it.'
        )
    points, weights = np.stack([p for p, _, _ in looks]), np.stack([w for _, w, _ in looks])
    mean = np.zeros((COUNT, 3))
    for _ in range(8):  # Weiszfeld
        robust = weights / np.maximum(np.linalg.norm(points - mean, axis=2), 0.03)
        mean = (points * robust[..., None]).sum(0) / np.maximum(robust.sum(0), 1e-9)[:, None]
    off = ((points - mean) ** 2).sum(2)
    scatter = np.sqrt((weights * off).sum(0) / np.maximum(weights.sum(0), 1e-9))
    return mean, np.where(weights.sum(0) > 0.3, 1 / (1 + (scatter / 0.15) ** 2), 0)
