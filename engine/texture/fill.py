"""A texture and vertex colours without holes, from the albedo of what was seen."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu

from ..core.smoothstep import smoothstep
from ..face_model.model import FaceModel
from ..face_model.paint import IRIS_COLOUR, SKIN_COLOUR, natural_albedo
from ..face_model.part_labels import NOSE, SKIN
from ..geometry.laplacian import edges_of, uniform_laplacian
from ..geometry.polygons import triangulate
from ..render.shading import sh_basis
from .layout import TexelLayout
from .light import DARKEST
from .symmetry import mirrored_vertices
from .texel_samples import GAMMA, TexelSamples

FULLY_KNOWN = 0.6  # pictures' worth that make a texel fully known
# Of the texture's side: over which what was seen gives way to what was filled in, at a slit and at
# a large unseen area.
FEATHER = 6 / 1024, 40 / 1024
IRIS_POINTS = 6  # seen of the irises in a picture, at least, to tell their colour
IRIS_RANGE = 0.008, 0.4  # linear: no iris is darker or brighter


def iris_colour(samples: list[TexelSamples], light: np.ndarray) -> tuple[float, ...]:
    """Find the irises' sRGB colour: the median over all points seen of them.

    The painted one where too few are. Of a picture, points brighter than the half of them are left
    out: eyes have highlights.

    light: views×9×3
    """
    found = []
    for one in samples:
        colour, normals = one.iris[:, :3], one.iris[:, 3:]
        if len(colour) < IRIS_POINTS:
            continue
        lit = sh_basis(torch.from_numpy(normals)).numpy() @ light[one.view]
        own = colour / np.maximum(lit, DARKEST * max(float(lit.mean()), 1e-3))
        bright = own.mean(1)
        found.append(np.median(own[bright <= np.median(bright)], axis=0))
    if not found:
        return IRIS_COLOUR
    return tuple(np.clip(np.median(found, axis=0), *IRIS_RANGE) ** (1 / GAMMA))


def fill_unseen(
    model: FaceModel,
    layout: TexelLayout,
    parts: np.ndarray,
    albedo: np.ndarray,
    worth: np.ndarray,
    iris: tuple[float, ...] = IRIS_COLOUR,
) -> tuple[np.ndarray, np.ndarray]:
    """Fill in what no picture shows: (texture size×size×3 linear, vertex colours V×3 linear).

    What was seen goes smoothly over into the vertices' colours. Outside of the UV islands: the
    nearest texel.

    parts: V, labels; albedo: N×3 linear; worth: N, pictures; iris: sRGB
    """
    known = np.clip(worth / FULLY_KNOWN, 0, 1)
    painted = np.ones(model.vertex_count, bool)
    for name in ('face', 'head_neck'):
        painted[model.regions[name]] = False
    colours = _vertex_colours(model, layout, parts, albedo, known, painted, iris)
    unseen = (worth < 0.25 * FULLY_KNOWN) | painted[layout.corner].any(1)
    share = _feathered(layout, known, unseen)[:, None]
    texture = np.zeros((layout.size**2, 3))
    texture[layout.place] = share * albedo + (1 - share) * layout.interpolate(colours)
    source = _nearest_texel(layout)
    return texture[source].reshape(layout.size, layout.size, 3), colours


def _vertex_colours(
    model: FaceModel,
    layout: TexelLayout,
    parts: np.ndarray,
    albedo: np.ndarray,
    known: np.ndarray,
    painted: np.ndarray,
    iris: tuple[float, ...],
) -> np.ndarray:
    """Find V×3 colours: harmonic between what was seen, leaning on the face's other half.

    Eyes, teeth, gums and sockets (`painted`, V bool) have the painted model's colours.
    """
    count, mirrored = model.vertex_count, mirrored_vertices(model)
    seen, weight = layout.at_vertices(albedo, known, count)
    paint = natural_albedo(model, iris).astype(np.float64) ** GAMMA
    skin = np.isin(parts, (SKIN, NOSE)) & (weight > 0.5)
    mean = (
        np.exp(np.log(np.maximum(seen[skin], 1e-4)).mean(0))
        if skin.any()
        else np.array(SKIN_COLOUR) ** GAMMA
    )
    weight[painted] = 0
    prior = np.where(painted[:, None], paint, mean)
    lean = np.where(painted, 1.0, 1e-4)
    other = np.where(weight < 0.05, 0.02 * weight[mirrored], 0)
    system = uniform_laplacian(edges_of(triangulate(model.faces)), count) * 0.1 + sparse.diags(
        weight + lean + other
    )
    right = weight[:, None] * seen + lean[:, None] * prior + other[:, None] * seen[mirrored]
    colours = splu(system.tocsc()).solve(right)
    colours[painted] = paint[painted]
    return colours


def _feathered(layout: TexelLayout, known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Weigh the seen albedo: N in [0, 1], smoothly less near what is unseen (N bool)."""
    picture = np.zeros(layout.size**2, np.uint8)
    picture[layout.place[unseen]] = 1
    picture = picture.reshape(layout.size, -1)
    width = 2 * round(FEATHER[1] * layout.size / 2) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    large = cv2.morphologyEx(picture, cv2.MORPH_OPEN, disc)
    share = known
    for area, feather in zip((picture, large), FEATHER):
        away = cv2.distanceTransform(1 - area, cv2.DIST_L2, 5).ravel()[layout.place]
        share = np.minimum(share, np.clip(away / (feather * layout.size), 0, 1))
    return smoothstep(share)


def _nearest_texel(layout: TexelLayout) -> np.ndarray:
    """Find the place of the texel on the surface that is nearest to each: size×size."""
    outside = np.ones(layout.size**2, np.uint8)
    outside[layout.place] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        outside.reshape(layout.size, -1), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(nearest.max() + 1, np.int64)
    source[nearest.ravel()[layout.place]] = layout.place
    return source[nearest]
