"""How far a head's shapes are from the plain model's, and shapes between the two.

Plain numpy: Blender runs it in its own process. Shapes are in cm, differences in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.rigid import move, rigid_motion
from .editing import blend

MILLIMETRES = 10.0  # a cm
MOVES = 0.01  # cm: a vertex that a shape moves by less it does not move
SAME = 0.01  # mm: shapes nearer to each other than that are the same
NEUTRAL = 'neutral'  # what the head at rest is called among its shapes


@dataclass(frozen=True)
class Difference:
    """How far a shape is from the plain one, mm.

    mean: over the vertices that either of the two moves; of a neutral, over all.
    largest: over all.
    """

    mean: float
    largest: float

    @property
    def none(self) -> bool:
        """Return whether the two are the same."""
        return self.largest < SAME


def shape_distance(shape: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """Return V: how far apart two shapes (V×3 offsets, cm) are, mm."""
    return MILLIMETRES * np.linalg.norm(np.asarray(shape, np.float64) - plain, axis=-1)


def shape_difference(shape: np.ndarray, plain: np.ndarray) -> Difference:
    """Compare two shapes, V×3 offsets (cm)."""
    apart = shape_distance(shape, plain)
    moved = np.maximum(np.linalg.norm(shape, axis=-1), np.linalg.norm(plain, axis=-1)) > MOVES
    mean = float(apart[moved].mean()) if moved.any() else 0.0
    return Difference(mean, float(apart.max(initial=0)))


def neutral_distance(neutral: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return V: how far a neutral is from the model's mean head, both V×3 (cm), in mm.

    After the rigid motion, without scale, that brings the two together best.
    """
    rotation, translation, _ = rigid_motion(neutral, mean)
    return MILLIMETRES * np.linalg.norm(move(neutral, rotation, translation) - mean, axis=-1)


def neutral_difference(neutral: np.ndarray, mean: np.ndarray) -> Difference:
    """Compare a neutral with the model's mean head, both V×3 (cm)."""
    apart = neutral_distance(neutral, mean)
    return Difference(float(apart.mean()), float(apart.max(initial=0)))


def blend_with_plain(
    shape: np.ndarray,
    plain: np.ndarray,
    personal: np.ndarray,
    share: float,
    weights: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Return V×3 offsets: where weights are 1 the shape between plain (share 0) and personal (1).

    shape: V×3 offsets, as they are; they stay where weights are 0. weights: V in [0, 1].
    """
    return blend(shape, blend(plain, personal, share), weights)


def difference_in_words(name: str, found: Difference) -> str:
    """Say how far a shape of this name is from the model's, without a full stop."""
    of = 'mean head' if name == NEUTRAL else 'own'
    if found.none:
        return f"{name} is the model's {of}"
    apart = f'{found.mean:.2f} mm in the mean, {found.largest:.2f} mm at most'
    return f"{name} differs from the model's {of} by {apart}"


def shapes_in_words(found: dict[str, Difference]) -> str:
    """Say how many of a head's shapes differ, and which the most: a sentence."""
    differ = {name: one for name, one in found.items() if not one.none}
    if not differ:
        return "This head's shapes are the model's own."
    most = max(differ, key=lambda name: differ[name].largest)
    apart = f'{differ[most].mean:.2f} mm in the mean, {differ[most].largest:.2f} mm at most'
    verb = 'differs' if len(differ) == 1 else 'differ'
    return (
        f"{len(differ)} of {len(found)} shapes {verb} from the model's, {most} the most: {apart}."
    )
