"""Smooth ways in which a person's neutral may leave the model's span: eigenmodes of the skin, as further identity modes.

A displacement field that is a Gaussian process on the skin with spectral density (λ + ℓ⁻²)⁻², λ the Laplace-Beltrami eigenvalue: its bending
energy is what it costs (the spectral form of papers/1's regularised neutral; numbers measured here, on captures/dev).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from ..face_model.model import FaceModel
from ..face_model.pieces import pieces
from ..geometry.laplacian import cotangent_laplacian, edges_of, mass, uniform_laplacian
from ..wrap.template import skin_and_sockets

LENGTH = 2.0  # cm: below this the field is smooth
OUTSIDE = {
    'face': 0.15,
    'head_neck': 2.0,
    'mouth_socket': 0.3,
}  # cm⁻²: how fast modes fade there (the narrow face: not at all)
DETAILED = ('upper_lip', 'lower_lip', 'upper_lid_L', 'upper_lid_R', 'lower_lid_L', 'lower_lid_R')
FADE_IN = 6  # edges over which the modes become finer
RIDERS = ('lacrimal_fluid', 'eye_blend', 'eye_occlusion', 'eyelashes')


def offset_modes(
    model: FaceModel,
    count: int,
    spread: float,
    axes: tuple[int, ...] = (0, 1, 2),
    denser: float = 1.0,
) -> np.ndarray:
    """len(axes)·count × V×3 float32 cm offsets along head axes per unit standard deviation; the field's root mean square over the narrow face is
    `spread` cm an axis. denser: how much finer the modes are round lids and lips.

    Eyeballs, lashes and eye surfaces ride with the mean of their lids; teeth, gums and tongue with the mean of the lips' surroundings stay.
    """
    skin, of, triangles = skin_and_sockets(model)
    vertices = model.neutral[skin].astype(np.float64)
    area = mass(vertices, triangles)
    fade = np.zeros(model.vertex_count)
    for name, rate in OUTSIDE.items():
        fade[model.regions[name]] = rate
    fade[model.regions['narrow_face']] = 0
    piece = pieces(model)
    fine = np.zeros(model.vertex_count)
    fine[np.concatenate([piece[name] for name in DETAILED])] = 1
    uniform = uniform_laplacian(edges_of(triangles), len(skin))
    stiffness = cotangent_laplacian(vertices, triangles) + sparse.diags(fade[skin] * area)
    for _ in range(FADE_IN):  # neighbours' means: the density changes smoothly
        fine[skin] -= 0.5 * (uniform @ fine[skin]) / np.maximum(uniform.diagonal(), 1)
    weighed = area * denser ** (2 * fine[skin])
    values, functions = eigsh(
        stiffness.tocsc(),
        k=count,
        M=sparse.diags(np.maximum(weighed, 1e-9 * area.sum())).tocsc(),
        sigma=-1e-3,
        v0=np.ones(len(skin)),
    )
    order = np.argsort(values)
    values, functions = np.maximum(values[order], 0), functions[:, order]
    functions = functions * np.sign(functions[np.abs(functions).argmax(0), np.arange(count)])
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
    out = np.zeros((len(axes), count, model.vertex_count, 3), np.float32)
    for k, axis in enumerate(axes):
        out[k, :, :, axis] = field
    return out.reshape(-1, model.vertex_count, 3)
