"""What colour the skin is, told apart from the light on it: an albedo texture on the model's UVs and the light of each view.

Each chosen picture is laid onto the head it shows, texel by texel; colour = albedo × light, where light is a matt surface's under low-frequency
light, nine spherical harmonics of the normal (Ramamoorthi and Hanrahan 2001; the photometric model of papers/4, eq. 7). Light (least squares a
view) and albedo (robust weighted mean a texel) are found in turn. All colours here are linear, display = linear^(1/2.2). Cast shadows, and
light between lips and lids, are not modelled: what the robust mean does not drop of them stays in the albedo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..core.errors import FacewrightError
from ..face_model.model import FaceModel
from ..face_model.paint import (
    IRIS,
    iris_vertices,
    natural_albedo,
    visible_faces,
)
from ..face_model.paint import (
    SKIN as PAINTED_SKIN,
)
from ..face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ..geometry.laplacian import cotangent_laplacian, edges_of, mass, uniform_laplacian
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..render.rasterise import project, rasterise
from ..render.shading import sh_basis

GAMMA = 2.2
TEXEL_DEPTH_TOLERANCE = 0.15  # cm behind what is drawn, within which a point is the one drawn
JUMP = 0.6  # cm of depth between neighbouring pixels: a silhouette
TEXEL_TRUST_COSINES = (
    0.25,
    0.85,
)  # cosines to the camera between which a texel's worth grows from 0 to 1
EDGE = 0.012  # of the face's width in the picture: how near to a silhouette nothing is taken
MISTAKEN = 0.1  # worth of a texel that the picture's masks give to a neighbouring part
NOISE = 0.08  # of the colour: residuals from which the robust mean turns away
ENOUGH = 0.6  # pictures' worth that make a texel fully known
FEATHER = (
    6 / 1024,
    40 / 1024,
)  # of the texture's side: over which what was seen gives way to what was filled in, at a slit and at a large unseen area
DARKEST = 0.2  # of its mean: no surface is taken for darker lit
PALE = (
    0.2,
    0.45,
)  # logarithm of red over blue, below the mean skin's, between which bright skin loses its worth
TETHER = 0.1  # pictures' worth of plain skin that every texel of skin has
BRIGHTEST = (
    1.25,
    0.3,
)  # times the mean skin: where brighter skin begins to be held back, as a highlight, and how far above it nothing of it is left
EVEN = 0.5  # cm: patches larger than that are made alike on both halves of the face
BRIGHTER = 3.0  # power of its brightness by which a half counts then: shadows are dark
ROUNDS = 3
LIGHT_SAMPLES = 20_000  # texels of a picture that its light is fitted to
RIDGE = np.array(
    [0.0, *(3e-3,) * 3, *(2e-2,) * 5]
)  # what holds the light's bands to 0, of the samples' sum of squares
# Where skin and light are both unknown: skins vary along one line from light to dark, the light a white surface sends back is about as bright as
# the display's white and nearly grey (natural logarithms of linear RGB; skins: Monk's scale's ends, roughly).
DARKER = np.array([1.24, 1.65, 1.97])
SKIN_SPREAD, SKIN_NOISE = 0.6, 0.06
LIGHT_LEVEL, LIGHT_SPREAD, LIGHT_TINT = 0.85, 0.35, 0.08
IRIS_POINTS = 6  # seen of the irises in a picture, at least, to tell their colour
IRIS_RANGE = 0.008, 0.4  # linear: no iris is darker or brighter


@dataclass(frozen=True)
class Layout:
    """The N texels of a square texture that lie on the surface: place N int64 (row·size + column, row 0 at the top, v up), corner N×3 int32 vertices,
    weight N×3 float32; materials: numbers of those the texture belongs to (others share its room, as ICT's eyes do the face's)."""

    size: int
    place: np.ndarray
    corner: np.ndarray
    weight: np.ndarray
    materials: tuple[int, ...]

    def spread(self, values: np.ndarray) -> np.ndarray:
        """V×… vertices' values → N×… the texels'."""
        return sum(self.weight[:, k, None] * values[self.corner[:, k]] for k in range(3))


@dataclass(frozen=True)
class Look:
    """What one picture shows: of view `view` texels n int32, their colour n×3 float16 (linear), trust n float32, and the head's normals V×3 float32 (world).

    iris k×6 float32: of the points seen of both irises the colour (linear) and the normal (world).
    """

    view: int
    texel: np.ndarray
    colour: np.ndarray
    trust: np.ndarray
    normals: np.ndarray
    iris: np.ndarray


@dataclass(frozen=True)
class Appearance:
    """texture size×size×3 uint8 sRGB; colours V×3 float32 sRGB in 0..1, for what the texture does not cover; light views×9×3 (world axes, `shading.sh_basis`);
    seen: part of the texels that some picture shows; residual: the median error of colour after the fit, of the colour."""

    texture: np.ndarray
    colours: np.ndarray
    light: np.ndarray
    seen: float
    residual: float


def lay_out(model: FaceModel, size: int) -> Layout:
    """The texels of the model's texture; a material whose UVs lie outside 0..1 or over an earlier one's is left to vertex colours."""
    taken = np.full(size * size, -1, np.int32)
    weights, materials = np.zeros((size * size, 3), np.float32), []
    faces, uvs = triangulate(model.faces), triangulate(model.face_uvs)
    quads = model.faces[:, 3] >= 0
    material = np.concatenate([model.face_materials, model.face_materials[quads]])
    films = ~np.concatenate([visible_faces(model), visible_faces(model)[quads]])
    flat = np.concatenate([model.uvs * (1, -1) * size + (0, size), np.ones((len(model.uvs), 1))], 1)
    for k in range(len(model.materials)):
        own = np.flatnonzero((material == k) & ~films)
        if (
            not len(own)
            or (uvs[own] < 0).any()
            or model.uvs[uvs[own]].min() < 0
            or model.uvs[uvs[own]].max() > 1
        ):
            continue
        triangle, barycentric, _ = rasterise(flat, uvs[own], 1.0, (0.0, 0.0), (size, size))
        drawn = np.flatnonzero(triangle.ravel() >= 0)
        if not len(drawn) or (taken[drawn] >= 0).mean() > 0.5:
            continue
        drawn = drawn[taken[drawn] < 0]
        taken[drawn], weights[drawn] = (
            own[triangle.ravel()[drawn]],
            barycentric.reshape(-1, 3)[drawn],
        )
        materials.append(k)
    place = np.flatnonzero(taken >= 0)
    if not len(place):
        raise FacewrightError(
            f'The face model {model.source or model.name} has no UVs between 0 and 1: use ICT-FaceKit or the built-in head.'
        )
    return Layout(size, place, faces[taken[place]], weights[place], tuple(materials))


def look(
    model: FaceModel,
    layout: Layout,
    parts: np.ndarray,
    view: int,
    vertices: np.ndarray,
    normals: np.ndarray,
    focal: float,
    centre: tuple[float, float],
    picture: np.ndarray,
    labels: np.ndarray,
) -> Look:
    """What a picture (H×W×3 uint8 RGB, undistorted) shows of a head (vertices V×3 cm in the camera's space, normals V×3 in the world's).

    parts V: the model's (`model_parts`); labels H×W: the picture's (`segment_parts`): what they call other, hair, hands, glasses and backdrop, is not taken.
    """
    size = picture.shape[1::-1]
    _, _, depth = rasterise(
        vertices, triangulate(model.faces[visible_faces(model)]), focal, centre, size
    )
    allowed = _away_from_edges(np.where(np.isfinite(depth), depth, 1e3).astype(np.float32), labels)
    facing = -(vertex_normals(vertices, triangulate(model.faces)) * vertices).sum(
        1
    ) / np.linalg.norm(vertices, axis=1)
    at = project(vertices, focal, centre)
    usable = (
        (facing > TEXEL_TRUST_COSINES[0])
        & (vertices[:, 2] > 1)
        & (at > 1).all(1)
        & (at < np.array(size) - 1).all(1)
    )
    texel = np.flatnonzero(usable[layout.corner].all(1))
    corner, weight = layout.corner[texel], layout.weight[texel].astype(np.float64)
    on = lambda values: sum(weight[:, k, None] * values[corner[:, k]] for k in range(3))
    point = on(vertices)
    place = project(point, focal, centre)
    x, y = place.astype(int).T
    mine = parts[corner[np.arange(len(corner)), weight.argmax(1)]]
    trust = AGREEMENT[mine, labels[y, x]] * (
        allowed[y, x] & (point[:, 2] < depth[y, x] + TEXEL_DEPTH_TOLERANCE)
    )
    trust *= (
        np.clip(
            (on(facing[:, None])[:, 0] - TEXEL_TRUST_COSINES[0])
            / (TEXEL_TRUST_COSINES[1] - TEXEL_TRUST_COSINES[0]),
            0,
            1,
        )
        ** 2
    )
    kept = trust > 1e-3
    iris = np.concatenate([iris_vertices(model, side) for side in 'LR'])
    iris = iris[usable[iris]]
    x, y = at[iris].astype(int).T
    iris = iris[
        np.isin(labels[y, x], (LEFT_EYE, RIGHT_EYE))
        & (vertices[iris, 2] < depth[y, x] + TEXEL_DEPTH_TOLERANCE)
    ]
    return Look(
        view,
        texel[kept].astype(np.int32),
        _sampled(picture, place[kept]),
        trust[kept].astype(np.float32),
        normals.astype(np.float32),
        np.concatenate([_sampled(picture, at[iris]), normals[iris]], 1).astype(np.float32),
    )


def _agreement() -> np.ndarray:
    """9×9: what a texel of a part of the model is worth where the picture shows another part."""
    out = np.zeros((9, 9))
    soft = (SKIN, NOSE, LEFT_BROW, RIGHT_BROW, UPPER_LIP, LOWER_LIP)
    out[np.ix_(soft, soft)] = MISTAKEN
    for group in (
        (SKIN, NOSE),
        (UPPER_LIP,),
        (LOWER_LIP,),
        (LEFT_BROW,),
        (RIGHT_BROW,),
        (LEFT_EYE,),
        (RIGHT_EYE,),
    ):
        out[np.ix_(group, group)] = 1
    return out


AGREEMENT = _agreement()


def _away_from_edges(depth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """H×W bool: pixels of the face that lie neither near a silhouette of the head nor near the outline of the face's mask."""
    face = (labels > 0).astype(np.uint8)
    columns = np.flatnonzero(face.any(0))
    if not len(columns):
        return face > 0
    reach = max(1, round(EDGE * float(columns[-1] - columns[0])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    three = np.ones((3, 3), np.uint8)
    jump = ((cv2.dilate(depth, three) - cv2.erode(depth, three)) > JUMP).astype(np.uint8)
    outlines, _ = cv2.findContours(face, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(face), outlines, -1, 1, cv2.FILLED)
    return (cv2.erode(whole, disc, borderValue=0) > 0) & (cv2.dilate(jump, disc) == 0)


def _sampled(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """n×3 float16 linear colours at n×2 pixels (corner origin), bilinear."""
    low = np.floor(place - 0.5).astype(int)
    u = place - 0.5 - low
    table = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
    out = np.zeros((len(place), 3), np.float32)
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - u[:, 0]) * np.abs(1 - dy - u[:, 1])
            x, y = (
                np.clip(low[:, 0] + dx, 0, picture.shape[1] - 1),
                np.clip(low[:, 1] + dy, 0, picture.shape[0] - 1),
            )
            out += share[:, None].astype(np.float32) * table[picture[y, x]]
    return out.astype(np.float16)


def skin_reflectance(observed: np.ndarray) -> np.ndarray:
    """3: the likeliest mean albedo of skin that sends back `observed` (3, both linear RGB), in closed form: logarithms are sums of Gaussians."""
    grey = np.ones((3, 3))
    skin = SKIN_SPREAD**2 * np.outer(DARKER, DARKER) / (
        DARKER @ DARKER
    ) * 3 + SKIN_NOISE**2 * np.eye(3)
    light = LIGHT_SPREAD**2 * grey + LIGHT_TINT**2 * np.eye(3)
    mean = GAMMA * np.log(PAINTED_SKIN)
    off = np.log(np.maximum(observed, 1e-4)) - mean - np.log(LIGHT_LEVEL)
    return np.minimum(np.exp(mean + skin @ np.linalg.solve(skin + light, off)), 0.95)


def solve(
    model: FaceModel,
    looks: list[Look],
    layout: Layout,
    parts: np.ndarray,
    views: int,
    rounds: int = ROUNDS,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Light and albedo in turn: (albedo N×3 linear, worth N in pictures, light views×9×3, median error of colour over colour).

    FacewrightError where no picture shows skin. A view without a picture has the mean light of the others.
    """
    count = len(layout.place)
    skin = np.isin(parts[layout.corner[np.arange(count), layout.weight.argmax(1)]], (SKIN, NOSE))
    found = [l.colour[skin[l.texel] & (l.trust > 0.5)] for l in looks]
    if not sum(map(len, found)):
        raise FacewrightError(
            'No picture shows the skin of the face: choose a reconstruction whose footage shows it.'
        )
    target = skin_reflectance(np.median(np.concatenate(found).astype(np.float32), 0)).astype(
        np.float32
    )
    albedo = own = np.broadcast_to(target, (count, 3))  # own: before the halves are evened
    light, even = np.zeros((views, 9, 3)), _evener(model, layout)
    for turn in range(rounds):
        light = fit_light(
            looks,
            layout,
            albedo,
            light,
            skin if turn == 0 else np.ones(count, bool),
            views,
            robust=turn > 0,
        )
        level = np.mean(
            [shading(l, layout, light[l.view], 50).mean(0) for l in looks if len(l.texel)], 0
        )
        tether = (TETHER * skin / (1 + (relative(target, own) ** 2).mean(1) / NOISE**2)).astype(
            np.float32
        )
        down = tether[:, None] * level**2
        up, worth, errors = down * target, np.zeros(count, np.float32), []
        for k, l in enumerate(looks):
            progress((turn + k / len(looks)) / rounds)
            shade, colour = shading(l, layout, light[l.view]), l.colour.astype(np.float32)
            error = relative(colour, own[l.texel] * shade)
            robust = l.trust / (1 + (error**2).mean(1) / NOISE**2) if turn else l.trust
            weighted = robust[:, None] * shade
            up[l.texel] += weighted * colour
            down[l.texel] += weighted * shade
            worth[l.texel] += l.trust * np.minimum(1, shade.mean(1) / level.mean())
            errors.append(np.abs(error[::7][l.trust[::7] > 0.5]).mean(1))
        own = np.where(down > 0, up / np.maximum(down, 1e-9), own)
        held, believed = _highlights(own, target)
        worth *= np.where(skin, believed, 1)
        albedo = even(own * np.where(skin, held, 1)[:, None], np.clip(worth / ENOUGH, 0, 1))
        known = skin & (worth > ENOUGH / 2)
        known = known if known.any() else skin & (worth > 0)
        known = known if known.any() else skin
        scale = (target / np.exp(np.log(np.maximum(albedo[known], 1e-4)).mean(0))).astype(
            np.float32
        )
        albedo, own, light = (
            np.clip(albedo * scale, 0.001, 1),
            np.clip(own * scale, 0.001, 1),
            light / scale,
        )
    errors = np.concatenate(errors)
    return albedo, worth, light, float(np.median(errors)) if len(errors) else 0.0


def relative(colour: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Their difference over their mean."""
    return (colour - shown) / (np.maximum(colour + shown, 0) / 2 + 0.02)


def _at_vertices(
    layout: Layout, values: np.ndarray, known: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(count×3 means of the texels' N×3 values round each vertex, weighted by known N in [0, 1]; count: known's mean)."""
    weight, total, seen = np.zeros(count), np.zeros(count), np.zeros((count, 3))
    for k in range(3):
        corner, share = layout.corner[:, k], layout.weight[:, k].astype(np.float64)
        total += np.bincount(corner, share, count)
        weight += np.bincount(corner, share * known, count)
        seen += np.stack(
            [np.bincount(corner, share * known * values[:, c], count) for c in range(3)], 1
        )
    return seen / np.maximum(weight, 1e-9)[:, None], weight / np.maximum(total, 1e-9)


def _evener(model: FaceModel, layout: Layout):
    """even(albedo N×3, known N) → N×3: what differs in the large between the face's halves is light or shadow that spherical harmonics cannot be;
    it is taken off, nearer to the brighter half, shadows being dark. Marks smaller than EVEN stay."""
    count = model.vertex_count
    mirrored = mirror_vertices(model)
    triangles = triangulate(model.faces)
    area = np.maximum(mass(model.neutral.astype(np.float64), triangles), 1e-6)
    laplacian = EVEN**2 * cotangent_laplacian(model.neutral.astype(np.float64), triangles)

    def even(albedo: np.ndarray, known: np.ndarray) -> np.ndarray:
        value, weight = _at_vertices(layout, np.log(np.maximum(albedo, 1e-4)), known, count)
        solver = splu((laplacian + sparse.diags(area * (weight + 1e-4))).tocsc())
        blurred = lambda values: solver.solve((area * weight)[:, None] * values)
        held = np.clip(blurred(np.ones((count, 1))), 1e-6, 1)
        low = blurred(value) / held
        mine, other = (
            held * np.exp(BRIGHTER * low.mean(1, keepdims=True)),
            (held * np.exp(BRIGHTER * low.mean(1, keepdims=True)))[mirrored],
        )
        both = np.minimum(held, held[mirrored])
        change = other / (mine + other) * (low[mirrored] - low) * both
        return (albedo * np.exp(layout.spread(change))).astype(np.float32)

    return even


def mirror_vertices(model: FaceModel) -> np.ndarray:
    """V: the vertex nearest to where each would lie on the other half."""
    return cKDTree(model.neutral).query(model.neutral * (-1, 1, 1))[1]


def _highlights(albedo: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N: what skin's albedo N×3 must be multiplied by so that no highlight shows; N in [0, 1]: how far it is no highlight, nor shining hair)."""
    bright = albedo.mean(1) / skin.mean()
    knee, room = BRIGHTEST
    held = np.where(
        bright > knee, (knee + room * np.tanh((bright - knee) / room)) / np.maximum(bright, 1e-6), 1
    )
    grey = np.log(skin[0] / skin[2]) - np.log(
        np.maximum(albedo[:, 0], 1e-4) / np.maximum(albedo[:, 2], 1e-4)
    )
    pale = np.clip((bright - 0.8) / 0.2, 0, 1) * np.clip(
        (grey - PALE[0]) / (PALE[1] - PALE[0]), 0, 1
    )
    return held.astype(np.float32), (
        np.clip((knee + room - bright) / room, 0, 1) * (1 - pale)
    ).astype(np.float32)


def shading(look: Look, layout: Layout, light: np.ndarray, every: int = 1) -> np.ndarray:
    """n×3: what a white surface sends back at the look's texels (each so many), at least DARKEST of its mean."""
    own = (sh_basis(torch.from_numpy(look.normals)).numpy() @ light).astype(np.float32)
    corner, weight = layout.corner[look.texel[::every]], layout.weight[look.texel[::every]]
    out = sum(weight[:, k, None] * own[corner[:, k]] for k in range(3))
    return np.maximum(out, DARKEST * max(float(out.mean()), 1e-3)) if len(out) else out


def fit_light(
    looks: list[Look],
    layout: Layout,
    albedo: np.ndarray,
    before: np.ndarray,
    used: np.ndarray,
    views: int,
    robust: bool,
) -> np.ndarray:
    """views×9×3: the light of each view that, with the albedo (N×3), explains its pictures best; robust: by the residuals of `before`.

    What a view does not tell is taken from the light common to all, at that view's exposure; a view without pictures has the common one.
    """
    left, right = np.zeros((views, 3, 9, 9)), np.zeros((views, 3, 9))
    for l in looks:
        rows = np.flatnonzero(used[l.texel])
        rows = rows[:: max(1, len(rows) // LIGHT_SAMPLES)]
        corner, weight = (
            layout.corner[l.texel[rows]],
            layout.weight[l.texel[rows]].astype(np.float64),
        )
        basis = sh_basis(torch.from_numpy(l.normals)).numpy()
        basis = sum(weight[:, k, None] * basis[corner[:, k]] for k in range(3))
        colour, own, trust = l.colour[rows].astype(np.float64), albedo[l.texel[rows]], l.trust[rows]
        if robust:
            shown = own * (basis @ before[l.view])
            trust = trust / (1 + (relative(colour, shown) ** 2).mean(1) / NOISE**2)
        for c in range(3):
            scaled = basis * own[:, c : c + 1]
            left[l.view, c] += scaled.T @ (trust[:, None] * scaled)
            right[l.view, c] += scaled.T @ (trust * colour[:, c])
    ridge = np.eye(9) * (RIDGE[:, None] / 0.28209479**2)
    solved = lambda a, b, towards: np.stack(
        [
            np.linalg.solve(a[c] + ridge * a[c, 0, 0], b[c] + ridge @ towards[:, c] * a[c, 0, 0])
            for c in range(3)
        ],
        1,
    )
    common = solved(left.sum(0), right.sum(0), np.zeros((9, 3)))
    light = np.empty((views, 9, 3))
    for v in range(views):
        gain = np.einsum('ck,kc->c', right[v], common) / np.maximum(
            np.einsum('kc,ckl,lc->c', common, left[v], common), 1e-12
        )  # its exposure
        light[v] = (
            solved(left[v], right[v], common * gain) if (left[v, :, 0, 0] > 0).all() else common
        )
    return light


def iris_colour(looks: list[Look], light: np.ndarray) -> tuple[float, ...]:
    """The irises' sRGB colour: the median over all points seen of them; the painted one where too few are.

    light: views×9×3. Of a look, points brighter than the half of them are left out: eyes have highlights.
    """
    found = []
    for taken in looks:
        colour, normals = taken.iris[:, :3], taken.iris[:, 3:]
        if len(colour) < IRIS_POINTS:
            continue
        lit = sh_basis(torch.from_numpy(normals)).numpy() @ light[taken.view]
        own = colour / np.maximum(lit, DARKEST * max(float(lit.mean()), 1e-3))
        bright = own.mean(1)
        found.append(np.median(own[bright <= np.median(bright)], axis=0))
    if not found:
        return IRIS
    return tuple(np.clip(np.median(found, axis=0), *IRIS_RANGE) ** (1 / GAMMA))


def fill(
    model: FaceModel,
    layout: Layout,
    parts: np.ndarray,
    albedo: np.ndarray,
    worth: np.ndarray,
    iris: tuple[float, ...] = IRIS,
) -> tuple[np.ndarray, np.ndarray]:
    """(texture size×size×3 linear, colours V×3 linear) without holes.

    What was seen goes smoothly over into the vertices' colours: those are harmonic over the surface between what was seen, leaning on the other
    half of the face where that was. Eyes (irises in the sRGB colour given), teeth, gums and sockets are painted. Outside of the UV islands: the nearest texel.
    """
    count, v = len(layout.place), model.vertex_count
    known = np.clip(worth / ENOUGH, 0, 1)
    seen, weight = _at_vertices(layout, albedo, known, v)
    mirrored = mirror_vertices(model)
    painted = natural_albedo(model, iris).astype(np.float64) ** GAMMA
    inner = np.ones(v, bool)
    for name in ('face', 'head_neck'):
        inner[model.regions[name]] = False
    skin = np.isin(parts, (SKIN, NOSE)) & (weight > 0.5)
    mean = (
        np.exp(np.log(np.maximum(seen[skin], 1e-4)).mean(0))
        if skin.any()
        else np.array(PAINTED_SKIN) ** GAMMA
    )
    weight[inner] = 0
    prior = np.where(inner[:, None], painted, mean)
    lean = np.where(inner, 1.0, 1e-4)
    other = np.where(weight < 0.05, 0.02 * weight[mirrored], 0)
    system = uniform_laplacian(edges_of(triangulate(model.faces)), v) * 0.1 + sparse.diags(
        weight + lean + other
    )
    right = weight[:, None] * seen + lean[:, None] * prior + other[:, None] * seen[mirrored]
    colours = splu(system.tocsc()).solve(right)
    colours[inner] = painted[inner]
    unseen = np.zeros(layout.size**2, np.uint8)
    unseen[layout.place[(worth < 0.25 * ENOUGH) | inner[layout.corner].any(1)]] = 1
    unseen = unseen.reshape(layout.size, -1)
    disc = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (2 * round(FEATHER[1] * layout.size / 2) + 1,) * 2
    )
    share = known
    for area, reach in zip((unseen, cv2.morphologyEx(unseen, cv2.MORPH_OPEN, disc)), FEATHER):
        away = cv2.distanceTransform(1 - area, cv2.DIST_L2, 5).ravel()[layout.place]
        share = np.minimum(share, np.clip(away / (reach * layout.size), 0, 1))
    share = (share * share * (3 - 2 * share))[:, None]
    texture = np.zeros((layout.size**2, 3))
    texture[layout.place] = share * albedo + (1 - share) * layout.spread(colours)
    outside = np.ones(layout.size**2, np.uint8)
    outside[layout.place] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        outside.reshape(layout.size, -1), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(nearest.max() + 1, np.int64)
    source[nearest.ravel()[layout.place]] = layout.place
    return texture[source[nearest]].reshape(layout.size, layout.size, 3), colours


def bake(
    model: FaceModel,
    layout: Layout,
    parts: np.ndarray,
    looks: list[Look],
    views: int,
    rounds: int = ROUNDS,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Appearance:
    """All looks → the texture, the vertices' colours and each view's light."""
    albedo, worth, light, residual = solve(model, looks, layout, parts, views, rounds, progress)
    texture, colours = fill(model, layout, parts, albedo, worth, iris_colour(looks, light))
    display = lambda linear: np.clip(linear, 0, 1) ** (1 / GAMMA)
    return Appearance(
        (display(texture) * 255 + 0.5).astype(np.uint8),
        display(colours).astype(np.float32),
        light,
        float((worth > 0).mean()),
        residual,
    )
