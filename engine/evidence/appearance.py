"""What pictures show at the points of a posed head, and what those points look like.

A point's linear colour is its albedo times its view's light, nine spherical harmonics of its
normal; both are found from all pictures (fit_shading). In place of the perceptual loss of
papers/4, whose network we don't ship, an appearance that does not depend on light: brightness and
redness about their local mean over their local contrast, so that what light and exposure change
slowly over the face cancels; a point's expected appearance is the robust mean over all pictures in
which it is visible.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..core.threads import ahead
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..footage.footage import Camera
from ..geometry.polygons import triangulate
from ..render.rasterise import rasterise
from ..render.shading import sh_basis
from .options import StandardOptions
from .pictures import SIZE, Pictures, Points, ViewPictures
from .state import State, TimedRows, to_pixels

POINT_DEPTH_TOLERANCE = 0.15  # cm behind what is drawn, within which a point is the one drawn
POINT_TRUST_COSINES = 0.2, 0.6  # between which a point's worth grows from 0 to 1
EDGE = 3  # pixels of the crop: points this near to what is not head are left out
LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2.2  # of a byte
SHADING_TURNS, SHADING_RIDGE = 4, 1e-4
SHADING_NOISE = 0.15  # of the mean colour: what the skin's colour differs by from albedo × light
HARMONIC_PAIRS = np.triu_indices(9)
BATCH = 8  # pictures whose heads are made at once


@dataclass(frozen=True)
class AppearanceSamples:
    """What n pictures show at P points.

    values n×P×C, gradients n×P×C×2 (by crop pixels), trust n×P in [0, 1], crop_pixels n×P×2,
    pixels n×P×2 (of the picture, relative to the principal point, undistorted); colour n×P×3
    linear RGB, colour_gradients n×P×3×2, unit normals n×P×3 (camera's axes).
    """

    values: np.ndarray
    gradients: np.ndarray
    trust: np.ndarray
    crop_pixels: np.ndarray
    pixels: np.ndarray
    colour: np.ndarray
    colour_gradients: np.ndarray
    normals: np.ndarray


@dataclass(frozen=True)
class PointAppearance:
    """What P points look like.

    expected P×C and support P (expected_appearance), albedo P×3 and light views×9×3 (fit_shading).
    """

    expected: np.ndarray
    support: np.ndarray
    albedo: np.ndarray
    light: np.ndarray


@dataclass(frozen=True)
class HeadInPicture:
    """A head in one row's crop: V×3 cm in camera space, and how its camera sees it.

    focal: px of the picture.
    """

    head: np.ndarray
    pictures: Pictures
    row: int
    camera: Camera
    focal: float

    def inside(self, pixels: np.ndarray) -> np.ndarray:
        """…×2 pixels of the picture → pixels of the crop (corner origin)."""
        return self.pictures.inside(self.row, pixels)


@dataclass(frozen=True)
class Drawn:
    """A head as one crop shows it.

    vertices V×3 (camera space, cm), depth SIZE×SIZE (cm, inf: nothing), focal and centre in crop
    pixels.
    """

    vertices: np.ndarray
    depth: np.ndarray
    focal: float
    centre: tuple[float, float]


def draw(triangles: np.ndarray, posed: HeadInPicture) -> Drawn:
    """Draw a head into its crop."""
    flat, focal, centre = camera_in(posed)
    depth = rasterise(flat, triangles, focal, centre, (SIZE, SIZE))[2]
    return Drawn(flat, depth, focal, centre)


def camera_in(posed: HeadInPicture) -> tuple[np.ndarray, float, tuple[float, float]]:
    """Return the head as a crop's pinhole camera sees it: vertices V×3, focal and centre px.

    y is scaled by the camera's aspect, distortion is left out.
    """
    flat = posed.head.copy()
    flat[:, 1] *= posed.camera.aspect
    focal = posed.focal * (SIZE / posed.pictures.windows[posed.row].side)
    return flat, focal, tuple(posed.inside(np.asarray(posed.camera.centre, float)))


def sample_appearance(
    points: Points, drawn: Drawn, posed: HeadInPicture, blur: float, options: StandardOptions
) -> tuple[np.ndarray, ...]:
    """Sample one picture at the points of a head, in the order of AppearanceSamples' fields.

    blur: pixels of the crop.
    """
    at, depth = posed.head[points.vertex], drawn.depth
    place = posed.inside(to_pixels(at.astype(np.float64), posed.camera, posed.focal))
    x, y = (np.clip(place[:, k].astype(int), 0, SIZE - 1) for k in (0, 1))
    solid = cv2.erode(np.isfinite(depth).astype(np.uint8), np.ones((2 * EDGE + 1,) * 2, np.uint8))
    a, b, c = np.moveaxis(posed.head[points.ring], 1, 0)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    facing = -(normal * at).sum(1) / np.maximum(np.linalg.norm(at, axis=1), 1e-9)
    seen = (
        (np.abs(at[:, 2] - depth[y, x]) < POINT_DEPTH_TOLERANCE)
        & (solid[y, x] > 0)
        & ((place > EDGE) & (place < SIZE - EDGE)).all(1)
    )
    low, high = POINT_TRUST_COSINES
    trust = np.where(seen, np.clip((facing - low) / (high - low), 0, 1), 0)
    crop = posed.pictures.crops[posed.row]
    values, gradient = sampled(features(crop, blur, options), place)
    colour, colour_gradient = sampled(cv2.GaussianBlur(LINEAR[crop], (0, 0), blur), place)
    pixels = at[:, :2] / at[:, 2:] * posed.focal
    return values, gradient, trust, place, pixels, colour, colour_gradient, normal


def features(crop: np.ndarray, blur: float, options: StandardOptions) -> np.ndarray:
    """Make of a crop, SIZE×SIZE×3 uint8, what does not depend on light: SIZE×SIZE×2 float32.

    Brightness and redness, each less its local mean, over its local contrast: local is a little
    wider than the blur, so that what light does to the face cancels. blur: pixels.
    """
    rgb = crop.astype(np.float32) / 255
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    red = np.log((rgb[..., 0] + 0.05) / (rgb[..., 1] + 0.05))
    out = []
    wide = options.local * blur**0.5
    for channel, floor in ((light, 0.02), (red, 0.03)):
        low = cv2.GaussianBlur(channel, (0, 0), wide)
        detail = cv2.GaussianBlur(channel, (0, 0), blur) - low
        out.append(detail / (np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), wide)) + floor))
    out[1] *= options.redness
    return np.stack(out, -1)


def heads(
    model: FaceModel,
    neutral: np.ndarray,
    state: State,
    timed: TimedRows,
    view: int,
    rows: slice,
) -> np.ndarray:
    """Pose the whole head for some rows of a view: n×V×3 float32 in camera space."""

    def single(values: torch.Tensor) -> np.ndarray:
        return values.numpy().astype(np.float32)

    shared, trajectory = state
    node, between = timed.node[rows], timed.between[rows]
    flat = model.expressions.reshape(len(model.names), -1)
    at_nodes = []
    for k in (node, (node + 1).clamp_max(len(trajectory.weights) - 1)):
        shape = neutral + (single(trajectory.weights[k]) @ flat).reshape(-1, *neutral.shape)
        turned = shape @ single(trajectory.rotation[k]).transpose(0, 2, 1)
        at_nodes.append(turned + single(trajectory.translation[k])[:, None])
        if not bool((between > 0).any()):
            at_nodes.append(at_nodes[0])
            break
    u = single(between)[:, None, None]
    world = (1 - u) * at_nodes[0] + u * at_nodes[1]
    return world @ single(shared.rotation[view]).T + single(shared.translation[view])


def sampled(
    picture: np.ndarray, crop_pixels: np.ndarray, border: int = cv2.BORDER_CONSTANT
) -> tuple[np.ndarray, np.ndarray]:
    """Sample a picture, H×W×C float32, C at most 4, and its gradient at P×2 px, bilinear.

    Returns P×C values and P×C×2 gradients a pixel. crop_pixels: corner origin. border: what lies
    beyond the picture, as OpenCV says it.
    """
    grid = (crop_pixels - 0.5).astype(np.float32)[None]

    def sample(one: np.ndarray) -> np.ndarray:
        shown = cv2.remap(one, grid, None, cv2.INTER_LINEAR, borderMode=border)[0]
        return shown.reshape(len(crop_pixels), -1)

    return sample(picture), np.stack(
        [sample(cv2.Sobel(picture, cv2.CV_32F, x, y, ksize=3) / 8) for x, y in ((1, 0), (0, 1))], -1
    )


def sample_appearance_of_view(
    model: FaceModel,
    neutral: np.ndarray,
    points: Points,
    seen: ViewPictures,
    state: State,
    blur: float,
    options: StandardOptions,
    also: Callable[[int, Drawn], object] = lambda row, drawn: None,
) -> Iterator[float | tuple[AppearanceSamples, list]]:
    """Sample all pictures of one view.

    A generator of the fraction done, and last of (the samples, the list of what `also` made).

    also: makes something of each picture (its row, the head drawn in it). A picture a thread: what
    takes long (OpenCV, Warp) lets others run meanwhile.
    """
    triangles = triangulate(model.faces[visible_faces(model)])
    focal, count = float(state.shared.log_focal[seen.view].exp()), len(seen.pictures.frames)
    found = []

    def one(row: int, head: np.ndarray):
        posed = HeadInPicture(head, seen.pictures, row, seen.camera, focal)
        drawn = draw(triangles, posed)
        return sample_appearance(points, drawn, posed, blur, options), also(row, drawn)

    def batches() -> Iterator[tuple[slice, np.ndarray]]:
        for start in range(0, count, BATCH):
            rows = slice(start, min(start + BATCH, count))
            yield rows, heads(model, neutral, state, seen.landmarks, seen.view, rows)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, BATCH)) as pool:
        for rows, posed in ahead(batches(), 1):
            tasks = list(zip(range(rows.start, rows.stop), posed))
            # alone: it may have kernels to load
            found += [] if found else [one(*tasks.pop(0))]
            found += pool.map(lambda task: one(*task), tasks)
            yield rows.stop / count
    if found:
        samples, others = zip(*found)
        yield AppearanceSamples(*(np.stack(part) for part in zip(*samples))), list(others)
    else:
        p = len(points.vertex)
        shapes = ((2,), (2, 2), (), (2,), (2,), (3,), (3, 2), (3,))
        yield AppearanceSamples(*(np.zeros((0, p, *rest)) for rest in shapes)), []


def estimate_appearance(
    samples: list[AppearanceSamples], options: StandardOptions
) -> PointAppearance:
    """Find what the points look like, from all pictures of all views."""
    return PointAppearance(*expected_appearance(samples, options), *fit_shading(samples))


def expected_appearance(
    samples: list[AppearanceSamples], options: StandardOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Take the robust mean of points' values over all pictures of all views.

    Returns it, P×C, and how many pictures' worth of trust it rests on, P.
    """
    values = np.concatenate([view.values for view in samples])
    trust = np.concatenate([view.trust for view in samples])[..., None]
    mean = (values * trust).sum(0) / np.maximum(trust.sum(0), 1e-6)
    for _ in range(5):
        weight = trust / (1 + ((values - mean) / options.appearance_noise) ** 2)
        mean = (values * weight).sum(0) / np.maximum(weight.sum(0), 1e-6)
    return mean, trust[..., 0].sum(0)


def fit_shading(samples: list[AppearanceSamples]) -> tuple[np.ndarray, np.ndarray]:
    """Tell albedo P×3 and light views×9×3 (each camera's axes) apart, by turns of least squares.

    What is not matt skin under the light counts little. Their common scale is set so that the mean
    light of a view is 1. A view without pictures has no light (0).
    """
    basis = [
        sh_basis(torch.from_numpy(np.asarray(view.normals, np.float64))).numpy() for view in samples
    ]
    first, second = HARMONIC_PAIRS
    products = [harmonics[..., first] * harmonics[..., second] for harmonics in basis]
    trust = [np.asarray(view.trust, np.float64)[..., None] for view in samples]
    colour = [view.colour for view in samples]
    weight = [np.broadcast_to(t, c.shape) for t, c in zip(trust, colour)]
    albedo = sum((c * w).sum(0) for c, w in zip(colour, weight)) / np.maximum(
        sum(w.sum(0) for w in weight), 1e-6
    )
    for _ in range(SHADING_TURNS):
        seen = zip(colour, basis, products, weight)
        light = np.stack([_fit_light(*view, albedo) for view in seen])
        shade = [y @ light[v] for v, y in enumerate(basis)]
        albedo = sum((w * s * c).sum(0) for w, s, c in zip(weight, shade, colour)) / np.maximum(
            sum((w * s * s).sum(0) for w, s in zip(weight, shade)), 1e-9
        )
        weight = [_matt_skin(t, c, albedo * s) for t, c, s in zip(trust, colour, shade)]
    level = max(np.mean([s.mean() for s in shade if s.size] or [1.0]), 1e-9)
    return albedo * level, light / level


def _fit_light(
    colour: np.ndarray,
    harmonics: np.ndarray,
    products: np.ndarray,
    weight: np.ndarray,
    albedo: np.ndarray,
) -> np.ndarray:
    """Fit one view's light, 9×3, to n×P×3 colours of P×3 albedos.

    harmonics n×P×9, and their products with one another, n×P×45; weight n×P×3
    """
    light, worth = np.zeros((9, 3)), weight * albedo
    flat = (worth * albedo).reshape(-1, 3).T @ products.reshape(-1, 45)
    right = harmonics.reshape(-1, 9).T @ (worth * colour).reshape(-1, 3)
    for c in range(3):
        square = np.empty((9, 9))
        square[HARMONIC_PAIRS] = square.T[HARMONIC_PAIRS] = flat[c]
        light[:, c] = np.linalg.solve(
            square
            + SHADING_RIDGE * max(np.trace(square), 1e-9) * np.diag([0.0] + [1.0] * 8)
            + 1e-12 * np.eye(9),
            right[:, c],
        )
    return light


def _matt_skin(trust: np.ndarray, colour: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Weigh n×P×3 colours down that are not as expected of matt skin: n×P×3."""
    level = max(float(colour.mean()) if colour.size else 1.0, 1e-3)
    return trust / (1 + ((colour - expected) / (SHADING_NOISE * level)) ** 2) ** 2
