"""How well a wrapped model lies on its mesh: numbers, and what they say in words."""

from __future__ import annotations

import numpy as np

from ..core.errors import FacewrightError
from ..face_model.model import FaceModel
from ..face_model.paint import visible_faces
from ..face_model.pieces import pieces
from ..geometry.border import Border
from ..geometry.closest import Surface
from ..geometry.laplacian import mass
from ..geometry.normals import vertex_normals
from ..geometry.polygons import triangulate
from ..render.preview import head_to_camera
from ..render.rasterise import rasterise
from .linear_fit import VIEWS_ALL_ROUND
from .template import Wrapped

# pixels of the pictures that say which vertices do: about a quarter of a millimetre each
CLOSE_PICTURE_SIZE = 900
COVERED_WITHIN = 1.5  # cm
# mm, (median, 95 %) from the model to the mesh over the face. Seven real scans: up to .10 and .47;
# a low-poly head and a cartoon's up to .20 and 1.4 (the built-in head); a face found on the back of
# a head: .47 and 6.5 with ICT, 1.2 and 8.8 with the built-in head.
DOUBTFUL = 0.3, 2.0
REFUSED = 1.0, 5.0


def fit_numbers(model: FaceModel, wrapped: Wrapped) -> dict[str, float]:
    """Measure how far the wrapped model and its mesh are apart over the narrow face, in mm.

    Median and 95 % both ways; how many of the skin's triangles are turned over, and how many of
    them or of new self-crossings the registration itself counts.
    Model → mesh: by area, over the narrow face where it is seen from outside (`outer_face`) and was
    not left over a hole or the mesh's border; `all` counts the whole of it, the insides of nostrils
    and lips too, which most scans do not have. Mesh → model: the mesh's vertices whose nearest
    point on the wrapped model lies on its narrow face, inside its border.
    """
    surface = wrapped.skin
    head, found_triangles = surface.vertices, surface.triangles
    face = model.regions['narrow_face']
    triangle, barycentric, _, distance = surface.closest(wrapped.vertices[face])
    inner = ~Border(found_triangles, len(head)).holds(triangle, barycentric)
    t = triangulate(model.faces)
    narrow = np.isin(t, face).all(1)
    area = mass(wrapped.vertices, t[narrow])[face]
    own = Surface(wrapped.vertices, t[narrow])
    used = np.unique(found_triangles)
    triangle, barycentric, _, back = own.closest(head[used], 0.6)
    hit = (triangle >= 0) & ~Border(t[narrow], len(wrapped.vertices)).holds(triangle, barycentric)
    numbers = {
        'model_to_mesh': (distance, area * (inner & outer_face(model, wrapped.vertices))),
        'model_to_mesh_all': (distance, area),
        'mesh_to_model': (back[hit], np.ones(hit.sum())),
    }
    out = {
        f'{k}_{name}_mm': quantile(10 * v, w, q)
        for k, (v, w) in numbers.items()
        for name, q in (('median', 0.5), ('95', 0.95))
    }
    return out | {'turned_triangles': turned_triangles(model, wrapped), 'folds': wrapped.folds}


def fit_warnings(numbers: dict[str, float], name: str, placed: bool) -> list[str]:
    """Return a sentence where the model hardly lies on the mesh, by `fit_numbers`; else none.

    name: the mesh's; placed: the user placed markers. Raises FacewrightError where it lies nowhere
    near and no markers say that it should.
    """
    median, most = (numbers.get(f'model_to_mesh_{q}_mm') for q in ('median', '95'))
    if median is None:
        return [
            f'How well the face model lies on {name} could not be measured: '
            'look at the result closely.'
        ]
    if median <= DOUBTFUL[0] and most <= DOUBTFUL[1]:
        return []
    off = (
        f'half of the face is within {median:.1f} mm of it, '
        f'a twentieth further off than {most:.1f} mm'
    )
    if not placed and (median > REFUSED[0] or most > REFUSED[1]):
        raise FacewrightError(
            f'The face model does not fit {name}: {off}. '
            'Place at least four markers on the face and try again.'
        )
    return [
        f'The face model hardly fits {name}: {off}. '
        'Look at the result closely; markers on the face help.'
    ]


def quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float | None:
    """Return the value below which `share` of the weight lies; None where there is no weight."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    if not len(values) or total[-1] <= 0:
        return None
    return round(
        float(values[order][min(np.searchsorted(total, share * total[-1]), len(values) - 1)]), 4
    )


def outer_face(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Return bool for each vertex of the narrow face: it is seen from outside.

    Past eyeballs and teeth, and nothing of the skin stands before it within COVERED_WITHIN cm along
    its normal; so not the inside of nostrils, lips and lids.
    """
    face, t = model.regions['narrow_face'], triangulate(model.faces[visible_faces(model)])
    centre = model.neutral[model.landmarks68].mean(0) - (0, 0, 3)
    seen = np.zeros(model.vertex_count, bool)
    for yaw, pitch in VIEWS_ALL_ROUND:
        if abs(yaw) <= 60 and abs(pitch) <= 35:
            camera = head_to_camera(vertices, yaw, pitch, 0, 80.0, centre)
            triangle, barycentric, _ = rasterise(
                camera,
                t,
                CLOSE_PICTURE_SIZE / 22.0 * 80.0,
                (CLOSE_PICTURE_SIZE / 2,) * 2,
                (CLOSE_PICTURE_SIZE, CLOSE_PICTURE_SIZE),
            )
            hit = triangle >= 0
            seen[t[triangle[hit], barycentric[hit].argmax(1)]] = True
    skin = np.zeros(model.vertex_count, bool)
    skin[pieces(model)['skin']] = True
    t = t[skin[t].all(1)]
    normal = vertex_normals(vertices, t)[face]
    return seen[face] & (
        Surface(vertices, t).rays(vertices[face] + 0.005 * normal, normal, COVERED_WITHIN)[0] < 0
    )


def turned_triangles(model: FaceModel, wrapped: Wrapped) -> int:
    """Count the skin triangles that face more than 90° away from where they faced on the fit."""
    skin = np.zeros(model.vertex_count, bool)
    skin[pieces(model)['skin']] = True
    t = triangulate(model.faces)
    t = t[skin[t].all(1)]
    before, after = (
        np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]])
        for v in (wrapped.fit.vertices, wrapped.vertices)
    )
    return int(((after * before).sum(1) < 0).sum())
