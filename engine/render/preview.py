"""Shaded pictures of a head, for contact sheets, documentation, landmark finding and the demo's own footage."""
from __future__ import annotations

import cv2
import numpy as np

from ..face_model.model import triangulate
from ..mesh.normals import vertex_normals
from .rasterise import rasterise

HEAD_CENTRE = np.array([0., 0., 3.])  # cm: what a preview camera looks at
SKIN = (.80, .66, .58)


def rotation_from_angles(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """3×3 in head axes from degrees: yaw turns the face to its own left (about y), pitch down (about x), roll to its own right (about z)."""
    y, x, z = np.radians([yaw, pitch, roll])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return rz @ ry @ rx


HEAD_TO_CAMERA = np.diag([1., -1., -1.])  # a camera in front of the face, upright: its right is the head's left


def shade(normal: np.ndarray, view: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    """…×3 sRGB 0..1 from camera-space unit normals and view directions: key, fill and rim light, a soft highlight."""
    facing = np.sign((normal * -view).sum(-1, keepdims=True))
    normal = normal * np.where(facing == 0, 1, facing)
    light = .22 + .10 * -normal[..., 1:2]
    for direction, strength in (((-.5, -.6, -.75), .62), ((.75, -.15, -.6), .28), ((0, .3, -1.), .12)):
        d = np.asarray(direction) / np.linalg.norm(direction)
        light = light + strength * np.clip((normal * d).sum(-1, keepdims=True), 0, None)
    half = np.asarray((-.5, -.6, -.75)) / np.linalg.norm((-.5, -.6, -.75)) - view
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    highlight = .10 * np.clip((normal * half).sum(-1, keepdims=True), 0, None) ** 24
    return np.clip(((albedo ** 2.2) * light * 1.15 + highlight), 0, 1) ** (1 / 2.2)


def render_camera(points: np.ndarray, faces: np.ndarray, colours: np.ndarray | None, focal: float, centre: tuple[float, float],
                  size: tuple[int, int], background: tuple[float, float, float] | np.ndarray = (.35, .36, .38), supersample: int = 2,
                  buffers: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """H×W×3 uint8 RGB of a mesh already in camera space (OpenCV axes, cm). background: a colour, or an H×W×3 uint8 picture.

    buffers: what `rasterise` said of this mesh and camera, where it is known already (then supersample must be 1).
    """
    triangles = triangulate(faces) if faces.shape[1] == 4 else faces
    s = supersample
    triangle, barycentric, _ = buffers or rasterise(points, triangles, focal * s, (centre[0] * s, centre[1] * s), (size[0] * s, size[1] * s))
    hit = triangle >= 0
    if isinstance(background, np.ndarray):
        image = np.repeat(np.repeat(background, s, 0), s, 1).astype(np.float32) / 255
    else:
        image = np.broadcast_to(np.asarray(background, np.float32), triangle.shape + (3,)).copy()
    corners, w = triangles[triangle[hit]], barycentric[hit][..., None]
    normal = (vertex_normals(points, triangles)[corners] * w).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    view = (points[corners] * w).sum(1)
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    albedo = np.asarray(SKIN)[None] if colours is None else (colours[corners] * w).sum(1)
    image[hit] = shade(normal, view, albedo)
    if s > 1:
        image = cv2.resize(image, tuple(size), interpolation=cv2.INTER_AREA)
    return (image * 255 + .5).astype(np.uint8)


def head_to_camera(vertices: np.ndarray, yaw: float = 0, pitch: float = 0, roll: float = 0, distance: float = 60.,
                   look_at: np.ndarray = HEAD_CENTRE) -> np.ndarray:
    """…×3 head space → the space of a camera `distance` cm in front of `look_at`, the head turned about that point."""
    turned = (vertices - look_at) @ rotation_from_angles(yaw, pitch, roll).T
    return turned @ HEAD_TO_CAMERA.T + (0, 0, distance)


def render_head(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray | None = None, yaw: float = 0, pitch: float = 0, roll: float = 0,
                size: tuple[int, int] = (480, 560), focal: float | None = None, distance: float = 60., look_at: np.ndarray = HEAD_CENTRE,
                background: tuple[float, float, float] | np.ndarray = (.35, .36, .38), supersample: int = 2) -> np.ndarray:
    """H×W×3 uint8 RGB of a head (V×3 head space, cm) seen from `distance` cm. focal (px) defaults to a framing of the whole head."""
    focal = focal or size[1] / 38. * distance
    points = head_to_camera(vertices.astype(np.float64), yaw, pitch, roll, distance, np.asarray(look_at))
    return render_camera(points, faces, colours, focal, (size[0] / 2, size[1] / 2), size, background, supersample)


def contact_sheet(images: list[np.ndarray], columns: int, labels: list[str] | None = None) -> np.ndarray:
    """Pictures of one size in a grid, each with its label (OpenCV's plain font) in the top-left corner."""
    h, w = images[0].shape[:2]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * h, columns * w, 3), 40, np.uint8)
    for i, image in enumerate(images):
        tile = sheet[i // columns * h:(i // columns + 1) * h, i % columns * w:(i % columns + 1) * w]
        tile[:] = image
        if labels:
            for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(tile, labels[i], (6, 18), cv2.FONT_HERSHEY_SIMPLEX, .5, colour, thick, cv2.LINE_AA)
    return sheet
