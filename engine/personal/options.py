"""What quality 'personal' goes by, and where each number comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PersonalOptions:
    """Options of `refine`; papers/1 gives none of these numbers.

    Measured on captures/dev, dev2 and dev3 (docs/bench.md, "Personal").

    pictures: of all views together
    rounds: times the head is drawn, its appearance found and its surface moved
    texels: side of the square of texels that the skin's appearance is kept in
    neighbourhood: px, the standard deviation of the Gaussian whose mean is taken off a picture's
        residual: light and shadow, which are not modelled to that extent, lie in it
    robust: residuals beyond so many times a picture's noise count less and less
    pixels_of_one: pixels that say as much as one of independent noise would (at the true heads of
        captures the error of what all pictures say of a vertex is so much larger)
    bend: cm, the standard deviation of how far the surface is bent over `bend_length` cm
    shift: cm, the same of how far it lies off Standard's over `shift_length` cm
    """

    pictures: int = 192
    rounds: int = 2
    texels: int = 512
    neighbourhood: float = 4.0
    robust: float = 3.0
    pixels_of_one: float = 400.0
    bend: float = 0.15
    bend_length: float = 3.0
    shift: float = 0.4
    shift_length: float = 9.0
