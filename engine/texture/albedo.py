"""What colour the skin is, told apart from the light on it: a texture, and the light of each view.

Each chosen picture is laid onto the head it shows, texel by texel; colour = albedo × light, where
light is a matt surface's under low-frequency light (light.py). Light (least squares a view) and
albedo (robust weighted mean a texel) are found in turn. All colours here are linear,
display = linear^(1/2.2). Cast shadows, and light between lips and lids, are not modelled: what the
robust mean does not drop of them stays in the albedo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.errors import FacewrightError
from ..core.threads import map_in_threads
from ..face_model.model import FaceModel
from ..face_model.part_labels import NOSE, SKIN
from .fill import FULLY_KNOWN, fill_unseen, iris_colour
from .layout import TexelLayout
from .light import NOISE, fit_light, relative_difference, shading, skin_reflectance
from .symmetry import make_evener
from .texel_samples import GAMMA, TexelSamples

# Logarithm of red over blue, below the mean skin's, between which bright skin loses its worth.
PALE = 0.2, 0.45
TETHER = 0.1  # pictures' worth of plain skin that every texel of skin has
# Times the mean skin: where brighter skin begins to be held back, as a highlight, and how far above
# it nothing of it is left.
BRIGHTEST = 1.25, 0.3
ROUNDS = 3
TRUSTED = 0.5  # trust from which a sample speaks of the mean skin and of the residual


@dataclass(frozen=True)
class BakedSkin:
    """A head's colours without light.

    texture: size×size×3 uint8 sRGB
    colours: V×3 float32 sRGB in 0..1, for what the texture does not cover
    light: views×9×3 (world axes, `shading.sh_basis`)
    seen: part of the texels that some picture shows
    residual: the median error of colour after the fit, of the colour
    """

    texture: np.ndarray
    colours: np.ndarray
    light: np.ndarray
    seen: float
    residual: float


@dataclass(frozen=True)
class SolvedAlbedo:
    """Albedo N×3 linear, worth N in pictures, light views×9×3, residual: median error of colour."""

    albedo: np.ndarray
    worth: np.ndarray
    light: np.ndarray
    residual: float


def bake(
    model: FaceModel,
    layout: TexelLayout,
    parts: np.ndarray,
    samples: list[TexelSamples],
    views: int,
    rounds: int = ROUNDS,
    progress: Callable[[float], None] = lambda fraction: None,
) -> BakedSkin:
    """Bake all pictures' samples into the texture, the vertices' colours and each view's light.

    parts: V, the model's labels. Raises FacewrightError where no picture shows skin.
    """
    found = solve_albedo(model, samples, layout, parts, views, rounds, progress)
    iris = iris_colour(samples, found.light)
    texture, colours = fill_unseen(model, layout, parts, found.albedo, found.worth, iris)
    return BakedSkin(
        (_display(texture) * 255 + 0.5).astype(np.uint8),
        _display(colours).astype(np.float32),
        found.light,
        float((found.worth > 0).mean()),
        found.residual,
    )


def _display(linear: np.ndarray) -> np.ndarray:
    return np.clip(linear, 0, 1) ** (1 / GAMMA)


def solve_albedo(
    model: FaceModel,
    samples: list[TexelSamples],
    layout: TexelLayout,
    parts: np.ndarray,
    views: int,
    rounds: int = ROUNDS,
    progress: Callable[[float], None] = lambda fraction: None,
) -> SolvedAlbedo:
    """Find light and albedo in turn.

    A view without a picture has the mean light of the others. Raises FacewrightError where no
    picture shows skin.
    """
    count = len(layout.place)
    skin = np.isin(parts[layout.corner[np.arange(count), layout.weight.argmax(1)]], (SKIN, NOSE))
    target = _mean_skin(samples, skin)
    albedo = own = np.broadcast_to(target, (count, 3))  # own: before the halves are evened
    light, even = np.zeros((views, 9, 3)), make_evener(model, layout)
    everywhere = np.ones(count, bool)
    for turn in range(rounds):
        used = skin if turn == 0 else everywhere
        light = fit_light(samples, layout, albedo, light, used, robust=turn > 0)

        def report(fraction: float, turn: int = turn) -> None:
            progress((turn + fraction) / rounds)

        tethered = _Tether(target, skin, robust=turn > 0)
        own, worth, errors = _mean_albedo(samples, layout, own, light, tethered, report)
        held, believed = _highlights(own, target)
        worth *= np.where(skin, believed, 1)
        albedo = even(own * np.where(skin, held, 1)[:, None], np.clip(worth / FULLY_KNOWN, 0, 1))
        scale = _scale_to(target, albedo, skin, worth)
        albedo, own = np.clip(albedo * scale, 0.001, 1), np.clip(own * scale, 0.001, 1)
        light = light / scale
    residual = float(np.median(errors)) if len(errors) else 0.0
    return SolvedAlbedo(albedo, worth, light, residual)


def _mean_skin(samples: list[TexelSamples], skin: np.ndarray) -> np.ndarray:
    """Find the mean skin's likely albedo (3 float32) from what all pictures show of it."""
    found = [one.colour[skin[one.texel] & (one.trust > TRUSTED)] for one in samples]
    if not sum(map(len, found)):
        raise FacewrightError(
            'No picture shows the skin of the face: choose a reconstruction whose footage shows it.'
        )
    observed = np.median(np.concatenate(found).astype(np.float32), 0)
    return skin_reflectance(observed).astype(np.float32)


@dataclass(frozen=True)
class _Tether:
    """How a round's means are held: to the mean skin (target 3) on skin (N bool); robust or not."""

    target: np.ndarray
    skin: np.ndarray
    robust: bool


def _mean_albedo(
    samples: list[TexelSamples],
    layout: TexelLayout,
    before: np.ndarray,
    light: np.ndarray,
    tether: _Tether,
    progress: Callable[[float], None],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average a texel's samples: (albedo N×3, worth N in pictures, samples' errors).

    before: N×3, the albedo so far, whose residuals a robust mean turns away from
    """
    shades = [shading(one, layout, light[one.view], 50) for one in samples if len(one.texel)]
    level = np.mean([shade.mean(0) for shade in shades], 0)
    off = relative_difference(tether.target, before)
    worth_of_target = TETHER * tether.skin / (1 + (off**2).mean(1) / NOISE**2)
    down = worth_of_target.astype(np.float32)[:, None] * level**2
    up, worth, errors = down * tether.target, np.zeros(len(before), np.float32), []

    def weigh(one: TexelSamples) -> tuple[np.ndarray, ...]:
        shade, colour = shading(one, layout, light[one.view]), one.colour.astype(np.float32)
        error = relative_difference(colour, before[one.texel] * shade)
        trust = one.trust / (1 + (error**2).mean(1) / NOISE**2) if tether.robust else one.trust
        weighted = trust[:, None] * shade
        own = one.trust * np.minimum(1, shade.mean(1) / level.mean())
        off = np.abs(error[::7][one.trust[::7] > TRUSTED]).mean(1)
        return one.texel, weighted * colour, weighted * shade, own, off

    for k, (texel, risen, sunk, own, off) in enumerate(map_in_threads(weigh, samples)):
        progress(k / len(samples))
        up[texel] += risen
        down[texel] += sunk
        worth[texel] += own
        errors.append(off)
    albedo = np.where(down > 0, up / np.maximum(down, 1e-9), before)
    return albedo, worth, np.concatenate(errors)


def _scale_to(
    target: np.ndarray, albedo: np.ndarray, skin: np.ndarray, worth: np.ndarray
) -> np.ndarray:
    """Find what (3 float32) takes the geometric mean of the skin that is known to the target."""
    known = skin & (worth > FULLY_KNOWN / 2)
    known = known if known.any() else skin & (worth > 0)
    known = known if known.any() else skin
    mean = np.exp(np.log(np.maximum(albedo[known], 1e-4)).mean(0))
    return (target / mean).astype(np.float32)


def _highlights(albedo: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Judge skin's albedo N×3 by the mean skin's (3): highlights and shining hair.

    Returns (N: what it must be multiplied by so that no highlight shows; N in [0, 1]: how far it is
    none).
    """
    bright = albedo.mean(1) / skin.mean()
    knee, room = BRIGHTEST
    below = (knee + room * np.tanh((bright - knee) / room)) / np.maximum(bright, 1e-6)
    held = np.where(bright > knee, below, 1)
    grey = np.log(skin[0] / skin[2]) - np.log(
        np.maximum(albedo[:, 0], 1e-4) / np.maximum(albedo[:, 2], 1e-4)
    )
    pale = np.clip((bright - 0.8) / 0.2, 0, 1) * np.clip(
        (grey - PALE[0]) / (PALE[1] - PALE[0]), 0, 1
    )
    believed = np.clip((knee + room - bright) / room, 0, 1) * (1 - pale)
    return held.astype(np.float32), believed.astype(np.float32)
