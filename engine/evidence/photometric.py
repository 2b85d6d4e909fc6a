"""What the pictures themselves say of where the skin lies: two losses of papers/4 (eq. 7), adapted so that Gauss-Newton can solve them.

Photometric: a point's linear colour is its albedo times its view's light, nine spherical harmonics of its normal; both are found from all pictures
(fit_shading). In place of the perceptual loss, whose network we don't ship, an appearance that does not depend on light: brightness and redness about their
local mean over their local contrast, so that what light and exposure change slowly over the face cancels; a point's expected appearance is the robust mean
over all pictures in which it is visible. The residuals, with the picture's gradient, are quadratics in the point's place in the picture (Evidence).
Occluded points (depth buffer), points that turn away and, by a robust weight, points that look wrong count less or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.pieces import pieces
from ..footage.crops import Crop, cut
from ..footage.footage import Camera, View
from ..footage.sources import read_frames
from ..geometry.laplacian import mass
from ..geometry.polygons import triangulate
from ..render.rasterise import rasterise
from ..render.shading import sh_basis
from .options import StandardOptions
from .state import (
    DTYPE,
    Evidence,
    PointBasis,
    SharedParameters,
    Trajectory,
    to_pixels,
)

SIZE, CROP_RADII = (
    320,
    2.1,
)  # pixels: side of a face's crop; half of it in root-mean-square radii of its landmarks
POINT_DEPTH_TOLERANCE = 0.15  # cm behind what is drawn, within which a point is the one drawn
POINT_TRUST_COSINES = 0.2, 0.6  # cosines between which a point's worth grows from 0 to 1
EDGE = 3  # pixels of the crop: points this near to what is not head are left out
LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2.2  # of a byte
SHADING_TURNS, SHADING_RIDGE = 4, 1e-4
SHADING_NOISE = 0.15  # of the mean colour: what the skin's colour differs by from albedo × light
BATCH = 8  # pictures whose heads are made at once
MOST_STEP = 3.0  # pixels of the crop: a picture's gradient holds no further


@dataclass(frozen=True)
class Points:
    """Surface points that are followed: vertex P, ring P×3 (a triangle at each, for its facing); basis: the model's there."""

    vertex: np.ndarray
    ring: np.ndarray
    basis: PointBasis


@dataclass(frozen=True)
class Pictures:
    """The faces of some frames of one view: crops n×SIZE×SIZE×3 uint8 and where they were cut; frames n of the view."""

    crops: np.ndarray
    windows: tuple[Crop, ...]
    frames: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """n: crop pixels a picture pixel."""
        return np.array([SIZE / w.side for w in self.windows])

    def inside(self, row: int, pixels: np.ndarray) -> np.ndarray:
        """…×2 pixels of the picture → pixels of the row's crop (corner origin)."""
        window = self.windows[row]
        return (pixels - np.asarray(window.centre)) * (SIZE / window.side) + SIZE / 2


@dataclass(frozen=True)
class AppearanceSamples:
    """What n pictures show at P points: values n×P×C, gradients n×P×C×2 (by crop pixels), trust n×P in [0, 1], crop_pixels n×P×2,
    pixels n×P×2 (of the picture, relative to the principal point, undistorted); colour n×P×3 linear RGB, its gradients n×P×3×2, unit normals n×P×3
    (camera's axes)."""

    values: np.ndarray
    gradients: np.ndarray
    trust: np.ndarray
    crop_pixels: np.ndarray
    pixels: np.ndarray
    colour: np.ndarray
    colour_gradients: np.ndarray
    normals: np.ndarray


def choose_points(model: FaceModel, bases, options: StandardOptions) -> Points:
    """Vertices of the narrow face, by area and denser round lids and lips. Not the
    irises: their highlights stay where they are (measured: gaze came out worse). `bases(vertices)` gives the PointBasis there."""
    piece, face = pieces(model), model.regions['narrow_face']
    area = mass(model.neutral, triangulate(model.faces))
    dense = np.ones(model.vertex_count)
    for name in (
        'upper_lip',
        'lower_lip',
        'upper_lid_L',
        'upper_lid_R',
        'lower_lid_L',
        'lower_lid_R',
    ):
        dense[piece[name]] = options.denser
    chance = (area * dense)[face]
    skin = np.random.default_rng(0).choice(
        face, min(options.points, len(face)), replace=False, p=chance / chance.sum()
    )
    vertex = np.sort(skin)
    triangles = triangulate(model.faces[visible_faces(model)])
    corner = np.full(model.vertex_count, 0)
    corner[triangles.ravel()] = np.repeat(np.arange(len(triangles)), 3)
    return Points(vertex, triangles[corner[vertex]], bases(vertex))


def cut_faces(view: View, frames: np.ndarray, landmarks: np.ndarray) -> Pictures:
    """The faces of the given frames (increasing) of a view, found by their landmarks T×478×2."""
    windows = []
    for frame in frames:
        middle = landmarks[frame].mean(0)
        radius = float(np.sqrt(((landmarks[frame] - middle) ** 2).sum(1).mean()))
        windows.append(Crop(tuple(middle.astype(float)), 2 * CROP_RADII * max(radius, 4.0)))
    crops = np.empty((len(frames), SIZE, SIZE, 3), np.uint8)
    for row, (window, picture) in enumerate(zip(windows, read_frames(view, frames))):
        crops[row] = cut(picture, window, SIZE)
    return Pictures(crops, tuple(windows), np.asarray(frames))


def features(crop: np.ndarray, blur: float, options: StandardOptions) -> np.ndarray:
    """SIZE×SIZE×3 uint8 → SIZE×SIZE×2 float32: brightness and redness, each less its local mean, over its local contrast. blur: pixels."""
    rgb = crop.astype(np.float32) / 255
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    red = np.log((rgb[..., 0] + 0.05) / (rgb[..., 1] + 0.05))
    out = []
    wide = options.local * SIZE
    for channel, floor in ((light, 0.02), (red, 0.03)):
        low = cv2.GaussianBlur(channel, (0, 0), wide)
        detail = cv2.GaussianBlur(channel, (0, 0), blur) - low
        out.append(detail / (np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), wide)) + floor))
    out[1] *= options.redness
    return np.stack(out, -1)


def heads(
    model: FaceModel,
    neutral: np.ndarray,
    shared: SharedParameters,
    trajectory: Trajectory,
    view_landmarks,
    view: int,
    rows: slice,
) -> np.ndarray:
    """n×V×3 float32: the whole head in the camera's space for some rows of a view's landmarks."""
    shapes, nodes = (
        [],
        (
            view_landmarks.node[rows],
            (view_landmarks.node[rows] + 1).clamp_max(len(trajectory.weights) - 1),
        ),
    )
    flat = model.expressions.reshape(len(model.names), -1)
    for k in nodes:
        shape = neutral + (trajectory.weights[k].numpy().astype(np.float32) @ flat).reshape(
            -1, *neutral.shape
        )
        shapes.append(
            shape @ trajectory.rotation[k].numpy().astype(np.float32).transpose(0, 2, 1)
            + trajectory.translation[k].numpy().astype(np.float32)[:, None]
        )
        if not bool((view_landmarks.between[rows] > 0).any()):
            shapes.append(shapes[0])
            break
    u = view_landmarks.between[rows].numpy().astype(np.float32)[:, None, None]
    world = (1 - u) * shapes[0] + u * shapes[1]
    return world @ shared.rotation[view].numpy().astype(np.float32).T + shared.translation[
        view
    ].numpy().astype(np.float32)


@dataclass(frozen=True)
class Drawn:
    """A head as one crop shows it: vertices V×3 (camera space, cm), depth SIZE×SIZE (cm, inf: nothing), focal and centre in crop pixels."""

    vertices: np.ndarray
    depth: np.ndarray
    focal: float
    centre: tuple[float, float]


def draw(
    triangles: np.ndarray,
    pictures: Pictures,
    row: int,
    head: np.ndarray,
    camera: Camera,
    focal: float,
) -> Drawn:
    """A head (V×3, camera space) in a row's crop; y is scaled by the camera's aspect, distortion is left out."""
    flat = head.copy()
    flat[:, 1] *= camera.aspect
    scale, centre = (
        SIZE / pictures.windows[row].side,
        tuple(pictures.inside(row, np.asarray(camera.centre, float))),
    )
    return Drawn(
        flat,
        rasterise(flat, triangles, focal * scale, centre, (SIZE, SIZE))[2],
        focal * scale,
        centre,
    )


def sample_appearance(
    points: Points,
    drawn: Drawn,
    pictures: Pictures,
    row: int,
    head: np.ndarray,
    camera: Camera,
    focal: float,
    blur: float,
    options: StandardOptions,
) -> tuple[np.ndarray, ...]:
    """What one picture shows at the points of a head (V×3, camera space, cm), in the order of Looks' fields."""
    at, depth = head[points.vertex], drawn.depth
    crop_pixels = pictures.inside(row, to_pixels(at.astype(np.float64), camera, focal))
    x, y = (np.clip(crop_pixels[:, k].astype(int), 0, SIZE - 1) for k in (0, 1))
    solid = cv2.erode(np.isfinite(depth).astype(np.uint8), np.ones((2 * EDGE + 1,) * 2, np.uint8))
    a, b, c = np.moveaxis(head[points.ring], 1, 0)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    facing = -(normal * at).sum(1) / np.maximum(np.linalg.norm(at, axis=1), 1e-9)
    seen = (
        (np.abs(at[:, 2] - depth[y, x]) < POINT_DEPTH_TOLERANCE)
        & (solid[y, x] > 0)
        & ((crop_pixels > EDGE) & (crop_pixels < SIZE - EDGE)).all(1)
    )
    trust = np.where(
        seen,
        np.clip(
            (facing - POINT_TRUST_COSINES[0]) / (POINT_TRUST_COSINES[1] - POINT_TRUST_COSINES[0]),
            0,
            1,
        ),
        0,
    )
    shown = (
        features(pictures.crops[row], blur, options),
        cv2.GaussianBlur(LINEAR[pictures.crops[row]], (0, 0), blur),
    )
    (values, gradient), (colour, colour_gradient) = (sampled(one, crop_pixels) for one in shown)
    return (
        values,
        gradient,
        trust,
        crop_pixels,
        at[:, :2] / at[:, 2:] * focal,
        colour,
        colour_gradient,
        normal,
    )


def sampled(
    picture: np.ndarray, crop_pixels: np.ndarray, border: int = cv2.BORDER_CONSTANT
) -> tuple[np.ndarray, np.ndarray]:
    """(P×C values, P×C×2 gradients a pixel) of H×W×C float32, C at most 4, at P×2 px (corner origin), bilinear; border: what lies beyond the picture, as OpenCV says it."""
    grid = (crop_pixels - 0.5).astype(np.float32)[None]
    sample = lambda one: cv2.remap(one, grid, None, cv2.INTER_LINEAR, borderMode=border)[0].reshape(
        len(crop_pixels), -1
    )
    return sample(picture), np.stack(
        [sample(cv2.Sobel(picture, cv2.CV_32F, x, y, ksize=3) / 8) for x, y in ((1, 0), (0, 1))], -1
    )


def sample_appearance_of_view(
    model: FaceModel,
    neutral: np.ndarray,
    points: Points,
    pictures: Pictures,
    view_landmarks,
    shared: SharedParameters,
    trajectory: Trajectory,
    view: int,
    camera: Camera,
    blur: float,
    options: StandardOptions,
    also: Callable[[int, Drawn], object] = lambda row, drawn: None,
) -> Iterator[float | tuple[AppearanceSamples, list]]:
    """All pictures of one view; yields the fraction done, and last the Looks and, picture by picture, what `also(row, drawn)` made of each drawn head.

    A picture a thread: what takes long (OpenCV, Warp) lets others run meanwhile."""
    triangles = triangulate(model.faces[visible_faces(model)])
    focal, found, count = float(shared.log_focal[view].exp()), [], len(pictures.frames)

    def one(row: int, head: np.ndarray):
        drawn = draw(triangles, pictures, row, head, camera, focal)
        return sample_appearance(
            points, drawn, pictures, row, head, camera, focal, blur, options
        ), also(row, drawn)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, BATCH)) as pool:
        for start in range(0, count, BATCH):
            rows = slice(start, min(start + BATCH, count))
            drawn = list(
                zip(
                    range(rows.start, rows.stop),
                    heads(model, neutral, shared, trajectory, view_landmarks, view, rows),
                )
            )
            found += [one(*drawn.pop(0))] if not start else []  # alone: it may have kernels to load
            found += pool.map(lambda task: one(*task), drawn)
            yield rows.stop / count
    if found:
        samples, others = zip(*found)
        yield AppearanceSamples(*(np.stack(part) for part in zip(*samples))), list(others)
    else:
        p = len(points.vertex)
        yield (
            AppearanceSamples(
                *(
                    np.zeros((0, p, *rest))
                    for rest in ((2,), (2, 2), (), (2,), (2,), (3,), (3, 2), (3,))
                )
            ),
            [],
        )


def expected_appearance(
    samples: list[AppearanceSamples], options: StandardOptions
) -> tuple[np.ndarray, np.ndarray]:
    """(P×C the robust mean over all pictures of all views, P how many pictures' worth of trust it rests on)."""
    values, trust = (
        np.concatenate([l.values for l in samples]),
        np.concatenate([l.trust for l in samples])[..., None],
    )
    mean = (values * trust).sum(0) / np.maximum(trust.sum(0), 1e-6)
    for _ in range(5):
        weight = trust / (1 + ((values - mean) / options.appearance_noise) ** 2)
        mean = (values * weight).sum(0) / np.maximum(weight.sum(0), 1e-6)
    return mean, trust[..., 0].sum(0)


def fit_shading(samples: list[AppearanceSamples]) -> tuple[np.ndarray, np.ndarray]:
    """(albedo P×3, light views×9×3 in each camera's axes) by turns of least squares; what is not matt skin under the light counts little. Their common
    scale is set so that the mean light of a view is 1. A view without pictures has no light (0)."""
    basis = [sh_basis(torch.from_numpy(np.asarray(l.normals, np.float64))).numpy() for l in samples]
    trust = [np.asarray(l.trust, np.float64)[..., None] for l in samples]
    weight = [np.broadcast_to(t, l.colour.shape) for t, l in zip(trust, samples)]
    albedo = sum((l.colour * w).sum(0) for l, w in zip(samples, weight)) / np.maximum(
        sum(w.sum(0) for w in weight), 1e-6
    )
    light = np.zeros((len(samples), 9, 3))
    for _ in range(SHADING_TURNS):
        for v, (l, y, w) in enumerate(zip(samples, basis, weight)):
            for c in range(3):
                rows, told = (
                    y.reshape(-1, 9)
                    * np.broadcast_to(albedo[:, c], l.colour.shape[:2]).reshape(-1, 1),
                    l.colour[..., c].ravel(),
                )
                worth = w[..., c].reshape(-1, 1)
                square = (rows * worth).T @ rows
                light[v, :, c] = np.linalg.solve(
                    square
                    + SHADING_RIDGE * max(np.trace(square), 1e-9) * np.diag([0.0] + [1.0] * 8)
                    + 1e-12 * np.eye(9),
                    (rows * worth).T @ told,
                )
        shade = [y @ light[v] for v, y in enumerate(basis)]
        albedo = sum(
            (w * s * l.colour).sum(0) for w, s, l in zip(weight, shade, samples)
        ) / np.maximum(sum((w * s * s).sum(0) for w, s in zip(weight, shade)), 1e-9)
        weight = [
            t
            / (
                1
                + (
                    (l.colour - albedo * s)
                    / (SHADING_NOISE * max(float(l.colour.mean()) if l.colour.size else 1.0, 1e-3))
                )
                ** 2
            )
            ** 2
            for t, l, s in zip(trust, samples, shade)
        ]
    level = max(np.mean([s.mean() for s in shade if s.size] or [1.0]), 1e-9)
    return albedo * level, light / level


def shaded_evidence(
    samples: AppearanceSamples,
    albedo: np.ndarray,
    light: np.ndarray,
    support: np.ndarray,
    view_landmarks,
    pictures: Pictures,
    camera: Camera,
    options: StandardOptions,
) -> Evidence:
    """The photometric residuals' quadratic: colours beside albedo (P×3) times light (9×3)."""
    scale = SHADING_NOISE * max(float((albedo * light[0] * 0.282).mean()), 1e-3)
    residual = (
        samples.colour
        - albedo
        * (sh_basis(torch.from_numpy(np.asarray(samples.normals, np.float64))).numpy() @ light)
    ) / scale
    weight = (
        samples.trust
        * (support > options.fewest_samples)
        / (1 + (residual**2).mean(2)) ** 2
        * options.shaded
        / 3
    )
    return _quadratic(
        residual,
        samples.colour_gradients / scale,
        weight,
        samples,
        view_landmarks,
        pictures,
        camera,
    )


def photometric_evidence(
    samples: AppearanceSamples,
    expected: np.ndarray,
    support: np.ndarray,
    view_landmarks,
    pictures: Pictures,
    camera: Camera,
    options: StandardOptions,
) -> Evidence:
    """The residuals' quadratic round the present places. Points seen in too few pictures have nothing to be compared with."""
    residual = samples.values - expected
    weight = (
        samples.trust
        * (support > options.fewest_samples)
        / (1 + (residual**2).sum(2) / options.appearance_noise**2) ** 2
        * options.photometric
        / options.appearance_noise**2
    )
    return _quadratic(
        residual, samples.gradients, weight, samples, view_landmarks, pictures, camera
    )


def _quadratic(
    residual: np.ndarray,
    gradients: np.ndarray,
    weight: np.ndarray,
    samples: AppearanceSamples,
    view_landmarks,
    pictures: Pictures,
    camera: Camera,
) -> Evidence:
    """½ Σ weight (residual + gradients · step)² of n×P×C residuals, where a step is not longer than the picture's gradient holds."""
    scale = pictures.scale[:, None, None, None] * np.array(
        [1.0, camera.aspect]
    )  # crop pixels a pixel of the picture, along x and y
    gradient = gradients * scale
    curvature = np.einsum('np,npci,npcj->npij', weight, gradient, gradient)
    pull = np.einsum('np,npci,npc->npi', weight, gradient, residual)
    ridge = 0.02 * np.einsum('npii->np', curvature)[..., None, None] * np.eye(2) + 1e-12 * np.eye(2)
    step = np.linalg.norm(
        np.linalg.solve(curvature + ridge, pull[..., None])[..., 0] * scale[:, 0], axis=-1
    )
    pull *= np.minimum(1, MOST_STEP / np.maximum(step, 1e-9))[..., None]
    tensor = lambda a: torch.as_tensor(np.ascontiguousarray(a), dtype=DTYPE)
    return Evidence(
        view_landmarks.node,
        view_landmarks.between,
        tensor(samples.pixels),
        tensor(pull),
        tensor(curvature),
    )
