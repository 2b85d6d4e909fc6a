"""Shaded pictures of a head: for finding landmarks on it, contact sheets, the demo's footage."""

from __future__ import annotations

import cv2
import numpy as np
import warp as wp

from ..core.device import device
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from .launch import prepared
from .rasterise import rasterise

HEAD_CENTRE = np.array([0.0, 0.0, 3.0])  # cm: what a preview camera looks at
DISTANCE = 60.0  # cm: how far away it is
SKIN = (0.80, 0.66, 0.58)
GREY = (0.35, 0.36, 0.38)

# A colour, or an H×W×3 uint8 picture.
Background = tuple[float, float, float] | np.ndarray


def rotation_from_angles(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the 3×3 rotation in head axes of angles in degrees.

    yaw: turns the face to its own left (about y)
    pitch: down (about x)
    roll: to its own right (about z)
    """
    y, x, z = np.radians([yaw, pitch, roll])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return rz @ ry @ rx


# A camera in front of the face, upright: its right is the head's left.
HEAD_TO_CAMERA = np.diag([1.0, -1.0, -1.0])

# Key, fill, rim: towards the light in camera axes, strength.
LIGHTS = (
    ((-0.5, -0.6, -0.75), 0.62),
    ((0.75, -0.15, -0.6), 0.28),
    ((0.0, 0.3, -1.0), 0.12),
)
TOWARDS = [np.asarray(d) / np.linalg.norm(d) for d, _ in LIGHTS]


@wp.func
def _mixed(values: wp.array(dtype=wp.vec3d), corners: wp.vec3i, w: wp.vec3d):
    return values[corners[0]] * w[0] + values[corners[1]] * w[1] + values[corners[2]] * w[2]


@wp.kernel
def _shade(  # noqa: PLR0913 - a kernel takes its arrays one by one
    triangle: wp.array(dtype=wp.int32),
    barycentric: wp.array(dtype=wp.vec3),
    triangles: wp.array(dtype=wp.vec3i),
    points: wp.array(dtype=wp.vec3d),
    normals: wp.array(dtype=wp.vec3d),
    colours: wp.array(dtype=wp.vec3d),
    towards: wp.array(dtype=wp.vec3d),
    strength: wp.array(dtype=wp.float64),
    image: wp.array(dtype=wp.vec3),
):
    """Colour what is drawn, sRGB 0..1: key, fill and rim light, a soft highlight."""
    i = wp.tid()
    if triangle[i] < 0:
        return
    zero = wp.float64(0.0)
    one = wp.float64(1.0)
    corners = triangles[triangle[i]]
    w = wp.vec3d(barycentric[i])
    normal = wp.normalize(_mixed(normals, corners, w))
    view = wp.normalize(_mixed(points, corners, w))
    if wp.dot(normal, view) > zero:
        normal = -normal
    light = wp.float64(0.22) - wp.float64(0.10) * normal[1]
    for k in range(towards.shape[0]):
        light = light + strength[k] * wp.max(wp.dot(normal, towards[k]), zero)
    half = wp.normalize(towards[0] - view)
    highlight = wp.float64(0.10) * wp.pow(wp.max(wp.dot(normal, half), zero), wp.float64(24.0))
    albedo = _mixed(colours, corners, w)
    for k in range(3):
        linear = wp.pow(albedo[k], wp.float64(2.2)) * light * wp.float64(1.15) + highlight
        image[i][k] = float(wp.pow(wp.clamp(linear, zero, one), one / wp.float64(2.2)))


def _flat(picture: np.ndarray, kind: type) -> wp.array:
    """Return H×W… as one row of H·W; on the processor the memory is shared."""
    return wp.array(
        picture.reshape(-1, *picture.shape[2:]), dtype=kind, device=device(), copy=False
    )


def _vectors(values: np.ndarray) -> wp.array:
    return wp.array(np.ascontiguousarray(values, np.float64), dtype=wp.vec3d, device=device())


def render_camera(
    points: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray | None,
    focal: float,
    centre: tuple[float, float],
    size: tuple[int, int],
    background: Background = GREY,
    supersample: int = 2,
) -> np.ndarray:
    """Render a mesh that is in camera space already: H×W×3 uint8 RGB.

    points: V×3, OpenCV axes, cm
    faces: F×4, or triangles T×3
    colours: V×3 sRGB; None: the colour of skin
    focal, centre: px
    size: (width, height)
    supersample: samples of a pixel, along each side
    """
    triangles = triangulate(faces) if faces.shape[1] == 4 else faces
    s = supersample
    buffers = rasterise(
        points, triangles, focal * s, (centre[0] * s, centre[1] * s), (size[0] * s, size[1] * s)
    )
    if isinstance(background, np.ndarray):
        background = np.repeat(np.repeat(background, s, 0), s, 1)
    image = _shaded(points, triangles, colours, buffers, background)
    if s > 1:
        image = cv2.resize(image, tuple(size), interpolation=cv2.INTER_AREA)
    return _bytes(image)


def shade_buffers(
    points: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray | None,
    buffers: tuple[np.ndarray, np.ndarray, np.ndarray],
    background: Background = GREY,
) -> np.ndarray:
    """Shade what `rasterise` found of a mesh: H×W×3 uint8 RGB, as `render_camera` without more.

    buffers: triangle, barycentric and depth of the picture
    """
    triangles = triangulate(faces) if faces.shape[1] == 4 else faces
    return _bytes(_shaded(points, triangles, colours, buffers, background))


def _bytes(image: np.ndarray) -> np.ndarray:
    return (image * 255 + 0.5).astype(np.uint8)


def _shaded(
    points: np.ndarray,
    triangles: np.ndarray,
    colours: np.ndarray | None,
    buffers: tuple[np.ndarray, np.ndarray, np.ndarray],
    background: Background,
) -> np.ndarray:
    """Shade in float32: H×W×3 sRGB 0..1."""
    triangle, barycentric, _ = buffers
    if isinstance(background, np.ndarray):
        image = background.astype(np.float32) / 255
    else:
        image = np.broadcast_to(np.asarray(background, np.float32), triangle.shape + (3,)).copy()
    shown = _flat(image, wp.vec3)
    inputs = [
        _flat(triangle, wp.int32),
        _flat(barycentric, wp.vec3),
        wp.array(np.ascontiguousarray(triangles, np.int32), dtype=wp.vec3i, device=device()),
        _vectors(points),
        _vectors(vertex_normals(points, triangles)),
        _vectors(np.broadcast_to(SKIN, points.shape) if colours is None else colours),
        _vectors(TOWARDS),
        wp.array([strength for _, strength in LIGHTS], dtype=wp.float64, device=device()),
        shown,
    ]
    prepared(_shade, triangle.size, inputs, device()).launch()
    return shown.numpy().reshape(image.shape)


def head_to_camera(
    vertices: np.ndarray,
    yaw: float = 0,
    pitch: float = 0,
    roll: float = 0,
    distance: float = DISTANCE,
    look_at: np.ndarray = HEAD_CENTRE,
) -> np.ndarray:
    """Move …×3 points from head space to that of a camera in front of a turned head.

    yaw, pitch, roll: degrees, about look_at
    distance: cm, of the camera from look_at
    """
    turned = (vertices - np.asarray(look_at)) @ rotation_from_angles(yaw, pitch, roll).T
    return turned @ HEAD_TO_CAMERA.T + (0, 0, distance)


def render_head(
    vertices: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray | None = None,
    size: tuple[int, int] = (480, 560),
    focal: float | None = None,
    background: Background = GREY,
    supersample: int = 2,
    **pose,
) -> np.ndarray:
    """Render a head (V×3 head space, cm): H×W×3 uint8 RGB.

    focal: px; None: the whole head is framed
    pose: what `head_to_camera` takes: yaw, pitch, roll, distance, look_at
    """
    focal = focal or size[1] / 38.0 * pose.get('distance', DISTANCE)
    points = head_to_camera(vertices.astype(np.float64), **pose)
    return render_camera(
        points, faces, colours, focal, (size[0] / 2, size[1] / 2), size, background, supersample
    )


def contact_sheet(
    images: list[np.ndarray], columns: int, labels: list[str] | None = None
) -> np.ndarray:
    """Lay out pictures of one size in a grid, each with its label in the top-left corner."""
    h, w = images[0].shape[:2]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * h, columns * w, 3), 40, np.uint8)
    for i, image in enumerate(images):
        tile = sheet[
            i // columns * h : (i // columns + 1) * h, i % columns * w : (i % columns + 1) * w
        ]
        tile[:] = image
        if labels:
            for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(
                    tile,
                    labels[i],
                    (6, 18),
                    cv2.FONT_HERSHEY_SIMPLEX,
                    0.5,
                    colour,
                    thick,
                    cv2.LINE_AA,
                )
    return sheet
