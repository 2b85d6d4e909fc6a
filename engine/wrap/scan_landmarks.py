"""Where the 478 landmarks lie on a mesh.

It is drawn from all sides, the face detected, what was seen carried back onto its surface. Nothing
is asked of the mesh's units, axes or winding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
# pixels, cm: of the pictures it is looked at in, as in annotate/landmarks.py
SIZE, DISTANCE = (512, 60.0)
FOCAL = SIZE / 24.0 * DISTANCE
POSES = ((0, 0), (0, 12), (0, -12), (18, 0), (-18, 0), (34, 0), (-34, 0))  # yaw, pitch, degrees
BARE_COLOUR = (0.72, 0.58, 0.50)  # sRGB of a mesh without colours
# cm: median distance from the reference, within which a face is seen as it should be
LIKE_REFERENCE = 0.6
PICK_SPREAD = 6.0  # pixels: a landmark this far from the surface in a picture counts a third

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


def search_directions() -> list[np.ndarray]:
    """Return rotations (3×3, mesh → head axes) whose pictures are searched in turn.

    The six sides, then the twelve edges between them.
    """
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


def bare_colours(count: int) -> np.ndarray:
    """Return count×3: the colour of a mesh that has none."""
    return np.broadcast_to(np.asarray(BARE_COLOUR), (count, 3))


def find_face(
    vertices: np.ndarray, triangles: np.ndarray, reference: np.ndarray, name: str = 'The mesh'
) -> tuple[np.ndarray, np.ndarray, float]:
    """Find a mesh's face by looking at it from all sides.

    reference: 478×3, a usual head's landmarks in head space (cm). Returns (rotation 3×3,
    translation 3, scale) of the mesh into head space: head = scale · R · mesh + t. Raises
    FacewrightError where no face is seen, or more than one in one picture.
    """
    centre, radius = _middle_and_size(vertices, triangles)
    middle, size = (SEARCH_SIZE / 2, SEARCH_SIZE / 2), (SEARCH_SIZE, SEARCH_SIZE)
    focal = SEARCH_SIZE / 22.0 * DISTANCE
    paint = bare_colours(len(vertices))
    windows = [
        [whole_picture(size, math.radians(r)) for r in (0, 90, -90, 180, 45, -45)],
        tiles(size, 2),
    ]
    best: _FaceSeen | None = None
    for turn in search_directions():
        camera = (vertices - centre) @ turn.T / radius * 10 @ HEAD_TO_CAMERA.T + (0, 0, DISTANCE)
        buffers = rasterise(camera, triangles, focal, middle, size)
        faces = detect_image(
            shade_buffers(camera, triangles, paint, buffers),
            windows=windows,
            min_score=NEW_FACE_SCORE - 0.1,
        )
        for face in faces:
            if not _bulges(face, camera, triangles, buffers):
                continue
            picked = pick_surface(face.landmarks[:, :2], buffers)[:2]
            points = interpolated(vertices, triangles, *picked)
            rotation, translation, scale, off = _onto(points, reference)
            if best is None or off < best.off:
                best = _FaceSeen(off, (rotation, translation, scale), _as_large(face, faces))
        if best is not None and best.off < LIKE_REFERENCE:
            break
    if best is None:
        raise FacewrightError(
            f'No face was found on {name}: choose a mesh with a human face, or place at least four '
            'markers on it.'
        )
    if best.count > 1:
        raise FacewrightError(f'{name} shows {best.count} faces: select one head at a time.')
    return best.motion


@dataclass(frozen=True)
class _FaceSeen:
    """A face on a mesh: how far off the reference it is (cm), its motion, faces in the picture."""

    off: float
    motion: tuple[np.ndarray, np.ndarray, float]
    count: int


def _middle_and_size(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (middle 3, radius) of a surface, by area."""
    corners = vertices[triangles]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    centre = (corners.mean(1) * area[:, None]).sum(0) / area.sum()
    spread = (area * ((corners.mean(1) - centre) ** 2).sum(1)).sum() / area.sum()
    return centre, float(np.sqrt(spread)) * 1.9


def _as_large(face: Detection, faces: Sequence[Detection]) -> int:
    """Count the sure faces of a picture that are not much smaller than one of them."""
    return sum(f.score > NEW_FACE_SCORE and f.square.side > 0.6 * face.square.side for f in faces)


def _onto(points: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return the similarity that takes points onto the reference (both 478×3).

    Far-off ones count less; its median distance (cm) comes last.
    """
    weight = np.ones(len(points))
    for _ in range(6):
        rotation, translation, scale = rigid_motion(points, reference, weight, scale=True)
        off = np.linalg.norm(scale * points @ rotation.T + translation - reference, axis=1)
        weight = 1 / (1 + (off / 0.5) ** 2)
    return rotation, translation, float(scale), float(np.median(off))


def _bulges(face: Detection, camera: np.ndarray, triangles: np.ndarray, buffers) -> bool:
    """Tell whether what looks like a face is really nearer where the detector says so.

    A mask seen from inside looks like a face too.
    """
    depth = interpolated(camera, triangles, *pick_surface(face.landmarks[:, :2], buffers)[:2])[:, 2]
    return bool(np.corrcoef(depth, face.landmarks[:, 2])[0, 1] > 0.2)


def pick_surface(pixels: np.ndarray, buffers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find what is drawn nearest to pixels L×2.

    Returns (triangle L, barycentric L×3, how far from them in pixels L).
    """
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


def interpolated(
    values: np.ndarray, triangles: np.ndarray, triangle: np.ndarray, barycentric: np.ndarray
) -> np.ndarray:
    """Return L×3 of per-vertex values N×3 where `pick_surface` hit."""
    return (values[triangles[triangle]] * barycentric[..., None]).sum(1)


def landmarks_in_view(
    vertices: np.ndarray,
    triangles: np.ndarray,
    paint: np.ndarray,
    centre: np.ndarray,
    yaw: float,
    pitch: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Detect the landmarks of a head in head space (cm) in one picture of it.

    Returns (478×3 points on its surface, their weights 478 (facing²), 478×2 pixels); None where no
    face is seen.
    """
    camera = head_to_camera(vertices, yaw, pitch, 0, DISTANCE, centre)
    middle, size = (SIZE / 2, SIZE / 2), (SIZE, SIZE)
    buffers = rasterise(camera, triangles, FOCAL, middle, size)
    picture = shade_buffers(camera, triangles, paint, buffers)
    whole = whole_picture(size)
    faces = detect_image(picture, expected=whole, windows=[[whole]], min_score=0.4)
    if not faces:
        return None
    face = faces[0]
    triangle, barycentric, distance = pick_surface(face.landmarks[:, :2], buffers)
    points, seen, ray = (
        interpolated(v, triangles, triangle, barycentric)
        for v in (vertices, vertex_normals(camera, triangles), camera)
    )
    facing = np.abs((seen * ray).sum(1)) / np.maximum(
        np.linalg.norm(seen, axis=1) * np.linalg.norm(ray, axis=1), 1e-9
    )
    return (
        points,
        np.clip(facing, 0, 1) ** 2 * np.exp(-((distance / PICK_SPREAD) ** 2)),
        face.landmarks[:, :2],
    )


def landmarks_from_all_round(
    vertices: np.ndarray,
    triangles: np.ndarray,
    paint: np.ndarray,
    centre: np.ndarray,
    poses=POSES,
    report: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Detect the landmarks of a head in head space from several sides: (478×3, confidence 478).

    By the weighted geometric median over the poses. Raises FacewrightError where fewer than two
    pictures show a face.
    """
    views = []
    for i, (yaw, pitch) in enumerate(poses):
        seen = landmarks_in_view(vertices, triangles, paint, centre, yaw, pitch)
        if seen is not None:
            views.append(seen)
        report((i + 1) / len(poses))
    if len(views) < min(2, len(poses)):
        raise FacewrightError(
            'The face on the mesh is lost when it is turned: place at least four markers on it.'
        )
    points, weights = np.stack([p for p, _, _ in views]), np.stack([w for _, w, _ in views])
    mean = np.zeros((COUNT, 3))
    for _ in range(8):  # Weiszfeld
        robust = weights / np.maximum(np.linalg.norm(points - mean, axis=2), 0.03)
        mean = (points * robust[..., None]).sum(0) / np.maximum(robust.sum(0), 1e-9)[:, None]
    off = ((points - mean) ** 2).sum(2)
    scatter = np.sqrt((weights * off).sum(0) / np.maximum(weights.sum(0), 1e-9))
    return mean, np.where(weights.sum(0) > 0.3, 1 / (1 + (scatter / 0.15) ** 2), 0)
