"""How far a wrapped head is from its scan, as colours on it."""

from __future__ import annotations

import bpy
import numpy as np

# the colour attribute, and the numbers themselves for the spreadsheet and for nodes
NAME, MILLIMETRES = 'Fit', 'Fit (mm)'
MAX_MM = 2.0  # red from here on
STOPS = (
    (0.0, (0.16, 0.32, 0.75)),
    (0.25, (0.15, 0.65, 0.60)),
    (0.5, (0.93, 0.85, 0.25)),
    (1.0, (0.80, 0.10, 0.10)),
)  # part of MAX_MM → sRGB
UNKNOWN = (0.45, 0.45, 0.45)
LEGEND = (
    f'Fit: blue 0 mm, green {MAX_MM / 4:.1f}, yellow {MAX_MM / 2:.0f}, '
    f'red {MAX_MM:.0f} mm and more; grey: no scan there'
)


def colours(distance: np.ndarray) -> np.ndarray:
    """Convert V distances in mm (NaN: unknown) → V×3 sRGB."""
    at = np.clip(np.nan_to_num(np.asarray(distance, float)) / MAX_MM, 0, 1)
    out = np.stack(
        [np.interp(at, [s for s, _ in STOPS], [c[k] for _, c in STOPS]) for k in range(3)], -1
    )
    return np.where(np.isfinite(distance)[:, None], out, UNKNOWN)


def paint(thing: bpy.types.Object, distance: np.ndarray) -> None:
    """Write V distances in mm as the mesh's colour attribute 'Fit', made active, and the attribute
    'Fit (mm)' (−1: unknown).
    """
    mesh = thing.data
    numbers = mesh.attributes.get(MILLIMETRES) or mesh.attributes.new(MILLIMETRES, 'FLOAT', 'POINT')
    numbers.data.foreach_set(
        'value', np.where(np.isfinite(distance), distance, -1).astype(np.float32)
    )
    paint_points(mesh, NAME, colours(distance))


def paint_points(mesh: bpy.types.Mesh, name: str, rgb: np.ndarray) -> None:
    """Write V×3 sRGB as a colour attribute of that name, made the active one."""
    layer = mesh.color_attributes.get(name) or mesh.color_attributes.new(
        name, 'BYTE_COLOR', 'POINT'
    )
    layer.data.foreach_set(
        'color_srgb', np.concatenate([rgb, np.ones((len(rgb), 1))], 1).astype(np.float32).ravel()
    )
    mesh.color_attributes.active_color = mesh.color_attributes[name]
    mesh.update()
