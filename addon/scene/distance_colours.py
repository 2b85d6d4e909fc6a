"""Distances in millimetres as colours on a mesh: how far a wrapped head is from its scan, how far a
head's shapes are from the face model's.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

STOPS = (
    (0.0, (0.16, 0.32, 0.75)),
    (0.25, (0.15, 0.65, 0.60)),
    (0.5, (0.93, 0.85, 0.25)),
    (1.0, (0.80, 0.10, 0.10)),
)  # part of a scale's largest distance → sRGB
UNKNOWN = (0.45, 0.45, 0.45)


@dataclass(frozen=True)
class Scale:
    """What distances are shown as.

    name: of the colour attribute. largest: mm, red from here on. unknown: what grey means, '' where
    every distance is known.
    """

    name: str
    largest: float
    unknown: str = ''

    @property
    def numbers(self) -> str:
        """Return the attribute with the distances themselves, for the spreadsheet and nodes."""
        return f'{self.name} (mm)'

    @property
    def legend(self) -> str:
        """Say what the colours mean, without a full stop."""
        return (
            f'{self.name}: blue 0 mm, green {self.largest / 4:g}, yellow {self.largest / 2:g}, '
            f'red {self.largest:g} mm and more' + (f'; grey: {self.unknown}' * bool(self.unknown))
        )


FIT = Scale('Fit', 2.0, 'no scan there')
DIFFERENCES = tuple(Scale('Difference', largest) for largest in (1.0, 2.0, 4.0, 8.0, 16.0))


def difference_scale(largest: float) -> Scale:
    """Return the scale of differences on which one of so many mm is seen best."""
    return next((scale for scale in DIFFERENCES if largest <= scale.largest), DIFFERENCES[-1])


def colours(distance: np.ndarray, largest: float) -> np.ndarray:
    """Convert V distances in mm (NaN: unknown) → V×3 sRGB."""
    at = np.clip(np.nan_to_num(np.asarray(distance, float)) / largest, 0, 1)
    out = np.stack(
        [np.interp(at, [s for s, _ in STOPS], [c[k] for _, c in STOPS]) for k in range(3)], -1
    )
    return np.where(np.isfinite(distance)[:, None], out, UNKNOWN)


def paint(thing: bpy.types.Object, distance: np.ndarray, scale: Scale) -> None:
    """Write V distances in mm as the mesh's colour attribute of that scale, made active, and as its
    numbers (−1: unknown).
    """
    mesh = thing.data
    numbers = mesh.attributes.get(scale.numbers) or mesh.attributes.new(
        scale.numbers, 'FLOAT', 'POINT'
    )
    numbers.data.foreach_set(
        'value', np.where(np.isfinite(distance), distance, -1).astype(np.float32)
    )
    paint_points(mesh, scale.name, colours(distance, scale.largest))


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


def take_off(mesh: bpy.types.Mesh, *attributes: str) -> None:
    """Remove attributes of these names, and show the mesh's own colours again."""
    for name in attributes:
        if name in mesh.attributes:
            mesh.attributes.remove(mesh.attributes[name])
    if 'Albedo' in mesh.color_attributes:
        mesh.color_attributes.active_color = mesh.color_attributes['Albedo']
    mesh.update()
