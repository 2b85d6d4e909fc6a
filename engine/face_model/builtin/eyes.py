"""The built-in head's eyeballs: a sphere with a cornea, pole forward. Head space, cm."""

from __future__ import annotations

import numpy as np

from .cage import EYE_CENTRE_L, EYE_RADIUS

COLUMNS = 24
# rings from the pupil's middle to the back
POLAR = np.radians([0, 4.5, 9.5, 15, 20.5, 25, 28.5, 36, 48, 62, 78, 96, 116, 138, 160, 180])
PUPIL_RING, LIMBUS_RING = 2, 5  # indices into POLAR
CORNEA_RISE = 0.10  # how far the cornea rises over the sphere at the pole


def cornea_height(angle: np.ndarray) -> np.ndarray:
    """Return how far the eye rises over its sphere (cm) at angles (radians) from its axis."""
    return CORNEA_RISE * np.maximum(1 - (angle / POLAR[LIMBUS_RING + 1]) ** 2, 0)


def eyeball() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (vertices N×3 of the LEFT eye, faces F×4, materials F: 0 sclera, 1 iris, 2 pupil)."""
    turn = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    vertices, faces, materials = [np.array([[0, 0, EYE_RADIUS + CORNEA_RISE]])], [], []
    for angle in POLAR[1:-1]:
        r = EYE_RADIUS + cornea_height(angle)
        vertices.append(
            np.stack(
                [
                    r * np.sin(angle) * np.cos(turn),
                    r * np.sin(angle) * np.sin(turn),
                    np.full(COLUMNS, r * np.cos(angle)),
                ],
                1,
            )
        )
    vertices.append(np.array([[0, 0, -EYE_RADIUS]]))
    last = 1 + COLUMNS * (len(POLAR) - 2)
    for k in range(COLUMNS):
        m = (k + 1) % COLUMNS
        faces.append((0, 1 + k, 1 + m, -1))
        materials.append(2)
    for ring in range(1, len(POLAR) - 2):
        a, b = 1 + COLUMNS * (ring - 1), 1 + COLUMNS * ring
        for k in range(COLUMNS):
            m = (k + 1) % COLUMNS
            faces.append((a + k, b + k, b + m, a + m))
            materials.append(2 if ring < PUPIL_RING else 1 if ring < LIMBUS_RING else 0)
    a = last - COLUMNS
    for k in range(COLUMNS):
        faces.append((a + k, last, a + (k + 1) % COLUMNS, -1))
        materials.append(0)
    return (
        np.concatenate(vertices) + EYE_CENTRE_L,
        np.array(faces, np.int32),
        np.array(materials, np.uint8),
    )
