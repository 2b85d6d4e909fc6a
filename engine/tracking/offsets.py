"""Smooth ways in which a person's neutral may leave the model's span, as further identity modes.

Eigenmodes of the skin: a displacement field that is a Gaussian process with spectral density
(λ + LENGTH⁻²)⁻², λ the Laplace-Beltrami eigenvalue. Its bending energy is what it costs (the
spectral form of papers/1's regularised neutral; numbers measured here, on captures/dev).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from ..core.files import check_arrays, read_npz, write_npz
from ..core.store import cached
from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.laplacian import cotangent_laplacian, edges_of, mass, uniform_laplacian
from ..wrap.template import skin_and_sockets

LENGTH = 2.0  # cm: below this the field is smooth
# cm⁻²: how fast modes fade outside of the narrow face, where they do not.
FADE_RATES = {'face': 0.15, 'head_neck': 2.0, 'mouth_socket': 0.3}
DETAILED = ('upper_lip', 'lower_lip', 'upper_lid_L', 'upper_lid_R', 'lower_lid_L', 'lower_lid_R')
FINENESS_EDGES = 6  # edges over which the modes become finer
RIDERS = ('lacrimal_fluid', 'eye_blend', 'eye_occlusion', 'eyelashes')


def offset_modes(model: FaceModel, count: int, spread: float, denser: float = 1.0) -> np.ndarray:
    """Make offsets along head axes per unit standard deviation: 3·count × V×3 float32, cm.

    Eyeballs, lashes and eye surfaces ride with the mean of their lids; teeth, gums and tongue stay.

    spread: cm an axis, the field's root mean square over the narrow face
    denser: how much finer the modes are round lids and lips
    """
    skin, _, triangles = skin_and_sockets(model)
    vertices, piece = model.neutral[skin].astype(np.float64), pieces(model)
    area = mass(vertices, triangles)
    values, functions = eigenmodes(model, count, denser)
    face = np.isin(skin, model.regions['narrow_face'])
    scale = 1 / (values + LENGTH**-2)
    there = (functions**2 * scale**2).sum(1)
    scale = scale * spread / np.sqrt((there * area)[face].sum() / area[face].sum())
    field = np.zeros((count, model.vertex_count))
    field[:, skin] = (functions * scale).T
    for side in 'LR':
        lids = np.concatenate([piece[f'upper_lid_{side}'], piece[f'lower_lid_{side}']])
        for name in (f'eyeball_{side}', *(f'{rider}_{side}' for rider in RIDERS)):
            if name in model.regions:
                field[:, model.regions[name]] = field[:, lids].mean(1, keepdims=True)
    out = np.zeros((3, count, model.vertex_count, 3), np.float32)
    for axis in range(3):
        out[axis, :, :, axis] = field
    return out.reshape(-1, model.vertex_count, 3)


def eigenmodes(model: FaceModel, count: int, denser: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the skin's lowest eigenvalues, n in cm⁻², and their modes S×n: cached with the model.

    denser: how much finer the modes are round lids and lips
    """
    skin = skin_and_sockets(model)[0]

    def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
        data = read_npz(path, 'cache of modes')
        shapes = {'values': ('f', (count,)), 'functions': ('f', (len(skin), count))}
        check_arrays(path, data, shapes, 'delete it')
        return data['values'], data['functions']

    return cached(
        model.cache_path(f'modes_{count}_{denser:g}', 'tracking.offsets'),
        read,
        lambda: _find_eigenmodes(model, count, denser),
        lambda path, found: write_npz(path, values=found[0], functions=found[1]),
    )


def _find_eigenmodes(model: FaceModel, count: int, denser: float) -> tuple[np.ndarray, np.ndarray]:
    """Do what `eigenmodes` says; of either sign the one that is largest somewhere is above 0."""
    skin, _, triangles = skin_and_sockets(model)
    vertices = model.neutral[skin].astype(np.float64)
    area = mass(vertices, triangles)
    stiffness = cotangent_laplacian(vertices, triangles) + sparse.diags(_fade(model)[skin] * area)
    weighed = area * denser ** (2 * _fineness(model, skin, triangles)[skin])
    values, functions = eigsh(
        stiffness.tocsc(),
        k=count,
        M=sparse.diags(np.maximum(weighed, 1e-9 * area.sum())).tocsc(),
        sigma=-1e-3,
        v0=np.ones(len(skin)),
    )
    order = np.argsort(values)
    values, functions = np.maximum(values[order], 0), functions[:, order]
    sign = np.sign(functions[np.abs(functions).argmax(0), np.arange(count)])
    return values, functions * sign


def _fade(model: FaceModel) -> np.ndarray:
    """Tell how fast modes fade at each vertex: V, cm⁻²."""
    out = np.zeros(model.vertex_count)
    for name, rate in FADE_RATES.items():
        out[model.regions[name]] = rate
    out[model.regions['narrow_face']] = 0
    return out


def _fineness(model: FaceModel, skin: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Tell how far each vertex is round lids or lips: V in [0, 1], smooth over the skin."""
    out, piece = np.zeros(model.vertex_count), pieces(model)
    out[np.concatenate([piece[name] for name in DETAILED])] = 1
    uniform = uniform_laplacian(edges_of(triangles), len(skin))
    for _ in range(FINENESS_EDGES):  # neighbours' means: the density changes smoothly
        out[skin] -= 0.5 * (uniform @ out[skin]) / np.maximum(uniform.diagonal(), 1)
    return out
