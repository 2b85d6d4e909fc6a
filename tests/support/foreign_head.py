"""A head of foreign topology to try shape keys on.

The built-in one cut anew, finer, shuffled, turned and in metres.
"""

from __future__ import annotations

import numpy as np

from facewright.engine.face_model.model import FaceModel
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.user_mesh import UserMesh

TURN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y up → z up, as in Blender


def foreign_copy(
    model: FaceModel, identity_seed: int = 5, rounds: int = 1, vertices: np.ndarray | None = None
) -> UserMesh:
    """Make a mesh of the model's head as somebody else would have it.

    Quads are cut along the other diagonal, every edge halved `rounds` times, vertices slid along
    the surface by up to a tenth of an edge and shuffled; metres, z up. Eyeballs, teeth and gums are
    parts of their own.

    vertices: V×3, head space, cm; by default those of a person of `identity_seed`.
    """
    rng = np.random.default_rng(identity_seed)
    if vertices is None:
        vertices = model.shape(rng.normal(size=len(model.identities)) * 0.6).astype(np.float64)
    quads = model.faces[:, 3] >= 0
    f = model.faces
    triangles = np.concatenate([f[~quads][:, :3], f[quads][:, [0, 1, 3]], f[quads][:, [1, 2, 3]]])
    part = np.zeros(len(vertices), int)
    for k, region in enumerate(('eyeball_L', 'eyeball_R', 'gums_tongue', 'teeth'), 1):
        part[model.regions[region]] = k
    for _ in range(rounds):
        before = len(vertices)
        vertices, triangles, made = _halved(vertices, triangles)
        part = np.concatenate([part, part[made[:, 0]]])
        assert len(part) == len(vertices) > before
    edge = np.linalg.norm(vertices[triangles[:, 0]] - vertices[triangles[:, 1]], axis=1)
    length = np.full(len(vertices), np.inf)
    np.minimum.at(length, triangles.ravel(), np.repeat(edge, 3))
    slide = rng.normal(size=vertices.shape)
    normal = vertex_normals(vertices, triangles)
    slide -= (slide * normal).sum(1, keepdims=True) * normal
    vertices = vertices + 0.03 * np.where(np.isfinite(length), length, 0)[:, None] * np.clip(
        slide, -2, 2
    )
    order = rng.permutation(len(vertices))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    t = rank[triangles]
    return UserMesh(
        0.01 * vertices[order] @ TURN.T + (0.3, -1.0, 1.6),
        np.c_[t, np.full(len(t), -1)].astype(np.int32),
        part[order].astype(np.int32),
        ('head', 'eye_left', 'eye_right', 'gums', 'teeth'),
        None,
        'foreign head',
    )


def _halved(
    vertices: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every edge halved: (vertices, triangles, the two ends of each new vertex)."""
    edges = np.sort(
        np.stack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]], 1), 2
    )
    ends, index = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    ab, bc, ca = (index.reshape(-1, 3) + len(vertices)).T
    a, b, c = triangles.T
    cut = np.concatenate([np.c_[a, ab, ca], np.c_[ab, b, bc], np.c_[ca, bc, c], np.c_[ab, bc, ca]])
    return np.concatenate([vertices, vertices[ends].mean(1)]), cut, ends
